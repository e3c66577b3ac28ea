"""How a pipeline's triggers differ from what EventBridge has: wanted and live state → changes. Pure.

A trigger is one resource, `sagewright.<pipeline>.<trigger>`: an EventBridge schedule, or an EventBridge rule with one target.
What we wrote is told by its description, which holds the digest of each of its parts; any other content is somebody
else's. A rule's parts are written one after the other, so its description also holds the digest of the target before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sagewright.compiler.compilation import Trigger
from sagewright.compiler.schedule import parse_schedule, told

PREFIX = "sagewright."
"""Of the names of our schedules and rules."""
SCHEDULE_GROUP = "default"
TARGET_ID = "pipeline"
"""Of the one target that a rule of ours has."""
MAX_NAME = 28
"""Characters of a pipeline's name in a trigger's: AWS takes 64 in all."""
PARAMETER = "parameter "
_MARKS = re.compile(r"\[sagewright ([0-9a-f ]+)\]$")

Kind = Literal["schedule", "rule"]
Content = Mapping[str, str]
"""What a part says: a name for people → its value."""


@dataclass(frozen=True, slots=True)
class LiveTrigger:
    """A schedule or rule of ours, by its name, as EventBridge has it. `parts` are a schedule's one, a rule's two.

    `marks` are the digests in its description: none where we did not make it.
    """

    kind: Kind
    name: str
    parts: tuple[Content, ...]
    marks: frozenset[str] = frozenset()

    @property
    def content(self) -> Content:
        return {key: value for part in self.parts for key, value in part.items()}

    @property
    def ours(self) -> bool:
        return bool(self.marks)

    @property
    def drifted(self) -> bool:
        """Has somebody else changed it since we wrote it?"""
        return any(part and digest(part) not in self.marks for part in self.parts)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One thing about a trigger that will be different; None where it is not there."""

    what: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        return f"{self.what}: {self.before or 'none'} → {self.after or 'none'}"


@dataclass(frozen=True, slots=True)
class TriggerChange:
    """One trigger that will be made, changed or taken away. `trigger` is the wanted one, None for one that goes."""

    action: Literal["create", "update", "delete"]
    kind: Kind
    name: str
    trigger: Trigger | None = None
    live: LiveTrigger | None = None
    fields: tuple[FieldChange, ...] = ()
    conflict: str | None = None

    def lines(self, now: datetime) -> Iterator[str]:
        """In words; schedules with their next times after `now`."""
        told_about = f": {about(self.trigger, now)}" if self.trigger else ""
        yield f"{self.action} trigger {self.name}{told_about}"
        yield from (f"  {field}" for field in self.fields)
        if self.action == "create" and self.trigger and self.trigger.kind == "s3":
            yield "  the bucket must send its events to EventBridge: that is not changed here"


def kind_of(trigger: Trigger) -> Kind:
    return "schedule" if trigger.kind == "schedule" else "rule"


def about(trigger: Trigger, now: datetime) -> str:
    """What starts the pipeline, in words, and when next."""
    if trigger.schedule is None:
        said = trigger.about
    else:
        said = told(parse_schedule(trigger.schedule), trigger.timezone, now)
    return said if trigger.enabled else f"{said} (disabled)"


def slug(pipeline: str) -> str:
    """A pipeline's name as it stands in its triggers' names: a long one is cut, and told from others by a digest."""
    if len(pipeline) <= MAX_NAME:
        return pipeline
    return f"{pipeline[: MAX_NAME - 9]}-{hashlib.sha256(pipeline.encode()).hexdigest()[:8]}"


def resource(pipeline: str, trigger: str) -> str:
    """The name of a trigger's schedule or rule."""
    return f"{PREFIX}{slug(pipeline)}.{trigger}"


def wanted_parts(trigger: Trigger, arn: str) -> tuple[Content, ...]:
    """What a trigger of the pipeline `arn` shall say."""
    state = "enabled" if trigger.enabled else "disabled"
    target = {
        "pipeline": arn,
        "role": trigger.role,
        **{f"{PARAMETER}{name}": value for name, value in trigger.parameters},
    }
    if trigger.schedule is not None:
        return ({"schedule": trigger.schedule, "timezone": trigger.timezone, "state": state, **target},)
    return ({"event": trigger.pattern or "", "state": state}, target)


def digest(part: Content) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:12]


def description(pipeline: str, trigger: Trigger, parts: Sequence[Content], live: LiveTrigger | None) -> str:
    """For people, and at its end the digests of what is being written, and of the target that is there now."""
    marks = [digest(part) for part in parts]
    if live is not None and live.kind == "rule" and live.parts[1]:
        marks.append(digest(live.parts[1]))
    text = f"Starts the pipeline {slug(pipeline)} {trigger.about}."
    return f"{text[:400]} [sagewright {' '.join(dict.fromkeys(marks))}]"


def marks_of(text: str | None) -> frozenset[str]:
    """The digests in a description."""
    found = _MARKS.search(text or "")
    return frozenset(found[1].split()) if found else frozenset()


def changes(
    pipeline: str, wanted: Sequence[Trigger], live: Sequence[LiveTrigger], arn: str | None
) -> tuple[TriggerChange, ...]:
    """What has to be done so that the live triggers are the wanted ones. `arn` is the pipeline's, where it exists."""
    there = {(found.kind, found.name): found for found in live}
    made: list[TriggerChange] = []
    for trigger in wanted:
        kind = kind_of(trigger)
        found = there.pop((kind, trigger.name), None)
        if found is None:
            made.append(TriggerChange("create", kind, trigger.name, trigger))
            continue
        fields = tuple(_fields(found, wanted_parts(trigger, arn or found.content.get("pipeline", ""))))
        conflict = _conflict(pipeline, found, "overwrites that") if fields or not found.ours else None
        if fields or found.drifted:
            made.append(TriggerChange("update", kind, trigger.name, trigger, found, fields, conflict))
    for found in there.values():
        if found.ours:  # what we did not make is none of ours to take away
            conflict = _conflict(pipeline, found, "deletes it all the same")
            made.append(TriggerChange("delete", found.kind, found.name, live=found, conflict=conflict))
    return tuple(made)


def _fields(live: LiveTrigger, parts: Sequence[Content]) -> Iterator[FieldChange]:
    before, after = live.content, {key: value for part in parts for key, value in part.items()}
    for key in dict.fromkeys([*after, *before]):
        if before.get(key) != after.get(key):
            yield FieldChange(key, before.get(key), after.get(key))


def _conflict(pipeline: str, live: LiveTrigger, force: str) -> str | None:
    if not live.ours:
        name = resource(pipeline, live.name)
        return f"the {live.kind} `{name}` exists already, and was not made by sagewright; --force {force}"
    if live.drifted:
        return (
            f"somebody else has changed the trigger `{live.name}` since it was last upserted; --force {force}"
        )
    return None
