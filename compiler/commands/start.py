"""`sagewright start`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sagewright.compiler.commands.watch import follow, interval_option
from sagewright.compiler.commands.where import Where, aws_options


@click.command("start")
@click.argument("pipeline")
@aws_options
@click.option(
    "--parameter", "-p", "assignments", metavar="K=V", multiple=True, help="A parameter; may be repeated."
)
@click.option(
    "--params",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Parameters from a file: a mapping, in YAML or JSON. -p is stronger.",
)
@click.option("--steps", metavar="A,B", help="Execute only these steps.")
@click.option("--from", "source", metavar="EXECUTION", help="Take what they read from this execution.")
@click.option("--parallelism", type=click.IntRange(1, 50), help="Steps at once, for this execution.")
@click.option("--version", metavar="N", help="A version's number, or an alias.")
@click.option("--name", "display_name", metavar="TEXT", help="How the console shows the execution.")
@click.option(
    "--token", metavar="TEXT", help="The same token starts one execution, however often it is given."
)
@click.option("--watch", "watching", is_flag=True, help="Watch it until it ends.")
@interval_option
def command(
    at: Where,
    pipeline: str,
    assignments: tuple[str, ...],
    params: Path | None,
    steps: str | None,
    source: str | None,
    parallelism: int | None,
    version: str | None,
    display_name: str | None,
    token: str | None,
    watching: bool,
    interval: float,
) -> int:
    """Execute a deployed pipeline. Parameters are checked against its definition before AWS is asked.

    Writes the execution's ARN. With --watch it ends as the execution does: 0 if it succeeded, 1 if not.

    \b
    Examples:
      sagewright start pipelines/churn -p InputData=s3://acme-ml/today.csv --watch
      sagewright start churn-prod --target prod --params nightly.yaml --token "$CI_JOB_ID"
      sagewright start churn --steps Train,Evaluate --from churn/abcdef123456
    """
    from sagewright.compiler import executions

    at.guard()
    given = {**(_read(params) if params else {}), **dict(_assignment(text) for text in assignments)}
    how = executions.Start(
        given,
        version,
        tuple(filter(None, (steps or "").split(","))),
        source,
        parallelism,
        display_name,
        token,
    )
    arn = executions.start(at.name(pipeline), how, at.clients)
    click.echo(arn)
    return follow(arn, at.clients, interval) if watching else 0


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"-p wants NAME=VALUE, not '{text}'")
    return name, value


def _read(path: Path) -> dict[str, str]:
    """Scalars as they are written, the rest as JSON."""
    from sagewright.compiler.diagnostics import Sink
    from sagewright.compiler.source import Map, read, source_text

    sink = Sink()
    document = read(path, sink, path.as_posix())
    data: Any = document.data if document is not None else None
    if sink.failed or not isinstance(data, Map):
        said = sink.diagnostics[0].message if sink.diagnostics else "it is no mapping from names to values"
        raise click.UsageError(f"{path}: {said}")
    return {
        str(key): json.dumps(value) if isinstance(value, (dict, list)) else source_text(data, key)
        for key, value in data.items()
    }
