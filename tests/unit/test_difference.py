"""`difference`: by step and field, and what misses the cache."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagewright.compiler.definition import DefinitionError
from sagewright.compiler.difference import compare

GET = {"Get": "Steps.Prepare.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}


def definition() -> dict[str, Any]:
    prepare = {
        "Name": "Prepare",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": "i", "ContainerArguments": ["--a", "1"]},
            "Environment": {"LEVEL": "info"},
            "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large"}},
            "ProcessingInputs": [
                {"InputName": "x", "S3Input": {"S3Uri": "s3://b/x"}},
                {"InputName": "code", "S3Input": {"S3Uri": f"s3://b/code/{'0' * 64}/a.py"}},
            ],
        },
        "CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"},
    }
    train = {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": GET}}}]
        },
        "CacheConfig": {"Enabled": True},
    }
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
    gate = {
        "Name": "Gate",
        "Type": "Condition",
        "Arguments": {"Conditions": [], "IfSteps": [], "ElseSteps": [stop]},
    }
    parameters = [{"Name": "A", "Type": "String", "DefaultValue": "a"}, {"Name": "B", "Type": "Integer"}]
    return {"Version": "2020-12-01", "Parameters": parameters, "Steps": [prepare, train, gate]}


def changed(change: Any) -> Any:
    made = definition()
    change(made)
    return compare(definition(), made)


def test_nothing() -> None:
    assert not compare(definition(), json.dumps(definition(), indent=3))


@pytest.mark.parametrize(
    "spelling",
    [
        lambda d: d["Steps"].reverse(),
        lambda d: d["Parameters"].reverse(),
        lambda d: d.update(Metadata={}, MlflowConfig=None),
        lambda d: d["Steps"][0]["Arguments"].update(NetworkConfig=None),
        lambda d: d["Steps"][0]["Arguments"]["ProcessingInputs"][0].update(AppManaged=False),
        lambda d: d["Steps"][0]["CacheConfig"].update(ExpireAfter="30d"),
        lambda d: d["Steps"][0]["Arguments"]["Environment"].update(
            LEVEL={"Std:Join": {"On": "", "Values": ["in", "fo"]}}
        ),
    ],
)
def test_spellings(spelling: Any) -> None:
    assert not changed(spelling)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (
            lambda d: d["Steps"][0]["Arguments"]["Environment"].update(LEVEL="debug"),
            ["~ step Prepare (Processing)", '  ~ Arguments.Environment.LEVEL: "info" → "debug"'],
        ),
        (
            lambda d: d["Steps"][0]["Arguments"]["ProcessingInputs"].pop(0),
            [
                "~ step Prepare (Processing)",
                '  - Arguments.ProcessingInputs[x]: {"InputName": "x", "S3Input": {"S3Uri": "s3://b/x"}}',
            ],
        ),
        (
            lambda d: d["Steps"][0]["Arguments"]["ProcessingInputs"].reverse(),
            [
                "~ step Prepare (Processing)",
                '  ~ Arguments.ProcessingInputs (order): ["x", "code"] → ["code", "x"]',
            ],
        ),
        (
            lambda d: d["Steps"][0]["Arguments"]["AppSpecification"]["ContainerArguments"].append("z"),
            ["~ step Prepare (Processing)", '  + Arguments.AppSpecification.ContainerArguments[2]: "z"'],
        ),
        (
            lambda d: d["Parameters"][0].update(DefaultValue="b"),
            ['~ Parameters[A].DefaultValue: "a" → "b"'],
        ),
        (lambda d: d["Steps"].pop(1), ["- step Train (Training)"]),
        (
            lambda d: d["Steps"].append({"Name": "New", "Type": "Fail", "Arguments": {}}),
            ["+ step New (Fail)"],
        ),
        (
            lambda d: d["Steps"][2]["Arguments"].update(IfSteps=d["Steps"][2]["Arguments"].pop("ElseSteps")),
            ["~ step Stop (Fail)", '  ~ place: "Gate.ElseSteps" → "Gate.IfSteps"'],
        ),
        (
            lambda d: d["Steps"][0]["Arguments"]["Environment"].update(LEVEL={"Get": "Parameters.A"}),
            ["~ step Prepare (Processing)", '  ~ Arguments.Environment.LEVEL: "info" → ${Parameters.A}'],
        ),
    ],
)
def test_changes(change: Any, lines: list[str]) -> None:
    assert list(changed(change).lines()) == lines


def misses(change: Any) -> list[tuple[str, tuple[str, ...], str | None]]:
    return [(m.step, m.fields, m.through) for m in changed(change).misses]


def test_what_is_in_the_key_misses_the_cache_and_what_reads_from_it() -> None:
    found = misses(
        lambda d: d["Steps"][0]["Arguments"]["ProcessingInputs"][1]["S3Input"].update(S3Uri="s3://b/other")
    )
    assert found == [("Prepare", ("ProcessingInputs[code].S3Input.S3Uri",), None), ("Train", (), "Prepare")]


def test_what_is_not_in_the_key_does_not() -> None:
    assert not misses(
        lambda d: d["Steps"][0]["Arguments"]["ProcessingResources"]["ClusterConfig"].update(InstanceType="x")
    )
    assert not misses(lambda d: d["Steps"][0].update(DisplayName="P"))


def test_a_step_without_a_cache_that_changed_runs_again_and_with_it_what_reads_from_it() -> None:
    def change(d: dict[str, Any]) -> None:
        d["Steps"][0]["Arguments"]["Environment"]["LEVEL"] = "x"
        del d["Steps"][0]["CacheConfig"]

    assert misses(change) == [("Train", (), "Prepare")]


def test_a_new_step_has_no_cache_to_miss() -> None:
    def change(d: dict[str, Any]) -> None:
        d["Steps"].append({**copy.deepcopy(d["Steps"][0]), "Name": "Other"})

    assert misses(change) == []


def test_names_that_are_there_twice_are_compared_as_fields() -> None:
    twice = definition()
    twice["Steps"].append(copy.deepcopy(twice["Steps"][0]))
    assert compare(definition(), twice).fields


def test_what_is_no_definition() -> None:
    with pytest.raises(DefinitionError):
        compare("{", "{}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Name", "Key", "A", "B"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON, st.randoms(use_true_random=False))
def test_the_order_of_keys_and_steps_never_counts(value: Any, chance: random.Random) -> None:
    def shuffled(inner: Any) -> Any:
        if isinstance(inner, dict):
            keys = list(inner)
            chance.shuffle(keys)
            return {key: shuffled(inner[key]) for key in keys}
        return [shuffled(item) for item in inner] if isinstance(inner, list) else inner

    one = {"Steps": [{"Name": f"S{i}", "Type": "Fail", "Arguments": {"V": value, "N": i}} for i in range(3)]}
    other = {"Steps": [shuffled(step) for step in reversed(one["Steps"])]}
    assert not compare(one, other)


@given(JSON, JSON)
def test_it_is_empty_both_ways_or_neither(one: Any, other: Any) -> None:
    first, second = {"Metadata": {"x": one}}, {"Metadata": {"x": other}}
    assert bool(compare(first, second)) == bool(compare(second, first))
