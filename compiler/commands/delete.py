"""`sagewright delete`."""

from __future__ import annotations

import click

from sagewright.compiler.commands.where import Where, confirm, each_target


@click.command("delete")
@click.argument("pipelines", nargs=-1, required=True)
@each_target
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also what is executing, or what sagewright did not make.")
def command(at: Where, pipelines: tuple[str, ...], yes: bool, force: bool) -> int:
    """Delete pipelines from AWS, with the triggers and Lambda functions that upsert made for them.

    Code stays, for `gc`.

    A pipeline is named by its file, or by the name that AWS knows. One that is executing, or that sagewright did not
    make, is left alone without --force. Interrupted, running it again completes it.

    \b
    Examples:
      sagewright delete pipelines/churn
      sagewright delete churn-prod --target prod --yes
    """
    from sagewright.compiler import remove

    names = list(dict.fromkeys(at.name(pipeline) for pipeline in pipelines))
    found = {name: remove.look(name, at.clients, project=at.project, force=force) for name in names}
    for name, deployed in found.items():
        click.echo(f"delete pipeline {name} (target {at.target})")
        for trigger in remove.triggers_of(deployed, name, at.clients):
            click.echo(f"  with its trigger {trigger.name}")
        for function in remove.functions_of(deployed, name, at.clients):
            click.echo(f"  with its Lambda function {function}")
    if not confirm(f"Delete {', '.join(names)}?", yes):
        return 0
    for name, deployed in found.items():
        remove.delete(at.compilation(name).place, deployed, at.clients, click.echo)
    return 0
