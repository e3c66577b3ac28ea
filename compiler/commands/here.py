"""What commands share that look at what runs on this machine have left behind."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any

import click

from sagewright.compiler.commands.session import REFUSED, complain
from sagewright.compiler.project import find_root


def home() -> Path:
    """The `.sagewright` of the project around the working directory."""
    from sagewright.compiler.local.workplace import FOLDER

    return find_root(Path.cwd())[0] / FOLDER


def handled(action: Callable[..., int]) -> Callable[..., Any]:
    """A command whose result is its exit code; errors of what ran here are shown."""

    def wrapped(**given: Any) -> None:
        raise click.exceptions.Exit(shown(lambda: action(**given)))

    return update_wrapper(wrapped, action)


def shown(action: Callable[[], int]) -> int:
    """What `action` returns, or the exit code of the JobFailed or StoreError that it raised, which is shown."""
    from sagewright.compiler.engine.values import Unavailable
    from sagewright.compiler.local.job import JobFailed

    try:
        return action()
    except (JobFailed, Unavailable) as error:
        complain(str(error))
        return REFUSED
