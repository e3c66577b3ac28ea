"""Options that compiling commands share, and how they compile and report."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.diagnostics import Diagnostic, Sink
from sagewright.compiler.driver import Result, WorkerLost, clashes, compile_many, find_pipelines
from sagewright.compiler.project import Overrides, chosen_targets

FORMATS = ("text", "oneline", "json", "sarif", "github")
USAGE_CODES = frozenset(("SW312", "SW314"))
"""Mistakes of the command line's, not of a file's: exit code 2."""
TARGETS_HELP = "Target of the project file; several with commas, or `all`."


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    target: str | None = None
    overrides: Overrides = field(default_factory=Overrides)


def compile_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """PATHS, --target, --var, --region, --bucket, --prefix and --role; the command gets `paths` and `options`."""

    def wrapped(
        paths: tuple[str, ...],
        target: str | None,
        var: tuple[str, ...],
        region: str | None,
        bucket: str | None,
        prefix: str | None,
        role: str | None,
        **rest: Any,
    ) -> Any:
        overrides = Overrides(region, bucket, prefix, role, dict(_assignment(text) for text in var))
        return command(paths=[Path(path) for path in paths], options=Options(target, overrides), **rest)

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    wrapped.__click_params__ = list(getattr(command, "__click_params__", []))  # type: ignore[attr-defined]
    for option in reversed(
        (
            click.argument("paths", nargs=-1, type=click.Path(), callback=_named),
            click.option("--target", "-t", metavar="NAME", help=TARGETS_HELP),
            click.option(
                "--var", metavar="K=V", multiple=True, help="Set a declared variable; may be repeated."
            ),
            *place_options(),
            click.option("--role", metavar="ARN", callback=place, help="Over the pipeline's role."),
        )
    ):
        wrapped = option(wrapped)
    return wrapped


def place_options() -> list[Callable[..., Any]]:
    """--region, --bucket and --prefix."""
    return [
        click.option("--region", metavar="REGION", callback=place, help="Over the target's region."),
        click.option("--bucket", metavar="BUCKET", callback=place, help="Over the target's bucket."),
        click.option("--prefix", metavar="PREFIX", callback=place, help="Over the target's key prefix."),
    ]


def place(_ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    """The value of such an option, held against the pattern of the project file's key of that name."""
    if text is not None:
        from sagewright import schemas

        key = schemas.load("project")["properties"][param.name]
        if not re.search(key["pattern"], text):
            example = "".join(f", as {e} is" for e in key.get("examples", ()))
            raise click.BadParameter(f"`{text}` is no {_CALLED[param.name or '']}{example}")
    return text


_CALLED = {
    "region": "region",
    "bucket": "bucket's name",
    "prefix": "key prefix: those have no slash at their ends",
    "role": "role's ARN",
}


def _named(_ctx: click.Context, _param: click.Parameter, paths: tuple[str, ...]) -> tuple[str, ...]:
    if "" in paths:  # a variable that is not set, in a script: not the whole project
        raise click.BadParameter("an empty path")
    return paths


def diagnostics_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--format and --strict, for how diagnostics are shown and what counts."""
    strict = click.option("--strict", is_flag=True, help="Warnings count as findings.")
    return format_option(FORMATS, help="How diagnostics are shown.")(strict(command))


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--var wants NAME=VALUE, not '{text}'")
    return name, value


def load(
    paths: list[Path], options: Options, *, jobs: int | None = None
) -> tuple[list[Result], list[Diagnostic]]:
    """Compile what `paths` mean, for each target. Returns the results, target by target, and every diagnostic, each
    once. `jobs` as of `compile_many`."""
    sink = Sink()
    files = find_pipelines(paths, sink)
    targets = targets_of(options, files)
    found = list(sink.diagnostics)
    try:
        compiled = _compiled(files, targets, options, jobs)
        results = list(_with_progress(compiled, len(files) * len(targets)))
    except WorkerLost as error:
        raise click.ClickException(f"{error}; name fewer pipelines at a time") from error
    for start in range(0, len(results), max(1, len(files))):
        of_target = results[start : start + len(files)]
        found += [d for result in of_target for d in result.diagnostics]
        found += clashes(of_target)
    return results, sorted(set(found), key=Diagnostic.sort_key)


def targets_of(options: Options, files: Sequence[Path] = ()) -> list[str | None]:
    """The targets that were asked for: those of the first file's project, without one of the working directory's."""
    return chosen_targets(options.target, files[0] if files else Path.cwd())


def _compiled(
    files: list[Path], targets: Sequence[str | None], options: Options, jobs: int | None
) -> Iterator[Result]:
    for target in targets:
        yield from compile_many(files, target, options.overrides, jobs=jobs)


def workers() -> int:
    """Processes that compiling may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _with_progress(results: Iterable[Result], total: int) -> Iterator[Result]:
    """Say on a terminal how far it is, once it takes longer than a second."""
    started, shown = time.monotonic(), False
    try:
        for done, result in enumerate(results, 1):
            yield result
            if sys.stderr.isatty() and total > 1 and time.monotonic() - started > 1:
                click.echo(f"\rcompiled {done} of {total} pipelines", nl=False, err=True)
                shown = True
    finally:
        if shown:
            click.echo("\r\033[K", nl=False, err=True)


def report(
    diagnostics: list[Diagnostic], results: Iterable[Result], format_: str, *, err: bool = True
) -> None:
    """Show diagnostics; on standard error by default. Machine formats are written even where there are none."""
    if not diagnostics and format_ in ("text", "oneline", "github"):
        return
    from sagewright.compiler.render import render

    texts = {name: text for result in results for name, text in result.texts.items()}
    stream = sys.stderr if err else sys.stdout
    color = format_ == "text" and stream.isatty() and "NO_COLOR" not in os.environ
    click.echo(render(diagnostics, texts, format_, color=color).rstrip("\n"), err=err, color=color)


def exit_code(diagnostics: list[Diagnostic], *, strict: bool = False) -> int:
    """0 fine, 1 findings, 2 where the command line is at fault."""
    errors = [d for d in diagnostics if d.severity == "error" or strict]
    if any(d.code in USAGE_CODES for d in errors):
        return 2
    return 1 if errors else 0
