"""Foreach: what its items, body and selector lower to, who sees whom, and what runs when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sagewright.compiler import drawing
from sagewright.compiler.cli import root
from sagewright.compiler.definition import steps as steps_of
from sagewright.compiler.difference import compare
from sagewright.compiler.driver import Result
from sagewright.compiler.emit import to_text
from sagewright.compiler.emulator.validation import problem
from sagewright.compiler.picture import picture
from tests.definitions import CASES, ROOT, compiled, definition_of
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, needs_golden, told

LAMBDA = "kind: lambda, function: 'arn:aws:lambda:us-west-2:123456789012:function:f'"
FAN = f"""
Fan:
  kind: foreach
  items: %s
  max_concurrency: 2
  body:
    Score: {{{LAMBDA}, arguments: {{x: "${{item}}"}}, outputs: {{auc: Float, name: String}}}}
"""
MODEL = "kind: training, image: xgboost:1.7-1, instance: ml.m5.xlarge, inputs: {t: s3://b/t}"


def result(folder: Path, rest: str = "", items: str = "[a, b]", head: str = "") -> Result:
    return compile_steps(folder, f"{FAN % items}{rest}", head)


def emitted(folder: Path, rest: str = "", items: str = "[a, b]", head: str = "") -> dict[str, Any]:
    """Every step, by name."""
    made = result(folder, rest, items, head)
    assert made.diagnostics == []
    definition = definition_of(made)
    assert problem(to_text(definition)) is None, "the emulator takes it"
    return {step.name: step.body for step in steps_of(definition)}


def arguments(folder: Path, value: str, rest: str = "", items: str = "[a, b]") -> Any:
    """What a step outside makes of a reference."""
    tell = f'Tell: {{{LAMBDA}, arguments: {{v: "{value}"}}}}\n'
    return emitted(folder, f"{rest}{tell}", items)["Tell"]["Arguments"]["v"]


@needs_golden
def test_equals_the_sdk() -> None:
    made = definition_of(compiled(CASES["newtypes"]))
    assert made["Steps"][0]["Arguments"] == golden_arguments("newtypes.json", "Fan")
    assert made["Steps"][1]["Arguments"] == golden_arguments("newtypes.json", "After")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("[a, 1, 2.5, true]", ["a", 1, 2.5, True]),
        ("[{a: 1, b: [x, null, {}]}]", ['{"a":1,"b":["x",null,{}]}']),
        ("['{\"a\": 1}']", ['{"a": 1}']),
        ("['$${parameters.P}']", ["${parameters.P}"]),
    ],
)
def test_items(items: str, expected: Any, tmp_path: Path) -> None:
    assert emitted(tmp_path, items=items)["Fan"]["Arguments"]["IterableItems"] == expected


HEAD = "parameters: {L: '[1, 2]', N: 3, S: x}\n"


def test_items_may_be_a_reference(tmp_path: Path) -> None:
    made = emitted(tmp_path, items="'${parameters.L}'", head="parameters: {L: '[1, 2]'}\n")
    assert made["Fan"]["Arguments"]["IterableItems"] == {"Get": "Parameters.L"}


def test_references_in_a_mapping_are_json(tmp_path: Path) -> None:
    items = '[{n: "${parameters.N}", s: "a \\"${parameters.S}", l: "${parameters.L}"}]'
    (found,) = emitted(tmp_path, items=items, head=HEAD)["Fan"]["Arguments"]["IterableItems"]
    assert found["Std:Join"]["On"] == ""
    filled = {"Parameters.N": "3", "Parameters.S": "x", "Parameters.L": "y"}
    pieces = found["Std:Join"]["Values"]
    text = "".join(piece if isinstance(piece, str) else filled[piece["Get"]] for piece in pieces)
    assert json.loads(text) == {"n": 3, "s": 'a "x', "l": "y"}


def test_a_report_in_a_mapping_has_no_type(tmp_path: Path) -> None:
    rest = f"R: {{{LAMBDA}, reports: {{r: {{uri: s3://b/r.json}}}}}}\n"
    found = told(result(tmp_path, rest, "[{v: '${steps.R.reports.r.x}'}]"))
    assert found == [("SW401", "steps.R.reports.r.x")]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("item", ""),
        ("item.a", ".a"),
        ("item['a'].b[0]", ".a.b[0]"),
        ("item['x:y']", "['x:y']"),
        ("item.a-b", "['a-b']"),
    ],
)
def test_item(written: str, path: str, tmp_path: Path) -> None:
    text = FAN.replace("${item}", f"${{{written}}}") % "'${parameters.L}'"
    made = compile_steps(tmp_path, text, HEAD.replace("N: 3, S: x", ""))
    assert made.diagnostics == []
    body = definition_of(made)["Steps"][0]["Arguments"]["ForEachBody"]
    assert body[0]["Arguments"]["x"] == {"Get": f"ForEach.CurrentItem{path}"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("status", "Status"),
        ("count", "InputItemCount"),
        ("steps_total", "TotalStepCount"),
        ("steps_succeeded", "SucceededStepCount"),
        ("steps_failed", "FailedStepCount"),
        ("steps_stopped", "StoppedStepCount"),
        ("StoppedStepCount", "StoppedStepCount"),
        ("iterations[1].Score.outputs.auc", "IterationOutputs[1].Score.OutputParameters['auc']"),
        ("IterationOutputs[0].Score.outputs.auc", "IterationOutputs[0].Score.OutputParameters['auc']"),
    ],
)
def test_what_steps_outside_see(written: str, expected: str, tmp_path: Path) -> None:
    assert arguments(tmp_path, f"${{steps.Fan.{written}}}") == {"Get": f"Steps.Fan.{expected}"}


def test_what_is_seen_has_the_type_of_the_step_in_the_body(tmp_path: Path) -> None:
    fail = "End: {kind: fail, message: '%s'}\n"
    float_ = emitted(tmp_path, fail % "${steps.Fan.iterations[0].Score.outputs.auc}")["End"]
    assert float_["Arguments"]["ErrorMessage"]["Std:Join"]["Values"], "a Float is cast"
    text = emitted(tmp_path, fail % "${steps.Fan.iterations[0].Score.outputs.name}")["End"]
    assert text["Arguments"]["ErrorMessage"] == {
        "Get": "Steps.Fan.IterationOutputs[0].Score.OutputParameters['name']"
    }


WITH_MODEL = f"""    Train: {{{MODEL}, metrics: {{auc: "auc=(.*)"}}}}
  select: {{%s: "${{steps.Train.metrics.auc}}"}}
"""


@pytest.mark.parametrize(("key", "pick"), [("max_by", "MaxBy"), ("min_by", "MinBy")])
def test_a_selector(key: str, pick: str, tmp_path: Path) -> None:
    made = emitted(tmp_path, WITH_MODEL % key)["Fan"]["Arguments"]
    field = {"Get": "IterationOutput.Train.FinalMetricDataList['auc'].Value"}
    assert made["Selector"] == {"Pick": pick, "Field": field}
    assert list(made) == ["IterableItems", "MaxConcurrency", "Selector", "ForEachBody"]


@pytest.mark.parametrize("word", ["selected.model_data", "Selected.ModelArtifacts.S3ModelArtifacts"])
def test_what_was_selected(word: str, tmp_path: Path) -> None:
    made = arguments(tmp_path, f"${{steps.Fan.{word}}}", WITH_MODEL % "max_by")
    assert made == {"Get": "Steps.Fan.Selected.ModelArtifacts.S3ModelArtifacts"}


def test_sugar_that_is_a_join_is_seen_through_the_loop(tmp_path: Path) -> None:
    tune = """    Tune:
      kind: tuning
      training: {image: xgboost:1.7-1, instance: ml.m5.xlarge, inputs: {t: s3://b/t}, output: s3://b/o}
      objective: {metric: "validation:rmse", goal: Minimize}
      ranges: {eta: {min: 0.1, max: 0.5}}
      max_jobs: 2
"""
    made = arguments(tmp_path, "${steps.Fan.iterations[1].Tune.best_model_data}", tune)
    assert {"Get": "Steps.Fan.IterationOutputs[1].Tune.TrainingJobSummaries[0].TrainingJobName"} in made[
        "Std:Join"
    ]["Values"]


def test_a_report_by_uri_is_seen_through_the_loop(tmp_path: Path) -> None:
    body = f"""    R:
      {LAMBDA.replace(", ", chr(10) + "      ")}
      outputs: {{uri: String}}
      reports: {{r: {{uri: "${{steps.R.outputs.uri}}/r.json"}}}}
"""
    gate = f"""Gate:
  kind: condition
  if: steps.Fan.iterations[0].R.reports.r.mse < 3
  then: {{Good: {{{LAMBDA}}}}}
"""
    made = emitted(tmp_path, f"{body}{gate}")["Gate"]["Arguments"]["Conditions"][0]["LeftValue"][
        "Std:JsonGet"
    ]
    assert made["S3Uri"]["Std:Join"]["Values"][0] == {
        "Get": "Steps.Fan.IterationOutputs[0].R.OutputParameters['uri']"
    }


def test_what_is_made_of_the_item_is_not_seen_from_outside(tmp_path: Path) -> None:
    body = f"""    R:
      {LAMBDA.replace(", ", chr(10) + "      ")}
      reports: {{r: {{uri: "s3://b/${{item}}.json"}}}}
Tell: {{{LAMBDA}, arguments: {{v: "${{steps.Fan.iterations[0].R.reports.r.mse}}"}}}}
"""
    found = result(tmp_path, body)
    assert told(found) == [("SW313", "iterations")]
    assert "`item`" in found.diagnostics[0].message


def test_kinds_that_make_several_steps(tmp_path: Path) -> None:
    body = """    Deploy:
      kind: deploy
      endpoint: score-${item}
      model_data: s3://b/${item}/model.tar.gz
      image: xgboost:1.7-1
      instance: ml.m5.large
"""
    tell = f'Tell: {{{LAMBDA}, arguments: {{v: "${{steps.Fan.iterations[0].Deploy.endpoint}}"}}}}\n'
    made = emitted(tmp_path, f"{body}{tell}")
    names = [step["Name"] for step in made["Fan"]["Arguments"]["ForEachBody"]]
    assert names == ["Score", "Deploy-model", "Deploy-config", "Deploy"]
    assert made["Tell"]["Arguments"]["v"] == {"Get": "Steps.Fan.IterationOutputs[0].Deploy.EndpointName"}
    taken = result(tmp_path, f"{body}Deploy-model-3: {{{LAMBDA}}}\n")
    assert told(taken) == [("SW311", "Deploy-model-3")]


@pytest.mark.parametrize("items", ["[a, a]", "[{n: a}]", "['{\"n\": 1}']"])
def test_outputs_of_turns_do_not_collide(items: str, tmp_path: Path) -> None:
    body = """    Prepare: {kind: processing, image: sklearn:1.2-1, instance: ml.m5.large, code: s3://b/c.py, outputs: {o: {}}}
"""
    made = emitted(tmp_path, body)["Prepare"]["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]
    assert {"Get": "ForEach.CurrentItem"} in made["S3Output"]["S3Uri"]["Std:Join"]["Values"]
    assert told(result(tmp_path, body, items)) == [("SW507", "Prepare")]


def test_defaults_retry_and_cache_reach_the_body(tmp_path: Path) -> None:
    head = "defaults: {retry: standard, cache: 30d, kinds: {training: {instance: ml.m4.xlarge}}}\n"
    body = f"    Train: {{{MODEL.replace(', instance: ml.m5.xlarge', '')}}}\n"
    made = emitted(tmp_path, body, head=head)
    assert made["Train"]["Arguments"]["ResourceConfig"]["InstanceType"] == "ml.m4.xlarge"
    assert made["Train"]["RetryPolicies"] and made["Train"]["CacheConfig"]["ExpireAfter"] == "P30D"
    assert made["Score"]["CacheConfig"] and "CacheConfig" not in made["Fan"]


def test_a_matrix_in_the_body(tmp_path: Path) -> None:
    body = f"    Part: {{{LAMBDA}, matrix: {{n: [1, 2]}}, outputs: {{v: Integer}}}}\n"
    made = arguments(tmp_path, "${steps.Fan.iterations[0].Part-2.outputs.v}", body)
    assert made == {"Get": "Steps.Fan.IterationOutputs[0].Part-2.OutputParameters['v']"}


def test_depends_on_into_and_out_of_a_body(tmp_path: Path) -> None:
    rest = f"""    Next: {{{LAMBDA}, depends_on: [Score, Before]}}
Before: {{{LAMBDA}}}
After: {{{LAMBDA}, depends_on: [{{step: Fan, when: failed}}]}}
"""
    made = emitted(tmp_path, rest)
    assert made["Next"]["DependsOn"] == ["Score", "Before"]
    assert made["After"]["DependsOn"] == [{"Step": "Fan", "Trigger": "Failed"}]


def test_the_foreach_waits_for_what_its_body_needs(tmp_path: Path) -> None:
    rest = f"""    Next: {{{LAMBDA}, depends_on: [Before]}}
Before: {{{LAMBDA}, depends_on: [Fan]}}
"""
    assert [code for code, _ in told(result(tmp_path, rest))] == ["SW501"]


def test_what_the_body_needs_has_to_have_run(tmp_path: Path) -> None:
    """The foreach stands where its body's needs are met: a body is no branch, but what is around it may be one."""
    gate = f"""Gate:
  kind: condition
  if: parameters.N > 2
  then: {{Data: {{{LAMBDA}, outputs: {{uri: String}}}}}}
"""
    needs = f'    Next: {{{LAMBDA}, arguments: {{a: "${{steps.Data.outputs.uri}}"}}}}\n'
    head = "parameters: {N: 3}\n"
    found = result(tmp_path, needs + gate, head=head)
    assert told(found) == [("SW502", "steps.Data.outputs.uri")]
    assert found.diagnostics[0].help == "move `Fan` into that branch"
    said = needs.replace("kind: lambda", "kind: lambda, depends_on: [Data]")
    assert told(result(tmp_path, said + gate, head=head)) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("  items: [a, b]\n", "SW202"),
        ("  body:\n", "SW101"),
        ("  max_concurrency: 2\n", "SW202"),
        (f'    Train: {{{MODEL}, metrics: {{auc: "auc=(.*)"}}}}\n', "SW301"),
    ],
)
@pytest.mark.parametrize("word", ["selected.model_data", "iterations[0].Score.outputs.auc", "count"])
def test_a_line_that_is_missing_is_told_once(line: str, code: str, word: str, tmp_path: Path) -> None:
    tell = f'Tell: {{{LAMBDA}, arguments: {{v: "${{steps.Fan.{word}}}"}}}}\n'
    text = f"{FAN % '[a, b]'}{WITH_MODEL % 'max_by'}{tell}"
    assert line in text
    assert [found.code for found in compile_steps(tmp_path, text.replace(line, "")).diagnostics] == [code]


def test_two_selectors_that_refer_to_one_another(tmp_path: Path) -> None:
    two = "".join(
        f"""{one}:
  kind: foreach
  items: [a]
  max_concurrency: 1
  body: {{S{one}: {{{LAMBDA}, outputs: {{n: Integer}}}}}}
  select: {{max_by: "${{steps.{other}.selected.outputs.n}}"}}
"""
        for one, other in (("A", "B"), ("B", "A"))
    )
    codes = {code for code, _ in told(result(tmp_path, two))}
    assert codes == {"SW302"}


def test_every_reference_out_of_scope_is_told_with_the_way_in(tmp_path: Path) -> None:
    rest = f'{WITH_MODEL % "max_by"}Tell: {{{LAMBDA}, arguments: {{v: "${{steps.Train.model_data}}"}}}}\n'
    (found,) = result(tmp_path, rest).diagnostics
    assert (found.code, found.help) == (
        "SW313",
        "did you mean `steps.Fan.selected.model_data` or `steps.Fan.iterations[0].Train.model_data`?",
    )


def test_a_matrix_counts_as_all_of_its_steps(tmp_path: Path) -> None:
    numbers = list(range(60))
    rest = f"M: {{{LAMBDA}, matrix: {{n: {numbers}}}, outputs: {{v: Integer}}}}\n"
    made = result(tmp_path, rest, "['${steps.M.outputs.v}']")
    assert made.diagnostics == []
    assert len(definition_of(made)["Steps"][0]["Arguments"]["IterableItems"]) == 60
    twice = result(tmp_path, rest, "['${steps.M.outputs.v}', '${steps.M.outputs.v}']")
    assert [code for code, _ in told(twice)] == ["SW206"]


def test_the_picture_shows_the_body() -> None:
    program = compiled(CASES["newtypes"]).program
    assert program is not None
    drawn = picture(program)
    assert [(group.id, group.label, group.owner) for group in drawn.groups] == [
        ("Fan/ForEachBody", "body", "Fan")
    ]
    assert next(node.group for node in drawn.nodes if node.id == "Body") == "Fan/ForEachBody"
    for draw in drawing.FORMATS.values():
        assert "Body" in draw(drawn)


def test_the_difference_of_a_body(tmp_path: Path) -> None:
    one = definition_of(result(tmp_path, f"    Next: {{{LAMBDA}}}\n"))
    other = definition_of(result(tmp_path, f"    Next: {{{LAMBDA}, arguments: {{n: 1}}}}\n", "[a, b, c]"))
    changed = {change.name: [str(field) for field in change.fields] for change in compare(one, other).steps}
    assert changed.keys() == {"Fan", "Next"}
    assert changed["Next"] == ['+ Arguments: {"n": 1}']


def test_no_key_is_ignored(tmp_path: Path) -> None:
    step = """kind: foreach
items: [a]
max_concurrency: 2
body: {S: {kind: lambda}}
select: {max_by: "${steps.S.OutputParameters}"}
"""
    nested = {"kind", "body", "body.S", "body.S.kind"}
    assert set(ignored_keys("foreach", step, tmp_path)) == nested, "the compiler handles them for every kind"
    assert untried_keys("foreach", [step]) == set()


# -- components -------------------------------------------------------------------------------------------------------

SCORING = f"""
inputs: {{region: {{type: String}}}}
steps:
  First: {{{LAMBDA}, arguments: {{r: "${{inputs.region}}"}}, outputs: {{auc: Float}}}}
  Second: {{{LAMBDA}, arguments: {{r: "${{steps.First.outputs.auc}}"}}, outputs: {{n: Integer}}}}
outputs: {{auc: "${{steps.First.outputs.auc}}", n: "${{steps.Second.outputs.n}}"}}
"""
USING = """
Fan:
  kind: foreach
  items: [eu, us]
  max_concurrency: 2
  body: {Part: {uses: part.yaml, with: {region: "${item}"}}}
  select: {max_by: "${steps.Part.outputs.auc}"}
"""


def using(folder: Path, reference: str, part: str = SCORING) -> Result:
    (folder / "part.yaml").write_text(part)
    return compile_steps(folder, f'{USING}Tell: {{{LAMBDA}, arguments: {{v: "${{{reference}}}"}}}}\n')


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("steps.Fan.iterations[1].Part.outputs.n", "IterationOutputs[1].Part-Second.OutputParameters['n']"),
        ("steps.Fan.selected.outputs.auc", "Selected.OutputParameters['auc']"),
    ],
)
def test_a_component_in_the_body(reference: str, path: str, tmp_path: Path) -> None:
    made = using(tmp_path, reference)
    assert made.diagnostics == []
    fan, tell = definition_of(made)["Steps"]
    assert [step["Name"] for step in fan["Arguments"]["ForEachBody"]] == ["Part-First", "Part-Second"]
    assert fan["Arguments"]["ForEachBody"][0]["Arguments"] == {"r": {"Get": "ForEach.CurrentItem"}}
    assert tell["Arguments"]["v"] == {"Get": f"Steps.Fan.{path}"}


def test_a_component_in_the_body_is_not_seen_from_outside(tmp_path: Path) -> None:
    assert told(using(tmp_path, "steps.Part.outputs.n")) == [("SW313", "Part")]


def test_a_component_sees_what_it_is_given_only(tmp_path: Path) -> None:
    part = SCORING.replace("${inputs.region}", "${item}")
    found = using(tmp_path, "steps.Fan.count", part).diagnostics
    assert [one.code for one in found if one.severity == "error"] == ["SW313"]


def test_what_cannot_stand_in_the_body_cannot_by_a_component_either(tmp_path: Path) -> None:
    part = SCORING.replace("steps:\n", "steps:\n  Stop: {kind: fail, message: no}\n")
    assert [code for code, _ in told(using(tmp_path, "steps.Fan.count", part))] == ["SW506"]


def test_a_foreach_in_a_component(tmp_path: Path) -> None:
    (tmp_path / "fan.yaml").write_text(f"""
inputs: {{regions: {{type: List}}}}
steps:
  Fan:
    kind: foreach
    items: ${{inputs.regions}}
    max_concurrency: 2
    body: {{Body: {{{LAMBDA}, arguments: {{r: "${{item}}"}}, outputs: {{auc: Float}}}}}}
    select: {{min_by: "${{steps.Body.outputs.auc}}"}}
outputs: {{best: "${{steps.Fan.selected.outputs.auc}}", one: "${{steps.Fan.iterations[1].Body.outputs.auc}}"}}
""")
    uses = "Use: {uses: fan.yaml, with: {regions: [a, b]}}\n"
    arguments = '{b: "${steps.Use.outputs.best}", o: "${steps.Use.outputs.one}"}'
    tell = f"Tell: {{{LAMBDA}, arguments: {arguments}}}\n"
    made = compile_steps(tmp_path, uses + tell)
    assert made.diagnostics == []
    fan, after = definition_of(made)["Steps"]
    assert fan["Arguments"]["IterableItems"] == ["a", "b"]
    assert after["Arguments"] == {
        "b": {"Get": "Steps.Use-Fan.Selected.OutputParameters['auc']"},
        "o": {"Get": "Steps.Use-Fan.IterationOutputs[1].Use-Body.OutputParameters['auc']"},
    }
    none = compile_steps(tmp_path, uses.replace("[a, b]", "[]"))
    assert [code for code, _ in told(none)] == ["SW206"]
    third = compile_steps(tmp_path, uses.replace("[a, b]", "[a]") + tell)
    assert [found.code for found in third.diagnostics] == ["SW302"]


# -- what runs --------------------------------------------------------------------------------------------------------

TESTS = """
tests:
  - name: the best region is told
    steps: {Score: {outputs: {auc: 0.5}}, Score-1: {outputs: {auc: 0.75}}}
    expect:
      status: Succeeded
      ran: [Fan, Score, Tell]
      arguments: {Tell: {best: 0.75, first: 0.5, regions: 2}, Score-0: {region: eu-west-1}}
  - name: one that fails, fails the whole
    steps: {Score: {outputs: {auc: 0.5}}, Score-0: {fails: algorithm_error}}
    expect: {status: Failed, failed: [Fan], skipped: [Tell]}
"""


def example(folder: Path) -> Path:
    """The example of the reference manual, as a project."""
    (folder / "sagewright.yaml").write_text("version: 1\nregion: us-west-2\nbucket: my-bucket\n")
    (folder / "tests.yaml").write_text(TESTS)
    text = (ROOT / "steps/examples/foreach.yaml").read_text()
    (folder / "pipeline.yaml").write_text(text)
    return folder / "pipeline.yaml"


def test_it_is_tested_without_aws(tmp_path: Path) -> None:
    example(tmp_path)
    ran = CliRunner().invoke(root, ["test", str(tmp_path / "tests.yaml")])
    assert ran.exit_code == 0, ran.output
    (tmp_path / "tests.yaml").write_text(TESTS.replace("best: 0.75", "best: 0.5"))
    wrong = CliRunner().invoke(root, ["test", str(tmp_path / "tests.yaml")])
    assert wrong.exit_code == 1, wrong.output


def test_it_is_simulated(tmp_path: Path) -> None:
    given = ["--set", "Score.outputs.auc=0.5", "--set", "Score-1.outputs.auc=0.75"]
    ran = CliRunner().invoke(root, ["simulate", str(example(tmp_path)), "--format", "json", *given])
    assert ran.exit_code == 0, ran.output
    found = json.loads(ran.stdout)
    assert found["status"] == "Succeeded"
    assert {"Fan", "Score-0", "Score-1", "Tell"} == {step["name"] for step in found["steps"]}


def test_it_is_drawn(tmp_path: Path) -> None:
    drawn = CliRunner().invoke(root, ["graph", str(example(tmp_path))])
    assert drawn.exit_code == 0, drawn.output
    assert "Score" in drawn.output and "body" in drawn.output


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("x${steps.Score.outputs.auc}", "SW408"),
        ("steps.Score.outputs.auc", "SW408"),
        ("${steps.Read.reports.r.auc}", "SW408"),
        ("${item}", "SW313"),
    ],
)
def test_a_selector_that_is_no_reference_says_so(tmp_path: Path, value: str, wanted: str) -> None:
    read = "{kind: processing, image: a/b, instance: ml.m5.large, outputs: {p: {}}, reports: {r: {output: p, file: r.json}}}"
    fan = f"""
Fan:
  kind: foreach
  items: [a, b]
  max_concurrency: 2
  select: {{max_by: "{value}"}}
  body:
    Score: {{{LAMBDA}, outputs: {{auc: Float}}}}
    Read: {read}
"""
    assert [code for code, _ in told(compile_steps(tmp_path, fan))] == [wanted]
