"""What an execution answers with, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass

from sagewright.compiler.engine.state import Task


@dataclass(frozen=True, slots=True)
class Start:
    """Begin an attempt; its end is told with `finish`."""

    task: Task


@dataclass(frozen=True, slots=True)
class Wake:
    """Call `wake` with this step at that time: its next attempt is due."""

    name: str
    time: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the running attempt; its end is told with `finish` all the same."""

    name: str


Command = Start | Wake | Stop


class NotRunning(ValueError):
    """An event about a step, or an execution, that is not running."""
