"""Which row each box of a drawing goes to."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

Arc = tuple[int, int]


def acyclic(count: int, arcs: Sequence[Arc]) -> list[Arc]:
    """`arcs` with those turned round that close a cycle, so that the rest of the layout need not think of cycles."""
    place = {box: index for index, box in enumerate(_topological(count, arcs, [0] * count))}
    return [(a, b) if place[a] < place[b] else (b, a) for a, b in arcs]


def ranks(widths: Sequence[int], arcs: Sequence[Arc], limit: int) -> list[int]:
    """A row for each box, from 0: below all that it hangs from, and no row wider than `limit` if it can be helped.

    `arcs` must be acyclic. Boxes with the longest way below them choose first; then those that would only make
    lines shorter further down move there.
    """
    count = len(widths)
    above, below = neighbours(count, arcs)
    height = [0] * count
    order = _topological(count, arcs, height)
    for box in reversed(order):
        height[box] = max((height[b] + 1 for b in below[box]), default=0)
    order = _topological(count, arcs, height)
    rows = [0] * count
    used: dict[int, int] = {}

    def place(box: int, row: int) -> None:
        rows[box] = row
        used[row] = used.get(row, 0) + widths[box]

    def fits(box: int, row: int) -> bool:
        return used.get(row, 0) + widths[box] <= max(limit, widths[box])

    for box in order:
        row = max((rows[a] + 1 for a in above[box]), default=0)
        while not fits(box, row):
            used[row] = max(limit, used[row])  # full from now on: what comes later stands further down
            row += 1
        place(box, row)
    for box in reversed(order):
        if len(below[box]) > len(above[box]):
            used[rows[box]] -= widths[box]
            row = min(rows[b] for b in below[box]) - 1
            while row > rows[box] and not fits(box, row):
                row -= 1
            place(box, row)
    return _dense(rows)


def neighbours(count: int, arcs: Sequence[Arc]) -> tuple[list[list[int]], list[list[int]]]:
    """For each box those above it, and those below it."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for a, b in dict.fromkeys(arcs):
        above[b].append(a)
        below[a].append(b)
    return above, below


def _topological(count: int, arcs: Sequence[Arc], height: Sequence[int]) -> list[int]:
    """The boxes, each after those above it, the highest first; in a cycle the first of those left begins."""
    above, below = neighbours(count, arcs)
    missing = [len(boxes) for boxes in above]
    ready = [(-height[box], box) for box in range(count) if not missing[box]]
    order: list[int] = []
    done = [False] * count
    fresh = iter(range(count))
    while len(order) < count:
        box = heappop(ready)[1] if ready else next(box for box in fresh if not done[box])
        if done[box]:
            continue
        done[box] = True
        order.append(box)
        for other in below[box]:
            missing[other] -= 1
            if not missing[other] and not done[other]:
                heappush(ready, (-height[other], other))
    return order


def _dense(rows: list[int]) -> list[int]:
    """The same rows, without empty ones between them."""
    number = {row: index for index, row in enumerate(sorted(set(rows)))}
    return [number[row] for row in rows]
