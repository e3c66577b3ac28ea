"""Scenario files and the given part of tests: YAML → `Scenario`, mistakes told at their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sagewright.compiler.definition import steps
from sagewright.compiler.diagnostics import Sink, Span
from sagewright.compiler.engine.blueprint import Blueprint
from sagewright.compiler.engine.parameters import Refused, declared, resolve
from sagewright.compiler.engine.scenario import (
    Behaviour,
    Draw,
    Fault,
    Scenario,
    ScenarioError,
    error_name,
)
from sagewright.compiler.kind import seconds
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin
from sagewright.compiler.suggest import listing, nearest

DRAWS = {"$uniform": "uniform", "$normal": "normal", "$choice": "choice"}
TYPES: Mapping[str, str] = {
    "processing": "Processing",
    "training": "Training",
    "tuning": "Tuning",
    "automl": "AutoML",
    "transform": "Transform",
    "model": "Model",
    "register": "RegisterModel",
    "endpoint_config": "EndpointConfig",
    "endpoint": "Endpoint",
    "inference_component": "InferenceComponent",
    "lambda": "Lambda",
    "callback": "Callback",
    "quality_check": "QualityCheck",
    "clarify_check": "ClarifyCheck",
    "emr": "EMR",
    "emr_serverless": "EMRServerless",
    "job": "Job",
    "lineage": "Lineage",
    "cleanup": "Cleanup",
}
"""Kinds that run as one step, and SageMaker's types."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a simulation is given. `after` and `stop_at` are seconds; `retry` is what holds once the execution is taken
    up again, None where it is not."""

    scenario: Scenario = field(default_factory=Scenario)
    select: tuple[str, ...] = ()
    after: float | None = None
    stop_at: float | None = None
    retry: Scenario | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """What a pipeline has that a scenario may name, and what it says of itself.

    `groups` are the steps that an authored step is made of; `parallelism` holds where a scenario has none.
    """

    plan: Blueprint
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pipeline: str = "pipeline"
    parallelism: int | None = None

    def meant(self, name: str) -> tuple[str, ...]:
        """The steps of the definition that a name means; none where it means nothing."""
        if name in self.plan.nodes or self.body_of(name) is not None:
            return (name,)
        return tuple(self.groups.get(name, ()))

    def group(self, name: str) -> tuple[str, ...]:
        """All steps that an authored step became (a deployment's model, configuration and endpoint)."""
        return self.groups.get(name) or self.meant(name)

    def body_of(self, name: str) -> str | None:
        """The step of a ForEach body that `name` is, or is a turn of."""
        base, _, number = name.rpartition("-")
        if name in self.plan.bodies:
            return name
        return base if number.isdigit() and base in self.plan.bodies else None

    def known(self) -> list[str]:
        return list(dict.fromkeys([*self.plan.nodes, *self.plan.bodies, *self.groups]))

    def body(self, name: str) -> Mapping[str, Any]:
        """The step's JSON."""
        wanted = self.body_of(name) or name
        return next(step.body for step in steps(self.plan.definition) if step.name == wanted)


def given(data: Map, names: Names, sink: Sink) -> Given:
    """What a mapping (checked against its schema) gives. Mistakes go to the sink, and are left out."""
    _check_parameters(data, names, sink)
    scenario = Scenario(
        parameters=dict(data.get("parameters") or {}),
        steps=_behaviours(data, names, sink),
        durations=_durations(data, names, sink),
        files=draws(data.get("files") or {}, sink),
        parallelism=data.get("parallelism", names.parallelism),
    )
    again = data.get("retry")
    return Given(
        scenario,
        tuple(selected(data.get("select") or Seq(), names, sink)),
        _seconds(data.get("after")),
        _seconds(data.get("stop_at")),
        replace(scenario, steps={**scenario.steps, **_behaviours(again, names, sink)})
        if again is not None
        else None,
    )


def _behaviours(data: Map, names: Names, sink: Sink) -> dict[str, Behaviour]:
    """How each step behaves that is spoken of."""
    found: dict[str, Behaviour] = {}
    written = data.get("steps") or Map()
    for name, body in written.items():
        meant = names.meant(name)
        if not meant:
            unknown_step(name, names, key_origin(written, name), sink)
        for step in meant:
            found[step] = _behaviour(body or Map(), step, names, sink)
    return found


def _durations(data: Map, names: Names, sink: Sink) -> dict[str, float | Draw]:
    """How long steps of a type take; kinds are types of ours."""
    written: Map = data.get("durations") or Map()
    found: dict[str, float | Draw] = {}
    used = {step.type for step in steps(names.plan.definition)}
    for kind in written:
        known = TYPES.get(kind, kind)
        value = _duration(written, kind, sink)
        if known not in TYPES.values() and known not in used:
            near = nearest(kind, [*TYPES, *used])
            place = key_origin(written, kind)
            help = f"did you mean `{near}`?" if near else None
            sink.report("SW207", f"unknown kind of step `{kind}`", place.span() if place else None, help=help)
        elif value is not None:
            found[known] = value
    return found


def unknown_step(name: str, names: Names, at: Origin | None, sink: Sink) -> None:
    near = nearest(name, names.known())
    help = f"did you mean `{near}`?" if near else None
    notes = [] if near else [f"there are {listing(names.known())}"]
    sink.report("SW301", f"unknown step `{name}`", at.span() if at else None, help=help, notes=notes)


def selected(written: Seq, names: Names, sink: Sink) -> Iterable[str]:
    """The steps that a list of names means."""
    for index, name in enumerate(written):
        meant = names.meant(name)
        if not meant:
            unknown_step(name, names, origin(written, index), sink)
        yield from meant


def _check_parameters(data: Map, names: Names, sink: Sink) -> None:
    written = data.get("parameters") or Map()
    known = declared(names.plan.definition)
    for name in written:
        place = key_origin(written, name)
        at = place.span() if place else None
        if name not in known:
            near = nearest(name, known)
            help = f"did you mean `{near}`?" if near else None
            notes = [] if near else [f"there are {listing(known)}"]
            sink.report("SW303", f"unknown parameter `{name}`", at, help=help, notes=notes)
            continue
        try:
            resolve({"Parameters": [known[name]]}, {name: written[name]})
        except Refused as error:
            value = origin(written, name)
            sink.report("SW205", f"parameter `{name}`: {error}", value.span() if value else at)


# -- one step ---------------------------------------------------------------------------------------------------------


def _behaviour(written: Map, step: str, names: Names, sink: Sink) -> Behaviour:
    body = names.body(step)
    _check_names(
        written,
        "reports",
        step,
        _property_files(body),
        sink,
        "`files:` takes the JSON of any other S3 object",
    )
    _check_names(written, "outputs", step, _outputs(body), sink)
    metrics = _metrics(body)
    if metrics:
        _check_names(written, "metrics", step, metrics, sink)
    is_condition = body.get("Type") == "Condition"
    for key in ("takes", "chance"):
        if key in written and not is_condition:
            _report(
                sink,
                "SW208",
                f"`{key}` belongs to conditions, and `{step}` is a {body.get('Type')}",
                written,
                key,
            )
    takes, chance = written.get("takes"), written.get("chance")
    rate = written.get("rate", 0)
    return Behaviour(
        faults=tuple(_faults(written, sink)),
        rate=float(rate) if isinstance(rate, (int, float)) else 0.0,
        rate_error=_error(written, "rate_fails", sink) or "algorithm_error",
        duration=_duration(written, "duration", sink),
        reports=draws(written.get("reports") or {}, sink),
        outputs=draws(written.get("outputs") or {}, sink),
        metrics=draws(written.get("metrics") or {}, sink),
        properties=draws(written.get("properties") or {}, sink),
        outcome=takes == "then" if takes is not None else chance,
    )


def _check_names(
    written: Map, key: str, step: str, known: Iterable[str], sink: Sink, otherwise: str = ""
) -> None:
    """The reports, outputs or metrics that are given must be some that the step has."""
    names = list(known)
    entries = written.get(key) or Map()
    for name in entries:
        if name in names:
            continue
        near = nearest(name, names)
        notes = [] if near else [f"it has {listing(names)}", *([otherwise] if otherwise else [])]
        place = key_origin(entries, name)
        help = f"did you mean `{near}`?" if near else None
        message = f"`{step}` has no {key.removesuffix('s')} `{name}`"
        sink.report("SW302", message, place.span() if place else None, help=help, notes=notes)


def _property_files(body: Mapping[str, Any]) -> list[str]:
    return _named(body.get("PropertyFiles"), "PropertyFileName")


def _outputs(body: Mapping[str, Any]) -> list[str]:
    return _named(body.get("OutputParameters"), "OutputName")


def _metrics(body: Mapping[str, Any]) -> list[str]:
    algorithm = body["Arguments"].get("AlgorithmSpecification")
    return _named(algorithm.get("MetricDefinitions") if isinstance(algorithm, Mapping) else None, "Name")


def _named(items: Any, member: str) -> list[str]:
    return [str(i.get(member)) for i in items if isinstance(i, Mapping)] if isinstance(items, list) else []


def _faults(written: Map, sink: Sink) -> Iterable[Fault]:
    fails = written.get("fails")
    if isinstance(fails, str):
        error = _error(written, "fails", sink)
        if error:
            yield Fault(error, written.get("times"), str(written.get("message") or ""))
        return
    for key in ("times", "message"):
        if key in written:
            _report(
                sink,
                "SW208",
                f"`{key}` stands beside one failure: write it in the list's entries",
                written,
                key,
            )
    for index, entry in enumerate(fails or ()):
        if isinstance(entry, Map):
            error = _error(entry, "error", sink)
            if error:
                yield Fault(error, entry.get("times"), str(entry.get("message") or ""))
        else:
            error = _error(fails, index, sink)
            if error:
                yield Fault(error, 1)


def _error(container: Any, key: str | int, sink: Sink) -> str | None:
    """The failure that is named at `key`, None where there is none."""
    if isinstance(key, str) and key not in container:
        return None
    try:
        return error_name(str(container[key]))
    except ScenarioError as error:
        _report(sink, "SW204", str(error), container, key)
        return None


def _duration(container: Any, key: str, sink: Sink) -> float | Draw | None:
    written = container.get(key)
    if written is None:
        return None
    if not isinstance(written, Map):
        return _seconds(written)
    if len(written) != 1 or next(iter(written)) not in DRAWS:
        _report(sink, "SW203", f"`{key}` wants a duration, or one of {listing(DRAWS)}", container, key)
        return None
    return _draw(written, sink, durations=True)


def draws(value: Any, sink: Sink) -> Any:
    """`value` with each `{$uniform: [1, 2]}`, `{$normal: [0, 1]}` and `{$choice: [...]}` as a Draw."""
    if isinstance(value, Map):
        if len(value) == 1 and next(iter(value)) in DRAWS:
            return _draw(value, sink)
        return {key: draws(item, sink) for key, item in value.items()}
    return [draws(item, sink) for item in value] if isinstance(value, list) else value


def _draw(value: Map, sink: Sink, *, durations: bool = False) -> Draw | None:
    ((key, values),) = value.items()
    kind = DRAWS[key]
    if not isinstance(values, list) or not values or (kind != "choice" and len(values) != 2):
        wanted = "a list" if kind == "choice" else "a list of two values"
        _report(sink, "SW203", f"`{key}` wants {wanted}", value, key)
        return None
    if kind == "choice" and not durations:
        return Draw(kind, tuple(values))
    try:
        return Draw(kind, tuple(float(seconds(v)) if durations else _number(v) for v in values))
    except (TypeError, ValueError, KeyError, IndexError):
        wanted = "durations" if durations else "numbers"
        _report(sink, "SW205", f"`{key}` wants {wanted}", value, key)
        return None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(value)
    return value


def _seconds(written: Any) -> float | None:
    return None if written is None else float(seconds(written))


def _report(sink: Sink, code: str, message: str, container: Any, key: str | int) -> None:
    place = origin(container, key)
    at: Span | None = place.span() if place else None
    sink.report(code, message, at)
