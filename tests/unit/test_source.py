"""Reading YAML: what it means, where it stands, and what is said of files that are none."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sagewright.compiler.diagnostics import Diagnostic, Sink, Span
from sagewright.compiler.offsets import places
from sagewright.compiler.render import render
from sagewright.compiler.source import (
    MAX_BYTES,
    MAX_DEPTH,
    Document,
    Map,
    Origin,
    Seq,
    Text,
    document_of,
    entry_origin,
    key_origin,
    key_origins,
    origin,
    own_origin,
    read,
    read_bytes,
    source_text,
    span_of,
)


def loaded(text: str | bytes) -> Document:
    """A document that reads without a finding."""
    sink = Sink()
    document = read_bytes(text if isinstance(text, bytes) else text.encode(), sink, "f.yaml")
    assert sink.diagnostics == []
    assert document is not None
    return document


def findings(text: str | bytes) -> list[Diagnostic]:
    sink = Sink()
    read_bytes(text if isinstance(text, bytes) else text.encode(), sink, "f.yaml")
    return sink.diagnostics


def only(text: str | bytes) -> Diagnostic:
    found = findings(text)
    assert len(found) == 1, found
    return found[0]


def said(text: str | bytes) -> str:
    """The only finding: place, code and message."""
    one = only(text)
    assert one.span is not None
    return f"{one.span.line}:{one.span.column} {one.code} {one.message}"


def covered(text: str, span: Span) -> str:
    lines = text.split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return "\n".join(lines)


# -- what scalars mean ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("012", 12),
        ("0o17", 15),
        ("0O17", "0O17"),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2020-01-01", "2020-01-01"),
        ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e3", -500.0),
        ("1e5", 100_000.0),
        ("1e-5", 1e-5),
        ("1e", "1e"),
        ("1.2.3", "1.2.3"),
        ("0.90-1-cpu-py3", "0.90-1-cpu-py3"),
        ("+", "+"),
        (".", "."),
        ("..", ".."),
        ("'1'", "1"),
        ('"true"', "true"),
        ('""', ""),
        ("=", "="),
        ("<<", "<<"),
        ("٣", "٣"),
        ("!!str 1", "1"),
        ("!!int '3'", 3),
    ],
)
def test_scalars_are_those_of_yaml_1_2s_core_schema(written: str, value: Any) -> None:
    found = loaded(f"a: {written}\n").data["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("written", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "9" * 5000])
def test_numbers_that_json_does_not_have(written: str) -> None:
    one = only(f"a: {written}\n")
    assert (one.code, one.help) == ("SW109", "quote it if it is text")
    assert loaded(f"a: '{written}'\n").data == {"a": written}


@pytest.mark.parametrize("written", ["1.10", "0012345", "1e5", "True", "0x1F", "-0", "~", ".5"])
def test_the_source_text_survives(written: str) -> None:
    document = loaded(f"a: {written}\nb: [{written}]\nc: &x {written}\n")
    assert source_text(document.data, "a") == written
    assert source_text(document.data["b"], 0) == written
    assert source_text(document.data, "c") == written


def test_the_source_text_of_what_is_no_longer_what_was_written() -> None:
    data = loaded("a: 1.10\n").data
    changed = Map({**data, "a": True}, data.node)
    assert source_text(changed, "a") == "true"
    assert source_text(Map({"a": 1.5}), "a") == "1.5"
    assert source_text(Map({"a": None}), "a") == "null"


@pytest.mark.parametrize("key", ["1", "true", "null", "1.10", "on", "~", "'x'"])
def test_keys_are_texts_as_they_are_written(key: str) -> None:
    assert list(loaded(f"{key}: 1\n").data) == [key.strip("'")]


# -- where things stand -----------------------------------------------------------------------------------------------

DOCUMENT = """\
name: churn
steps:
  Prep: {kind: processing, inputs: {raw: "s3://b"}}
  "quoted key": [1, two,
    three]
  last:
    - a
    -   b: c
"""


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ((), "name: churn"),
        (("name",), "churn"),
        (("steps", "Prep"), '{kind: processing, inputs: {raw: "s3://b"}}'),
        (("steps", "Prep", "inputs", "raw"), '"s3://b"'),
        (("steps", "quoted key"), "[1, two,"),
        (("steps", "quoted key", 1), "two"),
        (("steps", "quoted key", 2), "three"),
        (("steps", "last"), "- a"),
        (("steps", "last", 1), "b: c"),
        (("steps", "last", 1, "b"), "c"),
        (("steps", "nothing", "here"), 'Prep: {kind: processing, inputs: {raw: "s3://b"}}'),
    ],
)
def test_places_of_values(path: tuple[str | int, ...], written: str) -> None:
    assert covered(DOCUMENT, loaded(DOCUMENT).span(path)) == written


def test_places_of_keys_and_of_what_is_not_there() -> None:
    data = loaded(DOCUMENT).data
    key = key_origin(data["steps"], "quoted key")
    assert key is not None
    assert covered(DOCUMENT, key.span()) == '"quoted key"'
    missing = origin(data["steps"]["Prep"], "code")
    assert missing is not None
    assert covered(DOCUMENT, missing.span()).startswith("{kind: processing")
    assert entry_origin(data["steps"]["Prep"], "code") is None
    assert entry_origin(data["steps"]["last"], 7) is None
    assert origin({"plain": 1}, "plain") is None
    assert {name: covered(DOCUMENT, place.span()) for name, place in key_origins(data).items()} == {
        "name": "name",
        "steps": "steps",
    }


def test_own_places() -> None:
    document = loaded("a: [1]\nb: {c: d}\ne: f\n")
    assert [own_origin(document.data[key]) is not None for key in "abe"] == [True, True, False]
    node = document.data.node.value[2][1]
    place = own_origin(Text("f", node))
    assert place is not None
    assert place.span() == Span("f.yaml", 3, 4, 3, 5)
    assert document_of(node) is document


@pytest.mark.parametrize(
    "text",
    [
        "a: ${x.y} and ${z}\n",
        "a: 'it''s ${x.y} and ${z}'\n",
        'a: "a\\tb\\u00e9\\x41\\\\ \\U0001F600 ${x.y} \\" ${z}"\n',
        "a: >-\n    one ${x.y}\n    two\n\n    three ${z}\n",
        "a: >\n  one\n    more ${x.y}\n  two ${z}\n\n\nb: 1\n",
        "a: |\n  one ${x.y}\n    more\n\n  two ${z}\n# comment\n",
        "a: |2-\n    one ${x.y}\n  two ${z}\n",
        "a: |+ # comment\n\n  one ${x.y}\n  two ${z}\n\n",
        "a: one\n  ${x.y}\n\n  two ${z}\nb: 1\n",
        "a: 'one\n\n   ${x.y}\n   two ${z}'\n",
        'a: "one\\\n     ${x.y}\n\n  two ${z}"\n',
        "a: &anchor !!str '${x.y} ${z}'\n",
        "a: &anchor\n  >-\n   ${x.y} ${z}\n",
        "é: 😀 ${x.y} 漢字 ${z}\n",
        "\r\na: 'one\r\n  ${x.y}\r\n  ${z}'\r\n",
        "a: one\r  ${x.y} ${z}\r",
        "\ufeffa: ${x.y} ${z}\n",
        "- a: [b, '${x.y} ${z}']\n",
        "a: \t ${x.y}\t${z}\t\n",
    ],
)
@pytest.mark.parametrize("needle", ["${x.y}", "${z}"])
def test_places_inside_scalars(text: str, needle: str) -> None:
    document = loaded(text)
    node = next(node for node in scalars(document.root) if needle in node.value)
    start = node.value.index(needle)
    span = span_of(node, start, start + len(needle))
    assert covered(document.text, span) == needle
    assert document.position(document.text.index(needle)) == (span.line, span.column)


def scalars(node: Node | None) -> list[ScalarNode]:
    if isinstance(node, ScalarNode):
        return [node]
    if isinstance(node, SequenceNode):
        return [found for child in node.value for found in scalars(child)]
    assert isinstance(node, MappingNode)
    return [found for pair in node.value for child in pair for found in scalars(child)]


def test_the_place_of_a_folded_space_and_of_an_escape() -> None:
    text = 'a: "b\n  c\\u00e9d"\n'
    node = loaded(text).data.node.value[0][1]
    assert node.value == "b céd"
    assert covered(text, span_of(node, 3, 4)) == "\\u00e9"
    assert covered(text, span_of(node, 1, 2)).strip() == ""
    assert covered(text, span_of(node, 0, 99)) == '"b\n  c\\u00e9d"'[1:-1]
    assert covered(text, span_of(node, 99, 100)) == '"b\n  c\\u00e9d"'


def test_the_place_of_a_block_ends_where_its_text_does() -> None:
    text = "a: |\n  one\n  two\n\n\n# comment\nb: 1\n"
    assert covered(text, loaded(text).span(("a",))) == "|\n  one\n  two"


PIECES = st.sampled_from(
    ["a", "é", "😀", " ", "  ", "''", "\\\\", "\\n", "\\x41", "\n  ", "\n\n  ", " \n \n  ", "#", "${", "}"]
)


@st.composite
def written_scalars(draw: st.DrawFn) -> str:
    """A scalar as YAML might write it, in any style, broken over lines."""
    style = draw(st.sampled_from(["'", '"', "plain", "|", ">"]))
    pieces = draw(st.lists(PIECES, max_size=12))
    if style in "'\"":
        kept = [p for p in pieces if p != ("''" if style == '"' else "\\x41") or style == "'"]
        return style + "".join(p.replace('"', "") for p in kept) + style
    if style == "plain":
        return "x" + "".join(p for p in pieces if p not in ("#", "}", "${")).rstrip()
    indent = draw(st.integers(1, 4))
    lines = draw(
        st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["", "a ${x}", "b'#\"", "c\td"])), max_size=6)
    )
    header = draw(st.sampled_from(["", "-", "+"])) + draw(st.sampled_from(["", str(indent)]))
    body = "".join(f"{' ' * (indent + more) if word else ''}{word}\n" for more, word in lines)
    return f"{style}{header}\n{body}"


@given(
    written_scalars(),
    st.sampled_from(["", "&a ", "!!str ", "&a\n  "]),
    st.sampled_from(["", "z: 1\n", "# c\n"]),
)
@settings(max_examples=300)
def test_every_character_of_a_scalar_is_found_where_it_is_written(
    written: str, before: str, after: str
) -> None:
    sink = Sink()
    document = read_bytes(f"k: {before}{written}\n{after}".encode(), sink)
    if document is None or not isinstance(document.data, Map):
        return
    node = document.data.node.value[0][1]
    if not isinstance(node, ScalarNode) or not node.value.strip():
        return
    begin, end = node.start_mark.index, node.end_mark.index
    found = places(document.text, begin, end, node.style, node.value)
    assert found is not None
    assert len(found) == len(node.value)
    assert all(left[1] <= right[0] for left, right in pairwise(found))
    for character, (first, last) in zip(node.value, found, strict=True):
        there = document.text[first:last]
        assert (
            there in (character, "''")
            or there[0] == "\\"
            or (character in " \n" and not there.strip(" \t\n"))
        )


# -- anchors, aliases, merges -----------------------------------------------------------------------------------------


def test_merges_give_way_to_the_mappings_own_keys_and_keep_their_places() -> None:
    text = "a: &a {x: 1, y: {z: 1}}\nb: &b {x: 2, w: 3}\nc:\n  <<: [*a, *b]\n  y: 4\n"
    document = loaded(text)
    assert document.data["c"] == {"x": 1, "w": 3, "y": 4}
    assert document.span(("c", "x")) == Span("f.yaml", 1, 11, 1, 12)
    assert document.span(("c", "w")) == Span("f.yaml", 2, 17, 2, 18)
    assert document.span(("c", "y")) == Span("f.yaml", 5, 6, 5, 7)
    key = key_origin(document.data["c"], "w")
    assert key is not None
    assert covered(text, key.span()) == "w"


def test_a_merge_of_a_merge_and_a_quoted_merge_key() -> None:
    text = 'a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, x: 3}\nd: {"<<": 4}\n'
    assert loaded(text).data == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": {"x": 3, "y": 2}, "d": {"<<": 4}}


def test_aliases_share_what_they_stand_for() -> None:
    assert loaded("a: &a [1, {b: 2}]\nc: *a\nd: &d text\ne: *d\n").data == {
        "a": [1, {"b": 2}],
        "c": [1, {"b": 2}],
        "d": "text",
        "e": "text",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: *x\n", "1:4 SW107 unknown alias `*x`"),
        ("a: &x [*x]\n", "1:4 SW107 an alias refers to the mapping or list that it stands in"),
        ("a: &x\n  b: &y {c: *x}\n", "1:4 SW107 an alias refers to the mapping or list that it stands in"),
        ("a: &x 1\nb: &x 2\n", "2:4 SW107 the anchor `&x` is defined twice"),
        ("a: &a 1\n<<: *a\n", "2:1 SW109 `<<` wants a mapping, or a list of mappings"),
        ("a: &a {x: 1}\nb: {<<: [*a, 3]}\n", "2:5 SW109 `<<` wants a mapping, or a list of mappings"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n", "4:3 SW103 duplicate key `<<`"),
    ],
)
def test_aliases_and_merges_that_mean_nothing(text: str, expected: str) -> None:
    assert said(text) == expected


def test_an_alias_that_is_misspelt() -> None:
    assert only("a: &common {x: 1}\nb: *comon\n").help == "did you mean `*common`?"


def bomb(line: str, count: int = 24) -> str:
    """`line` for a, b, c, ...: `{0}` is its letter, `{1}` the one before."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "a: &a {x: 1}\n" + "".join(line.format(letters[i], letters[i - 1]) + "\n" for i in range(1, count))


@pytest.mark.parametrize(
    "text",
    [
        bomb("{0}: &{0} [*{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}]"),
        bomb("{0}: &{0} {{p: *{1}, q: *{1}, r: *{1}, s: *{1}, t: *{1}}}"),
        bomb("{0}: &{0} {{<<: *{1}, v: {{<<: *{1}, w: *{1}}}}}"),
        bomb("{0}: &{0} {{<<: [*{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}, *{1}]}}"),
    ],
    ids=["lists", "mappings", "merges", "lists of merges"],
)
def test_a_bomb_is_refused_at_once(text: str) -> None:
    started = time.perf_counter()
    assert "SW107 aliases expand to more than the file could mean" in said(text)
    assert time.perf_counter() - started < 5


def test_many_aliases_are_no_bomb() -> None:
    shared = "common: &c {image: x, instance: y, tags: {a: 1, b: 2}}\n"
    text = shared + "".join(f"s{number}: {{<<: *c, n: {number}}}\n" for number in range(3000))
    assert len(loaded(text).data) == 3001


def test_what_comes_after_an_alias_does_not_count() -> None:
    text = "a: &a [1]\nb: *a\nc: [" + "[1],\n " * 120_000 + "]\n"
    assert len(loaded(text).data["c"]) == 120_000


# -- nesting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 5000 + "]" * 5000,
        "{a: " * 5000 + "}" * 5000,
        "- " * 50_000,
        "? " * 50_000,
        "\n".join(" " * depth + "a:" for depth in range(1000)),
        "".join("  " * depth + "- a:\n" for depth in range(500)),
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000)),
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, y: 1}}\n" for n in range(1, 300)),
    ],
    ids=["open", "lists", "mappings", "dashes", "questions", "blocks", "mixed", "aliases", "merges"],
)
def test_what_is_nested_too_deeply(text: str) -> None:
    assert only(text).code == "SW110"


def test_nesting_that_is_allowed() -> None:
    value = loaded("[" * MAX_DEPTH + "]" * MAX_DEPTH).data
    for _ in range(MAX_DEPTH - 1):
        value = value[0]
    assert value == []
    assert only("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)).code == "SW110"
    assert len(loaded("a: " + "x [ " * 200 + "\nb: |\n" + f"  {'-' * 500}\n").data) == 2


# -- duplicates -------------------------------------------------------------------------------------------------------


def test_every_duplicate_is_told_with_the_first_one() -> None:
    text = "a: 1\nb: {c: 1, 'c': 2, d: [{e: 1, e: 2}]}\na: 2\n? a\n: 3\n"
    found = findings(text)
    assert [(one.code, one.message) for one in found] == [
        ("SW103", "duplicate key `c`"),
        ("SW103", "duplicate key `e`"),
        ("SW103", "duplicate key `a`"),
        ("SW103", "duplicate key `a`"),
    ]
    assert [covered(text, one.span) for one in found if one.span] == ["'c'", "e", "a", "a"]
    assert [one.related[0].span.line for one in found] == [2, 2, 1, 1]


def test_the_first_of_duplicates_is_kept() -> None:
    sink = Sink()
    document = read_bytes(b"a: 1\na: 2\n", sink)
    assert document is not None
    assert document.data == {"a": 1}


# -- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "1:1 SW105 the file is empty"),
        (b" \n\n\t\n", "1:1 SW105 the file is empty"),
        (b"\xef\xbb\xbf", "1:1 SW105 the file is empty"),
        (b"# only\n# comments\n", "1:1 SW105 the file holds nothing but comments"),
        (b"---\n...\n", "1:1 SW105 the file holds nothing but comments"),
        (b"a: 1\nb: \xff\n", "2:4 SW104 not a text file in UTF-8: byte 0xff"),
        (b"a: 1\r\n\xc3\xa9: \xe9\r\n", "2:4 SW104 not a text file in UTF-8: byte 0xe9"),
        ("a: ö".encode("utf-16"), "1:1 SW104 not a text file in UTF-8: it is UTF-16"),
        (b"\x7fELF\0\0\0\xff", "1:8 SW104 not a text file in UTF-8: it is a binary file"),
        (b"a: 1\nb: x\0y\n", "2:5 SW104 the character U+0000 is not allowed in YAML"),
        (b"a: \x1b[31m\n", "1:4 SW104 the character U+001B is not allowed in YAML"),
        ("a: \u2028b\n".encode(), "1:4 SW104 an invisible line separator, U+2028"),
        ("# \x85b: 1\n".encode(), "1:3 SW104 an invisible line separator, U+0085"),
        ("a: x\n\ufeffb: 1\n".encode(), "2:1 SW104 an invisible byte order mark, U+FEFF"),
        ("a: \uffff\n".encode(), "1:4 SW104 the character U+FFFF is not allowed in YAML"),
        (b"a: \xed\xa0\x80\n", "1:4 SW104 not a text file in UTF-8: byte 0xed"),
    ],
)
def test_what_is_no_text(raw: bytes, expected: str) -> None:
    assert said(raw) == expected


def test_line_breaks_of_all_systems_and_a_byte_order_mark() -> None:
    for text in ("a: 1\nb: {c: d}\n", "a: 1\r\nb: {c: d}\r\n", "a: 1\rb: {c: d}\r", "\ufeffa: 1\nb: {c: d}"):
        document = loaded(text)
        assert document.data == {"a": 1, "b": {"c": "d"}}
        assert document.span(("b", "c")) == Span("f.yaml", 2, 8, 2, 9)


def test_a_broken_file_is_shown_with_what_can_be_read_of_it() -> None:
    sink = Sink()
    read_bytes(b"name: x\ntext: Gr\xf6\xdfe\n", sink, "f.yaml")
    shown = render(sink.diagnostics, sink.texts, "text").split("\n")
    assert shown[2:] == ["2 | text: Gr\ufffd\ufffde", "  |         ^"]


# -- syntax errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected", "written"),
    [
        ("a: 1\n\tb: 2\n", "2:1 SW102 a tab cannot indent YAML", "\t"),
        ("a:\n\tb: 2\n", "2:1 SW102 a tab cannot indent YAML", "\t"),
        ("a:\n  b: 1\n  \tc: 2\n", "3:3 SW102 a tab cannot indent YAML", "\t"),
        ("a: b\n \t c: 1\n", "2:2 SW102 a tab cannot indent YAML", "\t"),
        ("-\ta: 1\n\tb: 2\n", "1:2 SW102 a tab cannot indent YAML", "\t"),
        ("a: 'open\nb: 2\n", "1:4 SW101 the quote is never closed", "'"),
        ('a: "open\n\tb: 2\n', "1:4 SW101 the quote is never closed", '"'),
        ("a: 'it's'\n", "1:8 SW101 unexpected `s` after the value", "s"),
        ('a: "x" y\n', "1:8 SW101 unexpected `y` after the value", "y"),
        ("a: {b: 1} c\n", "1:11 SW101 unexpected `c` after the value", "c"),
        ("- [a] c\n", "1:7 SW101 unexpected `c` after the value", "c"),
        ("a: [1, 2\nb: 3\n", "2:2 SW101 expected `,` or `]`, found `:`", ":"),
        ("a: {b: 1\nc: 3\n", "2:2 SW101 expected `,` or `}`, found `:`", ":"),
        ("a: [1, {b: 2]\n", "1:13 SW101 expected `,` or `}`, found `]`", "]"),
        ("a: [1, 2\n", "1:4 SW101 `[` is never closed", "["),
        ("a: 1\nb: [{c: d}, {e: \n", "2:13 SW101 `{` is never closed", "{"),
        ("a: [\n# comment\n", "1:4 SW101 `[` is never closed", "["),
        ("a: b: c\n", "1:5 SW101 a second `: ` on the line", ":"),
        ("if: a == 'x: y'\n", "1:12 SW101 a second `: ` on the line", ":"),
        ("a: 1\n  b: 2\n", "2:3 SW101 a key where the value of the line before goes on: `b`", "b"),
        ("a:\n    b: 1\n  c: 2\n", "3:3 SW101 indented like nothing above it", "c"),
        ("a:\n  b: 1\n   c: 2\n", "3:4 SW101 a key where the value of the line before goes on: `c`", "c"),
        ("a:\n  b:\n    c: 1\n   d: 1\n", "4:4 SW101 indented like nothing above it", "d"),
        ("a:\n  - 1\n - 2\n", "3:2 SW101 indented like nothing above it", "-"),
        ("- a\nb: 1\n", "2:1 SW101 expected `- ` or less indentation, found `b`", "b"),
        ("a: 1\n]\n", "2:1 SW101 `]` closes nothing", "]"),
        ("a: 1\nbcd\n", "2:1 SW101 expected `:` after `bcd`", "bcd"),
        ("a: 1\nbcd # why\ne: 2\n", "2:1 SW101 expected `:` after `bcd`", "bcd"),
        ("a: - b\n", "1:4 SW101 a list in a block begins on a line of its own", "-"),
        ("a: @x\n", "1:4 SW101 `@` cannot begin a value", "@"),
        ("a: %x\n", "1:4 SW101 `%` cannot begin a value", "%"),
        ("a: ]\n", "1:4 SW101 expected a value, found `]`", "]"),
        ("a: , b\n", "1:4 SW101 expected a value, found `,`", ","),
        ('a: "\\q"\n', "1:5 SW101 `\\q` is no escape", "\\q"),
        ("a: *\n", "1:4 SW101 `*` begins an alias, whose name is missing", "*"),
        ("a: & b\n", "1:4 SW101 `&` begins an anchor, whose name is missing", "&"),
        ("a: |x\n  y\n", "1:5 SW101 a block's text begins on the next line", "x"),
        ("a: 1\n---\nb: 2\n", "2:1 SW109 a file holds one document, and this begins another", "---"),
        ("a: 1\n...\nb: 2\n", "3:1 SW109 a file holds one document, and this begins another", "b"),
        ("a: !Ref b\n", "1:4 SW109 pipelines have no use for the YAML tag `!Ref`", "!Ref"),
        ("a: &x !!set {b}\n", "1:4 SW109 pipelines have no use for the YAML tag `!!set`", "&x"),
        ("a: !x!y b\n", "1:4 SW109 pipelines have no use for YAML tags", "!x!y"),
        ("? [a, b]\n: 1\n", "1:3 SW109 a key must be text, not a mapping or a list", "[a, b]"),
        ("{a: 1}: 2\n", "1:1 SW109 a key must be text, not a mapping or a list", "{a: 1}"),
        ("a: {b: ${x}}\n", "1:8 SW108 an unquoted `${...}` cannot stand inside `{}` or `[]`", "${x}"),
        ("a: [${x.y}, 1]\n", "1:5 SW108 an unquoted `${...}` cannot stand inside `{}` or `[]`", "${x.y}"),
        (
            "a: {\n  b: \"${x}\", c: 'a ${y}',\n  d: ${z}, e: 1}\n",
            "3:6 SW108 an unquoted `${...}` cannot stand inside `{}` or `[]`",
            "${z}",
        ),
        ("a: {{ vars.x }}\n", "1:4 SW108 an unquoted `{{` is read as a YAML mapping", "{{ vars.x }}"),
        ("a: {{ vars.x }}/y\n", "1:4 SW108 an unquoted `{{` is read as a YAML mapping", "{{ vars.x }}"),
        ("a: [{{ vars.x }}, b]\n", "1:5 SW108 an unquoted `{{` is read as a YAML mapping", "{{ vars.x }}"),
        ("- {{ vars.x }}\n", "1:3 SW108 an unquoted `{{` is read as a YAML mapping", "{{ vars.x }}"),
        (
            "a: {{ x | default('}}') }}\n",
            "1:4 SW108 an unquoted `{{` is read as a YAML mapping",
            "{{ x | default('}}",
        ),
        (
            "{% for x in y %}\na: 1\n",
            "1:1 SW108 an unquoted `{%` is read as a YAML mapping",
            "{% for x in y %}",
        ),
        ("a: {% if x %}y{% endif %}\n", "1:4 SW108 an unquoted `{%` is read as a YAML mapping", "{% if x %}"),
    ],
)
def test_syntax_errors_say_what_is_wrong_where(text: str, expected: str, written: str) -> None:
    assert said(text) == expected
    span = only(text).span
    assert span is not None
    assert covered(text, span) == written


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("a: b: c\n", "quote the value that holds it"),
        ("a: 'it's'\n", "inside single quotes, a `'` is doubled: `''`"),
        ("a: 'b' == c\n", "quote the whole value"),
        ("a: {b: ${x}}\n", "quote it"),
        ("a: {{ vars.x }}\n", "quote it"),
        ("a:\n\tb: 2\n", "use spaces"),
        ("a: @x\n", "quote the value"),
    ],
)
def test_what_to_do_about_it(text: str, help: str) -> None:
    assert only(text).help == help


def test_an_open_bracket_is_shown_with_the_place_where_it_goes_wrong() -> None:
    because = only("a: [1, 2\nb: 3\n").related[0]
    assert (because.message, because.span) == ("this `[` is open", Span("f.yaml", 1, 4, 1, 5))


def test_references_and_templates_that_need_no_quotes() -> None:
    text = "a: ${x}\nb: s3://${x}/${y}\nc: x {{ y }}\nd: [a${x, b}]\n"
    assert loaded(text.split("d:")[0]).data == {"a": "${x}", "b": "s3://${x}/${y}", "c": "x {{ y }}"}


# -- files ------------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> tuple[Document | None, list[str]]:
    sink = Sink()
    document = read(path, sink, path.name)
    return document, [f"{one.code} {one.message}" for one in sink.diagnostics]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(50_000_000)
    names = ["folder", "none", "loop", "pipe", "large", "a\0b"]
    assert [read_file(tmp_path / name) for name in names] == [
        (None, ["SW801 `folder` is a directory, not a file"]),
        (None, ["SW801 cannot read `none`: no such file or directory"]),
        (None, ["SW801 cannot read `loop`: too many levels of symbolic links"]),
        (None, ["SW801 `pipe` is no regular file"]),
        (None, [f"SW106 the file has 50,000,000 bytes, the limit is {MAX_BYTES:,}"]),
        (None, ["SW801 cannot read `a\0b`: embedded null byte"]),
    ]


def test_a_file_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("a: [1]\n")
    document, found = read_file(path)
    assert found == []
    assert document is not None
    assert (document.path, document.data, type(document.data["a"])) == (path, {"a": [1]}, Seq)


# -- whatever comes ---------------------------------------------------------------------------------------------------

SEEDS = [
    DOCUMENT,
    "a: &x {b: c}\nd: {<<: *x, e: >-\n   f}\n",
    'a: "b\\n"\nc: |\n  d\n- e\n',
    "a: {b: ${c}}\n? [d]\n: e\n",
    "%YAML 1.2\n---\n!!map {a: !!str b}\n...\n",
]


def assert_told_decently(raw: bytes) -> None:
    """Nothing is raised, every finding has a place inside the text, and can be shown."""
    sink = Sink()
    document = read_bytes(raw, sink, "f.yaml")
    assert document is not None or sink.failed
    for one in sink.diagnostics:
        assert one.span is not None
        assert (one.span.line, one.span.column) <= (one.span.end_line, one.span.end_column)
        if "f.yaml" in sink.texts:
            lines = sink.texts["f.yaml"].split("\n")
            assert one.span.end_line <= len(lines)
            assert one.span.column <= len(lines[one.span.line - 1]) + 1
    assert render(sink.diagnostics, sink.texts, "text") or not sink.diagnostics


@given(st.binary(max_size=200))
@settings(max_examples=200)
@example(b"\xef\xbb\xbf\xef\xbb\xbf")
@example(b"\0")
@example(b"? ")
@example(b"- - - -\n -")
@example(b"'\n\n")
@example(b"&")
@example(b"a: |1\n")
def test_no_bytes_raise(raw: bytes) -> None:
    assert_told_decently(raw)


@given(st.data())
@settings(max_examples=400)
def test_no_file_that_is_nearly_yaml_raises(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 3, len(text))))
        pieces = st.sampled_from(
            ["", " ", "\n", "\t", ":", "-", "{", "}", "[", "]", "'", '"', "&", "*", "!", "|", ">", "#", "?"]
        )
        text = text[:start] + data.draw(pieces) + text[end:]
    assert_told_decently(text.encode())


# -- without libyaml --------------------------------------------------------------------------------------------------

WITHOUT_LIBYAML = """
import sys
sys.modules["yaml.cyaml"] = None
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.source import read_bytes, _Parser
assert _Parser.__module__ == "sagewright.compiler.source"
sink = Sink()
document = read_bytes(b"a: &x {b: on, c: 012}\\nd: {<<: *x, c: [1.5, ~]}\\ne: 'f ${g}'\\ne: 2\\n", sink, "f")
print(document.data, document.span(("d", "b")).column, [(d.code, d.span.line) for d in sink.diagnostics])
sink = Sink()
print(read_bytes(b"a: {b: ${c}}\\n", sink), [d.code for d in sink.diagnostics])
"""


def test_a_pyyaml_without_libyaml_reads_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBYAML], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "{'a': {'b': 'on', 'c': 12}, 'd': {'b': 'on', 'c': [1.5, None]}, 'e': 'f ${g}'} 11 [('SW103', 4)]",
        "None ['SW108']",
    ], done.stderr


def test_places_are_cheap_for_many_findings_in_one_scalar() -> None:
    text = "a: '" + "${x} " * 20_000 + "'\n"
    document = loaded(text)
    node = document.data.node.value[0][1]
    started = time.perf_counter()
    spans = [Origin(node, start, start + 4).span() for start in range(0, 100_000, 5)]
    assert time.perf_counter() - started < 5
    assert spans[-1] == Span("f.yaml", 1, 5 + 99_995, 1, 5 + 99_999)
