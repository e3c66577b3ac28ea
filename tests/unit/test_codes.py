"""The page of every code, and the examples in it: the bad one gives the code and nothing else, the good one nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from sagewright.compiler.cli import root
from sagewright.compiler.commands.explain import page
from sagewright.compiler.diagnostics import CODES

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "compiler" / "codes").glob("*.md"))
FLAGS = "--region us-west-2 --bucket my-bucket --role arn:aws:iam::123456789012:role/SageMakerRole"
SHOWN = [path.stem for path in PAGES if "```" in path.read_text(encoding="utf-8")]
"""The codes whose pages have examples."""
_FENCE_RE = re.compile(r"^```([^\n]+)\n(.*?)^```$", re.M | re.S)


@dataclass
class Example:
    """A project: its files, and the flags that it is checked with."""

    files: dict[str, str] = field(default_factory=dict)
    flags: str = FLAGS


def examples(text: str) -> dict[str, Example]:
    """The `bad` and the `good` example of a page. A fence that says neither belongs to both."""
    made: dict[str, Example] = {}
    for info, content in _FENCE_RE.findall(text):
        language, *words = info.split()
        name = next(
            (word.removeprefix("file=") for word in words if word.startswith("file=")), "pipeline.yaml"
        )
        for which in [word for word in words if word in ("bad", "good")] or ["bad", "good"]:
            example = made.setdefault(which, Example())
            if language == "flags":
                example.flags = content.strip()
            else:
                assert name not in example.files, f"{name} stands twice in the {which} example"
                example.files[name] = content
    return made


def found(example: Example, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is found in an example, one line each."""
    for name, content in example.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    monkeypatch.chdir(folder)
    arguments = ["check", "pipeline.yaml", "--format", "oneline", *example.flags.split()]
    result = CliRunner().invoke(root, arguments, standalone_mode=False)
    assert result.exception is None, result.exc_info
    return [line for line in result.output.splitlines() if line]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert [path.stem for path in PAGES] == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_begins_with_what_the_table_says_and_is_short(code: str) -> None:
    lines = page(code).split("\n")
    assert lines[:3] == [f"# {code}: {CODES[code].title}", "", f"Severity: {CODES[code].severity}"]
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120
    assert "**Fix" in page(code)


def test_few_pages_have_no_example() -> None:
    without = [code for code in CODES if "<!-- no example: " in page(code)]
    assert without == ["SW104", "SW106", "SW110", "SW701", "SW702", "SW809", "SW810", "SW812", "SW908"]
    assert not any("```" in page(code) for code in without)


@pytest.mark.parametrize("code", SHOWN)
def test_the_bad_example_gives_the_code_and_nothing_else(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = found(examples(page(code))["bad"], tmp_path, monkeypatch)
    assert [re.findall(r"(?:error|warning)\[(SW\d+)\]", line) for line in lines] == [[code]], lines


@pytest.mark.parametrize("code", SHOWN)
def test_the_good_example_gives_nothing(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(examples(page(code))["good"], tmp_path, monkeypatch) == []


def test_every_code_is_reported_somewhere() -> None:
    sources = [path for folder in ("compiler", "steps") for path in (ROOT / folder).rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources if path.name != "diagnostics.py")
    assert [code for code in CODES if not re.search(rf"\b{code}\b", text)] == []


def test_every_code_that_is_reported_is_in_the_table() -> None:
    sources = [path for folder in ("compiler", "steps") for path in (ROOT / folder).rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert set(re.findall(r'"(SW\d{3})"', text)) - CODES.keys() == set()
