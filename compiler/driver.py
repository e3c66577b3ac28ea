"""Puts the compiler together: one file through every stage, or many files side by side."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagewright.compiler import project as projects
from sagewright.compiler import source
from sagewright.compiler.assets import is_below
from sagewright.compiler.check import check
from sagewright.compiler.compilation import Compilation
from sagewright.compiler.components import check_alone, is_component
from sagewright.compiler.definition import digest
from sagewright.compiler.diagnostics import Diagnostic, Related, Sink, Span
from sagewright.compiler.emit import emit, to_text
from sagewright.compiler.graph import Program, build
from sagewright.compiler.lower import Lowered, lower
from sagewright.compiler.model import Pipeline
from sagewright.compiler.parse import parse
from sagewright.compiler.patterns import Match, matches
from sagewright.compiler.project import Overrides, Project, Settings
from sagewright.compiler.resolve import resolve
from sagewright.compiler.source import holds, scalar_text, source_text
from sagewright.compiler.suggest import listing

MAX_DEFINITION = 1_048_576
"""Characters. Source: botocore's shape PipelineDefinition."""


@dataclass(frozen=True, slots=True)
class Result:
    """What compiling one file gave. `compilation` is None where there are errors.

    `definition` is the parsed definition, `texts` the files that diagnostics point into.
    """

    source: str
    diagnostics: list[Diagnostic]
    texts: dict[str, str] = field(repr=False, default_factory=dict)
    compilation: Compilation | None = None
    definition: dict[str, Any] | None = field(repr=False, default=None)
    program: Program | None = field(repr=False, default=None)

    @property
    def ok(self) -> bool:
        return self.compilation is not None


class Compiler:
    """Compiles files for one target. What files share (projects, settings, hashes of code) is worked out once."""

    def __init__(self, target: str | None = None, overrides: Overrides | None = None) -> None:
        self._target = target
        self._overrides = overrides or Overrides()
        self._projects: dict[tuple[Path, Path | None], tuple[Project, Settings | None, Sink]] = {}

    def settings(self, path: Path) -> tuple[Project, Settings | None, Sink]:
        """The project that a path belongs to, what it says for the target, and what is wrong with it."""
        key = projects.find_root(path.absolute())
        if key not in self._projects:
            sink = Sink()
            project = projects.load(path, sink)
            chosen = (
                projects.settings(project, self._target, self._overrides, sink) if not sink.failed else None
            )
            self._projects[key] = project, chosen, sink
        return self._projects[key]

    def compile(self, path: Path) -> Result:
        """One file through every stage. The user's mistakes are in the result; an exception is a bug."""
        with _without_collector():
            return self._compile(path)

    def _compile(self, path: Path) -> Result:
        shown = projects.display(path)
        project, settings, found = self.settings(path)
        sink = Sink()
        sink.texts.update(found.texts)
        for diagnostic in found.diagnostics:
            sink.add(diagnostic)
        if settings is None or not self._inside(path, project, shown, sink):
            return Result(shown, sink.diagnostics, sink.texts)
        document = source.read(path, sink, shown)
        if document is not None and is_component(document):
            check_alone(document, sink)
            return Result(shown, sink.diagnostics, sink.texts)
        parsed = parse(document, settings, sink) if document is not None else None
        if parsed is None:
            return Result(shown, sink.diagnostics, sink.texts)
        resolved = resolve(parsed, settings, sink)
        lowered = lower(resolved.pipeline, settings, resolved.broken, sink)
        program = build(resolved.pipeline, lowered.steps, parsed.names)
        check(program, sink)
        definition = emit(program, settings.region, sink)
        return self._result(shown, sink, settings, program, lowered, definition)

    def _inside(self, path: Path, project: Project, shown: str, sink: Sink) -> bool:
        try:
            if is_below(os.path.realpath(path), os.path.realpath(project.root)):
                return True
        except (OSError, ValueError):  # a null byte, among others: reading it tells
            return True
        sink.report(
            "SW802", f"`{shown}` lies outside the project `{projects.display(project.root)}`", Span(shown)
        )
        return False

    def _result(
        self,
        shown: str,
        sink: Sink,
        settings: Settings,
        program: Program,
        lowered: Lowered,
        definition: dict[str, Any],
    ) -> Result:
        text = to_text(definition) if not sink.failed else ""
        if len(text) > MAX_DEFINITION:
            message = (
                f"the definition has {len(text):,} characters: SageMaker takes at most {MAX_DEFINITION:,}"
            )
            sink.report("SW702", message, Span(shown))
        if sink.failed:
            return Result(shown, sink.diagnostics, sink.texts, program=program)
        compilation = _compilation(program.pipeline, settings, lowered, text, definition, shown)
        return Result(shown, sink.diagnostics, sink.texts, compilation, definition, program)


@contextmanager
def _without_collector() -> Generator[None]:
    """A compile makes many objects and drops few: collecting cycles meanwhile makes it quadratic in its steps."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _compilation(
    pipeline: Pipeline,
    settings: Settings,
    lowered: Lowered,
    text: str,
    definition: dict[str, Any],
    shown: str,
) -> Compilation:
    return Compilation(
        name=pipeline.name,
        target=settings.target,
        definition=text,
        digest=digest(definition),
        role=str(pipeline.role) if isinstance(pipeline.role, str) else None,
        display_name=pipeline.display_name,
        description=pipeline.description,
        parallelism=pipeline.parallelism,
        tags={key: source_text(pipeline.tags, key) for key in pipeline.tags},
        region=settings.region,
        account=settings.account,
        bucket=settings.bucket,
        prefix=settings.prefix,
        uploads=tuple(lowered.uploads),
        kms_key=settings.kms_key,
        bucket_owner=settings.bucket_owner,
        source=shown,
        functions=tuple(lowered.functions),
        project=settings.name,
        profile=settings.profile,
        triggers=pipeline.triggers,
    )


# -- many files -------------------------------------------------------------------------------------------------------


def find_pipelines(paths: Iterable[Path], sink: Sink) -> list[Path]:
    """The pipeline files that `paths` mean: files as they are, folders by the `pipeline.yaml` in them or by their
    project's patterns; without any, the project's of the working directory."""
    given = list(paths)
    found: list[Path] = []
    for path in given or [Path.cwd()]:
        if not holds(path.is_dir):
            found.append(path)
        elif given and os.path.lexists(path / "pipeline.yaml"):
            found.append(path / "pipeline.yaml")
        else:
            found.extend(_in_folder(path, bool(given), sink))
    return list(dict.fromkeys(found))


def _in_folder(folder: Path, given: bool, sink: Sink) -> list[Path]:
    root, file = projects.find_root(folder.absolute())
    project = projects.load(folder, Sink()) if file else Project(root)
    within = folder.absolute() if given else root
    found = [m for pattern in project.patterns for m in _within(within, root, pattern)]
    if not found and given:
        found = matches(folder, "*/pipeline.yaml")
    for match in found:
        if match.fault:
            shown = projects.display(match.path)
            sink.report("SW801", f"cannot read `{shown}`: {match.fault}", Span(shown))
    if not found:
        where = f"in `{projects.display(folder)}`" if given else "here"
        message = f"no pipelines {where}: looked for {listing(project.patterns)}"
        help = "name a pipeline's file, or `sagewright init` one"
        sink.report("SW810", message, Span(projects.display(folder)), help=help)
    _hint(within, root, project.patterns, sink)
    return [match.path for match in found if match.fault is None]


def _within(folder: Path, root: Path, pattern: str) -> list[Match]:
    return [match for match in matches(root, pattern) if match.path.is_relative_to(folder)]


def _hint(folder: Path, root: Path, patterns: Iterable[str], sink: Sink) -> None:
    """Tell of a `pipeline.yml` where a `pipeline.yaml` is meant."""
    for pattern in (p for p in patterns if Path(p).name == "pipeline.yaml"):
        for match in (m for m in _within(folder, root, f"{pattern[:-4]}yml") if m.fault is None):
            shown = projects.display(match.path)
            sink.report("SW908", f"`{shown}` is passed over: `{pattern}` does not mean it", Span(shown))


def clashes(results: Iterable[Result]) -> list[Diagnostic]:
    """Pipelines of one name that several files define. AWS does not tell names apart by case."""
    first: dict[str, Result] = {}
    sink = Sink()
    for result in results:
        if result.compilation is None:
            continue
        name = result.compilation.name
        other = first.setdefault(name.lower(), result)
        if other is not result and other.compilation is not None:
            message = f"the pipeline `{name}` is defined twice"
            if other.compilation.name != name:
                message = f"`{name}` and `{other.compilation.name}` differ only by case: to AWS they are one pipeline"
            sink.report(
                "SW809", message, Span(result.source), related=[Related("first here", Span(other.source))]
            )
    return sink.diagnostics


class WorkerLost(Exception):
    """A process that compiled has died."""


def compile_many(
    paths: list[Path],
    target: str | None = None,
    overrides: Overrides | None = None,
    *,
    jobs: int | None = None,
) -> Iterator[Result]:
    """Every file, in order. Given `jobs`, as many processes share the work where files are many, and results come
    without their program, which is most of their memory. Raises `WorkerLost`."""
    compiler = Compiler(target, overrides)
    if jobs is None or len(paths) < 2 * _CHUNK:
        yield from map(compiler.compile, paths)
    elif jobs == 1:
        yield from (_without_program(compiler.compile(path)) for path in paths)
    else:
        yield from _compile_in_processes(paths, compiler, jobs)


def _compile_in_processes(paths: list[Path], compiler: Compiler, jobs: int) -> Iterator[Result]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    pool = ProcessPoolExecutor(jobs, initializer=_start_worker, initargs=(compiler,))
    try:
        for results in pool.map(_compile_chunk, chunks):
            yield from results
    except BrokenProcessPool as error:
        raise WorkerLost("a process that compiles was killed, perhaps for lack of memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


_CHUNK = 16
_worker: Compiler | None = None


def _start_worker(compiler: Compiler) -> None:
    global _worker
    import signal
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers Ctrl-C
    Thread(target=_end_with_parent, daemon=True).start()
    _worker = compiler


def _end_with_parent() -> None:
    """A parent that is killed cannot say that no more work is coming."""
    import os
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _compile_chunk(paths: list[Path]) -> list[Result]:
    assert _worker is not None
    return [_without_program(_worker.compile(path)) for path in paths]


def _without_program(result: Result) -> Result:
    texts = result.texts if result.diagnostics else {}
    return Result(result.source, result.diagnostics, texts, result.compilation, result.definition)


# -- the public API ---------------------------------------------------------------------------------------------------


def compile_file(
    path: str | Path,
    *,
    target: str | None = None,
    region: str | None = None,
    bucket: str | None = None,
    prefix: str | None = None,
    role: str | None = None,
    variables: Mapping[str, object] | None = None,
) -> Result:
    """Compile one pipeline file for a target of its project.

    Never raises for what stands in the file: mistakes are in `Result.diagnostics`, and `Result.compilation` is None.
    `variables` override declared `vars`, as `--var` does.
    """
    texts = {
        key: value if isinstance(value, str) else scalar_text(value)
        for key, value in (variables or {}).items()
    }
    return Compiler(target, Overrides(region, bucket, prefix, role, texts)).compile(Path(path))


def check_file(path: str | Path, **options: Any) -> list[Diagnostic]:
    """What is wrong with a pipeline file, in file order. Options as of `compile_file`."""
    return compile_file(path, **options).diagnostics
