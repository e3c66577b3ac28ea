"""Quality and Clarify checks, and transforms with a check: keys, configurations as assets, what goes together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.types import Type
from sagewright.steps import clarify_check, monitor_transform, quality_check
from tests.fakes import ROLE, FakeContext, as_json, step_of
from tests.keys import ignored_keys, untried_keys
from tests.kinds import GOLDEN, compile_steps, golden_arguments, lowered, needs_golden, refused, told

QUALITY = "baseline: s3://b/base.csv\ninstance: ml.m5.xlarge\ndataset_format: {csv: {}}\n"
CLARIFY = "baseline: s3://b/base.csv\ninstance: ml.m5.xlarge\nconfig: s3://b/analysis_config.json\n"
JOB = """
output: s3://b/out
instance: {type: ml.m5.large, count: 2, volume_gb: 50, kms_key: v}
group: abalone
skip: true
fail_on_violation: false
register_baseline: true
environment: {A: 1.10}
network: {subnets: [subnet-1], security_groups: [sg-1], isolation: true, encrypt_traffic: false}
kms_key: o
max_runtime: 2h
tags: {team: risk}
"""
FULL_DATA = f"""check: DATA_QUALITY
baseline: s3://b/base.csv
dataset_format: {{csv: {{header: false, output_columns_position: END}}}}
supplied: {{statistics: s3://b/s.json, constraints: s3://b/c.json}}
record_preprocessor: before.py
post_analytics: s3://b/after.py
{JOB}"""
FULL_MODEL = f"""check: MODEL_QUALITY
baseline: s3://b/base.csv
dataset_format: {{json: {{lines: false}}}}
problem: BinaryClassification
inference: _c1
ground_truth: 0
probability: _c2
probability_threshold: 0.50
{JOB}"""
FULL_CLARIFY = f"""check: MODEL_BIAS
baseline: s3://b/base.csv
model: m
config:
  dataset_type: application/x-image
  methods: {{post_training_bias: {{methods: all}}}}
supplied: {{constraints: s3://b/c.json}}
{JOB}"""


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    (tmp_path / "before.py").write_text("def preprocess_handler(record): ...\n")
    return FakeContext(tmp_path)


def extra_of(kind: Any, text: str, **parameters: Type) -> Any:
    context = FakeContext()
    (made,) = kind.lower(step_of(kind, text, **parameters), context)
    assert context.mistakes == []
    return as_json(made.extra)


# -- what they emit ---------------------------------------------------------------------------------------------------


def test_the_least_of_a_quality_check() -> None:
    made = lowered(quality_check.KIND, f"check: DATA_QUALITY\n{QUALITY}", FakeContext(), "Check")
    (output,) = made["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"]["Std:Join"]["Values"][-1] == "/Check/quality_check_output"
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}
    assert made["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"] == 30
    assert json.loads(made["Environment"]["dataset_format"]) == {
        "csv": {"header": True, "output_columns_position": "START"}
    }
    assert extra_of(quality_check.KIND, f"check: DATA_QUALITY\n{QUALITY}") == {
        "CheckType": "DATA_QUALITY",
        "SkipCheck": False,
        "FailOnViolation": True,
        "RegisterNewBaseline": False,
    }


def test_every_member_of_the_job(context: FakeContext) -> None:
    made = lowered(quality_check.KIND, FULL_DATA, context)
    (script,) = context.uploads
    assert made == {
        "ProcessingInputs": [
            quality_input("baseline_dataset_input", "s3://b/base.csv"),
            quality_input("record_preprocessor_script_input", script),
            quality_input("post_analytics_processor_script_input", "s3://b/after.py"),
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "quality_check_output",
                    "S3Output": {
                        "S3Uri": "s3://b/out",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ],
            "KmsKeyId": "o",
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": "ml.m5.large",
                "InstanceCount": 2,
                "VolumeSizeInGB": 50,
                "VolumeKmsKeyId": "v",
            }
        },
        "AppSpecification": {
            "ImageUri": "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer"
        },
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 7200},
        "Environment": {
            "A": "1.10",
            "output_path": "/opt/ml/processing/output",
            "publish_cloudwatch_metrics": "Disabled",
            "dataset_format": '{"csv": {"header": false, "output_columns_position": "END"}}',
            "record_preprocessor_script": "/opt/ml/processing/input/record_preprocessor_script_input/before.py",
            "post_analytics_processor_script": "/opt/ml/processing/input/post_analytics_processor_script_input/after.py",
            "dataset_source": "/opt/ml/processing/input/baseline_dataset_input",
        },
        "NetworkConfig": {
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": False,
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        },
        "Tags": [{"Key": "team", "Value": "risk"}],
    }


def quality_input(name: str, uri: str) -> dict[str, Any]:
    path = f"/opt/ml/processing/input/{name}"
    s3 = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": s3}


def test_every_key_beside_the_job(context: FakeContext) -> None:
    (made,) = quality_check.KIND.lower(step_of(quality_check.KIND, FULL_DATA), context)
    assert as_json(made.extra) == {
        "CheckType": "DATA_QUALITY",
        "ModelPackageGroupName": "abalone",
        "SkipCheck": True,
        "FailOnViolation": False,
        "RegisterNewBaseline": True,
        "SuppliedBaselineStatistics": "s3://b/s.json",
        "SuppliedBaselineConstraints": "s3://b/c.json",
    }


def test_predictions_are_described_as_they_are_written() -> None:
    environment = lowered(quality_check.KIND, FULL_MODEL, FakeContext())["Environment"]
    assert environment["analysis_type"] == "MODEL_QUALITY"
    assert {name: environment[name] for name in quality_check.ATTRIBUTES.values()} == {
        "problem_type": "BinaryClassification",
        "inference_attribute": "_c1",
        "ground_truth_attribute": "0",
        "probability_attribute": "_c2",
        "probability_threshold_attribute": "0.50",
    }
    assert environment["dataset_format"] == '{"json": {"lines": false}}'


def test_parquet_has_no_options() -> None:
    text = f"check: DATA_QUALITY\n{QUALITY}".replace("{csv: {}}", "{parquet: {}}")
    assert (
        lowered(quality_check.KIND, text, FakeContext())["Environment"]["dataset_format"] == '{"parquet": {}}'
    )


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("quality_check", [FULL_DATA, FULL_MODEL]),
        ("clarify_check", [FULL_CLARIFY]),
    ],
)
def test_every_key_counts(kind: str, texts: list[str], context: FakeContext) -> None:
    for text in texts:
        assert ignored_keys(kind, text, context.root) == []
    assert untried_keys(kind, texts) == set()


@needs_golden
@pytest.mark.parametrize(
    ("golden", "step", "kind", "text"),
    [
        ("quality.json", "DQ", quality_check.KIND, "check: DATA_QUALITY\noutput: s3://my-bucket/dq"),
        (
            "quality.json",
            "MQ",
            quality_check.KIND,
            "check: MODEL_QUALITY\noutput: s3://my-bucket/mq\nproblem: Regression\ninference: _c1\nground_truth: _c0",
        ),
        ("clarify.json", "DB", clarify_check.KIND, "check: DATA_BIAS"),
        ("clarify.json", "EX", clarify_check.KIND, "check: MODEL_EXPLAINABILITY\nmodel: mymodel"),
    ],
)
def test_equals_the_sdk(golden: str, step: str, kind: Any, text: str) -> None:
    text += "\nbaseline: s3://my-bucket/base.csv\ninstance: {type: ml.c5.xlarge, volume_gb: 20}"
    if kind is quality_check.KIND:
        text += "\ndataset_format: {csv: {header: false}}"
    else:
        text += "\nconfig: s3://my-bucket/cfg/analysis_config.json\noutput: s3://my-bucket/cl"
    made, wanted = lowered(kind, text, FakeContext()), golden_arguments(golden, step)
    assert made == wanted
    assert list(made) == list(wanted)


@needs_golden
def test_the_keys_beside_equal_the_sdk() -> None:
    steps = {step["Name"]: step for step in json.loads((GOLDEN / "clarify.json").read_text())["Steps"]}
    text = f"check: MODEL_BIAS\nmodel: mymodel\nskip: true\nregister_baseline: true\n{CLARIFY}"
    rest = {k: v for k, v in steps["MB"].items() if k not in ("Name", "Type", "Arguments") and v is not None}
    assert extra_of(clarify_check.KIND, text) == rest


def test_references_of_the_wrong_type_are_cast_where_a_string_is_wanted() -> None:
    text = f'check: DATA_QUALITY\ngroup: "${{parameters.N}}"\nskip: "${{parameters.Skip}}"\n{QUALITY}'
    made = extra_of(quality_check.KIND, text, N=Type.INTEGER, Skip=Type.BOOLEAN)
    assert made["ModelPackageGroupName"] == {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.N"}]}}
    assert made["SkipCheck"] == {"Get": "Parameters.Skip"}


# -- Clarify's configuration ------------------------------------------------------------------------------------------


def config_of(text: str, context: FakeContext) -> Any:
    """What is uploaded for a configuration."""
    made = lowered(clarify_check.KIND, f"check: DATA_BIAS\n{text}", context)
    (uri,) = context.uploads
    assert made["ProcessingInputs"][0]["S3Input"]["S3Uri"] == uri
    assert uri.endswith("/analysis_config.json")
    return json.loads(context.uploads[uri].content or b"")


BODY = "baseline: s3://b/base.csv\ninstance: ml.m5.xlarge\n"


def test_a_mapping_is_uploaded() -> None:
    text = f"{BODY}config: {{label: é, methods: {{pre_training_bias: {{methods: all}}}}, facet: [{{name_or_index: 8}}]}}"
    assert config_of(text, FakeContext()) == {
        "label": "é",
        "methods": {"pre_training_bias": {"methods": "all"}},
        "facet": [{"name_or_index": 8}],
    }


def test_a_file_is_uploaded_as_it_is(context: FakeContext) -> None:
    (context.root / "bias.json").write_text('{"b": 1,   "a": 2}')
    assert config_of(f"{BODY}config: bias.json", context) == {"b": 1, "a": 2}
    (asset,) = context.uploads.values()
    assert asset.content == b'{"b": 1,   "a": 2}'


def test_the_order_of_keys_does_not_change_the_asset() -> None:
    one, other = FakeContext(), FakeContext()
    config_of(f"{BODY}config: {{a: 1, b: 2}}", one)
    config_of(f"{BODY}config: {{b: 2, a: 1}}", other)
    assert list(one.uploads) == list(other.uploads)


def test_a_uri_and_a_reference_are_taken_as_they_are() -> None:
    for config, wanted in (
        ("s3://b/analysis_config.json", "s3://b/analysis_config.json"),
        ('"${parameters.Config}"', {"Get": "Parameters.Config"}),
    ):
        context = FakeContext()
        made = lowered(clarify_check.KIND, f"check: DATA_BIAS\n{BODY}config: {config}", context)
        assert made["ProcessingInputs"][0]["S3Input"]["S3Uri"] == wanted
        assert context.uploads == {}


def test_results_about_images_are_uploaded_as_they_come() -> None:
    made = lowered(clarify_check.KIND, FULL_CLARIFY, FakeContext())
    assert made["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] == "Continuous"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "is not JSON"), (b"[1]", "holds no JSON object"), (b"\xff", "is not JSON")],
)
def test_files_that_are_no_configuration(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(content)
    rest = step("clarify_check", "DATA_BIAS", CLARIFY.replace("s3://b/analysis_config.json", "c.json"))
    result = compile_steps(tmp_path, rest)
    assert told(result) == [("SW205", "c.json")]
    assert message in result.diagnostics[0].message


# -- in a pipeline ----------------------------------------------------------------------------------------------------

AFTER = 'After: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {{a: "${{steps.Check.{}}}"}}}}'


def step(kind: str, check: str, body: str, rest: str = "") -> str:
    lines = f"check: {check}\n{body}{rest}".strip().split("\n")
    return f"Check:\n  kind: {kind}\n" + "".join(f"  {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("statistics", "CalculatedBaselineStatistics"),
        ("constraints", "CalculatedBaselineConstraints"),
        ("baseline_statistics", "BaselineUsedForDriftCheckStatistics"),
        ("baseline_constraints", "BaselineUsedForDriftCheckConstraints"),
        ("CalculatedBaselineStatistics", "CalculatedBaselineStatistics"),
    ],
)
def test_references(reference: str, path: str, tmp_path: Path) -> None:
    result = compile_steps(tmp_path, step("quality_check", "DATA_QUALITY", QUALITY) + AFTER.format(reference))
    assert result.definition is not None, result.diagnostics
    assert result.definition["Steps"][1]["Arguments"] == {"a": {"Get": f"Steps.Check.{path}"}}


@pytest.mark.parametrize(
    ("reference", "code"),
    [("statistics", "SW302"), ("CalculatedBaselineStatistics", "SW304"), ("ProcessingJobName", "SW304")],
)
def test_clarify_has_no_statistics(reference: str, code: str, tmp_path: Path) -> None:
    result = compile_steps(tmp_path, step("clarify_check", "DATA_BIAS", CLARIFY) + AFTER.format(reference))
    assert told(result) == [(code, reference)]


@pytest.mark.parametrize(
    ("check", "rest", "code", "at"),
    [
        ("DATA_QUALTIY", "", "SW204", "DATA_QUALTIY"),
        ("DATA_BIAS", "", "SW204", "DATA_BIAS"),
        ("MODEL_QUALITY", "", "SW202", "check"),
        ("MODEL_QUALITY", "problem: Clustering", "SW204", "Clustering"),
        (
            "MODEL_QUALITY",
            "problem: Regression\nrecord_preprocessor: s3://b/a.py",
            "SW208",
            "record_preprocessor",
        ),
        ("DATA_QUALITY", "problem: Regression", "SW208", "problem"),
        ("DATA_QUALITY", "ground_truth: _c0", "SW208", "ground_truth"),
        ("DATA_QUALITY", "post_analytics: a.py", "SW801", "a.py"),
        ("DATA_QUALITY", 'post_analytics: "${execution.id}"', "SW209", "${execution.id}"),
        ("DATA_QUALITY", "environment: {output_path: /tmp}", "SW208", "output_path"),
        ("DATA_QUALITY", "supplied: {statistcs: s3://b/s}", "SW201", "statistcs"),
        ("DATA_QUALITY", "supplied: {statistics: b/s}", "SW205", "b/s"),
        ("DATA_QUALITY", "skip: yes", "SW203", "yes"),
        ("DATA_QUALITY", 'skip: "${execution.id}"', "SW401", "execution.id"),
        ("DATA_QUALITY", "max_runtime: soon", "SW205", "soon"),
        ("DATA_QUALITY", "model: m", "SW201", "model"),
        ("DATA_QUALITY", "retry: standard", "SW213", "retry"),
        ("DATA_QUALITY", "api: {ProcessingInput: []}", "SW601", "ProcessingInput"),
        ("DATA_QUALITY", "api: {ExperimentConfig: {TrialName: t}}", "SW608", "TrialName"),
    ],
)
def test_mistakes_of_quality_checks(check: str, rest: str, code: str, at: str, tmp_path: Path) -> None:
    assert told(compile_steps(tmp_path, step("quality_check", check, QUALITY, rest))) == [(code, at)]


@pytest.mark.parametrize(
    ("format", "code", "at"),
    [
        ("{}", "SW202", "dataset_format"),
        ("{csv: {}, json: {}}", "SW208", "json"),
        ("{csv: {heder: true}}", "SW201", "heder"),
        ("{csv: {output_columns_position: start}}", "SW204", "start"),
        ('{csv: {header: "${parameters.H}"}}', "SW209", "${parameters.H}"),
        ("{avro: {}}", "SW201", "avro"),
        ("csv", "SW203", "csv"),
    ],
)
def test_formats_that_are_none(format: str, code: str, at: str, tmp_path: Path) -> None:
    text = step("quality_check", "DATA_QUALITY", QUALITY.replace("{csv: {}}", format))
    found = told(compile_steps(tmp_path, text, head="parameters: {H: true}\n"))
    assert [one for one in found if one[0] != "SW901"] == [(code, at)]


@pytest.mark.parametrize(
    ("check", "rest", "code", "at"),
    [
        ("MODEL_QUALITY", "", "SW204", "MODEL_QUALITY"),
        ("MODEL_BIAS", "", "SW202", "check"),
        ("MODEL_EXPLAINABILITY", "", "SW202", "check"),
        ("DATA_BIAS", "model: m", "SW208", "model"),
        ("DATA_BIAS", "dataset_format: {csv: {}}", "SW201", "dataset_format"),
        ("DATA_BIAS", "supplied: {statistics: s3://b/s}", "SW201", "statistics"),
        ("DATA_BIAS", "fail_on_violation: 1", "SW203", "1"),
    ],
)
def test_mistakes_of_clarify_checks(check: str, rest: str, code: str, at: str, tmp_path: Path) -> None:
    assert told(compile_steps(tmp_path, step("clarify_check", check, CLARIFY, rest))) == [(code, at)]


@pytest.mark.parametrize(
    ("config", "code", "at"),
    [
        ('{label: "${execution.id}"}', "SW209", "execution.id"),
        ('{methods: {shap: {baseline: ["${execution.id}"]}}}', "SW209", "execution.id"),
        ("{predictor: {model_name: m}}", "SW208", "model_name"),
        ("missing.json", "SW801", "missing.json"),
        ("../outside.json", "SW802", "../outside.json"),
        ("[1]", "SW203", "[1]"),
    ],
)
def test_configurations_that_are_none(config: str, code: str, at: str, tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text("{}")
    inner = tmp_path / "project"
    inner.mkdir()
    text = step("clarify_check", "MODEL_BIAS", f"{BODY}model: m\nconfig: {config}\n")
    assert told(compile_steps(inner, text)) == [(code, at)]


@pytest.mark.parametrize("missing", ["check", "baseline", "dataset_format", "instance"])
def test_what_a_quality_check_needs(missing: str, tmp_path: Path) -> None:
    lines = step("quality_check", "DATA_QUALITY", QUALITY).split("\n")
    text = "\n".join(line for line in lines if not line.startswith(f"  {missing}:"))
    result = compile_steps(tmp_path, text)
    assert told(result) == [("SW202", "Check")]
    assert f"lacks the key `{missing}`" in result.diagnostics[0].message


def test_null_leaves_the_time_limit_out(tmp_path: Path) -> None:
    result = compile_steps(tmp_path, step("quality_check", "DATA_QUALITY", QUALITY, "max_runtime: null"))
    assert result.definition is not None, result.diagnostics
    assert "StoppingCondition" not in result.definition["Steps"][0]["Arguments"]


# -- monitor_transform ------------------------------------------------------------------------------------------------

TRANSFORM = "transform: {model: m, input: s3://b/in, instance: ml.m5.xlarge}\n"
CHECK = "quality_check: {check: DATA_QUALITY, baseline: s3://b/in, dataset_format: {csv: {}}, instance: ml.m5.xlarge}\n"
BIAS = "clarify_check: {check: MODEL_BIAS, model: m, baseline: s3://b/in, config: s3://b/c.json, instance: ml.m5.xlarge}\n"


def monitored(text: str) -> str:
    return "Check:\n  kind: monitor_transform\n" + "".join(f"  {line}\n" for line in text.strip().split("\n"))


def steps_of(text: str, folder: Path, after: str = "") -> list[dict[str, Any]]:
    result = compile_steps(folder, monitored(text) + after)
    assert result.definition is not None, result.diagnostics
    return result.definition["Steps"]


def test_the_check_follows(tmp_path: Path) -> None:
    first, last = steps_of(TRANSFORM + CHECK, tmp_path)
    assert (first["Name"], first["Type"]) == ("Check-transform", "Transform")
    assert (last["Name"], last["Type"], last["DependsOn"]) == ("Check", "QualityCheck", ["Check-transform"])
    assert last["CheckType"] == "DATA_QUALITY"


def test_the_check_precedes(tmp_path: Path) -> None:
    first, last = steps_of(f"{TRANSFORM}{CHECK}check_first: true", tmp_path)
    assert (first["Name"], first["Type"]) == ("Check-monitoring", "QualityCheck")
    assert (last["Name"], last["Type"], last["DependsOn"]) == ("Check", "Transform", ["Check-monitoring"])


def test_it_may_be_clarify(tmp_path: Path) -> None:
    _, last = steps_of(TRANSFORM + BIAS, tmp_path)
    assert (last["Type"], last["CheckType"], last["ModelName"]) == ("ClarifyCheck", "MODEL_BIAS", "m")


def test_both_steps_fit_aws_shapes() -> None:
    for text in (TRANSFORM + CHECK, TRANSFORM + BIAS):
        context = FakeContext()
        made = monitor_transform.KIND.lower(step_of(monitor_transform.KIND, text), context)
        assert context.mistakes == []
        assert [refused(one) for one in made] == [[], []]


def test_who_gets_what(tmp_path: Path) -> None:
    rest = (
        "tags: {a: b}\nretry: standard\ncache: 30d\ndisplay_name: Shown\n"
        "role: arn:aws:iam::123456789012:role/R\n"
        "api: {transform: {MaxPayloadInMB: 9}, check: {NetworkConfig: {EnableNetworkIsolation: true}}}\n"
        "step_api: {FailOnViolation: false}"
    )
    first, last = steps_of(TRANSFORM + CHECK + rest, tmp_path)
    assert "RetryPolicies" in first
    assert "RetryPolicies" not in last
    assert first["CacheConfig"] == last["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}
    assert first["Arguments"]["Tags"] == last["Arguments"]["Tags"] == [{"Key": "a", "Value": "b"}]
    assert last["Arguments"]["RoleArn"].endswith("/R")
    assert "DisplayName" not in first
    assert last["DisplayName"] == "Shown"
    assert first["Arguments"]["MaxPayloadInMB"] == 9
    assert last["Arguments"]["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert last["FailOnViolation"] is False


def test_dependencies_go_to_the_first(tmp_path: Path) -> None:
    before = 'Before: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f"}\n'
    result = compile_steps(tmp_path, before + monitored(f"{TRANSFORM}{CHECK}depends_on: [Before]"))
    assert result.definition is not None, result.diagnostics
    assert [found.get("DependsOn") for found in result.definition["Steps"]] == [
        None,
        ["Before"],
        ["Check-transform"],
    ]


@pytest.mark.parametrize(
    ("rest", "reference", "path"),
    [
        ("", "output", "Check-transform.TransformOutput.S3OutputPath"),
        ("", "statistics", "Check.CalculatedBaselineStatistics"),
        ("check_first: true", "output", "Check.TransformOutput.S3OutputPath"),
        (
            "check_first: true",
            "baseline_constraints",
            "Check-monitoring.BaselineUsedForDriftCheckConstraints",
        ),
    ],
)
def test_references_to_both(rest: str, reference: str, path: str, tmp_path: Path) -> None:
    *_, after = steps_of(TRANSFORM + CHECK + rest, tmp_path, AFTER.format(reference))
    assert after["Arguments"] == {"a": {"Get": f"Steps.{path}"}}


def test_the_check_may_read_the_predictions(tmp_path: Path) -> None:
    _, last = steps_of(
        TRANSFORM + CHECK.replace("baseline: s3://b/in", 'baseline: "${steps.Check.output}"'), tmp_path
    )
    assert last["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] == {
        "Get": "Steps.Check-transform.TransformOutput.S3OutputPath"
    }


def test_every_key_of_a_monitored_transform_counts(context: FakeContext) -> None:
    text = f"{TRANSFORM}{CHECK}check_first: true\ntags: {{a: b}}"
    assert ignored_keys("monitor_transform", text, context.root) == []
    assert untried_keys("monitor_transform", [text, BIAS]) == set()


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        (TRANSFORM, "SW202", "Check"),
        (CHECK, "SW202", "Check"),
        (TRANSFORM + CHECK + BIAS, "SW208", "clarify_check"),
        (f"{TRANSFORM}{BIAS}check_first: true", "SW208", "check_first"),
        (f"{TRANSFORM}{CHECK}check_first: maybe", "SW203", "maybe"),
        (TRANSFORM + CHECK.replace("DATA_QUALITY", "MODEL_QUALITY"), "SW202", "check"),
        (TRANSFORM.replace("input", "inputt") + CHECK, "SW201", "inputt"),
        (f"{TRANSFORM}{CHECK}api: {{MaxPayloadInMB: 1}}", "SW201", "MaxPayloadInMB"),
        (f"{TRANSFORM}{CHECK}api: {{check: {{Nothing: 1}}}}", "SW601", "Nothing"),
    ],
)
def test_mistakes_of_monitored_transforms(text: str, code: str, at: str, tmp_path: Path) -> None:
    assert (code, at) in told(compile_steps(tmp_path, monitored(text)))


@pytest.mark.parametrize(
    ("check", "reference", "code"),
    [
        (BIAS, "statistics", "SW302"),
        (CHECK, "TransformOutput.S3OutputPath", "SW304"),
        (CHECK, "outputs", "SW302"),
    ],
)
def test_references_to_neither(check: str, reference: str, code: str, tmp_path: Path) -> None:
    text = monitored(TRANSFORM + check) + AFTER.format(reference)
    assert told(compile_steps(tmp_path, text)) == [(code, reference.split(".")[0])]


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        (
            "quality_check: {problem: Regression, inference: '0'}",
            "kind: quality_check\n  group: g\n  check: DATA_QUALITY\n  " + QUALITY.replace("\n", "\n  "),
        ),
        (
            "clarify_check: {model: m}",
            "kind: clarify_check\n  group: g\n  check: DATA_BIAS\n  " + CLARIFY.replace("\n", "\n  "),
        ),
        (
            "monitor_transform: {clarify_check: {model: m}}",
            "kind: monitor_transform\n  transform: {model: m, input: s3://b/i, instance: ml.m5.large}\n"
            "  clarify_check: {check: DATA_BIAS, group: g, " + ", ".join(CLARIFY.split("\n")[:-1]) + "}",
        ),
    ],
)
def test_a_default_for_the_other_check_gives_way(kinds: str, text: str, tmp_path: Path) -> None:
    alone = compile_steps(tmp_path, f"S:\n  {text}")
    result = compile_steps(tmp_path, f"S:\n  {text}", f"defaults: {{kinds: {{{kinds}}}}}\n")
    assert result.diagnostics == []
    assert result.definition is not None
    assert result.definition == alone.definition
