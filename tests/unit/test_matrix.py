"""The combinations of a matrix, and the names that they give."""

from __future__ import annotations

import pytest

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.matrix import combinations
from sagewright.compiler.source import read_bytes


def made(text: str) -> tuple[list[tuple[str, dict[str, object]]], list[str]]:
    sink = Sink()
    document = read_bytes(f"matrix: {text}".encode(), sink)
    assert document is not None
    found = [(one.suffix, dict(one.values)) for one in combinations(document.data["matrix"], sink)]
    return found, [d.code for d in sink.diagnostics]


def test_the_product_in_the_order_of_the_axes() -> None:
    found, wrong = made("{depth: [3, 6], eta: [0.10, 1e-3]}")
    assert wrong == []
    assert [suffix for suffix, _ in found] == ["3-0-10", "3-1e-3", "6-0-10", "6-1e-3"]
    assert found[0][1] == {"depth": 3, "eta": 0.1}


def test_exclude_takes_away_what_agrees_with_it() -> None:
    found, wrong = made("{a: [1, 2], b: [x, y], exclude: [{a: 1}, {a: 2, b: y}]}")
    assert (found, wrong) == ([("2-x", {"a": 2, "b": "x"})], [])


def test_include_adds_keys_where_it_agrees_and_a_combination_where_it_does_not() -> None:
    found, wrong = made("{a: [1, 2], include: [{a: 2, gpu: true}, {a: 3, gpu: false}]}")
    assert wrong == []
    assert found == [("1", {"a": 1}), ("2", {"a": 2, "gpu": True}), ("3", {"a": 3, "gpu": False})]


def test_include_alone_is_a_list_of_combinations() -> None:
    found, wrong = made("{include: [{name: a, k: 1}, {name: b, k: 2}]}")
    assert (found, wrong) == ([("a-1", {"name": "a", "k": 1}), ("b-2", {"name": "b", "k": 2})], [])


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("{}", ["SW206"]),
        ("{a: 3}", ["SW203"]),
        ("{a: []}", ["SW203"]),
        ("{a: [[1]]}", ["SW203"]),
        ("{a: [x/y, x.y]}", ["SW311"]),
        ("{a: [1], exclude: [{b: 1}]}", ["SW201"]),
        ("{a: [1], exclude: [{a: 1}]}", ["SW206"]),
        ("{a: [1], include: 3}", ["SW203"]),
    ],
)
def test_what_is_wrong_is_told(text: str, codes: list[str]) -> None:
    assert made(text)[1] == codes


def test_ten_thousand_are_refused_before_they_are_made() -> None:
    axis = "[" + ", ".join(map(str, range(100))) + "]"
    found, wrong = made(f"{{a: {axis}, b: {axis}}}")
    assert (found, wrong) == ([], ["SW701"])
