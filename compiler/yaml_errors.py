"""libyaml's errors in words that help, at the place where the slip is and not where the parser gave up."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from sagewright.compiler.suggest import nearest

_SLIP_RE = re.compile(r"\$\{[^}\n]*\}?|\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)", re.M)
_WORD_RE = re.compile(r"[^\s:,\[\]{}]+")


@dataclass(frozen=True, slots=True)
class Slip:
    """What is wrong in a text: from `start` to `end`. `because` explains it at another place."""

    code: str
    message: str
    start: int
    end: int
    help: str | None = None
    because: tuple[str, int, int] | None = None


def explain(error: yaml.YAMLError, text: str) -> Slip:
    """What the author of `text` did that made libyaml say `error`."""
    found = _Error(text, error)
    slip = _tab(found) or _unquoted(found)
    if slip is not None:
        return slip
    for words, explained in _EXPLAINED.items():
        if words in found.problem or words in found.context:
            return explained(found)
    return found.slip(found.problem.replace("did not find expected", "expected"))


class _Error:
    """An error with its places as offsets: `at` is where libyaml gave up, `began` where what it was reading begins."""

    def __init__(self, text: str, error: yaml.YAMLError) -> None:
        self.text = text
        self.problem = str(getattr(error, "problem", None) or error)
        self.context = str(getattr(error, "context", None) or "")
        self.last = len(text.rstrip())
        began, at = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
        self.began = min(began.index, self.last) if began else 0
        self.at = min(at.index if at else self.began, self.last)

    @property
    def is_at_end(self) -> bool:
        return self.at == self.last

    @property
    def line(self) -> str:
        """The line of `at`, as far as it."""
        return self.text[self.text.rfind("\n", 0, self.at) + 1 : self.at]

    @property
    def found(self) -> str:
        return "the end of the file" if self.is_at_end else f"`{self.text[self.at]}`"

    @property
    def in_flow(self) -> bool:
        return "flow" in self.context

    def word(self, at: int) -> int:
        """Where the word at an offset ends, at least one character later."""
        found = _WORD_RE.match(self.text, at)
        return found.end() if found else at + 1

    def slip(
        self, message: str, help: str | None = None, *, code: str = "SW101", end: int | None = None
    ) -> Slip:
        return Slip(code, message, self.at, end or self.at + 1, help)


def _tab(error: _Error) -> Slip | None:
    line_start = error.at - len(error.line)
    indent = re.compile(r"[ \t]*").match(error.text, line_start)
    assert indent is not None
    tab = indent[0].find("\t")
    if error.text[error.at : error.at + 1] == "\t" and "any token" in error.problem:
        tab = error.at - line_start
    elif tab < 0 or error.in_flow or "quoted" in error.context:
        return None
    return Slip("SW102", "a tab cannot indent YAML", line_start + tab, line_start + tab + 1, "use spaces")


def _unquoted(error: _Error) -> Slip | None:
    """The unquoted `${...}`, `{{ }}` or `{% %}` on the line of the error, before or at it."""
    start = error.at - len(error.line)
    for match in _SLIP_RE.finditer(error.text, start):
        before = error.text[start : match.start()]
        if match.start() > error.at:
            break
        if before.count('"') % 2 or before.count("'") % 2:
            continue
        if match[0].startswith("${"):
            message = "an unquoted `${...}` cannot stand inside `{}` or `[]`" if error.in_flow else None
        else:
            begins = before.rstrip()[-1:] in ("", ":", "[", "{", ",", "-")
            message = f"an unquoted `{match[0][:2]}` is read as a YAML mapping" if begins else None
        if message is not None:
            return Slip("SW108", message, match.start(), match.end(), "quote it")
    return None


def _quote(error: _Error) -> Slip:
    return Slip("SW101", "the quote is never closed", error.began, error.began + 1)


def _in_flow(error: _Error) -> Slip:
    """In `[]` or `{}`, something else than what goes on with it, or closes it."""
    opening = _opened(error)
    if opening is None:
        return error.slip(f"expected a value, found {error.found}")
    bracket = error.text[opening]
    if error.is_at_end:
        return Slip("SW101", f"`{bracket}` is never closed", opening, opening + 1)
    closing = {"[": "]", "{": "}"}[bracket]
    wanted = "a value" if "node" in error.context else f"`,` or `{closing}`"
    because = (f"this `{bracket}` is open", opening, opening + 1)
    return Slip("SW101", f"expected {wanted}, found {error.found}", error.at, error.at + 1, None, because)


def _opened(error: _Error) -> int | None:
    """The innermost bracket that is open where the error is."""
    opened: list[int] = []
    try:
        for token in yaml.scan(error.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if token.start_mark.index >= error.at:
                break
            if isinstance(token, (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)):
                opened.append(token.start_mark.index)
            elif isinstance(token, (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)) and opened:
                opened.pop()
    except yaml.YAMLError:
        pass
    return opened[-1] if opened else None


def _colon(error: _Error) -> Slip:
    key = error.line.strip()
    if re.search(r":\s|[\"']", error.line):
        return error.slip("a second `: ` on the line", "quote the value that holds it")
    message = f"a key where the value of the line before goes on: `{key[:40]}`"
    return Slip("SW101", message, error.at - len(error.line.lstrip()), error.at, "check the indentation")


def _key(error: _Error) -> Slip:
    """In a block, something that is no further entry of it."""
    before = error.line.strip()
    if before:
        rest = error.text[error.at :].partition("\n")[0]
        is_inside = before.endswith("'") and rest.count("'") % 2 == 1
        help = "inside single quotes, a `'` is doubled: `''`" if is_inside else "quote the whole value"
        return error.slip(f"unexpected {error.found} after the value", help)
    end = error.word(error.at)
    if "'-'" in error.problem:
        because = ("the list begins here", error.began, error.began + 1)
        return Slip(
            "SW101", f"expected `- ` or less indentation, found {error.found}", error.at, end, None, because
        )
    if error.text[error.at] in "]}":
        return error.slip(f"{error.found} closes nothing")
    return error.slip("indented like nothing above it", "the keys of a mapping begin in one column", end=end)


def _no_colon(error: _Error) -> Slip:
    end = error.text.find("\n", error.began)
    end = len(error.text) if end < 0 else end
    word = error.text[error.began : end].split(" #")[0].rstrip()
    message = f"expected `:` after `{word[:40]}`"
    return Slip("SW101", message, error.began, error.began + len(word), "a key is followed by `: `")


def _undefined_alias(error: _Error) -> Slip:
    end = error.word(error.at)
    name = error.text[error.at : end].removeprefix("*")
    near = nearest(name, re.findall(r"&([\w-]+)", error.text[: error.at]))
    return error.slip(
        f"unknown alias `*{name}`", f"did you mean `*{near}`?" if near else None, code="SW107", end=end
    )


def _anchor(error: _Error) -> Slip:
    name = error.text[error.at : error.word(error.at)]
    because = ("it is first defined here", error.began, error.began + len(name))
    return Slip(
        "SW107", f"the anchor `{name}` is defined twice", error.at, error.at + len(name), None, because
    )


def _no_name(error: _Error) -> Slip:
    sign = error.text[error.began]
    what = "an alias" if sign == "*" else "an anchor"
    return Slip(
        "SW101",
        f"`{sign}` begins {what}, whose name is missing",
        error.began,
        error.at,
        "quote it if it is text",
    )


def _character(error: _Error) -> Slip:
    return error.slip(f"{error.found} cannot begin a value", "quote the value")


def _escape(error: _Error) -> Slip:
    escape = error.text[error.at : error.at + 2]
    help = "in double quotes a backslash is doubled, in single quotes it is itself"
    return error.slip(f"`{escape}` is no escape", help, end=error.at + 2)


def _second_document(error: _Error) -> Slip:
    return error.slip(
        "a file holds one document, and this begins another", code="SW109", end=error.word(error.at)
    )


def _tag(error: _Error) -> Slip:
    return error.slip(
        "pipelines have no use for YAML tags",
        "quote it if it is text",
        code="SW109",
        end=error.word(error.at),
    )


_EXPLAINED: dict[str, Callable[[_Error], Slip]] = {
    "found unexpected end of stream": _quote,
    "found another document": _second_document,
    "<document start>": _second_document,
    "found undefined alias": _undefined_alias,
    "found duplicate anchor": _anchor,
    "alphabetic or numeric": _no_name,
    "unknown escape": _escape,
    "tag URI": _tag,
    "undefined tag handle": _tag,
    "while parsing a flow": _in_flow,
    "node content": lambda error: error.slip(f"expected a value, found {error.found}"),
    "mapping values are not allowed": _colon,
    "sequence entries are not allowed": lambda error: error.slip(
        "a list in a block begins on a line of its own", "or write it in `[]`"
    ),
    "expected key": _key,
    "'-' indicator": _key,
    "expected ':'": _no_colon,
    "any token": _character,
    "comment or line break": lambda error: error.slip("a block's text begins on the next line"),
}
"""By a part of libyaml's problem or context."""
