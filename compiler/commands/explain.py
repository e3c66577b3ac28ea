"""`sagewright explain`."""

from __future__ import annotations

from importlib import resources

import click

from sagewright import steps
from sagewright.compiler.diagnostics import CODES
from sagewright.compiler.suggest import nearest


@click.command("explain")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """Explain a diagnostic by its code, or a kind of step. Without NAME, list what there is.

    \b
    Examples:
      sagewright explain SW302
      sagewright explain training
    """
    if name is None:
        for code, about in CODES.items():
            click.echo(f"{code}  {about.severity:<8} {about.title}")
        return
    if name.upper() in CODES:
        click.echo(page(name.upper()))
    elif name in steps.names():
        click.echo(describe_kind(name))
    else:
        near = nearest(name, [*CODES, *steps.names()])
        hint = f"; did you mean '{near}'?" if near else ": give a code such as SW302, or a kind of step"
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
