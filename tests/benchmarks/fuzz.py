"""Fuzzing of the front end: a hundred thousand inputs on all cores, of which none may give a traceback.

python -m tests.benchmarks.fuzz [COUNT] [SEED]
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.benchmarks.figures import Figure
from tests.fuzzing import Failure
from tests.fuzzing import run as run_inputs

COUNT, CHUNK = 100_000, 500


def run(count: int = COUNT, seed: int = 1) -> list[Figure]:
    started = time.perf_counter()
    failures = fuzz(count, seed)
    for failure in failures[:10]:
        print(f"{failure}\n", file=sys.stderr)
    took = time.perf_counter() - started
    shown = f"{len(failures)} tracebacks ({count / took:,.0f} inputs/s)"
    return [Figure(f"fuzzing, {count:,} inputs", shown, target="none", met=not failures)]


def fuzz(count: int, seed: int) -> list[Failure]:
    """The failures among so many inputs, by their number."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    failures: list[Failure] = []
    with ProcessPoolExecutor(cores) as pool:
        chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
        for done, future in enumerate(as_completed([pool.submit(_chunk, seed, c) for c in chunks]), 1):
            failures += future.result()
            if sys.stderr.isatty():
                print(
                    f"\r{min(done * CHUNK, count):,} inputs, {len(failures)} failures",
                    end="",
                    file=sys.stderr,
                )
    return sorted(failures, key=lambda failure: failure.number)


def _chunk(seed: int, numbers: range) -> list[Failure]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        return run_inputs(Path(folder), seed, numbers)


if __name__ == "__main__":
    print(*run(*map(int, sys.argv[1:])), sep="\n")
