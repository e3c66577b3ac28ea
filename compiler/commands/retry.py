"""`sagewright retry`."""

from __future__ import annotations

import click

from sagewright.compiler.commands.watch import follow, interval_option
from sagewright.compiler.commands.where import Where, aws_options


@click.command("retry")
@click.argument("execution")
@aws_options
@click.option("--parallelism", type=click.IntRange(1, 50), help="Steps at once.")
@click.option("--watch", "watching", is_flag=True, help="Watch it until it ends.")
@interval_option
def command(at: Where, execution: str, parallelism: int | None, watching: bool, interval: float) -> int:
    """Take an execution up again where it failed or was stopped: with the definition and parameters that it had.

    EXECUTION is an ARN, `<pipeline>/<id>`, or a pipeline, whose newest execution it is.

    \b
    Examples:
      sagewright retry pipelines/churn --watch
      sagewright retry churn/abcdef123456
    """
    from sagewright.compiler import executions

    at.guard()
    arn = executions.resolve(at.name(execution), at.clients)
    executions.retry(arn, at.clients, parallelism=parallelism)
    click.echo(arn)
    return follow(arn, at.clients, interval) if watching else 0
