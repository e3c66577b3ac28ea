"""Register a model: a new version in a model package group.

The group's tags hold for its versions, so the step has none of its own: "you cannot supply a tag argument". Inference
code is handled as in `model`. Source: CreateModelPackage in the SageMaker API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagewright.compiler.kind import STEP_RETRIES, Context, StepKind, Sugar, emitted, present, text_map
from sagewright.compiler.model import Emitted, Step
from sagewright.compiler.source import Map
from sagewright.steps._job import chosen, refuse
from sagewright.steps.containers import Hosting, container, containers, refuse_idle_repack

METRICS = {
    "model_quality": ("ModelQuality", {"statistics": "Statistics", "constraints": "Constraints"}),
    "data_quality": ("ModelDataQuality", {"statistics": "Statistics", "constraints": "Constraints"}),
    "bias": (
        "Bias",
        {"report": "Report", "pre_training": "PreTrainingReport", "post_training": "PostTrainingReport"},
    ),
    "explainability": ("Explainability", {"report": "Report"}),
}
BASELINES = {
    "model_quality": ("ModelQuality", {"statistics": "Statistics", "constraints": "Constraints"}),
    "data_quality": ("ModelDataQuality", {"statistics": "Statistics", "constraints": "Constraints"}),
    "bias": (
        "Bias",
        {
            "config": "ConfigFile",
            "pre_training": "PreTrainingConstraints",
            "post_training": "PostTrainingConstraints",
        },
    ),
    "explainability": ("Explainability", {"constraints": "Constraints", "config": "ConfigFile"}),
}


def expand(step: Step, context: Context) -> list[Emitted]:
    body = step.body
    instances = [*body.get("inference_instances", ()), *body.get("transform_instances", ())]
    hosting = Hosting.of(step, context, instances=instances, registered=True)
    definitions, before = _containers(body, hosting)
    refuse_idle_repack(step, context, [body])
    return [*before, emitted(step, step.name, KIND, _arguments(body, definitions))]


def _containers(body: Map, hosting: Hosting) -> tuple[list[dict[str, Any]], tuple[Emitted, ...]]:
    step, context = hosting.step, hosting.context
    if (
        chosen(body, ("image", "containers"), f"the step `{step.name}`", context, step.name_origin)
        == "containers"
    ):
        refuse(body, ("model_data", "code", "environment"), "containers", context)
        return containers(body, hosting)
    definition, before = container(body, hosting)
    return [definition], before


def _arguments(body: Map, definitions: list[dict[str, Any]]) -> dict[str, Any]:
    specification = present(
        Containers=definitions,
        SupportedContentTypes=body.get("content_types"),
        SupportedResponseMIMETypes=body.get("response_types"),
        SupportedRealtimeInferenceInstanceTypes=body.get("inference_instances"),
        SupportedTransformInstanceTypes=body.get("transform_instances"),
    )
    return present(
        ModelPackageGroupName=body["group"],
        ModelPackageDescription=body.get("package_description"),
        ModelMetrics=_sources(body.get("model_metrics"), METRICS),
        DriftCheckBaselines=_sources(body.get("drift_baselines"), BASELINES),
        CustomerMetadataProperties=text_map(body.get("metadata")),
        Domain=body.get("domain"),
        SamplePayloadUrl=body.get("sample_payload"),
        Task=body.get("task"),
        InferenceSpecification=specification,
        ModelApprovalStatus=body.get("approval", "PendingManualApproval"),
        SkipModelValidation=body.get("skip_validation", "None"),
    )


def _sources(given: Map | None, table: Mapping[str, tuple[str, Mapping[str, str]]]) -> dict[str, Any] | None:
    """Reports and baselines by their place in the request: a URI is a JSON file there."""
    if not given:
        return None
    return {
        table[group][0]: {
            table[group][1][name]: {"ContentType": "application/json", "S3Uri": uri}
            for name, uri in files.items()
        }
        for group, files in given.items()
    }


KIND = StepKind(
    name="register",
    type="RegisterModel",
    expand=expand,
    request="CreateModelPackage",
    omits=("ModelPackageName", "CertifyForMarketplace"),
    properties="DescribeModelPackageOutput",
    sugar={"arn": Sugar("ModelPackageArn")},
    retryable=STEP_RETRIES,
    longhand={"code": "entry"},
    refused={
        "ModelPackageName": ("SW608", "a step registers versions of a group, and no package by itself"),
        "Tags": ("SW608", "a version has the tags of its group, and AWS takes none beside a group"),
        "CertifyForMarketplace": (
            "SW608",
            "the SDK takes it out of what it emits, since Pipelines refuses it",
        ),
    },
)
