"""What carries out the steps of executions, and how fast. `make` is the one place that knows the kinds."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Protocol

from sagewright.compiler.emulator.inbox import Inbox
from sagewright.compiler.emulator.pace import Pace
from sagewright.compiler.engine.blueprint import Blueprint
from sagewright.compiler.engine.run import Clock, Event, Executor, SimulatedClock
from sagewright.compiler.engine.scenario import NO_BEHAVIOUR, Scenario
from sagewright.compiler.engine.scope import Documents, Identity
from sagewright.compiler.engine.simulated import SimulatedExecutor, documents
from sagewright.compiler.engine.state import Task
from sagewright.compiler.engine.values import Unavailable, Unknown

SPEED = 600.0
"""Ten minutes take a second."""

ScenarioOf = Callable[[Blueprint], Scenario]
"""What is assumed of the steps of a pipeline."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How executions are carried out: `executor` is a key of KINDS; `hire` gives the workers of `local`."""

    executor: str = "simulated"
    speed: float = SPEED
    scenario: ScenarioOf = field(default=lambda _plan: Scenario())
    hire: Callable[[Settings, Subject], Worker] | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The execution that a worker is for. What it tells comes into `inbox`; `documents` reads the emulator's S3.

    `tried` counts the attempts at steps, over all times that it ran.
    """

    plan: Blueprint
    identity: Identity
    pace: Pace
    inbox: Inbox
    documents: Documents
    tried: Counter[str] = field(default_factory=Counter)


class Worker(Executor, Protocol):
    """An executor that also returns from `wait` what somebody else puts into the inbox."""

    @property
    def clock(self) -> Clock: ...

    def documents(self, uri: str) -> Any:
        """The JSON of an S3 object; see `scope.Documents`."""
        ...

    def answers(self, task: Task) -> bool:
        """Whether it answers a Callback step itself."""
        ...

    def close(self) -> None:
        """The execution has ended or was given up: leave nothing running."""
        ...


def make(settings: Settings, subject: Subject) -> Worker:
    """The worker of one execution."""
    return KINDS[settings.executor](settings, subject)


def pace(settings: Settings, start: float) -> Pace:
    """How time passes in an execution that starts at `start`; only simulated ones can be hurried."""
    return Pace(start, settings.speed if settings.executor == "simulated" else 1.0)


class Simulated:
    """Runs nothing: steps take their time, by the execution's pace, and end as the scenario says."""

    def __init__(self, settings: Settings, subject: Subject) -> None:
        self.clock = SimulatedClock(subject.pace.now())
        self._pace, self._inbox, self._documents = subject.pace, subject.inbox, subject.documents
        self._scenario = settings.scenario(subject.plan)
        self._tried = subject.tried
        before = dict(subject.tried)
        self._executor = SimulatedExecutor(self._scenario, subject.identity, self.clock, tried=before)

    def documents(self, uri: str) -> Any:
        """What the scenario says that an object holds, else what is in the emulator's S3."""
        given = documents(self._scenario.files)(uri)
        return self._documents(uri) if isinstance(given, Unknown) else given

    def answers(self, task: Task) -> bool:
        return self._scenario.of_task(task) is not NO_BEHAVIOUR

    def start(self, task: Task) -> None:
        self._tried[task.name] += 1
        self._executor.start(task)

    def stop(self, name: str) -> None:
        self._executor.stop(name)

    def wait(self, until: float | None) -> Event | None:
        while True:
            moments = [moment for moment in (self._executor.due(), until) if moment is not None]
            following = min(moments, default=None)
            if following is not None and following <= self._pace.now():
                return self._executor.wait(following)
            event = self._inbox.get(None if following is None else self._pace.until(following))
            if event is not None:
                self.clock.time = max(self.clock.time, self._pace.now())
                return event

    def close(self) -> None:
        pass


class Pumped:
    """An executor that waits for its own events only: a thread takes them to the inbox."""

    def __init__(self, executor: Executor, close: Callable[[], None], subject: Subject) -> None:
        self.clock = subject.pace
        self._executor, self._close, self._subject = executor, close, subject
        self._open = True
        self._thread: Thread | None = None

    def documents(self, uri: str) -> Any:
        """The JSON in the emulator's S3. Raises Unavailable."""
        found = self._subject.documents(uri)
        if isinstance(found, Unknown):
            raise Unavailable(f"{uri} does not exist")
        return found

    def answers(self, task: Task) -> bool:
        return False

    def start(self, task: Task) -> None:
        self._executor.start(task)
        if self._thread is None:
            self._thread = Thread(target=self._pump, name="events", daemon=True)
            self._thread.start()

    def stop(self, name: str) -> None:
        self._executor.stop(name)

    def wait(self, until: float | None) -> Event | None:
        inbox, pace = self._subject.inbox, self._subject.pace
        return inbox.get(None if until is None else pace.until(until))

    def close(self) -> None:
        self._open = False
        self._close()

    def _pump(self) -> None:
        while self._open:
            event = self._executor.wait(self.clock.now() + 1.0)
            if event is not None:
                self._subject.inbox.put(event)


def _local(settings: Settings, subject: Subject) -> Worker:
    assert settings.hire is not None, "the server has no workshop"
    return settings.hire(settings, subject)


KINDS: Mapping[str, Callable[[Settings, Subject], Worker]] = {"simulated": Simulated, "local": _local}


def report(message: str) -> None:
    """Say something to whoever runs the emulator."""
    print(message, file=sys.stderr, flush=True)
