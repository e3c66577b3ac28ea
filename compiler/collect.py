"""What upserts left behind and nothing needs any more: code, definitions, published versions of Lambda functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Compilation, Place
from sagewright.compiler.functions import DESCRIPTION, OWNER

BATCH = 1_000
"""Objects that DeleteObjects takes at once."""
_HASH = re.compile(r"[0-9a-f]{64}")
_QUALIFIED = re.compile(r":function:([\w-]+:[\w$-]+)")
_ALIAS = re.compile(r"sw-[0-9a-f]{12}")

Mentioned = Callable[[], frozenset[str]]
"""What definitions name: hashes of code, and `<function>:<alias or version>`. Asked only where something may go."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """An object that nothing refers to. `size` in bytes."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Stale:
    """A version of a function of ours that nothing refers to, with the aliases of ours that lead to it."""

    function: str
    version: str
    aliases: tuple[str, ...]

    def __str__(self) -> str:
        behind = f" ({', '.join(self.aliases)})" if self.aliases else ""
        return f"Lambda function {self.function}, version {self.version}{behind}"


def mentioned(clients: Clients) -> frozenset[str]:
    """What all versions of all pipelines of the account and region name. Raises AwsError."""
    return frozenset(name for text in _definitions(clients) for name in _names(text))


def wanted(compilation: Compilation) -> frozenset[str]:
    """What a pipeline's files need, deployed or not."""
    hashes = {upload.asset.digest for upload in compilation.uploads}
    return frozenset(hashes | {f"{f.name}:{f.alias}" for f in compilation.functions})


def _names(text: str) -> list[str]:
    return [*_HASH.findall(text), *_QUALIFIED.findall(text)]


def _definitions(clients: Clients) -> Iterator[str]:
    for pipeline in clients.pages("sagemaker", "list_pipelines", "PipelineSummaries", MaxResults=100):
        name = pipeline["PipelineName"]
        versions = clients.pages(
            "sagemaker", "list_pipeline_versions", "PipelineVersionSummaries", PipelineName=name
        )
        for version in versions:
            found = clients.call(
                "sagemaker",
                "describe_pipeline",
                PipelineName=name,
                PipelineVersionId=version["PipelineVersionId"],
            )
            yield found.get("PipelineDefinition", "")


# -- code -------------------------------------------------------------------------------------------------------------


def garbage(place: Place, clients: Clients, *, used: Mentioned, older: timedelta) -> list[Garbage]:
    """Code and definitions below a prefix that nothing uses.

    What is younger than `older` may be of an upsert that has not come to its definition. Raises AwsError.
    """
    limit = datetime.now(UTC) - older
    candidates = [
        item
        for folder in ("code/", "definitions/")
        for item in _objects(place, f"{place.folder}{folder}", clients)
        if item["LastModified"] < limit and _HASH.search(item["Key"])
    ]
    return [
        Garbage(item["Key"], item["Size"])
        for item in candidates
        if not used() & {*_HASH.findall(item["Key"])}
    ]


def _objects(place: Place, prefix: str, clients: Clients) -> Iterator[dict[str, Any]]:
    token: str | None = None
    while True:
        page = clients.call(
            "s3",
            "list_objects_v2",
            Bucket=place.bucket,
            Prefix=prefix,
            ContinuationToken=token,
            ExpectedBucketOwner=place.bucket_owner,
        )
        yield from page.get("Contents", ())
        token = page.get("NextContinuationToken")
        if token is None:
            return


def collect(place: Place, found: list[Garbage], clients: Clients) -> None:
    """Delete objects. Raises AwsError."""
    for start in range(0, len(found), BATCH):
        objects = [{"Key": item.key} for item in found[start : start + BATCH]]
        answer = clients.call(
            "s3",
            "delete_objects",
            Bucket=place.bucket,
            Delete={"Objects": objects, "Quiet": True},
            ExpectedBucketOwner=place.bucket_owner,
        )
        for error in answer.get("Errors", ()):
            raise AwsError(
                f"s3://{place.bucket}/{error.get('Key')}: {error.get('Message')}", str(error.get("Code"))
            )


# -- versions of functions --------------------------------------------------------------------------------------------


def stale(clients: Clients, *, used: Mentioned, older: timedelta) -> list[Stale]:
    """Published versions of our functions that no definition uses, through no alias. Raises AwsError.

    A function is ours by its tag; one version that an alias of somebody else's leads to stays.
    """
    limit = datetime.now(UTC) - older
    return [
        version
        for function in _listed(clients, "list_functions", "Functions")
        if str(function.get("Description", "")).startswith(DESCRIPTION)
        for version in _stale(function, clients, used, limit)
    ]


def _stale(function: dict[str, Any], clients: Clients, used: Mentioned, limit: datetime) -> Iterator[Stale]:
    name = function["FunctionName"]
    if OWNER not in clients.call("lambda", "list_tags", Resource=function["FunctionArn"]).get("Tags", {}):
        return
    leading: dict[str, list[str]] = {}
    for alias in _listed(clients, "list_aliases", "Aliases", FunctionName=name):
        weights = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        for version in (alias["FunctionVersion"], *weights):
            leading.setdefault(version, []).append(alias["Name"])
    for made in _listed(clients, "list_versions_by_function", "Versions", FunctionName=name):
        version = made["Version"]
        if version == "$LATEST" or datetime.fromisoformat(made["LastModified"]) >= limit:
            continue
        aliases = leading.get(version, [])
        needed = any(f"{name}:{qualifier}" in used() for qualifier in (version, *aliases))
        if not needed and all(_ALIAS.fullmatch(alias) for alias in aliases):
            yield Stale(name, version, tuple(aliases))


def _listed(clients: Clients, operation: str, member: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    marker: str | None = None
    while True:
        page = clients.call("lambda", operation, Marker=marker, **parameters)
        yield from page.get(member, ())
        marker = page.get("NextMarker")
        if not marker:
            return


def discard(found: list[Stale], clients: Clients) -> None:
    """Delete versions, their aliases first: interrupted, it can be repeated. Raises AwsError."""
    for item in found:
        for alias in item.aliases:
            clients.call("lambda", "delete_alias", FunctionName=item.function, Name=alias)
        clients.call("lambda", "delete_function", FunctionName=item.function, Qualifier=item.version)
