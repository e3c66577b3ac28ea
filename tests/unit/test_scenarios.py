"""Scenario files and tests.yaml: what they say, and what is told of mistakes in them."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sagewright import schemas
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.engine.given import TYPES, Names, given
from sagewright.compiler.engine.scenario import Draw, Fault
from sagewright.compiler.engine.testcase import cases, read_suite, run_cases
from sagewright.compiler.source import Map, read_bytes
from sagewright.compiler.validate import validate
from tests.engines import fan, gate, plan_of, step

EVALUATE = step(
    "Evaluate",
    "Processing",
    Arguments={
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://b/o"}}]}
    },
    PropertyFiles=[{"PropertyFileName": "evaluation", "OutputName": "o", "FilePath": "e.json"}],
)
TRAIN = step(
    "Train", Arguments={"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "val:auc", "Regex": "x"}]}}
)
COUNT = step("Count", "Lambda", OutputParameters=[{"OutputName": "rows", "OutputType": "Integer"}])
NAMES = Names(
    plan_of(
        EVALUATE,
        TRAIN,
        COUNT,
        gate("Gate", [step("Deploy-model", "Model"), step("Deploy", "Endpoint")]),
        fan("Fan", [step("Score", "Lambda")]),
        parameters=[
            {"Name": "Gate", "Type": "Boolean", "DefaultValue": True},
            {"Name": "Rows", "Type": "Integer"},
        ],
    ),
    {"Deploy": ("Deploy-model", "Deploy"), "Both": ("Train", "Evaluate")},
)


def parsed(text: str) -> tuple[Map, Sink]:
    sink = Sink()
    document = read_bytes(text.encode(), sink, "scenario.yaml")
    assert document is not None
    return document.data, sink


def found(text: str) -> list[str]:
    """What is said of a scenario, with places."""
    data, sink = parsed(text)
    if validate(data, "scenario", sink, None):
        given(data, NAMES, sink)
    lines = []
    for d in sink.diagnostics:
        place = f"{d.span.line}:{d.span.column}: " if d.span else ""
        lines.append(f"{place}{d.code} {d.message}" + (f" ({d.help})" if d.help else ""))
    return lines


def test_what_a_scenario_says() -> None:
    data, sink = parsed(
        """
parameters: {Rows: 5}
parallelism: 3
after: 1d
stop_at: 90s
select: [Both]
durations: {training: 5m, Processing: {$uniform: [1m, 2m]}}
files: {"s3://b/*": {a: {$normal: [0, 1]}}}
steps:
  Train: {fails: CapacityError, times: 2, message: none left, duration: 10m, metrics: {"val:auc": 0.9}}
  Evaluate: {fails: [throttling, {error: timeout, times: 3}], reports: {evaluation: {mse: {$choice: [1, 2]}}}}
  Count: {rate: 0.5, rate_fails: resource_limit, outputs: {rows: 7}}
  Gate: {takes: else}
  Score-1: {duration: 3}
"""
    )
    made = given(data, NAMES, sink)
    assert not sink.diagnostics
    scenario = made.scenario
    assert (made.select, made.after, made.stop_at) == (("Train", "Evaluate"), 86_400.0, 90.0)
    assert scenario.durations == {"Training": 300.0, "Processing": Draw("uniform", (60.0, 120.0))}
    assert scenario.files == {"s3://b/*": {"a": Draw("normal", (0, 1))}}
    train, evaluate = scenario.of("Train"), scenario.of("Evaluate")
    assert train.faults == (Fault("capacity_error", 2, "none left"),)
    assert (train.duration, train.metrics) == (600.0, {"val:auc": 0.9})
    assert evaluate.faults == (Fault("throttling", 1), Fault("timeout", 3))
    assert evaluate.reports == {"evaluation": {"mse": Draw("choice", (1, 2))}}
    assert (scenario.of("Count").rate, scenario.of("Count").rate_error) == (0.5, "resource_limit")
    assert scenario.of("Gate").outcome is False
    assert scenario.of("Score-1", "Score").duration == 3.0
    assert scenario.of("Score-0", "Score").duration is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps: {Trian: {}}", "1:9: SW301 unknown step `Trian` (did you mean `Train`?)"),
        ("steps: {Score-x: {}}", "1:9: SW301 unknown step `Score-x` (did you mean `Score`?)"),
        ("select: [Evaluat]", "1:10: SW301 unknown step `Evaluat` (did you mean `Evaluate`?)"),
        (
            "steps: {Evaluate: {reports: {evaluaton: {}}}}",
            "1:30: SW302 `Evaluate` has no report `evaluaton` (did you mean `evaluation`?)",
        ),
        (
            "steps: {Count: {outputs: {row: 1}}}",
            "1:27: SW302 `Count` has no output `row` (did you mean `rows`?)",
        ),
        (
            "steps: {Train: {metrics: {'val:acu': 1}}}",
            "1:27: SW302 `Train` has no metric `val:acu` (did you mean `val:auc`?)",
        ),
        ("parameters: {Row: 1}", "1:14: SW303 unknown parameter `Row` (did you mean `Rows`?)"),
        (
            "parameters: {Rows: many}",
            "1:20: SW205 parameter `Rows`: Unexpected type for parameter 'Rows'. Expected Integer but found String ('many').",
        ),
        (
            "steps: {Train: {fails: capcity_error}}",
            "1:24: SW204 unknown failure `capcity_error`; did you mean `capacity_error`?",
        ),
        (
            "steps: {Train: {fails: [capcity_error]}}",
            "1:25: SW204 unknown failure `capcity_error`; did you mean `capacity_error`?",
        ),
        (
            "steps: {Train: {fails: [throttling], times: 2}}",
            "1:45: SW208 `times` stands beside one failure: write it in the list's entries",
        ),
        ("steps: {Train: {fails: throttling, times: 0}}", "1:43: SW206 "),
        (
            "steps: {Train: {takes: then}}",
            "1:24: SW208 `takes` belongs to conditions, and `Train` is a Training",
        ),
        ("steps: {Gate: {takes: maybe}}", "1:23: SW204 "),
        ("steps: {Train: {rate: 2}}", "1:23: SW206 "),
        ("steps: {Train: {duration: soon}}", "1:27: SW205 "),
        (
            "steps: {Train: {duration: {$unform: [1, 2]}}}",
            "1:27: SW203 `duration` wants a duration, or one of `$uniform`, `$normal` and `$choice`",
        ),
        ("steps: {Train: {duration: {$uniform: [1s]}}}", "1:38: SW203 `$uniform` wants a list of two values"),
        ("steps: {Train: {duration: {$uniform: [soon, 2s]}}}", "1:38: SW205 `$uniform` wants durations"),
        ("steps: {Train: {metrics: {'val:auc': {$normal: [a, 1]}}}}", "1:48: SW205 `$normal` wants numbers"),
        ("steps: {Train: {metrics: {'val:auc': {$choice: 3}}}}", "1:48: SW203 `$choice` wants a list"),
        ("durations: {trainng: 5m}", "1:13: SW207 unknown kind of step `trainng` (did you mean `training`?)"),
        ("paralelism: 3", "1:1: SW201 unknown key `paralelism`"),
        ("steps: {Train: {fail: x}}", "1:17: SW201 unknown key `fail`"),
    ],
)
def test_mistakes_are_told_at_their_place(text: str, said: str) -> None:
    (line,) = found(text)
    assert line.startswith(said)


def test_all_mistakes_are_told_at_once() -> None:
    assert len(found("steps: {Trian: {}, Evaluat: {}, Count: {outputs: {row: 1}}}")) == 3


# -- tests.yaml -------------------------------------------------------------------------------------------------------


def suite(text: str, tmp_path: Path) -> tuple[Any, Sink]:
    sink = Sink()
    path = tmp_path / "tests.yaml"
    path.write_text(text)
    return read_suite(path, sink, "tests.yaml"), sink


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- a", "SW203"),
        ("tests: []", "SW206"),
        ("tests: [{name: a}]", "SW202"),
        ("tests: [{expect: {}}]", "SW202"),
        ("tests: [{name: a, expect: {state: Failed}}]", "SW201"),
        ("tests: [{name: a, expect: {status: Fail}}]", "SW204"),
        ("tests: [{name: a, expect: {}}, {name: a, expect: {}}]", "SW103"),
        ("tests: [", "SW101"),
        ("", "SW105"),
    ],
)
def test_files_that_are_no_tests(text: str, code: str, tmp_path: Path) -> None:
    _, sink = suite(text, tmp_path)
    assert [d.code for d in sink.diagnostics] == [code]
    assert sink.diagnostics[0].span is not None


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ("{ran: [Trian]}", "SW301"),
        ("{skipped: [Trian]}", "SW301"),
        ("{cached: [Trian]}", "SW301"),
        ("{failed: [Trian]}", "SW301"),
        ("{attempts: {Trian: 1}}", "SW301"),
        ("{arguments: {Trian: {}}}", "SW301"),
        ("{branches: {Trian: then}}", "SW301"),
        ("{branches: {Train: then}}", "SW208"),
    ],
)
def test_a_test_that_names_what_is_not_there(expect: str, code: str, tmp_path: Path) -> None:
    made, sink = suite(f"tests: [{{name: a, expect: {expect}}}]", tmp_path)
    assert cases(made, NAMES, sink) == []
    (diagnostic,) = sink.diagnostics
    assert diagnostic.code == code
    assert diagnostic.span is not None
    assert diagnostic.span.line == 1


def outcomes(text: str, tmp_path: Path, names: Names = NAMES) -> list[list[str]]:
    """What is not as expected, for each test."""
    made, sink = suite(text, tmp_path)
    found_ = cases(made, names, sink)
    assert not sink.diagnostics
    return [[m.message for m in verdict.mismatches] for verdict in run_cases(found_, names, lambda: 0.0)]


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("expect: {status: Failed}", "the status is Succeeded, not Failed"),
        (
            "steps: {Train: {fails: algorithm_error, message: bad}}, expect: {status: Succeeded}",
            "the status is Failed, not Succeeded: `Train`: bad",
        ),
        (
            "steps: {Count: {fails: throttling}}, expect: {status: Succeeded}",
            "the status is Unknown, not Succeeded: `Count`: SageMaker retries Step.THROTTLING by itself",
        ),
        ("expect: {message: x}", 'no failure says "x": nothing failed'),
        (
            "steps: {Train: {fails: algorithm_error, message: bad}}, expect: {message: x}",
            'no failure says "x": `Train`: bad',
        ),
        (
            "steps: {Gate: {takes: else}}, expect: {}",
            "`Gate` is assumed to be false, but its values make it true",
        ),
        (
            "parameters: {Gate: false}, expect: {ran: [Deploy]}",
            "`Deploy-model` did not start: `Gate` was false",
        ),
        ("expect: {skipped: [Train]}", "`Train` started, and succeeded"),
        ("expect: {failed: [Train]}", "`Train` did not fail: it succeeded"),
        ("expect: {cached: [Train]}", "`Train` took no earlier result: it succeeded"),
        ("expect: {attempts: {Train: 2}}", "`Train` was tried 1 times, not 2"),
        ("expect: {branches: {Gate: else}}", "`Gate` took `then`, not `else`"),
        ("expect: {arguments: {Train: {RoleArn: r}}}", "Train has no `RoleArn`"),
        (
            "expect: {arguments: {Train: {AlgorithmSpecification: {MetricDefinitions: {'val:auc': {Regex: y}}}}}}",
            'is "x", not "y"',
        ),
        ("expect: {arguments: {Train: {AlgorithmSpecification: {MetricDefinitions: []}}}}", "not []"),
        (
            "parameters: {Gate: false}, expect: {arguments: {Deploy: {}}}",
            "`Deploy` made no request: it did not start",
        ),
        ("expect: {within: 1m}", "the execution takes 600 s, more than 1m"),
        ("expect: {ran: [Score-9]}", "`Score-9` did not start: `Fan` has no such turn"),
        ("select: [Train], after: 1h, expect: {skipped: [Train]}", "`Train` started"),
        (
            "steps: {Count: {fails: throttling}}, expect: {attempts: {Count: 1}}",
            "how often `Count` is tried is unknown",
        ),
        (
            "steps: {Count: {fails: throttling}}, expect: {within: 1h}",
            "how long the execution takes is unknown",
        ),
    ],
)
def test_what_is_not_as_expected(test: str, said: str, tmp_path: Path) -> None:
    text = f"defaults: {{parameters: {{Rows: 1}}}}\ntests: [{{name: a, {test}}}]"
    ((message,),) = [messages[:1] for messages in outcomes(text, tmp_path)]
    assert said in message


def test_a_start_that_is_refused(tmp_path: Path) -> None:
    (messages,) = outcomes("tests: [{name: a, expect: {}}]", tmp_path)
    assert messages == ["SageMaker refuses: Parameter 'Rows' is undefined."]


def test_defaults_lie_under_each_test(tmp_path: Path) -> None:
    text = """
defaults:
  parameters: {Rows: 1}
  steps: {Train: {fails: algorithm_error}, Count: {duration: 5s}}
tests:
  - {name: theirs, expect: {status: Failed}}
  - {name: its own, steps: {Train: {fails: timeout}}, expect: {status: Failed, message: out of time}}
  - {name: taken back, steps: {Train: {fails: [], duration: 1s}}, expect: {status: Succeeded}}
"""
    assert outcomes(text, tmp_path) == [[], [], []]


def test_what_is_unknown_never_passes(tmp_path: Path) -> None:
    names = Names(
        plan_of(
            COUNT,
            gate("Gate", [step("A")], [step("B")], value={"Get": "Steps.Count.OutputParameters['rows']"}),
        )
    )
    for expect in (
        "ran: [A]",
        "skipped: [A]",
        "failed: [A]",
        "status: Succeeded",
        "branches: {Gate: then}",
        "attempts: {A: 1}",
    ):
        (messages,) = outcomes(f"tests: [{{name: a, expect: {{{expect}}}}}]", tmp_path, names)
        assert messages, expect
        assert "nobody gave a value for `Steps.Count.OutputParameters['rows']`" in messages[0]
    assert outcomes("tests: [{name: a, expect: {status: Unknown, ran: [Gate]}}]", tmp_path, names) == [[]]


def test_an_argument_that_is_unknown_never_passes(tmp_path: Path) -> None:
    tell = step("Tell", "Lambda", Arguments={"n": {"Get": "Steps.Count.OutputParameters['rows']"}})
    (messages,) = outcomes(
        "tests: [{name: a, expect: {arguments: {Tell: {n: 1}}}}]", tmp_path, Names(plan_of(COUNT, tell))
    )
    assert messages == ["Tell.n is unknown: nobody gave a value for `Steps.Count.OutputParameters['rows']`"]


# -- schemas ----------------------------------------------------------------------------------------------------------


def test_schemas_are_schemas() -> None:
    for name in ("tests", "scenario", "prices"):
        jsonschema.Draft202012Validator.check_schema(schemas.load(name))


def test_a_scenario_is_a_test_without_its_name_and_expectation() -> None:
    """The two are written by hand, and must not drift apart."""
    test = copy.deepcopy(schemas.load("tests")["properties"]["tests"]["items"]["properties"])
    for key in ("name", "description", "expect"):
        del test[key]
    assert test == schemas.load("scenario")["properties"]
    assert test == schemas.load("tests")["properties"]["defaults"]["properties"]


def test_every_key_is_described() -> None:
    def walk(schema: Any, path: str) -> None:
        for name, value in schema.get("properties", {}).items():
            assert "title" in value, f"{path}.{name}"
            walk(value, f"{path}.{name}")
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                walk(schema[key], f"{path}.{key}")

    for name in ("tests", "scenario", "prices"):
        walk(schemas.load(name), name)


def test_types_are_those_of_the_kinds() -> None:
    from sagewright import steps

    for name, kind_type in TYPES.items():
        kind = steps.find(name) if name in steps.names() else None
        assert kind is None or kind.type == kind_type
    assert json.dumps(TYPES)


# -- the guide --------------------------------------------------------------------------------------------------------

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
EXAMPLES = [
    pytest.param(schema, text, id=f"{page.stem}: {schema}")
    for page in (GUIDE / "simulate.md", GUIDE / "testing.md")
    for schema, text in re.findall(
        r"^```yaml (\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S
    )
]


@pytest.mark.parametrize(("schema", "text"), EXAMPLES)
def test_the_guides_examples_are_right(schema: str, text: str) -> None:
    data, sink = parsed(text)
    assert validate(data, schema, sink, None), sink.diagnostics


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) == 3
