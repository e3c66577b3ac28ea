"""Paths, and the `${...}` in strings: text → `Reference` and `Template`.

    string = { text | "$${" | "${" path "}" }
    path   = name { "." name | "[" index "]" | "['" text "']" | '["' text '"]' }

White space may stand inside the braces, not inside a path. `$${` is a literal `${`, read from left to right.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sagewright.compiler.expression import ExpressionError, Reference, Template

_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_MEMBER = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
_INDEX = r"0|[1-9][0-9]{0,8}"
PATH = rf"""{_NAME}(?:\.{_MEMBER}|\[(?:{_INDEX}|'[^']+'|"[^"]+")\])*"""
"""The pattern of a path. Names begin with a letter; after a dot with a digit too, as steps' names may."""

_PATH_RE = re.compile(PATH)
_SEGMENT_RE = re.compile(rf"""\.?({_MEMBER})|\[(?:({_INDEX})|'([^']+)'|"([^"]+)")\]""")
_WRONG_NAME_RE = re.compile(r"""[^\s.\[\]{}()<>=!&|,'"]*""")
_BRACKET_RE = re.compile(r"""\[([^\]'"]*)""")

_OPENING_RE = re.compile(r"\$?\$\{")
PLACEHOLDER_RE = re.compile(rf"\$\{{\s*({PATH})\s*\}}")
_SHELL_RE = re.compile(r"\$\{[A-Z_][A-Z0-9_]*(?:[:=?+#%/^,@][^}]*)?\}")
"""`${NAME}`, `${NAME:-default}` and the like."""


@lru_cache(maxsize=4096)  # steps, and the pipelines of a project, use the same references
def parse_text(text: str) -> str | Template:
    """A string of the YAML with its `${...}` found and its `$${` unescaped; a plain string where it has no reference.

    Raises `ExpressionError` at the first mistake (SW121, SW122, SW123), with offsets into `text`.
    """
    if "${" not in text:
        return text
    parts: list[str | Reference] = []
    literal, position = "", 0
    while opening := _OPENING_RE.search(text, position):
        start, end = opening.span()
        literal += text[position:start]
        if end - start == len("$${"):
            literal, position = literal + "${", end
            continue
        reference, position = _placeholder(text, start)
        parts += [literal, reference] if literal else [reference]
        literal = ""
    literal += text[position:]
    if not parts:
        return literal
    return Template((*parts, literal) if literal else tuple(parts))


def reference_at(text: str, start: int, end: int) -> Reference:
    """The reference in `text[start:end]`, which `PATH` must match."""
    path = text[start:end]
    if "[" not in path:
        names = tuple(path.split("."))
        starts = [start]
        for name in names[:-1]:
            starts.append(starts[-1] + len(name) + 1)
        return Reference(names, path, start, end, tuple(starts))
    found = [(match, match.lastindex or 1) for match in _SEGMENT_RE.finditer(text, start, end)]
    segments = tuple(int(match[group]) if group == 2 else match[group] for match, group in found)
    return Reference(segments, path, start, end, tuple(match.start(group) for match, group in found))


def _placeholder(text: str, start: int) -> tuple[Reference, int]:
    """The reference of the `${` at `start`, and where its `}` ends."""
    found = PLACEHOLDER_RE.match(text, start)
    if found is None or _SHELL_RE.match(text, start):
        raise _placeholder_error(text, start)
    return reference_at(text, *found.span(1)), found.end()


# -- mistakes ---------------------------------------------------------------------------------------------------------


def syntax_error(message: str, start: int, end: int, help: str | None = None) -> ExpressionError:
    return ExpressionError("SW121", message, start, end, help)


def foreign_error(text: str, start: int, spelling: str) -> ExpressionError:
    """`${{ x }}` stands at `start`; `spelling` is ours, with `{}` for the `x`."""
    closing = text.find("}}", start)
    inner, end = (text[start + 3 : closing].strip(), closing + 2) if closing > 0 else ("", start + 3)
    help = f"write `{spelling.format(shown(inner or 'x'))}`"
    return ExpressionError("SW122", "`${{ }}` is another tool's spelling", start, end, help)


def path_error(text: str, start: int, at: int) -> ExpressionError:
    """From `start` to `at` the text is a path; what stands right after it neither continues nor ends it."""
    if text[at] == "[":
        return _bracket_error(text, at)
    if text[at] != "." and text[at - 1] == "]":
        return syntax_error(f"expected `.` or `[` after `]`, found {found_at(text, at)}", at, at + 1)
    name = at + 1 if text[at] == "." else reference_at(text, start, at).starts[-1]
    run = _WRONG_NAME_RE.match(text, name)
    if not run or not run[0]:
        return syntax_error("a name is missing after `.`", at, at + 1)
    wrong = shown(run[0])
    arithmetic = "there is no arithmetic; " if text[at] in "+*/%" else ""
    help = f"{arithmetic}a name of more than letters, digits, `_` and `-` is quoted: `['{wrong}']`"
    return syntax_error(f"`{wrong}` is no name", name, run.end(), help)


def found_at(text: str, at: int) -> str:
    """The character at `at`, for messages."""
    if at >= len(text):
        return "the end"
    return f"`{text[at]}`" if text[at].isprintable() else f"U+{ord(text[at]):04X}"


def shown(text: str) -> str:
    """`text` for messages: printable, and not too long."""
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:60])
    return printable if len(text) <= 60 else f"{printable[:57]}..."


def skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _placeholder_error(text: str, start: int) -> ExpressionError:
    if text.startswith("${{", start):
        return foreign_error(text, start, "${{{}}}")
    if shell := _SHELL_RE.match(text, start):
        variable = shown(shell[0])
        message, help = f"`{variable}` looks like the shell's", f"`${variable}` is a literal"
        return ExpressionError("SW123", message, start, shell.end(), help)
    at = skip_space(text, start + 2)
    if text.find("}", at) < 0:
        help = "write `}` after the reference, or `$${` for a literal `${`"
        return syntax_error("`${` is never closed", start, len(text), help)
    if text[at] == "}":
        return syntax_error("`${}` is empty", start, at + 1, "`$${}` is a literal")
    path = _PATH_RE.match(text, at)
    if path is None:
        help = "such as `${parameters.Name}`"
        return syntax_error(f"expected a reference, found {found_at(text, at)}", at, at + 1, help)
    after = skip_space(text, path.end())
    if after == path.end() and text[after] not in "=!<>&|()],":
        return path_error(text, at, after)
    message = f"expected `}}` after `{shown(path[0])}`, found {found_at(text, after)}"
    help = "`${}` holds one reference: it has no operators, functions or defaults"
    return syntax_error(message, after, after + 1, help)


def _bracket_error(text: str, at: int) -> ExpressionError:
    bracket = _BRACKET_RE.match(text, at)
    end = bracket.end() if bracket else at + 1
    content = shown(text[at + 1 : end].strip())
    if end == len(text):
        return syntax_error("`[` is never closed", at, end)
    if text[end] != "]":
        closing = text.find(text[end], end + 1)
        if closing < 0:
            return syntax_error("the quote is never closed", end, len(text))
        help = "a name is not empty, and holds no quote of the kind that it stands in"
        return syntax_error("expected `['name']`", at, closing + 1, help)
    if not content:
        return syntax_error("`[]` is empty", at, end + 1, "write an index, `[0]`, or a name, `['name']`")
    numeric = content.lstrip("+-").isdigit()
    help = "indexes count from 0" if numeric else f"a name in brackets is quoted: `['{content}']`"
    return syntax_error(f"`{content}` is no index", at + 1, end, help)
