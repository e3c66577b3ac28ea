"""YAML text → plain data, and where each part of it stands.

YAML is read as 1.2 core over libyaml's parser. Mappings and sequences are `Map` and `Seq`: a dict and a list that
keep the node they were read from, so that places cost nothing until somebody asks for one.
"""

from __future__ import annotations

import io
import math
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sagewright.compiler.diagnostics import Related, Sink, Span

try:
    from yaml.cyaml import CParser as _Parser
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


MAX_BYTES = 8_000_000
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

    def __init__(self, data: Mapping[str, Any] = {}, node: Node | None = None) -> None:  # noqa: B006
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

    def span(self, path: tuple[str | int, ...] = ()) -> Span:
        """Where the value at `path` stands; that of the nearest parent where there is none."""
        if self.root is None:
            return Span(self.name)
        value, where = self.data, Origin(self.root)
        for key in path:
            found = origin(value, key)
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
    elif isinstance(node, SequenceNode) and isinstance(key, int) and -len(node.value) <= key < len(node.value):
        found = (None, node.value[key])
    return found


def origin(container: Any, key: str | int) -> Origin | None:
    """Where the value of `key` stands; the container's own place where the key is missing."""
    node = getattr(container, "node", None)
    value_node = _children(node, key)[1] or node
    return Origin(value_node) if value_node is not None else None


def key_origin(container: Any, key: str) -> Origin | None:
    """Where the key itself stands."""
    node = getattr(container, "node", None)
    key_node, value_node = _children(node, key)
    chosen = key_node or value_node or node
    return Origin(chosen) if chosen is not None else None


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
    if isinstance(node, ScalarNode) and node.style is None and _scalar(node.value) == (value,):
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
    return node.start_mark.name


def span_of(node: Node, start: int | None = None, end: int | None = None) -> Span:
    """The place of `node`, or of the stretch from `start` to `end` of its value."""
    document = document_of(node)
    first, last = node.start_mark, node.end_mark
    if start is not None and isinstance(node, ScalarNode):
        offsets = _offsets(document.text, node)
        if offsets is not None and 0 <= start <= (end or start) < len(offsets):
            begin, stop = offsets[start], offsets[end if end is not None else start]
            if stop > begin:  # the place before which the last character ends, not where the next one starts
                stop = offsets[end - 1] + 1 if end else stop
            return _between(document, begin, stop)
    if isinstance(node, ScalarNode):
        line, column = _trim(document.text, first, last)
        return Span(document.name, first.line + 1, first.column + 1, line + 1, column + 1)
    end_line, end_column = last.line, last.column
    if end_line != first.line:  # a block ends where the next thing starts: show its first line only
        end_line, end_column = first.line, len(_line(document.text, first.line).rstrip())
    return Span(document.name, first.line + 1, first.column + 1, end_line + 1, max(end_column, first.column) + 1)


def _between(document: Document, begin: int, stop: int) -> Span:
    line, column = _position(document.text, begin)
    end_line, end_column = _position(document.text, stop)
    return Span(document.name, line, column, end_line, end_column)


def _position(text: str, index: int) -> tuple[int, int]:
    line = text.count("\n", 0, index)
    return line + 1, index - (text.rfind("\n", 0, index) + 1) + 1


def _line(text: str, number: int) -> str:
    lines = text.split("\n", number + 1)
    return lines[number] if number < len(lines) else ""


def _trim(text: str, first: Any, last: Any) -> tuple[int, int]:
    """Where a scalar ends, without the blank lines that libyaml counts to block scalars."""
    if last.line == first.line:
        return last.line, last.column
    value = text[_index(text, first) : _index(text, last)].rstrip()
    line, column = _position(text, _index(text, first) + len(value))
    return line - 1, column - 1


def _index(text: str, mark: Any) -> int:
    """The mark's offset in the text (marks count code points; line breaks are all `\\n` by then)."""
    start = 0
    for _ in range(mark.line):
        start = text.index("\n", start) + 1
    return start + mark.column


def _offsets(text: str, node: ScalarNode) -> list[int] | None:
    """For each character of a scalar's value, and for its end, the offset in the text; None if they do not align.

    Escapes and folded lines make the two differ, so they are walked side by side.
    """
    begin, stop = _index(text, node.start_mark), _index(text, node.end_mark)
    raw, value = text[begin:stop], node.value
    quoted = node.style in ("'", '"')
    at = 1 if quoted else 0
    if node.style in ("|", ">"):
        at = raw.find("\n") + 1
    limit = len(raw) - 1 if quoted else len(raw)
    offsets: list[int] = []
    for position, character in enumerate(value):
        if character not in " \n":
            while at < limit and raw[at] in " \n" and (raw[at] != character):
                at += 1
        if at >= limit:
            return None
        offsets.append(begin + at)
        if raw[at] == character and not (node.style == '"' and character == "\\") and not (
            node.style == "'" and character == "'"
        ):
            at += 1
        elif node.style == "'" and raw.startswith("''", at):
            at += 2
        elif node.style == '"' and raw[at] == "\\":
            at += {"x": 4, "u": 6, "U": 10}.get(raw[at + 1 : at + 2], 2)
        elif character in " \n" and raw[at] in " \n":
            at += 1
            following = value[position + 1 : position + 2]
            while at < limit and raw[at] in " \n" and raw[at] != following:
                at += 1
        else:
            return None
    offsets.append(begin + min(at, limit))
    return offsets


# -- reading ----------------------------------------------------------------------------------------------------------


class _Loader(_Parser):
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
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        kind = "a binary file" if b"\0" in raw[:4096] else f"byte 0x{raw[error.start]:02x} is not UTF-8"
        sink.report("SW104", f"not a text file in UTF-8: {kind}", Span(name, line, column, line, column + 1))
        return None
    # Line breaks as YAML counts them: one kind, so that marks and text agree.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    document = Document(name, path, text)
    sink.texts[name] = text
    bad = re.search("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    if bad:
        line, column = _position(text, bad.start())
        what = f"character U+{ord(bad[0]):04X} is not allowed in YAML"
        sink.report("SW104", f"not a text file: {what}", Span(name, line, column, line, column + 1))
        return None
    if not text.strip():
        sink.report("SW105", "the file is empty", Span(name))
        return None
    try:
        _check_depth(document)
        document.root = _compose(document)
        if document.root is None:
            sink.report("SW105", "the file holds nothing but comments", Span(name))
            return None
        document.data = _Builder(sink).build(document.root)
    except yaml.YAMLError as error:
        _report_syntax(error, document, sink)
        return None
    except _Refused as error:
        sink.report(error.code, error.message, error.span)
        return None
    return document


def _compose(document: Document) -> Node | None:
    loader = _Loader(_Stream(document))
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


class _Refused(Exception):
    def __init__(self, code: str, message: str, span: Span) -> None:
        self.code, self.message, self.span = code, message, span


def _check_depth(document: Document) -> None:
    """Refuse deep nesting before libyaml composes it: that recurses in C, where no limit holds."""
    text = document.text
    suspicious = text.count("[") + text.count("{") > MAX_DEPTH or re.search(r"^[ \-?:]{%d}" % MAX_DEPTH, text, re.M)
    if not suspicious:
        return
    depth = 0
    for event in yaml.parse(_Stream(document), Loader=_EventLoader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                span = Span(document.name, mark.line + 1, mark.column + 1, mark.line + 1, mark.column + 2)
                raise _Refused("SW110", f"nested more than {MAX_DEPTH} levels deep", span)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1


class _EventLoader(_Loader):
    pass


class _Builder:
    """Nodes → data."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._expanded = 0

    def build(self, node: Node) -> Any:
        if type(node) is ScalarNode:
            return self._scalar(node)
        key = id(node)
        if key in self._open:
            raise _Refused("SW107", "an alias refers to the mapping or list that it stands in", span_of(node))
        if key in self._seen or self._expanded:
            self._count(node)
        self._seen.add(key)
        self._open.add(key)
        try:
            if node.tag not in (_MAP, _SEQ):
                raise _Refused("SW109", f"pipelines have no use for the YAML tag `{_short(node.tag)}`", span_of(node))
            if isinstance(node, SequenceNode):
                return Seq([self.build(child) for child in node.value], node)
            return self._mapping(node)
        finally:
            self._open.discard(key)

    def _count(self, node: Node) -> None:
        """Count what an alias adds, however deep: the sum, not one alias, is what a bomb is."""
        self._expanded += 1 + len(node.value)
        if self._expanded > MAX_EXPANSION:
            raise _Refused("SW107", "aliases expand to more than the file could mean (a YAML bomb?)", span_of(node))

    def _scalar(self, node: ScalarNode) -> Any:
        tag = node.tag
        if tag == _STR:
            return node.value
        if tag not in (_INT, _FLOAT, _BOOL, _NULL, _MERGE):
            raise _Refused("SW109", f"pipelines have no use for the YAML tag `{_short(tag)}`", span_of(node))
        value = _scalar(node.value)
        if value is None:
            self._sink.report(
                "SW109", f"`{node.value[:40]}` is no number that JSON has", span_of(node), help="quote it if it is text"
            )
            return 0
        return value[0]

    def _mapping(self, node: MappingNode) -> Map:
        data: dict[str, Any] = {}
        merged: list[tuple[Node, Node]] = []
        places: dict[str, Node] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged.extend(self._merge(value_node))
                continue
            key = self._key(key_node)
            if key in places:
                first = Related(f"`{key}` is first given here", span_of(places[key]))
                self._sink.report("SW103", f"duplicate key `{key}`", span_of(key_node), related=[first])
                continue
            places[key] = key_node
            data[key] = self.build(value_node)
        if not merged:
            return Map(data, node)
        return self._with_merged(node, data, merged)

    def _with_merged(self, node: MappingNode, data: dict[str, Any], merged: list[tuple[Node, Node]]) -> Map:
        """Keys from `<<` come first and give way to the mapping's own."""
        pairs = [(k, v) for k, v in merged if k.value not in data]
        own = [(k, v) for k, v in node.value if k.tag != _MERGE]
        flat = MappingNode(node.tag, [*pairs, *own], node.start_mark, node.end_mark, node.flow_style)
        return Map({**{self._key(k): self.build(v) for k, v in pairs}, **data}, flat)

    def _merge(self, node: Node) -> Iterator[tuple[Node, Node]]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        taken: set[str] = set()
        for source in sources:
            if not isinstance(source, MappingNode):
                raise _Refused("SW109", "`<<` wants a mapping, or a list of mappings", span_of(node))
            built = self.build(source)
            for key_node, value_node in built.node.value:
                if key_node.value not in taken:
                    taken.add(key_node.value)
                    yield key_node, value_node

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            span = span_of(node)
            document = document_of(node)
            if _line(document.text, span.line - 1)[span.column - 2 : span.column] == "{{":
                message = "an unquoted `{{ ... }}` is read as a YAML mapping: quote it"
                raise _Refused("SW108", message, Span(span.file, span.line, span.column - 1, span.line, span.column + 1))
            raise _Refused("SW109", "a key must be text, not a mapping or a list", span)
        return node.value


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


# -- YAML's own errors ------------------------------------------------------------------------------------------------


def _report_syntax(error: yaml.YAMLError, document: Document, sink: Sink) -> None:
    """Say what is wrong in YAML, and recognise the slips that people make most."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or error)
    if isinstance(error, yaml.composer.ComposerError) and "single document" in str(error.context):
        problem, code = "a file holds one document; this is a second one", "SW109"
    elif "undefined alias" in problem:
        code = "SW107"
    elif isinstance(error, ConstructorError):
        code = "SW109"
    else:
        code = "SW101"
    line = min(mark.line, document.text.count("\n")) if mark else 0
    column = mark.column if mark and line == mark.line else 0
    shown = _line(document.text, line)
    if not shown.strip() and line > 0 and mark and mark.column == 0:  # past the end: point at the last line
        while line > 0 and not _line(document.text, line).strip():
            line -= 1
        shown = _line(document.text, line)
        column = len(shown.rstrip())
    span = Span(document.name, line + 1, column + 1, line + 1, column + 2)
    indent = shown[: len(shown) - len(shown.lstrip())]
    if "\t" in indent or (column < len(shown) and shown[column] == "\t"):
        tab = indent.index("\t") if "\t" in indent else column
        span = Span(document.name, line + 1, tab + 1, line + 1, tab + 2)
        sink.report("SW102", "a tab cannot indent YAML", span, help="use spaces")
        return
    slip = _unquoted_reference(document.name, document.text, line, column)
    if slip is not None:
        sink.report("SW108", "an unquoted `${...}` or `{{ ... }}` cannot stand inside `{}` or `[]`", slip, help="quote it")
        return
    sink.report(code, _words(problem), span)


def _unquoted_reference(document_name: str, text: str, line: int, column: int) -> Span | None:
    """The unquoted `${...}` or `{{ }}` at or before a syntax error on its line, if there is one."""
    shown = _line(text, line)
    for match in re.finditer(r"\$\{[^}]*\}?|\{\{.*?(\}\}|$)", shown):
        before = shown[: match.start()]
        quoted = before.count('"') % 2 or before.count("'") % 2
        if not quoted and match.start() <= column <= max(match.end() + 1, column):
            return Span(document_name, line + 1, match.start() + 1, line + 1, match.end() + 1)
    return None


def _words(problem: str) -> str:
    return problem.strip().rstrip(".").replace("did not find expected", "expected")
