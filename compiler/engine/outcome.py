"""A simulated execution from beginning to end, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from sagewright.compiler.engine.blueprint import Blueprint
from sagewright.compiler.engine.cache import MemoryCache
from sagewright.compiler.engine.events import NotRunning
from sagewright.compiler.engine.given import Given
from sagewright.compiler.engine.parameters import Refused, resolve
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.selection import Selection, select
from sagewright.compiler.engine.simulated import documents, simulate, simulate_again

FIRST, SECOND = "simulated0001", "simulated0002"
"""The ids of simulated executions: the same every time, so that two simulations are equal."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was looked at. `before` is the execution that went before, where the cache or a selection wants one."""

    execution: Execution
    contradictions: tuple[str, ...] = ()
    before: Execution | None = None

    @property
    def duration(self) -> float:
        """Seconds from the start to the end."""
        assert self.execution.ended_at is not None
        return self.execution.ended_at - self.execution.started


def simulate_given(
    plan: Blueprint,
    given: Given,
    *,
    pipeline: str = "pipeline",
    parameters: Mapping[str, Any] | None = None,
    random: Random | None = None,
) -> Result:
    """Simulate what a scenario says. `parameters` go over the scenario's.

    Raises Refused for parameters, selections and retries that SageMaker refuses.
    """
    values = resolve(plan.definition, {**given.scenario.parameters, **(parameters or {})})
    scenario = given.scenario
    cache = MemoryCache()
    start, before, selection = 0.0, None, None
    if given.after is not None or given.select:
        identity = Identity.of(pipeline, FIRST)
        before = Execution(
            plan,
            values,
            identity,
            cache=cache,
            documents=documents(scenario.files),
            parallelism=scenario.parallelism,
        )
        simulate(before, scenario, random=random)
        start = (before.ended_at or 0.0) + (given.after or 0.0)
    if given.select and before is not None:
        selection = select(plan, given.select, before.identity.execution_arn, before.records)
    execution = _execution(plan, values, pipeline, given, cache, selection)
    _, contradictions = simulate(execution, scenario, random=random, start=start, stop_after=given.stop_at)
    if given.retry is not None:
        try:
            contradictions += simulate_again(execution, given.retry, random=random)
        except NotRunning as error:
            raise Refused(str(error)) from None
    return Result(execution, tuple(contradictions), before)


def _execution(
    plan: Blueprint,
    values: Mapping[str, Any],
    pipeline: str,
    given: Given,
    cache: MemoryCache,
    selection: Selection | None,
) -> Execution:
    return Execution(
        plan,
        values,
        Identity.of(pipeline, SECOND if given.after is not None or given.select else FIRST),
        parallelism=given.scenario.parallelism,
        cache=cache,
        documents=documents(given.scenario.files),
        selection=selection,
    )
