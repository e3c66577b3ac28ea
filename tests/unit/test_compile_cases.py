"""Each case compiles to its golden definition, and to what its oracle, the SageMaker SDK, emits for the same."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from sagewright.compiler.definition import differences
from tests.definitions import (
    CASES,
    GOLDEN,
    NO_SHARED,
    SHARED,
    compiled,
    definition_of,
    golden_of,
    golden_text,
    oracle_of,
    unexplained,
)

ORACLES = {name: oracle for name, path in CASES.items() if (oracle := oracle_of(path))}

ON_REQUEST = "SDK 2.257 asks for Debugger and Profiler unasked; we do on request only: their paths are in the cache's key"
MODEL_DIR = "TensorFlow's `model_dir` has the time of compiling in it, so that no run would ever come from the cache"
NO_CODE = "without code SDK 3.27 sets SAGEMAKER_PROGRAM to nothing, on which XGBoost's server fails; we set nothing"
BY_NAME = "the job's name has the time of compiling in it, and the estimator is the SDK's own: no container reads them"
NO_ID = "`app-1` is no application's id: EMR Serverless has letters and digits in it"
BY_TIME = "the SDK's names have the time of compiling in them; ours are the step's, and the notebook's under its hash"

_STATIC = "Steps[Tune].Arguments.TrainingJobDefinition.StaticHyperParameters"
ALLOWED: dict[str, dict[str, str]] = {
    "abalone": {
        "Steps[MseCond].Arguments.IfSteps[Register].Arguments.InferenceSpecification.Containers[0].Environment": NO_CODE
    },
    "v2-abalone": {
        "Steps[Train].Arguments.DebugHookConfig": ON_REQUEST,
        "Steps[Train].Arguments.ProfilerConfig": ON_REQUEST,
    },
    "scriptmode-*": {
        "Steps[Train].Arguments.DebugHookConfig": ON_REQUEST,
        "Steps[Train].Arguments.ProfilerConfig": ON_REQUEST,
    },
    "scriptmode-tuning-*": {
        f"{_STATIC}.sagemaker_{name}": BY_NAME
        for name in ("job_name", "estimator_class_name", "estimator_module")
    },
    "scriptmode-tuning-tensorflow": {f"{_STATIC}.model_dir": MODEL_DIR},
    "emr": {
        "Steps[EmrSls].Arguments.JobConfig.applicationId": NO_ID,
        "Steps[EmrSls].Arguments.ApplicationId": NO_ID,
    },
    "notebook": {
        "Steps[Nb].Arguments.InputDataConfig[*].DataSource.S3DataSource.S3Uri": BY_TIME,
        "Steps[Nb].Arguments.Tags[sagemaker:name].Value": BY_TIME,
        "Steps[Nb].Arguments.Environment.SM_OUTPUT_NOTEBOOK_NAME": BY_TIME,
        "Steps[Nb].Arguments.TrainingJobName": BY_TIME,
    },
    "scriptmode-tensorflow*": {"Steps[Train].Arguments.HyperParameters.model_dir": MODEL_DIR},
}
"""Case → path in the definition → why it may differ from the oracle there, beyond what `definition.meaning` allows."""


def allowed(case: str) -> dict[str, str]:
    return {
        path: why for name, paths in ALLOWED.items() if fnmatchcase(case, name) for path, why in paths.items()
    }


def test_there_are_cases() -> None:
    assert {"abalone", "conditions", "endpoint", "lambda-callback", "v2-abalone"} <= CASES.keys()


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str, golden: Callable[[Path, str], None]) -> None:
    golden(CASES[case].with_name(GOLDEN), golden_text(compiled(CASES[case])))


@pytest.mark.parametrize("case", ORACLES)
def test_oracle(case: str) -> None:
    if not SHARED.exists():
        pytest.skip(NO_SHARED)
    ours = definition_of(compiled(CASES[case]))
    found = differences(ours, golden_of(ORACLES[case]), names=("ours", "the SDK's"))
    left, stale = unexplained(found, allowed(case))
    assert left == []
    assert case.startswith("scriptmode-") or stale == []


def test_every_allowance_is_used() -> None:
    if not SHARED.exists():
        pytest.skip(NO_SHARED)
    for name, paths in ALLOWED.items():
        used: set[str] = set()
        for case in (case for case in ORACLES if fnmatchcase(case, name)):
            ours = definition_of(compiled(CASES[case]))
            _, stale = unexplained(differences(ours, golden_of(ORACLES[case])), paths)
            used |= paths.keys() - set(stale)
        assert used == paths.keys(), name
