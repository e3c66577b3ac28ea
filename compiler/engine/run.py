"""Runs an execution with an executor, by a clock."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

from sagewright.compiler.engine.events import Command, Start, Stop, Wake
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.state import Outcome, Task


class Clock(Protocol):
    """What time it is, in seconds since the epoch."""

    def now(self) -> float: ...


@dataclass(slots=True)
class SimulatedClock:
    """A clock that its executor sets: waiting costs nothing."""

    time: float = 0.0

    def now(self) -> float:
        return self.time


@dataclass(frozen=True, slots=True)
class Finished:
    """The attempt of a step that was under way has ended."""

    name: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Somebody wants the execution stopped."""


@dataclass(frozen=True, slots=True)
class Parallelism:
    """Somebody wants so many steps at once from now on."""

    steps: int


Event = Finished | StopAsked | Parallelism


class Executor(Protocol):
    """Carries steps out: one attempt at a time for each step, many steps at once."""

    def start(self, task: Task) -> None:
        """Begin an attempt, and return at once. Conditions come here too: their outcome is in the task."""
        ...

    def stop(self, name: str) -> None:
        """End a running attempt; `wait` still tells how it ended."""
        ...

    def wait(self, until: float | None) -> Event | None:
        """The next thing that happens; None when the clock reaches `until` before."""
        ...


def run(execution: Execution, executor: Executor, clock: Clock, *, stop_at: float | None = None) -> Execution:
    """Run an execution to its end. `stop_at` stops it then, if it is still running."""
    return proceed(execution, executor, clock, execution.begin(clock.now()), stop_at=stop_at)


def proceed(
    execution: Execution,
    executor: Executor,
    clock: Clock,
    commands: list[Command],
    *,
    stop_at: float | None = None,
) -> Execution:
    """Carry out commands and whatever follows from them, until the execution has ended."""
    timers: list[tuple[float, str]] = []
    while True:
        for command in commands:
            match command:
                case Start(task):
                    executor.start(task)
                case Wake(name, time):
                    heappush(timers, (time, name))
                case Stop(name):
                    executor.stop(name)
        if execution.conclusion is not None:
            return execution
        due = timers[0][0] if timers else None
        until = due if stop_at is None or (due is not None and due < stop_at) else stop_at
        event = executor.wait(until)
        if isinstance(event, Finished):
            commands = execution.finish(event.name, event.outcome, clock.now())
        elif isinstance(event, Parallelism):
            commands = execution.widen(event.steps, clock.now())
        elif isinstance(event, StopAsked) or until == stop_at:
            stop_at = None
            commands = execution.stop(clock.now())
        else:
            commands = execution.wake(heappop(timers)[1], clock.now())
