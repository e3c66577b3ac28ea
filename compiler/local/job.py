"""What a runner is given: one attempt at a step, and the machine that it runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.state import Outcome, Status, Task
from sagewright.compiler.local.sandbox import Container, Sandbox, Usage
from sagewright.compiler.local.store import Store

if TYPE_CHECKING:
    from sagewright.compiler.local.endpoints import Endpoints
    from sagewright.compiler.local.environments import Environments
    from sagewright.compiler.local.registry import Registry

REASON = 1_024
"""Characters of a FailureReason. Source: botocore's shape FailureReason."""


class JobFailed(Exception):
    """The attempt has failed, in words for people. `error` is what retry policies name, None for the code's own
    failure; see `Outcome.error`."""

    def __init__(self, message: str, error: str | None = None) -> None:
        super().__init__(message)
        self.error = error


class Stopped(Exception):
    """The attempt was stopped by `Job.stop`."""


class Callbacks(Protocol):
    """Where callback steps wait for their answers."""

    def ask(self, job: Job, queue: str, arguments: Mapping[str, Any]) -> Outcome:
        """Post the question, and wait for its answer, or until the job is stopped. Raises JobFailed, Stopped."""
        ...


@dataclass(frozen=True, slots=True)
class Machine:
    """What all runs of a project share. `folder` is its `.sagewright`; `functions` has the code of Lambda functions
    by ARN, where this project makes them."""

    folder: Path
    region: str
    account: str
    store: Store
    sandbox: Sandbox
    environments: Environments
    registry: Registry
    endpoints: Endpoints
    callbacks: Callbacks
    functions: Mapping[str, Function] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function of this project: a zip with its code, as `upsert` would publish it."""

    archive: Path
    handler: str
    runtime: str
    timeout: int


@dataclass(slots=True)
class Job:
    """One attempt at a step. `description` is what its Describe call would answer as far as the request decides it
    (see `engine.describe`): a runner adds to it what running shows, and returns it in its Outcome.

    `folder` belongs to the attempt, is empty when it begins and is kept; `log` is the file in it that people are
    shown.
    """

    task: Task
    identity: Identity
    description: dict[str, Any]
    folder: Path
    machine: Machine
    stopping: Event = field(default_factory=Event)
    usage: Usage = field(default_factory=Usage)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.task.arguments

    def note(self, text: str) -> None:
        """Write a line of ours into the log."""
        with self.log.open("a", encoding="utf-8", errors="replace") as log:
            log.write(f"[sagewright] {text}\n")

    def run(self, container: Container, *, max_runtime: float | None = None) -> int:
        """Run a container to its end and add its usage; its exit code.

        Raises JobFailed with `timeout` where it runs longer than `max_runtime` seconds, Stopped.
        """
        process = self.machine.sandbox.start(container, self.log)
        try:
            while (code := process.wait(0.05)) is None:
                if self.stopping.is_set():
                    raise Stopped
                if max_runtime is not None and process.usage.seconds > max_runtime:
                    raise JobFailed(f"it ran longer than the {max_runtime:g} s that it may take", "timeout")
            return code
        finally:
            process.stop()
            self.usage = self.usage.plus(process.usage)

    def succeeded(self, **more: Any) -> Outcome:
        """Success, with what running showed."""
        return Outcome(Status.SUCCEEDED, {**self.description, **more})


Runner = Callable[[Job], Outcome]
"""Carries a step out, in a thread of its own. Raises JobFailed, Stopped, StoreError."""
