"""An executor that runs nothing: steps take the time, give the values and fail as the scenario says."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from heapq import heapify, heappop, heappush
from random import Random
from typing import Any

from sagewright.compiler.engine.describe import describe
from sagewright.compiler.engine.run import Finished, SimulatedClock
from sagewright.compiler.engine.scenario import ERRORS, Behaviour, Fault, Scenario, settle
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.state import Outcome, Status, Task
from sagewright.compiler.engine.values import Unknown, lookup

LAMBDA_LIMIT = 600
"""Source: developer guide, "Lambda step"."""
STOPPING = 0.0
"""Seconds that a job takes to stop: nobody says, and nothing depends on it."""


class SimulatedExecutor:
    """See `run.Executor`. With `random` chances are drawn; without, everything is at its middle and nothing fails by
    chance. `tried` counts the attempts at steps before the execution was retried."""

    def __init__(
        self,
        scenario: Scenario,
        identity: Identity,
        clock: SimulatedClock,
        random: Random | None = None,
        tried: Mapping[str, int] | None = None,
    ) -> None:
        self.scenario = scenario
        self.identity = identity
        self.clock = clock
        self.random = random
        self.tried = tried or {}
        self.contradictions: list[str] = []
        """Outcomes of conditions that the scenario wants and their values deny."""
        self._events: list[tuple[float, int, str, Outcome]] = []
        self._count = 0

    def start(self, task: Task) -> None:
        if task.type == "Condition":
            self._push(0.0, task.name, self._decide(task))
            return
        behaviour = self.scenario.of_task(task)
        fault = behaviour.fault(task.attempt + self.tried.get(task.name, 0), self.random)
        duration, limit = self.scenario.duration(behaviour, task.type, self.random), time_limit(task)
        if limit is not None and duration > limit:
            duration, fault = (
                limit,
                Fault("timeout", message=f"it ran longer than the {limit:g} s that it may take"),
            )
        outcome = failure(fault) if fault else success(task, behaviour, self.identity, self.random)
        self._push(duration, task.name, outcome)

    def stop(self, name: str) -> None:
        self._events = [event for event in self._events if event[2] != name]
        heapify(self._events)
        self._push(STOPPING, name, Outcome(Status.STOPPED, message="the execution was stopped"))

    def due(self) -> float | None:
        """When the next attempt ends, None where none is under way."""
        return self._events[0][0] if self._events else None

    def wait(self, until: float | None) -> Finished | None:
        if not self._events or (until is not None and until < self._events[0][0]):
            assert until is not None, "nothing is under way"
            self.clock.time = until
            return None
        time, _, name, outcome = heappop(self._events)
        self.clock.time = time
        return Finished(name, outcome)

    def _push(self, duration: float, name: str, outcome: Outcome) -> None:
        self._count += 1
        heappush(self._events, (self.clock.time + duration, self._count, name, outcome))

    def _decide(self, task: Task) -> Outcome:
        """The outcome of a condition: what its values say, else what the scenario assumes."""
        wanted, found = self.scenario.of(task.name).outcome, task.outcome
        if isinstance(found, Unknown):
            if wanted is None:
                return Outcome(Status.UNKNOWN, message=found.reason, complete=False)
            chance = float(wanted)
            found = self.random.random() < chance if self.random is not None else chance >= 0.5
        elif isinstance(wanted, bool) and wanted is not found:
            self.contradictions.append(
                f"`{task.name}` is assumed to be {str(wanted).lower()}, but its values make it {str(found).lower()}"
            )
        return Outcome(Status.SUCCEEDED, {"Outcome": str(found)})


def time_limit(task: Task) -> float | None:
    """Seconds that an attempt may take."""
    if task.type == "Lambda":
        return LAMBDA_LIMIT
    limit = lookup(task.arguments, ("StoppingCondition", "MaxRuntimeInSeconds"))
    return limit if isinstance(limit, int) else None


def success(task: Task, behaviour: Behaviour, identity: Identity, random: Random | None = None) -> Outcome:
    """An attempt that succeeded, with what its behaviour gives; the rest is unknown."""
    properties = describe(task, identity)
    if behaviour.outputs:
        properties["OutputParameters"] = settle(behaviour.outputs, random)
    if behaviour.metrics:
        metrics = settle(behaviour.metrics, random)
        properties["FinalMetricDataList"] = [{"MetricName": k, "Value": v} for k, v in metrics.items()]
    if behaviour.properties:
        properties = merged(properties, settle(behaviour.properties, random))
    reports = settle(behaviour.reports, random)
    return Outcome(Status.SUCCEEDED, properties, reports, complete=False)


def failure(fault: Fault) -> Outcome:
    """An attempt that failed."""
    status = Status.STOPPED if fault.error == "stopped" else Status.FAILED
    return Outcome(status, error=ERRORS[fault.error], message=fault.text, complete=False)


def merged(base: Any, over: Any) -> Any:
    """`over` laid over `base`, mappings deeply."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}
    return over


def documents(files: Mapping[str, Any]) -> Any:
    """Reads the JSON that a scenario gives for S3 objects."""

    def read(uri: str) -> Any:
        for pattern, content in files.items():
            if fnmatchcase(uri, pattern):
                return content
        return Unknown(f"nobody gave what `{uri}` holds")

    return read


def simulate(
    execution: Execution,
    scenario: Scenario,
    *,
    random: Random | None = None,
    start: float = 0.0,
    stop_after: float | None = None,
) -> tuple[Execution, list[str]]:
    """Run an execution to its end in no time, and say which assumptions its values deny."""
    from sagewright.compiler.engine.run import run

    clock = SimulatedClock(start)
    executor = SimulatedExecutor(scenario, execution.identity, clock, random)
    run(execution, executor, clock, stop_at=None if stop_after is None else start + stop_after)
    return execution, executor.contradictions


def simulate_again(execution: Execution, scenario: Scenario, *, random: Random | None = None) -> list[str]:
    """Take an execution up again that failed or was stopped; which assumptions its values deny. Raises NotRunning."""
    from sagewright.compiler.engine.run import proceed

    clock = SimulatedClock(execution.ended_at or 0.0)
    executor = SimulatedExecutor(scenario, execution.identity, clock, random)
    proceed(execution, executor, clock, execution.retry(clock.now()))
    return executor.contradictions
