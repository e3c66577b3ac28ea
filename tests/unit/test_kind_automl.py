"""AutoML: its keys, its mode, and models of its best candidate."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright import steps
from sagewright.steps.automl import KIND
from tests.fakes import FakeContext, step_of
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, lowered, needs_golden, told

LEAST = 'input: s3://b/in\ntarget: "y"\n'
FULL = """
input: s3://b/in
target: rings
problem: Regression
objective: MSE
max_candidates: 10
max_runtime: 2h
output: s3://b/out
tags: {team: risk}
"""


def test_the_least_that_is_needed() -> None:
    made = lowered(KIND, LEAST, FakeContext(), "Search")
    assert made["AutoMLJobConfig"] == {"Mode": "ENSEMBLING"}
    assert made["OutputDataConfig"]["S3OutputPath"]["Std:Join"]["Values"] == [
        "s3://my-bucket/sagewright/p/",
        {"Get": "Execution.PipelineExecutionId"},
        "/Search/output",
    ]
    assert list(made) == ["AutoMLJobConfig", "InputDataConfig", "OutputDataConfig", "RoleArn"]


def test_every_key_has_its_member() -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/in"}}
    assert lowered(KIND, FULL, FakeContext()) == {
        "AutoMLJobConfig": {
            "CompletionCriteria": {"MaxCandidates": 10, "MaxAutoMLJobRuntimeInSeconds": 7200},
            "Mode": "ENSEMBLING",
        },
        "InputDataConfig": [{"DataSource": source, "TargetAttributeName": "rings"}],
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
        "ProblemType": "Regression",
        "AutoMLJobObjective": {"MetricName": "MSE"},
        "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
        "Tags": [{"Key": "team", "Value": "risk"}],
    }


def test_every_key_counts(tmp_path: Path) -> None:
    assert ignored_keys("automl", FULL, tmp_path) == []
    assert untried_keys("automl", [FULL]) == set()


@needs_golden
def test_equals_the_sdk() -> None:
    text = 'input: s3://my-bucket/a\ntarget: "y"\noutput: s3://my-bucket/o'
    made, wanted = lowered(KIND, text, FakeContext()), golden_arguments("automl.json", "AutoML")
    assert made == wanted
    assert list(made) == list(wanted)


# -- in a pipeline ----------------------------------------------------------------------------------------------------


def search(rest: str = "") -> str:
    return f'Search:\n  kind: automl\n  input: s3://b/in\n  target: "y"\n{rest}\n'


@pytest.mark.parametrize(
    ("rest", "code", "at"),
    [
        ("  problem: Regression", "SW202", "problem"),
        ("  objective: MSE", "SW202", "objective"),
        ("  problem: Clustering\n  objective: MSE", "SW204", "Clustering"),
        ("  problem: Regression\n  objective: Beauty", "SW604", "Beauty"),
        ("  max_candidates: 751", "SW206", "751"),
        ("  max_runtime: soon", "SW205", "soon"),
        ("  instance: ml.m5.large", "SW201", "instance"),
        ("  api: {ModelDeployConfig: {AutoGenerateEndpointName: true}}", "SW608", "ModelDeployConfig"),
        ("  api: {GenerateCandidateDefinitionsOnly: false}", "SW608", "GenerateCandidateDefinitionsOnly"),
        ("  api: {AutoMLJobConfig: {Mode: AUTO}}", "SW608", "AUTO"),
        ("  retry: [{errors: [job_internal_error], max_attempts: 2}]", "SW212", "job_internal_error"),
    ],
)
def test_mistakes(rest: str, code: str, at: str, tmp_path: Path) -> None:
    assert told(compile_steps(tmp_path, search(rest))) == [(code, at)]


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("best_model_data", "BestCandidate.InferenceContainers[0].ModelDataUrl"),
        ("insights", "BestCandidateProperties.ModelInsightsJsonReportPath"),
        ("explainability", "BestCandidateProperties.ExplainabilityJsonReportPath"),
        ("BestCandidate.CandidateName", "BestCandidate.CandidateName"),
        (
            "BestCandidate.FinalAutoMLJobObjectiveMetric.Value",
            "BestCandidate.FinalAutoMLJobObjectiveMetric.Value",
        ),
    ],
)
def test_references(reference: str, path: str, tmp_path: Path) -> None:
    after = f'After: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {{a: "${{steps.Search.{reference}}}"}}}}'
    result = compile_steps(tmp_path, search() + after)
    assert result.definition is not None, result.diagnostics
    assert result.definition["Steps"][1]["Arguments"] == {"a": {"Get": f"Steps.Search.{path}"}}


# -- the best candidate as a model ------------------------------------------------------------------------------------

MODEL = "Model: {kind: model, automl: Search}"


def test_a_model_of_the_best_candidate(tmp_path: Path) -> None:
    result = compile_steps(tmp_path, search() + MODEL)
    assert result.diagnostics == []
    assert result.definition is not None
    container = result.definition["Steps"][1]["Arguments"]["PrimaryContainer"]
    first = "Steps.Search.BestCandidate.InferenceContainers[0]"
    assert container["Image"] == {"Get": f"{first}.Image"}
    assert container["ModelDataUrl"] == {"Get": f"{first}.ModelDataUrl"}
    assert container["Environment"]["MODEL_NAME"] == {"Get": f"{first}.Environment['MODEL_NAME']"}
    assert len(container["Environment"]) == 6
    assert result.program is not None
    assert {(edge.source, edge.target) for edge in result.program.edges} == {("Search", "Model")}


def test_a_native_automl_step_has_a_best_candidate(tmp_path: Path) -> None:
    native = (
        "Search:\n  kind: native\n  type: AutoML\n  arguments:\n    InputDataConfig:\n"
        '      - {DataSource: {S3DataSource: {S3DataType: S3Prefix, S3Uri: s3://b/i}}, TargetAttributeName: "y"}\n'
        "    OutputDataConfig: {S3OutputPath: s3://b/o}\n    RoleArn: arn:aws:iam::123456789012:role/R\n"
    )
    assert compile_steps(tmp_path, native + MODEL).diagnostics == []


@pytest.mark.parametrize(
    ("model", "code", "at"),
    [
        ("{kind: model, automl: Serach}", "SW301", "Serach"),
        ("{kind: model, automl: Stop}", "SW208", "Stop"),
        (
            '{kind: model, automl: "${steps.Search.best_model_data}"}',
            "SW209",
            "${steps.Search.best_model_data}",
        ),
        ("{kind: model, automl: Search, image: xgboost:1.7-1}", "SW208", "automl"),
        ("{kind: model, automl: Search, environment: {A: b}}", "SW208", "environment"),
        ("{kind: model, automl: Search, code: a.py}", "SW208", "code"),
    ],
)
def test_models_that_are_none(model: str, code: str, at: str, tmp_path: Path) -> None:
    other = "Stop: {kind: model, image: xgboost:1.7-1}"
    assert told(compile_steps(tmp_path, f"{search()}Model: {model}\n{other}")) == [(code, at)]


def test_the_nearest_step_is_suggested(tmp_path: Path) -> None:
    result = compile_steps(tmp_path, search() + "Model: {kind: model, automl: Serach}")
    assert result.diagnostics[0].help == "did you mean `Search`?"


def test_a_step_with_mistakes_is_there_all_the_same(tmp_path: Path) -> None:
    result = compile_steps(tmp_path, f"{search('  inputt: s3://b/x')}{MODEL}")
    assert told(result) == [("SW201", "inputt")]


def test_a_candidate_needs_its_step() -> None:
    model = steps.find("model")
    assert model is not None
    context = FakeContext(steps={"Search": step_of(KIND, LEAST, "Search")})
    (made,) = model.lower(step_of(model, "automl: Search"), context)
    assert context.mistakes == []
    assert made.arguments["PrimaryContainer"]["Image"].step == "Search"
