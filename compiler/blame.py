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
    for 2592000, `hyperparameters` for what has its keys, a key for a text that is its name."""
    found = [place for written, place in _values(body) if _may_be(written, value)]
    return found[0] if len(found) == 1 else None


def _values(value: Map | Seq) -> Iterator[tuple[Any, Origin]]:
    """Every value in a body that has a place, and every key; a mapping's and a list's place is its key."""
    entries: Iterable[tuple[str | int, Any]] = value.items() if isinstance(value, Map) else enumerate(value)
    for key, item in entries:
        named = key_origin(value, key) if isinstance(key, str) else None
        if named is not None:
            yield key, named
        is_container = isinstance(item, (Map, Seq))
        place = named if is_container and named else entry_origin(value, key)
        if place is not None:
            yield item, place
        if is_container:
            yield from _values(item)


def _may_be(written: Any, made: Any) -> bool:
    if isinstance(made, dict):
        return isinstance(written, Map) and len(written) > 0 and written.keys() <= made.keys()
    if isinstance(made, list):
        return isinstance(written, (Map, Seq)) and len(written) == len(made) > 0
    if isinstance(made, str):
        return made == (scalar_text(written) if isinstance(written, (bool, int, float)) else written)
    if isinstance(written, str):
        return _DURATION_RE.fullmatch(written) is not None and seconds(written) == made
    return type(written) is type(made) and written == made
