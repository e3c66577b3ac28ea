"""The combinations of a matrix, and the names that they give."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import compile_file
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.driver import Compiler
from sagewright.compiler.matrix import combinations
from sagewright.compiler.project import Overrides
from sagewright.compiler.source import plain_number, read_bytes
from sagewright.compiler.tree import WrittenFloat, WrittenInt
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


# -- what its steps get -----------------------------------------------------------------------------------------------


def compiled(
    folder: Path, steps: str, head: str = "", **files: str
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The steps by name, and what is said: code, and message or help."""
    path = write_project(folder)
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    path.write_text(f"name: p\n{head}\nsteps:\n{steps}")
    result = compile_file(path)
    definition = result.definition or {"Steps": []}
    return {step["Name"]: step for step in definition["Steps"]}, [
        (d.code, d.help or d.message) for d in result.diagnostics
    ]


def test_a_number_is_the_text_that_was_written(tmp_path: Path) -> None:
    matrix = "matrix: {v: [1.10, 0012, 1e5, -0x1f, 3], include: [{v: 2.50}]}"
    environment = 'environment: {A: "{{ matrix.v }}", B: "x{{ matrix.v }}", C: "{{ matrix.v * 2 }}"}'
    steps, wrong = compiled(tmp_path, f"  S: {{{DO}, {matrix}, {environment}}}\n".replace("-0x1f", "+7"))
    assert wrong == []
    found = [tuple(step["Arguments"]["Environment"].values()) for step in steps.values()]
    assert [one[0] for one in found] == ["1.10", "0012", "1e5", "+7", "3", "2.50"]
    assert [one[1] for one in found] == ["x1.10", "x0012", "x1e5", "x+7", "x3", "x2.50"]
    assert [one[2] for one in found] == ["2.2", "24", "200000.0", "14", "6", "5.0"]


def test_where_a_number_is_wanted_it_is_one(tmp_path: Path) -> None:
    count = "instance: {type: ml.m5.large, count: '{{ matrix.n }}'}, matrix: {n: [002]}, max_runtime: '{{ matrix.n }}'"
    steps, wrong = compiled(tmp_path, f"  S: {{{DO.replace('instance: ml.m5.large', count)}}}\n")
    assert wrong == []
    cluster = steps["S-002"]["Arguments"]["ProcessingResources"]["ClusterConfig"]
    assert json.dumps(cluster["InstanceCount"]) == str(cluster["InstanceCount"]) == "2"
    body = "kind: lambda, function: 'arn:aws:lambda:us-west-2:123456789012:function:f', matrix: {n: [1.50]}"
    steps, wrong = compiled(tmp_path, f"  S: {{{body}, arguments: {{n: '{{{{ matrix.n }}}}'}}}}\n")
    assert wrong == []
    assert json.dumps(steps["S-1-50"]["Arguments"]) == '{"n": 1.5}'


@pytest.mark.parametrize("number", [WrittenFloat(1.1, "1.10"), WrittenInt(12, "0012")])
def test_a_number_with_its_text_is_a_number_all_the_same(number: WrittenFloat | WrittenInt) -> None:
    again = pickle.loads(pickle.dumps(number))
    assert again == number == plain_number(number) and hash(again) == hash(plain_number(number))
    assert (str(again), f"{again}") == (number.written, number.written)
    assert type(plain_number(again)) in (int, float)
    assert json.dumps([number]) == json.dumps([plain_number(number)])


@pytest.mark.parametrize("given", ["${steps.Train.model_data}", "[x, '${steps.Train.model_data}']"])
def test_a_component_is_given_a_list_of_all(tmp_path: Path, given: str) -> None:
    part = f"inputs: {{l: List}}\nsteps:\n  S: {{{DO}, arguments: '${{inputs.l}}'}}\n"
    written = given if given[0] == "[" else f"'{given}'"
    steps = STEPS.partition("steps:\n")[2] + f"  U: {{uses: part.yaml, with: {{l: {written}}}}}\n"
    made, wrong = compiled(tmp_path, steps, part=part)
    assert wrong == []
    arguments = made["U-S"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert arguments == ([*TRAIN] if given[0] == "$" else ["x", *TRAIN])


def test_steps_that_hold_steps_have_none(tmp_path: Path) -> None:
    stop = "then: {Stop: {kind: fail, message: no}}"
    body = f"kind: condition, matrix: {{n: [1, 2]}}, if: execution.id == 'a', {stop}"
    wrong = compiled(tmp_path, f"  S: {{{body}}}\n")[1]
    assert wrong == [("SW211", "put it into a component, and give the matrix to the step that `uses` it")]


def test_a_hyphen_in_a_name_is_no_minus(tmp_path: Path) -> None:
    body = f"{DO}, matrix: {{size-of-it: [a, b]}}, environment: {{A: '{{{{ matrix.size-of-it }}}}'}}"
    assert compiled(tmp_path, f"  S: {{{body}}}\n")[1] == [("SW305", "did you mean `matrix['size-of-it']`?")]


def test_variables_keep_their_text_too(tmp_path: Path) -> None:
    path = write_project(tmp_path)
    project = tmp_path / "sagewright.yaml"
    project.write_text(f"{project.read_text()}\nvars: {{v: 1.10, more: [{{w: 2.50}}], given: 0.5}}\n")
    environment = '{V: "{{ vars.v }}", W: "{{ vars.more[0].w }}", G: "g{{ vars.given }}"}'
    path.write_text(f"name: p\nsteps:\n  S: {{{DO}, environment: {environment}}}\n")
    result = Compiler(None, Overrides(variables={"given": "0.70"})).compile(path)
    assert result.definition is not None, result.diagnostics
    assert result.definition["Steps"][0]["Arguments"]["Environment"] == {
        "V": "1.10",
        "W": "2.50",
        "G": "g0.70",
    }
