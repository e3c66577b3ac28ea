"""Commands run in this process, in a project of their own, against the emulator behind the proxy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from sagewright.compiler import cli
from tests.emulator_fixture import ACCOUNT, BUCKET, REGION, Proxy

ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
PROJECT = f"""\
version: 1
name: acme/ml
region: {REGION}
bucket: {BUCKET}
role: {ROLE}
targets:
  dev: {{default: true}}
  prod: {{name_suffix: -prod}}
  other: {{account: "999999999999"}}
"""
PIPELINE = """\
name: {name}
description: {description}
tags: {{team: risk}}
parameters: {{Count: 1, Mode: {{type: String, default: fast, enum: [fast, full]}}}}
steps:
  Prepare:
    kind: processing
    image: sklearn:1.2-1
    instance: ml.m5.large
    code: prepare.py
    cache: 30d
    arguments: {{n: "${{parameters.Count}}"}}
    environment: {{LEVEL: {level}}}
    outputs: {{train: {{}}}}
  Train:
    kind: training
    image: xgboost:1.7-1
    instance: ml.m5.large
    cache: 30d
    hyperparameters: {{num_round: 5}}
    inputs: {{train: "${{steps.Prepare.outputs.train}}"}}
"""


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    """A project with pipelines, and commands run in it."""

    root: Path
    proxy: Proxy
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, code: int | None = 0) -> Ended:
        """Run a command; it must end with `code`, unless that is None."""
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        out, err = self.capsys.readouterr()
        got = ended.value.code
        assert isinstance(got, int)
        assert code is None or got == code, f"ended with {got}\n{out}{err}"
        return Ended(got, out, err)

    def write(
        self, name: str, description: str = "first", level: str = "info", code: str = "print(1)\n"
    ) -> Path:
        folder = self.root / "pipelines" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prepare.py").write_text(code)
        file = folder / "pipeline.yaml"
        file.write_text(PIPELINE.format(name=name, description=description, level=level))
        return file

    def project(self, text: str) -> None:
        (self.root / "sagewright.yaml").write_text(text)

    def client(self, service: str = "sagemaker") -> Any:
        """Past the proxy."""
        return boto3.client(service, endpoint_url=self.proxy.target)

    def names(self) -> set[str]:
        return {p["PipelineName"] for p in self.client().list_pipelines()["PipelineSummaries"]}

    def describe(self, name: str) -> dict[str, Any]:
        return self.client().describe_pipeline(PipelineName=name)

    def tags(self, name: str) -> dict[str, str]:
        found = self.client().list_tags(ResourceArn=self.describe(name)["PipelineArn"])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def objects(self) -> list[str]:
        return sorted(o["Key"] for o in self.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", ()))


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """A project `acme/ml` with the pipelines `one` and `two`; the working directory is in it."""
    made = Shell(tmp_path, proxy, capsys)
    made.project(PROJECT)
    made.write("one")
    made.write("two")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    return made
