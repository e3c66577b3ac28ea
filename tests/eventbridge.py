"""EventBridge as tests look at it, past the proxy, and triggers for them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import boto3

from sagewright.compiler.compilation import Trigger
from tests.emulator_fixture import ACCOUNT, REGION

STARTER = f"arn:aws:iam::{ACCOUNT}:role/Starter"
NIGHTLY = Trigger(
    "nightly",
    "schedule",
    STARTER,
    "at 03:00 every day, UTC",
    schedule="cron(0 3 * * ? *)",
    parameters=(("Count", "2"),),
)
PATTERN = json.dumps({"detail": {"bucket": {"name": ["inbox"]}}, "source": ["aws.s3"]}, sort_keys=True)
FRESH = Trigger(
    "fresh",
    "s3",
    STARTER,
    "when an object is created",
    pattern=PATTERN,
    parameters=(("Key", "$.detail.object.key"),),
)


class EventBridge:
    """What there is of schedules and rules."""

    def __init__(self, url: str) -> None:
        self.scheduler: Any = boto3.client("scheduler", endpoint_url=url, region_name=REGION)
        self.events: Any = boto3.client("events", endpoint_url=url, region_name=REGION)

    def schedule(self, name: str) -> dict[str, Any]:
        return self.scheduler.get_schedule(Name=name)

    def change_schedule(self, name: str, **changes: Any) -> None:
        """As somebody does it on the console."""
        shown = self.schedule(name)
        keys = ("Description", "ScheduleExpression", "ScheduleExpressionTimezone", "State", "Target")
        request = {key: shown[key] for key in (*keys, "FlexibleTimeWindow")}
        self.scheduler.update_schedule(Name=name, **request | changes)

    def rule(self, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        return self.events.describe_rule(Name=name), self.events.list_targets_by_rule(Rule=name)["Targets"]

    def schedules(self) -> list[str]:
        return sorted(found["Name"] for found in self.scheduler.list_schedules()["Schedules"])

    def rules(self) -> list[str]:
        return sorted(found["Name"] for found in self.events.list_rules()["Rules"])

    def names(self) -> list[str]:
        return sorted(self.schedules() + self.rules())

    def state(self) -> Any:
        """Everything about every schedule and rule, but times."""
        keys = ("Name", "Description", "ScheduleExpression", "ScheduleExpressionTimezone", "State", "Target")
        schedules = [{key: self.schedule(name)[key] for key in keys} for name in self.schedules()]
        rules = [self.rule(name) for name in self.rules()]
        keys = ("Name", "Description", "EventPattern", "State")
        return schedules, [({key: rule.get(key) for key in keys}, targets) for rule, targets in rules]

    def clear(self) -> None:
        for name in self.schedules():
            self.scheduler.delete_schedule(Name=name)
        for name in self.rules():
            ids = [target["Id"] for target in self.rule(name)[1]]
            with contextlib.suppress(self.events.exceptions.ResourceNotFoundException):
                if ids:
                    self.events.remove_targets(Rule=name, Ids=ids)
                self.events.delete_rule(Name=name)
