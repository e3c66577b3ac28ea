"""A reference → what it means: a parameter, something of the execution, or something that a step offers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sagewright import steps as kinds
from sagewright.compiler import loops, shapes
from sagewright.compiler.component_lookup import input_value, no_parameters, output_value, unknown_step
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.expression import (
    EXPRESSIONS,
    ExecutionRef,
    Expression,
    JsonGet,
    ParameterRef,
    Reference,
    StepRef,
)
from sagewright.compiler.frames import Frame
from sagewright.compiler.kind import StepKind, Sugar, UnavailableError
from sagewright.compiler.model import Step
from sagewright.compiler.names import Names, Unresolved, at, placed, there_are
from sagewright.compiler.source import Map, Origin, key_origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.types import Type

EXECUTION = {
    "id": "PipelineExecutionId",
    "arn": "PipelineExecutionArn",
    "pipeline_name": "PipelineName",
    "pipeline_arn": "PipelineArn",
    "start_time": "StartDateTime",
    "current_time": "CurrentDateTime",
}
_ROOTS = ("parameters", "execution", "steps", "item", "inputs")
_TEMPLATE_ROOTS = ("vars", "env", "target", "pipeline", "matrix")


def lookup(reference: Reference, place: Origin | None, names: Names) -> Expression:
    """What a reference means. Raises `Unresolved`."""
    root = reference.segments[0]
    if root == "parameters":
        return _parameter(reference, place, names)
    if root == "execution":
        return _execution(reference, place)
    if root == "steps":
        return _step(reference, place, names)
    if root == "item":
        return loops.item(reference, place, names)
    if root == "inputs":
        return input_value(reference, place, names)
    if root in _TEMPLATE_ROOTS:
        message = f"`{root}` is known when compiling, not when the pipeline runs"
        raise at(reference, 0, "SW307", message, f"write `{{{{ {reference.text} }}}}`")
    near = nearest(str(root), _ROOTS)
    help = f"did you mean `{near}`?" if near else None
    known = "`parameters`, `execution` and `steps`"
    raise at(
        reference, 0, "SW307", f"unknown reference `{reference.text}`: references begin with {known}", help
    )


def _parameter(reference: Reference, place: Origin | None, names: Names) -> ParameterRef:
    if names.frame.caller is not None:
        raise no_parameters(reference)
    parameters = names.pipeline.parameters
    if len(reference.segments) < 2:
        raise at(
            reference, 0, "SW307", "`parameters` alone is no value: name one", notes=there_are(parameters)
        )
    name = str(reference.segments[1])
    if len(reference.segments) > 2:
        raise at(reference, 2, "SW307", f"a parameter is one value: `parameters.{name}` has nothing below it")
    if name not in parameters:
        near = nearest(name, parameters)
        help = f"did you mean `{near}`?" if near else None
        notes = [] if near else there_are(parameters) or ["the pipeline declares none"]
        raise at(reference, 1, "SW303", f"unknown parameter `{name}`", help, notes)
    names.used.add(name)
    return ParameterRef(name, parameters[name].type, place)


def _execution(reference: Reference, place: Origin | None) -> ExecutionRef:
    if len(reference.segments) != 2 or reference.segments[1] not in EXECUTION:
        word = str(reference.segments[1]) if len(reference.segments) > 1 else ""
        near = nearest(word, EXECUTION) if word else None
        help = f"did you mean `{near}`?" if near else None
        shown = f"the execution has no `{word}`" if word else "`execution` alone is no value"
        raise at(reference, min(1, len(reference.segments) - 1), "SW307", shown, help, there_are(EXECUTION))
    return ExecutionRef(EXECUTION[str(reference.segments[1])], Type.STRING, place)


def _step(reference: Reference, place: Origin | None, names: Names) -> Expression:
    if len(reference.segments) < 2:
        raise at(
            reference,
            0,
            "SW307",
            "`steps` alone is no value: name a step",
            notes=there_are(names.frame.entries),
        )
    name = str(reference.segments[1])
    entry = names.frame.entries.get(name)
    if isinstance(entry, Frame):
        loops.check_scope(reference, entry.steps, names)
        return output_value(reference, entry, place, names)
    step = names.steps.get(entry) if isinstance(entry, str) else None
    if step is None:
        if isinstance(entry, str):  # it is there, but not understood
            return StepRef(entry, "", Type.ANY, place)
        if isinstance(entry, tuple):
            message = f"`{name}` is a matrix of {len(entry)} steps: all of them stand only in a list"
            help = f"did you mean `{entry[0]}`?" if entry else None
            raise at(reference, 1, "SW307", message, help, [f"its steps are {listing(entry)}"])
        raise unknown_step(reference, names)
    loops.check_scope(reference, (step.name,), names)
    return _of_step(reference, step, place, names)


def _of_step(reference: Reference, step: Step, place: Origin | None, names: Names) -> Expression:
    """What a reference to something of a step means, however that was found. Raises `Unresolved`."""
    name = str(reference.segments[1])
    if len(reference.segments) < 3:
        raise at(
            reference,
            1,
            "SW307",
            f"the step `{name}` is no value: refer to something of it",
            notes=_attributes(step),
        )
    word = reference.segments[2]
    if word == "reports":
        return _report_value(reference, step, place, names)
    sugar = step.kind.sugar.get(str(word)) or loops.spelt_out(step.kind, word)
    if sugar is not None and sugar.lead is not None:
        return loops.through(reference, step, sugar, place, names, (_step, _of_step))
    spelt = str(word) if sugar is not None else _spelt_out(step, word)
    if spelt is not None:
        return _sugar(reference, step, spelt, place, names)
    if not str(word)[:1].isupper() and word not in _properties(step):
        known = [*step.kind.sugar, *(["reports"] if "reports" in step.body else [])]
        near = nearest(str(word), known)
        help = f"did you mean `{near}`?" if near else None
        raise at(
            reference,
            2,
            "SW302",
            f"the step `{name}` has no `{word}`",
            help,
            [] if near else _attributes(step),
        )
    _check_declared(reference, step)
    return _property(reference, step, place, names.sink)


def _attributes(step: Step) -> list[str]:
    found = [sugar.shown(key) for key, sugar in step.kind.sugar.items()]
    found += ["reports.<name>"] if "reports" in step.body else []
    described = " and AWS's own properties" if _described_by(step).properties else ""
    return [f"a step of kind `{step.kind.name}` has {listing(found)}{described}"] if found else []


def _spelt_out(step: Step, word: str | int) -> str | None:
    """The sugar that has all there is of a property that no shape of AWS's describes: `outputs` of `OutputParameters`.
    None where there is none, or `step_api` says something else."""
    if step.kind.properties is not None or _is_patched(step, word):
        return None
    plain = ((key, sugar.path.partition("[")[0]) for key, sugar in step.kind.sugar.items())
    return next((key for key, path in plain if path == word), None)


def _check_declared(reference: Reference, step: Step) -> None:
    """An item that is asked for by its name as AWS spells it is one that the step declares, where its sugar knows them
    all. Raises `Unresolved`."""
    segments = list(reference.segments[2:])
    for word, sugar in step.kind.sugar.items():
        head, _, tail = sugar.path.partition("['{}'].")
        above = head.split(".")
        if sugar.names is None or segments[: len(above)] != above or _is_patched(step, above[0]):
            continue
        declared, below = sugar.names(step.body), segments[len(above) :]
        if declared is not None and below and isinstance(below[0], str):
            is_whole = below[1:] == tail.split(".")
            _declared_type(reference, 2 + len(above), step, word, declared, is_whole=is_whole)


def _is_patched(step: Step, member: str | int) -> bool:
    """Whether the author's `api` or `step_api` says something of a member, so that it may have more than is declared."""
    return any(
        isinstance(given, Map) and member in given for given in map(step.body.get, ("api", "step_api"))
    )


def _sugar(reference: Reference, step: Step, word: str, place: Origin | None, names: Names) -> Expression:
    sugar, written = step.kind.sugar[word], reference.segments[2]
    if sugar.names is None:
        index = _item(reference, step, sugar) if sugar.items is not None else 0
        end = 3 if sugar.items is None else 4
        if len(reference.segments) > end:
            raise at(
                reference,
                end,
                "SW302",
                f"`{written}` of the step `{step.name}` is one value: it has nothing below it",
            )
        if sugar.make is not None:
            return _made(reference, step, index, place, names)
        return StepRef(step.name, sugar.path.format(index), sugar.type, place)
    declared = sugar.names(step.body)
    if len(reference.segments) < 4:
        notes = _declared(step, word, declared)
        raise at(
            reference,
            2,
            "SW302",
            f"`{written}` of the step `{step.name}` is no value: name one",
            notes=notes,
        )
    name = str(reference.segments[3])
    kind: Type | None = sugar.type
    if declared is not None:
        kind = _declared_type(reference, 3, step, word, declared)
    if len(reference.segments) > 4:
        message = f"the {word.removesuffix('s')} `{name}` of the step `{step.name}` has nothing below it"
        raise at(reference, 4, "SW302", message)
    return StepRef(step.name, sugar.path.format(name), kind, place)


def _declared_type(
    reference: Reference,
    index: int,
    step: Step,
    word: str,
    declared: Mapping[str, Type | None],
    *,
    is_whole: bool = True,
) -> Type | None:
    """The type of what the segment at `index` names, which must be declared; `is_whole` is whether the reference is to
    what the sugar means, which may not be there. Raises `Unresolved`."""
    name, singular = str(reference.segments[index]), word.removesuffix("s")
    if name not in declared:
        near = nearest(name, declared)
        help = f"did you mean `{near}`?" if near else None
        message = f"the step `{step.name}` has no {singular} `{name}`"
        raise at(reference, index, "SW302", message, help, _declared(step, word, declared))
    kind = declared[name]
    if kind is None and is_whole:
        why = step.kind.sugar[word].why
        raise at(reference, index, "SW302", f"the {singular} `{name}` of the step `{step.name}`: {why}")
    return kind


def _item(reference: Reference, step: Step, sugar: Sugar) -> int:
    """The index in a reference to sugar that has items."""
    word, most = reference.segments[2], (sugar.items or 1) - 1
    if len(reference.segments) < 4:
        message = f"`{word}` of the step `{step.name}` is no value: say which"
        raise at(reference, 2, "SW302", message, f"write `{word}[0]` for the first")
    index = reference.segments[3]
    if not isinstance(index, int) or not 0 <= index <= most:
        raise at(reference, 3, "SW302", f"`{word}` of the step `{step.name}` goes from 0 to {most}")
    return index


def _made(reference: Reference, step: Step, index: int, place: Origin | None, names: Names) -> Expression:
    """Sugar that is no property: what its kind makes of it."""
    word = str(reference.segments[2])
    make = step.kind.sugar[word].make
    assert make is not None
    if (step.name, word) in names.reports:
        raise at(reference, 2, "SW302", f"`{word}` of the step `{step.name}` refers to itself")
    names.reports.add((step.name, word))
    try:
        with names.inside(step.frame):
            made = make(step, index, names)
        return placed(made, place)
    except UnavailableError as error:
        raise at(reference, 2, "SW302", f"the step `{step.name}` has no `{word}`: {error}") from error
    finally:
        names.reports.discard((step.name, word))


def _declared(step: Step, word: str, declared: Any) -> list[str]:
    """What is declared, and where."""
    if not declared:
        return [f"it declares no {word}"]
    place = key_origin(step.body, word)
    container = step.body.get(word)
    first = key_origin(container, next(iter(declared))) or place
    span = first.span() if first else None
    file = f"{span.file}:" if span and step.frame.caller is not None else ""
    where = f" (declared at {file}{span.line}:{span.column})" if span else ""
    verb = f"its {word} are" if len(declared) > 1 else f"its only {word.removesuffix('s')} is"
    return [f"{verb} {listing(list(declared))}{where}"]


def _report_value(reference: Reference, step: Step, place: Origin | None, names: Names) -> JsonGet:
    reports = step.body.get("reports")
    declared = reports if isinstance(reports, Map) else Map()
    if len(reference.segments) < 4:
        notes = _declared(step, "reports", declared)
        raise at(reference, 2, "SW302", "a report is no value: name it, and a path in it", notes=notes)
    name = str(reference.segments[3])
    if name not in declared:
        near = nearest(name, declared)
        help = f"did you mean `{near}`?" if near else None
        raise at(
            reference,
            3,
            "SW302",
            f"the step `{step.name}` has no report `{name}`",
            help,
            _declared(step, "reports", declared),
        )
    if len(reference.segments) < 5:
        raise at(reference, 3, "SW302", f"the report `{name}` is no value: add the path of one in it")
    starts = reference.starts
    path = reference.text[starts[4] - reference.start :] if starts else ""
    if (
        isinstance(reference.segments[4], int)
        or reference.text[starts[3] - reference.start + len(name) :][:1] == "["
    ):
        path = reference.text[starts[3] - reference.start + len(name) :]
    entry = declared[name]
    uri = None
    if isinstance(entry, Map) and "uri" in entry:
        if (step.name, name) in names.reports:
            raise at(reference, 3, "SW302", f"the URI of the report `{name}` refers to itself")
        names.reports.add((step.name, name))
        with names.inside(step.frame):
            uri = names.value(entry, "uri")
        names.reports.discard((step.name, name))
        if not isinstance(uri, (str, *EXPRESSIONS)):
            raise at(reference, 0, "", "told already")
    return JsonGet(step.name, name, path, uri, Type.ANY, place)


def _described_by(step: Step) -> StepKind:
    """The kind that says what properties a step has: of a native step, that of its type."""
    if step.kind.name == "native":
        return kinds.of_type(str(step.body.get("type"))) or step.kind
    return step.kind


def _properties(step: Step) -> Collection[str]:
    """What the properties of a step begin with, as far as AWS describes them."""
    kind = _described_by(step)
    return shapes.property_names(kind.properties, kind.service) if kind.properties else ()


def _property(reference: Reference, step: Step, place: Origin | None, sink: Sink) -> StepRef:
    """A property as SageMaker spells it, checked against AWS's description of the step where there is one."""
    segments = reference.segments[2:]
    known = _described_by(step)
    if known.unproven:
        sink.report("SW902", known.unproven, place)
    if known.properties is None:
        return _unchecked_property(reference, step, place)
    try:
        path, kind = shapes.property_path(known.properties, segments, service=known.service)
    except shapes.PropertyError as error:
        starts = (*reference.starts, reference.end + 1)
        first = starts[2 + error.start]
        last = max(min(starts[min(2 + error.end, len(starts) - 1)] - 1, reference.end), first + 1)
        raise Unresolved("SW304", error.message, first, last, error.help) from error
    return StepRef(step.name, path, kind, place)


def _unchecked_property(reference: Reference, step: Step, place: Origin | None) -> StepRef:
    known: StepKind = step.kind
    word = str(reference.segments[2])
    if known.attributes is not None and word not in known.attributes:
        near = nearest(word, known.attributes)
        help = f"did you mean `{near}`?" if near else None
        message = f"a step of kind `{known.name}` has no property `{word}`"
        notes = [f"it has {listing(known.attributes)}"] if known.attributes else ["it has none"]
        raise at(reference, 2, "SW304", message, help, notes)
    path = reference.text[reference.starts[2] - reference.start :]
    return StepRef(step.name, path, Type.ANY, place)
