"""`sagewright models`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.here import handled, home
from sagewright.compiler.commands.session import REFUSED, complain


@click.command("models")
@click.argument("group", required=False)
@click.option("--approve", metavar="VERSION", type=click.IntRange(min=1), help="Approve a version.")
@click.option("--reject", metavar="VERSION", type=click.IntRange(min=1), help="Reject a version.")
@click.option("--note", metavar="TEXT", help="Why: the approval's description.")
@format_option()
@handled
def command(
    group: str | None, approve: int | None, reject: int | None, note: str | None, format_: str
) -> int:
    """List the model packages that runs here have registered, and approve or reject them.

    \b
    Examples:
      sagewright models
      sagewright models churn --approve 3 --note "better in the shadow"
    """
    from sagewright.compiler.local.registry import Registry

    registry = Registry(home() / "registry.db")
    version = approve or reject
    if version is not None:
        if group is None or (approve and reject):
            raise click.UsageError("name one group, and one version to approve or to reject")
        approval = "Approved" if approve else "Rejected"
        found = registry.approve(f"{group}/{version}", approval, note)
        click.echo(f"{found['ModelPackageArn']}: {found['ModelApprovalStatus']}")
        return 0
    there = registry.path.exists()  # looking makes nothing
    if group is not None and not there:
        complain(f"there is no model package group `{group}` on this machine")
        return REFUSED
    if group is not None:
        registry.require_group(group)
    packages = registry.packages(group) if there else []
    if format_ == "json":
        click.echo(json.dumps(packages, indent=1))
        return 0
    if not packages:
        click.echo("no models: `sagewright run` of a pipeline with a register step makes one", err=True)
    for package in packages:
        click.echo(_line(package))
    return 0


def _line(package: dict[str, Any]) -> str:
    made = datetime.fromtimestamp(package["CreationTime"], UTC).astimezone()
    name = f"{package['ModelPackageGroupName']}/{package['ModelPackageVersion']}"
    said = package.get("ApprovalDescription") or package.get("ModelPackageDescription") or ""
    return f"{name:32} {made:%Y-%m-%d %H:%M}  {package['ModelApprovalStatus']:22} {said}".rstrip()
