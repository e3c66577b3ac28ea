"""Merging mappings with their places: defaults under steps, patches over requests."""

from __future__ import annotations

from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode

from sagewright.compiler.source import Map, Origin, document_of
from sagewright.compiler.tree import STR

NAME_KEYS = ("InputName", "OutputName", "ChannelName", "VariantName", "ContainerHostname", "Name", "Key")
"""By these, elements of AWS's lists are told apart."""


def merge(base: Map, over: Map) -> Map:
    """`over` over `base`: mappings merge by key, everything else replaces. Each key keeps its own place."""
    if not base:
        return over
    if not over:
        return base
    data: dict[str, Any] = dict(base)
    for key, value in over.items():
        below = data.get(key)
        data[key] = merge(below, value) if isinstance(below, Map) and isinstance(value, Map) else value
    return Map(data, _joined(base, over, data))


def _joined(base: Map, over: Map, data: dict[str, Any]) -> MappingNode | None:
    """A node that finds each key where it came from."""
    pairs = [pair for source in (base, over) for pair in _pairs(source)]
    anchor = over.node or base.node
    if anchor is None:
        return None
    return MappingNode("tag:yaml.org,2002:map", pairs, anchor.start_mark, anchor.end_mark)


def _pairs(source: Map) -> list[tuple[Node, Node]]:
    """The keys' nodes and the values'; all of a shorthand that was made long stands where that does."""
    node = source.node
    if isinstance(node, MappingNode):
        return node.value
    if not isinstance(node, ScalarNode):
        return []
    return [(ScalarNode(STR, key, node.start_mark, node.end_mark), node) for key in source]


def is_own(place: Origin, body: Map) -> bool:
    """Whether a place is in `body` as it is written, and not in what was merged under it."""
    one, whole = place.node, body.node
    if whole is None or document_of(one) is not document_of(whole):
        return False
    return whole.start_mark.index <= one.start_mark.index and one.end_mark.index <= whole.end_mark.index


def without_nulls(body: Map) -> Map:
    """`null` leaves a key out."""
    return (
        Map({key: value for key, value in body.items() if value is not None}, body.node)
        if None in body.values()
        else body
    )


def patch(target: Any, change: Any) -> Any:
    """AWS's spelling merged deeply: mappings merge, null removes, a list replaces, and a mapping over a list whose
    elements have names patches them by name. Returns the result; `target` is not changed."""
    if isinstance(target, dict) and isinstance(change, dict):
        made = dict(target)
        for key, value in change.items():
            if value is None:
                made.pop(key, None)
            else:
                made[key] = patch(made.get(key), value)
        return Map(made, _patched_node(target, change))
    if isinstance(target, list) and isinstance(change, dict):
        return _patch_list(target, change)
    if isinstance(change, dict):  # nothing below it: nulls in it remove nothing
        return Map(
            {k: patch(None, v) for k, v in change.items() if v is not None}, getattr(change, "node", None)
        )
    return change


def _patched_node(target: Any, change: Any) -> MappingNode | None:
    nodes = [
        n
        for n in (getattr(target, "node", None), getattr(change, "node", None))
        if isinstance(n, MappingNode)
    ]
    if not nodes:
        return None
    last = nodes[-1]
    return MappingNode(last.tag, [pair for n in nodes for pair in n.value], last.start_mark, last.end_mark)


def _patch_list(target: list[Any], change: dict[str, Any]) -> list[Any]:
    """Patch a list's elements by name; names that are not there are added."""
    name_key = next((k for k in NAME_KEYS for item in target if isinstance(item, dict) and k in item), None)
    if name_key is None:
        return [patch(None, change)]
    made: list[Any] = []
    seen: set[str] = set()
    for item in target:
        name = item.get(name_key) if isinstance(item, dict) else None
        if isinstance(name, str) and name in change:
            seen.add(name)
            if change[name] is not None:
                made.append(patch(item, change[name]))
        else:
            made.append(item)
    for name, value in change.items():
        if name not in seen and value is not None:
            made.append(patch({name_key: name}, value))
    return made
