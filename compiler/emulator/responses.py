"""SageMaker's answers about pipelines, in moto's place, and JSON for what nobody answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from botocore.model import OperationNotFoundError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import get_service_model
from moto.sagemaker.exceptions import ResourceNotFound, ValidationError
from moto.sagemaker.models import ModelPackageGroup

from sagewright.compiler.emulator import execution_answers, pipelines, resource_answers
from sagewright.compiler.emulator.execution_answers import ExecutionAnswers
from sagewright.compiler.emulator.requests import violations
from sagewright.compiler.emulator.resource_answers import ResourceAnswers
from sagewright.compiler.emulator.service import turn

MAXIMUM_TAGS = 50

CHECKED = frozenset(
    {
        *("CreatePipeline", "UpdatePipeline", "DeletePipeline", "DescribePipeline", "ListPipelines"),
        *("ListPipelineVersions", "UpdatePipelineVersion", "StartPipelineExecution"),
        *("ListPipelineExecutions", "ListPipelineParametersForExecution"),
        "DescribePipelineDefinitionForExecution",
        *("AddTags", "DeleteTags", "ListTags"),
        *("CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint"),
        *execution_answers.WAITING,
    }
)
"""Operations whose requests are held against their shape, as AWS does before anything else."""
WAITING = execution_answers.WAITING | resource_answers.WAITING


class EmulatedResponse(ExecutionAnswers, ResourceAnswers):
    """moto's SageMaker, with pipelines, their versions, executions and tags answered as AWS does."""

    def _dispatch(self, request: Any, full_url: str | None = None, headers: Any = None) -> Any:
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            with nullcontext() if target in WAITING else turn:
                return super()._dispatch(request, full_url, headers)
        except (NotImplementedError, OperationNotFoundError):
            message = f"The emulator does not have {target or 'this'}."
            return _json_error(400, "UnknownOperationException", message)
        except Exception as error:
            return _json_error(500, "InternalFailure", f"{type(error).__name__}: {error}")

    def call_action(self) -> Any:
        operation = self._get_action()
        if operation in CHECKED:
            shape = get_service_model("sagemaker").operation_model(operation).input_shape
            refused = violations(self.params, shape)
            if refused is not None:
                return self.serialized(ActionResult(ValidationError(refused)))
        return super().call_action()

    def create_pipeline(self) -> ActionResult:
        pipeline = pipelines.create(self.sagemaker_backend, dict(self.params))
        return self._kept(pipeline, PipelineArn=pipeline.arn)

    def update_pipeline(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineName"])
        version = pipeline.revise(self.params, pipelines.read_definition(self.sagemaker_backend, self.params))
        return self._kept(pipeline, PipelineArn=pipeline.arn, PipelineVersionId=version.number)

    def delete_pipeline(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineName"])
        executions = self.service.executions.of(pipeline.arn)
        self.service.executions.forget(pipeline.arn)
        del self.sagemaker_backend.pipelines[pipeline.pipeline_name]
        self.service.keeper.deleted(self.sagemaker_backend, pipeline.pipeline_name, executions)
        return ActionResult({"PipelineArn": pipeline.arn})

    def describe_pipeline(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineName"])
        number, alias = self.params.get("PipelineVersionId"), self.params.get("PipelineVersionAlias")
        if number is not None and alias is not None:
            raise ValidationError("Only one of PipelineVersionId and PipelineVersionAlias may be provided.")
        return ActionResult(pipeline.description(pipeline.version(number, alias)))

    def list_pipelines(self) -> ActionResult:
        prefix = self.params.get("PipelineNamePrefix") or ""
        found = [p for p in self.sagemaker_backend.pipelines.values() if p.pipeline_name.startswith(prefix)]
        by_name = self.params.get("SortBy") == "Name"
        key: Callable[[Any], Any] = lambda p: p.pipeline_name if by_name else p.creation_time  # noqa: E731
        listed = self._since(found, lambda p: p.creation_time)
        page, token = self._page(sorted(listed, key=key, reverse=self._descending()))
        return ActionResult({"PipelineSummaries": [p.summary() for p in page], "NextToken": token})

    def list_pipeline_versions(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineName"])
        listed = self._since(pipeline.versions, lambda v: v.created)
        page, token = self._page(sorted(listed, key=lambda v: v.number, reverse=self._descending()))
        summaries = [
            {
                "PipelineArn": pipeline.arn,
                "PipelineVersionId": version.number,
                "CreationTime": version.created,
                "PipelineVersionDisplayName": version.display_name,
                "PipelineVersionDescription": version.description,
                "PipelineVersionAliases": version.aliases or None,
            }
            for version in page
        ]
        return ActionResult({"PipelineVersionSummaries": summaries, "NextToken": token})

    def update_pipeline_version(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineArn"])
        version = pipeline.version(self.params["PipelineVersionId"])
        version.display_name = self.params.get("PipelineVersionDisplayName", version.display_name)
        version.description = self.params.get("PipelineVersionDescription", version.description)
        operations = self.params.get("PipelineVersionAliasOperations") or {}
        version.aliases = [name for name in version.aliases if name not in (operations.get("Remove") or ())]
        pipeline.add_aliases(version, operations.get("Add") or ())
        pipeline.touch()
        return self._kept(pipeline, PipelineArn=pipeline.arn, PipelineVersionId=version.number)

    def _kept(self, pipeline: pipelines.EmulatedPipeline, **answer: Any) -> ActionResult:
        """The answer, once the pipeline is kept as it is now."""
        self.service.keeper.pipeline(self.sagemaker_backend, pipeline)
        return ActionResult(answer)

    def add_tags(self) -> ActionResult:
        resource = self._tagged()
        tags = {tag["Key"]: tag for tag in resource.tags} | {tag["Key"]: tag for tag in self.params["Tags"]}
        if len(tags) > MAXIMUM_TAGS:
            raise ValidationError(f"The number of tags ({len(tags)}) exceeds the limit of {MAXIMUM_TAGS}.")
        resource.tags = [dict(tag) for tag in tags.values()]
        self._keep_tags(resource)
        return ActionResult({"Tags": resource.tags})

    def list_tags(self) -> ActionResult:
        page, token = self._page(list(self._tagged().tags))
        return ActionResult({"Tags": page, "NextToken": token})

    def delete_tags(self) -> ActionResult:
        resource = self._tagged()
        resource.tags = [tag for tag in resource.tags if tag["Key"] not in self.params["TagKeys"]]
        self._keep_tags(resource)
        return EmptyResult()

    def _keep_tags(self, resource: Any) -> None:
        keeper = self.service.keeper
        if isinstance(resource, pipelines.EmulatedPipeline):
            keeper.pipeline(self.sagemaker_backend, resource)
        elif isinstance(resource, ModelPackageGroup):
            keeper.group(self.sagemaker_backend, resource)

    def _tagged(self) -> Any:
        """The resource that the request names. Raises ResourceNotFound."""
        arn = self.params["ResourceArn"]
        try:
            found = self.sagemaker_backend._get_resource_from_arn(arn)
        except (ValueError, AttributeError):
            found = None
        if found is None:
            raise ResourceNotFound(f"Resource {arn} does not exist.")
        return found


def _json_error(status: int, code: str, message: str) -> tuple[int, dict[str, str], str]:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
    return status, headers, json.dumps({"__type": code, "message": message})
