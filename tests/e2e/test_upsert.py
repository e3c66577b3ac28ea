"""Upserting over HTTP into the emulator: what it does, what it refuses, and what survives an interruption."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from sagewright.compiler.apply import Result, upsert
from sagewright.compiler.assets import data_asset
from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Compilation, LambdaFunction, Upload
from sagewright.compiler.definition import digest
from sagewright.compiler.plan import DIGEST, PENDING, TAGS, Plan, Refused, read_keys
from tests.emulator_fixture import ACCOUNT, BUCKET, REGION, Proxy
from tests.eventbridge import FRESH, NIGHTLY, EventBridge

ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
CODE = data_asset("train.py", b"print('train')\n")
LOCK = "sagewright/locks/abalone"
UPDATE = ["AddTags", "UpdatePipeline", "AddTags", "DeleteTags"]


def definition(message: str = "no", padding: int = 0) -> str:
    steps = [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": message}}]
    return json.dumps(
        {"Version": "2020-12-01", "Metadata": {"x": "x" * padding}, "Parameters": [], "Steps": steps}
    )


def compiled(text: str | None = None, **changes: Any) -> Compilation:
    text = text or definition()
    made = Compilation(
        name="abalone",
        target="dev",
        definition=text,
        digest=digest(text),
        role=ROLE,
        display_name=None,
        description=None,
        parallelism=None,
        tags={},
        region=REGION,
        account=None,
        bucket=BUCKET,
        prefix="sagewright",
        uploads=(Upload(CODE, BUCKET, f"sagewright/code/{CODE.digest}/train.py"),),
        kms_key=None,
        bucket_owner=None,
        source="pipelines/abalone/pipeline.yaml",
    )
    return replace(made, **changes)


@dataclass
class Aws:
    """What tests look at, past the proxy, and how they upsert, through it."""

    proxy: Proxy

    def __post_init__(self) -> None:
        self.sagemaker: Any = boto3.client("sagemaker", endpoint_url=self.proxy.target)
        self.s3: Any = boto3.client("s3", endpoint_url=self.proxy.target)
        self.bridge = EventBridge(self.proxy.target)
        self.said: list[str] = []
        # Making boto3's clients takes most of an upsert's time.
        self.made: dict[str, Any] = {}

    def upsert(self, compilation: Compilation, clients: Clients | None = None, **options: Any) -> Result:
        options.setdefault("confirm", lambda plan: True)
        return upsert(compilation, clients or self.clients(), report=self.said.append, **options)

    def clients(self) -> Clients:
        return Clients(REGION, self.proxy.url, self.made)

    def describe(self) -> dict[str, Any]:
        return self.sagemaker.describe_pipeline(PipelineName="abalone")

    def tags(self) -> dict[str, str]:
        found = self.sagemaker.list_tags(ResourceArn=self.describe()["PipelineArn"])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def objects(self) -> list[str]:
        return sorted(item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()))

    def state(self) -> Any:
        """Everything that upserting leaves behind, but times, versions, and the lock of one that was killed."""
        shown = self.describe()
        members = ("PipelineDefinition", "RoleArn", "PipelineDisplayName", "ParallelismConfiguration")
        return (
            [shown.get(member) for member in members],
            shown.get("PipelineDescription"),
            self.tags(),
            [key for key in self.objects() if key != LOCK],
            self.bridge.state(),
        )

    def clear(self) -> None:
        """Take away the pipeline, its triggers, and everything in the bucket."""
        with contextlib.suppress(self.sagemaker.exceptions.ResourceNotFound):
            self.sagemaker.delete_pipeline(PipelineName="abalone")
        self.bridge.clear()
        for key in self.objects():
            self.s3.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def aws(proxy: Proxy) -> Aws:
    return Aws(proxy)


# -- what it does -----------------------------------------------------------------------------------------------------


def test_create(aws: Aws) -> None:
    wanted = compiled(
        display_name="Abalone", description="Rings.", parallelism=3, tags={"team": "risk", "a b": "="}
    )
    result = aws.upsert(wanted)
    assert result.action == "create" and result.uploads == 1
    shown = aws.describe()
    assert result.arn == shown["PipelineArn"]
    assert shown["PipelineDefinition"] == wanted.definition
    assert (shown["RoleArn"], shown["PipelineDisplayName"]) == (ROLE, "Abalone")
    assert shown["PipelineDescription"] == "Rings."
    assert shown["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    tags = aws.tags()
    assert (tags["team"], tags["a b"], tags[DIGEST]) == ("risk", "=", wanted.digest)
    assert read_keys([tags[TAGS]]) == ["a b", "team"]
    assert PENDING not in tags
    assert aws.objects() == [wanted.uploads[0].key], "the code is there, and the lock is not"
    body = aws.s3.get_object(Bucket=BUCKET, Key=wanted.uploads[0].key, ChecksumMode="ENABLED")
    assert body["Body"].read() == b"print('train')\n" and body["ChecksumSHA256"]
    assert aws.said[0] == "create pipeline abalone (target dev)"


def test_unchanged_changes_nothing(aws: Aws) -> None:
    wanted = compiled(description="d", parallelism=3, tags={"team": "risk"})
    aws.upsert(wanted)
    before, first = len(aws.proxy.journal), aws.describe()
    shuffled = json.dumps(dict(reversed(json.loads(wanted.definition).items())), indent=2)
    asked: list[Plan] = []
    result = aws.upsert(replace(wanted, definition=shuffled), confirm=lambda plan: bool(asked.append(plan)))
    assert result.action == "unchanged" and not asked
    assert not [call for call in aws.proxy.journal[before:] if call.changes_something]
    assert aws.describe() | {"ResponseMetadata": 0} == first | {"ResponseMetadata": 0}


def test_update(aws: Aws) -> None:
    aws.upsert(compiled(display_name="Abalone", description="Rings."))
    before = len(aws.proxy.journal)
    other = f"{ROLE}2"
    wanted = compiled(definition("yes"), role=other)
    result = aws.upsert(wanted)
    assert (result.action, result.version, result.uploads) == ("update", 2, 0)
    shown = aws.describe()
    assert (shown["PipelineDefinition"], shown["RoleArn"]) == (wanted.definition, other)
    assert shown["PipelineDisplayName"] == "abalone" and "PipelineDescription" not in shown, (
        "removed in the file"
    )
    assert [
        c.operation for c in aws.proxy.journal[before:] if c.changes_something and "locks" not in c.key
    ] == UPDATE
    assert aws.tags() == {DIGEST: wanted.digest}
    told = "\n".join(aws.said)
    assert '    ~ step F (Fail)\n      ~ Arguments.ErrorMessage: "no" → "yes"' in told
    assert f"role: {ROLE} → {other}" in told and "description: Rings. → none" in told


def test_what_was_not_asked_for_is_declined(aws: Aws) -> None:
    result = aws.upsert(compiled(), confirm=lambda plan: False)
    assert result.action == "declined"
    assert aws.proxy.changes() == [] and aws.objects() == []


def test_tags_added_changed_and_removed(aws: Aws) -> None:
    aws.upsert(compiled(tags={"team": "risk", "stage": "dev"}))
    arn = aws.describe()["PipelineArn"]
    aws.sagemaker.add_tags(
        ResourceArn=arn,
        Tags=[{"Key": "theirs", "Value": "1"}, {"Key": "sagemaker:project-name", "Value": "p"}],
    )
    version = aws.describe()["LastModifiedTime"]
    aws.upsert(compiled(tags={"team": "fraud", "cost": "4"}))
    tags = {k: v for k, v in aws.tags().items() if k not in (DIGEST, TAGS)}
    assert tags == {"team": "fraud", "cost": "4", "theirs": "1", "sagemaker:project-name": "p"}
    assert aws.describe()["LastModifiedTime"] == version, "tags alone need no UpdatePipeline"
    aws.upsert(compiled())
    assert aws.tags().keys() == {DIGEST, "theirs", "sagemaker:project-name"}


def test_many_tags_are_remembered(aws: Aws) -> None:
    many = {f"a-long-key-of-a-tag/number={number} of them": "v" for number in range(40)}
    aws.upsert(compiled(tags=many))
    aws.upsert(compiled(tags={"left": "1"}))
    assert aws.tags().keys() == {DIGEST, TAGS, "left"}


def test_parallelism_is_set_kept_and_reset(aws: Aws) -> None:
    def parallelism() -> int | None:
        return aws.describe().get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")

    aws.upsert(compiled(parallelism=3))
    aws.upsert(compiled(definition("2"), parallelism=4))
    assert parallelism() == 4
    aws.upsert(compiled(definition("3")))
    assert parallelism() == 50, "ours, and no longer in the file: the service's own limit"
    aws.sagemaker.update_pipeline(
        PipelineName="abalone", ParallelismConfiguration={"MaxParallelExecutionSteps": 7}
    )
    assert aws.upsert(compiled(definition("3"))).action == "unchanged"
    aws.upsert(compiled(definition("4")))
    assert parallelism() == 7, "somebody else's, and the file says nothing"


def test_a_long_definition_goes_by_s3(aws: Aws) -> None:
    wanted = compiled(definition(padding=150_000))
    aws.upsert(wanted)
    assert aws.describe()["PipelineDefinition"] == wanted.definition
    (key,) = [key for key in aws.objects() if key.startswith("sagewright/definitions/")]
    assert aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() == wanted.definition
    assert aws.upsert(wanted).action == "unchanged"


def test_a_definition_that_is_too_long(aws: Aws) -> None:
    with pytest.raises(Refused, match="1,048,576"):
        aws.upsert(compiled(definition(padding=1_100_000)))
    assert aws.proxy.journal == []


def test_an_asset_that_is_there_is_not_uploaded_again(aws: Aws) -> None:
    aws.upsert(compiled())
    before = len(aws.proxy.journal)
    aws.upsert(compiled(definition("2")))
    puts = [c for c in aws.proxy.journal[before:] if c.operation == "PutObject" and "/locks/" not in c.key]
    assert puts == []


def test_an_asset_that_is_gone_or_broken_is_uploaded_again(aws: Aws) -> None:
    wanted = compiled()
    aws.upsert(wanted)
    aws.s3.put_object(Bucket=BUCKET, Key=wanted.uploads[0].key, Body=b"half")
    assert aws.upsert(wanted).uploads == 1
    aws.s3.delete_object(Bucket=BUCKET, Key=wanted.uploads[0].key)
    assert aws.upsert(wanted).uploads == 1
    assert aws.proxy.changes().count("CreatePipeline") == 1 and "UpdatePipeline" not in aws.proxy.changes()


def test_encryption_and_owner_are_passed_on(aws: Aws) -> None:
    wanted = compiled(kms_key="alias/ml", bucket_owner=ACCOUNT)
    aws.upsert(wanted)
    head = aws.s3.head_object(Bucket=BUCKET, Key=wanted.uploads[0].key)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/ml")


def test_without_a_bucket(aws: Aws) -> None:
    assert aws.upsert(compiled(bucket=None, uploads=())).action == "create"
    assert any("there is no lock" in line for line in aws.said)
    with pytest.raises(Refused, match="no bucket"):
        aws.upsert(compiled(bucket=None))


def test_functions_come_before_the_pipeline_that_calls_them(aws: Aws) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    boto3.client("iam", endpoint_url=aws.proxy.target).create_role(
        RoleName="SageMakerRole", AssumeRolePolicyDocument=trust
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "")
    function = LambdaFunction(
        "f", "sw-1", data_asset("f.zip", packed.getvalue()), "python3.12", "main.f", ROLE, 60, 128
    )
    wanted = compiled(functions=(function,))
    aws.upsert(wanted)
    assert "  publish Lambda function f as sw-1" in aws.said
    changes = aws.proxy.changes()
    assert changes.index("Lambda") < changes.index("CreatePipeline")
    assert aws.upsert(wanted).action == "unchanged"
    manifest = wanted.manifest()["functions"]
    assert manifest == [{"name": "f", "alias": "sw-1", "sha256": function.asset.digest, "source": "f.zip"}]


# -- what it refuses --------------------------------------------------------------------------------------------------


def test_the_wrong_account(aws: Aws) -> None:
    with pytest.raises(Refused, match=f"account 999999999999, .* account {ACCOUNT}"):
        aws.upsert(compiled(account="999999999999"))
    assert [call.operation for call in aws.proxy.journal] == ["GetCallerIdentity"]
    assert aws.upsert(compiled(account=ACCOUNT)).action == "create"


def test_no_role(aws: Aws) -> None:
    with pytest.raises(Refused, match="needs a role"):
        aws.upsert(compiled(role=None))
    aws.upsert(compiled())
    aws.upsert(compiled(definition("2"), role=None))
    assert aws.describe()["RoleArn"] == ROLE, "it has one already"


@pytest.mark.parametrize("key", ["aws:x", "sagemaker:x", "sagewright:digest"])
def test_tags_that_are_not_the_users(aws: Aws, key: str) -> None:
    with pytest.raises(Refused, match=key):
        aws.upsert(compiled(tags={key: "1"}))
    assert aws.proxy.journal == []


def test_somebody_elses_change_is_not_overwritten(aws: Aws) -> None:
    aws.upsert(compiled())
    aws.sagemaker.update_pipeline(PipelineName="abalone", PipelineDefinition=definition("theirs"))
    with pytest.raises(Refused, match=r"somebody else has changed its definition.*--force"):
        aws.upsert(compiled(definition("ours")))
    assert '~ Arguments.ErrorMessage: "theirs" → "ours"' in "\n".join(aws.said)
    assert aws.describe()["PipelineDefinition"] == definition("theirs")
    aws.upsert(compiled(definition("ours")), force=True)
    assert aws.describe()["PipelineDefinition"] == definition("ours")
    assert aws.upsert(compiled(definition("ours"))).action == "unchanged"


def test_a_pipeline_that_is_not_ours_is_adopted_only_by_force(aws: Aws) -> None:
    tags = [{"Key": "theirs", "Value": "1"}]
    aws.sagemaker.create_pipeline(
        PipelineName="abalone", PipelineDefinition=definition(), RoleArn=ROLE, Tags=tags
    )
    with pytest.raises(Refused, match="not made by sagewright; --force adopts it"):
        aws.upsert(compiled())
    assert aws.upsert(compiled(), force=True).action == "update"
    assert aws.tags()["theirs"] == "1" and aws.tags()[DIGEST] == digest(definition())
    assert aws.upsert(compiled(definition("2"))).action == "update"


def test_somebody_deployed_the_same(aws: Aws) -> None:
    aws.upsert(compiled())
    aws.sagemaker.update_pipeline(PipelineName="abalone", PipelineDefinition=definition("2"))
    assert aws.upsert(compiled(definition("2"))).action == "update"
    assert aws.tags()[DIGEST] == digest(definition("2"))


def test_a_change_while_the_question_was_open(aws: Aws) -> None:
    aws.upsert(compiled())

    def confirm(plan: Plan) -> bool:
        aws.sagemaker.update_pipeline(PipelineName="abalone", PipelineDefinition=definition("theirs"))
        return True

    with pytest.raises(Refused, match="was changed while"):
        aws.upsert(compiled(definition("ours")), confirm=confirm)
    assert aws.describe()["PipelineDefinition"] == definition("theirs")
    assert LOCK not in aws.objects()


def test_a_definition_that_sagemaker_refuses(aws: Aws) -> None:
    bad = json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "F", "Type": "Nope", "Arguments": {}}]})
    with pytest.raises(AwsError) as caught:
        aws.upsert(compiled(bad))
    assert caught.value.code == "ValidationException"
    assert caught.value.message == "Unable to parse pipeline definition. Unknown step type 'Nope'"
    assert LOCK not in aws.objects()


# -- the lock ---------------------------------------------------------------------------------------------------------


def put_lock(aws: Aws, **record: Any) -> None:
    body = {
        "owner": "ann@laptop",
        "expires": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
        **record,
    }
    aws.s3.put_object(Bucket=BUCKET, Key=LOCK, Body=json.dumps(body).encode())


def test_a_lock_that_another_holds(aws: Aws) -> None:
    put_lock(aws)
    with pytest.raises(Refused, match=r"ann@laptop is upserting this pipeline, until .*") as caught:
        aws.upsert(compiled())
    assert f"s3://{BUCKET}/{LOCK}" in str(caught.value.hint)
    assert aws.proxy.changes() == [] and LOCK in aws.objects()


@pytest.mark.parametrize(
    "record", [{"expires": "2020-01-01T00:00:00+00:00"}, {"expires": "soon"}, {"expires": "2020-01-01"}]
)
def test_a_lock_that_is_over_is_taken(aws: Aws, record: dict[str, str]) -> None:
    put_lock(aws, **record)
    assert aws.upsert(compiled()).action == "create"
    assert LOCK not in aws.objects()


def test_a_lock_that_cannot_be_read_is_taken(aws: Aws) -> None:
    aws.s3.put_object(Bucket=BUCKET, Key=LOCK, Body=b"\xff")
    assert aws.upsert(compiled()).action == "create"


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented"])
def test_no_right_to_lock_is_said(aws: Aws, code: str) -> None:
    aws.proxy.refuse("PutObject", 403 if code == "AccessDenied" else 501, code, key="/locks/")
    assert aws.upsert(compiled()).action == "create"
    assert any("no right to write" in line and "there is no lock" in line for line in aws.said)


def test_a_lock_that_is_lost_stops_the_upsert(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sagewright.compiler.lock.LIFETIME", timedelta(0))
    aws.upsert(compiled())

    class Slow(Clients):
        def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
            if operation == "update_pipeline":
                raise AssertionError("without the lock")
            answer = super().call(service, operation, **parameters)
            if operation == "add_tags":
                put_lock(aws)
            return answer

    with pytest.raises(Refused, match="expired, and somebody else took it"):
        aws.upsert(compiled(definition("2")), Slow(REGION, aws.proxy.url))
    assert aws.describe()["PipelineDefinition"] == definition()
    assert LOCK in aws.objects(), "the lock is theirs"
    aws.s3.delete_object(Bucket=BUCKET, Key=LOCK)
    assert aws.upsert(compiled(definition("2"))).action == "update"


def test_two_at_once_end_in_one_of_the_two_states(aws: Aws) -> None:
    aws.upsert(compiled(tags={"who": "none"}))
    children = [
        in_child(lambda who=who: upsert_quietly(aws, compiled(definition(who), tags={"who": who})))
        for who in "ab"
    ]
    assert {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children} <= {0, 3}
    tags, shown = aws.tags(), aws.describe()["PipelineDefinition"]
    assert shown == definition(tags["who"]) and tags["who"] in "ab"
    assert tags[DIGEST] == digest(shown) and PENDING not in tags
    assert LOCK not in aws.objects()


def in_child(action: Callable[[], int]) -> int:
    """Run `action` in a process of its own, which ends with what it returns."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            status = action()
        os._exit(status)
    return child


def upsert_quietly(aws: Aws, compilation: Compilation) -> int:
    try:
        aws.upsert(compilation, Clients(REGION, aws.proxy.url))
    except Refused:
        return 3
    return 0


# -- interruptions ----------------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """As Ctrl-C."""


class Interrupted(Clients):
    """Calls `stop` after so many calls."""

    __slots__ = ("left", "stop")

    def __init__(self, aws: Aws, calls: int, stop: Callable[[], None]) -> None:
        super().__init__(REGION, aws.proxy.url, aws.made)
        self.left = calls
        self.stop = stop

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.stop()

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        try:
            return super().call(service, operation, **parameters)
        finally:
            self._count()

    def upload(self, body: Any, bucket: str, key: str, **extra: Any) -> None:
        try:
            super().upload(body, bucket, key, **extra)
        finally:
            self._count()


def stop() -> None:
    raise Stopped


CHANGES = {
    "create": (None, compiled(tags={"team": "risk"}, parallelism=3)),
    "update": (
        compiled(tags={"team": "risk", "old": "1"}, description="d", parallelism=3),
        compiled(
            definition("2", padding=110_000),
            tags={"team": "fraud", "new": "1"},
            uploads=(*compiled().uploads, Upload(data_asset("b.py", b"b"), BUCKET, "sagewright/code/b/b.py")),
        ),
    ),
    "create with triggers": (None, compiled(triggers=(NIGHTLY, FRESH))),
    "update of triggers": (
        compiled(triggers=(NIGHTLY, FRESH, replace(FRESH, name="old"), replace(NIGHTLY, name="older"))),
        compiled(
            definition("2"),
            triggers=(
                replace(NIGHTLY, schedule="rate(1 day)"),
                replace(FRESH, parameters=()),
                replace(NIGHTLY, name="new"),
                replace(FRESH, name="newer", enabled=False),
            ),
        ),
    ),
}


STRIDES = {"update": 2, "create with triggers": 3, "update of triggers": 5}
"""Of changes that take many calls, not after each."""


@pytest.mark.parametrize(
    ("change", "way"),
    [
        ("create", "Ctrl-C"),
        ("create", "kill"),
        ("update", "Ctrl-C"),
        ("update", "kill"),
        ("create with triggers", "kill"),
        ("update of triggers", "Ctrl-C"),
    ],
)
def test_interrupted_after_any_call_it_is_completed_by_the_next(aws: Aws, change: str, way: str) -> None:
    before, after = CHANGES[change]

    def start_again() -> None:
        aws.clear()
        if before is not None:
            aws.upsert(before)

    start_again()
    aws.upsert(after)
    finished = aws.state()
    interrupted = 0
    for calls in range(1, 60, STRIDES.get(change, 1)):
        start_again()
        if way == "Ctrl-C":
            try:
                aws.upsert(after, Interrupted(aws, calls, stop))
            except Stopped:
                interrupted += 1
            else:
                break
        else:
            clients = Interrupted(aws, calls, lambda: os._exit(9))
            child = in_child(lambda clients=clients: int(aws.upsert(after, clients).arn is None))
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status == 0:
                break
            assert status == 9
            interrupted += 1
        aws.upsert(after)
        assert aws.state() == finished, f"interrupted after call {calls}"
    assert interrupted >= {"create": 9, "update": 10}.get(change, 5)
    aws.upsert(compiled(definition("3")))
    assert LOCK not in aws.objects()


def test_another_pipeline_may_follow_an_interrupted_one(aws: Aws) -> None:
    aws.upsert(compiled())
    calls = 8  # Describe, ListTags and two HEADs, the lock, and again up to the pending tag and the update
    while aws.describe()["PipelineDefinition"] == definition():
        calls += 1
        with contextlib.suppress(Stopped):
            aws.upsert(compiled(definition("2")), Interrupted(aws, calls, stop))
    assert aws.tags()[PENDING] == digest(definition("2")) != aws.tags()[DIGEST]
    assert aws.upsert(compiled(definition("3"))).action == "update", "what is pending is ours"
    assert PENDING not in aws.tags()


def test_a_create_whose_answer_is_lost(aws: Aws) -> None:
    class Lost(Clients):
        def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
            answer = super().call(service, operation, **parameters)
            if operation == "create_pipeline":
                raise AwsError("cannot reach AWS", "ReadTimeoutError")
            return answer

    assert aws.upsert(compiled(), Lost(REGION, aws.proxy.url)).action == "create"


def test_a_create_that_somebody_else_was_faster_with(aws: Aws) -> None:
    class Faster(Clients):
        def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
            if operation == "create_pipeline":
                aws.sagemaker.create_pipeline(
                    PipelineName="abalone", PipelineDefinition=definition("theirs"), RoleArn=ROLE
                )
            return super().call(service, operation, **parameters)

    with pytest.raises(Refused, match="somebody else created"):
        aws.upsert(compiled(), Faster(REGION, aws.proxy.url))
    assert aws.describe()["PipelineDefinition"] == definition("theirs")


# -- AWS and the network ----------------------------------------------------------------------------------------------


def failure(aws: Aws, compilation: Compilation | None = None, clients: Clients | None = None) -> AwsError:
    with pytest.raises(AwsError) as caught:
        aws.upsert(compilation or compiled(), clients)
    assert "testing" not in f"{caught.value.message}{caught.value.hint}", "a secret"
    assert LOCK not in aws.objects()
    return caught.value


def test_no_credentials(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    error = failure(aws)
    assert error.message == "no AWS credentials were found" and "AWS_PROFILE" in str(error.hint)


def test_an_unknown_profile(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in failure(aws).message


def test_no_network(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    error = failure(aws, clients=Clients(REGION, f"http://127.0.0.1:{closed}"))
    assert error.message.startswith(f"cannot reach http://127.0.0.1:{closed}")


def test_an_endpoint_that_is_none(aws: Aws) -> None:
    assert failure(aws, clients=Clients(REGION, "127.0.0.1")).code == "InvalidEndpoint"


@pytest.mark.parametrize("code", ["ExpiredTokenException", "ExpiredToken"])
def test_expired_credentials(aws: Aws, code: str) -> None:
    aws.proxy.refuse("DescribePipeline", 400, code, "The security token included in the request is expired")
    assert failure(aws).message == "the AWS credentials have expired"


def test_wrong_credentials_are_not_repeated(aws: Aws) -> None:
    aws.proxy.refuse(
        "DescribePipeline", 400, "InvalidSignatureException", "The Canonical String was: testing"
    )
    assert failure(aws).message == "AWS does not know these credentials"


def test_a_denied_call_names_who_what_and_why(aws: Aws) -> None:
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: sagemaker:CreatePipeline on resource: "
        f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/abalone because no identity-based policy allows the action"
    )
    aws.proxy.refuse("CreatePipeline", 400, "AccessDeniedException", message)
    error = failure(aws)
    assert error.message == (
        f"access denied: arn:aws:iam::{ACCOUNT}:user/ann may not sagemaker:CreatePipeline on "
        f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/abalone"
    )
    assert error.hint == "because no identity-based policy allows the action"


def test_a_denied_upload_leaves_the_pipeline_alone(aws: Aws) -> None:
    aws.upsert(compiled())
    more = Upload(data_asset("b.py", b"b"), BUCKET, "sagewright/code/b/b.py")
    aws.proxy.refuse("PutObject", 403, "AccessDenied", "Access Denied", key="/code/")
    error = failure(aws, compiled(definition("2"), uploads=(more,)))
    assert error.message == f"access denied: the credentials may not s3:PutObject on s3://{BUCKET}/{more.key}"
    assert aws.describe()["PipelineDefinition"] == definition()


def test_without_the_right_to_look_code_is_uploaded_with_its_definition(aws: Aws) -> None:
    aws.proxy.refuse("HeadObject", 403, "403")
    aws.proxy.refuse("HeadBucket", 403, "403")
    assert aws.upsert(compiled()).uploads == 1
    assert aws.upsert(compiled()).action == "unchanged"
    assert aws.upsert(compiled(definition("2"))).uploads == 1


def test_a_throttled_call_is_tried_again(aws: Aws) -> None:
    aws.proxy.refuse("CreatePipeline", 400, "ThrottlingException", "Rate exceeded", times=2)
    assert aws.upsert(compiled()).action == "create"
    assert [c.operation for c in aws.proxy.journal].count("CreatePipeline") == 3


def test_a_call_that_stays_throttled(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    aws.proxy.refuse("DescribePipeline", 400, "ThrottlingException", "Rate exceeded")
    error = failure(aws)
    assert error.code == "ThrottlingException" and "sagemaker:DescribePipeline" in error.message


def test_a_service_that_fails(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    aws.proxy.refuse("DescribePipeline", 500, "InternalFailure", "sorry")
    assert failure(aws).message == "AWS failed at sagemaker:DescribePipeline: sorry"


def test_an_endpoint_that_is_not_aws(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    aws.proxy.rules.append(lambda call: (200, {"Content-Type": "text/html"}, b"<html>hello</html>"))
    with pytest.raises(AwsError, match="not AWS's"):
        aws.upsert(compiled())


def test_a_bucket_that_is_not_there(aws: Aws) -> None:
    with pytest.raises(AwsError, match="the bucket `nowhere` does not exist"):
        aws.upsert(compiled(bucket="nowhere", uploads=()))
    assert aws.proxy.changes() == []


def test_a_bucket_of_another_region(aws: Aws) -> None:
    there = boto3.client("s3", endpoint_url=aws.proxy.target, region_name="eu-west-1")
    there.create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(Refused, match="the bucket `far` is in eu-west-1, the pipeline in us-west-2"):
        aws.upsert(compiled(bucket="far", uploads=()))
    assert aws.proxy.changes() == []
