"""Every way that a pipeline can go: all outcomes of its conditions, and at most so many failures.

Where the ways part (a condition is decided, a step succeeds or fails), the execution is copied and goes on in each;
ways that meet in the same state are followed once.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from sagewright.compiler.definition import canonical, own_references, references, steps
from sagewright.compiler.engine.blueprint import Blueprint, Node
from sagewright.compiler.engine.describe import describe
from sagewright.compiler.engine.events import Command, Start, Wake
from sagewright.compiler.engine.scenario import Fault, Scenario
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.simulated import documents, failure
from sagewright.compiler.engine.state import Cause, Outcome, Record, Status, Task
from sagewright.compiler.engine.values import lookup, path

FAILURES = 2
CAP = 20_000
"""States that are looked at, at most."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the end: what was decided, and how it ended."""

    decisions: tuple[str, ...]
    status: str

    def __str__(self) -> str:
        return ", ".join(self.decisions) or "everything succeeds"


@dataclass(slots=True)
class Exploration:
    """What was found. `never` are steps that no way starts, with the reason of one; `dead_ends` ways that succeed
    without a registered model and without a Fail; `unknown` what nobody knows, with a way that leads there."""

    states: int = 0
    ways: int = 0
    exhaustive: bool = True
    statuses: dict[str, int] = field(default_factory=dict)
    never: dict[str, str] = field(default_factory=dict)
    dead_ends: list[Way] = field(default_factory=list)
    empty_references: list[str] = field(default_factory=list)
    unknown: dict[str, Way] = field(default_factory=dict)


@dataclass(slots=True)
class _State:
    """An execution under way. `events` are a heap of what will happen: an attempt that ends, or one that is due."""

    execution: Execution
    events: list[tuple[float, int, Task | str]]
    failures: int
    now: float = 0.0
    decided: dict[str, bool] = field(default_factory=dict)
    decisions: tuple[str, ...] = ()

    def copy(self) -> _State:
        return _State(
            self.execution.copy(), [*self.events], self.failures, self.now, {**self.decided}, self.decisions
        )

    def signature(self, conditions: Mapping[str, str]) -> Hashable:
        """States with the same signature go on alike, and are told of alike.

        What has ended counts only as far as something waits for it, or it decides how the execution ends.
        `conditions` are the texts of all conditions by their names.
        """
        records = self.execution.records
        waiting = {name for name, record in records.items() if record.status is Status.WAITING}
        steps = tuple(_standing(record, self.execution, waiting) for record in records.values())
        open_conditions = {key for name, key in conditions.items() if not records[name].status.ended}
        decided = tuple((key, value) for key, value in self.decided.items() if key in open_conditions)
        coming = tuple(
            sorted((time - self.now, e.name if isinstance(e, Task) else e) for time, _, e in self.events)
        )
        ran = [record for record in records.values() if record.start is not None]
        told = (
            any(r.type == "RegisterModel" and r.status is Status.SUCCEEDED for r in ran),
            any(_led_nowhere(r, self.execution.nodes[r.name]) for r in ran),
            any(r.triggered for r in ran),
        )
        return tuple(step for step in steps if step), coming, self.failures, decided, told


def _standing(record: Record, execution: Execution, waiting: set[str]) -> Hashable:
    """What still counts of a step; None where nothing does."""
    dependents = execution.plan.dependents.get(record.name, ())
    if record.status in (Status.SUCCEEDED, Status.SKIPPED) and waiting.isdisjoint(dependents):
        return None
    outcome = record.outcome.properties.get("Outcome") if record.outcome else None
    handled = record.status is Status.FAILED and any(
        execution.records[name].start is not None for name in dependents
    )
    return record.name, record.status, outcome, len(record.attempts), handled


def explore(
    plan: Blueprint,
    scenario: Scenario,
    parameters: Mapping[str, Any],
    *,
    failures: int = FAILURES,
    cap: int = CAP,
) -> Exploration:
    """Follow every way. `parameters` are resolved; conditions take both branches whatever their values, unless they
    refer to nothing."""
    return _Explorer(plan, scenario, cap).explore(parameters, failures)


class _Explorer:
    def __init__(self, plan: Blueprint, scenario: Scenario, cap: int) -> None:
        self.plan = plan
        self.scenario = scenario
        self.cap = cap
        self.found = Exploration()
        self.identity = Identity()
        self._count = 0
        self._seen: set[Hashable] = set()
        self._alive: set[str] = set()
        """Steps that a way starts, or of which nobody knows whether it does."""
        self._reasons: dict[str, str] = {}
        self._stoppable = {
            n.source for node in plan.nodes.values() for n in node.needs if n.when == "Stopped"
        }
        self._conditions = {
            node.name: canonical({"Conditions": node.body["Arguments"]["Conditions"]})
            for node in plan.nodes.values()
            if node.type == "Condition"
        }
        self._constant = {
            node.name
            for node in plan.nodes.values()
            if node.type == "Condition" and not list(references(node.body["Arguments"]["Conditions"]))
        }

    def explore(self, parameters: Mapping[str, Any], failures: int) -> Exploration:
        execution = Execution(
            self.plan,
            parameters,
            self.identity,
            documents=documents(self.scenario.files),
            parallelism=self.scenario.parallelism,
        )
        first = _State(execution, [], failures)
        self._carry_out(first, execution.begin(0.0))
        left = [first]
        while left:
            if self.found.states >= self.cap:
                self.found.exhaustive = False
                break
            self._follow(left.pop(), left)
        self.found.never = {name: why for name, why in self._reasons.items() if name not in self._alive}
        self.found.empty_references.extend(empty_references(self.plan))
        self.found.dead_ends.sort(key=lambda way: (len(way.decisions), way.decisions))
        return self.found

    def _follow(self, state: _State, left: list[_State]) -> None:
        """Go on to the end; where the ways part, leave the others for later."""
        while state.execution.conclusion is None:
            time, _, event = heappop(state.events)
            state.now = time
            if isinstance(event, str):
                self._carry_out(state, state.execution.wake(event, time))
                continue
            outcomes = self._outcomes(event, state)
            if len(outcomes) > 1:
                signature = (event.name, state.signature(self._conditions))
                if signature in self._seen:
                    self._see(state.execution)
                    return
                self._seen.add(signature)
                self.found.states += 1
            for decision, outcome, cost in outcomes[1:]:
                other = state.copy()
                self._decide(other, event, decision, outcome, cost)
                left.append(other)
            self._decide(state, event, *outcomes[0])
        self._note(state)

    def _outcomes(self, task: Task, state: _State) -> list[tuple[str, Outcome, int]]:
        """How an attempt can end: what to call it, the outcome, and how many failures it takes."""
        if task.type == "Condition":
            return [
                (
                    f"{task.name} is {str(value).lower()}",
                    Outcome(Status.SUCCEEDED, {"Outcome": str(value)}),
                    0,
                )
                for value in self._values(task, state)
            ]
        behaviour = self.scenario.of_task(task)
        fault = behaviour.fault(task.attempt, None)
        if fault is not None:
            return [("", failure(fault), 0)]
        found = [("", self._success(task), 0)]
        if state.failures:
            found.append((f"{task.name} fails", failure(Fault("algorithm_error")), 1))
            if task.name in self._stoppable:
                found.append((f"{task.name} is stopped", failure(Fault("stopped")), 1))
        return found

    def _values(self, task: Task, state: _State) -> list[bool]:
        """The outcomes of a condition: both, but the one that it had where the same condition was decided before."""
        if task.name in self._constant and isinstance(task.outcome, bool):
            return [task.outcome]
        decided = state.decided.get(self._conditions[task.name])
        return [True, False] if decided is None else [decided]

    def _success(self, task: Task) -> Outcome:
        behaviour = self.scenario.of_task(task)
        properties = describe(task, self.identity)
        if behaviour.outputs:
            properties["OutputParameters"] = dict(behaviour.outputs)
        return Outcome(Status.SUCCEEDED, properties, behaviour.reports, complete=False)

    def _decide(self, state: _State, task: Task, decision: str, outcome: Outcome, cost: int) -> None:
        if task.type == "Condition":
            state.decided[self._conditions[task.name]] = outcome.properties["Outcome"] == "True"
        if decision:
            state.decisions = (*state.decisions, decision)
        state.failures -= cost
        self._carry_out(state, state.execution.finish(task.name, outcome, state.now))

    def _carry_out(self, state: _State, commands: list[Command]) -> None:
        for command in commands:
            self._count += 1
            if isinstance(command, Start):
                task = command.task
                took = 0.0 if task.type == "Condition" else self._duration(task)
                heappush(state.events, (state.now + took, self._count, task))
            elif isinstance(command, Wake):
                heappush(state.events, (command.time, self._count, command.name))

    def _duration(self, task: Task) -> float:
        return self.scenario.duration(self.scenario.of_task(task), task.type, None)

    # -- what a way tells ---------------------------------------------------------------------------------------------

    def _note(self, state: _State) -> None:
        execution, found = state.execution, self.found
        way = Way(state.decisions, execution.status)
        found.ways += 1
        found.statuses[way.status] = found.statuses.get(way.status, 0) + 1
        outer = [r for r in execution.records.values() if r.parent is None]
        self._see(execution)
        unknown = [record for record in outer if record.status is Status.UNKNOWN]
        for record in unknown:
            self._note_unknown(record, way)
        if way.status == "Unknown" and not unknown and execution.conclusion is not None:
            found.unknown.setdefault(f"how it ends: {execution.conclusion.reason}", way)
        if way.status == "Succeeded" and self._is_dead_end(outer):
            found.dead_ends.append(way)

    def _see(self, execution: Execution) -> None:
        for record in execution.records.values():
            if record.ran is not False:
                self._alive.add(record.name)
            elif record.status is Status.SKIPPED and record.parent is None:
                self._reasons.setdefault(record.name, record.reason)

    def _note_unknown(self, record: Record, way: Way) -> None:
        if record.reason.startswith("nobody says what a reference"):
            text = f"{record.name}: {record.reason.removeprefix('nobody says ')}"
            if text not in self.found.empty_references:
                self.found.empty_references.append(text)
        subject = f"{record.name}: " if record.cause is not Cause.VALUE or record.start is not None else ""
        self.found.unknown.setdefault(f"{subject}{record.reason}", way)

    def _is_dead_end(self, outer: list[Record]) -> bool:
        """Nothing was registered, though the pipeline can; or a condition led to nothing at all."""
        registers = [r for r in outer if r.type == "RegisterModel"]
        if registers:
            return not any(r.status is Status.SUCCEEDED for r in registers)
        return any(_led_nowhere(record, self.plan.nodes[record.name]) for record in outer)


def _led_nowhere(record: Record, node: Node) -> bool:
    """Whether a condition took a branch that holds nothing."""
    if record.outcome is None or record.type != "Condition":
        return False
    branch = "IfSteps" if record.outcome.properties.get("Outcome") == "True" else "ElseSteps"
    return not node.body["Arguments"].get(branch)


def empty_references(plan: Blueprint) -> list[str]:
    """References to what their step may not have: iterations and jobs beyond the last, a selection without Selector."""
    found: list[str] = []
    for step in steps(plan.definition):
        for reference in own_references(step):
            node = plan.nodes.get(reference.name) if reference.root == "Steps" else None
            if node is None:
                continue
            why = _why_empty(node, path(reference.rest))
            if why is not None:
                found.append(f"{step.name}: `{reference.target}`: {why}")
    return found


def _why_empty(node: Node, segments: tuple[str | int, ...]) -> str | None:
    arguments = node.body["Arguments"]
    match node.type, segments:
        case "ForEach", ("IterationOutputs", int(index), *_):
            items = arguments.get("IterableItems")
            if isinstance(items, list) and index >= len(items):
                return f"there are {len(items)} iterations"
            if not isinstance(items, list):
                return "how many iterations there are, the run decides"
        case "ForEach", ("Selected", *_):
            return None if node.selector else "the ForEach has no Selector"
        case "Tuning", ("TrainingJobSummaries", int(index), *_):
            most = lookup(
                arguments, ("HyperParameterTuningJobConfig", "ResourceLimits", "MaxNumberOfTrainingJobs")
            )
            if isinstance(most, int) and index >= most:
                return f"at most {most} jobs are run"
    return None


def as_json(found: Exploration) -> dict[str, Any]:
    """All of it, as JSON has it."""
    return {
        "exhaustive": found.exhaustive,
        "states": found.states,
        "ways": found.ways,
        "statuses": found.statuses,
        "never": [{"step": name, "reason": reason} for name, reason in found.never.items()],
        "dead_ends": [{"decisions": list(way.decisions), "status": way.status} for way in found.dead_ends],
        "empty_references": found.empty_references,
        "unknown": [{"what": what, "decisions": list(way.decisions)} for what, way in found.unknown.items()],
    }
