"""Export the Wisconsin diagnostic breast cancer data, which scikit-learn ships, as a CSV with a header.

The first column is `diagnosis` (M: malignant, B: benign), the others are the 30 measurements.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from sklearn.datasets import load_breast_cancer

DEFAULT = Path(__file__).parent / "data" / "breast-cancer.csv"


def export(path: Path) -> int:
    """Write the data to `path`, making its folder; return the number of rows without the header."""
    data = load_breast_cancer()
    letters = [str(name)[0].upper() for name in data.target_names]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["diagnosis", *(name.replace(" ", "_") for name in data.feature_names)])
        for index, target in enumerate(data.target):
            writer.writerow([letters[target], *data.data[index].tolist()])
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
