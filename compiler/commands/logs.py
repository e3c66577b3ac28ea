"""`sagewright logs`."""

from __future__ import annotations

import time

import click

from sagewright.compiler.commands.watch import interval_option
from sagewright.compiler.commands.where import Where, aws_options


@click.command("logs")
@click.argument("execution")
@click.argument("step")
@aws_options
@click.option("--follow", "-f", is_flag=True, help="Until the step has ended.")
@interval_option
def command(at: Where, execution: str, step: str, follow: bool, interval: float) -> int:
    """Show what a step wrote, from CloudWatch: processing, training, transform, checks and Lambda.

    EXECUTION is an ARN, `<pipeline>/<id>`, or a pipeline, whose newest execution it is.

    \b
    Examples:
      sagewright logs pipelines/churn Train
      sagewright logs churn/abcdef123456 Train --follow
    """
    from sagewright.compiler import executions, logs

    arn = executions.resolve(at.name(execution), at.clients)
    seen: set[str] = set()
    while True:
        # The step first: what it writes until it ends is then in what is read after.
        found = executions.snapshot(arn, at.clients)
        if follow and not found.ended and not any(s.name == step and s.job for s in found.steps):
            time.sleep(interval)  # it has not begun
            continue
        state = executions.step_of(found, step)
        for line in logs.lines(logs.place_of(state), at.clients, seen):
            click.echo(line)
        if not follow or state.status in executions.STEP_ENDED:
            return 0
        time.sleep(interval)
