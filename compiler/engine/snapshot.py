"""The state of an execution as JSON, between two events, and an execution that takes it up again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sagewright.compiler.engine.blueprint import CONTROL
from sagewright.compiler.engine.conclusion import conclude
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.state import Status, dump, load


def snapshot(execution: Execution) -> dict[str, Any]:
    """What `restore` needs, beside what the execution was made from."""
    return {
        "started": execution.started,
        "ended": execution.ended_at,
        "stopping": execution.stopping,
        "closed": execution.closed,
        "parallelism": execution.slots.parallelism,
        "records": [dump(record) for record in execution.records.values()],
    }


def restore(execution: Execution, state: Mapping[str, Any]) -> None:
    """Bring an execution that has not begun, made as the first one was, to the state that was written.

    What was under way is told by `Execution.pending`.
    """
    execution.situation.started = state["started"]
    execution.ended_at, execution.stopping = state["ended"], state["stopping"]
    execution.closed, execution.slots.parallelism = state["closed"], state["parallelism"]
    records = [load(data) for data in state["records"]]
    for record in records:
        if record.parent is not None:
            parent = execution.nodes[record.parent]
            child = next(c for c in parent.children if record.name == f"{c.name}-{record.iteration}")
            execution.slots.open_group(parent.name, parent.concurrency)
            execution.add_turn(child.turn(record.iteration or 0), parent.name, record.item)
        execution.records[record.name] = record
        if record.status is Status.EXECUTING and record.type not in CONTROL:
            execution.slots.take(record)
    execution.failing = any(record.status is Status.FAILED for record in records)
    open_turns = Counter(r.parent for r in records if r.parent is not None and not r.status.ended)
    execution.expect(open_turns)
    execution.look_again(execution.started)
    if not any(not record.status.ended for record in records):
        execution.conclusion = conclude(execution.nodes, execution.records, stopped=execution.stopping)
