"""`matrix:` → its combinations, each with the name that its step gets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import product
from typing import Any

from yaml.nodes import Node, SequenceNode

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.frames import Frame, Given
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin, source_text, written
from sagewright.compiler.suggest import listing, nearest

MAX_COMBINATIONS = 256
"""A definition holds few more steps than that; GitHub's matrix has the same limit."""
_SPECIAL = ("include", "exclude")
_NESTING = frozenset(("then", "else", "body"))
_LONE_STEP = re.compile(r"\$\{\s*steps\.([A-Za-z0-9_-]+)[.\[][^{}]*\}")
_STEP = re.compile(r"(?<!\$)(\$\{\s*steps\.)([A-Za-z0-9_-]+)(?=[.\[])")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Combination:
    """One choice of values: `{{ matrix.<axis> }}`, and what the step's name ends in."""

    values: Map
    suffix: str


def matrices(bodies: Map) -> Iterator[str]:
    """The names of steps with a matrix, nested ones too."""
    for name, body in bodies.items():
        if not isinstance(body, Map):
            continue
        if "matrix" in body:
            yield name
        for key in _NESTING & body.keys():
            if isinstance(body[key], Map):
                yield from matrices(body[key])


def combinations(matrix: Map, sink: Sink) -> list[Combination]:
    """The product of the axes without those excluded, in the order of the axes, and those included.

    As GitHub Actions has it, an `include` adds its keys to the combinations that it agrees with on every axis that it
    names, and where there is none it is a combination of its own. What is wrong goes to `sink`.
    """
    axes = {name: values for name, values in matrix.items() if name not in _SPECIAL}
    if not _are_axes(matrix, axes, sink):
        return []
    size = 1
    for values in axes.values():
        size *= len(values)
    if size > MAX_COMBINATIONS:
        message = f"the matrix has {size:,} combinations, the most is {MAX_COMBINATIONS}"
        sink.report("SW701", message, key_origin(matrix, next(iter(axes))))
        return []
    chosen = (
        [_chosen(axes, indexes) for indexes in product(*(range(len(v)) for v in axes.values()))]
        if axes
        else []
    )
    excluded = list(_entries(matrix, "exclude", axes, sink, known_only=True))
    kept = [values for values in chosen if not any(_agrees(values, entry) for entry in excluded)]
    added = [
        _included(kept, entry, axes) for entry in _entries(matrix, "include", axes, sink, known_only=False)
    ]
    kept += filter(None, added)
    if not kept:
        sink.report("SW206", "the matrix has no combination", key_origin(matrix, next(iter(matrix), "")))
    return list(_named(kept, matrix, sink))


def _are_axes(matrix: Map, axes: dict[str, Any], sink: Sink) -> bool:
    fine = bool(matrix)
    if not matrix:
        sink.report("SW206", "the matrix has no axis", Origin(matrix.node) if matrix.node else None)
    for name, values in axes.items():
        place = origin(matrix, name)
        if not isinstance(values, Seq) or not values:
            sink.report("SW203", f"the axis `{name}` is a list of values", place)
            fine = False
            continue
        for index, value in enumerate(values):
            if isinstance(value, (Map, Seq)) or value is None:
                sink.report(
                    "SW203", f"the values of the axis `{name}` are single ones", origin(values, index)
                )
                fine = False
    return fine


def _chosen(axes: dict[str, Seq], indexes: tuple[int, ...]) -> dict[str, tuple[Any, str]]:
    """Axis → value and its text, for one choice."""
    return {
        name: (written(values, index), source_text(values, index))
        for (name, values), index in zip(axes.items(), indexes, strict=True)
    }


def _entries(
    matrix: Map, key: str, axes: dict[str, Any], sink: Sink, *, known_only: bool
) -> Iterator[dict[str, tuple[Any, str]]]:
    """The mappings of `include` or `exclude`, each axis → value and its text."""
    entries = matrix.get(key, Seq())
    if not isinstance(entries, Seq):
        sink.report("SW203", f"`{key}` is a list of mappings", origin(matrix, key))
        return
    for index, entry in enumerate(entries):
        if not isinstance(entry, Map) or any(isinstance(value, (Map, Seq)) for value in entry.values()):
            sink.report("SW203", f"`{key}` is a list of mappings from axes to values", origin(entries, index))
            continue
        unknown = [name for name in entry if name not in axes] if known_only else []
        for name in unknown:
            near = nearest(name, axes)
            help = f"did you mean `{near}`?" if near else None
            message = f"the matrix has no axis `{name}`: its axes are {listing(list(axes))}"
            sink.report("SW201", message, key_origin(entry, name), help=help)
        if not unknown:
            yield {name: (written(entry, name), source_text(entry, name)) for name in entry}


def _agrees(values: dict[str, tuple[Any, str]], entry: dict[str, tuple[Any, str]]) -> bool:
    return all(name in values and _is_same(values[name][0], value[0]) for name, value in entry.items())


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are one in YAML, where 1 is not true."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _included(
    kept: list[dict[str, tuple[Any, str]]], entry: dict[str, tuple[Any, str]], axes: dict[str, Any]
) -> dict[str, tuple[Any, str]] | None:
    """Adds what an entry of `include` has to the combinations that it agrees with; the entry itself, a combination of
    its own, where there is none."""
    on_axes = {name: value for name, value in entry.items() if name in axes}
    matching = [values for values in kept if _agrees(values, on_axes)] if axes else []
    for values in matching:
        values.update(entry)
    return None if matching else dict(entry)


def _named(kept: list[dict[str, tuple[Any, str]]], matrix: Map, sink: Sink) -> Iterator[Combination]:
    """Combinations with their suffixes; two that would be called the same are told."""
    axes = [name for name in matrix if name not in _SPECIAL]
    taken: dict[str, dict[str, tuple[Any, str]]] = {}
    place = key_origin(matrix, axes[0] if axes else "include")
    for values in kept:
        parts = [values[name] for name in axes if name in values] or list(values.values())
        suffix = "-".join(_UNFIT.sub("-", text).strip("-") or "-" for _, text in parts)
        if suffix in taken:
            message = f"two combinations of the matrix are both called `{suffix}`"
            sink.report("SW311", message, place, help="letters, digits, `-` and `_` tell them apart")
            continue
        taken[suffix] = values
        yield Combination(Map({name: value for name, (value, _) in values.items()}, matrix.node), suffix)


# -- where a list is wanted -------------------------------------------------------------------------------------------


def listed(value: Any, schema: Mapping[str, Any], matrices: Set[str]) -> Any:
    """`value` with a lone reference to a matrix in a list of its own where its schema wants a list: it stands for all of
    the matrix's steps there."""
    if not isinstance(value, Map):
        return value
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    changed: dict[str, Any] = {}
    for key, item in value.items():
        child = properties.get(key, others if isinstance(others, dict) else None)
        if child and isinstance(item, str):
            if _wants_list(child) and is_matrix(item, matrices):
                changed[key] = alone(item, origin(value, key))
        elif child and isinstance(item, Map):
            made = listed(item, child, matrices)
            if made is not item:
                changed[key] = made
    return Map({**value, **changed}, value.node) if changed else value


def is_matrix(text: str, matrices: Set[str]) -> bool:
    """Whether a text is one reference, to something of the steps of a matrix."""
    match = _LONE_STEP.fullmatch(text)
    return match is not None and match[1] in matrices


def alone(text: str, place: Origin | None) -> Seq:
    """A text as the only item of a list, at its own place."""
    return Seq([text], _one_of(place.node) if place else None)


def _wants_list(schema: Mapping[str, Any]) -> bool:
    types = schema.get("type")
    wanted = {types} if isinstance(types, str) else set(types or ())
    return "array" in wanted and "string" not in wanted and not schema.get("x-literal")


def _one_of(node: Node) -> SequenceNode:
    return SequenceNode("tag:yaml.org,2002:seq", [node], node.start_mark, node.end_mark)


def spread(item: Any, frame: Frame) -> list[Any]:
    """An item of a list that refers to a matrix, once for each of the matrix's steps; any other as it is. One that refers
    to several matrices does not say which steps go together."""
    frame = item.frame if isinstance(item, Given) else frame
    if not frame.matrices or isinstance(item, Seq):
        return [item]
    found = {name for name in _steps_in(item) if isinstance(frame.entries.get(name), tuple)}
    if len(found) != 1:
        return [item]
    name = found.pop()
    return [_with_step(item, name, member) for member in frame.members(name)]


def _steps_in(item: Any) -> Iterator[str]:
    if isinstance(item, str):
        yield from (match[2] for match in _STEP.finditer(item))
    elif isinstance(item, Map):
        for value in item.values():
            yield from _steps_in(value)


def _with_step(item: Any, name: str, member: str) -> Any:
    if isinstance(item, str):
        made = _STEP.sub(lambda match: match[1] + (member if match[2] == name else match[2]), item)
        return Given(made, item.frame, item.node, item.declared) if isinstance(item, Given) else made
    if isinstance(item, Map):
        return Map({key: _with_step(value, name, member) for key, value in item.items()}, item.node)
    return item
