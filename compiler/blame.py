"""Where a value of a step's Arguments comes from, when a kind has made it and it has no place of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sagewright.compiler.kind import seconds
from sagewright.compiler.source import Map, Origin, Seq, entry_origin, key_origin, scalar_text

_DURATION_RE = re.compile(r"[0-9]+(\.[0-9]+)?[smhd]")


def written_as(value: Any, body: Map) -> Origin | None:
    """The place of what `value` was made from in a step's body, if only one thing there can be it: `max_runtime: 30d`
    for 2592000, `hyperparameters` for what has its keys, a key for a text that is its name, `null` for what is missing.
    A text that was made is rather one of a number, as texts keep their place."""
    found = [(written, place) for written, place in _values(body) if _may_be(written, value, place)]
    if len(found) > 1:
        found = [(written, place) for written, place in found if not isinstance(written, str)]
    return found[0][1] if len(found) == 1 else None


def _values(value: Map | Seq) -> Iterator[tuple[Any, Origin]]:
    """Every value in a body that has a place, and every key; the place of a mapping, a list and null is their key."""
    entries: Iterable[tuple[str | int, Any]] = value.items() if isinstance(value, Map) else enumerate(value)
    for key, item in entries:
        named = key_origin(value, key) if isinstance(key, str) else None
        if named is not None:
            yield key, named
        is_container = isinstance(item, (Map, Seq))
        place = named if named and (is_container or item is None) else entry_origin(value, key)
        if place is not None:
            yield item, place
        if is_container:
            yield from _values(item)


def _may_be(written: Any, made: Any, place: Origin) -> bool:
    if isinstance(made, dict):
        return isinstance(written, Map) and len(written) > 0 and written.keys() <= made.keys()
    if isinstance(made, list):
        return isinstance(written, (Map, Seq)) and len(written) == len(made) > 0
    if isinstance(made, str):
        if isinstance(written, (bool, int, float)):
            return made in (scalar_text(written), place.node.value)
        return made == written
    if isinstance(written, str):
        return _DURATION_RE.fullmatch(written) is not None and seconds(written) == made
    return type(written) is type(made) and written == made
