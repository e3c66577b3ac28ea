"""`sagewright runs`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.session import REFUSED

if TYPE_CHECKING:
    from sagewright.compiler.local.runs import Run, Runs


@click.command("runs")
@click.argument("run", required=False)
@click.option("--log", "step", metavar="STEP", help="Show what a step of the run printed.")
@click.option("--attempt", type=click.IntRange(min=1), help="Of --log: which attempt; the last by default.")
@click.option("--delete", is_flag=True, help="Delete the run's logs and state.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Delete all runs but the newest N.")
@click.option("--count", "-n", type=click.IntRange(min=1), default=20, show_default=True, help="So many.")
@format_option()
def command(
    run: str | None,
    step: str | None,
    attempt: int | None,
    delete: bool,
    keep: int | None,
    count: int,
    format_: str,
) -> int:
    """List the runs of this project on this machine, newest first; or show one, or what one of its steps printed.

    RUN is an id, or as much of its beginning as is unique. Deleting a run leaves what it made in the local S3, the
    registry and the endpoints alone.

    \b
    Examples:
      sagewright runs
      sagewright runs 4fk2 --log Train
      sagewright runs --keep 10
    """
    from sagewright.compiler.local.runs import RunError
    from sagewright.compiler.local.workplace import runs_of
    from sagewright.compiler.project import find_root

    if run is None and (step or attempt or delete):
        raise click.UsageError("which run? `sagewright runs` lists them")
    if run is not None and keep is not None:
        raise click.UsageError("--keep is about all runs: name none")
    found = runs_of(find_root(Path.cwd())[0])
    try:
        if keep is not None:
            return _keep(found, keep)
        if run is None:
            return _list(found, count, format_)
        one = found.find(run)
        if delete:
            found.delete(one)
            click.echo(f"deleted run {one.id}")
            return 0
        return _log(one, step, attempt) if step else _show(one, format_)
    except RunError as error:
        raise click.ClickException(str(error)) from None


def _list(runs: Runs, count: int, format_: str) -> int:
    from sagewright.compiler.local.telling import as_json, seconds

    found = runs.all()[:count]
    if format_ == "json":
        click.echo(json.dumps([as_json(run) for run in found], indent=1))
        return 0
    if not found:
        click.echo("no runs: `sagewright run` makes one", err=True)
    width = max((len(run.pipeline) for run in found), default=0)
    for run in found:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started))
        took = seconds(run.ended - run.started) if run.ended is not None else ""
        click.echo(f"{run.id}  {started:19}  {run.pipeline:{width}}  {run.standing:11}  {took:>9}".rstrip())
    return 0


def _show(run: Run, format_: str) -> int:
    from sagewright.compiler.local.telling import as_json, summary

    if format_ == "json":
        click.echo(json.dumps(as_json(run), indent=1))
        return 0
    for name, value in run.parameters.items():
        click.echo(f"{name} = {value}")
    for line in summary(run):
        click.echo(line)
    click.echo(f"logs: {run.folder}/steps/<step>/<attempt>/log")
    return 0


def _log(run: Run, step: str, attempt: int | None) -> int:
    from sagewright.compiler.suggest import listing, nearest

    path = run.log(step, attempt)
    if path is None:
        attempts = {record.name: len(record.attempts) for record in run.records()}
        known = list(attempts)
        if step in known and attempt is not None and attempt > attempts[step]:
            raise click.ClickException(f"step `{step}` has no attempt {attempt}: it had {attempts[step]}")
        near = nearest(step, known)
        if step in known:
            which = f"in attempt {attempt}" if attempt else "so far"
            raise click.ClickException(f"step `{step}` printed nothing {which}")
        hint = f"did you mean `{near}`?" if near else f"there are {listing(known)}"
        raise click.ClickException(f"run {run.id} has no step `{step}`; {hint}")
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            click.echo(line, nl=False)
    return 0


def _keep(runs: Runs, number: int) -> int:
    from sagewright.compiler.local.runs import RunError

    code = 0
    for run in runs.all()[number:]:
        try:
            runs.delete(run)
            click.echo(f"deleted run {run.id}")
        except RunError as error:
            click.echo(f"kept run {run.id}: {error}", err=True)
            code = REFUSED
    return code
