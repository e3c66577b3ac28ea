"""The benchmarks are there, and what they measure with compiles. No time is asserted here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.driver import Compiler, find_pipelines
from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.figures import Figure, at_most, faster, no_slower, skipped, table
from tests.benchmarks.inputs import copies, lambda_chain, processing_chain, project
from tests.benchmarks.processes import Command, once, side_by_side


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_name_has_a_module(name: str) -> None:
    assert find_spec(f"tests.benchmarks.{name}") is not None


@pytest.mark.parametrize("chain", [processing_chain, lambda_chain])
def test_chains_are_chains(tmp_path: Path, chain: Callable[[Path, int], Path]) -> None:
    result = Compiler().compile(chain(project(tmp_path), 3))
    assert result.diagnostics == []
    assert result.program is not None
    assert [(edge.source, edge.target) for edge in result.program.edges] == [("S0", "S1"), ("S1", "S2")]


def test_copies_are_pipelines_of_their_own(tmp_path: Path) -> None:
    copies(tmp_path, 3)
    results = [Compiler().compile(path) for path in find_pipelines([tmp_path], Sink())]
    assert [result.compilation.name for result in results if result.compilation] == [
        "p0000",
        "p0001",
        "p0002",
    ]
    assert [result.diagnostics for result in results] == [[], [], []]


def test_a_figure_meets_its_target_or_does_not() -> None:
    assert at_most("memory", 79.9, 80, "MB").met
    assert not at_most("time", 8.1, 8, "s").met
    assert no_slower("start", 0.3, 0.2, "imports", 1.5).met
    assert not faster("start", 1.0, 9.9, "the SDK", 10).met
    assert faster("start", 1.0, 9.9, "the SDK").met is None
    missing = skipped("start", "the SDK is not installed: install it")
    assert (missing.ours, missing.met) == ("not measured, the SDK is not installed", None)


def test_a_table_is_markdown() -> None:
    lines = table([no_slower("start", 0.3, 0.2, "imports", 1.5), Figure("long", "1")]).splitlines()
    assert lines[2].replace(" ", "") == "|start|300ms|200ms:imports|1.50×|≤1.5×|met|"
    assert len({len(line) for line in lines}) == 1


def test_a_command_is_measured_as_a_whole_process() -> None:
    assert once(Command([sys.executable, "-c", "x = bytearray(60_000_000)"])).memory > 60
    best = side_by_side({"slow": Command(["sleep", "0.2"], runs=1), "fast": Command(["sleep", "0"], runs=1)})
    assert best["slow"].seconds > best["slow"].processor
    assert best["fast"].memory < 60
