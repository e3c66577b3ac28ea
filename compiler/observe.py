"""What is deployed, and what is missing: calls to AWS that only read."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sagewright.compiler import eventbridge
from sagewright.compiler.aws import DENIED, MISSING, NOT_FOUND, AwsError, Clients
from sagewright.compiler.compilation import Compilation, Upload
from sagewright.compiler.drift import Drift, three_way
from sagewright.compiler.eventbridge import Listing
from sagewright.compiler.functions import is_published
from sagewright.compiler.plan import (
    DIGEST,
    PENDING,
    PROJECT,
    TARGET,
    TRIGGERS,
    Deployed,
    Plan,
    Refused,
    make_plan,
)
from sagewright.compiler.start_parameters import declared, problems
from sagewright.compiler.trigger_changes import LiveTrigger, resource
from sagewright.compiler.versions import last_of_ours

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
    _triggers: Listing | None = None
    _schedules: list[dict[str, Any]] | None = None
    again: bool = False
    """Is this a second look, at one pipeline?"""
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

    def triggers(self, pipeline: str) -> tuple[LiveTrigger, ...]:
        """A pipeline's triggers: listed once for all pipelines, read one by one. Raises AwsError."""
        if self.again:
            return eventbridge.read(pipeline, eventbridge.list_triggers(self.clients, pipeline), self.clients)
        with self._turn:
            if self._triggers is None:
                self._triggers = eventbridge.list_triggers(self.clients)
        return eventbridge.read(pipeline, self._triggers, self.clients)

    def schedules(self) -> list[dict[str, Any]]:
        """The summaries of everybody's schedules, listed once. Raises AwsError."""
        with self._turn:
            if self._schedules is None:
                found = self.clients.pages("scheduler", "list_schedules", "Schedules", MaxResults=100)
                self._schedules = list(found)
            return self._schedules

    def later(self, missing: Iterable[Upload]) -> Survey:
        """For a second look: assets may have gone since they were listed; what was `missing` is uploaded anyhow."""
        made = Survey(self.clients, self.account, self._buckets, again=True, _turn=self._turn)
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
    if deployed is not None and not deployed.deleting and (compilation.triggers or TRIGGERS in deployed.tags):
        deployed = replace(deployed, triggers=survey.triggers(compilation.name))
    plan = make_plan(compilation, deployed)
    plan = replace(plan, drift=_drift(plan, clients), uses=tuple(_uses(plan, survey)))
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


def _drift(plan: Plan, clients: Clients) -> Drift | None:
    """What somebody else has changed, where that is in the way. Without the right to look, or on a service that keeps no
    versions, only that it was."""
    deployed = plan.deployed
    if plan.conflict is None or deployed is None or not (deployed.ours and deployed.drifted):
        return None
    try:
        base = last_of_ours(plan.compilation.name, deployed, clients)
    except (AwsError, Refused) as error:
        if isinstance(error, Refused) or error.code in DENIED or error.code == "UnknownOperationException":
            return Drift()
        raise
    return Drift() if base is None else three_way(*base, deployed.definition, plan.compilation.definition)


def _uses(plan: Plan, survey: Survey) -> Iterator[str]:
    """What triggers give to the pipeline that its new definition does not take, where its parameters change.

    Triggers of the file were held against them when it was compiled: this is of those that stay, ours and others'.
    """
    deployed, made = plan.deployed, plan.compilation
    if deployed is None or deployed.deleting or not plan.comparison or survey.again:
        return
    try:
        before, after = declared(deployed.definition), declared(made.definition)
        if before == after:
            return
        ours = (
            {resource(made.name, found.name) for found in deployed.triggers} if made.triggers else set[str]()
        )
        for name, given in eventbridge.running(deployed.arn, survey.schedules(), survey.clients):
            if name.split("`")[1] not in ours:
                values = {key: None if value.startswith("$.") else value for key, value in given.items()}
                yield from (f"{name} starts this pipeline: {told}" for told in problems(after, values))
    except Refused:
        return
    except AwsError as error:
        if error.code not in DENIED:
            raise
        yield f"its parameters change, and what starts it is not known: {error.message}"


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
    """A pipeline as it is deployed; None where there is none of that name. Raises Refused where its name is written
    otherwise; AwsError."""
    try:
        found = clients.call("sagemaker", "describe_pipeline", PipelineName=name)
        if "PipelineArn" not in found:
            raise AwsError("the endpoint's answer is not AWS's", "NoAnswer", "is AWS_ENDPOINT_URL right?")
        if found.get("PipelineName", name) != name:
            raise Refused(
                f"there is a pipeline `{found['PipelineName']}`: to AWS `{name}` is the same",
                "names that differ only by case are one: name one of them otherwise",
            )
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
