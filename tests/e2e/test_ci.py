"""The templates for CI, run: their own shell, with the services that it talks to on loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.emulator_fixture import ACCOUNT
from tests.shell import Shell

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GH = f"""\
#!{sys.executable}
import json, os, re, sys
store = os.environ["FAKE_GH"]
comments = json.load(open(store)) if os.path.exists(store) else {{}}
arguments = sys.argv[2:]
path = next(a for a in arguments if a.startswith("repos/")).partition("?")[0]
assert sys.argv[1] == "api" and os.environ["GH_TOKEN"] == "secret"
if "--method" not in arguments:
    assert "--paginate" in arguments and path == "repos/acme/ml/issues/7/comments", path
    for number, body in comments.items():
        print(json.dumps([int(number), body]))
    sys.exit()
method = arguments[arguments.index("--method") + 1]
name, _, file = arguments[arguments.index("--field") + 1].partition("=@")
body = open(file).read()
if method == "POST":
    assert path == "repos/acme/ml/issues/7/comments", path
    number = str(100 + len(comments))
else:
    number = re.fullmatch("repos/acme/ml/issues/comments/([0-9]+)", path)[1]
    assert method == "PATCH" and number in comments
comments[number] = body
json.dump(comments, open(store, "w"))
"""


@dataclass
class Done:
    """What became of the steps, and the files that they wrote to."""

    outcomes: dict[str, str]
    log: str
    outputs: dict[str, dict[str, str]]
    summary: str

    @property
    def ok(self) -> bool:
        return "failure" not in self.outcomes.values()


@dataclass
class Runner:
    """As much of GitHub's runner as a composite action of ours needs."""

    shell: Shell
    folder: Path
    event: dict[str, Any]
    outcomes: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def run(self, **inputs: str) -> Done:
        action = yaml.safe_load((ROOT / "action.yml").read_text())
        self.outcomes, self.outputs, log = {}, {}, ""
        known = {name: str(about.get("default", "")) for name, about in action["inputs"].items()}
        known["token"] = "secret"
        known["working-directory"] = str(self.shell.root)
        self.known = {**known, **{name.replace("_", "-"): value for name, value in inputs.items()}}
        summary = self.folder / "summary.md"
        summary.write_text("")
        for step in action["runs"]["steps"]:
            name = step.get("id", "")
            if "run" not in step or name == "install" or not self._wanted(step.get("if", "success()")):
                continue
            log += self._step(name, step, summary)
        return Done(self.outcomes, log, self.outputs, summary.read_text())

    def _step(self, name: str, step: dict[str, Any], summary: Path) -> str:
        outputs = self.folder / f"{name}.out"
        outputs.write_text("")
        environment = {
            **os.environ,
            **{key: self._text(value) for key, value in step.get("env", {}).items()},
            "PATH": f"{self.folder}:{BIN}:{os.environ['PATH']}",
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(self.folder),
            "FAKE_GH": str(self.folder / "comments.json"),
        }
        folder = self._text(step.get("working-directory", str(self.folder)))
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            command, env=environment, cwd=folder, text=True, capture_output=True, check=False
        )
        self.outcomes[name] = "success" if done.returncode == 0 else "failure"
        self.outputs[name] = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        return done.stdout + done.stderr

    def comments(self) -> list[str]:
        file = self.folder / "comments.json"
        return list(json.loads(file.read_text()).values()) if file.exists() else []

    def _wanted(self, condition: str) -> bool:
        parts = condition.removeprefix("${{").removesuffix("}}").strip().split(" && ")
        if "always()" not in parts and "failure" in self.outcomes.values():
            return False
        return all(self._holds(part) for part in parts if part not in ("always()", "success()"))

    def _holds(self, part: str) -> bool:
        left, _, right = part.partition(" == ")
        return self._value(left) == right.strip("'")

    def _text(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda match: self._value(match[1]), str(text))

    def _value(self, name: str) -> str:
        root, *rest = name.split(".")
        if root == "inputs":
            return self.known[rest[0]]
        if root == "steps":
            found = self.outputs.get(rest[0], {}).get(rest[-1], "") if rest[1] == "outputs" else None
            return self.outcomes.get(rest[0], "skipped") if found is None else found
        value: Any = {"github": self.event, "runner": {"temp": str(self.folder)}}[root]
        for part in rest:
            value = value.get(part, "") if isinstance(value, dict) else ""
        return str(value)


PULL_REQUEST = {
    "event_name": "pull_request",
    "ref": "refs/pull/7/merge",
    "repository": "acme/ml",
    "server_url": "https://github.com",
    "run_id": "1",
    "event": {"repository": {"default_branch": "main"}, "pull_request": {"number": 7}},
}
PUSH = {
    **PULL_REQUEST,
    "event_name": "push",
    "ref": "refs/heads/main",
    "event": {"repository": {"default_branch": "main"}},
}


@pytest.fixture
def runner(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    folder = tmp_path_factory.mktemp("runner")
    (folder / "gh").write_text(GH)
    (folder / "gh").chmod(0o755)
    return Runner(shell, folder, PULL_REQUEST)


def test_a_pull_request_gets_one_comment_that_is_updated(runner: Runner) -> None:
    done = runner.run()
    assert done.ok, done.log
    assert done.outputs["plan"]["changes"] == "true" and "upsert" not in done.outcomes
    assert done.summary.startswith("## sagewright plan for `dev`")
    (comment,) = runner.comments()
    assert comment.startswith("<!-- sagewright: the plan of ") and "`one` will be created" in comment
    assert runner.shell.names() == set(), "a plan changes nothing"
    runner.shell("upsert", "--yes")
    done = runner.run()
    (comment,) = runner.comments()
    assert "**2 unchanged**" in comment and done.outputs["plan"]["changes"] == "false"
    runner.run(target="prod")
    assert len(runner.comments()) == 2, "each target has its own"


def test_a_push_to_the_default_branch_upserts(runner: Runner) -> None:
    runner.event = PUSH
    done = runner.run(target="prod", paths="pipelines/one")
    assert done.ok and "plan" not in done.outcomes and runner.comments() == []
    assert runner.shell.names() == {"one-prod"}
    runner.event = {**PUSH, "ref": "refs/heads/other"}
    assert runner.run().outcomes == {"mode": "success", "check": "success"}


def test_prune(runner: Runner) -> None:
    runner.event = PUSH
    runner.run()
    (runner.shell.root / "pipelines/two/pipeline.yaml").unlink()
    assert runner.run(prune="true").ok
    assert runner.shell.names() == {"one"}


def test_findings_are_annotations_and_nothing_else_is_done(runner: Runner) -> None:
    runner.shell.write("one").write_text("name: one\nsteps: {A: {kind: nope}}\n")
    done = runner.run(sarif="true")
    assert done.outcomes["check"] == "failure" and "plan" not in done.outcomes
    assert "::error file=pipelines/one/pipeline.yaml" in done.log
    sarif = json.loads((runner.folder / "sagewright.sarif").read_text())
    assert sarif["runs"][0]["results"][0]["level"] == "error"
    runner.event = PUSH
    assert "upsert" not in runner.run().outcomes
    assert runner.shell.names() == set()


def test_a_plan_that_fails_is_said_in_the_comment(runner: Runner) -> None:
    done = runner.run(target="other")
    assert done.outcomes["plan"] == "failure"
    (comment,) = runner.comments()
    assert "**This failed**: see [the log](https://github.com/acme/ml/actions/runs/1)" in comment


def test_what_somebody_writes_is_not_run(runner: Runner) -> None:
    owned = runner.folder / "owned"
    done = runner.run(target=f"$(touch {owned});`touch {owned}`", paths=f"$(touch {owned})")
    assert not done.ok and not owned.exists()
    assert runner.run(mode="everything").outcomes == {"mode": "failure"}


# -- GitLab -----------------------------------------------------------------------------------------------------------


@dataclass
class GitLab:
    """The notes of one merge request."""

    url: str = ""
    notes: dict[int, str] = field(default_factory=dict)


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    made = GitLab()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            assert self.headers["PRIVATE-TOKEN"] == "secret"
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            place = "/projects/5/merge_requests/3/notes"
            if self.command == "GET":
                page = int(query.rpartition("page=")[2])
                shown = [{"id": n, "body": b} for n, b in made.notes.items()][page - 1 : page]
                return self.say(shown, str(page + 1) if page < len(made.notes) else "")
            number = len(made.notes) + 1 if path == place else int(path.removeprefix(f"{place}/"))
            assert (self.command == "PUT") == (number in made.notes)
            made.notes[number] = json.loads(body)["body"]
            return self.say({"id": number})

        def say(self, data: object, following: str = "") -> None:
            self.send_response(200)
            self.send_header("X-Next-Page", following)
            self.end_headers()
            self.wfile.write(json.dumps(data).encode())

        do_GET = do_POST = do_PUT = answer

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def run_script(
    shell: Shell, tmp: Path, lines: list[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    """As a job: one shell, `pip` doing nothing."""
    (tmp / "pip").write_text('#!/bin/sh\necho "pip $*" >> "$(dirname "$0")/pip.log"\n')
    (tmp / "pip").chmod(0o755)
    found = {**os.environ, "PATH": f"{tmp}:{BIN}:{os.environ['PATH']}", **environment}
    script = "\n".join(lines)
    return subprocess.run(
        ["bash", "-e", "-c", script], env=found, cwd=shell.root, text=True, capture_output=True, check=False
    )


def gitlab_job(shell: Shell, tmp: Path, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    data = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text())
    job = data[name]
    given = {**data["variables"], "CI_PROJECT_DIR": str(tmp), "CI_PIPELINE_ID": "1", **environment}
    for key, value in job.get("variables", {}).items():
        given[key] = given.get(value.removeprefix("$"), "") if value.startswith("$") else value
    return run_script(shell, tmp, [*data[".sagewright"]["before_script"], *job["script"]], **given)


def test_gitlab(
    shell: Shell, gitlab: GitLab, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a web identity only, as GitLab gives it: boto3 makes a role's credentials of it."""
    tmp = tmp_path_factory.mktemp("gitlab")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    given = {
        "AWS_TOKEN": "e30.e30.e30",
        "PLAN_ROLE": f"arn:aws:iam::{ACCOUNT}:role/Plan",
        "UPSERT_ROLE": f"arn:aws:iam::{ACCOUNT}:role/Upsert",
        "SAGEWRIGHT_TARGET": "prod",
        "SAGEWRIGHT_COMMENT_TOKEN": "secret",
        "CI_API_V4_URL": gitlab.url,
        "CI_PROJECT_ID": "5",
        "CI_MERGE_REQUEST_IID": "3",
    }
    gitlab.notes.update({1: "looks good", 2: "to me"})
    assert gitlab_job(shell, tmp, "sagewright:check", **given).returncode == 0
    for _ in range(2):
        done = gitlab_job(shell, tmp, "sagewright:plan", **given)
        assert done.returncode == 0, done.stderr
    assert len(gitlab.notes) == 3 and "`one-prod` will be created" in gitlab.notes[3]
    done = gitlab_job(shell, tmp, "sagewright:upsert", **given)
    assert done.returncode == 0, done.stderr
    assert "AssumeRoleWithWebIdentity" in {call.operation for call in shell.proxy.journal}
    assert (tmp / "pip.log").read_text().splitlines()[0] == "pip install --quiet sagewright"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    assert shell.names() == {"one-prod", "two-prod"}
    done = gitlab_job(shell, tmp, "sagewright:plan", **{**given, "SAGEWRIGHT_COMMENT_TOKEN": ""})
    assert "no SAGEWRIGHT_COMMENT_TOKEN" in done.stderr


# -- CodeBuild --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "ref", "made", "said"),
    [
        ("PULL_REQUEST_UPDATED", "refs/heads/feature", set[str](), "plan: 2 to create"),
        ("PULL_REQUEST_MERGED", "refs/heads/feature", {"one", "two"}, "created arn:"),
        ("PUSH", "refs/heads/main", {"one", "two"}, "created arn:"),
        ("PUSH", "refs/heads/feature", set[str](), "nothing to plan or upsert"),
        ("", "", set[str](), "nothing to plan or upsert"),
    ],
)
def test_codebuild(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory, event: str, ref: str, made: set[str], said: str
) -> None:
    data = yaml.safe_load((ROOT / "docs/ci/buildspec.yml").read_text())
    commands = [line for phase in data["phases"].values() for line in phase["commands"]]
    given = {**data["env"]["variables"], "AWS_REGION": "eu-central-1"}
    given |= {"CODEBUILD_WEBHOOK_EVENT": event, "CODEBUILD_WEBHOOK_HEAD_REF": ref}
    done = run_script(shell, tmp_path_factory.mktemp("codebuild"), commands, **given)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout and shell.names() == made
    assert (shell.root / "plan.json").exists() == event.startswith("PULL_REQUEST_UPDATED")


def test_the_hook_checks(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    (first, _) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    tmp = tmp_path_factory.mktemp("hook")
    assert run_script(shell, tmp, [first["entry"]]).returncode == 0
    shell.write("one").write_text("name: one\nsteps: {A: {kind: nope}}\n")
    assert run_script(shell, tmp, [first["entry"]]).returncode == 1
