"""`sagewright run` against the SageMaker SDK's own local mode: the same definitions, the same scripts, the same data.

Compared: the statuses of the execution and of every step that either of them started, and all that the steps wrote to
S3. What may differ: where a model's archive lies (the SDK leaves out `output/`), an archive without content (the SDK leaves
one of a training that failed; SageMaker uploads none: aws/sagemaker-python-sdk#3455), and the words of a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.local_jobs import members, sandbox
from tests.sdk import NO_SDK, sdk_environment, sdk_python

HERE = Path(__file__).parent
ML = "/opt/ml/processing"
SCRIPTS = {
    "prepare.py": f"""
import sys
suffix = sys.argv[sys.argv.index("--suffix") + 1]
if suffix == "fail":
    sys.exit(4)
rows = open("{ML}/input/raw/a.csv").read().strip()
open("{ML}/output/train/a.csv", "w").write(rows + "," + suffix)
""",
    "train.py": """
import json, sys
rows = open("/opt/ml/input/data/train/a.csv").read()
if "untrainable" in rows:
    sys.exit(3)
given = json.load(open("/opt/ml/input/config/hyperparameters.json"))
open("/opt/ml/model/model.txt", "w").write(rows + "," + given["depth"])
""",
    "evaluate.py": f"""
import json, tarfile
tarfile.open("{ML}/input/model/model.tar.gz").extractall("/tmp/model")
rows = open("/tmp/model/model.txt").read()
if "silent" not in rows:
    open("{ML}/output/report/report.json", "w").write(json.dumps({{"metrics": {{"score": len(rows)}}, "rows": rows}}))
""",
    "good.py": f"""
import json, sys
rows = json.load(open("{ML}/input/report/report.json"))["rows"]
open("{ML}/output/good/good.txt", "w").write(" ".join([rows, *sys.argv[1:]]))
""",
}
CASES: dict[str, dict[str, Any]] = {
    "good": {"Limit": 20.0, "Suffix": "x"},
    "bad": {"Limit": 2.5, "Suffix": "x"},
    "on-the-limit": {"Limit": 7.0, "Suffix": "x"},
    "prepare-fails": {"Limit": 20.0, "Suffix": "fail"},
    "train-fails": {"Limit": 20.0, "Suffix": "untrainable"},
    "no-report": {"Limit": 20.0, "Suffix": "silent"},
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """What the SDK made of all cases: its folder, with `s3/<case>` as S3, and its results by case."""
    python = sdk_python()
    if python is None:
        pytest.skip(NO_SDK)
    sandbox("bubblewrap")
    folder = tmp_path_factory.mktemp("sdk")
    code = folder / "code"
    code.mkdir()
    for name, text in SCRIPTS.items():
        (code / name).write_text(text)
    programs = folder / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(f'#!/bin/sh\nexec {python} {HERE / "docker_shim.py"} "$@"\n')
    docker.chmod(0o755)
    environment = sdk_environment() | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TRAIN_PYTHON": sys.executable,
        "TRAIN_PROGRAM": str(code / "train.py"),
    }
    for name in CASES:
        raw = folder / "s3" / name / "bucket" / "raw"
        raw.mkdir(parents=True)
        (raw / "a.csv").write_text("1,2\n")
    cases = folder / "cases.json"
    cases.write_text(json.dumps(CASES))
    command = [python, str(HERE / "sdk_local.py"), str(folder / "s3"), str(code), str(cases)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder, json.loads(done.stdout.splitlines()[-1])


def by_us(folder: Path, root: Path, name: str, definition: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """The run's record as JSON."""
    (root / "sagewright.yaml").write_text('version: 1\nlocal: {images: {"mine:1": {train: train.py}}}\n')
    shutil.copy(folder / "code" / "train.py", root)
    bucket = root / ".sagewright" / "s3" / "bucket"
    shutil.copytree(folder / "s3" / name / "bucket", bucket)
    for made in ("out", "models"):
        shutil.rmtree(bucket / made, ignore_errors=True)
    (root / "definition.json").write_text(json.dumps(definition))
    given = [word for key, value in parameters.items() for word in ("--param", f"{key}={value}")]
    command = [
        sys.executable,
        "-m",
        "sagewright.compiler",
        "run",
        "definition.json",
        *given,
        "--format",
        "json",
    ]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def written(bucket: Path) -> dict[str, Any]:
    """What steps wrote: outputs by key, and what is in the models."""
    out = {
        str(path.relative_to(bucket)): path.read_bytes()
        for path in (bucket / "out").rglob("*")
        if path.is_file()
    }
    models = (members(path.read_bytes()) for path in (bucket / "models").rglob("model.tar.gz"))
    return {"out": out, "models": [model for model in models if model]}


@pytest.mark.parametrize("name", CASES)
def test_both_make_the_same_of_a_pipeline(
    theirs: tuple[Path, dict[str, Any]], tmp_path: Path, name: str
) -> None:
    folder, results = theirs
    expected = results[name]
    ours = by_us(folder, tmp_path, name, expected["definition"], CASES[name])
    assert statuses(ours) == expected["steps"], ours
    assert ours["status"] == expected["status"]
    assert written(tmp_path / ".sagewright/s3/bucket") == written(folder / "s3" / name / "bucket")


def statuses(run: dict[str, Any]) -> dict[str, str]:
    """Of the steps that started."""
    return {
        step["name"]: step["status"] for step in run["steps"] if step["status"] in ("Succeeded", "Failed")
    }
