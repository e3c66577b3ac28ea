"""A definition made ready to be executed: its steps, what each waits for, its arguments as templates.

It does not change while executions run, and many may share one.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sagewright.compiler.definition import (
    DefinitionError,
    Edge,
    PlacedStep,
    Reference,
    edges,
    is_function,
    own_references,
    parse,
    steps,
)
from sagewright.compiler.engine.values import Segments, Template, path, prepare
from sagewright.compiler.suggest import nearest

TRIGGERS = ("Completed", "Failed", "Stopped", "Any")
CONTROL = frozenset({"Condition", "Fail", "ForEach"})
"""Types that run no job: they take no time, and no part of the parallelism."""


@dataclass(frozen=True, slots=True)
class Need:
    """A step waits for `source` to end as `when` says; a `branch` need also for it to take that branch.

    `data` marks a need that comes from a reference.
    """

    source: str
    when: str = "Completed"
    branch: str | None = None
    data: bool = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`interval` in seconds, `expire_after` in minutes; `max_attempts` counts retries."""

    errors: frozenset[str]
    interval: float
    backoff: float
    max_attempts: int | None
    expire_after: int | None


@dataclass(frozen=True, slots=True)
class Selector:
    """`Selector` of a ForEach: the iteration whose `body` step has the largest or smallest value at `field`."""

    pick: str
    body: str
    field: Segments


@dataclass(frozen=True, slots=True)
class Node:
    """A step. `arguments` is a template (of a Condition its `Conditions`, of a ForEach its `IterableItems`).

    `around` is a template of the step's other members. `siblings` are the names of the steps of the same ForEach body, of which `iteration` is one turn: references to
    them are to those of the same turn.
    """

    name: str
    type: str
    body: Mapping[str, Any]
    order: tuple[int, ...]
    needs: tuple[Need, ...]
    arguments: Template
    around: Template
    policies: tuple[RetryPolicy, ...] = ()
    children: tuple[Node, ...] = ()
    concurrency: int = 0
    selector: Selector | None = None
    parent: str | None = None
    siblings: frozenset[str] = frozenset()
    iteration: int | None = None

    def turn(self, index: int) -> Node:
        """This step of a ForEach body as it is run for the item at `index`."""
        needs = tuple(replace(need, source=f"{need.source}-{index}") for need in self.needs)
        return replace(
            self,
            name=f"{self.name}-{index}",
            order=(*self.order[:1], index, *self.order[1:]),
            needs=needs,
            iteration=index,
        )


@dataclass(frozen=True, slots=True)
class Blueprint:
    """All steps that stand outside ForEach bodies, by name, and who waits for whom."""

    definition: Mapping[str, Any]
    nodes: Mapping[str, Node]
    dependents: Mapping[str, tuple[str, ...]] = field(repr=False)
    bodies: Mapping[str, str] = field(default_factory=dict)
    """The names of the steps in ForEach bodies, and the ForEach of each."""


def blueprint(definition: str | Mapping[str, Any]) -> Blueprint:
    """Raises DefinitionError for what cannot be executed: no JSON, unknown steps, cycles, malformed functions."""
    data = parse(definition)
    placed = list(steps(data))
    _check_names(placed)
    needs = _needs(data, placed)
    children = {s.name: s.parent or "" for s in placed if s.branch == "ForEachBody"}
    nodes: dict[str, Node] = {}
    inner: dict[str, list[Node]] = {}
    for index, step in enumerate(placed):
        node = _node(step, index, tuple(needs[step.name]), children)
        if step.name in children:
            inner.setdefault(children[step.name], []).append(node)
        else:
            nodes[step.name] = node
    for name, body in inner.items():
        nodes[name] = _with_body(nodes[name], body)
    empty = next((node for node in nodes.values() if node.type == "ForEach" and not node.children), None)
    if empty is not None:
        raise DefinitionError(f"`{empty.name}` has no ForEachBody")
    _check_order(nodes)
    dependents: dict[str, list[str]] = {name: [] for name in nodes}
    for node in nodes.values():
        for source in dict.fromkeys(need.source for need in node.needs):
            dependents[source].append(node.name)
    return Blueprint(data, nodes, {name: tuple(found) for name, found in dependents.items()}, children)


def _check_names(placed: list[PlacedStep]) -> None:
    seen: set[str] = set()
    for step in placed:
        if not step.name or not step.type:
            raise DefinitionError(f"{step.path} has no {'Name' if not step.name else 'Type'}")
        if step.name in seen:
            raise DefinitionError(f"two steps are called `{step.name}`")
        arguments = step.body.get("Arguments")
        if not isinstance(arguments, Mapping) or is_function(arguments):
            raise DefinitionError(f"`{step.name}` has no Arguments")
        if step.branch == "ForEachBody" and step.type in CONTROL:
            raise DefinitionError(
                f"`{step.name}`: a step of type {step.type} cannot stand in a ForEach's body"
            )
        seen.add(step.name)


def _needs(data: Mapping[str, Any], placed: list[PlacedStep]) -> dict[str, list[Need]]:
    """What each step waits for. What a ForEach's body refers to outside of it, the ForEach itself waits for."""
    by_name = {step.name: step for step in placed}
    found: dict[str, dict[Need, None]] = {name: {} for name in by_name}
    for edge in edges(data):
        if edge.source not in by_name:
            near = nearest(edge.source, by_name)
            hint = f"; did you mean `{near}`?" if near else ""
            raise DefinitionError(f"`{edge.target}` waits for `{edge.source}`, which is no step{hint}")
        if edge.when not in TRIGGERS:
            raise DefinitionError(f"{edge.path}: unknown Trigger `{edge.when}`")
        source, target = by_name[edge.source], by_name[edge.target]
        if source.type == "Fail":
            raise DefinitionError(f"`{edge.target}` depends on the Fail step `{edge.source}`")
        owner = _holder(source, target)
        if owner is not None:
            found[owner][_need(edge, target)] = None
    return {name: list(needs) for name, needs in found.items()}


def _holder(source: PlacedStep, target: PlacedStep) -> str | None:
    """The step that waits: the ForEach for what lies outside its body, nobody for the body's own being in it."""
    inside = target.parent if target.branch == "ForEachBody" else None
    if source.branch == "ForEachBody" and source.parent != inside:
        raise DefinitionError(
            f"`{target.name}` refers to `{source.name}`, which stands in the body of `{source.parent}`: "
            f"outside, write `Steps.{source.parent}.IterationOutputs[0].{source.name}`"
        )
    if inside is None or source.parent == inside:
        return target.name
    return None if source.name == inside else inside


def _need(edge: Edge, target: PlacedStep) -> Need:
    branch = target.branch if edge.reason == "branch" else None
    return Need(edge.source, edge.when, branch, edge.reason == "data")


def _node(step: PlacedStep, index: int, needs: tuple[Need, ...], bodies: Mapping[str, str]) -> Node:
    arguments: Any = step.body["Arguments"]
    holder = bodies.get(step.name)
    member = {"Condition": "Conditions", "ForEach": "IterableItems"}.get(step.type)
    if member is not None:
        if member not in arguments:
            raise DefinitionError(f"`{step.name}` has no {member}")
        arguments = arguments[member]
    return Node(
        name=step.name,
        type=step.type,
        body=step.body,
        order=(index,),
        needs=needs,
        arguments=prepare(arguments),
        around=prepare({key: value for key, value in step.body.items() if key != "Arguments"}),
        policies=tuple(_policies(step)),
        parent=holder,
        siblings=frozenset(n for n, owner in bodies.items() if owner == holder) if holder else frozenset(),
    )


def _with_body(node: Node, body: list[Node]) -> Node:
    arguments = node.body["Arguments"]
    concurrency = arguments.get("MaxConcurrency")
    if not isinstance(concurrency, int) or concurrency < 1:
        raise DefinitionError(f"`{node.name}` wants a MaxConcurrency of at least 1")
    _check_order({child.name: child for child in body})
    order = node.order[0]
    return replace(
        node,
        children=tuple(replace(child, order=(order, place)) for place, child in enumerate(body)),
        concurrency=concurrency,
        selector=_selector(node, arguments.get("Selector"), {child.name for child in body}),
    )


def _selector(node: Node, written: Any, body: Container[str]) -> Selector | None:
    if written is None:
        return None
    field_ = written.get("Field") if isinstance(written, Mapping) else None
    target = field_.get("Get") if isinstance(field_, Mapping) else None
    pick = written.get("Pick") if isinstance(written, Mapping) else None
    if not isinstance(target, str) or pick not in ("MaxBy", "MinBy"):
        raise DefinitionError(f"`{node.name}`: a Selector wants `Pick`, MaxBy or MinBy, and a `Field`")
    reference = Reference(target, "")
    if reference.root != "IterationOutput" or reference.name not in body:
        raise DefinitionError(f"`{node.name}`: the Selector's Field `{target}` refers to no step of the body")
    return Selector(pick, reference.name, path(reference.rest))


def _policies(step: PlacedStep) -> Iterable[RetryPolicy]:
    written = step.body.get("RetryPolicies")
    for policy in written if isinstance(written, list) else ():
        errors = policy.get("ExceptionType") if isinstance(policy, Mapping) else None
        if not isinstance(errors, list) or not all(isinstance(error, str) for error in errors):
            raise DefinitionError(f"`{step.name}`: a retry policy wants a list of texts as its ExceptionType")
        attempts, expiry = _count(step, policy, "MaxAttempts"), _count(step, policy, "ExpireAfterMin")
        if attempts is not None and expiry is not None:
            raise DefinitionError(f"`{step.name}`: a retry policy with both MaxAttempts and ExpireAfterMin")
        if attempts is None and expiry is None:
            attempts = DEFAULT_ATTEMPTS
        interval, backoff = policy.get("IntervalSeconds", 1), policy.get("BackoffRate", 2.0)
        if not (_is_number(interval) and _is_number(backoff) and interval >= 0 and backoff >= 0):
            raise DefinitionError(
                f"`{step.name}`: a retry policy wants numbers as IntervalSeconds and BackoffRate"
            )
        yield RetryPolicy(frozenset(errors), interval, backoff, attempts, expiry)


def _count(step: PlacedStep, policy: Mapping[str, Any], member: str) -> int | None:
    value = policy.get(member)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise DefinitionError(f"`{step.name}`: {member} of a retry policy wants a number")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


DEFAULT_ATTEMPTS = 5
"""Of a policy that has neither attempts nor expiry. Source: developer guide, "Retry policy for pipeline steps"."""


def _check_order(nodes: Mapping[str, Node]) -> None:
    graph = {name: {n.source for n in node.needs if n.source in nodes} for name, node in nodes.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise DefinitionError(f"cycle: {' → '.join(f'`{name}`' for name in error.args[1])}") from None


def references(node: Node) -> list[Reference]:
    """The references of one step, those of the steps that it nests left out."""
    return list(own_references(PlacedStep(node.body, node.name)))
