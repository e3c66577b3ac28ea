"""Two hundred executions at once: all finish, none is lost, in little memory. How long, a benchmark says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crowd import COUNT, LIMIT, crowd

pytest.importorskip("moto.server", reason="moto's server is not installed (sagewright[local])")
STEPS = ("Gate", "Register", "Score", "TrainA", "TrainB", "TrainC")


@pytest.mark.parametrize("kept", [False, True])
def test_none_is_lost(aws_environment: None, tmp_path: Path, kept: bool) -> None:
    found = crowd(COUNT, *(("--state", str(tmp_path / "emulator.db")) if kept else ()))
    assert found.started == COUNT
    assert found.statuses == {"Succeeded": COUNT}
    assert found.steps == {STEPS: COUNT}
    assert found.packages == list(range(1, COUNT + 1))
    assert found.memory <= LIMIT
