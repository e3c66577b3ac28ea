"""Containers by `bwrap`: namespaces of their own for files, processes and, if asked for, the network."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from sagewright.compiler.local import layout, process
from sagewright.compiler.local.process import Supervised
from sagewright.compiler.local.sandbox import Container

_OPTIONS = {"tmpfs": "--tmpfs", "dev": "--dev", "proc": "--proc", "seal": "--remount-ro"}
_WITH_SOURCE = {"link": "--symlink", "read": "--ro-bind", "write": "--bind"}
_DEVICES = ("/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/neuron*")


class Bubblewrap:
    """See `sandbox.Sandbox`."""

    name = "bubblewrap"
    gaps: tuple[str, ...] = ()

    def __init__(self, program: str = "bwrap") -> None:
        self.program = program

    def start(self, container: Container, log: Path, *, detached: bool = False) -> Supervised:
        environment = process.environment_of(container, "/tmp")
        options = self._options(container, detached)

        def wrap(inner: tuple[str, ...]) -> Sequence[str]:
            return (self.program, *options, "--", *inner)

        return process.start(container, log, environment, wrap, detached=detached)

    def _options(self, container: Container, detached: bool) -> list[str]:
        made = ["--unshare-pid", "--unshare-ipc", "--as-pid-1", "--new-session"]
        made += [] if detached else ["--die-with-parent"]
        made += [] if container.network else ["--unshare-net"]
        for entry in layout.entries(container):
            if entry.kind == "tmpfs" and entry.target == "/":
                continue  # it begins with one
            if entry.kind in _WITH_SOURCE:
                made += [_WITH_SOURCE[entry.kind], entry.source, entry.target]
            else:
                made += [_OPTIONS[entry.kind], entry.target]
            if entry.kind == "dev":
                for pattern in _DEVICES:
                    for device in glob.glob(pattern):  # noqa: PTH207
                        made += ["--dev-bind", device, device]
        return made
