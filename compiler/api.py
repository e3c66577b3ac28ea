"""The snapshot of AWS's API in `schemas/api/` (see `tools/generate_api.py`), and its patterns in Python's dialect."""

from __future__ import annotations

import json
import re
import unicodedata
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

from sagewright import schemas


def snapshot(name: str) -> dict[str, Any]:
    """A file of the snapshot: `sagemaker-requests`."""
    return json.loads(zlib.decompress(schemas.read(f"api/{name}.json.gz"), wbits=31))


# AWS's patterns are Java's. Letters beyond ASCII are folded to one stand-in for each of Unicode's major categories (a
# code point that never is a character) before a pattern with `\p{..}` sees them: ranges would take milliseconds.
_STAND_INS = {"L": "\ufdd0", "M": "\ufdd1", "N": "\ufdd2", "P": "\ufdd3", "S": "\ufdd4", "Z": "\ufdd5"}
_IN_ASCII = {"L": "A-Za-z", "M": "", "N": "0-9", "P": r"!-#%-*,-/:;?@\[-\]_{}", "S": r"$+<->\^`|~", "Z": " "}
_DIALECT = (
    (r"\p{Alnum}", "A-Za-z0-9"),
    *((rf"\p{{{name}}}", _IN_ASCII[name] + stand_in) for name, stand_in in _STAND_INS.items()),
    # A range of surrogate pairs is how Java 1.4 wrote the planes beyond the first.
    (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff"),
    # Repetitions of nearly the same take quadratic and cubic time to fail; these match the same texts, and do not.
    (
        r".*[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDBFF-\uDC00\uDFFF\r\n\t]*.*",
        ".*+[\t\n\r -\ufffd\U00010000-\U0010ffff]*+.*",
    ),
    (r".*\S.*", r"[^\S\n]*\S.*"),
    # The dot of a domain, not escaped: with it, matching takes exponential time.
    (r"amazonaws(.[0-9A-Za-z]{2,4})+", r"amazonaws(\.[0-9A-Za-z]{2,4})+"),
)


@cache
def matcher(pattern: str) -> Callable[[str], object]:
    """A function that is true of the texts that `pattern` matches as a whole. Raises `re.error`."""
    translated = pattern
    for java, python in _DIALECT:
        translated = translated.replace(java, python)
    translated = re.sub(r"\$\{[0-9,]+\}$", "", translated)  # an end of the text, repeated
    compiled = re.compile(translated, re.ASCII)  # Java's \d, \w and \s are ASCII's
    if r"\p{" not in pattern:
        return compiled.fullmatch
    return lambda text: compiled.fullmatch(text if text.isascii() else _folded(text))


def _folded(text: str) -> str:
    return "".join(c if c.isascii() else _STAND_INS.get(unicodedata.category(c)[0], "\0") for c in text)
