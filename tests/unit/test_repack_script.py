"""The script that runs in SageMaker to add inference code to a model's archive: files in, files out."""

from __future__ import annotations

import ast
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sagewright.steps import repack_script

SCRIPT = Path(repack_script.__file__)


def packed(
    path: Path, files: dict[str, str], links: dict[str, str] | None = None, mode: str = "w:gz"
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return path


class Job:
    """The folders of a training container, and the script run in them as the toolkit runs it."""

    def __init__(self, base: Path) -> None:
        self.model_channel, self.code_channel = base / "input" / "model", base / "input" / "code"
        self.model = base / "model"
        for folder in (self.model_channel, self.code_channel, self.model):
            folder.mkdir(parents=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "SM_MODEL_DIR": str(self.model),
            "SM_CHANNEL_MODEL": str(self.model_channel),
            "SM_CHANNEL_CODE": str(self.code_channel),
        }
        command = [sys.executable, str(SCRIPT), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def result(self, *arguments: str) -> dict[str, str]:
        """The files of the new archive, with their text."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        found = (path for path in self.model.rglob("*") if path.is_file())
        return {path.relative_to(self.model).as_posix(): path.read_text() for path in found}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_a_script_joins_the_code_that_is_there(job: Job) -> None:
    packed(job.model_channel / "model.tar.gz", {"model.bin": "weights", "code/helper.py": "old"})
    (job.code_channel / "inference.py").write_text("new")
    assert job.result() == {"model.bin": "weights", "code/helper.py": "old", "code/inference.py": "new"}


def test_an_archive_takes_the_place_of_the_code_that_is_there(job: Job) -> None:
    packed(job.model_channel / "model.tar.gz", {"deep/model.bin": "weights", "code/stale.py": "old"})
    packed(job.code_channel / "sourcedir.tar.gz", {"inference.py": "new", "lib/x.py": "x"})
    assert job.result() == {"deep/model.bin": "weights", "code/inference.py": "new", "code/lib/x.py": "x"}


def test_files_get_the_names_that_containers_know(job: Job) -> None:
    packed(job.model_channel / "model.tar.gz", {"1/saved_model.pb": "graph"})
    packed(job.code_channel / "sourcedir.tar.gz", {"src/serve.py": "serve", "deps/prod.txt": "numpy"})
    made = job.result("--inference_py", "src/serve.py", "--requirements_txt", "deps/prod.txt")
    assert (made["code/inference.py"], made["code/requirements.txt"]) == ("serve", "numpy")
    assert made["code/src/serve.py"] == "serve"


def test_arguments_of_the_toolkits_own_are_passed_over(job: Job) -> None:
    packed(job.model_channel / "model.tar.gz", {"m": "1"})
    (job.code_channel / "a.py").write_text("a")
    assert job.result("--sagemaker_x", "1") == {"m": "1", "code/a.py": "a"}


def test_the_shortest_name_is_the_archive_that_was_meant(job: Job) -> None:
    packed(job.model_channel / "model.tar.gz.bak" / "model.tar.gz", {"m": "wrong"})
    packed(job.model_channel / "model.tar.gz", {"m": "right"})
    (job.code_channel / "a.py").write_text("a")
    assert job.result()["m"] == "right"


@pytest.mark.parametrize("mode", ["w", "w:bz2", "w:xz"])
def test_other_compressions_do_as_well(mode: str, job: Job) -> None:
    packed(job.model_channel / "model.tar", {"m": "1"}, mode=mode)
    (job.code_channel / "a.py").write_text("a")
    assert job.result()["m"] == "1"


def test_links_within_the_model_stay(job: Job) -> None:
    packed(job.model_channel / "model.tar.gz", {"1/m": "x"}, {"latest": "1"})
    (job.code_channel / "a.py").write_text("a")
    job.result()
    assert (job.model / "latest").is_symlink()
    assert (job.model / "latest" / "m").read_text() == "x"


@pytest.mark.parametrize("channel", ["model_channel", "code_channel"])
def test_an_empty_channel_fails_the_job(channel: str, job: Job) -> None:
    packed(job.model_channel / "model.tar.gz", {"m": "1"})
    (job.code_channel / "a.py").write_text("a")
    for path in getattr(job, channel).iterdir():
        path.unlink()
    done = job.run()
    assert done.returncode != 0
    assert "is empty" in done.stderr


def test_a_model_that_is_no_archive_fails_the_job(job: Job) -> None:
    (job.model_channel / "model.tar.gz").write_text("not a tar")
    (job.code_channel / "a.py").write_text("a")
    assert job.run().returncode != 0


EVIL = {
    "a name above": ({"../evil": "x"}, {}),
    "an absolute name": ({"/tmp/evil": "x"}, {}),
    "a link above": ({}, {"evil": "../.."}),
    "an absolute link": ({}, {"evil": "/etc"}),
}


@pytest.mark.parametrize("old_python", [False, True])
@pytest.mark.parametrize("case", EVIL)
def test_nothing_is_written_outside(
    case: str, old_python: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_python:
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    archive = packed(tmp_path / "evil.tar.gz", *EVIL[case])
    with pytest.raises(repack_script.UnsafeArchiveError, match="outside"):
        repack_script.unpack(archive, tmp_path / "target" / "deep")
    assert not (tmp_path / "target" / "evil").exists()


def test_devices_are_refused(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("pipe")
    entry.type = tarfile.FIFOTYPE
    with pytest.raises(repack_script.UnsafeArchiveError):
        repack_script.check(entry, tmp_path)


@pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter:DeprecationWarning")
def test_older_pythons_unpack_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    archive = packed(tmp_path / "a.tar.gz", {"a/b": "x"}, {"a/c": "b"})
    repack_script.unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "a" / "c").read_text() == "x"


def test_it_needs_no_more_than_python_3_8() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"__future__", "argparse", "os", "pathlib", "shutil", "sys", "tarfile"}
