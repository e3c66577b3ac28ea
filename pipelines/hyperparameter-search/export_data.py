"""Export the diabetes data that scikit-learn ships, as a CSV with a header: the target first, then ten measurements."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from sklearn.datasets import load_diabetes

DEFAULT = Path(__file__).parent / "data" / "diabetes.csv"


def export(path: Path) -> int:
    """Write the data to `path`, making its folder; return the number of rows without the header."""
    data = load_diabetes(scaled=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["progression", *data.feature_names])
        for target, row in zip(data.target, data.data, strict=True):
            writer.writerow([target, *row.tolist()])
    return len(data.target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "output", nargs="?", type=Path, default=DEFAULT, help="the file to write (default: %(default)s)"
    )
    path = parser.parse_args().output
    print(f"{export(path)} rows written to {path}")


if __name__ == "__main__":
    main()
