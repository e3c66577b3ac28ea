"""An execution: a state machine that is told what happened, and answers with what is to be done.

It knows no clock, no thread and no I/O, so that the same rules serve a simulation, processes on this machine and a
server that keeps its state in a database. Times are given with each event, in seconds since the epoch. The rules are
SageMaker's; each module names its source.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from sagewright.compiler.engine import foreach
from sagewright.compiler.engine.blueprint import CONTROL, Blueprint, Node
from sagewright.compiler.engine.cache import Cache, Entry, enabled, look_up
from sagewright.compiler.engine.conclusion import Conclusion, conclude
from sagewright.compiler.engine.conditions import evaluate
from sagewright.compiler.engine.events import Command, NotRunning, Start, Stop, Wake
from sagewright.compiler.engine.readiness import State, verdict
from sagewright.compiler.engine.retry import Again, decide
from sagewright.compiler.engine.scope import Documents, Identity, Situation, StepScope
from sagewright.compiler.engine.selection import Selection
from sagewright.compiler.engine.slots import Slots
from sagewright.compiler.engine.state import Attempt, Cause, Outcome, Record, Status, Task
from sagewright.compiler.engine.values import Unavailable, Unknown, text

MAX_PARALLEL = 50
"""Steps that run at once. Source: SageMaker's quotas."""
NOT_STOPPED = frozenset({"Lambda", "Callback"})
"""Types that a stop waits for. Source: StopPipelineExecution in the API reference."""


def no_documents(uri: str) -> Any:
    """The `documents` of an execution that has no S3."""
    return Unknown(f"nobody gave what `{uri}` holds")


class Execution:
    """One execution of a pipeline. `parameters` are resolved (see `parameters.resolve`).

    `parallelism` is that of the API; `cache` holds results of earlier executions; `documents` reads JSON from S3;
    `selection` makes it a selective execution.
    """

    def __init__(
        self,
        plan: Blueprint,
        parameters: Mapping[str, Any],
        identity: Identity | None = None,
        *,
        parallelism: int | None = None,
        cache: Cache | None = None,
        documents: Documents = no_documents,
        selection: Selection | None = None,
    ) -> None:
        self.plan = plan
        self.cache = cache
        self.selection = selection
        self.nodes = dict(plan.nodes)
        self.records = {node.name: Record(node.name, node.type, node.order) for node in plan.nodes.values()}
        self.situation = Situation(
            identity or Identity(), plan.definition, parameters, self.nodes, self.records, documents
        )
        self.slots = Slots(min(parallelism or MAX_PARALLEL, MAX_PARALLEL))
        self.conclusion: Conclusion | None = None
        self.ended_at: float | None = None
        self.stopping = self.failing = self.closed = False
        self._dependents: dict[str, tuple[str, ...]] = dict(plan.dependents)
        self._left: dict[str, int] = {}
        self._told: deque[str] = deque()
        self._open = len(self.records)

    @property
    def started(self) -> float:
        return self.situation.started

    @property
    def identity(self) -> Identity:
        return self.situation.identity

    @property
    def status(self) -> str:
        """As DescribePipelineExecution says it; `Unknown` where nobody knows how it ends."""
        if self.conclusion is not None:
            return self.conclusion.status
        return "Stopping" if self.stopping else "Executing"

    # -- events -------------------------------------------------------------------------------------------------------

    def begin(self, now: float) -> list[Command]:
        """Start the execution."""
        self.situation.started = now
        if self.selection is not None:
            for record in self.records.values():
                self._select(record, self.selection, now)
        self.look_again(now)
        return self._settle(now)

    def finish(self, name: str, outcome: Outcome, now: float) -> list[Command]:
        """The running attempt of a step has ended. Raises NotRunning."""
        record = self.records.get(name)
        if record is None or record.status is not Status.EXECUTING or record.due is not None:
            raise NotRunning(f"`{name}` is not running")
        attempt = record.attempts[-1]
        attempt.end, attempt.error, attempt.message = now, outcome.error, outcome.message
        if outcome.status is Status.FAILED and not self.stopping:
            decision = decide(self.nodes[name], record, outcome.error, now)
            if isinstance(decision, Again):
                return [self._postpone(record, decision, now)]
            if isinstance(decision, Unknown):
                outcome = Outcome(
                    Status.UNKNOWN, error=outcome.error, message=decision.reason, complete=False
                )
        self._finish(record, outcome, now)
        return self._settle(now)

    def wake(self, name: str, now: float) -> list[Command]:
        """The next attempt of a step is due. Nothing where the step was stopped meanwhile."""
        record = self.records[name]
        if record.due is None:
            return []
        record.due = None
        return [self._attempt(record, now)]

    def widen(self, parallelism: int, now: float) -> list[Command]:
        """UpdatePipelineExecution: so many steps at once from now on."""
        self.slots.parallelism = min(parallelism, MAX_PARALLEL)
        return self._settle(now)

    def stop(self, now: float) -> list[Command]:
        """StopPipelineExecution: nothing more starts, jobs are stopped, Lambda and Callback steps are waited for.

        Raises NotRunning.
        """
        if self.conclusion is not None:
            raise NotRunning(f"the execution has ended: {self.status}")
        self.stopping = True
        commands: list[Command] = []
        for record in list(self.records.values()):
            if record.status is not Status.EXECUTING or record.type in CONTROL | NOT_STOPPED:
                continue
            if record.due is not None:
                record.due = None
                self._end(record, Status.STOPPED, now, "the execution was stopped", Cause.STOPPED)
            else:
                commands.append(Stop(record.name))
        return [*commands, *self._settle(now)]

    def retry(self, now: float, parallelism: int | None = None) -> list[Command]:
        """RetryPipelineExecution: what succeeded stays, the rest runs. Raises NotRunning unless it failed or was
        stopped."""
        if self.status not in ("Failed", "Stopped"):
            raise NotRunning(f"an execution that is {self.status} cannot be retried")
        kept = {name for name, record in self.records.items() if record.status is Status.SUCCEEDED}
        for name, record in list(self.records.items()):
            if record.parent is not None and record.parent not in kept:
                del self.records[name], self.nodes[name]
            elif name not in kept:
                self.records[name] = Record(name, record.type, record.order, parent=record.parent)
                if self.selection is not None:
                    self._select(self.records[name], self.selection, now)
        self.slots = Slots(min(parallelism or self.slots.parallelism, MAX_PARALLEL))
        self.conclusion = self.ended_at = None
        self.stopping = self.failing = self.closed = False
        self._dependents = dict(self.plan.dependents)
        self.expect({})
        self.look_again(now)
        return self._settle(now)

    def pending(self) -> list[Command]:
        """What is under way: for an executor that takes over a restored execution."""
        return [
            self._task(record) if record.due is None else Wake(record.name, record.due)
            for record in self.records.values()
            if record.status is Status.EXECUTING and record.type != "ForEach"
        ]

    # -- from one event to the next -----------------------------------------------------------------------------------

    def _settle(self, now: float) -> list[Command]:
        """Start whatever can start, until nothing changes any more."""
        commands: list[Command] = []
        while True:
            if self._told:
                self._tell(self._told.popleft(), now)
            elif (name := self.slots.next()) is not None:
                command = self._begin_step(self.nodes[name], self.records[name], now)
                if command is not None:
                    commands.append(command)
            else:
                break
        if self._open == 0 and self.conclusion is None:
            self.ended_at = now
            self.conclusion = conclude(self.nodes, self.records, stopped=self.stopping)
        return commands

    def _tell(self, name: str, now: float) -> None:
        """A step has ended: those that wait for it, and the ForEach that it is a turn of, look again."""
        for dependent in self._dependents.get(name, ()):
            self._examine(self.records[dependent], now)
        parent = self.records[name].parent
        if parent is None:
            return
        self._left[parent] -= 1
        if self._left[parent] == 0:
            children = [child for child in self.records.values() if child.parent == parent]
            outcome = foreach.outcome(self.nodes[parent], children)
            self._finish(self.records[parent], outcome, now)

    def look_again(self, now: float) -> None:
        """Every step that waits looks whether it still has to."""
        for record in list(self.records.values()):
            self._examine(record, now)

    def expect(self, turns: Mapping[str, int]) -> None:
        """Count what has not ended; `turns` are those of each ForEach."""
        self._left = dict(turns)
        self._open = sum(not record.status.ended for record in self.records.values())

    def _examine(self, record: Record, now: float) -> None:
        if record.status is not Status.WAITING:
            return
        found = verdict(self.nodes[record.name], self.records)
        if found.state is State.SKIP:
            self._end(record, Status.SKIPPED, now, found.reason, found.cause)
        elif found.state is State.UNKNOWN:
            self._end(record, Status.UNKNOWN, now, found.reason, found.cause)
        elif found.state is State.READY:
            record.triggered = found.triggered
            self.slots.queue(record)

    # -- one step -----------------------------------------------------------------------------------------------------

    def _begin_step(self, node: Node, record: Record, now: float) -> Command | None:
        """Start a step, or end it where it may not start, fails at once, or has an earlier result."""
        if self.closed or self.stopping or self.failing:
            refused = self._refusal(node, record)
            if refused is not None:
                status, reason, cause = refused
                self._end(record, status, now, reason, cause)
                return None
        scope = StepScope(self.situation, node, record, now)
        record.start, record.status = now, Status.EXECUTING
        try:
            record.arguments, record.body = node.arguments(scope), node.around(scope)
            items = foreach.items(record.arguments) if node.type == "ForEach" else []
        except Unavailable as error:
            record.attempts.append(Attempt(now, now, message=str(error)))
            self._finish(record, Outcome(Status.FAILED, message=str(error)), now)
            return None
        if node.type == "ForEach":
            return self._expand(node, record, items, now)
        if node.type == "Fail":
            return self._fail(record, now)
        if node.type not in CONTROL:
            if self.cache is not None and enabled(record.body) and self._take_cached(self.cache, record, now):
                return None
            self.slots.take(record)
        return self._attempt(record, now)

    def _refusal(self, node: Node, record: Record) -> tuple[Status, str, Cause] | None:
        """Why a step that could start does not, or why nobody knows."""
        if self.closed:
            return Status.SKIPPED, "a Fail step had ended the execution", Cause.ENDED
        if self.stopping:
            if any(need.when in ("Stopped", "Any") for need in node.needs):
                reason = "nobody says whether run conditions hold in an execution that is stopped"
                return Status.UNKNOWN, reason, Cause.SERVICE
            return Status.SKIPPED, "the execution was stopped", Cause.STOPPED
        if record.triggered:
            return None
        failed = next(r.name for r in self.records.values() if r.status is Status.FAILED)
        reason = f"nobody says whether SageMaker starts what does not depend on a failed step (`{failed}`)"
        return Status.UNKNOWN, reason, Cause.AFTER_FAILURE

    def _attempt(self, record: Record, now: float) -> Command:
        record.attempts.append(Attempt(now))
        return self._task(record)

    def _task(self, record: Record) -> Command:
        task = Task(
            name=record.name,
            type=record.type,
            body=record.body,
            arguments=record.arguments,
            attempt=len(record.attempts),
            parent=record.parent,
            iteration=record.iteration,
            outcome=evaluate(record.arguments) if record.type == "Condition" else None,
        )
        return Start(task)

    def _postpone(self, record: Record, again: Again, now: float) -> Command:
        record.used[again.policy] = record.used.get(again.policy, 0) + 1
        record.first_failure.setdefault(again.policy, now)
        record.due = now + again.delay
        return Wake(record.name, record.due)

    def _finish(self, record: Record, outcome: Outcome, now: float) -> None:
        record.outcome, record.cached = outcome, outcome.cached
        if self.cache is not None and record.key is not None and outcome.status is Status.SUCCEEDED:
            entry = Entry(now, outcome, self.identity.execution_arn)
            self.cache.add(self.identity.pipeline, record.name, record.key, entry)
        cause = None
        if outcome.status is Status.UNKNOWN:
            cause = Cause.SERVICE if outcome.error else Cause.VALUE
        self._end(record, outcome.status, now, outcome.message, cause)

    def _end(self, record: Record, status: Status, now: float, reason: str, cause: Cause | None) -> None:
        """The step has ended, or will never start."""
        if record.start is not None:
            record.end = now
            self.slots.release(record.name)
        record.status, record.reason, record.cause = status, reason, cause
        self.failing = self.failing or status is Status.FAILED
        self._open -= 1
        self._told.append(record.name)

    # -- kinds of steps -----------------------------------------------------------------------------------------------

    def _fail(self, record: Record, now: float) -> None:
        message = text(record.arguments.get("ErrorMessage", ""))
        record.attempts.append(Attempt(now, now, message=str(message)))
        self.closed = True
        self._finish(record, Outcome(Status.FAILED, {"ErrorMessage": message}, message=str(message)), now)

    def _expand(self, node: Node, record: Record, items: list[Any] | Unknown, now: float) -> None:
        """The turns of a ForEach: its body once for each item."""
        record.attempts.append(Attempt(now))
        if isinstance(items, Unknown):
            self._finish(record, Outcome(Status.UNKNOWN, message=items.reason), now)
            return
        turns = [(child.turn(index), item) for index, item in enumerate(items) for child in node.children]
        self._left[node.name] = len(turns)
        self._open += len(turns)
        self.slots.open_group(node.name, node.concurrency)
        for turn, item in turns:
            self.add_turn(turn, node.name, item)
        for turn, _ in turns:
            self._examine(self.records[turn.name], now)

    def add_turn(self, turn: Node, parent: str, item: Any) -> None:
        self.nodes[turn.name] = turn
        self.records[turn.name] = Record(
            turn.name, turn.type, turn.order, parent=parent, iteration=turn.iteration, item=item
        )
        for need in turn.needs:
            self._dependents[need.source] = (*self._dependents.get(need.source, ()), turn.name)

    def _take_cached(self, cache: Cache, record: Record, now: float) -> bool:
        """End the step with an earlier result, where there is one that may be taken."""
        found = look_up(cache, self.identity.pipeline, record.name, record.body, record.arguments, now)
        record.key, entry, note = found
        if note:
            record.notes.append(note)
        if entry is None:
            return False
        record.cached, record.outcome = entry.execution, entry.outcome
        self._end(record, Status.SUCCEEDED, now, "", None)
        return True

    def _select(self, record: Record, selection: Selection, now: float) -> None:
        if record.name in selection.steps:
            return
        record.outcome = selection.results.get(record.name)
        if record.outcome is not None:
            record.reused = selection.reference
            self._end(record, Status.SUCCEEDED, now, "", None)
        else:
            self._end(record, Status.SKIPPED, now, "it was not selected", Cause.SELECTION)

    def copy(self) -> Execution:
        """An execution in the same state, to be continued in another way. Steps that have ended are shared."""
        made: Execution = object.__new__(Execution)
        made.__dict__.update(self.__dict__)
        made.nodes = dict(self.nodes)
        made.records = {n: r if r.status.ended else r.copy() for n, r in self.records.items()}
        made.situation = self.situation.continued(made.nodes, made.records)
        made.slots = self.slots.copy()
        made._dependents, made._left = dict(self._dependents), dict(self._left)
        made._told = deque(self._told)
        return made
