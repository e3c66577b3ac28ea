"""An executor that carries steps out on this machine, each attempt in a thread of its own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from sagewright.compiler.engine.describe import describe
from sagewright.compiler.engine.run import Finished, StopAsked
from sagewright.compiler.engine.scenario import NO_BEHAVIOUR, Behaviour, Scenario
from sagewright.compiler.engine.scope import Documents, Identity
from sagewright.compiler.engine.simulated import failure, success
from sagewright.compiler.engine.state import Outcome, Status, Task
from sagewright.compiler.engine.values import Unavailable, Unknown, first_unknown
from sagewright.compiler.local.job import REASON, Job, JobFailed, Machine, Stopped
from sagewright.compiler.local.results import Results, content_key
from sagewright.compiler.local.runners import runner
from sagewright.compiler.local.sandbox import Usage
from sagewright.compiler.local.store import Store, read

TICK = 0.2
"""Seconds between two looks at what runs, for whoever watches."""


class SystemClock:
    """See `run.Clock`."""

    def now(self) -> float:
        return time.time()


class LocalExecutor:
    """See `run.Executor`. `stubs` gives the results of steps that are not to be run here; `results` those of earlier
    runs, None where nothing is taken from them. `changed` is called whenever it waits: after each change, and every
    TICK."""

    def __init__(
        self,
        machine: Machine,
        identity: Identity,
        folder: Path,
        *,
        stubs: Scenario | None = None,
        results: Results | None = None,
        changed: Callable[[], None] = lambda: None,
        keep: bool = False,
    ) -> None:
        self.machine = machine
        self.identity = identity
        self.folder = folder
        self.stubs = stubs or Scenario()
        self.results = results
        self.changed = changed
        self.keep = keep
        self.usages: dict[str, list[Usage]] = {}
        """What each attempt at a step took."""
        self._events: SimpleQueue[Finished | StopAsked] = SimpleQueue()
        self._jobs: dict[str, Job] = {}
        self._threads: dict[str, Thread] = {}

    def start(self, task: Task) -> None:
        job = Job(task, self.identity, describe(task, self.identity), self._folder(task), self.machine)
        self._jobs[task.name] = job
        thread = Thread(target=self._carry_out, args=(job,), name=task.name, daemon=True)
        self._threads[task.name] = thread
        thread.start()

    def stop(self, name: str) -> None:
        self._jobs[name].stopping.set()

    def ask_to_stop(self) -> None:
        """Have the execution stopped; may be called by a signal's handler."""
        self._events.put(StopAsked())

    def wait(self, until: float | None) -> Finished | StopAsked | None:
        while True:
            self.changed()
            left = TICK if until is None else min(TICK, until - time.time())
            try:
                return self._events.get(timeout=max(left, 0.0))
            except Empty:
                if until is not None and time.time() >= until:
                    return None

    def close(self, patience: float = 10.0) -> None:
        """Stop whatever still runs, and wait for its end."""
        for job in self._jobs.values():
            job.stopping.set()
        end = time.time() + patience
        for thread in self._threads.values():
            thread.join(max(0.0, end - time.time()))

    def _folder(self, task: Task) -> Path:
        folder = self.folder / "steps" / task.name / str(task.attempt)
        if folder.exists():  # an attempt that an earlier process did not end
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def _carry_out(self, job: Job) -> None:
        try:
            outcome = self._outcome(job)
        except JobFailed as error:
            outcome = _failed(str(error), error.error)
        except Unavailable as error:
            outcome = _failed(str(error))
        except Stopped:
            outcome = Outcome(Status.STOPPED, message="the run was stopped")
        except OSError as error:
            outcome = _failed(f"this machine failed: {(error.strerror or str(error)).lower()}")
        except Exception as error:  # ours: the run must end all the same, and say so
            outcome = _failed(f"internal error: {type(error).__name__}: {error}")
        if outcome.status is Status.FAILED:
            job.note(f"failed: {outcome.message}")
        elif outcome.status is Status.SUCCEEDED and not self.keep:
            _tidy(job.folder)
        self.usages.setdefault(job.task.name, []).append(job.usage)
        self._events.put(Finished(job.task.name, outcome))

    def _outcome(self, job: Job) -> Outcome:
        task = job.task
        if task.type == "Condition":
            if isinstance(task.outcome, Unknown):
                raise JobFailed(f"its terms cannot be told: {task.outcome.reason}")
            return Outcome(Status.SUCCEEDED, {"Outcome": str(task.outcome)})
        behaviour = self.stubs.of_task(task)
        if behaviour is not NO_BEHAVIOUR:
            return _stubbed(job, behaviour)
        run = runner(task.type)
        if run is None:
            raise JobFailed(f"only AWS runs {task.type} steps: give its results with --stub")
        unknown = first_unknown([task.arguments, task.body])
        if unknown is not None:
            raise JobFailed(f"it needs a value that this machine does not have: {unknown.reason}")
        key = content_key(task, self.identity, self.machine) if self.results is not None else None
        if self.results is None or key is None:
            return run(job)
        earlier = self.results.find(key, self.machine.store)
        if earlier is not None:
            job.note(f"nothing has changed since {earlier.cached}: its result is taken")
            return earlier
        outcome = run(job)
        if outcome.status is Status.SUCCEEDED:
            self.results.add(key, outcome, self.identity, self.machine.store)
        return outcome


def _stubbed(job: Job, behaviour: Behaviour) -> Outcome:
    job.note("its result was given, nothing ran")
    fault = behaviour.fault(job.task.attempt, None)
    return failure(fault) if fault else success(job.task, behaviour, job.identity)


def _failed(message: str, error: str | None = None) -> Outcome:
    return Outcome(Status.FAILED, error=error, message=message[:REASON], complete=False)


def _tidy(folder: Path) -> None:
    """Keep what people look at; a step's inputs and outputs are in the store."""
    for path in folder.iterdir():
        if path.name != "log":
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def documents(store: Store) -> Documents:
    """Reads the JSON of property files and reports."""

    def look(uri: str) -> Any:
        content = read(store, uri)
        try:
            return json.loads(content)
        except ValueError as error:
            raise Unavailable(f"{uri} is no JSON: {error}") from None

    return look
