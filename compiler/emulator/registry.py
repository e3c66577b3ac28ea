"""Model packages in moto's backend: created, and told to whoever keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.sagemaker.models import ModelPackage, SageMakerModelBackend

PENDING = "PendingManualApproval"
"""What a version's approval is where the request does not say. Source: CreateModelPackage in the API reference."""
_MEMBERS = {
    "ModelPackageDescription": "model_package_description",
    "InferenceSpecification": "inference_specification",
    "ValidationSpecification": "validation_specification",
    "SourceAlgorithmSpecification": "source_algorithm_specification",
    "MetadataProperties": "metadata_properties",
    "ModelMetrics": "model_metrics",
    "CustomerMetadataProperties": "customer_metadata_properties",
    "DriftCheckBaselines": "drift_check_baselines",
    "Domain": "domain",
    "Task": "task",
    "SamplePayloadUrl": "sample_payload_url",
}


def register(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> ModelPackage:
    """A new version in a group, which is made where it is not there, as Pipelines makes it."""
    group = str(request["ModelPackageGroupName"]).rpartition("/")[2]
    if group not in backend.model_package_groups:
        backend.create_model_package_group(group, "", None)
    arn = backend.create_model_package(
        model_package_name=None,
        model_package_group_name=group,
        certify_for_marketplace=False,
        tags=[dict(tag) for tag in request.get("Tags") or ()],
        model_approval_status=request.get("ModelApprovalStatus", PENDING),
        client_token=None,
        additional_inference_specifications=None,
        **{argument: request.get(member) for member, argument in _MEMBERS.items()},
    )
    package = backend.model_packages[arn]
    # Set here: moto would hold its instances against a list of its own.
    package.additional_inference_specifications = request.get("AdditionalInferenceSpecifications")
    return package
