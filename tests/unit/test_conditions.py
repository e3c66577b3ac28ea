"""Conditions brought to SageMaker's form, found constant, and written as JSON."""

from __future__ import annotations

import itertools
import json
import operator
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagewright.compiler.condition_parser import parse_condition
from sagewright.compiler.conditions import MAX_TERMS, TooManyTerms, constant, decided, normalise, to_json
from sagewright.compiler.expression import (
    And,
    Compare,
    Condition,
    In,
    JsonGet,
    Literal,
    Not,
    Or,
    ParameterRef,
    Reference,
)
from sagewright.compiler.types import Type

SHARED = Path(__file__).parents[2].parent / "shared"


def lowered(text: str) -> str:
    """The normal form in a short spelling."""
    return " ; ".join(spelt(clause) for clause in normalise(parse_condition(text)))


def spelt(condition: Any) -> str:
    match condition:
        case Reference():
            return condition.text
        case Literal():
            return repr(condition.value)
        case Compare():
            return f"{spelt(condition.left)}{condition.operator}{spelt(condition.right)}"
        case In():
            return f"{spelt(condition.query)} in {','.join(map(spelt, condition.values))}"
        case Not():
            return f"!({spelt(condition.operand)})"
        case _:
            return f"Or({', '.join(map(spelt, condition.operands))})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a == 1", "a==1"),
        ("a != 1", "!(a==1)"),
        ("not a != 1", "a==1"),
        ("a", "a==True"),
        ("not a", "!(a==True)"),
        ("not not a", "a==True"),
        ("a in [1, b]", "a in 1,b"),
        ("a not in [1]", "!(a in 1)"),
        ("not a not in [1]", "a in 1"),
        ("not a < b", "!(a<b)"),
        ("a < 1 and b and c == 'x'", "a<1 ; b==True ; c=='x'"),
        ("a < 1 and (b and c == 'x')", "a<1 ; b==True ; c=='x'"),
        ("a < 1 or (b or c < 2)", "Or(a<1, b==True, c<2)"),
        ("not (a < 1 or b < 2)", "!(a<1) ; !(b<2)"),
        ("not (a < 1 and b < 2)", "Or(!(a<1), !(b<2))"),
        ("a < 1 and b < 2 or c < 3", "Or(a<1, c<3) ; Or(b<2, c<3)"),
        ("c < 3 or a < 1 and b < 2", "Or(c<3, a<1) ; Or(c<3, b<2)"),
        ("a<1 and b<2 or c<3 and d<4", "Or(a<1, c<3) ; Or(a<1, d<4) ; Or(b<2, c<3) ; Or(b<2, d<4)"),
        ("not (a<1 and (b<2 or not c<3))", "Or(!(a<1), !(b<2)) ; Or(!(a<1), c<3)"),
        ("a<1 or a<1", "a<1"),
        ("b<2 and a<1 and b<2", "b<2 ; a<1"),
        ("a<1 or b<2 or a<1", "Or(a<1, b<2)"),
        ("a == 1 and a == 1.0 and a == true", "a==1 ; a==1.0 ; a==True"),
        ("a['b'] and a.b", "a['b']==True"),
    ],
)
def test_the_conjunctive_form(text: str, expected: str) -> None:
    assert lowered(text) == expected


def test_clauses_keep_the_places_of_the_text() -> None:
    text = "not x and (a != 1 or b)"
    negated, either = normalise(parse_condition(text))
    assert isinstance(negated, Not) and isinstance(either, Or)
    terms = [negated.operand, *(t.operand if isinstance(t, Not) else t for t in either.operands)]
    assert [text[t.start : t.end] for t in terms] == ["x", "a != 1", "b"]  # type: ignore[union-attr]


def test_resolved_operands_are_told_apart_but_not_by_their_place() -> None:
    def get(path: str, uri: Any = None) -> JsonGet:
        return JsonGet("E", "R", path, uri)

    parameter = ParameterRef("P", Type.BOOLEAN)
    kept = normalise(
        And((parameter, parameter, get("x"), get("x"), get("y"), get("x", parameter), get("x", "s3://b")))
    )
    assert len(kept) == 5


def _xor(count: int) -> str:
    """True where an odd number holds; its conjunctive form is exponential."""
    text = "a0"
    for i in range(1, count):
        text = f"({text} and not a{i} or not ({text}) and a{i})"
    return text


def test_too_many_terms_are_counted_not_built() -> None:
    assert len(normalise(parse_condition(" and ".join(f"a{i} < {i}" for i in range(MAX_TERMS))))) == MAX_TERMS
    with pytest.raises(TooManyTerms, match="101 terms") as caught:
        normalise(parse_condition(" or ".join(f"a{i}" for i in range(101))))
    assert caught.value.count == 101
    with pytest.raises(TooManyTerms, match="216 terms"):
        normalise(parse_condition("(a and b and c) or (d and e and f) or (g and h and i) or (j and k)"))
    started = time.process_time()
    for text in (" or ".join(f"(a{i} and b{i})" for i in range(2000)), _xor(9)):
        with pytest.raises(TooManyTerms):
            normalise(parse_condition(text))
    assert time.process_time() - started < 2


def test_the_count_is_bounded() -> None:
    with pytest.raises(TooManyTerms, match="a million") as caught:
        normalise(parse_condition(" or ".join(f"(a{i} and b{i})" for i in range(60))))
    assert caught.value.count == 1_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", None),
        ("true", True),
        ("not true", False),
        ("1 < 2", True),
        ("2 <= 1.5", False),
        ("1 == 1.0", True),
        ("'a' > 'b'", False),
        ("'a' != 'b'", True),
        ("true == 1", None),
        ("1 == 'a'", None),
        ("1 < 'a'", None),
        ("1 < 2 and a", None),
        ("1 > 2 and a", False),
        ("1 < 2 or a", True),
        ("a or not a", True),
        ("a and not a", False),
        ("a == true and not a", False),
        ("a == 1 or a != 1", True),
        ("a == b and b != a", False),
        ("a < b or not b > a", True),
        ("a <= b and not b >= a", False),
        ("a < b or b < a", None),
        ("a < b or a >= b", None),
        ("a == a", True),
        ("a != a", False),
        ("a < a", False),
        ("a >= a", True),
        ("a in [b, a]", True),
        ("a not in ['x', a]", False),
        ("'x' in ['x', a]", True),
        ("'x' in ['y', 'z']", False),
        ("'x' in ['y', a]", None),
        ("a in ['x'] or a != 'x'", True),
        ("a in ['x', 'y'] and a not in ['y', 'x']", False),
        ("a in ['x', 'y'] or a in ['x']", None),
        ("(a or b) and not (b or a)", False),
        ("a and (b or not a)", None),
        ("a and b or not a or not b", True),
        ("a and b and (not a or c) and not c", False),
        ("5", None),
    ],
)
def test_constant_conditions(text: str, expected: bool | None) -> None:
    assert constant(parse_condition(text)) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p.A == 1 and p.A == 2", False),
        ("p.A == 1 and 2 == p.A", False),
        ("p.A == 1 and p.A == 1.0", None),
        ("p.A == 1 and p.B == 2", None),
        ("p.A == true and p.A == false", False),
        ("p.A in ['a', 'b'] and p.A == 'c'", False),
        ("p.A in ['a', 'b'] and p.A in ['b', 'c']", None),
        ("p.A in ['a', p.B] and p.A == 'c'", None),
        ("p.A == 1 or p.A == 2", None),
        ("p.A != 'a' or p.A != 'b'", True),
        ("p.A not in ['a', 'b'] or p.A != 'c'", True),
        ("(p.A != 'a' or p.A != 'b') and p.B > 1", None),
        ("p.A != 'a' and p.A != 'b'", None),
    ],
)
def test_conditions_that_literals_decide(text: str, expected: bool | None) -> None:
    assert constant(parse_condition(text)) is None
    assert decided(normalise(parse_condition(text))) is expected


def test_constant_conditions_with_many_names() -> None:
    many = " and ".join(f"a{i}" for i in range(200))
    assert constant(parse_condition(many)) is None
    assert constant(parse_condition(f"{many} and (b or not b)")) is None
    assert constant(parse_condition(f"{many} and b and not b")) is False
    assert constant(parse_condition(f"b and ({many}) and not b")) is False
    assert constant(parse_condition(f"{many} and 1 > 2")) is False
    started = time.process_time()
    assert (
        constant(parse_condition(" and ".join(f"(a{i % 40} or not a{i % 37})" for i in range(3000)))) is None
    )
    assert time.process_time() - started < 2


# -- JSON -------------------------------------------------------------------------------------------------------------


def test_json_is_that_of_the_sdk() -> None:
    golden = SHARED / "golden" / "conditions.json"
    if not golden.exists():
        pytest.skip("the shared goldens are not here")
    expected = json.loads(golden.read_text("utf-8"))["Steps"][0]["Arguments"]["Conditions"]
    text = (
        "parameters.S == 'a' and parameters.N > 1 and parameters.N >= 1 and parameters.N < 9 and parameters.N <= 9 "
        "and parameters.S in ['a', 'b', execution.pipeline_name] and parameters.B != false "
        "and (parameters.N == 1 or parameters.N not in [1, 2])"
    )
    names = {"execution.pipeline_name": "Execution.PipelineName"}

    def get(operand: Reference) -> dict[str, str]:
        return {"Get": names.get(operand.text, operand.text.replace("parameters", "Parameters"))}

    made = to_json(normalise(parse_condition(text)), get)
    assert json.dumps(made) == json.dumps(expected)


def test_json_takes_the_conjunctive_form_only() -> None:
    with pytest.raises(TypeError):
        to_json([parse_condition("a and b")], str)


# -- laws: the lowered form means the same ----------------------------------------------------------------------------

DOMAIN: dict[str, list[Any]] = {
    "p": [False, True],
    "q": [False, True],
    "m": [1, 2.5, 3],
    "n": [1, 2.5, 3],
    "s": ["a", "b"],
}
VALUATIONS = [dict(zip(DOMAIN, values, strict=True)) for values in itertools.product(*DOMAIN.values())]
COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(condition: Any, lookup: dict[str, Any]) -> Any:
    match condition:
        case Reference():
            return lookup[condition.text]
        case Literal():
            return condition.value
        case Compare():
            return COMPARISONS[condition.operator](
                evaluate(condition.left, lookup), evaluate(condition.right, lookup)
            )
        case In():
            return evaluate(condition.query, lookup) in [
                evaluate(value, lookup) for value in condition.values
            ]
        case Not():
            return not evaluate(condition.operand, lookup)
        case And():
            return all(evaluate(operand, lookup) for operand in condition.operands)
        case _:
            return any(evaluate(operand, lookup) for operand in condition.operands)


def run(condition: dict[str, Any], lookup: dict[str, Any]) -> bool:
    """A condition of a definition, as SageMaker reads it."""

    def value(of: Any) -> Any:
        return lookup[of["Get"]] if isinstance(of, dict) else of

    match condition:
        case {"Type": "Not", "Condition": inner}:
            return not run(inner, lookup)
        case {"Type": "Or", "Conditions": [_, _, *_] as inners}:
            return any(run(inner, lookup) for inner in inners)
        case {"Type": "In", "QueryValue": query, "Values": values}:
            return value(query) in [value(each) for each in values]
        case {"Type": kind, "LeftValue": left, "RightValue": right}:
            signs = {"Equals": "==", "LessThan": "<", "GreaterThan": ">"}
            signs |= {"LessThanOrEqualTo": "<=", "GreaterThanOrEqualTo": ">="}
            return COMPARISONS[signs[kind]](value(left), value(right))
        case _:
            raise AssertionError(condition)


def reference(name: str) -> Reference:
    return Reference((name,), name, 0, len(name), (0,))


NUMBERS = st.sampled_from([reference("m"), reference("n"), Literal(1), Literal(2.5)])
STRINGS = st.sampled_from([reference("s"), Literal("a"), Literal("b")])
BOOLEANS = st.sampled_from([reference("p"), reference("q"), Literal(True), Literal(False)])
SIGNS = st.sampled_from(list(COMPARISONS))


def members(operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(In, operands, st.lists(operands, min_size=1, max_size=3).map(tuple))


TERMS = st.one_of(
    BOOLEANS,
    st.builds(Compare, SIGNS, NUMBERS, NUMBERS),
    st.builds(Compare, st.sampled_from(["==", "!="]), STRINGS, STRINGS),
    st.builds(Compare, st.sampled_from(["==", "!="]), BOOLEANS, BOOLEANS),
    members(NUMBERS),
    members(STRINGS),
)


def conditions(terms: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        terms,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, min_size=2, max_size=4).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=2, max_size=4).map(tuple)),
        ),
        max_leaves=14,
    )


@given(conditions(TERMS))
def test_the_lowered_form_means_the_same_on_all_valuations(condition: Condition) -> None:
    try:
        clauses = normalise(condition)
    except TooManyTerms as error:
        assert error.count > MAX_TERMS
        return
    written = json.loads(json.dumps(to_json(clauses, lambda operand: {"Get": operand.text})))
    for lookup in VALUATIONS:
        assert all(run(clause, lookup) for clause in written) is bool(evaluate(condition, lookup))


@given(conditions(TERMS))
def test_the_lowered_form_has_the_shape_that_sagemaker_has(condition: Condition) -> None:
    def is_term(clause: Any) -> bool:
        inner = clause.operand if isinstance(clause, Not) else clause
        return isinstance(inner, In) or (isinstance(inner, Compare) and inner.operator != "!=")

    try:
        clauses = normalise(condition)
    except TooManyTerms:
        return
    assert clauses
    for clause in clauses:
        terms = clause.operands if isinstance(clause, Or) else (clause,)
        assert all(is_term(term) for term in terms)
    assert sum(len(c.operands) if isinstance(c, Or) else 1 for c in clauses) <= MAX_TERMS


@given(conditions(TERMS))
def test_what_is_called_constant_is_constant(condition: Condition) -> None:
    found = constant(condition)
    if found is not None:
        assert {bool(evaluate(condition, lookup)) for lookup in VALUATIONS} == {found}


@given(conditions(st.sampled_from([reference("p"), reference("q"), Literal(True), Literal(False)])))
def test_every_constant_condition_over_booleans_is_found(condition: Condition) -> None:
    results = {bool(evaluate(condition, lookup)) for lookup in VALUATIONS}
    assert constant(condition) is (results.pop() if len(results) == 1 else None)
