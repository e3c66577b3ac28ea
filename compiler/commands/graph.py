"""`sagewright graph`."""

from __future__ import annotations

from pathlib import Path

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.options import Options, compile_options, exit_code, load, report

FORMATS = ("mermaid", "dot", "svg", "json")


@click.command("graph")
@compile_options
@format_option(FORMATS, default="mermaid", help="How it is drawn.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="A file, or a folder where there are several pipelines.",
)
@click.pass_context
def command(
    ctx: click.Context, /, paths: list[Path], options: Options, format_: str, output: Path | None
) -> None:
    """Draw pipelines: steps, branches, run conditions, retries and caches. Needs no network and no Graphviz.

    \b
    Examples:
      sagewright graph pipelines/churn
      sagewright graph pipelines/churn --format svg -o churn.svg
      sagewright graph --format svg -o build/graphs
    """
    from sagewright.compiler import drawing
    from sagewright.compiler.picture import picture

    results, diagnostics = load(paths, options)
    report(diagnostics, results, "text")
    pictures = {
        r.program.pipeline.name: picture(r.program) for r in results if r.ok and r.program is not None
    }
    texts = {name: drawing.FORMATS[format_](made) for name, made in pictures.items()}
    if output is None:
        if len(texts) > 1 and format_ in ("svg", "json"):
            raise click.UsageError(
                f"these are {len(texts)} pipelines: name one, or give a folder with --output"
            )
        for text in texts.values():
            click.echo(text.rstrip("\n"))
    else:
        _write(texts, output, format_)
    ctx.exit(exit_code(diagnostics))


def _write(texts: dict[str, str], output: Path, format_: str) -> None:
    from sagewright.compiler.output import write_all

    suffix = {"mermaid": "mmd"}.get(format_, format_)
    single = len(texts) == 1 and not output.is_dir()
    files = {output if single else output / f"{name}.{suffix}": text for name, text in texts.items()}
    try:
        write_all(files)
    except OSError as error:
        raise click.ClickException(
            f"cannot write {output}: {(error.strerror or str(error)).lower()}"
        ) from error
    for path in files:
        click.echo(f"wrote {path.as_posix()}")
