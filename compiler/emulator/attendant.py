"""What an execution's steps do to the emulator: their jobs can be described, what they make is there, callbacks ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sagewright.compiler.emulator import callbacks
from sagewright.compiler.emulator.executors import Worker
from sagewright.compiler.engine.run import Event, Finished, StopAsked
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.state import Outcome, Status, Task


class Running(Protocol):
    """An execution; see `execution.EmulatedExecution`."""

    @property
    def arn(self) -> str: ...

    @property
    def engine(self) -> Execution: ...

    def changed(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Effects:
    """What an execution, which comes first, tells the emulator."""

    changed: Callable[[Any], None]
    """Keep it as it is now."""
    started: Callable[[Any, Task], None]
    """A step's attempt begins: its job is there."""
    made: Callable[[Task, Outcome], Outcome]
    """A step has succeeded: what it makes is there; the outcome with its names and ARNs."""
    ask: Callable[[Any, Task, str], None]
    """A Callback step waits to be answered by the token."""
    post: Callable[[str, dict[str, Any]], None]
    """A message for the queue of that URL."""


class Attendant:
    """See `run.Executor`: a worker's, watched."""

    def __init__(self, execution: Running, worker: Worker, effects: Effects) -> None:
        self._execution, self._worker, self._effects = execution, worker, effects
        self._tasks: dict[str, Task] = {}
        self._asking: dict[str, Task] = {}

    def start(self, task: Task) -> None:
        self._tasks[task.name] = task
        self._effects.started(self._execution, task)
        if task.type == "Callback" and not self._worker.answers(task):
            self._ask(task)
        else:
            self._worker.start(task)

    def stop(self, name: str) -> None:
        self._worker.stop(name)

    def wait(self, until: float | None) -> Event | None:
        self._execution.changed()
        event = self._worker.wait(until)
        if isinstance(event, Finished):
            return Finished(event.name, self._ended(self._tasks.pop(event.name), event.outcome))
        if isinstance(event, StopAsked):
            for task in self._asking.values():
                self._say(task, Status="Stopping")
        return event

    def _ended(self, task: Task, outcome: Outcome) -> Outcome:
        self._asking.pop(task.name, None)
        return self._effects.made(task, outcome) if outcome.status is Status.SUCCEEDED else outcome

    def _ask(self, task: Task) -> None:
        self._asking[task.name] = task
        self._effects.ask(self._execution, task, self._token(task))
        self._say(task)

    def _say(self, task: Task, **more: str) -> None:
        message = callbacks.question(self._execution.arn, task, self._token(task))
        self._effects.post(str(task.body.get("SqsQueueUrl", "")), {**message, **more})

    def _token(self, task: Task) -> str:
        return callbacks.token(self._execution.arn, self._execution.engine.records[task.name])
