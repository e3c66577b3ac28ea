"""Triggers from a file to EventBridge, over HTTP: made, changed and taken away with their pipeline."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sagewright.compiler.compilation import Compilation, Trigger
from sagewright.compiler.plan import TRIGGERS, Refused
from sagewright.compiler.trigger_changes import resource
from tests.e2e.test_upsert import Aws, compiled, definition
from tests.emulator_fixture import ACCOUNT, REGION, Proxy
from tests.eventbridge import FRESH, NIGHTLY, PATTERN, STARTER, EventBridge
from tests.shell import Shell

ROLE = STARTER
OTHER = f"arn:aws:iam::{ACCOUNT}:role/Other"
BOTH = (NIGHTLY, FRESH)


@pytest.fixture
def aws(proxy: Proxy) -> Aws:
    return Aws(proxy)


@pytest.fixture
def bridge(proxy: Proxy) -> EventBridge:
    return EventBridge(proxy.target)


def wanted(*triggers: Trigger, text: str | None = None, **changes: Any) -> Compilation:
    return compiled(text, triggers=triggers, **changes)


def test_create(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(*BOTH))
    arn = aws.describe()["PipelineArn"]
    schedule = bridge.schedule("sagewright.abalone.nightly")
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
        "cron(0 3 * * ? *)",
        "UTC",
    )
    assert (schedule["State"], schedule["FlexibleTimeWindow"]) == ("ENABLED", {"Mode": "OFF"})
    target = schedule["Target"]
    assert (target["Arn"], target["RoleArn"]) == (arn, ROLE)
    assert target["SageMakerPipelineParameters"]["PipelineParameterList"] == [{"Name": "Count", "Value": "2"}]
    rule, targets = bridge.rule("sagewright.abalone.fresh")
    assert (json.loads(rule["EventPattern"]), rule["State"]) == (json.loads(PATTERN), "ENABLED")
    assert [(t["Arn"], t["RoleArn"]) for t in targets] == [(arn, ROLE)]
    assert targets[0]["SageMakerPipelineParameters"]["PipelineParameterList"] == [
        {"Name": "Key", "Value": "$.detail.object.key"}
    ]
    tags = bridge.events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
    assert tags == [{"Key": "sagewright:pipeline", "Value": "abalone"}]
    assert aws.tags()[TRIGGERS] == "nightly fresh"
    said = "\n".join(aws.said)
    assert "create trigger nightly: at 03:00 every day, UTC; next 20" in said
    assert "must send its events to EventBridge" in said


def test_unchanged_changes_nothing(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(*BOTH))
    before, state = len(aws.proxy.journal), bridge.state()
    assert aws.upsert(wanted(*BOTH)).action == "unchanged"
    assert not [call for call in aws.proxy.journal[before:] if call.changes_something]
    assert bridge.state() == state


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"schedule": "rate(1 day)"}, ["schedule: cron(0 3 * * ? *) → rate(1 day)"]),
        ({"timezone": "Europe/Berlin"}, ["timezone: UTC → Europe/Berlin"]),
        ({"enabled": False}, ["state: enabled → disabled"]),
        ({"role": OTHER}, [f"role: {ROLE} → {OTHER}"]),
        ({"parameters": (("Mode", "full"),)}, ["parameter Mode: none → full", "parameter Count: 2 → none"]),
    ],
)
def test_a_schedule_is_changed_field_by_field(
    aws: Aws, bridge: EventBridge, change: dict[str, Any], lines: list[str]
) -> None:
    aws.upsert(wanted(*BOTH))
    before, last = len(aws.proxy.journal), len(aws.said)
    after = wanted(replace(NIGHTLY, **change), FRESH)
    assert aws.upsert(after).action == "update"
    assert [
        c.operation for c in aws.proxy.journal[before:] if c.changes_something and "locks" not in c.key
    ] == ["UpdateSchedule"]
    assert [line.strip() for line in aws.said[last:] if line.startswith("    ")] == lines
    assert aws.upsert(after).action == "unchanged"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"pattern": json.dumps({"source": ["aws.s3"]})}, "event: "),
        ({"enabled": False}, "state: enabled → disabled"),
        ({"role": OTHER}, f"role: {ROLE} → {OTHER}"),
        ({"parameters": ()}, "parameter Key: $.detail.object.key → none"),
    ],
)
def test_a_rule_is_changed_field_by_field(
    aws: Aws, bridge: EventBridge, change: dict[str, Any], line: str
) -> None:
    aws.upsert(wanted(*BOTH))
    after = wanted(NIGHTLY, replace(FRESH, **change))
    assert aws.upsert(after).action == "update"
    assert any(told.strip().startswith(line) for told in aws.said)
    _, targets = bridge.rule("sagewright.abalone.fresh")
    assert len(targets) == 1, "the target is replaced, not doubled"
    assert aws.upsert(after).action == "unchanged"


def test_removed_and_turned_into_another_kind(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(*BOTH))
    aws.upsert(wanted(replace(FRESH, name="nightly")))
    assert bridge.names() == ["sagewright.abalone.nightly"]
    bridge.rule("sagewright.abalone.nightly")
    assert aws.tags()[TRIGGERS] == "nightly"
    aws.upsert(wanted())
    assert bridge.names() == [] and TRIGGERS not in aws.tags()
    before = len(aws.proxy.journal)
    assert aws.upsert(wanted()).action == "unchanged"
    calls = {call.operation for call in aws.proxy.journal[before:]}
    assert not calls & {"ListSchedules", "ListRules"}, "without triggers nobody asks for any"


def test_what_does_not_speak_of_triggers_leaves_them(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(*BOTH))
    state = bridge.state()
    aws.upsert(compiled(definition("2")))
    assert bridge.state() == state and aws.tags()[TRIGGERS] == "nightly fresh"


# -- whose it is ------------------------------------------------------------------------------------------------------

Meddle = Callable[[EventBridge], None]


def _disable_schedule(bridge: EventBridge) -> None:
    bridge.change_schedule("sagewright.abalone.nightly", State="DISABLED")


def _widen_window(bridge: EventBridge) -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    bridge.change_schedule("sagewright.abalone.nightly", FlexibleTimeWindow=window)


def _disable_rule(bridge: EventBridge) -> None:
    bridge.events.disable_rule(Name="sagewright.abalone.fresh")


def _change_target(bridge: EventBridge) -> None:
    _, (target,) = bridge.rule("sagewright.abalone.fresh")
    bridge.events.put_targets(Rule="sagewright.abalone.fresh", Targets=[target | {"RoleArn": OTHER}])


def _add_target(bridge: EventBridge) -> None:
    queue = {"Id": "theirs", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}
    bridge.events.put_targets(Rule="sagewright.abalone.fresh", Targets=[queue])


@pytest.mark.parametrize("meddle", [_disable_schedule, _widen_window, _disable_rule, _change_target])
def test_what_somebody_else_changed_is_not_overwritten(aws: Aws, bridge: EventBridge, meddle: Meddle) -> None:
    aws.upsert(wanted(*BOTH))
    state = bridge.state()
    meddle(bridge)
    with pytest.raises(Refused, match="somebody else has changed the trigger"):
        aws.upsert(wanted(*BOTH))
    aws.upsert(wanted(*BOTH), force=True)
    unmarked = [re.sub(r"\[sagewright [^]]*\]", "", str(told)) for told in (bridge.state(), state)]
    assert unmarked[0] == unmarked[1]
    assert aws.upsert(wanted(*BOTH)).action == "unchanged"


def test_somebody_elses_target_is_seen(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(*BOTH))
    _add_target(bridge)
    with pytest.raises(Refused, match="somebody else has changed the trigger `fresh`"):
        aws.upsert(wanted(NIGHTLY))


def test_a_change_by_hand_to_what_the_file_says_is_taken_over(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(*BOTH))
    _disable_schedule(bridge)
    disabled = wanted(replace(NIGHTLY, enabled=False), FRESH)
    assert aws.upsert(disabled).action == "update"
    assert aws.upsert(disabled).action == "unchanged"


def test_what_is_not_ours_is_not_touched(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(FRESH))
    arn = aws.describe()["PipelineArn"]
    theirs = {
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": arn, "RoleArn": OTHER},
    }
    bridge.scheduler.create_schedule(Name="sagewright.abalone.nightly", Description="mine", **theirs)
    bridge.scheduler.create_schedule(Name="sagewright.abalone.other", **theirs)
    bridge.scheduler.create_schedule(Name="sagewright.abalone-2.nightly", **theirs)
    with pytest.raises(Refused, match=r"`sagewright\.abalone\.nightly` exists already"):
        aws.upsert(wanted(*BOTH))
    assert aws.upsert(wanted(FRESH)).action == "unchanged"
    aws.upsert(wanted(*BOTH), force=True)
    assert bridge.schedule("sagewright.abalone.nightly")["ScheduleExpression"] == "cron(0 3 * * ? *)"
    aws.upsert(wanted())
    assert bridge.names() == ["sagewright.abalone-2.nightly", "sagewright.abalone.other"]


def test_what_outlived_a_pipeline_is_put_right_when_it_is_made_anew(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(*BOTH))
    aws.sagemaker.delete_pipeline(PipelineName="abalone")
    changed = wanted(replace(NIGHTLY, schedule="rate(2 days)"))
    assert aws.upsert(changed).action == "create"
    assert bridge.names() == ["sagewright.abalone.nightly"]
    assert bridge.schedule("sagewright.abalone.nightly")["ScheduleExpression"] == "rate(2 days)"
    assert aws.upsert(changed).action == "unchanged"


def test_a_new_pipeline_does_not_take_over_a_schedule_that_is_not_ours(aws: Aws, bridge: EventBridge) -> None:
    target = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "RoleArn": OTHER}
    bridge.scheduler.create_schedule(
        Name="sagewright.abalone.nightly",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    with pytest.raises(Refused, match="exists already"):
        aws.upsert(wanted(NIGHTLY))
    assert bridge.schedule("sagewright.abalone.nightly")["Target"]["Arn"] == target["Arn"]


def test_a_lost_answer_to_create_schedule_makes_no_second(
    aws: Aws, bridge: EventBridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.proxy.lose("CreateSchedule")
    aws.upsert(wanted(*BOTH))
    assert bridge.names() == ["sagewright.abalone.fresh", "sagewright.abalone.nightly"]
    assert aws.upsert(wanted(*BOTH)).action == "unchanged"


def test_a_role_that_cannot_be_passed(aws: Aws) -> None:
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:user/ci is not authorized to perform: iam:PassRole on resource: {ROLE}"
    )
    aws.proxy.refuse("CreateSchedule", 403, "AccessDeniedException", message)
    with pytest.raises(Exception, match=rf"may not iam:PassRole on {ROLE}"):
        aws.upsert(wanted(*BOTH))
    aws.proxy.rules.clear()
    aws.proxy.refuse(
        "CreateSchedule",
        400,
        "ValidationException",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    )
    with pytest.raises(Refused) as refused:
        aws.upsert(wanted(*BOTH))
    assert "scheduler.amazonaws.com" in (refused.value.hint or "")
    aws.proxy.rules.clear()
    aws.upsert(wanted(*BOTH))
    assert aws.upsert(wanted(*BOTH)).action == "unchanged"


def test_long_names_keep_apart(aws: Aws, bridge: EventBridge) -> None:
    name = "a" * 60
    aws.upsert(wanted(NIGHTLY, name=name))
    assert bridge.names() == [resource(name, "nightly")]
    assert len(resource(name, "x" * 24)) <= 64
    assert resource(f"{name}b", "x") != resource(f"{name}c", "x")


# -- what triggers use ------------------------------------------------------------------------------------------------


def parameterised(*names: str) -> str:
    data = json.loads(definition())
    data["Parameters"] = [{"Name": name, "Type": "Integer", "DefaultValue": 1} for name in names]
    return json.dumps(data)


def test_which_parameters_running_triggers_still_use(aws: Aws, bridge: EventBridge) -> None:
    aws.upsert(wanted(NIGHTLY, text=parameterised("Count", "Days")))
    arn = aws.describe()["PipelineArn"]
    given = {"PipelineParameterList": [{"Name": "Days", "Value": "7"}]}
    target = {"Arn": arn, "RoleArn": OTHER, "SageMakerPipelineParameters": given}
    once = {"ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    bridge.scheduler.create_schedule(Name="by-hand", Target=target, **once)
    bridge.scheduler.create_schedule(Name="resting", Target=target, State="DISABLED", **once)
    bridge.events.put_rule(Name="old-rule", EventPattern='{"source":["x"]}')
    bridge.events.put_targets(Rule="old-rule", Targets=[{"Id": "1", **target}])

    aws.upsert(wanted(NIGHTLY, text=parameterised("Count", "Days", "More")))
    assert not [line for line in aws.said if "warning" in line]
    aws.upsert(wanted(NIGHTLY, text=parameterised("Count", "Weeks")))
    warnings = [line.strip() for line in aws.said if "warning" in line]
    assert warnings == [
        f"warning: {who} starts this pipeline: there is no parameter `Days`; there are `Count` and `Weeks`"
        for who in ("the schedule `by-hand`", "the rule `old-rule`")
    ]


# -- as people run it -------------------------------------------------------------------------------------------------

FILE = f"""\
name: {{name}}
parameters: {{{{Count: 1, Key: none}}}}
triggers:
  nightly: {{{{schedule: "cron(0 3 * * ? *)", timezone: Europe/Berlin, parameters: {{{{Count: 2}}}}}}}}
  fresh: {{{{s3: {{{{bucket: inbox, prefix: in/}}}}, parameters: {{{{Key: $.detail.object.key}}}}, role: "{ROLE}"}}}}
  approved: {{{{model_approved: churn, enabled: false}}}}
  drift: {{{{alarm: churn-drift}}}}
steps:
  Stop: {{{{kind: fail, message: "${{{{parameters.Count}}}} ${{{{parameters.Key}}}}"}}}}
"""


@pytest.fixture
def project(shell: Shell) -> Shell:
    for name in ("one", "two"):
        (shell.root / "pipelines" / name / "pipeline.yaml").write_text(FILE.format(name=name))
    return shell


def test_from_a_file(project: Shell, proxy: Proxy, bridge: EventBridge) -> None:
    planned = project("plan", "--target", "prod")
    assert "create trigger nightly: at 03:00 every day, Europe/Berlin; next 20" in planned.out
    assert "create trigger fresh: when an object is created below s3://inbox/in/" in planned.out
    assert "create trigger approved: when a model of the group churn is approved (disabled)" in planned.out
    assert f"whoever upserts needs iam:PassRole on {ROLE}" in planned.out
    assert (
        f"{ROLE} must trust events.amazonaws.com, and needs sagemaker:StartPipelineExecution" in planned.out
    )
    project("upsert", "--target", "prod", "--yes")
    assert [name for name in bridge.names() if name.startswith("sagewright.one")] == [
        f"sagewright.one-prod.{name}" for name in ("approved", "drift", "fresh", "nightly")
    ]
    rule, _ = bridge.rule("sagewright.one-prod.approved")
    assert rule["State"] == "DISABLED"
    assert json.loads(rule["EventPattern"])["detail"] == {
        "ModelPackageGroupName": ["churn"],
        "ModelApprovalStatus": ["Approved"],
    }
    rule, _ = bridge.rule("sagewright.one-prod.drift")
    assert json.loads(rule["EventPattern"])["detail"]["state"] == {"value": ["ALARM"]}
    before = len(proxy.journal)
    assert "2 unchanged" in project("plan", "--target", "prod", "--detailed-exitcode").out
    calls = [call.operation for call in proxy.journal[before:]]
    assert (calls.count("ListSchedules"), calls.count("ListRules")) == (1, 1), "once for all pipelines"
    assert (calls.count("GetSchedule"), calls.count("ListTargetsByRule")) == (2, 6), "once a trigger"


def test_the_formats_of_a_plan_tell_of_triggers(project: Shell) -> None:
    data = project("plan", "--format", "json").json["pipelines"][0]
    assert [(t["name"], t["action"], t["kind"]) for t in data["triggers"]] == [
        ("nightly", "create", "schedule"),
        ("fresh", "create", "rule"),
        ("approved", "create", "rule"),
        ("drift", "create", "rule"),
    ]
    assert "- create trigger nightly: at 03:00 every day" in project("plan", "--format", "markdown").out


def test_a_kept_plan_is_refused_once_a_trigger_has_moved(project: Shell, bridge: EventBridge) -> None:
    project("upsert", "--yes")
    file = project.root / "pipelines" / "one" / "pipeline.yaml"
    file.write_text(file.read_text().replace("cron(0 3", "cron(0 4"))
    project("plan", "--out", "plan.json")
    bridge.scheduler.delete_schedule(Name="sagewright.one.nightly")
    assert "was changed in AWS since" in project("upsert", "--plan", "plan.json", code=1).err
    project("plan", "--out", "plan.json")
    file.write_text(file.read_text().replace("cron(0 4", "cron(0 5"))
    assert "is not what was planned" in project("upsert", "--plan", "plan.json", code=1).err
    project("plan", "--out", "plan.json")
    project("upsert", "--plan", "plan.json")
    assert bridge.schedule("sagewright.one.nightly")["ScheduleExpression"] == "cron(0 5 * * ? *)"


def test_deleted_and_pruned_with_their_pipeline(project: Shell, bridge: EventBridge) -> None:
    project("upsert", "--yes")
    ended = project("delete", "one", "--yes")
    assert "with its trigger nightly" in ended.out and "deleted trigger fresh" in ended.out
    assert {name.split(".")[1] for name in bridge.names()} == {"two"}
    file = project.root / "pipelines" / "two" / "pipeline.yaml"
    file.rename(file.with_name("kept.txt"))
    (project.root / "pipelines" / "one" / "pipeline.yaml").write_text(FILE.format(name="one"))
    project("upsert", "--prune", "--yes")
    assert {name.split(".")[1] for name in bridge.names()} == {"one"}


def test_a_rollback_leaves_triggers_as_they_are(project: Shell, bridge: EventBridge) -> None:
    project("upsert", "--yes")
    file = project.root / "pipelines" / "one" / "pipeline.yaml"
    file.write_text(file.read_text().replace("Key: none", "Key: other"))
    project("upsert", "--yes")
    state = bridge.state()
    project("rollback", "one", "--yes")
    assert bridge.state() == state
    assert "nightly" in project.tags("one")[TRIGGERS]


def test_without_the_right_to_list_it_is_said_what_is_missing(project: Shell, proxy: Proxy) -> None:
    project("upsert", "--yes")
    proxy.refuse("ListRules", 403, "AccessDeniedException", "no")
    assert "may not events:ListRules" in project("plan", code=4).err


def test_a_deletion_that_was_cut_off_is_completed(project: Shell, proxy: Proxy, bridge: EventBridge) -> None:
    project("upsert", "--yes")
    proxy.refuse("RemoveTargets", 500, "InternalException", "sorry")
    project("delete", "one", "--yes", code=4)
    assert "one" in project.names()
    proxy.rules.clear()
    project("delete", "one", "--yes")
    assert project.names() == {"two"}
    assert {name.split(".")[1] for name in bridge.names()} == {"two"}
