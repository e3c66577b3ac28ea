"""`null` leaves a key out, its built-in default included: nothing is written then, and AWS's own default holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.kinds import compile_steps, told
from tests.unit.test_every_field import BODIES, at

SECOND = "ProductionVariants[1]"
ROWS: list[tuple[str, str, str, Any]] = [
    ("training", "max_runtime: null", "StoppingCondition", {"MaxRuntimeInSeconds": 3600}),
    ("training", "compression: null", "OutputDataConfig.CompressionType", "GZIP"),
    ("training", "inputs: {a: {source: s3://b/a, mode: null}}", "InputDataConfig[0].InputMode", None),
    (
        "training",
        "inputs: {a: {source: s3://b/a, sharded: null}}",
        "InputDataConfig[0].DataSource.S3DataSource.S3DataDistributionType",
        None,
    ),
    (
        "processing",
        "inputs: {a: {source: s3://b/a, mode: null, compression: null, sharded: null}}",
        "ProcessingInputs[0].S3Input.S3InputMode",
        None,
    ),
    (
        "processing",
        "inputs: {a: {source: s3://b/a, compression: null}}",
        "ProcessingInputs[0].S3Input.S3CompressionType",
        None,
    ),
    ("tuning", "early_stopping: null", "HyperParameterTuningJobConfig.TrainingJobEarlyStoppingType", "Off"),
    ("training", "tags: null", "Tags", None),
    ("register", "approval: null", "ModelApprovalStatus", "PendingManualApproval"),
    ("register", "skip_validation: null", "SkipModelValidation", "None"),
    ("register", "environment: null", "InferenceSpecification.Containers[0].Environment", {}),
    ("model", "environment: null", "PrimaryContainer.Environment", {}),
    ("quality_check", "max_runtime: null", "StoppingCondition", {"MaxRuntimeInSeconds": 86400}),
    ("clarify_check", "max_runtime: null", "StoppingCondition", {"MaxRuntimeInSeconds": 86400}),
    ("notebook", "max_runtime: null", "StoppingCondition", {"MaxRuntimeInSeconds": 172800}),
    ("inference_component", "copies: null", "RuntimeConfig", {"CopyCount": 1}),
    (
        "transform",
        "data_type: null",
        "TransformInput.DataSource.S3DataSource.S3DataType",
        "S3Prefix",
    ),
    (
        "endpoint_config",
        "  second: {model: m, instance: ml.m5.large, weight: null}",
        f"{SECOND}.InitialVariantWeight",
        None,
    ),
    (
        "endpoint_config",
        "  second: {model: m, instance: {type: ml.m5.large, count: null}}",
        f"{SECOND}.InitialInstanceCount",
        None,
    ),
    (
        "processing",
        "outputs: {o: {path: null}}",
        "ProcessingOutputConfig.Outputs[0].S3Output.LocalPath",
        None,
    ),
    (
        "processing",
        "inputs: {i: {source: s3://b/i, path: null}}",
        "ProcessingInputs[0].S3Input.LocalPath",
        None,
    ),
]
"""A kind, what is written, the member that is gone by it, and what it is without (None: the key is not there then)."""


def compiled(body: str, folder: Path) -> Any:
    (folder / "nb.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    result = compile_steps(folder, "S:\n" + "".join(f"  {line}\n" for line in body.split("\n")))
    return told(result), result.definition and result.definition["Steps"][-1]["Arguments"]


@pytest.mark.parametrize(("kind", "written", "path", "default"), ROWS)
def test_null(kind: str, written: str, path: str, default: Any, tmp_path: Path) -> None:
    mistakes, arguments = compiled(f"{BODIES[kind].rstrip()}\n{written}", tmp_path)
    assert [code for code, _ in mistakes if code not in ("SW602",)] == []
    if arguments:
        assert at(arguments, path) is None
    if default is not None:
        _, plain = compiled(BODIES[kind].rstrip(), tmp_path)
        assert at(plain, path) == default


@pytest.mark.parametrize(
    ("image", "instance", "path"),
    [
        ("xgboost:1.7-1", "{type: ml.m5.large, volume_gb: null}", "ResourceConfig.VolumeSizeInGB"),
        ("xgboost:1.7-1", "{type: ml.m5.large, count: null}", "ResourceConfig.InstanceCount"),
    ],
)
def test_null_in_an_instance(image: str, instance: str, path: str, tmp_path: Path) -> None:
    _, arguments = compiled(f"kind: training\nimage: {image}\ninstance: {instance}", tmp_path)
    assert at(arguments, path) is None


def test_null_over_the_scale_of_a_range(tmp_path: Path) -> None:
    body = BODIES["tuning"].replace("max: 0.5}", "max: 0.5, scale: null}")
    _, arguments = compiled(body, tmp_path)
    (range_,) = arguments["HyperParameterTuningJobConfig"]["ParameterRanges"]["ContinuousParameterRanges"]
    assert range_ == {"Name": "eta", "MinValue": "0.1", "MaxValue": "0.5"}


PREPARE = "P:\n  kind: processing\n  image: sklearn:1.2-1\n  instance: ml.m5.large\n"


@pytest.mark.parametrize(
    ("rest", "at", "help"),
    [
        ("  outputs:\n    train:\n    test: {}", "train", "`{}`"),
        ("  outputs: {train: {}, test: }", "test", "`{}`"),
        ("  inputs:\n    raw: # an S3 URI", "raw", "give it a value"),
        ("  reports: {r: }", "r", "`null`"),
    ],
)
def test_an_entry_of_which_nothing_is_written(rest: str, at: str, help: str, tmp_path: Path) -> None:
    result = compile_steps(tmp_path, PREPARE + rest)
    assert told(result) == [("SW203", at)]
    assert f".{at}` is empty" in result.diagnostics[0].message
    assert help in (result.diagnostics[0].help or "")


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        ("", "outputs: {train: null}"),
        ("", "outputs: {train: ~}"),
        ("", 'outputs: {train: "{{ none }}"}'),
        ("", "outputs:"),
        ("", "environment: {LOG: }"),
        ("defaults: {outputs: {train: {}}}\n", "outputs: {train: }"),
    ],
)
def test_what_is_left_out_all_the_same(head: str, rest: str, tmp_path: Path) -> None:
    result = compile_steps(tmp_path, f"{PREPARE}  {rest}", head)
    assert result.diagnostics == []
    assert result.definition is not None
    assert "train" not in json.dumps(result.definition)
