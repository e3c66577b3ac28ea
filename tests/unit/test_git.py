"""`git`: what a repository says of itself, beside what `git` says of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sagewright.compiler import git
from sagewright.compiler.project import git_name

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
WHO = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


def run(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *WHO, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run(tmp_path, "init", "--quiet")
    run(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "first")
    return tmp_path


@needs_git
def test_the_commit(repository: Path) -> None:
    expected = run(repository, "rev-parse", "HEAD")
    folder = repository / "a" / "b"
    folder.mkdir(parents=True)
    assert git.commit(folder) == expected
    run(repository, "pack-refs", "--all")
    assert git.commit(folder) == expected
    run(repository, "checkout", "--quiet", "--detach")
    assert git.commit(folder) == expected


@needs_git
def test_a_worktree(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    run(repository, "remote", "add", "origin", "https://example.com/acme/ml.git")
    other = tmp_path_factory.mktemp("trees") / "tree"
    run(repository, "worktree", "add", "--quiet", str(other))
    run(other, "commit", "--quiet", "--allow-empty", "-m", "second")
    assert git.commit(other) == run(other, "rev-parse", "HEAD") != git.commit(repository)
    assert git.remote(other) == "acme/ml"


@needs_git
@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/acme/ml.git",
        "https://user@example.com/acme/ml",
        "git@example.com:acme/ml.git",
        "ssh://git@example.com:22/acme/ml/",
        "/srv/acme/ml.git",
    ],
)
def test_the_remote_is_the_same_however_it_is_reached(repository: Path, url: str) -> None:
    run(repository, "remote", "add", "origin", url)
    assert git.remote(repository) == "acme/ml"
    assert git_name(repository) == "acme/ml"
    (repository / "sub").mkdir()
    assert git_name(repository / "sub") == "acme/ml/sub"


@pytest.mark.parametrize("config", [None, "", "[core]\n", "nonsense", '[remote "origin"]\nurl = x\n'])
def test_without_a_remote_there_is_no_name(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "config").write_text(config)
        (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert git.remote(tmp_path) is None and git_name(tmp_path) is None and git.commit(tmp_path) is None
