"""Many simulations, drawn by chance: how long, how often which branch, what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sagewright.compiler.engine.blueprint import Blueprint
from sagewright.compiler.engine.cost import Prices, cost
from sagewright.compiler.engine.given import Given
from sagewright.compiler.engine.outcome import simulate_given

PERCENTILES = (5, 50, 95, 99)


@dataclass(slots=True)
class Sample:
    """What many runs gave. `costs` holds those of the runs of which all was priced."""

    runs: int
    seed: int
    durations: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    ran: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    costs: list[float] = field(default_factory=list)
    unpriced: set[str] = field(default_factory=set)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why runs are unknown."""


def sample(
    plan: Blueprint,
    given: Given,
    runs: int,
    seed: int,
    *,
    pipeline: str = "pipeline",
    parameters: Mapping[str, Any] | None = None,
    prices: Prices | None = None,
) -> Sample:
    """Simulate `runs` times. Two samples with one seed are equal. Raises Refused."""
    random = Random(seed)
    made = Sample(runs, seed)
    for name, node in plan.nodes.items():
        if node.type == "Condition":
            made.outcomes[name] = Counter()
    for _ in range(runs):
        result = simulate_given(plan, given, pipeline=pipeline, parameters=parameters, random=random)
        execution = result.execution
        made.durations.append(result.duration)
        made.statuses[execution.status] += 1
        if execution.status == "Unknown" and execution.conclusion is not None:
            made.reasons[execution.conclusion.reason] += 1
        for name, record in execution.records.items():
            if record.start is None:
                continue
            made.ran[name] += 1
            made.attempts[name] += len(record.attempts)
            if record.type == "Condition":
                outcome = record.outcome.properties.get("Outcome") if record.outcome else None
                made.outcomes[name][str(outcome or "Unknown")] += 1
        if prices is not None:
            amount, unpriced = cost(execution, prices)
            made.costs.append(amount)
            made.unpriced |= unpriced
    return made


def distribution(values: list[float]) -> dict[str, float]:
    """Minimum, mean, maximum and percentiles (by the nearest rank)."""
    ordered = sorted(values)
    last = len(ordered) - 1
    made = {"min": ordered[0], "mean": sum(ordered) / len(ordered), "max": ordered[-1]}
    for percent in PERCENTILES:
        made[f"p{percent}"] = ordered[min(last, max(0, -(-percent * len(ordered) // 100) - 1))]
    return made


def as_json(found: Sample) -> dict[str, Any]:
    """All of it, as JSON has it; durations in seconds."""
    made: dict[str, Any] = {
        "runs": found.runs,
        "seed": found.seed,
        "duration": distribution(found.durations),
        "statuses": dict(found.statuses.most_common()),
        "outcomes": {name: dict(counts) for name, counts in found.outcomes.items()},
        "ran": dict(found.ran),
        "attempts": {name: count / found.ran[name] for name, count in found.attempts.items()},
        "unknown": dict(found.reasons.most_common()),
    }
    if found.costs:
        made["cost"] = {**distribution(found.costs), "unpriced": sorted(found.unpriced)}
    return made
