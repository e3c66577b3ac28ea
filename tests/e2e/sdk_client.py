"""The SageMaker SDK's own client against an emulator, run by an interpreter that has SDK 3: what it sees, as JSON.

AWS_ENDPOINT_URL=... python sdk_client.py
"""

from __future__ import annotations

import json
import logging
import socket
import time
import warnings
from typing import Any

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

_connect = socket.socket.connect


def _on_this_machine(self: socket.socket, address: Any) -> None:
    """The SDK would tell AWS that it is used."""
    if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise OSError("no network in a test")
    _connect(self, address)


socket.socket.connect = _on_this_machine  # type: ignore[method-assign]

import boto3  # noqa: E402
from botocore.exceptions import ClientError, WaiterError  # noqa: E402
from sagemaker.core.processing import Processor  # noqa: E402
from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output  # noqa: E402
from sagemaker.core.workflow.conditions import ConditionGreaterThan  # noqa: E402
from sagemaker.core.workflow.functions import JsonGet  # noqa: E402
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterString  # noqa: E402
from sagemaker.core.workflow.pipeline_context import PipelineSession  # noqa: E402
from sagemaker.core.workflow.properties import PropertyFile  # noqa: E402
from sagemaker.mlops.workflow.callback_step import (  # noqa: E402
    CallbackOutput,
    CallbackOutputTypeEnum,
    CallbackStep,
)
from sagemaker.mlops.workflow.condition_step import ConditionStep  # noqa: E402
from sagemaker.mlops.workflow.fail_step import FailStep  # noqa: E402
from sagemaker.mlops.workflow.parallelism_config import ParallelismConfiguration  # noqa: E402
from sagemaker.mlops.workflow.pipeline import Pipeline, PipelineExecution  # noqa: E402
from sagemaker.mlops.workflow.selective_execution_config import SelectiveExecutionConfig  # noqa: E402
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/none"
session = PipelineSession(boto_session=boto3.Session(region_name="us-west-2"), default_bucket="acme-ml")


def processing(name: str, *, cached: bool = False) -> ProcessingStep:
    processor = Processor(
        role=ROLE,
        sagemaker_session=session,
        image_uri="123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1",
        instance_type="ml.m5.large",
        instance_count=1,
    )
    target = ProcessingS3Output(
        s3_uri="s3://acme-ml/reports", local_path="/opt/ml/processing/out", s3_upload_mode="EndOfJob"
    )
    arguments = processor.run(outputs=[ProcessingOutput(output_name="report", s3_output=target)])
    file = PropertyFile(name="report", output_name="report", path="report.json")
    cache = CacheConfig(enable_caching=True, expire_after="P30D") if cached else None
    return ProcessingStep(name=name, step_args=arguments, property_files=[file], cache_config=cache)


def pipeline() -> Pipeline:
    """`Score`, and a gate on what it reports."""
    least = ParameterFloat(name="Least", default_value=0.5)
    found = JsonGet(step_name="Score", property_file="report", json_path="auc")
    gate = ConditionStep(
        name="Gate",
        conditions=[ConditionGreaterThan(left=found, right=least)],
        if_steps=[processing("Good")],
        else_steps=[FailStep(name="Bad", error_message="too bad")],
    )
    return Pipeline(
        name="sdk",
        parameters=[least, ParameterString(name="Mode", default_value="fast", enum_values=["fast", "full"])],
        steps=[processing("Score", cached=True), gate],
        sagemaker_session=session,
    )


def waits() -> Pipeline:
    output = CallbackOutput(output_name="verdict", output_type=CallbackOutputTypeEnum.String)
    ask = CallbackStep(name="Ask", sqs_queue_url=QUEUE, inputs={"a": 1}, outputs=[output])
    return Pipeline(name="waits", steps=[processing("Endless"), ask], sagemaker_session=session)


def steps(execution: PipelineExecution) -> dict[str, str]:
    return {step["StepName"]: step["StepStatus"] for step in execution.list_steps()}


def until(execution: PipelineExecution, step: str) -> dict[str, Any]:
    for _ in range(200):
        found = {s["StepName"]: s for s in execution.list_steps()}
        if found.get(step, {}).get("StepStatus") == "Executing":
            return found[step]
        time.sleep(0.05)
    raise SystemExit(f"{step} does not run: {found}")


def failed_waiting(execution: PipelineExecution) -> bool:
    try:
        execution.wait(delay=1, max_attempts=30)
    except WaiterError:
        return True
    return False


def refused(call: Any, *arguments: Any, **more: Any) -> list[str]:
    try:
        call(*arguments, **more)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"]["Message"]]
    return []


def main() -> dict[str, Any]:
    seen: dict[str, Any] = {}
    made = pipeline()
    tags = [{"Key": "team", "Value": "risk"}]
    seen["created"] = made.upsert(role_arn=ROLE, description="first", tags=tags)["PipelineArn"]
    made.upsert(role_arn=ROLE, description="second", tags=tags)
    seen["described"] = made.describe()["PipelineDescription"]
    seen["definition"] = json.loads(made.describe()["PipelineDefinition"]) == json.loads(made.definition())
    seen["versions"] = len(made.list_pipeline_versions()["PipelineVersionSummaries"])

    first = made.start(parameters={"Mode": "full"}, execution_display_name="mine")
    first.wait(delay=1, max_attempts=30)
    seen["first"] = [first.describe()["PipelineExecutionStatus"], steps(first)]
    seen["name"] = first.describe()["PipelineExecutionDisplayName"]
    seen["parameters"] = first.list_parameters()["PipelineParameters"]
    seen["built"] = made.build_parameters_from_execution(first.arn, {"Least": 0.95})
    seen["listed"] = [
        e["PipelineExecutionArn"] == first.arn for e in made.list_executions()["PipelineExecutionSummaries"]
    ]

    second = made.start(
        parameters=seen["built"], parallelism_config=ParallelismConfiguration(1), execution_description="d"
    )
    seen["second"] = [failed_waiting(second), second.describe()["FailureReason"], steps(second)]
    seen["cached"] = next(
        s["CacheHitResult"]["SourcePipelineExecutionArn"] == first.arn
        for s in second.list_steps()
        if s["StepName"] == "Score"
    )
    third = made.start(selective_execution_config=SelectiveExecutionConfig(selected_steps=["Score"]))
    third.wait(delay=1, max_attempts=30)
    seen["third"] = steps(third)
    seen["refused"] = refused(made.start, parameters={"Mode": "slow"})

    waiting = waits()
    waiting.upsert(role_arn=ROLE)
    execution = waiting.start()
    token = until(execution, "Ask")["Metadata"]["Callback"]["CallbackToken"]
    until(execution, "Endless")
    seen["undeletable"] = refused(waiting.delete)[0]
    execution.stop()
    client = session.sagemaker_client
    client.send_pipeline_execution_step_success(
        CallbackToken=token, OutputParameters=[{"Name": "verdict", "Value": "yes"}]
    )
    for _ in range(100):
        if execution.describe()["PipelineExecutionStatus"] == "Stopped":
            break
        time.sleep(0.05)
    seen["stopped"] = [execution.describe()["PipelineExecutionStatus"], steps(execution)]
    client.retry_pipeline_execution(PipelineExecutionArn=execution.arn)
    until(execution, "Endless")
    seen["retried"] = [execution.describe()["PipelineExecutionStatus"], steps(execution)]
    execution.stop()
    made.delete()
    seen["deleted"] = refused(made.describe)[0]
    return seen


print("\n" + json.dumps(main()))
