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
pytestmark = pytest.mark.xdist_group("pipeline-scripts")  # one process: what they make is made once


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


# -- hyperparameter-search --------------------------------------------------------------------------------------------


def test_a_search_can_compare_what_its_jobs_log(tmp_path: Path) -> None:
    import yaml

    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'sagewright[local]'")
    run("hyperparameter-search/export_data.py", tmp_path / "raw" / "diabetes.csv")
    run("hyperparameter-search/split.py", "--input", tmp_path / "raw", "--output", tmp_path)
    parts = {name: rows_of(tmp_path / name / f"{name}.csv") for name in ("train", "validation", "test")}
    assert {name: len(rows) for name, rows in parts.items()} == {"train": 265, "validation": 89, "test": 88}
    _, *raw = rows_of(tmp_path / "raw" / "diabetes.csv")
    assert sorted(row for rows in parts.values() for row in rows) == sorted(raw)
    model = tmp_path / "model"
    model.mkdir()
    trained = run(
        "hyperparameter-search/train.py",
        *("--learning_rate", "0.05", "--loss", "huber", "--max_depth", "2", "--n_estimators", "100"),
        environment={
            "SM_MODEL_DIR": model,
            "SM_CHANNEL_TRAIN": tmp_path / "train",
            "SM_CHANNEL_VALIDATION": tmp_path / "validation",
        },
    )
    training = yaml.safe_load((PIPELINES / "hyperparameter-search" / "pipeline.yaml").read_text())["steps"][
        "Search"
    ]
    (found,) = re.findall(training["training"]["metrics"][training["objective"]["metric"]], trained.stdout)
    assert 40 < float(found) < 80
    packed = archive(tmp_path / "model.tar.gz", model / "model.joblib")
    run(
        "hyperparameter-search/evaluate.py",
        "--model",
        packed,
        "--test",
        tmp_path / "test",
        "--output",
        tmp_path,
    )
    measured = json.loads((tmp_path / "evaluation.json").read_text())["regression_metrics"]
    assert measured["rmse"]["value"] == pytest.approx(math.sqrt(measured["mse"]["value"]))
    assert 0 < measured["r2"]["value"] < 1
    serving = load("hyperparameter-search/inference.py")
    rows = "\n".join(",".join(row[1:]) for row in parts["test"][:3])
    predicted = serving.predict_fn(serving.input_fn(rows, "text/csv"), serving.model_fn(str(model)))
    body, content_type = serving.output_fn(predicted, "*/*")
    assert content_type == "text/csv"
    assert len(body.split()) == 3
    with pytest.raises(ValueError, match="send text/csv"):
        serving.input_fn(rows, "application/json")


@pytest.mark.parametrize(("row", "said"), [("a,b", "not 2 numbers: a,b"), ("", "no rows")])
def test_rows_that_are_no_numbers_are_refused(tmp_path: Path, row: str, said: str) -> None:
    (tmp_path / "d.csv").write_text(f"progression,age\n{row}\n")
    failed = run("hyperparameter-search/split.py", "--input", tmp_path, "--output", tmp_path, code=1)
    assert said in failed.stderr


# -- autopilot --------------------------------------------------------------------------------------------------------


def test_what_is_held_back_is_apart_from_what_autopilot_sees(tmp_path: Path) -> None:
    run("autopilot/make_data.py", tmp_path / "raw" / "customers.csv", "--count", "400")
    run("autopilot/hold_out.py", "--input", tmp_path / "raw", "--output", tmp_path, "--target", "churned")
    header, *seen = rows_of(tmp_path / "train" / "train.csv")
    features, answers = (rows_of(tmp_path / name / f"{name}.csv") for name in ("features", "answers"))
    held = [[*row, *answer] for row, answer in zip(features, answers, strict=True)]
    assert header[-1] == "churned"
    assert 40 < len(held) < 120
    assert sorted(seen + held) == sorted(rows_of(tmp_path / "raw" / "customers.csv")[1:])
    run("autopilot/make_data.py", tmp_path / "more" / "customers.csv", "--count", "500")
    run(
        "autopilot/hold_out.py",
        "--input",
        tmp_path / "more",
        "--output",
        tmp_path / "2",
        "--target",
        "churned",
    )
    assert rows_of(tmp_path / "2" / "features" / "features.csv")[: len(features)] == features


def test_predictions_are_measured_against_the_answers(tmp_path: Path) -> None:
    write_rows(tmp_path / "answers" / "answers.csv", [["yes"], ["yes"], ["no"], ["no"], ["no"]])
    write_rows(
        tmp_path / "scores" / "features.csv.out",
        [["yes", 0.9], ["no", 0.4], ["yes", 0.6], ["no", 0.1], ["no", 0]],
    )
    run(
        "autopilot/evaluate.py",
        "--answers",
        tmp_path / "answers",
        "--predictions",
        tmp_path / "scores",
        "--output",
        tmp_path,
    )
    measured = json.loads((tmp_path / "evaluation.json").read_text())["binary_classification_metrics"]
    assert {name: entry["value"] for name, entry in measured.items()} == {
        "accuracy": 0.6,
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
    }


@pytest.mark.parametrize(
    ("answers", "said"),
    [(["yes"], "2 predictions for 1 rows"), (["no", "no", "no"], "2 predictions for 3 rows")],
)
def test_predictions_that_do_not_fit_are_refused(answers: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        load("autopilot/evaluate.py").report(answers, ["yes", "no"], "yes")


def test_a_table_without_the_target_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.csv", [["a", "b"], [1, 2]])
    failed = run(
        "autopilot/hold_out.py", "--input", tmp_path, "--output", tmp_path, "--target", "churned", code=1
    )
    assert "the header has no column churned: a,b" in failed.stderr


# -- spark-etl --------------------------------------------------------------------------------------------------------


def spark_arguments() -> dict[str, list[str]]:
    """What the pipeline gives each of its Spark jobs."""
    definition = json.loads((PIPELINES / "spark-etl" / "definition.golden.json").read_text())
    clean = definition["Steps"][0]["Arguments"]["JobConfig"]["jobDriver"]["sparkSubmit"]
    (aggregate,) = (s for s in definition["Steps"][1]["Arguments"]["IfSteps"] if s["Type"] == "EMR")
    command = aggregate["Arguments"]["StepConfig"]["HadoopJarStep"]["Args"]
    return {"clean": clean["entryPointArguments"], "aggregate": command[4:]}


@pytest.mark.parametrize("job", ["clean", "aggregate"])
def test_a_spark_job_takes_what_the_pipeline_gives_it(job: str) -> None:
    given = ["s3://somewhere" if isinstance(part, dict) else part for part in spark_arguments()[job]]
    found = vars(load(f"spark-etl/jobs/{job}.py").options(given))
    assert set(found.values()) == {"s3://somewhere"}
    with pytest.raises(SystemExit):
        load(f"spark-etl/jobs/{job}.py").options(given[2:])


def test_what_cleaning_lost_is_a_share_of_all() -> None:
    clean = load("spark-etl/jobs/clean.py")
    counts = {"all": 200, "lost": 5, **dict.fromkeys(clean.RULES, 1)}
    made = clean.summary(counts)
    assert made["lost_share"] == 0.025
    assert made["by_rule"].keys() == clean.RULES.keys()
    assert clean.summary({**counts, "all": 0, "lost": 0})["lost_share"] == 1.0, (
        "nothing at all is no good delivery"
    )


# -- features ---------------------------------------------------------------------------------------------------------


def test_features_know_nothing_of_the_future(tmp_path: Path) -> None:
    write_rows(
        tmp_path / "raw" / "a.csv",
        [
            ["customer_id", "at", "amount"],
            ["7", "2025-12-01T10:00:00+02:00", "10.5"],
            ["7", "2025-12-30T00:00:00", "4.5"],
            ["7", "2026-01-02T00:00:00Z", "1000"],
            ["8", "2026-02-01T00:00:00Z", "3"],
            ["9", "yesterday", "3"],
            ["9", "2025-12-01T00:00:00Z", ""],
        ],
    )
    run(
        "features/compute.py",
        "--input",
        tmp_path / "raw",
        "--output",
        tmp_path,
        "--as-of",
        "2026-01-01T00:00:00Z",
    )
    assert rows_of(tmp_path / "features" / "features.csv") == [
        ["customer_id", "event_time", "total", "purchases", "days_since"],
        ["7", "2026-01-01T00:00:00.000Z", "15.0", "2", "2"],
    ]
    summary = json.loads((tmp_path / "summary" / "summary.json").read_text())
    assert summary == {"transactions": 6, "customers": 1, "missing_share": pytest.approx(2 / 6)}


def test_a_training_set_is_split_by_time(tmp_path: Path) -> None:
    import gzip

    lines = [
        json.dumps({"churned": i % 2 == 0, "total": i, "purchases": 1, "days_since": 3}) for i in range(10)
    ]
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "1").write_text("\n".join(lines[:4]))
    (tmp_path / "rows" / "2").write_bytes(gzip.compress("\n".join(lines[4:]).encode()))
    run("features/training_set.py", "--input", tmp_path / "rows", "--output", tmp_path)
    train, validation = (rows_of(tmp_path / name / f"{name}.csv") for name in ("train", "validation"))
    assert train[:2] == [["1", "0", "1", "3"], ["0", "1", "1", "3"]]
    assert [row[1] for row in validation] == ["8", "9"], "the latest, in their order"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "0 rows cannot be split"),
        ([{"churned": 1, "total": None, "purchases": 1, "days_since": 2}], "a row lacks total"),
    ],
)
def test_a_training_set_that_cannot_be_made(tmp_path: Path, lines: list[object], said: str) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "1").write_text("\n".join(json.dumps(line) for line in lines))
    failed = run("features/training_set.py", "--input", tmp_path / "rows", "--output", tmp_path, code=1)
    assert said in failed.stderr


# -- labelling --------------------------------------------------------------------------------------------------------


def pool(path: Path, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"source-ref": f"s3://b/p/{name}"}) + "\n" for name in names))


def picked(tmp_path: Path, number: int, count: int) -> list[str]:
    run(
        "labelling/pick.py",
        *("--pool", tmp_path / "pool", "--rounds", tmp_path / "rounds", "--output", tmp_path / "out"),
        *("--round", number, "--count", count),
    )
    lines = (tmp_path / "out" / "ask" / "ask.manifest").read_text().splitlines()
    return [json.loads(line)["source-ref"].rpartition("/")[2] for line in lines]


def test_people_are_asked_about_what_the_model_is_least_sure_of(tmp_path: Path) -> None:
    pool(tmp_path / "pool" / "pool.manifest", "sure.png", "torn.png", "asked.png", "new.png", "so-so.png")
    pool(tmp_path / "rounds" / "first" / "ask" / "ask.manifest", "asked.png")
    for name, prediction in {"sure": [0.98, 0.01], "torn": [0.51, 0.49], "so-so": [0.3, 0.6]}.items():
        path = tmp_path / "rounds" / "first" / "predictions" / f"{name}.png.out"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"prediction": prediction}))
    assert picked(tmp_path, 2, 2) == ["torn.png", "so-so.png"]
    rest = json.loads((tmp_path / "out" / "rest" / "rest.manifest").read_text())
    assert rest == [{"prefix": "s3://b/p/"}, "sure.png", "new.png"]
    facts = json.loads((tmp_path / "out" / "facts" / "facts.json").read_text())
    assert facts == {"asked": 2, "left": 2, "asked_before": 1}


def test_the_first_round_asks_at_random_and_repeatably(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(50)]
    pool(tmp_path / "pool" / "pool.manifest", *names)
    (tmp_path / "rounds").mkdir()
    first = picked(tmp_path, 1, 10)
    assert first == picked(tmp_path, 1, 10) != picked(tmp_path, 2, 10)
    assert first != names[:10]


def test_a_pool_that_is_no_manifest_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "m").write_text('{"source-ref": "s3://b/1"}\n{"source": 2}\n')
    failed = run(
        "labelling/pick.py",
        "--pool",
        tmp_path / "pool",
        "--rounds",
        tmp_path,
        "--round",
        1,
        "--count",
        1,
        code=1,
    )
    assert "m:2: no line of a manifest" in failed.stderr


def test_labels_add_up_over_rounds_and_stay_on_their_side(tmp_path: Path) -> None:
    def joined(number: int) -> tuple[set[str], set[str]]:
        run(
            "labelling/join.py",
            "--new",
            tmp_path / "new",
            "--rounds",
            tmp_path / "rounds",
            "--output",
            tmp_path / str(number),
        )
        parts = ((tmp_path / str(number) / name / f"{name}.manifest") for name in ("train", "validation"))
        train, validation = (
            {json.loads(line)["source-ref"] for line in p.read_text().splitlines()} for p in parts
        )
        return train, validation

    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "o").write_text(
        "".join(json.dumps({"source-ref": f"s3://b/{i}", "label": i % 3}) + "\n" for i in range(40))
    )
    train, validation = joined(1)
    assert len(train) + len(validation) == 40
    (tmp_path / "rounds" / "first").mkdir(parents=True)
    (tmp_path / "1" / "labelled").rename(tmp_path / "rounds" / "first" / "labelled")
    rows = [
        {"source-ref": "s3://b/0", "label": 2},
        {"source-ref": "s3://b/x", "label": 1},
        {"source-ref": "s3://b/y"},
    ]
    (tmp_path / "new" / "o").write_text("".join(json.dumps(row) + "\n" for row in rows))
    more_train, more_validation = joined(2)
    assert train <= more_train
    assert validation <= more_validation
    assert (more_train | more_validation) - (train | validation) == {"s3://b/x"}, "y has no label"


@pytest.mark.parametrize(
    ("accuracy", "number", "verdict"),
    [(0.96, 1, "good enough"), (0.9, 4, "again"), (0.9, 5, "no rounds left")],
)
def test_the_next_round(accuracy: float, number: int, verdict: str) -> None:
    assert load("labelling/functions/next_round.py").judge(accuracy, 0.95, number, 5) == verdict


def test_the_labelling_job_answers_whom_it_was_started_for() -> None:
    from botocore.session import get_session
    from botocore.validate import ParamValidator

    model = get_session().get_service_model("sagemaker")
    arguments = {"manifest": "s3://b/ask.manifest", "output": "s3://b/labels", "round": 2}
    arn = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/labelling/execution/abcdefabcdef"
    message = {"token": "t0", "pipelineExecutionArn": arn, "arguments": arguments}
    places = ("ROLE", "CATEGORIES", "WORKTEAM", "TEMPLATE", "PRE_TASK", "CONSOLIDATION")
    made = load("labelling/functions/ask.py").request(
        message, dict.fromkeys(places, "arn:aws:iam::123456789012:role/R")
    )
    report = ParamValidator().validate(made, model.operation_model("CreateLabelingJob").input_shape)
    assert not report.has_errors(), report.generate_report()
    answer = load("labelling/functions/answer.py").answer
    job = {"Tags": made["Tags"], "LabelingJobStatus": "Completed", "LabelCounters": {"TotalLabeled": 9}}
    job["LabelingJobOutput"] = {"OutputDatasetS3Uri": "s3://b/o"}
    call, parameters = answer(job)
    assert call == "send_pipeline_execution_step_success"
    assert parameters["CallbackToken"] == "t0"
    assert {"Name": "labelled", "Value": "9"} in parameters["OutputParameters"]
    call, parameters = answer({"Tags": made["Tags"], "LabelingJobStatus": "Stopped"})
    assert (call, parameters["FailureReason"]) == (
        "send_pipeline_execution_step_failure",
        "the labelling job was stopped",
    )
    assert answer({"Tags": made["Tags"], "LabelingJobStatus": "InProgress"}) == (None, {})
    assert answer({"LabelingJobStatus": "Completed"}) == (None, {}), "somebody else's"
