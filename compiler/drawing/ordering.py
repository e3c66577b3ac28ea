"""The order of the cells in each row, so that few lines cross: barycentres up and down, then swaps of neighbours."""

from __future__ import annotations

from bisect import bisect_right, insort

from sagewright.compiler.drawing.grid import Grid, Tie

_SWEEPS = 24
_PATIENCE = 5
_SWAP_LIMIT = 1500
"""Cells up to which neighbours are swapped too: it takes the longest, and helps large drawings little."""


def arrange(grid: Grid, *, keep_first: bool = False) -> None:
    """Reorder `grid.rows` in place, with `keep_first` all but the first.

    Where nothing tells, the order of the cells' numbers stays.
    """
    _unfold(grid)
    best, rows = crossings(grid), [list(row) for row in grid.rows]
    idle = 0
    for sweep in range(_SWEEPS):
        if not best or idle == _PATIENCE:
            break
        moving = grid.rows[keep_first:]
        _sweep(grid, moving, down=sweep % 2 == 0)
        if len(grid.width) <= _SWAP_LIMIT:
            _swap(grid, moving)
        found = crossings(grid)
        idle = 0 if found < best else idle + 1
        if found < best:
            best, rows = found, [list(row) for row in grid.rows]
    grid.rows[:] = rows


def crossings(grid: Grid) -> int:
    """How many pairs of lines cross."""
    place = grid.places()
    total = 0
    for row in grid.rows:
        ends: list[tuple[float, float]] = []
        for cell in row:
            for tie in grid.downs[cell]:
                start = place[cell] + tie.at / (grid.width[cell] + 1)
                ends.append((start, place[tie.other] + tie.other_at / (grid.width[tie.other] + 1)))
        ends.sort()
        seen: list[float] = []
        for _, end in ends:
            total += len(seen) - bisect_right(seen, end)
            insort(seen, end)
    return total


def _unfold(grid: Grid) -> None:
    """The first order: depth first from the top, so that trees cross nothing."""
    row_of = {cell: index for index, row in enumerate(grid.rows) for cell in row}
    rows: list[list[int]] = [[] for _ in grid.rows]
    seen = [False] * len(grid.width)
    for first in [cell for row in grid.rows for cell in row]:
        waiting = [first]
        while waiting:
            cell = waiting.pop()
            if not seen[cell]:
                seen[cell] = True
                rows[row_of[cell]].append(cell)
                waiting += [tie.other for tie in reversed(grid.downs[cell])]
    grid.rows[:] = rows


def _sweep(grid: Grid, rows: list[list[int]], *, down: bool) -> None:
    place = grid.places()
    ties_of = grid.ups if down else grid.downs
    for row in rows if down else reversed(rows):
        centre = {cell: _centre(grid, ties_of[cell], place) for cell in row if ties_of[cell]}
        moving = iter(sorted(centre, key=centre.__getitem__))
        row[:] = [next(moving) if cell in centre else cell for cell in row]
        for index, cell in enumerate(row):
            place[cell] = index


def _centre(grid: Grid, ties: list[Tie], place: list[int]) -> float:
    total = sum(place[tie.other] + tie.other_at / (grid.width[tie.other] + 1) for tie in ties)
    return round(total / len(ties), 6)


def _swap(grid: Grid, rows: list[list[int]]) -> None:
    """Swap neighbours as long as fewer lines cross for it."""
    place = grid.places()
    improved, rounds = True, 0
    while improved and rounds < 4:
        improved, rounds = False, rounds + 1
        for row in rows:
            for index in range(len(row) - 1):
                left, right = row[index], row[index + 1]
                gain = 0
                for ties_of in (grid.ups, grid.downs):
                    a = [place[tie.other] for tie in ties_of[left]]
                    b = [place[tie.other] for tie in ties_of[right]]
                    gain += sum((x > y) - (x < y) for x in a for y in b)
                if gain > 0:
                    row[index], row[index + 1] = right, left
                    place[left], place[right] = index + 1, index
                    improved = True
