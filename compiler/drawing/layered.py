"""One level of a drawing in rows: boxes get places, lines the stations that they pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from sagewright.compiler.drawing.coordinates import centres
from sagewright.compiler.drawing.grid import Grid
from sagewright.compiler.drawing.model import Shape
from sagewright.compiler.drawing.ordering import arrange
from sagewright.compiler.drawing.ranks import acyclic, ranks
from sagewright.compiler.drawing.shapes import rim

_BOX_MARGIN, _LINE_MARGIN, _LABEL_MARGIN = 16, 7, 8
_GAP, _LABEL_GAP, _LABEL_HEIGHT = 36, 15, 18
_SPREAD = 14
"""How far from each other lines meet a box."""
_TRUNK_WEIGHT = 3.5
"""Of lines on their way past rows: more than that of other long lines, less than that of short ones."""


@dataclass(frozen=True, slots=True)
class Box:
    """Something to place. A `port` is where lines enter or leave the level: in its first row, or its last."""

    width: int
    height: int
    shape: Shape | None = None
    port: Literal["in", "out"] | None = None
    block: bool = False
    """A level of its own: lines meet it exactly where they say."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two boxes, by number; `*_at`: where it meets them, from their middles.

    Lines of one `bundle` from one box (or into one) run together as far as they can. `label` is the width of the
    label to leave room for, `weight` how much it should be straight.
    """

    source: int
    target: int
    bundle: Hashable = None
    label: int = 0
    weight: float = 1.0
    source_at: float = 0
    target_at: float = 0


class Station(NamedTuple):
    """A vertical piece of a line, the way that the line goes; curves lead from one to the next."""

    x: float
    start: float
    end: float


@dataclass(slots=True)
class Level:
    """A level laid out: each box's middle and top, each line's stations from source to target, labels' middles."""

    width: int = 0
    height: int = 0
    boxes: list[tuple[int, int]] = field(default_factory=list)
    routes: list[list[Station]] = field(default_factory=list)
    labels: list[tuple[int, float, float]] = field(default_factory=list)
    """A line that is labelled so, and the middle of the label; lines that share it are not repeated."""
    crossings: float = 0


def lay_out(boxes: Sequence[Box], lines: Sequence[Line], limit: int, *, ordered: bool = False) -> Level:
    """Place `boxes` in rows of at most about `limit` pixels, `lines` running downwards wherever they can.

    With `ordered` the ports that lines come in by keep their order.
    """
    if not boxes:
        return Level()
    return _Layout(boxes, lines, limit, ordered=ordered).level()


class _Layout:
    """`down` are the lines with their upper end first, `number` is each box's row, `chains` the cells of each line."""

    def __init__(self, boxes: Sequence[Box], lines: Sequence[Line], limit: int, *, ordered: bool) -> None:
        self.boxes, self.lines = boxes, lines
        arcs = acyclic(len(boxes), [(line.source, line.target) for line in lines])
        self.upward = [arc[0] != line.source for arc, line in zip(arcs, lines, strict=True)]
        self.down = [_flipped(line) if up else line for line, up in zip(lines, self.upward, strict=True)]
        self.rows = rows = _box_rows(boxes, arcs, limit)
        gaps = {rows[line.source] for line in self.down if line.label}
        self.number = [row + sum(gap < row for gap in gaps) for row in rows]
        count = max(rows) + 1 + len(gaps)
        self.grid = Grid([[] for _ in range(count)])
        self.labels: dict[int, int] = {}
        for box, row in zip(boxes, self.number, strict=True):
            margin = _LABEL_MARGIN if box.port else _BOX_MARGIN
            self.grid.add(row, box.width, box.height, margin, loose=box.port is not None)
        self.chains = self._chains()
        self.crossings = arrange(self.grid, keep_first=ordered)
        self.xs = centres(self.grid)
        self.tops, self.bottoms = self._heights()

    def _chains(self) -> list[list[int]]:
        """The cells that each line passes, downwards. What runs together shares them."""
        fan_out = Counter((line.source, line.source_at, line.bundle) for line in self.down)
        fan_in = Counter((line.target, line.target_at, line.bundle) for line in self.down)
        cells: dict[Hashable, int] = {}
        chains: list[list[int]] = []
        for index, line in enumerate(self.down):
            out = ("out", line.source, line.source_at, line.bundle)
            into = ("in", line.target, line.target_at, line.bundle)
            shared = out if fan_out[out[1:]] >= fan_in[into[1:]] else into
            first = self.number[line.source] + 1
            chain: list[int] = []
            for row in range(first, self.number[line.target]):
                label = line.label if row == first else 0
                key = (index, row) if label and shared is into else (*shared, row, bool(label))
                if key not in cells:
                    size = (label, _LABEL_HEIGHT, _LABEL_MARGIN) if label else (2, 0, _LINE_MARGIN)
                    cells[key] = self.grid.add(row, *size, passing=True)
                    if label:
                        self.labels[cells[key]] = index
                chain.append(cells[key])
            self._tie(line, chain)
            chains.append(chain)
        return chains

    def _tie(self, line: Line, chain: list[int]) -> None:
        path = [line.source, *chain, line.target]
        short = self.rows[line.target] - self.rows[line.source] == 1
        weight = line.weight * 2 if short else line.weight
        for index, (upper, lower) in enumerate(pairwise(path)):
            upper_at = line.source_at if index == 0 else 0
            lower_at = line.target_at if index == len(path) - 2 else 0
            trunk = not short and 0 < index < len(path) - 2 and upper not in self.labels
            self.grid.tie(upper, lower, upper_at, lower_at, _TRUNK_WEIGHT if trunk else weight)

    def _heights(self) -> tuple[list[int], list[int]]:
        """Top and bottom of each row; where lines go far to the side, they get more room below."""
        tops, bottoms = [], []
        y = 0
        labelled = {self.grid.row[cell] for cell in self.labels}
        for row, cells in enumerate(self.grid.rows):
            tops.append(y)
            y += max(self.grid.height[cell] for cell in cells)
            bottoms.append(y)
            aside = (
                abs(self.xs[cell] - self.xs[tie.other]) for cell in cells for tie in self.grid.downs[cell]
            )
            far = max(aside, default=0)
            gap = _LABEL_GAP if row in labelled or row + 1 in labelled else _GAP
            y += gap + min(60, max(0, far - 60) // 10)
        return tops, bottoms

    def level(self) -> Level:
        boxes = [self._box_place(index) for index in range(len(self.boxes))]
        ends = self._ends()
        routes: list[list[Station]] = []
        for index, (line, chain) in enumerate(zip(self.down, self.chains, strict=True)):
            upper_at, lower_at = ends[index]
            route = [
                self._end(line.source, upper_at, boxes, lower=True),
                *(self._station(cell) for cell in chain),
                self._end(line.target, lower_at, boxes, lower=False),
            ]
            if self.upward[index]:
                route = [Station(x, end, start) for x, start, end in reversed(route)]
            routes.append(route)
        width = max(round(self.xs[c] + w / 2) for c, w in enumerate(self.grid.width))
        labels = [(line, float(self.xs[cell]), self._middle(cell)) for cell, line in self.labels.items()]
        return Level(width, self.bottoms[-1], boxes, routes, labels, self.crossings)

    def _row(self, box: int) -> tuple[int, int]:
        return self.tops[self.number[box]], self.bottoms[self.number[box]]

    def _box_place(self, index: int) -> tuple[int, int]:
        """Boxes stand on one line through their middles, blocks hang from the row's top."""
        box, top = self.boxes[index], self._row(index)[0]
        if box.block:
            return self.xs[index], top
        cells = self.grid.rows[self.number[index]]
        plain = [self.boxes[c].height for c in cells if c < len(self.boxes) and not self.boxes[c].block]
        return self.xs[index], top + (max(plain) - box.height) // 2

    def _station(self, cell: int) -> Station:
        row = self.grid.row[cell]
        return Station(self.xs[cell], self.tops[row], self.bottoms[row])

    def _middle(self, cell: int) -> float:
        station = self._station(cell)
        return (station.start + station.end) / 2

    def _end(self, index: int, at: float, boxes: list[tuple[int, int]], *, lower: bool) -> Station:
        box, (x, y) = self.boxes[index], boxes[index]
        top, bottom = self._row(index)
        away = rim(box.shape, box.width, box.height, at)
        middle = y + box.height / 2
        if lower:
            return Station(x + at, middle + away, bottom)
        return Station(x + at, top, middle - away)

    def _ends(self) -> list[list[float]]:
        """Where each line meets its upper and its lower box, from their middles."""
        ends = [[line.source_at, line.target_at] for line in self.down]
        for side in (0, 1):
            sides: dict[int, dict[Hashable, list[int]]] = {}
            for index, line in enumerate(self.down):
                box = (line.source, line.target)[side]
                if not self.boxes[box].block and not self.boxes[box].port:
                    groups = sides.setdefault(box, {})
                    groups.setdefault((self._next(index, side), line.bundle), []).append(index)
            for box, groups in sides.items():
                self._spread(box, list(groups.values()), side, ends)
        return ends

    def _next(self, index: int, side: int) -> int:
        """The cell that a line goes to from its upper end (side 0), or comes from to its lower one."""
        chain, line = self.chains[index], self.down[index]
        return (chain[0] if chain else line.target) if side == 0 else (chain[-1] if chain else line.source)

    def _spread(self, box: int, groups: list[list[int]], side: int, ends: list[list[float]]) -> None:
        """Let lines meet a box side by side, those that can straight."""
        away: list[tuple[float, list[int]]] = []
        for group in groups:
            first = group[0]
            beyond = 0 if self.chains[first] else ends[first][1 - side]
            away.append((self.xs[self._next(first, side)] + beyond - self.xs[box], group))
        away.sort(key=lambda pair: pair[0])
        straight = next((i for i, (x, _) in enumerate(away) if x == 0), None)
        middle = (len(away) - 1) / 2 if straight is None else straight
        most = max(middle, len(away) - 1 - middle)
        room = self._room(box)
        step = min(_SPREAD, room / most) if most else 0
        places = [(i - middle) * step for i in range(len(away))]
        for i, (x, group) in enumerate(away):
            free = bool(self.chains[group[0]]) or side == 1 or self._fixed(group[0], side)
            low = places[i - 1] + step / 2 if i else -room
            high = places[i + 1] - step / 2 if i + 1 < len(away) else room
            if free and low <= x <= high:
                places[i] = x
            for index in group:
                ends[index][side] = round(places[i], 1)

    def _fixed(self, index: int, side: int) -> bool:
        """Whether the other end of a line cannot move."""
        box = self.boxes[(self.down[index].source, self.down[index].target)[1 - side]]
        return box.block or box.port is not None

    def _room(self, box: int) -> float:
        """How far from its middle lines may meet a box."""
        width, shape = self.boxes[box].width, self.boxes[box].shape
        return width * 0.3 if shape in ("condition", "fail", "endpoint") else width / 2 - 18


def _flipped(line: Line) -> Line:
    return Line(
        line.target, line.source, line.bundle, line.label, line.weight, line.target_at, line.source_at
    )


def _box_rows(boxes: Sequence[Box], arcs: Sequence[tuple[int, int]], limit: int) -> list[int]:
    """A row for each box: ports in the first and the last, the rest between them."""
    inner = [index for index, box in enumerate(boxes) if box.port is None]
    number = {index: place for place, index in enumerate(inner)}
    between = [(number[a], number[b]) for a, b in arcs if a in number and b in number]
    widths = [boxes[index].width + 2 * _BOX_MARGIN for index in inner]
    first = int(any(box.port == "in" for box in boxes))
    found = [row + first for row in ranks(widths, between, limit)] if inner else []
    last = max(found, default=0) + 1
    return [
        found[number[i]] if i in number else 0 if box.port == "in" else last for i, box in enumerate(boxes)
    ]
