"""ForEach: its items, and what it gives to the steps after it.

Source: the docstrings of the SDK's `ForEachStep` (3.27), and `ForEachStepMetadata` in botocore.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sagewright.compiler.engine.blueprint import Node, Selector
from sagewright.compiler.engine.state import Outcome, Record, Status
from sagewright.compiler.engine.values import MISSING, Unavailable, Unknown, lookup

TIED = "nobody says which of several equal iterations a Selector picks"


def items(written: Any) -> list[Any] | Unknown:
    """The items that `IterableItems`, filled in, stands for. Raises Unavailable where it is no list."""
    if isinstance(written, Unknown):
        return written
    found = written
    if isinstance(written, str):
        try:
            found = json.loads(written)
        except ValueError:
            raise Unavailable(f"IterableItems is no JSON list: {written[:200]}") from None
    if not isinstance(found, list):
        raise Unavailable("IterableItems is no JSON list")
    if not found:
        return Unknown("nobody says what a ForEach does without items")
    unknown = next((item for item in found if isinstance(item, Unknown)), None)
    return unknown or found


def current_item(item: Any, segments: Sequence[str | int]) -> Any:
    """`ForEach.CurrentItem`, or a part of it. Raises Unavailable where an item lacks the part."""
    found = lookup(item, tuple(segments))
    if found is MISSING:
        where = ".".join(str(segment) for segment in segments)
        raise Unavailable(f"the current item has no `{where}`: {json.dumps(item)[:200]}")
    if isinstance(found, (Mapping, list)):
        return Unknown("nobody has seen how SageMaker writes a structured item as a whole")
    return found


def outcome(node: Node, children: Sequence[Record]) -> Outcome:
    """How a ForEach ended, once all of its children have."""
    count = len(children) // len(node.children)
    states = [child.status for child in children]
    total = {status: states.count(status) for status in set(states)}
    unknown = next((child for child in children if child.status is Status.UNKNOWN), None)
    stopped = total.get(Status.STOPPED, 0)
    if total.get(Status.FAILED):
        status = Status.FAILED
    elif unknown is not None:
        return Outcome(Status.UNKNOWN, message=unknown.reason)
    else:
        status = Status.STOPPED if stopped else Status.SUCCEEDED
    counts: dict[str, Any] = {
        "SucceededStepCount": total.get(Status.SUCCEEDED, 0),
        "FailedStepCount": total.get(Status.FAILED, 0),
        "StoppedStepCount": stopped,
    }
    if unknown is not None:
        counts = dict.fromkeys(counts, Unknown(unknown.reason))
    properties: dict[str, Any] = {
        "Status": str(status),
        "InputItemCount": count,
        "TotalStepCount": len(children),
        **counts,
        "IterationOutputs": _outputs(count, children),
    }
    if node.selector is not None and status is Status.SUCCEEDED:
        properties["Selected"] = selected(node.selector, children)
    failed = next((child for child in children if child.status is Status.FAILED), None)
    message = f"`{failed.name}` failed: {failed.reason}" if failed else ""
    complete = all(child.outcome.complete for child in children if child.outcome is not None)
    return Outcome(status, properties, message=message, complete=complete)


def _outputs(count: int, children: Sequence[Record]) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = [{} for _ in range(count)]
    for child in children:
        if child.outcome is not None and child.iteration is not None:
            body = child.name.removesuffix(f"-{child.iteration}")
            outputs[child.iteration][body] = child.outcome.properties
    return outputs


def selected(selector: Selector, children: Sequence[Record]) -> Any:
    """The properties of the step that the selector picks, an Unknown where that cannot be told."""
    found: list[tuple[float, Mapping[str, Any]]] = []
    for child in children:
        if child.outcome is None or child.name != f"{selector.body}-{child.iteration}":
            continue
        value = lookup(child.outcome.properties, selector.field)
        if isinstance(value, Unknown):
            return value
        if value is MISSING or isinstance(value, bool) or not isinstance(value, (int, float)):
            return Unknown(f"`{child.name}` has no number to be selected by")
        found.append((value, child.outcome.properties))
    best = (max if selector.pick == "MaxBy" else min)(value for value, _ in found)
    picked = [properties for value, properties in found if value == best]
    return picked[0] if len(picked) == 1 else Unknown(TIED)
