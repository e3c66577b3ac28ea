"""Tests of pipelines: `tests.yaml` → cases, each run by the engine and compared with what it expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sagewright.compiler.diagnostics import Related, Sink, Span
from sagewright.compiler.engine.compare import Mismatch, mismatches
from sagewright.compiler.engine.given import Given, Names, given, selected, unknown_step
from sagewright.compiler.engine.outcome import Result, simulate_given
from sagewright.compiler.engine.parameters import Refused
from sagewright.compiler.merge import merge
from sagewright.compiler.source import Document, Map, Seq, key_origin, origin, own_origin, read
from sagewright.compiler.validate import validate

FILE = "tests.yaml"
GIVEN = ("parameters", "steps", "durations", "files", "parallelism", "select", "after", "stop_at", "retry")


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `file` is as messages show it."""

    name: str
    file: str
    given: Given
    expect: Map
    span: Span

    @property
    def id(self) -> str:
        return f"{self.file}::{self.name}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a test went: what was simulated (None where the start was refused), and what is not as expected."""

    case: Case
    result: Result | None
    mismatches: tuple[Mismatch, ...] = ()
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.mismatches


@dataclass(slots=True)
class Suite:
    """A file of tests, read but not yet bound to its pipeline. `pipeline` is the file that is tested."""

    document: Document
    pipeline: Path
    entries: list[Map] = field(default_factory=list)


def read_suite(path: Path, sink: Sink, shown: str) -> Suite | None:
    """Read a file of tests; None where it cannot be used, with the reason in the sink."""
    document = read(path, sink, shown)
    if document is None:
        return None
    data = document.data
    if not isinstance(data, Map):
        sink.report("SW203", "the file wants a mapping with the key `tests`", document.span())
        return None
    if not validate(data, "tests", sink, own_origin(data)):
        return None
    defaults = data.get("defaults") or Map()
    entries = [merge(defaults, entry) for entry in data["tests"]]
    _check_twice(data["tests"], sink)
    written = data.get("pipeline")
    return Suite(document, path.parent / written if written else _beside(path), entries)


def _beside(path: Path) -> Path:
    """The pipeline that a file of tests stands beside."""
    pipeline, definition = path.parent / "pipeline.yaml", path.parent / "definition.json"
    return definition if definition.is_file() and not pipeline.is_file() else pipeline


def _check_twice(tests: Seq, sink: Sink) -> None:
    seen: dict[str, Span | None] = {}
    for entry in tests:
        place = origin(entry, "name")
        at = place.span() if place else None
        if entry["name"] in seen:
            first = seen[entry["name"]]
            related = [Related("first here", first)] if first else []
            sink.report("SW103", f"two tests are called `{entry['name']}`", at, related=related)
        seen.setdefault(entry["name"], at)


def cases(suite: Suite, names: Names, sink: Sink) -> list[Case]:
    """The tests, their names checked against the pipeline's. A test with mistakes is left out."""
    return [case for entry in suite.entries if (case := _case(entry, suite, names, sink)) is not None]


def _case(entry: Map, suite: Suite, names: Names, sink: Sink) -> Case | None:
    before = sink.errors
    made = given(Map({key: entry[key] for key in GIVEN if key in entry}, entry.node), names, sink)
    expect = entry.get("expect") or Map()
    for key in ("ran", "skipped", "failed", "cached"):
        list(selected(expect.get(key) or Seq(), names, sink))
    for key in ("attempts", "branches", "arguments"):
        for name in expect.get(key) or ():
            if not names.meant(name):
                unknown_step(name, names, key_origin(expect[key], name), sink)
            elif key == "branches" and names.body(names.meant(name)[0]).get("Type") != "Condition":
                place = key_origin(expect[key], name)
                sink.report(
                    "SW208", f"`{name}` is no condition, and takes no branch", place.span() if place else None
                )
    if sink.errors > before:
        return None
    place = origin(entry, "name") or own_origin(entry)
    span = place.span() if place else suite.document.span()
    return Case(entry["name"], suite.document.name, made, expect, span)


def run_cases(found: Iterable[Case], names: Names, clock: Callable[[], float]) -> Iterator[Verdict]:
    """Run tests, one after the other. `clock` gives seconds, for how long each took."""
    for case in found:
        before = clock()
        try:
            result = simulate_given(names.plan, case.given, pipeline=names.pipeline)
        except Refused as error:
            yield Verdict(case, None, (Mismatch(f"SageMaker refuses: {error}", case.span),))
            continue
        wrong = mismatches(case.expect, result, names)
        yield Verdict(case, result, tuple(wrong), clock() - before)
