"""Notebooks: a Training step for SageMaker's scheduler of notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagewright.steps.notebook import KIND
from tests.fakes import FakeContext
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, lowered, needs_golden, told

LEAST = "notebook: nb.ipynb\nkernel: python3\nimage: sklearn:1.2-1\ninstance: ml.m5.large\n"
FULL = """
notebook: nb.ipynb
kernel: python3
image: sklearn:1.2-1
instance: {type: ml.m5.large, count: 2, volume_gb: 50, kms_key: v}
parameters: {p: 1.10, q: "${parameters.Q}"}
environment: {A: 0012}
output: s3://b/nb
max_attempts: 2
max_runtime: 1h
network: {subnets: [subnet-1], security_groups: [sg-1], isolation: false, encrypt_traffic: true}
kms_key: o
tags: {team: risk}
"""


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    (tmp_path / "nb.ipynb").write_text('{"cells": []}')
    return FakeContext(tmp_path)


def shape(value: Any) -> Any:
    """What a request is made of, without its texts."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return (
        [shape(item) for item in value]
        if isinstance(value, list)
        else str
        if isinstance(value, str)
        else type(value)
    )


@needs_golden
def test_has_the_sdks_shape(context: FakeContext) -> None:
    text = (
        LEAST
        + "parameters: {p: 1}\nenvironment: {A: b}\nmax_attempts: 1\nnetwork: {encrypt_traffic: true}\noutput: s3://b/o"
    )
    made, wanted = lowered(KIND, text, context), golden_arguments("notebook.json", "Nb")
    del wanted["TrainingJobName"]  # Pipelines makes it
    made["OutputDataConfig"] = wanted["OutputDataConfig"]  # ours is where the author says
    assert shape(made) == shape(wanted)
    assert list(made) == list(wanted)
    for members in (
        "AlgorithmSpecification",
        "ResourceConfig",
        "RetryStrategy",
        "StoppingCondition",
        "HyperParameters",
    ):
        assert made[members] == wanted[members]
    changing = {"SM_OUTPUT_NOTEBOOK_NAME"}
    assert {k: v for k, v in made["Environment"].items() if k not in changing} == {
        k: v for k, v in wanted["Environment"].items() if k not in changing
    }
    assert made["Tags"][1:] == wanted["Tags"][1:]


def test_what_is_written_unasked(context: FakeContext) -> None:
    made = lowered(KIND, LEAST, context, "Nb")
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 172_800}
    assert made["ResourceConfig"]["VolumeSizeInGB"] == 30
    assert made["OutputDataConfig"]["S3OutputPath"]["Std:Join"]["Values"][2] == "/Nb/output"
    assert made["Environment"]["SM_OUTPUT_NOTEBOOK_NAME"] == "Nb.ipynb"
    assert {
        "RetryStrategy",
        "EnableInterContainerTrafficEncryption",
        "HyperParameters",
        "VpcConfig",
    }.isdisjoint(made)


def test_every_key_has_its_member(context: FakeContext) -> None:
    made = lowered(KIND, FULL, context)
    assert made["HyperParameters"] == {"p": "1.10", "q": {"Get": "Parameters.Q"}}
    assert made["Environment"]["A"] == "0012"
    assert made["OutputDataConfig"] == {"S3OutputPath": "s3://b/nb", "KmsKeyId": "o"}
    assert made["RetryStrategy"] == {"MaximumRetryAttempts": 2}
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert made["EnableNetworkIsolation"] is False
    assert made["EnableInterContainerTrafficEncryption"] is True
    assert made["Tags"][0] == {"Key": "team", "Value": "risk"}
    ((uri, _),) = context.uploads.items()
    assert made["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == uri
    assert uri.endswith("/nb.ipynb")


def test_every_key_counts(context: FakeContext) -> None:
    assert ignored_keys("notebook", FULL, context.root) == []
    assert untried_keys("notebook", [FULL]) == set()


def test_a_sagemaker_distribution(context: FakeContext) -> None:
    image = "{framework: sagemaker-distribution, version: '3.2', scope: inference}"
    made = lowered(KIND, LEAST.replace("sklearn:1.2-1", image), context)
    assert made["AlgorithmSpecification"]["TrainingImage"].endswith("/sagemaker-distribution-prod:3.2-cpu")


def test_a_notebook_in_s3(context: FakeContext) -> None:
    made = lowered(KIND, LEAST.replace("nb.ipynb", "s3://b/x/other.ipynb"), context)
    assert made["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/x/other.ipynb"
    assert made["Environment"]["SM_INPUT_NOTEBOOK_NAME"] == "other.ipynb"
    assert context.uploads == {}


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        (LEAST.replace("nb.ipynb", "absent.ipynb"), "SW801", "absent.ipynb"),
        (LEAST.replace("sklearn:1.2-1", "sklearn:9"), "SW807", "sklearn:9"),
        (LEAST.replace("instance: ml.m5.large", "instance: {count: 1}"), "SW202", "{count: 1}"),
        (LEAST + "environment: {SM_KERNEL_NAME: x}", "SW208", "SM_KERNEL_NAME"),
    ],
)
def test_mistakes(text: str, code: str, at: str, context: FakeContext) -> None:
    lowered(KIND, text, context)
    assert (code, at) in [(mistake.code, mistake.at) for mistake in context.mistakes]


@pytest.mark.parametrize(
    ("old", "new", "code", "at"),
    [
        ("nb.ipynb", "nb.py", "SW205", "nb.py"),
        ("nb.ipynb", '"${execution.id}.ipynb"', "SW209", "${execution.id}"),
        ("kernel: python3", "kernal: python3", "SW201", "kernal"),
        ("kernel: python3", "kernel: [python3]", "SW203", "[python3]"),
        ("kernel: python3", "kernel: python3\n  max_attempts: 31", "SW206", "31"),
    ],
)
def test_mistakes_that_the_schema_tells(old: str, new: str, code: str, at: str, context: FakeContext) -> None:
    body = "".join(f"  {line}\n" for line in LEAST.strip().split("\n"))
    found = told(compile_steps(context.root, f"Nb:\n  kind: notebook\n{body.replace(old, new)}"))
    assert (code, at) in found


def test_references_and_retries(context: FakeContext) -> None:
    body = "".join(f"  {line}\n" for line in LEAST.strip().split("\n"))
    after = 'After: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {o: "${steps.Nb.output}", j: "${steps.Nb.job_name}", s: "${steps.Nb.TrainingJobStatus}"}}'
    result = compile_steps(context.root, f"Nb:\n  kind: notebook\n{body}  retry: standard\n{after}")
    assert result.definition is not None, result.diagnostics
    notebook, last = result.definition["Steps"]
    assert notebook["Type"] == "Training"
    assert len(notebook["RetryPolicies"]) == 2
    assert last["Arguments"] == {
        "o": {"Get": "Steps.Nb.OutputDataConfig.S3OutputPath"},
        "j": {"Get": "Steps.Nb.TrainingJobName"},
        "s": {"Get": "Steps.Nb.TrainingJobStatus"},
    }
