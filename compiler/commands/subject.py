"""What `simulate` and `test` work on: a pipeline file, compiled, or any definition's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from sagewright.compiler.commands.options import Options, load
from sagewright.compiler.definition import DefinitionError
from sagewright.compiler.diagnostics import Diagnostic
from sagewright.compiler.driver import Result
from sagewright.compiler.engine.blueprint import blueprint
from sagewright.compiler.engine.given import Names
from sagewright.compiler.graph import Program
from sagewright.compiler.project import display


@dataclass(frozen=True, slots=True)
class Subject:
    """A pipeline that can be executed. `texts` are the files that diagnostics point into."""

    names: Names
    texts: dict[str, str]

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


def _of_definition(path: Path) -> Subject:
    shown = display(path)
    try:
        plan = blueprint(path.read_text(encoding="utf-8"))
        return Subject(Names(plan, pipeline=path.stem), {})
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(
            f"cannot read {shown}: {getattr(error, 'strerror', None) or error}"
        ) from None
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
    return Subject(names, result.texts)


def _groups(program: Program | None) -> dict[str, tuple[str, ...]]:
    """The steps of the definition that each authored step became."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, node in (program.nodes if program is not None else {}).items():
        author = node.step.source.name
        groups[author] = (*groups.get(author, ()), name)
    return groups
