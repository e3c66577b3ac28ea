"""Model servers that run: started, healthy, asked, ended."""

from __future__ import annotations

import contextlib
import http.client
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

from sagewright.compiler.local.hosting import Hosted
from sagewright.compiler.local.job import JobFailed, Stopped
from sagewright.compiler.local.sandbox import Process, Sandbox, Usage

LOOPBACK = "127.0.0.1"
STARTUP = 120.0
"""Seconds that a server may take until it is healthy, where nobody says."""
ANSWER = 60.0
"""Seconds for an answer. Source: SageMaker developer guide, "How containers serve requests"."""
ADDRESS_IN_USE = 98
"""The exit code by which our server says that somebody else has its port."""
TRIES = 5
SERVER = "X-Sagewright-Server"
_LAST = 20
"""Lines of a log that a message repeats."""


class Invalid(JobFailed):
    """A request that names what the endpoint does not have, in words for people."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a container answered."""

    status: int
    content_type: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class ModelServer:
    """A container of a model, as a process."""

    def __init__(self, hosted: Hosted, sandbox: Sandbox, log: Path, folder: Path | None = None) -> None:
        self.hosted, self.log = hosted, log
        self._sandbox, self._folder = sandbox, folder
        self._process: Process | None = None
        self._begun = 0
        self.port = 0
        self._name = secrets.token_hex(8)
        self._docker = sandbox.name == "docker"

    def start(self, timeout: float = STARTUP, stopping: Event | None = None) -> None:
        """Start it and wait until it is healthy. Raises JobFailed with the end of its log, Stopped."""
        for _ in range(TRIES):
            self._begun = self.log.stat().st_size if self.log.exists() else 0
            self.port = free_port()
            container = self.hosted.container(self.port, self._folder, server=self._name, docker=self._docker)
            self._process = self._sandbox.start(container, self.log)
            try:
                code = self._until_healthy(timeout, stopping)
            except BaseException:
                self.stop()
                raise
            if code is None:
                return
            self.stop()
            if code != ADDRESS_IN_USE:
                raise JobFailed(self._failed(f"ended with exit code {code} before it was healthy"))
        raise JobFailed(self._failed("found no free port"))

    def _until_healthy(self, timeout: float, stopping: Event | None) -> int | None:
        """None once it is healthy, else its exit code."""
        assert self._process is not None
        deadline = time.monotonic() + timeout
        while not self.healthy():
            if (code := self._process.wait(0.02)) is not None:
                return code
            if stopping is not None and stopping.is_set():
                raise Stopped
            if time.monotonic() > deadline:
                raise JobFailed(
                    self._failed(
                        f"did not answer /ping at port {self.port} (SAGEMAKER_BIND_TO_PORT) in {timeout:g} s"
                    )
                )
        return None

    def _failed(self, what: str) -> str:
        said = last_lines(self.log, self._begun)
        return f"the server of `{self.hosted.image}` {what}{f', and said:{chr(10)}{said}' if said else ''}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.wait(0) is None

    @property
    def usage(self) -> Usage:
        return self._process.usage if self._process is not None else Usage()

    def healthy(self) -> bool:
        """Whether it answers /ping; another server, at a port that was free a moment ago, does not count."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ping")
            response = connection.getresponse()
            ours = self.hosted.serve is None and not self._docker
            return response.status == 200 and (not ours or response.headers.get(SERVER) == self._name)
        return False

    def ask(self, body: bytes, headers: Mapping[str, str], timeout: float = ANSWER) -> Reply:
        """Its answer to an invocation. Raises JobFailed where there is none."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=timeout)
        with contextlib.closing(connection):
            try:
                connection.request("POST", "/invocations", body, dict(headers))
                response = connection.getresponse()
                return Reply(response.status, response.headers.get("Content-Type", ""), response.read())
            except TimeoutError:
                raise JobFailed(f"the model did not answer in {timeout:g} s", "timeout") from None
            except (OSError, http.client.HTTPException) as error:
                said = last_lines(self.log, self._begun)
                raise JobFailed(f"the model's server gave no answer ({error})\n{said}".rstrip()) from None

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()


class Chain:
    """The containers of a model, as processes: one, a pipeline of them, or several that are asked one by one
    (`direct`). Ended ones are started again when they are asked."""

    def __init__(
        self,
        members: Sequence[Hosted],
        sandbox: Sandbox,
        log: Path,
        *,
        direct: bool = False,
        timeout: float = STARTUP,
    ) -> None:
        self.servers = [ModelServer(hosted, sandbox, log) for hosted in members]
        self._direct, self._timeout, self._turn = direct, timeout, Lock()

    def start(self, stopping: Event | None = None) -> None:
        """Raises JobFailed, Stopped."""
        with self._turn:
            for server in self.servers:
                if not server.running:
                    server.start(self._timeout, stopping)

    def ask(
        self, body: bytes, headers: Mapping[str, str], hostname: str | None = None, timeout: float = ANSWER
    ) -> Reply:
        """The last container's answer, or that of the one that `hostname` names. Raises JobFailed."""
        self.start()
        servers = self.servers
        if self._direct:
            servers = [server for server in servers if server.hosted.name == hostname]
            if not servers:
                names = ", ".join(server.hosted.name for server in self.servers)
                raise Invalid(f"the containers of this model are asked one by one: name one of {names}")
        for server in servers[:-1]:
            # Between containers goes what the one gives by default: what the client accepts is for the last.
            passed = {name: value for name, value in headers.items() if name.lower() != "accept"}
            reply = server.ask(body, passed, timeout)
            if reply.status != 200:
                return reply
            body, headers = reply.body, {**headers, "Content-Type": reply.content_type}
        return servers[-1].ask(body, headers, timeout)

    @property
    def usage(self) -> Usage:
        found = [server.usage for server in self.servers]
        return Usage(
            max(usage.seconds for usage in found),
            sum(usage.cpu_seconds for usage in found),
            sum(usage.memory for usage in found),
        )

    def stop(self) -> None:
        for server in self.servers:
            server.stop()


def free_port() -> int:
    """A port of loopback that nobody had a moment ago."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        return listening.getsockname()[1]


def last_lines(log: Path, begun: int = 0) -> str:
    """The end of what stands in a log from a place on."""
    try:
        with log.open("rb") as file:
            file.seek(max(begun, log.stat().st_size - (1 << 16)))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-_LAST:])
    except OSError:
        return ""
