"""Components: what they take and give, where their paths start, what their steps wait for, and who is told of mistakes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from sagewright.compiler import compile_file, source
from sagewright.compiler.cli import root
from sagewright.compiler.driver import Result
from tests.definitions import as_yaml, definition_of, write_project
from tests.strategies import Made, pipelines

ARN = "arn:aws:lambda:us-west-2:123456789012:function:f"
LAMBDA = f"{{kind: lambda, function: '{ARN}'"
Compile = Callable[..., Result]


@pytest.fixture
def compile_(tmp_path: Path) -> Compile:
    """Compiles the steps of a pipeline, with components beside it: name → text."""

    def run(steps: str, parameters: str = "{}", head: str = "", **components: str) -> Result:
        pipeline = write_project(tmp_path)
        for name, text in components.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        text = f"name: p\nparameters: {parameters}\n{head}\nsteps:\n{_indented(steps)}"
        pipeline.write_text(text, encoding="utf-8")
        return compile_file(pipeline)

    return run


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.strip("\n").split("\n"))


def steps_of(result: Result) -> dict[str, Any]:
    assert result.ok, [(d.code, d.message, d.span) for d in result.diagnostics]
    return {step["Name"]: step for step in definition_of(result)["Steps"]}


def said(result: Result) -> list[tuple[str, str]]:
    return [(d.code, d.message) for d in result.diagnostics]


# -- inputs -----------------------------------------------------------------------------------------------------------

ECHO = f"""
inputs: {{x: {{type: TYPE, default: null}}}}
steps:
  Echo: {LAMBDA}, arguments: {{alone: "${{inputs.x}}", text: "a-${{inputs.x}}-b"}}}}
"""


@pytest.mark.parametrize(
    ("type_", "written", "alone", "text"),
    [
        ("String", "'1.10'", "1.10", "a-1.10-b"),
        ("Integer", "3", 3, "a-3-b"),
        ("Float", "0.5", 0.5, "a-0.5-b"),
        ("Float", "2", 2, "a-2-b"),
        ("Float", "1.10", 1.1, "a-1.10-b"),
        ("Integer", "0012", 12, "a-0012-b"),
        ("Float", "1e5", 100000.0, "a-1e5-b"),
        ("Boolean", "true", True, "a-true-b"),
        ("String", "'$${x}'", "${x}", "a-${x}-b"),
        ("String", "'{{ 1 + 1 }}{{ pipeline.name }}'", "2p", "a-2p-b"),
    ],
)
def test_a_literal_stands_for_itself(
    compile_: Compile, type_: str, written: str, alone: Any, text: str
) -> None:
    result = compile_(f"U: {{uses: echo.yaml, with: {{x: {written}}}}}", echo=ECHO.replace("TYPE", type_))
    assert steps_of(result)["U-Echo"]["Arguments"] == {"alone": alone, "text": text}


def test_a_reference_means_what_it_means_for_the_caller(compile_: Compile) -> None:
    """A String that is given a number is cast, as the declaration says; another keeps its type."""
    echo = ECHO.replace("TYPE", "String")
    result = compile_('U: {uses: echo.yaml, with: {x: "${parameters.N}"}}', "{N: 3}", echo=echo)
    join = {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.N"}]}}
    assert steps_of(result)["U-Echo"]["Arguments"]["alone"] == join
    result = compile_(
        'U: {uses: echo.yaml, with: {x: "${parameters.N}"}}', "{N: 3}", echo=ECHO.replace("TYPE", "Float")
    )
    assert steps_of(result)["U-Echo"]["Arguments"] == {
        "alone": {"Get": "Parameters.N"},
        "text": {"Std:Join": {"On": "", "Values": ["a-", {"Get": "Parameters.N"}, "-b"]}},
    }


def test_joins_are_not_nested(compile_: Compile) -> None:
    result = compile_(
        'U: {uses: echo.yaml, with: {x: "s3://${parameters.B}/k"}}',
        "{B: b}",
        echo=ECHO.replace("TYPE", "String"),
    )
    values = steps_of(result)["U-Echo"]["Arguments"]["text"]["Std:Join"]["Values"]
    assert values == ["a-s3://", {"Get": "Parameters.B"}, "/k-b"]


def test_an_input_that_is_null_leaves_its_key_to_defaults(compile_: Compile) -> None:
    part = f"""
inputs: {{note: {{type: String, default: null}}, size: {{type: Integer, default: null}}}}
steps:
  Tell: {LAMBDA}, description: "${{inputs.note}}", arguments: {{note: "${{inputs.note}}"}}}}
  Prepare:
    {{kind: processing, image: a/b, command: [x], instance: {{type: ml.m5.large, count: "${{inputs.size}}"}}}}
"""
    steps = steps_of(compile_("U: {uses: part.yaml}", part=part))
    assert "Description" not in steps["U-Tell"]
    assert steps["U-Tell"]["Arguments"] == {}
    assert steps["U-Prepare"]["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1
    given_ = steps_of(compile_("U: {uses: part.yaml, with: {note: hello, size: 3}}", part=part))
    assert given_["U-Tell"]["Description"] == "hello"
    assert given_["U-Prepare"]["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 3


def test_structures_keep_the_references_in_them(compile_: Compile) -> None:
    part = f"""
inputs: {{values: List, tags: Map}}
steps:
  Do: {{kind: processing, image: a/b, instance: ml.m5.large, command: "${{inputs.values}}", tags: "${{inputs.tags}}"}}
  Count: {LAMBDA}, arguments: {{n: "{{{{ inputs.tags.n }}}}"}}}}
"""
    steps = "U: {uses: part.yaml, with: {values: [run, '${parameters.A}'], tags: {n: '7'}}}"
    made = steps_of(compile_(steps, "{A: x}", part=part))
    entry = made["U-Do"]["Arguments"]["AppSpecification"]["ContainerEntrypoint"]
    assert entry == ["run", {"Get": "Parameters.A"}]
    assert made["U-Do"]["Arguments"]["Tags"] == [{"Key": "n", "Value": "7"}]
    assert made["U-Count"]["Arguments"] == {"n": "7"}


def test_a_condition_of_literals_is_worked_out(compile_: Compile) -> None:
    part = f"""
inputs: {{deploy: {{type: Boolean, default: true}}, n: Integer}}
steps:
  Gate: {{kind: condition, if: "inputs.deploy and inputs.n > 3", then: {{Tell: {LAMBDA}}}}}}}
"""
    steps = steps_of(compile_('U: {uses: part.yaml, with: {n: "${parameters.N}"}}', "{N: 1}", part=part))
    clause = {"Type": "GreaterThan", "LeftValue": {"Get": "Parameters.N"}, "RightValue": 3}
    assert steps["U-Gate"]["Arguments"]["Conditions"] == [clause]
    result = compile_("U: {uses: part.yaml, with: {n: 1}}", part=part)
    assert said(result) == [("SW403", "the condition is always false")]


def test_defaults_that_refer_to_one_another_end(compile_: Compile) -> None:
    part = f"""
inputs: {{a: {{type: String, default: "${{inputs.b}}"}}, b: {{type: String, default: "${{inputs.a}}"}}}}
steps: {{Tell: {LAMBDA}, arguments: {{a: "${{inputs.a}}"}}}}}}
"""
    result = compile_("U: {uses: part.yaml}", part=part)
    assert ("SW307", "what the component is given refers to itself") in said(result)


# -- outputs and dependencies -----------------------------------------------------------------------------------------

CHAIN = f"""
inputs: {{x: {{type: String, default: a}}}}
steps:
  Last: {LAMBDA}, depends_on: [Gate-free], outputs: {{n: String}}}}
  Gate-free: {LAMBDA}, arguments: {{x: "${{steps.First.outputs.n}}"}}}}
  First: {LAMBDA}, arguments: {{x: "${{inputs.x}}"}}, outputs: {{n: String}}}}
  Other: {LAMBDA}}}
  Stop: {{kind: fail, message: "${{steps.Last.outputs.n}}"}}
outputs: {{n: "${{steps.Last.outputs.n}}", given: "${{inputs.x}}", word: fixed}}
"""


def test_a_dependency_reaches_the_first_steps_and_waits_for_all(compile_: Compile) -> None:
    steps = steps_of(
        compile_(
            f"""
Before: {LAMBDA}}}
U: {{uses: chain.yaml, depends_on: [{{step: Before, when: failed}}]}}
After: {LAMBDA}, depends_on: U}}
""",
            chain=CHAIN,
        )
    )
    trigger = [{"Step": "Before", "Trigger": "Failed"}]
    assert {name: step.get("DependsOn") for name, step in steps.items()} == {
        "Before": None,
        "U-Last": ["U-Gate-free"],
        "U-Gate-free": None,
        "U-First": trigger,
        "U-Other": trigger,
        "U-Stop": None,
        "After": ["U-Last", "U-Gate-free", "U-First", "U-Other"],
    }


def test_a_component_that_waits_for_another_in_a_component(compile_: Compile) -> None:
    outer = f"""
steps:
  Ready: {LAMBDA}}}
  Inner: {{uses: one.yaml, depends_on: [Ready]}}
  Free: {{uses: one.yaml}}
"""
    one = f"steps: {{One: {LAMBDA}}}}}"
    steps = steps_of(
        compile_(f"Before: {LAMBDA}}}\nU: {{uses: outer.yaml, depends_on: [Before]}}", outer=outer, one=one)
    )
    assert {name: step.get("DependsOn") for name, step in steps.items()} == {
        "Before": None,
        "U-Ready": ["Before"],
        "U-Inner-One": ["U-Ready"],
        "U-Free-One": ["Before"],
    }


def test_outputs_of_one_are_inputs_of_the_next(compile_: Compile) -> None:
    steps = steps_of(
        compile_(
            f"""
B: {{uses: chain.yaml, with: {{x: "${{steps.A.outputs.n}}"}}}}
A: {{uses: chain.yaml, with: {{x: b}}}}
Tell: {LAMBDA}, arguments: {{n: "${{steps.B.outputs.given}}", w: "<${{steps.A.outputs.word}}>"}}}}
""",
            chain=CHAIN,
        )
    )
    reference = {"Get": "Steps.A-Last.OutputParameters['n']"}
    assert steps["B-First"]["Arguments"] == {"x": reference}
    assert steps["Tell"]["Arguments"] == {"n": reference, "w": "<fixed>"}


def test_an_output_that_is_no_single_value_is_told(compile_: Compile) -> None:
    part = (
        f"inputs: {{all: List}}\nsteps: {{Tell: {LAMBDA}}}}}\noutputs: {{all: '${{inputs.all}}', odd: [1]}}\n"
    )
    tell = f"Tell: {LAMBDA}, arguments: {{a: '${{steps.U.outputs.all}}', b: '${{steps.U.outputs.odd}}'}}}}"
    result = compile_(f"U: {{uses: part.yaml, with: {{all: [a]}}}}\n{tell}", part=part)
    assert [code for code, _ in said(result)] == ["SW203", "SW406"]


def test_a_circle_through_outputs_is_told(compile_: Compile) -> None:
    result = compile_(
        """
A: {uses: chain.yaml, with: {x: "${steps.B.outputs.given}"}}
B: {uses: chain.yaml, with: {x: "${steps.A.outputs.given}"}}
""",
        chain=CHAIN,
    )
    assert {code for code, _ in said(result)} == {"SW307"}
    result = compile_('A: {uses: chain.yaml, with: {x: "${steps.A.outputs.n}"}}', chain=CHAIN)
    assert [code for code, _ in said(result)] == ["SW501"]


# -- defaults, retries, paths -----------------------------------------------------------------------------------------


def test_defaults_reach_a_components_steps_and_its_own_are_stronger(compile_: Compile) -> None:
    part = f"""
defaults: {{retry: often, kinds: {{processing: {{instance: ml.m5.xlarge}}}}}}
retry_policies: {{often: [{{errors: [throttling], max_attempts: 9}}]}}
steps:
  Do: {{kind: processing, image: a/b, command: [x]}}
  Tell: {LAMBDA}}}
"""
    head = "defaults: {tags: {team: risk}, kinds: {processing: {instance: ml.m5.large, max_runtime: 60}}}"
    steps = "U: {uses: part.yaml}\nOwn: {kind: processing, image: a/b, command: [x]}"
    made = steps_of(compile_(steps, head=head, part=part))
    inner, own = made["U-Do"], made["Own"]
    cluster = inner["Arguments"]["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceType"] == "ml.m5.xlarge"
    assert inner["Arguments"]["StoppingCondition"] == own["Arguments"]["StoppingCondition"]
    assert inner["Arguments"]["Tags"] == [{"Key": "team", "Value": "risk"}]
    assert inner["RetryPolicies"][0]["MaxAttempts"] == 9
    assert "RetryPolicies" not in own


def test_paths_start_at_the_file_that_they_are_written_in(tmp_path: Path, compile_: Compile) -> None:
    library = tmp_path / "library" / "deep"
    library.mkdir(parents=True)
    for folder in (tmp_path, library, library.parent):
        (folder / "run.py").write_text(f"print({folder.name!r})")
    step = "kind: processing, image: 'sklearn:1.2-1', instance: ml.m5.large"
    (library / "part.yaml").write_text(
        f"inputs: {{script: String, own: {{type: String, default: run.py}}}}\n"
        f"steps:\n  Own: {{{step}, code: run.py}}\n  Default: {{{step}, code: '{{{{ inputs.own }}}}'}}\n"
        f"  Given: {{{step}, code: '{{{{ inputs.script }}}}'}}\n  Alone: {{{step}, code: '${{inputs.script}}'}}\n"
        "  Up: {uses: ../up.yaml, with: {script: '${inputs.script}'}}\n"
    )
    (library.parent / "up.yaml").write_text(
        f"inputs: {{script: String}}\nsteps:\n  Own: {{{step}, code: run.py}}\n"
        f"  Given: {{{step}, code: '{{{{ inputs.script }}}}'}}\n"
    )
    result = compile_("U: {uses: library/deep/part.yaml, with: {script: run.py}}")
    steps_of(result)
    assert result.compilation is not None
    places = {u.asset.digest: u.asset.path.parent.name for u in result.compilation.uploads}
    used = {
        step["Name"]: places[re.findall(r"/code/(\w{64})/", json.dumps(step))[0]]
        for step in definition_of(result)["Steps"]
    }
    assert used == {
        "U-Own": "deep",
        "U-Default": "deep",
        "U-Given": tmp_path.name,
        "U-Alone": tmp_path.name,
        "U-Up-Own": "library",
        "U-Up-Given": tmp_path.name,
    }


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(f"steps: {{Tell: {LAMBDA}}}}}")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "part.yaml").symlink_to(tmp_path / "secret.yaml")
    pipeline = write_project(folder)
    pipeline.write_text("name: p\nsteps: {U: {uses: part.yaml}}\n")
    assert [d.code for d in compile_file(pipeline).diagnostics] == ["SW802"]
    (folder / "part.yaml").unlink()
    (folder / "part.yaml").symlink_to(folder / "part.yaml")
    assert [d.code for d in compile_file(pipeline).diagnostics] == ["SW801"]


# -- many -------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_once(compile_: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = source.read_bytes

    def counted(raw: bytes, sink: Any, name: str = "", path: Path | None = None) -> Any:
        read.append(Path(name).name)
        return whole(raw, sink, name, path)

    monkeypatch.setattr(source, "read_bytes", counted)
    steps = "\n".join(f"U{number}: {{uses: chain.yaml}}" for number in range(50))
    assert len(steps_of(compile_(steps, chain=CHAIN))) == 250
    assert read.count("chain.yaml") == 1


def test_components_that_multiply_end_soon(compile_: Compile) -> None:
    """Each uses the next ten times over: a hundred million steps, were they made."""
    files = {
        f"c{depth}": "steps:\n" + "".join(f"  S{n}: {{uses: c{depth + 1}.yaml}}\n" for n in range(10))
        for depth in range(8)
    }
    files["c8"] = f"steps: {{Tell: {LAMBDA}}}}}"
    result = compile_("U: {uses: c0.yaml}", **files)
    assert [code for code, _ in said(result) if code == "SW701"] == ["SW701"]


def test_components_that_nest_too_deep_are_told(compile_: Compile) -> None:
    files = {f"c{depth}": f"steps: {{S: {{uses: c{depth + 1}.yaml}}}}" for depth in range(40)}
    result = compile_("U: {uses: c0.yaml}", **files, c40=f"steps: {{Tell: {LAMBDA}}}}}")
    assert said(result) == [("SW701", "components use one another more than 16 deep")]


def test_names_that_meet_are_told_with_both_places(compile_: Compile) -> None:
    part = f"steps: {{B-C: {LAMBDA}}}, D: {LAMBDA}}}}}"
    other = f"steps: {{C: {LAMBDA}}}}}"
    result = compile_("A: {uses: part.yaml}\nA-B: {uses: other.yaml}", part=part, other=other)
    (found,) = result.diagnostics
    assert (found.code, found.message) == (
        "SW311",
        "the component that `A-B` uses makes a step `A-B-C`, and that name is taken",
    )
    assert found.span is not None
    assert [Path(found.span.file).name, *(Path(one.span.file).name for one in found.related)] == [
        "pipeline.yaml",
        "part.yaml",
        "other.yaml",
    ]


def test_a_mistake_inside_shows_the_steps_that_led_to_it(compile_: Compile) -> None:
    inner = "inputs: {n: Integer}\nsteps:\n  Stop: {kind: fail, mesage: no}\n"
    outer = 'inputs: {n: Integer}\nsteps:\n  In: {uses: inner.yaml, with: {n: "${inputs.n}"}}\n'
    result = compile_("A: {uses: outer.yaml, with: {n: 1}}", inner=inner, outer=outer)
    found = result.diagnostics[0]
    assert found.code == "SW201"
    assert found.span is not None
    assert Path(found.span.file).name == "inner.yaml"
    assert [(one.message, Path(one.span.file).name, one.span.line) for one in found.related] == [
        ("used here, by the step `A-In`", "outer.yaml", 3),
        ("used here, by the step `A`", "pipeline.yaml", 5),
    ]


def test_a_component_by_itself_is_no_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.yaml").write_text("inputs: {n: Intger}\nsteps: {Stop: {kind: fail}}\n")
    result = CliRunner().invoke(root, ["check", "part.yaml", "--format", "oneline"])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "part.yaml:1:1: error[SW316] `part.yaml` is a component: it is checked and compiled where a step `uses` it",
        "part.yaml:1:13: error[SW204] `Intger` is no type: there are `String`, `Integer`, `Float`, `Boolean`, "
        "`List` and `Map`",
    ]


# -- what is checked though nobody asks for it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        ('{o: "${steps.L.outputs.x}"}', []),
        ("{o: s3://b/x}", []),
        ('{o: "${steps.L.outputs.y}"}', [("SW302", "the step `U-L` has no output `y`")]),
        (
            '{o: "${parameters.P}"}',
            [("SW313", "a component does not see the pipeline's parameters: it sees its inputs")],
        ),
        (
            '{o p: "${steps.L.outputs.x}"}',
            [("SW310", "`o p` is no output's name: at most 64 letters, digits, `-` and `_`")],
        ),
        ("{o: steps.L.outputs.x}", [("SW205", "the output `o` is a text, and no reference")]),
        ('{o: "s3://b/${inputs.sub}"}', []),
    ],
)
def test_outputs_mean_something(compile_: Compile, outputs: str, wanted: list[tuple[str, str]]) -> None:
    part = f"""
inputs: {{sub: {{type: String, default: null}}}}
steps:
  L: {LAMBDA}, outputs: {{x: String}}}}
outputs: {outputs}
"""
    assert said(compile_("U: {uses: part.yaml}", part=part)) == wanted


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("{errors: [throttling], max_attempts: 2}", []),
        ("{errors: [job_internal_error], max_attempts: 2}", []),
        ("{errors: [throttling], interval: 13h, max_attempts: 2}", ["SW212"]),
        ("{errors: [throttling], max_attempts: 2, expire_after: 1h}", ["SW212"]),
        ("{errors: [throttling]}", ["SW212"]),
        ("{errors: [throttling, Step.THROTTLING], max_attempts: 1}", ["SW212"]),
        ("", ["SW206"]),
    ],
)
def test_policies_that_no_step_uses(compile_: Compile, policy: str, wanted: list[str]) -> None:
    policies = f"retry_policies: {{x: [{policy}]}}"
    part = f"{policies}\nsteps:\n  L: {LAMBDA}}}\n"
    assert [code for code, _ in said(compile_(f"L: {LAMBDA}}}", head=policies))] == wanted
    assert [code for code, _ in said(compile_("U: {uses: part.yaml}", part=part))] == wanted


def test_a_policy_asked_for_by_name_fits_the_kind(compile_: Compile) -> None:
    head = "retry_policies: {x: [{errors: [job_internal_error, throttling], max_attempts: 1}]}"
    model = "{kind: model, image: a/b, model_data: s3://b/m.tar.gz"
    asked = compile_(f"M: {model}, retry: x}}", head=head)
    assert said(asked) == [("SW212", "a step of kind `model` is not retried on `job_internal_error`")]
    inherited = steps_of(compile_(f"M: {model}}}", head=f"{head}\ndefaults: {{retry: x}}"))
    assert inherited["M"]["RetryPolicies"][0]["ExceptionType"] == ["Step.THROTTLING"]


# -- who is told, and of what -------------------------------------------------------------------------------------------


def test_a_step_that_a_loop_does_not_take_shows_who_uses_it(compile_: Compile) -> None:
    part = "steps:\n  C: {kind: fail, message: x}\n"
    fan = "F: {kind: foreach, items: [a], max_concurrency: 1, body: {U: {uses: part.yaml}}}"
    (found,) = compile_(fan, part=part).diagnostics
    assert (found.code, found.related[-1].message) == ("SW506", "used here, by the step `U`")


def test_what_stands_in_another_file_is_said_with_it(compile_: Compile) -> None:
    part = f"steps:\n  L: {LAMBDA}, outputs: {{x: String}}}}\noutputs: {{o: '${{steps.L.outputs.y}}'}}\n"
    (found,) = compile_("U: {uses: part.yaml}", part=part).diagnostics
    assert re.search(r"declared at .*part\.yaml:2:\d+", found.notes[0])


def test_a_condition_in_a_component_is_not_seen(compile_: Compile) -> None:
    stop = "then: {F: {kind: fail, message: x}}"
    part = f"steps:\n  C: {{kind: condition, if: execution.id == 'a', {stop}}}\n"
    (found,) = compile_(f"U: {{uses: part.yaml}}\nM: {LAMBDA}, depends_on: [U]}}", part=part).diagnostics
    assert found.code == "SW903" and "steps.U-C" not in (found.help or "")


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ("U: {Uses: part.yaml}", [("SW202", "did you mean `uses`?")]),
        ("U: {uses: lib/parts.yaml}", [("SW801", "did you mean `lib/part.yaml`?")]),
        ("U: {uses: empty.yaml}", [("SW203", None)]),
        ("U: {uses: '${execution.id}'}", [("SW209", None)]),
        ("U: {uses: flag.yaml}", [("SW405", "write `true`")]),
    ],
)
def test_what_helps(compile_: Compile, tmp_path: Path, steps: str, wanted: list[tuple[str, str]]) -> None:
    rest = f"steps:\n  L: {LAMBDA}}}\n"
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "part.yaml").write_text(rest)
    flag = f"inputs: {{f: {{type: Boolean, default: yes}}}}\n{rest}"
    found = compile_(steps, empty=f"inputs:\n  g:\n{rest}", flag=flag).diagnostics
    assert [one.code for one in found] == [code for code, _ in wanted]
    assert wanted[0][1] is None or found[0].help == wanted[0][1]


def test_a_shorthand_over_a_longer_default_is_told_at_the_step(compile_: Compile) -> None:
    head = "defaults: {instance: {type: ml.m5.large, volume_gb: 10}}"
    step = "S: {kind: processing, command: [x], image: a/b, instance: ml.m5.larg}"
    (found,) = compile_(step, head=head).diagnostics
    assert found.code == "SW604" and found.span is not None and found.span.line == 5


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ("C: {kind: condition, if: execution.id == 'a', then: {}}", "SW202"),
        ("C: {kind: condition, if: execution.id == 'a', then: {}, else: {}}", "SW202"),
        (
            f"A: {LAMBDA}}}\nB: {LAMBDA}, depends_on: [{{step: A, when: failed}}, {{step: A, when: stopped}}]}}",
            "SW504",
        ),
        ("S: {kind: processing, command: [x], image: a/b, instance: ml.m5.large, cache: 0}", "SW206"),
        ("S: {kind: processing, command: [x], image: a/b, instence: ml.m5.large}", "SW201"),
    ],
)
def test_what_could_never_be_meant_is_told_once(compile_: Compile, steps: str, wanted: str) -> None:
    assert [code for code, _ in said(compile_(steps))] == [wanted]


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (
            "triggers: {t: {alarm: a, role: 'arn:aws:iam::123456789012:role/R', parameters: {C: '${parameters.C}'}}}",
            "SW209",
        ),
        ("defaults: {kinds: {lambda: {kind: lambda}}}", "SW211"),
    ],
)
def test_beside_the_steps_too(compile_: Compile, head: str, wanted: str) -> None:
    use = f'L: {LAMBDA}, arguments: {{c: "${{parameters.C}}"}}}}'
    (found,) = compile_(use, parameters="{C: 1}", head=head).diagnostics
    assert (found.code, found.help) == (wanted, None)


def test_a_dependency_stands_there_once(compile_: Compile) -> None:
    made = steps_of(compile_(f"A: {LAMBDA}}}\nB: {LAMBDA}, depends_on: [A, A]}}"))
    assert made["B"]["DependsOn"] == ["A"]


# -- a law ------------------------------------------------------------------------------------------------------------

_STEP = re.compile(r"\bsteps\.(S\d+|step-\d+|Do_\d+)\b")
_PARAMETER = re.compile(r"\bparameters\.")
_TYPES = {str: "String", int: "Integer", float: "Float", bool: "Boolean"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"), script="print('run')\n").parent


def renamed(value: Any, change: Callable[[str], str]) -> Any:
    """Every text in a value changed, but for keys."""
    if isinstance(value, dict):
        return {key: renamed(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def with_prefix(steps: dict[str, Any]) -> dict[str, Any]:
    """Steps called `U-<name>`, in keys, references and `depends_on`."""
    made = {}
    for name, body in steps.items():
        body = renamed(body, lambda text: _STEP.sub(r"steps.U-\1", text))
        after = body.get("depends_on", [])
        if after:
            body["depends_on"] = [
                f"U-{one}" if isinstance(one, str) else {**one, "step": f"U-{one['step']}"} for one in after
            ]
        for key in ("then", "else"):
            if key in body:
                body[key] = with_prefix(steps[name][key])
        made[f"U-{name}"] = body
    return made


@settings(max_examples=60)
@given(made=pipelines())
def test_a_component_is_its_steps_under_other_names(project: Path, made: Made) -> None:
    tree, steps = made.tree, made.tree["steps"]
    inputs = {
        name: value["type"] if isinstance(value, dict) else _TYPES[type(value)]
        for name, value in tree["parameters"].items()
    }
    component = {"inputs": inputs, "steps": renamed(steps, lambda text: _PARAMETER.sub("inputs.", text))}
    use = {"uses": "part.yaml", "with": {name: f"${{parameters.{name}}}" for name in inputs}}
    (project / "part.yaml").write_text(as_yaml(component), encoding="utf-8")
    pipeline = project / "pipeline.yaml"
    found = []
    for written in ({"U": use}, with_prefix(steps)):
        pipeline.write_text(as_yaml({**tree, "steps": written}), encoding="utf-8")
        result = compile_file(pipeline)
        assert result.ok, [(d.code, d.message, d.span) for d in result.diagnostics]
        found.append(definition_of(result))
    assert found[0] == found[1]


def test_an_output_that_is_no_text_beside_an_input_that_is_null(project: Path) -> None:
    (project / "part.yaml").write_text(
        "inputs: {a: {type: String, default: null}}\noutputs: {o: 3}\nsteps: {F: {kind: fail, message: a}}\n"
    )
    (project / "pipeline.yaml").write_text("name: p\nsteps: {U: {uses: part.yaml}}\n")
    assert [found.code for found in compile_file(project / "pipeline.yaml").diagnostics] == ["SW203"]
