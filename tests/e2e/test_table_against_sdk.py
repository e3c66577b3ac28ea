"""The table of semantics (`cases/run`) against the SageMaker SDK's local executor: every case that it can run is run by
both, with jobs that end as the case says.

Compared: how the execution and each of its steps end, which steps never start, outcomes of conditions, the resolved
arguments of every job, the words of a failure that the executor itself finds, and starts that are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sagewright.compiler.engine.parameters import Refused, resolve
from sagewright.compiler.source import Map
from tests.run_table import RUNS, cases, values
from tests.sdk_comparison import Case, answered, differences, execution

AT_LEAST = 89
"""Cases that are compared. They become no fewer."""
DISAGREEMENTS: Mapping[str, tuple[str, str]] = {
    "order: nothing may depend on a Fail step": (
        "theirs nothing",
        "we are: SageMaker rejects such a pipeline, and the SDK does not look",
    ),
    "branches: a condition's outcome can be referred to": (
        'theirs {"big": true}',
        "we are: botocore's ConditionOutcome is a text, `True` or `False`",
    ),
    "values: a join puts its values together with `On` between them": (
        'theirs {"a": "x-3-0.5-False"}',
        "nobody has seen it: theirs is Python's spelling, ours that of JSON and of a hyperparameter",
    ),
    "values: what is given at the start goes over the default": (
        "found <class 'str'>",
        "we are: botocore's Parameter has a text as its Value, of whatever type the parameter is",
    ),
    "values: a metric by its name": (
        "FinalMetricDataList['val:auc'].Value\"} is undefined",
        "we are, says the developer guide: local mode finds names in the lists of processing jobs only",
    ),
    "values: the experiment that the definition names": (
        "Unrecognized pipeline variable",
        "we are: the SDK writes the reference, and its local mode has no experiments",
    ),
    "values: a training's model lies under its job's name": (
        "ModelArtifacts.S3ModelArtifacts'} is undefined",
        "nobody: a stub tells of a job what was asked for; `test_run_against_sdk.py` has models",
    ),
    "values: the ARNs of the pipeline and of its execution": (
        'theirs {"e": "simulated0001", "p": "pipeline"}',
        "we are: local mode has names in place of ARNs",
    ),
    "parameters: a value outside the enum": (
        "theirs nothing",
        "we are, says the developer guide: local mode does not look at the enum",
    ),
    "parameters: a text that is too long": (
        "theirs nothing",
        "we are, by botocore's String1024: local mode does not count",
    ),
    "parameters: more parameters than 200": (
        "theirs Unknown parameter",
        "we are, by botocore's ParameterList: local mode does not count",
    ),
}
"""By case: how the difference shows, and who is right. Each must still show."""


def decision(case: Map) -> Case:
    """A condition of literals, as a pipeline."""
    gate = {"Conditions": case["conditions"], "IfSteps": [], "ElseSteps": []}
    made = {"rule": case["rule"], "steps": [{"Name": "Gate", "Type": "Condition", "Arguments": gate}]}
    return execution("conditions", made)


def start(case: Map) -> Case:
    """A start with parameters."""
    made = {"Parameters": case["parameters"], "Steps": [{"Name": "P", "Type": "Processing", "Arguments": {}}]}
    given = values(case)
    with pytest.raises(Refused) as refused:
        resolve(made, given)
    return Case(f"parameters: {case['rule']}", made, given, {}, refused=str(refused.value))


ALL = [
    *(execution(file, case) for file in RUNS for case in cases(file)),
    *(decision(case) for case in cases("conditions")),
    *(start(case) for case in cases("parameters")),
]
COMPARED = [case for case in ALL if not case.why_not]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return answered(ALL, tmp_path_factory.mktemp("table"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in COMPARED])
def test_both_agree(answers: dict[str, Any], case: Case) -> None:
    found = list(differences(case, answers[case.name]))
    if case.name in DISAGREEMENTS:
        shown, right = DISAGREEMENTS[case.name]
        assert right
        assert shown in "; ".join(found), "they disagree no longer, or in another way"
    else:
        assert found == []


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in ALL if case.is_refused])
def test_the_sdk_cannot_run_what_is_not_compared(answers: dict[str, Any], case: Case) -> None:
    said = answers[case.name]["refused"]
    assert "not supported in local mode" in said, case.why_not


def test_most_of_the_table_is_compared() -> None:
    assert len(COMPARED) >= AT_LEAST
    assert {case.name for case in COMPARED} >= set(DISAGREEMENTS), "a disagreement about no case"
