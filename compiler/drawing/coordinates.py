"""Where each cell of a row stands: Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment" (2001).

Each cell is aligned with the middle one of its neighbours above (or below), as far as no two such lines cross; cells
aligned form a block, and blocks are pushed together. That is done from all four corners, and the four results are
averaged. Lines that pass rows come out straight. Added to the paper: lines that meet boxes off their middles, and
weights, the heaviest neighbours alone being candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sagewright.compiler.drawing.grid import Grid, Tie

_SETTLINGS = 3


def centres(grid: Grid) -> list[int]:
    """The x of each cell's middle. Neighbours keep the distance that `grid.apart` asks for."""
    if not grid.width:
        return []
    place = grid.places()
    barred = _barred(grid, place)
    found: list[list[float]] = []
    for down in (True, False):
        for right in (False, True):
            xs = _aligned(grid, place, barred, down=down, right=right)
            found.append([-x for x in xs] if right else xs)
    extents = [_extent(grid, xs) for xs in found]
    narrowest = min(range(4), key=lambda i: extents[i][1] - extents[i][0])
    for index, xs in enumerate(found):
        side = index % 2
        shift = extents[narrowest][side] - extents[index][side]
        found[index] = [x + shift for x in xs]
    middle = [sum(sorted(column)[1:3]) / 2 for column in zip(*found, strict=True)]
    for _ in range(_SETTLINGS):
        _settle(grid, place, middle)
    left = min(x - grid.width[cell] / 2 for cell, x in enumerate(middle))
    return [round(x - left) for x in middle]


def _settle(grid: Grid, place: list[int], xs: list[float]) -> None:
    """Move what stands in line, as a whole, nearer to where all its ties lead, as far as there is room."""
    for block in _straight(grid, xs):
        inside = set(block)
        above = [
            xs[t.other] + t.other_at - xs[c] - t.at
            for c in block
            for t in grid.ups[c]
            if t.other not in inside
        ]
        below = [
            xs[t.other] + t.other_at - xs[c] - t.at
            for c in block
            for t in grid.downs[c]
            if t.other not in inside
        ]
        if not below or not (above or grid.loose[block[0]]):
            continue
        low, high = min(above + below), max(above + below)
        shift = low if low > 0 else high if high < 0 else 0.0
        for cell in block if shift else ():
            row, at = grid.rows[grid.row[cell]], place[cell]
            if shift < 0 and at:
                shift = max(shift, xs[row[at - 1]] + grid.apart(row[at - 1], cell) - xs[cell])
            elif shift > 0 and at + 1 < len(row):
                shift = min(shift, xs[row[at + 1]] - grid.apart(cell, row[at + 1]) - xs[cell])
        for cell in block:
            xs[cell] += shift


def _straight(grid: Grid, xs: list[float]) -> list[list[int]]:
    """The cells in groups that straight lines hold together."""
    found: list[list[int]] = []
    seen = [False] * len(xs)
    for first in range(len(xs)):
        block: list[int] = []
        waiting = [first]
        while waiting:
            cell = waiting.pop()
            if not seen[cell]:
                seen[cell] = True
                block.append(cell)
                for tie in (*grid.ups[cell], *grid.downs[cell]):
                    if xs[tie.other] + tie.other_at == xs[cell] + tie.at:
                        waiting.append(tie.other)
        if block:
            found.append(block)
    return found


def _extent(grid: Grid, xs: Sequence[float]) -> tuple[float, float]:
    return (
        min(x - grid.width[cell] / 2 for cell, x in enumerate(xs)),
        max(x + grid.width[cell] / 2 for cell, x in enumerate(xs)),
    )


def _barred(grid: Grid, place: list[int]) -> set[tuple[int, int]]:
    """The ties that cross one between two passing cells: those lines go first in being straight."""
    barred: set[tuple[int, int]] = set()
    for row in grid.rows:
        inner = [
            (place[tie.other], place[cell])
            for cell in row
            if grid.passing[cell]
            for tie in grid.ups[cell]
            if grid.passing[tie.other]
        ]
        if not inner:
            continue
        for cell in row:
            for tie in grid.ups[cell]:
                straight = grid.passing[cell] and grid.passing[tie.other]
                upper = place[tie.other]
                if not straight and any((u - upper) * (low - place[cell]) < 0 for u, low in inner):
                    barred |= {(tie.other, cell), (cell, tie.other)}
    return barred


def _aligned(
    grid: Grid, place: list[int], barred: set[tuple[int, int]], *, down: bool, right: bool
) -> list[float]:
    """One of the four layouts; with `right` it is mirrored, and so are its coordinates."""
    sign = -1 if right else 1
    rows = [row[::-1] if right else row for row in grid.rows]
    root, shift = list(range(len(place))), [0.0] * len(place)
    taken = [False] * len(place)
    toward, back = (grid.ups, grid.downs) if down else (grid.downs, grid.ups)
    heaviest = [max((tie.weight for tie in ties), default=0) for ties in back]
    for row in rows if down else reversed(rows):
        last = -1
        for cell in row:
            for tie in _middle(toward[cell], place, sign):
                if tie.weight < heaviest[tie.other]:
                    continue
                where = place[tie.other] if not right else -place[tie.other] + len(place)
                if root[cell] != cell or taken[tie.other] or where <= last or (cell, tie.other) in barred:
                    continue
                root[cell], taken[tie.other], last = root[tie.other], True, where
                shift[cell] = shift[tie.other] + sign * (tie.other_at - tie.at)
    return _compacted(grid, rows, root, shift)


def _middle(ties: list[Tie], place: list[int], sign: int) -> list[Tie]:
    """The middle one of the heaviest ties, or both."""
    heaviest = max((tie.weight for tie in ties), default=0)
    ordered = sorted(
        (t for t in ties if t.weight == heaviest), key=lambda t: sign * (place[t.other] + t.other_at / 1e6)
    )
    if not ordered:
        return []
    half = (len(ordered) - 1) / 2
    return ordered[int(half) : int(half + 0.5) + 1]


def _compacted(grid: Grid, rows: list[list[int]], root: list[int], shift: list[float]) -> list[float]:
    """Push the blocks together: leftmost first, then each as far right as its right neighbours allow."""
    count = len(root)
    before: list[dict[int, float]] = [{} for _ in range(count)]
    after: list[dict[int, float]] = [{} for _ in range(count)]
    for row in rows:
        for left, right in pairwise(row):
            a, b = root[left], root[right]
            gap = grid.apart(left, right) + shift[left] - shift[right]
            before[b][a] = after[a][b] = max(gap, before[b].get(a, gap))
    order = _block_order(before, after, [cell for cell in range(count) if root[cell] == cell])
    xs = [0.0] * count
    for block in order:
        xs[block] = max((xs[a] + gap for a, gap in before[block].items()), default=0.0)
    for block in reversed(order):
        if after[block]:
            xs[block] = max(xs[block], min(xs[b] - gap for b, gap in after[block].items()))
    return [xs[root[cell]] + shift[cell] for cell in range(count)]


def _block_order(
    before: list[dict[int, float]], after: list[dict[int, float]], blocks: list[int]
) -> list[int]:
    missing = {block: len(before[block]) for block in blocks}
    order = [block for block in blocks if not missing[block]]
    for block in order:
        for other in after[block]:
            missing[other] -= 1
            if not missing[other]:
                order.append(other)
    return order
