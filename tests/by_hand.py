"""Definitions written by hand, small and whole enough for the emulator, and what tests do with executions of them."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.emulator_fixture import ACCOUNT, REGION

ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/image:1"
ENDED = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
TOKEN = "t" * 32


def step(name: str, kind: str, arguments: Any, after: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    depends = {"DependsOn": list(after)} if after else {}
    return {"Name": name, "Type": kind, "Arguments": arguments, **depends, **more}


def training(name: str, *after: str, **more: Any) -> dict[str, Any]:
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://acme-ml/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 100_000_000},
    }
    return step(name, "Training", arguments, after, **more)


def processing(name: str, *after: str, **more: Any) -> dict[str, Any]:
    uri = "s3://acme-ml/reports"
    output = {"LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob", "S3Uri": uri}
    arguments = {
        "AppSpecification": {"ImageUri": IMAGE},
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": output}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        },
        "RoleArn": ROLE,
    }
    return step(name, "Processing", arguments, after, **more)


def score() -> dict[str, Any]:
    """A processing step whose report the scenario gives: `auc` is 0.9."""
    file = {"PropertyFileName": "report", "OutputName": "report", "FilePath": "report.json"}
    return processing("Score", PropertyFiles=[file])


CONTAINER = {"Image": IMAGE, "ModelDataUrl": "s3://acme-ml/model.tar.gz"}


def register(*after: str, **more: Any) -> dict[str, Any]:
    """A step that registers a model; `more` are arguments."""
    specification = {
        "Containers": [CONTAINER],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m7i.large"],
        "SupportedTransformInstanceTypes": ["ml.m5.large"],
    }
    arguments = {"ModelPackageGroupName": "models", "InferenceSpecification": specification, **more}
    return step("Register", "RegisterModel", arguments, after)


def gate(then: list[Any], otherwise: list[Any], least: Any = 0.5) -> dict[str, Any]:
    """`Gate`: is the score at least so good?"""
    report = {"PropertyFile": {"Get": "Steps.Score.PropertyFiles.report"}, "Path": "auc"}
    condition = {
        "Type": "GreaterThanOrEqualTo",
        "LeftValue": {"Std:JsonGet": report},
        "RightValue": least,
    }
    branches = {"Conditions": [condition], "IfSteps": then, "ElseSteps": otherwise}
    return step("Gate", "Condition", branches, ("Score",))


def definition(*steps: dict[str, Any], parameters: list[Any] | None = None) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": list(steps)})


def create(sagemaker: Any, *steps: dict[str, Any], name: str = "p", **more: Any) -> str:
    """A pipeline of these steps; its ARN."""
    parameters = more.pop("parameters", None)
    text = definition(*steps, parameters=parameters)
    return sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, **more)[
        "PipelineArn"
    ]


def start(sagemaker: Any, name: str = "p", **more: Any) -> str:
    """An execution's ARN."""
    return sagemaker.start_pipeline_execution(PipelineName=name, **more)["PipelineExecutionArn"]


def status(sagemaker: Any, arn: str) -> str:
    return sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]


def until(sagemaker: Any, arn: str, *wanted: str) -> dict[str, Any]:
    """The execution's description, once its status is one of those, or it has ended if none is named."""
    for _ in range(600):
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if found["PipelineExecutionStatus"] in (wanted or ENDED):
            return found
        time.sleep(0.05)
    raise AssertionError(f"still {found['PipelineExecutionStatus']}")


def steps_of(sagemaker: Any, arn: str) -> dict[str, dict[str, Any]]:
    """The steps by name, in the order in which they began."""
    pages = sagemaker.get_paginator("list_pipeline_execution_steps")
    found = pages.paginate(PipelineExecutionArn=arn, SortOrder="Ascending").build_full_result()
    return {step["StepName"]: step for step in found["PipelineExecutionSteps"]}


def until_step(sagemaker: Any, arn: str, name: str, state: str = "Executing") -> dict[str, Any]:
    """A step, once it is in that state."""
    for _ in range(600):
        found = steps_of(sagemaker, arn).get(name)
        if found is not None and found["StepStatus"] == state:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} is {found and found['StepStatus']}")
