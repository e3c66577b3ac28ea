"""`sagewright schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sagewright import steps
from sagewright.compiler.output import write_all
from sagewright.compiler.suggest import listing, nearest
from sagewright.schemas import bundle


@click.command("schema")
@click.option("--kind", metavar="KIND", help="Only the schema of one kind of step.")
@click.option("--project", is_flag=True, help="The schema of the project file.")
@click.option("--component", is_flag=True, help="The schema of component files.")
@click.option("--tests", is_flag=True, help="The schema of tests.yaml.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Write it to a file instead of standard output."
)
def command(kind: str | None, project: bool, component: bool, tests: bool, output: Path | None) -> None:
    """Write the JSON Schema of pipeline files, for editors.

    Put it beside the project, and in the first line of a pipeline file:
    # yaml-language-server: $schema=../../sagewright.schema.json

    \b
    Examples:
      sagewright schema -o sagewright.schema.json
      sagewright schema --kind training
      sagewright schema --component -o component.schema.json
      sagewright schema --tests -o tests.schema.json
    """
    if (kind is not None) + project + component + tests > 1:
        raise click.UsageError("--kind, --project, --component and --tests do not go together")
    if kind is not None and kind not in steps.names():
        near = nearest(kind, steps.names())
        raise click.UsageError(
            f"unknown kind '{kind}'; "
            + (f"did you mean '{near}'?" if near else f"kinds are {listing(steps.names())}")
        )
    if kind is not None:
        made = bundle.kind(kind)
    elif project or tests:
        made = bundle.project() if project else bundle.tests()
    else:
        made = bundle.component(steps.names()) if component else bundle.pipeline(steps.names())
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text, nl=False)
        return
    if output.is_dir():
        raise click.UsageError(f"{output} is a directory: name a file in it")
    try:
        write_all({output: text})
    except OSError as error:
        raise click.ClickException(
            f"cannot write {output}: {(error.strerror or str(error)).lower()}"
        ) from error
