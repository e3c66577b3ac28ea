"""When a schedule starts a pipeline: AWS's `cron(...)`, `rate(...)` and `at(...)`, checked, in words, and their times.

Source: EventBridge Scheduler user guide, "Schedule types"; it also says what becomes of times that the clocks skip (they
are left out) and of those that come twice (the first counts).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

from sagewright.compiler.cron import Cron, ScheduleError, in_words, parse_cron
from sagewright.compiler.suggest import nearest

UNITS = ("minute", "hour", "day")
MAX_LENGTH, MAX_ZONE = 256, 50
"""Characters. Source: botocore's shapes ScheduleExpression and ScheduleExpressionTimezone."""
_FORM = re.compile(r"(cron|rate|at)\((.*)\)", re.DOTALL)
_KINDS = ("cron", "rate", "at")


@dataclass(frozen=True, slots=True)
class Rate:
    """Every so many minutes, hours or days; the first time as soon as the schedule is made."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"every {self.unit}" if self.count == 1 else f"every {self.count} {self.unit}s"


@dataclass(frozen=True, slots=True)
class At:
    """Once: a local time."""

    time: datetime


Schedule = Cron | Rate | At


def parse_schedule(text: str) -> Schedule:
    """Read a schedule's expression. Raises ScheduleError, with the place in `text`."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise _unknown(text)
    if len(text) > MAX_LENGTH:
        raise ScheduleError(f"{len(text)} characters: AWS takes {MAX_LENGTH}", 0, len(text))
    kind, inside, offset = found[1], found[2], found.start(2)
    if kind == "cron":
        return parse_cron(inside, offset)
    return _rate(inside, offset) if kind == "rate" else _at(inside, offset)


def _unknown(text: str) -> ScheduleError:
    word = re.match(r"\w*", text)
    near = nearest(word[0], _KINDS) if word else None
    help = None
    if near and near != word[0] and "(" in text:  # type: ignore[index]
        help = f"did you mean `{near}(...)`?"
    elif len(text.split()) in (5, 6):
        help = (
            f"`cron({text})`" if len(text.split()) == 6 else "AWS's cron has six fields: `cron(0 3 * * ? *)`"
        )
    elif re.fullmatch(r"\d+ \w+", text):
        help = f"`rate({text})`"
    return ScheduleError("a schedule is `cron(...)`, `rate(...)` or `at(...)`", 0, max(1, len(text)), help)


def _rate(inside: str, offset: int) -> Rate:
    end = offset + max(1, len(inside))
    words = re.fullmatch(r"\s*(\S+)\s+(\S+)\s*", inside)
    if words is None:
        raise ScheduleError("a rate is a number and a unit", offset, end, "for example `rate(1 day)`")
    number, unit = words[1], words[2]
    if not (number.isascii() and number.isdecimal()) or int(number) == 0:
        at = offset + words.start(1)
        raise ScheduleError(f"`{number}` is no number above 0", at, at + len(number))
    at = offset + words.start(2)
    singular = unit.removesuffix("s")
    if singular not in UNITS:
        near = nearest(singular, UNITS)
        plural = "" if number == "1" else "s"
        raise ScheduleError(
            f"`{unit}` is no unit: minutes, hours or days",
            at,
            at + len(unit),
            f"did you mean `{near}{plural}`?" if near else _weeks(int(number), singular),
        )
    if (int(number) == 1) != (unit == singular):
        right = singular if int(number) == 1 else f"{singular}s"
        raise ScheduleError(f"it is {number} {right}, not {unit}", at, at + len(unit), f"`{right}`")
    return Rate(int(number), singular)


def _weeks(count: int, unit: str) -> str | None:
    return f"`rate({7 * count} days)`" if unit == "week" else None


def _at(inside: str, offset: int) -> At:
    end = offset + max(1, len(inside))
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", inside):
            return At(datetime.fromisoformat(inside))
        problem = f"`{inside}` is not of the form yyyy-mm-ddThh:mm:ss"
    except ValueError as error:
        problem = f"`{inside}`: {error}"
    help = "the zone stands under `timezone`" if re.search(r"(Z|[+-]\d\d:?\d\d)$", inside) else None
    raise ScheduleError(problem, offset, end, help)


def zone(name: str) -> tzinfo | None:
    """A time zone; None where this machine has no data for it, though AWS may. Raises ScheduleError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
    if not known:
        return UTC if name == "UTC" else None
    near = nearest(name, known)
    raise ScheduleError(
        f"there is no time zone `{name}`",
        0,
        max(1, len(name)),
        f"did you mean `{near}`?" if near else "for example Europe/Berlin",
    )


def words(schedule: Schedule, timezone: str) -> str:
    """`at 03:00 every day, UTC`."""
    if isinstance(schedule, Cron):
        return f"{in_words(schedule)}, {timezone}"
    if isinstance(schedule, Rate):
        return f"{schedule}, from when it is deployed"
    return f"once, at {schedule.time:%Y-%m-%d %H:%M:%S}, {timezone}"


def next_times(schedule: Schedule, where: tzinfo, after: datetime, count: int = 3) -> list[datetime]:
    """The next times after an aware one, as aware local times: fewer where it ends, none for a rate."""
    return list(islice(_times(schedule, where, after), count))


def _times(schedule: Schedule, where: tzinfo, after: datetime) -> Iterator[datetime]:
    if isinstance(schedule, Rate):
        return
    if isinstance(schedule, At):
        local = schedule.time.replace(tzinfo=where)
        if local.astimezone(UTC) > after:
            yield local
        return
    # A day earlier: where clocks are set back, an earlier local time may be a later moment.
    first = (after.astimezone(where) - timedelta(days=1)).date()
    for day in schedule.dates(first):
        for hour in schedule.hours:
            for minute in schedule.minutes:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=where)
                moment = local.astimezone(UTC)
                exists = moment.astimezone(where).replace(tzinfo=None) == local.replace(tzinfo=None)
                if exists and moment > after:
                    yield local


def told(schedule: Schedule, timezone: str, after: datetime) -> str:
    """In words, and the next three times: `at 03:00 every day, UTC; next 2026-03-01 03:00, ...`."""
    said = words(schedule, timezone)
    where = zone(timezone)
    if isinstance(schedule, Rate) or where is None:
        return said
    times = next_times(schedule, where, after)
    listed = ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in times)
    return f"{said}; next {listed}" if times else f"{said}; never again"
