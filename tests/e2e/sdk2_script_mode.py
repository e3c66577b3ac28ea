"""What SageMaker SDK 2.257 emits for script mode when it is asked now: the oracle's own programs, run by an interpreter
that has it.

python sdk2_script_mode.py ORACLE FOLDER      # writes a definition for each case to FOLDER/<case>.json
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from pathlib import Path


def main(oracle: str, folder: str) -> None:
    sys.path.insert(0, oracle)
    training = importlib.import_module("scriptmode_v2")
    training.OUT = folder  # the programs about models and tuning take theirs from it
    sys.modules["gold_v2"] = training  # what they call it
    for name in training.C:
        try:
            definition = training.run(name)
        except ValueError as error:  # what the SDK refuses, it says
            definition = {"refused": str(error)}
        (Path(folder) / f"{name}.json").write_text(json.dumps(definition))
    with contextlib.redirect_stdout(sys.stderr):
        importlib.import_module("scriptmode_model_v2")
        importlib.import_module("scriptmode_tuning_v2")


if __name__ == "__main__":
    main(*sys.argv[1:])
