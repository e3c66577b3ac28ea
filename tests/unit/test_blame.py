"""Values of Arguments that kinds have made, and what in the step they were made from."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright.compiler.blame import written_as
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.source import Map, read_bytes

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
