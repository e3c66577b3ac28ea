"""Executions in the emulator as any boto3 client sees them. Steps end as `tests/scenario.yaml` says, by their names."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from sagewright.compiler.emulator.requests import violations
from tests.by_hand import (
    CONTAINER,
    IMAGE,
    ROLE,
    TOKEN,
    create,
    definition,
    gate,
    processing,
    register,
    score,
    start,
    status,
    step,
    steps_of,
    training,
    until,
    until_step,
)
from tests.emulator_fixture import ACCOUNT, REGION

ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/p"
NOBODY = f"{ARN}/execution/000000000000"
FAIL = step("Reject", "Fail", {"ErrorMessage": "too bad"})
RETRY = [{"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 5, "MaxAttempts": 3}]


@pytest.fixture
def sagemaker(emulator: str) -> Any:
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    client = boto3.client("sagemaker", endpoint_url=emulator, config=config)
    client.meta.events.register("after-call.sagemaker", check)
    return client


def check(parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """Every answer is one that botocore's shape allows, patterns, enumerations and lengths too."""
    if "Error" not in parsed and model.output_shape is not None and "Pipeline" in model.name:
        answer = {key: value for key, value in parsed.items() if key != "ResponseMetadata"}
        assert not ParamValidator().validate(answer, model.output_shape).has_errors()
        assert violations(answer, model.output_shape) is None


def refused(code: str, operation: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        operation(**request)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response["Error"]["Message"]


# -- from beginning to end --------------------------------------------------------------------------------------------


def test_steps_run_in_order_and_their_branch(sagemaker: Any) -> None:
    create(sagemaker, score(), gate([training("Train")], [FAIL]))
    arn = start(sagemaker, PipelineExecutionDisplayName="mine", PipelineExecutionDescription="first")
    found = until(sagemaker, arn)
    assert (found["PipelineExecutionStatus"], found["PipelineArn"]) == ("Succeeded", ARN)
    assert (found["PipelineExecutionDisplayName"], found["PipelineExecutionDescription"]) == ("mine", "first")
    assert found["PipelineVersionId"] == 1 and "FailureReason" not in found
    steps = steps_of(sagemaker, arn)
    assert list(steps) == ["Score", "Gate", "Train"]
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    assert all(s["StepStatus"] == "Succeeded" and s["AttemptCount"] == 1 for s in steps.values())
    assert steps["Score"]["EndTime"] <= steps["Gate"]["StartTime"] <= steps["Train"]["StartTime"]
    assert sagemaker.describe_pipeline(PipelineName="p")["LastRunTime"] == found["CreationTime"]


def test_a_fail_step_says_why(sagemaker: Any) -> None:
    create(sagemaker, score(), gate([training("Train")], [FAIL], least=0.95))
    found = until(sagemaker, arn := start(sagemaker))
    assert found["PipelineExecutionStatus"] == "Failed"
    assert found["FailureReason"] == "Step failure: One or multiple steps failed."
    steps = steps_of(sagemaker, arn)
    assert list(steps) == ["Score", "Gate", "Reject"]
    assert steps["Reject"]["Metadata"] == {"Fail": {"ErrorMessage": "too bad"}}
    assert steps["Reject"]["FailureReason"] == "too bad"


def test_a_failure_and_what_runs_because_of_it(sagemaker: Any) -> None:
    clean_up = training("Clean", DependsOn=[{"Step": "Broken", "Trigger": "Failed"}])
    create(sagemaker, training("Broken"), clean_up)
    arn = start(sagemaker)
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "CompletedWithFailures"
    broken = steps_of(sagemaker, arn)["Broken"]
    assert (broken["StepStatus"], broken["FailureReason"]) == ("Failed", "AlgorithmError: exit code 1")


def test_retries_are_counted(sagemaker: Any) -> None:
    create(sagemaker, training("Crowded", RetryPolicies=RETRY))
    arn = start(sagemaker)
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    assert steps_of(sagemaker, arn)["Crowded"]["AttemptCount"] == 3


def test_what_nobody_knows_fails_and_says_so(sagemaker: Any) -> None:
    report = {"PropertyFileName": "report", "OutputName": "report", "FilePath": "r.json"}
    unknown = processing("Other", PropertyFiles=[report])
    path = {"PropertyFile": {"Get": "Steps.Other.PropertyFiles.report"}, "Path": "auc"}
    condition = {"Type": "Equals", "LeftValue": {"Std:JsonGet": path}, "RightValue": 1}
    branches = {"Conditions": [condition], "IfSteps": [training("Train")], "ElseSteps": []}
    create(sagemaker, unknown, step("Gate", "Condition", branches))
    found = until(sagemaker, arn := start(sagemaker))
    assert found["PipelineExecutionStatus"] == "Failed"
    said = "The emulator does not know how SageMaker goes on: "
    assert found["FailureReason"].startswith(said) and "nobody gave the report" in found["FailureReason"]
    gate_ = steps_of(sagemaker, arn)["Gate"]
    assert (gate_["StepStatus"], gate_["FailureReason"].startswith(said)) == ("Failed", True)
    message = refused(
        "ValidationException",
        sagemaker.retry_pipeline_execution,
        PipelineExecutionArn=arn,
        ClientRequestToken=TOKEN,
    )
    assert said in message


def test_a_report_that_is_in_s3_is_read(sagemaker: Any, emulator: str) -> None:
    body = json.dumps({"auc": 0.7}).encode()
    boto3.client("s3", endpoint_url=emulator).put_object(
        Bucket="acme-ml", Key="reports/report.json", Body=body
    )
    other = {**score(), "Name": "Other"}
    text = definition(other, gate([training("Train")], [])).replace("Steps.Score.", "Steps.Other.")
    sagemaker.create_pipeline(
        PipelineName="p", PipelineDefinition=text.replace('["Score"]', '["Other"]'), RoleArn=ROLE
    )
    arn = start(sagemaker)
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    assert list(steps_of(sagemaker, arn)) == ["Other", "Gate", "Train"]


# -- starting ---------------------------------------------------------------------------------------------------------

PARAMETERS = [
    {"Name": "N", "Type": "Integer"},
    {"Name": "Mode", "Type": "String", "DefaultValue": "fast", "EnumValues": ["fast", "full"]},
]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Parameter 'N' is undefined."),
        ({"N": "1", "M": "2"}, "Unknown parameter 'M'"),
        ({"N": "one"}, "Unexpected type for parameter 'N'. Expected Integer but found String ('one')."),
        ({"N": ""}, 'Parameter N value "" is too short (length: 0, required minimum: 1).'),
        (
            {"N": "1", "Mode": "slow"},
            "Parameter 'Mode' value 'slow' is not one of its enum values ['fast', 'full'].",
        ),
        (
            {"N": "1", "a b": "1"},
            "1 validation error detected: Value 'a b' at 'pipelineParameters.1.member.name' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: [A-Za-z0-9\-_]*",
        ),
    ],
)
def test_parameters_that_are_refused(sagemaker: Any, given: dict[str, str], message: str) -> None:
    create(sagemaker, training("Train"), parameters=PARAMETERS)
    parameters = [{"Name": name, "Value": value} for name, value in sorted(given.items(), reverse=True)]
    said = refused(
        "ValidationException",
        sagemaker.start_pipeline_execution,
        PipelineName="p",
        PipelineParameters=parameters,
        ClientRequestToken=TOKEN,
    )
    assert said == message
    assert sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"] == []


def test_parameters_are_listed_with_defaults(sagemaker: Any) -> None:
    create(sagemaker, training("Train"), parameters=PARAMETERS)
    arn = start(sagemaker, PipelineParameters=[{"Name": "N", "Value": "7"}])
    listed = sagemaker.list_pipeline_parameters_for_execution
    assert listed(PipelineExecutionArn=arn)["PipelineParameters"] == [
        {"Name": "N", "Value": "7"},
        {"Name": "Mode", "Value": "fast"},
    ]
    first = listed(PipelineExecutionArn=arn, MaxResults=1)
    assert [p["Name"] for p in first["PipelineParameters"]] == ["N"]
    second = listed(PipelineExecutionArn=arn, MaxResults=1, NextToken=first["NextToken"])
    assert [p["Name"] for p in second["PipelineParameters"]] == ["Mode"] and "NextToken" not in second


def test_a_token_starts_one_execution(sagemaker: Any) -> None:
    create(sagemaker, training("Train"))
    arn = start(sagemaker, ClientRequestToken=TOKEN)
    assert (
        start(sagemaker, ClientRequestToken=TOKEN) == start(sagemaker, ARN, ClientRequestToken=TOKEN) == arn
    )
    refused(
        "ConflictException",
        sagemaker.start_pipeline_execution,
        PipelineName="p",
        ClientRequestToken=TOKEN,
        PipelineExecutionDescription="another",
    )
    assert start(sagemaker, ClientRequestToken="u" * 32) != arn
    assert len(sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"]) == 2


def test_versions_and_aliases(sagemaker: Any) -> None:
    create(sagemaker, training("First"), PipelineVersionAliases=["live"])
    sagemaker.update_pipeline(PipelineName="p", PipelineDefinition=definition(training("Second")))
    newest, first, live = (
        start(sagemaker, **which)
        for which in ({}, {"PipelineVersionId": 1}, {"PipelineVersionAlias": "live"})
    )
    for arn, name in ((newest, "Second"), (first, "First"), (live, "First")):
        until(sagemaker, arn)
        assert list(steps_of(sagemaker, arn)) == [name]
        shown = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
        assert f'"{name}"' in shown["PipelineDefinition"]
    found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=live)
    assert (found["PipelineVersionId"], found["PipelineVersionAliases"]) == (1, ["live"])
    by_alias = sagemaker.list_pipeline_executions(PipelineName="p", PipelineVersionAlias="live")
    assert {e["PipelineExecutionArn"] for e in by_alias["PipelineExecutionSummaries"]} == {first, live}
    begin = sagemaker.start_pipeline_execution
    refused("ResourceNotFound", begin, PipelineName="p", PipelineVersionAlias="old", ClientRequestToken=TOKEN)
    refused("ResourceNotFound", begin, PipelineName="p", PipelineVersionId=3, ClientRequestToken=TOKEN)
    both = {"PipelineVersionId": 1, "PipelineVersionAlias": "live"}
    refused("ValidationException", begin, PipelineName="p", ClientRequestToken=TOKEN, **both)


def test_parallelism(sagemaker: Any) -> None:
    create(
        sagemaker,
        *(training(f"Train{n}") for n in range(4)),
        ParallelismConfiguration={"MaxParallelExecutionSteps": 1},
    )
    arn = start(sagemaker)
    assert until(sagemaker, arn)["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}
    steps = list(steps_of(sagemaker, arn).values())
    assert all(a["EndTime"] <= b["StartTime"] for a, b in pairwise(steps))
    wide = start(sagemaker, ParallelismConfiguration={"MaxParallelExecutionSteps": 4})
    until(sagemaker, wide)
    assert len({s["StartTime"] for s in steps_of(sagemaker, wide).values()}) == 1


def test_a_role_and_a_missing_pipeline(sagemaker: Any) -> None:
    create(sagemaker, training("Train"))
    begin = sagemaker.start_pipeline_execution
    refused("ValidationException", begin, PipelineName="p", RoleArn=ROLE, ClientRequestToken=TOKEN)
    refused("ResourceNotFound", begin, PipelineName="q", ClientRequestToken=TOKEN)


# -- selections and caches --------------------------------------------------------------------------------------------


def chain() -> tuple[dict[str, Any], dict[str, Any]]:
    after = training("After")
    after["Arguments"]["HyperParameters"] = {"model": {"Get": "Steps.Train.TrainingJobName"}}
    return training("Train"), after


def test_selective_execution(sagemaker: Any) -> None:
    create(sagemaker, *chain())
    whole = start(sagemaker)
    until(sagemaker, whole)
    selection = {"SelectedSteps": [{"StepName": "After"}], "SourcePipelineExecutionArn": whole}
    arn = start(sagemaker, SelectiveExecutionConfig=selection)
    found = until(sagemaker, arn)
    assert (found["PipelineExecutionStatus"], found["SelectiveExecutionConfig"]) == ("Succeeded", selection)
    steps = steps_of(sagemaker, arn)
    assert steps["Train"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": whole}
    assert steps["Train"]["Metadata"] == steps_of(sagemaker, whole)["Train"]["Metadata"]
    assert "SelectiveExecutionResult" not in steps["After"]


def test_selections_that_are_refused(sagemaker: Any) -> None:
    create(sagemaker, *chain())
    create(sagemaker, training("Endless"), name="q")
    running = start(sagemaker, "q")

    def told(code: str, *names: str, source: str | None = None) -> str:
        config: dict[str, Any] = {"SelectedSteps": [{"StepName": name} for name in names]}
        config |= {"SourcePipelineExecutionArn": source} if source else {}
        return refused(
            code,
            sagemaker.start_pipeline_execution,
            PipelineName="p",
            ClientRequestToken=TOKEN,
            SelectiveExecutionConfig=config,
        )

    assert "are not in the pipeline definition" in told("ValidationException", "Tarin")
    assert "The selected steps [After] have dependencies on ['Train']" in told("ValidationException", "After")
    told("ResourceNotFound", "After", source=NOBODY)
    assert "is not an execution of pipeline" in told("ValidationException", "After", source=running)


def test_the_cache_is_that_of_the_pipeline(sagemaker: Any) -> None:
    cached = training("Train", CacheConfig={"Enabled": True, "ExpireAfter": "P30D"})
    for name in ("p", "q"):
        create(sagemaker, cached, name=name)
    first, second = start(sagemaker), None
    until(sagemaker, first)
    second = start(sagemaker)
    until(sagemaker, second)
    hit = steps_of(sagemaker, second)["Train"]
    assert hit["CacheHitResult"] == {"SourcePipelineExecutionArn": first}
    assert hit["Metadata"] == steps_of(sagemaker, first)["Train"]["Metadata"]
    until(sagemaker, other := start(sagemaker, "q"))
    assert "CacheHitResult" not in steps_of(sagemaker, other)["Train"]


# -- listing ----------------------------------------------------------------------------------------------------------


def test_executions_are_listed_and_paged(sagemaker: Any) -> None:
    create(sagemaker, training("Train"))
    arns = [start(sagemaker, PipelineExecutionDescription=str(n)) for n in range(3)]

    def listed(**request: Any) -> list[str]:
        found = sagemaker.list_pipeline_executions(PipelineName=ARN, **request)
        return [e["PipelineExecutionArn"] for e in found["PipelineExecutionSummaries"]]

    assert listed() == arns[::-1]
    assert listed(SortOrder="Ascending") == arns
    assert listed(SortBy="PipelineExecutionArn", SortOrder="Ascending") == sorted(arns)
    first = sagemaker.list_pipeline_executions(PipelineName="p", MaxResults=2)
    assert len(first["PipelineExecutionSummaries"]) == 2
    assert listed(MaxResults=2, NextToken=first["NextToken"]) == arns[:1]
    begun = first["PipelineExecutionSummaries"][0]["StartTime"]
    assert listed(CreatedAfter=begun + timedelta(hours=1)) == []
    assert listed(CreatedBefore=begun + timedelta(hours=1)) == arns[::-1]
    summary = first["PipelineExecutionSummaries"][0]
    assert summary["PipelineExecutionDescription"] == "2"
    refused("ValidationException", sagemaker.list_pipeline_executions, PipelineName="p", MaxResults=101)
    refused("ResourceNotFound", sagemaker.list_pipeline_executions, PipelineName="none")


def test_steps_are_paged_newest_first(sagemaker: Any) -> None:
    create(sagemaker, training("A"), training("B", "A"), training("C", "B"))
    until(sagemaker, arn := start(sagemaker))
    listed = sagemaker.list_pipeline_execution_steps
    newest = listed(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    assert [s["StepName"] for s in newest] == ["C", "B", "A"]
    page = listed(PipelineExecutionArn=arn, MaxResults=2, SortOrder="Ascending")
    assert [s["StepName"] for s in page["PipelineExecutionSteps"]] == ["A", "B"]
    rest = listed(PipelineExecutionArn=arn, MaxResults=2, SortOrder="Ascending", NextToken=page["NextToken"])
    assert [s["StepName"] for s in rest["PipelineExecutionSteps"]] == ["C"]


@pytest.mark.parametrize(
    "operation",
    [
        "describe_pipeline_execution",
        "list_pipeline_execution_steps",
        "stop_pipeline_execution",
        "retry_pipeline_execution",
        "update_pipeline_execution",
        "list_pipeline_parameters_for_execution",
        "describe_pipeline_definition_for_execution",
    ],
)
def test_an_execution_that_is_not_there(sagemaker: Any, operation: str) -> None:
    token = {"ClientRequestToken": TOKEN} if operation.startswith(("stop", "retry")) else {}
    said = refused("ResourceNotFound", getattr(sagemaker, operation), PipelineExecutionArn=NOBODY, **token)
    assert said == f"Pipeline execution {NOBODY} does not exist."
    assert "failed to satisfy constraint" in refused(
        "ValidationException", getattr(sagemaker, operation), PipelineExecutionArn="x", **token
    )


# -- stopping, retrying, updating, deleting ---------------------------------------------------------------------------


def stop(sagemaker: Any, arn: str, token: str = TOKEN) -> None:
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token)


def test_stop(sagemaker: Any) -> None:
    create(sagemaker, training("Endless"), training("Never", "Endless"))
    until_step(sagemaker, arn := start(sagemaker), "Endless")
    stop(sagemaker, arn)
    stop(sagemaker, arn)
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Stopped"
    assert {n: s["StepStatus"] for n, s in steps_of(sagemaker, arn).items()} == {"Endless": "Stopped"}
    stop(sagemaker, arn)  # the same token: the same request
    message = refused(
        "ValidationException",
        sagemaker.stop_pipeline_execution,
        PipelineExecutionArn=arn,
        ClientRequestToken="s" * 32,
    )
    assert message == "The execution has ended: its status is Stopped."


def test_retry_takes_up_what_failed(sagemaker: Any) -> None:
    create(sagemaker, training("First"), training("BrokenOnce", "First"), training("Last", "BrokenOnce"))
    arn = start(sagemaker)
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Failed"
    before = steps_of(sagemaker, arn)
    retry = {"PipelineExecutionArn": arn, "ClientRequestToken": TOKEN}
    sagemaker.retry_pipeline_execution(**retry)
    assert until(sagemaker, arn, "Succeeded")["PipelineExecutionArn"] == arn
    after = steps_of(sagemaker, arn)
    assert after["First"] == before["First"]
    assert list(after) == ["First", "BrokenOnce", "Last"]
    sagemaker.retry_pipeline_execution(**retry)
    conflicting = {**retry, "ParallelismConfiguration": {"MaxParallelExecutionSteps": 2}}
    refused("ConflictException", sagemaker.retry_pipeline_execution, **conflicting)
    message = refused(
        "ValidationException",
        sagemaker.retry_pipeline_execution,
        PipelineExecutionArn=arn,
        ClientRequestToken="r" * 32,
    )
    assert "failed or was stopped" in message


def test_what_runs_cannot_be_retried(sagemaker: Any) -> None:
    create(sagemaker, training("Endless"))
    arn = start(sagemaker)
    assert "Executing" in refused(
        "ValidationException",
        sagemaker.retry_pipeline_execution,
        PipelineExecutionArn=arn,
        ClientRequestToken=TOKEN,
    )
    stop(sagemaker, arn)


def test_update(sagemaker: Any) -> None:
    create(
        sagemaker,
        training("Endless"),
        *(training(f"Train{n}") for n in range(2)),
        ParallelismConfiguration={"MaxParallelExecutionSteps": 1},
    )
    until_step(sagemaker, arn := start(sagemaker, PipelineExecutionDisplayName="one"), "Endless")
    sagemaker.update_pipeline_execution(
        PipelineExecutionArn=arn,
        PipelineExecutionDescription="two",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 5},
    )
    found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert (found["PipelineExecutionDisplayName"], found["PipelineExecutionDescription"]) == ("one", "two")
    assert found["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 5}
    until_step(sagemaker, arn, "Train1", "Succeeded")
    stop(sagemaker, arn)


def test_a_pipeline_that_executes_is_not_deleted(sagemaker: Any) -> None:
    create(sagemaker, training("Endless"))
    until_step(sagemaker, arn := start(sagemaker), "Endless")
    deletion = {"PipelineName": "p", "ClientRequestToken": TOKEN}
    assert arn in refused("ConflictException", sagemaker.delete_pipeline, **deletion)
    assert status(sagemaker, arn) == "Executing"
    stop(sagemaker, arn)
    until(sagemaker, arn)
    sagemaker.delete_pipeline(**deletion)
    refused("ResourceNotFound", sagemaker.describe_pipeline_execution, PipelineExecutionArn=arn)
    create(sagemaker, training("Train"))
    assert sagemaker.list_pipeline_executions(PipelineName="p")["PipelineExecutionSummaries"] == []


# -- callbacks, functions, loops --------------------------------------------------------------------------------------


def ask(queue: str) -> dict[str, Any]:
    outputs = [
        {"OutputName": "verdict", "OutputType": "String"},
        {"OutputName": "votes", "OutputType": "Integer"},
    ]
    return step("Ask", "Callback", {"model": "m"}, SqsQueueUrl=queue, OutputParameters=outputs)


@pytest.fixture
def queue(emulator: str) -> Any:
    """A queue's URL, and what takes the next message."""
    sqs = boto3.client("sqs", endpoint_url=emulator)
    url = sqs.create_queue(QueueName="reviews")["QueueUrl"]

    def message() -> Any:
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
        assert found, "there is no message"
        sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        return json.loads(found[0]["Body"])

    return url, message


def asking(sagemaker: Any, queue: Any) -> tuple[str, str]:
    """An execution that waits for an answer: its ARN and the token."""
    url, message = queue
    equal = {
        "Type": "Equals",
        "LeftValue": {"Get": "Steps.Ask.OutputParameters['votes']"},
        "RightValue": 3,
    }
    branches = {"Conditions": [equal], "IfSteps": [training("Train")], "ElseSteps": []}
    create(sagemaker, ask(url), step("Enough", "Condition", branches))
    arn = start(sagemaker)
    said = message()
    assert said == {"token": said["token"], "pipelineExecutionArn": arn, "arguments": {"model": "m"}}
    metadata = until_step(sagemaker, arn, "Ask")["Metadata"]["Callback"]
    assert metadata == {"CallbackToken": said["token"], "SqsQueueUrl": url}
    return arn, said["token"]


def test_a_callback_is_answered(sagemaker: Any, queue: Any) -> None:
    arn, token = asking(sagemaker, queue)
    outputs = [{"Name": "verdict", "Value": "yes"}, {"Name": "votes", "Value": "3"}]
    answer = {"CallbackToken": token, "OutputParameters": outputs, "ClientRequestToken": TOKEN}
    send = sagemaker.send_pipeline_execution_step_success
    refused("ResourceNotFound", send, **{**answer, "CallbackToken": "aaaaaaaaaa"})
    wrong = {**answer, "OutputParameters": [{"Name": "votes", "Value": "three"}]}
    assert "wants a value of type Integer" in refused("ValidationException", send, **wrong)
    undeclared = {**answer, "OutputParameters": [{"Name": "else", "Value": "3"}]}
    assert "is not defined by step 'Ask'" in refused("ValidationException", send, **undeclared)
    assert send(**answer)["PipelineExecutionArn"] == arn
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    assert steps_of(sagemaker, arn)["Ask"]["Metadata"]["Callback"]["OutputParameters"] == outputs
    assert list(steps_of(sagemaker, arn)) == ["Ask", "Enough", "Train"]
    assert send(**answer)["PipelineExecutionArn"] == arn, "the same request again"
    assert "answered already" in refused("ConflictException", send, **{**answer, "OutputParameters": []})
    fail = sagemaker.send_pipeline_execution_step_failure
    refused("ConflictException", fail, CallbackToken=token, FailureReason="late", ClientRequestToken=TOKEN)


def test_a_callback_is_answered_with_a_failure(sagemaker: Any, queue: Any) -> None:
    arn, token = asking(sagemaker, queue)
    sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="nobody was there")
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Failed"
    assert steps_of(sagemaker, arn)["Ask"]["FailureReason"] == "nobody was there"


def test_a_stop_waits_for_a_callback(sagemaker: Any, queue: Any) -> None:
    arn, token = asking(sagemaker, queue)
    stop(sagemaker, arn)
    told = queue[1]()
    assert (told["token"], told["Status"]) == (token, "Stopping")
    assert until(sagemaker, arn, "Stopping")
    assert steps_of(sagemaker, arn)["Ask"]["StepStatus"] == "Executing"
    sagemaker.send_pipeline_execution_step_success(CallbackToken=token)
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Stopped"


def test_a_callback_without_a_queue_waits(sagemaker: Any) -> None:
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/none"
    create(sagemaker, ask(url))
    token = until_step(sagemaker, arn := start(sagemaker), "Ask")["Metadata"]["Callback"]["CallbackToken"]
    sagemaker.send_pipeline_execution_step_success(CallbackToken=token)
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"


def test_the_outputs_of_a_function(sagemaker: Any) -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
    outputs = [
        {"OutputName": name, "OutputType": kind} for name, kind in (("answer", "Integer"), ("name", "String"))
    ]
    create(sagemaker, step("Call", "Lambda", {"a": 1}, FunctionArn=function, OutputParameters=outputs))
    until(sagemaker, arn := start(sagemaker))
    assert steps_of(sagemaker, arn)["Call"]["Metadata"]["Lambda"] == {
        "Arn": function,
        "OutputParameters": [{"Name": "answer", "Value": "42"}, {"Name": "name", "Value": "x"}],
    }


def test_a_loop(sagemaker: Any) -> None:
    body = training("Body")
    body["Arguments"]["HyperParameters"] = {"lr": {"Get": "ForEach.CurrentItem"}}
    loop = {"IterableItems": ["0.1", "0.2", "0.3"], "MaxConcurrency": 2, "ForEachBody": [body]}
    create(sagemaker, step("Loop", "ForEach", loop))
    until(sagemaker, arn := start(sagemaker))
    steps = steps_of(sagemaker, arn)
    assert sorted(steps) == ["Body-0", "Body-1", "Body-2", "Loop"]
    assert steps["Body-1"]["IterationContext"] == {"ParentStepName": "Loop", "Index": 1, "Item": "0.2"}
    assert steps["Loop"]["Metadata"]["ForEach"] == {
        "Status": "Succeeded",
        "InputItemCount": 3,
        "TotalStepCount": 3,
        "SucceededStepCount": 3,
        "FailedStepCount": 0,
        "StoppedStepCount": 0,
    }


# -- what steps make --------------------------------------------------------------------------------------------------


def test_jobs_can_be_described(sagemaker: Any) -> None:
    create(sagemaker, training("Train_it", DisplayName="T", Description="trains"), processing("Other"))
    until(sagemaker, arn := start(sagemaker))
    steps = steps_of(sagemaker, arn)
    assert (steps["Train_it"]["StepDisplayName"], steps["Train_it"]["StepDescription"]) == ("T", "trains")
    job = steps["Train_it"]["Metadata"]["TrainingJob"]["Arn"]
    found = sagemaker.describe_training_job(TrainingJobName=job.rpartition("/")[2])
    assert (found["TrainingJobArn"], found["TrainingJobStatus"]) == (job, "Completed")
    assert found["AlgorithmSpecification"]["TrainingImage"] == IMAGE
    assert found["TrainingEndTime"] == steps["Train_it"]["EndTime"]
    assert "FinalMetricDataList" not in found, "nobody gave metrics"
    other = steps["Other"]["Metadata"]["ProcessingJob"]["Arn"]
    shown = sagemaker.describe_processing_job(ProcessingJobName=other.rpartition("/")[2])
    assert shown["ProcessingJobStatus"] == "Completed"


def test_a_job_that_failed(sagemaker: Any) -> None:
    create(sagemaker, training("Broken"))
    until(sagemaker, arn := start(sagemaker))
    job = steps_of(sagemaker, arn)["Broken"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    found = sagemaker.describe_training_job(TrainingJobName=job)
    assert (found["TrainingJobStatus"], found["FailureReason"]) == ("Failed", "AlgorithmError: exit code 1")
    refused("ValidationException", sagemaker.describe_training_job, TrainingJobName="none")


def test_a_registered_model_is_in_the_registry(sagemaker: Any) -> None:
    create(sagemaker, register(ModelPackageDescription="mine"))
    arns = [start(sagemaker) for _ in range(2)]
    for arn in arns:
        assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    packages = {steps_of(sagemaker, arn)["Register"]["Metadata"]["RegisterModel"]["Arn"] for arn in arns}
    found = sagemaker.list_model_packages(ModelPackageGroupName="models")["ModelPackageSummaryList"]
    assert {p["ModelPackageArn"] for p in found} == packages
    assert {p["ModelPackageVersion"] for p in found} == {1, 2}
    assert {p["ModelApprovalStatus"] for p in found} == {"PendingManualApproval"}
    chosen = sorted(packages)[0]
    sagemaker.update_model_package(ModelPackageArn=chosen, ModelApprovalStatus="Approved")
    shown = sagemaker.describe_model_package(ModelPackageName=chosen)
    assert (shown["ModelApprovalStatus"], shown["ModelPackageDescription"]) == ("Approved", "mine")
    assert shown["InferenceSpecification"]["Containers"][0]["Image"] == IMAGE


def variant(model: Any, name: str, weight: float = 1.0) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m7i.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": weight,
    }


def test_a_deployment(sagemaker: Any) -> None:
    model = step("Model", "Model", {"PrimaryContainer": CONTAINER, "ExecutionRoleArn": ROLE})
    config = step(
        "Config",
        "EndpointConfig",
        {
            "EndpointConfigName": "live",
            "ProductionVariants": [variant({"Get": "Steps.Model.ModelName"}, "main")],
            "ShadowProductionVariants": [variant({"Get": "Steps.Model.ModelName"}, "shadow")],
        },
    )
    endpoint = step(
        "Deploy",
        "Endpoint",
        {"EndpointName": "live", "EndpointConfigName": {"Get": "Steps.Config.EndpointConfigName"}},
    )
    create(sagemaker, model, config, endpoint)
    configs: list[str] = []
    for _ in range(2):
        arn = start(sagemaker)
        assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
        steps = steps_of(sagemaker, arn)
        live = sagemaker.describe_endpoint(EndpointName="live")
        assert steps["Deploy"]["Metadata"]["Endpoint"]["Arn"] == live["EndpointArn"]
        assert [v["VariantName"] for v in live["ShadowProductionVariants"]] == ["shadow"]
        configs.append(live["EndpointConfigName"])
    assert configs[0] != configs[1], "the second execution updated the endpoint"
    described = sagemaker.describe_endpoint_config(EndpointConfigName=configs[1])
    assert described["ShadowProductionVariants"][0]["VariantName"] == "shadow"
    name = described["ProductionVariants"][0]["ModelName"]
    assert sagemaker.describe_model(ModelName=name)["PrimaryContainer"]["Image"] == IMAGE
    assert len(sagemaker.list_endpoints()["Endpoints"]) == 1


def test_endpoints_are_updated_by_the_api(sagemaker: Any) -> None:
    sagemaker.create_model(ModelName="m", PrimaryContainer=CONTAINER, ExecutionRoleArn=ROLE)
    for name in ("one", "two"):
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant("m", name)])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="one")
    refused("ValidationException", sagemaker.create_endpoint, EndpointName="e", EndpointConfigName="one")
    sagemaker.update_endpoint(EndpointName="e", EndpointConfigName="two")
    shown = sagemaker.describe_endpoint(EndpointName="e")
    assert (shown["EndpointConfigName"], shown["ProductionVariants"][0]["VariantName"]) == ("two", "two")
    refused("ValidationException", sagemaker.update_endpoint, EndpointName="e", EndpointConfigName="three")
    refused("ValidationException", sagemaker.update_endpoint, EndpointName="f", EndpointConfigName="two")


def test_a_step_fails_where_the_api_would(sagemaker: Any) -> None:
    create(sagemaker, step("Deploy", "Endpoint", {"EndpointName": "e", "EndpointConfigName": "none"}))
    arn = start(sagemaker)
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Failed"
    assert "Could not find endpoint configuration" in steps_of(sagemaker, arn)["Deploy"]["FailureReason"]


def test_a_reset_gives_up_what_runs(sagemaker: Any, emulator: str) -> None:
    from tests.emulator_fixture import reset

    create(sagemaker, training("Endless"))
    arn = start(sagemaker)
    reset(emulator)
    refused("ResourceNotFound", sagemaker.describe_pipeline_execution, PipelineExecutionArn=arn)


def test_steps_are_listed_in_the_order_in_which_they_began(sagemaker: Any) -> None:
    create(sagemaker, training("First"), training("Second", "First"), training("Third", "Second"))
    for arn in [start(sagemaker) for _ in range(10)]:
        until(sagemaker, arn)
        shown = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
        steps = shown["PipelineExecutionSteps"]
        assert [found["StepName"] for found in steps] == ["First", "Second", "Third"]
        assert all(found["StartTime"] <= found["EndTime"] for found in steps)
