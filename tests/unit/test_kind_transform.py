"""Transform: its keys, its output's place, and what Pipelines sets itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.types import Type
from sagewright.steps.transform import KIND
from tests.fakes import FakeContext
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, lowered, needs_golden, told

LEAST = "model: m\ninput: s3://b/in\ninstance: ml.m5.xlarge\n"
FULL = """
model: m
input: s3://b/in
output: s3://b/out
instance: {type: ml.m5.xlarge, count: 2, kms_key: v}
content_type: text/csv
split: Line
accept: application/json
assemble: Line
strategy: MultiRecord
max_concurrency: 4
max_payload_mb: 6
filter: {input: "$[1:]", output: "$[0]", join: Input}
environment: {A: 1.10}
compression: Gzip
data_type: ManifestFile
kms_key: o
tags: {team: risk}
"""


def test_the_least_that_is_needed() -> None:
    assert lowered(KIND, LEAST, FakeContext(), "Score") == {
        "ModelName": "m",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}},
        },
        "TransformOutput": {
            "S3OutputPath": {
                "Std:Join": {
                    "On": "",
                    "Values": [
                        "s3://my-bucket/sagewright/p/",
                        {"Get": "Execution.PipelineExecutionId"},
                        "/Score/output",
                    ],
                }
            }
        },
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
    }


def test_every_key_has_its_member() -> None:
    assert lowered(KIND, FULL, FakeContext()) == {
        "ModelName": "m",
        "MaxConcurrentTransforms": 4,
        "MaxPayloadInMB": 6,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": "s3://b/in"}},
            "ContentType": "text/csv",
            "CompressionType": "Gzip",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": "s3://b/out",
            "Accept": "application/json",
            "AssembleWith": "Line",
            "KmsKeyId": "o",
        },
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeKmsKeyId": "v"},
        "DataProcessing": {"InputFilter": "$[1:]", "OutputFilter": "$[0]", "JoinSource": "Input"},
        "Environment": {"A": "1.10"},
        "Tags": [{"Key": "team", "Value": "risk"}],
    }


def test_every_key_counts(tmp_path: Path) -> None:
    assert ignored_keys("transform", FULL, tmp_path) == []
    assert untried_keys("transform", [FULL]) == set()


def test_references_stay() -> None:
    text = 'model: "${steps.M.ModelName}"\ninput: "${parameters.I}"\ninstance: {type: "${parameters.T}", count: "${parameters.N}"}'
    made = lowered(KIND, text, FakeContext(), N=Type.INTEGER)
    assert made["ModelName"] == {"Get": "Steps.M.ModelName"}
    assert made["TransformResources"] == {
        "InstanceType": {"Get": "Parameters.T"},
        "InstanceCount": {"Get": "Parameters.N"},
    }


@needs_golden
def test_equals_the_sdk() -> None:
    text = (
        'model: "${steps.CreateModel.ModelName}"\ninput: s3://my-bucket/batch\noutput: s3://my-bucket/tr\n'
        "instance: ml.m5.xlarge\ncontent_type: text/csv\nsplit: Line\nenvironment: {A: b}"
    )
    made, wanted = lowered(KIND, text, FakeContext()), golden_arguments("transform.json", "Transform")
    assert made == wanted
    assert list(made) == list(wanted)


# -- in a pipeline ----------------------------------------------------------------------------------------------------


def step(rest: str = "") -> str:
    return f"Score:\n  kind: transform\n  model: m\n  input: s3://b/in\n  instance: ml.m5.xlarge\n{rest}"


def test_the_output_is_a_reference(tmp_path: Path) -> None:
    after = 'After: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {s: "${steps.Score.output}"}}'
    result = compile_steps(tmp_path, f"{step()}{after}")
    assert result.diagnostics == []
    assert result.definition is not None
    assert result.definition["Steps"][1]["Arguments"]["s"] == {
        "Get": "Steps.Score.TransformOutput.S3OutputPath"
    }


def test_retries_and_cache(tmp_path: Path) -> None:
    result = compile_steps(
        tmp_path,
        step("  retry: [{errors: [job_internal_error, resource_limit], max_attempts: 2}]\n  cache: 30d"),
    )
    assert result.definition is not None, result.diagnostics
    (made,) = result.definition["Steps"]
    assert made["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}
    assert made["RetryPolicies"][0]["ExceptionType"] == [
        "SageMaker.JOB_INTERNAL_ERROR",
        "SageMaker.RESOURCE_LIMIT",
    ]


@pytest.mark.parametrize(
    ("rest", "code", "at"),
    [
        ("  split: Lines", "SW204", "Lines"),
        ("  data_type: AugmentedManifestFile", "SW204", "AugmentedManifestFile"),
        ("  filter: {join: Output}", "SW204", "Output"),
        ("  filter: {inputs: $}", "SW201", "inputs"),
        ("  max_payload_mb: -1", "SW206", "-1"),
        ("  max_payload_mb: 101", "SW206", "101"),
        ("  max_payload_mb: 51\n  max_concurrency: 2", "SW206", "51"),
        ("  strategy: MultiRecord", "SW208", "MultiRecord"),
        ("  strategy: MultiRecord\n  split: None", "SW208", "MultiRecord"),
        ("  strategy: MultiRecord\n  api: {TransformInput: {ContentType: text/csv}}", "SW208", "MultiRecord"),
        ("  outptu: s3://b/o", "SW201", "outptu"),
        ("  output: b/o", "SW205", "b/o"),
        ("  role: arn:aws:iam::123456789012:role/R", "SW211", "role"),
        ("  environment: {A: [1]}", "SW203", "[1]"),
        ("  api: {TransformInputs: {}}", "SW601", "TransformInputs"),
        ("  api: {MaxPayloadInMB: six}", "SW603", "six"),
        ("  api: {ExperimentConfig: {ExperimentName: e}}", "SW608", "ExperimentName"),
    ],
)
def test_mistakes(rest: str, code: str, at: str, tmp_path: Path) -> None:
    assert told(compile_steps(tmp_path, step(rest))) == [(code, at)]


@pytest.mark.parametrize(
    "rest",
    [
        "  max_payload_mb: 50\n  max_concurrency: 2",
        "  max_payload_mb: 100\n  max_concurrency: 0",
        "  strategy: SingleRecord",
        "  strategy: MultiRecord\n  api: {TransformInput: {SplitType: Line}}",
    ],
)
def test_what_is_no_mistake(rest: str, tmp_path: Path) -> None:
    assert told(compile_steps(tmp_path, step(rest))) == []


@pytest.mark.parametrize("missing", ["model", "input", "instance"])
def test_what_is_needed(missing: str, tmp_path: Path) -> None:
    lines = [line for line in step().split("\n") if not line.startswith(f"  {missing}:")]
    result = compile_steps(tmp_path, "\n".join(lines))
    assert told(result) == [("SW202", "Score")]
    assert f"lacks the key `{missing}`" in result.diagnostics[0].message


def test_a_display_name_of_the_trial_component_stays(tmp_path: Path) -> None:
    api: Any = "  api: {ExperimentConfig: {TrialComponentDisplayName: t}}"
    assert compile_steps(tmp_path, step(api)).ok
