"""Diagnostics as a SARIF 2.1.0 log, which code-scanning services take."""

from __future__ import annotations

from importlib import metadata, resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sagewright.compiler.diagnostics import CODES, Diagnostic, Span

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"


def sarif(diagnostics: list[Diagnostic]) -> dict[str, Any]:
    """The log of one run, with a rule for each code that occurs."""
    codes = sorted({d.code for d in diagnostics})
    driver = {"name": "sagewright", "semanticVersion": _version(), "rules": [_rule(code) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The directory that the command ran in."}}},
        "results": [_result(d, codes.index(d.code)) for d in diagnostics],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def page(code: str) -> str | None:
    """What the documentation says of a code, in Markdown; None where it has no page."""
    file = resources.files("sagewright.compiler") / "codes" / f"{code}.md"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _version() -> str:
    try:
        return metadata.version("sagewright")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "0.0.0"


def _rule(code: str) -> dict[str, Any]:
    known = CODES[code]
    text = page(code) or known.title
    return {
        "id": code,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.title},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": known.severity},
    }


def _result(diagnostic: Diagnostic, index: int) -> dict[str, Any]:
    parts = [diagnostic.message, *filter(None, [diagnostic.help]), *diagnostic.notes]
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": index,
        "level": diagnostic.severity,
        "message": {"text": "\n".join(parts)},
        "locations": [{"physicalLocation": _place(diagnostic.span)}] if diagnostic.span else [],
    }
    if diagnostic.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": related.message}, "physicalLocation": _place(related.span)}
            for number, related in enumerate(diagnostic.related, 1)
        ]
    return result


def _place(span: Span) -> dict[str, Any]:
    end = max((span.line, span.column), (span.end_line, span.end_column))
    return {
        "artifactLocation": _artifact(span.file),
        "region": {
            "startLine": span.line,
            "startColumn": span.column,
            "endLine": end[0],
            "endColumn": end[1],
        },
    }


def _artifact(file: str) -> dict[str, str]:
    path = Path(file)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix(), errors="surrogateescape"), "uriBaseId": _ROOT}
