"""`sagewright plan`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.options import Options, compile_options
from sagewright.compiler.commands.session import (
    CHANGES,
    FAILED,
    INTERRUPTED,
    Progress,
    compile_all,
    complain,
    complain_all,
    endpoint_option,
    jobs_option,
)
from sagewright.compiler.compilation import Compilation

if TYPE_CHECKING:
    from sagewright.compiler.fleet import Fleet, Orphaned
    from sagewright.compiler.plan_report import Report

FORMATS = ("text", "json", "markdown", "github")


@click.command("plan")
@compile_options
@format_option(FORMATS)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Keep it, for `upsert --plan`.")
@click.option("--detailed-exitcode", is_flag=True, help="End with 3 where there are changes.")
@jobs_option
@endpoint_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: list[Path],
    options: Options,
    format_: str,
    out: Path | None,
    detailed_exitcode: bool,
    jobs: int,
    endpoint_url: str | None,
) -> None:
    """Say what `upsert` would do, and change nothing: it needs permissions to read only.

    Compares by step and field what is compiled with what is deployed; order, white space and defaults do not count.
    Tells which steps will miss SageMaker's cache, which permissions the pipeline's role newly needs, and, for the whole
    project, which pipelines are orphaned. `--format markdown` is a comment for a pull request, `github` makes
    annotations, and a summary of the job.

    \b
    Examples:
      sagewright plan
      sagewright plan --target prod --out plan.json && sagewright upsert --plan plan.json
      sagewright plan --target prod-eu,prod-us       # or --target all
      sagewright plan --format markdown > comment.md
      sagewright plan --detailed-exitcode     # 0: nothing to do, 3: changes
    """
    from sagewright.compiler.fleet import Fleet

    compilations, code = compile_all(paths, options)
    if code == 0:
        report, code = survey(Fleet(endpoint_url, jobs), compilations, whole=not paths)
        _show(report, format_)
        if out is not None and code == 0:
            _write(out, report)
        code = code or (CHANGES if detailed_exitcode and (report.changes or report.orphans) else 0)
    ctx.exit(code)


def survey(fleet: Fleet, compilations: list[Compilation], *, whole: bool) -> tuple[Report, int]:
    """Plan everything, and look for orphans where it is the `whole` project. The exit code tells of failures."""
    from sagewright.compiler.fleet import Failure
    from sagewright.compiler.plan import Plan
    from sagewright.compiler.plan_report import Report

    progress = Progress("planned", len(compilations))
    outcomes, interrupted = fleet.plan(compilations, progress)
    progress.clear()
    plans = [outcome for outcome in outcomes if isinstance(outcome, Plan)]
    failures = [
        (name, outcome)
        for name, outcome in zip(names(compilations), outcomes, strict=True)
        if isinstance(outcome, Failure)
    ]
    code = complain_all(failures)
    orphans: list[Orphaned] | None = None
    if whole and not failures:
        orphans, code = _orphans(fleet, compilations)
    return Report(plans, failures, orphans), INTERRUPTED if interrupted else code


def names(compilations: Sequence[Compilation]) -> list[str]:
    """What messages call each; with its target where there are several."""
    several = len({made.target for made in compilations}) > 1
    return [f"{made.target}: {made.name}" if several else made.name for made in compilations]


def _orphans(fleet: Fleet, compilations: Sequence[Compilation]) -> tuple[list[Orphaned] | None, int]:
    """Without the right to search there is a word, and no list."""
    from sagewright.compiler.aws import DENIED, AwsError

    try:
        return fleet.orphans(compilations), 0
    except AwsError as error:
        if error.code in DENIED or error.code == "UnknownOperationException":
            click.echo(f"orphaned pipelines are not looked for: {error.message}", err=True)
            return None, 0
        complain(f"{error.message} [{error.code}]", error.hint)
        return None, FAILED


def _show(report: Report, format_: str) -> None:
    from sagewright.compiler import plan_file, plan_report

    if format_ == "json":
        click.echo(
            json.dumps(plan_file.to_data(report.plans, report.orphans or ()), indent=1, ensure_ascii=False)
        )
    elif format_ == "markdown":
        click.echo(plan_report.markdown(report))
    else:
        for line in (plan_report.github if format_ == "github" else plan_report.text)(report):
            click.echo(line)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if format_ == "github" and summary:
        with Path(summary).open("a", encoding="utf-8") as stream:
            stream.write(plan_report.markdown(report) + "\n")


def _write(out: Path, report: Report) -> None:
    from sagewright.compiler import plan_file
    from sagewright.compiler.output import write_all

    data = plan_file.to_data(report.plans, report.orphans or ())
    try:
        write_all({out: json.dumps(data, indent=1, ensure_ascii=False) + "\n"})
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {(error.strerror or str(error)).lower()}") from error
    click.echo(f"wrote {out.as_posix()}", err=True)
