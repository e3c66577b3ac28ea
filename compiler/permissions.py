"""What a pipeline's role must be allowed to do for its definition: read off the types of its steps and their arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sagewright.compiler.compilation import Trigger
from sagewright.compiler.definition import DefinitionError, PlacedStep, parse, steps

_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/|$)")

JOBS: Mapping[str, str] = {
    **dict.fromkeys(("Processing", "QualityCheck", "ClarifyCheck"), "ProcessingJob"),
    "Training": "TrainingJob",
    "Tuning": "HyperParameterTuningJob",
    "Transform": "TransformJob",
    "AutoML": "AutoMLJob",
    "Job": "Job",
}
"""Types of steps that run jobs → the job in the names of SageMaker's operations."""

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "Model": ("sagemaker:CreateModel",),
    "RegisterModel": (
        *("sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"),
        *("sagemaker:CreateModelPackageGroup", "sagemaker:DescribeModelPackageGroup"),
    ),
    "EndpointConfig": ("sagemaker:CreateEndpointConfig", "sagemaker:DescribeEndpointConfig"),
    "Endpoint": ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint", "sagemaker:DescribeEndpoint"),
    "InferenceComponent": (
        *("sagemaker:CreateInferenceComponent", "sagemaker:UpdateInferenceComponent"),
        "sagemaker:DescribeInferenceComponent",
    ),
    "Lineage": (
        *("sagemaker:CreateAction", "sagemaker:CreateArtifact", "sagemaker:CreateContext"),
        "sagemaker:AddAssociation",
    ),
    "EMR": (
        *(
            "elasticmapreduce:AddJobFlowSteps",
            "elasticmapreduce:DescribeStep",
            "elasticmapreduce:CancelSteps",
        ),
        "elasticmapreduce:DescribeCluster",
    ),
    "EMRServerless": (
        "emr-serverless:StartJobRun",
        "emr-serverless:GetJobRun",
        "emr-serverless:CancelJobRun",
    ),
}
"""Source: developer guide, "IAM Access Management" of Pipelines, and the service authorization reference."""


def required(definition: str | Mapping[str, Any]) -> frozenset[str]:
    """Actions, with their resource where the definition names it: `lambda:InvokeFunction on arn:aws:lambda:...`.

    Empty where the definition cannot be read. Buckets are those that are written out: references are not followed.
    """
    try:
        data = parse(definition)
    except DefinitionError:
        return frozenset()
    return frozenset(action for step in steps(data) for action in _of_step(step))


def of_triggers(triggers: Iterable[Trigger]) -> Iterator[str]:
    """What must be allowed for triggers: to their roles, and to who deploys them. In words, each once."""
    by_role: dict[str, dict[str, None]] = {}
    for trigger in triggers:
        service = "scheduler" if trigger.kind == "schedule" else "events"
        by_role.setdefault(trigger.role, {})[f"{service}.amazonaws.com"] = None
    for role, services in by_role.items():
        yield f"whoever upserts needs iam:PassRole on {role}"
        yield f"{role} must trust {' and '.join(services)}, and needs sagemaker:StartPipelineExecution"


def _of_step(step: PlacedStep) -> Iterator[str]:
    job = JOBS.get(step.type)
    if job is not None:
        yield from (f"sagemaker:{verb}{job}" for verb in ("Create", "Describe", "Stop"))
        yield "sagemaker:AddTags"
    yield from ACTIONS.get(step.type, ())
    arguments = step.body.get("Arguments")
    if step.type == "EMR" and isinstance(arguments, Mapping) and "ClusterConfig" in arguments:
        yield from ("elasticmapreduce:RunJobFlow", "elasticmapreduce:TerminateJobFlows")
    if isinstance(step.body.get("FunctionArn"), str):
        yield f"lambda:InvokeFunction on {step.body['FunctionArn']}"
    if isinstance(step.body.get("SqsQueueUrl"), str):
        yield f"sqs:SendMessage on {step.body['SqsQueueUrl']}"
    yield from _in(arguments, "")


def _in(value: Any, path: str) -> Iterator[str]:
    """Roles that are passed, and buckets, anywhere in the arguments; nested steps tell of themselves."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("IfSteps", "ElseSteps", "ForEachBody"):
                continue
            if key in ("RoleArn", "ExecutionRoleArn") and isinstance(item, str):
                yield f"iam:PassRole on {item}"
            else:
                yield from _in(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _in(item, path)
    elif isinstance(value, str) and (bucket := _BUCKET.match(value)):
        writes = "Output" in path.rpartition(".")[0] or path.endswith(("OutputPath", "OutputUri"))
        yield f"s3:{'PutObject' if writes else 'GetObject'} on s3://{bucket[1]}"
