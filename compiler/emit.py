"""`Program` → definition: values typed and cast for their place, in SageMaker's spelling and the SDK's order of keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sagewright.compiler import shapes, step_shapes
from sagewright.compiler.blame import written_as
from sagewright.compiler.conditions import to_json
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.expression import (
    Conditions,
    ExecutionRef,
    Expression,
    ItemRef,
    Join,
    JsonGet,
    Literal,
    ParameterRef,
    StepRef,
    operands,
    uses,
)
from sagewright.compiler.graph import Program
from sagewright.compiler.merge import patch
from sagewright.compiler.model import Cache, Dependency, Emitted, Parameter, Pipeline, Request, RetryPolicy
from sagewright.compiler.policies import is_iso_duration
from sagewright.compiler.source import Map, Origin, entry_origin, key_origin, own_origin
from sagewright.compiler.step_shapes import BESIDE
from sagewright.compiler.suggest import nearest
from sagewright.compiler.types import Type, is_assignable

VERSION = "2020-12-01"
EXPERIMENT_REGIONS = frozenset(
    [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "ca-central-1",
        "sa-east-1",
        "af-south-1",
        "me-south-1",
        "il-central-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-central-1",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-south-1",
        "ap-east-1",
        "cn-north-1",
        "cn-northwest-1",
    ]
)
"""Where executions are put into an experiment by default. Source: SDK 3.27, EUREKA_GA_REGIONS."""


def emit(program: Program, region: str | None, sink: Sink) -> dict[str, Any]:
    """The definition. What SageMaker or AWS would refuse in it goes to `sink`."""
    pipeline = program.pipeline
    definition: dict[str, Any] = {
        "Version": VERSION,
        "Metadata": {},
        "Parameters": [_parameter(parameter) for parameter in pipeline.parameters.values()],
    }
    experiment = _experiment(pipeline, region, sink)
    if experiment:
        definition["PipelineExperimentConfig"] = experiment
    if isinstance(pipeline.mlflow, Map):
        definition["MlflowConfig"] = _mlflow(pipeline.mlflow, sink)
    definition["Steps"] = [_step(step, sink) for step in program.steps]
    return definition


def to_text(definition: dict[str, Any], *, indent: int | None = None) -> str:
    """A definition as JSON text. The same definition gives the same bytes; compact, or indented for reading."""
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        definition,
        ensure_ascii=False,
        allow_nan=False,
        check_circular=False,  # made here, as a tree
        indent=indent,
        separators=separators,
    )


def _parameter(parameter: Parameter) -> dict[str, Any]:
    made: dict[str, Any] = {"Name": parameter.name, "Type": parameter.type.value}
    if parameter.default is not None:
        made["DefaultValue"] = parameter.default
    if parameter.enum:
        made["EnumValues"] = list(parameter.enum)
    return made


def _experiment(pipeline: Pipeline, region: str | None, sink: Sink) -> dict[str, Any] | None:
    if pipeline.experiment is False:
        return None
    given = pipeline.experiment if isinstance(pipeline.experiment, Map) else Map()
    if not given and region is not None and region not in EXPERIMENT_REGIONS:
        return None
    values = _Values(None, sink)
    name = given.get("name", ExecutionRef("PipelineName"))
    trial = given.get("trial", ExecutionRef("PipelineExecutionId"))
    return {"ExperimentName": values.text(name), "TrialName": values.text(trial)}


def _mlflow(given: Map, sink: Sink) -> dict[str, Any]:
    values = _Values(None, sink)
    made = {"MlflowResourceArn": values.text(given.get("resource_arn"))}
    if "experiment" in given:
        made["MlflowExperimentName"] = values.text(given["experiment"])
    return made


# -- steps ------------------------------------------------------------------------------------------------------------


def _step(step: Emitted, sink: Sink) -> dict[str, Any]:
    """One step, nested ones included, with the keys in the order in which the SDK writes them."""
    sink.within = step.source.frame
    made: dict[str, Any] = {"Name": step.name, "Type": step.type, "Arguments": _arguments(step, sink)}
    if step.depends_on:
        made["DependsOn"] = [_dependency(dependency) for dependency in step.depends_on]
    if step.display_name is not None:
        made["DisplayName"] = step.display_name
    if step.description is not None:
        made["Description"] = step.description
    if step.retry:
        made["RetryPolicies"] = [_retry(policy) for policy in step.retry]
    if step.cache is not None:
        made["CacheConfig"] = _cache(step.cache)
    sink.within = step.source.frame
    values = _Values(step, sink)
    if step.extra:
        _report_own(step.extra, step.source.body, sink)
        made.update(values.beside(step.extra))
    if step.source.step_api is not None and step.name == step.source.name:
        _patch_step(made, step.source.step_api, values)
    return made


def _patch_step(made: dict[str, Any], change: Map, values: _Values) -> None:
    """Merge the author's `step_api`: what comes of the members that it names is checked."""
    _report_own(change, change, values.sink)
    merged = values.beside(patch({key: made[key] for key in change if key in made}, change))
    for key in change:
        if key in merged:
            made[key] = merged[key]
        else:
            made.pop(key, None)


_OWN_KEYS = {
    "Name": "a step is called by its key in the file",
    "Type": "`kind` decides it",
    "Arguments": "they are made of the other keys, and `api` patches them",
    "DependsOn": "`depends_on` says it",
}
"""Keys of a step that everything else here is worked out from, and what to write instead."""


_LITERAL = frozenset({"CacheConfig", "CheckType", "FunctionArn", "SqsQueueUrl"})


def _report_own(given: Mapping[str, Any], container: Any, sink: Sink) -> None:
    for key in given:
        if key in _OWN_KEYS:
            place = key_origin(container, key)
            sink.report("SW208", f"`{key}` is the compiler's to write", place, help=_OWN_KEYS[key])
        elif key not in BESIDE and (near := nearest(key, BESIDE)):
            message = f"`{key}`: no step of SageMaker's is known to have it"
            sink.report("SW902", message, key_origin(container, key), help=f"did you mean `{near}`?")


def _arguments(step: Emitted, sink: Sink) -> Any:
    values = _Values(step, sink)
    if "Conditions" in step.arguments and step.branches:
        return _condition(step, values, sink)
    made = values.bind(step.arguments, step.request, step.omits)
    _report_refused(step, sink)
    for member, nested in step.branches.items():
        made[member] = [_step(one, sink) for one in nested]
    return made


def _report_refused(step: Emitted, sink: Sink) -> None:
    for path, (code, why) in step.refused.items():
        *within, member = path.split(".")
        container = step.arguments
        for name in within:
            container = container.get(name) if isinstance(container, dict) else None
        if isinstance(container, dict) and container.get(member) is not None:
            place = key_origin(container, member) or step.source.name_origin
            sink.report(code, f"`{path}`: {why}", place.span())


def _condition(step: Emitted, values: _Values, sink: Sink) -> dict[str, Any]:
    conditions = step.arguments["Conditions"]
    made: dict[str, Any] = {}
    if isinstance(conditions, Conditions):
        made["Conditions"] = to_json(conditions.clauses, values.operand)
    else:  # `api` has its own
        made.update(values.bind(step.arguments, step.request, step.omits))
    for member, nested in step.branches.items():
        made[member] = [_step(one, sink) for one in nested]
    return made


def _check_beside(made: dict[str, Any], written: Any, values: _Values) -> None:
    """What no shape says: of a step's cache and retries, and where a reference cannot stand."""
    for member in sorted(_LITERAL & made.keys()):
        for use in uses(written[member]):
            place = own_origin(use) if isinstance(use, dict) else next(operands(use)).origin
            message = f"`{member}` takes a literal: SageMaker must know it when the pipeline is created"
            values.sink.report("SW209", message, place or entry_origin(written, member))
    cache = made.get("CacheConfig")
    expiry = cache.get("ExpireAfter") if isinstance(cache, dict) else None
    if isinstance(expiry, str) and not is_iso_duration(expiry):
        place = entry_origin(written["CacheConfig"], "ExpireAfter")
        notes = ["for example `P30D` or `PT12H`"]
        values.sink.report("SW205", f'"{expiry[:40]}" is no ISO 8601 duration', place, notes=notes)
    policies = made.get("RetryPolicies")
    for index, policy in enumerate(policies if isinstance(policies, list) else ()):
        if isinstance(policy, dict) and {"MaxAttempts", "ExpireAfterMin"} <= policy.keys():
            place = key_origin(written["RetryPolicies"][index], "ExpireAfterMin")
            message = "the retry policy has both `MaxAttempts` and `ExpireAfterMin`: one of them is taken"
            values.sink.report("SW212", message, place)


def _dependency(dependency: Dependency) -> Any:
    return (
        dependency.step
        if dependency.when == "Completed"
        else {"Step": dependency.step, "Trigger": dependency.when}
    )


def _retry(policy: RetryPolicy) -> dict[str, Any]:
    limit = (
        {"ExpireAfterMin": policy.expire_after}
        if policy.expire_after is not None
        else {"MaxAttempts": policy.max_attempts}
    )
    return {
        "BackoffRate": policy.backoff,
        "IntervalSeconds": policy.interval,
        **limit,
        "ExceptionType": list(policy.errors),
    }


def _cache(cache: Cache) -> dict[str, Any]:
    return {"Enabled": True, **({"ExpireAfter": cache.expire_after} if cache.expire_after else {})}


# -- values -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Values:
    """Turns the values of one step into JSON, and reports those that do not fit their place."""

    step: Emitted | None
    sink: Sink

    def bind(self, value: Any, request: Request | None, omits: tuple[str, ...]) -> Any:
        service = self.step.service if self.step else "sagemaker"
        return shapes.bind(
            value, request, omits=omits, variable=self.variable, report=self._violation, service=service
        )

    def beside(self, members: dict[str, Any]) -> dict[str, Any]:
        """The members of a step beside Arguments. Those that nobody knows are taken as they are."""
        request = {member: BESIDE.get(member, "anything") for member in members}
        made = shapes.bind(
            members, request, variable=self.variable, report=self._violation, service=step_shapes.SERVICE
        )
        _check_beside(made, members, self)
        return made

    def text(self, value: Any) -> Any:
        """A value where a String is wanted."""
        return self.variable(value, Type.STRING) if isinstance(value, Expression) else value

    def operand(self, operand: Any) -> Any:
        return operand.value if isinstance(operand, Literal) else self.variable(operand, Type.ANY)

    def variable(self, expression: Expression, wanted: Type) -> Any:
        """An expression in SageMaker's spelling, cast where a String is wanted. What does not fit is reported."""
        given = expression.type
        if given is None:
            place = _place(expression, self.step)
            self._report(
                "SW406",
                f"{written(expression)} is a whole structure or list: a {_noun(wanted)} is wanted",
                place,
                "refer to a value in it",
            )
            return None
        if wanted is Type.STRING and not is_assignable(given, wanted):
            return _join((expression,), self)
        if not is_assignable(given, wanted):
            help = _cast_hint(given, wanted)
            self._report(
                "SW401",
                f"{written(expression)} is of type {given}, {wanted} is wanted here",
                _place(expression, self.step),
                help,
            )
        return self.spell(expression)

    def spell(self, expression: Expression) -> Any:
        match expression:
            case ParameterRef(name=name):
                return {"Get": f"Parameters.{name}"}
            case ExecutionRef(variable=variable):
                return {"Get": f"Execution.{variable}"}
            case StepRef(step=step, path=path):
                return {"Get": f"Steps.{step}.{path}"}
            case ItemRef(path=path):
                return {"Get": f"ForEach.CurrentItem{path}"}
            case JsonGet():
                return self._json_get(expression)
            case Join(parts=parts):
                return _join(parts, self)

    def _json_get(self, expression: JsonGet) -> dict[str, Any]:
        if expression.uri is None:
            source: dict[str, Any] = {
                "PropertyFile": {"Get": f"Steps.{expression.step}.PropertyFiles.{expression.report}"}
            }
        else:
            uri = expression.uri
            parts = uri.parts if isinstance(uri, Join) else (uri,)
            source = {"S3Uri": _join(parts, self)}
        return {"Std:JsonGet": {**source, "Path": expression.path}}

    def _violation(self, violation: shapes.Violation) -> None:
        place = violation.origin
        if violation.value is not None and self.step is not None:
            place = written_as(violation.value, self.step.source.body) or place
        elif place is None and violation.code == "SW602" and self.step is not None:
            place = written_as(None, self.step.source.body)
        self._report(violation.code, violation.message, place, violation.help)

    def _report(self, code: str, message: str, place: Origin | None, help: str | None) -> None:
        if place is None and self.step is not None:
            place = self.step.source.name_origin
        self.sink.report(code, message, place, help=help)


def _join(parts: tuple[Any, ...], values: _Values) -> dict[str, Any]:
    spelt = []
    for part in parts:
        if isinstance(part, JsonGet) and len(parts) > 1:
            place = _place(part, values.step)
            message = "a report's value inside a text: nobody has seen SageMaker take that"
            values.sink.report("SW902", message, place)
        if not isinstance(part, str) and part.type is None:
            values.variable(part, Type.STRING)
        spelt.append(str(part) if isinstance(part, str) else values.spell(part))
    return {"Std:Join": {"On": "", "Values": spelt}}


def _place(expression: Expression, step: Emitted | None) -> Origin | None:
    if isinstance(expression, Join):
        expression = next((p for p in expression.parts if not isinstance(p, str)), expression)
    return expression.origin or (step.source.name_origin if step else None)


def written(expression: Expression) -> str:
    """An expression as the author wrote it, for messages."""
    origin = expression.origin
    if origin is not None and origin.start is not None:
        text = origin.node.value[origin.start : origin.end]
        return f"`{text.removeprefix('${').removesuffix('}').strip()}`"
    if isinstance(expression, ParameterRef):
        return f"`parameters.{expression.name}`"
    return "the text" if isinstance(expression, Join) else "the reference"


def _noun(wanted: Type) -> str:
    return "value" if wanted is Type.ANY else wanted.value


def _cast_hint(given: Type, wanted: Type) -> str | None:
    if given is Type.STRING and wanted in (Type.INTEGER, Type.FLOAT, Type.BOOLEAN):
        return "SageMaker does not turn a String into another type"
    return None
