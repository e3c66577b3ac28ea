"""`Program` → `Drawing`: what of a pipeline is shown in a picture."""

from __future__ import annotations

import re

from sagewright.compiler.drawing import Badge, Drawing, Edge, Group, Node, Shape
from sagewright.compiler.graph import Edge as Dependency
from sagewright.compiler.graph import Program
from sagewright.compiler.model import Emitted, RetryPolicy

_SHAPES: dict[str, Shape] = {
    "Condition": "condition",
    "Fail": "fail",
    "Model": "model",
    "RegisterModel": "model",
    "Endpoint": "endpoint",
}
_NAMED = re.compile(r"\['([^']+)'\]")
"""The name in a property's path: an output, a metric."""
_BRANCHES = {"IfSteps": "then", "ElseSteps": "else", "ForEachBody": "body"}


def picture(program: Program) -> Drawing:
    """The steps as SageMaker will see them, branches as groups, and why each step comes after another."""
    nodes, groups = [], dict[str, Group]()
    for name, node in program.nodes.items():
        group = None
        if node.context:
            owner, member = node.context[-1]
            group = f"{owner}/{member}"
            groups.setdefault(group, Group(group, _BRANCHES.get(member, member), owner))
        nodes.append(_node(name, node.step, group))
    edges = tuple(_edge(edge) for edge in program.edges if edge.reason != "branch")
    return Drawing(tuple(nodes), edges, tuple(groups.values()), program.pipeline.name)


def _node(name: str, step: Emitted, group: str | None) -> Node:
    badges = []
    if step.retry:
        badges.append(
            Badge("retry", _attempts(step.retry), "; ".join(_policy(policy) for policy in step.retry))
        )
    if step.cache is not None:
        badges.append(Badge("cache", step.cache.expire_after or "no expiry", "successful runs are reused"))
    detail = step.display_name or step.description or ""
    return Node(
        name,
        kind=step.type,
        shape=_SHAPES.get(step.type, "step"),
        badges=tuple(badges),
        group=group,
        detail=detail,
    )


def _attempts(policies: tuple[RetryPolicy, ...]) -> str:
    most = [policy.max_attempts for policy in policies if policy.max_attempts is not None]
    return f"{max(most)}×" if most else f"{max(p.expire_after or 0 for p in policies)} min"


def _policy(policy: RetryPolicy) -> str:
    names = ", ".join(error.rsplit(".", 1)[1].lower() for error in policy.errors)
    limit = (
        f"{policy.max_attempts} attempts"
        if policy.max_attempts is not None
        else f"for {policy.expire_after} min"
    )
    return f"{names}: {limit}, from {policy.interval} s, × {policy.backoff:g}"


def _edge(edge: Dependency) -> Edge:
    if edge.reason == "run condition":
        return Edge(edge.source, edge.target, "run condition", f"when {edge.when.lower()}")
    if edge.reason == "data":
        name = _NAMED.search(edge.label)
        return Edge(edge.source, edge.target, "data", name[1] if name else "")
    return Edge(edge.source, edge.target, "order")
