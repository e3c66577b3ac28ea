"""The DAG: steps with their branch, edges with their reason and place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from typing import Any, Literal

from sagewright.compiler.expression import JsonGet, StepRef, operands, uses
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
    uses: Sequence[Any]
    """What the step refers by: see `expression.uses`."""
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


def build(pipeline: Pipeline, steps: list[Emitted], unknowable: frozenset[str] = frozenset()) -> Program:
    """The program of a pipeline's lowered steps. Edges to steps that are not there are left out."""
    program = Program(pipeline, steps, unknowable)
    _add_nodes(program, steps, ())
    for node in program.nodes.values():
        program.edges.extend(edge for edge in _edges_into(node) if edge.source in program.nodes)
    program.lifted = list(_lifted(program))
    return program


def _add_nodes(program: Program, steps: list[Emitted], context: tuple[tuple[str, str], ...]) -> None:
    for step in steps:
        if step.name in program.nodes:
            program.clashes.append((program.nodes[step.name].step, step))
        else:
            found = uses((step.arguments, step.extra))
            program.nodes[step.name] = Node(step, len(program.nodes), found, context)
        for member, nested in step.branches.items():
            _add_nodes(program, nested, (*context, (step.name, member)))


def _edges_into(node: Node) -> Iterator[Edge]:
    """Of one step, in the order in which they are written; each source and reason once."""
    step, seen = node.step, set[tuple[str, str]]()
    if node.context:
        condition, member = node.context[-1]
        yield Edge(condition, step.name, "branch", step.source.name_origin, label=member)
    for source, origin, label in _references(node.uses):
        if (source, label) not in seen:
            seen.add((source, label))
            yield Edge(source, step.name, "data", origin, label)
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


def _references(found: Iterable[Any]) -> Iterator[tuple[str, Origin | None, str]]:
    """Every step that is referred to: its name, the place, and what of it is used."""
    for use in found:
        if isinstance(use, dict):
            raw = use["Get"]
            match = _RAW_STEP.match(raw)
            if match:
                yield match[1], own_origin(raw) or own_origin(use), raw[match.end() :]
            continue
        for operand in (use,) if isinstance(use, StepRef) else operands(use):
            if isinstance(operand, StepRef):
                yield operand.step, operand.origin, operand.path
            elif isinstance(operand, JsonGet):
                yield operand.step, operand.origin, operand.report


def cycles(program: Program) -> list[list[Edge]]:
    """The edges of cycles, one for each knot of steps that hang on one another. A cycle begins with the step that
    stands first in the file, and is the shortest that it is in."""
    if _is_in_order(program):
        return []
    import networkx as nx

    graph = _directed(program)
    knots = nx.strongly_connected_components(graph)
    tied = (knot for knot in knots if len(knot) > 1 or graph.has_edge(*(2 * tuple(knot))))
    found = sorted(tied, key=lambda knot: min(map(_index(program), knot)))
    return [_cycle(program, graph.subgraph(knot)) for knot in found]


def _directed(program: Program) -> Any:
    """A networkx DiGraph over the names; parallel edges are one in it. (Late: most files need none.)"""
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(program.nodes)
    graph.add_edges_from((edge.source, edge.target) for edge in (*program.edges, *program.lifted))
    return graph


def _cycle(program: Program, knot: Any) -> list[Edge]:
    import networkx as nx

    first = min(knot, key=_index(program))
    back = sorted(knot.predecessors(first), key=_index(program))
    names = [*min((nx.shortest_path(knot, first, name) for name in back), key=len), first]
    return [_edge(program, source, target) for source, target in pairwise(names)]


def _index(program: Program) -> Callable[[str], int]:
    return lambda name: program.nodes[name].index


def _edge(program: Program, source: str, target: str) -> Edge:
    edges = chain(program.edges, program.lifted)
    return next(edge for edge in edges if edge.source == source and edge.target == target)


def order(program: Program) -> list[str]:
    """The steps in an order in which they can run, as near to the file's as that allows. Those that never can, since
    they are in a cycle or come after one, are left out."""
    if _is_in_order(program):
        return list(program.nodes)
    import networkx as nx

    graph = _directed(program)
    tied = {edge.source for cycle in cycles(program) for edge in cycle}
    rest = graph.subgraph(set(graph) - tied.union(*(nx.descendants(graph, name) for name in tied)))
    return list(nx.lexicographical_topological_sort(rest, key=_index(program)))


def _is_in_order(program: Program) -> bool:
    """Whether the steps can run in the order of the file, as most can: then there is no cycle either."""
    nodes = program.nodes
    edges = chain(program.edges, program.lifted)
    return all(nodes[edge.source].index < nodes[edge.target].index for edge in edges)
