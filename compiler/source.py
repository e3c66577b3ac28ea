"""YAML text → plain data, and where each part of it stands.

YAML is read as 1.2 core over libyaml's parser. Mappings and sequences are `Map` and `Seq`: a dict and a list that
keep the node they were read from, so that places cost nothing until somebody asks for one.
"""

from __future__ import annotations

import io
import math
import re
import stat
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sagewright.compiler.diagnostics import Related, Sink, Span
from sagewright.compiler.offsets import Place, content_start, places

try:
    from yaml.cyaml import CParser as _Parser  # pyright: ignore[reportAttributeAccessIssue]
except ImportError:  # a PyYAML built without libyaml
    from yaml.composer import Composer
    from yaml.parser import Parser
    from yaml.reader import Reader
    from yaml.scanner import Scanner

    class _Parser(Reader, Scanner, Parser, Composer):  # type: ignore[no-redef]
        def __init__(self, stream: Any) -> None:
            Reader.__init__(self, stream)
            Scanner.__init__(self)
            Parser.__init__(self)
            Composer.__init__(self)


MAX_BYTES = 4_000_000
"""SageMaker takes definitions of 1 MiB; a source this much larger is a mistake."""
MAX_DEPTH = 100
MAX_EXPANSION = 200_000
"""How many nodes aliases may add (a "YAML bomb" adds billions)."""

_STR, _INT, _FLOAT = "tag:yaml.org,2002:str", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_BOOL, _NULL = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"
_MAP, _SEQ, _MERGE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:merge"
_INT_RE = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT_RE = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE_RE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (_NULL, None)),
    **dict.fromkeys(("true", "True", "TRUE"), (_BOOL, True)),
    **dict.fromkeys(("false", "False", "FALSE"), (_BOOL, False)),
    "<<": (_MERGE, "<<"),
}
_NUMERIC = frozenset("0123456789+-.")


class Map(dict[str, Any]):
    """A mapping with its places: `node` holds a key node and a value node for each key, in order."""

    __slots__ = ("node",)

    def __init__(self, data: Mapping[str, Any] = {}, node: Node | None = None) -> None:
        super().__init__(data)
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
    found: tuple[Node | None, Node | None] = (None, None)
    if isinstance(node, MappingNode):
        for key_node, value_node in node.value:
            if key_node.value == key:
                found = (key_node, value_node)
    elif (
        isinstance(node, SequenceNode) and isinstance(key, int) and -len(node.value) <= key < len(node.value)
    ):
        found = (None, node.value[key])
    return found


def origin(container: Any, key: str | int) -> Origin | None:
    """Where the value of `key` stands; the container's own place where the key is missing."""
    node = getattr(container, "node", None)
    value_node = _children(node, key)[1] or node
    return Origin(value_node) if value_node is not None else None


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
    if isinstance(node, ScalarNode) and not node.style and _scalar(node.value) == (value,):
        return node.value
    return scalar_text(value)


def scalar_text(value: Any) -> str:
    """A scalar as YAML and JSON spell it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


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


# -- reading ----------------------------------------------------------------------------------------------------------


class _Loader(_Parser):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
    """libyaml's parser, with YAML 1.2's idea of plain scalars."""

    def resolve(self, kind: type[Node], value: str, implicit: Any) -> str:
        if kind is ScalarNode:
            return _tag(value) if implicit[0] else _STR
        return _MAP if kind is MappingNode else _SEQ

    def descend_resolver(self, current_node: Node | None, current_index: Any) -> None: ...

    def ascend_resolver(self) -> None: ...

    def check_resolver_prefix(self, *_: Any) -> None: ...

    def dispose(self) -> None: ...


def _tag(value: str) -> str:
    word = _WORDS.get(value)
    if word is not None:
        return word[0]
    if value[0] in _NUMERIC:
        if _INT_RE.fullmatch(value):
            return _INT
        if _FLOAT_RE.fullmatch(value) or _INFINITE_RE.fullmatch(value):
            return _FLOAT
    return _STR


def _integer(value: str) -> int:
    return int(value, 0) if value[:2] in ("0x", "0o") else int(value)


def _scalar(value: str) -> tuple[Any] | None:
    """What a plain scalar stands for, in a tuple; None where it stands for nothing that JSON has."""
    tag = _tag(value)
    if tag in (_NULL, _BOOL):
        return (_WORDS[value][1],)
    try:
        if tag == _INT:
            return (_integer(value),)
        if tag == _FLOAT:
            number = float(value.replace(".inf", "inf")) if _FLOAT_RE.fullmatch(value) else math.inf
            return (number,) if math.isfinite(number) else None
    except ValueError:  # more digits than Python converts
        return None
    return (value,)


class _Stream(io.BytesIO):
    """What libyaml reads. Its `name` lands in every mark: the document itself, so that nodes know their file."""

    def __init__(self, document: Document) -> None:
        super().__init__(document.text.encode())
        self.name = document


def read(path: Path, sink: Sink, name: str | None = None) -> Document | None:
    """Read a YAML file; None if it cannot be used, with the reason in `sink`."""
    shown = name or str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            sink.report("SW801", f"`{shown}` is a directory, not a file", Span(shown))
            return None
        if not stat.S_ISREG(status.st_mode):
            sink.report("SW801", f"`{shown}` is no regular file", Span(shown))
            return None
        if status.st_size > MAX_BYTES:
            sink.report(
                "SW106",
                f"the file has {status.st_size:,} bytes, the limit is {MAX_BYTES:,}",
                Span(shown),
                notes=["SageMaker takes definitions of at most 1,048,576 characters"],
            )
            return None
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        sink.report("SW801", f"cannot read `{shown}`: {reason.lower()}", Span(shown))
        return None
    return read_bytes(raw, sink, shown, path)


def read_bytes(raw: bytes, sink: Sink, name: str = "<string>", path: Path | None = None) -> Document | None:
    """Read YAML from memory; None if it cannot be used, with the reason in `sink`."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _report_bytes(error, raw, sink, name)
        return None
    # Line breaks as YAML counts them: one kind, so that marks and text agree.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        sink.report("SW105", "the file is empty", Span(name))
        return None
    document = Document(name, path, text)
    sink.texts[name] = text
    try:
        _check_characters(document)
        _check_depth(document)
        document.root = _compose(document)
        if document.root is None or document.root.value == "":
            raise _Refused("SW105", "the file holds nothing but comments", Span(name))
        document.data = _Builder(sink).build(document.root)
    except yaml.YAMLError as error:
        _report_syntax(error, document, sink)
    except _Refused as error:
        sink.report(error.code, error.message, error.span, help=error.help)
    else:
        return document
    return None


def _report_bytes(error: UnicodeDecodeError, raw: bytes, sink: Sink, name: str) -> None:
    """Say what bytes are that are no UTF-8."""
    text = raw[: error.start].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        kind = "it is UTF-16"
    elif b"\0" in raw[:4096]:
        kind = "it is a binary file"
    else:
        kind = f"byte 0x{raw[error.start]:02x}"
        sink.texts[name] = raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    sink.report("SW104", f"not a text file in UTF-8: {kind}", Span(name, line, column, line, column + 1))


_FORBIDDEN_RE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_SEPARATORS = "\x85\u2028\u2029"
"""What YAML 1.1, and so libyaml, takes for line breaks, and 1.2 does not."""


def _check_characters(document: Document) -> None:
    """Refuse what YAML does, and what its versions disagree about."""
    bad = _FORBIDDEN_RE.search(document.text)
    if bad is None:
        return
    message = f"the character U+{ord(bad[0]):04X} is not allowed in YAML"
    help = None
    if bad[0] in _SEPARATORS:
        message = f"an invisible line separator, U+{ord(bad[0]):04X}"
        help = f"remove it, or write `\\u{ord(bad[0]):04x}` in double quotes"
    elif bad[0] == "\ufeff":
        message, help = "an invisible byte order mark, U+FEFF", "remove it"
    raise _Refused("SW104", message, document.between(bad.start(), bad.end()), help)


def _compose(document: Document) -> Node | None:
    loader = _Loader(_Stream(document))
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


class _Refused(Exception):
    def __init__(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.span, self.help = code, message, span, help


def _too_deep(span: Span) -> _Refused:
    return _Refused("SW110", f"nested more than {MAX_DEPTH} levels deep", span)


_DEEP_RE = re.compile(rf"^[ \-?:]{{{MAX_DEPTH}}}", re.M)


def _check_depth(document: Document) -> None:
    """Refuse deep nesting before libyaml composes it: that recurses in C, where no limit holds."""
    text = document.text
    suspicious = text.count("[") + text.count("{") > MAX_DEPTH or _DEEP_RE.search(text)
    if not suspicious:
        return
    depth = 0
    for event in yaml.parse(_Stream(document), Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep(document.between(event.start_mark.index, event.start_mark.index + 1))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1


class _Builder:
    """Nodes → data."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._aliases = 0
        """How many of the nodes that are being built were built before, for another alias."""
        self._expanded = 0

    def build(self, node: Node) -> Any:
        if type(node) is ScalarNode:
            return self._scalar(node)
        key = id(node)
        if key in self._open:
            raise _Refused("SW107", "an alias refers to the mapping or list that it stands in", span_of(node))
        if len(self._open) >= MAX_DEPTH:
            raise _too_deep(span_of(node))
        again = key in self._seen
        self._aliases += again
        if self._aliases:
            self._count(node)
        self._seen.add(key)
        self._open.add(key)
        try:
            return self._collection(node)
        finally:
            self._open.discard(key)
            self._aliases -= again

    def _collection(self, node: Node) -> Any:
        if node.tag not in (_MAP, _SEQ):
            raise _tagged(node)
        if isinstance(node, MappingNode):
            return self._mapping(node)
        return Seq([self.build(child) for child in node.value], node)

    def _count(self, node: Node) -> None:
        """Count what an alias adds, however deep: the sum, not one alias, is what a bomb is."""
        self._expanded += 1 + len(node.value)
        if self._expanded > MAX_EXPANSION:
            raise _Refused(
                "SW107", "aliases expand to more than the file could mean (a YAML bomb?)", span_of(node)
            )

    def _scalar(self, node: ScalarNode) -> Any:
        tag = node.tag
        if tag == _STR:
            return node.value
        if tag not in (_INT, _FLOAT, _BOOL, _NULL, _MERGE):
            raise _tagged(node)
        value = _scalar(node.value)
        if value is None:
            self._sink.report(
                "SW109",
                f"`{node.value[:40]}` is no number that JSON has",
                span_of(node),
                help="quote it if it is text",
            )
            return 0
        return value[0]

    def _mapping(self, node: MappingNode) -> Map:
        data: dict[str, Any] = {}
        merge: tuple[Node, Node] | None = None
        places: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key in places:
                first = Related(f"`{key}` is first given here", span_of(places[key]))
                help = "merge several by a list: `<<: [*a, *b]`" if key_node.tag == _MERGE else None
                self._sink.report(
                    "SW103", f"duplicate key `{key}`", span_of(key_node), help=help, related=[first]
                )
                continue
            places[key] = key_node
            if key_node.tag == _MERGE:
                merge = key_node, value_node
            else:
                data[key] = self.build(value_node)
        return Map(data, node) if merge is None else self._with_merged(node, data, list(self._merge(*merge)))

    def _with_merged(self, node: MappingNode, data: dict[str, Any], merged: list[tuple[Node, Node]]) -> Map:
        """Keys from `<<` come first and give way to the mapping's own."""
        pairs = [(k, v) for k, v in merged if k.value not in data]
        own = [(k, v) for k, v in node.value if k.tag != _MERGE]
        flat = MappingNode(node.tag, [*pairs, *own], node.start_mark, node.end_mark, node.flow_style)
        return Map({**{self._key(k): self.build(v) for k, v in pairs}, **data}, flat)

    def _merge(self, at: Node, node: Node) -> Iterator[tuple[Node, Node]]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        taken: set[str] = set()
        for source in sources:
            if not isinstance(source, MappingNode):
                raise _Refused("SW109", "`<<` wants a mapping, or a list of mappings", span_of(at))
            built = self.build(source)
            for key_node, value_node in built.node.value:
                if key_node.value not in taken:
                    taken.add(key_node.value)
                    yield key_node, value_node

    def _key(self, node: Node) -> str:
        if isinstance(node, ScalarNode):
            return node.value
        span = span_of(node)
        document, begin = document_of(node), node.start_mark.index
        if document.text[begin - 1 : begin + 1] == "{{":
            end = document.text.find("}}", begin, document.text.find("\n", begin))
            place = document.between(begin - 1, end + 2 if end > 0 else begin + 1)
            raise _Refused("SW108", "an unquoted `{{` is read as a YAML mapping", place, "quote it")
        raise _Refused("SW109", "a key must be text, not a mapping or a list", span)


def _tagged(node: Node) -> _Refused:
    """What to say of a tag; its place is where the node begins, before an anchor too."""
    tag = node.tag.replace("tag:yaml.org,2002:", "!!")
    document, begin = document_of(node), node.start_mark.index
    end = begin + len(document.text[begin:].split(maxsplit=1)[0])
    return _Refused("SW109", f"pipelines have no use for the YAML tag `{tag}`", document.between(begin, end))


def _report_syntax(error: yaml.YAMLError, document: Document, sink: Sink) -> None:
    from sagewright.compiler.yaml_errors import explain  # late: for broken files only

    slip = explain(error, document.text)
    related = []
    if slip.because is not None:
        why, *place = slip.because
        related.append(Related(why, document.between(*place)))
    sink.report(
        slip.code, slip.message, document.between(slip.start, slip.end), help=slip.help, related=related
    )
