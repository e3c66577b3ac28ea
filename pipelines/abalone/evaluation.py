"""Measure the trained model on the test rows, and write `evaluation.json` in the form that the model registry shows.

Runs in the XGBoost container.
"""

import argparse
import json
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np


def load_model(archive: Path) -> Any:
    """The booster in `model.tar.gz`. XGBoost's container pickled it up to 1.2, and saves it in its own format since."""
    try:
        import xgboost
    except ImportError as error:
        raise SystemExit(
            "evaluation needs xgboost: run it in the XGBoost container, or install xgboost"
        ) from error
    with tarfile.open(archive) as tar:
        content = tar.extractfile("xgboost-model").read()
    if content.startswith(b"\x80"):  # a pickle's first byte
        return pickle.loads(content)
    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    return booster


def predict(model: Any, rows: np.ndarray) -> np.ndarray:
    import xgboost

    return model.predict(xgboost.DMatrix(rows))


def metrics(rings: np.ndarray, predictions: np.ndarray) -> dict:
    """The report: mean and spread of the squared error, and its root."""
    squares = (rings - predictions) ** 2
    mse = float(np.mean(squares))
    return {
        "regression_metrics": {
            "mse": {"value": mse, "standard_deviation": float(np.std(squares))},
            "rmse": {"value": mse**0.5, "standard_deviation": "NaN"},
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-dir", type=Path, default=Path("/opt/ml/processing"))
    base = parser.parse_args().base_dir

    table = np.loadtxt(base / "test" / "test.csv", delimiter=",", ndmin=2)
    report = metrics(table[:, 0], predict(load_model(base / "model" / "model.tar.gz"), table[:, 1:]))
    path = base / "evaluation" / "evaluation.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main()
