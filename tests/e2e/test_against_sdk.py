"""Our definitions against those that the SageMaker SDK emits when it is asked now: for the cases that have a twin
among the oracle's programs, and for pipelines at random, in both notations."""

from __future__ import annotations

import json
import random
import subprocess
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.definition import differences, steps
from tests.definitions import (
    CASES,
    NO_SHARED,
    SHARED,
    allowed,
    as_yaml,
    compiled,
    definition_of,
    oracle_of,
    unexplained,
    write_project,
)
from tests.sdk import NO_SDK, sdk_environment, sdk_python
from tests.strategies import SCRIPT, Made, Maker

pytestmark = [
    pytest.mark.skipif(sdk_python() is None, reason=NO_SDK),
    pytest.mark.xdist_group("sdk"),  # one process: what the SDK emits is made once
]
TWINS = {
    "abalone": "abalone",
    "conditions": "conditions",
    "lambda-callback": "lambda_callback",
    "endpoint": "endpoint",
}
"""Case → the program of `oracle.py`."""
COUNT = 25


def ask(*arguments: str, input: str | None = None) -> str:
    """What the SDK's interpreter prints for a program."""
    environment = {**sdk_environment(), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(sdk_python()), *arguments]
    done = subprocess.run(
        command, input=input, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


# -- the oracle's programs --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the oracle's programs emit now."""
    if not SHARED.exists():
        pytest.skip(NO_SHARED)
    folder = tmp_path_factory.mktemp("oracle")
    ask(str(SHARED / "oracle" / "oracle.py"), str(folder), *TWINS.values())
    return folder


@pytest.mark.parametrize("case", TWINS)
def test_twins(case: str, live: Path) -> None:
    assert oracle_of(CASES[case]) == f"{TWINS[case]}.json"
    theirs = json.loads((live / f"{TWINS[case]}.json").read_text())
    found = differences(definition_of(compiled(CASES[case])), theirs, names=("ours", "the SDK's"))
    assert unexplained(found, allowed(case)) == ([], [])


# -- pipelines at random ----------------------------------------------------------------------------------------------


def made(number: int) -> Made:
    return Maker(random.Random(f"against the SDK: {number}")).make()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    script = tmp_path_factory.mktemp("script") / SCRIPT
    script.write_text("print('run')\n")
    program = str(Path(__file__).with_name("sdk_pipelines.py"))
    output = ask(program, str(script), input=json.dumps([asdict(made(number)) for number in range(COUNT)]))
    return json.loads(output.rpartition("\n")[2])


@pytest.mark.parametrize("number", range(COUNT))
def test_random(number: int, theirs: list[Any], tmp_path: Path) -> None:
    pipeline = write_project(tmp_path, script="print('run')\n")
    pipeline.write_text(as_yaml(made(number).tree), encoding="utf-8")
    ours = definition_of(compiled(pipeline))
    assert differences(ours, theirs[number], names=("ours", "the SDK's")) == []


def test_random_pipelines_have_everything(theirs: list[Any]) -> None:
    """What is compared is not always the same."""
    types = Counter(step.type for definition in theirs for step in steps(definition))
    assert types.keys() == {"Processing", "Training", "Lambda", "Callback", "Model", "Condition", "Fail"}
    text = json.dumps(theirs)
    for part in (
        "Std:Join",
        "Std:JsonGet",
        "Trigger",
        "RetryPolicies",
        "CacheConfig",
        '"Or"',
        '"Not"',
        '"In"',
    ):
        assert part in text
