"""Carries a plan out: uploads, creates or updates, one pipeline at a time, and never half."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from sagewright.compiler import eventbridge
from sagewright.compiler.assets import AssetError
from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Compilation, LambdaFunction, Place, Upload
from sagewright.compiler.eventbridge import left_over
from sagewright.compiler.functions import publish
from sagewright.compiler.lock import Lock, who
from sagewright.compiler.observe import Survey, describe, observe
from sagewright.compiler.plan import DIGEST, OURS, PARALLELISM, PENDING, PROTECTED, Deployed, Plan, Refused
from sagewright.compiler.trigger_changes import TriggerChange

INLINE_LENGTH = 102_400
"""Longer definitions go to S3, as the SDK does it."""
MAXIMUM_LENGTH = 1_048_576
DELETION_INTERVAL = 2.0
"""Seconds between two looks at a pipeline that is being deleted."""
DELETION_WAITS = 60

_DOING = {"create": "creating", "update": "updating", "delete": "deleting"}

Report = Callable[[str], None]
Confirm = Callable[[Plan], bool]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one pipeline. `arn` is None where it was declined and does not exist; `version` is AWS's."""

    action: Literal["create", "update", "unchanged", "recreate", "declined"]
    arn: str | None
    digest: str
    uploads: int = 0
    version: int | None = None


def upsert(
    compilation: Compilation, clients: Clients, *, confirm: Confirm, report: Report, force: bool = False
) -> Result:
    """Bring a pipeline to what was compiled. Interrupted anywhere, running it again completes it.

    `report` takes lines for the reader, the plan first; `confirm` is asked before anything is changed. `force`
    overwrites what somebody else changed. Raises Refused and AwsError.
    """
    plan = prepare(compilation, Survey(clients))
    for line in plan.lines():
        report(line)
    require(plan, force, report)
    if plan.action != "unchanged" and not confirm(plan):
        return Result("declined", plan.deployed.arn if plan.deployed else None, plan.digest)
    return carry_out(plan, clients, report=report, force=force)


def prepare(compilation: Compilation, survey: Survey) -> Plan:
    """What upserting will do, found out by reading only. Raises Refused and AwsError."""
    _check(compilation)
    survey.guard(compilation.account, compilation.target)
    return observe(compilation, survey.clients, survey)


def require(plan: Plan, force: bool, report: Report) -> None:
    """Raise Refused where the plan would overwrite what somebody else made, and nobody said that it shall."""
    if plan.conflict and not force:
        raise Refused(f"pipeline `{plan.compilation.name}`: {plan.conflict}")
    if plan.conflict:
        report(f"  --force: {plan.conflict.partition(';')[0]}")


def carry_out(
    plan: Plan, clients: Clients, *, report: Report, force: bool = False, survey: Survey | None = None
) -> Result:
    """Do what was planned, if the pipeline is still as it was then. Raises Refused and AwsError."""
    arn = plan.deployed.arn if plan.deployed else None
    if plan.action == "unchanged":
        return Result("unchanged", arn, plan.digest)
    compilation = plan.compilation
    with locked(compilation.place, clients, report) as lock:
        again = observe(compilation, clients, survey.later(plan.uploads) if survey else None)
        if again.action == "unchanged":
            return Result("unchanged", again.deployed.arn if again.deployed else None, again.digest)
        if again.deployed != plan.deployed:
            raise Refused(
                f"pipeline `{compilation.name}` was changed while this was waiting",
                "look again: run upsert again",
            )
        return _Execution(again, clients, lock, report, force).run()


# -- before anything is changed ---------------------------------------------------------------------------------------


def _check(compilation: Compilation) -> None:
    if len(compilation.definition) > MAXIMUM_LENGTH:
        raise Refused(
            f"the definition of `{compilation.name}` has {len(compilation.definition):,} characters; "
            f"SageMaker takes {MAXIMUM_LENGTH:,}"
        )
    for key in compilation.tags:
        if key.startswith(PROTECTED):
            raise Refused(f"the tag `{key}` of `{compilation.name}` is not for pipelines to set", "rename it")
    if compilation.uploads and compilation.bucket is None:
        raise Refused(
            f"`{compilation.name}` has code to upload, and no bucket", "set `bucket:`, or pass --bucket"
        )


@contextmanager
def locked(place: Place, clients: Clients, report: Report) -> Generator[Lock | None]:
    """Hold the pipeline's lock; None, and said, where there can be none. Raises Refused and AwsError."""
    if place.bucket is None:
        report("no bucket is known, so there is no lock: let nobody else upsert this pipeline now")
        yield None
        return
    lock = Lock(
        clients, place.bucket, f"{place.folder}locks/{place.name}", place.encryption, place.bucket_owner
    )
    try:
        taken = lock.take()
        if not taken:
            report(
                f"no right to write {lock.uri}, so there is no lock: let nobody else upsert this pipeline now"
            )
        yield lock if taken else None
    finally:
        lock.release()


# -- the changes ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Execution:
    """One plan being carried out, in an order that leaves nothing unfinished that a second run does not complete."""

    plan: Plan
    clients: Clients
    lock: Lock | None
    report: Report
    force: bool

    def run(self) -> Result:
        plan = self.plan
        for upload in plan.uploads:
            self._upload(upload)
        for function in plan.functions:
            self._publish(function)
        location = self._definition()
        if plan.action == "recreate":
            self._wait_until_gone()
        if plan.deployed is None or plan.action == "recreate":
            self._hold()
            arn, version = self._create(location), None
            self.report(f"created {arn}")
            wanted = plan.compilation.triggers
            if wanted:
                self._set_triggers(arn, left_over(plan.compilation.name, wanted, arn, self.clients))
        else:
            arn, version = plan.deployed.arn, self._update(plan.deployed, location)
            self.report(f"updated {arn}")
        if plan.compilation.commit and (version or plan.action != "update"):
            self._describe_version(arn, version or 1)
        return Result(plan.action, arn, plan.digest, len(plan.uploads), version)

    def _set_triggers(self, arn: str, changes: Iterable[TriggerChange]) -> None:
        """After the pipeline, which they may give new parameters; the tag that tells of them is set by then."""
        for change in changes:
            if change.conflict and not self.force:
                raise Refused(change.conflict)
            self._hold()
            self.report(f"{_DOING[change.action]} trigger {change.name}")
            eventbridge.carry_out(change, self.plan.compilation.name, arn, self.clients)

    def _wait_until_gone(self) -> None:
        """A pipeline that is being deleted keeps its name until it is. Raises Refused."""
        name = self.plan.compilation.name
        self.report(f"waiting until {name} is deleted")
        for _ in range(DELETION_WAITS):
            if describe(name, self.clients) is None:
                return
            self._hold()
            time.sleep(DELETION_INTERVAL)
        raise Refused(f"pipeline `{name}` is still being deleted", "nothing is lost: run upsert again later")

    def _describe_version(self, arn: str, version: int) -> None:
        """Write down what a version is of. It is said where that may not be, and the upsert is done all the same."""
        try:
            self.clients.call(
                "sagemaker",
                "update_pipeline_version",
                PipelineArn=arn,
                PipelineVersionId=version,
                PipelineVersionDescription=f"commit {self.plan.compilation.commit}, by {who()}",
            )
        except AwsError as error:
            self.report(f"version {version} has no description: {error.message}")

    def _upload(self, upload: Upload) -> None:
        self._hold()
        self.report(f"uploading {upload.asset.name}")
        try:
            with upload.asset.open() as body:
                self._put(body, upload.bucket, upload.key)
        except AssetError as error:
            raise Refused(error.message, error.help) from None

    def _publish(self, function: LambdaFunction) -> None:
        self._hold()
        self.report(f"publishing {function.name}")
        publish(function, self.plan.compilation.name, self.clients, force=self.force)

    def _put(self, body: BinaryIO, bucket: str, key: str) -> None:
        compilation = self.plan.compilation
        self.clients.upload(
            body,
            bucket,
            key,
            ChecksumAlgorithm="SHA256",
            ExpectedBucketOwner=compilation.bucket_owner,
            **compilation.place.encryption,
        )

    def _definition(self) -> dict[str, Any]:
        """The definition as Create and Update take it: itself, or where it is in S3 once it is too long."""
        compilation = self.plan.compilation
        if not self._sets_definition():
            return {}
        if len(compilation.definition) <= INLINE_LENGTH or compilation.bucket is None:
            return {"PipelineDefinition": compilation.definition}
        text = compilation.definition.encode()
        key = f"{compilation.place.folder}definitions/{hashlib.sha256(text).hexdigest()}.json"
        self._put(io.BytesIO(text), compilation.bucket, key)
        return {"PipelineDefinitionS3Location": {"Bucket": compilation.bucket, "ObjectKey": key}}

    def _sets_definition(self) -> bool:
        deployed = self.plan.deployed
        return deployed is None or deployed.deleting or deployed.digest != self.plan.digest

    def _create(self, definition: dict[str, Any]) -> str:
        """Create the pipeline with its tags, in one call. One that is there after a failure was created by it."""
        compilation = self.plan.compilation
        request = {
            "PipelineName": compilation.name,
            "RoleArn": compilation.role,
            "PipelineDisplayName": compilation.display_name,
            "PipelineDescription": compilation.description,
            "ParallelismConfiguration": self._parallelism(),
            "Tags": _tag_list(dict(self.plan.set_tags)),
            **definition,
        }
        # The same request has the same token, so that AWS sees through a repetition.
        text = json.dumps([compilation.region, request], sort_keys=True)
        token = hashlib.sha256(text.encode()).hexdigest()
        try:
            return self.clients.call("sagemaker", "create_pipeline", ClientRequestToken=token, **request)[
                "PipelineArn"
            ]
        except AwsError as error:
            found = describe(compilation.name, self.clients)
            if found is None:
                if compilation.name.lower() in error.message.lower() and "exist" in error.message:
                    error.hint = "is there one whose name differs only by case? To AWS they are one pipeline"
                raise
            if found.digest == self.plan.digest == found.tags.get(DIGEST):
                return found.arn
            raise Refused(
                f"somebody else created pipeline `{compilation.name}` at the same time", "run upsert again"
            ) from None

    def _update(self, deployed: Deployed, definition: dict[str, Any]) -> int | None:
        """Pending → Update → tags → digest → no longer pending. Its version, where there is a new one."""
        plan, arn, version = self.plan, deployed.arn, None
        obsolete = [key for key in plan.remove_tags if key.startswith(OURS)]
        if plan.changes:
            pending = {PENDING: plan.digest}
            if PARALLELISM in plan.set_tags:
                pending[PARALLELISM] = plan.set_tags[PARALLELISM]
            self._add_tags(arn, pending)
            version = self._update_pipeline(definition)
            obsolete = [*dict.fromkeys([*obsolete, PENDING])]
        # Removed while `sagewright:tags` still lists them: an interrupted run would forget whose they are.
        self._delete_tags(arn, [key for key in plan.remove_tags if not key.startswith(OURS)])
        self._add_tags(arn, plan.set_tags)
        self._set_triggers(arn, plan.triggers)
        self._delete_tags(arn, obsolete)
        return version

    def _update_pipeline(self, definition: dict[str, Any]) -> int | None:
        """All that the file says, not only what changed: nobody documents what AWS makes of what is left out."""
        compilation = self.plan.compilation
        self._hold()
        answer = self.clients.call(
            "sagemaker",
            "update_pipeline",
            PipelineName=compilation.name,
            RoleArn=compilation.role,
            PipelineDisplayName=compilation.display_name or compilation.name,
            PipelineDescription=compilation.description or "",
            ParallelismConfiguration=self._parallelism(),
            **definition,
        )
        return answer.get("PipelineVersionId")

    def _parallelism(self) -> dict[str, int] | None:
        """The file's, else what was deployed: it is always said, so that an update never clobbers it."""
        value = self.plan.parallelism
        return None if value is None else {"MaxParallelExecutionSteps": value}

    def _add_tags(self, arn: str, tags: Any) -> None:
        if tags:
            self._hold()
            self.clients.call("sagemaker", "add_tags", ResourceArn=arn, Tags=_tag_list(tags))

    def _delete_tags(self, arn: str, keys: list[str]) -> None:
        if keys:
            self._hold()
            self.clients.call("sagemaker", "delete_tags", ResourceArn=arn, TagKeys=keys)

    def _hold(self) -> None:
        if self.lock is not None:
            self.lock.hold()


def _tag_list(tags: Any) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
