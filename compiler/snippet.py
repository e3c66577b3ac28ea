"""Source lines with carets beneath them, as wide as a terminal shows them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sagewright.compiler.diagnostics import Span

TAB = "    "
MAX_WIDTH = 110
"""Columns of source text shown; longer lines are cut around the carets."""
_BEFORE = 50
_MOST_LINES = 4
_JOINERS = "\u200c\u200d"
_ELLIPSIS = "…"

Paint = Callable[[str], str]


def visible(text: str) -> str:
    """`text` with everything that a terminal would obey, or not show, written as an escape (`\\x1b`, `\\u202e`)."""
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    named = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}.get(character)
    number = ord(character)
    return named or (
        f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
    )


def width(text: str) -> int:
    """The columns that `text` takes in a terminal: two for CJK and emoji, none for what combines."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass(frozen=True, slots=True)
class _Marked:
    """A line of source: what to show of it, and where its marks begin and how many they are, in columns."""

    number: int
    text: str
    start: int
    length: int


def snippet(
    lines: list[str], span: Span, label: str, *, gutter: int, mark: str, paint: Paint, dim: Paint
) -> Iterator[str]:
    """The lines of `span` with `mark` beneath what it covers, `label` at the last mark.

    `gutter` is the width for line numbers; `paint` colours marks and label, `dim` the frame.
    """
    yield dim(f"{'':{gutter}} |")
    marked = _marked(lines, span)
    for index, line in enumerate(marked):
        if index and line.number > marked[index - 1].number + 1:
            yield dim("...")
        yield dim(f"{line.number:{gutter}} |") + (f" {line.text}" if line.text else "")
        last = index == len(marked) - 1
        marks = mark * line.length
        beneath = _aligned(f"{marks} {label}" if label and last else marks, line.start + line.length + 1)
        for row in beneath:
            yield dim(f"{'':{gutter}} |") + " " * (line.start + 1 if row is beneath[0] else 1) + paint(row)


def _aligned(text: str, indent: int) -> list[str]:
    """The rows of marks and label; further rows of a label stand below its first."""
    first, *rest = text.split("\n")
    return [visible(first), *(" " * indent + visible(row) for row in rest)]


def last_line(lines: list[str], span: Span) -> int:
    """The largest line number that the snippet of `span` shows."""
    return _clamped(lines, span).end_line


def _clamped(lines: list[str], span: Span) -> Span:
    """`span` inside the text: what lies past the end becomes the end of the last line that says something."""
    count = len(lines)
    while count > 1 and not lines[count - 1].strip():
        count -= 1
    if span.line > len(lines) or (span.line > count and not lines[span.line - 1]):
        end = len(lines[count - 1]) + 1
        return Span(span.file, count, end, count, end)
    end_line, end_column = max((span.line, span.column), (span.end_line, span.end_column))
    if end_line > len(lines):
        end_line, end_column = len(lines), len(lines[-1]) + 1
    return Span(span.file, span.line, span.column, end_line, end_column)


def _marked(lines: list[str], span: Span) -> list[_Marked]:
    inside = _clamped(lines, span)
    numbers = list(range(inside.line, inside.end_line + 1))
    if len(numbers) > _MOST_LINES:
        numbers = [*numbers[: _MOST_LINES // 2], *numbers[-_MOST_LINES // 2 :]]
    found: list[_Marked] = []
    for number in numbers:
        text = lines[number - 1]
        start = inside.column - 1 if number == inside.line else len(text) - len(text.lstrip())
        stop = inside.end_column - 1 if number == inside.end_line else len(text.rstrip())
        if stop > start or number == inside.line:
            found.append(_mark(number, text, min(start, len(text)), stop))
    return found


def _mark(number: int, text: str, start: int, stop: int) -> _Marked:
    """Cut `text` to the columns around `start`, and measure where the marks go."""
    text = text.rstrip()
    begin = max(0, start - _BEFORE) if len(text) > MAX_WIDTH else 0
    if begin + MAX_WIDTH >= len(text):
        begin = max(0, min(begin, len(text) - MAX_WIDTH))
    end = begin + MAX_WIDTH
    before, inside, after = (
        text[begin:start],
        text[start : min(stop, end)],
        text[max(start, min(stop, end)) : end],
    )
    shown = [_ELLIPSIS if begin else "", _shown(before), _shown(inside), _shown(after)]
    if len(text) > end:
        shown.append(_ELLIPSIS)
    return _Marked(number, "".join(shown), width(shown[0] + shown[1]), max(1, width(shown[2])))


def _shown(text: str) -> str:
    return visible(text.replace("\t", TAB))
