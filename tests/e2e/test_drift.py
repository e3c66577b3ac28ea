"""What somebody else has changed since we deployed, what the files changed, and what both did."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sagewright.compiler.drift import three_way
from tests.emulator_fixture import Proxy
from tests.shell import Shell


def change(shell: Shell, *replacements: tuple[str, str]) -> None:
    """As somebody in Studio."""
    text = shell.describe("one")["PipelineDefinition"]
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    shell.client().update_pipeline(PipelineName="one", PipelineDefinition=text)


@pytest.fixture
def drifted(shell: Shell) -> Shell:
    shell("upsert", "--yes", "pipelines/one")
    shell.write("one", level="warn")
    shell("upsert", "--yes", "pipelines/one")
    change(shell, ('"num_round":"5"', '"num_round":"7"'), ('"warn"', '"theirs"'))
    shell.write("one", level="debug")
    return shell


def test_three_ways(drifted: Shell) -> None:
    out = drifted("plan", "pipelines/one").out
    assert (
        "  somebody else, since version 2:\n"
        "    ~ step Prepare (Processing)\n"
        '      ~ Arguments.Environment.LEVEL: "warn" → "theirs"\n'
        "    ~ step Train (Training)\n"
        '      ~ Arguments.HyperParameters.num_round: "5" → "7"\n'
        "  the files, since version 2:\n"
        "    ~ step Prepare (Processing)\n"
        '      ~ Arguments.Environment.LEVEL: "warn" → "debug"\n'
        "  both changed Prepare: Arguments.Environment.LEVEL\n"
    ) in out
    assert "refused: somebody else has changed its definition" in out


def test_upsert_shows_it_and_wants_force(drifted: Shell) -> None:
    ended = drifted("upsert", "pipelines/one", "--yes", code=1)
    assert "somebody else, since version 2:" in ended.out and "--force overwrites" in ended.err
    assert "theirs" in drifted.describe("one")["PipelineDefinition"]
    drifted("upsert", "pipelines/one", "--yes", "--force")
    assert "debug" in drifted.describe("one")["PipelineDefinition"]
    assert "somebody else" not in drifted("plan", "pipelines/one").out


def test_as_json_and_as_a_comment(drifted: Shell) -> None:
    (plan,) = drifted("plan", "pipelines/one", "--format", "json").json["pipelines"]
    drift: dict[str, Any] = plan["drift"]
    assert drift["since_version"] == 2 and drift["both"] == ["Prepare: Arguments.Environment.LEVEL"]
    assert [step["name"] for step in drift["theirs"]["steps"]] == ["Prepare", "Train"]
    assert [step["name"] for step in drift["ours"]["steps"]] == ["Prepare"]
    out = drifted("plan", "pipelines/one", "--format", "markdown").out
    assert "<summary>what somebody else has changed since it was deployed</summary>" in out


def test_a_version_that_nobody_finds(drifted: Shell, proxy: Proxy) -> None:
    """Without the right to list versions, or where ours is not among them."""
    proxy.refuse("ListPipelineVersions", 400, "AccessDeniedException", "no")
    out = drifted("plan", "pipelines/one").out
    assert "what we deployed before that is not among the versions" in out
    assert '~ Arguments.Environment.LEVEL: "theirs" → "debug"' in out, (
        "what upsert would do is known all the same"
    )


def test_nothing_is_asked_where_nothing_drifted(shell: Shell) -> None:
    shell("upsert", "--yes")
    shell.write("one", level="debug")
    shell("plan")
    assert "ListPipelineVersions" not in {call.operation for call in shell.proxy.journal}


def test_a_pipeline_that_somebody_else_made_has_no_base(shell: Shell) -> None:
    text = json.dumps({"Version": "2020-12-01", "Steps": []})
    role = "arn:aws:iam::123456789012:role/SageMakerRole"
    shell.client().create_pipeline(PipelineName="one", PipelineDefinition=text, RoleArn=role)
    out = shell("plan", "pipelines/one").out
    assert "was not made by sagewright" in out and "somebody else, since" not in out


def test_steps_that_both_added() -> None:
    def definition(*names: str) -> str:
        steps = [{"Name": n, "Type": "Fail", "Arguments": {"ErrorMessage": n}} for n in names]
        return json.dumps({"Version": "2020-12-01", "Steps": steps})

    found = three_way(1, definition("A"), definition("A", "B"), definition("A", "B"))
    assert found is not None and found.both == ("B",)
    assert three_way(1, definition("A"), "{", definition()) is None
