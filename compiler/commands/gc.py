"""`sagewright gc`."""

from __future__ import annotations

import re
from datetime import timedelta

import click

from sagewright.compiler.commands.options import load
from sagewright.compiler.commands.where import Where, aws_options, confirm

_AGE = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _age(_ctx: click.Context, _param: click.Parameter, text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"`{text}` is no age: for example 12h or 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command("gc")
@aws_options
@click.option(
    "--older-than", default="7d", show_default=True, callback=_age, help="Leave alone what is younger."
)
@click.option("--dry-run", is_flag=True, help="Only list.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(at: Where, older_than: timedelta, dry_run: bool, yes: bool) -> int:
    """Delete uploaded code that no version of any pipeline refers to.

    Looks at every version of every pipeline of the account and region, and at the project's files. What is younger
    than --older-than may be of an upsert that is still running, and stays. Pipelines of other accounts are not seen:
    give them a prefix of their own.

    \b
    Examples:
      sagewright gc --dry-run
      sagewright gc --target prod --older-than 90d --yes
    """
    from sagewright.compiler import remove
    from sagewright.compiler.plan import Refused

    at.guard()
    place = at.compilation("gc").place
    if place.bucket is None:
        raise Refused("no bucket is known", "set `bucket:`, or pass --bucket")
    results, _ = load([], at.options)
    if any(not result.ok for result in results):
        raise Refused(
            "not every pipeline of the project compiles: what they need is not known", "run `check`"
        )
    keep = frozenset(u.asset.digest for r in results if r.compilation for u in r.compilation.uploads)
    found = remove.garbage(place, at.clients, keep=keep, older=older_than)
    for item in found:
        click.echo(f"s3://{place.bucket}/{item.key} ({item.size:,} bytes)")
    total = sum(item.size for item in found)
    click.echo(f"{len(found)} objects, {total:,} bytes, that nothing refers to")
    if found and not dry_run and confirm(f"Delete {len(found)} objects?", yes):
        remove.collect(place, found, at.clients)
        click.echo(f"deleted {len(found)} objects")
    return 0
