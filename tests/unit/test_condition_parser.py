"""The bare conditions of `if:`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagewright.compiler.condition_parser import MAX_DEPTH, parse_condition
from sagewright.compiler.expression import (
    And,
    Compare,
    Condition,
    ExpressionError,
    In,
    Literal,
    Not,
    Or,
    Reference,
)


def shape(condition: Any) -> Any:
    """A condition as nested tuples, without its places; a literal with its type."""
    match condition:
        case Reference():
            return condition.segments
        case Literal():
            return type(condition.value).__name__, condition.value
        case Compare():
            return condition.operator, shape(condition.left), shape(condition.right)
        case In():
            return "in", shape(condition.query), [shape(value) for value in condition.values]
        case Not():
            return "not", shape(condition.operand)
        case _:
            return type(condition).__name__.lower(), [shape(operand) for operand in condition.operands]


def failure(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_condition(text)
    return caught.value


A, B, C = ("a",), ("b",), ("c",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", A),
        ("  a\n", A),
        ("true", ("bool", True)),
        ("a.true", ("a", "true")),
        ("order", ("order",)),
        ("not-a", ("not-a",)),
        ("a or b and c", ("or", [A, ("and", [B, C])])),
        ("(a or b) and c", ("and", [("or", [A, B]), C])),
        ("a and b and c", ("and", [A, B, C])),
        ("a and (b and c)", ("and", [A, ("and", [B, C])])),
        ("not a and b", ("and", [("not", A), B])),
        ("not a == b", ("not", ("==", A, B))),
        ("not not a", ("not", ("not", A))),
        ("not (a or b)", ("not", ("or", [A, B]))),
        ("((a)) == (b)", ("==", A, B)),
        ("a in [b]", ("in", A, [B])),
        ("a in['x']", ("in", A, [("str", "x")])),
        ("a not in [b, 1, 'x', true,]", ("not", ("in", A, [B, ("int", 1), ("str", "x"), ("bool", True)]))),
        ("a<b or a>=c", ("or", [("<", A, B), (">=", A, C)])),
        ("x-1 <= -1", ("<=", ("x-1",), ("int", -1))),
        ("a<-1", ("<", A, ("int", -1))),
        ("a.b[0]['val:auc'] != 1", ("!=", ("a", "b", 0, "val:auc"), ("int", 1))),
    ],
)
def test_grammar(text: str, expected: Any) -> None:
    assert shape(parse_condition(text)) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("+7", 7),
        ("007", 7),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775807", 2**63 - 1),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e-3", -0.0015),
        ("1E5", 100000.0),
        ("'it''s'", "it's"),
        ('"say ""x"""', 'say "x"'),
        (r"'a\n'", r"a\n"),
        ("'$${x}'", "${x}"),
        ("'$'", "$"),
        ("''", ""),
        ("'é\n€'", "é\n€"),
        ("false", False),
    ],
)
def test_literals(text: str, value: object) -> None:
    found = parse_condition(text)
    assert isinstance(found, Literal)
    assert (found.value, type(found.value), found.start, found.end) == (value, type(value), 0, len(text))


def test_nodes_know_their_places() -> None:
    text = " (a.b == 'x') and not c not in [ 1, d.e ]"
    parsed = parse_condition(text)
    assert isinstance(parsed, And)
    compare, negated = parsed.operands
    assert isinstance(compare, Compare) and isinstance(negated, Not)
    member = negated.operand
    assert isinstance(member, Not)
    inner = member.operand
    assert isinstance(inner, In)
    nodes = [compare, compare.left, compare.right, inner, inner.query, *inner.values]
    assert [text[node.start : node.end] for node in nodes] == [  # type: ignore[union-attr]
        *("a.b == 'x'", "a.b", "'x'"),
        *("c not in [ 1, d.e ]", "c", "1", "d.e"),
    ]


@pytest.mark.parametrize(
    ("text", "place", "said", "help"),
    [
        ("", "", "found the end", None),
        ("a ==", "", "found the end", None),
        ("a and", "", "found the end", None),
        ("== a", "==", "expected a value", None),
        ("a b", "b", "expected `and`, `or`", None),
        ("a -1", "-1", "expected `and`, `or`", "no arithmetic"),
        ("a - 1", "-", "unexpected `-`", "no arithmetic"),
        ("a+1", "a+1", "no name", "no arithmetic"),
        ("5-3 == a", "5-3", "no number", "no arithmetic"),
        ("3d", "3d", "no number", None),
        ("1..2", "1..2", "no number", None),
        ("f(a)", "(", "expected", "no functions"),
        ("(a", "(", "never closed", None),
        ("(a or (b)", "(", "never closed", None),
        ("a)", ")", "closes nothing", None),
        ("(a b)", "b", "expected `and`, `or`", None),
        ("a < b < c", "<", "do not chain", "write `a < b and b < ...`"),
        ("a == b in [c]", "in", "do not chain", "write `a == b and b in ...`"),
        ("a in [b] == c", "==", "do not chain", "join two"),
        ("(a == b) == c", "(a == b)", "found a condition", "only values"),
        ("a == (b or c)", "(b or c)", "found a condition", "only values"),
        ("a == not b", "not", "expected a value", "parentheses"),
        ("a not b", "b", "expected `in` after `not`", None),
        ("a in b", "b", "expected a list", "such as"),
        ("a in ('x', 'y')", "(", "expected a list", "such as"),
        ("a in []", "]", "expected a value", None),
        ("a in [b c]", "c", "expected `,` or `]`", None),
        ("a in [b", "", "expected `,` or `]`", None),
        ("a in [[b]]", "[", "expected a value", None),
        ("a = b", "=", "no operator", "did you mean `==`?"),
        ("a <> b", "<>", "no operator", "did you mean `!=`?"),
        ("a => b", "=>", "no operator", "did you mean `>=`?"),
        ("a && b", "&&", "no operator", "did you mean `and`?"),
        ("a||b", "||", "no operator", "did you mean `or`?"),
        ("!a", "!", "no operator", "did you mean `not`?"),
        ("a &&& b", "&&&", "no operator", "=="),
        ("True", "True", "no reference", "did you mean `true`?"),
        ("a AND b", "AND", "no reference", "did you mean `and`?"),
        ("'abc", "'abc", "never closed", None),
        ("1e999", "1e999", "out of range", "64 bits"),
        ("9223372036854775808", "9223372036854775808", "out of range", "64 bits"),
        ("a.val:auc > 1", "val:auc", "no name", "`['val:auc']`"),
        ("a. == 1", ".", "missing", None),
        ("${a.b} == 1", "${a.b}", "bare", "write `a.b`"),
        ("1 == ${a == b}", "${", "bare", "already"),
        ("a == '${b.c}'", "'${b.c}'", "no references", "bare"),
        ("a @ b", "@", "unexpected `@`", None),
        ("a \0", "\0", "unexpected U+0000", None),
    ],
)
def test_mistakes(text: str, place: str, said: str, help: str | None) -> None:
    error = failure(text)
    assert (error.code, text[error.start : error.end]) == ("SW121", place)
    assert said in error.message
    assert (error.help is None) if help is None else (help in (error.help or ""))


def test_the_spelling_of_other_tools_is_named() -> None:
    error = failure("${{ a.b == 1 }}")
    assert (error.code, error.help) == ("SW122", "write `a.b == 1`")


def test_nesting_is_bounded() -> None:
    deep = "(" * MAX_DEPTH + "a or b and c" + ")" * MAX_DEPTH
    assert shape(parse_condition(deep)) == ("or", [A, ("and", [B, C])])
    for text in (
        "(" + deep + ")",
        "not " + deep,
        "not " * (MAX_DEPTH + 1) + "a",
        "(" * 1_000_000,
        "not " * 100_000,
    ):
        assert failure(text).code == "SW110"


def test_depth_is_that_of_the_nesting_not_of_the_text() -> None:
    parsed = parse_condition(" and ".join(["not (not a)"] * 500))
    assert isinstance(parsed, And)
    assert len(parsed.operands) == 500


def test_long_conditions_are_read() -> None:
    parsed = parse_condition(" or ".join(f"a{i} == {i}" for i in range(5000)))
    assert isinstance(parsed, Or)
    assert len(parsed.operands) == 5000


@pytest.mark.parametrize(
    "text", ["9" * 200_000, "1" * 200_000 + "x", "'" * 200_001, "=" * 200_000, "a" + "." * 200_000]
)
def test_long_mistakes_take_linear_time(text: str) -> None:
    assert len(failure(text).message) < 120


# -- laws -------------------------------------------------------------------------------------------------------------

REFERENCES = st.sampled_from(["a", "parameters.N", "steps.E.reports.R.m['val:auc'][0]", "x-1", "in-.or"]).map(
    lambda text: parse_condition(text)
)
LITERALS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
).map(Literal)
OPERANDS: st.SearchStrategy[Any] = st.one_of(REFERENCES, LITERALS)
TERMS = st.one_of(
    OPERANDS,
    st.builds(Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), OPERANDS, OPERANDS),
    st.builds(In, OPERANDS, st.lists(OPERANDS, min_size=1, max_size=3).map(tuple)),
)
CONDITIONS: st.SearchStrategy[Any] = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=12,
)


def unparse(condition: Any) -> str:
    match condition:
        case Reference():
            return condition.text
        case Literal(value=bool(value)):
            return str(value).lower()
        case Literal(value=str(value)):
            quoted = value.replace("'", "''").replace("${", "$${")
            return f"'{quoted}'"
        case Literal(value=value):
            return repr(value)
        case Compare():
            return f"{unparse(condition.left)} {condition.operator} {unparse(condition.right)}"
        case In():
            return (
                f"{unparse(condition.query)} in [{', '.join(unparse(value) for value in condition.values)}]"
            )
        case Not():
            return f"not {_bracketed(condition.operand, And, Or)}"
        case And():
            return " and ".join(_bracketed(operand, And, Or) for operand in condition.operands)
        case _:
            return " or ".join(_bracketed(operand, Or) for operand in condition.operands)


def _bracketed(condition: Condition, *weaker: type) -> str:
    return f"({unparse(condition)})" if isinstance(condition, weaker) else unparse(condition)


@given(CONDITIONS)
def test_a_condition_is_read_back_from_its_text(condition: Condition) -> None:
    assert shape(parse_condition(unparse(condition))) == shape(condition)


ANY_TEXT = st.text(st.characters(exclude_categories=()))
TOKENS = [
    "and",
    "or",
    "not ",
    "in",
    "true",
    "a",
    "b.c",
    "1",
    "-",
    ".5",
    "e9",
    "==",
    "=",
    "<",
    "!",
    "&",
    "+",
    "(",
    ")",
    "[",
    "]",
    ",",
    "'",
    '"',
    "['x']",
    "${",
    "{",
    "}",
    ".",
    "é",
    "\x00",
    "�",
    "\n",
    " ",
]
SOUP = st.lists(st.sampled_from(TOKENS)).map("".join)


@given(st.one_of(ANY_TEXT, SOUP))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        parse_condition(text)
    except ExpressionError as error:
        assert 0 <= error.start <= error.end <= len(text)
        assert error.message.isprintable()
        assert (error.help or "x").isprintable()
