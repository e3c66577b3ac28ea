"""`triggers`: from a file to what starts the pipeline, and from that to what has to change. Without AWS."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sagewright.compiler.compilation import Trigger
from sagewright.compiler.driver import compile_file
from sagewright.compiler.images import in_region, is_sagemakers
from sagewright.compiler.permissions import of_triggers
from sagewright.compiler.trigger_changes import (
    LiveTrigger,
    changes,
    description,
    digest,
    marks_of,
    resource,
    wanted_parts,
)

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
ARN = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/churn"
NIGHTLY = Trigger("nightly", "schedule", ROLE, "at 03:00 every day, UTC", schedule="cron(0 3 * * ? *)")
FRESH = Trigger("fresh", "s3", ROLE, "when an object is created", pattern="{}")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def compiled(tmp_path: Path, triggers: str, **options: str) -> tuple[Trigger, ...]:
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        f"""\
name: churn
parameters: {{Count: 1, Rate: 0.5, Name: x, Flag: true}}
triggers: {triggers}
steps:
  Stop: {{kind: fail, message: "${{parameters.Count}} ${{parameters.Rate}} ${{parameters.Name}} ${{parameters.Flag}}"}}
"""
    )
    result = compile_file(file, region="us-west-2", **options)
    assert result.compilation is not None, result.diagnostics
    assert result.compilation.triggers is not None
    return result.compilation.triggers


def test_a_schedule_with_the_pipelines_role(tmp_path: Path) -> None:
    (found,) = compiled(tmp_path, '{nightly: {schedule: "cron(0 3 * * ? *)"}}', role=ROLE)
    assert found == NIGHTLY


def test_values_are_texts_as_they_are_written(tmp_path: Path) -> None:
    given = "{Rate: 1.10, Name: 0012345, Flag: false, Count: 3}"
    (found,) = compiled(tmp_path, f"{{t: {{schedule: rate(1 day), parameters: {given}}}}}", role=ROLE)
    assert dict(found.parameters) == {"Rate": "1.10", "Name": "0012345", "Flag": "false", "Count": "3"}


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        (
            "s3: {bucket: inbox, prefix: in/}",
            {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": ["inbox"]}, "object": {"key": [{"prefix": "in/"}]}},
            },
        ),
        (
            "s3: {bucket: inbox}",
            {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": ["inbox"]}},
            },
        ),
        (
            "model_approved: churn",
            {
                "source": ["aws.sagemaker"],
                "detail-type": ["SageMaker Model Package State Change"],
                "detail": {"ModelPackageGroupName": ["churn"], "ModelApprovalStatus": ["Approved"]},
            },
        ),
        (
            "alarm: drift",
            {
                "source": ["aws.cloudwatch"],
                "detail-type": ["CloudWatch Alarm State Change"],
                "detail": {"alarmName": ["drift"], "state": {"value": ["ALARM"]}},
            },
        ),
    ],
)
def test_events(tmp_path: Path, source: str, pattern: object) -> None:
    (found,) = compiled(tmp_path, f"{{t: {{{source}, enabled: false}}}}", role=ROLE)
    assert json.loads(found.pattern or "") == pattern
    assert not found.enabled


def test_a_trigger_without_any_role_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(
        "name: p\ntriggers: {t: {schedule: rate(1 day)}}\nsteps: {S: {kind: fail, message: no}}\n"
    )
    found = compile_file(tmp_path / "pipeline.yaml", region="us-west-2").diagnostics
    assert [(d.code, d.message) for d in found] == [
        ("SW805", "the trigger `t` has no role that may start the pipeline")
    ]


# -- what has to change -----------------------------------------------------------------------------------------------


def live(trigger: Trigger, *, marked: bool = True) -> LiveTrigger:
    """A trigger as upsert leaves it."""
    parts = wanted_parts(trigger, ARN)
    marks = marks_of(description("churn", trigger, parts, None)) if marked else frozenset[str]()
    return LiveTrigger("schedule" if trigger.schedule else "rule", trigger.name, parts, marks)


@pytest.mark.parametrize("trigger", [NIGHTLY, FRESH])
def test_what_was_just_written_is_unchanged(trigger: Trigger) -> None:
    assert changes("churn", [trigger], [live(trigger)], ARN) == ()
    assert not live(trigger).drifted


def test_create_update_delete() -> None:
    there = [live(NIGHTLY), live(replace(FRESH, name="old"))]
    found = changes("churn", [replace(NIGHTLY, schedule="rate(1 day)"), FRESH], there, ARN)
    assert [(c.action, c.kind, c.name, c.conflict) for c in found] == [
        ("update", "schedule", "nightly", None),
        ("create", "rule", "fresh", None),
        ("delete", "rule", "old", None),
    ]
    assert [line for change in found for line in change.lines(NOW)] == [
        "update trigger nightly: every day, from when it is deployed",
        "  schedule: cron(0 3 * * ? *) → rate(1 day)",
        "create trigger fresh: when an object is created",
        "  the bucket must send its events to EventBridge: that is not changed here",
        "delete trigger old",
    ]


def test_half_an_update_of_a_rule_is_ours() -> None:
    before, after = live(FRESH), replace(FRESH, pattern='{"a": 1}', parameters=(("Count", "1"),))
    parts = wanted_parts(after, ARN)
    marks = marks_of(description("churn", after, parts, before))
    half = LiveTrigger("rule", "fresh", (parts[0], before.parts[1]), marks)
    (change,) = changes("churn", [after], [half], ARN)
    assert (change.action, change.conflict) == ("update", None)
    assert [str(field) for field in change.fields] == ["parameter Count: none → 1"]
    without = LiveTrigger("rule", "fresh", (parts[0], {}), marks)
    assert [c.conflict for c in changes("churn", [after], [without], ARN)] == [None]
    theirs = LiveTrigger("rule", "fresh", (parts[0], {**before.parts[1], "role": "other"}), marks)
    assert "somebody else has changed" in (changes("churn", [after], [theirs], ARN)[0].conflict or "")


def test_what_is_not_marked_is_not_ours() -> None:
    there = [live(NIGHTLY, marked=False)]
    (change,) = changes("churn", [replace(NIGHTLY, schedule="rate(1 day)")], there, ARN)
    assert "was not made by sagewright" in (change.conflict or "")
    assert changes("churn", [], there, ARN) == ()


def test_a_description_has_room_for_its_marks() -> None:
    text = description("p" * 256, replace(FRESH, about="x" * 2_000), wanted_parts(FRESH, ARN), live(FRESH))
    assert len(text) <= 512
    assert marks_of(text) == {digest(part) for part in wanted_parts(FRESH, ARN)}
    assert marks_of("[sagewright nothing]") == marks_of(None) == frozenset()


def test_names_fit_and_keep_apart() -> None:
    assert resource("churn-prod", "nightly") == "sagewright.churn-prod.nightly"
    names = {resource(f"{'a' * 60}{end}", "x" * 24) for end in ("", "b", "c")}
    assert len(names) == 3 and all(len(name) <= 64 for name in names)


def test_what_roles_need() -> None:
    assert list(of_triggers([NIGHTLY, FRESH])) == [
        f"whoever upserts needs iam:PassRole on {ROLE}",
        f"{ROLE} must trust scheduler.amazonaws.com and events.amazonaws.com, and needs "
        "sagemaker:StartPipelineExecution",
    ]


@pytest.mark.parametrize(
    ("image", "there"),
    [
        (
            "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1",
            "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        ),
        (
            "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-inference@sha256:ab",
            "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference@sha256:ab",
        ),
        ("123456789012.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1", None),
        ("public.ecr.aws/acme/xgboost:1", None),
    ],
)
def test_an_image_of_sagemakers_in_another_region(image: str, there: str | None) -> None:
    assert in_region(image, "eu-west-1") == there
    assert is_sagemakers(image) == (there is not None)
    assert in_region(image, "nowhere-1") is None
