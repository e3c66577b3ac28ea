"""The table of semantics in `cases/run`: one case for each rule of SageMaker's that the engine follows."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright.compiler.definition import DefinitionError
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.engine.compare import mismatches
from sagewright.compiler.engine.conditions import evaluate
from sagewright.compiler.engine.parameters import Refused, resolve
from sagewright.compiler.engine.state import Status
from sagewright.compiler.engine.values import Unknown, first_unknown
from sagewright.compiler.source import Map
from tests.run_table import FOLDER, RUNS, cases, definition, simulated, values


def load(name: str) -> list[Any]:
    return [pytest.param(case, id=f"{name}: {case['rule']}") for case in cases(name)]


def test_every_file_is_looked_at() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {*RUNS, "conditions", "parameters"}


@pytest.mark.parametrize("case", [case for name in RUNS for case in load(name)])
def test_rule(case: Map) -> None:
    assert case["source"], "a rule has a source, or says that it has none"
    sink = Sink()
    if "refused" in case:
        with pytest.raises((Refused, DefinitionError), match=r".*") as refused:
            simulated(definition(case), case, sink)
        assert case["refused"] in str(refused.value)
        return
    result, names = simulated(definition(case), case, sink)
    assert not sink.diagnostics
    assert [wrong.message for wrong in mismatches(case["expect"], result, names)] == []
    records = result.execution.records
    starts = [records[name].start for name in case.get("order", ())]
    ends = [records[name].end for name in case.get("order", ())]
    for end, start in zip(ends, starts[1:], strict=False):
        assert end is not None
        assert start is not None
        assert end <= start
    if "duration" in case:
        assert result.duration == pytest.approx(case["duration"])
    for name, why in case.get("unknown", {}).items():
        assert records[name].status is Status.UNKNOWN
        assert why in records[name].reason
    for name, why in case.get("argument_unknown", {}).items():
        assert why in str(first_unknown(records[name].arguments))
    for name, why in case.get("notes", {}).items():
        assert why in " ".join(records[name].notes)
    assert (case["source"] == "unknown") <= any(
        key in case for key in ("unknown", "argument_unknown", "notes")
    ) or case["expect"]["status"] == "Unknown"


@pytest.mark.parametrize("case", load("conditions"))
def test_condition(case: Map) -> None:
    found = evaluate(case["conditions"])
    assert ("unknown" if isinstance(found, Unknown) else found) == case["holds"]


@pytest.mark.parametrize("case", load("parameters"))
def test_start(case: Map) -> None:
    with pytest.raises(Refused) as refused:
        resolve({"Parameters": case["parameters"]}, values(case))
    assert case["refused"] in str(refused.value)
