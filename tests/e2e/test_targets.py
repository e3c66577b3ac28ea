"""Several targets in one run: accounts that are reached by assumed roles, regions, guards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.emulator_fixture import ACCOUNT, BUCKET, REGION
from tests.shell import Shell

EU_ACCOUNT = "210987654321"
EU = "eu-west-1"
FILE = f"""\
version: 1
name: acme/ml
prefix: sagewright
role: arn:aws:iam::{ACCOUNT}:role/SageMakerRole
targets:
  dev: {{default: true, account: "{ACCOUNT}", region: {REGION}, bucket: {BUCKET}}}
  prod-eu:
    account: "{EU_ACCOUNT}"
    profile: eu
    region: {EU}
    bucket: acme-ml-eu
    role: arn:aws:iam::{EU_ACCOUNT}:role/SageMakerRole
"""
CONFIG = f"""\
[profile eu]
role_arn = arn:aws:iam::{EU_ACCOUNT}:role/Deploy
credential_source = Environment
[profile wrong]
role_arn = arn:aws:iam::333333333333:role/Deploy
credential_source = Environment
"""


@pytest.fixture
def two(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Two accounts in two regions, with the profile that leads to the second."""
    (tmp_path / "aws-config").write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    shell.project(FILE)
    eu(shell, "s3").create_bucket(Bucket="acme-ml-eu", CreateBucketConfiguration={"LocationConstraint": EU})
    return shell


def eu(shell: Shell, service: str = "sagemaker") -> Any:
    """A client of the second account, past the proxy."""
    url = shell.proxy.target
    role = f"arn:aws:iam::{EU_ACCOUNT}:role/Deploy"
    sts = boto3.client("sts", endpoint_url=url, region_name=REGION)
    keys = sts.assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=EU,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def deployed(shell: Shell) -> tuple[set[str], ...]:
    """The ARNs of the first and the second account."""
    found = (
        boto3.client("sagemaker", endpoint_url=shell.proxy.target, region_name=REGION),
        eu(shell),
    )
    return tuple({p["PipelineArn"] for p in c.list_pipelines()["PipelineSummaries"]} for c in found)


@pytest.mark.parametrize("target", ["all", "dev,prod-eu"])
def test_two_accounts_in_one_run(two: Shell, target: str) -> None:
    out = two("plan", "--target", target, "--detailed-exitcode", code=3).out
    assert "── target dev: 2 to create" in out and "── target prod-eu: 2 to create" in out
    assert f"upload prepare.py to s3://{BUCKET}/" in out and "upload prepare.py to s3://acme-ml-eu/" in out
    assert out.splitlines()[-1] == "plan: 4 to create"
    assert two.proxy.changes() == []
    ended = two("upsert", "--target", target, "--yes", "--format", "json")
    assert [(r["target"], r["pipeline"], r["action"]) for r in ended.json] == [
        (t, p, "create") for t in ("dev", "prod-eu") for p in ("one", "two")
    ]
    assert "prod-eu: one: created arn:" in ended.err
    here, there = deployed(two)
    assert here == {f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/{name}" for name in ("one", "two")}
    assert there == {f"arn:aws:sagemaker:{EU}:{EU_ACCOUNT}:pipeline/{name}" for name in ("one", "two")}
    assert two("plan", "--target", target, "--detailed-exitcode").out.splitlines()[-1] == "plan: 4 unchanged"


def test_a_wrong_account_of_one_target_changes_nothing_in_any(two: Shell) -> None:
    two.project(FILE.replace("profile: eu", "profile: wrong"))
    ended = two("upsert", "--target", "all", "--yes", code=1)
    assert (
        f"target `prod-eu` is account {EU_ACCOUNT}, and the credentials belong to account 333333333333"
        in ended.err
    )
    assert "nothing was changed: every target must be open first" in ended.err
    assert two.proxy.changes() == []
    ended = two("plan", "--target", "all", code=1)
    assert "create pipeline one (target dev)" in ended.out, "reading goes on where it may"
    assert "not reached: prod-eu: two" in ended.err


def test_a_profile_that_is_not_there(two: Shell) -> None:
    two.project(FILE.replace("profile: eu", "profile: nobody"))
    ended = two("upsert", "--target", "all", "--yes", code=4)
    assert "target `prod-eu`: The config profile (nobody) could not be found [ProfileNotFound]" in ended.err
    assert "nothing was changed" in ended.err and two.proxy.changes() == []


def test_a_role_that_may_not_be_assumed(two: Shell) -> None:
    said = f"User: arn:aws:iam::1:user/me is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{EU_ACCOUNT}:role/Deploy"

    def rule(call: object) -> tuple[int, dict[str, str], bytes] | None:
        if getattr(call, "operation", "") != "AssumeRole":
            return None
        body = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{said}</Message></Error></ErrorResponse>"
        return 403, {"Content-Type": "text/xml"}, body.encode()

    two.proxy.rules.append(rule)
    ended = two("plan", "--target", "prod-eu", code=4)
    assert f"may not sts:AssumeRole on arn:aws:iam::{EU_ACCOUNT}:role/Deploy" in ended.err


def test_a_plan_of_several_targets_is_kept_and_carried_out(two: Shell) -> None:
    two("plan", "--target", "all", "--out", "plan.json")
    data = json.loads((two.root / "plan.json").read_text())
    assert [(p["target"], p["region"]) for p in data["pipelines"]] == [
        *[("dev", REGION)] * 2,
        *[("prod-eu", EU)] * 2,
    ]
    two("upsert", "--plan", "plan.json")
    assert [len(found) for found in deployed(two)] == [2, 2]
    assert "was changed in AWS since" in two("upsert", "--plan", "plan.json", code=1).err


def test_a_comment_has_a_section_for_each(two: Shell) -> None:
    two("upsert", "pipelines/one", "--target", "dev", "--yes")
    out = two("plan", "--target", "all", "--format", "markdown").out
    assert out.startswith("## sagewright plan for `dev`, `prod-eu`\n\n**3 to create, 1 unchanged**\n")
    assert "## target `dev`: 1 to create, 1 unchanged" in out and "## target `prod-eu`: 2 to create" in out


def test_orphans_of_each_target(two: Shell) -> None:
    two("upsert", "--target", "all", "--yes")
    (two.root / "pipelines/two/pipeline.yaml").unlink()
    out = two("plan", "--target", "all").out
    assert out.count("orphaned pipeline two") == 2
    two("upsert", "--target", "prod-eu", "--prune", "--yes")
    assert [len(found) for found in deployed(two)] == [2, 1]
    two("upsert", "--target", "all", "--prune", "--yes")
    assert [len(found) for found in deployed(two)] == [1, 1]


def test_check_and_compile_every_target(two: Shell) -> None:
    two("check", "--target", "all")
    two("compile", "--target", "all")
    made = sorted(p.relative_to(two.root).as_posix() for p in two.root.glob("build/*/*/definition.json"))
    assert made == [f"build/{t}/{p}/definition.json" for t in ("dev", "prod-eu") for p in ("one", "two")]
    assert "acme-ml-eu" in (two.root / "build/prod-eu/one/definition.json").read_text()
    ended = two("compile", "--target", "all", "--stdout", "pipelines/one", code=2)
    assert "--stdout writes one pipeline, and these are 2" in ended.err
    assert "unknown target `prod-us`" in two("check", "--target", "dev,prod-us", code=2).out


def test_mistakes_are_told_once(two: Shell) -> None:
    two.write("one").write_text("name: one\nsteps: {A: {kind: nope}}\n")
    assert two("check", "--target", "all", code=1).out.count("error[") == 1
    assert two("upsert", "--target", "all", "--yes", code=1).err.count("error[") == 1
    assert deployed(two) == (set(), set())


def test_two_targets_that_mean_one_pipeline(two: Shell) -> None:
    two.project(FILE + f'  twin: {{account: "{ACCOUNT}", region: {REGION}, bucket: {BUCKET}}}\n')
    err = two("plan", "--target", "dev,twin", code=2).err
    assert "the targets `dev` and `twin` are the same account and region" in err and "name_suffix" in err
    two("check", "--target", "all")


def test_aws_region_is_for_the_target_that_names_none(two: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    two.project(FILE.replace(f"region: {REGION}, ", ""))
    monkeypatch.setenv("AWS_REGION", REGION)
    assert "the target `prod-eu` is in eu-west-1" in two("plan", "--target", "all", code=2).err


def test_delete_in_each(two: Shell) -> None:
    two("upsert", "--target", "all", "--yes")
    ended = two("delete", "pipelines/one", "--target", "all", "--yes")
    assert ended.out.index("target dev:") < ended.out.index("target prod-eu:")
    assert [len(found) for found in deployed(two)] == [1, 1]
    ended = two("delete", "one", "--target", "all", "--yes", code=1)
    assert ended.err.count("there is no pipeline `one`") == 2
    two.project(FILE.replace("profile: eu", "profile: wrong"))
    ended = two("delete", "two", "--target", "all", "--yes", code=1)
    assert "nothing was done" in ended.err
    two.project(FILE)
    assert [len(found) for found in deployed(two)] == [1, 1]


def test_gc_in_each(two: Shell) -> None:
    two("upsert", "--target", "all", "--yes")
    eu(two, "s3").put_object(Bucket="acme-ml-eu", Key=f"sagewright/code/{'0' * 64}/x.py", Body=b"x")
    ended = two("gc", "--target", "all", "--older-than", "0m", "--dry-run")
    assert "target dev:\n0 objects" in ended.out
    assert f"target prod-eu:\ns3://acme-ml-eu/sagewright/code/{'0' * 64}/x.py" in ended.out


def test_commands_for_one_execution_take_one_target(two: Shell) -> None:
    assert "this takes one target, not `all`" in two("history", "one", "--target", "all", code=2).err


def test_all_of_a_project_without_targets(two: Shell) -> None:
    two.project(
        f"version: 1\nregion: {REGION}\nbucket: {BUCKET}\nrole: arn:aws:iam::{ACCOUNT}:role/SageMakerRole\n"
    )
    assert "create pipeline one (target default)" in two("plan", "--target", "all").out
