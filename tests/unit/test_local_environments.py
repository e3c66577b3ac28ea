"""What stands for an image: where it is looked up, how it is made, and what is left when that fails."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.images import resolve
from sagewright.compiler.local import environments, installing
from sagewright.compiler.local.environments import Environment, Environments
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.stand_ins import stand_in

REGISTRY = "123456789012.dkr.ecr.us-west-2.amazonaws.com"
SKLEARN = f"{REGISTRY}/sagemaker-scikit-learn:1.2-1-cpu-py3"
MINE = f"{REGISTRY}/team/mine:1"

UV = """#!/bin/sh
echo "$@" >> {log}
case "$1 $2" in
  "venv "*) for folder; do :; done
    mkdir -p "$folder/bin"; sleep {slow}; ln -s {python} "$folder/bin/python" ;;
  "pip install") {install} ;;
  "python find") exit 1 ;;
esac
"""


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a stand-in for uv in the PATH; gives what it was asked."""

    def make(install: str = "true", slow: str = "0") -> Path:
        asked = tmp_path / "asked"
        program = tmp_path / "bin" / "uv"
        program.parent.mkdir(exist_ok=True)
        real = Path(sys.executable).resolve()
        program.write_text(UV.format(log=asked, python=real, install=install, slow=slow))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return asked

    return make


def made(
    images: Mapping[str, Any], root: Path, image: str = MINE, said: list[str] | None = None
) -> Environment:
    say = (lambda _text: None) if said is None else said.append
    return Environments(images, root, root / "cache", say).of(image)


def left(root: Path) -> list[str]:
    """The environments in the cache."""
    return [path.name for path in (root / "cache").iterdir() if path.is_dir()]


# -- looking up -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "names", "chosen"),
    [
        (MINE, [MINE, "mine:1", "mine", "*"], MINE),
        (MINE, ["mine:1", "mine", "*"], "mine:1"),
        (MINE, ["mine", "*"], "mine"),
        (MINE, ["mine:2", "*"], "*"),
        (SKLEARN, ["sklearn:1.2-1", "sklearn", "*"], "sklearn:1.2-1"),
        (SKLEARN, ["sklearn:1.2-2", "sklearn", "*"], "sklearn"),
        (f"{MINE}@sha256:abc", ["mine:1"], "mine:1"),
    ],
)
def test_the_nearest_name_counts(tmp_path: Path, image: str, names: list[str], chosen: str) -> None:
    images = {}
    for number, name in enumerate(names):
        program = tmp_path / f"train{number}.py"
        program.write_text(name)
        images[name] = {"train": program.name}
    found = made(images, tmp_path, image)
    assert found.train is not None
    assert found.train.read_text() == chosen
    assert found.python == Path(sys.executable)


def test_the_digest_changes_with_what_is_installed_and_what_is_run(tmp_path: Path, uv: Any) -> None:
    uv()
    (tmp_path / "train.py").write_text("one")
    tables: list[dict[str, Any]] = [
        {},
        {"train": "train.py"},
        {"python": "3.11"},
        {"python": "3.11", "requirements": ["a==1"]},
        {"python": "3.11", "requirements": ["a==2"]},
    ]
    found = [made({"*": table}, tmp_path).digest for table in tables]
    (tmp_path / "train.py").write_text("two")
    found.append(made({"*": tables[1]}, tmp_path).digest)
    assert len(set(found)) == len(found)
    assert made({"*": {"requirements": ["b", "a"]}}, tmp_path).digest == (
        made({"*": {"requirements": ["a", "b"]}}, tmp_path).digest
    )


def test_an_image_nobody_knows_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(
        JobFailed, match=r"nothing stands for the image `mine:1` here \(`local: images:` has `mime:1`\)"
    ):
        made({"mime:1": {}}, tmp_path)
    pytorch = f"{REGISTRY}/pytorch-training:2.5.1-gpu-py311-cu124-ubuntu22.04"
    with pytest.raises(JobFailed, match=r'"pytorch:2.5.1": \{python: "3.11", requirements'):
        made({}, tmp_path, pytorch)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"requirements": "none.txt"}, "the requirements of the image `mine:1` cannot be read"),
        ({"train": "none.py"}, "`train` of the image `mine:1` is no file"),
        ({"serve": "none.py"}, "`serve` of the image `mine:1` is no file"),
        ({"python": "/none/python"}, "the Python /none/python does not run"),
    ],
)
def test_a_table_that_names_nothing_is_told(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    with pytest.raises(JobFailed, match=message):
        made({"mine:1": table}, tmp_path)


# -- making -----------------------------------------------------------------------------------------------------------


def test_an_environment_is_made_once_and_said_before(tmp_path: Path, uv: Any) -> None:
    asked, said = uv(), list[str]()
    (tmp_path / "requirements.txt").write_text("# ours\nb==2  # why\n\na>=1\n")
    table = {"mine:1": {"python": "3.11", "requirements": "requirements.txt"}}
    first = made(table, tmp_path, said=said)
    again = made(table, tmp_path, said=said)
    assert first == again
    assert first.python.exists()
    venv, install = asked.read_text().splitlines()
    assert venv.startswith("venv --quiet --seed --python 3.11 ")
    assert install.endswith("--quiet b==2 a>=1")
    assert said == ["making an environment with b==2, a>=1"]
    assert "mine:1 is Python 3." in first.note


@pytest.mark.parametrize("end", ["echo 'no network: tried 3 times' >&2; exit 2", "kill -9 $$"])
def test_a_failed_installation_leaves_nothing(tmp_path: Path, uv: Any, end: str) -> None:
    uv(install=end)
    with pytest.raises(JobFailed, match="cannot install a==1: ") as caught:
        made({"*": {"requirements": ["a==1"]}}, tmp_path)
    assert ("no network: tried 3 times" in str(caught.value)) is ("echo" in end)
    assert left(tmp_path) == []
    uv()
    assert made({"*": {"requirements": ["a==1"]}}, tmp_path).python.exists()


def test_an_interruption_leaves_nothing(tmp_path: Path, uv: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    uv()
    run = installing._run

    def interrupted(command: list[str], *rest: Any) -> None:
        if "pip" in command:
            raise KeyboardInterrupt
        run(command, *rest)

    monkeypatch.setattr(installing, "_run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made({"*": {"requirements": ["a==1"]}}, tmp_path)
    assert left(tmp_path) == []


def test_what_a_killed_process_left_half_made_is_made_again(tmp_path: Path, uv: Any) -> None:
    uv()
    table = {"*": {"requirements": ["a==1"]}}
    first = made(table, tmp_path)
    folder = first.python.parent.parent
    (folder / "sagewright-environment.json").unlink()
    first.python.unlink()
    assert made(table, tmp_path).python.exists()


def test_two_at_once_make_one(tmp_path: Path, uv: Any) -> None:
    asked = uv(slow="0.5")
    code = (
        "import sys; from pathlib import Path; from sagewright.compiler.local.environments import Environments;"
        "root = Path(sys.argv[1]);"
        f"print(Environments({{'*': {{'requirements': ['a==1']}}}}, root, root / 'cache').of({MINE!r}).python)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len({process.communicate(timeout=60)[0] for process in both}) == 1
    assert [process.returncode for process in both] == [0, 0]
    assert len([line for line in asked.read_text().splitlines() if line.startswith("venv")]) == 1


def test_threads_wait_for_each_other(tmp_path: Path, uv: Any) -> None:
    asked = uv(slow="0.2")
    shared = Environments({"*": {"requirements": ["a==1"]}}, tmp_path, tmp_path / "cache")
    found: list[Environment] = []
    threads = [threading.Thread(target=lambda: found.append(shared.of(MINE))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1
    assert len(asked.read_text().splitlines()) == 2


def test_without_uv_it_is_made_with_venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "uv", lambda: None)
    found = made({"*": {"python": str(Path(sys.executable)), "requirements": []}}, tmp_path)
    assert found.python == Path(sys.executable)
    folder = tmp_path / "venv"
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = installing.environment(folder, minor, (), "making it", lambda _text: None)
    done = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, text=True, check=True)
    assert str(folder) in done.stdout
    with pytest.raises(JobFailed, match=r"there is no Python 3\.99 on this machine; uv can fetch it"):
        installing.environment(tmp_path / "other", "3.99", (), "making it", lambda _text: None)
    assert not (tmp_path / "other").exists()


def test_a_layer_has_what_its_base_has_and_keeps_what_is_put_into_it(tmp_path: Path) -> None:
    python = installing.layer(tmp_path / "layer", Path(sys.executable))
    packages = next((tmp_path / "layer" / "lib").glob("python*/site-packages"))
    (packages / "mine.py").write_text("ANSWER = 42\n")
    code = "import click, mine, sys; print(mine.ANSWER, sys.prefix, sys.base_prefix)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.split() == ["42", str(tmp_path / "layer"), sys.base_prefix]
    assert not any(
        "site-packages" in path for path in _paths(python) - _paths(Path(sys.executable)) - {str(packages)}
    )
    second = installing.layer(tmp_path / "second", python)
    subprocess.run([second, "-c", "import click, mine"], check=True, cwd="/")


def _paths(python: Path) -> set[str]:
    """Where a Python looks for modules."""
    done = subprocess.run(
        [python, "-c", "import sys; print(*sys.path, sep='\\n')"], capture_output=True, text=True, cwd="/"
    )
    return set(done.stdout.split())


# -- ours -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["sklearn", "xgboost"])
def test_every_version_of_ours_has_a_stand_in_or_is_refused(framework: str) -> None:
    from sagewright.compiler.images import _load

    versions = {version for scope in _load(framework)["scopes"].values() for version in scope["versions"]}
    without = set()
    for version in versions:
        image = resolve(
            framework, version, region="us-west-2", scope="training", instance_types=["ml.m5.large"]
        )
        candidates = stand_in(image)
        number = version.partition("-")[0]
        package = {"sklearn": "scikit-learn", "xgboost": "xgboost"}[framework]
        if not candidates:
            without.add(version)
        elif number.count(".") == 1:
            assert candidates[0].requirements[0] == f"{package}=={number}.*"
    assert without == ({"0.90-1", "0.90-2", "1"} if framework == "xgboost" else set())


def test_an_older_python_is_taken_where_the_packages_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, nearest = stand_in(SKLEARN)
    monkeypatch.setattr(environments.sys, "version_info", type("V", (), {"major": 3, "minor": 13}))
    monkeypatch.setattr(installing, "uv", lambda: None)
    monkeypatch.setattr(installing, "interpreter", lambda _version: None)
    assert environments._python_for(exact) is None
    assert environments._python_for(nearest) == "3.13"
    assert "has no wheels for this Python" in nearest.but
    monkeypatch.setattr(installing, "uv", lambda: ("uv",))
    assert environments._python_for(exact) == "3.11"


def test_what_stands_for_an_image_is_said(tmp_path: Path, uv: Any) -> None:
    uv()
    said: list[str] = []
    found = made({}, tmp_path, SKLEARN, said)
    assert said[0].startswith(
        "sagemaker-scikit-learn:1.2-1-cpu-py3: scikit-learn 1.2, numpy and pandas are fetched"
    )
    assert found.note.endswith("the image has another Python, numpy and pandas")
