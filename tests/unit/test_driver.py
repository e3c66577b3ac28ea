"""The API behind the commands: one file, many files, targets and what overrides them, and files that are none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import sagewright.compiler
from sagewright.compiler import check_file, compile_file
from sagewright.compiler.compilation import Compilation
from sagewright.compiler.diagnostics import Diagnostic, Sink
from sagewright.compiler.driver import Result, clashes, compile_many, find_pipelines

PIPELINE = """\
name: p
steps:
  A:
    kind: training
    image: xgboost:1.7-1
    instance: "{{ vars.instance }}"
"""
PROJECT = """\
version: 1
region: us-west-2
bucket: my-bucket
role: arn:aws:iam::123456789012:role/Mine
tags: {team: risk, stage: none}
vars: {instance: ml.m5.large, size: 3, flag: false, share: 0.5, items: [a]}
targets:
  dev: {default: true}
  prod:
    account: "210987654321"
    region: eu-west-1
    bucket: theirs
    prefix: deep/er
    role: arn:aws:iam::210987654321:role/Theirs
    name_suffix: -prod
    tags: {stage: prod}
    vars: {instance: ml.m5.4xlarge}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "sagewright.yaml").write_text(PROJECT)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


def good(path: Path, **options: Any) -> Compilation:
    result = compile_file(path, **options)
    assert result.compilation is not None, result.diagnostics
    return result.compilation


def codes(found: list[Diagnostic]) -> list[str]:
    return [diagnostic.code for diagnostic in found]


def arguments(compilation: Compilation) -> dict[str, Any]:
    return json.loads(compilation.definition)["Steps"][0]["Arguments"]


# -- one file ---------------------------------------------------------------------------------------------------------


def test_the_public_api_is_two_functions() -> None:
    assert sagewright.compiler.__all__ == ["check_file", "compile_file"]
    assert sagewright.compiler.compile_file is compile_file
    with pytest.raises(AttributeError):
        _ = sagewright.compiler.nonsense


def test_a_good_file(project: Path) -> None:
    result = compile_file(project / "pipeline.yaml")
    assert result.ok
    assert result.diagnostics == []
    compilation = result.compilation
    assert compilation is not None
    assert result.definition == json.loads(compilation.definition)
    assert (compilation.name, compilation.target, compilation.region) == ("p", "dev", "us-west-2")
    assert compilation.role == "arn:aws:iam::123456789012:role/Mine"
    assert compilation.tags == {"team": "risk", "stage": "none"}
    assert compilation.account is None


def test_a_path_may_be_text_and_relative(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    result = compile_file("pipeline.yaml")
    assert result.ok
    assert result.source == "pipeline.yaml"


def test_mistakes_are_in_file_order_and_no_definition_is_made(project: Path) -> None:
    (project / "pipeline.yaml").write_text(
        "name: p\nsteps:\n  A: {kind: fial}\n  B: {kind: fail, mesage: x}\n  C: {kind: fail, message: '${parameters.X}'}\n"
    )
    result = compile_file(project / "pipeline.yaml")
    assert not result.ok
    assert result.compilation is None
    assert codes(result.diagnostics) == ["SW207", "SW201", "SW303"]
    assert [d.span.line for d in result.diagnostics if d.span] == [3, 4, 5]
    assert check_file(project / "pipeline.yaml") == result.diagnostics


def test_a_project_file_with_mistakes_is_told_with_each_pipeline(project: Path) -> None:
    (project / "sagewright.yaml").write_text(PROJECT + "buckett: x\n")
    (found,) = check_file(project / "pipeline.yaml")
    assert found.code == "SW201"
    assert found.span is not None
    assert found.span.file.endswith("sagewright.yaml")


def test_without_a_project_file_its_values_come_as_options(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE.replace("{{ vars.instance }}", "ml.m5.large"))
    assert codes(check_file(path)) == ["SW804", "SW805", "SW806"]
    made = good(path, region="us-east-1", bucket="b-1", role="arn:aws:iam::123456789012:role/R", prefix="x")
    assert made.target == "default"
    assert (made.region, made.bucket, made.prefix) == ("us-east-1", "b-1", "x")
    assert ".us-east-1." in arguments(made)["AlgorithmSpecification"]["TrainingImage"]


# -- targets, overrides, variables ------------------------------------------------------------------------------------


def test_a_target_overrides_the_project(project: Path) -> None:
    made = good(project / "pipeline.yaml", target="prod")
    assert (made.name, made.target, made.region, made.account) == (
        "p-prod",
        "prod",
        "eu-west-1",
        "210987654321",
    )
    assert made.role == "arn:aws:iam::210987654321:role/Theirs"
    assert made.tags == {"team": "risk", "stage": "prod"}
    found = arguments(made)
    assert found["ResourceConfig"]["InstanceType"] == "ml.m5.4xlarge"
    assert found["OutputDataConfig"]["S3OutputPath"] == "s3://theirs/deep/er/p-prod/A"


def test_options_override_the_target(project: Path) -> None:
    made = good(
        project / "pipeline.yaml",
        target="prod",
        region="us-east-1",
        bucket="own",
        prefix="flat",
        role="arn:aws:iam::210987654321:role/Own",
        variables={"instance": "ml.c5.xlarge"},
    )
    assert (made.region, made.bucket, made.prefix) == ("us-east-1", "own", "flat")
    found = arguments(made)
    assert found["RoleArn"] == "arn:aws:iam::210987654321:role/Own"
    assert found["ResourceConfig"]["InstanceType"] == "ml.c5.xlarge"
    assert found["OutputDataConfig"]["S3OutputPath"] == "s3://own/flat/p-prod/A"


@pytest.mark.parametrize("target", ["prd", "all", "default", ""])
def test_an_unknown_target_is_told(project: Path, target: str) -> None:
    (found,) = check_file(project / "pipeline.yaml", target=target)
    assert found.code == "SW312"
    if target == "prd":
        assert found.help == "did you mean `prod`?"


def test_several_targets_without_a_default(project: Path) -> None:
    (project / "sagewright.yaml").write_text(PROJECT.replace("{default: true}", "{}"))
    assert codes(check_file(project / "pipeline.yaml")) == ["SW312"]
    assert good(project / "pipeline.yaml", target="dev").target == "dev"


@pytest.mark.parametrize(
    ("name", "given", "seen"),
    [
        ("size", 4, "4"),
        ("size", "5", "5"),
        ("flag", True, "true"),
        ("share", 2, "2"),
        ("instance", "1.10", "1.10"),
        ("items", "[b, c]", "['b', 'c']"),
    ],
)
def test_a_variable_is_read_as_its_declaration_says(project: Path, name: str, given: Any, seen: str) -> None:
    (project / "pipeline.yaml").write_text(
        f'name: p\nsteps: {{F: {{kind: fail, message: "v={{{{ vars.{name} }}}}"}}}}\n'
    )
    made = good(project / "pipeline.yaml", variables={name: given})
    assert json.loads(made.definition)["Steps"][0]["Arguments"] == {"ErrorMessage": f"v={seen}"}


@pytest.mark.parametrize(("name", "given"), [("size", "many"), ("flag", 1), ("nothing", "x"), ("items", "a")])
def test_a_variable_of_another_type_or_name_is_told(project: Path, name: str, given: Any) -> None:
    assert codes(check_file(project / "pipeline.yaml", variables={name: given})) == ["SW314"]


# -- the environment --------------------------------------------------------------------------------------------------


def test_templates_read_allowed_variables_of_the_environment_only(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SHA", "abc")
    monkeypatch.setenv("SECRET", "s")
    (project / "pipeline.yaml").write_text(
        'name: p\nsteps: {F: {kind: fail, message: "{{ env.GIT_SHA }}"}}\n'
    )
    assert codes(check_file(project / "pipeline.yaml")) == ["SW306"]
    (project / "sagewright.yaml").write_text(PROJECT + "env: [GIT_SHA, MISSING]\n")
    assert "abc" in good(project / "pipeline.yaml").definition
    (project / "pipeline.yaml").write_text('name: p\nsteps: {F: {kind: fail, message: "{{ env.SECRET }}"}}\n')
    (found,) = check_file(project / "pipeline.yaml")
    assert found.code == "SW306"
    assert "SECRET" in found.message
    (project / "pipeline.yaml").write_text(
        'name: p\nsteps: {F: {kind: fail, message: "{{ env.MISSING }}"}}\n'
    )
    assert codes(check_file(project / "pipeline.yaml")) == ["SW306"]


def test_awss_variables_of_the_environment_are_not_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = good(project / "pipeline.yaml")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.setenv(name, "eu-central-1")
    for name in [name for name in os.environ if name.startswith("AWS_") and "REGION" not in name]:
        monkeypatch.delenv(name)
    assert good(project / "pipeline.yaml") == before
    (project / "sagewright.yaml").write_text(PROJECT.replace("region: us-west-2\n", "", 1))
    assert codes(check_file(project / "pipeline.yaml")) == ["SW806"]


def test_compiling_imports_nothing_that_calls_aws(project: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from sagewright.compiler import compile_file\n"
        "assert compile_file(sys.argv[1]).ok\n"
        "print([name for name in ('boto3', 'botocore', 'sagemaker', 'moto', 'rich', 'jsonschema') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, str(project / "pipeline.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


# -- many files -------------------------------------------------------------------------------------------------------


def write(path: Path, name: str = "p") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"name: {name}\nsteps: {{F: {{kind: fail}}}}\n")
    return path


def found_in(*paths: Path) -> tuple[list[Path], list[str]]:
    sink = Sink()
    return find_pipelines(paths, sink), codes(sink.diagnostics)


def test_paths_mean_files_folders_or_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sagewright.yaml").write_text("version: 1\n")
    one = write(tmp_path / "pipelines/one/pipeline.yaml", "one")
    two = write(tmp_path / "pipelines/two/pipeline.yaml", "two")
    other = write(tmp_path / "other.yaml", "other")
    assert found_in(one) == ([one], [])
    assert found_in(other, other) == ([other], [])
    assert found_in(one.parent) == ([one], [])
    assert found_in(tmp_path / ("x" * 300), tmp_path / "a\0b") == (
        [tmp_path / ("x" * 300), tmp_path / "a\0b"],
        [],
    )
    assert found_in(tmp_path) == ([one, two], [])
    assert found_in(tmp_path / "pipelines") == ([one, two], [])
    assert found_in(one, tmp_path) == ([one, two], [])
    monkeypatch.chdir(tmp_path)
    assert [path.resolve() for path in found_in()[0]] == [one, two]


def test_the_project_says_where_pipelines_are(tmp_path: Path) -> None:
    (tmp_path / "sagewright.yaml").write_text("version: 1\npipelines: ['flows/*.yaml', 'more/**/p.yaml']\n")
    first = write(tmp_path / "flows/a.yaml", "a")
    second = write(tmp_path / "more/x/y/p.yaml", "b")
    write(tmp_path / "pipelines/one/pipeline.yaml", "one")
    assert found_in(tmp_path) == ([first, second], [])


@pytest.mark.parametrize(
    "pattern", ["", "/etc/*", "../*.yaml", "..", "**", "a\\0b", "[", "nothing/*.yaml", "${a}"]
)
def test_patterns_that_mean_nothing_find_nothing(tmp_path: Path, pattern: str) -> None:
    write(tmp_path / "outside.yaml")
    root = tmp_path / "project"
    root.mkdir()
    (root / "sagewright.yaml").write_text(f'version: 1\npipelines: ["{pattern}"]\n')
    assert found_in(root) == ([], ["SW810"]) or pattern == "**"
    assert all(path.is_relative_to(root) for path in found_in(root)[0])


def test_a_folder_without_pipelines_is_told(tmp_path: Path) -> None:
    assert found_in(tmp_path) == ([], ["SW810"])


def test_what_stands_for_a_pipeline_and_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passed over, it would count as gone, and `upsert --prune` deletes what is gone."""
    (tmp_path / "sagewright.yaml").write_text("version: 1\n")
    one = write(tmp_path / "pipelines/one/pipeline.yaml", "one")
    (tmp_path / "pipelines/README.md").touch()
    for name in ("link", "self", "fifo"):
        (tmp_path / "pipelines" / name).mkdir()
    (tmp_path / "pipelines/link/pipeline.yaml").symlink_to("nowhere.yaml")
    (tmp_path / "pipelines/self/pipeline.yaml").symlink_to("pipeline.yaml")
    (tmp_path / "pipelines/folder/pipeline.yaml").mkdir(parents=True)
    os.mkfifo(tmp_path / "pipelines/fifo/pipeline.yaml")
    (tmp_path / "pipelines/gone").symlink_to("nowhere")
    assert found_in(tmp_path) == ([one], ["SW801"] * 5)
    assert found_in(tmp_path / "pipelines/one") == ([one], [])
    assert found_in(tmp_path / "pipelines/gone") == ([tmp_path / "pipelines/gone"], [])

    def closed(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", closed)
    assert found_in(tmp_path) == ([], ["SW801"])


def test_a_project_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "pipelines/one/pipeline.yaml")
    (tmp_path / "sagewright.yaml").symlink_to("nowhere.yaml")
    assert "SW801" in codes(compile_file(path).diagnostics)


def test_files_with_the_other_ending_are_told(tmp_path: Path) -> None:
    (tmp_path / "sagewright.yml").write_text("version: 1\n")
    one = write(tmp_path / "pipelines/one/pipeline.yaml")
    assert "SW908" in codes(compile_file(one).diagnostics)
    (tmp_path / "sagewright.yml").rename(tmp_path / "sagewright.yaml")
    assert "SW908" not in codes(compile_file(one).diagnostics)
    write(tmp_path / "pipelines/two/pipeline.yml")
    assert found_in(tmp_path) == ([one], ["SW908"])


def test_two_files_that_define_one_pipeline_clash(project: Path) -> None:
    paths = [
        write(project / "a.yaml", "same"),
        write(project / "b.yaml", "other"),
        write(project / "c.yaml", "same"),
    ]
    results = [compile_file(path) for path in paths]
    (clash,) = clashes(results)
    assert clash.code == "SW809"
    assert clash.span is not None
    assert clash.span.file.endswith("c.yaml")
    assert clash.related[0].span.file.endswith("a.yaml")
    assert clashes(results[:2]) == []


def test_many_files_give_what_each_gives(project: Path) -> None:
    paths = [write(project / f"{number}.yaml", f"p{number}") for number in range(40)]
    paths[3].write_text("name: [\n")
    paths[7].unlink()
    alone = [seen(compile_file(path)) for path in paths]
    assert [seen(result) for result in compile_many(paths)] == alone
    assert [seen(result) for result in compile_many(paths, jobs=2)] == alone
    assert [index for index, result in enumerate(alone) if result[1] is None] == [3, 7]


def seen(result: Result) -> tuple[Any, ...]:
    return result.diagnostics, result.compilation, result.definition


# -- files that are no pipelines --------------------------------------------------------------------------------------

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "SW105"),
        (b"  \n\n", "SW105"),
        (b"# only a comment\n", "SW105"),
        (b"\x00\x01\x02", "SW104"),
        (b"name: \xff\n", "SW104"),
        ("name: p\n".encode("utf-16"), "SW104"),
        (b"\x7fELF\x02\x01\x01\x00", "SW104"),
        (b"name: [\n", "SW101"),
        (b"name: p\n\tsteps: {}\n", "SW102"),
        (b"- a\n- b\n", "SW203"),
        (b"just text\n", "SW203"),
        (b"42\n", "SW203"),
        (BOMB.encode(), "SW107"),
        (b"a: &a {b: *a}\n", "SW107"),
        (b"[" * 5000, "SW110"),
        (b"name: p\n---\nname: q\n", "SW109"),
        (b"!!python/object/apply:os.system ['true']\n", "SW109"),
    ],
)
def test_contents_that_are_no_pipeline(project: Path, content: bytes, code: str) -> None:
    (project / "pipeline.yaml").write_bytes(content)
    result = compile_file(project / "pipeline.yaml")
    assert not result.ok
    assert codes(result.diagnostics) == [code]


def test_a_file_that_is_too_large_is_not_read(project: Path) -> None:
    with (project / "pipeline.yaml").open("wb") as stream:
        stream.truncate(50_000_000)
    assert codes(check_file(project / "pipeline.yaml")) == ["SW106"]


def test_a_hundred_thousand_steps_are_told_as_one_mistake(project: Path) -> None:
    steps = "".join(f"  S{number}: {{kind: fail}}\n" for number in range(100_000))
    (project / "pipeline.yaml").write_text(f"name: p\nsteps:\n{steps}")
    assert codes(check_file(project / "pipeline.yaml")) == ["SW701"]


def test_files_that_are_none(project: Path) -> None:
    folder = project / "folder"
    folder.mkdir()
    loop = project / "loop.yaml"
    loop.symlink_to(loop)
    pipe = project / "pipe.yaml"
    os.mkfifo(pipe)
    closed = write(project / "closed.yaml")
    closed.chmod(0)
    for path in (
        folder,
        project / "missing.yaml",
        loop,
        pipe,
        Path("/dev/null"),
        project / ("x" * 300),
        project / "a\0b",
    ):
        (found,) = check_file(path)
        assert found.code in ("SW801", "SW802"), path
    if os.geteuid() != 0:  # root reads everything
        assert codes(check_file(closed)) == ["SW801"]


def test_a_file_outside_its_project_is_refused(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = write(tmp_path_factory.mktemp("outside") / "pipeline.yaml")
    link = project / "link.yaml"
    link.symlink_to(outside)
    assert codes(check_file(link)) == ["SW802"]
