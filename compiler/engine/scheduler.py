"""An execution: a state machine that is told what happened, and answers with what is to be done.

It knows no clock, no thread and no I/O, so that the same rules serve a simulation, processes on this machine and a
server that keeps its state in a database. Times are given with each event, in seconds since the epoch.

Source of the rules: SageMaker's developer guide and the SDK, as `docs/reference` lists them; each module names its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from sagewright.compiler.engine import foreach
from sagewright.compiler.engine.blueprint import CONTROL, Blueprint, Node
from sagewright.compiler.engine.cache import Cache, Entry, cache_key, enabled, is_fresh
from sagewright.compiler.engine.conclusion import Conclusion, conclude
from sagewright.compiler.engine.conditions import evaluate
from sagewright.compiler.engine.readiness import State, verdict
from sagewright.compiler.engine.retry import Again, decide
from sagewright.compiler.engine.scope import Documents, Identity, Situation, StepScope
from sagewright.compiler.engine.selection import Selection
from sagewright.compiler.engine.state import Attempt, Cause, Outcome, Record, Status, Task, dump, load
from sagewright.compiler.engine.values import Unavailable, Unknown, text

MAX_PARALLEL = 50
"""Steps that run at once. Source: SageMaker's quotas, "Maximum number of concurrent steps in a pipeline execution"."""
NOT_STOPPED = frozenset({"Lambda", "Callback"})
"""Types that a stop waits for. Source: StopPipelineExecution in the API reference."""


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


def no_documents(uri: str) -> Any:
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
        self.parallelism = min(parallelism or MAX_PARALLEL, MAX_PARALLEL)
        self.cache = cache
        self.selection = selection
        self.nodes = dict(plan.nodes)
        self.records = {node.name: Record(node.name, node.type, node.order) for node in plan.nodes.values()}
        self.situation = Situation(
            identity or Identity(), plan.definition, parameters, self.nodes, self.records, documents
        )
        self.conclusion: Conclusion | None = None
        self.ended_at: float | None = None
        self.stopping = self.failing = self.closed = False
        self._dependents: dict[str, tuple[str, ...]] = dict(plan.dependents)
        self._queues: dict[str, list[tuple[tuple[int, ...], str]]] = {"": [], CONTROL_QUEUE: []}
        self._running: dict[str, int] = {"": 0}
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
            for name in self.records:
                self._select(name, self.selection, now)
        for name in list(self.records):
            self._examine(name, now)
        return self._settle(now)

    def finish(self, name: str, outcome: Outcome, now: float) -> list[Command]:
        """The running attempt of a step has ended. Raises NotRunning."""
        record = self._running_record(name)
        attempt = record.attempts[-1]
        attempt.end, attempt.error, attempt.message = now, outcome.error, outcome.message
        if outcome.status is Status.FAILED and not self.stopping:
            decision = decide(self.nodes[name], record, outcome.error, now)
            if isinstance(decision, Again):
                return [self._postpone(record, decision, now)]
            if isinstance(decision, Unknown):
                record.outcome = outcome
                self._end(record, Status.UNKNOWN, now, decision.reason, Cause.SERVICE)
                return self._settle(now)
        self._finish(record, outcome, now)
        return self._settle(now)

    def wake(self, name: str, now: float) -> list[Command]:
        """The next attempt of a step is due. Nothing where the step was stopped meanwhile."""
        record = self.records[name]
        if record.due is None:
            return []
        record.due = None
        return [self._attempt(record, now)]

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
        if self.status not in (Status.FAILED, Status.STOPPED):
            raise NotRunning(f"an execution that is {self.status} cannot be retried")
        kept = {name for name, record in self.records.items() if record.status is Status.SUCCEEDED}
        turns = {n for n, r in self.records.items() if r.parent is not None and r.parent not in kept}
        for name in turns:
            del self.records[name], self.nodes[name]
        for name, record in self.records.items():
            if name not in kept:
                self.records[name] = Record(name, record.type, record.order)
        self.conclusion = self.ended_at = None
        self.stopping = self.failing = self.closed = False
        self.parallelism = min(parallelism or self.parallelism, MAX_PARALLEL)
        self._open = sum(not record.status.ended for record in self.records.values())
        for name in list(self.records):
            self._examine(name, now)
        return self._settle(now)

    # -- from one event to the next -----------------------------------------------------------------------------------

    def _settle(self, now: float) -> list[Command]:
        """Start whatever can start, until nothing changes any more."""
        commands: list[Command] = []
        while True:
            if self._told:
                self._tell(self._told.popleft(), now)
                continue
            name = self._next()
            if name is None:
                break
            command = self._begin_step(name, now)
            if command is not None:
                commands.append(command)
        if self._open == 0 and self.conclusion is None:
            self.ended_at = now
            self.conclusion = conclude(self.nodes, self.records, stopped=self.stopping)
        return commands

    def _tell(self, name: str, now: float) -> None:
        """A step has ended: those that wait for it, and the ForEach that it is a turn of, look again."""
        for dependent in self._dependents.get(name, ()):
            self._examine(dependent, now)
        parent = self.records[name].parent
        if parent is None:
            return
        self._left[parent] -= 1
        if self._left[parent] == 0:
            record = self.records[parent]
            children = [child for child in self.records.values() if child.parent == parent]
            count = len(children) // len(self.nodes[parent].children)
            self._finish(record, foreach.outcome(self.nodes[parent], count, children), now)

    def _examine(self, name: str, now: float) -> None:
        record = self.records[name]
        if record.status is not Status.WAITING:
            return
        found = verdict(self.nodes[name], self.records)
        if found.state is State.SKIP:
            self._end(record, Status.SKIPPED, now, found.reason, found.cause)
        elif found.state is State.UNKNOWN:
            self._end(record, Status.UNKNOWN, now, found.reason, found.cause)
        elif found.state is State.READY:
            record.triggered = found.triggered
            queue = CONTROL_QUEUE if record.type in CONTROL else record.parent or ""
            heappush(self._queues[queue], (record.order, name))

    def _next(self) -> str | None:
        """The next step to start: in file order, within the parallelism and each ForEach's concurrency."""
        if self._queues[CONTROL_QUEUE]:
            return heappop(self._queues[CONTROL_QUEUE])[1]
        if self._running[""] >= self.parallelism:
            return None
        open_queues = [
            queue
            for name, queue in self._queues.items()
            if queue and (not name or self._running[name] < self.nodes[name].concurrency)
        ]
        return heappop(min(open_queues))[1] if open_queues else None

    # -- one step -----------------------------------------------------------------------------------------------------

    def _begin_step(self, name: str, now: float) -> Command | None:
        node, record = self.nodes[name], self.records[name]
        if self.closed or self.stopping or self.failing:
            refused = self._refusal(node, record)
            if refused is not None:
                self._end(record, *refused[:1], now, *refused[1:])
                return None
        scope = StepScope(self.situation, node, record, now)
        try:
            record.arguments = node.arguments(scope)
            body = node.around(scope)
            items = foreach.items(record.arguments) if node.type == "ForEach" else []
        except Unavailable as error:
            record.start, record.status = now, Status.EXECUTING
            record.attempts.append(Attempt(now, now, message=str(error)))
            self._finish(record, Outcome(Status.FAILED, message=str(error)), now, occupied=False)
            return None
        record.start, record.status = now, Status.EXECUTING
        if node.type == "ForEach":
            return self._expand(node, record, items, now)
        if node.type == "Fail":
            return self._fail(record, now)
        if node.type not in CONTROL:
            if self._take_cached(node, record, body, now):
                return None
            self._occupy(record, 1)
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
        node = self.nodes[record.name]
        record.attempts.append(Attempt(now))
        body = node.around(StepScope(self.situation, node, record, now))
        return Start(
            Task(
                name=record.name,
                type=record.type,
                body=body,
                arguments=record.arguments,
                attempt=len(record.attempts),
                parent=record.parent,
                iteration=record.iteration,
                outcome=evaluate(record.arguments) if record.type == "Condition" else None,
            )
        )

    def _postpone(self, record: Record, again: Again, now: float) -> Command:
        record.used[again.policy] = record.used.get(again.policy, 0) + 1
        record.first_failure.setdefault(again.policy, now)
        record.due = now + again.delay
        return Wake(record.name, record.due)

    def _finish(self, record: Record, outcome: Outcome, now: float, *, occupied: bool = True) -> None:
        record.outcome = outcome
        if outcome.status is Status.SUCCEEDED:
            self._remember(record, outcome, now)
        cause = Cause.VALUE if outcome.status is Status.UNKNOWN else None
        if not occupied and record.type not in CONTROL:
            self._occupy(record, 1)
        self._end(record, outcome.status, now, outcome.message, cause)

    def _end(self, record: Record, status: Status, now: float, reason: str, cause: Cause | None) -> None:
        """The step has ended, or will never start."""
        if record.start is not None:
            record.end = now
            if record.type not in CONTROL and record.cached is None:
                self._occupy(record, -1)
        record.status, record.reason, record.cause = status, reason, cause
        self.failing = self.failing or status is Status.FAILED
        self._open -= 1
        self._told.append(record.name)

    def _occupy(self, record: Record, change: int) -> None:
        self._running[""] += change
        if record.parent is not None:
            self._running[record.parent] += change

    def _running_record(self, name: str) -> Record:
        record = self.records.get(name)
        if record is None or record.status is not Status.EXECUTING or record.due is not None:
            raise NotRunning(f"`{name}` is not running")
        return record

    # -- kinds of steps -----------------------------------------------------------------------------------------------

    def _fail(self, record: Record, now: float) -> None:
        message = text(record.arguments.get("ErrorMessage", ""))
        shown = str(message)
        record.attempts.append(Attempt(now, now, message=shown))
        self.closed = True
        self._finish(record, Outcome(Status.FAILED, {"ErrorMessage": message}, message=shown), now)

    def _expand(self, node: Node, record: Record, items: list[Any] | Unknown, now: float) -> None:
        """The turns of a ForEach: its body once for each item."""
        record.attempts.append(Attempt(now))
        if isinstance(items, Unknown):
            self._finish(record, Outcome(Status.UNKNOWN, message=items.reason), now)
            return
        self._queues[node.name], self._running[node.name] = [], 0
        turns = [child.turn(index) for index in range(len(items)) for child in node.children]
        self._left[node.name] = len(turns)
        self._open += len(turns)
        for turn in turns:
            self.nodes[turn.name] = turn
            self.records[turn.name] = Record(
                turn.name, turn.type, turn.order, parent=node.name, iteration=turn.iteration, item=items[turn.iteration or 0]
            )
            for need in turn.needs:
                self._dependents[need.source] = (*self._dependents.get(need.source, ()), turn.name)
        for turn in turns:
            self._examine(turn.name, now)

    def _take_cached(self, node: Node, record: Record, body: Mapping[str, Any], now: float) -> bool:
        """End the step with an earlier result, where there is one that may be taken."""
        if self.cache is None or not enabled(body):
            return False
        key = cache_key(body, record.arguments)
        if isinstance(key, Unknown):
            record.notes.append(f"whether an earlier result is taken cannot be told: {key.reason}")
            return False
        entry = self.cache.find(self.identity.pipeline, node.name, key)
        fresh = is_fresh(body, entry, now) if entry is not None else False
        if isinstance(fresh, Unknown):
            record.notes.append(f"whether an earlier result is taken cannot be told: {fresh.reason}")
        if entry is None or fresh is not True:
            return False
        record.cached = entry.execution
        record.attempts.append(Attempt(now, now))
        record.outcome = entry.outcome
        self._end(record, Status.SUCCEEDED, now, "", None)
        return True

    def _remember(self, record: Record, outcome: Outcome, now: float) -> None:
        body = self.nodes[record.name].body
        if self.cache is None or not enabled(body):
            return
        key = cache_key(body, record.arguments)
        if isinstance(key, str):
            entry = Entry(now, outcome, self.identity.execution_arn)
            self.cache.add(self.identity.pipeline, record.name, key, entry)

    def _select(self, name: str, selection: Selection, now: float) -> None:
        record = self.records[name]
        if name in selection.steps:
            return
        record.outcome = selection.results.get(name)
        if record.outcome is not None:
            record.reused = selection.reference
            self._end(record, Status.SUCCEEDED, now, "", None)
        else:
            self._end(record, Status.SKIPPED, now, "it was not selected", Cause.SELECTION)

    # -- copies and snapshots -----------------------------------------------------------------------------------------

    def copy(self) -> Execution:
        """An execution in the same state, to be continued in another way. Steps that have ended are shared."""
        made: Execution = object.__new__(Execution)
        made.__dict__.update(self.__dict__)
        made.nodes = dict(self.nodes)
        made.records = {n: r if r.status.ended else r.copy() for n, r in self.records.items()}
        situation = self.situation
        made.situation = Situation(
            situation.identity,
            situation.definition,
            situation.parameters,
            made.nodes,
            made.records,
            situation.documents,
            situation.started,
        )
        made._dependents = dict(self._dependents)
        made._queues = {name: [*queue] for name, queue in self._queues.items()}
        made._running, made._left, made._told = {**self._running}, {**self._left}, deque(self._told)
        return made

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON has it, between two events. See `restore`."""
        return {
            "started": self.started,
            "ended": self.ended_at,
            "stopping": self.stopping,
            "closed": self.closed,
            "parallelism": self.parallelism,
            "records": [dump(record) for record in self.records.values()],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up the state that `snapshot` gave; the execution is made as the first one was."""
        self.situation.started = snapshot["started"]
        self.ended_at, self.stopping = snapshot["ended"], snapshot["stopping"]
        self.closed, self.parallelism = snapshot["closed"], snapshot["parallelism"]
        for data in snapshot["records"]:
            record = load(data)
            self.records[record.name] = record
            if record.parent is not None:
                self._restore_turn(record)
        records = self.records.values()
        self.failing = any(record.status is Status.FAILED for record in records)
        self._open = sum(not record.status.ended for record in records)
        for record in records:
            if record.status is Status.EXECUTING and record.type not in CONTROL:
                self._occupy(record, 1)
        if self._open == 0:
            self.conclusion = conclude(self.nodes, self.records, stopped=self.stopping)
        else:
            for name in list(self.records):
                self._examine(name, self.started)

    def _restore_turn(self, record: Record) -> None:
        parent = record.parent or ""
        child = next(c for c in self.nodes[parent].children if record.name == f"{c.name}-{record.iteration}")
        turn = self.nodes[record.name] = child.turn(record.iteration or 0)
        self._queues.setdefault(parent, [])
        self._running.setdefault(parent, 0)
        self._left[parent] = self._left.get(parent, 0) + (not record.status.ended)
        for need in turn.needs:
            self._dependents[need.source] = (*self._dependents.get(need.source, ()), turn.name)


CONTROL_QUEUE = "control"

Observer = Callable[[Execution, list[Command], float], None]
