"""Pipelines and their versions, kept in moto's backend, so that moto's tags, searches and reset see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from moto.core.exceptions import ServiceException
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends
from moto.sagemaker.exceptions import ConflictException, ResourceNotFound, ValidationError
from moto.sagemaker.models import FakePipeline, SageMakerModelBackend

from sagewright.compiler.emulator.validation import problem

MAXIMUM_LENGTH = 1_048_576
MAXIMUM_ALIASES = 10


@dataclass(slots=True)
class Version:
    """One version of a pipeline: what it was defined as, and what UpdatePipelineVersion says about it."""

    number: int
    definition: str
    created: datetime
    display_name: str | None = None
    description: str | None = None
    aliases: list[str] = field(default_factory=list)


class EmulatedPipeline(FakePipeline):
    """A pipeline of moto's, with versions. `request` recognises a repetition of its creation."""

    PARALLELISM: ClassVar = "ParallelismConfiguration"

    def __init__(self, backend: SageMakerModelBackend, request: Mapping[str, Any], definition: str) -> None:
        super().__init__(
            request["PipelineName"],
            request.get("PipelineDisplayName") or request["PipelineName"],
            definition,
            request.get("PipelineDescription", ""),
            request["RoleArn"],
            [dict(tag) for tag in request.get("Tags") or ()],
            backend.account_id,
            backend.region_name,
            request.get(self.PARALLELISM, {}),
        )
        self.request = dict(request)
        self.versions = [Version(1, definition, datetime.now(UTC))]
        self.add_aliases(self.versions[0], request.get("PipelineVersionAliases") or ())

    def revise(self, request: Mapping[str, Any], definition: str | None) -> Version:
        """Set what the request holds, an empty description too. Another definition is another version."""
        if definition is not None and definition != self.pipeline_definition:
            self.pipeline_definition = definition
            self.versions.append(Version(len(self.versions) + 1, definition, datetime.now(UTC)))
        for member, attribute in (
            ("PipelineDisplayName", "pipeline_display_name"),
            ("PipelineDescription", "pipeline_description"),
            ("RoleArn", "role_arn"),
            (self.PARALLELISM, "parallelism_configuration"),
        ):
            if request.get(member) is not None:
                setattr(self, attribute, request[member])
        self.add_aliases(self.versions[-1], request.get("PipelineVersionAliases") or ())
        self.touch()
        return self.versions[-1]

    def touch(self) -> None:
        self.last_modified_time = datetime.now(UTC)

    def version(self, number: int | None = None, alias: str | None = None) -> Version:
        """The version of that number or alias, else the newest. Raises ResourceNotFound."""
        for version in reversed(self.versions):
            if number in (None, version.number) and (alias is None or alias in version.aliases):
                return version
        wanted = f"alias {alias}" if alias is not None else f"id {number}"
        raise ResourceNotFound(f"Pipeline version with {wanted} of pipeline {self.arn} does not exist.")

    def add_aliases(self, version: Version, aliases: Iterable[str]) -> None:
        """An alias belongs to one version: it moves."""
        for alias in aliases:
            for other in self.versions:
                other.aliases = [name for name in other.aliases if name != alias]
            version.aliases.append(alias)
        if len(version.aliases) > MAXIMUM_ALIASES:
            raise ConflictException(f"A pipeline version can have at most {MAXIMUM_ALIASES} aliases.")

    def description(self, version: Version) -> dict[str, Any]:
        """What DescribePipeline answers."""
        return {
            "PipelineArn": self.arn,
            "PipelineName": self.pipeline_name,
            "PipelineDisplayName": self.pipeline_display_name,
            "PipelineDescription": self.pipeline_description or None,
            "PipelineDefinition": version.definition,
            "RoleArn": self.role_arn,
            "PipelineStatus": self.pipeline_status,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time,
            "LastRunTime": self.last_execution_time,
            "CreatedBy": self.created_by,
            "LastModifiedBy": self.last_modified_by,
            self.PARALLELISM: self.parallelism_configuration or None,
            "PipelineVersionDisplayName": version.display_name,
            "PipelineVersionDescription": version.description,
            "PipelineVersionAliases": version.aliases or None,
        }

    def summary(self) -> dict[str, Any]:
        """One of what ListPipelines answers."""
        members = ("PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn")
        shown = self.description(self.versions[-1])
        shown["LastExecutionTime"] = shown["LastRunTime"]
        times = ("CreationTime", "LastModifiedTime", "LastExecutionTime")
        return {name: shown[name] for name in (*members, *times)}


def find(backend: SageMakerModelBackend, name_or_arn: str) -> EmulatedPipeline:
    """The pipeline of that name or ARN. Raises ResourceNotFound."""
    name = name_or_arn.rpartition("pipeline/")[2] if name_or_arn.startswith("arn:") else name_or_arn
    found = backend.pipelines.get(name)
    if not isinstance(found, EmulatedPipeline):
        raise ResourceNotFound(f"Pipeline '{name_or_arn}' does not exist.")
    return found


def create(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> EmulatedPipeline:
    """A new pipeline; the one that is there, where the same request with the same token made it."""
    name = request["PipelineName"]
    existing = next((p for n, p in backend.pipelines.items() if n.lower() == name.lower()), None)
    if isinstance(existing, EmulatedPipeline) and existing.request == request:
        return existing
    if existing is not None:
        raise ValidationError(
            "Pipeline names must be unique within an AWS account and region. "
            f"Pipeline with name ({name}) already exists."
        )
    definition = read_definition(backend, request)
    if definition is None:
        raise ValidationError(
            "Either Pipeline Definition or Pipeline Definition S3 location should be provided"
        )
    # moto's models are made by a method that is typed for their base.
    pipeline = cast("EmulatedPipeline", EmulatedPipeline(backend, request, definition))
    backend.pipelines[name] = pipeline
    return pipeline


def read_definition(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> str | None:
    """The definition that a request gives, itself or in S3, None where it gives none. Raises ValidationError."""
    text, location = request.get("PipelineDefinition"), request.get("PipelineDefinitionS3Location")
    if text is not None and location is not None:
        raise ValidationError(
            "Both Pipeline Definition and Pipeline Definition S3 Location shouldn't be present"
        )
    if location is not None:
        text = _from_s3(backend, location)
    if text is None:
        return None
    refused = problem(text)
    if refused is not None:
        raise ValidationError(refused)
    return text


def _from_s3(backend: SageMakerModelBackend, location: Mapping[str, Any]) -> str:
    bucket, key = location["Bucket"], location["ObjectKey"]
    failed = f"Unable to retrieve pipeline definition from S3 location s3://{bucket}/{key}."
    try:
        found = s3_backends[backend.account_id][backend.partition].get_object(
            bucket, key, location.get("VersionId")
        )
    except (S3ClientError, ServiceException):
        found = None
    if found is None:
        raise ValidationError(f"{failed} The specified key does not exist.")
    try:
        text = found.value.decode()
    except (UnicodeDecodeError, AttributeError):
        raise ValidationError(f"{failed} It is not a text in UTF-8.") from None
    if len(text) > MAXIMUM_LENGTH:
        raise ValidationError(f"{failed} Its length ({len(text)}) exceeds ({MAXIMUM_LENGTH}).")
    return text
