"""`definition`: what stands in a definition, and when two definitions mean the same."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagewright.compiler.definition import (
    DefinitionError,
    canonical,
    differences,
    digest,
    edges,
    equal_by_meaning,
    is_function,
    own_references,
    parse,
    references,
    steps,
)

SHARED = Path(__file__).parents[2].parent / "shared"
GOLDENS = sorted((SHARED / "golden").rglob("*.json")) + sorted((SHARED / "corpus").glob("*.json"))

golden = pytest.mark.parametrize("path", GOLDENS, ids=lambda p: p.stem[-60:])
needs_goldens = pytest.mark.skipif(
    not GOLDENS, reason="the folder `shared` with the golden definitions is missing"
)


def load(path: Path) -> Any:
    data = json.loads(path.read_text())
    return data if isinstance(data, dict) else {"Steps": data}


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


def respelt(value: Any) -> Any:
    """The same with every join spelt otherwise: `On` distributed, literals cut in two, joins in joins."""
    if isinstance(value, list):
        return [respelt(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"Std:Join"}:
        return {key: respelt(item) for key, item in value.items()}
    join = value["Std:Join"]
    made: list[Any] = []
    for index, piece in enumerate(join["Values"]):
        made += [join["On"]] if index else []
        cut = isinstance(piece, str) and len(piece) > 1
        made += [piece[:1], {"Std:Join": {"On": "", "Values": [piece[1:]]}}] if cut else [respelt(piece)]
    return {"Std:Join": {"On": "", "Values": made}}


@needs_goldens
@golden
def test_a_real_definition_equals_itself_in_other_spellings(path: Path) -> None:
    definition = load(path)
    assert differences(definition, definition, by_meaning=False) == []
    assert differences(definition, shuffled(definition, random.Random(1))) == []
    assert digest(definition) == digest(json.dumps(shuffled(definition, random.Random(2)), indent=3))
    assert differences(definition, respelt(definition)) == []


@needs_goldens
@golden
def test_a_real_definition_differs_when_a_step_does(path: Path) -> None:
    definition = load(path)
    found = [step for step in steps(definition) if step.type]
    if not found:
        pytest.skip("no steps")
    changed = copy.deepcopy(definition)
    last = list(steps(changed))[-1]
    last.body["Type"] = "Other"  # type: ignore[index]
    assert len(differences(definition, changed)) == 1
    assert digest(definition) != digest(changed)


@needs_goldens
def test_the_edges_of_abalone() -> None:
    found = {(e.source, e.target, e.reason) for e in edges(load(SHARED / "golden" / "abalone.json"))}
    assert ("Preprocess", "Train", "data") in found
    assert ("Evaluate", "MseCond", "data") in found
    assert ("MseCond", "Register", "branch") in found
    assert ("Train", "MseCond", "data") not in found, "the reference stands in a nested step"


DEFINITION: dict[str, Any] = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "N", "Type": "Integer", "DefaultValue": 1}],
    "Steps": [
        {
            "Name": "Train",
            "Type": "Training",
            "Arguments": {
                "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "i"},
                "HyperParameters": {"n": {"Get": "Parameters.N"}, "rounds": "5"},
                "InputDataConfig": [{"ChannelName": "train", "InputMode": "File"}, {"ChannelName": "test"}],
                "OutputDataConfig": {"S3OutputPath": "s3://b/o", "CompressionType": "GZIP"},
            },
            "CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"},
        },
        {
            "Name": "Gate",
            "Type": "Condition",
            "DependsOn": ["Train", {"Step": "Train", "Trigger": "Failed"}],
            "Arguments": {
                "Conditions": [
                    {"Type": "Equals", "LeftValue": {"Get": "Steps.Train.Status"}, "RightValue": 1}
                ],
                "IfSteps": [
                    {
                        "Name": "Eval",
                        "Type": "Processing",
                        "Arguments": {
                            "Environment": {"A": "a"},
                            "ProcessingInputs": [
                                {
                                    "InputName": "code",
                                    "S3Input": {
                                        "S3Uri": f"s3://b/p/code/{'a' * 64}/e.py",
                                        "S3CompressionType": "None",
                                    },
                                },
                                {
                                    "InputName": "m",
                                    "AppManaged": False,
                                    "S3Input": {"S3Uri": {"Get": "Steps.Train.M"}},
                                },
                            ],
                            "ContainerArguments": [
                                {
                                    "Std:Join": {
                                        "On": "/",
                                        "Values": ["s3:/", {"Get": "Execution.PipelineExecutionId"}],
                                    }
                                }
                            ],
                        },
                    }
                ],
                "ElseSteps": [],
            },
        },
    ],
}


def test_steps_know_where_they_stand() -> None:
    found = list(steps(DEFINITION))
    assert [(s.name, s.type, s.parent, s.branch) for s in found] == [
        ("Train", "Training", None, None),
        ("Gate", "Condition", None, None),
        ("Eval", "Processing", "Gate", "IfSteps"),
    ]
    assert found[2].path == "Steps[1].Arguments.IfSteps[0]"


def test_what_is_no_step_is_passed_over() -> None:
    assert list(steps({"Steps": 3})) == []
    assert list(steps({})) == []
    odd = {"Steps": [None, "x", {"Name": 3, "Arguments": []}, {"Name": "A", "Arguments": {"IfSteps": {}}}]}
    assert [s.name for s in steps(odd)] == ["", "A"]


def test_references_and_what_they_name() -> None:
    found = {r.target: r for r in references(DEFINITION)}
    assert set(found) == {
        "Parameters.N",
        "Steps.Train.Status",
        "Steps.Train.M",
        "Execution.PipelineExecutionId",
    }
    status = found["Steps.Train.Status"]
    assert (status.root, status.name, status.rest) == ("Steps", "Train", "Status")
    assert status.path == "Steps[1].Arguments.Conditions[0].LeftValue"
    (indexed,) = references({"Get": "Steps.Fan.IterationOutputs[0].Body.X"})
    assert (indexed.name, indexed.rest) == ("Fan", "IterationOutputs[0].Body.X")
    gate = next(s for s in steps(DEFINITION) if s.name == "Gate")
    assert [r.target for r in own_references(gate)] == ["Steps.Train.Status"]


def test_edges_have_reasons_and_places() -> None:
    found = [(e.source, e.target, e.reason, e.when) for e in edges(DEFINITION)]
    assert found == [
        ("Train", "Gate", "data", "Completed"),
        ("Train", "Gate", "order", "Completed"),
        ("Train", "Gate", "order", "Failed"),
        ("Gate", "Eval", "branch", "Completed"),
        ("Train", "Eval", "data", "Completed"),
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"a": NaN}', '{"a": Infinity}', "[" * 100_000])
def test_what_is_no_definition(text: str) -> None:
    with pytest.raises(DefinitionError):
        parse(text)


def test_functions() -> None:
    assert is_function({"Get": "Parameters.N"})
    assert not is_function({"Get": "a", "Path": "b"})
    assert not is_function({"Std:Other": 1})
    assert not is_function("Get")


Change = Callable[[dict[str, Any]], None]


def train(d: dict[str, Any]) -> dict[str, Any]:
    return d["Steps"][0]["Arguments"]


def evaluate(d: dict[str, Any]) -> dict[str, Any]:
    return d["Steps"][1]["Arguments"]["IfSteps"][0]["Arguments"]


def put(container: Any, key: Any, value: Any) -> None:
    container[key] = value


SAME: dict[str, Change] = {
    "nulls": lambda d: put(d, "MlflowConfig", None),
    "empty mappings": lambda d: put(d, "Metadata", {}),
    "empty lists": lambda d: d["Steps"][1]["Arguments"].pop("ElseSteps"),
    "emptied mappings": lambda d: put(train(d), "VpcConfig", {"Subnets": []}),
    "AppManaged false": lambda d: evaluate(d)["ProcessingInputs"][1].pop("AppManaged"),
    "no compression of an input": lambda d: evaluate(d)["ProcessingInputs"][0]["S3Input"].pop(
        "S3CompressionType"
    ),
    "GZIP of an output": lambda d: train(d)["OutputDataConfig"].pop("CompressionType"),
    "a channel's mode that is the algorithm's": lambda d: train(d)["InputDataConfig"][0].pop("InputMode"),
    "expiry 30d": lambda d: put(d["Steps"][0]["CacheConfig"], "ExpireAfter", "30d"),
    "expiry P30d": lambda d: put(d["Steps"][0]["CacheConfig"], "ExpireAfter", "P30d"),
    "the cast of a hyperparameter": lambda d: put(
        train(d)["HyperParameters"], "n", {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.N"}]}}
    ),
    "empty SAGEMAKER_PROGRAM": lambda d: evaluate(d)["Environment"].update(
        SAGEMAKER_PROGRAM="", SAGEMAKER_SUBMIT_DIRECTORY=""
    ),
    "the hash of the code": lambda d: put(
        evaluate(d)["ProcessingInputs"][0]["S3Input"], "S3Uri", f"s3://other/q/r/code/{'b' * 64}/e.py"
    ),
    "the SDK's place for code": lambda d: put(
        evaluate(d)["ProcessingInputs"][0]["S3Input"], "S3Uri", "s3://o/job-2026-11-22-01/input/code/e.py"
    ),
    "the spelling of a join": lambda d: put(
        evaluate(d)["ContainerArguments"],
        0,
        {"Std:Join": {"On": "", "Values": ["s3:", "//", {"Get": "Execution.PipelineExecutionId"}, ""]}},
    ),
}

OTHER: dict[str, Change] = {
    "a value": lambda d: put(train(d)["HyperParameters"], "rounds", "6"),
    "an integer and its text": lambda d: put(d["Parameters"][0], "DefaultValue", "1"),
    "an integer and a float": lambda d: put(d["Parameters"][0], "DefaultValue", 1.0),
    "an integer and a boolean": lambda d: put(d["Parameters"][0], "DefaultValue", True),
    "a reference": lambda d: put(train(d)["HyperParameters"], "n", {"Get": "Parameters.M"}),
    "a cast elsewhere": lambda d: put(
        evaluate(d)["Environment"], "A", {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.N"}]}}
    ),
    "a step missing": lambda d: d["Steps"][1]["Arguments"]["IfSteps"].pop(),
    "the order of steps": lambda d: d["Steps"].reverse(),
    "AppManaged": lambda d: put(evaluate(d)["ProcessingInputs"][1], "AppManaged", True),
    "compression of an output": lambda d: put(train(d)["OutputDataConfig"], "CompressionType", "NONE"),
    "compression of an input": lambda d: put(
        evaluate(d)["ProcessingInputs"][0]["S3Input"], "S3CompressionType", "Gzip"
    ),
    "a channel's mode": lambda d: put(train(d)["InputDataConfig"][0], "InputMode", "Pipe"),
    "an expiry": lambda d: put(d["Steps"][0]["CacheConfig"], "ExpireAfter", "P31D"),
    "an empty variable of the user's": lambda d: put(evaluate(d)["Environment"], "EMPTY", ""),
    "the name of a code file": lambda d: put(
        evaluate(d)["ProcessingInputs"][0]["S3Input"], "S3Uri", f"s3://b/p/code/{'a' * 64}/f.py"
    ),
    "the bucket of data": lambda d: put(train(d)["OutputDataConfig"], "S3OutputPath", "s3://c/o"),
    "a separator": lambda d: put(evaluate(d)["ContainerArguments"][0]["Std:Join"], "On", "-"),
    "a dependency": lambda d: d["Steps"][1]["DependsOn"].pop(),
}


@pytest.mark.parametrize("name", SAME)
def test_what_makes_no_difference(name: str) -> None:
    changed = copy.deepcopy(DEFINITION)
    SAME[name](changed)
    assert changed != DEFINITION
    assert differences(DEFINITION, changed) == []
    assert equal_by_meaning(json.dumps(changed), DEFINITION)
    assert differences(DEFINITION, changed, by_meaning=False), "exactly, they are not equal"


@pytest.mark.parametrize("name", OTHER)
def test_what_makes_a_difference(name: str) -> None:
    changed = copy.deepcopy(DEFINITION)
    OTHER[name](changed)
    assert len(differences(DEFINITION, changed)) == 1
    assert not equal_by_meaning(changed, DEFINITION)
    assert digest(changed) != digest(DEFINITION)


def test_differences_name_their_place() -> None:
    changed = copy.deepcopy(DEFINITION)
    train(changed)["InputDataConfig"][1]["ContentType"] = "text/csv"
    train(changed)["HyperParameters"]["rounds"] = "6"
    assert differences(DEFINITION, changed) == [
        'Steps[Train].Arguments.HyperParameters.rounds: "5" in the one, "6" in the other',
        'Steps[Train].Arguments.InputDataConfig[test].ContentType: only in the other ("text/csv")',
    ]


def test_a_join_of_literals_is_the_string() -> None:
    joined = {
        "a": {"Std:Join": {"On": "-", "Values": ["x", 1, True, 2.5, {"Std:Join": {"On": "", "Values": []}}]}}
    }
    assert differences(joined, {"a": "x-1-true-2.5-"}) == []
    broken = {"a": {"Std:Join": {"On": ["-"], "Values": ["x"]}}}
    assert differences(broken, {"a": "x"}) != []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Name", "Get", "Std:Join", "On", "Values", "InputName"]) | st.text(), inner
        )
    ),
    max_leaves=25,
)


@given(st.dictionaries(st.text(), JSON), st.randoms())
def test_canonical_is_a_fixed_point_and_ignores_order(data: dict[str, Any], rng: random.Random) -> None:
    text = canonical(data)
    assert canonical(text) == text
    assert text.isascii()
    assert canonical(shuffled(data, rng)) == text
    assert equal_by_meaning(data, text)
