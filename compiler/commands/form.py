"""The option --format, as every command has it that shows something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click


def format_option(
    forms: Sequence[str] = ("text", "json"), *, default: str = "text", help: str = "How it is shown."
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--format, which a command takes as `format_`."""
    return click.option(
        "--format", "format_", type=click.Choice(forms), default=default, show_default=True, help=help
    )
