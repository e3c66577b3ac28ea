"""`sagewright upsert` as people run it: files in, exit codes and words out."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.emulator_fixture import ACCOUNT, BUCKET, REGION, Proxy

ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
PROJECT = f"""\
version: 1
region: {REGION}
bucket: {BUCKET}
role: {ROLE}
targets:
  dev: {{default: true}}
  prod: {{account: "999999999999", name_suffix: -prod}}
"""
PIPELINE = """\
name: {name}
description: {description}
tags: {{team: risk}}
steps:
  Stop: {{kind: fail, message: not today}}
"""
COMMAND = [sys.executable, "-m", "sagewright.compiler"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: Proxy) -> Path:
    """A project with two pipelines, the working directory in it, AWS_ENDPOINT_URL set."""
    (tmp_path / "sagewright.yaml").write_text(PROJECT)
    for name in ("one", "two"):
        write(tmp_path, name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    return tmp_path


def write(project: Path, name: str, description: str = "first") -> None:
    folder = project / "pipelines" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pipeline.yaml").write_text(PIPELINE.format(name=name, description=description))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "upsert", *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=120,
    )


def deployed(proxy: Proxy) -> dict[str, Any]:
    sagemaker = boto3.client("sagemaker", endpoint_url=proxy.target)
    names = [found["PipelineName"] for found in sagemaker.list_pipelines()["PipelineSummaries"]]
    return {name: sagemaker.describe_pipeline(PipelineName=name) for name in names}


def test_from_files_to_deployed_pipelines(project: Path, proxy: Proxy) -> None:
    first = run("--yes")
    assert first.returncode == 0, first.stderr
    assert "create pipeline one (target dev)" in first.stdout and "created arn:" in first.stdout
    there = deployed(proxy)
    assert there.keys() == {"one", "two"} and there["one"]["PipelineDescription"] == "first"
    steps = json.loads(there["one"]["PipelineDefinition"])["Steps"]
    assert steps == [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "not today"}}]

    again = run()
    assert (again.returncode, again.stderr) == (0, ""), "nothing to do, nothing to ask"
    assert again.stdout.splitlines() == [
        f"pipeline {name} (target dev) is unchanged" for name in ("one", "two")
    ]

    write(project, "two", "second")
    changed = run("--yes", "--format", "json")
    assert [(r["pipeline"], r["action"]) for r in json.loads(changed.stdout)] == [
        ("one", "unchanged"),
        ("two", "update"),
    ]
    assert "description: first → second" in changed.stderr


def test_without_a_terminal_it_does_not_ask(project: Path, proxy: Proxy) -> None:
    ended = run("pipelines/one")
    assert ended.returncode == 2
    assert "pass --yes" in ended.stderr
    assert deployed(proxy) == {}


@pytest.mark.parametrize(("answer", "made"), [("y", True), ("n", False)])
def test_on_a_terminal_it_asks(project: Path, proxy: Proxy, answer: str, made: bool) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    with subprocess.Popen(
        [*COMMAND, "upsert", "pipelines/one"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        _, asked = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert "Create one? [y/N]" in asked
    assert ("one" in deployed(proxy)) == made


def test_findings_stop_everything(project: Path, proxy: Proxy) -> None:
    (project / "pipelines" / "two" / "pipeline.yaml").write_text("name: two\nsteps: {A: {kind: nope}}\n")
    ended = run("--yes")
    assert ended.returncode == 1
    assert "error[SW207]" in ended.stderr
    assert proxy.journal == []


def test_the_guard_of_a_target(project: Path, proxy: Proxy) -> None:
    ended = run("--yes", "--target", "prod")
    assert ended.returncode == 1
    assert "target `prod` is account 999999999999" in ended.stderr
    assert proxy.changes() == []


def test_a_refused_pipeline_does_not_stop_the_next(project: Path, proxy: Proxy) -> None:
    sagemaker = boto3.client("sagemaker", endpoint_url=proxy.target)
    text = json.dumps({"Version": "2020-12-01", "Steps": []})
    sagemaker.create_pipeline(PipelineName="one", PipelineDefinition=text, RoleArn=ROLE)
    ended = run("--yes")
    assert ended.returncode == 1
    assert "error: pipeline `one`: it exists already" in ended.stderr
    assert "two" in deployed(proxy)
    assert run("--yes", "--force").returncode == 0
    assert deployed(proxy)["one"]["PipelineDefinition"] != text


def test_aws_that_fails_at_one_does_not_stop_the_other(project: Path, proxy: Proxy) -> None:
    sagemaker = boto3.client("sagemaker", endpoint_url=proxy.target)
    assert run("--yes", "pipelines/one").returncode == 0
    write(project, "one", "second")
    proxy.refuse("UpdatePipeline", 400, "AccessDeniedException", "no")
    ended = run("--yes")
    assert ended.returncode == 4
    assert (
        "error: one: access denied: the credentials may not sagemaker:UpdatePipeline [AccessDeniedException]"
        in ended.stderr
    )
    assert (
        ended.stderr.splitlines()[-1] == "1 of 2 are done; left: one. Running it again takes up what is left."
    )
    assert sagemaker.describe_pipeline(PipelineName="two")["PipelineDescription"] == "first"
    proxy.rules.clear()
    assert run("--yes").returncode == 0
    assert sagemaker.describe_pipeline(PipelineName="one")["PipelineDescription"] == "second"


@pytest.mark.parametrize("machine", [False, True])
def test_no_credentials(project: Path, monkeypatch: pytest.MonkeyPatch, machine: bool) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    ended = run("--yes", *(["--format", "json"] if machine else []))
    assert ended.returncode == 4
    assert "no AWS credentials were found" in ended.stderr and "Traceback" not in ended.stderr
    if machine:
        found = [(one["pipeline"], one["action"]) for one in json.loads(ended.stdout)]
        assert found == [("one", "failed"), ("two", "failed")]
        assert "[NoCredentialsError]" in ended.stdout
    else:
        assert ended.stdout == ""


def test_aws_region_must_agree(project: Path, monkeypatch: pytest.MonkeyPatch, proxy: Proxy) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    ended = run("--yes")
    assert ended.returncode == 2
    assert f"AWS_REGION is eu-west-1, and the target `dev` is in {REGION}" in ended.stderr
    assert proxy.journal == []


def test_aws_region_helps_where_the_project_names_none(
    project: Path, monkeypatch: pytest.MonkeyPatch, proxy: Proxy
) -> None:
    (project / "sagewright.yaml").write_text(PROJECT.replace(f"region: {REGION}\n", ""))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", REGION)
    assert run("--yes").returncode == 0
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    assert deployed(proxy).keys() == {"one", "two"}


def test_ctrl_c_between_two_calls(project: Path, proxy: Proxy) -> None:
    arguments = [*COMMAND, "upsert", "--yes", "pipelines/one"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:

        def interrupt(call: Any) -> None:
            if call.operation == "CreatePipeline":
                process.send_signal(2)

        proxy.rules.append(interrupt)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "running it again completes it" in said and "Traceback" not in said
    proxy.rules.clear()
    assert run("--yes").returncode == 0
    assert deployed(proxy).keys() == {"one", "two"}
    keys = boto3.client("s3", endpoint_url=proxy.target).list_objects_v2(Bucket=BUCKET)
    assert keys["KeyCount"] == 0, "no lock is left"
