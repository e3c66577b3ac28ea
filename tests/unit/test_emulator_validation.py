"""What the emulator refuses of a definition: real ones pass, and each mistake has its message."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.emulator.validation import problem

SHARED = Path(__file__).parents[2].parent / "shared"
GOLDENS = sorted((SHARED / "golden").rglob("*.json"))
UNCAST = {
    # The SDK emits Integers uncast among hyperparameters; the service refuses that.
    "abalone": "Cannot assign property reference [Parameters.InstanceCount] to argument of type [String]",
    "v3_pytorch-params": "Cannot assign property reference [Parameters.E] to argument of type [String]",
}
WRONG = {
    "__pipeline-definition.json.tpl": "`ProcessingJobName` is",
    "__SageMaker_Pipelines_project.ipynb": "`RoleArn` is",
    "__sample-config-comprehensive.baseline": "Unknown condition type 'ConditionLessThanOrEqualTo'",
    "__test_pipeline_mlflow_config.py": "Unknown Argument member",
}


@pytest.mark.skipif(not GOLDENS, reason="the folder `shared` with the golden definitions is missing")
@pytest.mark.parametrize("path", GOLDENS, ids=lambda p: p.stem)
def test_what_the_sdk_makes_passes(path: Path) -> None:
    text = path.read_text()
    if "Steps" not in json.loads(text):
        pytest.skip("no definition")
    expected = UNCAST.get(path.stem)
    found = problem(text)
    assert found == (None if expected is None else f"Unable to parse pipeline definition. {expected}")


@pytest.mark.skipif(not (SHARED / "corpus").is_dir(), reason="the folder `shared` with the corpus is missing")
def test_what_others_deployed_passes() -> None:
    refused = {}
    for path in (SHARED / "corpus").glob("*.json"):
        found = problem(path.read_text())
        if found is not None:
            refused[path.stem] = found
    for stem, found in refused.items():
        assert any(stem.endswith(name) and text in found for name, text in WRONG.items()), (stem, found)
    assert len(refused) == len(WRONG)


GOOD: dict[str, Any] = {
    "Version": "2020-12-01",
    "Parameters": [
        {"Name": "N", "Type": "Integer", "DefaultValue": 1},
        {"Name": "S", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
    ],
    "Steps": [
        {
            "Name": "P",
            "Type": "Processing",
            "Arguments": {
                "RoleArn": "arn:aws:iam::123456789012:role/R",
                "AppSpecification": {"ImageUri": "i", "ContainerArguments": [{"Get": "Parameters.S"}]},
                "ProcessingResources": {
                    "ClusterConfig": {
                        "InstanceCount": {"Get": "Parameters.N"},
                        "InstanceType": "ml.m5.large",
                        "VolumeSizeInGB": 30,
                    }
                },
                "ProcessingOutputConfig": {
                    "Outputs": [
                        {
                            "OutputName": "o",
                            "S3Output": {"S3Uri": "s3://b/o", "LocalPath": "/o", "S3UploadMode": "EndOfJob"},
                        }
                    ]
                },
            },
            "PropertyFiles": [{"PropertyFileName": "R", "OutputName": "o", "FilePath": "r.json"}],
            "RetryPolicies": [{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 5}],
            "CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"},
        },
        {
            "Name": "L",
            "Type": "Lambda",
            "FunctionArn": "arn:aws:lambda:us-west-2:123456789012:function:f",
            "OutputParameters": [{"OutputName": "k", "OutputType": "Integer"}],
            "Arguments": {"a": {"Get": "Steps.P.ProcessingOutputConfig.Outputs['o'].S3Output.S3Uri"}, "n": 1},
            "DependsOn": [{"Step": "P", "Trigger": "Any"}],
        },
        {
            "Name": "C",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [
                    {
                        "Type": "Or",
                        "Conditions": [
                            {
                                "Type": "Equals",
                                "LeftValue": {
                                    "Std:JsonGet": {
                                        "PropertyFile": {"Get": "Steps.P.PropertyFiles.R"},
                                        "Path": "a",
                                    }
                                },
                                "RightValue": {"Get": "Steps.L.OutputParameters['k']"},
                            },
                            {"Type": "Not", "Condition": {"Type": "In", "QueryValue": 1, "Values": [1]}},
                        ],
                    }
                ],
                "IfSteps": [
                    {
                        "Name": "Each",
                        "Type": "ForEach",
                        "Arguments": {
                            "IterableItems": ["a"],
                            "MaxConcurrency": 2,
                            "ForEachBody": [
                                {
                                    "Name": "Body",
                                    "Type": "Callback",
                                    "SqsQueueUrl": "https://sqs/q",
                                    "Arguments": {"i": {"Get": "ForEach.CurrentItem"}},
                                }
                            ],
                        },
                    }
                ],
                "ElseSteps": [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
            },
        },
    ],
}

Change = Callable[[dict[str, Any]], Any]


def p(d: dict[str, Any]) -> dict[str, Any]:
    return d["Steps"][0]


def arguments(d: dict[str, Any]) -> dict[str, Any]:
    return d["Steps"][0]["Arguments"]


def each(d: dict[str, Any]) -> dict[str, Any]:
    return d["Steps"][2]["Arguments"]["IfSteps"][0]["Arguments"]


def condition(d: dict[str, Any]) -> dict[str, Any]:
    return d["Steps"][2]["Arguments"]["Conditions"][0]


BAD: list[tuple[str, Change]] = [
    ("Unsupported Version '2019'", lambda d: d.update(Version="2019")),
    ("Unknown member 'Step'", lambda d: d.update(Step=[])),
    ("Expecting start of Json Array.", lambda d: d.update(Steps={})),
    ("Expecting start of Json Array.", lambda d: d.pop("Steps")),
    ("Expecting start of Json Object.", lambda d: d["Steps"].append("x")),
    ("Invalid parameter name 'a b'", lambda d: d["Parameters"][0].update(Name="a b")),
    ("Duplicate parameter name 'S'", lambda d: d["Parameters"].append(d["Parameters"][1])),
    ("Unknown type 'Int' of parameter 'N'", lambda d: d["Parameters"][0].update(Type="Int")),
    (
        "Invalid DefaultValue of parameter 'N': expected Integer",
        lambda d: d["Parameters"][0].update(DefaultValue="1"),
    ),
    (
        "Invalid DefaultValue of parameter 'N': expected Integer",
        lambda d: d["Parameters"][0].update(DefaultValue=True),
    ),
    (
        "DefaultValue of parameter 'S' is not in its EnumValues",
        lambda d: d["Parameters"][1].update(DefaultValue="c"),
    ),
    ("Invalid EnumValues of parameter 'N'", lambda d: d["Parameters"][0].update(EnumValues=["1"])),
    ("Invalid step name 'a b'", lambda d: p(d).update(Name="a b")),
    ("Invalid step name 'None'", lambda d: p(d).pop("Name")),
    ("Duplicate step name 'L'", lambda d: d["Steps"].append(d["Steps"][1])),
    ("Duplicate step name 'P'", lambda d: each(d)["ForEachBody"][0].update(Name="P")),
    ("Unknown step type 'Process'", lambda d: p(d).update(Type="Process")),
    ("Unknown member 'Retry' of step 'P'", lambda d: p(d).update(Retry=1)),
    ("Unknown member 'RetryPolicies' of step 'L'", lambda d: d["Steps"][1].update(RetryPolicies=[])),
    ("Expecting start of Json Object.", lambda d: p(d).update(Arguments=[])),
    (
        "Only one of MaxAttempts and ExpireAfterMin",
        lambda d: p(d)["RetryPolicies"][0].update(ExpireAfterMin=1),
    ),
    ("Invalid MaxAttempts", lambda d: p(d)["RetryPolicies"][0].update(MaxAttempts=21)),
    ("Invalid CacheConfig", lambda d: p(d)["CacheConfig"].update(Enabled="yes")),
    ("undefined output 'x'", lambda d: p(d)["PropertyFiles"][0].update(OutputName="x")),
    ("Unknown Argument member 'Rolearn'", lambda d: arguments(d).update(Rolearn="x")),
    ("Missing required Argument member 'RoleArn'", lambda d: arguments(d).pop("RoleArn")),
    (
        "Expecting start of Json Array.",
        lambda d: arguments(d).update(ProcessingInputs={"Get": "Parameters.S"}),
    ),
    (
        "Expecting start of Json Object.",
        lambda d: arguments(d).update(AppSpecification={"Get": "Parameters.S"}),
    ),
    ("ProcessingInputs length (11) exceeds (10)", lambda d: arguments(d).update(ProcessingInputs=[{}] * 11)),
    (
        "does not match AWS's pattern",
        lambda d: arguments(d).update(RoleArn="arn:aws:iam::1:user/x-long-enough"),
    ),
    (
        "Cannot assign property reference [Parameters.N] to argument of type [String]",
        lambda d: arguments(d)["AppSpecification"].update(ImageUri={"Get": "Parameters.N"}),
    ),
    (
        "Cannot assign property reference [Parameters.S] to argument of type [Integer]",
        lambda d: arguments(d)["ProcessingResources"]["ClusterConfig"].update(
            InstanceCount={"Get": "Parameters.S"}
        ),
    ),
    (
        "Cannot assign property reference [Steps.L.OutputParameters['k']] to argument of type [String]",
        lambda d: arguments(d)["AppSpecification"].update(ImageUri={"Get": "Steps.L.OutputParameters['k']"}),
    ),
    (
        "Undefined parameter reference [Parameters.M]",
        lambda d: d["Steps"][1]["Arguments"].update(m={"Get": "Parameters.M"}),
    ),
    (
        "Undefined step reference [Steps.X.Y]",
        lambda d: d["Steps"][1]["Arguments"].update(m={"Get": "Steps.X.Y"}),
    ),
    (
        "Invalid property reference [Steps.P.Nope]",
        lambda d: d["Steps"][1]["Arguments"].update(m={"Get": "Steps.P.Nope"}),
    ),
    ("Invalid property reference [Step.P]", lambda d: d["Steps"][1]["Arguments"].update(m={"Get": "Step.P"})),
    (
        "Unknown execution variable [Execution.Id]",
        lambda d: d["Steps"][1]["Arguments"].update(m={"Get": "Execution.Id"}),
    ),
    (
        "Invalid property reference [Steps.L.OutputParameters['x']]",
        lambda d: d["Steps"][1]["Arguments"].update(m={"Get": "Steps.L.OutputParameters['x']"}),
    ),
    ("Undefined property file reference [Steps.P.PropertyFiles.R]", lambda d: p(d).pop("PropertyFiles")),
    ("must be a primitive value", lambda d: d["Steps"][1]["Arguments"].update(m=["x"])),
    (
        "Missing member 'FunctionArn' of step 'L'",
        lambda d: d["Steps"][1].update(FunctionArn={"Get": "Parameters.S"}),
    ),
    ("depends on undefined step 'X'", lambda d: p(d).update(DependsOn=["X"])),
    ("Unknown Trigger 'Maybe'", lambda d: d["Steps"][1]["DependsOn"][0].update(Trigger="Maybe")),
    ("Step 'P' cannot depend on Fail step 'F'", lambda d: p(d).update(DependsOn=["F"])),
    ("Cycle detected in pipeline", lambda d: p(d).update(DependsOn=["L"])),
    ("Cycle detected in pipeline", lambda d: p(d).update(DependsOn=["Each"])),
    ("Unknown condition type 'Xor'", lambda d: condition(d).update(Type="Xor")),
    (
        "Missing member 'RightValue' of condition 'Equals'",
        lambda d: condition(d)["Conditions"][0].pop("RightValue"),
    ),
    ("Expecting start of Json Array.", lambda d: d["Steps"][2]["Arguments"].pop("Conditions")),
    ("MaxConcurrency of step 'Each' must be between 1 and 50", lambda d: each(d).update(MaxConcurrency=51)),
    ("Step type 'Fail' is not supported in ForEach", lambda d: each(d)["ForEachBody"][0].update(Type="Fail")),
    (
        "ErrorMessage length (3073) exceeds (3072)",
        lambda d: d["Steps"][2]["Arguments"]["ElseSteps"][0]["Arguments"].update(ErrorMessage="x" * 3073),
    ),
]


def test_the_good_one_is_good() -> None:
    assert problem(json.dumps(GOOD)) is None


@pytest.mark.parametrize(("message", "change"), BAD, ids=[message for message, _ in BAD])
def test_each_mistake_has_its_message(message: str, change: Change) -> None:
    definition = copy.deepcopy(GOOD)
    change(definition)
    found = problem(json.dumps(definition))
    assert found is not None
    assert found.startswith("Unable to parse pipeline definition. ")
    assert message in found


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 10_000, "null", '"x"', "\ud800"])
def test_what_is_no_json_object(text: str) -> None:
    assert str(problem(text)).startswith("Unable to parse pipeline definition. ")
