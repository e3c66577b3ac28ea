"""`sagewright callback`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.here import handled, home
from sagewright.compiler.commands.session import USAGE, complain

if TYPE_CHECKING:
    from sagewright.compiler.local.callbacks import Question


@click.command("callback")
@click.argument("waiting", required=False, metavar="[TOKEN|STEP]")
@click.option("--success", "-s", is_flag=True, help="The step succeeds, with the outputs that follow.")
@click.option("--failure", "-f", metavar="REASON", help="The step fails.")
@click.argument("outputs", nargs=-1, metavar="[NAME=VALUE]...")
@format_option()
@handled
def command(
    waiting: str | None, success: bool, failure: str | None, outputs: tuple[str, ...], format_: str
) -> int:
    """Answer a callback step that waits in `sagewright run`; without arguments, list those that do.

    Outputs are those that the step declares, each of its type.

    \b
    Examples:
      sagewright callback
      sagewright callback Review --success reviewer=ana comment="looks fine"
      sagewright callback 3f9a41c07be2d815 --failure "the scores drift"
    """
    from sagewright.compiler.local.callbacks import FileCallbacks
    from sagewright.compiler.local.outputs import OutputError, read

    callbacks = FileCallbacks(home())
    if waiting is None:
        if success or failure is not None:
            raise click.UsageError("which step is answered? name it, or its token")
        return _list(callbacks.waiting(), format_)
    if success == (failure is not None):
        raise click.UsageError("give either --success, with the step's outputs, or --failure with the reason")
    question = callbacks.find(waiting)
    if failure is not None:
        if outputs:
            raise click.UsageError("outputs go with --success")
        callbacks.fail(question.token, failure)
    else:
        try:
            callbacks.succeed(question.token, read(outputs, question.types))
        except OutputError as error:
            complain(str(error))
            return USAGE
    click.echo(f"{question.step} of {question.pipeline}, run {question.execution}: answered")
    return 0


def _list(found: list[Question], format_: str) -> int:
    if format_ == "json":
        data = [
            {
                "token": question.token,
                "pipeline": question.pipeline,
                "execution": question.execution,
                "step": question.step,
                "queue": question.queue,
                "arguments": question.arguments,
                "outputs": question.types,
            }
            for question in found
        ]
        click.echo(json.dumps(data, indent=1))
        return 0
    if not found:
        click.echo("nothing waits", err=True)
    for question in found:
        minutes = (time.time() - question.asked) / 60
        click.echo(
            f"{question.token}  {question.pipeline}/{question.execution}  {question.step}, for {minutes:.0f} min"
        )
        click.echo(f"  asks  {json.dumps(dict(question.arguments))}")
        wanted = " ".join(f"{name}=<{kind}>" for name, kind in question.types.items())
        click.echo(f"  wants {wanted or 'no outputs'}")
    return 0
