"""Timelines, samples, explorations, coverage, and the forms in which tests are told."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from sagewright.compiler.diagnostics import Span
from sagewright.compiler.engine.compare import Mismatch
from sagewright.compiler.engine.coverage import coverage
from sagewright.compiler.engine.explore import explore
from sagewright.compiler.engine.given import Given
from sagewright.compiler.engine.junit import junit
from sagewright.compiler.engine.keywords import matcher
from sagewright.compiler.engine.outcome import Result
from sagewright.compiler.engine.sampling import as_json as sample_json
from sagewright.compiler.engine.sampling import distribution, sample
from sagewright.compiler.engine.scenario import Behaviour, Draw, Fault, Scenario
from sagewright.compiler.engine.telling import exploration_text, sample_text
from sagewright.compiler.engine.testcase import Case, Verdict
from sagewright.compiler.engine.timeline import as_json, as_text, chains, clock, critical_path
from sagewright.compiler.source import Map
from tests.engines import fan, gate, plan_of, simulated, step

GATE = [{"Name": "G", "Type": "Boolean", "DefaultValue": True}]
CAPACITY = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 60, "BackoffRate": 1.0}


# -- timelines --------------------------------------------------------------------------------------------------------


def test_the_critical_path_follows_what_was_waited_for() -> None:
    plan = plan_of(step("A"), step("B", after=["A"]), step("Short"), step("End", after=["B", "Short"]))
    behaviours = {
        name: Behaviour(duration=float(d)) for name, d in {"A": 5, "B": 5, "Short": 3, "End": 1}.items()
    }
    assert critical_path(simulated(plan, Scenario(steps=behaviours))) == ["A", "B", "End"]


def test_the_critical_path_goes_through_what_made_room() -> None:
    execution = simulated(plan_of(step("A"), step("B"), step("C")), parallelism=1)
    assert critical_path(execution) == ["A", "B", "C"]


def test_the_critical_path_goes_through_the_turns_of_a_foreach() -> None:
    plan = plan_of(
        step("Data"), fan("Fan", [step("T", after=[])], items=("a", "b")), step("End", after=["Fan"])
    )
    behaviours = {
        "Data": Behaviour(duration=1.0),
        "T": Behaviour(duration=5.0),
        "T-1": Behaviour(duration=9.0),
    }
    assert critical_path(simulated(plan, Scenario(steps=behaviours))) == ["T-1", "End"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "0.25s"),
        (59, "59s"),
        (60, "1m"),
        (61, "1m 01s"),
        (3600, "1h 00m"),
        (3_899.6, "1h 05m"),
    ],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_the_worst_case_of_attempts() -> None:
    (chain,) = chains(
        plan_of(step("A", RetryPolicies=[{**CAPACITY, "MaxAttempts": 3}])),
        Scenario({}, {"A": Behaviour(duration=10.0)}),
    )
    assert (chain.retries, chain.waiting, chain.running) == (3, 180.0, 40.0)


def test_the_worst_case_of_an_expiry() -> None:
    plan = plan_of(step("A", RetryPolicies=[{**CAPACITY, "ExpireAfterMin": 10}]))
    (chain,) = chains(plan, Scenario(steps={"A": Behaviour(duration=60.0)}))
    # Attempts begin at 0, 120, 240, 360 and 480 s; the next one would at 600.
    assert (chain.retries, chain.waiting, chain.running) == (4, 240.0, 300.0)
    (instant,) = chains(plan, Scenario(steps={"A": Behaviour(duration=0.0)}))
    assert instant.total < 600


def test_a_timeline_shows_what_happened() -> None:
    plan = plan_of(
        step("A", RetryPolicies=[{**CAPACITY, "MaxAttempts": 1}]),
        gate("G", [step("B", after=["A"])], [step("C")], after=["A"]),
        parameters=GATE,
    )
    scenario = Scenario(steps={"A": Behaviour(faults=(Fault("capacity_error", 1),), duration=60.0)})
    result = Result(simulated(plan, scenario, {"G": True}))
    text = as_text(result, Given(scenario))
    assert "try 1" in text
    assert "SageMaker.CAPACITY_ERROR" in text
    assert "`G` was true" in text
    assert "critical path: A → G → B" in text
    assert "capacity_error: 1 retry, at most 3m (waiting 1m, running 2m)" in text
    assert "durations assumed for Training" in text
    data = as_json(result, Given(scenario))
    assert [row["name"] for row in data["steps"]] == ["A", "G", "B", "C"]
    assert data["steps"][0]["attempts"][0]["error"] == "SageMaker.CAPACITY_ERROR"
    assert data["steps"][1]["outcome"] == "True"


# -- samples ----------------------------------------------------------------------------------------------------------


def test_distributions_take_the_nearest_rank() -> None:
    found = distribution([float(n) for n in range(1, 101)])
    assert (found["min"], found["p5"], found["p50"], found["p95"], found["max"]) == (1, 5, 50, 95, 100)
    assert distribution([7.0])["p99"] == 7.0


def test_a_sample_counts_branches_failures_and_costs() -> None:
    from sagewright.compiler.engine.cost import Prices

    config = {"ResourceConfig": {"InstanceType": "ml.x", "InstanceCount": 1}}
    plan = plan_of(
        step("L", "Lambda"),
        gate(
            "G",
            [step("Yes", Arguments=config)],
            [step("No", Arguments=config)],
            value={"Get": "Steps.L.OutputParameters['n']"},
        ),
    )
    steps = {
        "G": Behaviour(outcome=0.25),
        "Yes": Behaviour(rate=0.5),
        "No": Behaviour(duration=Draw("uniform", (0.0, 3600.0))),
    }
    given = Given(Scenario(steps=steps))
    prices = Prices({"training": {"ml.x": 1.0}})
    found = sample(plan, given, 2_000, 7, prices=prices)
    assert found.outcomes["G"]["True"] == pytest.approx(500, abs=80)
    assert found.statuses["Failed"] == pytest.approx(250, abs=60)
    assert 0.4 < distribution(found.costs)["mean"] < 0.5
    assert found.unpriced == {"L (Lambda)"}
    assert sample(plan, given, 200, 7).durations == sample(plan, given, 200, 7).durations
    assert sample(plan, given, 200, 7).durations != sample(plan, given, 200, 8).durations
    text = sample_text(found, "USD")
    assert "2,000 simulated runs, seed 7" in text
    assert "G, reached in 100.0 % of the runs" in text
    assert "without a price, and so not in it: L (Lambda)" in text
    assert sample_json(found)["cost"]["unpriced"] == ["L (Lambda)"]


def test_a_sample_says_why_runs_are_unknown() -> None:
    found = sample(
        plan_of(step("A", "Lambda")),
        Given(Scenario(steps={"A": Behaviour(rate=1.0, rate_error="throttling")})),
        10,
        0,
    )
    assert found.statuses == {"Unknown": 10}
    assert "unknown because:" in sample_text(found)


# -- explorations -----------------------------------------------------------------------------------------------------


def test_every_outcome_and_failure_is_followed() -> None:
    plan = plan_of(step("A"), gate("G", [step("B")], [step("C")], after=["A"]), parameters=GATE)
    found = explore(plan, Scenario(), {"G": True})
    # A fails; G true and B succeeds or fails; G false and C succeeds or fails
    assert (found.ways, found.statuses) == (5, {"Succeeded": 2, "Failed": 3})
    assert found.exhaustive
    assert explore(plan, Scenario(), {"G": True}, failures=0).statuses == {"Succeeded": 2}


def test_a_condition_that_is_asked_twice_answers_alike() -> None:
    same = {"Get": "Parameters.G"}
    other = {"Get": "Parameters.H"}
    for value, ways in ((same, 2), (other, 4)):
        plan = plan_of(
            gate("One", [step("A")], value=same), gate("Two", [step("B")], value=value), parameters=GATE
        )
        assert explore(plan, Scenario(), {"G": True, "H": True}, failures=0).ways == ways


def test_a_constant_condition_has_one_outcome() -> None:
    found = explore(plan_of(gate("G", [step("A")], [step("B")], value=True)), Scenario(), {}, failures=0)
    assert found.ways == 1
    assert found.never == {"B": "`G` was true"}


def test_steps_that_never_run_are_found() -> None:
    plan = plan_of(gate("G", [step("A")], [step("B")]), step("Join", after=["A", "B"]), parameters=GATE)
    found = explore(plan, Scenario(), {"G": True})
    assert list(found.never) == ["Join"]
    assert "never started" in found.never["Join"]


def test_dead_ends_are_found() -> None:
    registers = plan_of(gate("G", [step("R", "RegisterModel")], [step("Note", "Lambda")]), parameters=GATE)
    (end,) = explore(registers, Scenario(), {"G": True}, failures=0).dead_ends
    assert str(end) == "G is false"
    nowhere = plan_of(gate("G", [step("A")]), parameters=GATE)
    assert [str(way) for way in explore(nowhere, Scenario(), {"G": True}, failures=0).dead_ends] == [
        "G is false"
    ]
    told = plan_of(
        gate("G", [step("R", "RegisterModel")], [step("F", "Fail", Arguments={"ErrorMessage": "x"})]),
        parameters=GATE,
    )
    assert explore(told, Scenario(), {"G": True}, failures=0).dead_ends == []


def test_references_that_may_be_empty_are_found() -> None:
    tuning = {"HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxNumberOfTrainingJobs": 2}}}
    plan = plan_of(
        fan("Fan", [step("S", "Lambda")]),
        step("Tune", "Tuning", Arguments=tuning),
        step("T"),
        step(
            "Use",
            "Lambda",
            Arguments={
                "a": {"Get": "Steps.Fan.IterationOutputs[2].S.x"},
                "b": {"Get": "Steps.Fan.Selected.x"},
                "c": {"Get": "Steps.Tune.TrainingJobSummaries[2].TrainingJobName"},
                "fine": {"Get": "Steps.Tune.TrainingJobSummaries[1].TrainingJobName"},
            },
        ),
        step(
            "Alarm",
            "Lambda",
            [{"Step": "T", "Trigger": "Failed"}],
            Arguments={"job": {"Get": "Steps.T.TrainingJobName"}},
        ),
    )
    found = explore(plan, Scenario(), {})
    assert [text.partition(":")[0] for text in found.empty_references] == ["Alarm", "Use", "Use", "Use"]
    assert "there are 2 iterations" in found.empty_references[1]
    assert "has no Selector" in found.empty_references[2]
    assert "at most 2 jobs" in found.empty_references[3]


def test_what_nobody_knows_is_told_with_a_way_there() -> None:
    plan = plan_of(step("A"), step("B"), step("C", after=["B"]))
    scenario = Scenario(steps={"A": Behaviour(duration=1.0), "B": Behaviour(duration=5.0)})
    found = explore(plan, scenario, {})
    ((what, way),) = found.unknown.items()
    assert what.startswith("C: nobody says whether SageMaker starts")
    assert str(way) == "A fails"
    assert "where A fails" in exploration_text(found, "p", 2)


def test_a_cap_is_told() -> None:
    found = explore(plan_of(*(step(f"S{i}") for i in range(30))), Scenario(), {}, cap=50)
    assert not found.exhaustive
    assert found.states <= 50 + 30
    assert "not exhaustive" in exploration_text(found, "p", 2)


def test_states_that_meet_are_followed_once() -> None:
    """Conditions in a row that lead nowhere: 2 ** 20 ways, and a state for each condition."""
    gates = [gate(f"G{i}", after=[f"G{i - 1}"] if i else []) for i in range(20)]
    parameters = [{"Name": f"G{i}", "Type": "Boolean"} for i in range(20)]
    found = explore(
        plan_of(*gates, parameters=parameters),
        Scenario(),
        dict.fromkeys((p["Name"] for p in parameters), True),
    )
    assert found.exhaustive
    assert found.states == 20
    assert found.ways == 2


def test_failures_are_counted() -> None:
    plan = plan_of(*(step(f"S{i}") for i in range(3)))
    assert [explore(plan, Scenario(), {}, failures=most).ways for most in range(4)] == [1, 4, 7, 8]


def test_what_was_decided_counts_as_long_as_it_is_asked_for() -> None:
    """The second condition is the first one again: what it says must not be lost where the ways meet."""
    same = {"Get": "Parameters.G"}
    plan = plan_of(
        gate("One", [step("A")], [step("B")], value=same),
        step("C", "Callback"),
        gate("Two", [step("D")], [step("E")], after=["C"], value=same),
        parameters=GATE,
    )
    assert explore(plan, Scenario(), {"G": True}, failures=0).never == {}
    # both ways, and each with a failure of what the first branch, `C` or the second branch runs
    assert explore(plan, Scenario(), {"G": True}, failures=1).ways == 2 * 4


def test_steps_of_ways_that_met_others_have_run() -> None:
    plan = plan_of(
        gate("One", [step("A")], [step("B")]),
        step("C", "Callback"),
        gate("Two", [step("D")], value={"Get": "Parameters.H"}, after=["C"]),
        parameters=[{"Name": "One", "Type": "Boolean"}, {"Name": "H", "Type": "Boolean"}],
    )
    found = explore(plan, Scenario(), {"One": True, "H": True}, failures=0)
    assert (found.never, found.states) == ({}, 2)


# -- coverage and tests -----------------------------------------------------------------------------------------------


def test_coverage_says_what_is_not_reached() -> None:
    plan = plan_of(
        step("A", RetryPolicies=[{**CAPACITY, "MaxAttempts": 1}]),
        gate("G", [step("B")], [step("C")], after=["A"]),
        step("Alarm", "Lambda", [{"Step": "A", "Trigger": "Failed"}]),
        parameters=GATE,
    )
    good = simulated(plan, None, {"G": True})
    found = coverage(plan, [good])
    assert found.summary() == "branches 1 of 2, retries 0 of 1, run conditions 0 of 1"
    assert found.missing() == [
        ("branches", "G: else"),
        ("retries", "A: capacity_error"),
        ("run conditions", "Alarm: when A is failed"),
    ]
    retried = simulated(
        plan, Scenario(steps={"A": Behaviour(faults=(Fault("capacity_error"),))}), {"G": True}
    )
    other = simulated(plan, None, {"G": False})
    assert coverage(plan, [good, retried, other]).missing() == []


def test_coverage_counts_a_foreachs_body_once() -> None:
    plan = plan_of(fan("Fan", [step("T", RetryPolicies=[{**CAPACITY, "MaxAttempts": 1}])]))
    retried = simulated(plan, Scenario(steps={"T-1": Behaviour(faults=(Fault("capacity_error", 1),))}))
    assert coverage(plan, [retried]).reached["retries"] == {"T: capacity_error": True}
    assert coverage(plan_of(step("A")), []).summary() == "nothing to cover"


def test_junit() -> None:
    span = Span("pipelines/a/tests.yaml", 7, 3)
    case = Case("it <works>\x00", "pipelines/a/tests.yaml", Given(), Map(), span)
    bad = Verdict(case, None, (Mismatch("the status is Failed, not Succeeded", span),), 0.25)
    root = ElementTree.fromstring(junit([Verdict(case, None), bad]))
    suite = root[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("time")) == ("2", "1", "0.250")
    assert suite[0].get("classname") == "pipelines.a.tests"
    assert suite[0].get("name") == "it <works>�"
    assert suite[1][0].get("message") == "the status is Failed, not Succeeded"
    assert suite[1].get("line") == "7"


@pytest.mark.parametrize(
    ("expression", "name", "matches"),
    [
        ("weak", "a weak model", True),
        ("WEAK", "a weak model", True),
        ("strong", "a weak model", False),
        ("weak and model", "a weak model", True),
        ("weak and not model", "a weak model", False),
        ("strong or weak", "a weak model", True),
        ("not (strong or weak)", "a weak model", False),
        ("not not weak", "a weak model", True),
        ("a or b and c", "a", True),
    ],
)
def test_keywords(expression: str, name: str, matches: bool) -> None:
    assert matcher(expression)(name) is matches


@pytest.mark.parametrize("expression", ["", "and", "a and", "not", "(a", "a)", "a b", "()", "or a"])
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        matcher(expression)
