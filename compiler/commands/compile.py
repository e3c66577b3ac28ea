"""`sagewright compile`."""

from __future__ import annotations

import json
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
from sagewright.compiler.driver import Result
from sagewright.compiler.emit import to_text
from sagewright.compiler.output import write_all


@click.command("compile")
@compile_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=Path("build"),
    show_default=True,
    help="Folder for the results.",
)
@click.option(
    "--stdout", is_flag=True, help="Write the definition of one pipeline to standard output instead."
)
@diagnostics_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: list[Path],
    options: Options,
    output: Path,
    stdout: bool,
    format_: str,
    strict: bool,
) -> None:
    """Compile pipelines to SageMaker definitions, without credentials.

    Writes <output>/<target>/<pipeline>/definition.json and manifest.json. A pipeline with errors is not written.

    \b
    Examples:
      sagewright compile
      sagewright compile pipelines/churn --target prod --var instance=ml.m5.4xlarge
      sagewright compile pipelines/churn --stdout | jq .Steps
    """
    results, diagnostics = load(paths, options, jobs=1 if stdout else workers())
    report(diagnostics, results, format_)
    code = exit_code(diagnostics, strict=strict)
    compiled = [result for result in results if result.compilation is not None]
    if stdout:
        if len(results) > 1:
            raise click.UsageError(f"--stdout writes one pipeline, and these are {len(results)}")
        for result in compiled:
            click.echo(to_text(result.definition or {}, indent=1))
        ctx.exit(code)
    if any(d.code == "SW809" for d in diagnostics):
        ctx.exit(code)
    for result in compiled:
        folder = _write(result, output)
        if format_ == "text":
            click.echo(f"{result.source} → {folder.as_posix()}/definition.json")
    ctx.exit(code)


def _write(result: Result, output: Path) -> Path:
    compilation = result.compilation
    assert compilation is not None
    assert result.definition is not None
    folder = output / compilation.target / compilation.name
    files = {
        folder / "definition.json": to_text(result.definition, indent=1) + "\n",
        folder / "manifest.json": json.dumps(compilation.manifest(), indent=1, ensure_ascii=False) + "\n",
    }
    try:
        write_all(files)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise click.ClickException(f"cannot write {folder.as_posix()}: {reason} [SW812]") from error
    return folder
