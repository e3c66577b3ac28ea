"""Whether a step that failed is tried again, and when.

Where AWS's page leaves two readings, a retry is decided only if both agree; else nobody knows. Source: developer
guide, "Retry policy for pipeline steps".
"""

from __future__ import annotations

from dataclasses import dataclass

from sagewright.compiler.engine.blueprint import Node, RetryPolicy
from sagewright.compiler.engine.state import Record
from sagewright.compiler.engine.values import Unknown

STEP_ERRORS = frozenset({"Step.SERVICE_FAULT", "Step.THROTTLING"})
"""SageMaker retries these by itself, nobody says how often; a policy overrides that."""
INTERNAL = "SageMaker.JOB_INTERNAL_ERROR"
JOB_ERRORS = frozenset({INTERNAL, "SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"})
JOBS = frozenset({"Processing", "Training", "Tuning", "AutoML", "Transform"})
"""Types that are retried on both kinds of errors."""
CALLS = frozenset({"Model", "RegisterModel"})
"""Types that are retried on `Step.*` only: they run no job."""
UNDOCUMENTED = frozenset({"EndpointConfig", "EMR", "EMRServerless", "Job"})
"""Types that the SDK gives retry policies, and AWS's page does not list."""


LONGEST = 1e9
"""Seconds, some thirty years: what is longer is as good as for ever."""


@dataclass(frozen=True, slots=True)
class Again:
    """Try again, `delay` seconds from now, on account of the policy at `policy`."""

    policy: int
    delay: float


def decide(node: Node, record: Record, error: str | None, now: float) -> Again | Unknown | None:
    """After an attempt that failed with `error` at `now`: again, not (None), or nobody knows."""
    if error not in STEP_ERRORS | JOB_ERRORS:
        return None  # the code's own failure, or a timeout
    found = next((i for i, policy in enumerate(node.policies) if error in policy.errors), None)
    if found is None:
        if error in STEP_ERRORS:
            return Unknown(f"SageMaker retries {error} by itself, and AWS does not say how often")
        return None
    policy = node.policies[found]
    if policy.max_attempts == 0 or policy.expire_after == 0:
        return None
    if not _applies(node.type, error):
        return None
    if node.type not in JOBS | CALLS:
        known = "only the SDK says that" if node.type in UNDOCUMENTED else "nobody says whether"
        return Unknown(f"{known} a step of type {node.type} is retried")
    return _by_policy(policy, found, record, now)


def _applies(kind: str, error: str) -> bool:
    if kind in CALLS:
        return error in STEP_ERRORS
    return not (kind in ("Tuning", "AutoML") and error == INTERNAL)


def _by_policy(policy: RetryPolicy, index: int, record: Record, now: float) -> Again | Unknown | None:
    used = record.used.get(index, 0)
    again = Again(index, delay(policy, used))
    if policy.max_attempts is not None:
        if used >= policy.max_attempts:
            return None
        if sum(record.used.values()) >= policy.max_attempts:
            return Unknown("AWS does not say whether retry policies share their count of attempts")
        return again
    limit = (policy.expire_after or 0) * 60
    if now - record.first_failure.get(index, now) >= limit:
        return None
    assert record.start is not None
    if now + again.delay - record.start >= limit:
        return Unknown("AWS does not say from when on `ExpireAfterMin` counts")
    return again


def delay(policy: RetryPolicy, used: int) -> float:
    """Seconds before the next retry, after `used` of them."""
    try:
        return min(policy.interval * policy.backoff**used, LONGEST)
    except OverflowError:
        return LONGEST


def longest(policy: RetryPolicy) -> float:
    """Seconds that all retries of a policy wait together, the attempts themselves not counted."""
    if policy.max_attempts is None:
        return float((policy.expire_after or 0) * 60)
    return sum(delay(policy, used) for used in range(policy.max_attempts))
