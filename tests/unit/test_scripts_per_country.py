"""The scripts of per-country, run as their containers would run them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_pipeline_scripts import PIPELINES, load, rows_of, run, write_rows

pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'sagewright[local]'")
pytestmark = pytest.mark.xdist_group("scripts-per_country")  # one process: what they make is made once
NAME = "per-country"
COUNTRIES = ["at", "es", "nl"]
FAMILIES = ("linear", "forest", "boosting")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that has raw, train and validation, after Split."""
    base = tmp_path_factory.mktemp(NAME)
    run(f"{NAME}/make_data.py", base / "raw" / "rentals.csv", "--days", 365)
    run(f"{NAME}/split.py", "--input", base / "raw", "--output", base, "--countries", json.dumps(COUNTRIES))
    return base


@pytest.fixture(scope="module")
def trained(parts: Path) -> dict[str, dict[str, float]]:
    """What each family logged for Spain, as the pipeline's metric definitions find it in the log."""
    pipeline = yaml.safe_load((PIPELINES / NAME / "pipeline.yaml").read_text())
    train = pipeline["steps"]["PerCountry"]["body"]["Train"]
    assert tuple(train["matrix"]["family"]) == FAMILIES
    found: dict[str, dict[str, float]] = {}
    for family in FAMILIES:
        (parts / family).mkdir()
        log = run(
            f"{NAME}/train.py",
            *("--family", family, "--country", "es"),
            environment={
                "SM_CHANNEL_TRAIN": parts / "train" / "es",
                "SM_CHANNEL_VALIDATION": parts / "validation",
                "SM_MODEL_DIR": parts / family,
            },
        ).stdout
        found[family] = {name: float(re.findall(regex, log)[0]) for name, regex in train["metrics"].items()}
    return found


def test_every_country_has_its_own_rows(parts: Path) -> None:
    header, *raw = rows_of(parts / "raw" / "rentals.csv")
    for country in COUNTRIES:
        mine = [[row[-1], *row[1:-1]] for row in raw if row[0] == country]
        train = rows_of(parts / "train" / country / "train.csv")
        validation = rows_of(parts / "validation" / country / "validation.csv")
        assert (len(train), len(validation)) == (274, 91)
        assert sorted(train + validation) == sorted(mine)
    assert header[0] == "country"
    assert header[-1] == "rentals"
    assert {path.name for path in (parts / "train").iterdir()} == set(COUNTRIES), "only those asked for"


def test_models_explain_the_country_that_they_are_for_better_than_others(
    trained: dict[str, dict[str, float]],
) -> None:
    assert all(found["home"] > found["abroad"] for found in trained.values())
    assert all(found["home"] > 0.8 for found in trained.values()), "the pipeline's own MinHome"
    assert max(found["abroad"] for found in trained.values()) > 0.6, "and MinAbroad"


def test_the_chosen_family_is_the_best_at_home(trained: dict[str, dict[str, float]]) -> None:
    event: dict[str, Any] = {"min_home": 0.8}
    for family, found in trained.items():
        event |= {f"{family}_{key}": value for key, value in found.items()}
        event[f"{family}_model"] = f"s3://b/{family}.tar.gz"
    chosen = load(f"{NAME}/functions/choose.py").handler(event, None)
    best = max(trained, key=lambda family: trained[family]["home"])
    assert chosen == {
        "family": best,
        "model": f"s3://b/{best}.tar.gz",
        **trained[best],
        "approval": "PendingManualApproval",
    }
    pipeline = yaml.safe_load((PIPELINES / NAME / "pipeline.yaml").read_text())
    step = pipeline["steps"]["PerCountry"]["body"]["Choose"]
    assert step["arguments"].keys() == event.keys()
    assert step["outputs"].keys() == chosen.keys()


@pytest.mark.parametrize(
    ("home", "family", "approval"),
    [((0.9, 0.9, 0.8), "linear", "PendingManualApproval"), ((-2.0, 0.1, 0.2), "boosting", "Rejected")],
)
def test_the_simplest_of_equals_is_chosen_and_a_weak_one_rejected(
    home: tuple[float, ...], family: str, approval: str
) -> None:
    event: dict[str, Any] = {"min_home": 0.8}
    for name, value in zip(FAMILIES, home, strict=True):
        event |= {f"{name}_home": value, f"{name}_abroad": 0.5, f"{name}_model": name}
    chosen = load(f"{NAME}/functions/choose.py").handler(event, None)
    assert (chosen["family"], chosen["model"], chosen["approval"]) == (family, family, approval)


def test_every_family_is_served_by_the_same_code(parts: Path, trained: dict[str, dict[str, float]]) -> None:
    inference = load(f"{NAME}/inference.py")
    row = rows_of(parts / "validation" / "es" / "validation.csv")[0]
    for family in trained:
        model = inference.model_fn(str(parts / family))
        rows = inference.input_fn(",".join(row[1:]).encode(), "text/csv")
        body, kind = inference.output_fn(inference.predict_fn(rows, model), "*/*")
        assert kind == "text/csv"
        assert 0 <= float(body) < 40
    with pytest.raises(ValueError, match="send text/csv"):
        inference.input_fn("{}", "application/json")


def test_a_country_alone_has_nothing_abroad(parts: Path, tmp_path: Path) -> None:
    train = load(f"{NAME}/train.py")
    (tmp_path / "es").mkdir()
    assert train.abroad(None, tmp_path, "es") == 0.0


@pytest.mark.parametrize(
    ("countries", "said"),
    [
        ('["at", "xx"]', "too few rows of xx; there are rows of at"),
        ("at", "a JSON list"),
        ("[]", "a JSON list"),
    ],
)
def test_countries_without_rows_are_told_before_anything_is_trained(
    tmp_path: Path, countries: str, said: str
) -> None:
    header = ["country", "temperature", "rentals"]
    write_rows(tmp_path / "raw" / "a.csv", [header, ["at", 1, 2], ["at", 2, 3]])
    failed = run(
        f"{NAME}/split.py",
        "--input",
        tmp_path / "raw",
        "--output",
        tmp_path,
        "--countries",
        countries,
        code=1,
    )
    assert said in failed.stderr


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["country", "rain"], ["at", 1]], "no column rentals"),
        ([["country", "rain", "rentals"], ["at", "wet", 1]], "a.csv:2: not a number: 'wet'"),
        ([["country", "rain", "rentals"], ["at", 1]], "not a number: None"),
    ],
)
def test_rows_that_are_none_are_told(tmp_path: Path, rows: list[list[object]], said: str) -> None:
    write_rows(tmp_path / "a.csv", rows)
    with pytest.raises(SystemExit, match=re.escape(said)):
        load(f"{NAME}/split.py").read(tmp_path)
