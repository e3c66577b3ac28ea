"""Cleanup: what it deletes after which steps, and that it runs after them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, needs_golden, told

BEFORE = """
P:
  kind: processing
  image: sklearn:1.2-1
  instance: ml.m5.xlarge
  outputs: {o: {path: /opt/ml/processing/o, destination: s3://my-bucket/out/o}}
T: {kind: training, image: xgboost:1.7-1, instance: ml.m5.xlarge, inputs: {t: s3://b/t}}
V:
  kind: training
  image: xgboost:1.7-1
  instance: ml.m5.xlarge
  inputs: {t: s3://b/t}
  network: {subnets: [subnet-1], security_groups: [sg-1]}
W:
  kind: training
  image: xgboost:1.7-1
  instance: ml.m5.xlarge
  inputs: {t: s3://b/t}
  api: {VpcConfig: {Subnets: [subnet-1], SecurityGroupIds: [sg-1]}}
N:
  kind: native
  type: Athena
  arguments: {NetworkConfig: {VpcConfig: {Subnets: [subnet-1], SecurityGroupIds: [sg-1]}}}
O:
  kind: processing
  image: sklearn:1.2-1
  instance: ml.m5.xlarge
  outputs: {o: {destination: s3://my-bucket/o}}
  api: {NetworkConfig: {EnableNetworkIsolation: true}}
S: {kind: transform, model: m, instance: ml.m5.xlarge, input: s3://b/i}
L: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f"}
A: {kind: native, type: Athena, arguments: {}}
"""


def cleanup(steps: str, folder: Path, rest: str = "") -> Any:
    return compile_steps(folder, f"{BEFORE}Clean:\n  kind: cleanup\n  steps: {steps}\n{rest}")


def emitted(steps: str, folder: Path, rest: str = "") -> Any:
    result = cleanup(steps, folder, rest)
    assert result.diagnostics == []
    return result.definition["Steps"][-1]


@needs_golden
def test_equals_the_sdk(tmp_path: Path) -> None:
    made = emitted("[{step: P, uris: [s3://my-bucket/out/o/x]}]", tmp_path)
    assert made["Arguments"] == golden_arguments("newtypes.json", "Clean")
    assert made["DependsOn"] == ["P"]


def test_several_steps(tmp_path: Path) -> None:
    made = emitted(
        '[T, {step: A}, {step: P, uris: ["${steps.P.outputs.o}/a", s3://my-bucket/out/o/b]}]', tmp_path
    )
    assert made["Arguments"]["Resources"]["S3"] == [
        {"StepName": "T"},
        {"StepName": "A"},
        {
            "StepName": "P",
            "S3Uris": [
                {
                    "Std:Join": {
                        "On": "",
                        "Values": [
                            {"Get": "Steps.P.ProcessingOutputConfig.Outputs['o'].S3Output.S3Uri"},
                            "/a",
                        ],
                    }
                },
                "s3://my-bucket/out/o/b",
            ],
        },
    ]
    assert made["DependsOn"] == ["T", "A", "P"]


@pytest.mark.parametrize(
    "steps",
    [
        "[{step: O, uris: [s3://my-bucket/anywhere/x]}]",  # `api` has the last word on outputs
        '[{step: S, uris: ["${steps.S.output}/x"]}]',
        "[{step: S, uris: [\"${steps.L.OutputParameters['x']}\"]}]",
    ],
)
def test_what_is_no_mistake(steps: str, tmp_path: Path) -> None:
    found = [
        mistake for mistake in cleanup(steps, tmp_path).diagnostics if mistake.code in ("SW205", "SW208")
    ]
    assert found == []


def test_api_may_take_a_step_out_of_its_vpc(tmp_path: Path) -> None:
    out = BEFORE.replace(
        "security_groups: [sg-1]}\nW", "security_groups: [sg-1]}\n  api: {VpcConfig: null}\nW"
    )
    result = compile_steps(tmp_path, f"{out}Clean: {{kind: cleanup, steps: [V]}}")
    assert "SW208" not in [mistake.code for mistake in result.diagnostics]
    assert result.definition is not None
    assert "VpcConfig" not in result.definition["Steps"][2]["Arguments"]


def test_what_the_step_says_of_its_sources_stays(tmp_path: Path) -> None:
    made = emitted("[T, A]", tmp_path, "  depends_on: [L, {step: T, when: any}]")
    assert made["DependsOn"] == ["L", {"Step": "T", "Trigger": "Any"}, "A"]


def test_every_key_counts(tmp_path: Path) -> None:
    assert ignored_keys("cleanup", "steps: [T, {step: P, uris: [s3://b/x]}]", tmp_path) == []
    assert untried_keys("cleanup", ["steps: [T]"]) == set()


@pytest.mark.parametrize(
    ("steps", "code", "at"),
    [
        ("[X]", "SW301", "X"),
        ("[{step: X}]", "SW301", "X"),
        ("[L]", "SW208", "L"),
        ("[P]", "SW202", "P"),
        ("[{step: P}]", "SW202", "P"),
        ("[{step: T, uris: [s3://b/x]}]", "SW208", "uris"),
        ("[V]", "SW208", "V"),
        ("[T, {step: T}]", "SW208", "T"),
        ("[]", "SW206", "[]"),
        ("T", "SW203", "T"),
        ('["${execution.id}"]', "SW209", "${execution.id}"),
        ("[{uris: [s3://b/x]}]", "SW202", "{uris: [s3://b/x]}"),
        ("[{step: P, uris: [b/x]}]", "SW205", "b/x"),
        ("[{step: P, uris: [s3://my-bucket/elsewhere/x]}]", "SW205", "s3://my-bucket/elsewhere/x"),
        ("[{step: P, uris: [s3://my-bucket/out/other]}]", "SW205", "s3://my-bucket/out/other"),
        ("[{step: P, uris: [s3://my-bucket/out/o]}]", "SW205", "s3://my-bucket/out/o"),
        ('[{step: P, uris: ["${steps.P.outputs.o}"]}]', "SW205", "steps.P.outputs.o"),
        ('[{step: S, uris: ["${steps.S.output}"]}]', "SW205", "steps.S.output"),
        ("[{step: S, uris: [s3://my-bucket/x]}]", "SW205", "s3://my-bucket/x"),
        ("[W]", "SW208", "W"),
        ("[N]", "SW208", "N"),
        ("[{step: P, uris: []}]", "SW206", "[]"),
    ],
)
def test_mistakes(steps: str, code: str, at: str, tmp_path: Path) -> None:
    assert told(cleanup(steps, tmp_path)) == [(code, at)]


def test_nothing_can_be_asked_of_it(tmp_path: Path) -> None:
    rest = 'After: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {a: "${steps.Clean.Done}"}}'
    assert told(cleanup("[T]", tmp_path, rest)) == [("SW304", "Done")]


def test_a_cycle_is_told(tmp_path: Path) -> None:
    steps = "T: {kind: training, image: xgboost:1.7-1, instance: ml.m5.xlarge, inputs: {t: s3://b/t}, depends_on: [C]}\nC: {kind: cleanup, steps: [T]}"
    ((code, _),) = told(compile_steps(tmp_path, steps))
    assert code == "SW501"
