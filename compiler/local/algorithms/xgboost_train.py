"""SageMaker's XGBoost without a script: trains on CSV or LIBSVM, and leaves `xgboost-model`.

It reads the channels `train` and `validation` (CSV: the label first, no header; LIBSVM where no content type says
otherwise) and the hyperparameters, and prints each round's metrics.
Source: docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
OURS = frozenset(
    (
        "num_round",
        "early_stopping_rounds",
        "eval_metric",
        "csv_weights",
        "save_model_on_termination",
        "use_dask_gpu_training",
        "_tuning_objective_metric",
    )
)
"""Hyperparameters that the container takes, and XGBoost does not."""
CSV = frozenset(("csv", "text/csv"))
LIBSVM = frozenset(("", "libsvm", "text/libsvm", "text/x-libsvm"))


class UserError(Exception):
    """What the author can put right."""


def read(name: str) -> dict[str, Any]:
    return json.loads((BASE / "input" / "config" / f"{name}.json").read_text(encoding="utf-8"))


def data(channel: str, configuration: Mapping[str, Any], weighted: bool) -> Any:
    """A channel as a DMatrix."""
    folder = BASE / "input" / "data" / channel
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name[0] not in "._")
    if not files:
        raise UserError(f"the channel `{channel}` is empty")
    kind = str(configuration.get("ContentType", "")).partition(";")[0].strip().lower()
    if kind in CSV:
        return from_csv(files, weighted)
    if kind in LIBSVM:
        return from_libsvm(files)
    raise UserError(f"the channel `{channel}` is {kind}: here only text/csv and text/libsvm are read")


def from_csv(files: list[Path], weighted: bool) -> Any:
    import numpy
    import xgboost  # pyright: ignore[reportMissingImports]

    try:
        rows = numpy.vstack([numpy.genfromtxt(path, delimiter=",", ndmin=2) for path in files])
    except ValueError as error:
        raise UserError(f"the CSV files do not have one number of columns: {error}") from None
    first = 2 if weighted else 1
    if rows.shape[1] <= first:
        raise UserError("the CSV files have no features: the label comes first, the features follow")
    if numpy.isnan(rows[:, 0]).any():
        raise UserError(
            "the first column of the CSV files is the label, and some are no numbers: is there a header?"
        )
    return xgboost.DMatrix(rows[:, first:], label=rows[:, 0], weight=rows[:, 1] if weighted else None)


def from_libsvm(files: list[Path]) -> Any:
    import xgboost  # pyright: ignore[reportMissingImports]

    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "data"
        whole.write_bytes(b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in files))
        return xgboost.DMatrix(f"{whole}?format=libsvm")


def parameters(given: Mapping[str, str]) -> dict[str, Any]:
    """What XGBoost takes."""
    made: dict[str, Any] = {name: value for name, value in given.items() if name not in OURS}
    if given.get("eval_metric"):
        made["eval_metric"] = [name.strip() for name in given["eval_metric"].split(",")]
    return made


def number(given: Mapping[str, str], name: str) -> int:
    try:
        return int(given[name])
    except KeyError:
        raise UserError(f"the hyperparameter `{name}` is required") from None
    except ValueError:
        raise UserError(f"the hyperparameter `{name}` is no integer: {given[name]}") from None


def train() -> None:
    given, channels = read("hyperparameters"), read("inputdataconfig")
    rounds = number(given, "num_round")
    if "_kfold" in given:
        raise UserError("cross-validation (`_kfold`) runs on AWS alone")
    if "train" not in channels:
        raise UserError("there is no channel `train`")
    weighted = given.get("csv_weights") == "1"
    watched = [
        (data(name, channels[name], weighted), name) for name in ("train", "validation") if name in channels
    ]
    more: dict[str, Any] = {}
    if "early_stopping_rounds" in given:
        if len(watched) == 1:
            raise UserError("`early_stopping_rounds` needs a channel `validation`")
        more["early_stopping_rounds"] = number(given, "early_stopping_rounds")
    import xgboost  # pyright: ignore[reportMissingImports]

    model = xgboost.train(parameters(given), watched[0][0], num_boost_round=rounds, evals=watched, **more)
    model.save_model(str(BASE / "model" / "xgboost-model"))


def main() -> int:
    try:
        train()
    except Exception as error:
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        text = f"{kind}{error}"
        (BASE / "output" / "failure").write_text(text, encoding="utf-8")
        print(text, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
