"""Names → what they mean. Every `${...}` and every `if:` is parsed, looked up and typed here, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sagewright.compiler.component_lookup import check_given, check_outputs, given
from sagewright.compiler.condition_parser import parse_condition
from sagewright.compiler.conditions import (
    MAX_TERMS,
    TooManyTerms,
    constant,
    decided,
    normalise,
    without_constants,
)
from sagewright.compiler.defaults import optional
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.domains import never
from sagewright.compiler.expression import (
    EXPRESSIONS,
    Compare,
    Condition,
    Conditions,
    Expression,
    ExpressionError,
    In,
    Join,
    Literal,
    Not,
    Reference,
    Template,
)
from sagewright.compiler.expression_parser import parse_text
from sagewright.compiler.frames import Given, Passed
from sagewright.compiler.linking import dependencies, renamed, with_first_steps, written_out
from sagewright.compiler.lookup import lookup
from sagewright.compiler.matrix import spread
from sagewright.compiler.model import Pipeline, Step
from sagewright.compiler.names import Names, Unresolved
from sagewright.compiler.parse import Parsed
from sagewright.compiler.project import Settings
from sagewright.compiler.source import Map, Origin, Seq, Text, node_of, origin, plain_number, scalar_text
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed
from sagewright.compiler.types import Type, are_comparable, type_of

_PLAIN_KEYS = frozenset(
    ("kind", "depends_on", "retry", "cache", "display_name", "description", "matrix", "uses")
)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A pipeline whose references are replaced by what they mean, and its steps that are not fit to be lowered."""

    pipeline: Pipeline
    broken: frozenset[str]


def resolve(parsed: Parsed, settings: Settings, sink: Sink) -> Resolved:
    """Replace every reference in the steps of a pipeline by what it means. What means nothing is reported."""
    pipeline = parsed.pipeline
    steps = {step.name: step for step in pipeline.every_step()}
    names = Names(pipeline, steps, parsed.names - steps.keys(), parsed.frame, settings, sink, _bind_entry)
    names.loops = {name: loop.name for name, loop in pipeline.loops().items()}
    for frame in parsed.frame.frames():
        check_given(frame, names, sink)
        check_outputs(frame, names)
    bound = with_first_steps(tuple(_bind_step(step, names) for step in pipeline.steps), parsed.frame, names)
    names.frame, sink.within = parsed.frame, None
    root = pipeline.document.data
    made = replace(
        pipeline,
        steps=bound,
        role=_bind(pipeline.role, node_of(root, "role") if "role" in root else None, names),
        experiment=_bind(pipeline.experiment, None, names),
        mlflow=_bind(pipeline.mlflow, None, names),
    )
    for name, parameter in pipeline.parameters.items():
        if name not in names.used and not sink.failed:
            place = parameter.origin
            sink.report("SW901", f"the parameter `{name}` is never used", place)
    return Resolved(made, parsed.broken | names.broken)


def _bind_step(step: Step, names: Names) -> Step:
    kind = step.kind
    data: dict[str, Any] = {}
    names.failed = False
    names.loop = names.loops.get(step.name)
    names.frame = names.sink.within = step.frame
    written = renamed(step.body, step, names)
    nodes = _value_nodes(written.node)
    for key, value in written.items():
        if key in kind.branches:
            continue
        if key in kind.conditions:
            data[key] = _bind_condition(value, origin(step.body, key), names)
            names.failed = names.failed or data[key] is None
        elif key in _PLAIN_KEYS:
            data[key] = value
        elif kind.loop is not None and key == kind.loop.select:
            data[key] = _bind_in_body(written, key, step, names)
        else:
            data[key] = _bind(value, nodes.get(key, written.node), names)
    body = Map(data, step.body.node)
    if names.failed:
        names.broken.add(step.name)
    branches = {
        key: tuple(_bind_step(nested, names) for nested in nested_steps)
        for key, nested_steps in step.branches.items()
    }
    names.loop = None
    return replace(
        step,
        body=body,
        depends_on=dependencies(step.depends_on, step.frame, names),
        branches=branches,
        tags=optional(body, "tags"),
        api=optional(body, "api"),
        step_api=optional(body, "step_api"),
    )


def _bind_in_body(written: Map, key: str, loop: Step, names: Names) -> Any:
    """A value of a loop whose references are read as if they stood in its body."""
    outer, names.loop = names.loop, loop.name
    try:
        return _bind_entry(written[key], written, key, names)
    finally:
        names.loop = outer


def _bind_entry(value: Any, container: Map | Seq, key: str | int, names: Names) -> Any:
    return _bind(value, node_of(container, key) if isinstance(value, str) else None, names)


def _bind(value: Any, node: Node | None, names: Names) -> Any:
    """A copy of `value` with expressions for references, and texts that know their place; `node` is that of a text."""
    if isinstance(value, str):
        return _bind_text(value, node, names)
    if isinstance(value, Map):
        spelt = value.get("Get")
        if isinstance(spelt, str):
            names.used.add(spelt.removeprefix("Parameters."))
            if names.frame.caller is not None:
                value = Map({**value, "Get": written_out(spelt, origin(value, "Get"), names)}, value.node)
        nodes = _value_nodes(value.node)
        return Map(
            {key: _bind(item, nodes.get(key, value.node), names) for key, item in value.items()}, value.node
        )
    if isinstance(value, Seq):
        return _bind_items(value, names)
    return value


def _bind_items(items: Seq, names: Names) -> Seq:
    """A list with its items resolved; the name of a matrix stands in it for all of its steps."""
    made: list[Any] = []
    nodes: list[Node] = []
    for index, item in enumerate(items):
        written = spread(item, names.frame)
        node = node_of(items, index)
        made += [_bind(one, node, names) for one in written]
        nodes += [node] * len(written) if node is not None else []
    if len(made) == len(items) or items.node is None:
        return Seq(made, items.node)
    return Seq(made, SequenceNode(items.node.tag, nodes, items.node.start_mark, items.node.end_mark))


def _value_nodes(node: Node | None) -> dict[str, Node]:
    return {key.value: value for key, value in node.value} if isinstance(node, MappingNode) else {}


def _bind_text(text: str, node: Node | None, names: Names) -> Any:
    if type(text) is str and "$" not in text:  # as most are
        return Text(text, node)
    if isinstance(text, Failed):
        return _failed(text, names)
    if isinstance(text, Given):
        return _bind_given(text, node, names)
    if "$" not in text:
        return _text(text, text, node)
    try:
        parsed = parse_text(str(text))
        if isinstance(parsed, str):
            return _text(parsed, text, node)
        return _bind_template(parsed, text, node, names)
    except ExpressionError as error:
        _report(error, text, node, names.sink)
    return _failed(text, names)


def _text(value: str, written: str, node: Node | None) -> Text:
    return Passed(value, node, written.home) if isinstance(written, Passed) else Text(value, node)


def _bind_given(text: Given, node: Node | None, names: Names) -> Any:
    """What a component was given, at the place where it stands alone."""
    place = _origin(node, node.value, 0, len(node.value)) if isinstance(node, ScalarNode) else None
    found = given(text, place or (Origin(node) if node else None), names)
    if isinstance(found, Failed):
        return _failed(text, names)
    return Passed(found, node, text.node) if isinstance(found, str) else found


def _failed(text: str, names: Names) -> Failed:
    """What stands where a value means nothing, and is told already."""
    names.failed = True
    return Failed(text)


def _bind_template(template: Template, text: str, node: Node | None, names: Names) -> Any:
    """A lone reference is what it refers to; text and references are a join, never nested in another."""
    parts: list[str | Expression] = []
    failed = False
    for part in template.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        try:
            found = lookup(part, _origin(node, text, part.start, part.end), names)
        except Unresolved as error:
            _report(error, text, node, names.sink)
            failed = True
            continue
        if len(template.parts) == 1:
            return (
                found
                if isinstance(found, EXPRESSIONS)
                else _text(found, found, node)
                if isinstance(found, str)
                else found
            )
        parts.extend(_parts(found))
    if failed:
        return _failed(text, names)
    if all(isinstance(part, str) for part in parts):  # inputs that were given literals
        return Text("".join(map(str, parts)), node)
    return Join(_joined(parts), origin=Origin(node) if node is not None else None)


def _parts(found: Any) -> tuple[str | Expression, ...]:
    """What stands for a reference in a text."""
    if isinstance(found, Join):
        return found.parts
    return (
        (found,)
        if isinstance(found, EXPRESSIONS)
        else (scalar_text(found) if not isinstance(found, str) else found,)
    )


def _joined(parts: list[str | Expression]) -> tuple[str | Expression, ...]:
    """Parts of a join, texts beside one another as one."""
    made: list[str | Expression] = []
    for part in parts:
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] = f"{made[-1]}{part}"
        elif part != "":
            made.append(part)
    return tuple(made)


def _origin(node: Node | None, text: str, start: int, end: int) -> Origin | None:
    """A stretch of a scalar; the whole scalar where a template made its text."""
    if node is None:
        return None
    return Origin(node, start, end) if isinstance(node, ScalarNode) and node.value == text else Origin(node)


def _report(error: ExpressionError | Unresolved, text: str, node: Node | None, sink: Sink) -> None:
    if not error.code:
        return
    place = _origin(node, text, error.start, error.end)
    notes = error.notes if isinstance(error, Unresolved) else ()
    sink.report(error.code, error.message, place, help=error.help, notes=notes)


# -- conditions -------------------------------------------------------------------------------------------------------


def _bind_condition(value: Any, place: Origin | None, names: Names) -> Any:
    """`if:` → `Conditions`, typed and in SageMaker's form; None (reported) where it is none."""
    if isinstance(value, Failed) or not isinstance(value, (str, bool)):
        return None
    text = scalar_text(value) if isinstance(value, bool) else value
    node = place.node if place else None
    try:
        parsed = parse_condition(str(text))
        resolved = _bind_operands(parsed, text, node, names)
        if resolved is None:
            return None
        always = constant(parsed)
        if not names.frame.is_plain:  # inputs and outputs of components may be literals
            resolved = without_constants(resolved)
            always = resolved if isinstance(resolved, bool) else constant(resolved)
        clauses = [] if always is not None or isinstance(resolved, bool) else normalise(resolved)
        always = decided(clauses) if always is None else always
        if always is not None:
            message = f"the condition is always {'true' if always else 'false'}"
            names.sink.report(
                "SW403",
                message,
                place,
                notes=["a branch that is never taken needs no condition"],
            )
            return None
        return Conditions(tuple(clauses), place)
    except ExpressionError as error:
        _report(error, text, node, names.sink)
    except TooManyTerms as error:
        message = (
            f"in the form that SageMaker has, the condition takes {error}: at most {MAX_TERMS} are allowed"
        )
        names.sink.report("SW407", message, place, help="split it over several condition steps")
    return None


def _bind_operands(condition: Condition, text: str, node: Node | None, names: Names) -> Any:
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


def _bind_operand(operand: Any, text: str, node: Node | None, names: Names) -> Any:
    if not isinstance(operand, Reference):
        return operand
    try:
        found = lookup(operand, _origin(node, text, operand.start, operand.end), names)
        if isinstance(found, EXPRESSIONS):
            return found
        return Literal(
            str(found) if isinstance(found, str) else plain_number(found), operand.start, operand.end
        )
    except Unresolved as error:
        _report(error, text, node, names.sink)
    return None


def _type(operand: Any) -> Type | None:
    return type_of(operand.value) if isinstance(operand, Literal) else operand.type


def _is_boolean(operand: Any, written: Any, text: str, node: Node | None, names: Names) -> bool:
    given = _type(operand)
    if given in (Type.BOOLEAN, Type.ANY):
        return True
    place = _origin(node, text, written.start, written.end)
    shown = (
        f"`{written.text}`" if isinstance(written, Reference) else f"`{text[written.start : written.end]}`"
    )
    message = f"{shown} is {_described(given)}, not a Boolean: compare it with something"
    names.sink.report("SW402", message, place)
    return False


def _described(given: Type | None) -> str:
    return "a whole structure" if given is None else f"of type {given}"


def _compares(condition: Any, left: Any, right: Any, text: str, node: Node | None, names: Names) -> bool:
    first, second = _type(left), _type(right)
    ordered = isinstance(condition, Compare) and condition.operator not in ("==", "!=")
    code, help = "SW402", None
    if first is None or second is None:
        code, message, help = "SW406", "a whole structure or list does not compare", "refer to a value in it"
    elif not are_comparable(first, second):
        message = f"{first} and {second} do not compare"
    elif ordered and Type.BOOLEAN in (first, second):
        message = f"`{condition.operator}` does not order Booleans"
    elif not ordered and (excluded := never(left, right, names)):
        word, known = excluded
        near = nearest(word, known)
        code, message = "SW403", f"the value is never `{word}`: it can be {listing(known, last='or')}"
        help = f"did you mean `{near}`?" if near else None
    else:
        return True
    place = _origin(node, text, condition.start, condition.end)
    names.sink.report(code, message, place, help=help)
    return False
