"""A plugin of pytest's that collects `tests.yaml` beside pipelines: `pytest pipelines/` runs them with all the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sagewright.compiler.engine.given import Names
    from sagewright.compiler.engine.testcase import Case

FILE = "tests.yaml"
BESIDE = ("pipeline.yaml", "definition.json")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sagewright", "tests of SageMaker pipelines")
    group.addoption(
        "--sagewright-target", metavar="NAME", help="target of the project file that pipelines are tested for"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A file of that name is ours where it stands beside a pipeline."""
    if file_path.name != FILE or not any((file_path.parent / name).is_file() for name in BESIDE):
        return None
    return PipelineTests.from_parent(parent, path=file_path)


class PipelineTests(pytest.File):
    """A `tests.yaml`."""

    def collect(self) -> Iterator[pytest.Item]:
        from sagewright.compiler.commands.options import Options
        from sagewright.compiler.commands.test import collect
        from sagewright.compiler.render import render

        found = collect([self.path], Options(self.config.getoption("--sagewright-target")))
        errors = [d for d in found.diagnostics if d.severity == "error"]
        if errors:
            texts = {**found.texts, **{n: t for result in found.results for n, t in result.texts.items()}}
            raise self.CollectError(render(errors, texts, "text"))
        for tests in found.tests:
            for case in tests.cases:
                yield PipelineTest.from_parent(self, name=case.name, case=case, names=tests.subject.names)


class Mismatches(Exception):
    """What is not as a test expects, a line each."""


class PipelineTest(pytest.Item):
    """One test of a pipeline."""

    def __init__(self, *, case: Case, names: Names, **rest: Any) -> None:
        super().__init__(**rest)
        self.case = case
        self.names = names

    def runtest(self) -> None:
        from sagewright.compiler.engine.testcase import run_cases

        for verdict in run_cases([self.case], self.names, time.perf_counter):
            lines: list[str] = []
            for mismatch in verdict.mismatches:
                span = mismatch.span or self.case.span
                lines.append(f"{span.file}:{span.line}:{span.column}: {mismatch.message}")
            if lines:
                raise Mismatches("\n".join(lines))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, Mismatches):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.span.line - 1, self.name
