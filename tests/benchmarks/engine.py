"""Simulating: one execution of 200 steps, 10,000 of breast-cancer, and every way through a pipeline."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from sagewright.compiler.driver import compile_file
from sagewright.compiler.engine.blueprint import Blueprint, blueprint
from sagewright.compiler.engine.explore import explore
from sagewright.compiler.engine.given import Given
from sagewright.compiler.engine.outcome import simulate_given
from sagewright.compiler.engine.sampling import sample
from sagewright.compiler.engine.scenario import Behaviour, Draw, Scenario
from sagewright.compiler.engine.telling import sample_text
from sagewright.compiler.engine.timeline import as_text
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.inputs import BREAST_CANCER, processing_chain, project
from tests.benchmarks.warm import turns

STEPS, RUNS, LOOSE = 200, 10_000, 24
METRICS = {"auc": {"value": Draw("normal", (0.96, 0.01))}, "recall": {"value": Draw("uniform", (0.85, 1.0))}}
SCENARIO = Scenario(
    steps={
        "Evaluate": Behaviour(reports={"evaluation": {"binary_classification_metrics": METRICS}}),
        "Train": Behaviour(rate=0.1, rate_error="capacity_error", duration=Draw("uniform", (300.0, 900.0))),
    }
)


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        chain = _definition(processing_chain(project(Path(folder)), STEPS))
    plan = blueprint(_definition(BREAST_CANCER / "pipeline.yaml"))
    loose = blueprint({"Steps": [_training(index) for index in range(LOOSE)]})
    best = turns(
        {"simulate": lambda: _simulate(chain), "explore": lambda: explore(loose, Scenario(), {})}, runs=5
    )
    return [
        at_most(f"simulating {STEPS} steps, warm", best["simulate"], 0.05, "s"),
        at_most(f"{RUNS:,} runs of breast-cancer", _many(plan), 20, "s"),
        Figure(f"all ways of {LOOSE} steps at once", f"{best['explore'] * 1000:.0f} ms"),
    ]


def _definition(path: Path) -> Any:
    definition = compile_file(path).definition
    assert definition is not None, path
    return definition


def _training(index: int) -> dict[str, Any]:
    return {"Name": f"T{index}", "Type": "Training", "Arguments": {}}


def _simulate(definition: Any) -> None:
    """What `sagewright simulate` does once the pipeline is compiled."""
    given = Given()
    result = simulate_given(blueprint(definition), given)
    assert result.execution.status == "Succeeded"
    as_text(result, given)


def _many(plan: Blueprint) -> float:
    started = time.process_time()
    found = sample(plan, Given(SCENARIO), RUNS, seed=0)
    sample_text(found)
    assert found.outcomes["GoodEnough"].total() > 0
    return time.process_time() - started


if __name__ == "__main__":
    for figure in run():
        print(figure.name, figure.ours, figure.target, figure.mark)
