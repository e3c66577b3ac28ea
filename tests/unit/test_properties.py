"""Properties: their spelling and type, what does not exist, and those that real definitions refer to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.properties import PropertyError, property_path, property_type
from sagewright.compiler.types import Type

SHARED = Path(__file__).parents[2].parent / "shared"
RESPONSES = {
    "Processing": "DescribeProcessingJobResponse",
    "Training": "DescribeTrainingJobResponse",
    "Tuning": "DescribeHyperParameterTuningJobResponse",
    "Transform": "DescribeTransformJobResponse",
    "AutoML": "DescribeAutoMLJobResponse",
    "Model": "DescribeModelOutput",
    "RegisterModel": "DescribeModelPackageOutput",
    "EndpointConfig": "DescribeEndpointConfigOutput",
    "Endpoint": "DescribeEndpointOutput",
    "QualityCheck": "QualityCheck",
    "ClarifyCheck": "ClarifyCheck",
    "EMR": "Step",
}

TRAINING = "DescribeTrainingJobResponse"
PROCESSING = "DescribeProcessingJobResponse"
TUNING = "DescribeHyperParameterTuningJobResponse"


@pytest.mark.parametrize(
    ("shape", "segments", "path", "kind"),
    [
        (TRAINING, ("ModelArtifacts", "S3ModelArtifacts"), "ModelArtifacts.S3ModelArtifacts", Type.STRING),
        (TRAINING, ("FinalMetricDataList", "val:acc", "Value"), "FinalMetricDataList['val:acc'].Value", Type.FLOAT),
        (TRAINING, ("FinalMetricDataList", 0, "Timestamp"), "FinalMetricDataList[0].Timestamp", Type.STRING),
        (TRAINING, ("Environment", "K"), "Environment['K']", Type.STRING),
        (TRAINING, ("EnableNetworkIsolation",), "EnableNetworkIsolation", Type.BOOLEAN),
        (TRAINING, ("BillableTimeInSeconds",), "BillableTimeInSeconds", Type.INTEGER),
        (TRAINING, ("SecondaryStatusTransitions", 0, "Status"), "SecondaryStatusTransitions[0].Status", Type.STRING),
        (TRAINING, ("AlgorithmSpecification", "ContainerArguments", 1), "AlgorithmSpecification.ContainerArguments[1]", Type.STRING),
        (TRAINING, ("ModelArtifacts",), "ModelArtifacts", None),
        (TRAINING, ("InputDataConfig",), "InputDataConfig", None),
        (TRAINING, ("Environment",), "Environment", None),
        (TUNING, ("TrainingJobSummaries", 49, "TrainingJobName"), "TrainingJobSummaries[49].TrainingJobName", Type.STRING),
        ("DescribeAutoMLJobResponse", ("BestCandidateProperties", "ModelInsightsJsonReportPath"), "BestCandidateProperties.ModelInsightsJsonReportPath", Type.STRING),
        ("QualityCheck", ("CalculatedBaselineStatistics",), "CalculatedBaselineStatistics", Type.STRING),
        ("DescribeJobResponse", ("JobConfigDocument",), "JobConfigDocument", Type.STRING),
        ("DescribeJobResponse", ("JobConfigDocument", "a", 0, "b c"), "JobConfigDocument.a[0]['b c']", Type.ANY),
    ],
)  # fmt: skip
def test_properties(shape: str, segments: tuple[str | int, ...], path: str, kind: Type | None) -> None:
    assert property_path(shape, segments) == (path, kind)
    assert property_type(shape, segments) is kind
    assert property_path(shape, ("steps", "S", *segments), 2) == (path, kind)


def test_properties_of_other_services() -> None:
    assert property_path("Step", ("Config", "Args", 2), service="emr") == ("Config.Args[2]", Type.STRING)
    path = ("jobRun", "stateDetails")
    assert property_type("GetJobRunResponse", path, service="emr-serverless") is Type.STRING


@pytest.mark.parametrize(
    ("shape", "segments", "at", "help"),
    [
        (TRAINING, ("ModelArtifact", "S3ModelArtifacts"), (0, 1), "did you mean `ModelArtifacts`?"),
        (TRAINING, ("modelArtifacts", "S3ModelArtifacts"), (0, 1), "did you mean `ModelArtifacts`?"),
        (TRAINING, ("ModelArtifacts", "Zzz"), (1, 2), "it has `S3ModelArtifacts`"),
        (TRAINING, ("ModelArtifacts", 0), (1, 2), None),
        (TRAINING, ("Environment", 0), (1, 2), None),
        (TRAINING, ("TrainingJobName", "a", "b"), (1, 3), None),
        (TRAINING, ("SecondaryStatusTransitions", "x", "Status"), (1, 2), "write `[0]` for its first item"),
        (TRAINING, ("SecondaryStatusTransitions", -1, "Status"), (1, 2), "its items are counted from 0"),
        (TUNING, ("TrainingJobSummaries", 50, "TrainingJobName"), (1, 2), "its items go from 0 to 49"),
        (PROCESSING, ("ProcessingOutputConfig", "Outputs", "t", "S3Uri"), (3, 4), "did you mean `S3Output.S3Uri`?"),
        (PROCESSING, ("ProcessingOutputConfig", "Outputs", "t", "S3Outptu"), (3, 4), "did you mean `S3Output`?"),
        (PROCESSING, ("ProcessingOutputConfig", "Outputs", "it's"), (2, 3), None),
        ("ClarifyCheck", ("Zzz",), (0, 1), "it has `CalculatedBaselineConstraints` and `BaselineUsedForDriftCheckConstraints`"),
    ],
)  # fmt: skip
def test_properties_that_do_not_exist(
    shape: str, segments: tuple[str | int, ...], at: tuple[int, int], help: str | None
) -> None:
    with pytest.raises(PropertyError) as caught:
        property_path(shape, segments)
    assert (caught.value.start, caught.value.end) == at
    assert caught.value.help == help
    with pytest.raises(PropertyError) as shifted:
        property_path(shape, ("steps", "S", *segments), 2)
    assert (shifted.value.start, shifted.value.end) == (at[0] + 2, at[1] + 2)


def test_a_response_that_is_not_in_the_snapshot_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        property_path("DescribeUnicornResponse", ("A",))


# -- real definitions ------------------------------------------------------------------------------------------------


def definitions(folder: str) -> list[Path]:
    if not (SHARED / folder).is_dir():
        pytest.skip(f"the reference data ({folder}) is not beside the checkout")
    return sorted((SHARED / folder).rglob("*.json"))


def every_step(steps: list[Any]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps", "ForEachBody"):
            yield from every_step(step.get("Arguments", {}).get(branch, []))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("Get"), str):
            yield value["Get"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def segments_of(path: str) -> tuple[str | int, ...]:
    found = re.findall(r"\.([A-Za-z0-9]+)|\[(\d+)\]|\['([^']*)'\]", f".{path}")
    return tuple(int(index) if index else name or quoted for name, index, quoted in found)


@pytest.mark.parametrize("folder", ["golden", "corpus"])
def test_properties_that_real_definitions_refer_to(folder: str) -> None:
    seen = 0
    for path in definitions(folder):
        content = json.loads(path.read_text())
        steps = list(every_step(content.get("Steps", []) if isinstance(content, dict) else []))
        types = {step["Name"]: step["Type"] for step in steps}
        for reference in {text for step in steps for text in references(step) if text.startswith("Steps.")}:
            _, name, below = reference.split(".", 2)
            shape = RESPONSES.get(types.get(name, ""))
            if shape is None or below.startswith("PropertyFiles"):
                continue
            service = "emr" if types[name] == "EMR" else "sagemaker"
            assert property_path(shape, segments_of(below), service=service)[0] == below
            assert property_type(shape, segments_of(below), service=service) is not None
            seen += 1
    assert seen > 20
