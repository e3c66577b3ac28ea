"""Containers without a sandbox: `/opt/ml` is a folder, and `SAGEMAKER_BASE_DIR` names it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from sagewright.compiler.local import layout, process
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.process import Supervised
from sagewright.compiler.local.sandbox import Container


class Folders:
    """See `sandbox.Sandbox`. Where a container's paths stand in its command and its environment, they become those of
    this machine; `SAGEMAKER_BASE_DIR` tells the rest to code that asks for it."""

    name = "folders"
    gaps: tuple[str, ...] = (
        "code that writes `/opt/ml` out finds nothing there: it has to ask SAGEMAKER_BASE_DIR",
        "it may write anywhere that you may",
        "read-only inputs can be written",
        "network isolation is not kept",
    )

    def start(self, container: Container, log: Path, *, detached: bool = False) -> Supervised:
        places = {mount.target.rstrip("/"): str(mount.source) for mount in container.mounts}
        temporary = places.get("/tmp") or str(log.parent / "tmp")
        Path(temporary).mkdir(exist_ok=True)
        given = {key: translated(value, places) for key, value in container.environment.items()}
        here = replace(
            container,
            command=tuple(translated(word, places) for word in container.command),
            environment=given,
            directory=translated(container.directory, places),
        )
        if not Path(here.directory).is_dir():
            raise JobFailed(f"there is no folder {container.directory} to start in")
        environment = process.environment_of(here, temporary) | {"TMPDIR": temporary}
        if layout.BASE in places:
            environment.setdefault("SAGEMAKER_BASE_DIR", places[layout.BASE])
        return process.start(here, log, environment, lambda inner: inner, detached=detached)


def translated(text: str, places: dict[str, str]) -> str:
    """`text` with this machine's paths in place of a container's: `places` by the container's."""
    targets = sorted((target for target in places if target not in ("", "/tmp")), key=len, reverse=True)
    if not targets:
        return text
    pattern = rf"(?<![\w.-])(?<![\w:]/)({'|'.join(map(re.escape, targets))})(?![\w.-])"
    return re.sub(pattern, lambda match: places[match[1]], text)
