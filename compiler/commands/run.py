"""`sagewright run`."""

from __future__ import annotations

import json
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagewright.compiler.commands.assumptions import assumptions
from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.options import Options, compile_options
from sagewright.compiler.commands.session import INTERRUPTED, endpoint_option
from sagewright.compiler.commands.subject import Subject, given_for, one_subject
from sagewright.compiler.commands.watch import viewer
from sagewright.compiler.engine.scheduler import MAX_PARALLEL
from sagewright.compiler.project import display, find_root

if TYPE_CHECKING:
    from sagewright.compiler.compilation import Compilation
    from sagewright.compiler.engine.events import Command
    from sagewright.compiler.engine.given import Given
    from sagewright.compiler.engine.scheduler import Execution
    from sagewright.compiler.executions import Snapshot
    from sagewright.compiler.local.executor import LocalExecutor
    from sagewright.compiler.local.runs import Run
    from sagewright.compiler.local.workplace import Workplace

_FINE = ("Succeeded", "CompletedWithFailures")
_KEPT = ("data", "stub", "set_", "isolation", "endpoint_url")
"""What of the command line holds for whoever goes on with the run, too."""
_TAIL = 20
"""Lines of a failed step's log that are shown."""


def _mounts(_ctx: click.Context, _param: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        uri, equals, path = text.partition("=")
        if not (uri.startswith("s3://") and equals and path):
            raise click.BadParameter(f"data is given as s3://bucket/key=path, not `{text}`")
    return texts


@click.command("run")
@compile_options
@click.option("--param", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline.")
@click.option(
    "--data",
    multiple=True,
    metavar="URI=PATH",
    callback=_mounts,
    help="A file or folder that stands for what lies at an S3 URI.",
)
@click.option("--stub", metavar="FILE", help="Results of steps that are not to run here; see `simulate`.")
@click.option(
    "--set",
    "set_",
    multiple=True,
    metavar="STEP.PATH=VALUE",
    help="A result of a step that is not to run here: Bias.properties.X=1",
)
@click.option("--steps", metavar="A,B", help="Run only these, with the results of another run.")
@click.option("--from", "source", metavar="RUN", help="Of --steps: the run whose results are taken.")
@click.option(
    "--resume", metavar="RUN", help="Go on with a run that was stopped or failed; `last` is the newest."
)
@click.option("--no-cache", is_flag=True, help="Run every step, whether or not anything has changed.")
@click.option("--parallelism", type=click.IntRange(min=1), help="How many steps run at once.")
@click.option(
    "--isolation",
    type=click.Choice(("bubblewrap", "unshare", "folders", "docker")),
    help="How steps are kept apart; the best that works by default.",
)
@click.option("--keep", is_flag=True, help="Keep the files of steps that succeeded, not only their logs.")
@endpoint_option
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: list[Path],
    options: Options,
    resume: str | None,
    steps: str | None,
    source: str | None,
    **how: Any,
) -> None:
    """Run a pipeline here: its own code, without AWS and without Docker.

    PATHS is one pipeline file, its folder, or any definition's JSON. Processing, training, transform, model, register,
    deploy, lambda and callback steps are carried out by SageMaker's container contract, each image as the Python
    environment that the project file gives it. S3 is the folder `.sagewright/s3`, the registry and the endpoints are
    local too. What has not changed since an earlier run is not run again. Ctrl-C stops every step, but waits, as
    SageMaker does, for the answers of callback steps; again, it ends at once. `--resume` goes on.

    \b
    Examples:
      sagewright run pipelines/churn --data s3://acme-ml/churn=data/churn.csv
      sagewright run pipelines/churn --param Rounds=10 --no-cache
      sagewright run --resume last
    """
    if source and not steps:
        raise click.UsageError("which steps are to run? name them with --steps")
    if resume and (paths or steps or how["param"] or how["stub"] or how["set_"]):
        raise click.UsageError(
            "--resume goes on with a run as it was begun: give it no pipeline and no parameters"
        )
    from sagewright.compiler.local.job import JobFailed
    from sagewright.compiler.local.runs import RunError
    from sagewright.compiler.local.workplace import CannotRun

    try:
        if resume:
            ctx.exit(_resume(ctx, resume, how))
        ctx.exit(_begin(ctx, paths, options, (steps or "").replace(",", " ").split(), source, how))
    except (RunError, CannotRun, JobFailed) as error:
        raise click.ClickException(str(error)) from None


def _begin(
    ctx: click.Context,
    paths: list[Path],
    options: Options,
    steps: list[str],
    source: str | None,
    how: dict[str, Any],
) -> int:
    """Begin a run. Raises RunError, CannotRun, JobFailed, click's exceptions."""
    from sagewright.compiler.engine.parameters import Refused, resolve
    from sagewright.compiler.local import workplace

    subject = one_subject(ctx, paths, options)
    given = given_for(ctx, subject, how["stub"], assumptions(subject.names, how["param"], how["set_"]))
    plan, made = subject.names.plan, subject.compilation
    workplace.require(plan, given.scenario)
    place = _place(subject.path if made else Path.cwd(), how, made)
    try:
        parameters = resolve(plan.definition, given.scenario.parameters)
        selection = place.selection(plan, _meant(subject, steps), source)
    except Refused as error:
        raise click.UsageError(f"SageMaker refuses: {error}") from None
    if made is not None:
        workplace.deliver(made.uploads, place.store)
        place = replace(place, functions=workplace.functions(made, plan, place.folder))
    run = place.runs.create(
        subject.name, json.dumps(plan.definition), parameters, place.region, place.account, str(subject.path)
    )
    run.begun_with(selection, place.functions, {name: how[name] for name in _KEPT})
    with run.held():
        execution = run.execution(place.documents, selection)
        limit = how["parallelism"] or given.scenario.parallelism
        execution.slots.parallelism = min(limit or MAX_PARALLEL, MAX_PARALLEL)
        return _carry_out(run, execution, execution.begin, given, place, how)


def _resume(ctx: click.Context, number: str, how: dict[str, Any]) -> int:
    """Go on with a run. Raises RunError, CannotRun, JobFailed, click's exceptions."""
    from sagewright.compiler.engine.blueprint import blueprint
    from sagewright.compiler.engine.given import Names
    from sagewright.compiler.local.runs import again
    from sagewright.compiler.local.workplace import runs_of

    runs = runs_of(find_root(Path.cwd())[0])
    run = runs.newest() if number == "last" else runs.find(number)
    if run.status in _FINE:
        raise click.ClickException(f"run {run.id} is {run.status}: there is nothing left to do")
    how |= {name: run.given[name] for name in _KEPT if name in run.given and not how[name]} | {
        "data": [*run.given.get("data", ()), *how["data"]]
    }
    place = replace(
        _place(Path.cwd(), how, None), functions=run.functions(), region=run.region, account=run.account
    )
    subject = Subject(Names(blueprint(run.definition()), pipeline=run.pipeline), {}, Path(run.source))
    given = given_for(ctx, subject, how["stub"], assumptions(subject.names, (), tuple(how["set_"])))
    with run.held():
        execution = run.execution(place.documents)
        return _carry_out(run, execution, partial(again, execution), given, place, how)


def _place(at: Path, how: dict[str, Any], made: Compilation | None) -> Workplace:
    from sagewright.compiler.local.workplace import workplace

    return workplace(
        at,
        data=how["data"],
        isolation=how["isolation"],
        endpoint_url=how["endpoint_url"],
        region=made.region if made else None,
        account=made.account if made else None,
        say=lambda text: click.echo(text, err=True),
    )


def _meant(subject: Subject, names: Iterable[str]) -> list[str]:
    """The steps of the definition that names mean; an unknown one is left for SageMaker's own words."""
    return [step for name in names for step in subject.names.meant(name) or (name,)]


def _carry_out(
    run: Run,
    execution: Execution,
    begin: Callable[[float], list[Command]],
    given: Given,
    place: Workplace,
    how: dict[str, Any],
) -> int:
    """Carry a run on to its end; the exit code."""
    from sagewright.compiler.engine.run import proceed
    from sagewright.compiler.local.executor import SystemClock
    from sagewright.compiler.local.telling import as_seen

    machine = place.machine()
    executor = place.executor(run, machine, given.scenario, cache=not how["no_cache"], keep=how["keep"])
    text = how["format_"] == "text"
    if text:
        click.echo(f"run {run.id} of {run.pipeline}, steps kept apart by {machine.sandbox.name}")
        for gap in machine.sandbox.gaps:
            click.echo(f"note: {gap}", err=True)
    show: Callable[[Snapshot], None] = viewer() if text else lambda _seen: None
    executor.changed = _watcher(run, execution, executor, lambda: show(as_seen(execution)))
    clock = SystemClock()
    try:
        with _interruptible(execution, executor):
            proceed(execution, executor, clock, begin(clock.now()))
    finally:
        executor.close()
        run.save(execution, executor.usages)
    show(as_seen(execution))
    return _conclude(run, execution, place, how["format_"])


def _watcher(
    run: Run, execution: Execution, executor: LocalExecutor, show: Callable[[], None]
) -> Callable[[], None]:
    """Writes the run down after each change, and shows it."""
    last: list[Any] = [None]

    def changed() -> None:
        seen = [(r.name, r.status, len(r.attempts), r.due) for r in execution.records.values()]
        if seen != last[0]:
            last[0] = seen
            run.save(execution, executor.usages)
        show()

    return changed


@contextmanager
def _interruptible(execution: Execution, executor: LocalExecutor) -> Generator[None]:
    """Ctrl-C and SIGTERM stop the run, and its steps with it; a second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def handle(number: int, _frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        click.echo("\nstopping every step (again to end at once)", err=True)
        for step in _unanswered(execution):
            answer = f"sagewright callback {step} --success NAME=VALUE ... | --failure REASON"
            click.echo(f"waiting, as SageMaker does, for `{step}` to be answered: {answer}", err=True)
        executor.ask_to_stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unanswered(execution: Execution) -> list[str]:
    """The callback steps that wait: StopPipelineExecution leaves them to their answers."""
    from sagewright.compiler.engine.state import Status

    records = execution.records.values()
    return [r.name for r in records if r.type == "Callback" and r.status is Status.EXECUTING]


def _conclude(run: Run, execution: Execution, place: Workplace, format_: str) -> int:
    """Say how it ended."""
    from sagewright.compiler.local import telling
    from sagewright.compiler.local.store import NOTHING

    if format_ == "json":
        click.echo(json.dumps(telling.as_json(run), indent=1))
    else:
        click.echo("")
        for line in telling.summary(run):
            click.echo(line)
        failed = telling.failures(run)
        for record in failed:
            _show_tail(run, record.name)
        _explain_missing([record.reason for record in failed if NOTHING in record.reason], place)
    if execution.status in _FINE:
        return 0
    if execution.stopping:
        click.echo(f"stopped; `sagewright run --resume {run.id}` goes on", err=True)
        return INTERRUPTED
    click.echo(f"`sagewright run --resume {run.id}` takes it up again where it failed", err=True)
    return 1


def _explain_missing(reasons: list[str], place: Workplace) -> None:
    """What to do about data that is not there."""
    for uri, path in place.missing.items():
        if any(uri in reason for reason in reasons):
            click.echo(f"{display(path)}, which is to stand for {uri}, is not there", err=True)
    if reasons:
        click.echo(
            "data of this machine is given with --data URI=PATH, or under `local: {data: ..}`", err=True
        )


def _show_tail(run: Run, step: str) -> None:
    """The end of what a failed step printed."""
    path = run.log(step)
    if path is None:
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        tail = deque(lines, _TAIL)
    click.echo(f"\n--- {step}: the end of {display(path)}", err=True)
    for line in tail:
        click.echo(line.rstrip("\n")[:500], err=True)
