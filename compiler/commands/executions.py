"""`sagewright executions`."""

from __future__ import annotations

import json

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.where import Where, aws_options


@click.command("executions")
@click.argument("pipeline")
@aws_options
@click.option(
    "--count", "-n", type=click.IntRange(1, 100), default=20, show_default=True, help="So many, the newest."
)
@format_option(help="How they are shown.")
def command(at: Where, pipeline: str, count: int, format_: str) -> int:
    """List the executions of a pipeline, newest first.

    \b
    Examples:
      sagewright executions pipelines/churn
      sagewright executions churn-prod --target prod -n 5 --format json
    """
    from sagewright.compiler import executions

    found = executions.listed(at.name(pipeline), at.clients, count)
    if format_ == "json":
        data = [
            {"arn": e.arn, "status": e.status, "started": e.started.isoformat() if e.started else None}
            for e in found
        ]
        click.echo(json.dumps(data, indent=1))
        return 0
    for execution in found:
        started = f"{execution.started:%Y-%m-%d %H:%M:%S}" if execution.started else ""
        click.echo(f"{execution.id:14} {started}  {execution.status}")
    return 0
