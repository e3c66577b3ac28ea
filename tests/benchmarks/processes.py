"""Commands as whole processes, side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAGEWRIGHT = str(Path(sys.executable).with_name("sagewright"))
_MEASURE = str(Path(__file__).with_name("measure.py"))


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and how often."""

    arguments: Sequence[str]
    runs: int = 10
    environment: Mapping[str, str] | None = None
    cwd: Path = ROOT
    cores: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds and MB. `memory` is the peak of the largest process, where there are several."""

    seconds: float
    processor: float
    memory: float


def side_by_side(commands: Mapping[str, Command]) -> dict[str, Cost]:
    """The best of each command's runs, all of them taking turns after a run of each that does not count."""
    for command in commands.values():
        once(command)
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for turn in range(max(command.runs for command in commands.values())):
        for name, command in commands.items():
            if turn < command.runs:
                costs[name].append(once(command))
    return {name: _best(found) for name, found in costs.items()}


def once(command: Command) -> Cost:
    """Raises `CalledProcessError` where the command fails."""
    environment = {**os.environ, **(command.environment or {})}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled, too
    arguments = [sys.executable, "-I", "-S", _MEASURE, str(command.cores), *command.arguments]
    done = subprocess.run(arguments, env=environment, cwd=command.cwd, stdout=subprocess.PIPE, check=True)
    return Cost(**json.loads(done.stdout))


def _best(costs: list[Cost]) -> Cost:
    return Cost(
        min(cost.seconds for cost in costs),
        min(cost.processor for cost in costs),
        max(cost.memory for cost in costs),
    )
