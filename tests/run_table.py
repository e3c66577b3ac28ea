"""The table of semantics in `cases/run`, and how our engine carries out its cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.engine.blueprint import blueprint
from sagewright.compiler.engine.given import Names, given
from sagewright.compiler.engine.outcome import Result, simulate_given
from sagewright.compiler.source import Map, read

FOLDER = Path(__file__).parent / "cases" / "run"
RUNS = ("order", "branches", "triggers", "retries", "cache", "foreach", "values", "ending")
"""The files whose cases are executions."""
LONG, MANY = 1025, 201
"""Characters of the value `long`, and how many parameters are given where a case says `many`."""


def cases(name: str) -> list[Map]:
    """The cases of a file."""
    sink = Sink()
    document = read(FOLDER / f"{name}.yaml", sink)
    assert document is not None, sink.diagnostics
    return list(document.data["cases"])


def definition(case: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Version": "2020-12-01",
        "Parameters": case.get("parameters", []),
        "PipelineExperimentConfig": case.get("experiment"),
        "Steps": case["steps"],
    }


def values(case: Mapping[str, Any]) -> dict[str, Any]:
    """What a case of `parameters` gives at the start."""
    found = {name: "x" * LONG if value == "long" else value for name, value in case["values"].items()}
    return found | ({f"P{number}": "x" for number in range(MANY)} if case.get("many") else {})


def simulated(made: dict[str, Any], case: Mapping[str, Any], sink: Sink) -> tuple[Result, Names]:
    """The execution of a definition with what a case gives. Raises Refused and ScenarioError."""
    names = Names(blueprint(made))
    return simulate_given(names.plan, given(case.get("given") or Map(), names, sink)), names
