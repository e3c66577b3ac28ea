"""`sagewright simulate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from sagewright.compiler.commands.assumptions import assumptions, read_prices
from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.options import Options, compile_options
from sagewright.compiler.commands.subject import Subject, given_for, one_subject
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.engine.cost import Prices
from sagewright.compiler.engine.given import Given

_RUN = ("Succeeded", "CompletedWithFailures")


@click.command("simulate")
@compile_options
@click.option("--scenario", metavar="FILE", help="What is assumed; `tests.yaml::name` takes it from a test.")
@click.option("--param", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline.")
@click.option(
    "--set",
    "set_",
    multiple=True,
    metavar="STEP.PATH=VALUE",
    help="What a step gives: Evaluate.reports.evaluation.mse=4.2",
)
@click.option(
    "--take",
    multiple=True,
    metavar="STEP=then|else",
    help="The branch of a condition whose values are not given.",
)
@click.option(
    "--fail", multiple=True, metavar="STEP=ERROR[:TIMES]", help="How a step fails: Train=CapacityError:2"
)
@click.option(
    "--fail-rate",
    multiple=True,
    metavar="STEP=[ERROR:]RATE",
    help="How often it fails by chance; `*` is every step.",
)
@click.option(
    "--duration",
    multiple=True,
    metavar="NAME=TIME",
    help="How long a step takes, or all of a kind: processing=5m",
)
@click.option("--parallelism", type=click.IntRange(min=1), help="How many steps run at once.")
@click.option("--select", multiple=True, metavar="STEP", help="Run only these (selective execution).")
@click.option(
    "--after", metavar="TIME", help="Show a second execution, this long after the first, with its cache."
)
@click.option("--stop-at", metavar="TIME", help="Stop the execution then.")
@click.option(
    "--runs", type=click.IntRange(min=1), help="Simulate so often, by chance, and show the distribution."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="For chances: the same seed gives the same runs."
)
@click.option("--prices", type=click.Path(path_type=Path), help="What instances cost, for --runs.")
@click.option("--explore", is_flag=True, help="Follow every outcome of conditions, and failures.")
@click.option(
    "--failures",
    type=click.IntRange(0, 3),
    default=2,
    show_default=True,
    help="How many failures --explore takes at most.",
)
@click.option(
    "--cap",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    help="How many states --explore looks at.",
)
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: list[Path],
    options: Options,
    scenario: str | None,
    runs: int | None,
    seed: int,
    prices: Path | None,
    explore: bool,
    failures: int,
    cap: int,
    format_: str,
    **given: Any,
) -> None:
    """Run a pipeline without its code: in no time, by SageMaker's rules, as far as they are known.

    PATHS is one pipeline file, its folder, or any definition's JSON. Steps succeed unless told otherwise; what they
    give (metrics, outputs, reports) is unknown unless told.

    \b
    Examples:
      sagewright simulate pipelines/churn --set Evaluate.reports.evaluation.auc=0.97
      sagewright simulate pipelines/churn --fail Train=CapacityError:2 --take Gate=else
      sagewright simulate pipelines/churn --scenario busy.yaml --runs 10000 --prices prices.yaml
      sagewright simulate definition.json --explore
    """
    _require_together(ctx)
    subject = one_subject(ctx, paths, options)
    assumed = given_for(ctx, subject, scenario, assumptions(subject.names, **given))
    costs = _prices(ctx, prices)
    from sagewright.compiler.engine.parameters import Refused

    try:
        if explore:
            ctx.exit(_explore(subject, assumed, failures, cap, format_))
        if runs:
            ctx.exit(_sample(subject, assumed, runs, seed, costs, format_))
        ctx.exit(_once(subject, assumed, format_))
    except Refused as error:
        raise click.UsageError(f"SageMaker refuses: {error}") from None


_ONLY_WITH = {"prices": "runs", "fail_rate": "runs", "seed": "runs", "failures": "explore", "cap": "explore"}
_NOT_WITH = {"explore": ("runs", "after", "select", "stop_at")}


def _require_together(ctx: click.Context) -> None:
    """Refuse options that would be passed over."""
    names = {p.name: p.opts[-1] for p in ctx.command.params if p.name}
    given = {
        name for name in names if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    for name, other in _ONLY_WITH.items():
        if name in given and other not in given:
            raise click.UsageError(f"{names[name]} is for {names[other]}")
    for name, others in _NOT_WITH.items():
        for other in others:
            if {name, other} <= given:
                raise click.UsageError(f"{names[name]} and {names[other]} do not go together")


def _prices(ctx: click.Context, path: Path | None) -> Prices | None:
    """Exits where something is wrong with the file."""
    sink = Sink()
    found = read_prices(path, sink) if path else None
    if sink.failed:
        from sagewright.compiler.render import render

        click.echo(render(sink.diagnostics, sink.texts, "text"), err=True)
        ctx.exit(1)
    return found


def _once(subject: Subject, given: Given, format_: str) -> int:
    from sagewright.compiler.engine import timeline
    from sagewright.compiler.engine.outcome import simulate_given

    result = simulate_given(subject.names.plan, given, pipeline=subject.name)
    _say(timeline.as_json(result, given) if format_ == "json" else timeline.as_text(result, given))
    return 0 if result.execution.status in _RUN and not result.contradictions else 1


def _sample(subject: Subject, given: Given, runs: int, seed: int, prices: Any, format_: str) -> int:
    from sagewright.compiler.engine import sampling
    from sagewright.compiler.engine.telling import sample_text

    found = sampling.sample(subject.names.plan, given, runs, seed, pipeline=subject.name, prices=prices)
    currency = prices.currency if prices else ""
    _say(sampling.as_json(found) if format_ == "json" else sample_text(found, currency))
    return 0


def _explore(subject: Subject, given: Given, failures: int, cap: int, format_: str) -> int:
    from sagewright.compiler.engine import explore
    from sagewright.compiler.engine.parameters import any_values
    from sagewright.compiler.engine.telling import exploration_text

    plan, scenario = subject.names.plan, given.scenario
    values = any_values(plan.definition, scenario.parameters)
    found = explore.explore(plan, scenario, values, failures=failures, cap=cap)
    _say(explore.as_json(found) if format_ == "json" else exploration_text(found, subject.name, failures))
    return 1 if found.never or found.dead_ends or found.empty_references else 0


def _say(found: Any) -> None:
    text = found if isinstance(found, str) else json.dumps(found, indent=1, ensure_ascii=False, default=str)
    click.echo(text)
