"""Makes Python environments: folders that are there whole or not at all, whoever else makes them at the same time."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sagewright.compiler.local.job import JobFailed

_WHOLE = "sagewright-environment.json"
"""Written last: without it the folder is not finished."""
_PACKAGES = ("site-packages", "dist-packages")
_QUESTION = (
    "import json, sys; print(json.dumps([sys.version.split()[0], sys.base_prefix,"
    f" [path for path in sys.path if path.endswith({_PACKAGES})]]))"
)
_INSTALLER_VARIABLES = re.compile(
    r"(PIP_|UV_).*|(https?|all|no)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE", re.IGNORECASE
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: its version, where it is installed, and where its packages are."""

    version: str
    home: Path
    packages: tuple[Path, ...]

    def installed(self) -> dict[str, str]:
        """Versions by the packages' names, as PyPI normalises them."""
        found = (
            path.name for folder in self.packages if folder.is_dir() for path in folder.glob("*.dist-info")
        )
        pairs = (name.removesuffix(".dist-info").rpartition("-") for name in found)
        return {normalized(name): version for name, _, version in pairs}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@lru_cache(maxsize=64)
def ask(python: Path) -> Interpreter:
    """What a Python says of itself. Raises JobFailed where it does not run."""
    if python == Path(sys.executable):
        here = tuple(Path(path) for path in sys.path if path.endswith(_PACKAGES))
        return Interpreter(sys.version.split()[0], Path(sys.base_prefix), here)
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", _QUESTION], capture_output=True, text=True, timeout=60, check=True
        )
        version, base, packages = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise JobFailed(f"the Python {python} does not run: {error}") from None
    return Interpreter(version, Path(base), tuple(map(Path, packages)))


def installer_variables() -> dict[str, str]:
    """The variables by which pip and uv find their index."""
    return {name: value for name, value in os.environ.items() if _INSTALLER_VARIABLES.fullmatch(name)}


def uv() -> tuple[str, ...] | None:
    """How to run uv; None where it is not here."""
    beside = Path(sys.executable).parent / "uv"
    found = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if found:
        return (found,)
    return (sys.executable, "-m", "uv") if importlib.util.find_spec("uv") else None


def interpreter(version: str) -> Path | None:
    """A Python of that version (`3.11`) on this machine; None where there is none."""
    if sys.version.startswith(f"{version}.") or sys.version.split()[0] == version:
        return Path(sys.executable)
    manager = uv()
    if manager is not None:
        done = subprocess.run(
            [*manager, "python", "find", "--no-python-downloads", version],
            capture_output=True,
            text=True,
            cwd="/",
        )
        return Path(done.stdout.strip()) if done.returncode == 0 else None
    found = shutil.which(f"python{version}")
    if found is None:
        return None
    try:  # pyenv's shims are there for versions that are not
        return Path(found) if ask(Path(found)).version.startswith(version) else None
    except JobFailed:
        return None


# -- making -----------------------------------------------------------------------------------------------------------


def environment(folder: Path, python: str, requirements: Sequence[str], what: str, say: Say) -> Path:
    """The interpreter of an environment in `folder`, made where it is not there, after `what` has been said. `python`
    is a version or a path.

    Raises JobFailed, with what the installer said; nothing is left then.
    """

    def make() -> None:
        manager = uv()
        if manager is not None:
            _run([*manager, "venv", "--quiet", "--seed", "--python", python, str(folder)], f"Python {python}")
        else:
            _run([str(_interpreter(python)), "-m", "venv", str(folder)], f"Python {python}")
        if requirements:
            command = (
                [*manager, "pip", "install", "--python", str(folder / "bin/python")] if manager else None
            )
            command = command or [str(folder / "bin/python"), "-m", "pip", "install"]
            _run([*command, "--quiet", *requirements], ", ".join(requirements))

    _once(folder, make, say, what)
    return folder / "bin/python"


def _interpreter(python: str) -> Path:
    found = Path(python) if "/" in python else interpreter(python)
    if found is None:
        raise JobFailed(f"there is no Python {python} on this machine; uv can fetch it: `pip install uv`")
    return found


def layer(folder: Path, python: Path) -> Path:
    """A Python in `folder` that has all that `python` has, and takes more without changing that one."""
    base = ask(python)
    minor = ".".join(base.version.split(".")[:2])
    packages = folder / "lib" / f"python{minor}" / "site-packages"
    packages.mkdir(parents=True)
    programs = folder / "bin"
    programs.mkdir()
    real = python.resolve()
    (folder / "pyvenv.cfg").write_text(
        f"home = {real.parent}\ninclude-system-site-packages = false\nversion = {base.version}\n"
    )
    for name in ("python", "python3", f"python{minor}"):
        (programs / name).symlink_to(real)
    pip = programs / "pip"
    pip.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n')
    pip.chmod(0o755)
    (programs / "pip3").symlink_to("pip")
    lines = (f"import site; site.addsitedir({str(path)!r})\n" for path in base.packages)
    (packages / "_sagewright_base.pth").write_text("".join(lines))
    return programs / "python"


def layered(folder: Path, python: Path, requirements: Path, say: Say) -> Path:
    """A layer over `python` with a requirements file installed, made where it is not there. Raises JobFailed."""

    def make() -> None:
        made = layer(folder, python)
        command = [str(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*command, "-r", requirements.name], requirements.name, requirements.parent)

    _once(folder, make, say, f"installing {requirements.name}")
    return folder / "bin/python"


def _once(folder: Path, make: Callable[[], None], say: Say, what: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if (folder / _WHOLE).exists():
        return
    with _alone(folder):
        if (folder / _WHOLE).exists():
            return
        say(what)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            make()
            (folder / _WHOLE).write_text("{}")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """One at a time, on the whole machine; whoever is killed lets go."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], what: str, folder: Path | None = None) -> None:
    environment = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            cwd=folder or "/",
        )
    except OSError as error:
        raise JobFailed(f"cannot install {what}: {(error.strerror or str(error)).lower()}") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise JobFailed(f"cannot install {what}: {' / '.join(line.strip() for line in said[-4:])}")
