"""One execution in the emulator: the engine's, what the API says of it beside, and the thread that runs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from moto.sagemaker.exceptions import ConflictException, ValidationError

from sagewright.compiler.emulator.attendant import Attendant, Effects
from sagewright.compiler.emulator.executors import Worker, report
from sagewright.compiler.emulator.inbox import Abandoned, Inbox
from sagewright.compiler.emulator.pace import Pace
from sagewright.compiler.engine.events import Command
from sagewright.compiler.engine.run import Finished, Parallelism, StopAsked, proceed
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.snapshot import snapshot
from sagewright.compiler.engine.state import Outcome, Record

UNKNOWN = "The emulator does not know how SageMaker goes on: "
"""How the reason of an outcome begins that the engine does not know."""
REASON_LENGTH = 1_300
"""Source: botocore's shape PipelineExecutionFailureReason."""
RETRIABLE = ("Failed", "Stopped")


@dataclass(frozen=True, slots=True)
class About:
    """What an execution was started with. `created` is in seconds since the epoch, `parameters` are resolved."""

    pipeline: str
    version: int
    request: Mapping[str, Any]
    parameters: Mapping[str, Any]
    created: float


class EmulatedExecution:
    """`hire` gives a worker for each time that it runs. Whoever reads or changes `engine` holds `inbox.turn`."""

    def __init__(
        self,
        about: About,
        engine: Execution,
        pace: Pace,
        inbox: Inbox,
        hire: Callable[[], Worker],
        effects: Effects,
    ) -> None:
        self.about, self.engine, self.pace, self.inbox = about, engine, pace, inbox
        self._hire, self._effects = hire, effects
        self.display_name: str | None = about.request.get("PipelineExecutionDisplayName")
        self.description: str | None = about.request.get("PipelineExecutionDescription")
        self.parallelism: Mapping[str, Any] | None = about.request.get("ParallelismConfiguration")
        self.modified = about.created
        self.tokens: dict[str, str] = {}
        """The client tokens of stops and retries, and what each asked for."""
        self.answers: dict[str, Any] = {}
        """The requests that answered Callback steps, by the step's token."""
        self.stop_asked = False
        self.broken = ""
        """The emulator's own failure."""
        self._thread: Thread | None = None

    @property
    def arn(self) -> str:
        return self.engine.identity.execution_arn

    @property
    def pipeline_arn(self) -> str:
        return self.engine.identity.pipeline_arn

    @property
    def status(self) -> str:
        """One of PipelineExecutionStatus: what the engine does not know is Failed, and says so."""
        status = "Failed" if self.broken else self.engine.status
        if status == "Executing" and self.stop_asked:
            return "Stopping"
        return "Failed" if status == "Unknown" else status

    @property
    def ended(self) -> bool:
        return bool(self.broken) or self.engine.conclusion is not None

    @property
    def failure_reason(self) -> str | None:
        """Why it failed, None where it did not."""
        conclusion = self.engine.conclusion
        if self.broken:
            return f"The emulator failed: {self.broken}"[:REASON_LENGTH]
        if conclusion is None or self.status != "Failed":
            return None
        unknown = conclusion.status == "Unknown"
        return f"{UNKNOWN if unknown else ''}{conclusion.reason}"[:REASON_LENGTH]

    # -- running ------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start it."""
        self._launch(self.engine.begin)

    def resume(self) -> None:
        """Go on where the emulator ended; jobs that were running are begun again."""
        if self.stop_asked and not self.engine.stopping:
            self.inbox.put(StopAsked())
        self._launch(lambda _now: self.engine.pending())

    def stop(self, token: str) -> None:
        """StopPipelineExecution. Raises ValidationError where it has ended, ConflictException."""
        with self.inbox.turn:
            if self._repeated(token, "stop"):
                return
            if self.ended:
                raise ValidationError(f"The execution has ended: its status is {self.status}.")
            self.tokens[token] = "stop"
            if not self.stop_asked:
                self.stop_asked = True
                self.inbox.put(StopAsked())
            self.changed()

    def retry(self, token: str, parallelism: Mapping[str, Any] | None) -> None:
        """RetryPipelineExecution. Raises ValidationError unless it failed or was stopped, ConflictException."""
        with self.inbox.turn:
            if self._repeated(token, f"retry {parallelism}"):
                return
            if self.ended and self.engine.status not in RETRIABLE:
                known = self.failure_reason or f"its status is {self.status}."
                raise ValidationError(f"Only an execution that failed or was stopped can be retried: {known}")
            if not self.ended or self.broken:
                raise ValidationError(f"The execution cannot be retried: its status is {self.status}.")
            self.tokens[token] = f"retry {parallelism}"
            self.parallelism = parallelism or self.parallelism
            self.stop_asked = False
            self.inbox.clear()
            most = (self.parallelism or {}).get("MaxParallelExecutionSteps")
            self._launch(lambda now: self.engine.retry(now, most))

    def update(self, request: Mapping[str, Any]) -> None:
        """UpdatePipelineExecution: what is given is set."""
        with self.inbox.turn:
            self.display_name = request.get("PipelineExecutionDisplayName", self.display_name)
            self.description = request.get("PipelineExecutionDescription", self.description)
            wanted = request.get("ParallelismConfiguration")
            if wanted:
                self.parallelism = wanted
                self.inbox.put(Parallelism(wanted["MaxParallelExecutionSteps"]))
            self.changed()

    def answer(
        self, token: str, step: str, request: Mapping[str, Any], outcome: Callable[[Record], Outcome]
    ) -> None:
        """A Callback step is answered. Raises ConflictException where it was before, by another request."""
        with self.inbox.turn:
            earlier = self.answers.get(token)
            if earlier is not None and earlier == dict(request):
                return
            if earlier is not None or self.ended:
                raise ConflictException(f"The callback with token {token} has been answered already.")
            found = outcome(self.engine.records[step])
            self.answers[token] = dict(request)
            self.inbox.put(Finished(step, found))
            self.changed()

    def changed(self) -> None:
        """Have it kept as it is now."""
        self.modified = time.time()
        self._effects.changed(self)

    def _repeated(self, token: str, wanted: str) -> bool:
        earlier = self.tokens.get(token)
        if earlier is not None and earlier != wanted:
            raise ConflictException("The client request token was used for another request.")
        return earlier is not None

    def _launch(self, commands: Callable[[float], list[Command]]) -> None:
        worker = self._hire()
        with self.inbox.turn:
            found = commands(worker.clock.now())  # its own: a simulated one stands still until it is asked
            self.changed()
            name = f"execution {self.engine.identity.execution_id}"
            self._thread = Thread(target=self._run, args=(worker, found), name=name, daemon=True)
            self._thread.start()

    def join(self, patience: float) -> None:
        """Wait for the end of what was given up."""
        if self._thread is not None:
            self._thread.join(patience)

    def _run(self, worker: Worker, commands: list[Command]) -> None:
        try:
            with self.inbox.turn:
                attendant = Attendant(self, worker, self._effects)
                proceed(self.engine, attendant, worker.clock, commands)
                self.changed()
        except Abandoned:
            pass
        except Exception as error:  # nobody else would ever hear of it
            self.broken = f"{type(error).__name__}: {error}"
            report(f"{self.arn}: internal error: {self.broken}")
            self.changed()
        finally:
            worker.close()

    # -- as JSON ------------------------------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """What `Executions.restore` needs; called with `inbox.turn`, or before it runs."""
        selection = self.engine.selection
        return {
            "id": self.engine.identity.execution_id,
            "pipeline": self.about.pipeline,
            "version": self.about.version,
            "request": dict(self.about.request),
            "parameters": dict(self.about.parameters),
            "created": self.about.created,
            "pace": [self.pace.start, self.pace.speed],
            "display_name": self.display_name,
            "description": self.description,
            "parallelism": self.parallelism,
            "modified": self.modified,
            "tokens": self.tokens,
            "answers": self.answers,
            "stop_asked": self.stop_asked,
            "broken": self.broken,
            "selection": selection and {"steps": sorted(selection.steps), "reference": selection.reference},
            "engine": snapshot(self.engine),
        }

    def load(self, data: Mapping[str, Any]) -> None:
        """Take over what `dump` wrote, beside what it was made from."""
        for name in ("display_name", "description", "parallelism", "modified", "stop_asked", "broken"):
            setattr(self, name, data[name])
        self.tokens, self.answers = dict(data["tokens"]), dict(data["answers"])


def wall(seconds: float) -> datetime:
    """Seconds since the epoch as the API has them."""
    return datetime.fromtimestamp(seconds, UTC)
