"""A step type that has no kind yet, spelt as SageMaker spells it.

`arguments` and any other key of the step are taken as they are. A type that a kind makes is checked as that kind is; of
others nothing but the references is checked, and any property path goes.

Unverified are the types of which AWS shows no more than what an execution tells of them: Athena (QueryExecutionId,
S3OutputLocation), HubContent (HubArn, HubContentArn), and BedrockCustomModel, BedrockCustomModelDeployment,
BedrockModelImport and BedrockProvisionedModelThroughput (Arn). Source: PipelineExecutionStepMetadata in botocore.
"""

from __future__ import annotations

from collections.abc import Mapping

from sagewright import steps
from sagewright.compiler.kind import Context, StepKind, emitted
from sagewright.compiler.model import Emitted, Step
from sagewright.compiler.source import Map, origin
from sagewright.compiler.suggest import nearest

UNVERIFIED: Mapping[str, tuple[str, ...]] = {
    "Athena": ("QueryExecutionId", "S3OutputLocation"),
    "HubContent": ("HubArn", "HubContentArn"),
    "BedrockCustomModel": ("Arn",),
    "BedrockCustomModelDeployment": ("Arn",),
    "BedrockModelImport": ("Arn",),
    "BedrockProvisionedModelThroughput": ("Arn",),
}
"""The types that no kind makes, and what an execution tells of their steps. Source: PipelineExecutionStepMetadata in
botocore."""


def expand(step: Step, context: Context) -> list[Emitted]:
    beside = {key: value for key, value in step.body.items() if key[:1].isupper()}  # ours are in lower case
    extra = Map(beside, step.body.node)
    type = step.body["type"]
    kind = steps.of_type(type) or KIND
    if kind is KIND and type not in UNVERIFIED:
        _warn_of_unknown(step, context)
    return [emitted(step, step.name, kind, step.body.get("arguments", {}), type=type, extra=extra)]


def _warn_of_unknown(step: Step, context: Context) -> None:
    """Neither a kind's type nor one that AWS tells of: new, or a slip."""
    type = step.body["type"]
    kinds = (steps.find(name) for name in steps.names())
    known = {kind.type for kind in kinds if kind is not None and kind.type} | UNVERIFIED.keys()
    near = nearest(type, sorted(known))
    help = f"did you mean `{near}`?" if near else None
    message = f"the step type `{type}`: neither the SDK nor botocore has it"
    context.error("SW902", message, origin(step.body, "type"), help=help)


KIND = StepKind(
    name="native",
    type="",
    expand=expand,
    cacheable=True,
    retryable=(
        "Step.SERVICE_FAULT",
        "Step.THROTTLING",
        "SageMaker.JOB_INTERNAL_ERROR",
        "SageMaker.CAPACITY_ERROR",
        "SageMaker.RESOURCE_LIMIT",
    ),
)
