"""A pipeline's triggers in AWS: EventBridge schedules and rules, listed once for many pipelines, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Trigger
from sagewright.compiler.plan import Refused
from sagewright.compiler.trigger_changes import (
    PARAMETER,
    PREFIX,
    SCHEDULE_GROUP,
    TARGET_ID,
    LiveTrigger,
    TriggerChange,
    changes,
    description,
    marks_of,
    resource,
    slug,
    wanted_parts,
)

OWNER = "sagewright:pipeline"
"""The tag of a rule of ours: its pipeline. Schedules cannot be tagged."""
GONE = "ResourceNotFoundException"
EXISTS = "ConflictException"
_RETRIES = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
"""What EventBridge shows where nobody set anything. Source: botocore's shape RetryPolicy."""
_STATES = {"ENABLED": "enabled", "DISABLED": "disabled"}


@dataclass(slots=True)
class Listing:
    """The schedules and rules whose names begin alike: their summaries by name."""

    schedules: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: dict[str, Mapping[str, Any]] = field(default_factory=dict)


def list_triggers(clients: Clients, pipeline: str | None = None) -> Listing:
    """What is ours by its name: of one pipeline, or of all. Two calls, where a page is enough. Raises AwsError."""
    prefix = PREFIX if pipeline is None else f"{PREFIX}{slug(pipeline)}."
    schedules = clients.pages(
        "scheduler",
        "list_schedules",
        "Schedules",
        GroupName=SCHEDULE_GROUP,
        NamePrefix=prefix,
        MaxResults=100,
    )
    rules = clients.pages("events", "list_rules", "Rules", NamePrefix=prefix, Limit=100)
    return Listing({found["Name"]: found for found in schedules}, {found["Name"]: found for found in rules})


def read(pipeline: str, listing: Listing, clients: Clients) -> tuple[LiveTrigger, ...]:
    """A pipeline's triggers, whole: a call for each. Raises AwsError."""
    prefix = f"{PREFIX}{slug(pipeline)}."
    found = [
        _schedule(name, prefix, clients) for name in sorted(listing.schedules) if name.startswith(prefix)
    ]
    found += [
        _rule(listing.rules[name], prefix, clients)
        for name in sorted(listing.rules)
        if name.startswith(prefix)
    ]
    return tuple(trigger for trigger in found if trigger is not None)


def _schedule(name: str, prefix: str, clients: Clients) -> LiveTrigger | None:
    shown = _unless_gone(clients, "scheduler", "get_schedule", Name=name, GroupName=SCHEDULE_GROUP)
    if shown is None:
        return None
    part = _said(
        {"schedule": shown["ScheduleExpression"], "timezone": shown.get("ScheduleExpressionTimezone")}
    )
    part["state"] = _STATES.get(shown.get("State", ""), "enabled")
    part |= _target(shown["Target"])
    part |= _others(shown, ("StartDate", "EndDate", "KmsKeyArn"))
    if shown.get("FlexibleTimeWindow", {}).get("Mode", "OFF") != "OFF":
        part["window"] = json.dumps(shown["FlexibleTimeWindow"], sort_keys=True)
    return LiveTrigger("schedule", name.removeprefix(prefix), (part,), marks_of(shown.get("Description")))


def _rule(rule: Mapping[str, Any], prefix: str, clients: Clients) -> LiveTrigger | None:
    targets = _targets(rule["Name"], clients)
    if targets is None:
        return None
    state = str(rule["State"])
    part = {"event": _canonical(rule.get("EventPattern", "")), "state": _STATES.get(state, state)}
    part |= _others(rule, ("ScheduleExpression",))
    target: dict[str, str] = {}
    for found in targets:
        if found["Id"] == TARGET_ID:
            target |= _target(found)
        else:
            target[f"target {found['Id']}"] = found["Arn"]
    return LiveTrigger(
        "rule", rule["Name"].removeprefix(prefix), (part, target), marks_of(rule.get("Description"))
    )


def _targets(rule: str, clients: Clients) -> list[dict[str, Any]] | None:
    """A rule's targets; None where there is no such rule."""
    try:
        return list(clients.pages("events", "list_targets_by_rule", "Targets", Rule=rule))
    except AwsError as error:
        if error.code == GONE:
            return None
        raise


def _target(target: Mapping[str, Any]) -> dict[str, str]:
    """What a schedule's or a rule's target says; what nobody sets is left out."""
    made = _said({"pipeline": target.get("Arn"), "role": target.get("RoleArn")})
    made |= {f"{PARAMETER}{name}": value for name, value in given(target).items()}
    own = ("Arn", "RoleArn", "Id", "SageMakerPipelineParameters")
    rest = {key: value for key, value in target.items() if key not in own and value != _RETRIES}
    return made | _others(rest, rest)


def given(target: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that a target starts its pipeline with."""
    found = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or ()
    return {item["Name"]: item["Value"] for item in found}


def _said(values: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _others(shown: Mapping[str, Any], keys: Iterable[str]) -> dict[str, str]:
    """Members that we never set, under AWS's names."""
    return {key: json.dumps(shown[key], sort_keys=True, default=str) for key in keys if shown.get(key)}


def _canonical(pattern: str) -> str:
    try:
        return json.dumps(json.loads(pattern), sort_keys=True)
    except ValueError:
        return pattern


def _unless_gone(clients: Clients, service: str, operation: str, **parameters: Any) -> dict[str, Any] | None:
    """An operation's answer; None where what it is about is not there."""
    try:
        return clients.call(service, operation, **parameters)
    except AwsError as error:
        if error.code == GONE:
            return None
        raise


# -- who else starts a pipeline ---------------------------------------------------------------------------------------


def running(
    arn: str, schedules: Iterable[Mapping[str, Any]], clients: Clients
) -> Iterator[tuple[str, dict[str, str]]]:
    """Everybody's enabled schedules and rules that start a pipeline, with what they give it. Raises AwsError.

    `schedules` are the summaries of all there are. A rule counts as enabled: to ask would be one more call for each.
    """
    for summary in schedules:
        if summary.get("Target", {}).get("Arn") != arn or summary.get("State") == "DISABLED":
            continue
        group = summary.get("GroupName", SCHEDULE_GROUP)
        shown = _unless_gone(clients, "scheduler", "get_schedule", Name=summary["Name"], GroupName=group)
        if shown is not None:
            yield f"the schedule `{summary['Name']}`", given(shown["Target"])
    token: str | None = None
    while True:
        page = clients.call("events", "list_rule_names_by_target", TargetArn=arn, NextToken=token)
        for name in page.get("RuleNames", ()):
            for target in _targets(name, clients) or ():
                if target["Arn"] == arn:
                    yield f"the rule `{name}`", given(target)
        token = page.get("NextToken")
        if not token:
            return


# -- writing ----------------------------------------------------------------------------------------------------------


def carry_out(change: TriggerChange, pipeline: str, arn: str, clients: Clients) -> None:
    """Make, change or take away one trigger: interrupted, it can be repeated. Raises Refused, AwsError."""
    name = resource(pipeline, change.name)
    if change.trigger is None:
        remove(change.kind, name, clients)
        return
    parts = wanted_parts(change.trigger, arn)
    text = description(pipeline, change.trigger, parts, change.live)
    try:
        if change.kind == "schedule":
            _put_schedule(name, change.trigger, arn, text, change.live is None, clients)
        else:
            _put_rule(name, change.trigger, arn, text, pipeline if change.live is None else None, clients)
    except AwsError as error:
        if "assume" in error.message:
            raise Refused(
                f"the trigger `{change.name}`: {error.message}",
                "let the role trust scheduler.amazonaws.com and events.amazonaws.com",
            ) from None
        raise


def _put_schedule(name: str, trigger: Trigger, arn: str, text: str, new: bool, clients: Clients) -> None:
    """One that is there after all was made by an attempt whose answer was lost, or is none of ours."""
    request = {
        "Name": name,
        "GroupName": SCHEDULE_GROUP,
        "Description": text,
        "ScheduleExpression": trigger.schedule,
        "ScheduleExpressionTimezone": trigger.timezone,
        "State": "ENABLED" if trigger.enabled else "DISABLED",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": _request_target(trigger, arn),
    }
    if new:
        try:
            clients.call("scheduler", "create_schedule", **request)
            return
        except AwsError as error:
            if error.code != EXISTS:
                raise
        shown = clients.call("scheduler", "get_schedule", Name=name, GroupName=SCHEDULE_GROUP)
        if not marks_of(shown.get("Description")):
            raise Refused(
                f"the schedule `{name}` exists already, and was not made by sagewright", "run upsert again"
            )
    clients.call("scheduler", "update_schedule", **request)


def _put_rule(
    name: str, trigger: Trigger, arn: str, text: str, new_for: str | None, clients: Clients
) -> None:
    """First the rule, whose description tells of both targets, then the target. `new_for` is a new one's pipeline."""
    clients.call(
        "events",
        "put_rule",
        Name=name,
        EventPattern=trigger.pattern,
        State="ENABLED" if trigger.enabled else "DISABLED",
        Description=text,
        Tags=[{"Key": OWNER, "Value": new_for}] if new_for else None,
    )
    target = {"Id": TARGET_ID, **_request_target(trigger, arn)}
    answer = clients.call("events", "put_targets", Rule=name, Targets=[target])
    for failed in answer.get("FailedEntries", ()):
        raise AwsError(f"the rule `{name}`: {failed.get('ErrorMessage')}", str(failed.get("ErrorCode")))


def _request_target(trigger: Trigger, arn: str) -> dict[str, Any]:
    listed = [{"Name": name, "Value": value} for name, value in trigger.parameters]
    parameters = {"SageMakerPipelineParameters": {"PipelineParameterList": listed}} if listed else {}
    return {"Arn": arn, "RoleArn": trigger.role, **parameters}


def remove(kind: str, name: str, clients: Clients) -> None:
    """Take a schedule or a rule with its targets away; one that is gone already is no mistake. Raises AwsError."""
    if kind == "schedule":
        _unless_gone(clients, "scheduler", "delete_schedule", Name=name, GroupName=SCHEDULE_GROUP)
        return
    targets = [target["Id"] for target in _targets(name, clients) or ()]
    if targets:
        _unless_gone(clients, "events", "remove_targets", Rule=name, Ids=targets)
    _unless_gone(clients, "events", "delete_rule", Name=name)


def left_over(
    pipeline: str, wanted: Iterable[Trigger], arn: str, clients: Clients
) -> tuple[TriggerChange, ...]:
    """What has to be done for a pipeline that is new, and whose triggers may have outlived the one before."""
    live = read(pipeline, list_triggers(clients, pipeline), clients)
    return changes(pipeline, tuple(wanted), live, arn)
