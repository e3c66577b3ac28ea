"""`sagewright watch`."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sagewright.compiler.commands.session import REFUSED
from sagewright.compiler.commands.where import Where, aws_options

if TYPE_CHECKING:
    from sagewright.compiler.aws import Clients
    from sagewright.compiler.executions import Snapshot


def interval_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--interval: seconds between two looks."""
    return click.option(
        "--interval",
        type=click.FloatRange(0.01, 3600),
        default=5.0,
        show_default=True,
        help="Seconds between two looks.",
    )(command)


@click.command("watch")
@click.argument("execution")
@aws_options
@interval_option
def command(at: Where, execution: str, interval: float) -> int:
    """Watch an execution until it ends: its steps, attempts, cache hits, durations, and why it failed.

    EXECUTION is an ARN, `<pipeline>/<id>`, or a pipeline, whose newest execution it is. On a terminal there is a table,
    elsewhere a line for each change. Ends as the execution does: 0 if it succeeded, 1 if not. Ctrl-C ends the
    watching, not the execution.

    \b
    Examples:
      sagewright watch pipelines/churn
      sagewright watch churn/abcdef123456 --interval 30
    """
    from sagewright.compiler import executions

    return follow(executions.resolve(at.name(execution), at.clients), at.clients, interval)


def follow(arn: str, clients: Clients, interval: float) -> int:
    """Show an execution until it has ended; the exit code that stands for its status."""
    from sagewright.compiler import executions

    found = executions.watch(arn, clients, viewer(), interval=interval)
    return 0 if found.status == "Succeeded" else REFUSED


def viewer() -> Callable[[Snapshot], None]:
    """Shows an execution again and again: a table on a terminal, elsewhere a line for each change."""
    live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "CI" not in os.environ
    return _table() if live else _lines()


def _lines() -> Callable[[Snapshot], None]:
    from sagewright.compiler import executions

    last: list[Snapshot | None] = [None]

    def show(found: Snapshot) -> None:
        for line in executions.changes(last[0], found):
            click.echo(f"{time.strftime('%H:%M:%S')} {line}")
        last[0] = found

    return show


def _table() -> Callable[[Snapshot], None]:
    from sagewright.compiler import executions

    height = [0]

    def show(found: Snapshot) -> None:
        width = shutil.get_terminal_size().columns
        lines = [line[: width - 1] for line in executions.table(found)]
        up = f"\033[{height[0]}F\033[J" if height[0] else ""
        click.echo(up + "\n".join(lines))
        height[0] = len(lines)

    return show
