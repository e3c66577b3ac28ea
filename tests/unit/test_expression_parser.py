"""`${...}` in strings: what is found, where, and what is said of mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagewright.compiler.expression import ExpressionError, Reference, Template
from sagewright.compiler.expression_parser import parse_text


def only(text: str) -> Reference:
    parsed = parse_text(text)
    assert isinstance(parsed, Template), parsed
    (part,) = parsed.parts
    assert isinstance(part, Reference)
    return part


def shape(text: str) -> str | list[str | tuple[str | int, ...]]:
    parsed = parse_text(text)
    if isinstance(parsed, str):
        return parsed
    return [part if isinstance(part, str) else part.segments for part in parsed.parts]


def failure(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse_text(text)
    return caught.value


@pytest.mark.parametrize(
    "text", ["", "plain", "$", "$$", "cost: 5$", "$HOME/x", "{a}", "}{", "$ {a}", "a\0\ud800"]
)
def test_text_without_references_stays_as_it_is(text: str) -> None:
    assert parse_text(text) is text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$${HOME}", "${HOME}"),
        ("a $${x} b $${", "a ${x} b ${"),
        ("$$${x}", "$${x}"),
        ("$$$${x}", "$$${x}"),
        ("$${${a.b}", ["${", ("a", "b")]),
        ("$${a}${a.b}$${c}", ["${a}", ("a", "b"), "${c}"]),
    ],
)
def test_escapes_are_read_from_left_to_right(text: str, expected: object) -> None:
    assert shape(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${parameters.X}", [("parameters", "X")]),
        ("${ parameters.X\n}", [("parameters", "X")]),
        ("s3://b/${parameters.X}/c", ["s3://b/", ("parameters", "X"), "/c"]),
        ("${a.b}${c.d} ${e.f}", [("a", "b"), ("c", "d"), " ", ("e", "f")]),
        ("${item}", [("item",)]),
        ("${steps.a-b_c.x-1}", [("steps", "a-b_c", "x-1")]),
        ("${steps.2024-prep.arn}", [("steps", "2024-prep", "arn")]),
        ("${steps.E.reports.R.m[0]['val:auc'].x}", [("steps", "E", "reports", "R", "m", 0, "val:auc", "x")]),
        ("""${a["it's"]['"']}""", [("a", "it's", '"')]),
        ("${a['}']} }", [("a", "}"), " }"]),
        ("${a['${b}']}", [("a", "${b}")]),
        ("${a[0][12]}", [("a", 0, 12)]),
        ("${a.0}", [("a", "0")]),
        ("${X.y}", [("X", "y")]),
    ],
)
def test_references(text: str, expected: object) -> None:
    assert shape(text) == expected


def test_a_reference_knows_its_text_and_the_places_of_its_segments() -> None:
    text = "x ${ steps.E.reports['a b'][10].é_ }".replace("é_", "mse")
    reference = parse_text(text).parts[1]  # type: ignore[union-attr]
    assert isinstance(reference, Reference)
    assert reference.text == "steps.E.reports['a b'][10].mse" == text[reference.start : reference.end]
    assert len(reference.starts) == len(reference.segments)
    for segment, start in zip(reference.segments, reference.starts, strict=True):
        assert text.startswith(str(segment), start)


@pytest.mark.parametrize(
    ("text", "code", "place", "said"),
    [
        ("a ${parameters.X", "SW121", "${parameters.X", "never closed"),
        ("${", "SW121", "${", "never closed"),
        ("${}", "SW121", "${}", "empty"),
        ("${  }", "SW121", "${  }", "empty"),
        ("${1a}", "SW121", "1", "expected a reference"),
        ("${'a'}", "SW121", "'", "expected a reference"),
        ("${.a}", "SW121", ".", "expected a reference"),
        ("${\ud800}", "SW121", "\ud800", "U+D800"),
        ("${a.}", "SW121", ".", "missing after `.`"),
        ("${a..b}", "SW121", ".", "missing after `.`"),
        ("${a.b.val:auc}", "SW121", "val:auc", "`val:auc` is no name"),
        ("${a.über.x}", "SW121", "über", "`über` is no name"),
        ("${a.-b}", "SW121", "-b", "`-b` is no name"),
        ("${steps.T.a+1}", "SW121", "a+1", "`a+1` is no name"),
        ("${parameters.X:-3}", "SW121", "X:-3", "is no name"),
        ("${a[]}", "SW121", "[]", "empty"),
        ("${a[-1]}", "SW121", "-1", "no index"),
        ("${a[01]}", "SW121", "01", "no index"),
        ("${a[9999999999]}", "SW121", "9999999999", "no index"),
        ("${a[b]}", "SW121", "b", "no index"),
        ("${a['']}", "SW121", "[''", "expected `['name']`"),
        ("${a['b}", "SW121", "'b}", "never closed"),
        ("${a[0}", "SW121", "[0}", "never closed"),
        ("${a[0]b}", "SW121", "b", "after `]`"),
        ("${a b}", "SW121", "b", "expected `}` after `a`"),
        ("${a == b}", "SW121", "=", "expected `}` after `a`"),
        ("${a.b or c.d}", "SW121", "o", "expected `}` after `a.b`"),
        ("${join(a)}", "SW121", "(", "expected `}` after `join`"),
        ("${a ${b}}", "SW121", "$", "expected `}`"),
        ("${{ a.b }}", "SW122", "${{ a.b }}", "another tool"),
        ("x ${{a.b}} y", "SW122", "${{a.b}}", "another tool"),
        ("${{ a", "SW122", "${{", "another tool"),
        ("${HOME}", "SW123", "${HOME}", "the shell's"),
        ("x ${_A1} ", "SW123", "${_A1}", "the shell's"),
        ("${HOME:-/root}", "SW123", "${HOME:-/root}", "the shell's"),
        ("${FILE%.*}", "SW123", "${FILE%.*}", "the shell's"),
    ],
)
def test_mistakes(text: str, code: str, place: str, said: str) -> None:
    error = failure(text)
    assert (error.code, text[error.start : error.end]) == (code, place)
    assert said in error.message


def test_the_first_mistake_is_the_one_that_is_told() -> None:
    assert failure("${a.b} ${A} ${}").code == "SW123"


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("${HOME}", "`$${HOME}` is a literal"),
        ("${{ parameters.X }}", "write `${parameters.X}`"),
        ("${a.val:auc}", "quoted: `['val:auc']`"),
        ("${a[b]}", "`['b']`"),
        ("${a.b+1}", "there is no arithmetic"),
        ("${a == b}", "no operators"),
        ("${a", "`$${` for a literal"),
    ],
)
def test_mistakes_come_with_help(text: str, help: str) -> None:
    assert help in (failure(text).help or "")


def test_messages_stay_short_and_printable() -> None:
    error = failure("${a." + "\0" * 1000 + "}")
    assert len(error.message) < 100
    assert error.message.isprintable()


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
QUOTED = st.text(st.characters(exclude_characters="'"), min_size=1, max_size=8)


@st.composite
def paths(draw: st.DrawFn) -> tuple[str, tuple[str | int, ...]]:
    text = draw(NAMES.filter(lambda name: name != name.upper()))
    segments: list[str | int] = [text]
    for kind in draw(st.lists(st.sampled_from("nqi"), max_size=5)):
        match kind:
            case "n":
                segments.append(draw(NAMES))
                text += f".{segments[-1]}"
            case "q":
                segments.append(draw(QUOTED))
                text += f"['{segments[-1]}']"
            case _:
                segments.append(draw(st.integers(0, 999_999_999)))
                text += f"[{segments[-1]}]"
    return text, tuple(segments)


@given(paths())
def test_every_path_is_read_back(path: tuple[str, tuple[str | int, ...]]) -> None:
    text, segments = path
    found = only(f"${{{text}}}")
    assert (found.text, found.segments, found.start, found.end) == (text, segments, 2, 2 + len(text))
    assert all(text.startswith(str(s), at - 2) for s, at in zip(found.segments, found.starts, strict=True))


@given(st.lists(st.one_of(st.text(), paths())))
def test_text_and_references_come_back_in_order(parts: list[str | tuple[str, tuple[str | int, ...]]]) -> None:
    text = "".join(
        p.replace("$", "").replace("{", "") if isinstance(p, str) else f"${{{p[0]}}}" for p in parts
    )
    parsed = parse_text(text)
    pieces = [parsed] if isinstance(parsed, str) else parsed.parts
    assert "".join(p if isinstance(p, str) else f"${{{p.text}}}" for p in pieces) == text
    assert isinstance(parsed, str) or (all(pieces) and any(isinstance(p, Reference) for p in pieces))


@given(st.text())
def test_escaping_makes_any_text_a_literal(text: str) -> None:
    assert parse_text(text.replace("${", "$${")) == text


ANY_TEXT = st.text(st.characters(exclude_categories=()))
SOUP = st.lists(
    st.sampled_from(["${", "}", "$", "{", "[", "]", "'", '"', ".", "a", "B", "0", "-", " ", ":", "é", "\0"])
)


@given(st.one_of(ANY_TEXT, SOUP.map("".join), SOUP.map(lambda s: "${a" + "".join(s) + "}")))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        parse_text(text)
    except ExpressionError as error:
        assert 0 <= error.start < error.end <= len(text)
        assert error.message.isprintable()
        assert (error.help or "x").isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "${" * 100_000,
        "${a" + ".a" * 100_000,
        "${a" + "['x']" * 100_000 + "!}",
        "${" + " " * 1_000_000,
        "${{" + " " * 1_000_000,
        "${A" * 100_000,
        "${a['" + "'" * 100_000 + "}",
    ],
)
def test_long_mistakes_take_linear_time(text: str) -> None:
    assert failure(text).code in ("SW121", "SW122")
