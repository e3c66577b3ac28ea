"""Diagnostics in every format."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagewright.compiler.diagnostics import CODES, Diagnostic, Related, Span
from sagewright.compiler.render import FORMATS, render, summary
from sagewright.compiler.sarif import page
from sagewright.compiler.snippet import visible, width

FILE = "pipelines/churn/pipeline.yaml"


def shown(text: str, span: Span, **more: Any) -> list[str]:
    diagnostic = Diagnostic("SW302", "error", "no", span, **more)
    return render([diagnostic], {FILE: text}, "text", color=False).split("\n")


def at(line: int, column: int, end_column: int | None = None, end_line: int | None = None) -> Span:
    return Span(FILE, line, column, end_line or line, end_column or column)


# -- text -------------------------------------------------------------------------------------------------------------


def test_the_text_form() -> None:
    source = "\n" * 40 + '      validation: {source: "${steps.Prep.outputs.tset}", content_type: text/csv}\n'
    diagnostic = Diagnostic(
        "SW302",
        "error",
        "step `Prep` has no output `tset`",
        Span(FILE, 41, 49, 41, 53),
        "did you mean `test`?",
        ("its outputs are `train` and `test` (declared at 27:7)",),
    )
    assert render([diagnostic], {FILE: source}, "text", color=False) == (
        "pipelines/churn/pipeline.yaml:41:49: error[SW302]: step `Prep` has no output `tset`\n"
        "   |\n"
        '41 |       validation: {source: "${steps.Prep.outputs.tset}", content_type: text/csv}\n'
        "   |                                                 ^^^^ did you mean `test`?\n"
        "   = its outputs are `train` and `test` (declared at 27:7)"
    )


def test_related_places_have_their_own_snippets() -> None:
    related = (Related("first used here", at(1, 1, 5)), Related("and here", Span("other.yaml", 3, 1, 3, 2)))
    assert shown("Prep: 1\nx: 2\nPrep: 3\n", at(3, 1, 5), related=related)[1:] == [
        "  |",
        "3 | Prep: 3",
        "  | ^^^^",
        f" --> {FILE}:1:1",
        "  |",
        "1 | Prep: 1",
        "  | ---- first used here",
        " --> other.yaml:3:1: and here",
    ]


def test_the_gutter_is_as_wide_as_the_largest_number_needs() -> None:
    lines = shown("a\n" * 120, at(9, 1, 2), related=(Related("r", at(101, 1, 2)),))
    assert lines[1:4] == ["    |", "  9 | a", "    | ^"]
    assert lines[6] == "101 | a"


def test_several_lines_and_the_cut_between_them() -> None:
    source = "a: [\n  one,\n  two,\n\n  four,\n  five]\nb: 1\n"
    assert shown(source, Span(FILE, 1, 4, 6, 8), help="help")[2:] == [
        "1 | a: [",
        "  |    ^",
        "2 |   one,",
        "  |   ^^^^",
        "...",
        "5 |   four,",
        "  |   ^^^^^",
        "6 |   five]",
        "  |   ^^^^^ help",
    ]


def test_a_help_of_several_lines_stays_at_the_carets() -> None:
    assert shown("ab cd\n", at(1, 4, 6), help="one\ntwo")[3:] == ["  |    ^^ one", "  |       two"]


@pytest.mark.parametrize(
    ("source", "span", "line", "marks"),
    [
        ("\tkey: x\n", at(1, 7, 8), "1 |     key: x", "  |          ^"),
        ("k: 日本語 x\n", at(1, 8, 9), "1 | k: 日本語 x", "  |           ^"),
        ("k: 日本語 x\n", at(1, 4, 7), "1 | k: 日本語 x", "  |    ^^^^^^"),
        ("k: 🎉 x\n", at(1, 6, 7), "1 | k: 🎉 x", "  |       ^"),
        ("k: e\u0301e\u0301 x\n", at(1, 9, 10), "1 | k: e\u0301e\u0301 x", "  |       ^"),
        ("abc\n", at(1, 2), "1 | abc", "  |  ^"),  # of no width
        ("abc\n", at(1, 9, 12), "1 | abc", "  |    ^"),  # past the end of the line
        ("abc\n", at(1, 3, 1), "1 | abc", "  |   ^"),  # ends before it begins
        ("abc\n\n\n", at(4, 1, 2), "1 | abc", "  |    ^"),  # the end of the file
        ("abc\n", at(99, 7, 9), "1 | abc", "  |    ^"),
        ("abc", at(1, 1, 99), "1 | abc", "  | ^^^"),
    ],
)
def test_marks_stand_below_what_they_mean(source: str, span: Span, line: str, marks: str) -> None:
    assert shown(source, span)[2:] == [line, marks]


def test_a_long_line_is_cut_around_the_carets() -> None:
    source = "a" * 300 + "${bad}" + "b" * 300
    _, _, line, marks = shown(source, at(1, 301, 307))
    assert len(line) < 125
    assert line.startswith("1 | …aaa") and line.endswith("bbb…")
    assert line[marks.index("^") : marks.rindex("^") + 1] == "${bad}"


def test_the_end_of_a_long_line() -> None:
    source = "a" * 300 + "${bad}"
    _, _, line, marks = shown(source, at(1, 301, 307))
    assert line.endswith("aaa${bad}")
    assert line[marks.index("^") :] == "${bad}"


def test_marks_do_not_run_past_the_cut() -> None:
    _, _, line, marks = shown("x: " + "a" * 5000, at(1, 4, 5004))
    assert len(marks) < len(line) + 1 < 125


def test_without_the_text_of_the_file_the_help_is_still_given() -> None:
    lines = render([Diagnostic("SW801", "error", "m", at(2, 1, 3), "h", ("n",))], {}, "text", color=False)
    assert lines.split("\n") == [f"{FILE}:2:1: error[SW801]: m", "  = help: h", "  = n"]


def test_without_a_place() -> None:
    text = render([Diagnostic("SW804", "error", "no bucket", None, "set `bucket`")], {}, "text", color=False)
    assert text.split("\n") == ["error[SW804]: no bucket", "  = help: set `bucket`"]


def test_an_empty_file_has_no_snippet() -> None:
    assert shown("", at(1, 1)) == [f"{FILE}:1:1: error[SW302]: no"]


def test_diagnostics_are_parted_by_a_blank_line() -> None:
    diagnostics = [Diagnostic("SW804", "error", m, None) for m in ("a", "b")]
    assert render(diagnostics, {}, "text", color=False) == "error[SW804]: a\n\nerror[SW804]: b"


def test_colours() -> None:
    diagnostic = Diagnostic("SW901", "warning", "m", at(1, 1, 2), "h", (), (Related("r", at(1, 2, 3)),))
    coloured = render([diagnostic], {FILE: "ab"}, "text", color=True)
    assert "\x1b[1;33mwarning[SW901]\x1b[0m" in coloured
    assert "\x1b[1;33m^ h\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render([diagnostic], {FILE: "ab"}, "text", color=False)


# -- what a terminal would obey ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ü 日本 🎉", "plain ü 日本 🎉"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb", "a\\u202eb"),
        ("\ufeff", "\\ufeff"),
        ("\udc80", "\\udc80"),
        ("\u2028", "\\u2028"),
        ("\t\r\n\0", "\\t\\r\\n\\x00"),
        ("\U000e0001", "\\U000e0001"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_marks_stand_below_an_escape() -> None:
    assert shown("a\x1b[0mb\n", at(1, 6, 7))[2:] == ["1 | a\\x1b[0mb", "  |         ^"]


TEXT = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("\x1b\x07\x9b\t\r\n\u202e日🎉 :,%")), max_size=40
)


@st.composite
def diagnostics(draw: st.DrawFn) -> Diagnostic:
    def span() -> Span:
        numbers = st.integers(min_value=1, max_value=60)
        return Span(
            draw(st.sampled_from(["a.yaml", "b.yaml", "ü/c d.yaml"])), *(draw(numbers) for _ in range(4))
        )

    related = tuple(Related(draw(TEXT), span()) for _ in range(draw(st.integers(0, 2))))
    help_ = draw(st.none() | TEXT)
    code = draw(st.sampled_from(sorted(CODES)))
    place = span() if draw(st.booleans()) else None
    return Diagnostic(
        code, CODES[code].severity, draw(TEXT), place, help_, tuple(draw(st.lists(TEXT, max_size=2))), related
    )


@given(st.lists(diagnostics(), max_size=3), TEXT, st.sampled_from(FORMATS))
def test_nothing_gives_a_traceback_or_a_terminal_command(
    found: list[Diagnostic], text: str, format: str
) -> None:
    rendered = render(found, {"a.yaml": text, "b.yaml": ""}, format, color=False)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", rendered)
    rendered.encode()
    if format in ("json", "sarif"):
        json.loads(rendered)
    if format == "text":  # a workflow command begins a line, after blanks at most
        assert not re.search(r"^\s*(::|##\[)", rendered, re.MULTILINE)
    if format in ("oneline", "github"):
        assert len(rendered.split("\n")) == max(1, len(found))


@given(st.text(max_size=30))
def test_width_counts_columns(text: str) -> None:
    assert 0 <= width(text) <= 2 * len(text)
    if text.isascii():
        assert width(text) == len(text)


# -- one line, JSON ---------------------------------------------------------------------------------------------------


def test_one_line_each() -> None:
    found = [
        Diagnostic("SW302", "error", "two\nlines", at(41, 52, 56), "h"),
        Diagnostic("SW901", "warning", "unused parameter `P`", at(3, 3)),
        Diagnostic("SW804", "error", "no bucket", None),
    ]
    assert render(found, {}, "oneline", color=False).split("\n") == [
        f"{FILE}:41:52: error[SW302] two\\nlines",
        f"{FILE}:3:3: warning[SW901] unused parameter `P`",
        "error[SW804] no bucket",
    ]


def test_json() -> None:
    found = [
        Diagnostic("SW302", "error", "m", at(1, 2, 3), "h", ("n",), (Related("r", at(2, 1, 4)),)),
        Diagnostic("SW901", "warning", "w", None),
    ]
    place = {"file": FILE, "line": 1, "column": 2, "end_line": 1, "end_column": 3}
    assert json.loads(render(found, {}, "json", color=False)) == {
        "diagnostics": [
            {
                "code": "SW302",
                "severity": "error",
                "message": "m",
                "place": place,
                "help": "h",
                "notes": ["n"],
                "related": [
                    {
                        "message": "r",
                        "place": {**place, "line": 2, "column": 1, "end_line": 2, "end_column": 4},
                    }
                ],
            },
            {
                "code": "SW901",
                "severity": "warning",
                "message": "w",
                "place": None,
                "help": None,
                "notes": [],
                "related": [],
            },
        ],
        "errors": 1,
        "warnings": 1,
        "notes": 0,
    }


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ("", "no problems"),
        ("e", "1 error"),
        ("eew", "2 errors, 1 warning"),
        ("nww", "2 warnings, 1 note"),
    ],
)
def test_summary(severities: str, expected: str) -> None:
    names: dict[str, Any] = {"e": "error", "w": "warning", "n": "note"}
    assert summary([Diagnostic("SW101", names[s], "m") for s in severities]) == expected


def test_an_unknown_format() -> None:
    with pytest.raises(KeyError):
        render([], {}, "yaml", color=False)


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys; from sagewright.compiler.render import render; render([], {}, 'text', color=True);"
        "print([m for m in ('rich', 'importlib.metadata', 'jinja2', 'networkx', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- SARIF ------------------------------------------------------------------------------------------------------------


def sarif(found: list[Diagnostic]) -> dict[str, Any]:
    return json.loads(render(found, {}, "sarif", color=False))


def test_sarif() -> None:
    found = [
        Diagnostic("SW302", "error", "m", at(41, 52, 56), "h", ("n",), (Related("r", at(2, 1, 4)),)),
        Diagnostic("SW901", "warning", "w", at(3, 3)),
        Diagnostic("SW302", "error", "again", Span(FILE, 5, 9, 4, 1)),
        Diagnostic("SW804", "error", "no bucket", None),
    ]
    log = sarif(found)
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["SW302", "SW804", "SW901"]
    assert [rule["defaultConfiguration"]["level"] for rule in rules] == ["error", "error", "warning"]
    first, second, third, fourth = run["results"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [d.code for d in found]
    assert first["message"]["text"] == "m\nh\nn"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": FILE, "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 41, "startColumn": 52, "endLine": 41, "endColumn": 56}
    assert first["relatedLocations"][0]["message"] == {"text": "r"}
    assert first["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 2
    assert second["level"] == "warning"
    assert third["locations"][0]["physicalLocation"]["region"]["endLine"] == 5  # never before its beginning
    assert fourth["locations"] == []


@given(st.lists(diagnostics(), max_size=4))
def test_the_rules_of_sarif(found: list[Diagnostic]) -> None:
    (run,) = sarif(found)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"] and rule["help"]["text"]
    for result, diagnostic in zip(run["results"], found, strict=True):
        assert result["level"] in ("error", "warning", "note")
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == diagnostic.code
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            artifact = location["physicalLocation"]["artifactLocation"]
            assert re.fullmatch(r"[A-Za-z0-9._~%/-]+", artifact["uri"])
            assert artifact["uriBaseId"] in run["originalUriBaseIds"]
            region = location["physicalLocation"]["region"]
            begin, end = (
                (region["startLine"], region["startColumn"]),
                (region["endLine"], region["endColumn"]),
            )
            assert (1, 1) <= begin <= end


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a b/ü.yaml", "a%20b/%C3%BC.yaml"),
        ("c:d.yaml", "c%3Ad.yaml"),  # else it would have a scheme
        ("50%.yaml", "50%25.yaml"),
        ("a\udcff.yaml", "a%FF.yaml"),
    ],
)
def test_uris_are_relative_and_encoded(file: str, uri: str) -> None:
    (run,) = sarif([Diagnostic("SW101", "error", "m", Span(file))])["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_an_absolute_path_becomes_a_file_uri() -> None:
    (run,) = sarif([Diagnostic("SW101", "error", "m", Span("/tmp/a b.yaml"))])["runs"]
    artifact = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "file:///tmp/a%20b.yaml"}


def test_rules_carry_the_pages_of_their_codes() -> None:
    (run,) = sarif([Diagnostic(code, "error", "m") for code in CODES])["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        assert rule["help"]["markdown"] == (page(rule["id"]) or CODES[rule["id"]].title)
    assert page("SW000") is None


# -- GitHub -----------------------------------------------------------------------------------------------------------


def test_github() -> None:
    found = [
        Diagnostic("SW302", "error", "no `tset`", at(41, 52, 56), "did you mean `test`?", ("n",)),
        Diagnostic("SW901", "warning", "100% unused,\nreally: yes", Span("a,b:c%.yaml", 3, 3, 4, 1)),
        Diagnostic("SW804", "note", "::error::no", None),
    ]
    assert render(found, {}, "github", color=False).split("\n") == [
        f"::error file={FILE},line=41,endLine=41,col=52,endColumn=56,title=SW302::"
        f"{FILE}:41:52: no `tset`%0Adid you mean `test`?%0An",
        "::warning file=a%2Cb%3Ac%25.yaml,line=3,endLine=4,title=SW901::"
        "a,b:c%25.yaml:3:3: 100%25 unused,%0Areally: yes",
        "::notice title=SW804::::error::no",
    ]
