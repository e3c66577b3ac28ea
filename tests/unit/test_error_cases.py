"""Pipelines with mistakes in them, several at once, and what is said of them.

Each folder of `tests/cases/errors` is a project: `pipeline.yaml`, files beside it, and `flags` where it is checked with
others than `FLAGS`. `expected.txt` holds the findings in the form `oneline`; `carets.txt` holds, for each of them, what
the carets stand under and what is written at them, so that a place that is a little off is seen.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sagewright.compiler import check_file
from sagewright.compiler.cli import root
from sagewright.compiler.commands.options import Options, load
from sagewright.compiler.diagnostics import CODES, Span
from sagewright.compiler.project import Overrides

CASES = sorted(path for path in (Path(__file__).parents[1] / "cases" / "errors").iterdir() if path.is_dir())
FLAGS = "--region us-west-2 --bucket my-bucket --role arn:aws:iam::123456789012:role/SageMakerRole"
GOLDEN = ("expected.txt", "carets.txt")

Golden = Callable[[Path, str], None]


@pytest.fixture(params=CASES, ids=lambda path: path.name)
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a case, as the working directory; its project's root is not this repository then."""
    copy = tmp_path / "project"
    shutil.copytree(request.param, copy, ignore=shutil.ignore_patterns(*GOLDEN))
    monkeypatch.chdir(copy)
    monkeypatch.delenv("GIT_SHA", raising=False)
    return Path(request.param)


def flags_of(case: Path) -> list[str]:
    own = case / "flags"
    return (own.read_text() if own.exists() else FLAGS).split()


def options_of(case: Path) -> Options:
    """What the flags of a case say, for the functions below the command line."""
    given: dict[str, str] = {}
    variables: dict[str, str] = {}
    flags = iter(flags_of(case))
    for flag in flags:
        value = next(flags)
        if flag == "--var":
            name, _, text = value.partition("=")
            variables[name] = text
        else:
            given[flag.removeprefix("--")] = value
    return Options(given.pop("target", None), Overrides(**given, variables=variables))


def covered(span: Span, texts: dict[str, str]) -> str:
    """What a span covers, its line breaks shown as spaces."""
    lines = texts.get(span.file, "").split("\n")[span.line - 1 : span.end_line]
    if not lines:
        return ""
    lines[-1] = lines[-1][: span.end_column - 1]
    lines[0] = lines[0][span.column - 1 :]
    return " ".join(line.strip() for line in lines)


def test_what_is_said(case: Path, golden: Golden) -> None:
    result = CliRunner().invoke(root, ["check", "pipeline.yaml", "--format", "oneline", *flags_of(case)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    golden(case / "expected.txt", result.output)


def test_where_the_carets_stand(case: Path, golden: Golden) -> None:
    results, found = load([Path("pipeline.yaml")], options_of(case))
    texts = results[0].texts
    lines = [
        f"{d.code} {covered(d.span, texts)}{f'  ← {d.help}' if d.help else ''}\n"
        for d in found
        if d.span is not None
    ]
    golden(case / "carets.txt", "".join(lines).replace(str(Path.cwd().resolve()), "<root>"))


def test_all_of_it_is_in_order_inside_the_file_and_said_once(case: Path) -> None:
    results, found = load([Path("pipeline.yaml")], options_of(case))
    places = [(d.span.file, d.span.line, d.span.column) for d in found if d.span]
    assert places == sorted(places)
    assert len({(d.span, d.message) for d in found}) == len(found)
    for one in found:
        assert one.severity == CODES[one.code].severity
        for span in filter(None, (one.span, *(related.span for related in one.related))):
            assert_inside(span, results[0].texts)


def assert_inside(span: Span, texts: dict[str, str]) -> None:
    if span.file not in texts:  # empty, or no text
        return
    lines = texts[span.file].split("\n")
    assert 1 <= span.line <= span.end_line <= len(lines)
    assert (span.line, span.column) <= (span.end_line, span.end_column)
    assert span.column <= len(lines[span.line - 1]) + 1
    assert span.end_column <= len(lines[span.end_line - 1]) + 2


NAMED = re.compile(r"^(?:unknown (?:key|kind|step|parameter|retry policy)|duplicate key) `([^`]+)`")


def test_carets_stand_under_the_name_that_is_told(case: Path) -> None:
    """Where a message begins with the name that is wrong, that name is what is under the carets."""
    results, found = load([Path("pipeline.yaml")], options_of(case))
    for one in found:
        named = NAMED.match(one.message)
        if named and one.span is not None:
            assert covered(one.span, results[0].texts).strip("\"'") == named[1], one


def test_every_case_is_judged() -> None:
    assert len(CASES) > 30
    assert all((path / name).exists() for path in CASES for name in GOLDEN)


def test_the_cases_cover_the_codes_that_a_few_small_files_can_give() -> None:
    said = "".join((path / "expected.txt").read_text(encoding="utf-8") for path in CASES)
    missing = [code for code in CODES if f"[{code}]" not in said]
    assert missing == ["SW106", "SW110", "SW702", "SW809", "SW810", "SW812", "SW908"]  # each has a test below


# -- what is no case of a few small files -----------------------------------------------------------------------------

LAMBDA = "kind: lambda, function: 'arn:aws:lambda:us-west-2:123456789012:function:any'"


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Checks a file of a project, and what the command then says."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **files: str | bytes) -> Result:
        for name, content in files.items():
            path = tmp_path / f"{name}.yaml"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return CliRunner().invoke(root, ["check", "--format", "oneline", *FLAGS.split(), *arguments])

    return run


def test_a_file_of_50_megabytes(check: Callable[..., Result]) -> None:
    started = time.perf_counter()
    result = check("large.yaml", large=b"name: churn\n" + b"# padding\n" * 5_000_000)
    assert result.output.startswith(
        "large.yaml:1:1: error[SW106] the file has 50,000,012 bytes, the limit is "
    )
    assert time.perf_counter() - started < 2


def test_a_hundred_thousand_steps(check: Callable[..., Result]) -> None:
    steps = "".join(f"  S{number}: {{kind: fail}}\n" for number in range(100_000))
    result = check("many.yaml", many=f"name: churn\nsteps:\n{steps}")
    assert result.exit_code == 1
    assert result.output == (
        "many.yaml:3:3: error[SW701] 100,000 steps: a definition that SageMaker takes holds no more than 5,000\n"
    )


def test_too_many_parameters(check: Callable[..., Result]) -> None:
    parameters = ", ".join(f"P{number}: 1" for number in range(201))
    result = check("p.yaml", p=f"name: churn\nparameters: {{{parameters}}}\nsteps: {{S: {{kind: fail}}}}\n")
    assert result.output == "p.yaml:2:1: error[SW701] 201 parameters: SageMaker takes at most 200\n"


def test_a_definition_that_is_too_large(check: Callable[..., Result]) -> None:
    steps = "".join(f"  S{number}: {{{LAMBDA}, arguments: {{a: {'x' * 2000}}}}}\n" for number in range(600))
    result = check("large.yaml", large=f"name: churn\nsteps:\n{steps}")
    assert re.fullmatch(
        r"large\.yaml:1:1: error\[SW702\] the definition has 1,\d+,\d+ characters: SageMaker takes at most 1,048,576\n",
        result.output,
    )


@pytest.mark.parametrize(
    ("key", "value", "count", "member"),
    [
        ("inputs", "s3://acme-ml/x", 21, "InputDataConfig"),
        ("hyperparameters", "1", 101, "HyperParameters"),
        ("environment", "x", 101, "Environment"),
    ],
)
def test_limits_of_counts_stand_at_the_key(
    check: Callable[..., Result], key: str, value: str, count: int, member: str
) -> None:
    step = "kind: training\n    image: xgboost:1.7-1\n    instance: ml.m5.large"
    entries = ", ".join(f"e{number}: {value}" for number in range(count))
    result = check("counts.yaml", counts=f"name: churn\nsteps:\n  T:\n    {step}\n    {key}: {{{entries}}}\n")
    assert result.output.startswith(f"counts.yaml:7:5: error[SW606] `{member}` has {count} ")
    assert result.output.count("\n") == 1


def test_nesting_that_is_too_deep(check: Callable[..., Result]) -> None:
    result = check("deep.yaml", deep=f"name: churn\nsteps: {'[' * 5000}{']' * 5000}\n")
    assert result.output == "deep.yaml:2:107: error[SW110] nested more than 100 levels deep\n"


def test_a_pipeline_that_two_files_define(check: Callable[..., Result]) -> None:
    text = "name: churn\nsteps: {S: {kind: fail, message: no}}\n"
    result = check("a.yaml", "b.yaml", a=text, b=text)
    assert result.output == "b.yaml:1:1: error[SW809] the pipeline `churn` is defined twice\n"


def test_no_pipelines(check: Callable[..., Result]) -> None:
    assert check().output == ".:1:1: error[SW810] no pipelines here: looked for `pipelines/*/pipeline.yaml`\n"


def test_a_file_with_the_other_ending(check: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "pipelines/one").mkdir(parents=True)
    (tmp_path / "pipelines/one/pipeline.yml").write_text("name: p\n")
    said = "warning[SW908] `pipelines/one/pipeline.yml` is passed over: `pipelines/*/pipeline.yaml` does not mean it"
    assert said in check().output


def test_a_directory(check: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").mkdir()
    assert "error[SW810]" in check("pipeline.yaml").output
    found = check_file("pipeline.yaml")
    assert [(one.code, one.message) for one in found] == [
        ("SW801", "`pipeline.yaml` is a directory, not a file")
    ]


def test_a_file_that_is_not_there(check: Callable[..., Result]) -> None:
    result = check("none.yaml")
    assert result.output == "none.yaml:1:1: error[SW801] cannot read `none.yaml`: no such file or directory\n"


def test_a_file_that_may_not_be_read(check: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> bytes:  # the superuser, as whom tests may run, may read everything
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    result = check("secret.yaml", secret="name: churn\n")
    assert result.output == "secret.yaml:1:1: error[SW801] cannot read `secret.yaml`: permission denied\n"


def test_a_link_that_leads_back_to_itself(check: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "deep" / "up").symlink_to(tmp_path / "src")
    (tmp_path / "src" / "prep.py").touch()
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    step = "kind: processing, image: 'sklearn:1.2-1', instance: ml.m5.large"
    text = f"name: churn\nsteps:\n  A: {{{step}, code: {{dir: src, entry: prep.py}}}}\n  B: {{{step}, code: loop.py}}\n"
    lines = check("links.yaml", links=text).output.splitlines()
    assert [line.split("error")[1] for line in lines] == [
        "[SW803] `src/deep/up/` is a link to a directory around it",
        "[SW803] `loop.py` is a link that leads back to itself",
    ]


def test_a_pipeline_outside_of_the_project(check: Callable[..., Result], tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("name: churn\nsteps: {S: {kind: fail}}\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "sagewright.yaml").write_text("version: 1\n")
    (project / "pipeline.yaml").symlink_to(outside)
    result = check("project/pipeline.yaml")
    assert result.output == (
        "project/pipeline.yaml:1:1: error[SW802] `project/pipeline.yaml` lies outside the project `project`\n"
    )


def test_a_disk_that_is_full(
    check: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there before is there as it was."""

    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    text = "name: churn\nsteps: {S: {kind: fail, message: %s}}\n"
    arguments = ["compile", "churn.yaml", *FLAGS.split()]
    check("churn.yaml", churn=text % "before")
    assert CliRunner().invoke(root, arguments).exit_code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "build").rglob("*.json")}
    check("churn.yaml", churn=text % "after")
    monkeypatch.setattr(os, "fdopen", no_space)
    result = CliRunner().invoke(root, arguments)
    monkeypatch.undo()
    assert result.exit_code == 1
    assert "no space left on device [SW812]" in result.output
    assert {path: path.read_bytes() for path in (tmp_path / "build").rglob("*") if path.is_file()} == before
