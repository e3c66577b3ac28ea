"""What a test expects, compared with what came of it. Where that is unknown, the test fails and says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sagewright.compiler.definition import NAMES as ITEM_NAMES
from sagewright.compiler.diagnostics import Span
from sagewright.compiler.engine.given import Names
from sagewright.compiler.engine.outcome import Result
from sagewright.compiler.engine.state import Record, Status
from sagewright.compiler.engine.values import Unknown
from sagewright.compiler.kind import seconds
from sagewright.compiler.source import Map, Seq, key_origin, origin

ALMOST = 1e-6
"""Seconds by which times may differ: they are sums of floats."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that is not as expected, and where the expectation stands."""

    message: str
    span: Span | None


def mismatches(expect: Map, result: Result, names: Names) -> Iterator[Mismatch]:
    """Everything that is not as expected, in the order in which it is written."""
    for text in result.contradictions:
        yield Mismatch(text, None)
    for key in expect:
        place = origin(expect, key)
        at = place.span() if place else None
        yield from _CHECKS[key](expect, result, names, at)


def _status(expect: Map, result: Result, _names: Names, at: Span | None) -> Iterator[Mismatch]:
    found, wanted = result.execution.status, expect["status"]
    if found == wanted:
        return
    reason = result.execution.conclusion.reason if result.execution.conclusion else ""
    causes = [
        f"`{r.name}`: {r.reason}" for r in result.execution.records.values() if r.status is Status.FAILED
    ]
    why = reason if found == "Unknown" else "; ".join(causes)
    yield Mismatch(f"the status is {found}, not {wanted}" + (f": {why}" if why else ""), at)


def _message(expect: Map, result: Result, _names: Names, at: Span | None) -> Iterator[Mismatch]:
    failed = [r for r in result.execution.records.values() if r.status is Status.FAILED]
    if any(expect["message"] in record.reason for record in failed):
        return
    said = "; ".join(f"`{record.name}`: {record.reason}" for record in failed)
    yield Mismatch(
        f'no failure says "{expect["message"]}"' + (f": {said}" if said else ": nothing failed"), at
    )


# -- lists of steps ---------------------------------------------------------------------------------------------------


def _listed(key: str, wrong: Callable[[Record], str | None]) -> Callable[..., Iterator[Mismatch]]:
    def check(expect: Map, result: Result, names: Names, _at: Span | None) -> Iterator[Mismatch]:
        written: Seq = expect[key]
        for index, name in enumerate(written):
            place = origin(written, index)
            for record in _records(names.group(name), result, names):
                message = wrong(record)
                if message is not None:
                    yield Mismatch(message, place.span() if place else None)

    return check


def _records(steps: Iterable[str], result: Result, names: Names) -> list[Record]:
    """What is known of steps: of a step in a ForEach's body, of all its turns."""
    records = result.execution.records
    found: list[Record] = []
    for step in steps:
        if step in records:
            found.append(records[step])
            continue
        body = names.body_of(step)
        turns = [r for r in records.values() if body == step and r.name == f"{step}-{r.iteration}"]
        parent = records[names.plan.bodies[body]] if body is not None else None
        found.extend(turns or ([_never(step, parent)] if parent is not None else []))
    return found


def _never(name: str, parent: Record) -> Record:
    """The record of a step in a body that was not gone through."""
    reason = parent.reason or f"`{parent.name}` has no such turn"
    status = Status.UNKNOWN if parent.status is Status.UNKNOWN else Status.SKIPPED
    return Record(name, "", status=status, reason=reason)


def _ran(record: Record) -> str | None:
    if record.ran:
        return None
    if record.ran is None:
        return f"whether `{record.name}` starts is unknown: {record.reason}"
    return f"`{record.name}` did not start: {record.reason or 'its result was reused'}"


def _skipped(record: Record) -> str | None:
    if record.ran is None:
        return f"whether `{record.name}` starts is unknown: {record.reason}"
    return f"`{record.name}` started, and {_ending(record)}" if record.ran else None


def _failed(record: Record) -> str | None:
    if record.status is Status.UNKNOWN:
        return f"how `{record.name}` ends is unknown: {record.reason}"
    return None if record.status is Status.FAILED else f"`{record.name}` did not fail: it {_ending(record)}"


def _cached(record: Record) -> str | None:
    if record.cached is not None:
        return None
    return f"`{record.name}` took no earlier result: it {_ending(record)}" + "".join(
        f" ({n})" for n in record.notes
    )


def _ending(record: Record) -> str:
    said = {
        Status.SUCCEEDED: "succeeded",
        Status.FAILED: f"failed: {record.reason}",
        Status.STOPPED: "was stopped",
        Status.SKIPPED: f"did not start: {record.reason}",
        Status.UNKNOWN: f"is unknown: {record.reason}",
    }
    return said[record.status]


# -- mappings by step -------------------------------------------------------------------------------------------------


def _attempts(expect: Map, result: Result, names: Names, _at: Span | None) -> Iterator[Mismatch]:
    for name, record, at in _each(expect["attempts"], result, names):
        found, wanted = len(record.attempts), expect["attempts"][name]
        if record.status is Status.UNKNOWN:
            yield Mismatch(f"how often `{record.name}` is tried is unknown: {record.reason}", at)
        elif found != wanted:
            yield Mismatch(f"`{record.name}` was tried {found} times, not {wanted}", at)


def _branches(expect: Map, result: Result, names: Names, _at: Span | None) -> Iterator[Mismatch]:
    for name, record, at in _each(expect["branches"], result, names):
        found = record.outcome.properties.get("Outcome") if record.outcome else None
        taken = {"True": "then", "False": "else"}.get(str(found))
        wanted = expect["branches"][name]
        if taken is None:
            yield Mismatch(f"`{record.name}` took no branch: it {_ending(record)}", at)
        elif taken != wanted:
            yield Mismatch(f"`{record.name}` took `{taken}`, not `{wanted}`", at)


def _arguments(expect: Map, result: Result, names: Names, _at: Span | None) -> Iterator[Mismatch]:
    for name, record, at in _each(expect["arguments"], result, names):
        if record.start is None:
            yield Mismatch(f"`{record.name}` made no request: it {_ending(record)}", at)
            continue
        yield from _differences(expect["arguments"][name], record.arguments, record.name, at)


def _each(written: Map, result: Result, names: Names) -> Iterator[tuple[str, Record, Span | None]]:
    for name in written:
        place = key_origin(written, name)
        for record in _records(names.meant(name), result, names):
            yield name, record, place.span() if place else None


def _differences(wanted: Any, found: Any, path: str, at: Span | None) -> Iterator[Mismatch]:
    """Where `found` is not as wanted: a mapping may have more members, a list may be given by its elements' names."""
    if isinstance(found, Unknown):
        yield Mismatch(f"{path} is unknown: {found.reason}", at)
    elif isinstance(wanted, Map) and isinstance(found, (Mapping, list)):
        inside = found if isinstance(found, Mapping) else _by_name(found)
        for key, value in wanted.items():
            place = origin(wanted, key)
            span = place.span() if place else at
            if key in inside:
                yield from _differences(value, inside[key], f"{path}.{key}", span)
            else:
                yield Mismatch(f"{path} has no `{key}`", span)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _differences(one, other, f"{path}[{index}]", at)
    elif wanted != found or isinstance(wanted, bool) is not isinstance(found, bool):
        yield Mismatch(f"{path} is {_shown(found)}, not {_shown(wanted)}", at)


def _by_name(items: list[Any]) -> dict[str, Any]:
    names = (*ITEM_NAMES, "MetricName")
    return {
        str(item[name]): item
        for item in items
        if isinstance(item, Mapping)
        for name in names
        if isinstance(item.get(name), str)
    }


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _within(expect: Map, result: Result, _names: Names, at: Span | None) -> Iterator[Mismatch]:
    if result.execution.status == "Unknown":
        yield Mismatch("how long the execution takes is unknown", at)
    elif result.duration > float(seconds(expect["within"])) + ALMOST:
        yield Mismatch(f"the execution takes {result.duration:g} s, more than {expect['within']}", at)


_CHECKS: Mapping[str, Callable[[Map, Result, Names, Span | None], Iterator[Mismatch]]] = {
    "status": _status,
    "message": _message,
    "ran": _listed("ran", _ran),
    "skipped": _listed("skipped", _skipped),
    "failed": _listed("failed", _failed),
    "cached": _listed("cached", _cached),
    "attempts": _attempts,
    "branches": _branches,
    "arguments": _arguments,
    "within": _within,
}
