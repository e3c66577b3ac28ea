"""`sagewright init`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from sagewright import steps
from sagewright.compiler.commands.options import place
from sagewright.compiler.output import write_all
from sagewright.compiler.project import FILE
from sagewright.compiler.suggest import listing, nearest
from sagewright.schemas import bundle

SCHEMA_FILE = "sagewright.schema.json"
_NOT_COPIED = re.compile(r"__pycache__|\.pyc$|^definition\.golden\.json$|^data$|^__init__\.py$")
_PROJECT = """\
# The project: what its pipelines share. All its keys: `sagewright schema --project`.
version: 1
region: {region}
bucket: {bucket}          # where code and definitions are uploaded
role: {role}
targets:
  dev:
    default: true
    account: "{account}"
  # prod: {{account: "210987654321", region: eu-west-1, bucket: my-bucket-prod, name_suffix: -prod}}
# What `sagewright run` finds on this machine in place of S3:
# local: {{data: {{"s3://{bucket}/<prefix>/": {pipeline}/data}}}}
"""
_IGNORED = "build/\n.sagewright/\n"


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--template",
    metavar="NAME",
    default="breast-cancer",
    show_default=True,
    help="Ready-made pipeline to begin with.",
)
@click.option(
    "--name", metavar="NAME", help="Name of the pipeline and its folder; the template's by default."
)
@click.option("--list", "list_", is_flag=True, help="List the templates.")
@click.option("--region", default="us-west-2", show_default=True, callback=place)
@click.option("--bucket", default="my-bucket", show_default=True, callback=place)
@click.option(
    "--role",
    metavar="ARN",
    default="arn:aws:iam::123456789012:role/SageMakerRole",
    show_default=True,
    callback=place,
)
def command(
    folder: Path, template: str, name: str | None, list_: bool, region: str, bucket: str, role: str
) -> None:
    """Make a project in FOLDER, or add a pipeline to the one that is there. Nothing is overwritten.

    \b
    Examples:
      sagewright init my-project
      sagewright init --template batch-scoring --name nightly-scores
    """
    if list_:
        for known in templates():
            click.echo(known)
        return
    if template not in templates():
        near = nearest(template, templates())
        raise click.UsageError(
            f"unknown template '{template}'; "
            + (f"did you mean '{near}'?" if near else f"there are {listing(templates())}")
        )
    if name is not None and not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}", name):
        raise click.UsageError(
            f"'{name}' is no pipeline's name: letters and digits, with hyphens between them"
        )
    parts = role.split(":")
    account = parts[4] if len(parts) > 4 and parts[4].isdigit() else "123456789012"
    files = dict(_files(folder, template, name))
    if not (folder / FILE).exists():
        files[folder / FILE] = _PROJECT.format(
            region=region,
            bucket=bucket,
            role=role,
            account=account,
            pipeline=f"pipelines/{name or template}",
        )
        if not (folder / ".gitignore").exists():
            files[folder / ".gitignore"] = _IGNORED
    if not (folder / SCHEMA_FILE).exists():
        files[folder / SCHEMA_FILE] = json.dumps(bundle.pipeline(steps.names()), indent=1) + "\n"
    taken = sorted(path.as_posix() for path in files if path.exists())
    if taken:
        raise click.ClickException(
            f"nothing is overwritten, and there is already {listing(taken)}; choose another --name"
        )
    try:
        write_all(files)
    except OSError as error:
        raise click.ClickException(
            f"cannot write to {folder}: {(error.strerror or str(error)).lower()}"
        ) from error
    for path in sorted(files):
        click.echo(f"wrote {path.as_posix()}")
    where = "" if folder == Path() else f"cd {folder.as_posix()} && "
    click.echo(f"\nNext: {where}sagewright check")


def templates() -> list[str]:
    """The ready-made pipelines."""
    root = resources.files("sagewright.pipelines")
    return sorted(
        entry.name for entry in root.iterdir() if entry.is_dir() and entry.joinpath("pipeline.yaml").is_file()
    )


def _files(folder: Path, template: str, name: str | None) -> Iterator[tuple[Path, str]]:
    """The template's files at their new places, the pipeline renamed and with the comment that editors read."""
    root = resources.files("sagewright.pipelines").joinpath(template)
    target = folder / "pipelines" / (name or template)
    for parts, file in _walk(root, ()):
        text = file.read_text(encoding="utf-8")
        if name is not None:
            text = _renamed(text, template, name)
        if parts == ("pipeline.yaml",):
            if name is not None:
                text = re.sub(r"(?m)^name: .*$", f"name: {name}", text, count=1)
            if "yaml-language-server" not in text:
                text = f"# yaml-language-server: $schema=../../{SCHEMA_FILE}\n{text}"
        yield target.joinpath(*parts), text


def _renamed(text: str, template: str, name: str) -> str:
    """The text of a file with the pipeline's new name, where it stands for the pipeline or its folder. What the pipeline
    itself calls so (keys in S3, groups, endpoints) is left alone."""
    called = rf"(?m)^(# ){template}$|(pipelines/|--pipeline-name ){template}(?![\w-])"
    return re.sub(called, lambda found: f"{found[1] or found[2]}{name}", text)


def _walk(folder: Traversable, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if _NOT_COPIED.search(entry.name):
            continue
        if entry.is_dir():
            yield from _walk(entry, (*parts, entry.name))
        else:
            yield (*parts, entry.name), entry
