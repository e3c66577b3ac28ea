"""The templates for CI: they parse, their shell is shell, and the commands in them are ours."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from sagewright.compiler import cli

ROOT = Path(__file__).parents[2]
ACTION, GITLAB = ROOT / "action.yml", ROOT / "docs/ci/gitlab.yml"
CODEBUILD, HOOKS = ROOT / "docs/ci/buildspec.yml", ROOT / ".pre-commit-hooks.yaml"
GUIDE = ROOT / "docs/guide/ci.md"
OFFICIAL = ("actions/", "github/", "aws-actions/")
_COMMAND = re.compile(r"(?<![\w/.-])sagewright ([a-z]+)\b([^\n|;>&]*)")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def scripts() -> list[tuple[str, str]]:
    """All shell of the templates and the guide, each with where it is from."""
    found = [
        (f"action {step['name']}", step["run"]) for step in load(ACTION)["runs"]["steps"] if "run" in step
    ]
    for name, job in load(GITLAB).items():
        if isinstance(job, dict):
            lines = [*job.get("before_script", ()), *job.get("script", ())]
            found += [(f"gitlab {name}", "\n".join(lines))] if lines else []
    for name, phase in load(CODEBUILD)["phases"].items():
        found.append((f"codebuild {name}", "\n".join(phase["commands"])))
    found += [(f"hook {hook['id']}", hook["entry"]) for hook in load(HOOKS)]
    shown = re.findall(r"```(\w+)\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    found += [(f"guide {n}", text) for n, (language, text) in enumerate(shown) if language == "sh"]
    return found


@pytest.mark.parametrize(("name", "script"), scripts(), ids=lambda value: value.split("\n")[0][:40])
def test_shell_is_shell(name: str, script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0 and done.stderr == "", f"{name}: {done.stderr}"


def test_commands_exist_with_these_flags() -> None:
    used: set[str] = set()
    for name, script in scripts():
        for match in _COMMAND.finditer(script.replace("\\\n", " ")):
            command = _command(match[1])
            assert command is not None, f"{name}: there is no command {match[1]}"
            used.add(match[1])
            known = {
                option
                for parameter in command.params
                for option in (*parameter.opts, *parameter.secondary_opts)
            }
            for word in _words(match[2]):
                if word.startswith("-"):
                    assert word.partition("=")[0] in known, f"{name}: {match[1]} has no {word}"
    assert {"check", "plan", "upsert", "policy"} <= used


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _command(name: str) -> click.Command | None:
    return cli.root.get_command(click.Context(cli.root), name)  # type: ignore[attr-defined]


def test_the_action_is_one() -> None:
    action = load(ACTION)
    assert action["runs"]["using"] == "composite"
    ids = {step.get("id") for step in action["runs"]["steps"]}
    for step in action["runs"]["steps"]:
        if "uses" in step:
            assert step["uses"].startswith(OFFICIAL) and "@v" in step["uses"]
        else:
            assert step["shell"] == "bash" and "set -euo pipefail" in step["run"]
            assert "${{" not in step["run"], "what strangers write must not become shell"
    text = ACTION.read_text()
    assert set(re.findall(r"steps\.(\w+)\.", text)) <= ids
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == action["inputs"].keys()
    assert all(about["description"] for about in action["inputs"].values())


def test_gitlab() -> None:
    data = load(GITLAB)
    jobs = {name: job for name, job in data.items() if name.startswith("sagewright:")}
    assert set(jobs) == {"sagewright:check", "sagewright:plan", "sagewright:upsert"}
    assert all(job["extends"] == ".sagewright" and job["rules"] for job in jobs.values())
    assert jobs["sagewright:upsert"]["rules"] == [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}]
    assert "aud" in data[".sagewright"]["id_tokens"]["AWS_TOKEN"]


def test_codebuild() -> None:
    data = load(CODEBUILD)
    assert data["version"] == 0.2 and set(data["phases"]) == {"install", "build"}


def test_hooks() -> None:
    for hook in load(HOOKS):
        assert hook["language"] == "python" and hook["pass_filenames"] is False
        pattern = re.compile(hook["files"])
        for path in ("sagewright.yaml", "pipelines/churn/pipeline.yaml", "ml/pipelines/churn/train.py"):
            assert pattern.search(path)
        assert not pattern.search("README.md")


def test_the_guide_names_what_there_is() -> None:
    text = GUIDE.read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in link:
            assert (GUIDE.parent / link).exists(), link
    for block in re.findall(r"```ya?ml\n(.*?)```", text, re.DOTALL):
        for part in yaml.safe_load_all(block):
            assert isinstance(part, (dict, list))
    action = load(ACTION)
    workflow = next(
        b for b in re.findall(r"```ya?ml\n(.*?)```", text, re.DOTALL) if "OWNER/sagewright@v1" in b
    )
    for job in yaml.safe_load(workflow)["jobs"].values():
        for step in job["steps"]:
            if "sagewright@" in step.get("uses", ""):
                assert set(step.get("with", {})) <= action["inputs"].keys()
