"""Plans as JSON: to be read by machines, and kept until somebody says that they shall be carried out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagewright.compiler.difference import ABSENT, Comparison, FieldChange
from sagewright.compiler.drift import Drift
from sagewright.compiler.fleet import Orphaned
from sagewright.compiler.plan import Deployed, Plan, Refused
from sagewright.compiler.trigger_changes import TriggerChange

VERSION = 1


@dataclass(frozen=True, slots=True)
class Kept:
    """What a plan file says of one pipeline."""

    name: str
    target: str
    source: str
    action: str
    digest: str
    deployed: str | None
    project: str | None
    region: str | None
    account: str | None
    triggers: Any


def to_data(plans: Iterable[Plan], orphans: Iterable[Orphaned]) -> dict[str, Any]:
    """Plans as plain data."""
    return {
        "version": VERSION,
        "pipelines": [_plan(plan) for plan in plans],
        "orphans": [
            {
                "pipeline": orphan.name,
                "target": orphan.target,
                "region": orphan.region,
                "arn": orphan.orphan.deployed.arn,
            }
            for orphan in orphans
        ],
    }


def _plan(plan: Plan) -> dict[str, Any]:
    compilation = plan.compilation
    return {
        "pipeline": compilation.name,
        "project": compilation.project,
        "target": compilation.target,
        "region": compilation.region,
        "account": compilation.account,
        "source": compilation.source,
        "action": plan.action,
        "digest": plan.digest,
        "deployed": fingerprint(plan.deployed),
        "conflict": plan.conflict,
        "changes": [{"what": c.what, "before": c.before, "after": c.after} for c in plan.changes],
        "tags": [{"key": c.what, "before": c.before, "after": c.after} for c in plan.tag_changes()],
        **comparison(plan.comparison),
        "drift": _drift(plan.drift),
        "permissions": list(plan.permissions),
        "uploads": [upload.uri for upload in plan.uploads],
        "functions": [f"{function.name}:{function.alias}" for function in plan.functions],
        "triggers": [_trigger(change) for change in plan.triggers],
        "uses": list(plan.uses),
    }


def _trigger(change: TriggerChange) -> dict[str, Any]:
    trigger = change.trigger
    return {
        "name": change.name,
        "kind": change.kind,
        "action": change.action,
        "about": trigger.about if trigger else None,
        "role": trigger.role if trigger else None,
        "parameters": dict(trigger.parameters) if trigger else {},
        "enabled": trigger.enabled if trigger else None,
        "changes": [{"what": f.what, "before": f.before, "after": f.after} for f in change.fields],
    }


def comparison(found: Comparison) -> dict[str, Any]:
    """A comparison as plain data."""
    return {
        "fields": [_field(field) for field in found.fields],
        "steps": [
            {"name": s.name, "type": s.type, "action": s.action, "fields": [_field(f) for f in s.fields]}
            for s in found.steps
        ],
        "cache_misses": [
            {"step": m.step, "fields": list(m.fields), "through": m.through} for m in found.misses
        ],
    }


def _drift(found: Drift | None) -> dict[str, Any] | None:
    if found is None:
        return None
    sides = {"theirs": comparison(found.theirs), "ours": comparison(found.ours)}
    return {"since_version": found.version, **sides, "both": list(found.both)}


def _field(field: FieldChange) -> dict[str, Any]:
    sides = {"before": field.before, "after": field.after}
    return {"path": field.path, **{key: value for key, value in sides.items() if value is not ABSENT}}


def fingerprint(deployed: Deployed | None) -> str | None:
    """The same for the same state of a pipeline in AWS; None where there is none."""
    if deployed is None:
        return None
    state = (
        deployed.arn,
        deployed.definition if deployed.digest == "unreadable" else deployed.digest,
        *(deployed.role, deployed.display_name, deployed.description, deployed.parallelism),
        sorted(deployed.tags.items()),
        deployed.deleting,
        [(t.kind, t.name, [sorted(part.items()) for part in t.parts]) for t in deployed.triggers],
    )
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()


def read(text: str) -> list[Kept]:
    """The plans of a file. Raises Refused."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise Refused(
                f"the plan is of version {data['version']}, this reads {VERSION}", "make another plan"
            )
        return [_kept(entry) for entry in data["pipelines"]]
    except (ValueError, KeyError, TypeError):
        raise Refused("this is no plan", "`sagewright plan --out plan.json` writes one") from None


def _kept(entry: Mapping[str, Any]) -> Kept:
    always = [entry[name] for name in ("pipeline", "target", "source", "action", "digest")]
    sometimes = [entry[name] for name in ("deployed", "project", "region", "account")]
    if not all(isinstance(value, str) for value in (*always, *(v for v in sometimes if v is not None))):
        raise TypeError
    return Kept(*always, *sometimes, triggers=entry["triggers"])


def require_same(kept: Sequence[Kept], plans: Sequence[Plan]) -> None:
    """Raise Refused where the world, or what is wanted of it, is not what it was when the plan was made."""
    now = {(plan.compilation.name, plan.compilation.target): plan for plan in plans}
    then = {(entry.name, entry.target): entry for entry in kept}
    moved = [f"`{name}` is not in the plan" for name, target in now if (name, target) not in then]
    for key, entry in then.items():
        plan = now.get(key)
        if plan is not None and plan.compilation.project != entry.project:
            raise Refused(
                f"the plan is of the project `{entry.project or 'without a name'}`, "
                f"and this is `{plan.compilation.project or 'without a name'}`",
                "carry it out in its own project, or make another plan",
            )
        if plan is None:
            moved.append(f"`{entry.name}` (target {entry.target}) is in the plan, and not in this project")
        elif (plan.compilation.region, plan.compilation.account) != (entry.region, entry.account):
            moved.append(f"`{entry.name}` was planned for another account or region")
        elif fingerprint(plan.deployed) != entry.deployed:
            moved.append(f"`{entry.name}` was changed in AWS since")
        elif (plan.digest, plan.action, [*map(_trigger, plan.triggers)]) != (
            entry.digest,
            entry.action,
            entry.triggers,
        ):
            moved.append(f"`{entry.name}` is not what was planned: its files, or its assets, changed since")
    if moved:
        more = f", and {len(moved) - 3} more" if len(moved) > 3 else ""
        raise Refused(
            f"the plan is out of date: {'; '.join(moved[:3])}{more}", "make another plan, and read it"
        )
