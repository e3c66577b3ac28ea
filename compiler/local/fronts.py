"""The endpoints of this machine, as other processes see them: found, started, asked, ended. See `front`."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from sagewright.compiler.local.deployment import Plan
from sagewright.compiler.local.front import TOKEN, VARIANT
from sagewright.compiler.local.job import JobFailed, Stopped
from sagewright.compiler.local.servers import LOOPBACK, last_lines

STARTING = 30.0
"""Seconds that the process of an endpoint may take to listen."""
ENDING = 15.0
"""Seconds that it may take to end everything, before it is killed."""
INVOKING = 90.0
"""Seconds for an answer: longer than the endpoint itself waits for the model."""
_TICK = 0.02


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered to an invocation."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def variant(self) -> str | None:
        return self.headers.get(VARIANT)


@dataclass(frozen=True, slots=True)
class State:
    """What `state.json` says: of a process that may have ended since."""

    pid: int
    port: int
    token: str
    plan: Path | None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


class FrontProcess:
    """The process of the endpoint in a folder, which may or may not run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def running(self) -> bool:
        """Whether a process holds the folder's lock."""
        try:
            with (self.folder / "lock").open("r") as lock:
                fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @property
    def state(self) -> State | None:
        try:
            data = json.loads((self.folder / "state.json").read_text(encoding="utf-8"))
            plan = Path(data["plan"]) if data["plan"] else None
            return State(int(data["pid"]), int(data["port"]), str(data["token"]), plan)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def plan(self) -> Plan | None:
        """What it serves, or served last."""
        state = self.state
        if state is None or state.plan is None:
            return None
        try:
            return Plan.read(state.plan)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @contextmanager
    def held(self) -> Generator[None]:
        """Keep others from changing it meanwhile."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "changing").open("w") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            yield

    def status(self) -> dict[str, Any] | None:
        """What it says of itself; None where it does not run."""
        state = self.state
        if state is None or not self.running:
            return None
        try:
            return json.loads(self._call(state, "GET", "/-/status", b"", {}, 10).body)
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def start(self) -> None:
        """Start the process where it does not run. Raises JobFailed."""
        if self.running:
            return
        log = self.folder / "front.log"
        begun = log.stat().st_size if log.exists() else 0
        before = self.state
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "sagewright.compiler.local.front", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + STARTING
        while (state := self.state) is None or state == before or state.pid != process.pid:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise JobFailed(f"the endpoint's process did not start:\n{last_lines(log, begun)}")
            time.sleep(_TICK)

    def deploy(self, path: Path, stopping: Event | None = None) -> None:
        """Have it serve what a plan says; it serves what it did where that fails. Raises JobFailed, Stopped."""
        self.start()
        state = self.state
        assert state is not None, "a front writes its state before it listens"
        self._call(state, "POST", "/-/deploy", json.dumps({"plan": str(path)}).encode(), {}, 10)
        while True:
            status = self.status()
            if status is None:
                raise JobFailed(f"the endpoint's process has ended:\n{last_lines(self.folder / 'front.log')}")
            if status["failure"] is not None:
                raise JobFailed(status["failure"])
            if status["deploying"] is None:
                return
            if stopping is not None and stopping.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self._call(state, "POST", "/-/cancel", b"", {}, 10)
                raise Stopped
            time.sleep(_TICK)

    def revive(self) -> State:
        """Where it listens; started again with what it served where it has ended. Raises JobFailed."""
        if (state := self._serving()) is not None:
            return state  # also while somebody updates it
        with self.held():
            if (state := self._serving()) is not None:
                return state
            state = self.state
            if state is None or state.plan is None:
                raise JobFailed(
                    f"the endpoint `{self.name}` serves nothing: run the pipeline that deploys it"
                )
            self.deploy(state.plan)
            state = self.state
        assert state is not None, "a front writes its state before it listens"
        return state

    def _serving(self) -> State | None:
        status = self.status()
        return self.state if status is not None and status["deployment"] is not None else None

    def invoke(
        self, body: bytes, headers: Mapping[str, str], *, later: bool = False, as_aws: bool = False
    ) -> Answer:
        """Ask it; `as_aws` for an answer in the form of InvokeEndpoint's. Raises JobFailed where it gives none."""
        state = self.revive()
        path = "/async-invocations" if later else "/invocations"
        if as_aws:
            path = f"/endpoints/{self.name}{path}"
        try:
            return self._call(state, "POST", path, body, headers, INVOKING)
        except (OSError, http.client.HTTPException) as error:
            raise JobFailed(f"the endpoint `{self.name}` gave no answer: {error}") from None

    def stop(self) -> None:
        """End its processes, and forget it."""
        with self.held():
            self.end()

    def end(self) -> None:
        """The same, for whoever holds it."""
        state = self.state
        if state is not None and self.running:
            _signal(state.pid, signal.SIGTERM)
            if not self._gone(ENDING):
                _signal(state.pid, signal.SIGKILL)
                self._gone(ENDING)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _gone(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while self.running and time.monotonic() < deadline:
            time.sleep(_TICK)
        return not self.running

    def _call(
        self, state: State, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        connection = http.client.HTTPConnection(LOOPBACK, state.port, timeout=timeout)
        with contextlib.closing(connection):
            ours = {TOKEN: state.token} if path.startswith("/-/") else {}
            connection.request(method, path, body, {**headers, **ours})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())


def folder_of(home: Path) -> Path:
    """Where a project's endpoints are kept; `home` is its `.sagewright`."""
    return home.absolute() / "endpoints"


def fronts(home: Path) -> list[FrontProcess]:
    """Every endpoint of a project, by name."""
    folder = folder_of(home)
    return [FrontProcess(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
