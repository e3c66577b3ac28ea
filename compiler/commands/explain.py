"""`sagewright explain`."""

from __future__ import annotations

from importlib import resources

import click

from sagewright import steps
from sagewright.compiler.diagnostics import CODES
from sagewright.compiler.suggest import nearest


@click.command("explain")
@click.argument("name", required=False)
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="Of a schedule's times.")
def command(name: str | None, timezone: str) -> None:
    """Explain a diagnostic by its code, a kind of step, or a trigger's schedule. Without NAME, list what there is.

    \b
    Examples:
      sagewright explain SW302
      sagewright explain training
      sagewright explain "cron(0 3 ? * MON-FRI *)" --timezone Europe/Berlin
    """
    if name is None:
        for code, about in CODES.items():
            click.echo(f"{code}  {about.severity:<8} {about.title}")
        click.echo(f"\nKinds of steps: {', '.join(steps.names())}")
        click.echo("Schedules: in quotes, for example 'cron(0 3 * * ? *)' or 'rate(1 day)'")
        return
    if name.upper() in CODES:
        click.echo(page(name.upper()))
    elif name in steps.names():
        click.echo(describe_kind(name))
    elif "(" in name:
        click.echo(describe_schedule(name, timezone))
    else:
        near = nearest(name, [*CODES, *steps.names()])
        hint = (
            f"; did you mean '{near}'?"
            if near
            else ": give a code such as SW302, a kind of step, or a schedule"
        )
        raise click.UsageError(f"nothing is known of '{name}'{hint}")


def page(code: str) -> str:
    """The page of a diagnostic."""
    return (
        resources.files("sagewright.compiler")
        .joinpath("codes", f"{code}.md")
        .read_text(encoding="utf-8")
        .rstrip()
    )


def describe_kind(name: str) -> str:
    """What the reference manual says about a kind."""
    from sagewright.compiler.manual import manual, terminal

    return terminal(manual(name))


def describe_schedule(text: str, timezone: str) -> str:
    """A schedule in words, and its next three times."""
    from datetime import UTC, datetime

    from sagewright.compiler.cron import ScheduleError
    from sagewright.compiler.schedule import parse_schedule, told, zone

    whole = timezone
    try:
        zone(timezone)
        whole = text
        return told(parse_schedule(text), timezone, datetime.now(UTC))
    except ScheduleError as error:
        marks = f"{' ' * error.start}{'^' * max(1, error.end - error.start)}"
        help = f"\n  = {error.help}" if error.help else ""
        raise click.UsageError(f"{error.message}\n  {whole}\n  {marks}{help}") from None
