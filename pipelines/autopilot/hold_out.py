"""Hold some rows of a table back: Autopilot sees the rest, and the model is measured on what it never saw.

Whether a row is held back hangs on its content alone, so that a table that grows keeps its rows where they were.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from pathlib import Path

Row = list[str]
BUCKETS = 10_000


def read(folder: Path, target: str) -> tuple[Row, list[Row]]:
    """The header that all CSV files share, and their rows."""
    header: Row = []
    rows: list[Row] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            first, *rest = [row for row in csv.reader(file) if row] or [[]]
        if target not in first:
            raise SystemExit(f"{path}: the header has no column {target}: {','.join(first)}")
        if header and first != header:
            raise SystemExit(f"{path}: another header than the files before it: {','.join(first)}")
        header = first
        rows += rest
    if not rows:
        raise SystemExit(f"{folder}: no rows in any *.csv")
    for row in rows:
        if len(row) != len(header):
            raise SystemExit(f"not {len(header)} cells: {','.join(row)}")
    return header, rows


def is_held_back(row: Row, share: float) -> bool:
    digest = hashlib.sha256("\0".join(row).encode()).digest()
    return int.from_bytes(digest[:4], "big") % BUCKETS < share * BUCKETS


def write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--target", required=True, help="the column that is predicted")
    parser.add_argument("--share", type=float, default=0.2, help="of the rows, held back")
    args = parser.parse_args()

    header, rows = read(args.input, args.target)
    held = [row for row in rows if is_held_back(row, args.share)]
    column = header.index(args.target)
    if not held or len(held) == len(rows):
        raise SystemExit(f"a share of {args.share} of {len(rows)} rows leaves nothing on one side")
    write(
        args.output / "train" / "train.csv",
        [header, *(row for row in rows if not is_held_back(row, args.share))],
    )
    write(args.output / "features" / "features.csv", [row[:column] + row[column + 1 :] for row in held])
    write(args.output / "answers" / "answers.csv", [[row[column]] for row in held])
    print(f"{len(held)} of {len(rows)} rows held back")


if __name__ == "__main__":
    main()
