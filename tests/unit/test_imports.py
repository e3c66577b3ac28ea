"""What a command imports: a short process lives as long as its imports take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from sagewright.compiler import cli
try:
    cli.main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(json.dumps([code, {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}]))
"""
NEEDED = {"click", "jsonschema_rs", "yaml"}
TEMPLATES = {"jinja2", "markupsafe"}
PLAIN = """\
name: plain
steps:
  Stop: {kind: fail, message: "no"}
"""


def imported(*arguments: str, cwd: Path = ROOT, code: int = 0) -> dict[str, str | None]:
    """The modules that a command has imported when it ends, and their files."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True)
    ended, modules = json.loads(done.stdout.splitlines()[-1])
    assert ended == code
    return modules


def packages(modules: dict[str, str | None]) -> set[str]:
    """The packages of others among them."""
    installed = (name for name, file in modules.items() if file and "site-packages" in Path(file).parts)
    return {name.split(".")[0] for name in installed if not name.startswith("_")}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "pipeline.yaml").write_text(PLAIN)
    return tmp_path


@pytest.mark.parametrize("command", ["compile", "check"])
def test_a_pipeline_without_templates(plain: Path, command: str) -> None:
    modules = imported(command, "pipeline.yaml", cwd=plain)
    assert packages(modules) == NEEDED
    kinds = {name for name in modules if name.startswith("sagewright.steps.")}
    assert kinds == {"sagewright.steps.fail"}


def test_a_pipeline_with_templates(tmp_path: Path) -> None:
    modules = imported("compile", "pipelines/breast-cancer", "--output", str(tmp_path))
    assert packages(modules) == NEEDED | TEMPLATES
    assert not modules.keys() & {
        "asyncio", "concurrent.futures", "multiprocessing", "http.client", "ssl", "sqlite3", "unittest",
        "sagewright.compiler.apply", "sagewright.compiler.aws", "sagewright.compiler.drawing",
        "sagewright.compiler.plan", "sagewright.compiler.render", "sagewright.compiler.sarif",
        "sagewright.compiler.snippet", "sagewright.compiler.yaml_errors", "sagewright.steps.lambda_",
    }  # fmt: skip


def test_a_mistake_is_explained_by_jsonschema(plain: Path) -> None:
    (plain / "pipeline.yaml").write_text(PLAIN.replace("message", "massage"))
    assert "jsonschema" in packages(imported("check", "pipeline.yaml", cwd=plain, code=1))


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("explain", "SW101"), ("schema", "--kind", "fail")]
)
def test_what_compiles_nothing_needs_no_compiler(arguments: tuple[str, ...]) -> None:
    assert packages(imported(*arguments)) <= {"click", "yaml"}


def test_the_package_alone_is_light() -> None:
    program = "import sys, sagewright.compiler; print(*sorted(n for n in sys.modules if n.startswith('sagewright.')))"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == ["sagewright.compiler"]
