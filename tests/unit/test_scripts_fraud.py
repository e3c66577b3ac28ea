"""The scripts of fraud, run as their containers would run them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_pipeline_scripts import PIPELINES, load, rows_of, run, write_rows

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'sagewright[local]'")
pytestmark = pytest.mark.xdist_group("scripts-fraud")  # one process: what they make is made once
PIPELINE = yaml.safe_load((PIPELINES / "fraud" / "pipeline.yaml").read_text())
HEADER = ["fraud", "amount", "hour", "distance_km", "tries_last_hour", "merchant_risk", "account_days", "age"]


@dataclass(frozen=True)
class Fraud:
    """What a run of the scripts, one after another, left behind. `scores` is what the transform writes."""

    base: Path
    log: str
    scores: list[str]
    report: dict[str, Any]


@pytest.fixture(scope="module")
def fraud(tmp_path_factory: pytest.TempPathFactory) -> Fraud:
    base = tmp_path_factory.mktemp("fraud")
    model = base / "model"
    model.mkdir()
    run("fraud/make_data.py", base / "raw" / "payments.csv", "--count", 20_000)
    run("fraud/prepare.py", "--input", base / "raw", "--output", base)
    # The toolkit hands the step's hyperparameters over as options.
    options = [
        word
        for key, value in PIPELINE["steps"]["Train"]["hyperparameters"].items()
        for word in (f"--{key}", value)
    ]
    trained = run(
        "fraud/train.py",
        *options,
        environment={
            "SM_MODEL_DIR": model,
            "SM_CHANNEL_TRAIN": base / "train",
            "SM_CHANNEL_VALIDATION": base / "validation",
        },
    )
    scores = transformed(model, rows_of(base / "test" / "test.csv"))
    (base / "scores").mkdir()
    (base / "scores" / "test.csv.out").write_text("\n".join(scores) + "\n")
    run("fraud/evaluate.py", "--scores", base / "scores", "--output", base / "e", "--held-up", 0.02)
    report = json.loads((base / "e" / "evaluation.json").read_text())
    return Fraud(base, trained.stdout, scores, report["binary_classification_metrics"])


def transformed(model: Path, rows: list[list[str]]) -> list[str]:
    """What Score does: all but the label goes to the model, the label and the answer come out."""
    assert PIPELINE["steps"]["Score"]["filter"] == {"input": "$[1:]", "join": "Input", "output": "$[0,-1]"}
    inference = load("fraud/inference.py")
    asked = inference.input_fn("\n".join(",".join(row[1:]) for row in rows).encode(), "text/csv")
    body, _ = inference.output_fn(inference.predict_fn(asked, inference.model_fn(str(model))), "text/csv")
    return [f"{row[0]},{answer}" for row, answer in zip(rows, body.splitlines(), strict=True)]


def test_payments_are_split_by_time(fraud: Fraud) -> None:
    header, *raw = rows_of(fraud.base / "raw" / "payments.csv")
    assert header == ["time", *HEADER]
    parts = {name: rows_of(fraud.base / name / f"{name}.csv") for name in ("train", "validation", "test")}
    assert {name: len(rows) for name, rows in parts.items()} == {
        "train": 13_000,
        "validation": 3_000,
        "test": 4_000,
    }
    assert [row for rows in parts.values() for row in rows] == [row[1:] for row in raw], "in their order"
    assert rows_of(fraud.base / "baseline" / "baseline.csv") == [
        HEADER,
        *parts["train"],
        *parts["validation"],
    ]


def test_clarify_is_told_the_columns_that_there_are() -> None:
    prepare = load("fraud/prepare.py")
    for name in ("DataBias", "ModelBias", "Explain"):
        config = PIPELINE["steps"][name]["config"]
        assert config["headers"] == [prepare.LABEL, *prepare.FEATURES] == HEADER
        assert config["label"] == prepare.LABEL


def test_rows_in_any_order_are_brought_into_that_of_time(tmp_path: Path) -> None:
    columns = ["age", "fraud", *HEADER[1:-1], "time"]
    rows = [[30 + i, i % 2, *range(6), 100 - i] for i in range(4)]
    write_rows(tmp_path / "a.csv", [columns, *rows[:2]])
    write_rows(tmp_path / "b.csv", [columns, *rows[2:]])
    found = load("fraud/prepare.py").read(tmp_path)
    assert [row[-1] for row in found] == ["33", "32", "31", "30"]


def test_training_logs_the_metric_that_the_pipeline_looks_for(fraud: Fraud) -> None:
    pattern = PIPELINE["steps"]["Train"]["metrics"]["validation:average-precision"]
    found = re.findall(pattern, fraud.log)
    assert len(found) == 1
    assert 0.4 < float(found[0]) < 1


def test_the_report_passes_the_gates_and_adds_up(fraud: Fraud) -> None:
    report = {name: metric["value"] for name, metric in fraud.report.items()}
    parameters = PIPELINE["parameters"]
    assert report["average_precision"] >= parameters["MinAveragePrecision"]["default"]
    assert report["recall"] >= parameters["MinRecall"]["default"]
    pairs = [(float(score), label == "1") for label, score in (line.split(",") for line in fraud.scores)]
    held_up = sorted(pairs, reverse=True)[:80]
    caught, frauds = sum(is_fraud for _, is_fraud in held_up), sum(is_fraud for _, is_fraud in pairs)
    assert report["recall"] == pytest.approx(caught / frauds)
    assert report["precision"] == pytest.approx(caught / 80)
    assert report["threshold"] == pytest.approx(held_up[-1][0])


def test_probabilities_can_be_taken_at_their_word(fraud: Fraud) -> None:
    pairs = [(float(score), label == "1") for label, score in (line.split(",") for line in fraud.scores)]
    assert sum(score for score, _ in pairs) == pytest.approx(sum(fraud for _, fraud in pairs), rel=0.25)


def test_drifted_payments_look_otherwise(tmp_path: Path) -> None:
    def mean(drift: float) -> float:
        path = tmp_path / f"{drift}.csv"
        run("fraud/make_data.py", path, "--count", 2000, "--drift", drift)
        return sum(float(row[2]) for row in rows_of(path)[1:]) / 2000

    assert mean(0.5) > 1.4 * mean(0.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fraud": "maybe"}, "a.csv:2: fraud is neither 0 nor 1: 'maybe'"),
        ({"amount": "a lot"}, "amount is no number: 'a lot'"),
        ({"age": None}, "age is no number: None"),
    ],
)
def test_payments_that_are_none_are_told(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    row = {"time": 1, **dict.fromkeys(HEADER, 1), **change}
    cells = [value for value in row.values() if value is not None]
    write_rows(tmp_path / "a.csv", [list(row), cells])
    with pytest.raises(SystemExit, match=re.escape(said)):
        load("fraud/prepare.py").read(tmp_path)


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", [["time", "fraud"], [1, 0]])
    with pytest.raises(SystemExit, match="no column amount"):
        load("fraud/prepare.py").read(tmp_path)


def test_a_stretch_of_time_without_fraud_is_told() -> None:
    rows = [["1" if i < 50 else "0", "1"] for i in range(100)]
    with pytest.raises(SystemExit, match="validation needs payments with and without fraud"):
        load("fraud/prepare.py").split([["0", "1"], *rows], 0.15, 0.2)


@pytest.mark.parametrize(("text", "said"), [("", "no predictions"), ("1,0.5,2\n", "lines of 3 values")])
def test_predictions_that_are_none_are_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "x.out").write_text(text)
    with pytest.raises(SystemExit, match=said):
        load("fraud/evaluate.py").load(tmp_path)


def test_inference_refuses_other_media_types() -> None:
    inference = load("fraud/inference.py")
    with pytest.raises(ValueError, match="application/json is not supported"):
        inference.input_fn("[]", "application/json")
    with pytest.raises(ValueError, match="cannot answer with text/html"):
        inference.output_fn([0.5], "text/html")
