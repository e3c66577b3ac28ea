"""`defaults:` under the keys of steps, shorthands made long, and what `null` leaves out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from yaml.nodes import MappingNode, ScalarNode

from sagewright import schemas, steps
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.kind import StepKind
from sagewright.compiler.merge import merge
from sagewright.compiler.source import Map, Seq, key_origin, origin
from sagewright.compiler.suggest import nearest
from sagewright.compiler.validate import DECLARING

_FRAMEWORK = re.compile(r"[a-z][a-z0-9-]*:[A-Za-z0-9._-]+")
"""An image's short form: `xgboost:1.7-1`."""


class Defaults:
    """General ones, each with its `kinds`, weakest first: the project's, the pipeline's, those of the components around a
    step."""

    def __init__(self, *given: Map) -> None:
        self._given = given
        self.layers = [layer for own in given for layer in (own, mapping(own, "kinds"))]
        self._used: list[set[str]] = [set() for _ in given]
        """Of each general one, the keys that a step took."""
        self._first = 0
        """From which of them on it is these that are to be checked."""

    def within(self, own: Map) -> Defaults:
        """These, with a component's own over them; to check are only the latter."""
        made = Defaults(*self._given, own)
        made._used = [*self._used, set()]
        made._first = len(self._given)
        return made

    def under(self, body: Map, kind: StepKind, schema: dict[str, Any]) -> Map:
        """A step over its defaults. A general default reaches the kinds that have the key; under `kinds` it must be one."""
        known = schema["properties"]
        made = Map()
        for index, layer in enumerate(self.layers):
            source = mapping(layer, kind.name) if index % 2 else layer
            chosen = {key: value for key, value in source.items() if key in known and key != "kind"}
            if index % 2 == 0:
                self._used[index // 2].update(chosen)
            if chosen:
                made = merge(made, longhand(Map(chosen, source.node), kind))
        return merge(made, longhand(body, kind)) if made else body

    def check_kinds(self, sink: Sink) -> None:
        """Under `kinds.<kind>`, the kind must exist and have the keys."""
        for layer in self.layers[2 * self._first + 1 :: 2]:
            for name, body in layer.items():
                kind = steps.find(name)
                if kind is None:
                    near = nearest(name, steps.names())
                    help = f"did you mean `{near}`?" if near else None
                    sink.report("SW207", f"unknown kind `{name}`", key_origin(layer, name), help=help)
                    continue
                if not isinstance(body, Map):
                    sink.report("SW203", f"`kinds.{name}` is a mapping", origin(layer, name))
                    continue
                known = schemas.load(f"steps/{name}")["properties"]
                for key in body:
                    if key not in known or key == "kind":
                        near = nearest(key, [one for one in known if one != "kind"])
                        help = f"did you mean `{near}`?" if near else None
                        sink.report(
                            "SW211",
                            f"the kind `{name}` has no key `{key}`",
                            key_origin(body, key),
                            help=help,
                        )

    def check_keys(self, sink: Sink) -> None:
        """A general default that no step took may be one that no kind has."""
        for layer, used in list(zip(self._given, self._used, strict=True))[self._first :]:
            for key in layer:
                if key == "kinds" or key in used or key in _all_keys():
                    continue
                near = nearest(key, _all_keys())
                help = f"did you mean `{near}`?" if near else None
                sink.report(
                    "SW201", f"no kind of step has the key `{key}`", key_origin(layer, key), help=help
                )


@cache
def _all_keys() -> frozenset[str]:
    return frozenset(key for name in steps.names() for key in schemas.load(f"steps/{name}")["properties"])


def longhand(body: Map, kind: StepKind) -> Map:
    """`body` with its shorthands made long: `instance: x` is `instance: {type: x}`."""
    for path, member in {**kind.longhand, "image": "framework"}.items():
        body = _made_long(body, path.split("."), member)
    return body


def _made_long(body: Map, path: list[str], member: str) -> Map:
    """`body` with the shorthand at `path` made long; `*` stands for every key."""
    key, *rest = path
    if key != "*" and key not in body:
        return body
    changed: dict[str, Any] = {}
    for name in body if key == "*" else (key,):
        value = body[name]
        if not rest:
            changed[name] = _long(body, name, member)
        elif isinstance(value, Map):
            changed[name] = _made_long(value, rest, member)
    if all(made is body[name] for name, made in changed.items()):
        return body
    return Map({**body, **changed}, body.node)


def _long(container: Map, key: str, member: str) -> Any:
    value = container[key]
    if isinstance(value, (Map, Seq)) or value is None:
        return value
    data = {member: value}
    if member == "framework":  # of an image that is no URI
        if not isinstance(value, str) or not _FRAMEWORK.fullmatch(value):
            return value
        data["framework"], data["version"] = value.split(":", 1)
    place = origin(container, key)
    return Map(data, place.node if place else None)


def without_nulls(value: Any, schema: Mapping[str, Any], *, declares: bool = False) -> Any:
    """`null` leaves a key out. It stays where it says something: over a built-in default, or as a value of its own,
    and where it is a mistake: as an entry of what `declares` things, and as an entry of which nothing is written."""
    if not isinstance(value, Map):
        return value
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    if properties is None and not isinstance(others, dict):
        return value
    changed: dict[str, Any] = {}
    for key, item in value.items():
        if item is not None and not isinstance(item, Map):
            continue
        child = (properties or {}).get(key, others if isinstance(others, dict) else None)
        if item is None:
            if declares or (child is others and _takes_mapping(child) and _is_blank(value, key)):
                continue
            if child is None or not ("default" in child or "null" in child.get("type", ()) or not child):
                changed[key] = _LEFT_OUT
        elif child:
            stripped = without_nulls(item, child, declares=key in DECLARING)
            if stripped is not item:
                changed[key] = stripped
    if not changed:
        return value
    return Map({k: v for k, v in {**value, **changed}.items() if v is not _LEFT_OUT}, value.node)


_LEFT_OUT = object()


def _takes_mapping(entry: Any) -> bool:
    """Whether `{}` may be meant by an entry: `outputs: {train: }`, other than `environment: {LOG: }`."""
    types = entry.get("type", ()) if isinstance(entry, dict) else ()
    return "object" in types and "null" not in types


def _is_blank(container: Map, key: str) -> bool:
    """Whether nothing at all is written after a key, and no default lies beneath that it could leave out."""
    node = container.node
    written = (
        [value for name, value in node.value if name.value == key] if isinstance(node, MappingNode) else []
    )
    return (
        len(written) == 1
        and isinstance(written[0], ScalarNode)
        and not (written[0].value or written[0].style)
    )


def mapping(data: Map, key: str) -> Map:
    """The mapping under a key; an empty one where there is none."""
    value = data.get(key)
    return value if isinstance(value, Map) else Map()


def optional(data: Map, key: str) -> Map | None:
    """The mapping under a key; None where there is none, or something else, which is told."""
    value = data.get(key)
    return value if isinstance(value, Map) else None
