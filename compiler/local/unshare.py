"""Containers by `unshare`, for root, and for others where the machine lets them be root in a namespace."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from sagewright.compiler.local import layout, mounting, process
from sagewright.compiler.local.process import Supervised
from sagewright.compiler.local.sandbox import Container


class Unshare:
    """See `sandbox.Sandbox`."""

    name = "unshare"
    gaps: tuple[str, ...] = ("a script that means to can leave it: it is root within",)

    def __init__(self, program: str = "unshare") -> None:
        self.program = program

    def start(self, container: Container, log: Path, *, detached: bool = False) -> Supervised:
        environment = process.environment_of(container, "/tmp")
        root = log.parent / ".root"
        root.mkdir(exist_ok=True)
        made = json.dumps([(entry.kind, entry.target, entry.source) for entry in layout.entries(container)])
        options = ["--mount", "--pid", "--ipc", "--fork", "--kill-child=SIGKILL"]
        options += [] if container.network else ["--net"]
        options += [] if os.geteuid() == 0 else ["--map-root-user"]

        def wrap(inner: tuple[str, ...]) -> Sequence[str]:
            first = (*process.INTERPRETER, mounting.__file__, str(root.resolve()), made)
            return (self.program, *options, "--", *first, *inner)

        return process.start(container, log, environment, wrap, detached=detached)
