"""How an execution ends, once all of its steps have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sagewright.compiler.engine.blueprint import Node
from sagewright.compiler.engine.state import Record, Status

FAILURE_REASON = "Step failure: One or multiple steps failed."
"""What DescribePipelineExecution says, whatever failed. Source: reported by users."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """`status` is one of PipelineExecutionStatus, or Unknown, where `reason` says why."""

    status: str
    reason: str = ""


def conclude(nodes: Mapping[str, Node], records: Mapping[str, Record], *, stopped: bool) -> Conclusion:
    """The status of an execution. A ForEach's turns count by their ForEach."""
    outer = [record for record in records.values() if record.parent is None]
    failed = [record for record in outer if record.status is Status.FAILED]
    unknown = [record for record in outer if record.status is Status.UNKNOWN]
    if stopped:
        return _of_stopped(failed)
    if any(record.type == "Fail" for record in failed):
        if any(record.triggered and record.start is not None for record in outer):
            return _unsure("a Fail step ran, and another step ran because of a failure")
        return Conclusion("Failed", FAILURE_REASON)
    if failed:
        return _of_failed(nodes, failed, outer, unknown)
    if unknown:
        return _unsure(f"`{unknown[0].name}`: {unknown[0].reason}")
    if any(record.status is Status.STOPPED for record in outer):
        return _unsure("a step was stopped, and the execution was not: nobody says how that ends")
    return Conclusion("Succeeded")


def _of_stopped(failed: list[Record]) -> Conclusion:
    """Source: StopPipelineExecution in the API reference, which knows of one failure: a Lambda that ran out of time."""
    if not failed:
        return Conclusion("Stopped")
    if all(record.type == "Lambda" for record in failed):
        return Conclusion("Failed", FAILURE_REASON)
    return _unsure(f"`{failed[0].name}` failed in an execution that was stopped: nobody says how that ends")


def _of_failed(
    nodes: Mapping[str, Node], failed: list[Record], outer: list[Record], unknown: list[Record]
) -> Conclusion:
    """Source: the SDK's `StepDependency`: a pipeline whose steps run on a failed one ends CompletedWithFailures."""
    handled = {
        need.source
        for record in outer
        if record.start is not None
        for need in nodes[record.name].needs
        if need.when in ("Failed", "Any")
    }
    left = [record for record in failed if record.name not in handled]
    maybe = [record for record in unknown if _may_handle(nodes, record)]
    if maybe:
        return _unsure(f"`{maybe[0].name}`: {maybe[0].reason}")
    if len(left) == len(failed):
        return Conclusion("Failed", FAILURE_REASON)
    if left:
        return _unsure(f"a step ran because another failed, and nothing ran because of `{left[0].name}`")
    if unknown:
        return _unsure(f"`{unknown[0].name}`: {unknown[0].reason}")
    return Conclusion("CompletedWithFailures")


def _may_handle(nodes: Mapping[str, Node], record: Record) -> bool:
    """Whether a step of which nobody knows whether it ran may have run because of a failure."""
    return any(need.when != "Completed" for need in nodes[record.name].needs)


def _unsure(reason: str) -> Conclusion:
    return Conclusion("Unknown", reason)
