"""Members that AWS's requests have and Pipelines does not take: each is told where `api` writes it, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright.steps import KINDS, find
from tests.kinds import compile_steps
from tests.unit.test_references_of_kinds import BODIES

ELSEWHERE = {"deploy", "foreach"}
"""`api` has keys of its own there: endpoint_config and endpoint have the same members; and a kind that needs a body."""
ROWS = [
    (name, path, *reason)
    for name in KINDS
    if name not in ELSEWHERE and (kind := find(name)) is not None
    for path, reason in kind.refused.items()
]
CLUSTER = "cluster_config: {Name: c, Instances: {InstanceGroups: []}}\njar: s3://b/x.jar"


def test_there_are_some() -> None:
    assert {name for name, *_ in ROWS} >= {"training", "processing", "transform", "automl", "register", "emr"}


@pytest.mark.parametrize(("name", "path", "code", "why"), ROWS)
def test_refused(name: str, path: str, code: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "nb.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    *within, member = path.split(".")
    api = "".join(f"{{{part}: " for part in within) + f"{{{member}: x}}" + "}" * len(within)
    text = CLUSTER if path.startswith("ClusterConfig") else BODIES[name]
    body = "".join(f"  {line}\n" for line in f"kind: {name}\n{text}\napi: {api}".split("\n"))
    result = compile_steps(tmp_path, f"S:\n{body}")
    found = [one for one in result.diagnostics if one.code == code and why in one.message]
    assert len(found) == 1, result.diagnostics
    span = found[0].span
    assert span is not None
    line = result.texts[span.file].split("\n")[span.line - 1]
    assert line[span.column - 1 :].startswith(member)
