"""Which branches, retries and run conditions of a pipeline its tests reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sagewright.compiler.engine.blueprint import Blueprint, Node
from sagewright.compiler.engine.scheduler import Execution

KINDS = ("branches", "retries", "run conditions")


@dataclass(slots=True)
class Coverage:
    """By kind: what there is, in the order of the file, and whether it was reached."""

    reached: dict[str, dict[str, bool]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def missing(self) -> list[tuple[str, str]]:
        """Kind and name of what no test reaches."""
        return [
            (kind, name) for kind, found in self.reached.items() for name, yes in found.items() if not yes
        ]

    def summary(self) -> str:
        """`branches 3 of 4, retries 1 of 2`; kinds that the pipeline has none of are left out."""
        counts = ((kind, sum(found.values()), len(found)) for kind, found in self.reached.items() if found)
        return ", ".join(f"{kind} {yes} of {all_}" for kind, yes, all_ in counts) or "nothing to cover"


def coverage(plan: Blueprint, executions: Iterable[Execution]) -> Coverage:
    """What the executions reached together."""
    found = Coverage()
    nodes = [child for node in plan.nodes.values() for child in (node, *node.children)]
    for node in nodes:
        if node.type == "Condition":
            for branch in ("then", "else"):
                found.reached["branches"][f"{node.name}: {branch}"] = False
        for index in range(len(node.policies)):
            found.reached["retries"][_policy(node, index)] = False
        for need in node.needs:
            if need.when != "Completed":
                found.reached["run conditions"][_trigger(node, need.source, need.when)] = False
    for execution in executions:
        _add(execution, found)
    return found


def _add(execution: Execution, found: Coverage) -> None:
    for record in execution.records.values():
        if record.start is None:
            continue
        node = execution.nodes[record.name]
        outcome = record.outcome.properties.get("Outcome") if record.outcome else None
        if record.type == "Condition" and outcome is not None:
            found.reached["branches"][f"{node.name}: {'then' if outcome == 'True' else 'else'}"] = True
        for index in record.used:
            found.reached["retries"][_policy(node, index)] = True
        for need in node.needs:
            if need.when != "Completed":
                found.reached["run conditions"][_trigger(node, need.source, need.when)] = True


def _policy(node: Node, index: int) -> str:
    errors = (error.partition(".")[2].lower() or error for error in sorted(node.policies[index].errors))
    return f"{_written(node, node.name)}: {', '.join(errors)}"


def _trigger(node: Node, source: str, when: str) -> str:
    return f"{_written(node, node.name)}: when {_written(node, source)} is {when.lower()}"


def _written(node: Node, name: str) -> str:
    """The name that a step of a ForEach's body has in the definition, all its turns being one here."""
    return name if node.iteration is None else name.removesuffix(f"-{node.iteration}")
