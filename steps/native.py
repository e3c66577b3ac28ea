"""A step type that has no kind yet, spelt as SageMaker spells it.

`arguments` and any other key of the step are taken as they are. A type that a kind makes is checked as that kind is; of
others nothing but the references is checked.

Unverified are the types of which AWS shows no more than what an execution tells of them: Athena (QueryExecutionId,
S3OutputLocation), HubContent (HubArn, HubContentArn), and BedrockCustomModel, BedrockCustomModelDeployment,
BedrockModelImport and BedrockProvisionedModelThroughput (Arn). Source: PipelineExecutionStepMetadata in botocore.
"""

from __future__ import annotations

from sagewright import steps
from sagewright.compiler.kind import Context, StepKind, emitted
from sagewright.compiler.model import Emitted, Step


def expand(step: Step, context: Context) -> list[Emitted]:
    extra = {key: value for key, value in step.body.items() if key[:1].isupper()}  # ours are in lower case
    kind = steps.of_type(step.body["type"]) or KIND
    return [
        emitted(step, step.name, kind, step.body.get("arguments", {}), type=step.body["type"], extra=extra)
    ]


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
