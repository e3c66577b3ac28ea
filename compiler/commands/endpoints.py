"""`sagewright endpoints`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.here import handled, home
from sagewright.compiler.commands.where import confirm

if TYPE_CHECKING:
    from sagewright.compiler.local.fronts import FrontProcess


@click.command("endpoints")
@click.option("--stop", multiple=True, metavar="NAME", help="End an endpoint and delete it; may be repeated.")
@click.option("--all", "every", is_flag=True, help="With --stop's effect: all of them.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@format_option()
@handled
def command(stop: tuple[str, ...], every: bool, yes: bool, format_: str) -> int:
    """List the endpoints that runs here have deployed, or end them.

    They outlive the run that deployed them, listen on loopback only, and are started again when they are invoked.

    \b
    Examples:
      sagewright endpoints
      sagewright endpoints --stop churn
      sagewright endpoints --all --yes
    """
    from sagewright.compiler.local.fronts import fronts

    found = {front.name: front for front in fronts(home())}
    if stop or every:
        return _stop(found, list(found) if every else list(stop), yes)
    entries = [_entry(front) for front in found.values()]
    if format_ == "json":
        click.echo(json.dumps(entries, indent=1))
        return 0
    if not entries:
        click.echo("no endpoints: `sagewright run` of a pipeline with a deploy step makes one", err=True)
    for entry in entries:
        variants = ", ".join(map(_said, entry["variants"]))
        click.echo(f"{entry['name']:24} {entry['status']:10} {entry['url']:30} {variants}")
    return 0


def _entry(front: FrontProcess) -> dict[str, Any]:
    status, plan, state = front.status(), front.plan(), front.state
    counts = status["invocations"] if status else {}
    return {
        "name": front.name,
        "status": "InService" if status and status["deployment"] else "Ended",
        "port": state.port if state else None,
        "url": f"{state.url}/invocations" if state else "",
        "variants": [
            {
                "name": variant.name,
                "weight": variant.weight,
                "shadow": variant.shadow,
                "invocations": counts.get(variant.name, 0),
            }
            for variant in (plan.variants if plan else ())
        ],
    }


def _said(variant: dict[str, Any]) -> str:
    kind = "shadow" if variant["shadow"] else f"weight {variant['weight']:g}"
    return f"{variant['name']} ({kind}, {variant['invocations']} requests)"


def _stop(found: dict[str, FrontProcess], names: list[str], yes: bool) -> int:
    from sagewright.compiler.local.registry import Registry
    from sagewright.compiler.suggest import nearest

    for name in names:
        if name not in found:
            near = nearest(name, found)
            raise click.UsageError(
                f"there is no endpoint `{name}`{f'; did you mean `{near}`?' if near else ''}"
            )
    if not names:
        click.echo("no endpoints", err=True)
        return 0
    if not confirm(f"End and delete {', '.join(names)}?", yes):
        return 1
    registry = Registry(home() / "registry.db")
    for name in names:
        found[name].stop()
        registry.delete("endpoint", name)
        click.echo(f"{name}: ended")
    return 0
