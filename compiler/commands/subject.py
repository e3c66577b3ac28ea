"""What `simulate` and `test` work on: a pipeline file, compiled, or any definition's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from sagewright.compiler.commands.assumptions import read_given
from sagewright.compiler.commands.options import Options, exit_code, load, report
from sagewright.compiler.compilation import Compilation
from sagewright.compiler.definition import DefinitionError, parse
from sagewright.compiler.diagnostics import Diagnostic, Sink
from sagewright.compiler.driver import Result
from sagewright.compiler.engine.blueprint import blueprint
from sagewright.compiler.engine.given import Given, Names
from sagewright.compiler.graph import Program
from sagewright.compiler.project import display
from sagewright.compiler.source import Map
from sagewright.compiler.suggest import listing


@dataclass(frozen=True, slots=True)
class Subject:
    """A pipeline that can be executed. `texts` are the files that diagnostics point into, `path` is the pipeline's own;
    a definition that was given as JSON has no `compilation`."""

    names: Names
    texts: dict[str, str]
    path: Path
    compilation: Compilation | None = None

    @property
    def name(self) -> str:
        return self.names.pipeline


def subjects(paths: list[Path], options: Options) -> tuple[list[Subject], list[Diagnostic], list[Result]]:
    """What the paths mean: `.json` files are definitions, the rest pipelines. A pipeline with errors is left out.

    Raises click's exceptions for definitions that cannot be executed.
    """
    definitions = [path for path in paths if path.suffix == ".json"]
    rest = [path for path in paths if path.suffix != ".json"]
    results, diagnostics = load(rest, options) if rest or not paths else ([], [])
    found = [_of_definition(path) for path in definitions]
    found += [_of_pipeline(result) for result in results if result.compilation is not None]
    return found, diagnostics, results


def one_subject(ctx: click.Context, paths: list[Path], options: Options) -> Subject:
    """The one pipeline that is meant; exits where it has errors."""
    found, diagnostics, results = subjects(paths, options)
    report(diagnostics, results, "text")
    if exit_code(diagnostics):
        ctx.exit(exit_code(diagnostics))
    if len(found) != 1:
        raise click.UsageError(f"these are {len(found)} pipelines: name one")
    return found[0]


def given_for(ctx: click.Context, subject: Subject, scenario: str | None, flags: Map) -> Given:
    """What a scenario file and flags say together; exits where something is wrong with them: with the flags it is
    wrong usage, with a file a finding."""
    sink = Sink()
    sink.texts.update(subject.texts)
    found = read_given(scenario, flags, subject.names, sink)
    if found is None or sink.failed:
        from sagewright.compiler.render import render

        click.echo(render(sink.diagnostics, sink.texts, "text"), err=True)
        ctx.exit(1 if any(d.span is not None for d in sink.diagnostics) else 2)
    return found


def read_definition(path: Path) -> str:
    """The text of a file that holds a definition. Raises click's exception where it does not."""
    shown = display(path)
    try:
        text = path.read_text(encoding="utf-8")
        lacking = [key for key in ("Version", "Steps") if key not in parse(text)]
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(
            f"cannot read {shown}: {getattr(error, 'strerror', None) or error}"
        ) from None
    except DefinitionError as error:
        raise click.ClickException(f"{shown} is no definition: {error}") from None
    if lacking:
        raise click.ClickException(f"{shown} is no definition: it has no {listing(lacking)}")
    return text


def _of_definition(path: Path) -> Subject:
    shown, text = display(path), read_definition(path)
    try:
        plan = blueprint(text)
        return Subject(Names(plan, pipeline=path.stem), {}, path)
    except DefinitionError as error:
        raise click.ClickException(f"{shown} cannot be executed: {error}") from None


def _of_pipeline(result: Result) -> Subject:
    assert result.compilation is not None
    assert result.definition is not None
    try:
        plan = blueprint(result.definition)
    except DefinitionError as error:
        raise click.ClickException(f"{result.source} cannot be executed: {error}") from None
    compilation = result.compilation
    names = Names(plan, _groups(result.program), compilation.name, compilation.parallelism)
    return Subject(names, result.texts, Path(result.source), compilation)


def _groups(program: Program | None) -> dict[str, tuple[str, ...]]:
    """The steps of the definition that each authored step became."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, node in (program.nodes if program is not None else {}).items():
        author = node.step.source.name
        groups[author] = (*groups.get(author, ()), name)
    return groups
