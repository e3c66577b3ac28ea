"""What an execution costs, by a file of prices. What has no price is named, never guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.state import Record

_PLACES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Processing": ("processing", ("ProcessingResources", "ClusterConfig")),
    "QualityCheck": ("processing", ("ProcessingResources", "ClusterConfig")),
    "ClarifyCheck": ("processing", ("ProcessingResources", "ClusterConfig")),
    "Training": ("training", ("ResourceConfig",)),
    "Transform": ("transform", ("TransformResources",)),
}
"""By step type: which prices, and where the request says on what it runs."""
FREE = frozenset(
    {"Condition", "Fail", "ForEach", "Model", "RegisterModel", "EndpointConfig", "Lineage", "Cleanup"}
)
"""Types that run no instance of their own."""


@dataclass(frozen=True, slots=True)
class Prices:
    """For an hour of one instance, by `processing`, `training` or `transform`, and by instance type."""

    hours: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    currency: str = "USD"


def cost(execution: Execution, prices: Prices) -> tuple[float, set[str]]:
    """The sum over all attempts, and what has no price: instance types, and steps of types that have none."""
    total, unpriced = 0.0, set[str]()
    for record in execution.records.values():
        if record.start is None or record.cached is not None or record.type in FREE:
            continue
        seconds = sum((attempt.end or attempt.start) - attempt.start for attempt in record.attempts)
        for kind, instance, count in _instances(record):
            price = prices.hours.get(kind, {}).get(instance)
            if price is None:
                unpriced.add(f"{instance} for {kind}" if kind else f"{record.name} ({record.type})")
            else:
                total += seconds / 3600 * price * count
    return total, unpriced


def _instances(record: Record) -> Iterator[tuple[str, str, float]]:
    """What a step runs on: the kind of price, the instance type, and how many."""
    if record.type not in _PLACES:
        yield "", "", 0
        return
    kind, path = _PLACES[record.type]
    config: Any = record.arguments
    for member in path:
        config = config.get(member) if isinstance(config, Mapping) else None
    groups = config.get("InstanceGroups") if isinstance(config, Mapping) else None
    for group in groups or [config]:
        count = group.get("InstanceCount") if isinstance(group, Mapping) else None
        instance = str(group.get("InstanceType")) if isinstance(group, Mapping) else "unknown"
        if isinstance(count, int):
            yield kind, instance, count
        else:
            yield kind, f"{instance} (how many is unknown)", 0
