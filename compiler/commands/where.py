"""Deployed pipelines named on the command line: by a pipeline's file, or by the name that AWS knows."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sagewright.compiler.commands.options import (
    TARGETS_HELP,
    Options,
    exit_code,
    load,
    place_options,
    report,
    targets_of,
)
from sagewright.compiler.commands.session import FAILED, REFUSED, complain
from sagewright.compiler.compilation import Compilation
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.project import Overrides, Settings
from sagewright.compiler.project import load as load_project
from sagewright.compiler.project import settings as project_settings

if TYPE_CHECKING:
    from sagewright.compiler.aws import Clients
    from sagewright.compiler.observe import Survey


@dataclass(slots=True)
class Where:
    """The target of the project around the working directory, and AWS as it is seen from there."""

    options: Options
    settings: Settings | None
    survey: Survey

    @property
    def clients(self) -> Clients:
        return self.survey.clients

    @property
    def target(self) -> str:
        return self.settings.target if self.settings else "default"

    @property
    def project(self) -> str | None:
        return self.settings.name if self.settings else None

    def guard(self) -> None:
        """Raise Refused unless the credentials are those of the target's account. Raises AwsError."""
        self.survey.guard(self.settings.account if self.settings else None, self.target)

    def name(self, pipeline: str) -> str:
        """The deployed name of what was given: a pipeline's file or folder, or the name itself."""
        if not pipeline:
            raise click.UsageError("which pipeline? an empty name is none")
        path = Path(pipeline)
        if not (path.is_file() or (path / "pipeline.yaml").is_file()):
            return pipeline
        return compile_one(path, self.options).name

    def compilation(self, name: str) -> Compilation:
        """A pipeline of that name here, with nothing in it yet."""
        found = self.settings
        return Compilation(
            name=name,
            target=self.target,
            definition="{}",
            digest="",
            role=None,
            display_name=None,
            description=None,
            parallelism=None,
            tags={},
            region=self.clients.region,
            account=found.account if found else None,
            bucket=found.bucket if found else None,
            prefix=found.prefix if found else "",
            uploads=(),
            kms_key=found.kms_key if found else None,
            bucket_owner=found.bucket_owner if found else None,
            source="",
            project=self.project,
        )


def compile_one(path: Path, options: Options) -> Compilation:
    """Compile one pipeline; its mistakes are shown, and end the command."""
    results, diagnostics = load([path], options)
    report(diagnostics, results, "text")
    if exit_code(diagnostics) or len(results) != 1 or results[0].compilation is None:
        raise click.exceptions.Exit(exit_code(diagnostics) or REFUSED)
    return results[0].compilation


def where(options: Options, endpoint_url: str | None) -> Where:
    """The project of the working directory, or none; AWS_REGION where that names no region."""
    from sagewright.compiler.aws import Clients
    from sagewright.compiler.observe import Survey

    sink = Sink()
    project = load_project(Path.cwd(), sink)
    found = project_settings(project, options.target, options.overrides, sink) if not sink.failed else None
    if found is None and sink.diagnostics and (project.document is not None or options.target):
        report(sink.diagnostics, (), "text")
        raise click.exceptions.Exit(exit_code(sink.diagnostics))
    region, env = found.region if found else options.overrides.region, os.environ.get("AWS_REGION")
    if region and env and region != env:
        raise click.UsageError(
            f"AWS_REGION is {env}, and the target is in {region}: unset it, or pass --region"
        )
    profile = found.profile if found else None
    return Where(options, found, Survey(Clients(region or env, endpoint_url, profile=profile)))


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--target, --region, --bucket, --prefix and --endpoint-url; the command gets `at`, a `Where`.

    What it returns is its exit code; Refused and AwsError are shown.
    """

    def one(options: Options, endpoint_url: str | None, **rest: Any) -> int:
        if len(targets_of(options)) > 1:
            raise click.UsageError(f"this takes one target, not `{options.target}`")
        return handled(lambda: command(where(options, endpoint_url), **rest))

    return _with_options(command, one, "Target of the project file.")


def each_target(command: Callable[..., Any]) -> Callable[..., Any]:
    """As `aws_options`, for a command that is done for several targets in turn.

    The command is not begun before the credentials were seen to be right for all; it ends with the worst of its codes.
    """

    def each(options: Options, endpoint_url: str | None, **rest: Any) -> int:
        targets = targets_of(options)
        places = [where(replace(options, target=target), endpoint_url) for target in targets]
        code = max([handled(at.guard) for at in places])
        if code and len(places) > 1:
            click.echo("nothing was done: every target must be open first", err=True)
        for at in places if not code else ():
            if len(places) > 1:
                click.echo(f"target {at.target}:")
            code = max(code, handled(lambda at=at: command(at, **rest)))
        return code

    return _with_options(command, each, TARGETS_HELP)


def _with_options(command: Callable[..., Any], run: Callable[..., int], about: str) -> Callable[..., Any]:
    def wrapped(
        target: str | None,
        region: str | None,
        bucket: str | None,
        prefix: str | None,
        endpoint_url: str | None,
        **rest: Any,
    ) -> None:
        options = Options(target, Overrides(region, bucket, prefix))
        raise click.exceptions.Exit(run(options, endpoint_url, **rest))

    update_wrapper(wrapped, command)
    for option in reversed(
        (
            click.option("--target", "-t", metavar="NAME", help=about),
            *place_options(),
            click.option(
                "--endpoint-url", metavar="URL", help="In place of AWS's endpoints, as AWS_ENDPOINT_URL."
            ),
        )
    ):
        wrapped = option(wrapped)
    return wrapped


def handled(action: Callable[[], int | None]) -> int:
    """What `action` returns, or the exit code of the error that it raised, which is shown."""
    from sagewright.compiler.aws import AwsError
    from sagewright.compiler.plan import Refused

    try:
        return action() or 0
    except Refused as error:
        complain(error.message, error.hint)
        return REFUSED
    except AwsError as error:
        complain(f"{error.message} [{error.code}]", error.hint)
        return FAILED


def confirm(question: str, yes: bool) -> bool:
    """Ask on the terminal; without one, `--yes` is needed."""
    import sys

    if yes:
        return True
    if not sys.stdin.isatty():
        raise click.UsageError(f"there is no terminal to ask: {question} Pass --yes")
    return click.confirm(question, err=True)
