"""`sagewright policy`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import click

from sagewright.compiler.access import PURPOSES, Purpose, grounds, policy
from sagewright.compiler.commands.options import Options, compile_options, exit_code, load, report, targets_of


@click.command("policy")
@click.argument("purpose", type=click.Choice(tuple(PURPOSES)))
@compile_options
@click.pass_context
def command(ctx: click.Context, /, purpose: str, paths: list[Path], options: Options) -> None:
    """Write the IAM policy that a command's role needs, for the project's pipelines and nothing else.

    PURPOSE is `plan` (reading only: for pull requests), `upsert`, `delete` (with `gc` and `upsert --prune`) or `execute`
    (start, watch, stop, retry, logs). The target's region, account, bucket, prefix and roles stand in it; Lambda and
    EventBridge only where pipelines have functions or triggers. Calls nothing outside of this machine.

    \b
    Examples:
      sagewright policy plan --target prod > plan-policy.json
      sagewright policy upsert --target prod > upsert-policy.json
    """
    if len(targets_of(options, paths)) > 1:
        raise click.UsageError(f"a policy is for one target, not `{options.target}`")
    results, diagnostics = load(paths, options)
    report(diagnostics, results, "text")
    compilations = [result.compilation for result in results if result.compilation is not None]
    code = exit_code(diagnostics)
    if code == 0 and compilations:
        click.echo(json.dumps(policy(cast("Purpose", purpose), grounds(compilations)), indent=2))
    ctx.exit(code)
