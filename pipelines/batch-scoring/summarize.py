"""Summarize the scores of a batch transform, for the one who reviews them: `summary.json`."""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import Any


def read(directory: Path) -> list[float]:
    """The scores in the transform's output (`*.out`, one a line), also in subfolders."""
    scores = []
    for path in sorted(directory.rglob("*.out")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            try:
                score = float(line)
            except ValueError as error:
                raise SystemExit(f"{path}:{number}: not a score: {line}") from error
            if not math.isfinite(score):
                raise SystemExit(f"{path}:{number}: not a finite score: {line}")
            scores.append(score)
    if not scores:
        raise SystemExit(f"{directory}: no scores in any *.out")
    return scores


def summarize(scores: list[float]) -> dict[str, Any]:
    """Count, range, mean, and the quartiles (those of a single score are itself)."""
    quartiles = statistics.quantiles(scores, n=4, method="inclusive") if len(scores) > 1 else scores * 3
    return {
        "count": len(scores),
        "min": min(scores),
        "max": max(scores),
        "mean": statistics.fmean(scores),
        "quartiles": quartiles,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/scores"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output/summary"))
    args = parser.parse_args()

    summary = summarize(read(args.input))
    args.output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(summary, indent=2)
    (args.output / "summary.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
