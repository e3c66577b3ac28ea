"""`sagewright gc`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import click

from sagewright.compiler.commands.options import load
from sagewright.compiler.commands.where import Where, confirm, each_target

if TYPE_CHECKING:
    from sagewright.compiler.collect import Stale

_AGE = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _age(_ctx: click.Context, _param: click.Parameter, text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"`{text}` is no age: for example 12h or 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command("gc")
@each_target
@click.option(
    "--older-than", default="7d", show_default=True, callback=_age, help="Leave alone what is younger."
)
@click.option("--dry-run", is_flag=True, help="Only list.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(at: Where, older_than: timedelta, dry_run: bool, yes: bool) -> int:
    """Delete uploaded code, and versions of Lambda functions of ours, that no version of any pipeline refers to.

    Looks at every version of every pipeline of the account and region, and at the project's files. What is younger
    than --older-than may be of an upsert that is still running, and stays. Pipelines of other accounts are not seen:
    give them a prefix of their own.

    \b
    Examples:
      sagewright gc --dry-run
      sagewright gc --target prod --older-than 90d --yes
    """
    from sagewright.compiler import collect
    from sagewright.compiler.plan import Refused

    place = at.compilation("gc").place
    if place.bucket is None:
        raise Refused("no bucket is known", "set `bucket:`, or pass --bucket")
    needed = _needed(at)

    @cache
    def used() -> frozenset[str]:
        return needed | collect.mentioned(at.clients)

    found = collect.garbage(place, at.clients, used=used, older=older_than)
    versions = _versions(at, used, older_than)
    for item in found:
        click.echo(f"s3://{place.bucket}/{item.key} ({item.size:,} bytes)")
    for version in versions:
        click.echo(str(version))
    total = sum(item.size for item in found)
    count = _counted(len(found), "object")
    click.echo(f"{count}, {total:,} bytes, that nothing refers to")
    if versions:
        counted = _counted(len(versions), "version")
        click.echo(f"{counted} of Lambda functions that nothing refers to")
        count += f" and {counted}"
    if (found or versions) and not dry_run and confirm(f"Delete {count}?", yes):
        collect.collect(place, found, at.clients)
        collect.discard(versions, at.clients)
        click.echo(f"deleted {count}")
    return 0


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _needed(at: Where) -> frozenset[str]:
    """What the project's files need. Raises Refused where they do not compile."""
    from sagewright.compiler import collect
    from sagewright.compiler.plan import Refused

    results, diagnostics = load([], at.options)
    compiled = [result.compilation for result in results if result.compilation is not None]
    if len(compiled) != len(results) or any(d.code == "SW801" for d in diagnostics):
        raise Refused(
            "not every pipeline of the project compiles: what they need is not known", "run `check`"
        )
    return frozenset[str]().union(*map(collect.wanted, compiled))


def _versions(at: Where, used: Callable[[], frozenset[str]], older: timedelta) -> list[Stale]:
    """Without the right to list functions there is a word, and no list."""
    from sagewright.compiler import collect
    from sagewright.compiler.aws import DENIED, AwsError

    try:
        return collect.stale(at.clients, used=used, older=older)
    except AwsError as error:
        if error.code not in DENIED:
            raise
        click.echo(f"Lambda functions are not looked at: {error.message}", err=True)
        return []
