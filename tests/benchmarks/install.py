"""The base install: the wheel and what it needs, into an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.figures import Figure, at_most, skipped
from tests.benchmarks.processes import ROOT

_NOT_SOURCE = shutil.ignore_patterns(".*", "build", "tests", "*.egg-info", "__pycache__")


def run() -> list[Figure]:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        return [skipped("base install", "uv is not installed")]
    with TemporaryDirectory() as folder:
        return _install(uv, Path(folder))


def _install(uv: str, folder: Path) -> list[Figure]:
    source = shutil.copytree(ROOT, folder / "source", ignore=_NOT_SOURCE)  # building leaves its traces there
    _run(uv, "build", "--wheel", "--out-dir", folder, source)
    wheel = next(folder.glob("*.whl"))
    taken = [_fresh(uv, folder / name, wheel) for name in ("warms-the-cache", "counts")]
    packages = next((folder / "counts").glob("lib/python*/site-packages"))
    if any(packages.glob("sagemaker*")):
        raise AssertionError("the base install brings the SageMaker SDK")
    _run(
        folder / "counts" / "bin" / "sagewright",
        "compile",
        ROOT / "pipelines" / "breast-cancer",
        "--output",
        folder,
    )
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file())
    return [
        at_most("base install, compiled", size / 1_000_000, 120, "MB"),
        at_most("base install, from a warm cache", taken[1], 30, "s"),
    ]


def _fresh(uv: str, environment: Path, wheel: Path) -> float:
    started = time.perf_counter()
    _run(uv, "venv", "--python", sys.executable, environment)
    _run(uv, "pip", "install", "--compile-bytecode", "--python", environment / "bin" / "python", wheel)
    return time.perf_counter() - started


def _run(*arguments: str | os.PathLike[str]) -> None:
    command: Sequence[str | os.PathLike[str]] = arguments
    subprocess.run(command, check=True, capture_output=True)
