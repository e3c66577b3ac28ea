"""Upserting many pipelines, pruning, deleting, and collecting what nothing refers to."""

from __future__ import annotations

import io
import json
import random
import threading
import time
import zipfile
from typing import Any

import boto3
import pytest

from sagewright.compiler import fleet
from sagewright.compiler.plan import DIGEST, PENDING
from tests.emulator_fixture import ACCOUNT, BUCKET, Call, Proxy
from tests.shell import PROJECT, ROLE, Shell

SMALL = "name: {name}\ntags: {{team: risk}}\nsteps: {{S: {{kind: fail, message: {message}}}}}\n"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "PAUSE", 0.05)


def small(shell: Shell, count: int, message: str = "m") -> list[str]:
    names = [f"p{number:02}" for number in range(count)]
    for name in names:
        folder = shell.root / "pipelines" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pipeline.yaml").write_text(SMALL.format(name=name, message=message))
    return names


def test_several_at_once_and_no_more(shell: Shell, proxy: Proxy) -> None:
    small(shell, 10)
    at_once, most, turn = [0], [0], threading.Lock()

    def count(call: Call) -> None:
        if call.operation == "CreatePipeline":
            with turn:
                at_once[0] += 1
                most[0] = max(most[0], at_once[0])
            time.sleep(0.1)
            with turn:
                at_once[0] -= 1

    proxy.rules.append(count)
    ended = shell("upsert", "--yes", "--jobs", "3")
    assert 2 <= most[0] <= 3
    assert len(shell.names()) == 12
    assert "p03: created arn:" in ended.out, "lines say whose they are"


def test_throttled_now_and_then(shell: Shell, proxy: Proxy) -> None:
    names = small(shell, 12)
    chance = random.Random(4)

    def throttle(call: Call) -> Any:
        if call.method == "POST" and chance.random() < 0.1:
            body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
            return 400, {"Content-Type": "application/x-amz-json-1.1"}, body
        return None

    proxy.rules.append(throttle)
    shell("upsert", "--yes")
    assert shell.names() == {*names, "one", "two"}
    assert all(PENDING not in shell.tags(name) for name in names)


def test_throttled_beyond_boto3s_attempts(
    shell: Shell, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    names = small(shell, 4)
    proxy.refuse("CreatePipeline", 400, "ThrottlingException", "Rate exceeded", times=3)
    shell("upsert", "--yes")
    assert shell.names() == {*names, "one", "two"}


def test_one_failure_does_not_stop_the_rest(shell: Shell, proxy: Proxy) -> None:
    small(shell, 6)
    shell.client().create_pipeline(
        PipelineName="p01",
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": []}),
        RoleArn=ROLE,
    )
    made = [0]

    def fail(call: Call) -> Any:
        made[0] += call.operation == "CreatePipeline"
        if call.operation == "CreatePipeline" and made[0] == 2:
            body = b'{"__type": "AccessDeniedException", "message": "no"}'
            return 400, {"Content-Type": "application/x-amz-json-1.1"}, body
        return None

    proxy.rules.append(fail)
    ended = shell("upsert", "--yes", code=4)
    assert "pipeline `p01`: it exists already" in ended.err
    assert "6 of 7 are done; left: " in ended.err
    proxy.rules.clear()
    shell("upsert", "--yes", "--force")
    assert all(DIGEST in shell.tags(name) for name in shell.names())
    assert shell("plan", "--detailed-exitcode").code == 0


def test_many_are_asked_about_once(shell: Shell) -> None:
    ended = shell("upsert", code=2)
    assert "no terminal to ask whether to create 2 pipelines: pass --yes" in ended.err
    assert shell.names() == set()


def test_json(shell: Shell) -> None:
    shell("upsert", "--yes", "pipelines/one")
    made = shell("upsert", "--yes", "--format", "json").json
    assert [(r["pipeline"], r["action"]) for r in made] == [("one", "unchanged"), ("two", "create")]


def test_json_has_what_failed(shell: Shell, proxy: Proxy) -> None:
    shell.client().create_pipeline(
        PipelineName="one",
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": []}),
        RoleArn=ROLE,
    )

    def fail(call: Call) -> Any:
        body = b'{"__type": "AccessDeniedException", "message": "no"}'
        headers = {"Content-Type": "application/x-amz-json-1.1"}
        return (400, headers, body) if call.operation == "CreatePipeline" else None

    proxy.rules.append(fail)
    one, two = shell("upsert", "--yes", "--format", "json", code=4).json
    assert (one["pipeline"], one["action"]) == ("one", "refused")
    assert "it exists already" in one["error"]
    assert (two["pipeline"], two["action"]) == ("two", "failed")
    assert "[AccessDeniedException]" in two["error"]


# -- prune ------------------------------------------------------------------------------------------------------------


def test_orphans_are_told_of_and_pruned_when_asked(shell: Shell) -> None:
    shell("upsert", "--yes")
    shell.client().create_pipeline(
        PipelineName="theirs",
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": []}),
        RoleArn=ROLE,
        Tags=[{"Key": "sagewright:project", "Value": "acme/other"}],
    )
    (shell.root / "pipelines/two/pipeline.yaml").unlink()
    assert "orphaned pipeline two: its file is gone; --prune deletes it" in shell("upsert", "--yes").out
    assert shell.names() == {"one", "two", "theirs"}
    assert "delete 1 pipeline: pass --yes" in shell("upsert", "--prune", code=2).err
    assert "deleted arn:" in shell("upsert", "--prune", "--yes").out
    assert shell.names() == {"one", "theirs"}
    assert not [key for key in shell.objects() if "/locks/" in key]


@pytest.mark.parametrize("kind", ["link", "folder", "gone"])
def test_prune_does_not_take_what_cannot_be_read_for_gone(shell: Shell, kind: str) -> None:
    shell("upsert", "--yes")
    file = shell.root / "pipelines/two/pipeline.yaml"
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "link":
        file.symlink_to("nowhere.yaml")
    else:
        file.parent.rename(shell.root / "moved")
        file.parent.symlink_to("nowhere")
    for command in (("check",), ("plan",), ("upsert", "--prune", "--yes")):
        assert "SW801" in str(shell(*command, code=1))
    assert "two" in shell.names()


def test_prune_leaves_alone_what_is_executing(shell: Shell) -> None:
    shell("upsert", "--yes")
    arn = shell.client().start_pipeline_execution(PipelineName="two")["PipelineExecutionArn"]
    summary = [{"PipelineExecutionArn": arn, "PipelineExecutionStatus": "Executing"}]
    answer(shell.proxy, "ListPipelineExecutions", {"PipelineExecutionSummaries": summary})
    (shell.root / "pipelines/two/pipeline.yaml").unlink()
    assert f"pipeline `two` is executing: {arn}" in shell("upsert", "--prune", "--yes", code=1).err
    assert "two" in shell.names()


def test_prune_wants_the_whole_project_and_its_name(shell: Shell) -> None:
    assert "--prune is for the whole project" in shell("upsert", "--prune", "pipelines/one", code=2).err
    shell.project(PROJECT.replace("name: acme/ml\n", ""))
    assert "give the project a `name:`" in shell("upsert", "--prune", "--yes", code=1).err


def answer(proxy: Proxy, operation: str, body: dict[str, Any]) -> None:
    """Let the proxy answer an operation."""

    def rule(call: Call) -> Any:
        if call.operation != operation:
            return None
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body, default=str).encode()

    proxy.rules.append(rule)


# -- delete -----------------------------------------------------------------------------------------------------------


def test_delete_by_file_and_by_name(shell: Shell) -> None:
    shell("upsert", "--yes", "--target", "prod")
    assert "to ask: Delete one-prod?" in shell("delete", "pipelines/one", "-t", "prod", code=2).err
    assert "deleted arn:" in shell("delete", "pipelines/one", "-t", "prod", "--yes").out
    assert shell.names() == {"two-prod"}
    shell("delete", "two-prod", "--yes")
    assert shell.names() == set()
    assert shell.objects() and not [key for key in shell.objects() if "/locks/" in key], "the code is gc's"


def test_delete_refuses(shell: Shell) -> None:
    shell("upsert", "--yes")
    assert "there is no pipeline `three`" in shell("delete", "three", "--yes", code=1).err
    text = json.dumps({"Version": "2020-12-01", "Steps": []})
    shell.client().create_pipeline(PipelineName="theirs", PipelineDefinition=text, RoleArn=ROLE)
    assert "was not made by sagewright" in shell("delete", "theirs", "--yes", code=1).err
    assert "account 999999999999" in shell("delete", "one", "-t", "other", "--yes", code=1).err
    shell.project(PROJECT.replace("acme/ml", "acme/other"))
    assert "belongs to the project `acme/ml`" in shell("delete", "one", "--yes", code=1).err
    summary = [{"PipelineExecutionArn": "arn", "PipelineExecutionStatus": "Executing"}]
    answer(shell.proxy, "ListPipelineExecutions", {"PipelineExecutionSummaries": summary})
    shell.project(PROJECT)
    assert "is executing: arn" in shell("delete", "one", "--yes", code=1).err
    assert shell.names() == {"one", "two", "theirs"}
    shell("delete", "one", "theirs", "--force", "--yes")
    assert shell.names() == {"two"}


def test_delete_takes_the_functions_that_were_made_for_it(shell: Shell) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    shell.client("iam").create_role(RoleName="SageMakerRole", AssumeRolePolicyDocument=trust)
    functions = shell.client("lambda")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "")
    functions.create_function(
        FunctionName="theirs",
        Runtime="python3.12",
        Handler="m.f",
        Role=ROLE,
        Code={"ZipFile": packed.getvalue()},
    )
    (shell.root / "pipelines/one/f.py").write_text("def f(event, context): return {}\n")
    shell.write("one").write_text(
        "name: one\nsteps:\n"
        f"  Own: {{kind: lambda, code: f.py, handler: f.f, runtime: python3.12, lambda_role: '{ROLE}', arguments: {{a: 1}}}}\n"
        f"  Theirs: {{kind: lambda, function: 'arn:aws:lambda:us-west-2:{ACCOUNT}:function:theirs', arguments: {{a: 1}}}}\n"
    )
    shell("upsert", "--yes", "pipelines/one")
    assert {f["FunctionName"] for f in functions.list_functions()["Functions"]} == {"one-Own", "theirs"}
    ended = shell("delete", "one", "--yes")
    assert "with its Lambda function one-Own" in ended.out
    assert [f["FunctionName"] for f in functions.list_functions()["Functions"]] == ["theirs"]


# -- gc ---------------------------------------------------------------------------------------------------------------


def test_gc_removes_code_that_no_version_refers_to(shell: Shell) -> None:
    for level in "123":
        shell.write("one", code=f"print({level})\n")
        shell.write("two", code=f"print({level})\n")
        shell("upsert", "--yes")
    (shell.root / "pipelines/two/pipeline.yaml").unlink()
    s3 = boto3.client("s3", endpoint_url=shell.proxy.target)
    stray, theirs = f"sagewright/code/{'0' * 64}/old.py", "elsewhere/x"
    for key in (stray, theirs, "sagewright/code/readme.txt"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    before = shell.objects()
    assert "0 objects, 0 bytes" in shell("gc", "--yes").out, "everything is young"
    assert f"s3://{BUCKET}/{stray} (1 bytes)" in shell("gc", "--older-than", "0m", "--dry-run").out
    assert shell.objects() == before
    assert "deleted 1 object" in shell("gc", "--older-than", "0m", "--yes").out
    assert shell.objects() == [key for key in before if key != stray], "earlier versions need theirs"
    shell("delete", "one", "two", "--yes")
    shell("gc", "--older-than", "0m", "--yes")
    left = [key for key in shell.objects() if "/code/" in key]
    assert len(left) == 2 and "sagewright/code/readme.txt" in left, "what the files need stays"


def pipeline_with_function(shell: Shell, answer: str) -> None:
    (shell.root / "pipelines/one/f.py").write_text(f"def f(event, context): return {answer}\n")
    shell.write("one").write_text(
        "name: one\nsteps:\n"
        f"  Own: {{kind: lambda, code: f.py, handler: f.f, runtime: python3.12, lambda_role: '{ROLE}', arguments: {{a: 1}}}}\n"
    )


def test_gc_removes_versions_of_functions_that_nothing_refers_to(shell: Shell) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    shell.client("iam").create_role(RoleName="SageMakerRole", AssumeRolePolicyDocument=trust)
    functions = shell.client("lambda")

    def versions() -> list[str]:
        found = functions.list_versions_by_function(FunctionName="one-Own")["Versions"]
        return [v["Version"] for v in found if v["Version"] != "$LATEST"]

    def aliases() -> dict[str, str]:
        found = functions.list_aliases(FunctionName="one-Own")["Aliases"]
        return {a["Name"]: a["FunctionVersion"] for a in found}

    for answer in "1234":
        pipeline_with_function(shell, answer)
        if answer == "3":  # as an upsert that ended before its definition
            shell.proxy.refuse("UpdatePipeline", 400, "AccessDeniedException", times=1)
        shell("upsert", "--yes", "pipelines/one", code=4 if answer == "3" else 0)
    assert versions() == ["1", "2", "3", "4"] and len(aliases()) == 4
    assert "versions" not in shell("gc", "--dry-run").out, "they are young"
    lost = next(name for name, version in aliases().items() if version == "3")
    ended = shell("gc", "--older-than", "0m", "--dry-run")
    assert f"Lambda function one-Own, version 3 ({lost})" in ended.out
    assert "1 version of Lambda functions that nothing refers to" in ended.out
    assert len(aliases()) == 4
    functions.create_alias(FunctionName="one-Own", Name="mine", FunctionVersion="3")
    assert "Lambda function" not in shell("gc", "--older-than", "0m", "--yes").out, "somebody points at it"
    functions.delete_alias(FunctionName="one-Own", Name="mine")
    assert "there is no terminal to ask" in shell("gc", "--older-than", "0m", code=2).err
    assert "and 1 version" in shell("gc", "--older-than", "0m", "--yes").out
    assert versions() == ["1", "2", "4"] and lost not in aliases()
    pipeline_with_function(shell, "3")
    shell("upsert", "--yes", "pipelines/one")
    assert "Lambda function" not in shell("gc", "--older-than", "0m", "--yes").out, "it is made again"


def test_gc_leaves_functions_of_others(shell: Shell) -> None:
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    shell.client("iam").create_role(RoleName="SageMakerRole", AssumeRolePolicyDocument=trust)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "")
    shell.client("lambda").create_function(
        FunctionName="theirs",
        Runtime="python3.12",
        Handler="m.f",
        Role=ROLE,
        Code={"ZipFile": packed.getvalue()},
        Description="a step of the pipeline of theirs",
        Publish=True,
    )
    assert "Lambda function" not in shell("gc", "--older-than", "0m", "--yes").out
    shell.proxy.refuse("Lambda", 403, "AccessDeniedException")
    assert "Lambda functions are not looked at: access denied" in shell("gc", "--older-than", "0m").err


def test_gc_does_not_guess(shell: Shell) -> None:
    shell("gc", "--older-than", "soon", code=2)
    shell.write("one").write_text("name: one\nsteps: {A: {kind: nope}}\n")
    assert "not every pipeline of the project compiles" in shell("gc", "--yes", code=1).err
