"""SageMaker's answers about pipelines, in moto's place, and JSON for what nobody answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from threading import RLock
from typing import Any

from botocore.model import OperationNotFoundError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import get_service_model
from moto.sagemaker.exceptions import ResourceNotFound, ValidationError
from moto.sagemaker.responses import SageMakerResponse

from sagewright.compiler.emulator import pipelines
from sagewright.compiler.emulator.requests import violations

MAXIMUM_TAGS = 50
PAGE = 100

CHECKED = frozenset(
    {
        *("CreatePipeline", "UpdatePipeline", "DeletePipeline", "DescribePipeline", "ListPipelines"),
        *(
            "ListPipelineVersions",
            "UpdatePipelineVersion",
            "StartPipelineExecution",
            "ListPipelineExecutions",
        ),
        *("AddTags", "DeleteTags", "ListTags"),
    }
)
"""Operations whose requests are held against their shape, as AWS does before anything else."""

_turn = RLock()
"""moto's backends are plain dictionaries: one request at a time, so that what is checked is still so when it is used."""


class EmulatedResponse(SageMakerResponse):
    """moto's SageMaker, with pipelines, their versions and tags answered as AWS does."""

    def _dispatch(self, request: Any, full_url: str | None = None, headers: Any = None) -> Any:
        try:
            with _turn:
                return super()._dispatch(request, full_url, headers)
        except (NotImplementedError, OperationNotFoundError):
            target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
            return _json_error(
                400, "UnknownOperationException", f"The emulator does not have {target or 'this'}."
            )
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
        return ActionResult({"PipelineArn": pipelines.create(self.sagemaker_backend, dict(self.params)).arn})

    def update_pipeline(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineName"])
        version = pipeline.revise(self.params, pipelines.read_definition(self.sagemaker_backend, self.params))
        return ActionResult({"PipelineArn": pipeline.arn, "PipelineVersionId": version.number})

    def delete_pipeline(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineName"])
        del self.sagemaker_backend.pipelines[pipeline.pipeline_name]
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
        return ActionResult({"PipelineArn": pipeline.arn, "PipelineVersionId": version.number})

    def start_pipeline_execution(self) -> ActionResult:
        """The execution that the same token started before, else a new one."""
        self._resolve_name()
        pipeline, token = (
            pipelines.find(self.sagemaker_backend, self.params["PipelineName"]),
            self.params["ClientRequestToken"],
        )
        for arn, execution in pipeline.pipeline_executions.items():
            if execution.client_request_token == token:
                return ActionResult({"PipelineExecutionArn": arn})
        return super().start_pipeline_execution()

    def list_pipeline_executions(self) -> ActionResult:
        self._resolve_name()
        return super().list_pipeline_executions()

    def add_tags(self) -> ActionResult:
        resource = self._tagged()
        tags = {tag["Key"]: tag for tag in resource.tags} | {tag["Key"]: tag for tag in self.params["Tags"]}
        if len(tags) > MAXIMUM_TAGS:
            raise ValidationError(f"The number of tags ({len(tags)}) exceeds the limit of {MAXIMUM_TAGS}.")
        resource.tags = [dict(tag) for tag in tags.values()]
        return ActionResult({"Tags": resource.tags})

    def list_tags(self) -> ActionResult:
        page, token = self._page(list(self._tagged().tags))
        return ActionResult({"Tags": page, "NextToken": token})

    def delete_tags(self) -> ActionResult:
        resource = self._tagged()
        resource.tags = [tag for tag in resource.tags if tag["Key"] not in self.params["TagKeys"]]
        return EmptyResult()

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

    def _resolve_name(self) -> None:
        """moto knows pipelines by their name alone."""
        self.params["PipelineName"] = pipelines.find(
            self.sagemaker_backend, self.params["PipelineName"]
        ).pipeline_name

    def _descending(self) -> bool:
        return self.params.get("SortOrder", "Descending") == "Descending"

    def _since(self, found: Any, created: Callable[[Any], Any]) -> list[Any]:
        """Those created in the time that the request names."""
        after, before = (self.params.get(f"Created{when}") for when in ("After", "Before"))
        aware = [(item, _aware(created(item))) for item in found]
        return [
            item
            for item, at in aware
            if (after is None or at > _aware(after)) and (before is None or at < _aware(before))
        ]

    def _page(self, found: list[Any]) -> tuple[list[Any], str | None]:
        """One page, and the token of the next; a token is where that begins."""
        token = self.params.get("NextToken") or "0"
        if not token.isdigit() or int(token) > len(found):
            raise ValidationError("Invalid pagination token.")
        start, size = int(token), self.params.get("MaxResults") or PAGE
        following = start + size
        return found[start:following], str(following) if following < len(found) else None


def _aware(time: Any) -> Any:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _json_error(status: int, code: str, message: str) -> tuple[int, dict[str, str], str]:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
    return status, headers, json.dumps({"__type": code, "message": message})
