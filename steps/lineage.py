"""Record lineage: actions, artifacts and contexts, and how they are associated.

All four are AWS's lists, as AWS spells them. An association's ends are entities of the same step, `{Name, Type}`, or
ones that exist, `{Arn}`. Source: CreateAction, CreateArtifact and CreateContext in the SageMaker API reference; their
association, SDK 3.27.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS
from sagewright.compiler.kind import Context, StepKind, Sugar, present
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, Seq, origin, own_origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.types import Type

ENTITIES = {"actions": "Action", "artifacts": "Artifact", "contexts": "Context"}
"""Key → the type of the entities in it."""
ENDS = ("Source", "Destination")


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    if not any(body.get(key) for key in (*ENTITIES, "associations")):
        message = f"the step `{step.name}` records nothing"
        context.error(
            "SW202",
            message,
            step.name_origin,
            help=f"give it {listing([*ENTITIES, 'associations'], last='or')}",
        )
    for key in ENTITIES:
        _check_names(body, key, context)
    for association in body.get("associations") or ():
        for end in ENDS:
            if isinstance(association.get(end), Map):
                _check_end(association[end], end, body, context)
    return present(
        Actions=body.get("actions") or None,
        Artifacts=body.get("artifacts") or None,
        Contexts=body.get("contexts") or None,
        Associations=body.get("associations") or None,
    )


def _check_names(body: Map, key: str, context: Context) -> None:
    """Source: botocore, CreateArtifact.ArtifactName, and likewise of actions and contexts: "Must be unique to your account
    in an Amazon Web Services Region"."""
    member, seen = f"{ENTITIES[key]}Name", set[str]()
    entities = body.get(key)
    for entity in entities if isinstance(entities, Seq) else ():
        name = entity.get(member) if isinstance(entity, Map) else None
        if isinstance(name, str) and name in seen:
            message = f"this step makes two {key} called `{name}`"
            context.error("SW208", message, origin(entity, member), help="give each a name of its own")
        elif isinstance(name, str):
            seen.add(name)


def _check_end(end: Map, which: str, body: Map, context: Context) -> None:
    """An end is an entity of this step, or the ARN of one that exists. Source: SDK 3.27 refuses others."""
    at = own_origin(end)
    if ("Arn" in end) == ("Name" in end or "Type" in end) or ("Name" in end) != ("Type" in end):
        message = f"an association's `{which}` takes either `Arn`, or `Name` and `Type`"
        context.error("SW208", message, at)
        return
    if "Arn" in end or any(isinstance(end[member], EXPRESSIONS) for member in ("Name", "Type")):
        return
    name, kind = end["Name"], end["Type"]
    if not isinstance(name, str):
        return  # AWS's shape tells
    key = next((key for key, of in ENTITIES.items() if of == kind), None)
    if key is None:
        near = nearest(kind, ENTITIES.values()) if isinstance(kind, str) else None
        help = f"did you mean `{near}`?" if near else None
        message = f"`Type` takes {listing(ENTITIES.values(), last='or')}"
        context.error("SW204", message, origin(end, "Type"), help=help)
        return
    names = _names(body, key)
    if names is not None and name not in names:
        near = nearest(name, names)
        help = f"did you mean `{near}`?" if near else "an entity of another step is referred to by its `Arn`"
        context.error("SW302", f"this step makes no {kind.lower()} `{name}`", origin(end, "Name"), help=help)


def _names(body: Map, key: str) -> dict[str, Type | None] | None:
    """The names of the entities at `key`; None where one is not known when compiling."""
    made: dict[str, Type | None] = {}
    entities = body.get(key)
    for entity in entities if isinstance(entities, Seq) else ():
        name = entity.get(f"{ENTITIES[key]}Name") if isinstance(entity, Map) else None
        if not isinstance(name, str) or "${" in name:
            return None
        made[name] = Type.STRING
    return made


_END = {"Name": "ExperimentEntityName", "Type": "string", "Arn": "AssociationEntityArn"}
KIND = StepKind(
    name="lineage",
    type="Lineage",
    arguments=arguments,
    request={
        "Actions": ["CreateActionRequest"],
        "Artifacts": ["CreateArtifactRequest"],
        "Contexts": ["CreateContextRequest"],
        "Associations": [{"Source": _END, "Destination": _END, "AssociationType": "AssociationEdgeType"}],
    },
    omits=(
        *("Actions", "Artifacts", "Contexts", "Associations", "Associations.AssociationType"),
        *(f"Associations.{end}.{member}" for end in ENDS for member in _END),
    ),
    attributes=("ActionArns", "ArtifactArns", "ContextArns", "Associations"),
    sugar={
        f"{kind}Arns": Sugar(f"{kind}Arns['{{}}']", names=partial(_names, key=key))
        for key, kind in ENTITIES.items()
    },
)
