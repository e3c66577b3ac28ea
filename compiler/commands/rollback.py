"""`sagewright rollback`."""

from __future__ import annotations

import click

from sagewright.compiler.commands.where import Where, aws_options, confirm


@click.command("rollback")
@click.argument("pipeline")
@aws_options
@click.option(
    "--to", "version", metavar="N", help="A version's number or alias. Default: the definition before."
)
@click.option("--alias", metavar="NAME", help="Point this alias at the version that it becomes.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Overwrite what somebody else changed.")
def command(at: Where, pipeline: str, version: str | None, alias: str | None, yes: bool, force: bool) -> int:
    """Give a pipeline the definition of an earlier version, as a new version, as safely as upsert does.

    Role, tags and parallelism stay as they are. The files are left alone: the next upsert deploys them again.

    \b
    Examples:
      sagewright rollback pipelines/churn
      sagewright rollback churn-prod --target prod --to 7 --yes
      sagewright rollback churn-prod --to live
    """
    from sagewright.compiler import apply, versions
    from sagewright.compiler.observe import describe
    from sagewright.compiler.plan import Refused

    at.guard()
    name = at.name(pipeline)
    deployed = describe(name, at.clients)
    if deployed is None:
        raise Refused(f"there is no pipeline `{name}`")
    wanted = version or versions.before(name, deployed, at.clients)
    text = versions.definition(name, wanted, at.clients)
    made = versions.rolled_back(at.compilation(name), deployed, text)
    click.echo(f"roll {name} back to version {wanted}")
    result = apply.upsert(
        made,
        at.clients,
        confirm=lambda _: confirm(f"Roll {name} back?", yes),
        report=click.echo,
        force=force,
    )
    if alias is not None and result.arn is not None and result.action != "declined":
        click.echo(f"{alias} is version {versions.point(alias, result.arn, result.version, at.clients)}")
    return 0
