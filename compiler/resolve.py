"""Names → what they mean. Every `${...}` and every `if:` is parsed, looked up and typed here, once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode

from sagewright import steps as kinds
from sagewright.compiler import shapes
from sagewright.compiler.condition_parser import parse_condition
from sagewright.compiler.conditions import MAX_TERMS, TooManyTerms, constant, normalise
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.expression import (
    EXPRESSIONS,
    Compare,
    Condition,
    Conditions,
    ExecutionRef,
    Expression,
    ExpressionError,
    In,
    Join,
    JsonGet,
    Literal,
    Not,
    Or,
    ParameterRef,
    Reference,
    StepRef,
    Template,
)
from sagewright.compiler.expression_parser import parse_text
from sagewright.compiler.kind import StepKind, Sugar, UnavailableError
from sagewright.compiler.model import Pipeline, Step
from sagewright.compiler.parse import Parsed
from sagewright.compiler.project import Settings
from sagewright.compiler.source import Map, Origin, Seq, Text, key_origin, origin, scalar_text
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed
from sagewright.compiler.types import Type, are_comparable, type_of

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
_PLAIN_KEYS = frozenset(("kind", "depends_on", "retry", "cache", "display_name", "description", "matrix", "uses"))


@dataclass(slots=True)
class _Names:
    """What references may name. `unknowable` are steps that are there, but not understood."""

    pipeline: Pipeline
    steps: dict[str, Step]
    unknowable: frozenset[str]
    settings: Settings
    sink: Sink
    used: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Steps with a value that means nothing: not fit to be lowered."""
    failed: bool = False
    """Whether such a value has been met since this was last reset."""
    reports: set[tuple[str, str]] = field(default_factory=set)
    """Reports by URI, and sugar, that are being looked up: they may refer to one another, and so to themselves."""

    # What kinds may ask for (`Scope`).

    def value(self, container: Any, key: str | int) -> Any:
        return _bind_entry(container[key], container, key, self)

    def job_output(self, step: str) -> str:
        return self.settings.job_output(self.pipeline.name, step)


class _Unresolved(Exception):
    """A reference that means nothing. Offsets count in the scalar's value."""

    def __init__(self, code: str, message: str, start: int, end: int, help: str | None = None, notes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code, self.message, self.start, self.end, self.help, self.notes = code, message, start, end, help, notes


@dataclass(frozen=True, slots=True)
class Resolved:
    """A pipeline whose references are replaced by what they mean, and its steps that are not fit to be lowered."""

    pipeline: Pipeline
    broken: frozenset[str]


def resolve(parsed: Parsed, settings: Settings, sink: Sink) -> Resolved:
    """Replace every reference in the steps of a pipeline by what it means. What means nothing is reported."""
    pipeline = parsed.pipeline
    steps = {step.name: step for step in pipeline.every_step()}
    names = _Names(pipeline, steps, parsed.names - steps.keys(), settings, sink)
    bound = tuple(_bind_step(step, names) for step in pipeline.steps)
    root = pipeline.document.data
    made = replace(
        pipeline,
        steps=bound,
        role=_bind_scalar(pipeline.role, origin(root, "role"), names),
        experiment=_bind(pipeline.experiment, names),
        mlflow=_bind(pipeline.mlflow, names),
    )
    for name, parameter in pipeline.parameters.items():
        if name not in names.used and not sink.failed:
            place = parameter.origin
            sink.report("SW901", f"the parameter `{name}` is never used", place.span() if place else None)
    return Resolved(made, parsed.broken | names.broken)


def _bind_step(step: Step, names: _Names) -> Step:
    kind = step.kind
    data: dict[str, Any] = {}
    names.failed = False
    for key, value in step.body.items():
        if key in kind.branches:
            continue
        if key in kind.conditions:
            data[key] = _bind_condition(value, origin(step.body, key), names)
            names.failed = names.failed or data[key] is None
        elif key in _PLAIN_KEYS:
            data[key] = value
        else:
            data[key] = _bind_entry(value, step.body, key, names)
    body = Map(data, step.body.node)
    if names.failed:
        names.broken.add(step.name)
    branches = {key: tuple(_bind_step(nested, names) for nested in nested_steps) for key, nested_steps in step.branches.items()}
    tags = body.get("tags")
    return replace(
        step,
        body=body,
        branches=branches,
        tags=tags if isinstance(tags, Map) else None,
        api=body.get("api"),
        step_api=body.get("step_api"),
    )


def _bind_entry(value: Any, container: Map | Seq, key: str | int, names: _Names) -> Any:
    if isinstance(value, str):
        place = origin(container, key)
        return _bind_text(value, place.node if place else None, names)
    return _bind(value, names)


def _bind(value: Any, names: _Names) -> Any:
    """A copy of `value` with expressions for references, and texts that know their place."""
    if isinstance(value, Map):
        nodes = _value_nodes(value.node)
        return Map(
            {
                key: _bind_text(item, nodes.get(key, value.node), names) if isinstance(item, str) else _bind(item, names)
                for key, item in value.items()
            },
            value.node,
        )
    if isinstance(value, Seq):
        return Seq([_bind_entry(item, value, index, names) for index, item in enumerate(value)], value.node)
    return value


def _value_nodes(node: Node | None) -> dict[str, Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, MappingNode) else {}


def _bind_scalar(value: Any, place: Origin | None, names: _Names) -> Any:
    return _bind_text(value, place.node if place else None, names) if isinstance(value, str) else value


def _bind_text(text: str, node: Node | None, names: _Names) -> Any:
    if isinstance(text, Failed):
        return _failed(text, names)
    if "$" not in text:
        return Text(text, node)
    try:
        parsed = parse_text(text)
        if isinstance(parsed, str):
            return Text(parsed, node)
        return _bind_template(parsed, text, node, names)
    except ExpressionError as error:
        _report(error, text, node, names.sink)
    return _failed(text, names)


def _failed(text: str, names: _Names) -> Failed:
    """What stands where a value means nothing, and is told already."""
    names.failed = True
    return Failed(text)


def _bind_template(template: Template, text: str, node: Node | None, names: _Names) -> Any:
    """A lone reference is what it refers to; text and references are a join, never nested in another."""
    parts: list[str | Expression] = []
    failed = False
    for part in template.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        try:
            found = _lookup(part, _origin(node, text, part.start, part.end), names)
        except _Unresolved as error:
            _report(error, text, node, names.sink)
            failed = True
            continue
        parts.extend(found.parts if isinstance(found, Join) and len(template.parts) > 1 else (found,))
    if failed:
        return _failed(text, names)
    if len(parts) == 1 and not isinstance(parts[0], str):
        return parts[0]
    return Join(tuple(parts), origin=Origin(node) if node is not None else None)


def _origin(node: Node | None, text: str, start: int, end: int) -> Origin | None:
    """A stretch of a scalar; the whole scalar where a template made its text."""
    if node is None:
        return None
    return Origin(node, start, end) if isinstance(node, ScalarNode) and node.value == text else Origin(node)


def _report(error: ExpressionError | _Unresolved, text: str, node: Node | None, sink: Sink) -> None:
    place = _origin(node, text, error.start, error.end)
    notes = error.notes if isinstance(error, _Unresolved) else ()
    sink.report(error.code, error.message, place.span() if place else None, help=error.help, notes=notes)


# -- conditions -------------------------------------------------------------------------------------------------------


def _bind_condition(value: Any, place: Origin | None, names: _Names) -> Any:
    """`if:` → `Conditions`, typed and in SageMaker's form; None (reported) where it is none."""
    if isinstance(value, Failed) or not isinstance(value, (str, bool)):
        return None
    text = scalar_text(value) if isinstance(value, bool) else value
    node = place.node if place else None
    try:
        parsed = parse_condition(text)
        resolved = _bind_operands(parsed, text, node, names)
        if resolved is None:
            return None
        always = constant(parsed)
        if always is not None:
            message = f"the condition is always {'true' if always else 'false'}"
            names.sink.report("SW403", message, place.span() if place else None, notes=["a branch that is never taken needs no condition"])
            return None
        return Conditions(tuple(normalise(resolved)), place)
    except ExpressionError as error:
        _report(error, text, node, names.sink)
    except TooManyTerms as error:
        message = f"in the form that SageMaker has, the condition takes {error}: at most {MAX_TERMS} are allowed"
        names.sink.report("SW407", message, place.span() if place else None, help="split it over several condition steps")
    return None


def _bind_operands(condition: Condition, text: str, node: Node | None, names: _Names) -> Any:
    """`condition` with its references resolved and its operand types checked; None (reported) where one fails."""
    match condition:
        case Reference() | Literal():
            operand = _bind_operand(condition, text, node, names)
            return operand if operand is None or _is_boolean(operand, condition, text, node, names) else None
        case Not(operand=inner):
            made = _bind_operands(inner, text, node, names)
            return None if made is None else Not(made)
        case Compare(operator=operator, left=left, right=right):
            first, second = (_bind_operand(side, text, node, names) for side in (left, right))
            if first is None or second is None or not _compares(condition, first, second, text, node, names):
                return None
            return Compare(operator, first, second, condition.start, condition.end)
        case In(query=query, values=values):
            found = [_bind_operand(side, text, node, names) for side in (query, *values)]
            if any(operand is None for operand in found):
                return None
            if not all(_compares(condition, found[0], item, text, node, names) for item in found[1:]):
                return None
            return In(found[0], tuple(found[1:]), condition.start, condition.end)
        case _:
            parts = [_bind_operands(part, text, node, names) for part in condition.operands]  # type: ignore[union-attr]
            return None if any(part is None for part in parts) else type(condition)(tuple(parts))  # type: ignore[call-arg]


def _bind_operand(operand: Any, text: str, node: Node | None, names: _Names) -> Any:
    if not isinstance(operand, Reference):
        return operand
    try:
        return _lookup(operand, _origin(node, text, operand.start, operand.end), names)
    except _Unresolved as error:
        _report(error, text, node, names.sink)
    return None


def _type(operand: Any) -> Type | None:
    return type_of(operand.value) if isinstance(operand, Literal) else operand.type


def _is_boolean(operand: Any, written: Any, text: str, node: Node | None, names: _Names) -> bool:
    given = _type(operand)
    if given in (Type.BOOLEAN, Type.ANY):
        return True
    place = _origin(node, text, written.start, written.end)
    shown = f"`{written.text}`" if isinstance(written, Reference) else f"`{text[written.start : written.end]}`"
    message = f"{shown} is {_described(given)}, not a Boolean: compare it with something"
    names.sink.report("SW402", message, place.span() if place else None)
    return False


def _described(given: Type | None) -> str:
    return "a whole structure" if given is None else f"of type {given}"


def _compares(condition: Any, left: Any, right: Any, text: str, node: Node | None, names: _Names) -> bool:
    first, second = _type(left), _type(right)
    ordered = isinstance(condition, Compare) and condition.operator not in ("==", "!=")
    code, help = "SW402", None
    if first is None or second is None:
        code, message, help = "SW406", "a whole structure or list does not compare", "refer to a value in it"
    elif not are_comparable(first, second):
        message = f"{first} and {second} do not compare"
    elif ordered and Type.BOOLEAN in (first, second):
        message = f"`{condition.operator}` does not order Booleans"
    else:
        return True
    place = _origin(node, text, condition.start, condition.end)
    names.sink.report(code, message, place.span() if place else None, help=help)
    return False


# -- looking up -------------------------------------------------------------------------------------------------------


def _lookup(reference: Reference, place: Origin | None, names: _Names) -> Expression:
    """What a reference means. Raises `_Unresolved`."""
    root = reference.segments[0]
    if root == "parameters":
        return _parameter(reference, place, names)
    if root == "execution":
        return _execution(reference, place)
    if root == "steps":
        return _step(reference, place, names)
    if root == "item":
        raise _at(reference, 0, "SW313", "`item` stands only in the body of a foreach")
    if root == "inputs":
        raise _at(reference, 0, "SW313", "`inputs` stands only in a component")
    if root in _TEMPLATE_ROOTS:
        message = f"`{root}` is known when compiling, not when the pipeline runs"
        raise _at(reference, 0, "SW307", message, f"write `{{{{ {reference.text} }}}}`")
    near = nearest(str(root), _ROOTS)
    help = f"did you mean `{near}`?" if near else None
    known = "`parameters`, `execution` and `steps`"
    raise _at(reference, 0, "SW307", f"unknown reference `{reference.text}`: references begin with {known}", help)


def _at(reference: Reference, index: int, code: str, message: str, help: str | None = None, notes: Sequence[str] = ()) -> _Unresolved:
    """An error at a reference's segment."""
    starts = reference.starts or (reference.start,)
    if index >= len(starts):
        return _Unresolved(code, message, reference.start, reference.end, help, notes)
    start = starts[index]
    segment = reference.segments[index]
    end = min(start + len(str(segment)), reference.end)
    return _Unresolved(code, message, start, end, help, notes)


def _parameter(reference: Reference, place: Origin | None, names: _Names) -> ParameterRef:
    parameters = names.pipeline.parameters
    if len(reference.segments) < 2:
        raise _at(reference, 0, "SW307", "`parameters` alone is no value: name one", notes=_known(parameters))
    name = str(reference.segments[1])
    if len(reference.segments) > 2:
        raise _at(reference, 2, "SW307", f"a parameter is one value: `parameters.{name}` has nothing below it")
    if name not in parameters:
        near = nearest(name, parameters)
        help = f"did you mean `{near}`?" if near else None
        notes = [] if near else _known(parameters) or ["the pipeline declares none"]
        raise _at(reference, 1, "SW303", f"unknown parameter `{name}`", help, notes)
    names.used.add(name)
    return ParameterRef(name, parameters[name].type, place)


def _known(found: Any) -> list[str]:
    return [f"there are {listing(list(found))}"] if len(found) > 1 else [f"there is {listing(list(found))}"] if found else []


def _execution(reference: Reference, place: Origin | None) -> ExecutionRef:
    if len(reference.segments) != 2 or reference.segments[1] not in EXECUTION:
        word = str(reference.segments[1]) if len(reference.segments) > 1 else ""
        near = nearest(word, EXECUTION) if word else None
        help = f"did you mean `{near}`?" if near else None
        shown = f"the execution has no `{word}`" if word else "`execution` alone is no value"
        raise _at(reference, min(1, len(reference.segments) - 1), "SW307", shown, help, _known(EXECUTION))
    return ExecutionRef(EXECUTION[str(reference.segments[1])], Type.STRING, place)


def _step(reference: Reference, place: Origin | None, names: _Names) -> Expression:
    if len(reference.segments) < 2:
        raise _at(reference, 0, "SW307", "`steps` alone is no value: name a step", notes=_known(names.steps))
    name = str(reference.segments[1])
    step = names.steps.get(name)
    if step is None:
        if name in names.unknowable:
            return StepRef(name, "", Type.ANY, place)
        near = nearest(name, names.steps)
        help = f"did you mean `{near}`?" if near else None
        raise _at(reference, 1, "SW301", f"unknown step `{name}`", help, [] if near else _known(names.steps))
    if len(reference.segments) < 3:
        raise _at(reference, 1, "SW307", f"the step `{name}` is no value: refer to something of it", notes=_attributes(step))
    word = reference.segments[2]
    if word == "reports":
        return _report_value(reference, step, place, names)
    sugar = step.kind.sugar.get(str(word))
    if sugar is not None:
        return _sugar(reference, step, place, names)
    if not str(word)[:1].isupper() and word not in _properties(step):
        known = [*step.kind.sugar, *(["reports"] if "reports" in step.body else [])]
        near = nearest(str(word), known)
        help = f"did you mean `{near}`?" if near else None
        raise _at(reference, 2, "SW302", f"the step `{name}` has no `{word}`", help, [] if near else _attributes(step))
    return _property(reference, step, place, names.sink)


def _attributes(step: Step) -> list[str]:
    found = [sugar.shown(key) for key, sugar in step.kind.sugar.items()]
    found += ["reports.<name>"] if "reports" in step.body else []
    described = " and AWS's own properties" if _described_by(step).properties else ""
    return [f"a step of kind `{step.kind.name}` has {listing(found)}{described}"] if found else []


def _sugar(reference: Reference, step: Step, place: Origin | None, names: _Names) -> Expression:
    word = str(reference.segments[2])
    sugar = step.kind.sugar[word]
    if sugar.names is None:
        index = _item(reference, step, sugar) if sugar.items is not None else 0
        end = 3 if sugar.items is None else 4
        if len(reference.segments) > end:
            raise _at(reference, end, "SW302", f"`{word}` of the step `{step.name}` is one value: it has nothing below it")
        if sugar.make is not None:
            return _made(reference, step, index, place, names)
        return StepRef(step.name, sugar.path.format(index), sugar.type, place)
    declared = sugar.names(step.body)
    singular = word.removesuffix("s")
    if len(reference.segments) < 4:
        notes = _declared(step, word, declared)
        raise _at(reference, 2, "SW302", f"`{word}` of the step `{step.name}` is no value: name one", notes=notes)
    name = str(reference.segments[3])
    kind: Type | None = sugar.type
    if declared is not None:
        if name not in declared:
            near = nearest(name, declared)
            help = f"did you mean `{near}`?" if near else None
            message = f"the step `{step.name}` has no {singular} `{name}`"
            raise _at(reference, 3, "SW302", message, help, _declared(step, word, declared))
        kind = declared[name]
        if kind is None:
            raise _at(reference, 3, "SW302", f"the {singular} `{name}` of the step `{step.name}` {sugar.why}")
    if len(reference.segments) > 4:
        raise _at(reference, 4, "SW302", f"the {singular} `{name}` of the step `{step.name}` has nothing below it")
    return StepRef(step.name, sugar.path.format(name), kind, place)


def _item(reference: Reference, step: Step, sugar: Sugar) -> int:
    """The index in a reference to sugar that has items."""
    word, most = reference.segments[2], (sugar.items or 1) - 1
    if len(reference.segments) < 4:
        message = f"`{word}` of the step `{step.name}` is no value: say which"
        raise _at(reference, 2, "SW302", message, f"write `{word}[0]` for the first")
    index = reference.segments[3]
    if not isinstance(index, int) or not 0 <= index <= most:
        raise _at(reference, 3, "SW302", f"`{word}` of the step `{step.name}` goes from 0 to {most}")
    return index


def _made(reference: Reference, step: Step, index: int, place: Origin | None, names: _Names) -> Expression:
    """Sugar that is no property: what its kind makes of it."""
    word = str(reference.segments[2])
    make = step.kind.sugar[word].make
    assert make is not None
    if (step.name, word) in names.reports:
        raise _at(reference, 2, "SW302", f"`{word}` of the step `{step.name}` refers to itself")
    names.reports.add((step.name, word))
    try:
        return _placed(make(step, index, names), place)
    except UnavailableError as error:
        raise _at(reference, 2, "SW302", f"the step `{step.name}` has no `{word}`: {error}") from error
    finally:
        names.reports.discard((step.name, word))


def _placed(made: Expression, place: Origin | None) -> Expression:
    """What was made for a reference, and all that it consists of, at the place of the reference."""
    if isinstance(made, Join):
        parts = tuple(part if isinstance(part, str) else _placed(part, place) for part in made.parts)
        return replace(made, parts=parts, origin=place)
    return replace(made, origin=place)


def _declared(step: Step, word: str, declared: Any) -> list[str]:
    """What is declared, and where."""
    if not declared:
        return [f"it declares no {word}"]
    place = key_origin(step.body, word)
    container = step.body.get(word)
    first = key_origin(container, next(iter(declared))) or place
    span = first.span() if first else None
    where = f" (declared at {span.line}:{span.column})" if span else ""
    verb = f"its {word} are" if len(declared) > 1 else f"its only {word.removesuffix('s')} is"
    return [f"{verb} {listing(list(declared))}{where}"]


def _report_value(reference: Reference, step: Step, place: Origin | None, names: _Names) -> JsonGet:
    reports = step.body.get("reports")
    declared = reports if isinstance(reports, Map) else Map()
    if len(reference.segments) < 4:
        notes = _declared(step, "reports", declared)
        raise _at(reference, 2, "SW302", "a report is no value: name it, and a path in it", notes=notes)
    name = str(reference.segments[3])
    if name not in declared:
        near = nearest(name, declared)
        help = f"did you mean `{near}`?" if near else None
        raise _at(reference, 3, "SW302", f"the step `{step.name}` has no report `{name}`", help, _declared(step, "reports", declared))
    if len(reference.segments) < 5:
        raise _at(reference, 3, "SW302", f"the report `{name}` is no value: add the path of one in it")
    starts = reference.starts
    path = reference.text[starts[4] - reference.start :] if starts else ""
    if isinstance(reference.segments[4], int) or reference.text[starts[3] - reference.start + len(name) :][:1] == "[":
        path = reference.text[starts[3] - reference.start + len(name) :]
    entry = declared[name]
    uri = None
    if isinstance(entry, Map) and "uri" in entry:
        if (step.name, name) in names.reports:
            raise _at(reference, 3, "SW302", f"the URI of the report `{name}` refers to itself")
        names.reports.add((step.name, name))
        uri = _bind_entry(entry["uri"], entry, "uri", names)
        names.reports.discard((step.name, name))
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
        sink.report("SW902", known.unproven, place.span() if place else None)
    if known.properties is None:
        return _unchecked_property(reference, step, place)
    try:
        path, kind = shapes.property_path(known.properties, segments, service=known.service)
    except shapes.PropertyError as error:
        starts = (*reference.starts, reference.end + 1)
        first = starts[2 + error.start]
        last = max(min(starts[min(2 + error.end, len(starts) - 1)] - 1, reference.end), first + 1)
        raise _Unresolved("SW304", error.message, first, last, error.help) from error
    return StepRef(step.name, path, kind, place)


def _unchecked_property(reference: Reference, step: Step, place: Origin | None) -> StepRef:
    known: StepKind = step.kind
    word = str(reference.segments[2])
    if known.attributes is not None and word not in known.attributes:
        near = nearest(word, known.attributes)
        help = f"did you mean `{near}`?" if near else None
        message = f"a step of kind `{known.name}` has no property `{word}`"
        notes = [f"it has {listing(known.attributes)}"] if known.attributes else ["it has none"]
        raise _at(reference, 2, "SW304", message, help, notes)
    path = reference.text[reference.starts[2] - reference.start :]
    return StepRef(step.name, path, Type.ANY, place)


__all__ = ["EXPRESSIONS", "Or", "resolve"]
