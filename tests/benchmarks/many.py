"""A project of a thousand pipelines, on two cores."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.figures import Figure, at_most, faster
from tests.benchmarks.inputs import copies
from tests.benchmarks.processes import SAGEWRIGHT, Command, side_by_side

COUNT = 1000
CORES = 2


def run() -> list[Figure]:
    with TemporaryDirectory() as folder:
        copies(Path(folder), COUNT)
        command = [SAGEWRIGHT, "compile", "--output", f"{folder}/build"]
        best = side_by_side({
            "two": Command(command, runs=3, cwd=Path(folder), cores=CORES),
            "one": Command(command, runs=2, cwd=Path(folder), cores=1),
        })  # fmt: skip
    two, one = best["two"], best["one"]
    name = f"{COUNT:,} pipelines, {CORES} cores"
    return [
        at_most(name, two.seconds, 8, "s"),
        faster("the same", two.seconds, one.seconds, "one core"),
        Figure("its largest process's peak memory", f"{two.memory:.0f} MB", f"{one.memory:.0f} MB: one core"),
    ]
