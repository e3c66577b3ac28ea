"""What XGBoost's container does where the module does not say, and without a module: its algorithm mode, which loads
what the built-in algorithm has written and answers CSV. Source: sagemaker-xgboost-container, `handler_service.py` and
`algorithm_mode`.
"""

from __future__ import annotations

import csv
import importlib
import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

CSV, JSON = "text/csv", "application/json"
LIBSVM = ("text/libsvm", "text/x-libsvm")
PAYLOAD_MB = 6


def defaults(server: Any, has_program: bool) -> dict[str, Any]:
    return _script_mode(server) if has_program else _algorithm_mode(server)


def _script_mode(server: Any) -> dict[str, Any]:
    def predict_fn(data: Any, model: Any) -> Any:
        return model.predict(data, validate_features=False)

    return {
        "input_fn": lambda data, content_type: _read(data, content_type, server),
        "predict_fn": predict_fn,
        "output_fn": server.encode,
    }


def _algorithm_mode(server: Any) -> dict[str, Any]:
    def input_fn(data: Any, content_type: Any) -> Any:
        if not data:
            raise server.Refused(204, "", "No Content")
        try:
            return _read(data, content_type or CSV, server)
        except Exception as error:
            raise server.Refused(415, str(error)) from error

    def predict_fn(data: Any, model: Any) -> Any:
        try:
            best = getattr(model, "best_iteration", None)
            rounds = {} if best is None else {"iteration_range": (0, best + 1)}
            return model.predict(data, validate_features=False, **rounds)
        except Exception as error:
            raise server.Refused(400, f"Unable to evaluate payload provided: {error}") from error

    def output_fn(prediction: Any, accept: str) -> Any:
        kind = accept.lower()
        if kind in (JSON, "json"):
            return server.encode(prediction, JSON), JSON
        if kind not in (CSV, "csv"):
            message = (
                f"{accept} is not an accepted Accept type. Please choose one of the following: {CSV}, {JSON}"
            )
            raise server.Refused(415, message)
        values = [str(value) for value in prediction.tolist()]
        # Commas between predictions are no CSV, and what the container answers.
        return "\n".join([*values, ""]) if os.environ.get("SAGEMAKER_BATCH") else ",".join(values), CSV

    batch = {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": PAYLOAD_MB}
    return {
        "model_fn": _load,
        "input_fn": input_fn,
        "predict_fn": predict_fn,
        "output_fn": output_fn,
        "accept": CSV,
        "execution_parameters": batch,
    }


def _load(model_dir: str) -> Any:
    """The booster in the model's folder, pickled or in XGBoost's own form. Raises RuntimeError."""
    files = sorted(path for path in Path(model_dir).iterdir() if path.is_file())
    if not files:
        raise RuntimeError("Unable to load model: the model's archive holds no file")
    path = next((path for path in files if path.name == "xgboost-model"), files[0])
    try:
        return pickle.loads(path.read_bytes())
    except Exception as pickled:
        try:
            booster: Any = _xgboost().Booster()
            booster.load_model(str(path))
        except Exception as own:
            raise RuntimeError(f"Unable to load model: {pickled}; {own}") from own
        return booster


def _xgboost() -> Any:
    return importlib.import_module("xgboost")


def _read(data: Any, content_type: str, server: Any) -> Any:
    """A request as a DMatrix."""
    kind = (content_type or "").lower().split(";")[0].strip()
    if kind not in (CSV, *LIBSVM):
        raise server.Unsupported(content_type)
    text = data.decode("utf-8") if isinstance(data, (bytes, bytearray)) else data
    if kind == CSV:
        return _xgboost().DMatrix(_table(text.strip()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.libsvm"
        path.write_text(text, encoding="utf-8")
        return _xgboost().DMatrix(f"{path}?format=libsvm")


def _table(text: str) -> Any:
    """Rows of numbers; an empty cell is a missing value. The delimiter is guessed from the first line."""
    import numpy

    lines = text.split("\n")
    try:
        found = csv.Sniffer().sniff(lines[0][:512]).delimiter
    except csv.Error:
        found = ","
    delimiter = "," if found.isalnum() or found == "." else found
    rows = [[cell.strip() or "nan" for cell in line.split(delimiter)] for line in lines]
    return numpy.array(rows).astype(float)
