"""Whether a step may start, as far as the steps that it waits for decide it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from sagewright.compiler.engine.blueprint import Need, Node
from sagewright.compiler.engine.state import Cause, Record, Status


class State(Enum):
    """From the weakest to the strongest: of all that a step waits for, the strongest decides."""

    READY = 0
    UNKNOWN = 1
    WAIT = 2
    SKIP = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """`triggered`: it is ready because another step failed."""

    state: State
    reason: str = ""
    cause: Cause | None = None
    triggered: bool = False


READY, WAIT = Verdict(State.READY), Verdict(State.WAIT)
TRIGGERED = Verdict(State.READY, triggered=True)
_NEVER = "never started"
TIMED_JOBS = frozenset({"Processing", "Training", "Tuning", "AutoML", "Transform"})


def verdict(node: Node, records: Mapping[str, Record]) -> Verdict:
    """What all needs of a step say together."""
    found = READY
    for need in node.needs:
        one = _verdict(need, node, records[need.source])
        if one.state is State.SKIP:
            return one
        if one.state.value > found.state.value or (one.triggered and found is READY):
            found = one
    return found


def _verdict(need: Need, node: Node, source: Record) -> Verdict:
    status = source.status
    if not status.ended:
        return WAIT
    if status is Status.UNKNOWN:
        return Verdict(State.UNKNOWN, source.reason, source.cause)
    if status is Status.SKIPPED:
        return _after_skipped(need, source)
    if need.branch is not None:
        return _branch(need, source)
    if need.when == "Completed":
        if status is Status.SUCCEEDED:
            return TRIGGERED if source.triggered else READY
        return _after_failure(need, node, source)
    return _trigger(need, source)


def _after_skipped(need: Need, source: Record) -> Verdict:
    if need.when == "Any" and source.cause in (Cause.FAILURE, Cause.TRIGGER):
        reason = f"nobody says whether `Any` holds for a step that never started (`{source.name}`)"
        return Verdict(State.UNKNOWN, reason, Cause.SERVICE)
    reason = source.reason
    if _NEVER not in reason:  # of a chain, how it began is reason enough
        reason = f"`{source.name}` {_NEVER}: {reason}"
    return Verdict(State.SKIP, reason, source.cause)


def _branch(need: Need, source: Record) -> Verdict:
    if source.status is not Status.SUCCEEDED or source.outcome is None:
        return Verdict(State.SKIP, f"`{source.name}` {ENDINGS[source.status]}", Cause.FAILURE)
    outcome = source.outcome.properties.get("Outcome")
    if (need.branch == "IfSteps") == (outcome == "True"):
        return TRIGGERED if source.triggered else READY
    return Verdict(State.SKIP, f"`{source.name}` was {str(outcome).lower()}", Cause.BRANCH)


def _after_failure(need: Need, node: Node, source: Record) -> Verdict:
    wants_it = any(n.source == need.source and n.when in (source.status, "Any") for n in node.needs)
    if need.data and wants_it:
        reason = f"nobody says what a reference to `{source.name}` gives where it {ENDINGS[source.status]}"
        return Verdict(State.UNKNOWN, reason, Cause.SERVICE)
    return Verdict(State.SKIP, f"`{source.name}` {ENDINGS[source.status]}", Cause.FAILURE)


def _trigger(need: Need, source: Record) -> Verdict:
    if need.when == "Any":
        return TRIGGERED if source.status is Status.FAILED or source.triggered else READY
    timed_out = source.outcome is not None and source.outcome.error == "timeout"
    if timed_out and source.type in TIMED_JOBS:
        reason = f"nobody says whether a job that ran out of time leaves `{source.name}` Failed or Stopped"
        return Verdict(State.UNKNOWN, reason, Cause.SERVICE)
    if source.status == need.when:
        return TRIGGERED if source.status is Status.FAILED or source.triggered else READY
    wanted = {"Failed": "did not fail", "Stopped": "was not stopped"}[need.when]
    return Verdict(State.SKIP, f"`{source.name}` {wanted}", Cause.TRIGGER)


ENDINGS: Mapping[Status, str] = {
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.STOPPED: "was stopped",
}
