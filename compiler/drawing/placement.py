"""A whole drawing laid out: each branch is a level of its own, and a box in the level around it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from sagewright.compiler.drawing.layered import Box, Level, Line, Station, lay_out
from sagewright.compiler.drawing.model import Drawing, Group, Link
from sagewright.compiler.drawing.shapes import CAPTION, node_size, shortened, text_width

PADDING = 18
_PORT = 2
_WEIGHTS = {"data": 2.0, "branch": 2.0, "order": 1.5, "run condition": 0.5}
_NARROWEST = 1500
_ASPECT = 1.6
"""Wide against high, at which a level's rows are broken."""

_Side = Literal["in", "out"]
PortKey = tuple[_Side, str, str, str]
_Piece = tuple[tuple[int, int], list[Station]]
"""A piece of a link, and what to sort the pieces of it by."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle, by its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(slots=True)
class Picture:
    """Where everything stands, in pixels."""

    width: int
    height: int
    nodes: dict[str, Area] = field(default_factory=dict)
    groups: list[tuple[Group, Area]] = field(default_factory=list)
    routes: list[tuple[Link, list[Station]]] = field(default_factory=list)
    labels: list[tuple[Link, float, float]] = field(default_factory=list)
    gates: list[tuple[Group, float, float]] = field(default_factory=list)
    """Where the way into a branch crosses its border."""


def label_width(text: str) -> int:
    """The width of a label on a line, in pixels."""
    return text_width(shortened(text), CAPTION) + 12


def placed(drawing: Drawing) -> Picture:
    """Lay out `drawing`."""
    paths = drawing.paths()
    home = {node.id: paths[node.group] for node in drawing.nodes}
    area = sum((w + 40) * (h + 50) for w, h in map(node_size, drawing.nodes))
    limit = max(_NARROWEST, round(math.sqrt(area * _ASPECT)))
    links = list(enumerate(drawing.links()))
    root = _root(_Scene(drawing, home, limit, {}), links)
    picture = Picture(root.level.width, root.level.height)
    pieces: dict[int, list[_Piece]] = {}
    root.collect(0, 0, picture, pieces)
    for number, link in links:
        ordered = sorted(pieces[number], key=lambda piece: piece[0])
        picture.routes.append((link, [station for _, stations in ordered for station in stations]))
    return picture


def _root(scene: _Scene, links: list[tuple[int, Link]]) -> _Frame:
    """The outermost level. Where lines cross at branches it is made again, with other places for them to enter by.

    First as if lines could meet a branch anywhere; where they come from then, and where they come from after that,
    tells the order of the branches' ports.
    """
    best = _Frame(None, 0, scene, links)
    if best.blocks and best.crossings:
        last = _Frame(None, 0, replace(scene, anywhere=True), links)
        for _ in range(2):
            hints: dict[tuple[str, PortKey], float] = {}
            last.hint(hints)
            last = _Frame(None, 0, replace(scene, hints=hints), links)
            if last.crossings < best.crossings:
                best = last
    return best


@dataclass(frozen=True, slots=True)
class _Scene:
    """What all levels share. `home`: the groups around each node; `hints`: how far to the right a port should be.

    With `anywhere` lines to a branch are taken to its middle, whatever port they will enter it by.
    """

    drawing: Drawing
    home: dict[str, tuple[str, ...]]
    limit: int
    hints: dict[tuple[str, PortKey], float]
    anywhere: bool = False


class _Frame:
    """A level: the nodes of one group (or of none), its branches as boxes, and the pieces of links in it."""

    def __init__(self, group: Group | None, depth: int, scene: _Scene, links: list[tuple[int, Link]]) -> None:
        self.group, self.depth, self.home, self.anywhere = group, depth, scene.home, scene.anywhere
        self.links = {n: link for n, link in links if self._holds(link.source) or self._holds(link.target)}
        self.nodes = [node for node in scene.drawing.nodes if node.group == (group.id if group else None)]
        self.index = {node.id: number for number, node in enumerate(self.nodes)}
        occupied = {name for path in scene.home.values() for name in path}
        self.blocks = [
            _Frame(inner, depth + 1, scene, list(self.links.items()))
            for inner in scene.drawing.groups
            if inner.owner in self.index and inner.id in occupied
        ]
        self.boxes = [Box(*node_size(node), node.shape) for node in self.nodes]
        self.boxes += [Box(*block.size, block=True) for block in self.blocks]
        self.ports: dict[PortKey, int] = {}
        ordered = self._ports_in_order(scene.hints)
        self.lines: dict[Line, int] = {}
        found = {number: self._line(link) for number, link in self.links.items()}
        self.line_of = {n: self.lines.setdefault(line, len(self.lines)) for n, line in found.items() if line}
        self.level: Level = lay_out(self.boxes, list(self.lines), scene.limit, ordered=ordered)

    @property
    def crossings(self) -> float:
        return self.level.crossings + sum(block.crossings for block in self.blocks)

    @property
    def size(self) -> tuple[int, int]:
        """Of the box around it."""
        width = math.ceil(self.level.width / 2) * 2
        bottom = 0 if any(key[0] == "out" for key in self.ports) else PADDING
        return width + 2 * PADDING, self.level.height + bottom

    def _holds(self, node: str) -> bool:
        return self.group is None or self.group.id in self.home[node]

    def _line(self, link: Link) -> Line | None:
        """The piece of a link that runs in this level; None where it is wholly inside a branch."""
        source, source_at = self._end(link.source, "out", link)
        target, target_at = self._end(link.target, "in", link)
        if source == target:
            return None
        label = link.label if link.reason != "branch" and link.source in self.index else ""
        return Line(
            source,
            target,
            (link.reason, link.label, link.group),
            label_width(label) if label else 0,
            _WEIGHTS[link.reason],
            source_at,
            target_at,
        )

    def _end(self, node: str, side: _Side, link: Link) -> tuple[int, float]:
        """The box that a link ends at in this level, and where on it: a node, a branch around it, or a port."""
        if node in self.index:
            return self.index[node], 0
        if not self._holds(node):
            return self._port("in" if side == "out" else "out", link), 0
        number = next(n for n, block in enumerate(self.blocks) if block._holds(node))
        block = self.blocks[number]
        port = block.ports.get(_port_key(side, link))
        at = 0 if port is None or self.anywhere else PADDING + block.level.boxes[port][0] - block.size[0] / 2
        return len(self.nodes) + number, at

    def _ports_in_order(self, hints: dict[tuple[str, PortKey], float]) -> bool:
        """Make the ports that lines come in by, from left to right, if that is known."""
        if self.group is None:
            return False
        name = self.group.id
        known: dict[PortKey, tuple[float, Link]] = {}
        for link in self.links.values():
            key = _port_key("in", link)
            if not self._holds(link.source) and (name, key) in hints:
                known.setdefault(key, (hints[name, key], link))
        for _, link in sorted(known.values(), key=lambda pair: pair[0]):
            self._port("in", link)
        return bool(known)

    def hint(self, hints: dict[tuple[str, PortKey], float]) -> None:
        """Tell from where lines come to the branches of this level, and of those in it."""
        for block in self.blocks:
            assert block.group is not None
            for number, link in block.links.items():
                if number in self.line_of and not block._holds(link.source):
                    before = self.level.routes[self.line_of[number]][-2]
                    hints.setdefault((block.group.id, _port_key("in", link)), before.x)
            block.hint(hints)

    def _port(self, side: _Side, link: Link) -> int:
        key = _port_key(side, link)
        if key not in self.ports:
            self.ports[key] = len(self.boxes)
            width = label_width(link.label) if link.reason == "branch" else _PORT
            self.boxes.append(Box(width, 0, port=side))
        return self.ports[key]

    def collect(self, x: float, y: float, picture: Picture, pieces: dict[int, list[_Piece]]) -> None:
        """Write down where everything is, this level's upper left corner being at `x`, `y`."""
        places = self.level.boxes
        for node, (middle, top) in zip(self.nodes, places, strict=False):
            width, height = node_size(node)
            picture.nodes[node.id] = Area(x + middle - width / 2, y + top, width, height)
        for number, line in self.line_of.items():
            link = self.links[number]
            order = (1, self.depth) if self._holds(link.target) else (0, -self.depth)
            route = [Station(x + s.x, y + s.start, y + s.end) for s in self.level.routes[line]]
            pieces.setdefault(number, []).append((order, route))
        first_of = {line: self.links[number] for number, line in reversed(self.line_of.items())}
        picture.labels += [(first_of[line], x + lx, y + ly) for line, lx, ly in self.level.labels]
        for key, port in self.ports.items():
            if key[0] == "in" and key[1] == "branch" and self.group and key[3] == self.group.id:
                picture.gates.append((self.group, x + places[port][0], y))
        for block, (middle, top) in zip(self.blocks, places[len(self.nodes) :], strict=False):
            width, height = block.size
            left = x + middle - width / 2
            if block.group is not None:
                picture.groups.append((block.group, Area(left, y + top, width, height)))
            block.collect(left + PADDING, y + top, picture, pieces)


def _port_key(side: _Side, link: Link) -> PortKey:
    """Links share a port that come from one node, or go to one, and look the same."""
    return (side, link.reason, link.source if side == "in" else link.target, link.group or link.label)
