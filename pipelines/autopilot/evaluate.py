"""Compare the predictions of a batch transform with what became of the customers, and write `evaluation.json`."""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any


def column(folder: Path, pattern: str) -> list[str]:
    """The first column of all files, in the order of their names."""
    found: list[str] = []
    for path in sorted(folder.rglob(pattern)):
        with path.open(newline="") as file:
            found += [row[0].strip() for row in csv.reader(file) if row]
    return found


def report(answers: list[str], predictions: list[str], positive: str) -> dict[str, Any]:
    """Precision, recall, F1 and accuracy. Where there is nothing to divide by, the measure is 0."""
    if len(answers) != len(predictions):
        raise SystemExit(f"{len(predictions)} predictions for {len(answers)} rows")
    pairs = Counter((a == positive, p == positive) for a, p in zip(answers, predictions, strict=True))
    hit, missed, false = pairs[True, True], pairs[True, False], pairs[False, True]
    precision, recall = ratio(hit, hit + false), ratio(hit, hit + missed)
    values = {
        "accuracy": ratio(hit + pairs[False, False], len(answers)),
        "precision": precision,
        "recall": recall,
        "f1": ratio(2 * precision * recall, precision + recall),
    }
    return {
        "binary_classification_metrics": {
            name: {"value": value, "standard_deviation": "NaN"} for name, value in values.items()
        }
    }


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=Path, default=Path("/opt/ml/processing/input/predictions"))
    parser.add_argument("--answers", type=Path, default=Path("/opt/ml/processing/input/answers"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/evaluation"))
    parser.add_argument("--positive", default="yes", help="the answer that is looked for")
    args = parser.parse_args()

    made = report(column(args.answers, "*.csv"), column(args.predictions, "*.out"), args.positive)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "evaluation.json").write_text(json.dumps(made, indent=2) + "\n")
    print(json.dumps(made, indent=2))


if __name__ == "__main__":
    main()
