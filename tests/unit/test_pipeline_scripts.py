"""The scripts of the ready-made pipelines, run as their containers would run them, on folders that are not `/opt/ml`."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import os
import pickle
import random
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PIPELINES = Path(__file__).parents[2] / "pipelines"


def run(
    script: str, *arguments: object, environment: Mapping[str, object] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, with no SM_* variables but those given."""
    done = subprocess.run(
        [sys.executable, str(PIPELINES / script), *map(str, arguments)],
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("SM_")},
            **{key: str(value) for key, value in (environment or {}).items()},
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done


def load(script: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(script).stem, PIPELINES / script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def archive(path: Path, *members: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.add(member, member.name)
    return path


def write_rows(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


# -- breast-cancer ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BreastCancer:
    """What a run of the pipeline's scripts, one after another, left behind."""

    raw: Path
    parts: Path
    model: Path
    log: str
    report: dict[str, Any]


@pytest.fixture(scope="module")
def breast_cancer(tmp_path_factory: pytest.TempPathFactory) -> BreastCancer:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'sagewright[local]'")
    base = tmp_path_factory.mktemp("breast-cancer")
    raw, parts, model = base / "raw", base / "parts", base / "model"
    model.mkdir()
    run("breast-cancer/export_data.py", raw / "breast-cancer.csv")
    run("breast-cancer/preprocess.py", "--input", raw, "--output", parts, "--seed", 42)
    # The toolkit sorts a job's hyperparameters, and hands them over as options.
    trained = run(
        "breast-cancer/train.py",
        *("--class_weight", "balanced", "--max_iter", "500", "--regularization", "1.0"),
        environment={
            "SM_MODEL_DIR": model,
            "SM_CHANNEL_TRAIN": parts / "train",
            "SM_CHANNEL_VALIDATION": parts / "validation",
        },
    )
    packed = archive(base / "model.tar.gz", model / "model.joblib")
    run(
        "breast-cancer/evaluate.py",
        "--model",
        packed,
        "--test",
        parts / "test",
        "--output",
        base / "evaluation",
    )
    report = json.loads((base / "evaluation" / "evaluation.json").read_text())
    return BreastCancer(raw, parts, model, trained.stdout, report["binary_classification_metrics"])


def test_the_export_is_the_wisconsin_data(breast_cancer: BreastCancer) -> None:
    header, *rows = rows_of(breast_cancer.raw / "breast-cancer.csv")
    assert header[:2] == ["diagnosis", "mean_radius"]
    assert {len(row) for row in rows} == {31} == {len(header)}
    assert [row[0] for row in rows].count("M") == 212
    assert [row[0] for row in rows].count("B") == 357


def test_preprocessing_loses_no_row_and_keeps_the_classes_apart_evenly(breast_cancer: BreastCancer) -> None:
    parts = {
        name: rows_of(breast_cancer.parts / name / f"{name}.csv") for name in ("train", "validation", "test")
    }
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 397, "validation": 86, "test": 86}
    _, *raw = rows_of(breast_cancer.raw / "breast-cancer.csv")
    assert sorted(row[1:] for rows in parts.values() for row in rows) == sorted(row[1:] for row in raw)
    for rows in parts.values():
        assert [row[0] for row in rows].count("1") / len(rows) == pytest.approx(212 / 569, abs=0.01)


def test_preprocessing_reads_a_file_without_a_header_and_a_label_in_any_column(
    breast_cancer: BreastCancer, tmp_path: Path
) -> None:
    header, *rows = rows_of(breast_cancer.raw / "breast-cancer.csv")
    write_rows(tmp_path / "bare" / "data.csv", rows)
    write_rows(tmp_path / "last" / "data.csv", [row[1:] + row[:1] for row in [header, *rows]])
    expected = (breast_cancer.parts / "test" / "test.csv").read_text()
    for variant in ("bare", "last"):
        output = tmp_path / f"{variant}-parts"
        run("breast-cancer/preprocess.py", "--input", tmp_path / variant, "--output", output)
        assert (output / "test" / "test.csv").read_text() == expected


def test_another_seed_is_another_split(breast_cancer: BreastCancer, tmp_path: Path) -> None:
    run("breast-cancer/preprocess.py", "--input", breast_cancer.raw, "--output", tmp_path, "--seed", 7)
    assert rows_of(tmp_path / "test" / "test.csv") != rows_of(breast_cancer.parts / "test" / "test.csv")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows"),
        ([["X", "1", "2"]], "not a label"),
        ([["M", "1", "a lot"]], "and numbers: M,1,a lot"),
        ([["M", "1", "2"], ["B", "1"]], "rows of different widths: [2, 3]"),
        ([["radius", "diagnosis"], ["1"]], "not a label"),
    ],
)
def test_preprocessing_refuses_what_it_cannot_read(
    tmp_path: Path, rows: list[list[str]], message: str
) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    write_rows(tmp_path / "data.csv", rows)
    with pytest.raises(SystemExit, match=re.escape(message)):
        load("breast-cancer/preprocess.py").read(tmp_path, "diagnosis")


def test_training_logs_the_metric_that_the_pipeline_looks_for(breast_cancer: BreastCancer) -> None:
    import yaml

    pipeline = yaml.safe_load((PIPELINES / "breast-cancer" / "pipeline.yaml").read_text())
    pattern = pipeline["steps"]["Train"]["metrics"]["validation:auc"]
    found = re.findall(pattern, breast_cancer.log)
    assert len(found) == 1
    assert 0.95 < float(found[0]) <= 1


def test_training_without_data_says_which_channel(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    failed = run(
        "breast-cancer/train.py", environment={"SM_CHANNEL_TRAIN": tmp_path, "SM_MODEL_DIR": tmp_path}, code=1
    )
    assert f"no *.csv in channel {tmp_path}" in failed.stderr


def test_the_report_passes_the_gate_and_adds_up(breast_cancer: BreastCancer) -> None:
    report = breast_cancer.report
    assert report["auc"]["value"] > 0.95
    assert report["recall"]["value"] >= 0.9
    matrix = report["confusion_matrix"]
    right, wrong = matrix["0"]["0"] + matrix["1"]["1"], matrix["0"]["1"] + matrix["1"]["0"]
    assert right + wrong == 86
    assert report["accuracy"]["value"] == pytest.approx(right / 86)
    assert report["recall"]["value"] == pytest.approx(
        matrix["1"]["1"] / (matrix["1"]["0"] + matrix["1"]["1"])
    )


def test_inference_finds_the_malignant_ones_over_csv_and_json(breast_cancer: BreastCancer) -> None:
    inference = load("breast-cancer/inference.py")
    model = inference.model_fn(str(breast_cancer.model))
    rows = rows_of(breast_cancer.parts / "test" / "test.csv")
    labels = [int(row[0]) for row in rows]
    as_csv = "\n".join(",".join(row[1:]) for row in rows)
    as_json = json.dumps({"instances": [[float(cell) for cell in row[1:]] for row in rows]})

    def answer(body: str | bytes, content_type: str, accept: str) -> tuple[str, str]:
        return inference.output_fn(
            inference.predict_fn(inference.input_fn(body, content_type), model), accept
        )

    body, media_type = answer(as_csv.encode(), "text/csv; charset=utf-8", "*/*")
    assert media_type == "text/csv"
    probabilities = [float(line) for line in body.splitlines()]
    assert sum((p >= 0.5) == bool(label) for p, label in zip(probabilities, labels, strict=True)) > 0.9 * len(
        labels
    )

    body, media_type = answer(as_json, "application/json", "application/json")
    assert media_type == "application/json"
    assert json.loads(body)["probabilities"] == pytest.approx(probabilities)

    one, _ = answer(",".join(rows[0][1:]), "text/csv", "text/csv")
    assert float(one) == pytest.approx(probabilities[0])


def test_inference_refuses_other_media_types() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    inference = load("breast-cancer/inference.py")
    with pytest.raises(ValueError, match="image/png is not supported"):
        inference.input_fn(b"", "image/png")
    with pytest.raises(ValueError, match="cannot answer with text/html"):
        inference.output_fn([0.5], "text/html")


# -- abalone ----------------------------------------------------------------------------------------------------------


def abalone_rows(count: int) -> list[list[object]]:
    """Invented abalone: the bigger, the older; now and then a measurement is missing."""
    source = random.Random(1)
    rows: list[list[object]] = []
    for index in range(count):
        size = source.uniform(0.1, 0.8)
        weight = size**3 * 4
        cells = [size, size * 0.8, size * 0.27, weight, weight * 0.43, weight * 0.22, weight * 0.29]
        measurements: list[object] = [round(cell * source.uniform(0.95, 1.05), 4) for cell in cells]
        if index % 50 == 0:
            measurements[source.randrange(7)] = ""
        sex = "I" if size < 0.35 else source.choice("MF")
        rows.append([sex, *measurements, round(2 + 16 * size + source.gauss(0, 1))])
    return rows


@pytest.fixture(scope="module")
def abalone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for `/opt/ml/processing`, after preprocessing."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'sagewright[local]'")
    base = tmp_path_factory.mktemp("abalone")
    write_rows(base / "input" / "abalone-dataset.csv", abalone_rows(400))
    (base / "input" / "code").mkdir()  # the code's mount is below the input's
    run("abalone/preprocessing.py", "--base-dir", base)
    return base


def abalone_parts(base: Path) -> dict[str, list[list[float]]]:
    names = ("train", "validation", "test")
    return {name: [[float(c) for c in row] for row in rows_of(base / name / f"{name}.csv")] for name in names}


def test_abalone_is_split_and_keeps_every_row(abalone: Path) -> None:
    parts = abalone_parts(abalone)
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 280, "validation": 60, "test": 60}
    rings = sorted(row[0] for rows in parts.values() for row in rows)
    assert rings == sorted(float(str(row[-1])) for row in abalone_rows(400))


def test_abalone_features_are_standardized_on_the_train_rows_alone(abalone: Path) -> None:
    parts = abalone_parts(abalone)
    columns = [list(column) for column in zip(*parts["train"], strict=True)]
    assert len(columns) == 1 + 7 + 3
    for column in columns[1:8]:
        mean = sum(column) / len(column)
        assert mean == pytest.approx(0, abs=1e-6)
        assert sum((cell - mean) ** 2 for cell in column) / len(column) == pytest.approx(1, abs=1e-6)
    assert abs(sum(row[1] for row in parts["test"])) > 1e-3
    everything = [row for rows in parts.values() for row in rows]
    assert all(math.isfinite(cell) for row in everything for cell in row)
    assert {tuple(row[8:]) for row in everything} == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}


def test_abalone_preprocessing_is_repeatable(abalone: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "input" / "abalone-dataset.csv", abalone_rows(400))
    run("abalone/preprocessing.py", "--base-dir", tmp_path)
    assert (tmp_path / "test" / "test.csv").read_bytes() == (abalone / "test" / "test.csv").read_bytes()


@pytest.mark.parametrize(
    ("rows", "message"), [([], "no rows"), ([["M", "0.1", "9"]], "expected 9 columns: M,0.1,9")]
)
def test_abalone_preprocessing_refuses_what_it_cannot_read(
    tmp_path: Path, rows: list[list[str]], message: str
) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    write_rows(tmp_path / "data.csv", rows)
    with pytest.raises(SystemExit, match=re.escape(message)):
        load("abalone/preprocessing.py").read(tmp_path)


def test_abalone_metrics() -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    metrics = load("abalone/evaluation.py").metrics(numpy.array([10.0, 8.0]), numpy.array([9.0, 11.0]))
    assert metrics["regression_metrics"]["mse"]["value"] == 5.0
    assert metrics["regression_metrics"]["mse"]["standard_deviation"] == 4.0
    assert metrics["regression_metrics"]["rmse"]["value"] == pytest.approx(5**0.5)


def test_abalone_evaluation_says_that_it_needs_xgboost(abalone: Path) -> None:
    if importlib.util.find_spec("xgboost") is not None:
        pytest.skip("xgboost is installed")
    failed = run("abalone/evaluation.py", "--base-dir", abalone, code=1)
    assert "evaluation needs xgboost" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("form", ["pickle", "own"])
def test_abalone_evaluation_measures_a_trained_model(abalone: Path, form: str) -> None:
    xgboost = pytest.importorskip(
        "xgboost", reason="xgboost is not installed: the evaluation of abalone is not run"
    )
    numpy = pytest.importorskip("numpy")
    train = numpy.array(abalone_parts(abalone)["train"])
    booster = xgboost.train(
        {"objective": "reg:squarederror", "max_depth": 5, "eta": 0.2},
        xgboost.DMatrix(train[:, 1:], label=train[:, 0]),
        num_boost_round=50,
    )
    model = abalone / "model" / "xgboost-model"
    model.parent.mkdir(exist_ok=True)
    model.write_bytes(pickle.dumps(booster) if form == "pickle" else booster.save_raw())
    archive(model.parent / "model.tar.gz", model)
    run("abalone/evaluation.py", "--base-dir", abalone)
    report = json.loads((abalone / "evaluation" / "evaluation.json").read_text())
    assert 0.5 < report["regression_metrics"]["mse"]["value"] < 6.0


# -- batch-scoring ----------------------------------------------------------------------------------------------------


def test_the_summary_of_scores(tmp_path: Path) -> None:
    (tmp_path / "scores" / "day").mkdir(parents=True)
    (tmp_path / "scores" / "a.csv.out").write_text("0.1\n0.2\n")
    (tmp_path / "scores" / "day" / "b.csv.out").write_text("0.3\n0.8")
    run("batch-scoring/summarize.py", "--input", tmp_path / "scores", "--output", tmp_path / "summary")
    summary = json.loads((tmp_path / "summary" / "summary.json").read_text())
    assert summary["count"] == 4
    assert (summary["min"], summary["max"]) == (0.1, 0.8)
    assert summary["mean"] == pytest.approx(0.35)
    assert summary["quartiles"] == pytest.approx([0.175, 0.25, 0.425])


def test_the_summary_of_one_score() -> None:
    assert load("batch-scoring/summarize.py").summarize([0.5])["quartiles"] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no scores"), ("0.1\nhigh\n", ":2: not a score: high"), ("nan\n", ":1: not a finite")],
)
def test_the_summary_refuses_what_is_no_score(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.out").write_text(text)
    failed = run("batch-scoring/summarize.py", "--input", tmp_path, "--output", tmp_path / "summary", code=1)
    assert message in failed.stderr
    assert not (tmp_path / "summary").exists()


def test_the_lambda_counts_what_is_under_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto", reason="moto is not installed: pip install 'sagewright[local]'")
    import boto3

    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    handler = load("batch-scoring/functions/count_input.py").handler
    with moto.mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="acme-ml")
        for key, size in {
            "batch/input/": 0,
            "batch/input/a.csv": 400_000,
            "batch/input/b.csv": 1_100_000,
        }.items():
            s3.put_object(Bucket="acme-ml", Key=key, Body=b"0" * size)
        s3.put_object(Bucket="acme-ml", Key="elsewhere/c.csv", Body=b"0")
        assert handler({"uri": "s3://acme-ml/batch/input/"}, None) == {"objects": 2, "megabytes": 1.5}
        assert handler({"uri": "s3://acme-ml/nothing/"}, None) == {"objects": 0, "megabytes": 0}
        with pytest.raises(ValueError, match="not an S3 URI"):
            handler({"uri": "/batch/input"}, None)
