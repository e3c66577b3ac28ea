"""What in `docs/reference/` is generated is what would be generated."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sagewright.compiler.diagnostics import CODES

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
