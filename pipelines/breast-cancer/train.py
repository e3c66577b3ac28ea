"""Train a logistic regression on standardized features, and save it as `model.joblib`.

Script mode: hyperparameters come as arguments, places as SM_* variables.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def load(channel: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a channel's CSV files (no header, the label first)."""
    paths = sorted(Path(channel).glob("*.csv"))
    if not paths:
        raise FileNotFoundError(f"no *.csv in channel {channel}")
    rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2) for path in paths])
    return rows[:, 1:], rows[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regularization", type=float, default=1.0, help="strength of the L2 penalty")
    parser.add_argument("--class_weight", choices=["balanced", "none"], default="balanced")
    parser.add_argument("--max_iter", type=int, default=500)
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train"))
    parser.add_argument(
        "--validation", default=os.environ.get("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation")
    )
    args = parser.parse_args()

    classifier = LogisticRegression(
        C=1 / args.regularization,
        class_weight=None if args.class_weight == "none" else args.class_weight,
        max_iter=args.max_iter,
    )
    model = make_pipeline(StandardScaler(), classifier)
    model.fit(*load(args.train))

    features, labels = load(args.validation)
    # The pipeline's metric definition finds this line in the log.
    print(f"validation-auc: {roc_auc_score(labels, model.predict_proba(features)[:, 1]):.6f}")
    joblib.dump(model, Path(args.model_dir) / "model.joblib")


if __name__ == "__main__":
    main()
