"""`sagewright explain`."""

from __future__ import annotations

import inspect
from importlib import import_module, resources

import click

from sagewright import schemas, steps
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
    return resources.files("sagewright.compiler").joinpath("codes", f"{code}.md").read_text(encoding="utf-8").rstrip()


def describe_kind(name: str) -> str:
    """A kind: what it does, its keys, what other steps may refer to."""
    kind = steps.find(name)
    assert kind is not None
    schema = schemas.load(f"steps/{name}")
    module = import_module(kind.arguments.__module__ if kind.arguments else kind.expand.__module__)  # type: ignore[union-attr]
    lines = [f"# {name}" + (f" → {kind.type}" if kind.type else ""), "", inspect.cleandoc(module.__doc__ or ""), "", "Keys:"]
    required = set(schema.get("required", ()))
    for key, value in schema["properties"].items():
        mark = " (required)" if key in required else ""
        default = f" Default: {value['default']}." if value.get("default") not in (None, "") else ""
        lines.append(f"  {key}{mark}: {value.get('description') or value.get('title', '')}{default}")
    if kind.sugar:
        names = [sugar.shown(key) for key, sugar in kind.sugar.items()]
        lines += ["", "References:", *(f"  ${{steps.<step>.{name}}}" for name in names)]
    if kind.retryable:
        lines += ["", f"Retried on: {', '.join(kind.retryable)}"]
    lines += ["", f"Cached: {'on request' if kind.cacheable else 'no'}"]
    return "\n".join(lines)
