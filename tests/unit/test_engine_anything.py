"""Any definition, whoever wrote it and however broken: it is executed, or it is said why it cannot be."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagewright.compiler.definition import DefinitionError
from sagewright.compiler.engine.blueprint import blueprint
from sagewright.compiler.engine.explore import explore
from sagewright.compiler.engine.given import Given
from sagewright.compiler.engine.outcome import Result
from sagewright.compiler.engine.parameters import any_values
from sagewright.compiler.engine.scenario import Scenario
from sagewright.compiler.engine.timeline import as_json, as_text
from tests.definitions import NO_SHARED, ROOT, SHARED
from tests.engines import simulated

OURS = sorted(ROOT.glob("pipelines/*/definition.golden.json")) + sorted(
    ROOT.glob("tests/cases/compile/*/definition.golden.json")
)
THEIRS = sorted((SHARED / "golden").rglob("*.json")) + sorted((SHARED / "corpus").glob("*.json"))
BROKEN = {"aws__modern-data-architecture-accelerator": "`Std:JsonGet` wants a `PropertyFile` or an `S3Uri`"}
"""Definitions of the corpus that nobody can execute."""


def check(definition: Any) -> None:
    """Everything that a definition can be put to ends, and can be shown."""
    plan = blueprint(definition)
    parameters = any_values(plan.definition, {})
    execution = simulated(plan, Scenario(), parameters)
    assert execution.conclusion is not None
    result, given_ = Result(execution), Given()
    assert as_text(result, given_)
    json.dumps(as_json(result, given_), default=str)
    found = explore(plan, Scenario(), parameters, cap=200)
    assert found.ways or not found.exhaustive


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.parent.name)
def test_ours(path: Path) -> None:
    check(path.read_text(encoding="utf-8"))


@pytest.mark.skipif(not THEIRS, reason=NO_SHARED)
@pytest.mark.parametrize("path", THEIRS, ids=lambda path: path.stem[-60:])
def test_theirs(path: Path) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    if "Steps" not in data:
        pytest.skip("no definition")
    reason = next((why for name, why in BROKEN.items() if path.name.startswith(name)), None)
    if reason is not None:
        with pytest.raises(DefinitionError, match=reason):
            check(data)
        return
    check(data)


WRONG = st.sampled_from(
    [
        *(
            None,
            True,
            0,
            -1,
            1.5,
            "",
            "x",
            "P1D",
            "[]",
            [],
            {},
            [None],
            [[]],
            [{}],
            {"Get": 3},
            {"Get": "Steps.X.y"},
        ),
        *(
            {"Get": "Parameters.Nope"},
            {"Std:Join": 1},
            {"Std:Join": {"Values": [{}]}},
            {"Std:JsonGet": {"Path": "a"}},
        ),
        *(
            {"Std:JsonGet": {"S3Uri": [], "Path": ""}},
            {"Get": "ForEach.CurrentItem"},
            {"Get": "Execution.Nope"},
        ),
    ]
)
SEEDS = [json.loads(path.read_text(encoding="utf-8")) for path in OURS if path.stat().st_size < 30_000]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


@settings(max_examples=250)
@given(st.sampled_from(SEEDS), st.data())
def test_broken_ones(seed: Any, data: st.DataObject) -> None:
    """A definition with one to three places replaced by nonsense."""
    definition = copy.deepcopy(seed)
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(places(definition)[1:] or [("Steps",)]))
        container = definition
        for key in path:
            container = container[key]
        container[last] = copy.deepcopy(data.draw(WRONG))
    try:
        check(definition)
    except DefinitionError as error:
        assert str(error)
