"""The command line: what each command prints and writes, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sagewright.compiler import cli, output

GOOD = """\
name: demo
steps:
  Stop: {kind: fail, message: "no"}
"""
BAD = GOOD.replace("kind: fail", "kind: fial")
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sagewright.yaml").write_text("version: 1\nregion: us-west-2\nbucket: my-bucket\n")
    folder = tmp_path / "pipelines" / "demo"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    code = ended.value.code
    return code if isinstance(code, int) else 1


def test_check_says_that_there_is_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check") == 0
    assert "1 pipeline: no findings" in capsys.readouterr().err


def test_check_finds_and_ends_with_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pipelines/demo/pipeline.yaml").write_text(BAD)
    assert run("check", "--format", "oneline") == 1
    shown = capsys.readouterr().out
    assert shown.startswith("pipelines/demo/pipeline.yaml:3:16: error[SW207] ")


@pytest.mark.parametrize("name", ["json", "sarif"])
def test_machine_formats_are_json_with_and_without_findings(
    name: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check", "--format", name) == 0
    json.loads(capsys.readouterr().out)
    (project / "pipelines/demo/pipeline.yaml").write_text(BAD)
    assert run("check", "--format", name) == 1
    assert "SW207" in json.dumps(json.loads(capsys.readouterr().out))


def test_strict_makes_warnings_count(project: Path) -> None:
    (project / "pipelines/demo/pipeline.yaml").write_text(GOOD + "parameters: {Unused: 1}\n")
    assert run("check") == 0
    assert run("check", "--strict") == 1


def test_compile_writes_definition_and_manifest(project: Path) -> None:
    assert run("compile") == 0
    definition = json.loads((project / "build/default/demo/definition.json").read_text())
    manifest = json.loads((project / "build/default/demo/manifest.json").read_text())
    assert definition["Steps"] == [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]
    assert manifest["pipeline"] == "demo"
    assert manifest["region"] == "us-west-2"
    assert len(manifest["digest"]) == 64


def test_compile_writes_what_is_right_beside_what_is_wrong(project: Path) -> None:
    other = project / "pipelines/broken"
    other.mkdir()
    (other / "pipeline.yaml").write_text(BAD.replace("demo", "broken"))
    assert run("compile") == 1
    assert (project / "build/default/demo/definition.json").exists()
    assert not (project / "build/default/broken").exists()


def test_compile_to_standard_output_is_only_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compile", "--stdout") == 0
    assert json.loads(capsys.readouterr().out)["Version"] == "2020-12-01"
    assert not (project / "build").exists()


def test_one_name_in_two_files_is_refused_and_nothing_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = project / "pipelines/other"
    other.mkdir()
    (other / "pipeline.yaml").write_text(GOOD)
    assert run("compile") == 1
    assert "SW809" in capsys.readouterr().err
    assert not (project / "build").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chekc"], "Did you mean 'check'?"),
        (["check", "--target", "nope"], "unknown target `nope`"),
        (["check", "--var", "x"], "--var wants NAME=VALUE"),
        (["check", "--var", "x=1"], "`--var x` is not declared"),
        (["check", "--format", "xml"], "xml"),
        (["explain", "SW999"], "nothing is known of 'SW999'"),
        (["explain", "trainning"], "did you mean 'training'?"),
        (["schema", "--kind", "fial"], "did you mean 'fail'?"),
        (["schema", "--kind", "fail", "--project"], "do not go together"),
        (["init", "--template", "breast-cancr"], "did you mean 'breast-cancer'?"),
        (["init", "--name", "no good"], "no pipeline's name"),
        (["graph", "--format", "png"], "png"),
        (["upsert", "--target", "nope"], "unknown target `nope`"),
        (["check", "--bucket", "UPPER"], "`UPPER` is no bucket's name"),
        (["compile", "--bucket", "s3://x/"], "`s3://x/` is no bucket's name"),
        (["check", "--region", "us east"], "`us east` is no region"),
        (["gc", "--prefix", "/a//b/"], "`/a//b/` is no key prefix"),
        (["check", "--role", "nope"], "'--role': `nope` is no role's ARN"),
        (["init", "--bucket", "UPPER"], "`UPPER` is no bucket's name"),
        (["check", ""], "an empty path"),
        (["upsert", "--alias", "7"], "a number is a version's"),
        (["schema", "-o", "."], "is a directory"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str], message: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert message in said.err + said.out


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"sagewright {name}" in shown


def test_shell_completion_is_there() -> None:
    environment = {**os.environ, "_SAGEWRIGHT_COMPLETE": "bash_source"}
    code = "from sagewright.compiler.cli import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "_sagewright_completion" in shown.stdout


@pytest.mark.parametrize("name", ["mermaid", "dot", "svg", "json"])
def test_graph_draws_in_every_format(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("graph", "--format", name) == 0
    assert "Stop" in capsys.readouterr().out


def test_graph_writes_a_file_for_each_pipeline(project: Path) -> None:
    other = project / "pipelines/other"
    other.mkdir()
    (other / "pipeline.yaml").write_text(GOOD.replace("demo", "other"))
    assert run("graph", "--format", "svg", "-o", "pictures") == 0
    assert sorted(path.name for path in (project / "pictures").iterdir()) == ["demo.svg", "other.svg"]
    assert run("graph", "--format", "svg") == 2


def test_the_schema_is_one_and_takes_the_ready_made_pipelines(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("schema") == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sorted(Path(__file__).parents[2].glob("pipelines/*/pipeline.yaml")):
        assert [error.message for error in validator.iter_errors(load(path))] == []
    wrong: Any = {"name": "x", "steps": {"A": {"kind": "fail", "mesage": "x"}}}
    assert [error.message for error in validator.iter_errors(wrong)]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_the_schemas_know_components(capsys: pytest.CaptureFixture[str]) -> None:
    cases = Path(__file__).parents[1] / "cases/compile"
    validators: list[Any] = []
    for arguments in ([], ["--component"]):
        assert run("schema", *arguments) == 0
        validators.append(jsonschema.Draft202012Validator(json.loads(capsys.readouterr().out)))
    pipelines, components = validators
    files = [path for path in cases.glob("component*/**/*.yaml") if path.name != "pipeline.yaml"]
    assert len(files) > 5
    for path in files:
        assert [error.message for error in components.iter_errors(load(path))] == []
        assert not pipelines.is_valid(load(path))
        assert pipelines.is_valid(load(cases / path.relative_to(cases).parts[0] / "pipeline.yaml"))
    step: Any = {"uses": "a.yaml", "retry": "standard"}
    assert not pipelines.is_valid({"name": "x", "steps": {"A": step}})
    assert not components.is_valid({"inputs": {"a": "Sting", "b": {"typ": "String"}}, "steps": {"A": step}})


def test_the_schema_of_a_kind_and_of_the_project_are_ones(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--kind", "training"], ["--project"], ["--component"]):
        assert run("schema", *arguments) == 0
        jsonschema.Draft202012Validator.check_schema(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("template", ["abalone", "batch-scoring", "breast-cancer"])
def test_init_makes_a_project_that_compiles(
    template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init", "--template", template, "--name", "mine") == 0
    assert (tmp_path / "pipelines/mine/pipeline.yaml").exists()
    assert not list(tmp_path.rglob("*golden*"))
    assert run("check", "--strict") == 0
    assert run("compile") == 0
    assert (tmp_path / "build/dev/mine/definition.json").exists()


def test_init_overwrites_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (project / "pipelines/demo/pipeline.yaml").read_text()
    assert run("init", "--name", "demo") == 1
    assert "nothing is overwritten" in capsys.readouterr().err
    assert (project / "pipelines/demo/pipeline.yaml").read_text() == before
    assert not (project / "pipelines/demo/train.py").exists()
    assert run("init", "--name", "another") == 0
    assert (project / "sagewright.yaml").read_text().startswith("version: 1\nregion")


def test_explain_shows_pages_and_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "sw302") == 0
    assert capsys.readouterr().out.startswith("# SW302")
    assert run("explain", "lambda") == 0
    assert "function" in capsys.readouterr().out
    assert run("explain") == 0
    said = capsys.readouterr().out
    assert "SW101" in said
    assert "training" in said
    assert "rate(1 day)" in said


def test_files_are_written_all_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    first.write_text("before")
    written = os.fdopen

    def full(handle: int, *arguments: Any, **options: Any) -> Any:
        stream = written(handle, *arguments, **options)
        if len(list(tmp_path.iterdir())) > 2:  # the second file: the disk is full
            stream.write = lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        return stream

    monkeypatch.setattr(output.os, "fdopen", full)
    with pytest.raises(OSError, match="No space left"):
        output.write_all({first: "after", second: "after"})
    assert first.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_one_line_and_leaves_nothing(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.tempfile, "mkstemp", full)
    assert run("compile") == 1
    assert "cannot write build/default/demo: no space left on device [SW812]" in capsys.readouterr().err
    assert not list((project / "build").rglob("*.json"))


def test_an_exception_is_a_bug_and_no_traceback(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sagewright.compiler.driver.Compiler.compile", lambda *_: 1 / 0)
    monkeypatch.delenv("SAGEWRIGHT_DEBUG", raising=False)
    assert run("check") == 70
    said = capsys.readouterr().err
    assert "internal error: ZeroDivisionError" in said
    assert "Traceback" not in said


def test_interrupted_ends_with_130(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sagewright.compiler.driver.Compiler.compile", interrupt)
    assert run("check") == 130


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("check 2>&-", 0),
        ("check >&-", 0),
        ("compile <&- >&- 2>&-", 0),
        ("compile --stdout >/dev/full", 1),
        ("check 2>/dev/full", 1),
        ("explain SW999 2>/dev/full", 2),
        ("explain >/dev/full 2>/dev/full", 1),
    ],
)
def test_streams_that_are_closed_or_full(arguments: str, code: int, project: Path) -> None:
    command = f"{sys.executable} -m sagewright.compiler {arguments}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert ("cannot write: no space left on device" in done.stderr) == (
        arguments == "compile --stdout >/dev/full"
    )


@pytest.mark.parametrize("command", ["models", "callback", "runs"])
def test_looking_makes_nothing(command: str, project: Path) -> None:
    assert run(command) == 0
    assert not (project / ".sagewright").exists()


@pytest.mark.parametrize("text", ["{}", '{"Version": "2020-12-01"}', "[]"])
def test_a_file_that_holds_no_definition_is_refused(
    text: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "a.json").write_text(text)
    for arguments in (["simulate", "a.json"], ["diff", "a.json", "a.json"]):
        assert run(*arguments) == 1
        assert "a.json is no definition" in capsys.readouterr().err


def test_a_reader_that_has_enough_is_no_error(project: Path) -> None:
    command = f"{sys.executable} -m sagewright.compiler schema | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("{")
    assert "Traceback" not in done.stderr
