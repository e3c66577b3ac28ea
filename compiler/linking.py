"""Names of steps that stand bare, in `depends_on` and in keys of kinds: what the definition calls them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from yaml.nodes import SequenceNode

from sagewright import schemas
from sagewright.compiler.component_lookup import is_outside, of_component
from sagewright.compiler.expression import JsonGet, StepRef, operands, uses
from sagewright.compiler.frames import Frame
from sagewright.compiler.model import Dependency, Step
from sagewright.compiler.names import Names
from sagewright.compiler.source import Map, Origin, Seq, origin
from sagewright.compiler.suggest import listing, nearest

_RAW = re.compile(r"(Steps|Parameters)\.([A-Za-z0-9_-]+)(.*)", re.S)


def dependencies(written: Iterable[Dependency], frame: Frame, names: Names) -> tuple[Dependency, ...]:
    """Dependencies as the definition has them: on all steps of a matrix, and on all outermost ones of a component, each
    once. A name that nothing is known of stays, for steps that kinds make."""
    found: dict[tuple[str, str], Dependency] = {}
    for dependency in written:
        for name in _meant(dependency.step, dependency.origin, frame, names):
            made = dependency if name == dependency.step else replace(dependency, step=name)
            found.setdefault((name, made.when), made)
    return tuple(found.values())


def _meant(name: str, place: Origin | None, frame: Frame, names: Names) -> Iterator[str]:
    entry = frame.entries.get(name)
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, tuple):
        for member in entry:
            yield from _meant(member, place, frame, names)
    elif isinstance(entry, Frame):
        yield from (step for step in entry.steps if not _ends(names.steps.get(step)))
    else:
        hidden = of_component(name, frame)
        if hidden is None:
            yield frame.full(name)
        else:
            names.sink.report("SW313", hidden[0], place, help=hidden[1])


def _ends(step: Step | None) -> bool:
    """Whether nothing can come after a step."""
    return step is not None and "Fail" in (step.kind.type, step.body.get("type"))


# -- keys of kinds ----------------------------------------------------------------------------------------------------


@cache
def _places(kind: str) -> tuple[tuple[str, ...], ...]:
    """The keys of a kind that name steps, as paths; `*` is every entry. Their schemas say so (`x-step`)."""
    return tuple(schemas.paths(schemas.load(f"steps/{kind}"), lambda _, schema: schema.get("x-step")))


def renamed(body: Map, step: Step, names: Names) -> Map:
    """A step's body with the steps that its keys name called as in the definition."""
    if step.frame.is_plain:
        return body
    for path in _places(step.kind.name):
        body = _renamed(body, path, names)
    return body


def _renamed(value: Any, path: tuple[str, ...], names: Names) -> Any:
    if not path:
        return value
    key, *rest = path
    if key == "*" and isinstance(value, Seq):
        return _renamed_items(value, tuple(rest), names)
    if not isinstance(value, Map):
        return value
    changed: dict[str, Any] = {}
    for name in value if key == "*" else (key,) if key in value else ():
        item = value[name]
        if rest:
            changed[name] = _renamed(item, tuple(rest), names)
        elif isinstance(item, str):
            found = list(_named(item, origin(value, name), names))
            changed[name] = (
                found[0] if len(found) == 1 else _report_several(item, found, origin(value, name), names)
            )
    return Map({**value, **changed}, value.node)


def _renamed_items(items: Seq, rest: tuple[str, ...], names: Names) -> Seq:
    made: list[Any] = []
    nodes: list[Any] = []
    for index, item in enumerate(items):
        place = origin(items, index)
        found = [_renamed(item, rest, names)]
        if isinstance(item, str) and not rest:
            found = list(_named(item, place, names))
        made += found
        nodes += [place.node] * len(found) if place else []
    node = items.node
    anchored = node is not None and len(nodes) == len(made)
    return Seq(
        made, SequenceNode(node.tag, nodes, node.start_mark, node.end_mark) if anchored and node else node
    )


def _named(name: str, place: Origin | None, names: Names) -> Iterator[str]:
    """As `_meant`; a component's step that is not there is told, since kinds look for names of the definition."""
    frame = names.frame
    if frame.caller is None or name in frame.entries or frame.owner(name) is not None:
        yield from _meant(name, place, frame, names)
        return
    near = nearest(name, frame.entries)
    help = f"did you mean `{near}`?" if near else None
    if is_outside(name, frame):
        help = "a component sees its own steps only"
    names.sink.report("SW301", f"unknown step `{name}`", place, help=help)
    names.failed = True


def _report_several(name: str, found: list[str], place: Origin | None, names: Names) -> str:
    if len(found) > 1:
        message = f"`{name}` means {len(found)} steps here, and one is wanted"
        help = f"did you mean `{found[0]}`?" if names.frame.caller is None else None
        names.sink.report("SW307", message, place, help=help, notes=[f"its steps are {listing(found)}"])
    names.failed = True
    return name


def written_out(text: str, place: Origin | None, names: Names) -> str:
    """What `{Get: Steps.X...}` in a component is in the definition."""
    match = _RAW.match(text)
    if match is None:
        return text
    if match[1] == "Parameters":
        message = "a component does not see the pipeline's parameters: it sees its inputs"
        names.sink.report("SW313", message, place, help="declare an input, and give it with `with:`")
        names.failed = True
        return text
    at = Origin(place.node, *match.span(2)) if place is not None else None
    found = list(_named(match[2], at, names))
    return f"Steps.{found[0]}{match[3]}" if len(found) == 1 else text


# -- the first steps of a component -----------------------------------------------------------------------------------


def with_first_steps(steps: tuple[Step, ...], frame: Frame, names: Names) -> tuple[Step, ...]:
    """The steps with what the steps that use components depend on: it reaches those steps of a component that wait for
    no other one of it. `steps` are resolved."""
    frames = sorted((one for one in frame.frames() if one.depends_on), key=lambda one: -one.depth)
    if not frames:
        return steps
    known = {step.name: step for step in _every(steps)}
    added: dict[str, list[Dependency]] = {}
    for one in frames:
        assert one.caller is not None
        names.sink.within = one
        after = dependencies(one.depends_on, one.caller, names)
        own = set(_own(one))
        for name in one.steps:
            if name in known and not own & {*_waits_for(known[name]), *(d.step for d in added.get(name, ()))}:
                taken = [(d.step, d.when) for d in (*known[name].depends_on, *added.get(name, ()))]
                added.setdefault(name, []).extend(d for d in after if (d.step, d.when) not in taken)
    return _with(steps, added)


def _every(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for nested in step.branches.values():
            yield from _every(nested)


def _own(frame: Frame) -> Iterator[str]:
    """The steps of a component, nested ones and those of components in it too."""
    for entry in frame.entries.values():
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, Frame):
            yield from _own(entry)


def _waits_for(step: Step) -> Iterator[str]:
    yield from (dependency.step for dependency in step.depends_on)
    yield from _used(step.body)
    for path in _places(step.kind.name):
        yield from _texts(step.body, path)
    if step.kind.loop is not None:  # it starts when all that its children use is there
        for nested in step.branches.values():
            for child in nested:
                yield from _waits_for(child)


def _used(value: Any) -> Iterator[str]:
    """The steps that a resolved value refers to."""
    for use in uses(value):
        if isinstance(use, dict):
            raw = _RAW.match(use["Get"])
            if raw is not None and raw[1] == "Steps":
                yield raw[2]
        else:
            yield from (one.step for one in operands(use) if isinstance(one, (StepRef, JsonGet)))


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if not path and isinstance(value, str):
        yield value
    elif path and path[0] == "*" and isinstance(value, (Map, Seq)):
        for item in value.values() if isinstance(value, Map) else value:
            yield from _texts(item, path[1:])
    elif path and isinstance(value, Map) and path[0] in value:
        yield from _texts(value[path[0]], path[1:])


def _with(steps: tuple[Step, ...], added: Mapping[str, list[Dependency]]) -> tuple[Step, ...]:
    return tuple(
        replace(
            step,
            depends_on=(*step.depends_on, *added.get(step.name, ())),
            branches={key: _with(nested, added) for key, nested in step.branches.items()},
        )
        for step in steps
    )
