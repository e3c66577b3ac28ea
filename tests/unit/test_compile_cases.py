"""Each case compiles to its golden definition, and to what its oracle, the SageMaker SDK, emits for the same."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from sagewright.compiler.definition import differences
from tests.definitions import (
    ALLOWED,
    CASES,
    GOLDEN,
    NO_SHARED,
    SHARED,
    allowed,
    compiled,
    definition_of,
    golden_of,
    golden_text,
    oracle_of,
    unexplained,
)

ORACLES = {name: oracle for name, path in CASES.items() if (oracle := oracle_of(path))}


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
    found = differences(ours, golden_of(case), names=("ours", "the SDK's"))
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
            _, stale = unexplained(differences(ours, golden_of(case)), paths)
            used |= paths.keys() - set(stale)
        assert used == paths.keys(), name
