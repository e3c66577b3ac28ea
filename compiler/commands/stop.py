"""`sagewright stop`."""

from __future__ import annotations

import click

from sagewright.compiler.commands.watch import interval_option
from sagewright.compiler.commands.where import Where, aws_options


@click.command("stop")
@click.argument("execution")
@aws_options
@click.option("--wait", is_flag=True, help="Until it has stopped.")
@interval_option
def command(at: Where, execution: str, wait: bool, interval: float) -> int:
    """Stop an execution. Steps that are running are stopped too; `retry` takes it up again.

    EXECUTION is an ARN, `<pipeline>/<id>`, or a pipeline, whose newest execution it is.

    \b
    Examples:
      sagewright stop pipelines/churn
      sagewright stop churn/abcdef123456 --wait
    """
    from sagewright.compiler import executions

    at.guard()
    arn = executions.resolve(at.name(execution), at.clients)
    status = executions.stop(arn, at.clients)
    if status in executions.ENDED:
        click.echo(f"{arn} is {status} already")
        return 0
    if wait:
        status = executions.watch(arn, at.clients, lambda _: None, interval=interval).status
    click.echo(f"{arn}: {status}")
    return 0
