"""`plan`: what has to change, decided without AWS."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagewright.compiler.compilation import Compilation
from sagewright.compiler.definition import digest
from sagewright.compiler.plan import (
    DIGEST,
    PARALLELISM,
    PENDING,
    TAG_VALUE_LENGTH,
    TAGS,
    Deployed,
    make_plan,
    read_keys,
    write_keys,
)

TEXT = json.dumps({"Version": "2020-12-01", "Steps": []})
OTHER = json.dumps({"Version": "2020-12-01", "Steps": [], "Metadata": {"a": 1}})


def compiled(**changes: Any) -> Compilation:
    made = Compilation(
        name="p",
        target="dev",
        definition=TEXT,
        digest=digest(TEXT),
        role="role",
        display_name=None,
        description=None,
        parallelism=None,
        tags={},
        region=None,
        account=None,
        bucket=None,
        prefix="",
        uploads=(),
        kms_key=None,
        bucket_owner=None,
        source="p.yaml",
    )
    return replace(made, **changes)


def deployed(**changes: Any) -> Deployed:
    made = Deployed("arn", TEXT, "role", "p", None, None, {DIGEST: digest(TEXT)})
    return replace(made, **changes)


def test_nothing_to_do() -> None:
    plan = make_plan(compiled(), deployed())
    assert (plan.action, plan.conflict, [*plan.changes], dict(plan.set_tags)) == ("unchanged", None, [], {})
    assert list(plan.lines()) == ["pipeline p (target dev) is unchanged"]


def test_create() -> None:
    plan = make_plan(compiled(tags={"a": "1"}, parallelism=2), None)
    assert plan.action == "create"
    assert plan.set_tags == {"a": "1", TAGS: "a", PARALLELISM: "2", DIGEST: digest(TEXT)}
    assert list(plan.set_tags)[-1] == DIGEST
    assert list(plan.lines()) == ["create pipeline p (target dev)", "  tag a: none → 1"]


@pytest.mark.parametrize(
    ("there", "what"),
    [
        (deployed(definition=OTHER, tags={DIGEST: digest(OTHER)}), "definition"),
        (deployed(role="old"), "role: old → role"),
        (deployed(display_name="Old"), "display name: Old → p"),
        (deployed(description="Old"), "description: Old → none"),
    ],
)
def test_one_change(there: Deployed, what: str) -> None:
    plan = make_plan(compiled(), there)
    assert plan.action == "update" and plan.conflict is None
    assert [str(change) for change in plan.changes] == [what]


def test_a_pipeline_without_display_name_is_shown_under_its_own() -> None:
    assert make_plan(compiled(), deployed(display_name=None)).action == "unchanged"


def test_no_role_in_the_file_leaves_the_deployed_one() -> None:
    assert make_plan(compiled(role=None), deployed()).action == "unchanged"


@pytest.mark.parametrize(
    ("file", "there", "tag", "expected"),
    [
        (3, None, None, 3),
        (3, 5, "5", 3),
        (None, 5, None, 5),  # somebody else's
        (None, 5, "4", 5),  # somebody else's, over ours
        (None, 5, "5", 50),  # ours, taken out of the file
        (None, None, None, None),
        (None, None, "5", None),
    ],
)
def test_parallelism(file: int | None, there: int | None, tag: str | None, expected: int | None) -> None:
    tags = {DIGEST: digest(TEXT)} | ({PARALLELISM: tag} if tag else {})
    plan = make_plan(compiled(parallelism=file), deployed(parallelism=there, tags=tags))
    assert plan.parallelism == expected
    assert ("parallelism" in [c.what for c in plan.changes]) == (expected != there)


@pytest.mark.parametrize(
    ("tags", "conflict"),
    [
        ({}, "not made by sagewright"),
        ({DIGEST: digest(OTHER)}, None),
        ({PENDING: digest(OTHER)}, None),
        ({DIGEST: "0", PENDING: digest(OTHER)}, None),
        ({DIGEST: "0", PENDING: "1"}, "somebody else has changed"),
        ({DIGEST: digest(TEXT)}, "somebody else has changed"),
    ],
)
def test_whose_definition_it_is(tags: dict[str, str], conflict: str | None) -> None:
    plan = make_plan(compiled(), deployed(definition=OTHER, tags=tags))
    assert (conflict is None) == (plan.conflict is None)
    assert conflict is None or conflict in str(plan.conflict)


def test_what_is_deployed_may_be_unreadable() -> None:
    plan = make_plan(compiled(), deployed(definition="{", tags={DIGEST: "0"}))
    assert plan.conflict is not None
    assert "cannot be read" in "\n".join(plan.lines())


def test_an_unfinished_upsert_is_finished() -> None:
    plan = make_plan(compiled(), deployed(tags={DIGEST: digest(TEXT), PENDING: digest(TEXT)}))
    assert (plan.action, plan.remove_tags, [*plan.changes]) == ("update", (PENDING,), [])
    assert "brought up to date" in list(plan.lines())[-1]


def test_only_our_tags_are_removed() -> None:
    there = {
        "ours": "1",
        "theirs": "1",
        "aws:x": "1",
        "sagemaker:y": "1",
        TAGS: "ours gone",
        DIGEST: digest(TEXT),
    }
    plan = make_plan(compiled(), deployed(tags=there))
    assert plan.remove_tags == ("ours", TAGS)


KEYS = st.sets(st.text("ab =+-:/._@é", min_size=1, max_size=60), max_size=45)


@given(KEYS)
def test_keys_survive_being_written(keys: set[str]) -> None:
    lines = write_keys(keys)
    assert sorted(read_keys(lines)) == sorted(keys)
    assert all(0 < len(line) <= TAG_VALUE_LENGTH for line in lines)


def test_long_differences_are_cut() -> None:
    many = json.dumps({"Version": "2020-12-01", "Steps": [], "Metadata": {str(n): n for n in range(30)}})
    plan = make_plan(compiled(definition=many), deployed())
    assert len(plan.changes[0].detail) <= 10


def test_the_manifest_says_all_but_the_definition() -> None:
    manifest = compiled(tags={"a": "1"}, parallelism=3).manifest()
    assert manifest["digest"] == digest(TEXT)
    assert (manifest["tags"], manifest["parallelism"], manifest["assets"]) == ({"a": "1"}, 3, [])
    assert json.loads(json.dumps(manifest)) == manifest
