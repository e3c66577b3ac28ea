"""Train one family of models for one country, and measure it at home and abroad.

Logs `home-r2: <value>` (the country's validation rows) and `abroad-r2: <value>` (the mean over all other countries): what
the pipeline compares. Both are the share of the demand's variance that the model explains.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

FAMILIES = ("linear", "forest", "boosting")


def load(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features and targets of all CSV files of a folder (no header, the target first)."""
    paths = sorted(folder.glob("*.csv"))
    if not paths:
        raise FileNotFoundError(f"no *.csv in {folder}")
    rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in paths])
    return rows[:, 1:], rows[:, 0]


def build(family: str, seed: int) -> Any:
    if family == "linear":
        return make_pipeline(
            SplineTransformer(n_knots=5, extrapolation="constant"),
            StandardScaler(),
            RidgeCV(np.logspace(-3, 3, 13)),
        )
    if family == "forest":
        return RandomForestRegressor(n_estimators=200, min_samples_leaf=3, random_state=seed)
    return GradientBoostingRegressor(n_estimators=300, learning_rate=0.05, subsample=0.7, random_state=seed)


def measure(model: Any, folder: Path) -> float:
    features, targets = load(folder)
    return float(r2_score(targets, model.predict(features)))


def abroad(model: Any, validation: Path, country: str) -> float:
    """The mean over the other countries, each counting alike; where there is none, as little as a guess."""
    others = [folder for folder in sorted(validation.iterdir()) if folder.is_dir() and folder.name != country]
    return float(np.mean([measure(model, folder) for folder in others])) if others else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", choices=FAMILIES, required=True)
    parser.add_argument(
        "--country", required=True, help="the folder of the channel validation that is at home"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train"))
    parser.add_argument(
        "--validation", default=os.environ.get("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation")
    )
    args = parser.parse_args()

    validation = Path(args.validation)
    model = build(args.family, args.seed).fit(*load(Path(args.train)))
    print(f"home-r2: {measure(model, validation / args.country):.6f}")
    print(f"abroad-r2: {abroad(model, validation, args.country):.6f}")
    joblib.dump(model, Path(args.model_dir) / "model.joblib")


if __name__ == "__main__":
    main()
