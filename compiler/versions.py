"""A pipeline's versions: what there was, what is live, and the way back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sagewright.compiler.aws import MISSING, AwsError, Clients
from sagewright.compiler.compilation import Compilation
from sagewright.compiler.definition import DefinitionError, digest
from sagewright.compiler.plan import DIGEST, PARALLELISM, PENDING, PROJECT, TARGET, Deployed, Refused

_COMMIT = re.compile(r"commit ([0-9a-f]{7,64})")
_NUMBER = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a pipeline, as ListPipelineVersions shows it."""

    number: int
    created: datetime
    display_name: str | None
    description: str | None
    aliases: tuple[str, ...]
    last_execution: str | None

    @property
    def commit(self) -> str | None:
        """The Git commit that it was deployed from, where that was written down."""
        match = _COMMIT.match(self.description or "")
        return match[1] if match else None


def history(name: str, clients: Clients) -> list[Version]:
    """The versions, newest first. Raises Refused, AwsError."""
    try:
        found = list(
            clients.pages(
                "sagemaker", "list_pipeline_versions", "PipelineVersionSummaries", PipelineName=name
            )
        )
    except AwsError as error:
        raise _missing(name, error) from None
    return sorted((_version(item) for item in found), key=lambda v: -v.number)


def _version(item: Mapping[str, Any]) -> Version:
    return Version(
        item["PipelineVersionId"],
        item["CreationTime"],
        item.get("PipelineVersionDisplayName"),
        item.get("PipelineVersionDescription"),
        tuple(item.get("PipelineVersionAliases") or ()),
        item.get("LastExecutionPipelineExecutionArn"),
    )


def chosen(version: str | int | None) -> dict[str, Any]:
    """A version's number or alias as requests take it."""
    if version is None:
        return {}
    if isinstance(version, int) or _NUMBER.fullmatch(version):
        return {"PipelineVersionId": int(version)}
    return {"PipelineVersionAlias": version}


def definition(name: str, version: str | int | None, clients: Clients) -> str:
    """The definition of a version, given by number or alias; without one the newest. Raises Refused, AwsError."""
    try:
        found = clients.call("sagemaker", "describe_pipeline", PipelineName=name, **chosen(version))
    except AwsError as error:
        raise _missing(name if version is None else f"{name}@{version}", error) from None
    return found.get("PipelineDefinition", "")


def _missing(name: str, error: AwsError) -> Refused | AwsError:
    if error.code in MISSING:
        return Refused(f"there is no pipeline `{name}`", error.message)
    return error


def point(alias: str, arn: str, version: int | None, clients: Clients) -> int:
    """Let an alias mean a version, by default the newest: it moves there. Returns the number. Raises AwsError."""
    number = version or history(arn, clients)[0].number
    clients.call(
        "sagemaker",
        "update_pipeline_version",
        PipelineArn=arn,
        PipelineVersionId=number,
        PipelineVersionAliasOperations={"Add": [alias]},
    )
    return number


LOOKED_BACK = 30
"""So many versions are looked at for the one that we deployed last."""


def last_of_ours(name: str, deployed: Deployed, clients: Clients) -> tuple[int, str] | None:
    """The newest version whose definition we deployed, by our tags, and its text. Raises Refused, AwsError."""
    digests = {deployed.tags.get(DIGEST), deployed.tags.get(PENDING)} - {None}
    for version in history(name, clients)[:LOOKED_BACK]:
        text = definition(name, version.number, clients)
        if _digest(text) in digests:
            return version.number, text
    return None


def before(name: str, deployed: Deployed, clients: Clients) -> int:
    """The newest version whose definition is another than the deployed one. Raises Refused, AwsError."""
    for version in history(name, clients)[1:]:
        if _digest(definition(name, version.number, clients)) != deployed.digest:
            return version.number
    raise Refused(f"pipeline `{name}` has no version before the one that is deployed")


def _digest(text: str) -> str | None:
    try:
        return digest(text)
    except DefinitionError:
        return None


def rolled_back(place: Compilation, deployed: Deployed, text: str) -> Compilation:
    """What to upsert so that a pipeline has the definition of an earlier version, and all else as it is deployed.

    `place` says where the pipeline is, and what it belongs to. Raises Refused.
    """
    made = _digest(text)
    if made is None:
        raise Refused(f"the definition of that version of `{place.name}` cannot be read")
    return replace(
        place,
        definition=text,
        digest=made,
        role=deployed.role,
        display_name=deployed.display_name,
        description=deployed.description,
        parallelism=deployed.parallelism if PARALLELISM in deployed.tags else None,
        tags={key: deployed.tags[key] for key in deployed.own_tags if key in deployed.tags},
        project=deployed.tags.get(PROJECT) or place.project,
        target=deployed.tags.get(TARGET) or place.target,
        uploads=(),
        functions=(),
    )
