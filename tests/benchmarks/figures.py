"""What a benchmark gives: figures, each beside what it is compared with, and whether it meets its target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `met` is None where there is no target, or nothing was measured (`ours` says why)."""

    name: str
    ours: str
    peer: str = ""
    ratio: str = ""
    target: str = ""
    met: bool | None = None

    @property
    def mark(self) -> str:
        return {True: "met", False: "MISSED", None: ""}[self.met]


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def at_most(name: str, value: float, limit: float, unit: str) -> Figure:
    """A figure with a limit of its own; of unit `s`, `MB` or `×`."""
    shown = seconds(value) if unit == "s" else f"{value:.3g} {unit}"
    wanted = seconds(limit) if unit == "s" and limit < 1 else f"{limit:g} {unit}"
    return Figure(name, shown, ratio=f"{value / limit:.2f} of it", target=f"≤ {wanted}", met=value <= limit)


def no_slower(name: str, ours: float, peer: float, what: str, times: float) -> Figure:
    """Seconds that may be at most `times` those of a peer."""
    ratio = ours / peer
    return Figure(
        name, seconds(ours), f"{seconds(peer)}: {what}", f"{ratio:.2f} ×", f"≤ {times:g} ×", ratio <= times
    )


def faster(name: str, ours: float, peer: float, what: str, times: float | None = None) -> Figure:
    """Seconds of which a peer takes many times as much; at least `times` where that is given."""
    ratio = peer / ours
    shown = f"{ratio:,.0f} × faster" if ratio >= 10 else f"{ratio:.1f} × faster"
    target = f"≥ {times:g} × faster" if times else ""
    met = ratio >= times if times else None
    return Figure(name, seconds(ours), f"{seconds(peer)}: {what}", shown, target, met)


def skipped(name: str, why: str) -> Figure:
    """A figure that is not there; `why` up to a colon."""
    return Figure(name, f"not measured, {why.partition(':')[0]}")


_HEADERS = ("what", "sagewright", "beside it", "ratio", "target", "")


def table(figures: list[Figure]) -> str:
    """A Markdown table, padded so that it reads as it stands."""
    rows = [_HEADERS, *((f.name, f.ours, f.peer, f.ratio, f.target, f.mark) for f in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADERS))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]])


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return f"| {' | '.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))} |"
