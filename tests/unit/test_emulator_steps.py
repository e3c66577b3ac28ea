"""The steps of an execution, of every kind, as the emulator answers them: within botocore's shapes."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("moto.sagemaker", reason="moto is not installed (sagewright[local])")

from botocore.session import get_session
from botocore.validate import ParamValidator

from sagewright.compiler.emulator import callbacks
from sagewright.compiler.emulator.execution import UNKNOWN, About, EmulatedExecution
from sagewright.compiler.emulator.inbox import Abandoned, Inbox
from sagewright.compiler.emulator.jobs import KINDS, Jobs
from sagewright.compiler.emulator.pace import Pace
from sagewright.compiler.emulator.requests import violations
from sagewright.compiler.emulator.steps import _KINDS, ARNS, listed
from sagewright.compiler.engine.run import StopAsked
from sagewright.compiler.engine.scenario import Behaviour, Scenario
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.simulated import simulate
from sagewright.compiler.engine.state import Attempt, Record
from tests.engines import fan, gate, plan_of, step

IDENTITY = Identity.of("P", "abcdefghijkl")
PREFIX = "arn:aws:sagemaker:us-west-2:123456789012:"


def emulated(
    *steps: dict[str, Any], scenario: Scenario | None = None, speed: float = 1.0
) -> EmulatedExecution:
    """An execution that was simulated to its end; it began at 1,000 seconds."""
    engine = Execution(plan_of(*steps), {}, IDENTITY)
    simulate(engine, scenario or Scenario(), start=1000.0)
    nothing: Any = None
    return EmulatedExecution(
        About("P", 1, {}, {}, 1000.0), engine, Pace(1000.0, speed), Inbox(), nothing, nothing
    )


def shown(execution: EmulatedExecution) -> dict[str, dict[str, Any]]:
    """Its steps by name, once botocore's shape allows them."""
    found = [{k: v for k, v in made.items() if v is not None} for made in listed(execution)]
    model = get_session().get_service_model("sagemaker")
    shape = model.operation_model("ListPipelineExecutionSteps").output_shape
    answer = {"PipelineExecutionSteps": found}
    assert not ParamValidator().validate(answer, shape).has_errors()
    assert violations(answer, shape) is None
    return {made["StepName"]: made for made in found}


CALL = {"FunctionArn": f"{PREFIX.replace('sagemaker', 'lambda')}function:f"}
ASK = {"SqsQueueUrl": "https://sqs/q"}
CHECK = {"CheckType": "DATA_QUALITY", "SkipCheck": False, "RegisterNewBaseline": True}
KINDS_OF_STEPS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("Training", {}, {}, "TrainingJob"),
    ("Processing", {}, {}, "ProcessingJob"),
    ("Transform", {}, {}, "TransformJob"),
    ("Tuning", {}, {}, "TuningJob"),
    ("AutoML", {}, {}, "AutoMLJob"),
    ("Job", {}, {}, "Job"),
    ("Model", {}, {}, "Model"),
    ("RegisterModel", {"ModelPackageGroupName": "g"}, {}, "RegisterModel"),
    ("Endpoint", {"EndpointName": "e"}, {}, "Endpoint"),
    ("EndpointConfig", {"EndpointConfigName": "c"}, {}, "EndpointConfig"),
    ("InferenceComponent", {"InferenceComponentName": "i"}, {}, "InferenceComponent"),
    ("Lambda", {"a": 1}, CALL, "Lambda"),
    ("Callback", {"a": 1}, ASK, "Callback"),
    ("EMR", {"ClusterId": "j-1", "StepConfig": {"HadoopJarStep": {"Jar": "x"}}}, {}, "EMR"),
    ("EMRServerless", {"ApplicationId": "app1"}, {}, "EMRServerless"),
    ("QualityCheck", {}, CHECK, "QualityCheck"),
    ("ClarifyCheck", {}, {**CHECK, "CheckType": "DATA_BIAS"}, "ClarifyCheck"),
    ("Fail", {"ErrorMessage": "no"}, {}, "Fail"),
]


@pytest.mark.parametrize(("kind", "arguments", "around", "member"), KINDS_OF_STEPS)
def test_every_kind_has_its_metadata(
    kind: str, arguments: dict[str, Any], around: dict[str, Any], member: str
) -> None:
    found = shown(emulated(step("A_step", kind, Arguments=arguments) | around))
    metadata = found["A_step"]["Metadata"]
    assert list(metadata) == [member]
    if kind in ARNS:
        assert metadata[member]["Arn"].startswith(PREFIX)
    assert metadata[member]


def test_no_kind_is_forgotten() -> None:
    tested = {kind for kind, *_ in KINDS_OF_STEPS}
    assert (ARNS.keys() | _KINDS.keys()) - tested == {"Condition", "ForEach", "Lineage"}


def test_a_check_tells_its_flags() -> None:
    metadata = shown(emulated(step("A", "QualityCheck") | CHECK))["A"]["Metadata"]["QualityCheck"]
    job = metadata.pop("CheckJobArn")
    assert metadata == CHECK and ":processing-job/" in job


def test_a_lineage() -> None:
    arns = {"ActionArns": {"a": f"{PREFIX}action/a"}}
    scenario = Scenario(steps={"A": Behaviour(properties=arns)})
    assert shown(emulated(step("A", "Lineage"), scenario=scenario))["A"]["Metadata"] == {"Lineage": arns}


def test_a_loop_and_what_it_selects() -> None:
    field = {"Get": "IterationOutput.Body.OutputParameters['v']"}
    body = step("Body", "Lambda") | CALL | {"OutputParameters": [{"OutputName": "v", "OutputType": "Float"}]}
    loop = fan("Loop", [body], concurrency=1, Selector={"Pick": "MaxBy", "Field": field})
    behaviours = {f"Body-{n}": Behaviour(outputs={"v": value}) for n, value in enumerate((0.5, 0.7))}
    found = shown(emulated(loop, scenario=Scenario(steps=behaviours)))
    assert found["Loop"]["Metadata"]["ForEach"]["Selector"] == {"StepName": "Body", "Index": 1}
    assert found["Body-1"]["IterationContext"] == {"ParentStepName": "Loop", "Index": 1, "Item": "2"}


def test_what_nobody_knows() -> None:
    unknown = {"Get": "Steps.A.FinalMetricDataList['m'].Value"}
    execution = emulated(step("A"), gate("Gate", [step("B")], value=unknown))
    found = shown(execution)
    assert list(found) == ["A", "Gate"], "what may have run is not shown"
    assert found["Gate"]["StepStatus"] == "Failed" and found["Gate"]["FailureReason"].startswith(UNKNOWN)
    assert execution.status == "Failed" and (execution.failure_reason or "").startswith(UNKNOWN)


def test_times_are_those_of_the_wall() -> None:
    scenario = Scenario(durations={"Training": 600.0})
    found = shown(emulated(step("A"), step("B", after=["A"]), scenario=scenario, speed=60.0))
    ended = [made["EndTime"].timestamp() for made in found.values()]
    assert ended == [1010.0, 1020.0]


@pytest.mark.parametrize("kind", KINDS)
def test_jobs_are_described(kind: str) -> None:
    execution = emulated(step("A", kind))
    jobs = Jobs()
    jobs.add_all(execution)
    arn = next(iter(shown(execution)["A"]["Metadata"].values()))["Arn"]
    found = jobs.described(kind, arn.rpartition("/")[2])
    assert found is not None
    assert found[f"{KINDS[kind]}Status"] == "Completed" and found[f"{KINDS[kind]}Arn"] == arn
    assert jobs.described(kind, "none") is None
    jobs.forget(execution)
    assert jobs.described(kind, arn.rpartition("/")[2]) is None


# -- callbacks, time, the inbox ---------------------------------------------------------------------------------------


def test_tokens() -> None:
    first = Record("A", "Callback", start=1.0, attempts=[Attempt(1.0)])
    token = callbacks.token("arn", first)
    assert len(token) == callbacks.LENGTH and token.isalnum()
    assert callbacks.token("arn", first) == token
    others = (Record("A", "Callback", start=2.0, attempts=[Attempt(2.0)]), Record("B", "Callback", start=1.0))
    assert len({callbacks.token("arn", record) for record in others} | {token}) == 3


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("String", "1", "1"), ("Integer", "7", 7), ("Float", "0.5", 0.5), ("Boolean", "True", True)],
)
def test_answers_have_the_declared_type(kind: str, text: str, value: Any) -> None:
    body = {"OutputParameters": [{"OutputName": "o", "OutputType": kind}]}
    outcome = callbacks.succeeded(Record("A", "Callback", body=body), [{"Name": "o", "Value": text}])
    assert outcome.properties == {"OutputParameters": {"o": value}}


@pytest.mark.parametrize(("kind", "text"), [("Integer", "x"), ("Float", ""), ("Boolean", "1")])
def test_answers_of_another_type(kind: str, text: str) -> None:
    from moto.sagemaker.exceptions import ValidationError

    body = {"OutputParameters": [{"OutputName": "o", "OutputType": kind}]}
    with pytest.raises(ValidationError, match=f"wants a value of type {kind}"):
        callbacks.succeeded(Record("A", "Callback", body=body), [{"Name": "o", "Value": text}])


def test_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1010.0)
    pace = Pace(1000.0, 60.0)
    assert pace.now() == 1600.0
    assert (pace.until(1660.0), pace.until(1500.0)) == (1.0, 0.0)
    assert pace.shown(1600.0).timestamp() == 1010.0


def test_an_inbox() -> None:
    inbox = Inbox()
    assert inbox.get(0.0) is None
    inbox.put(StopAsked())
    assert inbox.get(None) == StopAsked()
    inbox.put(StopAsked())
    inbox.clear()
    assert inbox.get(0.0) is None
    inbox.close()
    with pytest.raises(Abandoned):
        inbox.get(None)
