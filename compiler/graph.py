"""The DAG: steps with their branch, edges with their reason and place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from typing import Any, Literal

import networkx as nx

from sagewright.compiler.expression import EXPRESSIONS, Conditions, JsonGet, StepRef, operands
from sagewright.compiler.model import Emitted, Pipeline
from sagewright.compiler.source import Origin, own_origin

Reason = Literal["data", "order", "run condition", "branch"]
_RAW_STEP = re.compile(r"Steps\.([A-Za-z0-9_-]+)[.\[]")


@dataclass(frozen=True, slots=True)
class Edge:
    """Why `target` comes after `source`. `label` is the output that is used, `when` the run condition."""

    source: str
    target: str
    reason: Reason
    origin: Origin | None = None
    label: str = ""
    when: str = "Completed"


@dataclass(frozen=True, slots=True)
class Node:
    """A step of the definition. `context` are the branches that it stands in, outermost first: (condition, member)."""

    step: Emitted
    index: int
    context: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Program:
    """A pipeline that is understood: its steps as SageMaker will see them, and how they hang together."""

    pipeline: Pipeline
    steps: list[Emitted]
    unknowable: frozenset[str] = frozenset()
    """Names of steps that are written, but not understood well enough to be here."""
    nodes: dict[str, Node] = field(default_factory=dict)
    clashes: list[tuple[Emitted, Emitted]] = field(default_factory=list)
    """Steps that were given a name that is taken: the first one and the other."""
    edges: list[Edge] = field(default_factory=list)
    lifted: list[Edge] = field(default_factory=list)
    """What the body of a loop waits for outside of it, the loop waits for: such an edge again, into the loop."""
    graph: Any = None
    """A networkx DiGraph over the names; parallel edges are one here, and each by itself in `edges`."""


def build(pipeline: Pipeline, steps: list[Emitted], unknowable: frozenset[str] = frozenset()) -> Program:
    """The program of a pipeline's lowered steps. Edges to steps that are not there are left out."""
    program = Program(pipeline, steps, unknowable)
    _add_nodes(program, steps, ())
    for node in program.nodes.values():
        program.edges.extend(edge for edge in _edges_into(node) if edge.source in program.nodes)
    program.lifted = list(_lifted(program))
    program.graph = nx.DiGraph()
    program.graph.add_nodes_from(program.nodes)
    program.graph.add_edges_from((edge.source, edge.target) for edge in (*program.edges, *program.lifted))
    return program


def _add_nodes(program: Program, steps: list[Emitted], context: tuple[tuple[str, str], ...]) -> None:
    for step in steps:
        if step.name in program.nodes:
            program.clashes.append((program.nodes[step.name].step, step))
        else:
            program.nodes[step.name] = Node(step, len(program.nodes), context)
        for member, nested in step.branches.items():
            _add_nodes(program, nested, (*context, (step.name, member)))


def _edges_into(node: Node) -> Iterator[Edge]:
    """Of one step, in the order in which they are written; each source and reason once."""
    step, seen = node.step, set[tuple[str, str]]()
    if node.context:
        condition, member = node.context[-1]
        yield Edge(condition, step.name, "branch", step.source.name_origin, label=member)
    for reference in _references(step.arguments):
        yield from _once(Edge(reference[0], step.name, "data", reference[1], reference[2]), seen)
    for reference in _references(step.extra):
        yield from _once(Edge(reference[0], step.name, "data", reference[1], reference[2]), seen)
    for dependency in step.depends_on:
        reason: Reason = "order" if dependency.when == "Completed" else "run condition"
        yield Edge(dependency.step, step.name, reason, dependency.origin, when=dependency.when)


def _lifted(program: Program) -> Iterator[Edge]:
    for edge in program.edges:
        for loop in _loops(program, edge.target):
            if edge.source != loop and loop not in _loops(program, edge.source):
                yield replace(edge, target=loop)


def _loops(program: Program, name: str) -> list[str]:
    """The loops in whose bodies a step stands."""
    owners = (owner for owner, _ in program.nodes[name].context)
    return [owner for owner in owners if program.nodes[owner].step.source.kind.loop is not None]


def _once(edge: Edge, seen: set[tuple[str, str]]) -> Iterator[Edge]:
    if (edge.source, edge.label) not in seen:
        seen.add((edge.source, edge.label))
        yield edge


def _references(value: Any) -> Iterator[tuple[str, Origin | None, str]]:
    """Every step that `value` refers to: its name, the place, and what of it is used."""
    if isinstance(value, str):  # as most leaves are
        return
    if isinstance(value, dict):
        raw = value.get("Get")
        if isinstance(raw, str) and len(value) == 1:
            match = _RAW_STEP.match(raw)
            if match:
                yield match[1], own_origin(raw) or own_origin(value), raw[match.end() :]
            return
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, (EXPRESSIONS, Conditions)):
        for operand in operands(value):
            if isinstance(operand, StepRef):
                yield operand.step, operand.origin, operand.path
            elif isinstance(operand, JsonGet):
                yield operand.step, operand.origin, operand.report


def cycles(program: Program) -> list[list[Edge]]:
    """The edges of cycles, one for each knot of steps that hang on one another. A cycle begins with the step that
    stands first in the file, and is the shortest that it is in."""
    if nx.is_directed_acyclic_graph(program.graph):
        return []
    knots = nx.strongly_connected_components(program.graph)
    tied = (knot for knot in knots if len(knot) > 1 or program.graph.has_edge(*(2 * tuple(knot))))
    return [_cycle(program, knot) for knot in sorted(tied, key=lambda knot: min(map(_index(program), knot)))]


def _cycle(program: Program, knot: set[str]) -> list[Edge]:
    first = min(knot, key=_index(program))
    inside = program.graph.subgraph(knot)
    back = sorted(inside.predecessors(first), key=_index(program))
    names = [*min((nx.shortest_path(inside, first, name) for name in back), key=len), first]
    return [_edge(program, source, target) for source, target in pairwise(names)]


def _index(program: Program) -> Callable[[str], int]:
    return lambda name: program.nodes[name].index


def _edge(program: Program, source: str, target: str) -> Edge:
    edges = chain(program.edges, program.lifted)
    return next(edge for edge in edges if edge.source == source and edge.target == target)


def order(program: Program) -> list[str]:
    """The steps in an order in which they can run, as near to the file's as that allows. Those that never can, since
    they are in a cycle or come after one, are left out."""
    graph = program.graph
    if not nx.is_directed_acyclic_graph(graph):
        tied = {edge.source for cycle in cycles(program) for edge in cycle}
        graph = graph.subgraph(set(graph) - tied.union(*(nx.descendants(graph, name) for name in tied)))
    return list(nx.lexicographical_topological_sort(graph, key=_index(program)))
