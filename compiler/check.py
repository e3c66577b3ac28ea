"""What must hold of a program as a whole: names, the order of steps, branches, limits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sagewright.compiler import graph
from sagewright.compiler.diagnostics import Related, Sink, Span
from sagewright.compiler.expression import JsonGet, StepRef, operands, uses
from sagewright.compiler.frames import Frame
from sagewright.compiler.graph import Edge, Node, Program
from sagewright.compiler.model import Step
from sagewright.compiler.source import Origin, origin, own_origin
from sagewright.compiler.suggest import listing, nearest

MAX_NAME = 64
_BRANCHES = frozenset({"IfSteps", "ElseSteps", "ForEachBody"})
CHILD = "-99"
"""How the name of a loop's child may end: items that are written out are at most 100."""


def _span(place: Origin | None) -> Span | None:
    return place.span() if place else None


def check_names(program: Program, sink: Sink) -> None:
    """Every emitted name is unique and short enough; the error names both origins."""
    for first, second in program.clashes:
        sink.within = second.source.frame
        if first.source.name == first.name and second.source.name == second.name:
            continue  # written twice: told when it was read
        related = [Related(f"`{first.source.name}` makes it too", first.source.name_origin.span())]
        message = f"the step `{second.source.name}` makes a step `{second.name}`, and that name is taken"
        sink.report("SW311", message, second.source.name_origin.span(), related=related)
    for name, node in program.nodes.items():
        if len(name) > MAX_NAME and name != node.step.source.name:
            sink.within = node.step.source.frame
            message = f"the step `{node.step.source.name}` makes a step `{name}`: {len(name)} characters, the most is {MAX_NAME}"
            sink.report("SW703", message, node.step.source.name_origin.span())
    _check_written_names(program, sink)
    _check_children(program, sink)


def _written_steps(program: Program) -> Iterator[tuple[str, Node]]:
    """The names of steps that are written out in the Arguments of native steps, and the step that each stands in."""
    for node in program.nodes.values():
        if node.step.source.kind.name == "native" and isinstance(node.step.arguments, dict):
            for member in sorted(_BRANCHES & node.step.arguments.keys()):
                nested = node.step.arguments[member]
                for step in nested if isinstance(nested, list) else ():
                    if isinstance(step, dict) and isinstance(step.get("Name"), str):
                        yield step["Name"], node


def _check_written_names(program: Program, sink: Sink) -> None:
    taken = {name: node.step.source.name_origin for name, node in program.nodes.items()}
    for name, node in _written_steps(program):
        place = own_origin(name) or node.step.source.name_origin
        first = taken.setdefault(name, place)
        if first is not place:
            sink.within = node.step.source.frame
            related = [Related(f"`{name}` stands here too", first.span())]
            message = f"the step `{node.step.name}` holds a step `{name}`, and that name is taken"
            sink.report("SW311", message, place, related=related)


def _check_children(program: Program, sink: Sink) -> None:
    """What SageMaker calls the children of a loop's steps, `<step>-<number>`, is no other step's name, and not too long."""
    loops = program.pipeline.loops()
    bodies = {name: node for name, node in program.nodes.items() if node.step.source.name in loops}
    for name, node in program.nodes.items() if bodies else ():
        base, _, number = name.rpartition("-")
        parent = bodies.get(base) if number.isdigit() else None
        if parent is not None:
            loop = loops[parent.step.source.name].name
            related = [
                Related(f"`{loop}` runs `{base}` for each item", parent.step.source.name_origin.span())
            ]
            message = f"`{name}` is what a child of `{base}` is called: `{base}-0`, `{base}-1` and so on"
            sink.report("SW311", message, node.step.source.name_origin.span(), related=related)
    for name, node in bodies.items():
        if MAX_NAME - len(CHILD) < len(name) <= MAX_NAME:
            message = f"the children of `{name}` are called `{name}{CHILD}` and so on: {len(name) + len(CHILD)} characters, the most is {MAX_NAME}"
            sink.report("SW703", message, node.step.source.name_origin.span())


def check_bodies(program: Program, sink: Sink) -> None:
    """No step stands in the body of a loop that SageMaker does not take there."""
    loops = program.pipeline.loops()
    for step in program.pipeline.every_step() if loops else ():
        holder = loops.get(step.name)
        if holder is None or holder.kind.loop is None or holder.name != step.parent:
            continue
        type = _type(step)
        if type in holder.kind.loop.excludes:
            sink.within = step.frame
            place = origin(step.body, "kind") or step.name_origin
            message = f"a {type} step cannot stand in the body of `{holder.name}`"
            related = [Related(f"`{holder.name}` runs it for each item", holder.name_origin.span())]
            help = f"move `{step.name}` out: `steps.{holder.name}` gives it what each iteration had"
            sink.report("SW506", message, place, help=help, related=related)


def check_dependencies(program: Program, sink: Sink) -> None:
    """`depends_on` names steps that are there, and that something may depend on."""
    steps = {step.name: step for step in program.pipeline.every_step()}
    loops = program.pipeline.loops()
    for step in steps.values():
        sink.within = step.frame
        for dependency in step.depends_on:
            _check_dependency(step, dependency.step, dependency.origin, steps, program, sink)
            if dependency.step in steps:
                way = "depend on {}: it ends when all of its children have"
                _check_scope(step, steps[dependency.step], dependency.origin, loops, sink, way)
    taken = {
        first.name for first, _ in program.clashes
    }  # told already, and nobody knows which of the two is meant
    for edge in program.edges:
        if edge.reason != "data" or edge.source in taken:
            continue
        if program.nodes[edge.source].step.type == "Fail":
            sink.within = program.nodes[edge.target].step.source.frame
            message = f"`{edge.target}` refers to `{edge.source}`, and nothing comes after a Fail step"
            sink.report("SW503", message, edge.origin)


def _check_dependency(
    step: Step, name: str, place: Origin | None, steps: dict[str, Step], program: Program, sink: Sink
) -> None:
    other = steps.get(name)
    if other is None:
        if name in program.nodes or name in program.unknowable:
            return
        _report_unknown(name.removeprefix(step.frame.full("")), place, step.frame, sink)
    elif _type(other) == "Fail":
        related = [Related(f"`{name}` ends the execution", other.name_origin.span())]
        message = f"`{step.name}` depends on `{name}`, and nothing comes after a Fail step"
        sink.report("SW503", message, place, related=related)
    elif _type(other) == "Condition":
        message = f"`{step.name}` depends on the condition `{name}`: SageMaker has rejected that"
        outcome = f"`steps.{name}.outcome`"
        if other.frame is not step.frame:
            outcome = "an output of the component, its `outcome`,"
        sink.report("SW903", message, place, help=f"use {outcome} in an `if:`, or depend on steps")


def _type(step: Step) -> str:
    """What SageMaker calls a step's type."""
    return str(step.body.get("type")) if step.kind.name == "native" else step.kind.type


def _report_unknown(name: str, place: Origin | None, frame: Frame, sink: Sink) -> None:
    if frame.is_lost(name):
        return
    near = nearest(name, frame.entries)
    help = f"did you mean `{near}`?" if near else None
    if any(name in outer.entries for outer in frame.chain() if outer is not frame):
        help = "a component sees its own steps only"
    notes = [] if help else [f"there are {listing(list(frame.entries))}"]
    sink.report("SW301", f"unknown step `{name}`", place, help=help, notes=notes)


def _check_scope(
    step: Step, other: Step, place: Origin | None, loops: Mapping[str, Step], sink: Sink, way: str
) -> None:
    """A step waits for steps that it sees: those of a loop's body see one another, and the loop is seen from outside.
    `way` says what to do instead, `{}` standing for the loop."""
    own, loop = loops.get(step.name), loops.get(other.name)
    if own is other:
        message = f"`{step.name}` stands in the body of `{other.name}`, and cannot wait for it"
        sink.report("SW313", message, place)
    elif loop is not None and loop is not own:
        message = f"`{other.name}` stands in the body of `{loop.name}`, and `{step.name}` outside of it"
        sink.report("SW313", message, place, help=way.format(f"`{loop.name}`"))


def check_cycles(program: Program, sink: Sink) -> None:
    """No step comes after itself. A cycle is shown as a path, with the place of each edge."""
    for found in graph.cycles(program):
        path = " → ".join(f"`{name}`" for name in [found[0].source, *(edge.target for edge in found)])
        related = [Related(_why(edge), span) for edge in found if (span := _span(edge.origin)) is not None]
        sink.within = program.nodes[found[0].target].step.source.frame
        span = _span(found[0].origin) or program.nodes[found[0].target].step.source.name_origin.span()
        sink.report("SW501", f"cycle: {path}", span, related=related)


def _why(edge: Edge) -> str:
    if edge.reason == "data":
        return f"`{edge.target}` uses `{edge.source}`"
    if edge.reason == "branch":
        return f"`{edge.target}` stands in a branch of `{edge.source}`"
    return f"`{edge.target}` depends on `{edge.source}`"


def check_branches(program: Program, sink: Sink) -> None:
    """A step refers only to steps that have run when it runs, and does not join branches of which one is not taken."""
    needs: dict[str, frozenset[tuple[str, str]]] = {}
    incoming: dict[str, list[Edge]] = {name: [] for name in program.nodes}
    for edge in (*program.edges, *program.lifted):
        incoming[edge.target].append(edge)
    for name in graph.order(program):
        needs[name] = _branches_needed(program, name, incoming[name], needs, sink)


def _branches_needed(
    program: Program,
    name: str,
    incoming: list[Edge],
    needs: dict[str, frozenset[tuple[str, str]]],
    sink: Sink,
) -> frozenset[tuple[str, str]]:
    """The branches that must be taken for a step to run; what contradicts itself is reported once, where it begins."""
    node = program.nodes[name]
    sink.within = node.step.source.frame
    conditional = (one for one in node.context if program.nodes[one[0]].step.source.kind.loop is None)
    found: dict[tuple[str, str], Edge | None] = dict.fromkeys(conditional)
    asked = [edge.source for edge in incoming if edge.reason in ("order", "run condition")]
    """What the step says that it comes after: it runs only where that has run."""
    opted = set(found).union(*(needs[source] for source in asked))
    for edge in incoming:
        needed = needs[edge.source]
        if not needed or edge.reason in ("run condition", "branch"):
            continue
        outside = [branch for branch in needed if branch not in opted]
        conflict = next((b for b in needed if any(b[0] == o[0] and b[1] != o[1] for o in found)), None)
        if conflict is not None:
            _report_never(program, name, conflict, found, edge, sink)
            return frozenset()  # nothing downstream is told again
        own = program.nodes[edge.source].context
        if outside and edge.reason == "data" and edge.source not in asked and any(b in own for b in outside):
            _report_outside(program, edge, sink)
        found.update((branch, edge) for branch in needed if branch not in found)
    _check_contradiction(name, incoming, sink)
    return frozenset(found)


def _report_never(
    program: Program,
    name: str,
    conflict: tuple[str, str],
    found: dict[tuple[str, str], Edge | None],
    edge: Edge,
    sink: Sink,
) -> None:
    condition = conflict[0]
    other = next(o for o in found if o[0] == condition and o[1] != conflict[1])
    first = found[other]
    related = [Related(_why(e), span) for e in (first, edge) if e is not None and (span := _span(e.origin))]
    message = (
        f"`{name}` can never run: it needs both branches of `{condition}`, and one of them is always skipped"
    )
    span = _span(edge.origin) or program.nodes[name].step.source.name_origin.span()
    sink.report("SW504", message, span, related=related)


def _report_outside(program: Program, edge: Edge, sink: Sink) -> None:
    condition, member = program.nodes[edge.source].context[-1]
    branch = {"IfSteps": "then", "ElseSteps": "else"}.get(member, member)
    message = f"`{edge.source}` stands in `{branch}` of `{condition}`, and may not have run when `{edge.target}` needs it"
    help = f"move `{edge.target}` into that branch"
    notes = [f"with `depends_on: [{edge.source}]` it says that it runs only where the branch is taken"]
    sink.report("SW502", message, edge.origin, help=help, notes=notes)


def _check_contradiction(name: str, incoming: list[Edge], sink: Sink) -> None:
    """A step that runs where another one failed cannot use what that one returned."""
    failed = {
        edge.source: edge
        for edge in incoming
        if edge.reason == "run condition" and edge.when in ("Failed", "Stopped")
    }
    for edge in incoming:
        other = failed.get(edge.source)
        if (
            other is not None
            and edge.reason == "run condition"
            and {edge.when, other.when} == {"Failed", "Stopped"}
        ):
            message = f"`{name}` can never run: `{edge.source}` would have to fail and to be stopped"
            help = f"`when: any` runs it however `{edge.source}` ends"
            sink.report("SW504", message, edge.origin, help=help)
            return
        if edge.reason in ("data", "order") and edge.source in failed:
            span = _span(failed[edge.source].origin)
            related = [Related(f"it runs only where `{edge.source}` did not succeed", span)] if span else []
            message = f"`{name}` can never run: it needs that `{edge.source}` succeeded, and that it did not"
            sink.report("SW504", message, edge.origin, related=related)
            return


def check_written_out(program: Program, sink: Sink) -> None:
    """`{Get: Parameters.X}` and `{Get: Steps.S...}`, as they may stand in `api:` and in native steps, name what is there."""
    written_names = {name for name, _ in _written_steps(program)}
    known = {
        "Parameters": ("SW303", "parameter", program.pipeline.parameters.keys()),
        "Steps": ("SW301", "step", program.nodes.keys() | program.unknowable | written_names),
    }
    loops = program.pipeline.loops()
    for node in program.nodes.values():
        sink.within = node.step.source.frame
        found = (*node.uses, *uses(node.step.source.step_api))
        for text in (use["Get"] for use in found if isinstance(use, dict)):
            root, name = (*re.split(r"[.\[]", text)[:2], "")[:2]
            if root in ("ForEach", "Steps"):
                _check_written_scope(text, root, program.nodes.get(name), node, loops, sink)
            code, what, names = known.get(root, ("", "", (name,)))
            if name not in names:
                near = nearest(name, names)
                whole, start = own_origin(text), len(root) + 1
                place = (
                    Origin(whole.node, start, start + len(name)) if whole else node.step.source.name_origin
                )
                help = f"did you mean `{near}`?" if near else None
                sink.report(code, f"unknown {what} `{name}`", place.span(), help=help)


def _check_written_scope(
    text: str, root: str, other: Node | None, node: Node, loops: Mapping[str, Step], sink: Sink
) -> None:
    place = own_origin(text) or node.step.source.name_origin
    if root == "ForEach" and node.step.source.name not in loops:
        sink.report("SW313", f"`{text}` stands only in the body of a foreach", place)
    elif other is not None and other is not node:
        way = "refer to {}, which has what each iteration gave"
        _check_scope(node.step.source, other.step.source, place, loops, sink, way)


def check_outset(program: Program, sink: Sink) -> None:
    """What holds for an execution as a whole is worked out as it begins, when no step has run."""
    sink.within = None
    for key, value in (("experiment", program.pipeline.experiment), ("mlflow", program.pipeline.mlflow)):
        for operand in (operand for use in uses(value) for operand in operands(use)):
            if isinstance(operand, (StepRef, JsonGet)):
                message = f"`{key}` is worked out as an execution begins: no step has run by then"
                help = "it takes text, `parameters` and `execution`"
                sink.report("SW313", message, operand.origin, help=help)


CHECKS: tuple[Callable[[Program, Sink], None], ...] = (
    check_names,
    check_bodies,
    check_dependencies,
    check_cycles,
    check_branches,
    check_written_out,
    check_outset,
)


def check(program: Program, sink: Sink) -> None:
    for one in CHECKS:
        one(program, sink)
    sink.within = None
