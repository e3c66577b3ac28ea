"""What a kind makes of one step, seen by AWS's shapes; and one step of the SDK's goldens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import shapes
from sagewright.compiler.diagnostics import Diagnostic
from sagewright.compiler.driver import Result, compile_file
from sagewright.compiler.kind import StepKind
from sagewright.compiler.model import Emitted
from sagewright.compiler.types import Type
from tests.definitions import SHARED
from tests.fakes import FakeContext, as_json, step_of

GOLDEN = SHARED / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="the SDK's golden definitions are not here")
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"


def lowered(kind: StepKind, text: str, context: FakeContext, name: str = "Step", **parameters: Type) -> Any:
    """Arguments as JSON; where nothing is wrong with the step, AWS's shape approves of them."""
    (emitted,) = kind.lower(step_of(kind, text, name, **parameters), context)
    if not context.mistakes:
        assert refused(emitted) == []
    return as_json(emitted.arguments)


def refused(emitted: Emitted) -> list[str]:
    """What AWS's shape says against a step's Arguments."""
    found: list[shapes.Violation] = []
    shapes.bind(
        emitted.arguments,
        emitted.request,
        omits=emitted.omits,
        service=emitted.service,
        variable=lambda expression, _: as_json(expression),
        report=found.append,
    )
    return [f"{violation.code} {violation.message}" for violation in found]


def golden_arguments(path: str, step: str) -> Any:
    """The Arguments of a step, found wherever it stands in a golden."""
    steps = json.loads((GOLDEN / path).read_text())["Steps"]
    return next(found["Arguments"] for found in steps if found["Name"] == step)


def compile_steps(folder: Path, steps: str, head: str = "") -> Result:
    """A pipeline of these steps, `head` before them, in a project of its own in `folder`."""
    project = f"version: 1\nregion: us-west-2\nbucket: my-bucket\nrole: {ROLE}\n"
    (folder / "sagewright.yaml").write_text(project)
    indented = "".join(f"  {line}\n" for line in steps.strip("\n").split("\n"))
    (folder / "pipeline.yaml").write_text(f"name: p\n{head}steps:\n{indented}")
    return compile_file(folder / "pipeline.yaml")


def told(result: Result) -> list[tuple[str, str]]:
    """Codes, and the texts of their places."""
    return [(found.code, _at(found, result)) for found in result.diagnostics]


def _at(found: Diagnostic, result: Result) -> str:
    assert found.span is not None
    line = result.texts[found.span.file].split("\n")[found.span.line - 1]
    return line[
        found.span.column - 1 : found.span.end_column - 1 if found.span.end_line == found.span.line else None
    ]
