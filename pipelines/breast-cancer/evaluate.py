"""Measure the trained model on the test rows, and write `evaluation.json` in the form that the model registry shows."""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)


def load_model(archive: Path) -> Any:
    """The model in `model.tar.gz`, read without unpacking the archive to disk."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("model.joblib")
        if member is None:
            raise FileNotFoundError(f"model.joblib in {archive} is not a file")
        return joblib.load(io.BytesIO(member.read()))


def load_rows(directory: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of the CSV files in `directory` (no header, the label first)."""
    rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in sorted(directory.glob("*.csv"))])
    return rows[:, 1:], rows[:, 0].astype(int)


def metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """The report. The positive class is malignant, so recall is the share of malignant tumours found."""
    predicted = (probabilities >= 0.5).astype(int)
    (true_negative, false_positive), (false_negative, true_positive) = confusion_matrix(
        labels, predicted, labels=[0, 1]
    ).tolist()
    values = {
        "auc": roc_auc_score(labels, probabilities),
        "accuracy": accuracy_score(labels, predicted),
        "precision": precision_score(labels, predicted),
        "recall": recall_score(labels, predicted),
        "f1": f1_score(labels, predicted),
    }
    report: dict[str, Any] = {
        name: {"value": float(value), "standard_deviation": "NaN"} for name, value in values.items()
    }
    report["confusion_matrix"] = {
        "0": {"0": true_negative, "1": false_positive},
        "1": {"0": false_negative, "1": true_positive},
    }
    return {"binary_classification_metrics": report}


def main() -> None:
    inputs = Path("/opt/ml/processing/input")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=inputs / "model" / "model.tar.gz")
    parser.add_argument("--test", type=Path, default=inputs / "test")
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/evaluation"))
    args = parser.parse_args()

    features, labels = load_rows(args.test)
    report = metrics(labels, load_model(args.model).predict_proba(features)[:, 1])
    args.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=2)
    (args.output / "evaluation.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
