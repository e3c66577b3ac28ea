"""Where each character of a YAML scalar's value stands in the file's text.

Escapes, doubled quotes, folded lines and stripped indentation make the two differ, so the text is read again as YAML
reads it, keeping count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Place = tuple[int, int]
"""From where to where in the text a character of the value is written; the end is exclusive."""

_PROPERTIES_RE = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:[ \t]+#[^\n]*|\s)*)*")
_ESCAPED = {"x": 2, "u": 4, "U": 8}
"""How many hex digits follow a backslash and that letter."""


def content_start(text: str, begin: int) -> int:
    """Where the content of a node that begins at `begin` does: after its anchor and its tag."""
    found = _PROPERTIES_RE.match(text, begin) if text[begin : begin + 1] in ("&", "!") else None
    return found.end() if found else begin


def places(text: str, begin: int, end: int, style: str | None, value: str) -> list[Place] | None:
    """For each character of a scalar's value its place; None where text and value do not agree.

    `text[begin:end]` is the scalar as libyaml delimits it, `style` its quote, `|`, `>`, or None for a plain one.
    """
    start = content_start(text, begin)
    if style in ("|", ">"):
        readings = (_block(text, start, end, style, indent) for indent in _indents(text, start, end))
    else:
        readings = iter((_flow(text, start, end, style),))
    for reading in readings:
        found = list(reading)
        if len(found) >= len(value) and all(a == b[0] for a, b in zip(value, found, strict=False)):
            return [(first, last) for _, first, last in found[: len(value)]]
    return None


_Reading = Iterator[tuple[str, int, int]]
"""Characters of the value, each with its place."""


def _flow(text: str, at: int, end: int, style: str | None) -> _Reading:
    """A plain or quoted scalar."""
    if style:
        at, end = at + 1, end - 1
    while at < end:
        if text[at] in " \t\n":
            stop = at
            while stop < end and text[stop] in " \t\n":
                stop += 1
            yield from _space(text, at, stop)
        elif style == "'" and text[at] == "'":
            stop = at + 2
            yield "'", at, stop
        elif style == '"' and text[at] == "\\":
            stop = yield from _escape(text, at, end)
        else:
            stop = at + 1
            yield text[at], at, stop
        at = stop


def _space(text: str, at: int, end: int) -> _Reading:
    """White space: kept within a line; one line break is a space, of several all but the first are kept."""
    breaks = [index for index in range(at, end) if text[index] == "\n"]
    if not breaks:
        yield from ((text[index], index, index + 1) for index in range(at, end))
    elif len(breaks) == 1:
        yield " ", breaks[0], end
    else:
        yield from (("\n", index, index + 1) for index in breaks[1:])


def _escape(text: str, at: int, end: int) -> Iterator[tuple[str, int, int]]:
    """A backslash and what it escapes. Returns where that ends."""
    letter = text[at + 1]
    if letter == "\n":
        stop = at + 2
        while stop < end and text[stop] in " \t\n":
            if text[stop] == "\n":
                yield "\n", stop, stop + 1
            stop += 1
        return stop
    digits = _ESCAPED.get(letter, 0)
    stop = at + 2 + digits
    yield chr(int(text[at + 2 : stop], 16)) if digits else _SIMPLE.get(letter, letter), at, stop
    return stop


_SIMPLE = dict(zip("0abtnvfreN_LP\t", "\0\a\b\t\n\v\f\r\x1b\x85\xa0\u2028\u2029\t", strict=True))


def _indents(text: str, start: int, end: int) -> Iterator[int]:
    """The indentations that a block scalar may have: that of its first line, less where its header gives one."""
    header, _, body = text[start:end].partition("\n")
    lines = body.split("\n")
    first = next((line for line in lines if line.strip(" ")), max(lines, key=len))
    most = len(first) - len(first.lstrip(" "))
    yield most
    if re.match(r"[|>][-+]?[1-9]", header):
        yield from range(most - 1, -1, -1)


def _block(text: str, start: int, end: int, style: str, indent: int) -> _Reading:
    """A block scalar, its last line breaks in full: what chomping leaves of them is their beginning."""
    at = text.find("\n", start, end) + 1
    pending: list[int] = []
    """The line breaks since the last line that says something."""
    started = indented = False
    while 0 < at <= end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        if stop - at > indent or text[at:stop].strip(" "):
            more = text[at + indent : at + indent + 1] in (" ", "\t")
            yield from _breaks(pending, folded=style == ">" and started and not indented and not more)
            yield from ((text[index], index, index + 1) for index in range(at + indent, stop))
            pending, started, indented = [], True, more
        pending.append(stop)
        at = stop + 1
    yield from (("\n", index, index + 1) for index in pending)


def _breaks(pending: list[int], *, folded: bool) -> _Reading:
    if folded and len(pending) == 1:
        yield " ", pending[0], pending[0] + 1
    else:
        yield from (("\n", index, index + 1) for index in (pending[1:] if folded else pending))
