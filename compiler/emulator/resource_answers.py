"""SageMaker's answers about what steps make and run: models, endpoints, model packages, jobs."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import ResourceNotFound

from sagewright.compiler.emulator import hosting, registry
from sagewright.compiler.emulator.service import Answers

WAITING = frozenset(
    {
        *("DescribeTrainingJob", "DescribeProcessingJob", "DescribeTransformJob"),
        *("DescribeHyperParameterTuningJob", "DescribeAutoMLJob"),
    }
)
"""Operations that wait for an execution, and so may not hold the turn meanwhile."""


class ResourceAnswers(Answers):
    """moto's, where no step is behind it; what it does with models, endpoints and packages is mended."""

    # -- hosting ------------------------------------------------------------------------------------------------------

    def create_model(self) -> ActionResult:
        return ActionResult({"ModelArn": hosting.create_model(self.sagemaker_backend, self.params)})

    def create_endpoint_config(self) -> ActionResult:
        variants = self.params.get("ProductionVariants") or []
        self.sagemaker_backend.validate_production_variants([v for v in variants if v.get("ModelName")])
        arn = hosting.create_config(self.sagemaker_backend, self.params)
        return ActionResult({"EndpointConfigArn": arn})

    def create_endpoint(self) -> ActionResult:
        return ActionResult({"EndpointArn": hosting.create_endpoint(self.sagemaker_backend, self.params)})

    def update_endpoint(self) -> ActionResult:
        return ActionResult({"EndpointArn": hosting.update_endpoint(self.sagemaker_backend, self.params)})

    # -- the registry -------------------------------------------------------------------------------------------------

    def create_model_package_group(self) -> ActionResult:
        made = super().create_model_package_group()
        self._keep_group(self.params["ModelPackageGroupName"])
        return made

    def create_model_package(self) -> ActionResult:
        """The package that the same token made before, else a new one."""
        token = self.params.get("ClientToken")
        for arn, package in self.sagemaker_backend.model_packages.items():
            if token is not None and package.client_token == token:
                return ActionResult({"ModelPackageArn": arn})
        if self.params.get("ModelPackageGroupName"):
            self.params.setdefault("ModelApprovalStatus", registry.PENDING)
        made = super().create_model_package()
        self._keep_package(made)
        return made

    def update_model_package(self) -> ActionResult:
        """moto sets to nothing what the request does not name."""
        found = self.sagemaker_backend.describe_model_package(self.params["ModelPackageArn"])
        self.params.setdefault("ModelApprovalStatus", found.model_approval_status)
        self.params.setdefault("ApprovalDescription", found.approval_description)
        self.params.setdefault("CustomerMetadataProperties", found.customer_metadata_properties)
        made = super().update_model_package()
        self._keep_package(made)
        return made

    def _keep_group(self, name: str) -> None:
        group = self.sagemaker_backend.model_package_groups[name]
        self.service.keeper.group(self.sagemaker_backend, group)

    def _keep_package(self, made: ActionResult) -> None:
        answer: Any = made.result
        package = self.sagemaker_backend.model_packages[answer["ModelPackageArn"]]
        self.service.keeper.package(self.sagemaker_backend, package)

    # -- jobs ---------------------------------------------------------------------------------------------------------

    def describe_training_job(self) -> ActionResult:
        return self._job("Training", "TrainingJobName") or super().describe_training_job()

    def describe_processing_job(self) -> ActionResult:
        return self._job("Processing", "ProcessingJobName") or super().describe_processing_job()

    def describe_transform_job(self) -> ActionResult:
        return self._job("Transform", "TransformJobName") or super().describe_transform_job()

    def describe_auto_ml_job(self) -> ActionResult:
        name = self.params["AutoMLJobName"]
        found = self._job("AutoML", "AutoMLJobName")
        if found is None:
            raise ResourceNotFound(f"Could not find requested job with name: {name}")
        return found

    def describe_hyper_parameter_tuning_job(self) -> ActionResult:
        found = self._job("Tuning", "HyperParameterTuningJobName")
        return found or super().describe_hyper_parameter_tuning_job()

    def _job(self, kind: str, member: str) -> ActionResult | None:
        """The job of a step, None where no step ran it."""
        found = self.service.executions.jobs.described(kind, self.params[member])
        return None if found is None else ActionResult(found)
