"""Delete what earlier steps wrote to S3.

Of a training step SageMaker knows what that is; of a processing or transform step `uris` says it, object by object.
It runs after these steps, and cannot clean up after one that runs in a VPC. Source: SDK 3.27; nobody has tried it on
the service.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.expression import StepRef
from sagewright.compiler.kind import Context, StepKind, emitted, present
from sagewright.compiler.model import Dependency, Emitted, Step
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin
from sagewright.compiler.suggest import listing
from sagewright.steps._job import type_of

KNOWN = ("Training", "Athena")
"""Types of which SageMaker knows what they wrote. Source: SDK 3.27, `S3CleanupSource`."""
LOCATIONS = ("S3Uri", "S3OutputPath")
"""Members of jobs that say below what their outputs are."""
LISTED = ("Processing", "Transform")
"""Types of which only the objects in `uris` are deleted."""


def expand(step: Step, context: Context) -> list[Emitted]:
    sources = step.body["steps"]
    resources = [_resource(sources, index, context) for index in range(len(sources))]
    named = {dependency.step for dependency in step.depends_on}
    after = tuple(
        Dependency(resource["StepName"], origin=_place(sources, index))
        for index, resource in enumerate(resources)
        if resource["StepName"] not in named
    )
    arguments = {"Resources": {"S3": resources}}
    return [emitted(step, step.name, KIND, arguments, depends_on=(*step.depends_on, *after))]


def _resource(sources: Seq, index: int, context: Context) -> dict[str, Any]:
    entry = sources[index]
    name, uris = (entry["step"], entry.get("uris")) if isinstance(entry, Map) else (entry, None)
    at = _place(sources, index)
    if name in [_name(earlier) for earlier in sources[:index]]:
        context.error("SW208", f"the step `{name}` is cleaned up twice", at)
    source = context.find_step(name, at)
    if source is not None:
        _check(source, entry if isinstance(entry, Map) else Map(), at, context)
    return present(StepName=name, S3Uris=uris)


def _name(entry: Any) -> Any:
    return entry["step"] if isinstance(entry, Map) else entry


def _place(sources: Seq, index: int) -> Origin | None:
    entry = sources[index]
    return origin(entry, "step") if isinstance(entry, Map) else origin(sources, index)


def _check(source: Step, entry: Map, at: Origin | None, context: Context) -> None:
    kind, uris = type_of(source), entry.get("uris")
    if kind not in (*KNOWN, *LISTED):
        message = f"a step of type {kind} writes nothing that can be cleaned up"
        context.error("SW208", message, at, help=f"steps of type {listing((*KNOWN, *LISTED))} do")
    elif kind in LISTED and not uris:
        message = f"of the step `{source.name}`, SageMaker deletes only the objects that `uris` names"
        context.error("SW202", message, at, help=f"`{{step: {source.name}, uris: [s3://..]}}`")
    elif kind in KNOWN and uris:
        message = f"of the step `{source.name}`, SageMaker finds out itself what to delete"
        context.error("SW208", message, key_origin(entry, "uris"), help="leave `uris` out")
    else:
        _check_objects(source, uris or Seq(), context)
    if _is_in_vpc(source):
        context.error(
            "SW208", f"the step `{source.name}` runs in a VPC, and SageMaker cleans up after no such step", at
        )


def _check_objects(source: Step, uris: Seq, context: Context) -> None:
    """Each URI is that of one object, below an output of the step. Source: SDK 3.27, `S3CleanupSource`."""
    outputs = _outputs(source)
    for index, uri in enumerate(uris):
        if isinstance(uri, StepRef) and uri.path.endswith(LOCATIONS):
            message = "this is where objects stand, and only objects can be named"
            help = "add the object's name: `${..}/part.csv`"
            context.error("SW205", message, uri.origin, help=help)
        elif isinstance(uri, str) and outputs is not None and not uri.startswith(outputs):
            message = f"`{uri}` is below no output of the step `{source.name}`"
            notes = (
                (f"its outputs are {listing(outputs)}",)
                if outputs
                else ("it has none whose place is known before it runs",)
            )
            context.error("SW205", message, origin(uris, index), notes=notes)


def _outputs(source: Step) -> tuple[str, ...] | None:
    """Where a step writes in every execution, as folders; None where that is not known. (A default destination is one
    execution's own.)"""
    if source.kind.name not in ("processing", "transform") or source.api is not None:
        return None
    outputs = source.body.get("outputs", Map())
    if not isinstance(outputs, Map):  # told already
        return None
    given = [entry.get("destination") for entry in outputs.values() if isinstance(entry, Map)]
    given = [found for found in (*given, source.body.get("output")) if found is not None]
    if not all(isinstance(found, str) for found in given):
        return None
    return tuple(f"{found.rstrip('/')}/" for found in given)


def _is_in_vpc(source: Step) -> bool:
    network = source.body.get("network")
    found = isinstance(network, Map) and ("subnets" in network or "security_groups" in network)
    for request in (source.body.get("arguments") if source.kind.name == "native" else None, source.api):
        inner = request.get("NetworkConfig") if isinstance(request, Map) else None
        for members in (request, inner):
            if isinstance(members, Map) and "VpcConfig" in members:
                found = members["VpcConfig"] is not None
    return found


KIND = StepKind(
    name="cleanup",
    type="Cleanup",
    expand=expand,
    request={"Resources": {"S3": [{"StepName": "string", "S3Uris": ["S3Uri"]}]}},
    omits=("Resources.S3.S3Uris",),
    attributes=(),
)
