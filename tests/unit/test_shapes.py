"""AWS's shapes: every violation with its place, the goldens, mutations of them, patterns, properties, the snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.expression import Join, JsonGet, ParameterRef
from sagewright.compiler.shapes import (
    Violation,
    bind,
    members,
)
from sagewright.compiler.source import Map, Text, read_bytes
from sagewright.compiler.types import Type
from tests.definitions import boto_oracle
from tests.mutations import KINDS, Typed, campaign, every_step, goldens, without_nulls

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"

MODEL = """\
PrimaryContainer:
  Image: 123456789012.dkr.ecr.us-west-2.amazonaws.com/x:1
  Mode: SingleModel
  Environment: {LOG: info}
ExecutionRoleArn: arn:aws:iam::123456789012:role/R
Tags:
  - {Key: team, Value: risk}
EnableNetworkIsolation: false
"""
REFERENCE = ParameterRef("P", Type.STRING)


# -- helpers ----------------------------------------------------------------------------------------------------------


def checked(
    arguments: Any, operation: str | None = "CreateModel", **options: Any
) -> tuple[Any, list[Violation]]:
    """The bound tree, in which a variable is `{"Get": <the type wanted>}`, and the violations."""
    found: list[Violation] = []
    options.setdefault("omits", ("ModelName",))
    options.setdefault("variable", lambda _, wanted: {"Get": str(wanted)})
    return bind(arguments, operation, report=found.append, **options), found


def yaml(text: str) -> Map:
    sink = Sink()
    document = read_bytes(text.encode(), sink, "p.yaml")
    assert document is not None, sink.diagnostics
    return document.data


def only(found: list[Violation]) -> Violation:
    assert len(found) == 1, found
    return found[0]


def stands_at(violation: Violation) -> tuple[int, int]:
    assert violation.origin is not None
    span = violation.origin.span()
    return span.line, span.column


def model_with(text: str, replaced: str) -> list[Violation]:
    assert text in MODEL
    return checked(yaml(MODEL.replace(text, replaced)))[1]


# -- requests of one's own --------------------------------------------------------------------------------------------

OWN = {
    "Cluster": "RunJobFlowInput",
    "Ends": [{"Name": "XmlStringMaxLen256", "Arn": "ArnType"}],
    "Free": "string",
}
OMITS = ("Cluster", "Cluster.Name", "Ends.Arn")


def own(arguments: Any, omits: tuple[str, ...] = OMITS) -> list[tuple[str, str]]:
    return [(v.code, v.path) for v in checked(arguments, OWN, omits=omits, service="emr")[1]]


def test_a_request_of_several() -> None:
    groups = [{"InstanceRole": "MASTER", "InstanceCount": 1, "InstanceType": "m5.xlarge"}]
    cluster = {"Instances": {"InstanceGroups": groups}}
    assert own({"Cluster": cluster, "Ends": [{"Name": "a"}], "Free": "x"}) == []
    assert own({"Ends": [], "Free": "x"}) == []


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"Ends": []}, [("SW602", "")]),
        ({"Ends": [], "Free": "x", "Clutser": {}}, [("SW601", "Clutser")]),
        ({"Ends": [{}], "Free": "x"}, [("SW602", "Ends[0]")]),
        ({"Ends": [{"Name": "a", "Arn": "short"}], "Free": "x"}, [("SW606", "Ends[0].Arn")]),
        ({"Ends": {"Name": "a"}, "Free": 1}, [("SW603", "Ends"), ("SW603", "Free")]),
        ({"Ends": [], "Free": "x", "Cluster": {}}, [("SW602", "Cluster")]),
        (
            {"Ends": [], "Free": "x", "Cluster": {"Instances": {"Zzz": 1}}},
            [("SW601", "Cluster.Instances.Zzz")],
        ),
    ],
)
def test_a_request_of_several_with_mistakes(arguments: Any, found: list[tuple[str, str]]) -> None:
    assert own(arguments) == found


def test_members_are_omitted_by_their_path() -> None:
    arguments = {"Ends": [{"Name": "a"}], "Free": "x", "Cluster": {"Instances": {}}}
    assert own(arguments) == []
    assert own(arguments, ("Cluster", "Name", "Arn")) == [("SW602", "Ends[0]"), ("SW602", "Cluster")]


def test_a_shape_that_is_not_in_the_snapshot_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        checked({"A": "x"}, {"A": "RunJobFlawInput"}, omits=(), service="emr")


# -- accepted ---------------------------------------------------------------------------------------------------------


def test_valid_arguments_come_back_equal_and_plain() -> None:
    bound, found = checked(yaml(MODEL))
    assert found == []
    assert bound == yaml(MODEL)
    assert {type(bound), type(bound["Tags"]), type(bound["PrimaryContainer"])} == {dict, list}


def test_members_that_are_none_are_dropped() -> None:
    bound, found = checked(
        {"ExecutionRoleArn": None, "PrimaryContainer": {"Image": "i", "Environment": {"A": None}}}
    )
    assert found == []
    assert bound == {"PrimaryContainer": {"Image": "i", "Environment": {}}}


def test_omitted_members_may_be_absent_or_given() -> None:
    assert checked({})[1] == []
    assert checked({"ModelName": "m"})[1] == []
    assert only(checked({}, omits=())[1]).code == "SW602"


def test_texts_lose_their_node() -> None:
    bound, found = checked({"ModelName": Text("m", None)})
    assert found == []
    assert type(bound["ModelName"]) is str


@pytest.mark.parametrize(
    ("operation", "path", "wanted"),
    [
        ("CreateModel", ("ModelName",), Type.STRING),
        ("CreateModel", ("EnableNetworkIsolation",), Type.BOOLEAN),
        ("CreateTrainingJob", ("ResourceConfig", "InstanceCount"), Type.INTEGER),
        ("CreateEndpointConfig", ("ProductionVariants", 0, "InitialVariantWeight"), Type.FLOAT),
        ("CreateTrainingJob", ("HyperParameters", "depth"), Type.STRING),
    ],
)
def test_a_variable_is_told_the_type_of_its_place(
    operation: str, path: tuple[str | int, ...], wanted: Type
) -> None:
    arguments: Any = REFERENCE
    for key in reversed(path):
        arguments = [arguments] if isinstance(key, int) else {key: arguments}
    bound, found = checked(arguments, operation)
    for key in path:
        bound = bound[key]
    assert bound == {"Get": str(wanted)}
    assert {violation.code for violation in found} <= {"SW602"}


@pytest.mark.parametrize("expression", [REFERENCE, JsonGet("S", "R", "a"), Join(("a", REFERENCE))])
def test_every_expression_is_handed_over(expression: Any) -> None:
    seen: list[Any] = []
    checked({"ModelName": expression}, variable=lambda leaf, _: seen.append(leaf))
    assert seen == [expression]


@pytest.mark.parametrize(
    "function",
    [
        {"Get": "Parameters.X"},
        {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.X"}]}},
        {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.R"}, "Path": "a"}},
    ],
)
def test_written_out_functions_pass_for_scalars_only(function: dict[str, Any]) -> None:
    bound, found = checked({"ModelName": function, "EnableNetworkIsolation": function})
    assert (bound, found) == ({"ModelName": function, "EnableNetworkIsolation": function}, [])
    for member in ("PrimaryContainer", "Containers"):
        assert only(checked({member: function})[1]).code == "SW408"


def test_expressions_inside_written_out_functions_are_converted() -> None:
    bound, found = checked({"ModelName": {"Std:Join": {"On": "/", "Values": ["a", REFERENCE]}}})
    assert found == []
    assert bound == {"ModelName": {"Std:Join": {"On": "/", "Values": ["a", {"Get": "Any"}]}}}


def test_an_integer_does_where_a_number_is_wanted() -> None:
    variant = {"VariantName": "v", "ModelName": "m", "InitialVariantWeight": 1}
    arguments = {"EndpointConfigName": "c", "ProductionVariants": [variant]}
    bound, found = checked(arguments, "CreateEndpointConfig")
    assert (bound, found) == (arguments, [])


def test_without_an_operation_only_expressions_change() -> None:
    arguments = yaml("a: {b: [1, 2.5, true, text], c: null}\nd: 0\n")
    arguments["d"] = REFERENCE
    bound, found = checked(arguments, None)
    assert found == []
    assert bound == {"a": {"b": [1, 2.5, True, "text"]}, "d": {"Get": "Any"}}
    assert only(checked(yaml("a: [null]"), None)[1]).path == "a[0]"


def test_a_recursive_shape_is_walked() -> None:
    nested = {
        "Classification": "a",
        "Configurations": [{"Classification": "b", "Properties": {"k": REFERENCE}}],
    }
    arguments = {"Name": "n", "Instances": {}, "Configurations": [nested]}
    bound, found = checked(arguments, "RunJobFlow", service="emr")
    assert found == []
    assert bound["Configurations"][0]["Configurations"][0]["Properties"] == {"k": {"Get": "String"}}


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "replaced", "code", "path", "place", "help"),
    [
        ("  Image:", "  Imgae:", "SW601", "PrimaryContainer.Imgae", (2, 3), "did you mean `Image`?"),
        ("Tags:", "tags:", "SW601", "tags", (6, 1), "did you mean `Tags`?"),
        (", Value: risk", "", "SW602", "Tags[0]", (7, 5), None),
        ("{LOG: info}", "{LOG: 1}", "SW603", "PrimaryContainer.Environment.LOG", (4, 22), "quote it"),
        ("false", '"false"', "SW603", "EnableNetworkIsolation", (8, 25), "write it without quotes"),
        ("false", "0", "SW603", "EnableNetworkIsolation", (8, 25), None),
        ("{LOG: info}", "[LOG]", "SW603", "PrimaryContainer.Environment", (4, 16), None),
        (
            "SingleModel",
            "SingelModel",
            "SW604",
            "PrimaryContainer.Mode",
            (3, 9),
            "did you mean `SingleModel`?",
        ),
        (
            "SingleModel",
            "x",
            "SW604",
            "PrimaryContainer.Mode",
            (3, 9),
            "it takes `MultiModel` and `SingleModel`",
        ),
        ("arn:aws:iam", "arn:aws:mai", "SW605", "ExecutionRoleArn", (5, 19), None),
        ("arn:aws:iam::123456789012:role/R", "arn", "SW606", "ExecutionRoleArn", (5, 19), None),
        ("LOG: info", "a b: info", "SW605", "PrimaryContainer.Environment['a b']", (4, 17), None),
    ],
)
def test_violations(
    text: str, replaced: str, code: str, path: str, place: tuple[int, int], help: str | None
) -> None:
    violation = only(model_with(text, replaced))
    assert (violation.code, violation.path, stands_at(violation)) == (code, path, place)
    assert violation.help == help
    assert f"`{path}" in violation.message or code in ("SW601", "SW602")


def test_numbers_and_counts_out_of_range() -> None:
    arguments = yaml("""\
ProcessingResources:
  ClusterConfig: {InstanceType: ml.m5.large, InstanceCount: 0, VolumeSizeInGB: "30"}
AppSpecification: {ImageUri: i, ContainerEntrypoint: []}
RoleArn: arn:aws:iam::123456789012:role/R
StoppingCondition: {MaxRuntimeInSeconds: 777601}
""")
    found = checked(arguments, "CreateProcessingJob", omits=("ProcessingJobName",))[1]
    assert [(violation.code, violation.path, *stands_at(violation)) for violation in found] == [
        ("SW607", "ProcessingResources.ClusterConfig.InstanceCount", 2, 61),
        ("SW603", "ProcessingResources.ClusterConfig.VolumeSizeInGB", 2, 80),
        ("SW606", "AppSpecification.ContainerEntrypoint", 3, 54),
        ("SW607", "StoppingCondition.MaxRuntimeInSeconds", 5, 42),
    ]
    assert found[0].message.endswith("is 0, AWS takes at least 1")
    assert found[1].help == "write it without quotes"
    assert found[3].message.endswith("is 777601, AWS takes at most 777600")


@pytest.mark.parametrize(
    "value",
    [2**31, pytest.param(10**5000, id="huge"), 1.5, 1.0, float("inf"), True, "1", [1], {"a": 1}, None],
)
def test_what_is_no_integer_of_32_bits(value: Any) -> None:
    config = {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 1, "InstanceCount": value}
    job = {"ResourceConfig": config}
    found = [v for v in checked(job, "CreateTrainingJob")[1] if v.path.startswith("ResourceConfig")]
    codes = [violation.code for violation in found]
    assert codes == ([] if value is None else ["SW607" if type(value) is int else "SW603"])


def test_a_number_that_json_does_not_have() -> None:
    variant = {"VariantName": "v", "ModelName": "m", "InitialVariantWeight": float("nan")}
    found = checked({"EndpointConfigName": "c", "ProductionVariants": [variant]}, "CreateEndpointConfig")[1]
    assert only(found).code == "SW603"


def test_too_many_entries_in_a_map() -> None:
    environment = {f"K{number}": "v" for number in range(101)}
    violation = only(checked({"PrimaryContainer": {"Image": "i", "Environment": environment}})[1])
    assert violation.code == "SW606"
    assert violation.message == "`PrimaryContainer.Environment` has 101 entries, AWS takes at most 100"


@pytest.mark.parametrize("member", ["PrimaryContainer", "Containers", "VpcConfig"])
def test_a_reference_cannot_stand_for_a_structure(member: str) -> None:
    called: list[Any] = []
    found = checked({member: REFERENCE}, variable=lambda *leaf: called.append(leaf))[1]
    assert (only(found).code, called) == ("SW408", [])


def test_null_in_a_list() -> None:
    assert only(checked({"Tags": [None]})[1]).code == "SW603"


def test_missing_members_are_told_together_under_the_name_of_the_request() -> None:
    violation = only(checked({}, "CreateProcessingJob", omits=())[1])
    assert (violation.code, violation.path, violation.origin) == ("SW602", "", None)
    assert violation.message.startswith(
        "`CreateProcessingJob` lacks its required members `ProcessingJobName`, "
    )


def test_everything_wrong_is_told_at_once() -> None:
    found = checked({"Nmae": 1, "PrimaryContainer": 2, "Tags": [{}], "EnableNetworkIsolation": "no"})[1]
    assert [violation.code for violation in found] == ["SW601", "SW603", "SW602", "SW603"]


def test_a_long_text_is_shortened_in_messages() -> None:
    found = checked({"ModelName": "x" * 5000, "y" * 5000: 1, "EnableNetworkIsolation": "z" * 5000})[1]
    assert len(found) == 3
    assert all(len(violation.message) < 300 for violation in found)


def test_places_of_values_whose_container_has_none() -> None:
    body = yaml("image: 1\nlog: {a: 1}\n")
    referred = ParameterRef("P", Type.STRING, key_place(body, "image"))
    whole = {"PrimaryContainer": REFERENCE_AT(body)}
    assert stands_at(only(checked(whole)[1])) == (1, 8)
    beside = {
        "PrimaryContainer": {"Image": referred, "Mode": "x"}
    }  # a neighbour's place, for want of its own
    assert stands_at(only(checked(beside)[1])) == (1, 8)
    inside = {"PrimaryContainer": {"Image": "i", "Environment": body["log"]}}
    assert stands_at(only(checked(inside)[1])) == (2, 10)
    lacking = {"Tags": [{"Key": referred}]}
    assert stands_at(only(checked(lacking)[1])) == (1, 8)
    nowhere = {"PrimaryContainer": {"Mode": "x"}}
    assert only(checked(nowhere)[1]).origin is None


def key_place(container: Map, key: str) -> Any:
    from sagewright.compiler.source import origin

    return origin(container, key)


def REFERENCE_AT(body: Map) -> ParameterRef:
    return ParameterRef("P", Type.STRING, key_place(body, "image"))


def test_operations_that_are_not_in_the_snapshot_are_our_mistake() -> None:
    with pytest.raises(KeyError):
        checked({}, "CreateUnicorn")


def test_members_of_a_request() -> None:
    listed = members("CreateTransformJob")
    assert listed["TransformJobName"] is True
    assert listed["Environment"] is False
    assert next(iter(listed)) == "TransformJobName"


# -- the goldens, the corpus and the oracle ---------------------------------------------------------------------------


def definitions(folder: str) -> list[Path]:
    if not (SHARED / folder).is_dir():
        pytest.skip(f"the reference data ({folder}) is not beside the checkout")
    return sorted((SHARED / folder).rglob("*.json"))


@pytest.fixture(scope="module")
def typed() -> tuple[Typed, ...]:
    """The steps of the goldens that have a request."""
    definitions("oracle")
    found = goldens()
    assert len(found) > 60
    return found


@pytest.fixture(scope="module")
def oracle() -> ModuleType:
    definitions("oracle")
    return boto_oracle()


def with_expressions(value: Any) -> Any:
    """Pseudo-functions as expressions, each under the text that it came from."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("Get", "Std:Join", "Std:JsonGet"):
            return ParameterRef(json.dumps(value), Type.STRING)
        return {key: with_expressions(item) for key, item in value.items()}
    return [with_expressions(item) for item in value] if isinstance(value, list) else value


def test_goldens_are_accepted(typed: tuple[Typed, ...]) -> None:
    for where, operation, omits, arguments in typed:
        assert checked(arguments, operation, omits=omits) == (arguments, []), where
        expressions = with_expressions(arguments)
        back: Callable[..., Any] = lambda expression, _: json.loads(expression.name)  # noqa: E731
        assert checked(expressions, operation, omits=omits, variable=back) == (arguments, []), where


def test_the_corpus_has_no_violations_but_placeholders(oracle: ModuleType) -> None:
    checked_steps = 0
    for path in definitions("corpus"):
        if "test_pipeline_mlflow_config" in path.name:  # its arguments are dummies
            continue
        for step in every_step(json.loads(path.read_text())["Steps"]):
            if step["Type"] in oracle.OPS:
                operation, omits = oracle.OPS[step["Type"]]
                checked_steps += 1
                for violation in checked(without_nulls(step["Arguments"]), operation, omits=omits)[1]:
                    placeholder = "${" in json.dumps(step["Arguments"]) or "XXXX" in violation.message
                    assert placeholder, (path.name, violation)
    assert checked_steps > 50


def test_mutations_are_refused(typed: tuple[Typed, ...]) -> None:
    """Of 2,000 mutants at least 97 % are, and of each kind as well; the untouched ones are above."""
    outcome = campaign(2000)
    assert outcome.share >= 0.97, outcome.accepted
    assert all(outcome.refused[kind] >= 0.95 * 500 for kind in KINDS), outcome.refused


def test_an_untouched_golden_is_accepted_by_both(typed: tuple[Typed, ...]) -> None:
    for one in typed:
        assert one.refused_by_the_oracle(one.arguments) == []
        assert one.refused(one.arguments) == []
