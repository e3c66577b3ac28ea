"""Run steps once for each of a list of items, and pick the best of what they gave.

Each item makes one child of every step in the body, called `<step>-<number>`: so no other step may be called like that.
The number of items is that of the list when the pipeline runs; where the author writes them out, they are 1 to 100.
The body sees its own steps, `${item}`, and what stands outside. From outside, its steps are reached through the foreach:
one turn's by `iterations`, and, where a selector picks one, that turn's by `selected`. A condition, a fail or another
foreach cannot stand in the body, and a step outside waits for all children. Outputs in the body that have no destination
of their own get one for each item. Source: the docstrings of the SDK's `ForEachStep` (3.27).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS, Expression, Join, JsonGet, ParameterRef, StepRef
from sagewright.compiler.kind import Context, Lead, Loop, Scope, StepKind, Sugar, UnreachableError
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin
from sagewright.compiler.types import Type

MAX_ITEMS = 100
"""Of a list that is written out. Source: the SDK's `MAX_LITERAL_ITERABLE_ITEMS`."""
MAX_CONCURRENCY = 50
_PICKS = {"max_by": "MaxBy", "min_by": "MinBy"}
_MEMBERS = ("IterableItems", "MaxConcurrency", "Selector")
_NUMBERS = (Type.INTEGER, Type.FLOAT, Type.ANY)


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    _check_api(step, context)
    made = {"IterableItems": _items(body, context), "MaxConcurrency": body["max_concurrency"]}
    selector = _selector(step, context)
    return {**made, "Selector": selector} if selector else made


def _check_api(step: Step, context: Context) -> None:
    for member in step.api or ():
        if member not in _MEMBERS:
            message = f"`api` of a foreach holds {', '.join(f'`{one}`' for one in _MEMBERS)} only: steps stand under `body`"
            context.error("SW208", message, key_origin(step.api, member))
    given = (step.api or {}).get("MaxConcurrency", 1)
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= MAX_CONCURRENCY:
        message = f"`MaxConcurrency` is a literal number from 1 to {MAX_CONCURRENCY}"
        context.error("SW607", message, origin(step.api, "MaxConcurrency"))


# -- items ------------------------------------------------------------------------------------------------------------


def _items(body: Map, context: Context) -> Any:
    items, place = body["items"], origin(body, "items")
    if isinstance(items, Seq):
        if (
            not 1 <= len(items) <= MAX_ITEMS
        ):  # a matrix counts as all of its steps; the schema sees no component's input
            context.error("SW206", f"`items` has {len(items)} items, 1 to {MAX_ITEMS} are allowed", place)
        return [_item(items, index, context) for index in range(len(items))]
    if not isinstance(items, EXPRESSIONS):
        context.error("SW203", "`items` wants a list, or a reference to one", place)
    elif items.type not in (Type.STRING, Type.ANY, None):
        context.error(
            "SW401", f"`items` is of type {items.type}: a String that holds a JSON list is wanted", place
        )
    elif isinstance(items, ParameterRef):
        _check_default(items, context, place)
    return items


def _check_default(items: ParameterRef, context: Context, place: Origin | None) -> None:
    default = context.default(items)
    try:
        fits = default is None or isinstance(json.loads(str(default)), list)
    except ValueError:
        fits = False
    if not fits:
        message = f"the default of the parameter `{items.name}` is no JSON list: `{str(default)[:60]}`"
        context.error("SW205", message, place, help="""write it like '["a", "b"]'""")


def _item(items: Seq, index: int, context: Context) -> Any:
    """An item as SageMaker takes it: a scalar or a reference as it is, a mapping as JSON in a text."""
    value, place = items[index], origin(items, index)
    if isinstance(value, EXPRESSIONS) and value.type is None:
        context.error("SW406", "an item is a whole structure or list: a value is wanted", place)
    if value is None or isinstance(value, Seq):
        context.error("SW203", "an item is a scalar, a reference or a mapping", place)
    if not isinstance(value, Map):
        return value
    pieces: list[str | Expression] = []
    for is_text, run in groupby(_json(value, context, place), lambda piece: isinstance(piece, str)):
        found = list(run)
        pieces += ["".join(map(str, found))] if is_text else found
    return pieces[0] if len(pieces) == 1 else Join(tuple(pieces))


def _json(value: Any, context: Context, place: Origin | None) -> Iterator[str | Expression]:
    """The pieces of a value's JSON; a reference stands in it as text in quotes, or as a number or Boolean without."""
    if isinstance(value, Join):
        yield '"'
        for part in value.parts:
            yield json.dumps(part, ensure_ascii=False)[1:-1] if isinstance(part, str) else part
        yield '"'
    elif isinstance(value, EXPRESSIONS):
        if value.type in (None, Type.ANY):
            message = "a reference in a mapping has to be of a type that is known when compiling"
            context.error("SW401", message, value.origin or place)
            return
        yield from ('"', value, '"') if value.type is Type.STRING else (value,)
    elif isinstance(value, Map):
        for number, (key, member) in enumerate(value.items()):
            yield f"{',' if number else '{'}{json.dumps(key, ensure_ascii=False)}:"
            yield from _json(member, context, origin(value, key))
        yield "}" if value else "{}"
    elif isinstance(value, Seq):
        for number, member in enumerate(value):
            yield "," if number else "["
            yield from _json(member, context, origin(value, number))
        yield "]" if value else "[]"
    else:
        yield json.dumps(value, ensure_ascii=False)


# -- the selector -----------------------------------------------------------------------------------------------------


def _selector(step: Step, context: Context) -> dict[str, Any] | None:
    """The `Selector`, whose field is that of the body step in each turn. None (reported) where it is none."""
    select = step.body.get("select")
    if not select:
        return None
    ((key, value),) = select.items()
    place = origin(select, key)
    body = [nested.name for nested in step.branches.get("body", ())]
    wanted = f"`{key}` wants a reference to something of a step in the body of `{step.name}`"
    help = f"such as `${{steps.{body[0]}...}}`" if body else None
    if isinstance(value, JsonGet) and value.step in body:
        help = "hand the value on as an output of a step in the body"
        context.error(
            "SW408", f"`{key}` compares what a step gives, not what a report says", place, help=help
        )
    elif isinstance(value, (str, Join)):
        context.error("SW408", f"{wanted}, alone", place, help=help)
    elif not isinstance(value, StepRef) or value.step not in body:
        context.error("SW313", f"{wanted}: what stands outside is the same for all items", place, help=help)
    elif value.type is None:
        context.error("SW406", f"`{key}` wants a number, not a whole structure or list", place)
    elif value.type not in _NUMBERS:
        context.error("SW401", f"`{key}` is of type {value.type}: a number is wanted", place)
    else:
        return {"Pick": _PICKS[key], "Field": {"Get": f"IterationOutput.{value.step}.{value.path}"}}
    return None


# -- references from outside ------------------------------------------------------------------------------------------


def _one_turn(step: Step, rest: tuple[str | int, ...], scope: Scope) -> Lead:
    """`iterations[i].<body step>`."""
    nested = step.body.get("body")
    first = next(iter(nested), "<step>") if isinstance(nested, Map) else "<step>"
    example = f"such as `iterations[0].{first}`"
    if not rest:
        message = f"`iterations` of the foreach `{step.name}` is no value: say which, and of which step"
        raise UnreachableError(message, 0, example)
    index, items = rest[0], scope.value(step.body, "items") if "items" in step.body else None
    if not isinstance(index, int):
        raise UnreachableError(f"`iterations` of the foreach `{step.name}` are counted from 0", 1, example)
    if isinstance(items, Seq) and 0 < len(items) <= index:
        message = (
            f"the foreach `{step.name}` has {len(items)} items: its iterations go from 0 to {len(items) - 1}"
        )
        raise UnreachableError(message, 1)
    if len(rest) < 2 or not isinstance(rest[1], str):
        message = f"`iterations[{index}]` of the foreach `{step.name}` is no value: name a step of its body"
        raise UnreachableError(message, min(1, len(rest)), example)
    return Lead(2, lambda name: f"IterationOutputs[{index}].{name}")


def _selected(step: Step, rest: tuple[str | int, ...], scope: Scope) -> Lead | None:
    """`selected`: of the body step that the selector compares."""
    select = step.body.get("select")
    if not isinstance(select, Map) or not select:
        message = f"the foreach `{step.name}` has no `selected`: it has no `select`"
        raise UnreachableError(message, 0, "give it `select: {max_by: ...}`, or refer to `iterations[0]`")
    chosen = scope.value(select, next(iter(select)))
    if not isinstance(chosen, StepRef):
        return None
    if not rest:
        message = (
            f"`selected` of the foreach `{step.name}` is no value: refer to something of `{chosen.step}`"
        )
        raise UnreachableError(message, 0)
    return Lead(0, {chosen.step: "Selected"}.get, chosen.step)


KIND = StepKind(
    name="foreach",
    type="ForEach",
    arguments=arguments,
    properties="ForEach",
    sugar={
        "selected": Sugar("Selected", Type.ANY, lead=_selected),
        "iterations": Sugar("IterationOutputs[{}]", Type.ANY, lead=_one_turn),
        "status": Sugar("Status"),
        "count": Sugar("InputItemCount", Type.INTEGER),
        "steps_total": Sugar("TotalStepCount", Type.INTEGER),
        "steps_succeeded": Sugar("SucceededStepCount", Type.INTEGER),
        "steps_failed": Sugar("FailedStepCount", Type.INTEGER),
        "steps_stopped": Sugar("StoppedStepCount", Type.INTEGER),
    },
    branches={"body": "ForEachBody"},
    loop=Loop("items", "select", frozenset({"Condition", "Fail", "ForEach"})),
)
