"""Place a model on an endpoint's instances, beside others; create it, or update it where it exists.

The endpoint's configuration names a role, and its variants name no model. Source: CreateInferenceComponent in the
SageMaker API reference; that the step also updates, SDK 3.27.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, StepKind, Sugar, present, tag_list
from sagewright.compiler.merge import patch
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, origin

_PLACED = frozenset({"Specification", "Specifications"})


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    specification = present(ModelName=body.get("model"), ComputeResourceRequirements=_resources(body) or None)
    made = present(
        InferenceComponentName=body["name"],
        EndpointName=body["endpoint"],
        VariantName=body.get("variant"),
        Specification=specification or None,
        RuntimeConfig=present(CopyCount=body.get("copies", 1)) or None,
        Tags=tag_list(step.tags),
    )
    if body.get("copies") is None and _PLACED.isdisjoint(patch(made, step.api) if step.api else made):
        message = f"the step `{step.name}` says nothing of what is placed: it lacks the key `model`"
        context.error("SW202", message, step.name_origin)
    return made


def _resources(body: Map) -> Map:
    """What each copy needs, at the place of what is given first: AWS wants memory beside processors."""
    found = present(
        NumberOfCpuCoresRequired=body.get("cpus"),
        NumberOfAcceleratorDevicesRequired=body.get("accelerators"),
        MinMemoryRequiredInMb=body.get("memory_mb"),
    )
    at = next((origin(body, key) for key in ("cpus", "accelerators") if key in body), None)
    return Map(found, at.node if at else None)


KIND = StepKind(
    name="inference_component",
    type="InferenceComponent",
    arguments=arguments,
    request="CreateInferenceComponent",
    properties="DescribeInferenceComponentOutput",
    sugar={"name": Sugar("InferenceComponentName")},
    named_after={"model": "model", "endpoint": "endpoint"},
)
