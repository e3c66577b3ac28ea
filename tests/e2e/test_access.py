"""The IAM policies of `sagewright policy` against the calls that commands make: enough of them, and none too many."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from sagewright.compiler.access import Grounds, actions, grounds, policy
from sagewright.compiler.driver import Compiler
from tests.emulator_fixture import ACCOUNT, BUCKET, REGION, Answer, Call, Rule
from tests.iam import needed, stored
from tests.shell import ROLE, Shell

AT = Grounds(REGION, ACCOUNT, BUCKET, roles=(ROLE,))
WITH_ALL = """\
name: {name}
description: "{padding}"
tags: {tags}
parameters: {{{parameter}: 1}}
triggers:
{triggers}
steps:
  Prepare:
    kind: processing
    image: sklearn:1.2-1
    instance: ml.m5.large
    code: {code}
  Notify:
    kind: lambda
    code: f.py
    handler: f.f
    runtime: python3.12
    lambda_role: {role}
    memory_mb: {memory}
    arguments: {{a: 1}}
{more}"""
TRIGGERS = """\
  nightly: {schedule: "cron(0 3 * * ? *)"}
  data: {s3: {bucket: acme-ml, prefix: in/}}
"""


@pytest.fixture
def roles(shell: Shell) -> Shell:
    services = ["lambda", "events", "scheduler", "sagemaker"]
    principal = {"Service": [f"{name}.amazonaws.com" for name in services]}
    statement = [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    shell.client("iam").create_role(RoleName="SageMakerRole", AssumeRolePolicyDocument=trust)
    return shell


def write(
    shell: Shell,
    name: str,
    *,
    answer: str = "1",
    memory: int = 128,
    triggers: str = TRIGGERS,
    tags: str = "{team: risk, stage: dev}",
    long: bool = False,
    parameter: str = "Count",
) -> None:
    file = shell.write(name, code=f"print({answer!r})\n")
    (file.parent / "f.py").write_text(f"def f(event, context): return {answer!r}\n")
    more = "".join(f"  F{n}: {{kind: fail, message: '{'x' * 2900}'}}\n" for n in range(40 if long else 0))
    file.write_text(
        WITH_ALL.format(
            name=name,
            padding=answer,
            tags=tags,
            parameter=parameter,
            triggers=triggers or "  {}",
            code="prepare.py",
            role=ROLE,
            memory=memory,
            more=more,
        )
    )


def of(shell: Shell, *arguments: str, code: int | None = 0) -> list[Call]:
    """The calls that a command makes."""
    before = len(shell.proxy.journal)
    shell(*arguments, code=code)
    return shell.proxy.journal[before:]


def commit(shell: Shell) -> None:
    (shell.root / ".git").mkdir(exist_ok=True)
    (shell.root / ".git/HEAD").write_text("a" * 40)


def require(calls: list[Call], purpose: str) -> None:
    document = policy(purpose, AT)  # type: ignore[arg-type]
    allowed = actions(document)
    assert needed(calls) - allowed == set(), "the policy is too small"
    assert allowed - needed(calls) == set(), "nothing needs so much"
    granted = [(action, arn) for action, arns in statements(document) for arn in arns]
    for action, resource in stored(calls):
        assert any(a == action and fnmatchcase(resource, arn) for a, arn in granted), (action, resource)


@pytest.fixture
def world(roles: Shell) -> Shell:
    """Two pipelines with all that pipelines may have, deployed."""
    for name in ("one", "two"):
        write(roles, name)
    commit(roles)
    roles("upsert", "--yes")
    return roles


def drift(shell: Shell, name: str) -> None:
    text = shell.describe(name)["PipelineDefinition"].replace("ml.m5.large", "ml.m5.xlarge")
    shell.client().update_pipeline(PipelineName=name, PipelineDefinition=text)


def test_plan(world: Shell) -> None:
    drift(world, "two")
    write(world, "one", answer="2", parameter="Number")
    write(world, "two", answer="2")
    calls = of(world, "plan")
    for number in range(12):
        world.write(f"p{number}", code=f"print({number})\n")
    calls += of(world, "plan")
    calls += of(world, "history", "one") + of(world, "diff", "one", "two")
    require(calls, "plan")
    assert not any(call.changes_something for call in calls)


def test_upsert(roles: Shell) -> None:
    calls: list[Call] = []
    commit(roles)
    write(roles, "one")
    calls += of(roles, "upsert", "--yes", "pipelines/one", "--alias", "live")
    write(roles, "one", answer="2", memory=256, long=True, tags="{team: fraud}")
    calls += of(roles, "upsert", "--yes", "pipelines/one")
    drift(roles, "one")
    write(
        roles,
        "one",
        answer="3",
        parameter="Number",
        triggers=TRIGGERS.replace("0 3", "0 4").replace("in/", "out/"),
    )
    calls += of(roles, "upsert", "--yes", "--force", "pipelines/one", "--alias", "live")
    write(roles, "one", answer="3", triggers="")
    calls += of(roles, "upsert", "--yes", "pipelines/one")
    for number in range(12):
        roles.write(f"p{number}", code=f"print({number})\n")
    calls += of(roles, "upsert", "--yes")
    calls += of(roles, "rollback", "one", "--yes")
    calls += _large_upload(roles)
    require(calls, "upsert")


def _large_upload(shell: Shell) -> list[Call]:
    """Boto3 sends large files in parts, and takes them back where one fails."""
    file = shell.write("big")
    (file.parent / "prepare.py").write_bytes(os.urandom(9_000_000))
    shell.proxy.refuse("PutObject", 403, "AccessDenied", key="/code/", times=2)
    calls = of(shell, "upsert", "--yes", "pipelines/big", code=4)
    shell.proxy.rules.clear()
    return calls + of(shell, "upsert", "--yes", "pipelines/big")


def test_delete(world: Shell) -> None:
    (world.root / "pipelines/two/pipeline.yaml").unlink()
    calls = of(world, "upsert", "--prune", "--yes", "pipelines/one", code=2)
    calls += of(world, "plan")
    world.client("s3").put_object(Bucket=BUCKET, Key=f"sagewright/code/{'0' * 64}/x", Body=b"x")
    write(world, "one", answer="lost")
    world.proxy.refuse("UpdatePipeline", 400, "AccessDeniedException", times=1)
    world("upsert", "--yes", "pipelines/one", code=4)
    write(world, "one")
    calls += of(world, "gc", "--older-than", "0m", "--yes")
    drift(world, "one")
    write(world, "one", parameter="Number")
    calls += of(world, "plan") + of(world, "delete", "two", "--yes")
    world.proxy.journal.clear()
    for number in range(12):
        world.write(f"p{number}", code=f"print({number})\n")
    calls += of(world, "plan")
    require(calls, "delete")


def having(status: str) -> Rule:
    """An execution that is in this state."""

    def rule(call: Call) -> Answer | None:
        if call.operation != "DescribePipelineExecution":
            return None
        return as_json({"PipelineExecutionStatus": status})

    return rule


def having_run(step: str) -> Rule:
    """An execution whose step ran as a processing job."""
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/j"
    shown = {"StepName": step, "StepStatus": "Executing", "Metadata": {"ProcessingJob": {"Arn": arn}}}

    def rule(call: Call) -> Answer | None:
        if call.operation != "ListPipelineExecutionSteps":
            return None
        return as_json({"PipelineExecutionSteps": [shown]})

    return rule


def as_json(data: object) -> Answer:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(data).encode()


def test_execute(world: Shell) -> None:
    calls = of(world, "start", "one", "--watch", "--interval", "0.05", code=None)
    calls += of(world, "start", "one")
    for command in ("status", "executions"):
        calls += of(world, command, "one")
    for status, command in (("Executing", "stop"), ("Failed", "retry")):
        world.proxy.rules[:] = [having(status)]
        calls += of(world, command, "one", code=None)  # the emulator knows better
    world.proxy.rules[:] = [having("Executing"), having_run("Prepare")]
    calls += of(world, "logs", "one", "Prepare")
    require(calls, "execute")


# -- the command ------------------------------------------------------------------------------------------------------


def statements(document: dict[str, object]) -> Iterator[tuple[str, list[str]]]:
    for statement in document["Statement"]:  # type: ignore[attr-defined]
        resource = statement["Resource"]
        for action in statement["Action"]:
            yield action, [resource] if isinstance(resource, str) else resource


def test_it_names_what_the_target_has(shell: Shell) -> None:
    document = shell("policy", "upsert", "--target", "prod").json
    found = dict(statements(document))
    assert found["sagemaker:UpdatePipeline"] == [f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/*"]
    assert found["s3:PutObject"] == [f"arn:aws:s3:::{BUCKET}/sagewright/locks/*"]
    assert found["iam:PassRole"] == [ROLE]
    assert not {name.partition(":")[0] for name in found} & {"lambda", "events", "scheduler", "kms"}
    assert shell.proxy.journal == [], "it calls nothing"


def test_functions_triggers_and_keys_are_in_it_where_there_are_any(shell: Shell) -> None:
    write(shell, "one")
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    file = shell.root / "sagewright.yaml"
    file.write_text(f"{file.read_text()}upload: {{kms_key: '{key}'}}\n")
    found = dict(statements(shell("policy", "upsert").json))
    assert found["kms:GenerateDataKey"] == [key]
    assert {"lambda:CreateFunction", "events:PutRule", "scheduler:CreateSchedule"} <= found.keys()


def test_it_wants_one_target_and_pipelines_that_compile(shell: Shell) -> None:
    assert "a policy is for one target" in shell("policy", "plan", "--target", "all", code=2).err
    assert "is not one of" in shell("policy", "everything", code=2).err
    shell.write("one").write_text("name: one\nsteps: {A: {kind: nope}}\n")
    assert shell("policy", "plan", code=1).out == ""


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_other_partitions(region: str, partition: str) -> None:
    text = json.dumps(policy("upsert", Grounds(region, ACCOUNT, BUCKET)))
    assert "arn:aws:" not in text and f"arn:{partition}:sagemaker:{region}:" in text
    assert f"arn:{partition}:iam::{ACCOUNT}:role/*" in text


def test_objects_of_a_real_pipeline_are_allowed(tmp_path: Path) -> None:
    """The resources, too, are those that are written to."""
    root = Path(__file__).parents[2]
    made = Compiler().compile(root / "pipelines/breast-cancer/pipeline.yaml").compilation
    assert made is not None
    found = dict(statements(policy("upsert", grounds([made]))))
    allowed = [
        r for statement in policy("upsert", grounds([made]))["Statement"] for r in statement["Resource"]
    ]
    for upload in made.uploads:
        arn = f"arn:aws:s3:::{upload.bucket}/{upload.key}"
        assert any(fnmatchcase(arn, pattern) for pattern in allowed if isinstance(pattern, str))
    assert found["iam:PassRole"] == [made.role]
