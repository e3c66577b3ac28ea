"""`sagewright upsert`."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagewright.compiler.commands.options import Options, compile_options, exit_code, load, report
from sagewright.compiler.compilation import Compilation

if TYPE_CHECKING:
    from sagewright.compiler.apply import Result
    from sagewright.compiler.aws import Clients
    from sagewright.compiler.plan import Plan

REFUSED, USAGE, FAILED, INTERRUPTED = 1, 2, 4, 130
"""Exit codes: what we would not do, wrong usage, AWS or the network, Ctrl-C."""


@click.command("upsert")
@compile_options
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Overwrite what somebody else made or changed.")
@click.option("--endpoint-url", metavar="URL", help="In place of AWS's endpoints, as AWS_ENDPOINT_URL.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    help="How results are shown.",
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: list[Path],
    options: Options,
    yes: bool,
    force: bool,
    endpoint_url: str | None,
    format_: str,
) -> None:
    """Create pipelines in AWS, or update them: code, definition, role, description, parallelism and tags.

    Shows what it will do, and asks. What has not changed is left alone; what somebody else changed is not overwritten
    without --force. Interrupted, running it again completes it.

    \b
    Examples:
      sagewright upsert
      sagewright upsert pipelines/churn --target prod --yes
      sagewright upsert --endpoint-url http://127.0.0.1:5000 --bucket my-bucket
    """
    compilations, code = _compile(paths, options)
    if code == 0:
        code = _Session(endpoint_url, yes, force, format_ == "json").run(compilations)
    ctx.exit(code)


def _compile(paths: list[Path], options: Options) -> tuple[list[Compilation], int]:
    """Compile everything, or nothing is upserted. AWS_REGION helps where the project names no region."""
    region = os.environ.get("AWS_REGION")
    results, diagnostics = load(paths, options)
    lacking = any(d.code == "SW806" for d in diagnostics) or any(
        r.compilation is not None and r.compilation.region is None for r in results
    )
    if region and lacking:
        results, diagnostics = load(
            paths, replace(options, overrides=replace(options.overrides, region=region))
        )
    report(diagnostics, results, "text")
    compilations = [result.compilation for result in results if result.compilation is not None]
    for compilation in compilations:
        if region and compilation.region != region:
            raise click.UsageError(
                f"AWS_REGION is {region}, and the target `{compilation.target}` is in {compilation.region}: "
                "unset it, or pass --region"
            )
    return compilations, exit_code(diagnostics)


class _Session:
    """Upserts pipelines one after the other."""

    def __init__(self, endpoint_url: str | None, yes: bool, force: bool, machine: bool) -> None:
        self._endpoint_url = endpoint_url
        self._yes = yes
        self._force = force
        self._machine = machine
        self._clients: dict[str | None, Clients] = {}

    def run(self, compilations: list[Compilation]) -> int:
        """The exit code. A pipeline that is refused does not stop the next; AWS that fails does."""
        from sagewright.compiler.aws import AwsError
        from sagewright.compiler.plan import Refused

        code, results = 0, []
        for done, compilation in enumerate(compilations):
            try:
                results.append(_shown(compilation, self._upsert(compilation)))
            except Refused as error:
                code = REFUSED
                _complain(error.message, error.hint)
            except AwsError as error:
                code = FAILED
                _complain(f"{compilation.name}: {error.message} [{error.code}]", error.hint)
                _left_alone(compilations[done + 1 :])
                break
            except KeyboardInterrupt:
                code = INTERRUPTED
                _complain("interrupted", "nothing is lost: running it again completes it")
                break
        if self._machine:
            click.echo(json.dumps(results, indent=1))
        return code

    def _upsert(self, compilation: Compilation) -> Result:
        from sagewright.compiler.apply import upsert
        from sagewright.compiler.aws import Clients

        region = compilation.region
        clients = self._clients.setdefault(region, Clients(region, self._endpoint_url))
        return upsert(compilation, clients, confirm=self._confirm, report=self._say, force=self._force)

    def _confirm(self, plan: Plan) -> bool:
        if self._yes:
            return True
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"there is no terminal to ask whether to {plan.action} `{plan.compilation.name}`: pass --yes"
            )
        return click.confirm(f"{plan.action.capitalize()} {plan.compilation.name}?", err=True)

    def _say(self, line: str) -> None:
        click.echo(line, err=self._machine)


def _shown(compilation: Compilation, result: Result) -> dict[str, Any]:
    return {
        "pipeline": compilation.name,
        "target": compilation.target,
        "action": result.action,
        "arn": result.arn,
        "version": result.version,
        "digest": result.digest,
        "uploads": result.uploads,
    }


def _complain(message: str, hint: str | None) -> None:
    click.echo(f"{click.style('error', fg='red', bold=True)}: {message}", err=True)
    if hint:
        click.echo(f"  = {hint}", err=True)


def _left_alone(compilations: list[Compilation]) -> None:
    if compilations:
        click.echo(f"not reached: {', '.join(compilation.name for compilation in compilations)}", err=True)
