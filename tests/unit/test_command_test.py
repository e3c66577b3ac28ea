"""`sagewright test`, and the plugin of pytest's: selection, results, exit codes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sagewright.compiler import cli
from sagewright.compiler.commands.init import templates
from tests.definitions import ROOT

PIPELINE = """\
name: demo
parameters: {Count: 3}
retry_policies: {}
steps:
  Gate:
    kind: condition
    if: parameters.Count > 2
    then:
      Tell: {kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f"}
    else:
      Stop: {kind: fail, message: "only ${parameters.Count}"}
"""
TESTS = """\
tests:
  - name: many are told
    expect: {status: Succeeded, ran: [Tell], skipped: [Stop]}
  - name: few are not
    parameters: {Count: 1}
    expect: {status: Failed, message: only 1}
"""
WRONG = TESTS.replace("message: only 1", "message: only 2")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sagewright.yaml").write_text("version: 1\nregion: us-west-2\nbucket: my-bucket\n")
    folder = tmp_path / "pipelines" / "demo"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    (folder / "tests.yaml").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return folder


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["test", *arguments])
    code = ended.value.code
    return code if isinstance(code, int) else 1


def test_all_pass(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    said = capsys.readouterr().out
    assert "pipelines/demo/tests.yaml .." in said
    assert "2 passed" in said


def test_a_failure_has_its_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests.yaml").write_text(WRONG)
    assert run("-v") == 1
    said = capsys.readouterr().out
    assert "pipelines/demo/tests.yaml::many are told PASSED" in said
    assert "pipelines/demo/tests.yaml::few are not FAILED" in said
    assert 'pipelines/demo/tests.yaml:6:39: no failure says "only 2": `Stop`: only 1' in said
    assert "1 failed, 1 passed" in said


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        (["pipelines/demo"], 2),
        (["pipelines/demo/pipeline.yaml"], 2),
        (["pipelines/demo/tests.yaml"], 2),
        (["pipelines/demo/tests.yaml::few are not"], 1),
        (["-k", "many"], 1),
        (["-k", "not many"], 1),
        (["-k", "many or few"], 2),
        (["pipelines/demo", "-k", "FEW"], 1),
    ],
)
def test_selection(
    arguments: list[str], passed: int, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 0
    assert f"{passed} passed" in capsys.readouterr().out


def test_x_stops_at_the_first_failure(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests.yaml").write_text(WRONG.replace("ran: [Tell]", "ran: [Stop]"))
    assert run("-x") == 1
    assert "1 failed, 0 passed" in capsys.readouterr().out
    assert run() == 1
    assert "2 failed, 0 passed" in capsys.readouterr().out


def test_junit_and_coverage(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--junit-xml", "out/tests.xml", "--coverage", "-k", "many") == 0
    said = capsys.readouterr().out
    assert "coverage of demo: branches 1 of 2" in said
    assert "not reached (branches): Gate: else" in said
    assert "1 passed, 1 not selected" in said
    suite = ElementTree.parse("out/tests.xml").getroot()[0]
    assert [case.get("name") for case in suite] == ["many are told"]


def test_collect_only(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--collect-only") == 0
    assert capsys.readouterr().out.splitlines() == [
        "pipelines/demo/tests.yaml::many are told",
        "pipelines/demo/tests.yaml::few are not",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pipelines/demo/tests.yaml::few are nto"], "did you mean 'few are not'?"),
        (["-k", "a b"], "`b` is not expected there"),
        (["-k", "nothing"], "none of 2 tests is selected"),
        (["nowhere", "-k", "nothing"], "SW801"),
        (["--target", "nope"], "unknown target `nope`"),
    ],
)
def test_wrong_usage(
    arguments: list[str], message: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == (1 if message == "SW801" else 2)
    said = capsys.readouterr()
    assert message in said.err + said.out


def test_a_file_that_is_named_twice_runs_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = "pipelines/demo/tests.yaml"
    assert run("pipelines/demo", file, f"{file}::few are not") == 0
    assert "2 passed" in capsys.readouterr().out


def test_no_tests_end_with_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests.yaml").unlink()
    assert run() == 2
    assert capsys.readouterr().out == "\nno tests: they are in a tests.yaml beside the pipeline\n"


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        (("ran: [Tell]", "ran: [Tlel]"), "SW301", "tests.yaml:3:39"),
        (("Count: 1", "Cuont: 1"), "SW303", "tests.yaml:5:18"),
        (("expect:", "expct:"), "SW20", "tests.yaml"),
    ],
)
def test_a_test_with_a_mistake_is_told(
    change: tuple[str, str], code: str, place: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "tests.yaml").write_text(TESTS.replace(*change))
    assert run() == 1
    said = capsys.readouterr().err
    assert code in said
    assert place in said


def test_a_pipeline_with_errors_fails_its_tests(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pipeline.yaml").write_text(PIPELINE.replace("kind: fail", "kind: fial"))
    assert run() == 1
    said = capsys.readouterr()
    assert "SW207" in said.err
    assert "the tests cannot be run" in said.out


def test_tests_of_another_pipeline(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = project.parent / "elsewhere"
    other.mkdir()
    (other / "tests.yaml").write_text("pipeline: ../demo/pipeline.yaml\n" + TESTS)
    assert run("pipelines/elsewhere/tests.yaml") == 0
    assert "2 passed" in capsys.readouterr().out


def test_the_pipelines_own_name_and_parallelism_hold(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = "arn:aws:lambda:us-west-2:123456789012:function:f"
    steps = "\n".join(
        f"  S{n}: {{kind: lambda, function: '{arn}', arguments: {{name: '${{execution.pipeline_name}}'}}}}"
        for n in range(4)
    )
    (project / "pipeline.yaml").write_text(f"name: demo\nparallelism: 2\nsteps:\n{steps}\n")
    (project / "tests.yaml").write_text(
        "defaults: {durations: {lambda: 10s}}\n"
        "tests:\n"
        "- {name: two at once, expect: {within: 20s, arguments: {S0: {name: demo}}}}\n"
        "- {name: not four, expect: {within: 19s}}\n"
        "- {name: but here, parallelism: 4, expect: {within: 10s}}\n"
    )
    assert run("-v") == 1
    said = capsys.readouterr().out
    assert "::two at once PASSED" in said
    assert "::not four FAILED" in said
    assert "::but here PASSED" in said


def test_those_of_the_ready_made_pipelines_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert run() == 0
    assert "failed" not in capsys.readouterr().out


@pytest.mark.parametrize("template", templates())
def test_those_of_a_template_pass_under_another_name_and_elsewhere(
    template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        cli.main(
            ["init", "--template", template, "--name", "mine", "--bucket", "theirs", "--region", "eu-west-1"]
        )
    assert run() == (0 if (tmp_path / "pipelines/mine/tests.yaml").exists() else 2)
    assert "failed" not in capsys.readouterr().out
    texts = [path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".yaml", ".md", ".py")]
    assert not [text for text in texts if re.search(rf"pipelines/{template}(?![\w-])", text)]


# -- pytest's plugin --------------------------------------------------------------------------------------------------


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # By its module, and not by the entry point, which an older installation may lack.
    plugin = [
        "-p",
        "no:sagewright",
        "-p",
        "sagewright.compiler.commands.pytest_plugin",
        "-p",
        "no:cacheprovider",
    ]
    command = [sys.executable, "-m", "pytest", *plugin, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_pytest_collects_tests_beside_pipelines(project: Path) -> None:
    (project / "tests.yaml").write_text(WRONG)
    done = pytest_in(project.parents[1], "-v", "pipelines")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert 'tests.yaml:6:39: no failure says "only 2"' in done.stdout


def test_pytest_leaves_other_files_of_that_name_alone(project: Path) -> None:
    (project / "pipeline.yaml").unlink()
    (project / "tests.yaml").write_text("something: else\n")
    assert pytest_in(project.parents[1], "pipelines").returncode == 5


def test_pytest_shows_mistakes(project: Path) -> None:
    (project / "tests.yaml").write_text(TESTS.replace("ran: [Tell]", "ran: [Tlel]"))
    done = pytest_in(project.parents[1], "pipelines")
    assert done.returncode == 2
    assert "unknown step `Tlel`" in done.stdout
