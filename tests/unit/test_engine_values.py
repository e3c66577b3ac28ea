"""Values while a pipeline runs: paths, functions, texts, and the blueprint that holds them."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright.compiler.definition import DefinitionError, cache_attributes
from sagewright.compiler.engine.blueprint import blueprint, references
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.values import (
    MISSING,
    Unavailable,
    Unknown,
    first_unknown,
    lookup,
    path,
    prepare,
    text,
)
from tests.engines import definition, fan, gate, plan_of, step


class Scope:
    """Gives what it is told."""

    def parameter(self, name: str) -> Any:
        return {"N": 3, "U": Unknown("why")}[name]

    def variable(self, name: str) -> Any:
        return f"<{name}>"

    def step(self, name: str, segments: Any, target: str) -> Any:
        return [name, *segments]

    def item(self, segments: Any) -> Any:
        return list(segments)

    def report(self, step: str, file: str) -> Any:
        return {"of": {step: [file]}}

    def document(self, uri: str) -> Any:
        if uri.endswith("gone"):
            raise Unavailable("not there")
        return {"uri": uri}


@pytest.mark.parametrize(
    ("written", "segments"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a.b[0]['k.x'].c", ("a", "b", 0, "k.x", "c")),
        ("Outputs['train'].S3Output", ("Outputs", "train", "S3Output")),
        ('FinalMetricDataList["val:auc"]', ("FinalMetricDataList", "val:auc")),
        ("binary.auc-2.value", ("binary", "auc-2", "value")),
    ],
)
def test_paths(written: str, segments: tuple[Any, ...]) -> None:
    assert path(written) == segments


def test_lookup() -> None:
    data = {
        "a": [{"Name": "x", "v": 1}, {"MetricName": "m", "v": 2}],
        "doc": '{"deep": [1, {"k": "v"}]}',
        "u": Unknown("why"),
    }
    assert lookup(data, ("a", 0, "v")) == 1
    assert lookup(data, ("a", "x", "v")) == 1
    assert lookup(data, ("a", "m", "v")) == 2
    assert lookup(data, ("doc", "deep", 1, "k")) == "v"
    assert lookup(data, ("u", "anything", 3)) == Unknown("why")
    assert lookup(data, ()) is data
    for nowhere in (("b",), ("a", 2), ("a", "y"), ("doc", "x"), ("a", 0, "v", "w"), ("doc", "deep", 0, "x")):
        assert lookup(data, nowhere) is MISSING
    assert lookup({"t": "no json"}, ("t", "x")) is MISSING


def test_templates_fill_in_and_share_what_is_constant() -> None:
    constant = {"deep": [{"x": 1}]}
    value = {
        "constant": constant,
        "n": {"Get": "Parameters.N"},
        "list": [1, {"Get": "Execution.PipelineName"}],
        "step": {"Get": "Steps.A-b.X['k'][0]"},
        "join": {"Std:Join": {"On": "-", "Values": ["a", {"Get": "Parameters.N"}, True, 0.5]}},
        "nested": {"Std:Join": {"On": "", "Values": [{"Std:Join": {"On": "/", "Values": ["a", "b"]}}, "c"]}},
        "item": {"Get": "ForEach.CurrentItem['a'].b"},
        "report": {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.R"}, "Path": "of.E[0]"}},
        "object": {
            "Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3://b", "k"]}}, "Path": "uri"}
        },
    }
    filled = prepare(value)(Scope())
    assert filled == {
        "constant": constant,
        "n": 3,
        "list": [1, "<PipelineName>"],
        "step": ["A-b", "X", "k", 0],
        "join": "a-3-true-0.5",
        "nested": "a/bc",
        "item": ["a", "b"],
        "report": "R",
        "object": "s3://b/k",
    }
    assert filled["constant"] is constant
    assert value["n"] == {"Get": "Parameters.N"}, "the definition is left as it is"
    assert prepare(constant)(Scope()) is constant


def test_unknown_values_spread() -> None:
    unknown = {"Get": "Parameters.U"}
    assert prepare({"Std:Join": {"On": "", "Values": ["a", unknown]}})(Scope()) == Unknown("why")
    assert first_unknown({"a": [1, {"b": Unknown("deep")}]}) == Unknown("deep")
    assert first_unknown({"a": [1]}) is None
    assert (
        "nobody has seen the path"
        in prepare({"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": "$.a"}})(Scope()).reason
    )


@pytest.mark.parametrize(
    ("operand", "message"),
    [
        ({"S3Uri": "s3://b/gone", "Path": "a"}, "not there"),
        ({"S3Uri": "s3://b/k", "Path": "a.b"}, "Invalid json path 'a.b'"),
    ],
)
def test_what_is_not_there_fails_the_step(operand: Any, message: str) -> None:
    with pytest.raises(Unavailable, match=message):
        prepare({"Std:JsonGet": operand})(Scope())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a", "a"),
        (3, "3"),
        (0.5, "0.5"),
        (1.0, "1.0"),
        (True, "true"),
        (False, "false"),
        (0.0, "0.0"),
        (-2.5, "-2.5"),
    ],
)
def test_texts(value: Any, written: str) -> None:
    assert text(value) == written


@pytest.mark.parametrize("value", [1e-5, 1e7, 123456789.0, -1e-9, [1], {"a": 1}, None])
def test_texts_that_nobody_has_seen(value: Any) -> None:
    assert isinstance(text(value), Unknown)


# -- blueprints -------------------------------------------------------------------------------------------------------

LAMBDA = step("L", "Lambda")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("{", "Expecting"),
        (definition({"Type": "Training", "Arguments": {}}), r"Steps\[0\] has no Name"),
        (definition({"Name": "A", "Arguments": {}}), r"Steps\[0\] has no Type"),
        (definition({"Name": "A", "Type": "Training"}), "`A` has no Arguments"),
        (definition(step("A"), step("A")), "two steps are called `A`"),
        (
            definition(step("Train"), step("B", after=["Trian"])),
            "waits for `Trian`, which is no step; did you mean `Train`",
        ),
        (definition(step("A", Arguments={"x": {"Get": "Steps.Z.y"}})), "`A` waits for `Z`"),
        (
            definition(step("A"), step("B", after=[{"Step": "A", "Trigger": "Late"}])),
            "unknown Trigger `Late`",
        ),
        (definition(step("F", "Fail"), step("B", after=["F"])), "depends on the Fail step `F`"),
        (
            definition(step("A", after=["B"]), step("B", after=["A"])),
            "cycle: `A` → `B` → `A`|cycle: `B` → `A` → `B`",
        ),
        (definition(step("C", "Condition")), "`C` has no Conditions"),
        (definition(fan("Fan", [gate("G")])), "cannot stand in a ForEach's body"),
        (definition(fan("Fan", [LAMBDA], concurrency=0)), "MaxConcurrency of at least 1"),
        (definition(fan("Fan", [LAMBDA], Selector={"Pick": "Best"})), "a Selector wants"),
        (
            definition(fan("Fan", [LAMBDA]), step("B", Arguments={"x": {"Get": "Steps.L.y"}})),
            r"IterationOutputs\[0\].L",
        ),
        (definition(fan("Fan", [step("X", after=["Y"]), step("Y", after=["X"])])), "cycle"),
        (definition(step("A", Arguments={"x": {"Get": 3}})), "`Get` wants a text"),
        (definition(step("A", Arguments={"x": {"Get": "Nothing.A"}})), "refers to nothing"),
        (definition(step("A", Arguments={"x": {"Std:Join": {"On": "-"}}})), "a list of `Values`"),
        (definition(step("A", Arguments={"x": {"Std:Join": {"On": 1, "Values": []}}})), "`On` of a"),
        (definition(step("A", Arguments={"x": {"Std:JsonGet": {"Path": "a"}}})), "an `S3Uri`"),
        (definition(step("A", Arguments={"x": {"Std:JsonGet": {}}})), "wants a `Path`"),
        (
            definition(
                step("A", RetryPolicies=[{"ExceptionType": [], "MaxAttempts": 1, "ExpireAfterMin": 1}])
            ),
            "both MaxAttempts and ExpireAfterMin",
        ),
        (definition(step("A", Arguments={"Get": "Parameters.X"})), "`A` has no Arguments"),
        (definition(step("A", RetryPolicies=["x"])), "a list of texts as its ExceptionType"),
        (
            definition(step("A", RetryPolicies=[{"ExceptionType": [1]}])),
            "a list of texts as its ExceptionType",
        ),
        (
            definition(step("A", RetryPolicies=[{"ExceptionType": [], "MaxAttempts": "3"}])),
            "MaxAttempts of a retry policy",
        ),
        (
            definition(step("A", RetryPolicies=[{"ExceptionType": [], "BackoffRate": "2"}])),
            "wants numbers as IntervalSeconds",
        ),
    ],
)
def test_what_cannot_be_executed(broken: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        blueprint(broken)


def test_a_foreach_waits_for_what_its_body_needs() -> None:
    plan = plan_of(
        step("Data"),
        step("More"),
        fan(
            "Fan",
            [step("A", Arguments={"x": {"Get": "Steps.Data.y"}}, after=["More"]), step("B", after=["A"])],
        ),
        step("End", after=["Fan"]),
    )
    assert {need.source for need in plan.nodes["Fan"].needs} == {"Data", "More"}
    first, second = plan.nodes["Fan"].children
    assert first.needs == ()
    assert [need.source for need in second.turn(3).needs] == ["A-3"]
    assert plan.bodies == {"A": "Fan", "B": "Fan"}
    assert plan.dependents["Fan"] == ("End",)
    assert set(plan.nodes) == {"Data", "More", "Fan", "End"}


def test_references_of_a_step_leave_out_those_of_nested_ones() -> None:
    plan = plan_of(
        step("A"),
        gate("G", [step("B", Arguments={"x": {"Get": "Steps.A.y"}})]),
        parameters=[{"Name": "G", "Type": "Boolean"}],
    )
    assert [reference.target for reference in references(plan.nodes["G"])] == ["Parameters.G"]


@pytest.mark.parametrize(
    ("region", "partition"), [("us-west-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_names_of_an_execution(region: str, partition: str) -> None:
    identity = Identity.of("Churn", "abc", region, "210987654321")
    assert (
        identity.execution_arn
        == f"arn:{partition}:sagemaker:{region}:210987654321:pipeline/churn/execution/abc"
    )


# -- cache keys -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arguments", "inside", "outside"),
    [
        (
            "Training",
            {"HyperParameters": {"a": "1"}, "RoleArn": "r", "ResourceConfig": {"InstanceCount": 1}},
            ("HyperParameters",),
            ("RoleArn", "ResourceConfig"),
        ),
        (
            "Processing",
            {"ProcessingInputs": [1], "ProcessingOutputConfig": {"x": 1}, "NetworkConfig": {"y": 1}},
            ("ProcessingInputs",),
            ("ProcessingOutputConfig", "NetworkConfig"),
        ),
        (
            "Tuning",
            {"TrainingJobDefinition": {"StaticHyperParameters": {"a": "1"}, "RoleArn": "r"}},
            ("TrainingJobDefinition.StaticHyperParameters",),
            ("TrainingJobDefinition.RoleArn", "TrainingJobDefinition"),
        ),
        (
            "AutoML",
            {"AutoMLJobConfig": {"Mode": "ENSEMBLING", "SecurityConfig": {"z": 1}}},
            ("AutoMLJobConfig.Mode",),
            ("AutoMLJobConfig",),
        ),
        (
            "Transform",
            {"ModelName": "m", "TransformOutput": {"S3OutputPath": "o"}},
            ("ModelName",),
            ("TransformOutput",),
        ),
        ("EMR", {"ClusterId": "c", "ExecutionRoleArn": "r"}, ("ClusterId",), ("ExecutionRoleArn",)),
    ],
)
def test_what_is_in_the_key(
    kind: str, arguments: Any, inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    found = cache_attributes({"Type": kind}, arguments)
    assert set(inside) == set(found)
    assert not set(outside) & set(found)


def test_empty_members_are_not_in_the_key() -> None:
    assert (
        cache_attributes(
            {"Type": "Training"}, {"HyperParameters": {}, "InputDataConfig": [], "Environment": None}
        )
        == {}
    )


def test_of_other_types_everything_is_in_the_key() -> None:
    body = {"Type": "QualityCheck", "SkipCheck": True, "CheckType": "DATA_QUALITY", "DependsOn": ["A"]}
    found = cache_attributes(body, {"RoleArn": "r"})
    assert found == {"Arguments": {"RoleArn": "r"}, "SkipCheck": True, "CheckType": "DATA_QUALITY"}
