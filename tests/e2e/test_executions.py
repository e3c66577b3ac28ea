"""`start`, `status`, `watch`, `stop`, `retry`, `executions`, `parameters` and `logs`, against executions in the emulator.

Steps end as `tests/scenario.yaml` says, by their names.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.emulator_fixture import ACCOUNT, REGION
from tests.shell import Shell

LOOK = ("--interval", "0.01")


@pytest.fixture
def deployed(shell: Shell) -> Shell:
    shell("upsert", "--yes", "pipelines/one")
    return shell


def started(shell: Shell) -> list[dict[str, Any]]:
    return shell.client().list_pipeline_executions(PipelineName="one")["PipelineExecutionSummaries"]


def change(shell: Shell, **texts: str) -> None:
    """Write other texts into the pipeline `one` (names of steps, most of all), and deploy it."""
    file = shell.write("one")
    text = file.read_text()
    for old, new in texts.items():
        text = text.replace(old, new)
    file.write_text(text)
    shell("upsert", "--yes", "pipelines/one")


def begin(shell: Shell, step: str | None = None) -> str:
    """Start `one`, and wait until a step runs; the execution as `one/<id>`."""
    arn = shell("start", "one").out.strip()
    listed = shell.client().list_pipeline_execution_steps
    for _ in range(200 if step else 0):
        found = listed(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        if any(s["StepName"] == step and s["StepStatus"] == "Executing" for s in found):
            break
        time.sleep(0.05)
    return f"one/{arn.rpartition('/')[2]}"


def finish(shell: Shell, *, code: int = 0) -> str:
    """Start `one`, and wait for its end; the execution as `one/<id>`."""
    lines = shell("start", "one", "--watch", *LOOK, code=code).out.splitlines()
    return f"one/{lines[0].rpartition('/')[2]}"


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
    whole = finish(deployed)
    arn = deployed("start", "one", "--steps", "Train", "--from", whole, "--watch", *LOOK).out.splitlines()[0]
    lines = deployed("status", arn).out.splitlines()
    assert [line.split()[0] for line in lines] == ["Prepare", "Train", "execution"]
    deployed("start", "one", "--steps", "Prepare")
    change(deployed, Prepare="Broken")
    broken = finish(deployed, code=1)
    err = deployed("start", "one", "--steps", "Train", "--from", broken.partition("/")[2], code=1).err
    assert "read what `Broken` made, and in arn:" in err and "that did not succeed" in err


# -- looking ----------------------------------------------------------------------------------------------------------


def test_executions(deployed: Shell) -> None:
    arns = [deployed("start", "one", "--watch", *LOOK).out.splitlines()[0] for _ in range(3)]
    lines = deployed("executions", "pipelines/one", "-n", "2").out.splitlines()
    assert len(lines) == 2 and all(line.endswith("Succeeded") for line in lines)
    assert [e["arn"] for e in deployed("executions", "one", "--format", "json").json] == arns[::-1]
    assert "there is no pipeline `three`" in deployed("executions", "three", code=1).err


def test_status(deployed: Shell) -> None:
    capacity = "Crowded:\n    retry: [{errors: [capacity_error], interval: 10s, max_attempts: 3}]"
    change(deployed, **{"Train:": capacity})
    first = finish(deployed)
    second = finish(deployed)
    number = second.partition("/")[2]
    assert deployed("status", first).out.splitlines()[1] == "Crowded  Succeeded        0 s  3 attempts"
    assert deployed("status", second).out.splitlines() == [
        "Prepare  Succeeded        0 s  cache hit",
        "Crowded  Succeeded        0 s  cache hit",
        f"execution {number}: Succeeded",
    ]
    shown = deployed("status", second, "--format", "json").json
    assert [step["cached_from"].rpartition("/")[2] for step in shown["steps"]] == [
        first.partition("/")[2]
    ] * 2
    assert deployed("status", "one", "--format", "json").json == shown


def test_status_says_why(deployed: Shell) -> None:
    change(deployed, Train="Broken")
    lines = deployed("status", finish(deployed, code=1)).out.splitlines()
    assert lines[1] == "Broken   Failed           0 s  AlgorithmError: exit code 1"
    assert lines[2].endswith(": Failed: Step failure: One or multiple steps failed.")


def test_an_execution_that_does_not_exist(deployed: Shell) -> None:
    assert "was never executed" in deployed("status", "one", code=1).err
    for command in ("status", "watch", "stop", "retry"):
        assert "there is no execution" in deployed(command, "one/nope", code=1).err
        assert "there is no pipeline `three`" in deployed(command, "three/nope", code=1).err


def test_where_steps_are_not_listed(deployed: Shell) -> None:
    execution = finish(deployed)
    deployed.proxy.refuse("ListPipelineExecutionSteps", 400, "UnknownOperationException")
    assert deployed("status", execution).out == f"execution {execution.partition('/')[2]}: Succeeded\n"
    assert deployed("status", execution, "--format", "json").json["steps"] is None


def test_watch_in_plain_lines(deployed: Shell) -> None:
    change(deployed, Train="Slow")
    execution = begin(deployed, "Slow")
    lines = deployed("watch", execution, *LOOK).out.splitlines()
    number = execution.partition("/")[2]
    assert [line.partition(" ")[2] for line in lines] == [
        "Prepare: Succeeded after 0 s",
        "Slow: Executing",
        f"execution {number}: Executing",
        lines[3].partition(" ")[2],
        f"execution {number}: Succeeded",
    ]
    assert " Slow: Succeeded after " in lines[3]


CLEAN_UP = """Broken:
    kind: processing
    image: sklearn:1.2-1
    instance: ml.m5.large
    code: prepare.py
  Clean:
    depends_on: [{step: Broken, when: failed}]"""


@pytest.mark.parametrize(
    ("status", "step"), [("Failed", "Broken"), ("Stopped", "Endless"), ("CompletedWithFailures", CLEAN_UP)]
)
def test_watch_ends_as_the_execution_does(deployed: Shell, status: str, step: str) -> None:
    change(
        deployed, **({"Prepare:": step, ".Prepare.": ".Clean."} if step == CLEAN_UP else {"Prepare": step})
    )
    execution = begin(deployed, step if status == "Stopped" else None)
    if status == "Stopped":
        deployed("stop", execution)
    out = deployed("watch", execution, *LOOK, code=1).out
    assert f"execution {execution.partition('/')[2]}: {status}" in out.splitlines()[-1]


def test_start_and_watch(deployed: Shell) -> None:
    lines = deployed("start", "one", "--watch", *LOOK).out.splitlines()
    assert lines[0].startswith("arn:") and lines[-1].endswith(": Succeeded")


def test_watching_survives_a_bad_connection(deployed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    execution = begin(deployed)
    deployed.proxy.refuse("DescribePipelineExecution", 400, "ThrottlingException", "Rate exceeded", times=3)
    deployed("watch", execution, *LOOK)
    deployed.proxy.refuse("DescribePipelineExecution", 400, "ThrottlingException", "Rate exceeded")
    deployed("watch", execution, *LOOK, code=4)


def test_on_a_terminal_there_is_a_table(deployed: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    change(deployed, Prepare="Slow")
    execution = begin(deployed, "Slow")
    monkeypatch.delenv("CI", raising=False)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sagewright.compiler", "watch", execution, "--interval", "0.05"]
    with subprocess.Popen(command, stdout=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        process.wait(timeout=60)
    os.close(theirs)
    said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert process.returncode == 0
    assert "\033[2F\033[J" in said and "Slow  Executing" in said and "Train  Succeeded" in said


# -- stopping, retrying -----------------------------------------------------------------------------------------------


def test_stop(deployed: Shell) -> None:
    change(deployed, Prepare="Endless")
    execution = begin(deployed, "Endless")
    out = deployed("stop", execution).out
    assert out.startswith("arn:") and out.endswith(": Stopping\n")
    second = begin(deployed, "Endless")
    assert deployed("stop", second, "--wait", *LOOK).out.endswith(": Stopped\n")
    assert deployed("status", second).out.splitlines()[0].split()[:2] == ["Endless", "Stopped"]


def test_what_has_ended_is_not_stopped(deployed: Shell) -> None:
    execution = finish(deployed)
    deployed.proxy.journal.clear()
    assert "is Succeeded already" in deployed("stop", execution).out
    assert "StopPipelineExecution" not in {call.operation for call in deployed.proxy.journal}


def test_retry(deployed: Shell) -> None:
    change(deployed, Train="BrokenOnce")
    execution = finish(deployed, code=1)
    lines = deployed("retry", execution, "--watch", *LOOK).out.splitlines()
    assert lines[-1].endswith(": Succeeded")
    err = deployed("retry", execution, code=1).err
    assert "is Succeeded: only what failed or was stopped is retried" in err


def test_a_retry_after_a_stop(deployed: Shell) -> None:
    change(deployed, Train="Slow")
    execution = begin(deployed, "Slow")
    deployed("stop", execution, "--wait", *LOOK)
    deployed("retry", execution, "--parallelism", "1")
    assert deployed("status", execution).out.endswith(": Executing\n")
    deployed("watch", execution, *LOOK)


def test_a_pipeline_that_executes_is_not_deleted(deployed: Shell) -> None:
    change(deployed, Prepare="Endless")
    execution = begin(deployed, "Endless")
    deployed("delete", "one", "--yes", code=1)
    assert "one" in deployed.names()
    deployed("stop", execution, "--wait", *LOOK)
    deployed("delete", "one", "--yes")
    assert "one" not in deployed.names()


# -- logs -------------------------------------------------------------------------------------------------------------


def put_log(shell: Shell, group: str, stream: str, *messages: str) -> None:
    logs = shell.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now + index, "message": text} for index, text in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def job_of(shell: Shell, execution: str, step: str) -> str:
    shown = shell("status", execution, "--format", "json").json
    return next(s["job"] for s in shown["steps"] if s["name"] == step).rpartition("/")[2]


def test_logs(deployed: Shell) -> None:
    change(deployed, Train="Slow")
    execution = begin(deployed, "Slow")
    job = job_of(deployed, execution, "Slow")
    put_log(deployed, "/aws/sagemaker/TrainingJobs", f"{job}/algo-1-1", "epoch 1", "epoch 2")
    deployed.client("logs").create_log_stream(
        logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=f"{job}0/a"
    )
    out = deployed("logs", execution, "Slow", "--follow", *LOOK).out
    assert out.splitlines() == ["epoch 1", "epoch 2"], "each line once"
    assert deployed("logs", execution, "Slow").out == out
    assert "did you mean `Slow`?" in deployed("logs", execution, "Slwo", code=1).err


FUNCTION = f"""\
name: one
steps:
  Call:
    kind: lambda
    function: arn:aws:lambda:{REGION}:{ACCOUNT}:function:f
    outputs: {{answer: Integer}}
  Gate:
    kind: condition
    if: steps.Call.outputs.answer == 42
    then:
      Stop: {{kind: fail, message: "it is"}}
"""


def test_logs_of_a_function_and_of_what_has_none(deployed: Shell) -> None:
    deployed.write("one").write_text(FUNCTION)
    deployed("upsert", "--yes", "pipelines/one")
    execution = finish(deployed, code=1)
    put_log(deployed, "/aws/lambda/f", "2026/01/01/[1]x", "hello")
    assert deployed("logs", execution, "Call").out == "hello\n"
    assert "writes no log" in deployed("logs", execution, "Gate", code=1).err
    assert deployed("status", execution).out.splitlines()[2].endswith("it is")


def test_a_log_that_is_not_there_yet(deployed: Shell) -> None:
    execution = begin(deployed)
    deployed("watch", execution, *LOOK)
    assert deployed("logs", execution, "Train").out == ""
