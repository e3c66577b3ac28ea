"""`start`, `status`, `watch`, `stop`, `retry`, `executions`, `parameters` and `logs`.

Where the emulator does not execute, the proxy answers in its place, in answers that botocore's shapes allow.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from tests.emulator_fixture import ACCOUNT, REGION, Call, Proxy
from tests.shell import Shell

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/one/execution/abcdef123456"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


class Script:
    """An execution that the proxy plays: each look at its steps is the next state, the last one stays."""

    def __init__(
        self, proxy: Proxy, *states: tuple[str, list[dict[str, Any]]], reason: str | None = None
    ) -> None:
        self.proxy, self.states, self.reason = proxy, list(states), reason
        self.calls: list[str] = []
        self._model = get_session().get_service_model("sagemaker")
        proxy.rules.append(self.answer)

    def answer(self, call: Call) -> Any:
        status, steps = self.states[0]
        match call.operation:
            case "DescribePipelineExecution":
                body = {"PipelineExecutionArn": ARN, "PipelineExecutionStatus": status, "CreationTime": BEGUN}
                if self.reason and status == "Failed":
                    body["FailureReason"] = self.reason
            case "ListPipelineExecutionSteps":
                body = {"PipelineExecutionSteps": steps}
                if len(self.states) > 1:
                    self.states.pop(0)
            case "StopPipelineExecution":
                self.states = [("Stopping", steps), ("Stopped", steps)]
                body = {"PipelineExecutionArn": ARN}
            case "RetryPipelineExecution":
                self.states = [("Executing", steps), ("Succeeded", steps)]
                body = {"PipelineExecutionArn": ARN}
            case _:
                return None
        self.calls.append(call.operation)
        shape = self._model.operation_model(call.operation).output_shape
        assert not ParamValidator().validate(body, shape).has_errors()
        text = json.dumps(body, default=lambda time: time.timestamp())
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, text.encode()


def step(name: str, status: str, seconds: int | None = None, **more: Any) -> dict[str, Any]:
    ended = {} if seconds is None else {"EndTime": BEGUN + timedelta(seconds=seconds)}
    return {"StepName": name, "StepStatus": status, "StartTime": BEGUN, "AttemptCount": 1, **ended, **more}


@pytest.fixture
def deployed(shell: Shell) -> Shell:
    shell("upsert", "--yes", "pipelines/one")
    return shell


def started(shell: Shell) -> list[dict[str, Any]]:
    return shell.client().list_pipeline_executions(PipelineName="one")["PipelineExecutionSummaries"]


# -- starting ---------------------------------------------------------------------------------------------------------


def test_start(deployed: Shell) -> None:
    arn = deployed("start", "pipelines/one", "-p", "Count=3", "-p", "Mode=full", "--name", "mine").out.strip()
    assert [e["PipelineExecutionArn"] for e in started(deployed)] == [arn]
    found = deployed.client().list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert found["PipelineParameters"] == [{"Name": "Count", "Value": "3"}, {"Name": "Mode", "Value": "full"}]
    shown = deployed("parameters", "one", "--execution", arn.rpartition("/")[2], "--format", "json").json
    assert shown == {"Count": "3", "Mode": "full"}


def test_parameters_from_a_file(deployed: Shell) -> None:
    (deployed.root / "p.yaml").write_text("Count: 0012\nMode: full\n")
    arn = deployed("start", "one", "--params", "p.yaml", "-p", "Mode=fast").out.strip()
    found = deployed.client().list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert found["PipelineParameters"] == [
        {"Name": "Count", "Value": "0012"},
        {"Name": "Mode", "Value": "fast"},
    ]
    (deployed.root / "p.yaml").write_text("- 1\n")
    assert "no mapping" in deployed("start", "one", "--params", "p.yaml", code=2).err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["Count=three"], "`Count` is an Integer, and `three` is none"),
        (["Mode=ful"], "`Mode` is one of `fast` and `full`, not `ful`; did you mean `full`?"),
        (["Cuont=3"], "there is no parameter `Cuont`; did you mean `Count`?"),
        (["Count=x", "Nope=1"], "`Count` is an Integer, and `x` is none; there is no parameter `Nope`"),
        ([f"Mode={'x' * 1025}"], "has 1,025 characters: SageMaker takes 1,024"),
    ],
)
def test_wrong_parameters_are_told_before_the_call(deployed: Shell, given: list[str], said: str) -> None:
    ended = deployed("start", "one", *(word for text in given for word in ("-p", text)), code=1)
    assert said in ended.err
    assert "StartPipelineExecution" not in {call.operation for call in deployed.proxy.journal}


def test_a_parameter_that_must_be_given(deployed: Shell) -> None:
    file = deployed.write("one")
    file.write_text(file.read_text().replace("{Count: 1,", "{Count: {type: Integer},"))
    deployed("upsert", "--yes", "pipelines/one")
    assert "`Count` has no default, and must be given" in deployed("start", "one", code=1).err
    deployed("start", "one", "-p", "Count=1")
    deployed("start", "one", "--version", "1")
    out = deployed("parameters", "pipelines/one").out
    assert out.splitlines() == ["Count: Integer = required", 'Mode: String = "fast"  one of fast, full']


def test_the_same_token_starts_one_execution(deployed: Shell) -> None:
    first = deployed("start", "one", "--token", "build-7").out
    assert deployed("start", "one", "--token", "build-7").out == first
    assert deployed("start", "one", "--token", "build-8").out != first
    assert deployed("start", "one").out != deployed("start", "one").out
    assert len(started(deployed)) == 4


def test_a_start_whose_answer_is_lost_starts_once(deployed: Shell) -> None:
    deployed.proxy.lose("StartPipelineExecution")
    deployed("start", "one")
    assert len(started(deployed)) == 1


def test_what_cannot_be_started(deployed: Shell) -> None:
    assert "there is no pipeline `three`" in deployed("start", "three", code=1).err
    assert "there is no pipeline `one@7`" in deployed("start", "one", "--version", "7", code=1).err
    assert "account 999999999999" in deployed("start", "one", "-t", "other", code=1).err
    assert "there is no step `Trian`" in deployed("start", "one", "--steps", "Trian", code=1).err
    assert "which steps" in deployed("start", "one", "--from", "x", code=1).err


def test_selective_execution_needs_what_the_steps_read(deployed: Shell) -> None:
    assert "read what `Prepare` made" in deployed("start", "one", "--steps", "Train", code=1).err
    Script(deployed.proxy, ("Failed", [step("Prepare", "Failed", 3)]))
    err = deployed("start", "one", "--steps", "Train", "--from", "abcdef123456", code=1).err
    assert f"read what `Prepare` made, and in {ARN} that did not succeed" in err
    deployed.proxy.rules.clear()
    Script(deployed.proxy, ("Failed", [step("Prepare", "Succeeded", 3), step("Train", "Failed", 4)]))
    deployed("start", "one", "--steps", "Train", "--from", "one/abcdef123456")
    deployed("start", "one", "--steps", "Prepare")


# -- looking ----------------------------------------------------------------------------------------------------------


def test_executions(deployed: Shell) -> None:
    arns = [deployed("start", "one").out.strip() for _ in range(3)]
    lines = deployed("executions", "pipelines/one", "-n", "2").out.splitlines()
    assert len(lines) == 2 and all(line.endswith("Succeeded") for line in lines)
    assert {e["arn"] for e in deployed("executions", "one", "--format", "json").json} == set(arns)
    assert "there is no pipeline `three`" in deployed("executions", "three", code=1).err


def test_status(deployed: Shell) -> None:
    cached = {"CacheHitResult": {"SourcePipelineExecutionArn": ARN}}
    Script(
        deployed.proxy,
        (
            "Failed",
            [
                step("Prepare", "Succeeded", 0, **cached),
                step("Train", "Failed", 125, AttemptCount=3, FailureReason="no capacity"),
            ],
        ),
        reason="step Train failed",
    )
    assert deployed("status", "one/abcdef123456").out.splitlines() == [
        "Prepare  Succeeded        0 s  cache hit",
        "Train    Failed       2 m 5 s  3 attempts; no capacity",
        "execution abcdef123456: Failed: step Train failed",
    ]
    steps = deployed("status", ARN, "--format", "json").json["steps"]
    assert (steps[1]["attempts"], steps[0]["cached_from"]) == (3, ARN)


def test_an_execution_that_does_not_exist(deployed: Shell) -> None:
    assert "was never executed" in deployed("status", "one", code=1).err
    for command in ("status", "watch", "stop", "retry"):
        assert "there is no execution" in deployed(command, "one/nope", code=1).err
        assert "there is no pipeline `three`" in deployed(command, "three/nope", code=1).err


def test_where_steps_are_not_listed(deployed: Shell) -> None:
    deployed("start", "one")
    assert deployed("status", "one").out.endswith(": Succeeded\n")


STATES: tuple[tuple[str, list[dict[str, Any]]], ...] = (
    ("Executing", [step("Prepare", "Starting")]),
    ("Executing", [step("Prepare", "Executing")]),
    ("Executing", [step("Prepare", "Succeeded", 61), step("Train", "Executing")]),
    ("Succeeded", [step("Prepare", "Succeeded", 61), step("Train", "Succeeded", 3723)]),
)


def test_watch_in_plain_lines(deployed: Shell) -> None:
    Script(deployed.proxy, *STATES)
    lines = deployed("watch", "one/abcdef123456", "--interval", "0.01").out.splitlines()
    assert [line.partition(" ")[2] for line in lines] == [
        "Prepare: Starting",
        "execution abcdef123456: Executing",
        "Prepare: Executing",
        "Prepare: Succeeded after 1 m 1 s",
        "Train: Executing",
        "Train: Succeeded after 1 h 2 m",
        "execution abcdef123456: Succeeded",
    ]


@pytest.mark.parametrize("status", ["Failed", "Stopped", "CompletedWithFailures"])
def test_watch_ends_as_the_execution_does(deployed: Shell, status: str) -> None:
    Script(deployed.proxy, ("Executing", []), (status, []))
    deployed("watch", "one/abcdef123456", "--interval", "0.01", code=1)


def test_start_and_watch(deployed: Shell) -> None:
    Script(deployed.proxy, *STATES)
    assert (
        deployed("start", "one", "--watch", "--interval", "0.01").out.splitlines()[-1].endswith("Succeeded")
    )


def test_watching_survives_a_bad_connection(deployed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    deployed.proxy.refuse("DescribePipelineExecution", 400, "ThrottlingException", "Rate exceeded", times=3)
    Script(deployed.proxy, *STATES)
    deployed("watch", "one/abcdef123456", "--interval", "0.01")
    deployed.proxy.rules.clear()
    deployed.proxy.refuse("DescribePipelineExecution", 400, "ThrottlingException", "Rate exceeded")
    deployed("watch", "one/abcdef123456", "--interval", "0.01", code=4)


def test_on_a_terminal_there_is_a_table(deployed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    Script(deployed.proxy, *STATES)
    monkeypatch.delenv("CI", raising=False)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sagewright.compiler", "watch", "one/abcdef123456", "--interval", "0.05"]
    with subprocess.Popen(command, stdout=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        process.wait(timeout=60)
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "\033[2F\033[J" in said and "Prepare  Succeeded    1 m 1 s" in said


# -- stopping, retrying -----------------------------------------------------------------------------------------------


def test_stop(deployed: Shell) -> None:
    script = Script(deployed.proxy, ("Executing", [step("Prepare", "Executing")]))
    assert deployed("stop", "one/abcdef123456").out == f"{ARN}: Stopping\n"
    assert "StopPipelineExecution" in script.calls
    assert deployed("stop", "one/abcdef123456", "--wait", "--interval", "0.01").out.endswith(": Stopped\n")


def test_what_has_ended_is_not_stopped(deployed: Shell) -> None:
    script = Script(deployed.proxy, ("Succeeded", []))
    assert "is Succeeded already" in deployed("stop", "one/abcdef123456").out
    assert "StopPipelineExecution" not in script.calls


def test_retry(deployed: Shell) -> None:
    Script(deployed.proxy, ("Failed", []))
    deployed("retry", "one/abcdef123456", "--watch", "--interval", "0.01")
    assert "only what failed or was stopped is retried" in deployed("retry", "one/abcdef123456", code=1).err


# -- logs -------------------------------------------------------------------------------------------------------------


def put_log(shell: Shell, group: str, stream: str, *messages: str) -> None:
    logs = shell.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now + index, "message": text} for index, text in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


JOB = {"Metadata": {"TrainingJob": {"Arn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/job-1"}}}


def test_logs(deployed: Shell) -> None:
    put_log(deployed, "/aws/sagemaker/TrainingJobs", "job-1/algo-1-1", "epoch 1", "epoch 2")
    deployed.client("logs").create_log_stream(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="job-10/a"
    )
    Script(
        deployed.proxy,
        ("Executing", []),
        ("Executing", [step("Train", "Executing", **JOB)]),
        ("Succeeded", [step("Train", "Succeeded", 9, **JOB)]),
    )
    out = deployed("logs", "one/abcdef123456", "Train", "--follow", "--interval", "0.01").out
    assert out.splitlines() == ["epoch 1", "epoch 2"], "each line once"
    assert deployed("logs", ARN, "Train").out == out
    assert "did you mean `Train`?" in deployed("logs", ARN, "Tarin", code=1).err


def test_logs_of_a_function_and_of_what_has_none(deployed: Shell) -> None:
    put_log(deployed, "/aws/lambda/f", "2026/01/01/[1]x", "hello")
    function = {"Metadata": {"Lambda": {"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:sw-1"}}}
    Script(
        deployed.proxy,
        ("Succeeded", [step("Call", "Succeeded", 1, **function), step("Gate", "Succeeded", 1)]),
    )
    assert deployed("logs", ARN, "Call").out == "hello\n"
    assert "writes no log" in deployed("logs", ARN, "Gate", code=1).err


def test_a_log_that_is_not_there_yet(deployed: Shell) -> None:
    Script(deployed.proxy, ("Executing", [step("Train", "Executing", **JOB)]))
    assert deployed("logs", ARN, "Train").out == ""
