"""`sagewright run`: breast-cancer from nothing, again, and what a step costs above its script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.inputs import BREAST_CANCER
from tests.benchmarks.processes import ROOT, SAGEWRIGHT

STEPS = 10

PROJECT = """\
version: 1
region: us-west-2
bucket: acme-ml
role: arn:aws:iam::123456789012:role/SageMakerRole
local: {images: {"*": {python: current}}, data: {"s3://acme-ml/breast-cancer/": data}}
"""
SCRIPT = "import json, sys\nprint(json.dumps(sys.argv))\n"
HEAD = "name: chain\ndefaults: {image: sklearn:1.2-1, kinds: {processing: {instance: ml.m5.large}}}\nsteps:\n"


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="sagewright-bench-") as folder:
        root = Path(folder)
        (root / "sagewright.yaml").write_text(PROJECT)
        shutil.copytree(BREAST_CANCER, root / "pipelines" / "breast-cancer")
        subprocess.run(
            [sys.executable, BREAST_CANCER / "export_data.py", root / "data" / "breast-cancer.csv"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        try:
            first = _seconds(root, "run", "pipelines/breast-cancer")
            again = min(_seconds(root, "run", "pipelines/breast-cancer") for _ in range(3))
        finally:
            _seconds(root, "endpoints", "--all", "--yes")
        ours, bare = _chain(root)
    return [
        at_most("breast-cancer, end to end", first, 30, "s"),
        at_most("breast-cancer again, nothing changed", again, 1.5, "s"),
        at_most("a step, above its script", ours / STEPS - bare, 0.15, "s"),
    ]


def _chain(root: Path) -> tuple[float, float]:
    """Seconds of a chain of steps, the command's own start not counted, and of one bare script."""
    folder = root / "pipelines" / "chain"
    folder.mkdir()
    (folder / "s.py").write_text(SCRIPT)

    def write(steps: int) -> None:
        lines = [
            f"  S{i}: {{kind: processing, code: s.py, arguments: {{n: {i}}}"
            + (f", depends_on: [S{i - 1}]" if i else "")
            + "}\n"
            for i in range(steps)
        ]
        (folder / "pipeline.yaml").write_text(HEAD + "".join(lines))

    def best(steps: int) -> float:
        write(steps)
        return min(_seconds(root, "run", "pipelines/chain", "--no-cache") for _ in range(3))

    bare = min(_timed([sys.executable, str(folder / "s.py")], root) for _ in range(5))
    return best(STEPS + 1) - best(1), bare


def _seconds(root: Path, *arguments: str) -> float:
    return _timed([SAGEWRIGHT, *arguments], root)


def _timed(command: list[str], root: Path) -> float:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    subprocess.run(
        command, cwd=root, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    for figure in run():
        print(figure.name, figure.ours, figure.target, figure.mark)
