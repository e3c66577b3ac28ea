"""A kind of step that another package adds, by an entry point: nothing of ours is touched for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = '''
"""Ask a Bedrock model to be ready for so many requests."""

from sagewright.compiler.kind import StepKind, Sugar, present


def arguments(step, context):
    return present(ModelId=step.body["model"], ModelUnits=step.body.get("units", 1))


KIND = StepKind(
    name="throughput",
    type="BedrockProvisionedModelThroughput",
    arguments=arguments,
    request={"ModelId": "string", "ModelUnits": "integer"},
    sugar={"arn": Sugar("ProvisionedModelArn")},
    attributes=("ProvisionedModelArn",),
)
'''
COMMON = "../common.schema.json#/$defs/"
SCHEMA = {
    "title": "Throughput step",
    "type": "object",
    "properties": {
        "kind": {"const": "throughput", "$ref": f"{COMMON}kind"},
        "model": {"title": "Model", "type": "string"},
        "units": {"$ref": "#/$defs/units"},
        **{key: {"$ref": COMMON + key} for key in ("depends_on", "display_name", "api")},
    },
    "required": ["kind", "model"],
    "additionalProperties": False,
    "$defs": {"units": {"title": "Units", "type": "integer", "minimum": 1, "default": 1}},
}
PIPELINE = """
name: p
steps:
  Ready: {kind: throughput, model: m, units: 2}
  Tell: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {arn: "${steps.Ready.arn}"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project, and beside it an installed distribution that adds the kind `throughput`."""
    package, about = tmp_path / "site" / "acme_kinds", tmp_path / "site" / "acme_kinds-1.0.dist-info"
    for made in (package, about, tmp_path / "project"):
        made.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "throughput.py").write_text(MODULE)
    (package / "throughput.schema.json").write_text(json.dumps(SCHEMA))
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-kinds\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sagewright.kinds]\nthroughput = acme_kinds.throughput\n")
    (tmp_path / "project" / "sagewright.yaml").write_text("version: 1\n")
    return tmp_path


def run(folder: Path, *arguments: str, pipeline: str = PIPELINE) -> subprocess.CompletedProcess[str]:
    (folder / "project" / "pipeline.yaml").write_text(pipeline)
    environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
    command = [sys.executable, "-m", "sagewright.compiler", *arguments]
    return subprocess.run(
        command,
        cwd=folder / "project",
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_compiles(folder: Path) -> None:
    done = run(folder, "compile", "pipeline.yaml", "--stdout", "--region", "us-west-2")
    assert done.returncode == 0, done.stderr
    ready, tell = json.loads(done.stdout)["Steps"]
    assert ready == {
        "Name": "Ready",
        "Type": "BedrockProvisionedModelThroughput",
        "Arguments": {"ModelId": "m", "ModelUnits": 2},
    }
    assert tell["Arguments"] == {"arn": {"Get": "Steps.Ready.ProvisionedModelArn"}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("units: 2", "unit: 2", "unknown key `unit`"),
        ("units: 2", "units: 0", "the least is 1"),
        ("units: 2", "api: {ModelUnitz: 2}", "has no member `ModelUnitz`"),
        ("Ready.arn", "Ready.Arn", "has no property `Arn`"),
        ("kind: throughput", "kind: thruput", "did you mean `throughput`?"),
    ],
)
def test_its_mistakes_are_told(old: str, new: str, said: str, folder: Path) -> None:
    done = run(folder, "check", "pipeline.yaml", "--region", "us-west-2", pipeline=PIPELINE.replace(old, new))
    assert done.returncode == 1
    assert said in done.stdout + done.stderr


def test_it_has_a_page_and_a_schema(folder: Path) -> None:
    assert "Ask a Bedrock model" in run(folder, "explain", "throughput").stdout
    assert json.loads(run(folder, "schema", "--kind", "throughput").stdout)["title"] == "Throughput step"
    assert "throughput" in json.loads(run(folder, "schema").stdout)["$defs"]
