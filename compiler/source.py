"""YAML text → plain data, and where each part of it stands.

YAML is read as 1.2 core over libyaml's parser.
"""

from __future__ import annotations

import io
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sagewright.compiler.diagnostics import Related, Sink, Span
from sagewright.compiler.tree import (
    BOOL,
    FLOAT,
    INT,
    MAP,
    MERGE,
    NULL,
    SEQ,
    STR,
    Document,
    Map,
    Origin,
    Seq,
    Text,
    all_written,
    document_of,
    entry_origin,
    key_origin,
    key_origins,
    node_of,
    origin,
    own_origin,
    plain_number,
    plain_tag,
    plain_value,
    scalar_text,
    source_text,
    span_of,
    written,
)

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


class _Loader(_Parser):  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
    """libyaml's parser, with YAML 1.2's idea of plain scalars, and a limit: it recurses in C, where Python's does not
    hold."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._depth = 0

    def resolve(self, kind: type[Node], value: str, implicit: Any) -> str:
        if kind is ScalarNode:
            return plain_tag(value) if implicit[0] else STR
        return MAP if kind is MappingNode else SEQ

    def descend_resolver(self, current_node: Node | None, current_index: Any) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH + 1 and current_node is not None:
            start = current_node.start_mark.index
            raise _too_deep(document_of(current_node).between(start, start + 1))

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def check_resolver_prefix(self, *_: Any) -> None: ...

    def dispose(self) -> None: ...


class _Stream(io.BytesIO):
    """What libyaml reads. Its `name` lands in every mark: the document itself, so that nodes know their file."""

    def __init__(self, document: Document) -> None:
        super().__init__(document.text.encode())
        self.name = document


def holds(question: Callable[[], bool]) -> bool:
    """The answer to a question about a path (`path.is_file`): no, where the system refuses one."""
    try:
        return question()
    except OSError:  # a name that is too long, a folder that is closed
        return False


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
            return node.value if node.tag == STR else self._scalar(node)
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
        if node.tag not in (MAP, SEQ):
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
        if node.tag not in (INT, FLOAT, BOOL, NULL, MERGE):
            raise _tagged(node)
        value = plain_value(node.value)
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
        for key_node, value_node in node.value:
            key = key_node.value if type(key_node) is ScalarNode else self._key(key_node)
            if key in data or (merge is not None and key == merge[0].value):
                self._report_duplicate(key, key_node, node)
            elif key_node.tag == MERGE:
                merge = key_node, value_node
            elif value_node.tag == STR and type(value_node) is ScalarNode:
                data[key] = value_node.value
            else:
                data[key] = self.build(value_node)
        return Map(data, node) if merge is None else self._with_merged(node, data, list(self._merge(*merge)))

    def _report_duplicate(self, key: str, key_node: Node, node: MappingNode) -> None:
        first = next(one for one, _ in node.value if one.value == key)
        help = "merge several by a list: `<<: [*a, *b]`" if key_node.tag == MERGE else None
        related = [Related(f"`{key}` is first given here", span_of(first))]
        self._sink.report("SW103", f"duplicate key `{key}`", span_of(key_node), help=help, related=related)

    def _with_merged(self, node: MappingNode, data: dict[str, Any], merged: list[tuple[Node, Node]]) -> Map:
        """Keys from `<<` come first and give way to the mapping's own."""
        pairs = [(k, v) for k, v in merged if k.value not in data]
        own = [(k, v) for k, v in node.value if k.tag != MERGE]
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


__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Document",
    "Map",
    "Origin",
    "Seq",
    "Text",
    "all_written",
    "document_of",
    "entry_origin",
    "holds",
    "key_origin",
    "key_origins",
    "node_of",
    "origin",
    "own_origin",
    "plain_number",
    "read",
    "read_bytes",
    "scalar_text",
    "source_text",
    "span_of",
    "written",
]
