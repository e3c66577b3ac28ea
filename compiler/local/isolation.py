"""Which sandbox this machine has: the best that works, or the one that was asked for."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.sandbox import Container, Sandbox
from sagewright.compiler.suggest import listing, nearest

NAMES = ("bubblewrap", "unshare", "folders", "docker")
AUTOMATIC = ("bubblewrap", "unshare", "folders")
"""Best first. Docker only where somebody asks for it."""


def choose(preferred: str | None = None) -> Sandbox:
    """The sandbox of that name, or the best that works here. Raises JobFailed where there is none of that name, or it
    does not work here, with the reason."""
    if preferred is not None:
        return _working(preferred)
    for name in AUTOMATIC[:-1]:
        try:
            return _working(name)
        except JobFailed:
            continue
    return _working(AUTOMATIC[-1])


@cache
def _working(name: str) -> Sandbox:
    if name not in NAMES:
        near = nearest(name, NAMES)
        hint = f": did you mean `{near}`?" if near else ""
        raise JobFailed(f"there is no sandbox `{name}`, only {listing(NAMES)}{hint}")
    sandbox = _MAKE[name]()
    if name in ("bubblewrap", "unshare"):
        _probe(sandbox)
    return sandbox


def _probe(sandbox: Sandbox) -> None:
    """Run a container that does nothing. Raises JobFailed where that fails."""
    with tempfile.TemporaryDirectory(prefix="sagewright-") as folder:
        log = Path(folder) / "log"
        container = Container(("true",), Path(sys.executable))
        try:
            code = sandbox.start(container, log).wait(20.0)
        except JobFailed as error:
            raise JobFailed(f"{sandbox.name} does not work here: {error}") from None
        if code != 0:
            raise JobFailed(f"{sandbox.name} does not work here: {log.read_text(errors='replace').strip()}")


def _bubblewrap() -> Sandbox:
    from sagewright.compiler.local.bubblewrap import Bubblewrap

    return Bubblewrap(_program("bwrap", "bubblewrap"))


def _unshare() -> Sandbox:
    from sagewright.compiler.local.unshare import Unshare

    if not sys.platform.startswith("linux"):
        raise JobFailed("unshare is for Linux")
    return Unshare(_program("unshare", "util-linux"))


def _folders() -> Sandbox:
    from sagewright.compiler.local.folders import Folders

    return Folders()


def _docker() -> Sandbox:
    from sagewright.compiler.local.docker import Docker

    return Docker(os.environ.get("SAGEWRIGHT_DOCKER") or _program("docker", "Docker"))


_MAKE: dict[str, Callable[[], Sandbox]] = {
    "bubblewrap": _bubblewrap,
    "unshare": _unshare,
    "folders": _folders,
    "docker": _docker,
}


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise JobFailed(f"{package} is not installed: there is no `{name}` on the PATH")
    return found
