"""The command line: one module per command, imported when it is called."""

from __future__ import annotations

import errno
import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NoReturn

try:
    import click
except KeyboardInterrupt:
    sys.exit(130)

COMMANDS = {
    "init": "Make a project, or a pipeline from a template.",
    "check": "Check pipelines, without credentials.",
    "compile": "Compile pipelines to SageMaker definitions.",
    "graph": "Draw a pipeline.",
    "explain": "Explain a diagnostic, a kind of step or a schedule.",
    "schema": "Write the JSON Schema that editors use.",
    "simulate": "Run a pipeline without its code.",
    "test": "Run the tests of pipelines.",
    "run": "Run a pipeline here, with its own code.",
    "runs": "Show past runs, and what their steps printed.",
    "endpoints": "Show or end the endpoints of this machine.",
    "invoke": "Ask an endpoint.",
    "models": "Show and approve the models of this machine.",
    "callback": "Answer a step that waits.",
    "plan": "Say what upsert would do.",
    "upsert": "Create or update pipelines in AWS.",
    "policy": "Write the IAM policy that a command needs.",
    "delete": "Delete pipelines from AWS.",
    "gc": "Delete uploaded code that nothing refers to.",
    "history": "List a pipeline's versions.",
    "rollback": "Go back to an earlier version.",
    "promote": "Copy a model package to another target.",
    "diff": "Compare two definitions.",
    "start": "Execute a deployed pipeline.",
    "status": "Show an execution, once.",
    "watch": "Watch an execution until it ends.",
    "stop": "Stop an execution.",
    "retry": "Take an execution up again.",
    "executions": "List a pipeline's executions.",
    "parameters": "List a pipeline's parameters.",
    "logs": "Show what a step wrote.",
    "emulate": "Serve a SageMaker on this machine.",
}
"""Name → its line of help; the module is `commands/<name>.py`."""


class _Commands(click.Group):
    """Lists commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return _load(cmd_name).command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from sagewright.compiler.suggest import nearest

            near = nearest(args[0], COMMANDS)
            hint = f" Did you mean '{near}'?" if near else ""
            raise click.UsageError(f"No such command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _load(name: str) -> ModuleType:
    """A command's module. What importing makes stays to the end: the collector need not look for garbage in it, not
    while it is made, nor later, nor at exit. That is a sixth of a short command's time."""
    gc.disable()
    try:
        return import_module(f"sagewright.compiler.commands.{name}")
    finally:
        gc.freeze()
        gc.enable()


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"sagewright {version('sagewright')}")
        ctx.exit()


@click.command(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def root() -> None:
    """Compile pipelines written in YAML into Amazon SageMaker Pipelines.

    \b
    Examples:
      sagewright init --template breast-cancer my-project
      sagewright check
      sagewright compile --target prod

    Shell completion: eval "$(_SAGEWRIGHT_COMPLETE=bash_source sagewright)" (or zsh_source, fish_source).
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 fine, 1 findings, 2 wrong usage, 4 AWS or the network, 130 interrupted."""
    _open_closed()
    try:
        code = root.main(arguments, prog_name="sagewright", standalone_mode=False)
        _flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        _mute()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        _mute()  # whoever read us has enough
        sys.exit(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            _give_up(error)
        if os.environ.get("SAGEWRIGHT_DEBUG"):
            raise
        click.echo(f"internal error: {type(error).__name__}: {error}", err=True)
        click.echo(
            "This is a bug of sagewright's. SAGEWRIGHT_DEBUG=1 shows where; please report it.", err=True
        )
        sys.exit(70)


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a full disk, or a terminal that is gone, says to whoever writes."""


def _give_up(error: OSError) -> NoReturn:
    """End with 1: standard output, or a file, cannot be written."""
    where = f" {error.filename}" if error.filename else ""
    with suppress(OSError):
        click.echo(f"Error: cannot write{where}: {(error.strerror or str(error)).lower()}", err=True)
    _mute()
    sys.exit(1)


def _mute() -> None:
    """Let what is left to write go nowhere: at exit it would fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


def _open_closed() -> None:
    """What we were started without (`>&-`) is /dev/null, and not the next file that is opened."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
