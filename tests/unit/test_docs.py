"""What in `docs/reference/` is generated is what would be generated."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sagewright import steps
from sagewright.compiler.diagnostics import CODES
from tests.definitions import compiled, definition_of

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "generate_docs.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_file_is_told(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "generate", lambda: {"docs/reference/diagnostics.md": "other"})
    assert tool.check() == 1
    assert "docs/reference/diagnostics.md is out of date" in capsys.readouterr().err


def test_every_code_has_a_section_that_the_table_leads_to(tool: ModuleType) -> None:
    text = tool.diagnostics()
    assert re.findall(r"^### (SW\d+):", text, re.M) == list(CODES)
    assert re.findall(r'^<a id="(sw\d+)"></a>$', text, re.M) == [code.lower() for code in CODES]
    assert re.findall(r"^\| \[(SW\d+)\]\(#sw\d+\) \|", text, re.M) == list(CODES)


def test_fences_are_balanced_and_labelled(tool: ModuleType) -> None:
    text = tool.diagnostics()
    assert len(re.findall(r"^```\w+$", text, re.M)) == len(re.findall(r"^```$", text, re.M))
    assert "<!-- no example" not in text
    assert text.count("Refused:\n\n```yaml") > 50


def test_every_kind_has_a_page_that_the_index_leads_to(tool: ModuleType) -> None:
    made = tool.generate()
    pages = {f"docs/reference/steps/{name}.md" for name in steps.KINDS}
    assert pages <= made.keys()
    index = made["docs/reference/steps/README.md"]
    assert re.findall(r"^\| \[(\w+)\]\(\1\.md\) \|", index, re.M) == list(steps.KINDS)


def test_a_page_of_no_kind_is_told_and_removed(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "generate", lambda: {"docs/reference/steps/fail.md": "a page"})
    monkeypatch.setattr(sys, "argv", ["generate_docs.py"])
    stray = tmp_path / "docs/reference/steps/gone.md"
    stray.parent.mkdir(parents=True)
    stray.write_text("a page")
    assert tool.check() == 1
    assert "docs/reference/steps/gone.md is out of date" in capsys.readouterr().err
    assert tool.main() == 0
    assert [path.name for path in stray.parent.iterdir()] == ["fail.md"]
    assert tool.check() == 0


@pytest.mark.parametrize("folder", ["docs/guide", "docs/reference/steps"])
def test_an_index_leads_to_every_page_and_to_nothing_else(folder: str) -> None:
    linked = re.findall(
        r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / folder / "README.md").read_text(encoding="utf-8")
    )
    assert [link for link in linked if not (ROOT / folder / link).exists()] == []
    pages = {path.name for path in (ROOT / folder).glob("*.md")} - {"README.md"}
    assert pages - set(linked) == set()


def test_the_examples_of_the_page_on_reuse_compile(tmp_path: Path) -> None:
    text = (ROOT / "docs/guide/reuse.md").read_text(encoding="utf-8")
    for name, content in re.findall(r"^```yaml file=(\S+)\n(.*?)^```$", text, re.M | re.S):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    for name in ("prepare.py", "compare.py"):
        (tmp_path / "pipelines/risk" / name).write_text("print(1)\n", encoding="utf-8")
    project = ROOT / "tests/cases/compile/sagewright.yaml"
    (tmp_path / "sagewright.yaml").write_text(project.read_text(encoding="utf-8"), encoding="utf-8")
    found = sorted(tmp_path.glob("pipelines/*/pipeline.yaml"))
    made = [step["Name"] for path in found for step in definition_of(compiled(path))["Steps"]]
    assert {f"Train-{suffix}" for suffix in ("3-0-1", "3-0-3", "6-0-1", "9-0-1")} < set(made)
    assert {"Risk-Prepare", "Risk-Train", "Region-eu-Prepare", "Region-us-Train", "Compare"} < set(made)
