"""`sagewright history`."""

from __future__ import annotations

import json

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.where import Where, aws_options


@click.command("history")
@click.argument("pipeline")
@aws_options
@format_option()
def command(at: Where, pipeline: str, format_: str) -> int:
    """List the versions of a pipeline, newest first: when, from which commit, by whom, and which aliases they have.

    \b
    Examples:
      sagewright history pipelines/churn
      sagewright history churn-prod --target prod --format json
    """
    from sagewright.compiler.versions import history

    found = history(at.name(pipeline), at.clients)
    if format_ == "json":
        click.echo(
            json.dumps(
                [
                    {
                        "version": v.number,
                        "created": v.created.isoformat(),
                        "commit": v.commit,
                        "description": v.description,
                        "aliases": list(v.aliases),
                        "last_execution": v.last_execution,
                    }
                    for v in found
                ],
                indent=1,
            )
        )
        return 0
    for version in found:
        aliases = f" [{', '.join(version.aliases)}]" if version.aliases else ""
        said = version.description or version.display_name or ""
        click.echo(f"{version.number:>5}  {version.created:%Y-%m-%d %H:%M:%S}{aliases}  {said}".rstrip())
    return 0
