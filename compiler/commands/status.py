"""`sagewright status`."""

from __future__ import annotations

import json

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.where import Where, aws_options


@click.command("status")
@click.argument("execution")
@aws_options
@format_option()
def command(at: Where, execution: str, format_: str) -> int:
    """Show an execution and its steps, once.

    EXECUTION is an ARN, `<pipeline>/<id>`, or a pipeline, whose newest execution it is.

    \b
    Examples:
      sagewright status pipelines/churn
      sagewright status churn/abcdef123456 --format json
    """
    from sagewright.compiler import executions

    found = executions.snapshot(executions.resolve(at.name(execution), at.clients), at.clients)
    if format_ == "json":
        steps = [
            {
                "name": s.name,
                "status": s.status,
                "started": s.started.isoformat() if s.started else None,
                "ended": s.ended.isoformat() if s.ended else None,
                "attempts": s.attempts,
                "cached_from": s.cached_from,
                "reason": s.reason,
                "job": s.job,
            }
            for s in found.steps
        ]
        data = {"arn": found.arn, "status": found.status, "reason": found.reason}
        click.echo(json.dumps({**data, "steps": steps if found.steps_known else None}, indent=1))
        return 0
    for line in executions.table(found):
        click.echo(line)
    return 0
