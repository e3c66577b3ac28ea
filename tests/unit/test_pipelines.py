"""The ready-made pipelines compile to their golden definitions, and abalone to AWS's own, in meaning."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sagewright.compiler.definition import differences
from tests.definitions import (
    GOLDEN,
    NO_SHARED,
    PIPELINES,
    SHARED,
    compiled,
    definition_of,
    golden_text,
    unexplained,
)

AWS = SHARED / "corpus" / "jocelynlecomte__sm-terraform-poc__iac__resources__AbalonePipeline_definition.json"
PLACE = {
    "region": "us-east-1",
    "bucket": "sagemaker-us-east-1-557690605188",
    "role": "arn:aws:iam::557690605188:role/service-role/AmazonSageMaker-ExecutionRole-20250308T101392",
}
"""Where AWS's own was compiled for."""

DIFFERENT = {
    "Parameters[MseThreshold].DefaultValue": "6 for 6.0: theirs went through a writer of JSON that knows one kind of number",
    "Steps[AbaloneEval].Arguments.ProcessingOutputConfig.Outputs[evaluation].S3Output.S3Uri": (
        "theirs has the time of compiling in it, so that runs overwrite each other; ours is new for every run"
    ),
    "Steps[AbaloneMSECond].Arguments.IfSteps[AbaloneRegisterModel-RegisterModel].Arguments.ModelMetrics"
    ".ModelQuality.Statistics.S3Uri": "follows from that: the report lies in this output",
}
"""Path → why ours differs from AWS's own there, beyond what `definition.meaning` allows (where code is uploaded to)."""


def test_there_are_pipelines() -> None:
    assert PIPELINES.keys() >= {"abalone", "batch-scoring", "breast-cancer"}


@pytest.mark.parametrize("name", PIPELINES)
def test_golden(name: str, golden: Callable[[Path, str], None]) -> None:
    result = compiled(PIPELINES[name])
    assert result.diagnostics == []
    golden(PIPELINES[name].with_name(GOLDEN), golden_text(result))


@pytest.mark.parametrize("name", PIPELINES)
def test_every_target(name: str) -> None:
    for target in ("dev", "prod"):
        result = compiled(PIPELINES[name], target=target)
        assert result.diagnostics == []
        assert "prod" in golden_text(result) or target == "dev"


@pytest.mark.skipif(not SHARED.exists(), reason=NO_SHARED)
def test_abalone_is_awss_own() -> None:
    ours = definition_of(compiled(PIPELINES["abalone"], **PLACE))
    found = differences(ours, json.loads(AWS.read_text()), names=("ours", "AWS's"))
    assert unexplained(found, DIFFERENT) == ([], [])
