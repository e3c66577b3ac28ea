"""`sagewright promote`."""

from __future__ import annotations

import click

from sagewright.compiler.commands.options import Options
from sagewright.compiler.commands.where import confirm, handled, where


@click.command("promote")
@click.argument("package")
@click.option("--to", "to", required=True, metavar="TARGET", help="Target to copy it to.")
@click.option("--from", "source", metavar="TARGET", help="Target that it is in. Default: the project's own.")
@click.option("--version", type=click.IntRange(1), metavar="N", help="Default: the newest that is approved.")
@click.option("--group", metavar="NAME", help="Group to put it in. Default: one of the same name.")
@click.option("--approve", is_flag=True, help="Approve it there too; without, somebody has to.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also a package that is not approved.")
@click.option("--endpoint-url", metavar="URL", help="In place of AWS's endpoints, as AWS_ENDPOINT_URL.")
@click.option("--from-endpoint-url", metavar="URL", help="The same for the source, where it is another.")
def command(
    package: str,
    to: str,
    source: str | None,
    version: int | None,
    group: str | None,
    approve: bool,
    yes: bool,
    force: bool,
    endpoint_url: str | None,
    from_endpoint_url: str | None,
) -> None:
    """Copy a registered model package to another target: its specification, its model data and its metrics.

    PACKAGE is a model package group, or a package's ARN. It must be approved. Objects are copied to the target's bucket
    under their content's hash; images of SageMaker's own registries become those of the target's region. The copy
    remembers where it came from, so promoting twice makes one.

    \b
    Examples:
      sagewright promote churn --to prod
      sagewright promote churn --from staging --to prod --version 7 --approve --yes
    """

    def run() -> int:
        from sagewright.compiler import promote
        from sagewright.compiler.plan import Refused

        here = where(Options(source), from_endpoint_url or endpoint_url)
        there = where(Options(to), endpoint_url)
        if here.target == there.target and (group is None or from_endpoint_url is None):
            raise click.UsageError(f"`{to}` is the target that it is in: name the other with --from, or --to")
        for at in (here, there):
            at.guard()
        found = promote.find(package, version, here.clients, force=force)
        wanted = group or found.group
        place = there.compilation("models").place
        plan = promote.prepare(found, wanted, place, here.clients, there.clients, approve=approve)
        for line in plan.lines():
            click.echo(line)
        if plan.nothing_to_do:
            return 0
        if not confirm(f"Promote {found.name} to {there.target}?", yes):
            return 0
        again = promote.find(package, found.version, here.clients, force=force)
        if again != found:
            raise Refused(f"the model package {found.name} was changed while this was waiting", "look again")
        promote.carry_out(plan, here.clients, there.clients, click.echo)
        return 0

    raise click.exceptions.Exit(handled(run))
