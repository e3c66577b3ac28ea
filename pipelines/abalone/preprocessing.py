"""Turn the abalone CSV into features, and split it 70 : 15 : 15 into train, validation and test.

The CSV has no header: sex (M, F or I for infant), seven measurements, and the number of rings, which tells the age.
What comes out has the number of rings first, as XGBoost wants it. Runs in the scikit-learn 0.23 container (Python 3.7).
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

COLUMNS = 9
SEXES = ["F", "I", "M"]


def read(directory: Path) -> tuple:
    """Sexes (n x 1, text), measurements (n x 7, an empty cell is NaN) and rings (n) of the CSV files."""
    rows = []
    for path in sorted(directory.glob("*.csv")):
        with path.open(newline="") as file:
            rows += [row for row in csv.reader(file) if row]
    if not rows:
        raise SystemExit(f"{directory}: no rows in any *.csv")
    wrong = next((row for row in rows if len(row) != COLUMNS), None)
    if wrong is not None:
        raise SystemExit(f"{directory}: expected {COLUMNS} columns: {','.join(wrong)}")
    sexes = np.array([[row[0]] for row in rows], dtype=object)
    measurements = np.array([[float(cell) if cell else np.nan for cell in row[1:-1]] for row in rows])
    return sexes, measurements, np.array([float(row[-1]) for row in rows])


def split(count: int, seed: int) -> dict:
    """Shuffled row numbers of each part."""
    order = np.random.RandomState(seed).permutation(count)
    train, validation, test = np.split(order, [int(0.7 * count), int(0.85 * count)])
    return {"train": train, "validation": validation, "test": test}


def features(sexes: np.ndarray, measurements: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Measurements imputed and standardized by the train rows alone, so that the others stay unseen; then sex, one-hot.

    A sex that is missing or unknown is all zeros.
    """
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(measurements[train])
    encoder = OneHotEncoder(categories=[SEXES], handle_unknown="ignore").fit(
        np.array([[s] for s in SEXES], dtype=object)
    )
    return np.hstack([numbers.transform(measurements), encoder.transform(sexes).toarray()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-dir", type=Path, default=Path("/opt/ml/processing"))
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()

    sexes, measurements, rings = read(args.base_dir / "input")
    parts = split(len(rings), args.seed)
    table = np.column_stack([rings, features(sexes, measurements, parts["train"])])
    for name, rows in parts.items():
        path = args.base_dir / name / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, table[rows], delimiter=",", fmt="%.10g")
        print(f"{name}: {len(rows)} rows")


if __name__ == "__main__":
    main()
