"""`sagewright emulate`: SageMaker's API on loopback."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sagewright.compiler.emulator.executors import ScenarioOf
    from sagewright.compiler.engine.blueprint import Blueprint
    from sagewright.compiler.engine.scenario import Scenario
    from sagewright.compiler.source import Map

EXECUTORS = ("simulated", "local")
"""The keys of `emulator.executors.KINDS`, which is not imported for the sake of a help text."""
SPEED = 600.0
EPILOG = """\b
Examples:
  sagewright emulate --port 5000
  sagewright emulate --scenario busy.yaml --speed 60
  sagewright emulate --state .sagewright/emulator.db
  # in another terminal
  export AWS_ENDPOINT_URL=http://127.0.0.1:5000 AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
  aws s3 mb s3://my-bucket
  sagewright upsert --bucket my-bucket --yes
  sagewright start pipelines/churn --watch --interval 1
"""


@click.command("emulate", epilog=EPILOG, short_help="Run SageMaker's API on this machine.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="0 is any free port."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--executor",
    type=click.Choice(EXECUTORS),
    default=EXECUTORS[0],
    show_default=True,
    help="What carries out the steps of executions: nothing, or their own code, on this machine.",
)
@click.option(
    "--scenario",
    metavar="FILE",
    help="How steps end that are not run, and how long they take: a file of `simulate`; `tests.yaml::name` takes it from "
    "a test.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 1e6, min_open=True),
    default=SPEED,
    show_default=True,
    help="Simulated seconds in a second: 60 makes a minute take one.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep pipelines, executions, model packages and S3 objects in this file, over restarts.",
)
@click.option("--verbose", is_flag=True, help="Write a line for each request.")
def command(
    port: int,
    host: str,
    executor: str,
    scenario: str | None,
    speed: float,
    state: Path | None,
    verbose: bool,
) -> None:
    """Run SageMaker's API on this machine: deploy pipelines and execute them without AWS.

    It checks definitions as SageMaker does, keeps their versions, executes them by its rules, and has S3, IAM, KMS,
    STS and the rest of moto beside. Steps are simulated: they take their time, --speed times as fast, and succeed,
    unless the scenario says otherwise. With --executor local they run, as `sagewright run` runs them, for the project
    in this folder. Without --state everything is forgotten when it ends. Needs `sagewright[local]`.
    """
    scenario_of = _scenario(scenario) if scenario else None
    try:
        from sagewright.compiler.emulator.executors import Settings
        from sagewright.compiler.emulator.server import serve
        from sagewright.compiler.emulator.store import StateError
        from sagewright.compiler.engine.scenario import Scenario

        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            os.environ.setdefault(name, "testing")  # steps that run here read and write the emulator's S3
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        settings = Settings(executor, speed, scenario_of or (lambda _plan: Scenario()))
        try:
            serve(host, port, _ready, settings=settings, state=state, say=_say, verbose=verbose)
        except StateError as error:
            raise click.ClickException(f"{error}\n  nothing was changed in it") from None
    except ImportError as error:
        raise click.ClickException(
            f"the emulator needs moto's server, which is not installed ({error.name or error})\n"
            "  install it with: pip install 'sagewright[local]'"
        ) from None
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    click.echo("stopped", err=True)


def _scenario(written: str) -> ScenarioOf:
    """What a scenario file says of any pipeline; mistakes in the file itself end the command."""
    from sagewright.compiler.commands.assumptions import read_scenario
    from sagewright.compiler.diagnostics import Sink
    from sagewright.compiler.render import render

    sink = Sink()
    data = read_scenario(written, sink)
    if data is None:
        click.echo(render(sink.diagnostics, sink.texts, "text"), err=True)
        raise click.exceptions.Exit(1)
    told: set[str] = set()

    def scenario_of(plan: Blueprint) -> Scenario:
        found, mistakes = _for(plan, data)
        for line in mistakes:
            if line not in told:
                told.add(line)
                click.echo(line, err=True)
        return found

    return scenario_of


_OF_OTHERS = frozenset({"SW207", "SW301", "SW303"})
"""A kind, a step and a parameter that a pipeline does not have: the file may be for several."""


def _for(plan: Blueprint, data: Map) -> tuple[Scenario, list[str]]:
    """What a file says of a pipeline, and what is wrong with that."""
    from sagewright.compiler.diagnostics import Sink
    from sagewright.compiler.engine.given import Names, given
    from sagewright.compiler.render import render

    sink = Sink()
    found = given(data, Names(plan), sink).scenario
    mistakes = [d for d in sink.diagnostics if d.code not in _OF_OTHERS]
    return found, [render([mistake], {}, "oneline") for mistake in mistakes]


def _say(line: str) -> None:
    click.echo(line)


def _ready(url: str) -> None:
    click.echo(f"SageMaker's API is emulated at {url} (Ctrl-C stops it)\n")
    click.echo(f"  export AWS_ENDPOINT_URL={url}")
    click.echo("  export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing\n")
