"""Laws of the engine, over random DAGs with random branches, run conditions, retries and failures."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagewright.compiler.engine.cache import MemoryCache
from sagewright.compiler.engine.events import NotRunning, Start
from sagewright.compiler.engine.explore import explore
from sagewright.compiler.engine.given import Given
from sagewright.compiler.engine.outcome import Result
from sagewright.compiler.engine.run import Finished, SimulatedClock, proceed
from sagewright.compiler.engine.run import run as go
from sagewright.compiler.engine.scenario import Behaviour, Fault, Scenario
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.simulated import SimulatedExecutor, simulate
from sagewright.compiler.engine.snapshot import restore, snapshot
from sagewright.compiler.engine.state import SUCCESS, Status, Task
from sagewright.compiler.engine.timeline import as_json, critical_path
from tests.engines import CONTROL, World, run, statuses, worlds

FEW = settings(max_examples=60)


class Counting(SimulatedExecutor):
    """Counts what is begun and what ends."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.begun: Counter[tuple[str, int]] = Counter()
        self.ended: Counter[str] = Counter()

    def start(self, task: Task) -> None:
        self.begun[task.name, task.attempt] += 1
        super().start(task)

    def wait(self, until: float | None) -> Finished | None:
        found = super().wait(until)
        if found is not None:
            self.ended[found.name] += 1
        return found


@FEW
@given(worlds())
def test_each_step_ends_exactly_once(world: World) -> None:
    clock = SimulatedClock()
    execution = Execution(world.plan, world.outcomes, parallelism=world.parallelism)
    executor = Counting(world.scenario, execution.identity, clock)
    go(execution, executor, clock)
    assert execution.conclusion is not None
    assert set(executor.begun.values()) <= {1}, "no attempt is begun twice"
    for name, record in execution.records.items():
        assert record.status.ended
        begun = sum(1 for (begun, _) in executor.begun if begun == name)
        inner = record.type in ("Fail", "ForEach")
        assert begun == executor.ended[name] == (0 if inner else len(record.attempts))
        assert (record.start is None) is (record.end is None) is (not record.attempts)
        with pytest.raises(NotRunning):
            execution.finish(name, SUCCESS, clock.now())


@FEW
@given(worlds())
def test_order_holds(world: World) -> None:
    execution = run(world)
    for name, record in execution.records.items():
        if record.start is None:
            continue
        for need in execution.nodes[name].needs:
            source = execution.records[need.source]
            assert source.end is not None
            assert source.end <= record.start
            assert need.when in (source.status, "Any") or (need.when, source.status) == (
                "Completed",
                Status.SUCCEEDED,
            )
            if need.branch is not None:
                assert source.outcome is not None
                assert (source.outcome.properties["Outcome"] == "True") == (need.branch == "IfSteps")


@FEW
@given(worlds())
def test_parallelism_holds(world: World) -> None:
    execution = run(world)
    jobs = [r for r in execution.records.values() if r.start is not None and r.type not in CONTROL]
    for record in jobs:
        at_once = [o for o in jobs if (o.start or 0) <= (record.start or 0) < (o.end or 0)]
        assert len(at_once) <= (world.parallelism or 50)


@FEW
@given(worlds())
def test_each_foreachs_concurrency_holds(world: World) -> None:
    execution = run(world)
    turns = [r for r in execution.records.values() if r.start is not None and r.parent is not None]
    for record in turns:
        fan = execution.nodes[record.parent or ""]
        at_once = [
            o for o in turns if o.parent == fan.name and (o.start or 0) <= (record.start or 0) < (o.end or 0)
        ]
        assert len(at_once) <= fan.concurrency


@FEW
@given(worlds())
def test_nothing_waits_without_need(world: World) -> None:
    """With free slots, a step starts the moment the last thing that it waits for has ended."""
    execution = run(replace(world, parallelism=None))
    for name, record in execution.records.items():
        ends = [execution.records[need.source].end or 0.0 for need in execution.nodes[name].needs]
        if record.start is not None and record.parent is None:
            assert record.start == max(ends, default=0.0)


@FEW
@given(worlds(failures=False, fails=False))
def test_without_failures_the_branches_decide(world: World) -> None:
    """Against a few lines that know no time: a step runs where all that it needs does, in the branch that is taken."""
    ran: dict[str, bool] = {}
    for name, node in world.plan.nodes.items():
        ran[name] = all(
            ran[need.source]
            and need.when in ("Completed", "Any")
            and (need.branch is None or world.outcomes[need.source] == (need.branch == "IfSteps"))
            for need in node.needs
        )
    execution = run(world)
    # `Any` on a step whose run condition was not met is the one thing that nobody knows.
    outer = {name: record for name, record in execution.records.items() if record.parent is None}
    unsure = {name for name, record in outer.items() if record.ran is None}
    found = {name: bool(record.ran) for name, record in outer.items()}
    assert {n: r for n, r in found.items() if n not in unsure} == {
        n: r for n, r in ran.items() if n not in unsure
    }
    assert execution.status == ("Unknown" if unsure else "Succeeded")


@FEW
@given(worlds(failures=False, fails=False))
def test_a_cached_run_equals_an_uncached_one(world: World) -> None:
    cache = MemoryCache()
    first, second = run(world, cache=cache), run(world, cache=cache)
    assert statuses(first) == statuses(second)
    assert first.status == second.status
    for name, record in second.records.items():
        before = first.records[name]
        wanted = before.ran is True and "CacheConfig" in first.nodes[name].body
        assert (record.cached is not None) == wanted
        assert record.outcome == before.outcome


@FEW
@given(worlds(), st.integers(0, 99))
def test_two_runs_with_one_seed_are_equal(world: World, seed: int) -> None:
    chances = {
        name: replace(world.scenario.of(name), rate=0.3, rate_error="capacity_error") for name in world.names
    }
    risky = replace(world, scenario=Scenario(steps=chances))

    def once() -> str:
        result = Result(run(risky, random=Random(seed)))
        return json.dumps(as_json(result, Given(risky.scenario)), default=str)

    assert once() == once()


@FEW
@given(worlds())
def test_what_depends_on_the_unknown_is_unknown_or_skipped(world: World) -> None:
    execution = run(world)
    for name, record in execution.records.items():
        sources = [execution.records[need.source] for need in execution.nodes[name].needs]
        if any(source.status is Status.UNKNOWN for source in sources):
            assert record.status in (Status.UNKNOWN, Status.SKIPPED)
        if record.status is Status.UNKNOWN:
            assert record.reason, "and says why"
    assert execution.conclusion is not None
    assert (execution.status == "Unknown") == bool(
        execution.conclusion.reason
    ) or execution.status == "Failed"


@FEW
@given(worlds(), st.integers(0, 12))
def test_an_execution_that_is_written_and_read_goes_on_alike(world: World, events: int) -> None:
    clock = SimulatedClock()
    whole = Execution(world.plan, world.outcomes, parallelism=world.parallelism)
    executor = SimulatedExecutor(world.scenario, whole.identity, clock)
    commands, timers = whole.begin(0.0), list[tuple[float, str]]()
    for _ in range(events):
        for command in commands:
            if isinstance(command, Start):
                executor.start(command.task)
            else:
                timers.append((command.time, command.name))  # type: ignore[union-attr]
        commands = []
        if whole.conclusion is not None:
            break
        timers.sort()
        event = executor.wait(timers[0][0] if timers else None)
        if event is not None:
            commands = whole.finish(event.name, event.outcome, clock.now())
        else:
            commands = whole.wake(timers.pop(0)[1], clock.now())
    again = Execution(world.plan, world.outcomes, parallelism=world.parallelism)
    restore(again, json.loads(json.dumps(snapshot(whole))))
    assert snapshot(again) == snapshot(whole)
    assert again.status == whole.status
    pending = {c.task.name if isinstance(c, Start) else c.name for c in again.pending()}
    running = {n for n, r in whole.records.items() if r.status is Status.EXECUTING and r.type != "ForEach"}
    assert pending == running
    for execution in (whole, again):
        finish_all(execution, world)
    assert statuses(again) == statuses(whole)


def finish_all(execution: Execution, world: World) -> None:
    """Let everything that is under way, and follows from it, succeed in the order of the names."""
    now = 1e6
    while execution.conclusion is None:
        now += 1
        command = min(execution.pending(), key=lambda c: c.task.name if isinstance(c, Start) else c.name)
        if not isinstance(command, Start):
            execution.wake(command.name, now)
        elif command.task.type == "Condition":
            outcome = {"Outcome": str(world.outcomes[command.task.name])}
            execution.finish(command.task.name, replace(SUCCESS, properties=outcome), now)
        else:
            execution.finish(command.task.name, SUCCESS, now)


@FEW
@given(worlds())
def test_a_copy_goes_its_own_way(world: World) -> None:
    execution = Execution(world.plan, world.outcomes, parallelism=world.parallelism)
    execution.begin(0.0)
    before = json.dumps(snapshot(execution))
    other = execution.copy()
    finish_all(other, world)
    assert json.dumps(snapshot(execution)) == before
    finish_all(execution, world)
    assert statuses(execution) == statuses(other)


@settings(max_examples=40)
@given(worlds(failures=False, retries=False), st.data())
def test_what_can_happen_is_among_what_was_explored(world: World, data: st.DataObject) -> None:
    """Any run with at most two failures ends as one of the ways that were followed, and starts no step that `never`
    names."""
    jobs = [name for name in world.names if world.plan.nodes[name].type not in CONTROL]
    failing = data.draw(st.lists(st.sampled_from(jobs), max_size=2, unique=True)) if jobs else []
    scenario = world.scenario
    for name in failing:
        scenario = scenario.changed(name, faults=(Fault("algorithm_error"),))
    execution = run(replace(world, scenario=scenario, parallelism=None))
    found = explore(world.plan, world.scenario, world.outcomes, cap=3_000)
    if found.exhaustive:
        assert execution.status in found.statuses
        assert not {n for n, r in execution.records.items() if r.ran} & found.never.keys()


@FEW
@given(worlds())
def test_the_critical_path_is_a_chain_to_the_end(world: World) -> None:
    execution = run(world)
    path = critical_path(execution)
    records = [execution.records[name] for name in path]
    if records:
        assert records[-1].end == execution.ended_at
        assert records[0].start == execution.started
    for one, other in pairwise(records):
        assert one.end is not None
        assert other.start is not None
        assert one.end <= other.start


@FEW
@given(worlds(), st.integers(0, 30))
def test_a_stop_ends_everything(world: World, after: int) -> None:
    execution = Execution(world.plan, world.outcomes, parallelism=world.parallelism)
    simulate(execution, world.scenario, stop_after=float(after))
    assert execution.conclusion is not None
    for record in execution.records.values():
        assert record.status.ended
        if execution.stopping and record.start is not None and record.type in ("Training", "Processing"):
            assert record.end is not None
            assert record.end <= after


@FEW
@given(worlds(triggers=False, retries=False, fails=False))
def test_a_retry_runs_what_did_not_succeed(world: World) -> None:
    execution = run(world)
    if execution.status != "Failed":
        with pytest.raises(NotRunning):
            execution.retry(1e6)
        return
    succeeded = {n: r for n, r in execution.records.items() if r.status is Status.SUCCEEDED}
    executor = SimulatedExecutor(
        Scenario(steps={n: Behaviour(duration=1.0) for n in world.names}),
        execution.identity,
        SimulatedClock(1e6),
    )
    proceed(execution, executor, executor.clock, execution.retry(1e6))
    assert execution.status == "Succeeded"
    for name, record in succeeded.items():
        if record.parent is None or record.parent in succeeded:
            assert execution.records[name] is record
    fresh = run(replace(world, scenario=Scenario()))
    assert statuses(execution) == statuses(fresh)
