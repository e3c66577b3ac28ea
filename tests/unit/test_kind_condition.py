"""Condition steps: their `api`, and conditions that what is declared decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.definitions import definition_of
from tests.kinds import compile_steps, told

HEAD = "parameters: {B: true, S: a, E: {type: String, enum: [full, fast]}}\n"


def gate(condition: str, rest: str = "") -> str:
    return f"G:\n  kind: condition\n  if: {condition}\n  then: {{X: {{kind: fail, message: a}}}}\n{rest}"


def of_conditions(conditions: str, folder: Path) -> list[tuple[str, str]]:
    """What is told of an `api` with these, but for that it wins over `if`."""
    unused = '  else: {Y: {kind: fail, message: "${parameters.S} ${parameters.E}"}}\n'
    found = told(
        compile_steps(folder, gate("parameters.B", f"{unused}  api: {{Conditions: {conditions}}}"), HEAD)
    )
    assert [one for one in found if one[0] == "SW906"] == [("SW906", "Conditions")]
    return [one for one in found if one[0] != "SW906"]


@pytest.mark.parametrize(
    ("conditions", "code", "at"),
    [
        ("foo", "SW603", "foo"),
        ("[]", "SW403", "Conditions"),
        ("null", "SW602", "Conditions"),
        ("[{Typ: Equals}]", "SW602", "{Typ: Equals}"),
        ("[{Type: Equal, LeftValue: 1, RightValue: 2}]", "SW604", "Equal"),
        ("[{Type: Equals, LeftValue: 1}]", "SW602", "{Type: Equals, LeftValue: 1}"),
        ("[{Type: Equals, LeftValue: 1, RightValue: [2]}]", "SW603", "[2]"),
        ("[{Type: Equals, LeftValue: 1, RightValue: 2, Foo: 3}]", "SW601", "Foo"),
        ("[{Type: Not, Condition: {Type: In, QueryValue: a, Values: a}}]", "SW603", "a"),
        ("[{Type: Or, Conditions: [a]}]", "SW603", "a"),
    ],
)
def test_api_is_checked(conditions: str, code: str, at: str, tmp_path: Path) -> None:
    assert of_conditions(conditions, tmp_path) == [(code, at)]


def test_api_wins(tmp_path: Path) -> None:
    given = (
        '{Type: Not, Condition: {Type: In, QueryValue: "${parameters.S}", Values: [a, {Get: Parameters.E}]}}'
    )
    result = compile_steps(tmp_path, gate("parameters.B", f"  api: {{Conditions: [{given}]}}"), HEAD)
    assert told(result) == [("SW906", "Conditions")]
    assert definition_of(result)["Steps"][0]["Arguments"]["Conditions"] == [
        {
            "Type": "Not",
            "Condition": {
                "Type": "In",
                "QueryValue": {"Get": "Parameters.S"},
                "Values": ["a", {"Get": "Parameters.E"}],
            },
        }
    ]


@pytest.mark.parametrize(
    ("condition", "at"),
    [
        ("parameters.E == 'fst'", "parameters.E == 'fst'"),
        ("parameters.B or 'slow' != parameters.E", "'slow' != parameters.E"),
        ("parameters.E in ['full', 'slow']", "parameters.E in ['full', 'slow']"),
        ("parameters.S == 'a' and parameters.S == 'b'", "parameters.S == 'a' and parameters.S == 'b'"),
        ("parameters.S != 'a' or parameters.S != 'b'", "parameters.S != 'a' or parameters.S != 'b'"),
        ("steps.G.outcome == 'true'", "steps.G.outcome == 'true'"),
        ("steps.G.Outcome == 'false'", "steps.G.Outcome == 'false'"),
    ],
)
def test_conditions_that_can_never_hold(condition: str, at: str, tmp_path: Path) -> None:
    uses = "parameters.B and parameters.S == 'c' and parameters.E != 'full'"
    other = f'H: {{kind: condition, if: "{condition}", then: {{Z: {{kind: fail, message: a}}}}}}'
    ((code, place),) = told(compile_steps(tmp_path, f"{gate(uses)}{other}", HEAD))
    assert (code, place.strip('"')) == ("SW403", at)


def test_conditions_know_no_null(tmp_path: Path) -> None:
    (found,) = compile_steps(tmp_path, gate("parameters.S == null"), "parameters: {S: a}\n").diagnostics
    assert (found.code, found.message) == ("SW121", "`null`: conditions know no null")
