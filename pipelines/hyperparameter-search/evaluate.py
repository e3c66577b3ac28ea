"""Measure the best model on the test rows, and write `evaluation.json` in the form that the model registry shows."""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np


def load_model(path: Path) -> Any:
    """The model in `model.tar.gz`, or in a folder that holds it."""
    archive = path / "model.tar.gz" if path.is_dir() else path
    with tempfile.TemporaryDirectory() as folder, tarfile.open(archive) as tar:
        tar.extract("model.joblib", folder, filter="data")
        return joblib.load(Path(folder) / "model.joblib")


def report(targets: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
    """Errors, each with its spread where it has one."""
    errors = predictions - targets
    spread = float(np.sum((targets - targets.mean()) ** 2))
    return {
        "regression_metrics": {
            "mae": {
                "value": float(np.mean(np.abs(errors))),
                "standard_deviation": float(np.std(np.abs(errors))),
            },
            "mse": {"value": float(np.mean(errors**2)), "standard_deviation": float(np.std(errors**2))},
            "rmse": {"value": float(np.sqrt(np.mean(errors**2))), "standard_deviation": "NaN"},
            "r2": {"value": 1 - float(np.sum(errors**2)) / spread, "standard_deviation": "NaN"},
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("/opt/ml/processing/input/model"))
    parser.add_argument("--test", type=Path, default=Path("/opt/ml/processing/input/test"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/evaluation"))
    args = parser.parse_args()

    rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in sorted(args.test.glob("*.csv"))])
    made = report(rows[:, 0], load_model(args.model).predict(rows[:, 1:]))
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "evaluation.json").write_text(json.dumps(made, indent=2) + "\n")
    print(json.dumps(made, indent=2))


if __name__ == "__main__":
    main()
