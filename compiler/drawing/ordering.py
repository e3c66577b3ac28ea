"""The order of the cells in each row, so that few lines cross: barycentres up and down, then swaps of neighbours."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from random import Random

from sagewright.compiler.drawing.grid import Grid, Tie

_SWEEPS = 24
_PATIENCE = 5
_DEAREST = 4.0
"""What crossing a line costs at most."""
_TRIES = 12
_SMALL, _MIDDLING = 400, 1500
"""Cells up to which several beginnings are tried, and neighbours are swapped: large drawings would wait too long."""


def arrange(grid: Grid, *, keep_first: bool = False) -> float:
    """Reorder `grid.rows` in place, with `keep_first` all but the first, and return what `crossings` says then.

    Of several orders to begin with, the first one of those that end best counts, so that where nothing tells, the
    order of the cells' numbers stays.
    """
    best, rows = -1.0, grid.rows[:]
    for begin in _beginnings(grid, keep_first=keep_first):
        grid.rows[:] = begin
        found = _improve(grid, keep_first=keep_first, swap=len(grid.width) <= _MIDDLING)
        if best < 0 or found < best:
            best, rows = found, [list(row) for row in grid.rows]
        if not best:
            break
    grid.rows[:] = rows
    return best


def _beginnings(grid: Grid, *, keep_first: bool) -> Iterator[list[list[int]]]:
    """Orders to begin with: the fewer cells, the more."""
    numbered = [list(row) for row in grid.rows]
    size = len(grid.width)
    yield _unfolded(grid)
    if size <= _SMALL:
        yield _unfolded(grid, backwards=True)
    chance = Random(
        0
    )  # the same each time, and in every Python: `random` is promised to be, `shuffle` is not
    for _ in range(_TRIES * (_SMALL - size) // _SMALL):
        yield [
            list(row) if keep_first and not index else sorted(row, key=lambda _: chance.random())
            for index, row in enumerate(numbered)
        ]


def _improve(grid: Grid, *, keep_first: bool, swap: bool) -> float:
    best, rows = crossings(grid), [list(row) for row in grid.rows]
    idle = 0
    for sweep in range(_SWEEPS):
        if not best or idle == _PATIENCE:
            break
        moving = grid.rows[keep_first:]
        _sweep(grid, moving, down=sweep % 2 == 0)
        if swap:
            _swap(grid, moving)
        found = crossings(grid)
        idle = 0 if found < best else idle + 1
        if found < best:
            best, rows = found, [list(row) for row in grid.rows]
    grid.rows[:] = rows
    return best


def crossings(grid: Grid) -> float:
    """How much lines cross: for each pair that does the product of their weights."""
    place = grid.places()
    total = 0.0
    for row in grid.rows:
        ties: list[tuple[float, float, float]] = []
        for cell in row:
            for tie in grid.downs[cell]:
                start = place[cell] + tie.at / (grid.width[cell] + 1)
                ties.append((start, _met(grid, place, tie), _cost(tie)))
        ties.sort()
        ends: list[float] = []
        costs: list[float] = []
        for _, end, cost in ties:
            right = bisect_right(ends, end)
            total += cost * sum(costs[right:])
            ends.insert(right, end)
            costs.insert(right, cost)
    return total


def _cost(tie: Tie) -> float:
    return min(tie.weight, _DEAREST)


def _unfolded(grid: Grid, *, backwards: bool = False) -> list[list[int]]:
    """Rows to begin with: depth first from the top, so that trees cross nothing."""
    rows: list[list[int]] = [[] for _ in grid.rows]
    seen = [False] * len(grid.width)
    for first in [cell for row in grid.rows for cell in row]:
        waiting = [first]
        while waiting:
            cell = waiting.pop()
            if not seen[cell]:
                seen[cell] = True
                rows[grid.row[cell]].append(cell)
                below = [tie.other for tie in grid.downs[cell]]
                waiting += below if backwards else below[::-1]
    return rows


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
    return round(sum(_met(grid, place, tie) for tie in ties) / len(ties), 6)


def _met(grid: Grid, place: list[int], tie: Tie) -> float:
    """Where in its row a tie meets the other cell."""
    return place[tie.other] + tie.other_at / (grid.width[tie.other] + 1)


def _swap(grid: Grid, rows: list[list[int]]) -> None:
    """Swap neighbours as long as fewer lines cross for it."""
    place = grid.places()
    improved, rounds = True, 0
    while improved and rounds < 4:
        improved, rounds = False, rounds + 1
        for row in rows:
            for index in range(len(row) - 1):
                left, right = row[index], row[index + 1]
                gain = 0.0
                for ties_of in (grid.ups, grid.downs):
                    a = [(_met(grid, place, tie), _cost(tie)) for tie in ties_of[left]]
                    b = [(_met(grid, place, tie), _cost(tie)) for tie in ties_of[right]]
                    gain += sum(((x > y) - (x < y)) * c * d for x, c in a for y, d in b)
                if gain > 0:
                    row[index], row[index + 1] = right, left
                    place[left], place[right] = index + 1, index
                    improved = True
