"""`sagewright test`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from sagewright.compiler.commands.options import Options, compile_options, exit_code, report
from sagewright.compiler.commands.subject import Subject, subjects
from sagewright.compiler.diagnostics import Diagnostic, Sink, Span
from sagewright.compiler.driver import Result, find_pipelines
from sagewright.compiler.engine.coverage import Coverage, coverage
from sagewright.compiler.engine.keywords import Matcher, matcher
from sagewright.compiler.engine.testcase import FILE, Case, Verdict, cases, read_suite, run_cases
from sagewright.compiler.project import display
from sagewright.compiler.suggest import nearest


@dataclass(slots=True)
class Tests:
    """The tests of one file that were selected, and the pipeline that they are of."""

    subject: Subject
    cases: list[Case]


@dataclass(slots=True)
class Collected:
    """Everything that was found, and what is wrong with it."""

    tests: list[Tests] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    skipped: int = 0
    files: int = 0


@click.command("test")
@compile_options
@click.option(
    "-k", "keyword", metavar="EXPRESSION", help="Only tests whose names match: `weak and not slow`."
)
@click.option("-x", "--exitfirst", is_flag=True, help="Stop at the first test that fails.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each test.")
@click.option(
    "--junit-xml", type=click.Path(path_type=Path), metavar="FILE", help="Write the results as JUnit XML."
)
@click.option(
    "--coverage",
    "cover",
    is_flag=True,
    help="Say which branches, retries and run conditions no test reaches.",
)
@click.option("--collect-only", is_flag=True, help="List the tests and run none.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: list[Path],
    options: Options,
    keyword: str | None,
    exitfirst: bool,
    verbose: bool,
    junit_xml: Path | None,
    cover: bool,
    collect_only: bool,
) -> None:
    """Run the tests of pipelines: `tests.yaml` beside them.

    PATHS are files of tests, pipelines or folders, and `path::name` is one test; without any, the project's
    pipelines are meant. Ends with 0 where all pass, 1 where some fail, 2 where there are none.

    \b
    Examples:
      sagewright test
      sagewright test pipelines/churn -k "weak and not slow" -x
      sagewright test "pipelines/churn/tests.yaml::a weak model is rejected"
      sagewright test --coverage --junit-xml build/tests.xml
    """
    wanted = _matcher(keyword)
    collected = collect(paths, options, wanted)
    report(collected.diagnostics, [*collected.results, _Texts(collected.texts)], "text")  # type: ignore[list-item]
    broken = exit_code(collected.diagnostics)
    if collect_only:
        for case in (case for tests in collected.tests for case in tests.cases):
            click.echo(case.id)
        ctx.exit(broken)
    verdicts = _run(collected.tests, exitfirst, verbose)
    _tell_failures(verdicts)
    if cover:
        for tests in collected.tests:
            _tell_coverage(tests.subject, [v for v in verdicts if v.case in tests.cases])
    if junit_xml is not None:
        _write(junit_xml, verdicts)
    _tell_sum(verdicts, collected.skipped, bool(broken))
    if not verdicts and not broken:
        ctx.exit(2)
    ctx.exit(broken or int(any(not verdict.passed for verdict in verdicts)))


@dataclass(frozen=True, slots=True)
class _Texts:
    """Stands beside the results of compiling where diagnostics are shown."""

    texts: dict[str, str]


def _matcher(keyword: str | None) -> Matcher | None:
    if keyword is None:
        return None
    try:
        return matcher(keyword)
    except ValueError as error:
        raise click.UsageError(f"-k {keyword!r}: {error}") from None


# -- collecting -------------------------------------------------------------------------------------------------------


def collect(paths: list[Path], options: Options, wanted: Matcher | None = None) -> Collected:
    """Find, read and check tests. Raises click's UsageError for a test that is not there."""
    found = Collected()
    sink = Sink()
    chosen = list(dict.fromkeys(_files(paths, sink)))
    for file, name in chosen:
        if name is None or (file, None) not in chosen:
            _collect_file(file, name, options, wanted, found, sink)
    found.diagnostics.extend(sink.diagnostics)
    found.texts.update(sink.texts)
    return found


def _files(paths: list[Path], sink: Sink) -> Iterator[tuple[Path, str | None]]:
    """The files of tests that are meant, each with the test that is selected."""
    for path in paths or [Path.cwd()]:
        file, _, name = str(path).partition("::")
        given = Path(file)
        if name or (given.name != "pipeline.yaml" and given.suffix in (".yaml", ".yml")):
            yield given, name or None
        elif paths and given.is_dir() and (given / FILE).is_file():
            yield given / FILE, None
        else:
            for pipeline in find_pipelines([given] if paths else [], sink):
                if not os.path.lexists(pipeline):
                    shown = display(pipeline)
                    sink.report("SW801", f"cannot read `{shown}`: no such file or directory", Span(shown))
                elif (pipeline.parent / FILE).is_file():
                    yield pipeline.parent / FILE, None


def _collect_file(
    file: Path, name: str | None, options: Options, wanted: Matcher | None, found: Collected, sink: Sink
) -> None:
    suite = read_suite(file, sink, display(file))
    if suite is None:
        return
    made, diagnostics, results = subjects([suite.pipeline], options)
    found.diagnostics.extend(diagnostics)
    found.results.extend(results)
    if not made:
        return
    found.files += 1
    every = cases(suite, made[0].names, sink)
    known = [entry["name"] for entry in suite.entries]
    if name is not None and name not in known:
        near = nearest(name, known)
        hint = f"; did you mean '{near}'?" if near else ""
        raise click.UsageError(f"{display(file)} has no test '{name}'{hint}")
    kept = [c for c in every if (name is None or c.name == name) and (wanted is None or wanted(c.name))]
    found.skipped += len(every) - len(kept)
    found.tests.append(Tests(made[0], kept))


# -- running and telling ----------------------------------------------------------------------------------------------


def _run(found: Iterable[Tests], exitfirst: bool, verbose: bool) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for tests in found:
        if tests.cases and not verbose:
            click.echo(f"{tests.cases[0].file} ", nl=False)
        for verdict in run_cases(tests.cases, tests.subject.names, time.perf_counter):
            verdicts.append(verdict)
            if verbose:
                click.echo(f"{verdict.case.id} {'PASSED' if verdict.passed else 'FAILED'}")
            else:
                click.echo("." if verdict.passed else "F", nl=False)
            if exitfirst and not verdict.passed:
                click.echo()
                return verdicts
        if tests.cases and not verbose:
            click.echo()
    return verdicts


def _tell_failures(verdicts: Iterable[Verdict]) -> None:
    for verdict in verdicts:
        if verdict.passed:
            continue
        click.echo(f"\nFAILED {verdict.case.id}")
        for mismatch in verdict.mismatches:
            span = mismatch.span or verdict.case.span
            click.echo(f"  {span.file}:{span.line}:{span.column}: {mismatch.message}")


def _tell_coverage(subject: Subject, verdicts: list[Verdict]) -> None:
    executions = [verdict.result.execution for verdict in verdicts if verdict.result is not None]
    found: Coverage = coverage(subject.names.plan, executions)
    click.echo(f"\ncoverage of {subject.name}: {found.summary()}")
    for kind, name in found.missing():
        click.echo(f"  not reached ({kind}): {name}")


def _tell_sum(verdicts: list[Verdict], skipped: int, broken: bool) -> None:
    failed = sum(not verdict.passed for verdict in verdicts)
    counts = [f"{failed} failed"] if failed else []
    counts.append(f"{len(verdicts) - failed} passed")
    if skipped:
        counts.append(f"{skipped} not selected")
    if not verdicts:
        unselected = f"none of {skipped} tests is selected" if skipped else ""
        nothing = unselected or f"no tests: they are in a {FILE} beside the pipeline"
        click.echo(f"\n{'the tests cannot be run' if broken else nothing}")
        return
    took = sum(verdict.seconds for verdict in verdicts)
    click.echo(f"\n{', '.join(counts)} in {took:.2f}s")


def _write(path: Path, verdicts: list[Verdict]) -> None:
    from sagewright.compiler.engine.junit import junit
    from sagewright.compiler.output import write_all

    try:
        write_all({path: junit(verdicts)})
    except OSError as error:
        raise click.ClickException(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}"
        ) from error
