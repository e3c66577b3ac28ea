"""What people and accounts get wrong, as the commands tell it: clearly, with the right exit code, and nothing changed."""

from __future__ import annotations

import json

import boto3
import pytest

from tests.emulator_fixture import ACCOUNT, REGION, Answer, Call, Proxy
from tests.shell import PROJECT, ROLE, Shell


@pytest.mark.parametrize("command", [("plan",), ("upsert", "--yes")])
def test_the_wrong_account(shell: Shell, command: tuple[str, ...]) -> None:
    ended = shell(*command, "--target", "other", code=1)
    assert (
        f"target `other` is account 999999999999, and the credentials belong to account {ACCOUNT}"
        in ended.err
    )
    assert {call.operation for call in shell.proxy.journal} == {"GetCallerIdentity"}


@pytest.mark.parametrize(
    "command", [("plan",), ("upsert", "--yes"), ("history", "one"), ("start", "one"), ("gc", "--yes")]
)
@pytest.mark.parametrize("code", ["ExpiredTokenException", "ExpiredToken"])
def test_expired_credentials(shell: Shell, proxy: Proxy, command: tuple[str, ...], code: str) -> None:
    for operation in ("DescribePipeline", "ListPipelineVersions", "GetBucket", "GetCallerIdentity"):
        proxy.refuse(
            operation, 403 if operation == "GetBucket" else 400, code, "The security token is expired"
        )
    ended = shell(*command, code=4)
    assert f"the AWS credentials have expired [{code}]" in ended.err
    assert ended.err.count("error: ") == 1 and "aws sso login" in ended.err
    assert shell.proxy.changes() == []


def test_a_role_that_cannot_be_passed(shell: Shell, proxy: Proxy) -> None:
    said = (
        f"User: arn:aws:iam::{ACCOUNT}:user/me is not authorized to perform: iam:PassRole on resource: {ROLE}"
    )
    proxy.refuse("CreatePipeline", 400, "AccessDeniedException", said)
    ended = shell("upsert", "--yes", "pipelines/one", code=4)
    assert f"one: access denied: arn:aws:iam::{ACCOUNT}:user/me may not iam:PassRole on {ROLE}" in ended.err
    assert "`sagewright policy upsert` writes it" in ended.err
    assert shell.names() == set()
    assert not [key for key in shell.objects() if "/locks/" in key], "the lock is given back"


def test_a_plan_of_another_project(shell: Shell) -> None:
    shell("plan", "--out", "plan.json")
    shell.project(PROJECT.replace("acme/ml", "acme/other"))
    err = shell("upsert", "--plan", "plan.json", code=1).err
    assert "the plan is of the project `acme/ml`, and this is `acme/other`" in err
    assert shell.names() == set()


def test_a_plan_for_another_region(shell: Shell) -> None:
    shell("plan", "--out", "plan.json")
    shell.project(PROJECT.replace(REGION, "us-east-1"))
    boto3.client("s3", endpoint_url=shell.proxy.target, region_name="us-east-1").create_bucket(
        Bucket="acme-east"
    )
    err = shell("upsert", "--plan", "plan.json", "--bucket", "acme-east", code=1).err
    assert "`one` was planned for another account or region" in err


def test_an_older_plan(shell: Shell) -> None:
    shell("plan", "--out", "plan.json")
    shell("upsert", "--yes")
    assert "`one` was changed in AWS since" in shell("upsert", "--plan", "plan.json", code=1).err
    data = json.loads((shell.root / "plan.json").read_text())
    (shell.root / "plan.json").write_text(json.dumps({**data, "version": 0}))
    err = shell("upsert", "--plan", "plan.json", code=2).err
    assert "the plan is of version 0, this reads 1; make another plan" in err
    (shell.root / "plan.json").write_text(json.dumps({**data, "pipelines": [{"pipeline": "one"}]}))
    assert "this is no plan" in shell("upsert", "--plan", "plan.json", code=2).err


def garble(shell: Shell, name: str) -> None:
    """Let the definition of a pipeline be something else than JSON, until it is updated."""
    shown = shell.describe(name)
    answer = {"PipelineArn": shown["PipelineArn"], "PipelineDefinition": "{'a': 1}", "RoleArn": ROLE}
    updated: list[bool] = []

    def rule(call: Call) -> Answer | None:
        if call.operation == "UpdatePipeline":
            updated.append(True)
        if call.operation != "DescribePipeline" or updated:
            return None
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    shell.proxy.rules.append(rule)


def test_a_deployed_definition_that_is_not_json(shell: Shell) -> None:
    shell("upsert", "--yes", "pipelines/one")
    before = shell.describe("one")["PipelineDefinition"]
    shell.write("one", level="debug")
    garble(shell, "one")
    ended = shell("upsert", "--yes", "pipelines/one", code=1)
    assert "the deployed definition cannot be read" in ended.out and "--force overwrites that" in ended.err
    assert shell.describe("one")["PipelineDefinition"] == before
    for command in (("start", "one"), ("parameters", "one")):
        assert "the deployed definition cannot be read" in shell(*command, code=1).err
    assert "no definition" in shell("diff", "one", "pipelines/one", code=1).err
    shell("upsert", "--yes", "--force", "pipelines/one")
    assert "debug" in shell.describe("one")["PipelineDefinition"]


def test_two_files_whose_names_differ_only_by_case(shell: Shell) -> None:
    file = shell.write("two")
    file.write_text(file.read_text().replace("name: two", "name: ONE"))
    err = shell("upsert", "--yes", code=1).err
    assert "[SW809]" in err and "`ONE` and `one` differ only by case" in err
    assert shell.names() == set()


def test_a_deployed_name_that_differs_only_by_case(shell: Shell, proxy: Proxy) -> None:
    """Whether Describe finds it or not: nobody overwrites it."""
    shell("upsert", "--yes", "pipelines/one")
    file = shell.write("one")
    file.write_text(file.read_text().replace("name: one", "name: One"))
    ended = shell("upsert", "--yes", "pipelines/one", code=4)
    assert "already exists" in ended.err and "differs only by case" in ended.err
    shown = shell.describe("one")
    answer = {key: shown[key] for key in ("PipelineArn", "PipelineName", "PipelineDefinition", "RoleArn")}

    def rule(call: Call) -> Answer | None:
        if call.operation != "DescribePipeline":
            return None
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    proxy.rules.append(rule)
    assert "there is a pipeline `one`: to AWS `One` is the same" in shell("plan", "pipelines/one", code=1).err
    assert "to AWS `One` is the same" in shell("delete", "One", "--yes", code=1).err
    assert shell.names() == {"one"}


@pytest.mark.parametrize("command", ["status", "watch", "stop", "retry"])
def test_an_execution_that_does_not_exist(shell: Shell, command: str) -> None:
    shell("upsert", "--yes", "pipelines/one")
    assert "there is no execution arn:" in shell(command, "one/abcdef123456", code=1).err
    assert "there is no pipeline `nobody`" in shell(command, "nobody/abcdef123456", code=1).err
    assert "was never executed" in shell(command, "one", code=1).err


def test_parameters_of_the_wrong_type(shell: Shell) -> None:
    shell("upsert", "--yes", "pipelines/one")
    err = shell("start", "one", "-p", "Count=many", "-p", "Mode=slow", "-p", "Cuont=1", code=1).err
    for said in ("`Count` is an Integer, and `many` is none", "`Mode` is one of", "did you mean `Count`?"):
        assert said in err
    assert "StartPipelineExecution" not in {call.operation for call in shell.proxy.journal}


def test_a_bucket_of_another_region(shell: Shell) -> None:
    there = boto3.client("s3", endpoint_url=shell.proxy.target, region_name="eu-west-1")
    there.create_bucket(Bucket="acme-ml-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    ended = shell("upsert", "--yes", "--bucket", "acme-ml-eu", code=1)
    assert f"the bucket `acme-ml-eu` is in eu-west-1, the pipeline in {REGION}" in ended.err
    assert shell.names() == set() and shell.proxy.changes() == []


def test_a_pipeline_that_executes_is_deleted_only_by_force(shell: Shell, proxy: Proxy) -> None:
    shell("upsert", "--yes", "pipelines/one")
    arn = f"{shell.describe('one')['PipelineArn']}/execution/abcdef123456"
    summary = {
        "PipelineExecutionSummaries": [{"PipelineExecutionArn": arn, "PipelineExecutionStatus": "Executing"}]
    }

    def rule(call: Call) -> Answer | None:
        if call.operation != "ListPipelineExecutions":
            return None
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(summary).encode()

    proxy.rules.append(rule)
    assert f"pipeline `one` is executing: {arn}" in shell("delete", "one", "--yes", code=1).err
    assert shell.names() == {"one"}
    shell("delete", "one", "--yes", "--force")
    assert shell.names() == set()
