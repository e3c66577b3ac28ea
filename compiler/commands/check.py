"""`sagewright check`."""

from __future__ import annotations

from pathlib import Path

import click

from sagewright.compiler.commands.options import (
    Options,
    compile_options,
    diagnostics_options,
    exit_code,
    load,
    report,
    workers,
)


@click.command("check")
@compile_options
@diagnostics_options
@click.pass_context
def command(ctx: click.Context, /, paths: list[Path], options: Options, format_: str, strict: bool) -> None:
    """Check pipelines, without credentials and without writing anything.

    PATHS are pipeline files or folders; without any, the project's pipelines are meant.

    \b
    Examples:
      sagewright check
      sagewright check pipelines/churn/pipeline.yaml --target prod
      sagewright check --format sarif > findings.sarif
    """
    results, diagnostics = load(paths, options, jobs=workers())
    report(diagnostics, results, format_, err=False)
    if format_ == "text":
        from sagewright.compiler.render import summary

        names = f"{len(results)} pipeline{'s' if len(results) != 1 else ''}"
        click.echo(f"{names}: {summary(diagnostics) if diagnostics else 'no findings'}", err=True)
    ctx.exit(exit_code(diagnostics, strict=strict))
