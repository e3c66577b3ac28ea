"""`schedule` and `cron`: AWS's expressions read, refused at their place, in words, and their next times."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from sagewright.compiler.cli import root
from sagewright.compiler.cron import DAYS, MONTHS, ScheduleError
from sagewright.compiler.schedule import At, Rate, next_times, parse_schedule, told, words, zone

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 27, 12, 30, tzinfo=UTC)
"""A Friday; Berlin's clocks are set forward on the 29th."""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cron(0 3 * * ? *)", "at 03:00 every day"),
        ("cron(30 6,18 ? * MON-FRI *)", "at 06:30 and 18:30 from Monday to Friday"),
        ("cron(0/15 8-17 ? * MON,WED *)", "every 15 minutes of hours 8 to 17 every Monday and Wednesday"),
        ("cron(*/5 * * * ? *)", "every 5 minutes"),
        ("cron(* * * * ? *)", "every minute"),
        ("cron(5 * * * ? *)", "at minute 5 of every hour"),
        ("cron(5 */6 * * ? *)", "at 00:05, 06:05, 12:05 and 18:05 every day"),
        ("cron(0 */2 * * ? *)", "at minute 0 of every 2 hours"),
        ("cron(0 9 1 * ? *)", "at 09:00 on day 1 of every month"),
        ("cron(0 9 1,15 1-3 ? *)", "at 09:00 on days 1 and 15 of January to March"),
        ("cron(0 9 L * ? *)", "at 09:00 on the last day of every month"),
        ("cron(0 9 3W * ? *)", "at 09:00 on the working day nearest to day 3 of every month"),
        ("cron(0 9 LW * ? *)", "at 09:00 on the last working day of every month"),
        ("cron(0 9 ? * 6L *)", "at 09:00 on the last Friday of every month"),
        ("cron(0 9 ? * TUE#2 *)", "at 09:00 on the second Tuesday of every month"),
        ("cron(0 9 ? * L *)", "at 09:00 every Saturday"),
        ("cron(0 9 ? JUN * *)", "at 09:00 every day of June"),
        ("cron(0 9 * * ? 2026-2028)", "at 09:00 every day in 2026 to 2028"),
        ("cron(0 9 ? * mon 2027)", "at 09:00 every Monday in 2027"),
        ("rate(1 day)", "every day, from when it is deployed"),
        ("rate(90 minutes)", "every 90 minutes, from when it is deployed"),
        ("at(2030-01-02T03:04:05)", "once, at 2030-01-02 03:04:05"),
    ],
)
def test_in_words(text: str, said: str) -> None:
    found = words(parse_schedule(text), "UTC")
    assert found == (said if text.startswith("rate") else f"{said}, UTC")


@pytest.mark.parametrize(
    ("text", "at", "message", "help"),
    [
        ("cron(0 3 * * *)", "0 3 * * *", "six fields", "cron(0 3 * * ? *)"),
        ("cron(0 3 * * 1-5)", "0 3 * * 1-5", "not 5", "cron(0 3 ? * 2-6 *)"),
        ("cron(0 3 * * 0,7)", "0 3 * * 0,7", "not 5", "cron(0 3 ? * 1,1 *)"),
        ("cron(0 3 1 * *)", "0 3 1 * *", "not 5", "cron(0 3 1 * ? *)"),
        ("cron(0 3 1 * 1)", "0 3 1 * 1", "not 5", "add a year, and `?`"),
        ("cron(0 3 * * ?)", "0 3 * * ?", "not 5", "add a year: `cron(0 3 * * ? *)`"),
        ("cron()", ")", "not 0", None),
        ("cron(0 3 * * * *)", "* * *", "not neither", "cron(0 3 * * ? *)"),
        ("cron(0 3 5 * MON *)", "5 * MON", "not neither", "cron(0 3 5 * ? *)"),
        ("cron(0 3 * * MON *)", "* * MON", "not neither", "cron(0 3 ? * MON *)"),
        ("cron(0 3 ? * ? *)", "? * ?", "not both", "cron(0 3 * * ? *)"),
        ("cron(60 3 * * ? *)", "60", "minutes: 60 is outside 0 to 59", None),
        ("cron(0 3,24 * * ? *)", "24", "hours: 24 is outside 0 to 23", None),
        ("cron(0 3 ? * 0 *)", "0", "outside 1 to 7", "count from 1, Sunday"),
        ("cron(0 3 ? * MOM *)", "MOM", "1 to 7, or SUN to SAT", "`MON`"),
        ("cron(0 3 1 JANN ? *)", "JANN", "1 to 12, or JAN to DEC", "`JAN`"),
        ("cron(? 3 ? * 3 *)", "?", "it has no `?`", None),
        ("cron(0 3 1,? * ? *)", "?", "stands alone", None),
        ("cron(0 3 1,,2 * ? *)", ",", "a value is missing", None),
        ("cron(0/0 3 ? * 3 *)", "0/0", "no step", None),
        ("cron(0/x 3 ? * 3 *)", "0/x", "no step", None),
        ("cron(0 3 ? * 2/2 *)", "2/2", "takes no `/`", "list the days"),
        ("cron(0 22-4 ? * 2 *)", "22-4", "runs backwards", "0-4,22-23"),
        ("cron(0 3 ? * FRI-MON *)", "FRI-MON", "runs backwards", "1-MON,FRI-7"),
        ("cron(0 3 ? * 3#1,5 *)", "3#1", "one day only", None),
        ("cron(0 3 ? * 3#6 *)", "3#6", "#1 to #5", None),
        ("cron(0 3 30 2 ? *)", "30 2 ? *", "no such day", None),
        ("cron(0 3 29 2 ? 2027)", "29 2 ? 2027", "no such day", None),
        ("cron(0 3 * * ? 1969)", "1969", "outside 1970 to 2199", None),
        ("rate(1 days)", "days", "1 day, not days", "`day`"),
        ("rate(2 day)", "day", "2 days, not day", "`days`"),
        ("rate(0 days)", "0", "above 0", None),
        ("rate(-1 day)", "-1", "above 0", None),
        ("rate(2 week)", "week", "no unit", "rate(14 days)"),
        ("rate(2 minuts)", "minuts", "no unit", "`minutes`"),
        ("rate(day)", "day", "a number and a unit", "rate(1 day)"),
        ("at(2030-13-01T00:00:00)", "2030-13-01T00:00:00", "month must be", None),
        ("at(2030-01-01)", "2030-01-01", "yyyy-mm-ddThh:mm:ss", None),
        ("at(2030-01-01T00:00:00Z)", "2030-01-01T00:00:00Z", "form", "`timezone`"),
        ("0 3 * * *", "0 3 * * *", "`cron(...)`", "six fields"),
        ("0 3 * * ? *", "0 3 * * ? *", "`cron(...)`", "`cron(0 3 * * ? *)`"),
        ("5 minutes", "5 minutes", "`cron(...)`", "rate(5 minutes)"),
        ("crn(0 3 * * ? *)", "crn(0 3 * * ? *)", "`cron(...)`", "`cron(...)`?"),
        ("", "", "`cron(...)`", None),
        (f"cron({'0 ' * 200})", None, "AWS takes 256", None),
    ],
)
def test_refused_at_its_place(text: str, at: str | None, message: str, help: str | None) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse_schedule(text)
    error = refused.value
    assert at is None or text[error.start : error.end] == at
    assert message in error.message
    assert (help or "") in (error.help or "")


def test_every_suggestion_of_a_whole_cron_is_one() -> None:
    for text in ("cron(0 3 * * *)", "cron(0 3 ? * ? *)", "cron(0 3 * * 1-5)", "cron(0 3 * * * *)"):
        with pytest.raises(ScheduleError) as refused:
            parse_schedule(text)
        parse_schedule((refused.value.help or "").split("`")[-2])


def test_time_zones() -> None:
    assert zone("Europe/Berlin") == BERLIN
    with pytest.raises(ScheduleError, match="no time zone `Europe/Berln`") as refused:
        zone("Europe/Berln")
    assert refused.value.help == "did you mean `Europe/Berlin`?"
    for name in ("", "/etc/passwd", "../UTC", "x" * 300, "a\0b"):
        with pytest.raises(ScheduleError):
            zone(name)


def test_a_time_that_the_clocks_skip_is_left_out_and_one_that_comes_twice_counts_once() -> None:
    found = next_times(parse_schedule("cron(30 2 * * ? *)"), BERLIN, NOW)
    assert [f"{time:%m-%d %H:%M}" for time in found] == ["03-28 02:30", "03-30 02:30", "03-31 02:30"]
    autumn = datetime(2026, 10, 24, 12, tzinfo=UTC)
    found = next_times(parse_schedule("cron(30 2 * * ? *)"), BERLIN, autumn)
    assert [time.astimezone(UTC).isoformat() for time in found[:2]] == [
        "2026-10-25T00:30:00+00:00",
        "2026-10-26T01:30:00+00:00",
    ]


def test_what_ends() -> None:
    assert next_times(parse_schedule("cron(0 3 1 1 ? 2026)"), UTC, NOW) == []
    assert len(next_times(parse_schedule("cron(0 3 1 1 ? 2027-2028)"), UTC, NOW)) == 2
    assert next_times(Rate(1, "day"), UTC, NOW) == []
    assert next_times(At(datetime(2026, 1, 1)), UTC, NOW) == []
    assert told(At(datetime(2026, 1, 1)), "UTC", NOW).endswith("never again")
    assert told(At(datetime(2027, 1, 1)), "Europe/Berlin", NOW).endswith("next 2027-01-01 00:00")
    assert told(Rate(2, "hour"), "UTC", NOW) == "every 2 hours, from when it is deployed"


# -- against a scan, minute by minute ---------------------------------------------------------------------------------


def is_in(text: str, value: int, least: int, most: int, names: tuple[str, ...] = ()) -> bool:
    """A field of numbers and names, read as its documentation reads, in another way than the compiler's."""
    for item in text.split(","):
        base, _, step = item.partition("/")
        for number, name in enumerate(names, least):
            base = base.replace(name, str(number))
        low, _, high = ("*", "", "") if base == "*" else base.partition("-")
        first = least if low == "*" else int(low)
        last = most if low == "*" or (step and not high) else int(high or low)
        if first <= value <= last and (value - first) % int(step or 1) == 0:
            return True
    return False


def runs(text: str, at: datetime) -> bool:
    minutes, hours, day, month, weekday, year = text.removeprefix("cron(").removesuffix(")").split()
    length, today = monthrange(at.year, at.month)[1], at.isoweekday() % 7 + 1
    if not (
        is_in(minutes, at.minute, 0, 59)
        and is_in(hours, at.hour, 0, 23)
        and is_in(month, at.month, 1, 12, MONTHS)
        and is_in(year, at.year, 1970, 2199)
    ):
        return False
    if weekday == "?":
        if day == "L":
            return at.day == length
        if day.endswith("W"):
            return at.day == working_day(at, int(day[:-1]), length)
        return is_in(day, at.day, 1, 31)
    if "#" in weekday:
        wanted, number = weekday.split("#")
        return today == int(wanted) and at.day in range(7 * int(number) - 6, 7 * int(number) + 1)
    if weekday.endswith("L") and weekday != "L":
        return today == int(weekday[:-1]) and at.day > length - 7
    return today == 7 if weekday == "L" else is_in(weekday, today, 1, 7, DAYS)


def working_day(at: datetime, wanted: int, length: int) -> int | None:
    """Of the month's working days the nearest: there is a tie for none, since a weekend has two days."""
    if wanted > length:
        return None
    days = [d for d in range(1, length + 1) if at.replace(day=d).isoweekday() < 6]
    return min(days, key=lambda d: abs(d - wanted))


@st.composite
def fields(draw: Any, least: int, most: int, names: tuple[str, ...] = (), steps: bool = True) -> str:
    def item() -> str:
        low, high = sorted((draw(st.integers(least, most)), draw(st.integers(least, most))))
        spelt = (lambda n: names[n - least]) if names and draw(st.booleans()) else str
        shapes = ["*", spelt(low), f"{spelt(low)}-{spelt(high)}"]
        shape = draw(st.sampled_from(shapes))
        return f"{shape}/{draw(st.integers(1, most))}" if steps and draw(st.booleans()) else shape

    return ",".join(item() for _ in range(draw(st.integers(1, 2))))


@st.composite
def crons(draw: Any) -> str:
    day, weekday = "?", "?"
    if draw(st.booleans()):
        day = draw(st.one_of(fields(1, 31), st.just("L"), st.integers(1, 31).map(lambda n: f"{n}W")))
    else:
        weekday = draw(
            st.one_of(
                fields(1, 7, DAYS, steps=False),
                st.just("L"),
                st.integers(1, 7).map(lambda n: f"{n}L"),
                st.tuples(st.integers(1, 7), st.integers(1, 5)).map(lambda p: f"{p[0]}#{p[1]}"),
            )
        )
    minutes, hours = draw(fields(0, 59)), draw(fields(0, 23))
    month, year = draw(fields(1, 12, MONTHS)), draw(st.sampled_from(["*", "2026", "2026-2027", "2020/3"]))
    return f"cron({minutes} {hours} {day} {month} {weekday} {year})"


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
)


@settings(max_examples=60)
@given(
    crons(),
    st.sampled_from(ZONES),
    st.sampled_from(
        [datetime(2026, 3, 28), datetime(2026, 10, 23), datetime(2026, 12, 30), datetime(2028, 2, 27)]
    ),
    st.integers(0, 3 * 1440),
)
def test_the_next_times_are_those_of_a_scan(text: str, name: str, day: datetime, minutes: int) -> None:
    try:
        schedule = parse_schedule(text)
    except ScheduleError as error:
        assert "no such day" in error.message
        return
    where, start = ZoneInfo(name), day.replace(tzinfo=UTC) + timedelta(minutes=minutes)
    scanned: list[datetime] = []
    for passed in range(1, 4 * 1440):
        local = (start + timedelta(minutes=passed)).astimezone(where)
        if local.fold == 0 and runs(text, local.replace(tzinfo=None)):
            scanned.append(local)
    end = start + timedelta(minutes=4 * 1440 - 1)
    found = [time for time in next_times(schedule, where, start, 4 * 1440) if time.astimezone(UTC) <= end]
    assert [t.astimezone(UTC) for t in found] == [t.astimezone(UTC) for t in scanned]


@given(st.text("cronate()0123456789*,-/?LW# MONJAN:T", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"cron({text})", f"rate({text})", f"at({text})"):
        try:
            assert words(parse_schedule(candidate), "UTC")
        except ScheduleError as error:
            assert 0 <= error.start < error.end <= max(1, len(candidate) + 1)


def test_explain_says_a_schedule_in_words() -> None:
    ended = CliRunner().invoke(root, ["explain", "cron(0 3 ? * MON-FRI *)", "--timezone", "Europe/Berlin"])
    assert ended.exit_code == 0
    assert ended.output.startswith("at 03:00 from Monday to Friday, Europe/Berlin; next 20")
    assert ended.output.count(" 03:00") == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cron(0 3 * * *)"], "  cron(0 3 * * *)\n       ^^^^^^^^^\n  = add a year, and `?`"),
        (
            ["rate(1 day)", "--timezone", "Mars/Base"],
            "there is no time zone `Mars/Base`\n  Mars/Base\n  ^^^^^^^^^",
        ),
    ],
)
def test_explain_shows_where_a_schedule_is_wrong(arguments: list[str], said: str) -> None:
    ended = CliRunner().invoke(root, ["explain", *arguments])
    assert ended.exit_code == 2
    assert said in ended.output
