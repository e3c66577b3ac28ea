"""A picture of a pipeline, before anybody draws it: what every format is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["step", "condition", "fail", "model", "endpoint"]
Reason = Literal["data", "order", "run condition"]
BadgeKind = Literal["retry", "cache"]
LinkReason = Literal["data", "order", "run condition", "branch"]

_STRENGTH: dict[LinkReason, int] = {"branch": 0, "run condition": 1, "data": 2, "order": 3}


@dataclass(frozen=True, slots=True)
class Badge:
    """A short remark on a node: `Badge("retry", "5×", "Step.THROTTLING: 5 attempts")`, `Badge("cache", "30 d")`."""

    kind: BadgeKind
    text: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A step. `label` defaults to `id`; `kind` is its caption; `group` the id of the branch that it stands in."""

    id: str
    label: str = ""
    kind: str = ""
    shape: Shape = "step"
    badges: tuple[Badge, ...] = ()
    group: str | None = None
    detail: str = ""

    @property
    def name(self) -> str:
        return self.label or self.id


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` runs after `source`. The label says which output it takes, or how `source` must have ended."""

    source: str
    target: str
    reason: Reason = "data"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A branch of the node `owner`: `then`, `else`, or the body of a loop. It lies in the owner's group, if any."""

    id: str
    label: str
    owner: str


@dataclass(frozen=True, slots=True)
class Link:
    """What is drawn between two nodes: all edges between them in one, or a branch's way to one of its first steps."""

    source: str
    target: str
    reason: LinkReason
    label: str = ""
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """Nodes, edges and branches, in the order that ties are broken by.

    Edges from a condition into its branches need not be given: each branch is entered at its steps that wait for
    no other step of it. Raises ValueError for a name that is used twice, or that nothing has.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    title: str = "pipeline"

    def __post_init__(self) -> None:
        nodes, groups = {node.id for node in self.nodes}, {group.id for group in self.groups}
        if len(nodes) < len(self.nodes) or len(groups) < len(self.groups):
            raise ValueError("a node or a group is given twice")
        named = {end for edge in self.edges for end in (edge.source, edge.target)}
        missing = (named | {group.owner for group in self.groups}) - nodes
        missing |= {node.group for node in self.nodes if node.group is not None} - groups
        if missing:
            raise ValueError(f"no such node or group: {', '.join(sorted(missing))}")
        self.paths()

    def paths(self) -> dict[str | None, tuple[str, ...]]:
        """For each group the groups around its inside, outermost first, itself last; none for None."""
        owner = {group.id: group.owner for group in self.groups}
        home = {node.id: node.group for node in self.nodes}
        found: dict[str | None, tuple[str, ...]] = {None: ()}
        for group in owner:
            above: list[str] = []
            outer: str | None = group
            while outer is not None and outer not in found:
                if outer in above:
                    raise ValueError(f"the group {outer} lies in itself")
                above.append(outer)
                outer = home[owner[outer]]
            around = found[outer]
            for inner in reversed(above):
                around = (*around, inner)
                found[inner] = around
        return found

    def entries(self) -> dict[str, list[Node]]:
        """For each group the steps that begin it: those that wait for no other step in it."""
        paths = self.paths()
        around = {node.id: paths[node.group] for node in self.nodes}
        sources: dict[str, set[str]] = {}
        for edge in self.edges:
            if edge.source != edge.target:
                sources.setdefault(edge.target, set()).update(around[edge.source])
        found: dict[str, list[Node]] = {group.id: [] for group in self.groups}
        for node in self.nodes:
            if node.group is not None and node.group not in sources.get(node.id, ()):
                found[node.group].append(node)
        return found

    def links(self) -> list[Link]:
        """One link for each pair of nodes with edges or a branch between them, branches first.

        The strongest reason wins: a branch, a run condition, data, order. Labels are joined.
        """
        entries = self.entries()
        found: dict[tuple[str, str], list[Link]] = {}
        for group in self.groups:
            for node in entries[group.id]:
                link = Link(group.owner, node.id, "branch", group.label, group.id)
                found.setdefault((link.source, link.target), []).append(link)
        for edge in self.edges:
            if edge.source != edge.target:
                link = Link(edge.source, edge.target, edge.reason, edge.label)
                found.setdefault((link.source, link.target), []).append(link)
        return [_merged(links) for links in found.values()]


def _merged(links: list[Link]) -> Link:
    ordered = sorted(links, key=lambda link: _STRENGTH[link.reason])
    first = ordered[0]
    if first.reason == "branch":
        return first
    labels = dict.fromkeys(link.label for link in ordered if link.label)
    return Link(first.source, first.target, first.reason, ", ".join(labels))
