"""`sagewright diff`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.session import CHANGES
from sagewright.compiler.commands.subject import read_definition
from sagewright.compiler.commands.where import Where, aws_options, compile_one


@click.command("diff")
@click.argument("before")
@click.argument("after")
@aws_options
@click.option("--detailed-exitcode", is_flag=True, help="End with 3 where there are differences.")
@format_option()
def command(at: Where, before: str, after: str, detailed_exitcode: bool, format_: str) -> int:
    """Compare two definitions by step and field: files, versions, targets.

    Each is a pipeline's file or folder (`@target` behind it compiles for that target), a file with a definition
    (`definition.json`), or the name of a deployed pipeline (`@` and a version or an alias behind it). Order, white
    space and defaults do not count.

    \b
    Examples:
      sagewright diff churn pipelines/churn             # what is deployed, and the file
      sagewright diff churn@3 churn@live
      sagewright diff pipelines/churn@dev pipelines/churn@prod
      sagewright diff old/definition.json build/dev/churn/definition.json
    """
    from sagewright.compiler.definition import DefinitionError
    from sagewright.compiler.difference import compare
    from sagewright.compiler.plan import Refused

    texts = [_definition(operand, at) for operand in (before, after)]
    try:
        found = compare(*texts)
    except DefinitionError as error:
        raise Refused(f"one of the two is no definition: {error}") from None
    if format_ == "json":
        from sagewright.compiler.plan_file import comparison

        click.echo(json.dumps(comparison(found), indent=1, ensure_ascii=False))
    else:
        for line in found.lines() if found else ("no differences",):
            click.echo(line)
        for miss in found.misses:
            click.echo(f"cache: {miss}")
    return CHANGES if found and detailed_exitcode else 0


def _definition(operand: str, at: Where) -> str:
    """Raises Refused, AwsError."""
    from sagewright.compiler.plan import Refused
    from sagewright.compiler.versions import definition

    text, _, behind = (
        operand.rpartition("@") if "@" in operand and not Path(operand).exists() else (operand, "", "")
    )
    path = Path(text)
    if path.suffix == ".json" and path.is_file():
        return read_definition(path)
    if path.is_file() or (path / "pipeline.yaml").is_file():
        options = replace(at.options, target=behind) if behind else at.options
        return compile_one(path, options).definition
    if path.suffix in (".json", ".yaml", ".yml") or "/" in text:
        raise Refused(f"there is no file `{text}`")
    return definition(text, behind or None, at.clients)
