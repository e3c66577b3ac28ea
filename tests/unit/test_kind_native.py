"""Native steps: whatever kind knows their type says what is checked of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright import steps
from tests.kinds import compile_steps, told

TRANSFORM = "TransformInput: {DataSource: {S3DataSource: {S3DataType: S3Prefix, S3Uri: s3://b/i}}}, TransformOutput: {S3OutputPath: s3://b/o}, TransformResources: {InstanceType: ml.m5.large, InstanceCount: 1}"


def native(kind: str, arguments: str, rest: str = "") -> str:
    return f"N: {{kind: native, type: {kind}, arguments: {{{arguments}}}}}\n{rest}"


def after(path: str) -> str:
    return f'After: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {{a: "${{steps.N.{path}}}"}}}}'


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Processing", "processing"),
        ("Training", "training"),
        ("Tuning", "tuning"),
        ("Transform", "transform"),
        ("AutoML", "automl"),
        ("Model", "model"),
        ("RegisterModel", "register"),
        ("EMR", "emr"),
        ("EMRServerless", "emr_serverless"),
        ("Job", "job"),
        ("Lineage", "lineage"),
        ("Cleanup", "cleanup"),
    ],
)
def test_the_kind_of_a_type(kind: str, name: str) -> None:
    found = steps.of_type(kind)
    assert found is not None
    assert found.name == name


def test_a_type_that_no_kind_has_is_unchecked(tmp_path: Path) -> None:
    assert steps.of_type("Athena") is None
    assert compile_steps(tmp_path, native("Athena", "Anything: 1", after("What.Ever[0]"))).diagnostics == []


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        (native("Transform", TRANSFORM), "SW602", "N"),
        (native("Transform", f"ModelName: m, ModelNmae: n, {TRANSFORM}"), "SW601", "ModelNmae"),
        (
            native("Transform", f"ModelName: m, ExperimentConfig: {{RunName: r}}, {TRANSFORM}"),
            "SW608",
            "RunName",
        ),
        (
            native("Transform", f"ModelName: m, {TRANSFORM}", after("TransformOutput.S3OutputPaht")),
            "SW304",
            "S3OutputPaht",
        ),
        (native("Transform", f"ModelName: m, {TRANSFORM}", after("output")), "SW302", "output"),
        (
            native(
                "Lineage",
                "Actions: [{ActionName: a, ActionType: t, Source: {SourceUri: u}, Propertys: {}}]",
            ),
            "SW601",
            "Propertys",
        ),
        (native("Cleanup", "Resources: {S3: [{S3Uris: [s3://b/x]}]}"), "SW602", "{S3Uris: [s3://b/x]}"),
        (native("EMRServerless", "ExecutionRoleArn: r, JobConfig: {}"), "SW602", "JobConfig"),
    ],
)
def test_mistakes(text: str, code: str, at: str, tmp_path: Path) -> None:
    found = told(compile_steps(tmp_path, text))
    assert any(found_code == code and place.startswith(at) for found_code, place in found), found


def test_a_native_step_compiles(tmp_path: Path) -> None:
    path = "TransformOutput.S3OutputPath"
    result = compile_steps(tmp_path, native("Transform", f"ModelName: m, {TRANSFORM}", after(path)))
    assert result.definition is not None, result.diagnostics
    assert result.definition["Steps"][0]["Type"] == "Transform"
    assert result.definition["Steps"][1]["Arguments"] == {"a": {"Get": f"Steps.N.{path}"}}
