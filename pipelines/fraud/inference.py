"""Serve the model: rows of payments in, the probability of fraud out, both as CSV. Transform and Clarify use it too."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import joblib
import numpy as np


def model_fn(model_dir: str) -> Any:
    return joblib.load(Path(model_dir) / "model.joblib")


def input_fn(body: str | bytes, content_type: str) -> np.ndarray:
    if content_type.split(";")[0].strip() != "text/csv":
        raise ValueError(f"content type {content_type} is not supported: send text/csv")
    text = body.decode("utf-8") if isinstance(body, (bytes, bytearray)) else body
    return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)


def predict_fn(rows: np.ndarray, model: Any) -> np.ndarray:
    return model.predict_proba(rows)[:, 1]


def output_fn(probabilities: np.ndarray, accept: str) -> tuple[str, str]:
    """The body and its content type. A client that accepts anything gets CSV."""
    if accept not in ("text/csv", "*/*", ""):
        raise ValueError(f"cannot answer with {accept}: accept text/csv")
    return "".join(f"{float(value)}\n" for value in probabilities), "text/csv"
