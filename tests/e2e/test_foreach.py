"""A foreach, from its file into the emulator: created, found unchanged, changed in its body, and executed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result

from sagewright.compiler.cli import root
from tests.definitions import ROOT
from tests.emulator_fixture import ACCOUNT, BUCKET, REGION, Proxy

PROJECT = f"""\
version: 1
region: {REGION}
bucket: {BUCKET}
role: arn:aws:iam::{ACCOUNT}:role/SageMakerRole
"""


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Proxy) -> Path:
    (tmp_path / "sagewright.yaml").write_text(PROJECT)
    file = tmp_path / "pipeline.yaml"
    file.write_text((ROOT / "steps/examples/foreach.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    return file


def run(*arguments: str) -> Result:
    return CliRunner().invoke(root, [*arguments, "pipeline.yaml"])


def test_from_the_file_to_an_execution(pipeline: Path, proxy: Proxy) -> None:
    first = run("upsert", "--yes")
    assert first.exit_code == 0, first.output
    sagemaker = boto3.client("sagemaker", endpoint_url=proxy.target)
    there = json.loads(sagemaker.describe_pipeline(PipelineName="per-region")["PipelineDefinition"])
    assert [step["Type"] for step in there["Steps"]] == ["ForEach", "Lambda"]
    assert "unchanged" in run("upsert").output

    changed = pipeline.read_text().replace("max_concurrency: 5", "max_concurrency: 6")
    pipeline.write_text(changed.replace('{region: "${item}"}', '{region: "${item}", depth: 3}'))
    planned = run("plan", "--detailed-exitcode")
    assert planned.exit_code == 3, planned.output
    assert "Arguments.MaxConcurrency: 5 → 6" in planned.output
    assert "step Score (Lambda)" in planned.output and "Arguments.depth: 3" in planned.output
    assert run("upsert", "--yes").exit_code == 0

    started = sagemaker.start_pipeline_execution(PipelineName="per-region", ClientRequestToken="t" * 32)
    arn = started["PipelineExecutionArn"]
    names: set[str] = set()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        names = {step["StepName"] for step in found}
        if {"Fan", "Score-0", "Score-1"} <= names:
            return
        time.sleep(0.2)
    pytest.fail(f"the children never ran: {names}")
