"""What the language's schemas refuse, in words: types, and mappings of which nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kinds import compile_steps, told

SEARCH = (
    "training: {image: xgboost:1.7-1, instance: ml.m5.large}, objective: {metric: m, goal: Minimize}, "
    "ranges: {a: [1, 2]}, max_jobs: 2"
)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("early_stopping: true", "`early_stopping` takes `Off` or `Auto`, not `true`"),
        ("early_stopping: 1", "`early_stopping` takes `Off` or `Auto`, not `1`"),
        ("strategy: [Grid]", "`strategy` takes `Bayesian`, `Random`, `Grid` or `Hyperband`, not a list"),
    ],
)
def test_a_choice_of_another_type_is_told_with_the_choices(given: str, message: str, tmp_path: Path) -> None:
    (found,) = compile_steps(tmp_path, f"S: {{kind: tuning, {SEARCH}, {given}}}").diagnostics
    assert (found.code, found.message, found.help) == ("SW203", message, None)


@pytest.mark.parametrize(
    ("given", "help"),
    [
        ("distribution: {torch_distributed: null}", "`torch_distributed` is empty: write `{}`"),
        ("distribution: {}", None),
    ],
)
def test_what_is_empty_by_a_null_in_it(given: str, help: str | None, tmp_path: Path) -> None:
    result = compile_steps(
        tmp_path, f"S: {{kind: training, image: pytorch:2.5.1, instance: ml.m5.large, {given}}}"
    )
    assert [(found.code, found.help) for found in result.diagnostics] == [("SW206", help)]


@pytest.mark.parametrize(
    ("step", "at"),
    [
        ("{kind: transform, model: M, input: s3://b/i, instance: ml.m5.large}", "M"),
        ("{kind: endpoint_config, variants: {v: {model: M, instance: ml.m5.large}}}", "M"),
        ("{kind: deploy, endpoint: e, variants: {v: {model: M, instance: ml.m5.large}}}", "M"),
        ("{kind: endpoint, name: e, config: C}", "C"),
        ("{kind: transform, model: N, input: s3://b/i, instance: ml.m5.large}", None),
        ("{kind: transform, model: C, input: s3://b/i, instance: ml.m5.large}", None),
        ('{kind: transform, model: "${steps.M.name}", input: s3://b/i, instance: ml.m5.large}', None),
    ],
)
def test_a_text_that_is_also_the_name_of_a_step(step: str, at: str | None, tmp_path: Path) -> None:
    before = (
        "M: {kind: model, image: xgboost:1.7-1, model_data: s3://b/m.tar.gz}\n"
        "C: {kind: endpoint_config, variants: {v: {model: m, instance: ml.m5.large}}}\n"
    )
    result = compile_steps(tmp_path, f"{before}S: {step}")
    assert told(result) == ([("SW909", at)] if at else [])
    assert [found.help for found in result.diagnostics] == (
        [f"did you mean `${{steps.{at}.name}}`?"] if at else []
    )


@pytest.mark.parametrize(
    ("step", "code", "help"),
    [
        (
            "{kind: deploy, endpoint: e, model: m, instance: ml.m5.large, multi_model: true}",
            "SW201",
            "it belongs to a `model` step: deploy that by its name, `model: ${steps.M.name}`",
        ),
        ("{kind: condition, if: 3, then: {F: {kind: fail, message: a}}}", "SW203", None),
    ],
)
def test_help_leads_to_what_works(step: str, code: str, help: str | None, tmp_path: Path) -> None:
    (found,) = compile_steps(tmp_path, f"S: {step}").diagnostics
    assert (found.code, found.help) == (code, help)


@pytest.mark.parametrize(
    ("steps", "head", "codes"),
    [
        (
            "T: {kind: training, image: xgboost:1.7-1, instance: ml.m5.large, api: text}\n"
            'F: {kind: fail, message: "${steps.T.model_data}"}',
            "",
            ["SW203"],
        ),
        (
            "P: {kind: processing, image: sklearn:1.2-1, instance: ml.m5.large, command: [x], outputs: [a]}\n"
            "C: {kind: cleanup, steps: [{step: P, uris: [s3://b/k]}]}",
            "",
            ["SW203"],
        ),
        (
            "P: {kind: processing, image: sklearn:1.2-1, instance: ml.m5.large, command: [x], reports: {r: {uri: [a]}}}\n"
            "C: {kind: condition, if: steps.P.reports.r.a > 3, then: {F: {kind: fail, message: a}}}",
            "",
            ["SW203"],
        ),
        (
            f"M: {{kind: model, image: x.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:{'1' * 5000}, code: a.py}}",
            "",
            ["SW606", "SW202"],
        ),
        (
            "C: {kind: condition, if: parameters.M == 'all', then: {F: {kind: fail, message: a}}}",
            "parameters: {M: {type: String, default: refuse, enum: [refuse, 1024]}}\n",
            ["SW405"],
        ),
    ],
)
def test_what_refers_to_a_mistake_is_not_another(
    steps: str, head: str, codes: list[str], tmp_path: Path
) -> None:
    assert [found.code for found in compile_steps(tmp_path, steps, head).diagnostics] == codes
