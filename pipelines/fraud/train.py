"""Train gradient boosting on payments, stop where validation stops getting better, and save it as `model.joblib`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score


def load(channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a channel's CSV files (no header, the label first)."""
    paths = sorted(Path(channel).glob("*.csv"))
    if not paths:
        raise FileNotFoundError(f"no *.csv in channel {channel}")
    rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in paths])
    return rows[:, 1:], rows[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learning_rate", type=float, default=0.05)
    parser.add_argument("--max_iter", type=int, default=400, help="trees at most")
    parser.add_argument("--max_depth", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train"))
    parser.add_argument(
        "--validation", default=os.environ.get("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation")
    )
    args = parser.parse_args()

    # No weights for the rare class: they would bend the probabilities, which the gates and the threshold rest on.
    model = HistGradientBoostingClassifier(
        learning_rate=args.learning_rate,
        max_iter=args.max_iter,
        max_depth=args.max_depth,
        early_stopping=True,
        n_iter_no_change=20,
        random_state=args.seed,
    )
    model.fit(*load(args.train))
    features, labels = load(args.validation)
    print(f"trees: {model.n_iter_}")
    # The pipeline's metric definition finds this line in the log.
    score = average_precision_score(labels, model.predict_proba(features)[:, 1])
    print(f"validation-average-precision: {score:.6f}")
    joblib.dump(model, Path(args.model_dir) / "model.joblib")


if __name__ == "__main__":
    main()
