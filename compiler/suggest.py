"""The nearest of the names that would have been right, and lists of names for messages."""

from __future__ import annotations

from collections.abc import Iterable, Set

_SEPARATORS = str.maketrans("", "", "-_ ")
_LEAST_PREFIX = 3


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` was most likely meant to be, or None where none is near.

    Case, `-`, `_` and spaces do not count, and `policies` is as good as `policy`; an edit is a letter more, less or
    other, or two neighbours swapped. At most a third of the letters may differ; failing that, `word` may be the
    beginning of exactly one choice (`env` for `environment`). Ties go to the choice spelt most alike, then to the first in the alphabet.
    """
    folded = _fold(word)
    best: tuple[int, int, str] | None = None
    beginning: set[str] = set()
    for choice in choices:
        other = _fold(choice)
        if len(folded) >= _LEAST_PREFIX and other.startswith(folded):
            beginning.add(choice)
        limit = max(len(folded), len(other)) // 3
        if best is not None:
            limit = min(limit, best[0])
        distance = _distance(folded, other, limit)
        if distance is not None:
            unlike = sum(a != b for a, b in zip(word, choice, strict=False))
            best = min(best or (distance, unlike, choice), (distance, unlike, choice))
    if best is not None:
        return best[2]
    return beginning.pop() if len(beginning) == 1 else None


def listing(names: Iterable[str], *, limit: int = 8, last: str = "and") -> str:
    """Names for a message: "`a`, `b` and `c`"; from the `limit`-th on they are counted, not named.

    They keep their order; those of a set are sorted. "none" where there are none.
    """
    ordered = sorted(names) if isinstance(names, Set) else list(names)
    shown = [f"`{name}`" for name in ordered]
    if len(shown) > limit:
        shown = [*shown[: limit - 1], f"{len(ordered) - limit + 1} more"]
    if len(shown) < 2:
        return shown[0] if shown else "none"
    return f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def known_are(names: Iterable[str], *, limit: int = 8) -> str:
    """What there is, for the end of a message: "known are `a` and `b`", "known is `a`"."""
    ordered = sorted(names) if isinstance(names, Set) else list(names)
    return f"known {'is' if len(ordered) == 1 else 'are'} {listing(ordered, limit=limit)}"


def _fold(word: str) -> str:
    folded = word.casefold().translate(_SEPARATORS)
    return f"{folded[:-3]}y" if folded.endswith("ies") and len(folded) > _LEAST_PREFIX + 1 else folded


def _distance(a: str, b: str, limit: int) -> int | None:
    """Edits from `a` to `b` (optimal string alignment), None where there are more than `limit`."""
    if abs(len(a) - len(b)) > limit:
        return None
    if a == b:
        return 0
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, right in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > limit and min(before) > limit:
            return None
    return row[-1] if row[-1] <= limit else None
