"""The Arguments of every step that any case or pipeline emits are what AWS takes, by our walker and by the oracle's."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import pytest

from sagewright import steps as kinds
from sagewright.compiler import shapes
from sagewright.compiler.definition import steps
from sagewright.compiler.expression import Expression
from sagewright.compiler.types import Type
from tests.definitions import (
    CASES,
    NO_SHARED,
    PIPELINES,
    SHARED,
    as_yaml,
    boto_oracle,
    compiled,
    definition_of,
    write_project,
)
from tests.strategies import Maker

FILES = {**CASES, **{f"pipelines/{name}": path for name, path in PIPELINES.items()}}


def no_variable(expression: Expression, wanted: Type) -> Any:
    raise AssertionError(f"an expression in a definition: {expression}")


def violations(definition: dict[str, Any]) -> list[str]:
    """What our walker refuses."""
    found: list[shapes.Violation] = []
    for step in steps(definition):
        known = kinds.of_type(step.type)
        if known is not None and known.request is not None:
            shapes.bind(
                step.body["Arguments"],
                known.request,
                omits=known.omits,
                service=known.service,
                variable=no_variable,
                report=found.append,
            )
    return [f"{violation.code} {violation.message}" for violation in found]


def oracle_violations(definition: dict[str, Any]) -> list[str]:
    """What the oracle's walker over botocore's own files refuses."""
    oracle = boto_oracle()
    found: list[str] = []
    for step in oracle.walk(definition["Steps"]):
        if step["Type"] in oracle.OPS:
            operation, omits = oracle.OPS[step["Type"]]
            shape = oracle.SM["operations"][operation]["input"]["shape"]
            oracle.chk(step["Arguments"], shape, oracle.SM["shapes"], step["Name"], found, omits)
    return found


@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_our_walker(path: Path) -> None:
    assert violations(definition_of(compiled(path))) == []


@pytest.mark.skipif(not SHARED.exists(), reason=NO_SHARED)
@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_oracles_walker(path: Path) -> None:
    assert oracle_violations(definition_of(compiled(path))) == []


def test_pipelines_at_random(tmp_path: Path) -> None:
    pipeline = write_project(tmp_path, script="print('run')\n")
    for number in range(40):
        pipeline.write_text(as_yaml(Maker(random.Random(number)).make().tree), encoding="utf-8")
        definition = definition_of(compiled(pipeline))
        assert violations(definition) == []
        if SHARED.exists():
            assert oracle_violations(definition) == []


@pytest.mark.skipif(not SHARED.exists(), reason=NO_SHARED)
def test_both_notice() -> None:
    """A walker that sees nothing would pass everything."""
    definition = copy.deepcopy(definition_of(compiled(CASES["abalone"])))
    definition["Steps"][1]["Arguments"]["Nonsense"] = 1
    definition["Steps"][1]["Arguments"]["ResourceConfig"]["InstanceCount"] = "one"
    assert len(violations(definition)) == len(oracle_violations(definition)) == 2
