"""`sagewright upsert`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagewright.compiler.commands.form import format_option
from sagewright.compiler.commands.options import Options, compile_options
from sagewright.compiler.commands.plan import names, survey
from sagewright.compiler.commands.session import (
    INTERRUPTED,
    REFUSED,
    Progress,
    compile_all,
    complain,
    complain_all,
    endpoint_option,
    jobs_option,
)
from sagewright.compiler.compilation import Compilation

if TYPE_CHECKING:
    from sagewright.compiler.apply import Result
    from sagewright.compiler.fleet import Failure, Fleet, Orphaned
    from sagewright.compiler.plan import Plan
    from sagewright.compiler.plan_file import Kept
    from sagewright.compiler.plan_report import Report

VERBS = {"create": "create", "update": "update", "recreate": "create anew"}


@click.command("upsert")
@compile_options
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Overwrite what somebody else made or changed.")
@click.option("--prune", is_flag=True, help="Delete the project's pipelines whose file is gone.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Carry out a plan that `plan --out` wrote, unless the world has moved since.",
)
@click.option("--alias", metavar="NAME", help="Point this alias at the deployed version.")
@jobs_option
@endpoint_option
@format_option(help="How results are shown.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: list[Path],
    options: Options,
    yes: bool,
    force: bool,
    prune: bool,
    plan_file: Path | None,
    alias: str | None,
    jobs: int,
    endpoint_url: str | None,
    format_: str,
) -> None:
    """Create pipelines in AWS, or update them: code, definition, role, description, parallelism and tags.

    Shows what it will do, and asks. What has not changed is left alone; what somebody else changed is not overwritten
    without --force. Interrupted, running it again completes it. One that fails does not stop the others. With several
    targets nothing is changed unless the credentials are right for all of them.

    \b
    Examples:
      sagewright upsert
      sagewright upsert pipelines/churn --target prod --yes
      sagewright upsert --target prod-eu,prod-us --yes   # or --target all
      sagewright upsert --target prod --plan plan.json
      sagewright upsert --prune --yes --alias live
      sagewright upsert --endpoint-url http://127.0.0.1:5000 --bucket my-bucket
    """
    from sagewright.compiler.fleet import Fleet

    if alias is not None and alias.isdigit():
        raise click.UsageError(f"--alias {alias}: a number is a version's, give the alias a name")
    if prune and paths:
        raise click.UsageError("--prune is for the whole project: name no pipelines with it")
    kept = _read(plan_file) if plan_file else None
    if kept and options.target is None:
        options = replace(options, target=",".join(dict.fromkeys(entry.target for entry in kept)))
    sources = [Path(source) for source in dict.fromkeys(e.source for e in kept or ())] if not paths else []
    compilations, code = compile_all(paths or sources, options)
    if code == 0:
        upsert = _Upsert(
            Fleet(endpoint_url, jobs, alias), yes or kept is not None, force, prune, format_ == "json"
        )
        code = upsert.run(compilations, kept, whole=not paths and kept is None)
    ctx.exit(code)


def _read(path: Path) -> list[Kept]:
    from sagewright.compiler import plan_file
    from sagewright.compiler.plan import Refused

    try:
        return plan_file.read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"cannot read {path}: {error}") from None
    except Refused as error:
        raise click.UsageError(f"{path}: {error.message}; {error.hint}") from None


class _Upsert:
    """Plans everything, asks once, carries it out."""

    def __init__(self, fleet: Fleet, yes: bool, force: bool, prune: bool, machine: bool) -> None:
        self._fleet = fleet
        self._yes = yes
        self._force = force
        self._prune = prune
        self._machine = machine
        self._several = False
        self._results: list[dict[str, Any]] = []

    def run(self, compilations: list[Compilation], kept: list[Kept] | None, *, whole: bool) -> int:
        """The exit code."""
        self._several = len({made.target for made in compilations}) > 1
        report, code = survey(self._fleet, [_with_commit(c) for c in compilations], whole=whole)
        called = dict(zip(names(compilations), compilations, strict=True))
        self._results += [_failed(called[name], failure) for name, failure in report.failures]
        if any(failure.target is not None for _, failure in report.failures):
            click.echo("nothing was changed: every target must be open first", err=True)
        elif code != INTERRUPTED:
            accepted, refused = self._accept(report, kept)
            code = max(code, refused)
            pruned = list(report.orphans or ()) if self._prune else []
            if self._prune and report.orphans is None:
                complain(
                    "what is orphaned is not known", "give the project a `name:`, and the right to search"
                )
                code = max(code, REFUSED)
            todo = [plan for plan in accepted if plan.action != "unchanged"]
            if not (todo or pruned) or self._confirm(todo, pruned):
                code = max(code, self._carry_out(accepted, pruned))
            else:
                self._results += [_shown(p, "declined") for p in accepted]
        if self._machine:
            click.echo(json.dumps(self._results, indent=1))
        return code

    def _accept(self, report: Report, kept: list[Kept] | None) -> tuple[list[Plan], int]:
        """Show the plans; those that may be carried out, and the exit code."""
        from sagewright.compiler.apply import require
        from sagewright.compiler.plan import Refused
        from sagewright.compiler.plan_file import require_same

        try:
            if kept is not None:
                require_same(kept, report.plans)
        except Refused as error:
            complain(error.message, error.hint)
            return [], REFUSED
        accepted: list[Plan] = []
        for plan in report.plans:
            for line in plan.lines():
                self._say(line)
            try:
                require(plan, self._force, self._say)
                accepted.append(plan)
            except Refused as error:
                complain(error.message, error.hint)
                self._results.append(_shown(plan, "refused", error=error.message))
        for orphan in report.orphans or ():
            left = "" if self._prune else ": its file is gone; --prune deletes it"
            where = f" (target {orphan.target})" if self._several else ""
            self._say(f"{'delete' if self._prune else 'orphaned'} pipeline {orphan.name}{where}{left}")
        return accepted, 0 if len(accepted) == len(report.plans) else REFUSED

    def _confirm(self, plans: list[Plan], pruned: list[Orphaned]) -> bool:
        if self._yes:
            return True
        question = _question(plans, pruned)
        if not sys.stdin.isatty():
            raise click.UsageError(f"there is no terminal to ask whether to {question}: pass --yes")
        return click.confirm(f"{question[0].upper()}{question[1:]}?", err=True)

    def _carry_out(self, plans: list[Plan], pruned: list[Orphaned]) -> int:
        from sagewright.compiler.apply import Result

        changing = sum(plan.action != "unchanged" for plan in plans)
        progress = Progress("done", changing)

        def say(target: str, name: str, line: str) -> None:
            progress.clear()
            called = f"{target}: {name}" if self._several else name
            self._say(line if changing == 1 else f"{called}: {line}")

        outcomes, interrupted = self._fleet.carry_out(plans, say=say, force=self._force, done=progress)
        progress.clear()
        pairs = list(zip(plans, outcomes, strict=True))
        self._results += [_shown(p, o.action, o) for p, o in pairs if isinstance(o, Result)]
        called = names([plan.compilation for plan in plans])
        failures = [(n, o) for n, o in zip(called, outcomes, strict=True) if not isinstance(o, Result)]
        self._results += [_failed(p.compilation, o) for p, o in pairs if not isinstance(o, Result)]
        code = complain_all(failures)
        if failures and len(plans) > 1:
            done = len(plans) - len(failures)
            click.echo(
                f"{done} of {len(plans)} are done; left: {', '.join(name for name, _ in failures)}. "
                "Running it again takes up what is left.",
                err=True,
            )
        if interrupted:
            return INTERRUPTED
        return max(code, complain_all(self._remove(pruned))) if pruned and not failures else code

    def _remove(self, pruned: list[Orphaned]) -> list[tuple[str, Failure]]:
        from sagewright.compiler.fleet import Failure

        outcomes, _ = self._fleet.remove(pruned, say=lambda target, name, line: self._say(line))
        return [
            (orphan.name, o) for orphan, o in zip(pruned, outcomes, strict=True) if isinstance(o, Failure)
        ]

    def _say(self, line: str) -> None:
        click.echo(line, err=self._machine)


def _with_commit(compilation: Compilation) -> Compilation:
    from sagewright.compiler import git

    return replace(compilation, commit=git.commit(Path(compilation.source).absolute().parent))


def _question(plans: Sequence[Plan], pruned: Sequence[Any]) -> str:
    """`create one`; `create 2 and update 3 pipelines`."""
    if len(plans) == 1 and not pruned:
        return f"{VERBS[plans[0].action]} {plans[0].compilation.name}"
    counts = {verb: sum(plan.action == action for plan in plans) for action, verb in VERBS.items()}
    counts["delete"] = len(pruned)
    said = [f"{verb} {count}" for verb, count in counts.items() if count]
    total = sum(counts.values())
    return f"{' and '.join(said)} pipeline{'' if total == 1 else 's'}"


def _failed(made: Compilation, failure: Failure) -> dict[str, Any]:
    """As `_shown`, of a pipeline that was not brought to its end; its action is the failure's kind."""
    return {
        "pipeline": made.name,
        "target": made.target,
        "action": failure.kind,
        "arn": None,
        "version": None,
        "digest": made.digest,
        "uploads": 0,
        "error": f"{failure.message} [{failure.code}]" if failure.code else failure.message,
    }


def _shown(
    plan: Plan, action: str, result: Result | None = None, *, error: str | None = None
) -> dict[str, Any]:
    return {
        "pipeline": plan.compilation.name,
        "target": plan.compilation.target,
        "action": action,
        "arn": result.arn if result else plan.deployed.arn if plan.deployed else None,
        "version": result.version if result else None,
        "digest": plan.digest,
        "uploads": result.uploads if result else 0,
        "error": error,
    }
