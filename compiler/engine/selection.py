"""Selective execution: some steps run, the results of the others are those of a reference execution.

Source: developer guide, "Selective execution of pipeline steps".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sagewright.compiler.engine.blueprint import Blueprint
from sagewright.compiler.engine.parameters import Refused
from sagewright.compiler.engine.state import Outcome, Record, Status


@dataclass(frozen=True, slots=True)
class Selection:
    """The steps that run, the ARN of the reference execution, and the results that it has."""

    steps: frozenset[str]
    reference: str = ""
    results: Mapping[str, Outcome] = field(default_factory=dict)


def select(
    plan: Blueprint,
    names: Iterable[str],
    reference: str | None = None,
    records: Mapping[str, Record] | None = None,
) -> Selection:
    """Check a selection. `records` are those of the reference execution.

    Raises Refused for unknown steps, for a step left out between two that are selected, and where a selected step
    depends on one that the reference has no result of.
    """
    chosen = frozenset(names)
    unknown = sorted(chosen - plan.nodes.keys())
    if unknown:
        raise Refused(f"Invalid SelectedSteps. The steps {unknown} are not in the pipeline definition.")
    if not chosen:
        raise Refused("Invalid SelectedSteps. At least one step must be selected.")
    before = _ancestors(plan, chosen)
    between = sorted(name for name in before - chosen if _ancestors(plan, {name}) & chosen)
    if between:
        raise Refused(f"Invalid SelectedSteps. The steps {between} are between selected steps.")
    results = {
        name: record.outcome
        for name, record in (records or {}).items()
        if name in before - chosen and record.status is Status.SUCCEEDED and record.outcome is not None
    }
    for name in sorted(chosen):
        missing = sorted(_outside(plan, name, chosen) - results.keys())
        if missing:
            raise Refused(
                f"Invalid SourcePipelineExecutionArn: {reference or 'null'}. "
                f"The selected steps [{name}] have dependencies on {missing}"
            )
    return Selection(chosen, reference or "", results)


def _outside(plan: Blueprint, name: str, chosen: frozenset[str]) -> set[str]:
    return {need.source for need in plan.nodes[name].needs} - chosen


def _ancestors(plan: Blueprint, names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    left = list(names)
    while left:
        for need in plan.nodes[left.pop()].needs:
            if need.source not in found:
                found.add(need.source)
                left.append(need.source)
    return found
