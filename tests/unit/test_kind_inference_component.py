"""Inference components: their keys, and what AWS wants of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright.steps.inference_component import KIND
from tests.fakes import FakeContext
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, lowered, needs_golden, told

FULL = """
name: ic
endpoint: e
variant: AllTraffic
model: m
cpus: 0.5
accelerators: 1
memory_mb: 1024
copies: 2
tags: {team: risk}
"""


def test_every_key_has_its_member() -> None:
    assert lowered(KIND, FULL, FakeContext()) == {
        "InferenceComponentName": "ic",
        "EndpointName": "e",
        "VariantName": "AllTraffic",
        "Specification": {
            "ModelName": "m",
            "ComputeResourceRequirements": {
                "NumberOfCpuCoresRequired": 0.5,
                "NumberOfAcceleratorDevicesRequired": 1,
                "MinMemoryRequiredInMb": 1024,
            },
        },
        "RuntimeConfig": {"CopyCount": 2},
        "Tags": [{"Key": "team", "Value": "risk"}],
    }


def test_every_key_counts(tmp_path: Path) -> None:
    assert ignored_keys("inference_component", FULL, tmp_path) == []
    assert untried_keys("inference_component", [FULL]) == set()


@needs_golden
def test_equals_the_sdk() -> None:
    text = (
        'name: ic\nendpoint: "${steps.Ep.EndpointName}"\nvariant: AllTraffic\nmodel: "${steps.CreateModel.ModelName}"\n'
        "cpus: 1\nmemory_mb: 1024"
    )
    made, wanted = lowered(KIND, text, FakeContext()), golden_arguments("endpoint.json", "Ic")
    assert made == wanted
    assert list(made) == list(wanted)


def component(rest: str = "") -> str:
    return f"Ic:\n  kind: inference_component\n  name: ic\n  endpoint: e\n{rest}\n"


def test_an_adapter_names_its_base(tmp_path: Path) -> None:
    api = "  copies: null\n  api: {Specification: {BaseInferenceComponentName: base, Container: {ArtifactUrl: s3://b/a}}}"
    result = compile_steps(tmp_path, component(api))
    assert result.definition is not None, result.diagnostics
    assert "RuntimeConfig" not in result.definition["Steps"][0]["Arguments"]


def test_its_name_is_a_reference(tmp_path: Path) -> None:
    after = 'After: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {a: "${steps.Ic.name}", s: "${steps.Ic.InferenceComponentStatus}"}}'
    result = compile_steps(tmp_path, component("  model: m\n") + after)
    assert result.definition is not None, result.diagnostics
    assert result.definition["Steps"][1]["Arguments"] == {
        "a": {"Get": "Steps.Ic.InferenceComponentName"},
        "s": {"Get": "Steps.Ic.InferenceComponentStatus"},
    }


@pytest.mark.parametrize(
    ("rest", "code", "at"),
    [
        ("  cpus: 1", "SW602", "1"),
        ("", "SW202", "Ic"),
        ("  copies: null", "SW202", "Ic"),
        ("  cpus: 0", "SW206", "0"),
        ("  memory_mb: 64", "SW206", "64"),
        ("  copies: -1", "SW206", "-1"),
        ("  modle: m", "SW201", "modle"),
        ("  cache: 1d", "SW211", "cache"),
        ("  retry: standard", "SW213", "retry"),
        ("  role: arn:aws:iam::123456789012:role/R", "SW211", "role"),
    ],
)
def test_mistakes(rest: str, code: str, at: str, tmp_path: Path) -> None:
    assert told(compile_steps(tmp_path, component(rest))) == [(code, at)]


@pytest.mark.parametrize("missing", ["name", "endpoint"])
def test_what_is_needed(missing: str, tmp_path: Path) -> None:
    lines = [line for line in component().split("\n") if not line.startswith(f"  {missing}:")]
    assert told(compile_steps(tmp_path, "\n".join(lines))) == [("SW202", "Ic")]
