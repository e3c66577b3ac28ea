"""Plans for people: as text, as a comment on a pull request, and as annotations of GitHub's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sagewright.compiler.definition import DefinitionError, edges, parse, steps
from sagewright.compiler.difference import ABSENT, FieldChange, shown
from sagewright.compiler.fleet import Failure, Orphaned
from sagewright.compiler.permissions import of_triggers
from sagewright.compiler.plan import Plan
from sagewright.compiler.render import workflow_command

COMMENT_LENGTH = 60_000
"""Characters. GitHub takes 65,536; past this, details are left out."""

DONE = {"create": "created", "update": "updated", "recreate": "created anew", "unchanged": "left alone"}
_MARKS = {"create": "+", "update": "~", "recreate": "±", "unchanged": "="}
_CLASSES = {
    "added": "fill:#dafbe1,stroke:#1a7f37",
    "changed": "fill:#fff8c5,stroke:#9a6700",
    "removed": "fill:#ffebe9,stroke:#cf222e,stroke-dasharray:4",
    "again": "stroke:#9a6700,stroke-dasharray:4",
}
"""Mermaid's styles, in GitHub's own colours for additions, attention and removals."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out: `orphans` are None where nobody looked for them."""

    plans: Sequence[Plan]
    failures: Sequence[tuple[str, Failure]] = ()
    orphans: Sequence[Orphaned] | None = None

    @property
    def changes(self) -> bool:
        """Is there anything that upsert would do, or refuse to do?"""
        return any(plan.action != "unchanged" or plan.conflict for plan in self.plans)

    def by_target(self) -> dict[str, Report]:
        """What was found out of each target, in order; failures are not among it."""
        orphans = self.orphans or ()
        targets = dict.fromkeys([p.compilation.target for p in self.plans] + [o.target for o in orphans])
        return {
            target: Report(
                [plan for plan in self.plans if plan.compilation.target == target],
                orphans=[orphan for orphan in orphans if orphan.target == target],
            )
            for target in targets
        }

    def summary(self) -> str:
        """`1 to create, 2 to update, 17 unchanged`."""
        counts = Counter(plan.action for plan in self.plans)
        words = {
            "create": "to create",
            "update": "to update",
            "recreate": "to create anew",
            "unchanged": "unchanged",
        }
        said = [f"{counts[action]} {word}" for action, word in words.items() if counts[action]]
        said += [f"{len(self.orphans)} orphaned"] if self.orphans else []
        said += [f"{len(self.failures)} failed"] if self.failures else []
        return ", ".join(said) or "no pipelines"


def text(report: Report) -> Iterator[str]:
    """Lines for a terminal; those of what is unchanged are one each."""
    parts = report.by_target()
    for target, part in parts.items():
        if len(parts) > 1:
            yield f"── target {target}: {part.summary()}"
        for plan in part.plans:
            yield from plan.lines(full=True)
            if plan.conflict:
                yield f"  refused: {plan.conflict}"
        for orphan in part.orphans or ():
            yield f"orphaned pipeline {orphan.name}: its file is gone; upsert --prune deletes it"
    yield f"plan: {report.summary()}"


# -- GitHub's annotations ---------------------------------------------------------------------------------------------


def github(report: Report) -> Iterator[str]:
    """A workflow command for each pipeline that is not unchanged."""
    for plan in report.plans:
        if plan.conflict:
            yield _annotation(plan, "error", f"{plan.compilation.name}: {plan.conflict}")
        elif plan.action != "unchanged":
            yield _annotation(plan, "notice", "\n".join(plan.lines(full=True)))
    for orphan in report.orphans or ():
        yield workflow_command(
            "warning", {"title": "sagewright plan"}, f"{orphan.name} is orphaned: its file is gone"
        )
    for name, failure in report.failures:
        yield workflow_command("error", {"title": "sagewright plan"}, f"{name}: {failure.message}")


def _annotation(plan: Plan, command: str, message: str) -> str:
    return workflow_command(command, {"file": plan.compilation.source, "title": "sagewright plan"}, message)


# -- a comment on a pull request --------------------------------------------------------------------------------------


def markdown(report: Report) -> str:
    """A comment: what happens to each pipeline, folded differences, a graph. Cut where it would be too long."""
    of_targets = report.by_target()
    targets = f" for {', '.join(map(_code, of_targets))}" if of_targets else ""
    head = f"## sagewright plan{targets}\n\n**{report.summary()}**\n"
    parts = [head]
    length = len(head)
    target = None
    for plan in report.plans:
        if plan.action == "unchanged" and not plan.conflict:
            continue
        if len(of_targets) > 1 and plan.compilation.target != target:
            target = plan.compilation.target
            parts.append(f"## target {_code(target)}: {of_targets[target].summary()}\n")
        brief = "\n".join(_brief(plan))
        whole = f"{brief}\n{''.join(_details(plan))}"
        if length + len(whole) > COMMENT_LENGTH:
            whole = f"{brief}\n_The details are left out: the comment would be too long._\n"
        parts.append(whole)
        length += len(whole)
    parts += [
        f"\n- {_code(orphan.name)} (target {_code(orphan.target)}) is orphaned: its file is gone; `upsert --prune` deletes it\n"
        for orphan in report.orphans or ()
    ]
    parts += [f"\n- {_code(name)} failed: {_inline(failure.message)}\n" for name, failure in report.failures]
    unchanged = [p.compilation.name for p in report.plans if p.action == "unchanged" and not p.conflict]
    if unchanged:
        parts.append(_folded(f"{len(unchanged)} unchanged", ", ".join(map(_code, unchanged))))
    made = "\n".join(parts)
    return (
        made
        if len(made) <= COMMENT_LENGTH + 4_000
        else f"{head}\n{report.summary()}: too much for a comment.\n"
    )


def _brief(plan: Plan) -> Iterator[str]:
    yield f"### {_MARKS[plan.action]} {_code(plan.compilation.name)} will be {DONE[plan.action]}\n"
    if plan.conflict:
        yield f"> **refused**: {_inline(plan.conflict)}\n"
    yield from (f"- upload {_code(upload.asset.name)}" for upload in plan.uploads)
    yield from (f"- publish the Lambda function {_code(function.name)}" for function in plan.functions)
    for change in plan.changes:
        if change.what != "definition":
            yield f"- {change.what}: {_code(change.before or 'none')} → {_code(change.after or 'none')}"
    yield from (
        f"- tag {_code(c.what)}: {_code(c.before or 'none')} → {_code(c.after or 'none')}"
        for c in plan.tag_changes()
    )
    now = datetime.now(UTC)
    for change in plan.triggers:
        title, *rest = change.lines(now)
        yield f"- {_inline(title)}"
        yield from (f"  - {_inline(line)}" for line in rest)
    yield from (f"- :warning: {_inline(use)}" for use in plan.uses)
    yield from (f"- :hourglass: {_inline(str(miss))}" for miss in plan.comparison.misses)


def _details(plan: Plan) -> Iterator[str]:
    if plan.comparison:
        count = len(plan.comparison.steps)
        title = f"definition: {count} step{'' if count == 1 else 's'} changed" if count else "definition"
        yield _folded(title, _fenced("\n".join(_diff(plan)), "diff"))
    if plan.drift:
        yield _folded(
            "what somebody else has changed since it was deployed",
            _fenced("\n".join(plan.drift.lines()), "text"),
        )
    needed = [
        *map(_code, plan.permissions),
        *of_triggers(change.trigger for change in plan.triggers if change.trigger),
    ]
    if needed:
        yield _folded("permissions that the role newly needs", "\n".join(f"- {line}" for line in needed))
    graph = "\n".join(mermaid(plan))
    if graph:
        yield _folded("graph", _fenced(graph, "mermaid"))


def _diff(plan: Plan) -> Iterator[str]:
    yield from (line for field in plan.comparison.fields for line in _both(field, ""))
    for step in plan.comparison.steps:
        mark = {"added": "+", "removed": "-", "changed": "!"}[step.action]
        yield f"{mark} step {step.name} ({step.type})"
        yield from (line for field in step.fields for line in _both(field, "  "))


def _both(field: FieldChange, indent: str) -> Iterator[str]:
    if field.before is not ABSENT:
        yield f"- {indent}{field.path}: {shown(field.before)}"
    if field.after is not ABSENT:
        yield f"+ {indent}{field.path}: {shown(field.after)}"


def mermaid(plan: Plan) -> Iterator[str]:
    """The steps that will be and those that go, coloured by what becomes of them. Nothing for what cannot be read."""
    try:
        after = parse(plan.compilation.definition)
        before = parse(plan.deployed.definition) if plan.deployed else {}
    except DefinitionError:
        return
    became = {step.name: step.action for step in plan.comparison.steps}
    classes: dict[str, str] = dict.fromkeys((m.step for m in plan.comparison.misses), "again") | became
    gone = [step for step in steps(before) if became.get(step.name) == "removed"]
    ids = {step.name: f"s{index}" for index, step in enumerate((*steps(after), *gone))}
    yield "flowchart TD"
    for step in (*steps(after), *gone):
        label = f"{step.name}<br/>{step.type}".replace('"', "#quot;")
        style = f":::{classes[step.name]}" if step.name in classes else ""
        yield f'  {ids[step.name]}["{label}"]{style}'
    drawn = {(edge.source, edge.target): edge.reason for edge in edges(after)}
    for (source, target), reason in drawn.items():
        if source in ids and target in ids:
            yield f"  {ids[source]} {'-->' if reason == 'data' else '-.->'} {ids[target]}"
    yield from (f"  classDef {name} {style}" for name, style in _CLASSES.items())


def _folded(title: str, body: str) -> str:
    return f"\n<details><summary>{title}</summary>\n\n{body}\n</details>\n"


def _fenced(body: str, language: str) -> str:
    """A fence longer than any in the text, which so cannot end it."""
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}\n"


def _code(value: str) -> str:
    return f"`{' '.join(value.split()).replace('`', chr(39))}`"


def _inline(value: str) -> str:
    return " ".join(value.split()).replace("<", "&lt;")
