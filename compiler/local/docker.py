"""Containers by Docker, for people who ask for it: the image itself runs."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import uuid
from pathlib import Path

from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.process import GRACE, keep_log
from sagewright.compiler.local.sandbox import Container, Usage

_DAEMON = 125
"""The exit code of `docker run` where Docker itself failed."""


class Docker:
    """See `sandbox.Sandbox`."""

    name = "docker"
    gaps: tuple[str, ...] = (
        "a container lives on where sagewright is killed",
        "CPU and memory are not measured",
        "what a container writes may belong to root",
    )

    def __init__(self, program: str = "docker") -> None:
        self.program = program

    def start(self, container: Container, log: Path, *, detached: bool = False) -> DockerProcess:
        if not container.image:
            raise JobFailed("nothing says which image Docker is to run")
        name = f"sagewright-{uuid.uuid4().hex[:16]}"
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                [self.program, *self._options(container, name)],
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
            )
        except OSError as error:
            os.close(reading)
            raise JobFailed(f"cannot start Docker: {(error.strerror or str(error)).lower()}") from None
        finally:
            os.close(writing)
        return DockerProcess(self.program, name, process, keep_log(reading, log, detached), log)

    def _options(self, container: Container, name: str) -> list[str]:
        made = ["run", "--rm", "--init", "--name", name, "--workdir", container.directory]
        made += ["--network", "host" if container.network else "none"]
        for mount in container.mounts:
            made += ["--volume", f"{mount.source.resolve()}:{mount.target}{'' if mount.writable else ':ro'}"]
        for key, value in container.environment.items():
            made += ["--env", f"{key}={value}"]
        first, *rest = container.command or ("",)
        if container.own_entrypoint or not first:
            return [*made, container.image, *container.command]
        return [*made, "--entrypoint", first, container.image, *rest]


class DockerProcess:
    """See `sandbox.Process`. `pid` is the client's, which passes SIGTERM on."""

    def __init__(
        self,
        program: str,
        name: str,
        process: subprocess.Popen[bytes],
        keeping: threading.Thread | None,
        log: Path,
    ) -> None:
        self.pid = process.pid
        self._program = program
        self._name = name
        self._process = process
        self._keeping = keeping
        self._log = log
        self._began = time.monotonic()
        self._usage: Usage | None = None

    def wait(self, timeout: float | None = None) -> int | None:
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        if self._keeping is not None:
            self._keeping.join(2.0)
        if self._usage is None:
            self._usage = Usage(time.monotonic() - self._began)
        if code == _DAEMON:
            said = self._log.read_text(encoding="utf-8", errors="replace").strip() or "no reason given"
            raise JobFailed(f"Docker could not run the image: {said.splitlines()[-1]}")
        return 128 - code if code > 128 else code

    def stop(self, grace: float = GRACE) -> None:
        if self._process.poll() is None:
            seconds = str(round(grace))
            subprocess.run([self._program, "stop", "--time", seconds, self._name], capture_output=True)
            try:
                self._process.wait(grace + GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def usage(self) -> Usage:
        return self._usage or Usage(time.monotonic() - self._began)
