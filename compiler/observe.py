"""What is deployed, and what is missing: calls to AWS that only read."""

from __future__ import annotations

from dataclasses import replace

from sagewright.compiler.aws import DENIED, MISSING, NOT_FOUND, AwsError, Clients
from sagewright.compiler.compilation import Compilation, Upload
from sagewright.compiler.functions import is_published
from sagewright.compiler.plan import Deployed, Plan, Refused, make_plan


def observe(compilation: Compilation, clients: Clients) -> Plan:
    """What is there now, and what has to be done: calls that only read. Raises Refused and AwsError."""
    deployed = describe(compilation.name, clients)
    if deployed is None and compilation.role is None:
        raise Refused(f"`{compilation.name}` needs a role to be created", "set `role:`, or pass --role")
    if compilation.bucket is not None:
        _see_bucket(compilation, clients)
    plan = make_plan(compilation, deployed)
    # Without the right to look, what belongs to a definition that is deployed is taken to be there.
    denied_is_missing = deployed is None or deployed.digest != plan.digest
    uploads = [
        u for u in compilation.uploads if not _is_there(u, compilation, clients, not denied_is_missing)
    ]
    functions = [function for function in compilation.functions if not is_published(function, clients)]
    return replace(plan, uploads=tuple(uploads), functions=tuple(functions))


def describe(name: str, clients: Clients) -> Deployed | None:
    """A pipeline as it is deployed; None where there is none of that name. Raises AwsError."""
    try:
        found = clients.call("sagemaker", "describe_pipeline", PipelineName=name)
    except AwsError as error:
        if error.code in MISSING:
            return None
        raise
    if "PipelineArn" not in found:
        raise AwsError("the endpoint's answer is not AWS's", "NoAnswer", "is AWS_ENDPOINT_URL right?")
    return Deployed(
        found["PipelineArn"],
        found.get("PipelineDefinition", ""),
        found.get("RoleArn"),
        found.get("PipelineDisplayName"),
        found.get("PipelineDescription"),
        found.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
        _tags(found["PipelineArn"], clients),
    )


def _tags(arn: str, clients: Clients) -> dict[str, str]:
    tags: dict[str, str] = {}
    token: str | None = None
    while True:
        page = clients.call("sagemaker", "list_tags", ResourceArn=arn, NextToken=token)
        tags.update({tag["Key"]: tag["Value"] for tag in page["Tags"]})
        token = page.get("NextToken")
        if not token:
            return tags


def _see_bucket(compilation: Compilation, clients: Clients) -> None:
    """Raise AwsError or Refused where there is no such bucket, or it is where SageMaker cannot read from."""
    try:
        answer = clients.call(
            "s3", "head_bucket", Bucket=compilation.bucket, ExpectedBucketOwner=compilation.bucket_owner
        )
    except AwsError as error:
        if error.code in DENIED:
            return  # it takes a right of its own that uploading does not need
        raise
    region = answer.get("BucketRegion")
    if region and compilation.region and region != compilation.region:
        raise Refused(
            f"the bucket `{compilation.bucket}` is in {region}, the pipeline in {compilation.region}",
            "SageMaker reads code from its own region: name a bucket there",
        )


def _is_there(upload: Upload, compilation: Compilation, clients: Clients, if_denied: bool) -> bool:
    """Is the asset in its bucket, whole? An archive's size depends on who compressed it, a file's does not."""
    try:
        found = clients.call(
            "s3",
            "head_object",
            Bucket=upload.bucket,
            Key=upload.key,
            ExpectedBucketOwner=compilation.bucket_owner,
        )
    except AwsError as error:
        if error.code in NOT_FOUND:
            return False
        if error.code in DENIED:
            return if_denied
        raise
    return upload.asset.archive or found["ContentLength"] == upload.asset.size
