"""Large pipelines, and how the cost grows with the steps."""

from __future__ import annotations

import json
import subprocess
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from sagewright.compiler.driver import Compiler
from tests.benchmarks.figures import Figure, at_most, faster, skipped
from tests.benchmarks.inputs import lambda_chain, processing_chain, project
from tests.benchmarks.warm import turns
from tests.sdk import NO_SDK, sdk_environment, sdk_python

STEPS = 200
GROWTH = (10, 100, 1000)
_SCRIPT = Path(__file__).with_name("sdk_steps.py")


def run() -> list[Figure]:
    with TemporaryDirectory() as folder:
        return [*_against_sdk(project(Path(folder))), *_growth(Path(folder))]


def _against_sdk(folder: Path) -> list[Figure]:
    compiler, path = Compiler(), processing_chain(folder, STEPS)
    _require(compiler, path)
    ours = turns({"ours": lambda: compiler.compile(path)}, runs=10)["ours"]
    name = f"{STEPS} processing steps, warm"
    figures = [at_most(name, ours, 0.3, "s")]
    sdk = sdk_python()
    if sdk is None:
        return [*figures, skipped(f"{name}, SDK", NO_SDK)]
    arguments = [sdk, str(_SCRIPT), str(STEPS)]
    done = subprocess.run(arguments, env=sdk_environment(), capture_output=True, check=True)
    theirs = json.loads(done.stdout)["seconds"]
    return [*figures, faster(name, ours, theirs, "the SDK's classes, imports not counted")]


def _growth(folder: Path) -> list[Figure]:
    compiler = Compiler()
    paths = {count: lambda_chain(folder, count) for count in GROWTH}
    for path in paths.values():
        _require(compiler, path)
    best = turns({str(n): lambda path=path: compiler.compile(path) for n, path in paths.items()}, runs=15)
    return [
        at_most(f"{large:,} lambda steps for {small:,}", best[str(large)] / best[str(small)], 12, "×")
        for small, large in pairwise(GROWTH)
    ]


def _require(compiler: Compiler, path: Path) -> None:
    result = compiler.compile(path)
    if not result.ok:
        raise AssertionError(f"{path}: {result.diagnostics[0].message}")
