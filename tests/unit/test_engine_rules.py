"""Retries, caches, selections, stops, snapshots and descriptions, where the table of semantics does not reach."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagewright.compiler.engine.blueprint import Node, RetryPolicy
from sagewright.compiler.engine.cache import DAY, Entry, MemoryCache, duration
from sagewright.compiler.engine.cost import Prices, cost
from sagewright.compiler.engine.describe import describe
from sagewright.compiler.engine.events import NotRunning, Start, Stop, Wake
from sagewright.compiler.engine.foreach import selected
from sagewright.compiler.engine.parameters import Refused, any_values, resolve
from sagewright.compiler.engine.retry import Again, decide, delay, longest
from sagewright.compiler.engine.run import Finished, SimulatedClock, StopAsked, proceed, run
from sagewright.compiler.engine.scenario import (
    Behaviour,
    Draw,
    Fault,
    Scenario,
    ScenarioError,
    error_name,
    settle,
)
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.selection import select
from sagewright.compiler.engine.simulated import SimulatedExecutor
from sagewright.compiler.engine.snapshot import restore, snapshot
from sagewright.compiler.engine.state import SUCCESS, Outcome, Record, Status, Task, dump, load
from sagewright.compiler.engine.values import Unknown
from tests.engines import fan, gate, plan_of, simulated, statuses, step

FAILED = Outcome(Status.FAILED, error="SageMaker.CAPACITY_ERROR", message="none left")


def names(commands: list[Any]) -> list[str]:
    return [c.task.name if isinstance(c, Start) else c.name for c in commands]


# -- the state machine ------------------------------------------------------------------------------------------------


def test_commands_follow_events() -> None:
    policy = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 7, "MaxAttempts": 1}
    execution = Execution(plan_of(step("A", RetryPolicies=[policy]), step("B", after=["A"])), {})
    (first,) = execution.begin(100.0)
    assert isinstance(first, Start)
    assert (first.task.name, first.task.attempt) == ("A", 1)
    assert execution.finish("A", FAILED, 110.0) == [Wake("A", 117.0)]
    with pytest.raises(NotRunning):
        execution.finish("A", SUCCESS, 111.0)
    (again,) = execution.wake("A", 117.0)
    assert isinstance(again, Start)
    assert again.task.attempt == 2
    assert names(execution.finish("A", SUCCESS, 120.0)) == ["B"]
    assert execution.status == "Executing"
    assert execution.stop(121.0) == [Stop("B")]
    assert execution.status == "Stopping"
    assert execution.finish("B", Outcome(Status.STOPPED), 125.0) == []
    assert execution.status == "Stopped"
    with pytest.raises(NotRunning, match="has ended"):
        execution.stop(126.0)


def test_a_wake_after_a_stop_does_nothing() -> None:
    policy = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "MaxAttempts": 1}
    execution = Execution(plan_of(step("A", RetryPolicies=[policy])), {})
    execution.begin(0.0)
    execution.finish("A", FAILED, 1.0)
    execution.stop(1.5)
    assert execution.wake("A", 2.0) == []
    assert execution.status == "Stopped"


def test_somebody_else_may_ask_for_a_stop() -> None:
    class Asked(SimulatedExecutor):
        asked = False

        def wait(self, until: float | None) -> Any:
            if not self.asked:
                self.asked = True
                return StopAsked()
            return super().wait(until)

    execution = Execution(plan_of(step("A"), step("B", after=["A"])), {})
    clock = SimulatedClock()
    run(execution, Asked(Scenario(), execution.identity, clock), clock)
    assert statuses(execution) == {"A": "Stopped", "B": "Skipped"}
    assert execution.status == "Stopped"


def test_run_conditions_in_a_stopped_execution_are_unknown() -> None:
    plan = plan_of(step("A"), step("N", "Lambda", [{"Step": "A", "Trigger": "Stopped"}]))
    execution = simulated(plan, stop_after=1.0)
    assert statuses(execution) == {"A": "Stopped", "N": "Unknown"}


def test_a_failure_while_stopping_is_not_retried() -> None:
    policy = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "MaxAttempts": 9}
    execution = Execution(plan_of(step("A", RetryPolicies=[policy])), {})
    execution.begin(0.0)
    execution.stop(1.0)
    execution.finish("A", FAILED, 2.0)
    assert execution.records["A"].status is Status.FAILED
    assert execution.status == "Unknown"
    assert execution.conclusion is not None
    assert "failed in an execution that was stopped" in execution.conclusion.reason


def test_an_execution_without_steps_has_succeeded() -> None:
    execution = Execution(plan_of(), {})
    assert execution.begin(5.0) == []
    assert (execution.status, execution.ended_at) == ("Succeeded", 5.0)


def test_at_most_fifty_steps_run_at_once() -> None:
    execution = Execution(plan_of(*(step(f"S{i}") for i in range(60))), {}, parallelism=1000)
    assert len(execution.begin(0.0)) == 50


def test_a_retry_keeps_the_branch_that_was_taken() -> None:
    plan = plan_of(
        gate("G", [step("A")], [step("B")]),
        step("C", after=["A"]),
        parameters=[{"Name": "G", "Type": "Boolean"}],
    )
    execution = simulated(
        plan, Scenario(steps={"A": Behaviour(faults=(Fault("algorithm_error"),))}), {"G": True}
    )
    assert execution.status == "Failed"
    decided = execution.records["G"]
    assert names(execution.retry(1000.0)) == ["A"]
    execution.finish("A", SUCCESS, 1001.0)
    execution.finish("C", SUCCESS, 1002.0)
    assert execution.records["G"] is decided
    assert statuses(execution) == {"G": "Succeeded", "A": "Succeeded", "B": "Skipped", "C": "Succeeded"}
    with pytest.raises(NotRunning):
        execution.retry(1003.0)


def test_a_retry_goes_through_a_foreach_again() -> None:
    plan = plan_of(fan("Fan", [step("T")], items=("a", "b")))
    execution = simulated(plan, Scenario(steps={"T-1": Behaviour(faults=(Fault("algorithm_error"),))}))
    assert statuses(execution) == {"Fan": "Failed", "T-0": "Succeeded", "T-1": "Failed"}
    assert names(execution.retry(1000.0)) == ["T-0", "T-1"]
    for name in ("T-0", "T-1"):
        execution.finish(name, SUCCESS, 1001.0)
    assert execution.status == "Succeeded"


def test_a_foreach_survives_being_written_and_read() -> None:
    plan = plan_of(
        fan("Fan", [step("P"), step("T", after=["P"])], items=("a", "b", "c"), concurrency=1),
        step("End", after=["Fan"]),
    )
    execution = Execution(plan, {})
    execution.begin(0.0)
    execution.finish("P-0", SUCCESS, 1.0)
    again = Execution(plan, {})
    restore(again, json.loads(json.dumps(snapshot(execution))))
    assert names(again.pending()) == ["T-0"]
    assert names(again.finish("T-0", SUCCESS, 2.0)) == ["P-1"]
    assert again.records["T-1"].item == "b"
    for number, name in enumerate(("P-1", "T-1", "P-2", "T-2", "End")):
        again.finish(name, SUCCESS, 3.0 + number)
    assert again.status == "Succeeded"


def test_what_holds_a_slot_still_does_after_being_read() -> None:
    plan = plan_of(*(step(f"S{i}") for i in range(4)))
    execution = Execution(plan, {}, parallelism=2)
    execution.begin(0.0)
    again = Execution(plan, {}, parallelism=2)
    restore(again, snapshot(execution))
    assert names(again.finish("S0", SUCCESS, 1.0)) == ["S2"]


def test_a_failure_is_remembered_after_being_read() -> None:
    plan = plan_of(step("A"), step("B"), step("C", after=["B"]))
    execution = Execution(plan, {})
    execution.begin(0.0)
    execution.finish("A", Outcome(Status.FAILED), 1.0)
    again = Execution(plan, {})
    restore(again, snapshot(execution))
    again.finish("B", SUCCESS, 2.0)
    assert again.records["C"].status is Status.UNKNOWN


def test_a_record_is_the_same_after_being_written_and_read() -> None:
    outcome = Outcome(
        Status.FAILED, {"a": [Unknown("why")]}, {"r": {"x": 1}}, "Step.THROTTLING", "slow", complete=False
    )
    record = Record(
        "A", "Training", (1, 2), Status.FAILED, 1.0, 2.0, outcome=outcome, used={0: 2}, first_failure={0: 1.5}
    )
    assert load(json.loads(json.dumps(dump(record)))) == record


# -- retries ----------------------------------------------------------------------------------------------------------


def node(kind: str = "Training", *policies: RetryPolicy) -> Node:
    return Node("T", kind, {}, (0,), (), lambda _: {}, lambda _: {}, policies)


def policy(
    error: str = "SageMaker.CAPACITY_ERROR", attempts: int | None = 3, expiry: int | None = None
) -> RetryPolicy:
    return RetryPolicy(frozenset({error}), 10, 2.0, attempts, expiry)


@pytest.mark.parametrize(("used", "pause"), [(0, 10), (1, 20), (2, 40)])
def test_delays_double(used: int, pause: float) -> None:
    record = Record("T", "Training", start=0.0, used={0: used})
    assert decide(node("Training", policy()), record, "SageMaker.CAPACITY_ERROR", 5.0) == Again(0, pause)


def test_a_delay_has_an_end() -> None:
    assert delay(RetryPolicy(frozenset(), 43_200, 1e300, 20, None), 19) == 1e9


def test_the_expiry_is_decided_only_where_all_readings_agree() -> None:
    steps = node("Training", policy(attempts=None, expiry=10))
    error = "SageMaker.CAPACITY_ERROR"
    early = Record("T", "Training", start=0.0, first_failure={0: 100.0}, used={0: 1})
    assert decide(steps, early, error, 500.0) == Again(0, 20)
    assert isinstance(decide(steps, early, error, 590.0), Unknown), "the next attempt would start after it"
    assert isinstance(decide(steps, early, error, 650.0), Unknown), "counted from the start it is over"
    assert decide(steps, early, error, 700.0) is None, "counted from the first failure too"


def test_how_long_retries_wait() -> None:
    assert longest(policy(attempts=4)) == 10 + 20 + 40 + 80
    assert longest(policy(attempts=None, expiry=5)) == 300


# -- caches -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("P30D", (30 * DAY, 30 * DAY)),
        ("30d", (30 * DAY, 30 * DAY)),
        ("PT1H", (3600, 3600)),
        ("T16m", (960, 960)),
        ("30dT5h", (30 * DAY + 18_000, 30 * DAY + 18_000)),
        ("P2W", (14 * DAY, 14 * DAY)),
        ("PT1.5S", (1.5, 1.5)),
        ("P1M", (28 * DAY, 31 * DAY)),
        ("5y", (5 * 365 * DAY, 5 * 366 * DAY)),
        ("", None),
        ("P", None),
        ("PT", None),
        ("soon", None),
        ("30", None),
    ],
)
def test_durations(written: str, seconds: tuple[float, float] | None) -> None:
    assert duration(written) == seconds


def test_the_newest_result_counts() -> None:
    cache = MemoryCache()
    for time in (5.0, 9.0, 7.0):
        cache.add("p", "s", "k", Entry(time, SUCCESS, f"run-{time}"))
    found = cache.find("p", "s", "k")
    assert found is not None
    assert found.time == 9.0
    assert cache.find("other", "s", "k") is None


def test_an_expiry_that_is_none_is_told() -> None:
    cached = step("A", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})
    cache = MemoryCache()
    simulated(plan_of(cached), cache=cache)
    again = simulated(plan_of(cached), cache=cache)
    assert again.records["A"].cached is None
    assert again.records["A"].notes == [
        "whether an earlier result is taken cannot be told: `soon` is no ISO 8601 duration"
    ]


def test_a_key_with_something_unknown_is_told() -> None:
    count = step("L", "Lambda")
    cached = step(
        "A",
        Arguments={"Environment": {"N": {"Get": "Steps.L.OutputParameters['n']"}}},
        CacheConfig={"Enabled": True},
    )
    execution = simulated(plan_of(count, cached), cache=MemoryCache())
    assert execution.records["A"].status is Status.SUCCEEDED
    assert "nobody gave a value" in execution.records["A"].notes[0]


def test_another_pipeline_has_another_cache() -> None:
    cached, cache = plan_of(step("A", CacheConfig={"Enabled": True})), MemoryCache()
    simulated(cached, cache=cache, identity=Identity.of("one", "1"))
    assert simulated(cached, cache=cache, identity=Identity.of("two", "1")).records["A"].cached is None
    assert simulated(cached, cache=cache, identity=Identity.of("one", "2")).records["A"].cached is not None


# -- selections -------------------------------------------------------------------------------------------------------

CHAIN = (step("A"), step("B", after=["A"]), step("C", after=["B"]), step("D", after=["C"]))


def test_of_a_selection_the_reference_gives_the_rest() -> None:
    plan = plan_of(*CHAIN)
    before = simulated(plan, identity=Identity.of("p", "before"))
    chosen = select(plan, ["B", "C"], before.identity.execution_arn, before.records)
    execution = simulated(plan, selection=chosen)
    assert statuses(execution) == {"A": "Succeeded", "B": "Succeeded", "C": "Succeeded", "D": "Skipped"}
    assert execution.records["A"].reused == before.identity.execution_arn
    assert execution.records["A"].start is None
    assert execution.status == "Succeeded"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["X"], "are not in the pipeline definition"),
        ([], "At least one step"),
        (["A", "C"], r"\['B'\] are between selected steps"),
        (
            ["B"],
            r"Invalid SourcePipelineExecutionArn: null. The selected steps \[B\] have dependencies on \['A'\]",
        ),
    ],
)
def test_selections_that_are_refused(chosen: list[str], message: str) -> None:
    with pytest.raises(Refused, match=message):
        select(plan_of(*CHAIN), chosen)


# -- what a simulated step gives --------------------------------------------------------------------------------------


def described(kind: str, arguments: Any, name: str = "S") -> dict[str, Any]:
    return describe(Task(name, kind, {}, arguments, 1), Identity.of("p", "abc"))


def test_names_are_stable_and_differ_by_execution() -> None:
    task = Task("Train", "Training", {}, {}, 1)
    one, other = describe(task, Identity.of("p", "abc")), describe(task, Identity.of("p", "def"))
    assert one == describe(task, Identity.of("p", "abc"))
    assert one["TrainingJobName"] != other["TrainingJobName"]
    assert one["TrainingJobName"].startswith("pipelines-abc-Train-")
    assert one["TrainingJobArn"].endswith(f":training-job/{one['TrainingJobName']}")
    long = describe(Task("x" * 64, "Tuning", {}, {}, 1), Identity.of("p", "abc"))
    assert len(long["HyperParameterTuningJobName"]) <= 32


def test_the_request_comes_back() -> None:
    found = described("Processing", {"RoleArn": "r", "AppSpecification": {"ImageUri": "i"}})
    assert found["RoleArn"] == "r"
    assert found["ProcessingJobStatus"] == "Completed"


def test_where_a_model_lies() -> None:
    plain = described("Training", {"OutputDataConfig": {"S3OutputPath": "s3://b/m/"}})
    assert (
        plain["ModelArtifacts"]["S3ModelArtifacts"]
        == f"s3://b/m/{plain['TrainingJobName']}/output/model.tar.gz"
    )
    loose = described(
        "Training", {"OutputDataConfig": {"S3OutputPath": "s3://b/m", "CompressionType": "NONE"}}
    )
    assert loose["ModelArtifacts"]["S3ModelArtifacts"].endswith("/output/model/")
    nowhere = described("Training", {"OutputDataConfig": {"S3OutputPath": Unknown("why")}})
    assert isinstance(nowhere["ModelArtifacts"]["S3ModelArtifacts"], Unknown)


def test_tuning_names_its_jobs() -> None:
    found = described(
        "Tuning", {"HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxNumberOfTrainingJobs": 3}}}
    )
    assert len(found["TrainingJobSummaries"]) == 3
    assert found["BestTrainingJob"] == found["TrainingJobSummaries"][0]


def test_endpoints_keep_their_names_and_configurations_get_a_suffix() -> None:
    assert described("Endpoint", {"EndpointName": "churn"})["EndpointName"] == "churn"
    assert described("EndpointConfig", {"EndpointConfigName": "churn"})["EndpointConfigName"].startswith(
        "churn-"
    )


def test_a_lambda_does_not_give_its_arguments_back() -> None:
    assert described("Lambda", {"x": 1}) == {}


def test_packages_belong_to_their_group() -> None:
    assert described("RegisterModel", {"ModelPackageGroupName": "g"})["ModelPackageArn"].endswith(
        ":model-package/g/1"
    )
    assert isinstance(described("RegisterModel", {})["ModelPackageArn"], Unknown)


def test_emr_gives_its_step() -> None:
    found = described("EMR", {"StepConfig": {"HadoopJarStep": {"Jar": "j", "Args": ["a"]}}})
    assert found["Config"] == {"Jar": "j", "Args": ["a"]}
    assert found["Status"] == {"State": "COMPLETED"}


# -- the rest ---------------------------------------------------------------------------------------------------------


def child(index: int, value: Any) -> Record:
    properties = {} if value is None else {"v": value}
    return Record(
        f"S-{index}",
        "Lambda",
        status=Status.SUCCEEDED,
        iteration=index,
        outcome=Outcome(Status.SUCCEEDED, properties),
    )


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1, 3, 2], {"v": 3}),
        ([1, 3, 3], None),
        ([1, "3"], None),
        ([1, None], None),
        ([1, True], None),
        ([Unknown("w"), 1], None),
    ],
)
def test_what_a_selector_picks(values: list[Any], found: Any) -> None:
    from sagewright.compiler.engine.blueprint import Selector

    picked = selected(Selector("MaxBy", "S", ("v",)), [child(i, v) for i, v in enumerate(values)])
    assert picked == found if found is not None else isinstance(picked, Unknown)


def test_costs_are_added_up_by_attempt_and_instance() -> None:
    config = {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}
    policy = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 600, "MaxAttempts": 1}
    train = step("T", Arguments=config, RetryPolicies=[policy])
    behaviour = Behaviour(duration=1800.0, faults=(Fault("capacity_error", 1),))
    execution = simulated(plan_of(train, step("L", "Lambda")), Scenario(steps={"T": behaviour}))
    total, unpriced = cost(execution, Prices({"training": {"ml.m5.large": 0.5}}))
    assert total == pytest.approx(2 * 0.5 * 2 * 0.5), "two attempts of half an hour on two instances"
    assert unpriced == {"L (Lambda)"}
    assert cost(execution, Prices())[1] == {"ml.m5.large for training", "L (Lambda)"}


def test_groups_of_instances_are_added_up() -> None:
    groups = [
        {"InstanceType": "ml.a", "InstanceCount": 1},
        {"InstanceType": "ml.b", "InstanceCount": Unknown("why")},
    ]
    execution = simulated(plan_of(step("T", Arguments={"ResourceConfig": {"InstanceGroups": groups}})))
    total, unpriced = cost(execution, Prices({"training": {"ml.a": 6.0, "ml.b": 1.0}}))
    assert total == pytest.approx(1.0)
    assert unpriced == {"ml.b (how many is unknown) for training"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("CapacityError", "capacity_error"),
        ("SageMaker.CAPACITY_ERROR", "capacity_error"),
        ("throttling", "throttling"),
        ("Step.THROTTLING", "throttling"),
        ("ResourceLimit", "resource_limit"),
        ("Timeout", "timeout"),
        ("job-internal-error", "job_internal_error"),
    ],
)
def test_names_of_failures(written: str, name: str) -> None:
    assert error_name(written) == name


def test_a_failure_that_is_none_is_told() -> None:
    with pytest.raises(ScenarioError, match="did you mean `capacity_error`"):
        error_name("capcity_error")


def test_draws_stand_at_their_middle_without_chance() -> None:
    assert settle(
        {"a": [Draw("uniform", (1, 3))], "b": Draw("normal", (5, 1)), "c": Draw("choice", ("x", "y"))}, None
    ) == {
        "a": [2],
        "b": 5,
        "c": "x",
    }


def test_faults_follow_each_other() -> None:
    behaviour = Behaviour(
        faults=(Fault("throttling", 2), Fault("capacity_error", 1), Fault("algorithm_error"))
    )
    found = [behaviour.fault(attempt, None) for attempt in range(1, 6)]
    assert [fault.error for fault in found if fault] == [
        *("throttling", "throttling", "capacity_error", "algorithm_error", "algorithm_error")
    ]


def test_parameters_that_are_texts_become_values() -> None:
    definition = {
        "Parameters": [
            {"Name": "I", "Type": "Integer"},
            {"Name": "F", "Type": "Float"},
            {"Name": "B", "Type": "Boolean"},
            {"Name": "S", "Type": "String"},
        ]
    }
    given = {"I": "-3", "F": "1e-2", "B": "True", "S": "3"}
    assert resolve(definition, given) == {"I": -3, "F": 0.01, "B": True, "S": "3"}
    assert isinstance(any_values(definition, {"I": 1})["F"], Unknown)


def test_nothing_finishes_that_has_not_started() -> None:
    execution = Execution(plan_of(step("A")), {})
    with pytest.raises(NotRunning):
        execution.finish("A", SUCCESS, 0.0)
    with pytest.raises(NotRunning):
        execution.finish("Z", SUCCESS, 0.0)
    assert isinstance(Finished("A", SUCCESS).outcome, Outcome)


# -- while it runs ----------------------------------------------------------------------------------------------------


def test_more_steps_at_once_from_now_on() -> None:
    execution = Execution(plan_of(*(step(name) for name in "ABC")), {}, parallelism=1)
    assert names(execution.begin(0.0)) == ["A"]
    assert names(execution.widen(2, 1.0)) == ["B"]
    assert execution.widen(1, 2.0) == []
    assert execution.finish("A", SUCCESS, 3.0) == []
    assert names(execution.finish("B", SUCCESS, 4.0)) == ["C"]


def test_attempts_before_a_retry_of_the_execution_count() -> None:
    scenario = Scenario(steps={"A": Behaviour(faults=(Fault("algorithm_error", 1),))})
    execution = Execution(plan_of(step("A")), {})
    run(execution, SimulatedExecutor(scenario, Identity(), clock := SimulatedClock()), clock)
    assert execution.status == "Failed"
    again = SimulatedExecutor(scenario, Identity(), clock, tried={"A": 1})
    assert proceed(execution, again, clock, execution.retry(clock.now())).status == "Succeeded"
