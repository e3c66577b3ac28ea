"""What commands share that call AWS: compiling for a region, errors, exit codes, progress."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagewright.compiler.commands.options import Options, exit_code, load, report, targets_of, workers
from sagewright.compiler.compilation import Compilation
from sagewright.compiler.diagnostics import Diagnostic
from sagewright.compiler.driver import Result

if TYPE_CHECKING:
    from sagewright.compiler.fleet import Failure

REFUSED, USAGE, CHANGES, FAILED, INTERRUPTED = 1, 2, 3, 4, 130
"""Exit codes: what we would not do, wrong usage, changes that were asked about, AWS or the network, Ctrl-C."""


def endpoint_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--endpoint-url."""
    return click.option(
        "--endpoint-url", metavar="URL", help="In place of AWS's endpoints, as AWS_ENDPOINT_URL."
    )(command)


def jobs_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--jobs: pipelines at once."""
    return click.option(
        "--jobs",
        type=click.IntRange(1, 32),
        default=8,
        show_default=True,
        help="Pipelines worked on at once.",
    )(command)


def compile_all(paths: list[Path], options: Options) -> tuple[list[Compilation], int]:
    """Compile everything for every target, or nothing is done. AWS_REGION helps where a target names no region."""
    region = os.environ.get("AWS_REGION")
    results: list[Result] = []
    diagnostics: list[Diagnostic] = []
    for target in targets_of(options, paths):
        of_target, found = _compile(paths, replace(options, target=target), region)
        results += of_target
        diagnostics += [d for d in found if d not in diagnostics]
    report(diagnostics, results, "text")
    compilations = [result.compilation for result in results if result.compilation is not None]
    for compilation in compilations:
        if region and compilation.region != region:
            raise click.UsageError(
                f"AWS_REGION is {region}, and the target `{compilation.target}` is in {compilation.region}: "
                "unset it, or pass --region"
            )
    _require_apart(compilations)
    return compilations, exit_code(diagnostics)


def _compile(
    paths: list[Path], options: Options, region: str | None
) -> tuple[list[Result], list[Diagnostic]]:
    results, diagnostics = load(paths, options, jobs=workers())
    lacking = any(d.code == "SW806" for d in diagnostics) or any(
        r.compilation is not None and r.compilation.region is None for r in results
    )
    if not (region and lacking):
        return results, diagnostics
    overrides = replace(options.overrides, region=region)
    return load(paths, replace(options, overrides=overrides), jobs=workers())


def _require_apart(compilations: Iterable[Compilation]) -> None:
    """Two targets must not mean the same pipeline: whichever came last would win."""
    first: dict[tuple[str | None, ...], Compilation] = {}
    for made in compilations:
        key = (made.name.lower(), made.region, made.account, made.profile)
        other = first.setdefault(key, made)
        if other.target != made.target:
            raise click.UsageError(
                f"the targets `{other.target}` and `{made.target}` are the same account and region, and both have "
                f"a pipeline `{made.name}`: give one of them a `name_suffix:`"
            )


def complain(message: str, hint: str | None = None) -> None:
    """An error, on standard error."""
    click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    if hint:
        click.echo(f"  = {hint}", err=True)


def complain_all(failures: Iterable[tuple[str, Failure]]) -> int:
    """Every failure once, and what was not begun. Returns the exit code."""
    code, told, left = 0, set[str](), list[str]()
    for name, failure in failures:
        if failure.kind == "not reached":
            left.append(name)
            continue
        code = max(code, {"refused": REFUSED, "failed": FAILED, "interrupted": INTERRUPTED}[failure.kind])
        said = _said(name, failure)
        if said not in told:
            complain(said, failure.hint)
            told.add(said)
    if left:
        click.echo(f"not reached: {', '.join(left)}", err=True)
    return code


def _said(name: str, failure: Failure) -> str:
    from sagewright.compiler.aws import FOR_ALL

    if failure.target is not None and failure.kind == "failed":
        return f"target `{failure.target}`: {failure.message} [{failure.code}]"
    if failure.code in FOR_ALL:
        return f"{failure.message} [{failure.code}]"
    if failure.kind == "failed":
        return f"{name}: {failure.message} [{failure.code}]"
    if failure.kind == "interrupted":
        return f"{name}: interrupted; nothing is lost: running it again completes it"
    return failure.message


class Progress:
    """How far it is, on a terminal, once it takes longer than a second."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._started = what, total, time.monotonic()
        self._shown = False

    def __call__(self, done: int) -> None:
        if sys.stderr.isatty() and self._total > 1 and time.monotonic() - self._started > 1:
            click.echo(f"\r{self._what} {done} of {self._total}\033[K", nl=False, err=True)
            self._shown = True

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        if self._shown:
            click.echo("\r\033[K", nl=False, err=True)
            self._shown = False
