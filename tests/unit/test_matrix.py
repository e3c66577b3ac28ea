"""The combinations of a matrix, and the names that they give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import compile_file
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.matrix import combinations
from sagewright.compiler.source import read_bytes
from tests.definitions import write_project


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


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{a: [1, 2], include: [{colour: red}]}", [{"a": 1, "colour": "red"}, {"a": 2, "colour": "red"}]),
        ("{a: [1], include: [{b: x}, {b: y}]}", [{"a": 1, "b": "y"}]),
        ("{a: [1], include: [{a: 2}, {a: 3, b: x}]}", [{"a": 1}, {"a": 2}, {"a": 3, "b": "x"}]),
        ("{a: [1, 2], include: [{a: 1}]}", [{"a": 1}, {"a": 2}]),
        ("{a: [1, 2], b: [x], exclude: [{a: 1, b: y}]}", [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]),
        ("{a: [1, 2], exclude: [{a: true}]}", [{"a": 1}, {"a": 2}]),
    ],
)
def test_include_and_exclude_are_githubs(text: str, wanted: list[dict[str, object]]) -> None:
    found, wrong = made(text)
    assert wrong == []
    assert [values for _, values in found] == wanted


def test_an_include_is_not_added_to_one_that_was_included() -> None:
    """It would be a combination of its own, and both would have one name."""
    found, wrong = made("{a: [1], include: [{a: 2}, {a: 2, b: x}]}")
    assert [suffix for suffix, _ in found] == ["1", "2"]
    assert wrong == ["SW311"]


# -- where a list is wanted -------------------------------------------------------------------------------------------

STEPS = """
name: p
steps:
  Train:
    kind: training
    matrix: {depth: [3, 6]}
    image: a/b
    instance: ml.m5.large
    inputs: {train: s3://b/t}
  Other: {kind: processing, image: a/b, instance: ml.m5.large, command: [x], matrix: {n: [1]}}
"""
DO = "kind: processing, image: a/b, instance: ml.m5.large, command: [x]"
TRAIN = [{"Get": f"Steps.Train-{depth}.ModelArtifacts.S3ModelArtifacts"} for depth in (3, 6)]


def compiled_step(folder: Path, body: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The step `S`, and what is said."""
    path = write_project(folder)
    path.write_text(f"{STEPS}  S: {{{body}}}\n")
    result = compile_file(path)
    definition = result.definition or {"Steps": [{}]}
    return definition["Steps"][-1], [(d.code, d.message) for d in result.diagnostics]


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("arguments: '${steps.Train.model_data}'", TRAIN),
        ("arguments: ['${steps.Train.model_data}', x]", [*TRAIN, "x"]),
        (
            "arguments: ['${steps.Train.model_data}/y']",
            [{"Std:Join": {"On": "", "Values": [one, "/y"]}} for one in TRAIN],
        ),
        ("arguments: {model: ['${steps.Train.model_data}']}", ["--model", TRAIN[0], "--model", TRAIN[1]]),
    ],
)
def test_a_list_takes_all_steps(tmp_path: Path, key: str, wanted: list[Any]) -> None:
    step, wrong = compiled_step(tmp_path, f"{DO}, {key}")
    assert wrong == []
    assert step["Arguments"]["AppSpecification"]["ContainerArguments"] == wanted


def test_an_item_that_is_a_mapping_stands_there_for_each(tmp_path: Path) -> None:
    containers = "[{image: a/b, model_data: '${steps.Train.model_data}'}, {image: a/c, model_data: s3://b/m}]"
    step, wrong = compiled_step(tmp_path, f"kind: model, containers: {containers}")
    assert wrong == []
    found = [container["ModelDataUrl"] for container in step["Arguments"]["Containers"]]
    assert found == [*TRAIN, "s3://b/m"]


def test_keys_that_list_steps_take_all(tmp_path: Path) -> None:
    step, wrong = compiled_step(tmp_path, "kind: cleanup, steps: [Train]")
    assert wrong == []
    assert step["Arguments"]["Resources"]["S3"] == [{"StepName": "Train-3"}, {"StepName": "Train-6"}]
    assert step["DependsOn"] == ["Train-3", "Train-6"]


@pytest.mark.parametrize(
    "key",
    [
        "environment: {A: '${steps.Train.model_data}'}",
        "arguments: {a: '${steps.Train.model_data}'}",
        "arguments: ['${steps.Train.model_data} ${steps.Other.ProcessingJobArn}']",
        "inputs: {a: '${steps.Train.model_data}'}",
    ],
)
def test_elsewhere_the_steps_are_named(tmp_path: Path, key: str) -> None:
    wrong = compiled_step(tmp_path, f"{DO}, {key}")[1]
    assert ("SW307", "`Train` is a matrix of 2 steps: all of them stand only in a list") in wrong


def test_a_matrix_that_is_refused_is_told_once(tmp_path: Path) -> None:
    axis = list(range(100))
    path = write_project(tmp_path)
    path.write_text(
        f"name: p\nsteps:\n  T: {{{DO}, matrix: {{a: {axis}, b: {axis}}}}}\n"
        f"  S: {{{DO}, depends_on: [T, T-1-1], arguments: ['${{steps.T-1-2.ProcessingJobArn}}', '${{steps.T.ProcessingJobArn}}']}}\n"
    )
    found = [(d.code, d.message) for d in compile_file(path).diagnostics]
    assert found == [("SW701", "the matrix has 10,000 combinations, the most is 256")]
