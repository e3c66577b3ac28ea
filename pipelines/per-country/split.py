"""Deal the rows out by country, and within each to train and validation: CSV without headers, the target first."""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections import defaultdict
from pathlib import Path

COUNTRY, TARGET = "country", "rentals"


def read(folder: Path) -> dict[str, list[list[str]]]:
    """Rows by country, from all CSV files: the target first, then the other columns in the header's order."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            missing = {COUNTRY, TARGET} - set(reader.fieldnames or ())
            if missing:
                raise SystemExit(f"{path}: no column {sorted(missing)[0]} in its header")
            for row in reader:
                country, target = row.pop(COUNTRY), row.pop(TARGET)
                found[country].append(numbers([target, *row.values()], f"{path}:{reader.line_num}"))
    return found


def numbers(cells: list[str], place: str) -> list[str]:
    try:
        for cell in cells:
            float(cell)
    except (TypeError, ValueError):
        raise SystemExit(f"{place}: not a number: {cell!r}") from None
    return cells


def wanted(text: str, there: dict[str, list[list[str]]]) -> list[str]:
    """The countries that the pipeline goes through. One without rows would fail in its turn, after others have cost."""
    try:
        countries = json.loads(text)
    except ValueError:
        countries = None
    if not isinstance(countries, list) or not countries or not all(isinstance(c, str) for c in countries):
        raise SystemExit(f"--countries wants a JSON list of texts: {text}")
    for country in countries:
        if len(there.get(country, ())) < 2:
            raise SystemExit(
                f"too few rows of {country}; there are rows of {', '.join(sorted(there)) or 'none'}"
            )
    return countries


def split(rows: list[list[str]], share: float, seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Train and validation, at least a row in each."""
    shuffled = random.Random(seed).sample(rows, len(rows))
    cut = min(max(round(len(rows) * share), 1), len(rows) - 1)
    return shuffled[cut:], shuffled[:cut]


def write(path: Path, rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=Path("/opt/ml/processing/input/raw"))
    parser.add_argument("--output", type=Path, default=Path("/opt/ml/processing/output"))
    parser.add_argument("--countries", required=True, help='a JSON list, for example ["de", "fr"]')
    parser.add_argument("--validation-share", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()

    there = read(args.input)
    for country in wanted(args.countries, there):
        train, validation = split(there[country], args.validation_share, args.seed)
        write(args.output / "train" / country / "train.csv", train)
        write(args.output / "validation" / country / "validation.csv", validation)
        print(f"{country}: {len(train)} rows to train, {len(validation)} to validate")


if __name__ == "__main__":
    main()
