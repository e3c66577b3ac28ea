"""The kind `lambda`: functions that exist and functions made from code, and what does not go together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session

from sagewright import schemas
from tests.kinds import compile_steps, told

ARN = "arn:aws:lambda:us-west-2:123456789012:function:f"
EXISTING = f"L: {{kind: lambda, function: '{ARN}'}}"
RETIRED = {
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "python2.7",
    "provided",
    "custom",
}
"""Runtimes in botocore that are of another form: no function can be made with them any more. `custom` names none."""


def made(rest: str) -> str:
    return f"L: {{kind: lambda, code: f.py{rest}}}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f.py").write_text("def handler(event, context): ...\n")
    return tmp_path


@pytest.mark.parametrize(
    ("kinds", "step"),
    [
        ("timeout: 5m, runtime: python3.12, handler: f.handler, memory_mb: 256", EXISTING),
        ("code: f.py, runtime: python3.12, handler: f.handler", EXISTING),
        (f"function: '{ARN}'", made(", runtime: python3.12, handler: f.handler")),
    ],
)
def test_defaults_give_way(kinds: str, step: str, folder: Path) -> None:
    alone = compile_steps(folder, step)
    result = compile_steps(folder, step, f"defaults: {{kinds: {{lambda: {{{kinds}}}}}}}\n")
    assert result.diagnostics == []
    assert result.definition is not None
    assert result.definition == alone.definition


@pytest.mark.parametrize(
    ("step", "code", "at"),
    [
        ("L: {kind: lambda}", "SW202", "L"),
        (made(f", function: '{ARN}'"), "SW208", "code"),
        (EXISTING.replace("}", ", timeout: 5m}"), "SW208", "timeout"),
        (made(", runtime: python3.12, handler: f.handler, timeout: 0"), "SW206", "0"),
        (made(", runtime: python3.12, handler: f.handler, timeout: 20m"), "SW206", "20m"),
        (made(", runtime: python312, handler: f.handler"), "SW205", "python312"),
        (made(", runtime: python3.12, handler: f.handler, memory_mb: 64"), "SW206", "64"),
    ],
)
def test_mistakes(step: str, code: str, at: str, folder: Path) -> None:
    assert told(compile_steps(folder, step)) == [(code, at)]


@pytest.mark.parametrize(
    ("rest", "missing"),
    [
        ("", "keys `runtime` and `handler`"),
        (", runtime: python3.12", "key `handler`"),
        (", handler: f.handler", "key `runtime`"),
    ],
)
def test_all_that_is_missing_is_told(rest: str, missing: str, folder: Path) -> None:
    (found,) = compile_steps(folder, made(rest)).diagnostics
    assert (found.code, found.message) == ("SW202", f"a lambda made from `code` lacks the {missing}")


def test_every_runtime_of_aws_is_taken() -> None:
    shape: Any = get_session().get_service_model("lambda").shape_for("Runtime")
    pattern = schemas.load("steps/lambda")["properties"]["runtime"]["pattern"]
    others = {name for name in shape.enum if not re.search(pattern, name)}
    assert {name for name in others if not re.match(r"dotnetcore|go1", name)} == RETIRED
