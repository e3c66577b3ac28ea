"""What tests compile: the cases below `cases/compile` and the ready-made pipelines, and what they are measured by."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from sagewright.compiler.compilation import Compilation
from sagewright.compiler.driver import Result, compile_file
from sagewright.compiler.emit import to_text

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
NO_SHARED = "the folder `shared` with the oracles is not here"
CASES = {path.parent.name: path for path in sorted(ROOT.glob("tests/cases/compile/*/pipeline.yaml"))}
PIPELINES = {path.parent.name: path for path in sorted(ROOT.glob("pipelines/*/pipeline.yaml"))}
GOLDEN = "definition.golden.json"
"""The file beside a pipeline that holds what it compiles to."""


def compiled(path: Path, **options: Any) -> Result:
    """What a pipeline compiles to, which it must."""
    result = compile_file(path, **options)
    assert result.compilation is not None, result.diagnostics
    return result


def compilation_of(path: Path, **options: Any) -> Compilation:
    made = compiled(path, **options).compilation
    assert made is not None
    return made


def golden_text(result: Result) -> str:
    """A definition as `sagewright compile` writes it."""
    return to_text(definition_of(result), indent=1) + "\n"


def definition_of(result: Result) -> dict[str, Any]:
    assert result.definition is not None
    return result.definition


def oracle_of(path: Path) -> str | None:
    """What a case names in its first line, `# golden: <file in shared/golden>`."""
    found = re.match(r"# golden: (\S+)\n", path.read_text())
    return found[1] if found else None


def golden_of(name: str) -> Any:
    return json.loads((SHARED / "golden" / name).read_text())


def unexplained(found: Iterable[str], allowed: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The differences that no pattern of `allowed` (path → reason) covers, and the patterns that cover none.

    A path is what stands before the first `: ` of a line of `definition.differences`; `*` and `?` are wild in patterns.
    """
    lines = list(found)
    patterns = {pattern: re.sub(r"\[", "[[]", pattern) for pattern in allowed}
    paths = [line.partition(": ")[0] for line in lines]
    left = [
        line
        for line, path in zip(lines, paths, strict=True)
        if not any(fnmatchcase(path, p) for p in patterns.values())
    ]
    stale = [name for name, p in patterns.items() if not any(fnmatchcase(path, p) for path in paths)]
    return left, stale


@cache
def boto_oracle() -> ModuleType:
    """The oracle over botocore's own shapes: a script that checks the files of its command line, here none."""
    path = SHARED / "oracle" / "boto_oracle.py"
    spec = importlib.util.spec_from_file_location("boto_oracle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock.patch.object(sys, "argv", [str(path)]), mock.patch.object(sys, "dont_write_bytecode", True):
        spec.loader.exec_module(module)
    return module
