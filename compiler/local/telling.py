"""What a run shows: while it goes on as an execution of AWS's would be watched, and afterwards what each step took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sagewright.compiler.engine.blueprint import CONTROL
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.state import Record, Status
from sagewright.compiler.executions import Snapshot, StepState
from sagewright.compiler.local.runs import Run
from sagewright.compiler.local.sandbox import Usage

MEGABYTE = 1 << 20


def as_seen(execution: Execution) -> Snapshot:
    """An execution as `executions.watch` shows one: the steps that have started, and those that wait for a retry."""
    records = sorted(
        (record for record in execution.records.values() if record.start is not None or record.reused),
        key=lambda record: (record.start or 0.0, record.order),
    )
    return Snapshot(
        execution.identity.execution_arn,
        execution.status,
        execution.conclusion.reason or None if execution.conclusion else None,
        _time(execution.started),
        tuple(_state(record) for record in records),
    )


def _state(record: Record) -> StepState:
    return StepState(
        record.name,
        str(record.status),
        _time(record.start),
        _time(record.end),
        len(record.attempts),
        record.cached or record.reused,
        record.reason or _waits(record),
        record.type,
    )


def _waits(record: Record) -> str | None:
    if record.due is None:
        return None
    return f"attempt {len(record.attempts)} failed ({record.attempts[-1].message}), the next is due"


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def summary(run: Run) -> Iterator[str]:
    """A line for each step, with what its attempts took together, and one for the run."""
    rows = [_row(record, run.usages.get(record.name, ())) for record in run.records()]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(5)]
    for *cells, last in rows:
        shown = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        yield "  ".join([*shown, last]).rstrip()
    took = f" after {seconds(run.ended - run.started)}" if run.ended is not None else ""
    yield f"run {run.id}: {run.standing}{took}{f': {run.reason}' if run.reason else ''}"


def _row(record: Record, usages: Sequence[Usage]) -> tuple[str, str, str, str, str, str]:
    """Name, status, time, CPU time, memory, and notes."""
    notes = [
        *(["cache hit"] if record.cached else []),
        *(["of the other run"] if record.reused else []),
        *([f"{len(record.attempts)} attempts"] if len(record.attempts) > 1 else []),
        *([record.reason] if record.reason else []),
    ]
    ran = record.start is not None and not record.cached and record.type not in CONTROL
    used = [usage for usage in usages if usage.seconds] if ran else []
    return (
        record.name,
        str(record.status),
        seconds((record.end or record.start or 0.0) - (record.start or 0.0)) if ran else "",
        f"{seconds(sum(usage.cpu_seconds for usage in used))} CPU" if used else "",
        f"{max(usage.memory for usage in used) / MEGABYTE:,.0f} MB" if used else "",
        "; ".join(notes),
    )


def as_json(run: Run) -> dict[str, Any]:
    """A run as JSON. Times are seconds since the epoch, memory is in bytes."""
    return {
        "id": run.id,
        "pipeline": run.pipeline,
        "source": run.source,
        "status": run.standing,
        "reason": run.reason or None,
        "started": run.started,
        "ended": run.ended,
        "parameters": run.parameters,
        "steps": [_step(record, run.usages) for record in run.records()],
    }


def _step(record: Record, usages: Mapping[str, Sequence[Usage]]) -> dict[str, Any]:
    return {
        "name": record.name,
        "type": record.type,
        "status": str(record.status),
        "started": record.start,
        "ended": record.end,
        "attempts": len(record.attempts),
        "cached_from": record.cached,
        "reason": record.reason or None,
        "usage": [
            {"seconds": u.seconds, "cpu_seconds": u.cpu_seconds, "memory": u.memory}
            for u in usages.get(record.name, ())
        ],
    }


def failures(run: Run) -> list[Record]:
    """The steps that failed, in the order of the file."""
    return [record for record in run.records() if record.status is Status.FAILED and record.type != "Fail"]


def seconds(amount: float) -> str:
    """`0.3 s`, `12 s`, `2 m 3 s`."""
    if amount < 10:
        return f"{amount:.1f} s"
    minutes, rest = divmod(round(amount), 60)
    return f"{minutes} m {rest} s" if minutes else f"{rest} s"
