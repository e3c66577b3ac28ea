"""A cold start: the whole process, from the command to its files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.figures import Figure, at_most, faster, no_slower, skipped
from tests.benchmarks.inputs import BREAST_CANCER
from tests.benchmarks.processes import SAGEWRIGHT, Command, side_by_side
from tests.sdk import NO_SDK, sdk_environment, sdk_python

_IMPORTS = "import yaml, networkx, jsonschema, click"
_SCRIPT = Path(__file__).with_name("sdk_breast_cancer.py")


def run() -> list[Figure]:
    sdk = sdk_python()
    with TemporaryDirectory() as folder:
        commands = {
            "sagewright": Command([SAGEWRIGHT, "compile", str(BREAST_CANCER), "--output", folder]),
            "imports": Command([sys.executable, "-c", _IMPORTS]),
        }
        if sdk:
            commands["sdk"] = Command([sdk, str(_SCRIPT)], runs=3, environment=sdk_environment())
        best = side_by_side(commands)
        ours = json.loads((Path(folder) / "dev" / "breast-cancer" / "definition.json").read_bytes())
    name, cost = "cold start, breast-cancer", best["sagewright"]
    figures = [
        no_slower(name, cost.seconds, best["imports"].seconds, _IMPORTS, 1.5),
        at_most("its peak memory", cost.memory, 80, "MB"),
    ]
    if sdk is None:
        return [*figures, skipped(f"{name}, SDK", NO_SDK)]
    _check_same(ours, sdk)
    return [
        *figures,
        faster(name, cost.seconds, best["sdk"].seconds, "the SDK's program", 10),
        Figure("its peak memory", f"{cost.memory:.0f} MB", f"{best['sdk'].memory:.0f} MB: the SDK's program"),
    ]


def _check_same(ours: dict[str, Any], sdk: str) -> None:
    """The comparison holds only where both make the same steps."""
    done = subprocess.run([sdk, str(_SCRIPT)], env=sdk_environment(), capture_output=True, check=True)
    theirs = json.loads(done.stdout)
    if _steps(ours["Steps"]) != _steps(theirs["Steps"]):
        raise AssertionError("the SDK's program makes other steps than pipelines/breast-cancer")


def _steps(steps: list[dict[str, Any]]) -> list[Any]:
    return [
        (
            step["Name"],
            step["Type"],
            *(_steps(step["Arguments"].get(key, [])) for key in ("IfSteps", "ElseSteps")),
        )
        for step in steps
    ]
