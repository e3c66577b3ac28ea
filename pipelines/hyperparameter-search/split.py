"""Split CSV files into train, validation and test at random: without headers, the target first."""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

TARGET = "progression"


def read(folder: Path) -> list[list[str]]:
    """The rows of all CSV files, numbers only. A first row that names the target is a header."""
    rows: list[list[str]] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            found = [row for row in csv.reader(file) if row]
        rows += found[1:] if found and found[0][0] == TARGET else found
    if not rows:
        raise SystemExit(f"{folder}: no rows in any *.csv")
    for row in rows:
        check(row, len(rows[0]))
    return rows


def check(row: list[str], width: int) -> None:
    try:
        if len([float(cell) for cell in row]) != width:
            raise ValueError
    except ValueError:
        raise SystemExit(f"not {width} numbers: {','.join(row)}") from None


def split(rows: list[list[str]], validation: float, test: float, seed: int) -> dict[str, list[list[str]]]:
    """Three parts; shares are of all rows."""
    shuffled = random.Random(seed).sample(rows, len(rows))
    first, second = round(len(rows) * test), round(len(rows) * (test + validation))
    return {"test": shuffled[:first], "validation": shuffled[first:second], "train": shuffled[second:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--validation-share", type=float, default=0.2)
    parser.add_argument("--test-share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    parts = split(read(args.input), args.validation_share, args.test_share, args.seed)
    for name, rows in parts.items():
        path = args.output / name / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        print(f"{name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
