"""`sagewright plan`, and plans that are kept and carried out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sagewright.compiler.plan import COMMIT, DIGEST, PROJECT, TARGET
from tests.emulator_fixture import BUCKET, Proxy
from tests.shell import PROJECT as PROJECT_FILE
from tests.shell import ROLE, Shell


def test_what_is_new(shell: Shell) -> None:
    ended = shell("plan", "--detailed-exitcode", code=3)
    assert "create pipeline one (target dev)" in ended.out
    assert f"upload prepare.py to s3://{BUCKET}/sagewright/code/" in ended.out
    assert "the role now needs sagemaker:CreateTrainingJob" in ended.out
    assert f"the role now needs iam:PassRole on {ROLE}" in ended.out
    assert ended.out.splitlines()[-1] == "plan: 2 to create"
    assert shell.proxy.changes() == [], "it only reads"
    assert shell("plan").code == 0


def test_after_an_upsert_there_is_nothing_to_do(shell: Shell) -> None:
    shell("upsert", "--yes")
    ended = shell("plan", "--detailed-exitcode")
    assert ended.out.splitlines() == [
        "pipeline one (target dev) is unchanged",
        "pipeline two (target dev) is unchanged",
        "plan: 2 unchanged",
    ]


def test_spelling_is_no_change(shell: Shell) -> None:
    """What somebody saved in Studio: another order, other white space, a null, a default."""
    shell("upsert", "--yes")
    data = json.loads(shell.describe("one")["PipelineDefinition"])
    data["Steps"].reverse()
    data["Steps"][1]["Arguments"]["ExperimentConfig"] = None
    data = dict(reversed(data.items()))
    shell.client().update_pipeline(PipelineName="one", PipelineDefinition=json.dumps(data, indent=3))
    ended = shell("plan", "pipelines/one")
    assert "definition" not in ended.out and "refused" not in ended.out
    shell("upsert", "--yes")
    assert shell("plan", "--detailed-exitcode").out.splitlines()[-1] == "plan: 2 unchanged"


def test_changes_by_step_and_field_and_what_misses_the_cache(shell: Shell) -> None:
    shell("upsert", "--yes")
    shell.write("one", "second", "debug")
    out = shell("plan", "pipelines/one", "--detailed-exitcode", code=3).out
    assert '    ~ step Prepare (Processing)\n      ~ Arguments.Environment.LEVEL: "info" → "debug"\n' in out
    assert "  description: first → second\n" in out
    assert "  cache: Prepare misses its cache: Environment.LEVEL changed\n" in out
    assert "  cache: Train misses its cache where what it reads from Prepare differs" in out
    assert "permission" not in out and "now needs" not in out


def test_changed_code_is_a_change(shell: Shell) -> None:
    shell("upsert", "--yes")
    shell.write("one", code="print(2)\n")
    out = shell("plan", "pipelines/one").out
    assert re.search(r"~ Arguments\.ProcessingInputs\[code\]\.S3Input\.S3Uri: .*code/[0-9a-f]{64}.* → ", out)
    assert "cache: Prepare misses its cache: ProcessingInputs[code].S3Input.S3Uri changed" in out


def test_the_default_of_a_parameter_in_the_key(shell: Shell) -> None:
    file = shell.write("one")
    file.write_text(
        file.read_text().replace("environment: {LEVEL: info}", 'environment: {LEVEL: "${parameters.Mode}"}')
    )
    shell("upsert", "--yes")
    file.write_text(file.read_text().replace("default: fast", "default: full"))
    assert "Prepare misses its cache: the default of parameter Mode changed" in shell("plan").out


def test_somebody_elses_change(shell: Shell) -> None:
    shell("upsert", "--yes")
    shell.write("one", level="debug")
    other = shell.describe("one")["PipelineDefinition"].replace('"info"', '"theirs"')
    shell.client().update_pipeline(PipelineName="one", PipelineDefinition=other)
    out = shell("plan", "--detailed-exitcode", code=3).out
    assert 'LEVEL: "theirs" → "debug"' in out
    assert "  refused: somebody else has changed its definition" in out


def test_a_deployed_definition_that_is_not_json(shell: Shell, proxy: Proxy) -> None:
    shell("upsert", "--yes")
    described = shell.describe("one")
    answer = {"PipelineArn": described["PipelineArn"], "PipelineDefinition": "{'a': 1}", "RoleArn": ROLE}

    def garbled(call: object) -> tuple[int, dict[str, str], bytes] | None:
        if getattr(call, "operation", "") != "DescribePipeline":
            return None
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    proxy.rules.append(garbled)
    out = shell("plan", "pipelines/one").out
    assert "the deployed definition cannot be read" in out and "refused: somebody else" in out


def test_a_pipeline_that_is_being_deleted_is_made_anew(
    shell: Shell, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sagewright.compiler.apply.DELETION_INTERVAL", 0.01)
    shell("upsert", "--yes")
    described = shell.describe("one")
    answer = {k: described[k] for k in ("PipelineArn", "PipelineDefinition", "RoleArn")} | {
        "PipelineStatus": "Deleting"
    }
    left = [4]

    def deleting(call: object) -> tuple[int, dict[str, str], bytes] | None:
        if getattr(call, "operation", "") != "DescribePipeline" or left[0] == 0:
            return None
        left[0] -= 1
        if left[0] == 0:
            shell.client().delete_pipeline(PipelineName="one")
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()

    proxy.rules.append(deleting)
    assert "recreate pipeline one" in shell("plan", "pipelines/one").out
    ended = shell("upsert", "pipelines/one", "--yes")
    assert "waiting until one is deleted" in ended.out and "created arn:" in ended.out
    assert shell.describe("one")["PipelineDefinition"] == described["PipelineDefinition"]


def test_a_file_that_is_gone_leaves_an_orphan(shell: Shell) -> None:
    shell("upsert", "--yes")
    assert shell.tags("two")[PROJECT] == "acme/ml" and shell.tags("two")[TARGET] == "dev"
    (shell.root / "pipelines/two/pipeline.yaml").unlink()
    out = shell("plan", "--detailed-exitcode", code=3).out
    assert "orphaned pipeline two: its file is gone; upsert --prune deletes it" in out
    assert "orphaned" not in shell("plan", "pipelines/one").out, "asked about one, nobody knows of the rest"
    assert "orphaned" not in shell("plan", "--target", "prod").out, "another target's are not its"
    shell.project(PROJECT_FILE.replace("acme/ml", "acme/other"))
    assert "orphaned" not in shell("plan").out, "another project's are not its"
    assert "belongs to the project `acme/ml`, this one is `acme/other`" in shell("plan").out


def test_no_right_to_search_is_said(shell: Shell, proxy: Proxy) -> None:
    proxy.refuse("Search", 400, "AccessDeniedException", "no")
    ended = shell("plan")
    assert "orphaned pipelines are not looked for" in ended.err


def test_json(shell: Shell) -> None:
    shell("upsert", "--yes")
    shell.write("one", level="debug")
    (shell.root / "pipelines/two/pipeline.yaml").unlink()
    data = shell("plan", "--format", "json").json
    (plan,) = data["pipelines"]
    assert (plan["pipeline"], plan["action"], plan["target"]) == ("one", "update", "dev")
    assert plan["steps"] == [
        {
            "name": "Prepare",
            "type": "Processing",
            "action": "changed",
            "fields": [{"path": "Arguments.Environment.LEVEL", "before": "info", "after": "debug"}],
        }
    ]
    assert [m["step"] for m in plan["cache_misses"]] == ["Prepare", "Train"]
    assert [o["pipeline"] for o in data["orphans"]] == ["two"]


def test_markdown(shell: Shell) -> None:
    shell("upsert", "--yes", "pipelines/one")
    shell.write("one", level="de`bug")
    out = shell("plan", "--format", "markdown").out
    assert out.startswith("## sagewright plan for `dev`\n\n**1 to create, 1 to update**\n")
    assert "### ~ `one` will be updated" in out and "### + `two` will be created" in out
    assert '```diff\n! step Prepare (Processing)\n-   Arguments.Environment.LEVEL: "info"\n' in out.replace(
        "````", "```"
    )
    assert "```mermaid\nflowchart TD\n" in out
    assert 's0["Prepare<br/>Processing"]:::changed' in out and 's1["Train<br/>Training"]:::again' in out
    assert "  s0 --> s1" in out
    assert out.count("<details>") == out.count("</details>")


def test_a_long_comment_is_cut(shell: Shell) -> None:
    for number in range(88):
        shell.write(f"p{number}")
    out = shell("plan", "--format", "markdown").out
    assert len(out) < 65_536 and "would be too long" in out
    assert out.count("will be created") == 90


def test_github(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    lines = shell("plan", "--format", "github").out.splitlines()
    assert lines[0].startswith(
        "::notice file=pipelines/one/pipeline.yaml,title=sagewright plan::create pipeline one"
    )
    assert all(line.startswith("::") for line in lines)
    assert (tmp_path / "summary.md").read_text().startswith("## sagewright plan for `dev`")


# -- plans that are kept ----------------------------------------------------------------------------------------------


def test_a_plan_is_carried_out_without_asking(shell: Shell) -> None:
    shell("plan", "--target", "prod", "--out", "plan.json")
    ended = shell("upsert", "--plan", "plan.json")
    assert "create pipeline one-prod (target prod)" in ended.out
    assert shell.names() == {"one-prod", "two-prod"}


def test_a_plan_is_refused_when_the_world_has_moved(shell: Shell) -> None:
    shell("upsert", "--yes")
    shell.write("one", level="debug")
    shell("plan", "--out", "plan.json")
    shell.client().add_tags(
        ResourceArn=shell.describe("one")["PipelineArn"], Tags=[{"Key": "x", "Value": "1"}]
    )
    ended = shell("upsert", "--plan", "plan.json", code=1)
    assert "the plan is out of date: `one` was changed in AWS since" in ended.err
    assert "debug" not in shell.describe("one")["PipelineDefinition"]


def test_a_plan_is_refused_when_the_files_have_changed(shell: Shell) -> None:
    shell("plan", "--out", "plan.json")
    shell.write("two", level="debug")
    assert "`two` is not what was planned" in shell("upsert", "--plan", "plan.json", code=1).err
    shell.write("two")
    (shell.root / "pipelines/one/pipeline.yaml").write_text(
        "name: three\nsteps: {S: {kind: fail, message: m}}\n"
    )
    err = shell("upsert", "--plan", "plan.json", code=1).err
    assert (
        "`three` is not in the plan" in err
        and "`one` (target dev) is in the plan, and not in this project" in err
    )
    assert shell.names() == set()


def test_an_older_plan_is_refused_once_it_was_carried_out(shell: Shell) -> None:
    shell("plan", "--out", "plan.json")
    shell("upsert", "--plan", "plan.json")
    assert "was changed in AWS since" in shell("upsert", "--plan", "plan.json", code=1).err


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 2, "pipelines": []}', '{"version": 1, "pipelines": [{}]}']
)
def test_what_is_no_plan(shell: Shell, text: str) -> None:
    (shell.root / "plan.json").write_text(text)
    shell("upsert", "--plan", "plan.json", code=2)
    assert shell.proxy.journal == []


# -- what a plan costs, and needs -------------------------------------------------------------------------------------


READS = {
    "GetCallerIdentity",
    "DescribePipeline",
    "ListTags",
    "HeadBucket",
    "HeadObject",
    "GetBucket",
    "Search",
}


def test_it_takes_three_calls_a_pipeline_at_most(shell: Shell) -> None:
    for number in range(18):
        shell.write(f"p{number}", code=f"print({number})\n")
    shell("upsert", "--yes")
    before = len(shell.proxy.journal)
    shell("plan")
    calls = [call.operation for call in shell.proxy.journal[before:]]
    assert len(calls) <= 3 * 20, calls
    assert set(calls) <= READS
    assert calls.count("HeadObject") == 0, "assets are listed"


def test_the_wrong_account(shell: Shell) -> None:
    ended = shell("plan", "--target", "other", code=1)
    assert "target `other` is account 999999999999" in ended.err
    assert {call.operation for call in shell.proxy.journal} == {"GetCallerIdentity"}


def test_no_network_is_told_once(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for number in range(20):
        shell.write(f"p{number}")
    ended = shell("plan", code=4)
    assert ended.err.count("error: ") == 1 and "not reached: " in ended.err


def test_the_commit_is_written_down_and_is_no_change(shell: Shell) -> None:
    folder = shell.root / ".git"
    folder.mkdir()
    (folder / "HEAD").write_text("a" * 40)
    shell("upsert", "--yes", "pipelines/one")
    assert shell.tags("one")[COMMIT] == "a" * 40
    assert f"commit {'a' * 40}, by " in shell.describe("one")["PipelineVersionDescription"]
    (folder / "HEAD").write_text("b" * 40)
    assert shell("plan", "pipelines/one", "--detailed-exitcode").code == 0
    shell.write("one", level="debug")
    shell("upsert", "--yes", "pipelines/one")
    assert shell.tags("one")[COMMIT] == "b" * 40 and DIGEST in shell.tags("one")


def test_right_after_an_upsert_no_ready_made_pipeline_has_a_change(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that they hold: kinds, defaults, functions, triggers, long definitions."""
    services = ["lambda", "events", "scheduler", "sagemaker"]
    principal = {"Service": [f"{name}.amazonaws.com" for name in services]}
    statement = [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    root = Path(__file__).parents[2]
    texts = "".join(file.read_text() for file in root.glob("pipelines/*/pipeline.yaml"))
    for role in {"SageMakerRole", *re.findall(r"role/(\w+)", texts)}:
        shell.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    monkeypatch.chdir(root)
    given = ("--bucket", BUCKET, "--role", ROLE, "--endpoint-url", shell.proxy.url)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    shell("upsert", "--yes", *given)
    count = len(list(root.glob("pipelines/*/pipeline.yaml")))
    assert len(shell.names()) == count >= 3
    out = shell("plan", "--detailed-exitcode", *given).out
    assert out.splitlines()[-1] == f"plan: {count} unchanged"
