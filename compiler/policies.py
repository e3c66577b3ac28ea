"""`retry:`, `cache:` and `depends_on:` → typed values, within SageMaker's limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sagewright.compiler.diagnostics import Related, Sink
from sagewright.compiler.kind import StepKind, seconds
from sagewright.compiler.model import Cache, Dependency, RetryPolicy
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin, own_origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed
from sagewright.compiler.validate import is_reference

ERRORS = {
    "service_fault": "Step.SERVICE_FAULT",
    "throttling": "Step.THROTTLING",
    "job_internal_error": "SageMaker.JOB_INTERNAL_ERROR",
    "capacity_error": "SageMaker.CAPACITY_ERROR",
    "resource_limit": "SageMaker.RESOURCE_LIMIT",
}
MAX_INTERVAL = 43_200
"""Seconds. Source: SageMaker developer guide, "Retry policy for pipeline steps"."""
MAX_EXPIRY = 14_400
"""Minutes. Source: as above."""
_WHEN = {"completed": "Completed", "failed": "Failed", "stopped": "Stopped", "any": "Any"}
_ISO_DURATION = re.compile(r"(?=.*\d)P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?", re.I)


def parse_retry(
    body: Map, kind: StepKind, named: Map, sink: Sink, *, inherited: bool
) -> tuple[RetryPolicy, ...]:
    """The policies of a step. Errors that the kind does not have are left out where the policy is a default, and are
    mistakes where the step asks for them itself."""
    written = body.get("retry")
    if written is None or written is False or isinstance(written, Failed) or not kind.retryable:
        return ()
    at = origin(body, "retry")
    if written is True:
        sink.report(
            "SW204",
            "`retry` takes a policy's name, a list of policies, or false",
            at,
            help="`standard` is built in",
        )
        return ()
    policies: Any = written
    if isinstance(written, str):
        if written == "standard" and "standard" not in named:
            return _standard(kind.retryable)
        if written not in named:
            near = nearest(written, [*named, "standard"])
            help = f"did you mean `{near}`?" if near else None
            notes = [f"there {'are' if named else 'is only'} {listing([*named, 'standard'])}"]
            sink.report("SW308", f"unknown retry policy `{written}`", at, help=help, notes=notes)
            return ()
        policies = named[written]
    if not isinstance(policies, Seq):
        return ()
    name = written if isinstance(written, str) else ""
    asked = None if inherited else _Asked(kind, at, name)
    return tuple(_policies(policies, kind.retryable, sink, asked))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A step that asks for policies itself: where, and by what name, if that is how it does."""

    kind: StepKind
    at: Origin | None
    name: str


def check_named(named: Map, sink: Sink) -> None:
    """What is wrong with policies whether a step uses them or not."""
    for policies in named.values():
        if isinstance(policies, Seq):
            list(_policies(policies, tuple(ERRORS.values()), sink, None))


@cache
def _standard(retryable: tuple[str, ...]) -> tuple[RetryPolicy, ...]:
    """Service faults and throttling 5 times; where the kind runs jobs, lack of capacity and internal errors 3 times."""
    job = tuple(e for e in ("SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR") if e in retryable)
    found = [RetryPolicy(("Step.SERVICE_FAULT", "Step.THROTTLING"), max_attempts=5)]
    if job:
        found.append(RetryPolicy(job, max_attempts=3))
    return tuple(found)


def _policies(
    written: Seq, retryable: tuple[str, ...], sink: Sink, asked: _Asked | None
) -> Iterator[RetryPolicy]:
    seen: set[str] = set()
    for entry in written:
        if not isinstance(entry, Map) or not isinstance(entry.get("errors"), Seq):
            continue
        errors = tuple(_errors(entry["errors"], retryable, sink, asked, seen))
        timing = _timing(entry, sink)
        if errors and timing is not None:
            yield RetryPolicy(errors, *timing)


def _errors(
    written: Seq, retryable: tuple[str, ...], sink: Sink, asked: _Asked | None, seen: set[str]
) -> Iterator[str]:
    for position, word in enumerate(written):
        if not isinstance(word, str):
            continue
        error = ERRORS.get(word, word)
        if error not in ERRORS.values():
            continue  # the schema has told
        at = origin(written, position)
        if error in seen:
            sink.report("SW212", f"`{word}` stands in two retry policies of the step", at)
            continue
        seen.add(error)
        if error in retryable:
            yield error
        elif asked is not None:
            _report_inapplicable(word, at, asked, sink)


def _report_inapplicable(word: str, at: Origin | None, asked: _Asked, sink: Sink) -> None:
    has = listing([short for short, long in ERRORS.items() if long in asked.kind.retryable])
    message = f"a step of kind `{asked.kind.name}` is not retried on `{word}`"
    related: list[Related] = []
    if asked.name and at is not None:
        related, at = [Related(f"of the policy `{asked.name}`", at.span())], asked.at
    sink.report("SW212", message, at, notes=[f"it is on {has}"], related=related)


def _timing(entry: Map, sink: Sink) -> tuple[int, float, int | None, int | None] | None:
    """Interval (s), backoff, attempts and expiry (min); None (reported) where they are not usable."""
    interval, expiry = _seconds(entry.get("interval", 1)), _seconds(entry.get("expire_after"))
    backoff, attempts = entry.get("backoff", 2.0), entry.get("max_attempts")
    _check_times(entry, interval, expiry, sink)
    both = "max_attempts" in entry and "expire_after" in entry
    if both or not ("max_attempts" in entry or "expire_after" in entry):
        what = (
            "both `max_attempts` and `expire_after`" if both else "neither `max_attempts` nor `expire_after`"
        )
        place = key_origin(entry, "expire_after") if both else own_origin(entry)
        sink.report("SW212", f"the retry policy has {what}: exactly one is needed", place)
        return None
    if not isinstance(interval, int) or not isinstance(backoff, (int, float)):
        return None
    if expiry is None:
        return (interval, float(backoff), attempts, None) if isinstance(attempts, int) else None
    return interval, float(backoff), None, expiry // 60


def _check_times(entry: Map, interval: int | None, expiry: int | None, sink: Sink) -> None:
    if interval is not None and not 1 <= interval <= MAX_INTERVAL:
        sink.report(
            "SW212", f"`interval` is {interval} s: from 1 s to 12 h is allowed", origin(entry, "interval")
        )
    at = origin(entry, "expire_after")
    if expiry is not None and expiry % 60:
        sink.report("SW212", f"`expire_after` is {expiry} s: SageMaker counts whole minutes", at)
    if expiry is not None and expiry > MAX_EXPIRY * 60:
        sink.report("SW212", "`expire_after` is more than 10 days", at)


def _seconds(value: Any) -> int | None:
    try:
        made = seconds(value)
    except (ValueError, KeyError, IndexError, OverflowError):
        return None  # the schema has told
    return int(made) if isinstance(made, int) else None


def parse_cache(body: Map, sink: Sink) -> Cache | None:
    """`30d` is P30D; an ISO 8601 text is kept as it is written; true has no expiry; false is nothing."""
    written = body.get("cache")
    if written is None or written is False or isinstance(written, Failed):
        return None
    at = origin(body, "cache")
    if written is True:
        sink.report(
            "SW905", "a cache without an expiry: AWS says that one must be set", at, help="for example `30d`"
        )
        return Cache()
    if isinstance(written, str) and written[:1] in ("P", "p"):
        if not is_iso_duration(written):
            sink.report(
                "SW205",
                f'"{written[:40]}" is no ISO 8601 duration',
                at,
                notes=["for example `P30D` or `PT12H`"],
            )
            return None
        return Cache(written)
    number = _seconds(written)
    if number == 0:
        sink.report("SW206", "`cache` is 0 s: nothing would be reused", at, help="write `false`")
    return Cache(_iso(number)) if number else None


def is_iso_duration(text: str) -> bool:
    return _ISO_DURATION.fullmatch(text) is not None


def _iso(number: int) -> str:
    for unit, size in (("D", 86_400), ("H", 3_600), ("M", 60)):
        if number % size == 0:
            return f"P{number // size}D" if unit == "D" else f"PT{number // size}{unit}"
    return f"PT{number}S"


def parse_depends_on(body: Map) -> Iterator[Dependency]:
    """The steps that a step depends on, by the names that stand in its file."""
    written = body.get("depends_on")
    entries: Any = (
        written if isinstance(written, Seq) else Seq([written], None) if isinstance(written, str) else ()
    )
    for index, entry in enumerate(entries):
        at = origin(entries, index) or origin(body, "depends_on")
        if is_reference(entry) or isinstance(entry, Failed):
            continue  # told already
        if isinstance(entry, str):
            yield Dependency(entry, origin=at)
        elif isinstance(entry, Map) and isinstance(entry.get("step"), str):
            when = entry.get("when", "completed")
            yield Dependency(
                entry["step"],
                _WHEN.get(when, "Completed") if isinstance(when, str) else "Completed",
                origin(entry, "step"),
            )
