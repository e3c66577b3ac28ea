"""Split payments by time: the model is tested on payments that are younger than all that it learnt from.

Writes `train`, `validation` and `test` without headers, the label first, and `baseline` with a header: the rows that the
check of the data describes. The time itself is no feature.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

TIME, LABEL = "time", "fraud"
FEATURES = ("amount", "hour", "distance_km", "tries_last_hour", "merchant_risk", "account_days", "age")


def read(folder: Path) -> list[list[str]]:
    """The rows of all CSV files, the oldest first: the label, then the features in their order."""
    timed: list[tuple[float, list[str]]] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                timed.append(checked(row, f"{path}:{reader.line_num}"))
    if not timed:
        raise SystemExit(f"{folder}: no rows in any *.csv")
    return [row for _, row in sorted(timed, key=lambda pair: pair[0])]


def checked(row: dict[str, str], place: str) -> tuple[float, list[str]]:
    """A row's time, and its label and features."""
    try:
        for name in (TIME, *FEATURES):
            float(row[name])
    except KeyError as error:
        raise SystemExit(f"{place}: no column {error.args[0]}") from None
    except (TypeError, ValueError):
        raise SystemExit(f"{place}: {name} is no number: {row[name]!r}") from None
    if row.get(LABEL) not in ("0", "1"):
        raise SystemExit(f"{place}: {LABEL} is neither 0 nor 1: {row.get(LABEL)!r}")
    return float(row[TIME]), [row[LABEL], *(row[name] for name in FEATURES)]


def split(rows: list[list[str]], validation: float, test: float) -> dict[str, list[list[str]]]:
    """Three stretches of time; shares are of all rows. Each must hold payments of both kinds."""
    first = round(len(rows) * (1 - validation - test))
    second = round(len(rows) * (1 - test))
    parts = {"train": rows[:first], "validation": rows[first:second], "test": rows[second:]}
    for name, part in parts.items():
        if {row[0] for row in part} != {"0", "1"}:
            raise SystemExit(
                f"{name} needs payments with and without fraud; it has {len(part)} rows of one kind"
            )
    return parts


def write(path: Path, rows: list[list[str]], header: tuple[str, ...] = ()) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if header:
            writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--validation-share", type=float, default=0.15)
    parser.add_argument("--test-share", type=float, default=0.2)
    args = parser.parse_args()

    parts = split(read(args.input), args.validation_share, args.test_share)
    for name, rows in parts.items():
        write(args.output / name / f"{name}.csv", rows)
        print(f"{name}: {len(rows)} payments, {sum(row[0] == '1' for row in rows)} of them fraud")
    write(args.output / "baseline" / "baseline.csv", parts["train"] + parts["validation"], (LABEL, *FEATURES))


if __name__ == "__main__":
    main()
