"""The wheel, installed into an empty environment, works outside of the checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source") / "sagewright"
    # A copy: setuptools would take what an earlier build left in the checkout.
    unwanted = shutil.ignore_patterns(
        ".git", ".venv*", "build", "*.egg-info", ".*_cache", ".hypothesis", "tests"
    )
    shutil.copytree(ROOT, source, ignore=unwanted)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; its dependencies are borrowed from this one, by a path and not by its .pth files."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    borrowed = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "borrowed.pth").write_text(borrowed + "\n")
    return folder / "bin" / "python"


def sagewright(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(python), "-m", "sagewright.compiler", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_wheel_holds_what_it_needs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names}
    assert folders == {"sagewright", next(f for f in folders if f.endswith(".dist-info"))}
    for wanted in (
        "sagewright/schemas/common.schema.json",
        "sagewright/schemas/steps/training.schema.json",
        "sagewright/schemas/api/sagemaker-requests.json.gz",
        "sagewright/compiler/codes/SW302.md",
        "sagewright/pipelines/breast-cancer/pipeline.yaml",
        "sagewright/steps/lambda_.py",
    ):
        assert wanted in names
    assert not [name for name in names if "__pycache__" in name or "/data/" in name or name.endswith(".csv")]


def test_init_check_compile_and_graph_outside_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    made = sagewright(installed, "init", "project", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    project = tmp_path / "project"
    first = (project / "pipelines/breast-cancer/pipeline.yaml").read_text().splitlines()[0]
    schema = (project / "pipelines/breast-cancer" / first.split("$schema=")[1]).resolve()
    assert json.loads(schema.read_text())["title"] == "sagewright pipeline"

    checked = sagewright(installed, "check", "--strict", cwd=project)
    assert checked.returncode == 0, checked.stdout
    compiled = sagewright(installed, "compile", cwd=project)
    assert compiled.returncode == 0, compiled.stderr
    definition = json.loads((project / "build/dev/breast-cancer/definition.json").read_text())
    assert [step["Name"] for step in definition["Steps"]] == ["Preprocess", "Train", "Evaluate", "GoodEnough"]
    drawn = sagewright(installed, "graph", "--format", "svg", cwd=project)
    assert drawn.stdout.startswith("<svg")
    explained = sagewright(installed, "explain", "SW302", cwd=project)
    assert explained.stdout.startswith("# SW302")


def test_it_runs_from_the_wheel_and_not_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import sagewright.compiler; print(sagewright.compiler.__file__)"
    shown = subprocess.run(
        [str(installed), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(shown.stdout.strip()).is_relative_to(installed.parents[1])
