"""Measure what the transform predicted: files of lines `<label>,<probability>` in, `evaluation.json` out.

People can look at a certain share of payments; how much of the fraud is among those that the model holds up?
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score


def load(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    if not paths:
        raise SystemExit(f"{folder}: no predictions")
    rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in paths])
    if rows.shape[1] != 2:
        raise SystemExit(f"{folder}: lines of {rows.shape[1]} values, not of a label and a probability")
    return rows[:, 0], rows[:, 1]


def metrics(labels: np.ndarray, probabilities: np.ndarray, held_up: float) -> dict[str, Any]:
    """`held_up` is a share of all payments, the most suspicious ones."""
    count = max(1, round(len(labels) * held_up))
    worst = np.argsort(-probabilities, kind="stable")[:count]
    caught = float(labels[worst].sum())

    def metric(value: float) -> dict[str, Any]:
        return {"value": float(value), "standard_deviation": "NaN"}

    return {
        "binary_classification_metrics": {
            "average_precision": metric(average_precision_score(labels, probabilities)),
            "auc": metric(roc_auc_score(labels, probabilities)),
            "precision": metric(caught / count),
            "recall": metric(caught / float(labels.sum())),
            "threshold": metric(probabilities[worst].min()),
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", type=Path, default=Path("/opt/ml/processing/input/scores"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/evaluation"))
    parser.add_argument(
        "--held-up", type=float, default=0.02, help="the share of payments that people can look at"
    )
    args = parser.parse_args()

    report = json.dumps(metrics(*load(args.scores), args.held_up), indent=2)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "evaluation.json").write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
