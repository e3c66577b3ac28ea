"""Native steps: whatever kind knows their type says what is checked of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright import steps
from sagewright.steps.native import UNVERIFIED
from tests.definitions import definition_of
from tests.kinds import compile_steps, told

TRANSFORM = "TransformInput: {DataSource: {S3DataSource: {S3DataType: S3Prefix, S3Uri: s3://b/i}}}, TransformOutput: {S3OutputPath: s3://b/o}, TransformResources: {InstanceType: ml.m5.large, InstanceCount: 1}"


def native(kind: str, arguments: str, rest: str = "") -> str:
    return f"N: {{kind: native, type: {kind}, arguments: {{{arguments}}}}}\n{rest}"


def after(path: str) -> str:
    return f'After: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {{a: "${{steps.N.{path}}}"}}}}'


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Processing", "processing"),
        ("Training", "training"),
        ("Tuning", "tuning"),
        ("Transform", "transform"),
        ("AutoML", "automl"),
        ("Model", "model"),
        ("RegisterModel", "register"),
        ("EMR", "emr"),
        ("EMRServerless", "emr_serverless"),
        ("Job", "job"),
        ("Lineage", "lineage"),
        ("Cleanup", "cleanup"),
    ],
)
def test_the_kind_of_a_type(kind: str, name: str) -> None:
    found = steps.of_type(kind)
    assert found is not None
    assert found.name == name


def test_a_type_that_no_kind_has_is_unchecked(tmp_path: Path) -> None:
    assert steps.of_type("Athena") is None
    assert compile_steps(tmp_path, native("Athena", "Anything: 1", after("What.Ever[0]"))).diagnostics == []


@pytest.mark.parametrize(
    ("kind", "member"), [(kind, m) for kind, members in UNVERIFIED.items() for m in members]
)
def test_types_that_only_the_service_names(kind: str, member: str, tmp_path: Path) -> None:
    """They are taken as they are, with whatever the service may want beside Arguments, and told apart from slips."""
    arguments = "{QueryString: SELECT 1, Nested: {List: [1, true]}}"
    step = f"N: {{kind: native, type: {kind}, arguments: {arguments}, cache: 1d, retry: standard, Extra: {{A: 1}}}}\n"
    result = compile_steps(tmp_path, step + after(member))
    assert result.diagnostics == []
    assert result.definition is not None
    made, user = result.definition["Steps"]
    assert (made["Type"], made["CacheConfig"]["ExpireAfter"], made["Extra"]) == (kind, "P1D", {"A": 1})
    assert made["Arguments"] == {"QueryString": "SELECT 1", "Nested": {"List": [1, True]}}
    assert "RetryPolicies" in made
    assert user["Arguments"] == {"a": {"Get": f"Steps.N.{member}"}}


def test_what_is_known_of_them_is_botocores() -> None:
    import botocore.session

    service = botocore.session.get_session().get_service_model("sagemaker")
    told_of = service.shape_for("PipelineExecutionStepMetadata").members
    types = {
        "TrainingJob",
        "ProcessingJob",
        "TransformJob",
        "TuningJob",
        "AutoMLJob",
    }  # of types without `Job`
    unknown = {name for name in told_of if name not in types and steps.of_type(name) is None}
    assert unknown - {"ForEach"} == UNVERIFIED.keys()
    assert {name: tuple(told_of[name].members) for name in UNVERIFIED} == dict(UNVERIFIED)


@pytest.mark.parametrize(
    ("kind", "near"), [("Trainign", "Training"), ("athena", "Athena"), ("Unheard", None)]
)
def test_a_type_that_nobody_knows_is_told(kind: str, near: str | None, tmp_path: Path) -> None:
    result = compile_steps(tmp_path, native(kind, "A: 1"))
    (found,) = result.diagnostics
    assert (found.code, found.severity) == ("SW902", "warning")
    assert found.help == (f"did you mean `{near}`?" if near else None)


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        (native("Transform", TRANSFORM), "SW602", "N"),
        (native("Transform", f"ModelName: m, ModelNmae: n, {TRANSFORM}"), "SW601", "ModelNmae"),
        (
            native("Transform", f"ModelName: m, ExperimentConfig: {{RunName: r}}, {TRANSFORM}"),
            "SW608",
            "RunName",
        ),
        (
            native("Transform", f"ModelName: m, {TRANSFORM}", after("TransformOutput.S3OutputPaht")),
            "SW304",
            "S3OutputPaht",
        ),
        (native("Transform", f"ModelName: m, {TRANSFORM}", after("output")), "SW302", "output"),
        (
            native(
                "Lineage",
                "Actions: [{ActionName: a, ActionType: t, Source: {SourceUri: u}, Propertys: {}}]",
            ),
            "SW601",
            "Propertys",
        ),
        (native("Cleanup", "Resources: {S3: [{S3Uris: [s3://b/x]}]}"), "SW602", "{S3Uris: [s3://b/x]}"),
        (native("EMRServerless", "ExecutionRoleArn: r, JobConfig: {}"), "SW602", "JobConfig"),
    ],
)
def test_mistakes(text: str, code: str, at: str, tmp_path: Path) -> None:
    found = told(compile_steps(tmp_path, text))
    assert any(found_code == code and place.startswith(at) for found_code, place in found), found


def test_a_native_step_compiles(tmp_path: Path) -> None:
    path = "TransformOutput.S3OutputPath"
    result = compile_steps(tmp_path, native("Transform", f"ModelName: m, {TRANSFORM}", after(path)))
    assert result.definition is not None, result.diagnostics
    assert result.definition["Steps"][0]["Type"] == "Transform"
    assert result.definition["Steps"][1]["Arguments"] == {"a": {"Get": f"Steps.N.{path}"}}


CONDITIONS = "[{Type: Equals, LeftValue: {Get: Execution.PipelineName}, RightValue: a}]"


def test_what_a_native_condition_holds(tmp_path: Path) -> None:
    inner = "{Name: B, Type: Fail, Arguments: {ErrorMessage: a}}"
    uses = "{Name: C, Type: Lambda, Arguments: {a: {Get: Steps.B.X}}}"
    text = native("Condition", f"Conditions: {CONDITIONS}, IfSteps: [{inner}, {uses}]")
    assert told(compile_steps(tmp_path, text)) == []
    twice = native("Condition", f"Conditions: {CONDITIONS}, IfSteps: [{inner}], ElseSteps: [{inner}]")
    assert told(compile_steps(tmp_path, twice)) == [("SW311", "B")]
    outside = native(
        "Condition", f"Conditions: {CONDITIONS}, IfSteps: [{inner}]", "B: {kind: fail, message: a}"
    )
    assert told(compile_steps(tmp_path, outside)) == [("SW311", "B")]


def test_nothing_comes_after_a_native_fail(tmp_path: Path) -> None:
    after = 'A: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", depends_on: [N]}'
    assert told(compile_steps(tmp_path, native("Fail", "ErrorMessage: a", after))) == [("SW503", "N")]


@pytest.mark.parametrize(
    ("members", "code", "at"),
    [
        ("CacheConfig: {Enabled: 1}", "SW603", "1"),
        ("CacheConfig: {ExpireAfter: P1D}", "SW602", "CacheConfig"),
        ("CacheConfig: {Enabled: true, ExpireAfter: 1 day}", "SW205", "1 day"),
        ('CacheConfig: {Enabled: true, ExpireAfter: "${execution.id}"}', "SW209", "execution.id"),
        ("RetryPolicies: [{ExceptionType: [Foo]}]", "SW604", "Foo"),
        ("RetryPolicies: [{ExceptionType: []}]", "SW606", "[]"),
        ("RetryPolicies: [{MaxAttempts: 1}]", "SW602", "{MaxAttempts: 1}"),
        ("RetryPolicies: [{ExceptionType: [Step.THROTTLING], MaxAttempts: 99}]", "SW607", "99"),
        ("RetryPolicies: [{ExceptionType: [Step.THROTTLING], Attempts: 9}]", "SW601", "Attempts"),
        (
            "RetryPolicies: [{ExceptionType: [Step.THROTTLING], MaxAttempts: 1, ExpireAfterMin: 1}]",
            "SW212",
            "ExpireAfterMin",
        ),
        (
            "PropertyFiles: [{PropertyFileName: a, OutputName: b}]",
            "SW602",
            "{PropertyFileName: a, OutputName: b}",
        ),
        ("OutputParameters: foo", "SW603", "foo"),
        ("OutputParameters: [{OutputName: a, OutputType: Text}]", "SW604", "Text"),
        ('FunctionArn: "${execution.id}"', "SW209", "execution.id"),
        ("RetryPolicy: []", "SW902", "RetryPolicy"),
    ],
)
@pytest.mark.parametrize("key", ["", "step_api"])
def test_what_stands_beside_the_arguments(key: str, members: str, code: str, at: str, tmp_path: Path) -> None:
    beside = f"step_api: {{{members}}}" if key else members
    text = f"N: {{kind: native, type: Athena, arguments: {{QueryString: a}}, {beside}}}"
    ((found, place),) = told(compile_steps(tmp_path, text))
    assert (found, place) == (code, at)


def test_members_that_nobody_knows_pass(tmp_path: Path) -> None:
    text = "N: {kind: native, type: Athena, arguments: {}, step_api: {Entirely: {New: [1]}}}"
    result = compile_steps(tmp_path, text)
    assert result.diagnostics == []
    assert definition_of(result)["Steps"][0]["Entirely"] == {"New": [1]}
