"""What the commands themselves must be allowed to do in AWS, as IAM policies. Tests hold them against real calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sagewright.compiler.compilation import Compilation

Purpose = Literal["plan", "upsert", "delete", "execute"]
PURPOSES: Mapping[Purpose, str] = {
    "plan": "`plan`, `history`, `diff`: reading only",
    "upsert": "`upsert` and `rollback`, and all that `plan` needs",
    "delete": "`delete`, `gc` and `upsert --prune`, and all that `plan` needs",
    "execute": "`start`, `watch`, `status`, `stop`, `retry`, `executions`, `logs`",
}

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a policy is about. None stands for any region, account, bucket or role.

    `functions` and `triggers` say whether pipelines have Lambda functions of ours and triggers; `roles` are what
    pipelines, functions and triggers are given, and `kms_key` encrypts uploads.
    """

    region: str | None = None
    account: str | None = None
    bucket: str | None = None
    prefix: str = "sagewright"
    roles: tuple[str, ...] = ()
    kms_key: str | None = None
    functions: bool = True
    triggers: bool = True

    def arn(self, service: str, resource: str) -> str:
        region = self.region or "*"
        partition = next((p for start, p in _PARTITIONS.items() if region.startswith(f"{start}-")), "aws")
        return f"arn:{partition}:{service}:{region}:{self.account or '*'}:{resource}"

    def stored(self, *keys: str) -> list[str]:
        """Objects below the prefix."""
        folder = f"{self.prefix.strip('/')}/" if self.prefix.strip("/") else ""
        return [f"{self.bucket_arn}/{folder}{key}" for key in keys]

    @property
    def bucket_arn(self) -> str:
        partition = self.arn("s3", "").split(":")[1]
        return f"arn:{partition}:s3:::{self.bucket or '*'}"


Statement = dict[str, Any]


def policy(purpose: Purpose, grounds: Grounds) -> dict[str, Any]:
    """An IAM policy that allows what a purpose takes, and no more."""
    statements = {
        "plan": _reading,
        "upsert": _upserting,
        "delete": _deleting,
        "execute": _executing,
    }[purpose](grounds)
    return {"Version": "2012-10-17", "Statement": list(statements)}


def actions(document: Mapping[str, Any]) -> frozenset[str]:
    """All actions of a policy."""
    return frozenset(action for statement in document["Statement"] for action in statement["Action"])


def _allow(sid: str, service: str, names: str, resource: str | list[str], **more: Any) -> Statement:
    listed = [f"{service}:{name}" for name in sorted(names.split())]
    return {"Sid": sid, "Effect": "Allow", "Action": listed, "Resource": resource, **more}


def _reading(at: Grounds) -> Iterator[Statement]:
    pipelines = at.arn("sagemaker", "pipeline/*")
    yield _allow("ReadPipelines", "sagemaker", "DescribePipeline ListPipelineVersions ListTags", pipelines)
    yield _allow("FindOrphans", "sagemaker", "Search", "*")
    yield _allow("FindBucket", "s3", "ListBucket", at.bucket_arn)
    yield _allow("FindCode", "s3", "GetObject", at.stored("code/*"))
    if at.functions:
        yield _allow("ReadFunctions", "lambda", "GetFunctionConfiguration", at.arn("lambda", "function:*"))
    if at.triggers:
        yield _allow("ReadSchedules", "scheduler", "GetSchedule ListSchedules", "*")
        yield _allow(
            "ReadRules",
            "events",
            "ListRuleNamesByTarget ListRules ListTargetsByRule",
            at.arn("events", "rule/*"),
        )


def _upserting(at: Grounds) -> Iterator[Statement]:
    yield from _reading(at)
    pipelines = at.arn("sagemaker", "pipeline/*")
    names = "AddTags CreatePipeline DeleteTags UpdatePipeline UpdatePipelineVersion"
    yield _allow("WritePipelines", "sagemaker", names, pipelines)
    yield from _passing(at)
    yield _allow("Upload", "s3", "AbortMultipartUpload PutObject", at.stored("code/*", "definitions/*"))
    yield from _locking(at)
    if at.kms_key:
        yield _allow("Encrypt", "kms", "Decrypt GenerateDataKey", at.kms_key)
    if at.functions:
        names = (
            "CreateAlias CreateFunction GetFunction PublishVersion TagResource UpdateAlias UpdateFunctionCode "
            "UpdateFunctionConfiguration"
        )
        yield _allow("PublishFunctions", "lambda", names, at.arn("lambda", "function:*"))
    if at.triggers:
        schedules = at.arn("scheduler", "schedule/default/sagewright.*")
        rules = at.arn("events", "rule/sagewright.*")
        yield _allow("WriteSchedules", "scheduler", "CreateSchedule DeleteSchedule UpdateSchedule", schedules)
        names = "DeleteRule PutRule PutTargets RemoveTargets TagResource"
        yield _allow("WriteRules", "events", names, rules)


def _passing(at: Grounds) -> Iterator[Statement]:
    services = ["sagemaker", *(["lambda"] * at.functions), *(["events", "scheduler"] * at.triggers)]
    passed = {"StringEquals": {"iam:PassedToService": [f"{name}.amazonaws.com" for name in services]}}
    anyone = at.arn("iam", "role/*").replace(f":iam:{at.region or '*'}:", ":iam::")
    yield _allow("PassRoles", "iam", "PassRole", sorted(at.roles) or anyone, Condition=passed)


def _locking(at: Grounds) -> Iterator[Statement]:
    yield _allow("Lock", "s3", "DeleteObject GetObject PutObject", at.stored("locks/*"))


def _deleting(at: Grounds) -> Iterator[Statement]:
    yield from _reading(at)
    pipelines = at.arn("sagemaker", "pipeline/*")
    yield _allow("DeletePipelines", "sagemaker", "DeletePipeline ListPipelineExecutions", pipelines)
    yield _allow("ListPipelines", "sagemaker", "ListPipelines", "*")
    yield from _locking(at)
    yield _allow("DeleteCode", "s3", "DeleteObject", at.stored("code/*", "definitions/*"))
    # Which functions are ours is asked of all of the account, the project's file being gone.
    names = "DeleteAlias DeleteFunction GetFunction ListAliases ListTags ListVersionsByFunction"
    yield _allow("DeleteFunctions", "lambda", names, at.arn("lambda", "function:*"))
    yield _allow("ListFunctions", "lambda", "ListFunctions", "*")
    if at.triggers:
        schedules = at.arn("scheduler", "schedule/default/sagewright.*")
        yield _allow("DeleteSchedules", "scheduler", "DeleteSchedule", schedules)
        yield _allow(
            "DeleteRules", "events", "DeleteRule RemoveTargets", at.arn("events", "rule/sagewright.*")
        )


def _executing(at: Grounds) -> Iterator[Statement]:
    names = (
        "DescribePipeline DescribePipelineExecution ListPipelineExecutionSteps ListPipelineExecutions "
        "RetryPipelineExecution StartPipelineExecution StopPipelineExecution"
    )
    yield _allow("Execute", "sagemaker", names, at.arn("sagemaker", "pipeline/*"))
    groups = [at.arn("logs", f"log-group:{name}") for name in ("/aws/sagemaker/*", "/aws/lambda/*")]
    yield _allow("ReadLogs", "logs", "FilterLogEvents", groups)


def grounds(compilations: Sequence[Compilation]) -> Grounds:
    """What the compiled pipelines of one target, at least one, need a policy to speak of."""
    first = compilations[0]
    functions = [function for made in compilations for function in made.functions]
    triggers = [trigger for made in compilations for trigger in made.triggers or ()]
    roles = {made.role for made in compilations} | {item.role for item in (*functions, *triggers)}
    known = tuple(sorted(filter(None, roles)))
    account = first.account or (known[0].split(":")[4] if known else None)
    return Grounds(
        first.region,
        account,
        first.bucket,
        first.prefix,
        known,
        first.kms_key,
        bool(functions),
        bool(triggers),
    )
