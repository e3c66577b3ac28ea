"""AWS's cron: six fields, read, matched with days, and said in words.

Source: EventBridge Scheduler user guide, "Schedule types", for fields, wildcards and their ranges.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sagewright.compiler.suggest import nearest

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTH_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth")


class ScheduleError(Exception):
    """What is wrong with an expression, and where in it: `start` and `end` are offsets. `help` is what to write."""

    def __init__(self, message: str, start: int, end: int, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.help = help


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the six: its name, its range, names for its values, and the wildcards beside `*`, `,`, `-`."""

    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()
    wild: str = "/"


_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day of month", 1, 31, wild="/?LW"),
    _Field("month", 1, 12, MONTHS),
    _Field("day of week", 1, 7, DAYS, wild="?L#"),
    _Field("year", 1970, 2199),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression's meaning: sets of values, ascending. Days of the week count from 1, Sunday, as AWS's do.

    Exactly one of `days` and `weekdays` is given, the other None. `last_day` is `L`, `nearest` the days of `15W` (0 is
    `LW`), `last_weekdays` those of `6L`, `nth` the day and number of `6#3`.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...] | None
    months: tuple[int, ...]
    weekdays: tuple[int, ...] | None
    years: tuple[int, ...]
    last_day: bool = False
    nearest: tuple[int, ...] = ()
    last_weekdays: tuple[int, ...] = ()
    nth: tuple[int, int] | None = None

    def matches(self, year: int, month: int, day: int) -> bool:
        """Does it run on a day of a month and year that it names?"""
        length = monthrange(year, month)[1]
        weekday = date(year, month, day).isoweekday() % 7 + 1
        if self.weekdays is None:
            return (
                day in (self.days or ())
                or (self.last_day and day == length)
                or any(day == _nearest_weekday(year, month, wanted, length) for wanted in self.nearest)
            )
        return (
            weekday in self.weekdays
            or (weekday in self.last_weekdays and day + 7 > length)
            or (self.nth is not None and self.nth == (weekday, (day - 1) // 7 + 1))
        )

    def dates(self, first: date) -> Iterator[date]:
        """The days it runs on, from `first` on, ascending."""
        for year in self.years:
            for month in self.months if year >= first.year else ():
                if (year, month) < (first.year, first.month):
                    continue
                for day in range(1, monthrange(year, month)[1] + 1):
                    if self.matches(year, month, day) and date(year, month, day) >= first:
                        yield date(year, month, day)


def _nearest_weekday(year: int, month: int, wanted: int, length: int) -> int | None:
    """The working day nearest to a day, in the same month; 0 wants the last one. None where there is no such day."""
    day = wanted or length
    if day > length:
        return None
    weekday = date(year, month, day).isoweekday()
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 7:
        return day + 1 if day < length and wanted else day - 2
    return day


# -- reading ----------------------------------------------------------------------------------------------------------


def parse_cron(text: str, offset: int = 0) -> Cron:
    """What stands within `cron(...)`. `offset` is where it begins in the whole. Raises ScheduleError."""
    found = [(m[0], offset + m.start(), offset + m.end()) for m in re.finditer(r"\S+", text)]
    if len(found) != len(_FIELDS):
        raise _wrong_count(text, len(found), offset)
    read = [_Reader(field, *at) for field, at in zip(_FIELDS, found, strict=True)]
    days, weekdays = read[2], read[4]
    if (days.text == "?") == (weekdays.text == "?"):
        both = days.text == "?"
        raise ScheduleError(
            f"exactly one of day of month and day of week is `?`, not {'both' if both else 'neither'}",
            days.start,
            weekdays.end,
            f"`{_with_one_question(found, both)}`",
        )
    values = [reader.values() for reader in read]
    made = Cron(
        values[0],
        values[1],
        None if days.text == "?" else values[2],
        values[3],
        None if weekdays.text == "?" else values[4],
        values[5],
        days.last_day,
        tuple(days.nearest),
        tuple(weekdays.last_weekdays),
        weekdays.nth,
    )
    if next(made.dates(date(1970, 1, 1)), None) is None:
        raise ScheduleError("there is no such day in any of its months", days.start, read[5].end)
    return made


def _with_one_question(found: list[tuple[str, int, int]], both: bool) -> str:
    words = [word for word, _, _ in found]
    words[2 if both or words[2] == "*" != words[4] else 4] = "*" if both else "?"
    return f"cron({' '.join(words)})"


def _wrong_count(text: str, count: int, offset: int) -> ScheduleError:
    message = (
        f"AWS's cron has six fields (minutes, hours, day of month, month, day of week, year), not {count}"
    )
    words = text.split()
    help = None
    if count == 5:
        help = f"add a year: `cron({' '.join(words)} *)`" if "?" in words else _from_unix(words)
    return ScheduleError(message, offset, offset + max(1, len(text)), help)


def _from_unix(words: list[str]) -> str:
    """A crontab's five fields as AWS's six, where that is plain."""
    minutes, hours, day, month, weekday = words
    if weekday == "*":
        weekday = "?"
    elif day == "*" and re.fullmatch(r"[0-7](-[0-6])?(,[0-7](-[0-6])?)*", weekday):
        day, weekday = "?", re.sub(r"\d", lambda m: str(int(m[0]) % 7 + 1), weekday)
    elif day == "*":
        day = "?"
    else:
        return "add a year, and `?` for one of the two days"
    return f"add a year, and `?` for one of the two days: `cron({minutes} {hours} {day} {month} {weekday} *)`"


class _Reader:
    """Reads one field: `values()` are what it names; the wildcards of the two day fields are kept beside them."""

    def __init__(self, field: _Field, text: str, start: int, end: int) -> None:
        self.field, self.text, self.start, self.end = field, text, start, end
        self.last_day = False
        self.nearest: list[int] = []
        self.last_weekdays: list[int] = []
        self.nth: tuple[int, int] | None = None

    def values(self) -> tuple[int, ...]:
        if self.text == "?" and "?" in self.field.wild:
            return ()
        found: set[int] = set()
        at = self.start
        for item in self.text.split(","):
            self._where = (at, at + max(1, len(item)))
            found.update(self._item(item))
            at += len(item) + 1
        return tuple(sorted(found))

    def _fail(self, message: str, help: str | None = None) -> ScheduleError:
        return ScheduleError(f"{self.field.name}: {message}", *self._where, help)

    def _item(self, item: str) -> range | tuple[int, ...]:
        if not item:
            raise self._fail("a value is missing")
        upper = item.upper()
        special = self._special(upper)
        if special is not None:
            return special
        base, slash, step = upper.partition("/")
        if slash and "/" not in self.field.wild:
            raise self._fail("takes no `/`", "list the days")
        if slash and not (step.isdecimal() and int(step) > 0):
            raise self._fail(f"`{step}` is no step: a number above 0")
        first, last = self._range(base, to_the_end=bool(slash))
        return range(first, last + 1, int(step) if slash else 1)

    def _range(self, text: str, *, to_the_end: bool) -> tuple[int, int]:
        if text == "*":
            return self.field.least, self.field.most
        first, dash, last = text.partition("-")
        start = self._value(first)
        if not dash:
            return start, self.field.most if to_the_end else start
        end = self._value(last)
        if end < start:
            field = self.field
            words = [f"{field.least}-{last}" if last != str(field.least) else last, f"{first}-{field.most}"]
            raise self._fail(f"`{text}` runs backwards", f"`{','.join(words)}` says it")
        return start, end

    def _value(self, text: str) -> int:
        field = self.field
        if text in field.words:
            return field.words.index(text) + field.least
        if not (text.isascii() and text.isdecimal()):
            near = nearest(text, field.words)
            wild = f"; it has no `{text}`" if text in ("?", "L", "W") else ""
            raise self._fail(
                f"`{text}` is none{wild}: {field.least} to {field.most}"
                + (f", or {field.words[0]} to {field.words[-1]}" if field.words else ""),
                f"did you mean `{near}`?" if near else None,
            )
        if not field.least <= int(text) <= field.most:
            sunday = text == "0" and field.words == DAYS
            raise self._fail(
                f"{text} is outside {field.least} to {field.most}",
                "days of the week count from 1, Sunday" if sunday else None,
            )
        return int(text)

    def _special(self, item: str) -> tuple[int, ...] | None:
        """`?`, `L`, `W` and `#`, where the field has them; None where the item is an ordinary one."""
        wild = self.field.wild
        if item == "?" and "?" in wild:
            raise self._fail("`?` stands alone")
        if "W" in wild and item.endswith("W"):
            self.nearest.append(0 if item == "LW" else self._value(item[:-1]))
        elif "W" in wild and item == "L":
            self.last_day = True
        elif "#" in wild and item == "L":
            return (self.field.most,)
        elif "#" in wild and item.endswith("L"):
            self.last_weekdays.append(self._value(item[:-1]))
        elif "#" in wild and "#" in item:
            day, _, number = item.partition("#")
            if item != self.text.upper():
                raise self._fail("`#` stands alone: one day only")
            if number not in ("1", "2", "3", "4", "5"):
                raise self._fail(f"`#{number}` is none: #1 to #5")
            self.nth = self._value(day), int(number)
        else:
            return None
        return ()


# -- in words ---------------------------------------------------------------------------------------------------------


def in_words(cron: Cron) -> str:
    """`at 03:00 every day`, `every 15 minutes from Monday to Friday`."""
    time, day = _time(cron), _day(cron)
    said = [time] if day == "every day" and "every" in time else [time, day]
    if len(cron.years) < 230:
        said.append(f"in {_series(cron.years, str)}")
    return " ".join(said)


def _time(cron: Cron) -> str:
    minutes, hours = cron.minutes, cron.hours
    if len(minutes) * len(hours) <= 4:
        return f"at {_listed([f'{hour:02}:{minute:02}' for hour in hours for minute in minutes])}"
    step = _step(minutes, 60)
    if step is not None:
        often = "every minute" if step == 1 else f"every {step} minutes"
    else:
        often = f"at minute{'s' if len(minutes) > 1 else ''} {_series(minutes, str)}"
    step = _step(hours, 24)
    if step == 1:
        return often if often.startswith("every") else f"{often} of every hour"
    if step is not None:
        return f"{often} of every {step} hours"
    return f"{often} of hour{'s' if len(hours) > 1 else ''} {_series(hours, str)}"


def _step(values: tuple[int, ...], cycle: int) -> int | None:
    """The step of values that go round evenly, from 0 on."""
    step = cycle // len(values)
    if len(values) == 1:
        return None
    return step if values == tuple(range(0, cycle, step)) and cycle % step == 0 else None


def _day(cron: Cron) -> str:
    every_month = len(cron.months) == 12
    months = "every month" if every_month else _series(cron.months, lambda m: MONTH_NAMES[m - 1])
    if cron.weekdays is None and len(cron.days or ()) == 31:
        return "every day" if every_month else f"every day of {months}"
    if cron.weekdays and not cron.last_weekdays and cron.nth is None:
        days = "every day" if len(cron.weekdays) == 7 else _weekdays(cron.weekdays)
        return days if every_month else f"{days} of {months}"
    return f"on {_listed([*_parts(cron)])} of {months}"


def _weekdays(values: tuple[int, ...]) -> str:
    said = _series(values, lambda d: DAY_NAMES[d - 1])
    return f"from {said}" if " to " in said and " and " not in said and "," not in said else f"every {said}"


def _parts(cron: Cron) -> Iterator[str]:
    if cron.days:
        yield f"day{'s' if len(cron.days) > 1 else ''} {_series(cron.days, str)}"
    if cron.last_day:
        yield "the last day"
    for day in cron.nearest:
        yield f"the working day nearest to day {day}" if day else "the last working day"
    if cron.weekdays:
        yield _weekdays(cron.weekdays)
    for weekday in cron.last_weekdays:
        yield f"the last {DAY_NAMES[weekday - 1]}"
    if cron.nth is not None:
        yield f"the {_ORDINALS[cron.nth[1]]} {DAY_NAMES[cron.nth[0] - 1]}"


def _series(values: tuple[int, ...], name: object) -> str:
    """`1, 5 and 8 to 12`: runs of three or more are told by their ends."""
    assert callable(name)
    said: list[str] = []
    index = 0
    while index < len(values):
        end = index
        while end + 1 < len(values) and values[end + 1] == values[end] + 1:
            end += 1
        run = values[index : end + 1]
        said += (
            [f"{name(run[0])} to {name(run[-1])}"] if len(run) > 2 else [str(name(value)) for value in run]
        )
        index = end + 1
    return _listed(said)


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
