"""Serve the model: rows of 30 measurements in, the probability of malignancy out.

Takes and gives `text/csv` (one row a line) and `application/json` (`{"instances": [[..], ..]}` and
`{"probabilities": [..]}`). The serving container calls these four functions.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np


def model_fn(model_dir: str) -> Any:
    return joblib.load(Path(model_dir) / "model.joblib")


def input_fn(body: str | bytes, content_type: str) -> np.ndarray:
    text = body.decode("utf-8") if isinstance(body, (bytes, bytearray)) else body
    media_type = content_type.split(";")[0].strip()
    if media_type == "text/csv":
        return np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
    if media_type == "application/json":
        return np.asarray(json.loads(text)["instances"], dtype=float)
    raise ValueError(f"content type {content_type} is not supported: send text/csv or application/json")


def predict_fn(rows: np.ndarray, model: Any) -> np.ndarray:
    return model.predict_proba(rows)[:, 1]


def output_fn(probabilities: np.ndarray, accept: str) -> tuple[str, str]:
    """The body and its content type. A client that accepts anything gets CSV."""
    values = [float(value) for value in probabilities]
    if accept in ("text/csv", "*/*", ""):
        return "".join(f"{value}\n" for value in values), "text/csv"
    if accept == "application/json":
        return json.dumps({"probabilities": values}), "application/json"
    raise ValueError(f"cannot answer with {accept}: accept text/csv or application/json")
