"""The bodies of loops: `item` in them, what is seen from inside, and the way in from outside."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sagewright.compiler.expression import (
    Expression,
    ItemRef,
    Join,
    JsonGet,
    Reference,
    StepRef,
    operands,
    uses,
)
from sagewright.compiler.frames import Frame
from sagewright.compiler.kind import Lead, StepKind, Sugar, UnreachableError
from sagewright.compiler.model import Step
from sagewright.compiler.names import Names, at
from sagewright.compiler.source import Map, Origin, Seq
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.types import Type

Find = Callable[[Reference, Origin | None, Names], Expression]
"""What a reference to a step means, whose name it holds. Raises `Unresolved`."""
FindOf = Callable[[Reference, Step, Origin | None, Names], Expression]
"""What one to that step means."""


# -- item -------------------------------------------------------------------------------------------------------------


def item(reference: Reference, place: Origin | None, names: Names) -> ItemRef:
    """`${item}` and what is below it. Raises `Unresolved`."""
    if names.loop is None:
        raise at(reference, 0, "SW313", "`item` stands only in the body of a foreach")
    if names.loop in names.steps and names.steps[names.loop].frame is not names.frame:
        message = "a component does not see the `item` of a foreach around it: it sees its inputs"
        raise at(
            reference, 0, "SW313", message, 'declare an input, and give it with `with: {item: "${item}"}`'
        )
    if names.steps[names.loop].frame is not names.frame:
        help = "give it to the component as an input"
        raise at(reference, 0, "SW313", "`item` is the caller's: a component does not see it", help)
    _check_items(reference, names)
    path = ""
    for index, segment in enumerate(reference.segments[1:], 1):
        if isinstance(segment, str) and "'" in segment:
            raise at(reference, index, "SW307", "SageMaker has no way to write a quote in a name")
        is_plain = isinstance(segment, str) and segment.isidentifier()
        path += (
            f".{segment}" if is_plain else f"[{segment}]" if isinstance(segment, int) else f"['{segment}']"
        )
    return ItemRef(path, Type.ANY, place)


def _check_items(reference: Reference, names: Names) -> None:
    """What is below `item` is there in every item that the author wrote out."""
    loop = names.steps.get(names.loop or "")
    written = loop.body.get(loop.kind.loop.items) if loop is not None and loop.kind.loop is not None else None
    for number, value in enumerate(written if isinstance(written, Seq) else ()):
        for index, segment in enumerate(reference.segments[1:], 1):
            value = _opened(value)
            if isinstance(value, str) and "$" in value:
                break
            below = _below(value, segment)
            if below is _MISSING:
                raise _lacking(reference, index, number, value)
            value = below


_MISSING = object()


def _below(value: Any, segment: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(segment, _MISSING)
    if isinstance(value, list) and isinstance(segment, int) and segment < len(value):
        return value[segment]
    return _MISSING


def _opened(value: Any) -> Any:
    """An item as SageMaker sees it: the structure where a text is one's JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _lacking(reference: Reference, index: int, number: int, value: Any) -> Exception:
    segment = str(reference.segments[index])
    above = reference.text[: reference.starts[index] - reference.start].rstrip("['\".")
    message = f"`{above}` has no `{segment}` in the item {number} of the foreach"
    if not isinstance(value, (Mapping, list)):
        return at(reference, index, "SW307", f"{message}: it is a single value there")
    near = nearest(segment, value) if isinstance(value, Mapping) else None
    known = [f"it has {listing(list(value))}"] if isinstance(value, Mapping) and value and not near else []
    return at(reference, index, "SW307", message, f"did you mean `{near}`?" if near else None, known)


def tells_turns_apart(loop: Step) -> bool:
    """Whether `${item}` as a text is another in every turn, and one that is known to work: nobody has seen how
    SageMaker writes a structured item as a whole."""
    assert loop.kind.loop is not None
    written = loop.body.get(loop.kind.loop.items)
    if isinstance(written, Seq):
        texts = [str(value) for value in written]
        if len(set(texts)) < len(texts) or any(isinstance(_opened(value), (dict, list)) for value in written):
            return False
    return not any(
        ref.path for nested in loop.branches.values() for step in nested for ref in _items(step.body)
    )


def _items(value: Any) -> list[ItemRef]:
    """Every `item` in a value."""
    return [ref for use in uses(value) for ref in operands(use) if isinstance(ref, ItemRef)]


# -- scope ------------------------------------------------------------------------------------------------------------


def check_scope(reference: Reference, made: Collection[str], names: Names) -> None:
    """A step of a body is seen in that body alone, and the loop not in its own body. `made` are the steps that the
    reference's name stands for, as the definition calls them. Raises `Unresolved`."""
    shown = f"`{reference.segments[1]}`"
    if names.loop is not None and names.loop in made:
        message = f"{shown} ends when its body has: nothing in the body can refer to it"
        raise at(reference, 1, "SW313", message)
    hidden = (loop for one in made if (loop := names.loops.get(one)) is not None and loop != names.loop)
    loop = next(hidden, None)
    if loop is None:
        return
    ways = [f"`{way}`" for way in _ways_in(reference, names.steps[loop], names)]
    message = f"{shown} stands in the body of `{loop}`, and has one result for each item"
    raise at(reference, 1, "SW313", message, f"did you mean {' or '.join(ways)}?" if ways else None)


def _ways_in(reference: Reference, loop: Step, names: Names) -> Iterator[str]:
    """How a reference to a step of a loop's body is written from outside."""
    name = str(reference.segments[1])
    holder = next((n for n, entry in names.frame.entries.items() if entry == loop.name), loop.name)
    below = reference.text[reference.starts[2] - reference.start - 1 :] if len(reference.starts) > 2 else ""
    for word, sugar in loop.kind.sugar.items():
        if sugar.lead is not None and "{}" in sugar.path:
            yield f"steps.{holder}.{word}[0].{name}{below}"
        elif sugar.lead is not None and _selects(loop, name):
            yield f"steps.{holder}.{word}{below}"


def _selects(loop: Step, name: str) -> bool:
    """Whether the loop picks a turn by something of the step of that name."""
    assert loop.kind.loop is not None
    select = loop.body.get(loop.kind.loop.select)
    texts = select.values() if isinstance(select, Map) else ()
    return any(isinstance(text, str) and f"steps.{name}." in text for text in texts)


# -- from outside -----------------------------------------------------------------------------------------------------


def spelt_out(kind: StepKind, word: str | int) -> Sugar | None:
    """The sugar that leads into a body, as AWS spells it: `IterationOutputs`."""
    leads = (sugar for sugar in kind.sugar.values() if sugar.lead is not None)
    return next((sugar for sugar in leads if sugar.path.partition("[")[0] == word), None)


def through(
    reference: Reference,
    step: Step,
    sugar: Sugar,
    place: Origin | None,
    names: Names,
    find: tuple[Find, FindOf],
) -> Expression:
    """What `steps.<loop>.<word>...` means: something of a step in the body, as the loop gives it to steps after it.
    Raises `Unresolved`."""
    word = str(reference.segments[2])
    if (step.name, word) in names.reports:
        raise at(reference, 2, "SW302", f"`{word}` of the step `{step.name}` refers to itself")
    assert sugar.lead is not None
    names.reports.add((step.name, word))
    outer, names.loop = names.loop, step.name
    try:
        lead = sugar.lead(step, reference.segments[3:], names)
        if lead is None or (lead.chosen is not None and names.loops.get(lead.chosen) != step.name):
            return StepRef(step.name, "", Type.ANY, place)  # the selector is told
        found = _found(reference, lead, step, place, names, find)
        return _seen_from_outside(found, step, lead, reference, names)
    except UnreachableError as error:
        raise at(reference, 2 + error.at, "SW302", error.message, error.help) from error
    finally:
        names.loop = outer
        names.reports.discard((step.name, word))


def _found(
    reference: Reference,
    lead: Lead,
    loop: Step,
    place: Origin | None,
    names: Names,
    find: tuple[Find, FindOf],
) -> Expression:
    """What the reference would mean in the body."""
    rest, starts = 3 + lead.used, reference.starts
    name = str(reference.segments[rest - 1]) if lead.chosen is None else lead.chosen
    inner = replace(
        reference,
        segments=("steps", name, *reference.segments[rest:]),
        starts=(starts[0], starts[rest - 1], *starts[rest:]),
    )
    if lead.chosen is None:
        _check_leads_in(name, lead, loop, names)
        return find[0](inner, place, names)
    chosen = names.steps[lead.chosen]
    with names.inside(chosen.frame):
        return find[1](inner, chosen, place, names)


def _check_leads_in(name: str, lead: Lead, loop: Step, names: Names) -> None:
    entry = names.frame.entries.get(name)
    made = entry.steps if isinstance(entry, Frame) else (entry,) if isinstance(entry, str) else ()
    if entry is not None and all(names.loops.get(one) == loop.name for one in made if one in names.steps):
        return
    bodies = (loop.body.get(key) for key in loop.kind.branches)
    body = [one for nested in bodies if isinstance(nested, Map) for one in nested]
    near = nearest(name, body)
    help = f"did you mean `{near}`?" if near else f"its body has {listing(body)}" if body else None
    raise UnreachableError(f"the body of `{loop.name}` has no step `{name}`", lead.used, help)


def _seen_from_outside(found: Any, step: Step, lead: Lead, reference: Reference, names: Names) -> Any:
    """What is said in terms of the body's steps, in terms of the loop."""
    match found:
        case StepRef(step=name, path=path) if names.loops.get(name) == step.name:
            holder = lead.path(name)
            if holder is None:
                message = f"it is made of something of `{name}`, and `{step.name}` gives only that of `{lead.chosen}`"
                raise at(reference, 2, "SW313", message)
            return replace(found, step=step.name, path=f"{holder}.{path}" if path else holder)
        case JsonGet(step=name, uri=None, report=report):
            message = f"the report `{report}` of `{name}` is a file of one turn: only the body of `{step.name}` reads it"
            help = "hand the value on as an output, or give the report by `uri`"
            raise at(reference, 2, "SW313", message, help)
        case JsonGet(uri=uri):
            return replace(found, step=step.name, uri=_seen_from_outside(uri, step, lead, reference, names))
        case Join(parts=parts):
            seen = (_seen_from_outside(part, step, lead, reference, names) for part in parts)
            return replace(found, parts=tuple(seen))
        case ItemRef():
            message = f"it is made of `item`, which stands only in the body of `{step.name}`"
            raise at(reference, 2, "SW313", message)
        case _:
            return found
