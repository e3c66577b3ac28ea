"""The file system of a container that has a mount namespace of its own: this machine's, read-only, but for `/tmp`,
`/run`, `/dev`, `/proc`, `/opt/ml` and what is mounted.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sagewright.compiler.local.installing import ask
from sagewright.compiler.local.sandbox import Container

BASE = "/opt/ml"
_OWN = {"/tmp": "tmpfs", "/run": "tmpfs", BASE: "tmpfs", "/dev": "dev", "/proc": "proc"}
_NAME_SERVICE = ("/run/systemd/resolve", "/run/resolvconf", "/run/nscd")
"""What `/etc/resolv.conf` may lead to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of making it. `kind` is tmpfs, dev, proc, link (to `source`), read or write (a folder or file of this
    machine), or seal (`target`, a tmpfs, becomes read-only)."""

    kind: str
    target: str
    source: str = ""


def entries(container: Container) -> list[Entry]:
    """How to make it, in order."""
    made = {target: Entry(kind, target) for target, kind in _OWN.items()}
    for mount in container.mounts:
        target = mount.target.rstrip("/")
        made[target] = Entry("write" if mount.writable else "read", target, str(mount.source.resolve()))
    mounted = [target for target in made if target not in _OWN]
    for path in (*_interpreters(container.python), *map(Path, _NAME_SERVICE)):
        at = str(path)
        if path.exists() and _is_below(at, _OWN) and not _is_below(at, mounted):
            made.setdefault(at, Entry("read", at, at))
    shadows = sorted({*_shadows(made)})
    found = [] if "/" in shadows else [Entry("read", "/", "/")]
    found += [entry for folder in shadows for entry in _shadow(folder, made, shadows)]
    found += [made[target] for target in sorted(made)]
    return [*found, *(Entry("seal", folder) for folder in reversed(shadows))]


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _interpreters(python: Path) -> Iterator[Path]:
    """Folders without which Python, and ours, do not start."""
    yield python.parent.parent
    yield python.resolve().parent.parent
    yield Path(sys.executable).resolve().parent.parent
    yield Path(sysconfig.get_path("stdlib"))
    yield from ask(python).packages
    yield Path(__file__).parent


def _shadows(targets: Iterable[str]) -> Iterator[str]:
    """Folders of this machine that lack a name which the container has."""
    for target in targets:
        if not _is_below(target, targets) and not Path(target).exists():
            yield str(next(parent for parent in Path(target).parents if parent.is_dir()))


def _shadow(folder: str, made: Iterable[str], shadows: list[str]) -> Iterator[Entry]:
    """An empty folder in place of one of this machine's, with everything that is in that one."""
    yield Entry("tmpfs", folder)
    for path in sorted(Path(folder).iterdir()):
        at = str(path)
        if path.is_symlink():
            yield Entry("link", at, str(path.readlink()))
        elif at not in made and at not in shadows and (path.is_dir() or path.is_file()):
            yield Entry("read", at, at)
