"""What a container image is on this machine: a Python environment, from the project's table or one of our own.

The project file says it under `local: images:`, by an image's URI, its repository and tag (`mine:1`), its framework
and version (`sklearn:1.2-1`), its framework, or `"*"`: the first of these that is there counts.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagewright.compiler.images import framework_of_uri
from sagewright.compiler.local import installing
from sagewright.compiler.local.installing import Say, ask, normalized
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.stand_ins import Stand, stand_in
from sagewright.compiler.suggest import nearest

CURRENT = "current"
"""In place of a version: the Python that runs sagewright."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python in place of an image. `train` and `serve` are the programs that the image would run; `digest` changes
    with what is installed; `note` says what it is, for people."""

    name: str
    python: Path
    digest: str
    train: Path | None = None
    serve: Path | None = None
    note: str = ""


class Environments:
    """The environments of a project. `images` is its table, `root` what its paths are relative to, `cache` where
    environments are made, and `say` is told before something is."""

    def __init__(
        self,
        images: Mapping[str, Any],
        root: Path,
        cache: Path | None = None,
        say: Say = lambda _text: None,
    ) -> None:
        self._images = images
        self._root = root
        self._cache = cache or default_cache()
        self._say = say
        self._made: dict[str, Environment] = {}
        self._turn = threading.Lock()

    def of(self, image: str) -> Environment:
        """The environment of an image's URI. Raises JobFailed."""
        with self._turn:
            if image not in self._made:
                self._made[image] = self._environment(image)
            return self._made[image]

    def with_requirements(self, environment: Environment, requirements: Path) -> Environment:
        """An environment with a requirements file on top. Raises JobFailed."""
        text = requirements.read_text(encoding="utf-8", errors="replace")
        folder = None
        if any(_is_local(line) for line in text.splitlines()):
            folder = requirements.parent.parent / "python"
        digest = _digest("layer", environment.digest, str(environment.python), text)
        python = installing.layered(
            folder or self._cache / digest, environment.python, requirements, self._say
        )
        return Environment(
            environment.name, python, digest, environment.train, environment.serve, environment.note
        )

    def _environment(self, image: str) -> Environment:
        name = next((name for name in _names(image) if name in self._images), None)
        if name is None:
            return self._stand_in(image)
        given: Mapping[str, Any] = self._images[name] or {}
        python, requirements = str(given.get("python") or CURRENT), self._requirements(given, name)
        made, digest = self._python(python, requirements)
        train, serve = (self._program(given, key, name) for key in ("train", "serve"))
        programs = [_content(path) for path in (train, serve) if path]
        digest = _digest(digest, *programs)
        return Environment(image, made, digest, train, serve, _note(image, made, _packages(requirements)))

    def _stand_in(self, image: str) -> Environment:
        """Ours, for the images that we know. Raises JobFailed for others."""
        candidates = stand_in(image)
        if not candidates:
            raise JobFailed(self._unknown(image))
        for candidate in candidates:
            python = _python_for(candidate)
            if python is not None:
                what = f"{_short(image)}: {candidate.what}"
                try:
                    made, digest = self._python(python, candidate.requirements, what)
                except JobFailed as error:
                    hint = f'or say under `local: images: "{_short(image)}":` what else stands for it'
                    raise JobFailed(f"{error}; {hint}", error.error) from None
                note = _note(image, made, _packages(candidate.requirements), candidate.but)
                return Environment(image, made, digest, note=note)
        wanted = candidates[0].newest
        raise JobFailed(
            f"`{_short(image)}` needs Python {wanted} or older, and there is none: uv can fetch it"
        )

    def _python(self, python: str, requirements: Sequence[str], what: str = "") -> tuple[Path, str]:
        """An interpreter with what is required, and its digest; `what` is said where it has to be made."""
        if python == CURRENT and not requirements:
            made = Path(sys.executable)
            installed = ask(made).installed()
            return made, _digest(CURRENT, ask(made).version, *sorted(map("==".join, installed.items())))
        if "/" in python and not requirements:
            made = self._root / Path(python).expanduser()
            return made, _digest(
                str(made), ask(made).version, *sorted(map("==".join, ask(made).installed().items()))
            )
        exact = sys.executable if python == CURRENT else python
        exact = str(self._root / Path(exact).expanduser()) if "/" in exact else exact
        digest = _digest(exact, *sorted(requirements))
        what = what or f"making an environment with {', '.join(requirements) or f'Python {python}'}"
        return installing.environment(self._cache / digest, exact, requirements, what, self._say), digest

    def _requirements(self, given: Mapping[str, Any], name: str) -> list[str]:
        written = given.get("requirements") or ()
        if not isinstance(written, str):
            return [str(entry) for entry in written]
        try:
            lines = (self._root / written).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise JobFailed(f"the requirements of the image `{name}` cannot be read: {error}") from None
        stripped = (line.partition(" #")[0].strip() for line in lines)
        return [line for line in stripped if line and not line.startswith("#")]

    def _program(self, given: Mapping[str, Any], key: str, name: str) -> Path | None:
        if given.get(key) is None:
            return None
        path = self._root / str(given[key])
        if not path.is_file():
            raise JobFailed(f"`{key}` of the image `{name}` is no file: {path}")
        return path

    def _unknown(self, image: str) -> str:
        near = nearest(_short(image), self._images)
        meant = f" (`local: images:` has `{near}`)" if near else ""
        found = framework_of_uri(image)
        name = f"{found[0]}:{found[1]}" if found and found[1] else _short(image)
        return (
            f"nothing stands for the image `{_short(image)}` here{meant}: say what its Python has, in sagewright.yaml:"
            f' `local: {{images: {{"{name}": {{python: "3.11", requirements: [...]}}}}}}`'
        )


class ImageEnvironments(Environments):
    """The images themselves: for Docker, which needs nothing in their place."""

    def __init__(self) -> None:
        super().__init__({}, Path())

    def of(self, image: str) -> Environment:
        return Environment(image, Path("/usr/bin/python3"), image)

    def with_requirements(self, environment: Environment, requirements: Path) -> Environment:
        return environment


def default_cache() -> Path:
    """Where environments are made, for all projects of a user."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sagewright" / "environments"


def _names(image: str) -> Iterator[str]:
    """What a table may call an image, the nearest first."""
    yield image
    short = _short(image)
    yield short
    framework = framework_of_uri(image)
    if framework is not None:
        if framework[1]:
            yield f"{framework[0]}:{framework[1]}"
        yield framework[0]
    yield short.partition(":")[0]
    yield "*"


def _short(image: str) -> str:
    return image.rpartition("/")[2].partition("@")[0]


def _python_for(candidate: Stand) -> str | None:
    """The Python for a stand-in: ours where it is old enough, else the newest that is; None where there is none."""
    ours = (sys.version_info.major, sys.version_info.minor)
    if candidate.newest is None or ours <= tuple(map(int, candidate.newest.split("."))):
        return f"{ours[0]}.{ours[1]}"
    if installing.interpreter(candidate.newest) is not None or installing.uv() is not None:
        return candidate.newest
    return None


def _packages(requirements: Iterable[str]) -> list[str]:
    """The names in requirements."""
    names = (entry.partition(";")[0].strip() for entry in requirements)
    plain = (name for name in names if name and not name.startswith("-") and "/" not in name)
    return [normalized("".join(_until(name))) for name in plain]


def _until(text: str) -> Iterator[str]:
    for character in text:
        if not (character.isalnum() or character in "-_."):
            return
        yield character


def _note(image: str, python: Path, packages: Sequence[str], but: str = "") -> str:
    """`sagemaker-scikit-learn:1.2-1-cpu-py3 is Python 3.11.7 with scikit-learn 1.2.2 here`."""
    base = ask(python)
    installed = base.installed()
    known = [f"{name} {installed[name]}" for name in packages if name in installed]
    having = f" with {', '.join(known)}" if known else ""
    return f"{_short(image)} is Python {base.version}{having} here{f': {but}' if but else ''}"


def _is_local(line: str) -> bool:
    return line.strip().startswith(("-", ".", "/", "file:"))


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
