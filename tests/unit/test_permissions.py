"""`permissions`: what a pipeline's role must be allowed to do."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright.compiler.emulator.step_types import STEP_TYPES
from sagewright.compiler.permissions import ACTIONS, JOBS, required


def needs(**step: Any) -> frozenset[str]:
    return required({"Steps": [{"Name": "S", "Arguments": {}, **step}]})


def test_a_job_with_its_role_and_buckets() -> None:
    arguments = {
        "RoleArn": "arn:aws:iam::1:role/r",
        "AlgorithmSpecification": {"TrainingImage": "i"},
        "InputDataConfig": [{"DataSource": {"S3DataSource": {"S3Uri": "s3://inbox/x"}}}],
        "OutputDataConfig": {"S3OutputPath": "s3://out/y"},
    }
    assert needs(Type="Training", Arguments=arguments) == {
        *(f"sagemaker:{verb}TrainingJob" for verb in ("Create", "Describe", "Stop")),
        "sagemaker:AddTags",
        "iam:PassRole on arn:aws:iam::1:role/r",
        "s3:GetObject on s3://inbox",
        "s3:PutObject on s3://out",
    }


@pytest.mark.parametrize(
    ("step", "needed"),
    [
        ({"Type": "Lambda", "FunctionArn": "arn:f"}, {"lambda:InvokeFunction on arn:f"}),
        ({"Type": "Callback", "SqsQueueUrl": "https://q"}, {"sqs:SendMessage on https://q"}),
        ({"Type": "Model"}, {"sagemaker:CreateModel"}),
        ({"Type": "Fail"}, set()),
    ],
)
def test_other_steps(step: dict[str, Any], needed: set[str]) -> None:
    assert needs(**step) == needed


def test_a_cluster_that_is_made_needs_more() -> None:
    there = needs(Type="EMR", Arguments={"ClusterId": "j-1"})
    assert needs(Type="EMR", Arguments={"ClusterConfig": {}}) - there == {
        "elasticmapreduce:RunJobFlow",
        "elasticmapreduce:TerminateJobFlows",
    }


def test_steps_in_branches_count_once() -> None:
    inner = {"Name": "I", "Type": "Lambda", "FunctionArn": "arn:f", "Arguments": {"a": "s3://bucket/k"}}
    outer = {
        "Name": "C",
        "Type": "Condition",
        "Arguments": {"Conditions": [], "IfSteps": [inner], "ElseSteps": []},
    }
    assert required({"Steps": [outer]}) == {"lambda:InvokeFunction on arn:f", "s3:GetObject on s3://bucket"}


def test_processing_writes_what_it_puts_out() -> None:
    arguments = {"ProcessingOutputConfig": {"Outputs": [{"S3Output": {"S3Uri": "s3://out/x"}}]}}
    assert "s3:PutObject on s3://out" in needs(Type="Processing", Arguments=arguments)


def test_the_types_are_sagemakers() -> None:
    assert set(JOBS) | set(ACTIONS) <= set(STEP_TYPES)


def test_what_cannot_be_read_needs_nothing() -> None:
    assert required("{") == frozenset()
