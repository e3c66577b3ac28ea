"""Values of Arguments that kinds have made, and what in the step they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.blame import written_as
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.source import Map, read_bytes
from tests.kinds import compile_steps, told

BODY = """\
max_runtime: 30d
retries: 3
instance: {count: 2, volume_gb: 99999}
spot: true
share: 1.5
again: 3
hyperparameters:
  rounds: 100
  depth: 6
environment: {"BAD NAME": x}
inputs: {train: s3://b/train, test: s3://b/test, other: s3://b/other}
code: src
"""


@pytest.fixture(scope="module")
def body() -> Map:
    document = read_bytes(BODY.encode(), Sink())
    assert document is not None
    return document.data


def blamed(value: Any, body: Map) -> str | None:
    """The line of what `value` is taken to come from, from its place on."""
    place = written_as(value, body)
    if place is None:
        return None
    span = place.span()
    return BODY.split("\n")[span.line - 1][span.column - 1 : span.end_column - 1]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2_592_000, "30d"),
        (2, "2"),
        (99999, "99999"),
        (True, "true"),
        (1.5, "1.5"),
        ("100", "100"),
        ({"rounds": "100", "depth": "6"}, "hyperparameters"),
        ({"rounds": "100", "depth": "6", "sagemaker_program": "train.py"}, "hyperparameters"),
        ([{}, {}, {}], "inputs"),
        ("BAD NAME", "BAD NAME"),
        ("train", "train"),
    ],
)
def test_what_only_one_thing_can_be(value: Any, written: str, body: Map) -> None:
    assert (blamed(value, body) or "").strip('"') == written


@pytest.mark.parametrize(
    "value", [3, 1, 0, False, 4711, "nothing", [], {}, [{}, {}], {"rounds": "100"}, None]
)
def test_what_nothing_or_more_than_one_thing_can_be(value: Any, body: Map) -> None:
    assert blamed(value, body) is None


def test_a_body_without_places() -> None:
    assert written_as(30, Map({"max_runtime": 30})) is None


def places(text: str, value: Any) -> str | None:
    """What stands at the place of what `value` is taken to come from."""
    document = read_bytes(text.encode(), Sink())
    assert document is not None
    place = written_as(value, document.data)
    if place is None:
        return None
    span = place.span()
    return text.split("\n")[span.line - 1][span.column - 1 : span.end_column - 1]


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("version: 1.10\n", "1.10", "1.10"),
        ("version: 0x1F\n", "0x1F", "0x1F"),
        ("version: 1.0\n", "1.0", "1.0"),
        ('version: 1.10\nnote: "1.10"\n', "1.10", "1.10"),  # a text has a place of its own
        ("version: 1.10\nother: 1.10\n", "1.10", None),
        ("mode: null\ncount: 1\n", None, "mode"),
        ("instance: {count: 1, type: null}\n", None, "type"),
        ("mode: null\ncount: null\n", None, None),
    ],
)
def test_numbers_as_they_are_written_and_nulls(text: str, value: Any, written: str | None) -> None:
    assert places(text, value) == written


@pytest.mark.parametrize(
    ("step", "code", "at"),
    [
        ("{kind: job, category: AgentRFT, schema_version: 1.10, config: {}}", "SW606", "1.10"),
        (
            "{kind: job, category: AgentRFT, description: '1.10', schema_version: 1.10, config: {}}",
            "SW606",
            "1.10",
        ),
        ("{kind: job, category: AgentRFT, schema_version: 1.10, config: {x: 1.10}}", "SW606", "S"),
        ("{kind: training, image: xgboost:1.7-1, instance: ml.m5.large, mode: null}", "SW602", "mode"),
        (
            "{kind: training, image: xgboost:1.7-1, instance: {type: ml.m5.large, count: null}, mode: null}",
            "SW602",
            "S",
        ),
        (
            "{kind: tuning, training: {image: xgboost:1.7-1, instance: ml.m5.large, mode: null}, "
            "objective: {metric: m, goal: Minimize}, ranges: {a: [1, 2]}, max_jobs: 2}",
            "SW602",
            "mode",
        ),
    ],
)
def test_what_aws_refuses_is_told_in_the_step(step: str, code: str, at: str, tmp_path: Path) -> None:
    assert (code, at) in told(compile_steps(tmp_path, f"S: {step}"))
