"""What is deployed, and what is missing: calls to AWS that only read."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from sagewright.compiler.aws import DENIED, MISSING, NOT_FOUND, AwsError, Clients
from sagewright.compiler.compilation import Compilation, Upload
from sagewright.compiler.functions import is_published
from sagewright.compiler.plan import DIGEST, PENDING, PROJECT, TARGET, Deployed, Plan, Refused, make_plan

LISTED = 10
"""So many assets below one prefix are looked for by listing it, fewer one by one."""


@dataclass(slots=True)
class Survey:
    """What pipelines of one region share, looked at once: accounts, buckets, assets. Threads may share it."""

    clients: Clients
    account: str | None = None
    _buckets: dict[str, AwsError | Refused | None] = field(default_factory=dict)
    _objects: dict[tuple[str, str], int] = field(default_factory=dict)
    """Assets that are known to be there, by bucket and key, with their sizes."""
    _listed: set[tuple[str, str]] = field(default_factory=set)
    """Buckets and prefixes that were listed to the end: what was not found there is not there."""
    _missing: set[tuple[str, str]] = field(default_factory=set)
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def guard(self, account: str | None, target: str) -> None:
        """Raise Refused unless the credentials are those of the target's account. Raises AwsError."""
        if account is None:
            return
        with self._turn:
            self.account = self.account or self.clients.account()
        if self.account != account:
            raise Refused(
                f"target `{target}` is account {account}, and the credentials belong to account {self.account}",
                "use the target's credentials",
            )

    def see_bucket(self, compilation: Compilation) -> None:
        """Raise AwsError or Refused where there is no such bucket, or it is where SageMaker cannot read from."""
        bucket = compilation.bucket or ""
        with self._turn:
            if bucket not in self._buckets:
                try:
                    _see_bucket(compilation, self.clients)
                    self._buckets[bucket] = None
                except (AwsError, Refused) as error:
                    self._buckets[bucket] = error
            known = self._buckets[bucket]
        if known is not None:
            raise known

    def list_assets(self, compilations: Iterable[Compilation]) -> None:
        """Learn of many assets with few calls. Without the right to list, each is asked for by itself."""
        places = [((u.bucket, _folder(u.key)), c.bucket_owner) for c in compilations for u in c.uploads]
        owners = dict(places)
        for (bucket, prefix), count in Counter(place for place, _ in places).items():
            if count > LISTED:
                self._list(bucket, prefix, owners[bucket, prefix], pages=count)

    def _list(self, bucket: str, prefix: str, owner: str | None, pages: int) -> None:
        """At most so many pages: asking for each asset takes no more calls."""
        token: str | None = None
        for _ in range(pages):
            try:
                page = self.clients.call(
                    "s3",
                    "list_objects_v2",
                    Bucket=bucket,
                    Prefix=prefix,
                    ContinuationToken=token,
                    ExpectedBucketOwner=owner,
                )
            except AwsError as error:
                if error.for_all:
                    raise
                return
            self._objects.update({(bucket, item["Key"]): item["Size"] for item in page.get("Contents", ())})
            token = page.get("NextContinuationToken")
            if token is None:
                self._listed.add((bucket, prefix))
                return

    def later(self, missing: Iterable[Upload]) -> Survey:
        """For a second look: assets may have gone since they were listed; what was `missing` is uploaded anyhow."""
        made = Survey(self.clients, self.account, self._buckets, _turn=self._turn)
        made._missing.update((upload.bucket, upload.key) for upload in missing)
        return made

    def knows(self, upload: Upload) -> bool | None:
        """Is the asset in its bucket, whole? None where it was not listed."""
        if (upload.bucket, upload.key) in self._missing:
            return False
        size = self._objects.get((upload.bucket, upload.key))
        if size is not None:
            return _is_whole(upload, size)
        return False if (upload.bucket, _folder(upload.key)) in self._listed else None


def _folder(key: str) -> str:
    """`<prefix>/code/` of `<prefix>/code/<hash>/<name>`."""
    return key.rsplit("/", 2)[0] + "/"


def observe(compilation: Compilation, clients: Clients, survey: Survey | None = None) -> Plan:
    """What is there now, and what has to be done: calls that only read. Raises Refused and AwsError."""
    survey = survey or Survey(clients)
    deployed = describe(compilation.name, clients)
    if deployed is None and compilation.role is None:
        raise Refused(f"`{compilation.name}` needs a role to be created", "set `role:`, or pass --role")
    if compilation.bucket is not None:
        survey.see_bucket(compilation)
    plan = make_plan(compilation, deployed)
    # Without the right to look, what belongs to a definition that is deployed is taken to be there.
    denied_is_missing = deployed is None or deployed.digest != plan.digest
    uploads = [
        upload
        for upload, known in ((upload, survey.knows(upload)) for upload in compilation.uploads)
        if known is False
        or (known is None and not _is_there(upload, compilation, clients, not denied_is_missing))
    ]
    functions = [function for function in compilation.functions if not is_published(function, clients)]
    return replace(plan, uploads=tuple(uploads), functions=tuple(functions))


@dataclass(frozen=True, slots=True)
class Orphan:
    """A pipeline of the project's whose file is gone."""

    name: str
    deployed: Deployed


def orphans(project: str, target: str, names: Iterable[str], clients: Clients) -> list[Orphan]:
    """Pipelines whose tags say that they are the project's and the target's, and that are not among `names`.

    Search finds them, and may be behind: what it finds is looked at. Raises AwsError.
    """
    expression = {"Filters": [{"Name": f"Tags.{PROJECT}", "Operator": "Equals", "Value": project}]}
    found = clients.pages("sagemaker", "search", "Results", Resource="Pipeline", SearchExpression=expression)
    known, here = {name.lower() for name in names}, list[Orphan]()
    for name in sorted({hit["Pipeline"]["PipelineName"] for hit in found}):
        if name.lower() in known:
            continue
        deployed = describe(name, clients)
        if deployed and not deployed.deleting and _belongs(deployed, project, target):
            here.append(Orphan(name, deployed))
    return here


def _belongs(deployed: Deployed, project: str, target: str) -> bool:
    tags = deployed.tags
    return (
        tags.get(PROJECT) == project and tags.get(TARGET) == target and bool({DIGEST, PENDING} & tags.keys())
    )


def describe(name: str, clients: Clients) -> Deployed | None:
    """A pipeline as it is deployed; None where there is none of that name. Raises AwsError."""
    try:
        found = clients.call("sagemaker", "describe_pipeline", PipelineName=name)
        if "PipelineArn" not in found:
            raise AwsError("the endpoint's answer is not AWS's", "NoAnswer", "is AWS_ENDPOINT_URL right?")
        tags = _tags(found["PipelineArn"], clients)
    except AwsError as error:
        if error.code in MISSING:  # before the second call too: somebody may be deleting it
            return None
        raise
    return Deployed(
        found["PipelineArn"],
        found.get("PipelineDefinition", ""),
        found.get("RoleArn"),
        found.get("PipelineDisplayName"),
        found.get("PipelineDescription"),
        found.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps"),
        tags,
        found.get("PipelineStatus") == "Deleting",
    )


def _tags(arn: str, clients: Clients) -> dict[str, str]:
    return {
        tag["Key"]: tag["Value"] for tag in clients.pages("sagemaker", "list_tags", "Tags", ResourceArn=arn)
    }


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


def _is_whole(upload: Upload, size: int) -> bool:
    """An archive's size depends on who compressed it, a file's does not."""
    return upload.asset.archive or size == upload.asset.size


def _is_there(upload: Upload, compilation: Compilation, clients: Clients, if_denied: bool) -> bool:
    """Is the asset in its bucket, whole?"""
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
    return _is_whole(upload, found["ContentLength"])
