"""What SDK 3.27 makes of the cases of script mode: equal but for the form, which is that of SDK 2.257 here on purpose."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sagewright.compiler.definition import differences
from tests.definitions import CASES, NO_SHARED, SHARED, compiled, definition_of, unexplained

FILES = {path.stem: path for path in sorted((SHARED / "golden" / "scriptmode").glob("v3_*.json"))}
SAME_AS = {"v3_pytorch-command": "scriptmode-pytorch"}
"""A command of the author's is a form of script mode too."""

FORM = "SDK 3.27 starts a driver of its own by the entrypoint, from channels whose URIs have times in them"
ENCODED = "the toolkit reads JSON, so texts are quoted in our form, and not in that of SDK 3.27"
LIMIT = "the cases say how long SDK 2.257's jobs run by default, which is longer"
REPACKED = "our step that repacks is SDK 2.257's, but for its script; SDK 3.27 repacks for every framework"
NAMED = "SDK 3.27 leaves out which framework a model package is for"
OTHER = "the SDK's program for this version asks for something else"

_TRAIN = "Steps[Train].Arguments"
_TUNE = "Steps[Tune].Arguments.TrainingJobDefinition"
_CONTAINERS = ("PrimaryContainer", "InferenceSpecification.Containers[0]")
ALLOWED = {
    **{f"{_TRAIN}.AlgorithmSpecification.Container{part}": FORM for part in ("Arguments", "Entrypoint")},
    f"{_TRAIN}.AlgorithmSpecification.EnableSageMakerMetricsTimeSeries": FORM,
    f"{_TRAIN}.HyperParameters.sagemaker_*": FORM,
    f"{_TRAIN}.InputDataConfig[code]": FORM,
    f"{_TRAIN}.InputDataConfig[code].DataSource.S3DataSource.S3Uri": FORM,
    f"{_TRAIN}.InputDataConfig[sm_drivers]": FORM,
    f"{_TRAIN}.HyperParameters.name": ENCODED,
    f"{_TRAIN}.StoppingCondition.MaxRuntimeInSeconds": LIMIT,
    "Steps": "SDK 3.27 writes the step that repacks after the one that needs it",
    "Parameters[L]": OTHER,
    f"{_TRAIN}.HyperParameters.lr": OTHER,
    f"{_TRAIN}.Environment": OTHER,
    f"{_TRAIN}.HyperParameters": OTHER,
    f"{_TRAIN}.AlgorithmSpecification.TrainingImage": "SMP v2 has an image of its own, which SDK 3.27 forgets",
    "Steps[M-repack]": REPACKED,
    "Steps[M-repack].*": REPACKED,
    **{f"Steps[M].Arguments.{where}.Environment": REPACKED for where in _CONTAINERS},
    **{
        f"Steps[M].Arguments.{where}.Environment.SAGEMAKER_SUBMIT_DIRECTORY": REPACKED
        for where in _CONTAINERS
    },
    **{f"Steps[M].Arguments.{where}.ModelDataUrl": REPACKED for where in _CONTAINERS},
    f"Steps[M].Arguments.{_CONTAINERS[1]}.Framework*": NAMED,
    "Steps[Tune].Arguments.HyperParameterTuningJobConfig.ParameterRanges.CategoricalParameterRanges[name].Values[*]": ENCODED,
    f"{_TUNE}.HyperParameterTuningResourceConfig": OTHER,
    f"{_TUNE}.ResourceConfig": OTHER,
    f"{_TUNE}.InputDataConfig[sm_drivers]": FORM,
    f"{_TUNE}.StaticHyperParameters.*": ENCODED,
    f"{_TUNE}.StoppingCondition.MaxRuntimeInSeconds": LIMIT,
}
"""Path in the definition → why it differs."""


def found(name: str) -> list[str]:
    text = re.sub(r"M-RepackModel-model-[0-9a-f]+", "M-repack", FILES[name].read_text())
    case = SAME_AS.get(name, name.replace("v3_", "scriptmode-"))
    ours = definition_of(compiled(CASES[case]))
    return list(differences(ours, json.loads(text), names=("ours", "the SDK's")))


@pytest.mark.parametrize("name", FILES)
def test_equal_but_for_the_form(name: str) -> None:
    left, _ = unexplained(found(name), ALLOWED)
    assert left == []


def test_every_allowance_is_used() -> None:
    if not FILES:
        pytest.skip(NO_SHARED)
    _, stale = unexplained([line for name in FILES for line in found(name)], ALLOWED)
    assert stale == []


@pytest.mark.parametrize("name", FILES)
def test_the_resources_are_the_same(name: str) -> None:
    """What no form may change: instances, outputs, and data."""
    for part in ("ResourceConfig", "OutputDataConfig", "InputDataConfig[train]", "CheckpointConfig"):
        assert not [line for line in found(name) if line.startswith(f"Steps[Train].Arguments.{part}")]


def test_the_files_are_there() -> None:
    if not SHARED.exists():
        pytest.skip(NO_SHARED)
    assert len(FILES) > 20
    assert all(Path(path).is_file() for path in FILES.values())
