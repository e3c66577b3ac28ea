"""The JSONPath of batch transform's filters: as much of it as SageMaker takes, on JSON and on the columns of CSV.

Source: SageMaker developer guide, "Associate prediction results with input records", "Supported JSONPath operators".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Filter = Callable[[Any], Any]

_PART = re.compile(
    r"""
    \.(?P<name>[^.\[\]'"]+)
    | \[\s*(?P<names>'[^']*'(?:\s*,\s*'[^']*')*|"[^"]*"(?:\s*,\s*"[^"]*")*)\s*\]
    | \[\s*(?P<indexes>-?\d+(?:\s*,\s*-?\d+)*)\s*\]
    | \[\s*(?P<start>-?\d*)\s*:\s*(?P<end>-?\d*)\s*\]
    """,
    re.VERBOSE,
)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")


class PathError(Exception):
    """A path that we do not know, or that leads nowhere; in words for people."""


def compiled(path: str) -> Filter:
    """What picks the part of a value that a path names. Raises PathError here for what is no path of SageMaker's, there
    for what a value does not have."""
    if not path.startswith("$"):
        raise PathError(f"the filter `{path}` does not begin with `$`")
    parts: list[Filter] = []
    at = 1
    while at < len(path):
        match = _PART.match(path, at)
        if match is None or path[at : at + 2] == "..":
            raise PathError(f"the filter `{path}` cannot be used: SageMaker takes names, indexes and slices")
        parts.append(_part(match))
        at = match.end()

    def pick(value: Any) -> Any:
        for part in parts:
            value = part(value)
        return value

    return pick


def _part(match: re.Match[str]) -> Filter:
    if match["name"] is not None:
        return _member(match["name"])
    if match["names"] is not None:
        names = [single or double for single, double in _QUOTED.findall(match["names"])]
        return (
            _member(names[0]) if len(names) == 1 else lambda value: [_member(name)(value) for name in names]
        )
    if match["indexes"] is not None:
        indexes = [int(text) for text in match["indexes"].split(",")]
        return _item(indexes[0]) if len(indexes) == 1 else lambda value: [_item(i)(value) for i in indexes]
    start, end = (int(text) if text else None for text in (match["start"], match["end"]))
    return lambda value: _list(value)[start:end]


def _member(name: str) -> Filter:
    def pick(value: Any) -> Any:
        if not isinstance(value, dict) or name not in value:
            raise PathError(f"a record has no member `{name}`")
        return value[name]

    return pick


def _item(index: int) -> Filter:
    def pick(value: Any) -> Any:
        items = _list(value)
        if not -len(items) <= index < len(items):
            raise PathError(f"a record has {len(items)} items, and the filter asks for number {index}")
        return items[index]

    return pick


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise PathError("the filter asks for items, and a record is no list")
    return value
