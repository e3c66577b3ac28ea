"""The rows of a layout under way: boxes, and the cells through which lines pass the rows between their ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Tie(NamedTuple):
    """A piece of line between a cell and one in the next row, seen from the cell.

    `at` and `other_at` say where it meets the two, from their middles; the heavier it is, the straighter it should be.
    """

    other: int
    at: float
    other_at: float
    weight: float


@dataclass(slots=True)
class Grid:
    """Cells by number. `rows` holds them from left to right, `row` is the row of each.

    `passing` marks those that are no boxes, `loose` boxes that go wherever their lines lead.
    """

    rows: list[list[int]]
    row: list[int] = field(default_factory=list)
    width: list[int] = field(default_factory=list)
    height: list[int] = field(default_factory=list)
    margin: list[int] = field(default_factory=list)
    passing: list[bool] = field(default_factory=list)
    loose: list[bool] = field(default_factory=list)
    ups: list[list[Tie]] = field(default_factory=list)
    downs: list[list[Tie]] = field(default_factory=list)

    def add(
        self, row: int, width: int, height: int, margin: int, *, passing: bool = False, loose: bool = False
    ) -> int:
        """A new cell at the row's right end."""
        cell = len(self.width)
        self.rows[row].append(cell)
        self.row.append(row)
        self.width.append(width)
        self.height.append(height)
        self.margin.append(margin)
        self.passing.append(passing)
        self.loose.append(loose)
        self.ups.append([])
        self.downs.append([])
        return cell

    def tie(self, upper: int, lower: int, upper_at: float, lower_at: float, weight: float) -> None:
        """Tie two cells in neighbouring rows; the heavier one counts where they are tied already."""
        for index, known in enumerate(self.downs[upper]):
            if (known.other, known.at, known.other_at) == (lower, upper_at, lower_at):
                if weight > known.weight:
                    self.downs[upper][index] = Tie(lower, upper_at, lower_at, weight)
                    back = self.ups[lower].index(Tie(upper, lower_at, upper_at, known.weight))
                    self.ups[lower][back] = Tie(upper, lower_at, upper_at, weight)
                return
        self.downs[upper].append(Tie(lower, upper_at, lower_at, weight))
        self.ups[lower].append(Tie(upper, lower_at, upper_at, weight))

    def apart(self, left: int, right: int) -> float:
        """How far the middles of two neighbours must be from each other."""
        return (self.width[left] + self.width[right]) / 2 + self.margin[left] + self.margin[right]

    def places(self) -> list[int]:
        """Each cell's place in its row."""
        found = [0] * len(self.width)
        for row in self.rows:
            for place, cell in enumerate(row):
                found[cell] = place
        return found
