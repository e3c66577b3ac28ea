"""Train gradient boosting with the hyperparameters that the search is trying, and save it as `model.joblib`.

Logs `validation-rmse: <value>`: what the search compares.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import GradientBoostingRegressor


def load(channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and targets of a channel's CSV files (no header, the target first)."""
    paths = sorted(Path(channel).glob("*.csv"))
    if not paths:
        raise FileNotFoundError(f"no *.csv in channel {channel}")
    rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in paths])
    return rows[:, 1:], rows[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--n_estimators", type=int, default=500, help="trees at most; fewer where they stop helping"
    )
    parser.add_argument("--learning_rate", type=float, default=0.1)
    parser.add_argument("--max_depth", type=int, default=3)
    parser.add_argument("--subsample", type=float, default=1.0)
    parser.add_argument("--loss", choices=["squared_error", "huber"], default="squared_error")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train"))
    parser.add_argument(
        "--validation", default=os.environ.get("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation")
    )
    args = parser.parse_args()

    model = GradientBoostingRegressor(
        n_estimators=args.n_estimators,
        learning_rate=args.learning_rate,
        max_depth=args.max_depth,
        subsample=args.subsample,
        loss=args.loss,
        random_state=args.seed,
        n_iter_no_change=20,
    )
    model.fit(*load(args.train))
    features, targets = load(args.validation)
    rmse = float(np.sqrt(np.mean((model.predict(features) - targets) ** 2)))
    print(f"trees: {model.n_estimators_}")
    print(f"validation-rmse: {rmse:.6f}")
    joblib.dump(model, Path(args.model_dir) / "model.joblib")


if __name__ == "__main__":
    main()
