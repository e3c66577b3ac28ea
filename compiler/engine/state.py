"""What is known of a step while an execution runs: its record. It can be written as JSON and read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sagewright.compiler.engine.values import Unknown


class Status(StrEnum):
    """Of a step. Executing, Succeeded, Failed and Stopped are SageMaker's own words; the rest it has no record of."""

    WAITING = "Waiting"
    EXECUTING = "Executing"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"
    SKIPPED = "Skipped"
    UNKNOWN = "Unknown"

    @property
    def ended(self) -> bool:
        return self not in (Status.WAITING, Status.EXECUTING)


class Cause(StrEnum):
    """Why a step did not start, or why nobody knows."""

    BRANCH = "branch"
    """A branch that was not taken, or something downstream of it."""
    FAILURE = "failure"
    """A step that it waits for did not succeed."""
    TRIGGER = "trigger"
    """The run condition was not met."""
    ENDED = "ended"
    """A Fail step had ended the execution."""
    STOPPED = "stopped"
    SELECTION = "selection"
    """It was not selected."""
    VALUE = "value"
    """A value, and so a condition's outcome, that nobody knows."""
    AFTER_FAILURE = "after failure"
    """It does not depend on what failed: nobody knows whether SageMaker still starts it."""
    SERVICE = "service"
    """SageMaker's behaviour is not known."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `properties` is what `Steps.S.*` sees, `reports` the JSON of property files by name.

    `error` is the exception type that retry policies name (`SageMaker.CAPACITY_ERROR`), or `timeout`; None for the
    code's own failure. With `complete` false, `properties` are not all that the service would have: what is not there
    is unknown. `cached` is the ARN of the execution whose result the executor took.
    """

    status: Status
    properties: Mapping[str, Any] = field(default_factory=dict)
    reports: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    message: str = ""
    complete: bool = True
    cached: str | None = None


SUCCESS = Outcome(Status.SUCCEEDED)


@dataclass(slots=True)
class Attempt:
    """One try. Times are seconds since the epoch (or since anything: only differences count)."""

    start: float
    end: float | None = None
    error: str | None = None
    message: str = ""


@dataclass(slots=True)
class Record:
    """A step of an execution. `start` is None where it never started."""

    name: str
    type: str
    order: tuple[int, ...] = ()
    status: Status = Status.WAITING
    start: float | None = None
    end: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    arguments: Any = None
    body: Mapping[str, Any] = field(default_factory=dict)
    """The step's other members, their values filled in."""
    outcome: Outcome | None = None
    reason: str = ""
    """Why it did not start, failed, or is unknown: a clause for people."""
    cause: Cause | None = None
    triggered: bool = False
    """It ran, or waits to run, because another step failed."""
    cached: str | None = None
    """The ARN of the execution whose result was taken."""
    reused: str | None = None
    """The ARN of the reference execution of a selective run."""
    notes: list[str] = field(default_factory=list)
    due: float | None = None
    """When the next attempt starts."""
    used: dict[int, int] = field(default_factory=dict)
    """Retries by the policy's index."""
    first_failure: dict[int, float] = field(default_factory=dict)
    parent: str | None = None
    iteration: int | None = None
    item: Any = None
    key: str | None = None
    """Of the cache, where it is enabled."""

    @property
    def ran(self) -> bool | None:
        """Whether it started; None where nobody knows."""
        if self.start is not None:
            return True
        return None if self.status is Status.UNKNOWN else False

    def copy(self) -> Record:
        """A copy that shares what never changes."""
        made = dataclasses.replace(self)
        made.attempts = [dataclasses.replace(attempt) for attempt in self.attempts]
        made.notes, made.used, made.first_failure = [*self.notes], {**self.used}, {**self.first_failure}
        return made


@dataclass(frozen=True, slots=True)
class Task:
    """What an executor is asked to do: one attempt at a step. `outcome` of a Condition is what its terms give."""

    name: str
    type: str
    body: Mapping[str, Any]
    arguments: Any
    attempt: int
    parent: str | None = None
    iteration: int | None = None
    outcome: bool | Unknown | None = None


# -- as JSON ----------------------------------------------------------------------------------------------------------

_UNKNOWN = "sagewright:unknown"


def dump(record: Record) -> dict[str, Any]:
    """A record as JSON has it."""
    made = {name: getattr(record, name) for name in Record.__dataclass_fields__}
    made["attempts"] = [dataclasses.asdict(attempt) for attempt in record.attempts]
    if record.outcome is not None:
        made["outcome"] = {name: getattr(record.outcome, name) for name in Outcome.__dataclass_fields__}
    for name in ("used", "first_failure"):
        made[name] = {str(key): value for key, value in made[name].items()}
    return _plain(made)


def load(data: Mapping[str, Any]) -> Record:
    """The record that `dump` wrote."""
    made = {name: _rich(value) for name, value in data.items()}
    made["order"], made["status"] = tuple(made["order"]), Status(made["status"])
    made["cause"] = Cause(made["cause"]) if made["cause"] else None
    made["attempts"] = [Attempt(**attempt) for attempt in made["attempts"]]
    if made["outcome"] is not None:
        outcome: dict[str, Any] = dict(made["outcome"])
        outcome["status"] = Status(outcome["status"])
        made["outcome"] = Outcome(**outcome)
    for name in ("used", "first_failure"):
        made[name] = {int(key): value for key, value in made[name].items()}
    return Record(**made)


def _plain(value: Any) -> Any:
    if isinstance(value, Unknown):
        return {_UNKNOWN: value.reason}
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _rich(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {_UNKNOWN}:
            return Unknown(value[_UNKNOWN])
        return {key: _rich(item) for key, item in value.items()}
    return [_rich(item) for item in value] if isinstance(value, list) else value
