"""Split labelled CSV files into train, validation and test: stratified, without headers, the label first.

That is the form which SageMaker's built-in algorithms read too. The label becomes 1 for malignant, 0 for benign.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from sklearn.model_selection import train_test_split

LABELS = {"M": "1", "B": "0", "1": "1", "0": "0"}


def read_file(path: Path, label: str) -> list[list[str]]:
    """Rows with the label first. A first row that holds the name `label` is a header; without one the label leads."""
    with path.open(newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    header = rows.pop(0) if rows and label in rows[0] else None
    column = header.index(label) if header else 0
    return [label_first(row, column, path) for row in rows]


def label_first(row: list[str], column: int, path: Path) -> list[str]:
    features = row[:column] + row[column + 1 :]
    try:
        for cell in features:
            float(cell)
        return [LABELS[row[column]], *features]
    except (IndexError, KeyError, ValueError) as error:
        raise SystemExit(f"{path}: not a label (M, B, 1 or 0) and numbers: {','.join(row)}") from error


def read(directory: Path, label: str) -> list[list[str]]:
    """The rows of all CSV files in `directory`, all of one width."""
    rows = [row for path in sorted(directory.glob("*.csv")) for row in read_file(path, label)]
    if not rows:
        raise SystemExit(f"{directory}: no rows in any *.csv")
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise SystemExit(f"{directory}: rows of different widths: {sorted(widths)}")
    return rows


def split(
    rows: list[list[str]], validation_share: float, test_share: float, seed: int
) -> dict[str, list[list[str]]]:
    """Three parts with the same share of each class. Shares are of all rows."""
    rest, test = train_test_split(
        rows, test_size=test_share, random_state=seed, stratify=[row[0] for row in rows]
    )
    train, validation = train_test_split(
        rest,
        test_size=validation_share / (1 - test_share),
        random_state=seed,
        stratify=[row[0] for row in rest],
    )
    return {"train": train, "validation": validation, "test": test}


def write(path: Path, rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--label", default="diagnosis", help="the label's name in a header")
    parser.add_argument("--validation-share", type=float, default=0.15)
    parser.add_argument("--test-share", type=float, default=0.15)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    parts = split(read(args.input, args.label), args.validation_share, args.test_share, args.seed)
    for name, rows in parts.items():
        write(args.output / name / f"{name}.csv", rows)
        print(f"{name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
