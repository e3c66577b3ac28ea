"""The kind `register`: its requests against the SDK's, metrics and baselines, inference code, mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagewright import schemas
from sagewright.compiler import shapes
from sagewright.compiler.definition import differences
from sagewright.compiler.model import Emitted
from sagewright.steps.register import KIND
from tests.fakes import FakeContext, as_json, step_of

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"
TRAINED = "${steps.Train.ModelArtifacts.S3ModelArtifacts}"
REAL = """
model_data: ${steps.Train.ModelArtifacts.S3ModelArtifacts}
content_types: [text/csv]
response_types: [text/csv]
inference_instances: [ml.m5.xlarge]
transform_instances: [ml.m5.xlarge]
"""


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    folder = tmp_path / "inf"
    folder.mkdir()
    (folder / "inference.py").write_text("def model_fn(folder): ...\n")
    return FakeContext(tmp_path)


def lowered(text: str, context: FakeContext) -> list[Emitted]:
    made = KIND.lower(step_of(KIND, text, name="M"), context)
    for step in made:
        found: list[Any] = []
        shapes.bind(
            step.arguments, step.request, omits=step.omits, variable=lambda *_: "x", report=found.append
        )
        assert found == []
    return made


def arguments(text: str, context: FakeContext) -> dict[str, Any]:
    """What a registration without inference code asks for."""
    (made,) = lowered(f"group: g\nimage: xgboost:1.7-1\n{text}", context)
    return as_json(made.arguments)


def steps_of(name: str) -> list[dict[str, Any]]:
    path = GOLDEN / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the SDK's definitions are not here: {path.name}")
    found = json.loads(path.read_text().replace("M-RepackModel-0", "M-repack"))["Steps"]
    nested = [inner for step in found for inner in step["Arguments"].get("IfSteps", ())]
    return [step for step in [*found, *nested] if step["Type"] == "RegisterModel"]


def test_a_registration_as_the_sdk_writes_it(context: FakeContext) -> None:
    (wanted,) = steps_of("abalone")
    text = f"group: AbaloneGroup\nimage: xgboost:1.7-1\napproval: '${{parameters.ApprovalStatus}}'{REAL}"
    (made,) = lowered(text, context)
    # The SDK gives XGBoost's server an empty program, on which it fails, and the level and region of that.
    expected = wanted["Arguments"]
    expected["InferenceSpecification"]["Containers"][0]["Environment"] = {}
    assert as_json(made.arguments) == expected
    assert list(made.arguments) == list(expected)
    assert list(made.arguments["InferenceSpecification"]) == list(expected["InferenceSpecification"])


FRAMEWORKS = {
    "xgboost": "image: xgboost:1.7-1",
    "sklearn": "image: sklearn:1.2-1",
    "pytorch": "image: {framework: pytorch, version: 2.5.1, python: py311}",
    "tensorflow": "image: {framework: tensorflow, version: 2.14}",
    "huggingface": "image: {framework: huggingface, version: 4.37.0, base: pytorch2.1.0}",
    "xgboost-isolation": "image: xgboost:1.7-1\nrepack: {}",
}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_inference_code_as_the_sdk_writes_it(name: str, context: FakeContext) -> None:
    (wanted,) = steps_of(f"scriptmode/model-{name}-register")
    text = f"group: g\n{FRAMEWORKS[name]}\ncode: {{dir: inf, entry: inference.py}}{REAL}"
    made = lowered(text, context)
    assert differences(as_json(made[-1].arguments), wanted["Arguments"]) == []
    assert [step.name for step in made] == (["M"] if name in ("xgboost", "sklearn") else ["M-repack", "M"])


def test_without_code_the_sdk_names_no_framework(context: FakeContext) -> None:
    (wanted,) = steps_of("scriptmode/model-generic-nocode-register")
    assert arguments(REAL, context) == wanted["Arguments"]


def test_the_least_that_can_be_said(context: FakeContext) -> None:
    assert arguments("", context) == {
        "ModelPackageGroupName": "g",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1",
                    "Environment": {},
                }
            ]
        },
        "ModelApprovalStatus": "PendingManualApproval",
        "SkipModelValidation": "None",
    }


def test_null_leaves_defaults_out(context: FakeContext) -> None:
    made = arguments("approval: null\nskip_validation: null\nenvironment: null", context)
    assert made.keys() == {"ModelPackageGroupName", "InferenceSpecification"}
    assert "Environment" not in made["InferenceSpecification"]["Containers"][0]


def test_what_a_version_says_about_itself(context: FakeContext) -> None:
    made = arguments(
        """
package_description: Trained at night
metadata: {git: 0012345, score: 1.10, run: "${execution.id}"}
domain: MACHINE_LEARNING
task: REGRESSION
sample_payload: s3://b/payload.tar.gz
skip_validation: All
approval: Approved
environment: {THRESHOLD: 1e3}
""",
        context,
    )
    assert made["ModelPackageDescription"] == "Trained at night"
    assert made["CustomerMetadataProperties"] == {
        "git": "0012345",
        "score": "1.10",
        "run": {"Get": "Execution.PipelineExecutionId"},
    }
    assert (made["Domain"], made["Task"]) == ("MACHINE_LEARNING", "REGRESSION")
    assert made["SamplePayloadUrl"] == "s3://b/payload.tar.gz"
    assert (made["SkipModelValidation"], made["ModelApprovalStatus"]) == ("All", "Approved")
    assert made["InferenceSpecification"]["Containers"][0]["Environment"] == {"THRESHOLD": "1e3"}


METRICS = """
model_metrics:
  model_quality: {statistics: s3://b/1, constraints: s3://b/2}
  data_quality: {statistics: s3://b/3, constraints: s3://b/4}
  bias: {report: s3://b/5, pre_training: s3://b/6, post_training: s3://b/7}
  explainability: {report: s3://b/8}
"""
BASELINES = """
drift_baselines:
  model_quality: {statistics: s3://b/1, constraints: s3://b/2}
  data_quality: {statistics: s3://b/3, constraints: s3://b/4}
  bias: {config: s3://b/5, pre_training: s3://b/6, post_training: s3://b/7}
  explainability: {constraints: s3://b/8, config: "${steps.Explain.X}"}
"""


def sources(made: dict[str, Any]) -> dict[str, Any]:
    """Where each report is, by its place; all of them are JSON."""
    found = {}
    for group, files in made.items():
        for name, file in files.items():
            assert file.keys() == {"ContentType", "S3Uri"}
            assert file["ContentType"] == "application/json"
            found[f"{group}.{name}"] = file["S3Uri"]
    return found


def test_model_metrics_have_the_shape_of_aws(context: FakeContext) -> None:
    assert sources(arguments(METRICS, context)["ModelMetrics"]) == {
        "ModelQuality.Statistics": "s3://b/1",
        "ModelQuality.Constraints": "s3://b/2",
        "ModelDataQuality.Statistics": "s3://b/3",
        "ModelDataQuality.Constraints": "s3://b/4",
        "Bias.Report": "s3://b/5",
        "Bias.PreTrainingReport": "s3://b/6",
        "Bias.PostTrainingReport": "s3://b/7",
        "Explainability.Report": "s3://b/8",
    }


def test_baselines_have_the_shape_of_aws(context: FakeContext) -> None:
    assert sources(arguments(BASELINES, context)["DriftCheckBaselines"]) == {
        "ModelQuality.Statistics": "s3://b/1",
        "ModelQuality.Constraints": "s3://b/2",
        "ModelDataQuality.Statistics": "s3://b/3",
        "ModelDataQuality.Constraints": "s3://b/4",
        "Bias.ConfigFile": "s3://b/5",
        "Bias.PreTrainingConstraints": "s3://b/6",
        "Bias.PostTrainingConstraints": "s3://b/7",
        "Explainability.Constraints": "s3://b/8",
        "Explainability.ConfigFile": {"Get": "Steps.Explain.X"},
    }


@pytest.mark.parametrize("key", ["model_metrics", "drift_baselines"])
def test_the_schema_knows_every_report_that_is_lowered(key: str) -> None:
    from sagewright.steps.register import BASELINES as BASELINE_TABLE
    from sagewright.steps.register import METRICS as METRIC_TABLE

    table = {"model_metrics": METRIC_TABLE, "drift_baselines": BASELINE_TABLE}[key]
    groups = schemas.load("steps/register")["properties"][key]["properties"]
    assert {name: set(files) for name, (_, files) in table.items()} == {
        name: set(group["properties"]) for name, group in groups.items()
    }


def test_several_containers_with_their_hostnames(context: FakeContext) -> None:
    text = """
group: g
containers:
  prepare: {image: "sklearn:1.2-1", model_data: s3://b/p.tar.gz, api: {NearestModelName: x}}
  predict: {image: "xgboost:1.7-1", model_data: s3://b/x.tar.gz}
"""
    (made,) = lowered(text, context)
    found = as_json(made.arguments)["InferenceSpecification"]["Containers"]
    assert [container["ContainerHostname"] for container in found] == ["prepare", "predict"]
    assert found[0]["NearestModelName"] == "x"
    assert "Framework" not in found[1]


def test_the_instances_decide_the_processor(context: FakeContext) -> None:
    made = arguments(["image: pytorch:2.5.1", "inference_instances: [ml.g5.xlarge]"][1], context)
    assert made["InferenceSpecification"]["SupportedRealtimeInferenceInstanceTypes"] == ["ml.g5.xlarge"]
    (step,) = lowered("group: g\nimage: pytorch:2.5.1\ntransform_instances: [ml.g5.xlarge]", context)
    image = step.arguments["InferenceSpecification"]["Containers"][0]["Image"]
    assert image.split(":")[-1].startswith("2.5.1-gpu")


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("group: g", "SW202", "M"),
        ("group: g\nimage: xgboost:1.7-1\ncontainers: [{image: xgboost:1.7-1}]", "SW208", "containers"),
        ("group: g\ncontainers: [{image: xgboost:1.7-1}]\nenvironment: {A: b}", "SW208", "environment"),
        ("group: g\nimage: pytorch:2.5.1", "SW808", "pytorch:2.5.1"),
        (
            "group: g\nimage: {framework: pytorch, version: 2.5.1, accelerator: cpu}\ncode: inf/inference.py",
            "SW202",
            "code",
        ),
    ],
)
def test_mistakes_have_a_code_and_a_place(text: str, code: str, at: str, context: FakeContext) -> None:
    KIND.lower(step_of(KIND, text, name="M"), context)
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [(code, at)]


def test_a_version_has_no_tags_of_its_own() -> None:
    assert KIND.refused["Tags"][0] == "SW608"


def test_repacking_without_code_is_idle(context: FakeContext) -> None:
    text = "group: g\nimage: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz\nrepack: {instance: ml.m5.large}"
    KIND.lower(step_of(KIND, text, name="M"), context)
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [("SW208", "repack")]
