"""Diagnostics as text with a snippet, one line each, JSON, SARIF 2.1.0, and GitHub's workflow commands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sagewright.compiler.diagnostics import Diagnostic, Span
from sagewright.compiler.snippet import last_line, snippet, visible

FORMATS = ("text", "oneline", "json", "sarif", "github")

_SGR = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "title": "1",
    "frame": "34",
    "related": "34",
}
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(diagnostics: list[Diagnostic], texts: dict[str, str], format: str, *, color: bool = False) -> str:
    """`diagnostics` in one of `FORMATS`, without a newline at the end.

    `texts` holds the files' texts by the names that spans use; snippets are left out where one is missing. `color`
    adds ANSI colours to `text` and `oneline`. Raises KeyError for an unknown format.
    """
    formats: dict[str, Callable[[], str]] = {
        "text": lambda: _text(diagnostics, texts, color),
        "oneline": lambda: "\n".join(_headline(d, color, ": ", " ") for d in diagnostics),
        "json": lambda: json.dumps(_json(diagnostics), indent=2),
        "sarif": lambda: _sarif(diagnostics),
        "github": lambda: "\n".join(map(_github, diagnostics)),
    }
    return formats[format]()


def summary(diagnostics: list[Diagnostic]) -> str:
    """How many there are of each severity: "2 errors, 1 warning"; "no problems" where there are none."""
    counts = Counter(d.severity for d in diagnostics)
    said = [f"{n} {name}{'' if n == 1 else 's'}" for name in _COMMANDS if (n := counts[name])]
    return ", ".join(said) or "no problems"


# -- for people -------------------------------------------------------------------------------------------------------


def _text(diagnostics: list[Diagnostic], texts: dict[str, str], color: bool) -> str:
    lines: dict[str, list[str]] = {}
    for diagnostic in diagnostics:
        for span in (diagnostic.span, *(related.span for related in diagnostic.related)):
            if span is not None and span.file not in lines:
                lines[span.file] = texts[span.file].split("\n") if texts.get(span.file) else []
    return "\n\n".join("\n".join(_explained(d, lines, color)) for d in diagnostics)


def _explained(diagnostic: Diagnostic, lines: dict[str, list[str]], color: bool) -> Iterator[str]:
    yield _headline(diagnostic, color, ": ", ": ")
    spans = [diagnostic.span, *(related.span for related in diagnostic.related)]
    known = [span for span in spans if span is not None and lines[span.file]]
    gutter = max((len(str(last_line(lines[span.file], span))) for span in known), default=1)

    def snippet_of(span: Span, label: str, mark: str, style: str) -> Iterator[str]:
        return snippet(
            lines[span.file],
            span,
            label,
            gutter=gutter,
            mark=mark,
            paint=lambda text: _paint(text, style, color),
            dim=lambda text: _paint(text, "frame", color),
        )

    shown = diagnostic.span in known
    if diagnostic.span is not None and shown:
        yield from snippet_of(diagnostic.span, diagnostic.help or "", "^", diagnostic.severity)
    helps = [f"help: {diagnostic.help}"] if diagnostic.help and not shown else []
    for note in [*helps, *diagnostic.notes]:
        first, *rest = note.split("\n")
        yield f"{'':{gutter}} {_paint('=', 'frame', color)} {visible(first)}"
        for row in rest:  # never at the line's beginning, where CI systems look for commands
            yield f"{'':{gutter}} {_paint('|', 'frame', color)} {visible(row)}"
    for related in diagnostic.related:
        arrow = f"{'':{gutter}}{_paint('-->', 'frame', color)} {_place(related.span)}"
        if related.span in known:
            yield arrow
            yield from snippet_of(related.span, related.message, "-", "related")
        else:
            yield f"{arrow}: {visible(related.message)}"


def _headline(diagnostic: Diagnostic, color: bool, after_place: str, after_code: str) -> str:
    place = f"{_place(diagnostic.span)}{after_place}" if diagnostic.span else ""
    kind = _paint(f"{diagnostic.severity}[{diagnostic.code}]", diagnostic.severity, color)
    return f"{place}{kind}{after_code}{_paint(visible(diagnostic.message), 'title', color)}"


def _place(span: Span) -> str:
    return f"{visible(span.file)}:{span.line}:{span.column}"


def _paint(text: str, style: str, color: bool) -> str:
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if color and text else text


# -- for machines -----------------------------------------------------------------------------------------------------


def _json(diagnostics: list[Diagnostic]) -> dict[str, Any]:
    counts = Counter(d.severity for d in diagnostics)
    return {
        "diagnostics": [
            {
                "code": d.code,
                "severity": d.severity,
                "message": d.message,
                "place": _json_place(d.span),
                "help": d.help,
                "notes": list(d.notes),
                "related": [{"message": r.message, "place": _json_place(r.span)} for r in d.related],
            }
            for d in diagnostics
        ],
        "errors": counts["error"],
        "warnings": counts["warning"],
        "notes": counts["note"],
    }


def _json_place(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def _sarif(diagnostics: list[Diagnostic]) -> str:
    from sagewright.compiler.sarif import sarif  # late: it reads the package's metadata and pages

    return json.dumps(sarif(diagnostics), indent=2)


def _github(diagnostic: Diagnostic) -> str:
    """A workflow command: an annotation at its line, the place repeated for those who read the log."""
    properties: dict[str, object] = {}
    span = diagnostic.span
    if span is not None:
        properties = {"file": span.file, "line": span.line, "endLine": span.end_line}
        if span.line == span.end_line:  # GitHub takes columns only within a line
            properties |= {"col": span.column, "endColumn": span.end_column}
    properties["title"] = diagnostic.code
    place = f"{_place(span)}: " if span else ""
    parts = [f"{place}{diagnostic.message}", *filter(None, [diagnostic.help]), *diagnostic.notes]
    return workflow_command(_COMMANDS[diagnostic.severity], properties, "\n".join(parts))


def workflow_command(command: str, properties: Mapping[str, object], message: str) -> str:
    """`::<command> <properties>::<message>`, as GitHub reads it in a job's log."""
    said = ",".join(f"{key}={_property(visible(str(value)))}" for key, value in properties.items())
    return f"::{command} {said}::{_data(chr(10).join(visible(line) for line in message.split(chr(10))))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
