"""Compiling in a process that runs already, as an editor or a test does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from sagewright.compiler.driver import Compiler
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.processes import ROOT

RUNS = 30


def run() -> list[Figure]:
    compiler = Compiler()
    return [_figure(path, compiler) for path in sorted((ROOT / "pipelines").glob("*/pipeline.yaml"))]


def _figure(path: Path, compiler: Compiler) -> Figure:
    result = compiler.compile(path)
    assert result.definition is not None, path
    best = turns({
        "ours": lambda: compiler.compile(path),
        "peer": lambda: _least(path, result.definition),
    })  # fmt: skip
    figure = at_most(f"warm, {path.parent.name}", best["ours"], 0.008, "s")
    peer = f"{best['peer'] * 1000:.3g} ms: libyaml's parse and json.dumps"
    return Figure(
        figure.name, figure.ours, peer, f"{best['ours'] / best['peer']:.1f} ×", figure.target, figure.met
    )


def _least(path: Path, definition: Any) -> None:
    """What any compiler has to do."""
    yaml.load(path.read_bytes(), yaml.CSafeLoader)
    json.dumps(definition)


def turns(actions: Mapping[str, Callable[[], object]], runs: int = RUNS) -> dict[str, float]:
    """The best seconds of each action, all of them taking turns after one that does not count. They are this process's
    own: what others on the machine take meanwhile is left out."""
    best = dict.fromkeys(actions, float("inf"))
    for turn in range(runs + 1):
        for name, action in actions.items():
            started = time.process_time()
            action()
            if turn:
                best[name] = min(best[name], time.process_time() - started)
    return best
