"""How executions are told to people: durations, lines for what is new, the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sagewright.compiler.executions import Snapshot, StepState, changes, duration, table

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/one/execution/abcdef123456"


def step(name: str, status: str, seconds: int | None = None, **more: Any) -> StepState:
    ended = None if seconds is None else BEGUN + timedelta(seconds=seconds)
    return StepState(name, status, BEGUN, ended, **{"attempts": 1, **more})


def snapshot(status: str, *steps: StepState, reason: str | None = None) -> Snapshot:
    return Snapshot(ARN, status, reason, BEGUN, steps)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.9, "59 s"), (61, "1 m 1 s"), (3723, "1 h 2 m"), (-5, "0 s")],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(timedelta(seconds=seconds)) == said


def test_a_line_for_each_change() -> None:
    states = [
        snapshot("Executing", step("Prepare", "Starting")),
        snapshot("Executing", step("Prepare", "Executing")),
        snapshot("Executing", step("Prepare", "Succeeded", 61), step("Train", "Executing")),
        snapshot("Executing", step("Prepare", "Succeeded", 61), step("Train", "Executing", attempts=2)),
        snapshot("Succeeded", step("Prepare", "Succeeded", 61), step("Train", "Succeeded", 3723, attempts=2)),
    ]
    lines = [line for old, new in zip([None, *states], states, strict=False) for line in changes(old, new)]
    assert lines == [
        "Prepare: Starting",
        "execution abcdef123456: Executing",
        "Prepare: Executing",
        "Prepare: Succeeded after 1 m 1 s",
        "Train: Executing",
        "Train: Executing, 2 attempts",
        "Train: Succeeded after 1 h 2 m, 2 attempts",
        "execution abcdef123456: Succeeded",
    ]


def test_the_table() -> None:
    found = snapshot(
        "Failed",
        step("Prepare", "Succeeded", 0, cached_from=ARN),
        step("Train", "Failed", 125, attempts=3, reason="no capacity"),
        reason="step Train failed",
    )
    assert list(table(found)) == [
        "Prepare  Succeeded        0 s  cache hit",
        "Train    Failed       2 m 5 s  3 attempts; no capacity",
        "execution abcdef123456: Failed: step Train failed",
    ]
