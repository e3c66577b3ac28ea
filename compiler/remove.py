"""Takes away what is ours: pipelines with their functions, and code that no version of any pipeline refers to."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sagewright.compiler.apply import Report, locked
from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Place
from sagewright.compiler.definition import DefinitionError, parse, steps
from sagewright.compiler.functions import NOT_FOUND, OWNER
from sagewright.compiler.observe import describe
from sagewright.compiler.plan import PROJECT, Deployed, Refused

RUNNING = frozenset({"Executing", "Stopping"})
BATCH = 1_000
"""Objects that DeleteObjects takes at once."""
_HASH = re.compile(r"[0-9a-f]{64}")
_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d{12}:function:([\w-]+)")


# -- pipelines --------------------------------------------------------------------------------------------------------


def look(name: str, clients: Clients, *, project: str | None, force: bool) -> Deployed:
    """The pipeline that shall be deleted. Raises Refused where it is not there, not ours, or is executing; AwsError."""
    deployed = describe(name, clients)
    if deployed is None:
        raise Refused(f"there is no pipeline `{name}`")
    if not deployed.ours and not force:
        raise Refused(f"pipeline `{name}` was not made by sagewright", "delete it all the same with --force")
    owner = deployed.tags.get(PROJECT)
    if owner and project and owner != project and not force:
        raise Refused(
            f"pipeline `{name}` belongs to the project `{owner}`", "delete it all the same with --force"
        )
    running = next((e for e in _executions(name, clients) if e["PipelineExecutionStatus"] in RUNNING), None)
    if running is not None and not force:
        arn = running["PipelineExecutionArn"]
        raise Refused(
            f"pipeline `{name}` is executing: {arn}", "stop that, or delete it all the same with --force"
        )
    return deployed


def _executions(name: str, clients: Clients) -> list[dict[str, Any]]:
    """The newest, where those that are running stand."""
    answer = clients.call("sagemaker", "list_pipeline_executions", PipelineName=name, MaxResults=100)
    return answer["PipelineExecutionSummaries"]


def functions_of(deployed: Deployed, name: str, clients: Clients) -> list[str]:
    """The Lambda functions that a pipeline calls and that were made for it. Raises AwsError."""
    try:
        arns = [str(step.body.get("FunctionArn")) for step in steps(parse(deployed.definition))]
    except DefinitionError:
        return []
    named = dict.fromkeys(match[1] for match in map(_FUNCTION.fullmatch, map(_unqualified, arns)) if match)
    return [function for function in named if _owner(function, clients) == name]


def _unqualified(arn: str) -> str:
    return ":".join(arn.split(":")[:7])


def _owner(function: str, clients: Clients) -> str | None:
    try:
        return clients.call("lambda", "get_function", FunctionName=function).get("Tags", {}).get(OWNER)
    except AwsError as error:
        if error.code == NOT_FOUND:
            return None
        raise


def delete(place: Place, deployed: Deployed, clients: Clients, report: Report) -> None:
    """Delete a pipeline and its functions, behind its lock: interrupted, it can be repeated. Raises Refused, AwsError.

    The functions go first: a second run finds them through the pipeline.
    """
    with locked(place, clients, report) as lock:
        if describe(place.name, clients) != deployed:
            raise Refused(f"pipeline `{place.name}` was changed while this was waiting", "look again")
        for function in functions_of(deployed, place.name, clients):
            if lock is not None:
                lock.hold()
            clients.call("lambda", "delete_function", FunctionName=function)
            report(f"deleted Lambda function {function}")
        if lock is not None:
            lock.hold()
        clients.call(
            "sagemaker", "delete_pipeline", PipelineName=place.name, ClientRequestToken=uuid.uuid4().hex
        )
        report(f"deleted {deployed.arn}")


# -- code -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Garbage:
    """An object that nothing refers to. `size` in bytes."""

    key: str
    size: int


def garbage(place: Place, clients: Clients, *, keep: frozenset[str], older: timedelta) -> list[Garbage]:
    """Code and definitions below a prefix that no version of any pipeline of the account and region names.

    `keep` are hashes that are wanted still; what is younger than `older` may be of an upsert that has not come to its
    definition. Raises AwsError.
    """
    limit = datetime.now(UTC) - older
    candidates = [
        item
        for folder in ("code/", "definitions/")
        for item in _objects(place, f"{place.folder}{folder}", clients)
        if item["LastModified"] < limit and _HASH.search(item["Key"])
    ]
    if not candidates:
        return []
    used = keep.union(*(_HASH.findall(text) for text in definitions(clients)))
    return [
        Garbage(item["Key"], item["Size"]) for item in candidates if not used & {*_HASH.findall(item["Key"])}
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


def definitions(clients: Clients) -> Iterator[str]:
    """The text of every version of every pipeline of the account and region. Raises AwsError."""
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
