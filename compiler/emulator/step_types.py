"""The step types that SageMaker knows, and what their steps may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class Invalid(Exception):
    """What SageMaker would refuse, in its words."""


BASE = frozenset({"Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description"})
CACHE = frozenset({"CacheConfig"})
RETRY = frozenset({"RetryPolicies"})
BASELINES = frozenset(
    {
        *("CheckType", "ModelPackageGroupName", "SkipCheck", "FailOnViolation", "RegisterNewBaseline"),
        *("SuppliedBaselineConstraints", "SuppliedBaselineStatistics", "ModelName"),
    }
)


@dataclass(frozen=True, slots=True)
class StepType:
    """`request` is the operation whose input `Arguments` must match, `omits` what of it may be absent, `forbids` what
    Pipelines does not take; `response` is the shape of its properties (None: any go)."""

    request: str | None = None
    response: str | None = None
    omits: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    extra: frozenset[str] = frozenset()

    @property
    def members(self) -> frozenset[str]:
        return BASE | self.extra


def _job(name: str, extra: frozenset[str], forbids: tuple[str, ...] = ()) -> StepType:
    return StepType(f"Create{name}", f"Describe{name}Response", (f"{name}Name",), forbids, extra)


STEP_TYPES: Mapping[str, StepType] = {
    "Processing": _job("ProcessingJob", CACHE | RETRY | {"PropertyFiles"}),
    "Training": _job("TrainingJob", CACHE | RETRY),
    "Tuning": _job("HyperParameterTuningJob", CACHE | RETRY),
    "Transform": _job("TransformJob", CACHE | RETRY),
    "AutoML": _job(
        "AutoMLJob",
        CACHE | RETRY,
        forbids=("ModelDeployConfig", "GenerateCandidateDefinitionsOnly"),
    ),
    "Job": _job("Job", CACHE | RETRY),
    "Model": StepType("CreateModel", "DescribeModelOutput", ("ModelName",), extra=RETRY),
    "RegisterModel": StepType(
        "CreateModelPackage",
        "DescribeModelPackageOutput",
        forbids=("ModelPackageName", "CertifyForMarketplace"),
        extra=RETRY,
    ),
    "EndpointConfig": StepType(
        "CreateEndpointConfig", "DescribeEndpointConfigOutput", ("EndpointConfigName",), extra=CACHE | RETRY
    ),
    "Endpoint": StepType("CreateEndpoint", "DescribeEndpointOutput", extra=CACHE),
    "InferenceComponent": StepType("CreateInferenceComponent", "DescribeInferenceComponentOutput"),
    **{
        check: StepType("CreateProcessingJob", check, ("ProcessingJobName",), extra=CACHE | BASELINES)
        for check in ("QualityCheck", "ClarifyCheck")
    },
    "Condition": StepType(),
    "ForEach": StepType(),
    "Fail": StepType(),
    "Lambda": StepType(extra=CACHE | {"FunctionArn", "OutputParameters"}),
    "Callback": StepType(extra=CACHE | {"SqsQueueUrl", "OutputParameters"}),
    "EMR": StepType(extra=CACHE | RETRY),
    "EMRServerless": StepType(extra=CACHE | RETRY),
    "Lineage": StepType(),
    "Cleanup": StepType(),
    **dict.fromkeys(
        (
            *(
                "Athena",
                "HubContent",
                "BedrockCustomModel",
                "BedrockCustomModelDeployment",
                "BedrockModelImport",
            ),
            "BedrockProvisionedModelThroughput",
        ),
        StepType(extra=CACHE | RETRY),
    ),
}
