"""YAML data that know where they stand: mappings and lists that keep the node they were read from, so that places cost
nothing until somebody asks for one; and what a plain scalar means.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import is_
from pathlib import Path
from typing import Any, cast

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sagewright.compiler.diagnostics import Span
from sagewright.compiler.offsets import Place, content_start, places

STR, INT, FLOAT = "tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
BOOL, NULL = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"
MAP, SEQ, MERGE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:merge"
_INT_RE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT_RE = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE_RE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    **dict.fromkeys(("true", "True", "TRUE"), (BOOL, True)),
    **dict.fromkeys(("false", "False", "FALSE"), (BOOL, False)),
    "<<": (MERGE, "<<"),
}
_NUMERIC = frozenset("0123456789+-.")


class Map(dict[str, Any]):
    """A mapping with its places: `node` holds a key node and a value node for each key, in order."""

    __slots__ = ("node",)

    def __init__(self, data: Mapping[str, Any] = {}, node: Node | None = None) -> None:
        self.update(data)
        self.node = node


class Seq(list[Any]):
    """A sequence with its places."""

    __slots__ = ("node",)

    def __init__(self, data: Any = (), node: Node | None = None) -> None:
        super().__init__(data)
        self.node = node


class Text(str):
    """A string that knows its node, for values that leave the container they were read from."""

    __slots__ = ("node",)
    node: Node | None

    def __new__(cls, value: str, node: Node | None = None) -> Text:
        made = super().__new__(cls, value)
        made.node = node
        return made


class WrittenInt(int):
    """An integer that stands elsewhere than it was written, and is `0012` where it is taken as text."""

    written: str

    def __new__(cls, value: int, written: str) -> WrittenInt:
        made = super().__new__(cls, value)
        made.written = written
        return made

    def __str__(self) -> str:
        return self.written

    def __reduce__(self) -> Any:
        return WrittenInt, (int(self), self.written)


class WrittenFloat(float):
    """A number that stands elsewhere than it was written, and is `1.10` where it is taken as text."""

    __slots__ = ("written",)
    written: str

    def __new__(cls, value: float, written: str) -> WrittenFloat:
        made = super().__new__(cls, value)
        made.written = written
        return made

    def __str__(self) -> str:
        return self.written

    def __reduce__(self) -> Any:
        return WrittenFloat, (float(self), self.written)


@dataclass(frozen=True, slots=True)
class Origin:
    """A place, not yet worked out: a node, or the stretch from `start` to `end` of a scalar's value."""

    node: Node
    start: int | None = None
    end: int | None = None

    def span(self) -> Span:
        return span_of(self.node, self.start, self.end)


@dataclass(slots=True)
class Document:
    """A YAML file. `name` is what spans call it."""

    name: str
    path: Path | None
    text: str
    data: Any = None
    root: Node | None = None
    _lines: list[int] = field(default_factory=list, init=False, repr=False)

    def position(self, index: int) -> tuple[int, int]:
        """Line and column of an offset in the text, from 1."""
        if not self._lines:
            self._lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect_right(self._lines, index)
        return line, index - self._lines[line - 1] + 1

    def between(self, begin: int, end: int) -> Span:
        """The stretch from one offset to another."""
        return Span(self.name, *self.position(begin), *self.position(end))

    def span(self, path: tuple[str | int, ...] = ()) -> Span:
        """Where the value at `path` stands; that of the nearest parent where there is none."""
        if self.root is None:
            return Span(self.name)
        value, where = self.data, Origin(self.root)
        for key in path:
            found = entry_origin(value, key)
            if found is None:
                break
            where, value = found, value[key]
        return where.span()


# -- places -----------------------------------------------------------------------------------------------------------


def _children(node: Node | None, key: str | int) -> tuple[Node | None, Node | None]:
    """The key node and the value node of `key` below `node`; the last one written wins, as in the data."""
    if isinstance(node, MappingNode):
        for pair in reversed(node.value):
            if pair[0].value == key:
                return pair
    elif (
        isinstance(node, SequenceNode) and isinstance(key, int) and -len(node.value) <= key < len(node.value)
    ):
        return None, node.value[key]
    return None, None


def node_of(container: Any, key: str | int) -> Node | None:
    """The node of the value of `key`; the container's own where the key is missing."""
    node = getattr(container, "node", None)
    return _children(node, key)[1] or node


def origin(container: Any, key: str | int) -> Origin | None:
    """Where the value of `key` stands; the container's own place where the key is missing."""
    node = node_of(container, key)
    return Origin(node) if node is not None else None


def entry_origin(container: Any, key: str | int) -> Origin | None:
    """Where the value of `key` stands; None where it is not written in this container."""
    value_node = _children(getattr(container, "node", None), key)[1]
    return Origin(value_node) if value_node is not None else None


def key_origin(container: Any, key: str) -> Origin | None:
    """Where the key itself stands."""
    node = getattr(container, "node", None)
    key_node, value_node = _children(node, key)
    chosen = key_node or value_node or node
    return Origin(chosen) if chosen is not None else None


def key_origins(container: Map) -> dict[str, Origin]:
    """Where each key stands, for walking all of a large mapping."""
    if not isinstance(container.node, MappingNode):
        return {key: Origin(container.node) for key in container} if container.node is not None else {}
    return {key_node.value: Origin(key_node) for key_node, _ in container.node.value}


def own_origin(value: Any) -> Origin | None:
    """Where a `Map`, a `Seq`, a `Text` or an expression stands."""
    node = getattr(value, "node", None)
    return Origin(node) if node is not None else getattr(value, "origin", None)


def source_text(container: Any, key: str | int) -> str:
    """A scalar as the author wrote it: `1.10`, `0012345`, `1e5` and `True` survive."""
    value = container[key]
    if isinstance(value, str):
        return value
    node = _children(getattr(container, "node", None), key)[1]
    if isinstance(node, ScalarNode) and not node.style and plain_value(node.value) == (value,):
        return node.value
    return scalar_text(value)


def scalar_text(value: Any) -> str:
    """A scalar as YAML and JSON spell it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def written(container: Any, key: str | int) -> Any:
    """A value for use at other places: a number keeps its text there, if that is not the one that it would be given."""
    value = container[key]
    if isinstance(value, (Map, Seq)):
        return all_written(value)
    if type(value) not in (int, float):
        return value
    text = source_text(container, key)
    if text == str(value):
        return value
    return WrittenInt(value, text) if isinstance(value, int) else WrittenFloat(value, text)


def all_written(container: Any) -> Any:
    """A `Map` or a `Seq` whose values are for use at other places; itself where no number is written unusually."""
    if isinstance(container, Seq):
        items = [written(container, index) for index in range(len(container))]
        return container if all(map(is_, items, container)) else Seq(items, container.node)
    changed = {key: made for key in container if (made := written(container, key)) is not container[key]}
    return Map({**container, **changed}, container.node) if changed else container


def plain_number(value: Any) -> Any:
    """A number without the text that it was written as; anything else as it is."""
    if isinstance(value, WrittenInt):
        return int(value)
    return float(value) if isinstance(value, WrittenFloat) else value


def document_of(node: Node) -> Document:
    """The document that `node` was read from (its marks carry it)."""
    return cast("Document", node.start_mark.name)


def span_of(node: Node, start: int | None = None, end: int | None = None) -> Span:
    """The place of `node`, or of the stretch from `start` to `end` of its value. Of a mapping or a list over several
    lines it is the first line."""
    document = document_of(node)
    text, begin, stop = document.text, node.start_mark.index, node.end_mark.index
    if isinstance(node, ScalarNode):
        found = _places(node) if start is not None else None
        if found and start is not None and start < len(found):
            last = found[min(max(end or 0, start + 1), len(found)) - 1]
            return document.between(found[start][0], last[1])
        begin = min(content_start(text, begin), stop)
        stop = begin + len(text[begin:stop].rstrip())  # libyaml counts the lines after a block to it
    else:
        line_end = text.find("\n", begin, stop)
        stop = begin + len(text[begin : stop if line_end < 0 else line_end].rstrip())
    return document.between(begin, stop)


@lru_cache(maxsize=1)  # the references of one scalar are reported one after the other
def _places(node: ScalarNode) -> list[Place] | None:
    return places(document_of(node).text, node.start_mark.index, node.end_mark.index, node.style, node.value)


# -- what plain scalars mean -------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)  # a file says the same words again and again, its keys above all
def plain_tag(value: str) -> str:
    word = _WORDS.get(value)
    if word is not None:
        return word[0]
    if value[0] in _NUMERIC:
        if _INT_RE.fullmatch(value):
            return INT
        if _FLOAT_RE.fullmatch(value) or _INFINITE_RE.fullmatch(value):
            return FLOAT
    return STR


def _integer(value: str) -> int:
    return int(value, 0) if value[:2] in ("0x", "0o") else int(value)


def plain_value(value: str) -> tuple[Any] | None:
    """What a plain scalar stands for, in a tuple; None where it stands for nothing that JSON has."""
    tag = plain_tag(value)
    if tag in (NULL, BOOL):
        return (_WORDS[value][1],)
    try:
        if tag == INT:
            return (_integer(value),)
        if tag == FLOAT:
            number = float(value.replace(".inf", "inf")) if _FLOAT_RE.fullmatch(value) else math.inf
            return (number,) if math.isfinite(number) else None
    except ValueError:  # more digits than Python converts
        return None
    return (value,)
