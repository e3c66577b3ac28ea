"""`history`, `rollback`, `diff` and aliases."""

from __future__ import annotations

import json

import pytest

from sagewright.compiler.plan import DIGEST, PENDING
from tests.shell import PROJECT, ROLE, Shell

LEVELS = ("info", "debug", "error")


@pytest.fixture
def three(shell: Shell) -> Shell:
    """Three versions of `one`, the first of them called `live`."""
    for level in LEVELS:
        shell.write("one", level=level)
        shell("upsert", "--yes", "pipelines/one", *(["--alias", "live"] if level == "info" else []))
    return shell


def level(shell: Shell, name: str = "one") -> str:
    found = json.loads(shell.describe(name)["PipelineDefinition"])
    return found["Steps"][0]["Arguments"]["Environment"]["LEVEL"]


def test_history(three: Shell) -> None:
    lines = three("history", "pipelines/one").out.splitlines()
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    assert "[live]" in lines[2]
    versions = three("history", "one", "--format", "json").json
    assert [(v["version"], v["aliases"]) for v in versions] == [(3, []), (2, []), (1, ["live"])]
    assert "there is no pipeline `three`" in three("history", "three", code=1).err


def test_an_alias_moves(three: Shell) -> None:
    assert "live is version 3" in three("upsert", "--yes", "pipelines/one", "--alias", "live").out
    assert [v["aliases"] for v in three("history", "one", "--format", "json").json] == [["live"], [], []]


def test_rollback(three: Shell) -> None:
    tags = three.tags("one")
    out = three("rollback", "one", "--yes").out
    assert "roll one back to version 2" in out and 'LEVEL: "error" → "debug"' in out
    assert level(three) == "debug"
    after = three.tags("one")
    assert after[DIGEST] != tags[DIGEST] and PENDING not in after
    assert {k: v for k, v in after.items() if k != DIGEST} == {k: v for k, v in tags.items() if k != DIGEST}
    assert three.describe("one")["RoleArn"] == ROLE
    three("rollback", "pipelines/one", "--to", "live", "--yes", "--alias", "stable")
    assert level(three) == "info"
    newest = three("history", "one", "--format", "json").json[0]
    assert (newest["version"], newest["aliases"]) == (5, ["stable"])
    assert 'LEVEL: "info" → "error"' in three("plan", "pipelines/one").out, "the files are as they were"


def test_rollback_refuses(three: Shell) -> None:
    assert "to ask: Roll one back?" in three("rollback", "one", code=2).err
    assert "there is no pipeline `one@9`" in three("rollback", "one", "--to", "9", "--yes", code=1).err
    assert "there is no pipeline `one@none`" in three("rollback", "one", "--to", "none", "--yes", code=1).err
    assert "account 999999999999" in three("rollback", "one", "-t", "other", "--yes", code=1).err
    theirs = three.describe("one")["PipelineDefinition"].replace("error", "theirs")
    three.client().update_pipeline(PipelineName="one", PipelineDefinition=theirs)
    assert "somebody else has changed" in three("rollback", "one", "--to", "1", "--yes", code=1).err
    assert level(three) == "theirs"
    three("rollback", "one", "--to", "1", "--yes", "--force")
    assert level(three) == "info"


def test_there_is_no_way_back_from_the_first(shell: Shell) -> None:
    shell("upsert", "--yes", "pipelines/one")
    assert "has no version before" in shell("rollback", "one", "--yes", code=1).err


def test_diff_of_versions_and_aliases(three: Shell) -> None:
    assert three("diff", "one@1", "one@live").out == "no differences\n"
    ended = three("diff", "one@live", "one", "--detailed-exitcode", code=3)
    assert ended.out.splitlines()[:2] == [
        "~ step Prepare (Processing)",
        '  ~ Arguments.Environment.LEVEL: "info" → "error"',
    ]
    found = three("diff", "one@2", "one@3", "--format", "json").json
    assert found["steps"][0]["fields"] == [
        {"path": "Arguments.Environment.LEVEL", "before": "debug", "after": "error"}
    ]


def test_diff_of_files_and_targets(three: Shell) -> None:
    assert three("diff", "one", "pipelines/one").out == "no differences\n"
    three.project(PROJECT.replace("{name_suffix: -prod}", "{bucket: acme-prod}"))
    out = three("diff", "pipelines/one@dev", "pipelines/one@prod").out
    assert "s3://acme-ml/" in out and "s3://acme-prod/" in out
    three("compile", "pipelines/one")
    assert (
        three("diff", "build/dev/one/definition.json", "pipelines/one/pipeline.yaml").out
        == "no differences\n"
    )


def test_diff_refuses(three: Shell) -> None:
    assert "there is no file `pipelines/nope`" in three("diff", "pipelines/nope", "one", code=1).err
    (three.root / "x.json").write_text("{")
    assert "no definition" in three("diff", "x.json", "one", code=1).err
    assert "there is no pipeline `one@9`" in three("diff", "one@9", "one", code=1).err
