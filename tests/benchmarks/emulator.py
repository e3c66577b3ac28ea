"""Two hundred executions at once in the emulator, its state in memory and in a file."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.faults import SETTINGS
from tests.benchmarks.figures import Figure, at_most, seconds
from tests.crowd import COUNT, LIMIT, crowd


def run() -> list[Figure]:
    os.environ.update(SETTINGS)
    memory = crowd()
    with TemporaryDirectory() as folder:
        kept = crowd(COUNT, "--state", str(Path(folder) / "emulator.db"))
    name = f"{COUNT} executions of six steps at once"
    lost = 2 * COUNT - memory.statuses["Succeeded"] - kept.statuses["Succeeded"]
    return [
        Figure(f"{name}, until all have ended", seconds(memory.seconds)),
        Figure("the same, kept in a file", seconds(kept.seconds)),
        Figure("lost of both", str(lost), target="0", met=lost == 0),
        at_most("the emulator's peak memory", memory.memory, LIMIT, "MB"),
        at_most("the same, kept in a file", kept.memory, LIMIT, "MB"),
    ]
