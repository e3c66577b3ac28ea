"""The repacking job as it is deployed: compiled, its uploads fetched, and run by the container's contract."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.compilation import Compilation
from sagewright.compiler.driver import Compiler, Result

PROJECT = """
version: 1
region: us-west-2
bucket: my-bucket
role: arn:aws:iam::123456789012:role/SageMakerRole
"""
PIPELINE = """
name: p
steps:
  Train: {kind: training, image: "xgboost:1.7-1", instance: ml.m5.large, inputs: {train: s3://my-bucket/train}}
  Serve:
    kind: deploy
    endpoint: abalone
    image: IMAGE
    model_data: ${steps.Train.model_data}
    instance: ml.m5.large
    code: CODE
    depends_on: [Train]
    cache: 30d
    retry: standard
    api: {endpoint: {Tags: [{Key: team, Value: risk}]}}
"""


def compiled(folder: Path, image: str, code: str) -> Result:
    (folder / "sagewright.yaml").write_text(PROJECT)
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("IMAGE", image).replace("CODE", code))
    (folder / "serve.py").write_text("def handler(data, context): ...\n")
    (folder / "src" / "lib").mkdir(parents=True)
    (folder / "src" / "inference.py").write_text("def model_fn(folder): ...\n")
    (folder / "src" / "lib" / "shapes.py").write_text("SIDES = 4\n")
    result = Compiler().compile(folder / "pipeline.yaml")
    assert [d for d in result.diagnostics if d.severity == "error"] == []
    return result


def steps(result: Result) -> dict[str, dict[str, Any]]:
    assert result.definition is not None
    return {step["Name"]: step for step in result.definition["Steps"]}


def fetch(uri: str, compilation: Compilation, target: Path) -> Path:
    """What S3 would hold under `uri`, in the folder `target`."""
    (upload,) = [upload for upload in compilation.uploads if upload.uri == uri]
    target.mkdir(parents=True, exist_ok=True)
    place = target / Path(upload.key).name
    with upload.asset.open() as content:
        place.write_bytes(content.read())
    return place


def run(step: dict[str, Any], compilation: Compilation, model: Path, base: Path) -> Path:
    """Run a script-mode training job as SageMaker's training toolkit does; the folder that it leaves in `model`."""
    arguments = step["Arguments"]
    settings = {name: json.loads(text) for name, text in arguments["HyperParameters"].items()}
    code = base / "code"
    with tarfile.open(fetch(settings["sagemaker_submit_directory"], compilation, base)) as tar:
        tar.extractall(code, filter="data")
    environment = {**os.environ, "SM_MODEL_DIR": str(base / "model")}
    for channel in arguments["InputDataConfig"]:
        name, uri = channel["ChannelName"], channel["DataSource"]["S3DataSource"]["S3Uri"]
        folder = base / "input" / name
        if isinstance(uri, str):
            fetch(uri, compilation, folder)
        else:
            folder.mkdir(parents=True)
            (folder / "model.tar.gz").write_bytes(model.read_bytes())
        environment[f"SM_CHANNEL_{name.upper()}"] = str(folder)
    own = sorted((name, str(value)) for name, value in settings.items() if not name.startswith("sagemaker_"))
    command = [
        sys.executable,
        settings["sagemaker_program"],
        *(word for n, v in own for word in (f"--{n}", v)),
    ]
    subprocess.run(command, cwd=code, env=environment, check=True)
    return base / "model"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A trained model's archive."""
    weights = tmp_path / "trained" / "weights.bin"
    weights.parent.mkdir()
    weights.write_text("0.5")
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(weights, "weights.bin")
    return tmp_path / "model.tar.gz"


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_directory_of_code_ends_up_in_the_archive(tmp_path: Path, model: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    result = compiled(project, "pytorch:2.5.1", "{dir: src, entry: inference.py}")
    assert result.compilation is not None
    made = run(steps(result)["Serve-repack"], result.compilation, model, tmp_path / "job")
    assert files(made) == {"weights.bin", "code/inference.py", "code/lib/shapes.py"}


def test_tensorflow_finds_its_script_by_name(tmp_path: Path, model: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    result = compiled(project, "tensorflow:2.14", "serve.py")
    assert result.compilation is not None
    made = run(steps(result)["Serve-repack"], result.compilation, model, tmp_path / "job")
    assert files(made) == {"weights.bin", "code/serve.py", "code/inference.py"}


def test_the_deployment_runs_after_it(tmp_path: Path) -> None:
    found = steps(compiled(tmp_path, "pytorch:2.5.1", "serve.py"))
    assert list(found) == ["Train", "Serve-repack", "Serve-model", "Serve-config", "Serve"]
    container = found["Serve-model"]["Arguments"]["PrimaryContainer"]
    assert container["ModelDataUrl"] == {"Get": "Steps.Serve-repack.ModelArtifacts.S3ModelArtifacts"}
    assert container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    assert [step.get("DependsOn") for step in found.values()] == [None, ["Train"], ["Train"], None, None]
    assert ["RetryPolicies" in step for step in found.values()] == [False, True, True, True, False]
    assert [step.get("CacheConfig") for step in found.values()][3] == {"Enabled": True, "ExpireAfter": "P30D"}
    assert found["Serve"]["Arguments"]["Tags"] == [{"Key": "team", "Value": "risk"}]
    assert found["Serve"]["Arguments"]["EndpointConfigName"] == {
        "Get": "Steps.Serve-config.EndpointConfigName"
    }
