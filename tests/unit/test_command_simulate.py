"""`sagewright simulate`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import cli
from tests.definitions import ROOT

BREAST_CANCER = str(ROOT / "pipelines/breast-cancer")
METRICS = "Evaluate.reports.evaluation.binary_classification_metrics"
GOOD = ("--set", f"{METRICS}.auc.value=0.99", "--set", f"{METRICS}.recall.value=0.95")


def run(*arguments: str) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate", *arguments])
    code = ended.value.code
    return code if isinstance(code, int) else 1


@pytest.fixture
def data(capsys: pytest.CaptureFixture[str]) -> Any:
    def simulate(*arguments: str) -> tuple[int, Any]:
        code = run(*arguments, "--format", "json")
        return code, json.loads(capsys.readouterr().out)

    return simulate


def test_a_pipeline_whose_values_nobody_gave_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(BREAST_CANCER) == 1
    said = capsys.readouterr().out
    assert "breast-cancer: Unknown after" in said
    assert "nobody gave the report `evaluation` of `Evaluate`" in said
    assert "--take GoodEnough=then" in said


def test_values_decide(data: Any) -> None:
    code, found = data(BREAST_CANCER, *GOOD)
    assert (code, found["status"]) == (0, "Succeeded")
    ran = [step["name"] for step in found["steps"] if step["start"] is not None]
    assert ran == [
        *(
            "Preprocess",
            "Train",
            "Evaluate",
            "GoodEnough",
            "Register",
            "Deploy-model",
            "Deploy-config",
            "Deploy",
        )
    ]
    assert found["critical_path"] == ran


def test_a_branch_can_be_taken(data: Any) -> None:
    code, found = data(BREAST_CANCER, "--take", "GoodEnough=else", "--param", "MinAuc=0.5")
    assert (code, found["status"]) == (1, "Failed")
    assert "AUC is below 0.5" in next(s for s in found["steps"] if s["name"] == "Reject")["reason"]


def test_an_assumption_that_its_values_deny(data: Any) -> None:
    code, found = data(BREAST_CANCER, *GOOD, "--take", "GoodEnough=else")
    assert (code, found["status"]) == (1, "Succeeded")
    assert found["contradictions"] == ["`GoodEnough` is assumed to be false, but its values make it true"]


def test_faults_and_durations_by_name(data: Any) -> None:
    code, found = data(
        *(BREAST_CANCER, *GOOD, "--fail", "Train=CapacityError:1", "--fail", "Train=throttling:1"),
        *("--duration", "Train=1m", "--duration", "processing=2m"),
    )
    train = next(step for step in found["steps"] if step["name"] == "Train")
    assert code == 0
    assert [a["error"] for a in train["attempts"]] == ["SageMaker.CAPACITY_ERROR", "Step.THROTTLING", None]
    assert train["end"] - train["start"] == 3 * 60 + 2
    assert found["steps"][0]["end"] == 120


def test_a_second_execution_takes_earlier_results(data: Any) -> None:
    _, found = data(BREAST_CANCER, *GOOD, "--after", "1d")
    assert [s["name"] for s in found["steps"] if s["cached"]] == ["Preprocess", "Train", "Evaluate"]


def test_a_selection_and_a_stop(data: Any) -> None:
    code, found = data(BREAST_CANCER, *GOOD, "--select", "Train")
    assert (code, [s["name"] for s in found["steps"] if s["start"] is not None]) == (0, ["Train"])
    code, found = data(BREAST_CANCER, *GOOD, "--stop-at", "1m")
    assert (code, found["status"]) == (1, "Stopped")


def test_samples(data: Any, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("currency: EUR\ntraining: {ml.m5.large: 0.1}\nprocessing: {ml.m5.large: 0.2}\n")
    arguments = (
        BREAST_CANCER,
        *GOOD,
        "--runs",
        "200",
        "--fail-rate",
        "*=0.1",
        "--fail-rate",
        "Train=capacity_error:0.5",
    )
    code, found = data(*arguments, "--prices", str(prices), "--seed", "5")
    assert (code, found["runs"], found["seed"]) == (0, 200, 5)
    assert 0 < found["statuses"]["Succeeded"] < 200
    assert found["attempts"]["Train"] > 1.3
    assert found["cost"]["mean"] > 0
    assert data(*arguments, "--prices", str(prices), "--seed", "5")[1] == found


def test_samples_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(BREAST_CANCER, "--runs", "20", "--fail-rate", "GoodEnough=0", "--take", "GoodEnough=then") == 0
    said = capsys.readouterr().out
    assert "20 simulated runs, seed 0" in said
    assert "GoodEnough, reached in 100.0 % of the runs:" in said


def test_explorations(data: Any) -> None:
    code, found = data(BREAST_CANCER, "--explore")
    assert (code, found["exhaustive"], found["never"], found["dead_ends"]) == (0, True, [], [])
    assert found["statuses"] == {"Succeeded": 1, "Failed": 8}
    assert data(BREAST_CANCER, "--explore", "--failures", "0")[1]["ways"] == 2
    assert data(BREAST_CANCER, "--explore", "--cap", "1")[1]["exhaustive"] is False


def test_a_scenario_file_and_a_test_of_it(data: Any, tmp_path: Path) -> None:
    scenario = tmp_path / "bad-day.yaml"
    scenario.write_text("steps: {Train: {fails: capacity_error}}\n")
    code, found = data(BREAST_CANCER, "--scenario", str(scenario))
    assert (code, found["status"]) == (1, "Failed")
    test = f"{BREAST_CANCER}/tests.yaml::whoever asks for more gets more"
    assert data(BREAST_CANCER, "--scenario", test)[1]["status"] == "Failed"
    assert data(BREAST_CANCER, "--scenario", test, "--param", "MinAuc=0.5")[1]["status"] == "Succeeded"


def test_anybodys_definition(data: Any, tmp_path: Path) -> None:
    path = tmp_path / "theirs.json"
    steps = [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]
    path.write_text(json.dumps({"Version": "2020-12-01", "Steps": steps}))
    code, found = data(str(path))
    assert (code, found["pipeline"], found["status"]) == (1, "theirs", "Failed")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--fail", "Trian=timeout"], 2, "unknown step `Trian`"),
        (["--fail", "Trian=timeout"], 2, "did you mean `Train`?"),
        (["--fail", "Train"], 2, "--fail wants NAME=VALUE"),
        (["--fail", "Train=capcity_error"], 2, "did you mean `capacity_error`?"),
        (["--set", "Train.metric.x=1"], 2, "did you mean 'metrics'?"),
        (["--set", "Evaluate.reports.evaluaton.x=1"], 2, "did you mean `evaluation`?"),
        (["--take", "GoodEnough=maybe"], 2, "then"),
        (["--take", "Train=then"], 2, "belongs to conditions"),
        (["--param", "MinAcu=1"], 2, "did you mean `MinAuc`?"),
        (["--param", "MinAuc=high"], 2, "Expected Float"),
        (["--duration", "procesing=5m"], 2, "did you mean `processing`?"),
        (["--duration", "Train=soon"], 2, "Train.duration"),
        (["--fail-rate", "Train=2", "--runs", "5"], 2, "Train.rate"),
        (["--fail-rate", "Train=0.5"], 2, "--fail-rate is for --runs"),
        (["--select", "Preprocess", "--select", "Evaluate"], 2, "are between selected steps"),
        (["--explore", "--runs", "5"], 2, "do not go together"),
        (["--prices", "p.yaml"], 2, "--prices is for --runs"),
        (["--explore", "--after", "1h"], 2, "--explore and --after do not go together"),
        (["--explore", "--select", "Train"], 2, "--explore and --select do not go together"),
        (["--explore", "--stop-at", "1h"], 2, "--explore and --stop-at do not go together"),
        (["--failures", "1"], 2, "--failures is for --explore"),
        (["--cap", "9", "--runs", "2"], 2, "--cap is for --explore"),
        (["--seed", "9"], 2, "--seed is for --runs"),
        (["--scenario", "nowhere.yaml"], 1, "cannot read `nowhere.yaml`"),
        (["--runs", "0"], 2, "--runs"),
    ],
)
def test_wrong_usage(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(BREAST_CANCER, *arguments) == code
    said = capsys.readouterr()
    assert message in said.err + said.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no definition"),
        ('{"Version": "2020-12-01", "Steps": [{"Name": "A", "Type": "X"}]}', "has no Arguments"),
        (None, "cannot read"),
    ],
)
def test_definitions_that_cannot_be_executed(
    text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "d.json"
    if text is not None:
        path.write_text(text)
    assert run(str(path)) == 1
    assert message in capsys.readouterr().err


def test_a_pipeline_with_errors_is_not_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text("name: demo\nsteps:\n  Stop: {kind: fial}\n")
    assert run(str(path)) == 1
    assert "SW207" in capsys.readouterr().err


def test_one_pipeline_at_a_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    assert run() == 2
    assert "name one" in capsys.readouterr().err


def test_mistakes_in_a_scenario_have_their_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text("steps:\n  Trian: {}\n")
    assert run(BREAST_CANCER, "--scenario", str(scenario)) == 1
    assert "s.yaml:2:3" in capsys.readouterr().err
    scenario.write_text("- a\n")
    assert run(BREAST_CANCER, "--scenario", str(scenario)) == 1
    assert "SW203" in capsys.readouterr().err
