"""Containers that run under `supervisor`: what they print, what they take, and how they are ended."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sagewright.compiler.local import logfile, supervisor
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.sandbox import Container, Usage

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL for containers whose owner has gone."""
STARTING = 30.0
"""Seconds that a sandbox may take to start."""
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CREDENTIALS = struct.Struct("3i")
"""Of SCM_CREDENTIALS: pid, uid and gid, as the receiver's namespace has them."""
INTERPRETER = (str(Path(sys.executable).resolve()), "-I", "-S")

Wrap = Callable[[tuple[str, ...]], Sequence[str]]
"""The command that runs a command in a sandbox."""


def environment_of(container: Container, home: str) -> dict[str, str]:
    """All the variables that a container sees."""
    return {
        "PATH": f"{container.python.parent}:{SYSTEM_PATH}",
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **container.environment,
    }


def command_of(container: Container) -> tuple[str, ...]:
    """Its command; `python` is found where the interpreter has another name."""
    first, *rest = container.command
    if first in ("python", "python3") and not (container.python.parent / first).exists():
        return str(container.python), *rest
    return container.command


def start(
    container: Container, log: Path, environment: Mapping[str, str], wrap: Wrap, *, detached: bool
) -> Supervised:
    """Start a container that `wrap` puts into its sandbox. Raises JobFailed where it cannot."""
    ours, theirs = socket.socketpair()
    if hasattr(socket, "SO_PASSCRED"):
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    control = (-1, -1) if detached else os.pipe()
    output = os.pipe()
    passed = [fd for fd in (control[0], theirs.fileno()) if fd >= 0]
    inner = (*INTERPRETER, supervisor.__file__, str(control[0]), str(theirs.fileno()), str(GRACE))
    inner += (str(container.largest_file or 0), container.directory, *command_of(container))
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            wrap(inner),
            stdin=subprocess.DEVNULL,
            stdout=output[1],
            stderr=output[1],
            env=dict(environment),
            pass_fds=passed,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        for fd in (*control, *output):
            _close(fd)
        ours.close()
        raise JobFailed(f"cannot start a container: {(error.strerror or str(error)).lower()}") from None
    finally:
        theirs.close()
    _close(output[1])
    _close(control[0])
    made = Supervised(process, ours, control[1], keep_log(output[0], log, detached), began)
    made.started(log)
    return made


def _close(fd: int) -> None:
    if fd >= 0:
        with contextlib.suppress(OSError):
            os.close(fd)


def keep_log(source: int, log: Path, detached: bool) -> threading.Thread | None:
    """Have the output written to the log: by a thread, or a process that outlives this one."""
    if detached:
        subprocess.Popen(
            [*INTERPRETER, logfile.__file__, str(log)],
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _close(source)
        return None

    def copy() -> None:
        try:
            logfile.keep(source, str(log))
        finally:
            os.close(source)

    thread = threading.Thread(target=copy, name="log", daemon=True)
    thread.start()
    return thread


class Supervised:
    """See `sandbox.Process`. `pid` is the supervisor's: SIGTERM to it ends everything."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        report: socket.socket,
        control: int,
        log: threading.Thread | None,
        began: float,
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._report = report
        self._control = control
        self._log = log
        self._began = began
        self._said = b""
        self._ended: tuple[int, Usage] | None = None
        self._turn = threading.Lock()

    def started(self, log: Path) -> None:
        """Wait until the command has been started. Raises JobFailed where the sandbox could not be made."""
        end = time.monotonic() + STARTING
        while b"\n" not in self._said:
            if not self._listen(end - time.monotonic()):
                self.stop(0.0)
                said = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
                raise JobFailed(
                    f"its sandbox could not be made: {said.rpartition(chr(10))[2] or 'no reason given'}"
                )

    def _listen(self, timeout: float | None) -> bool:
        """Take in what the supervisor says; False where it says no more, or nothing in time."""
        poll = select.poll()
        poll.register(self._report, select.POLLIN)
        if not poll.poll(None if timeout is None else max(0.0, timeout) * 1000):
            return False
        if not hasattr(socket, "SO_PASSCRED"):
            data = self._report.recv(4096)
        else:
            data, extra, _, _ = self._report.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
            for level, kind, content in extra:
                if data and level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                    self.pid = _CREDENTIALS.unpack(content)[0] or self.pid
        self._said += data
        return bool(data)

    def wait(self, timeout: float | None = None) -> int | None:
        end = None if timeout is None else time.monotonic() + timeout
        with self._turn:
            while self._ended is None:
                left = None if end is None else end - time.monotonic()
                if self._listen(left):
                    continue
                if end is not None and time.monotonic() >= end and self._process.poll() is None:
                    return None
                self._finish()
            return self._ended[0]

    def _finish(self) -> None:
        """The supervisor has gone: take its last words."""
        code = self._process.wait()
        seconds = time.monotonic() - self._began
        if self._log is not None:
            self._log.join(2.0)
        words = self._said.decode().split("\n")[1:2]
        if words and words[0]:
            exit_code, cpu, memory = words[0].split()
            self._ended = int(exit_code), Usage(seconds, float(cpu), int(memory))
        else:
            self._ended = (128 - code if code > 128 else code or -9), Usage(seconds)
        self._report.close()
        _close(self._control)
        self._control = -1

    def stop(self, grace: float = GRACE) -> None:
        if self.wait(0.0) is not None:
            return
        self._tell(b"T")
        if self.wait(grace) is None:
            self._tell(b"K")
            if self.wait(supervisor.PATIENCE + 1) is None:
                self._process.kill()
                self.wait()

    def _tell(self, word: bytes) -> None:
        if self._control >= 0:
            with contextlib.suppress(OSError):
                os.write(self._control, word)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 15 if word == b"T" else 9)

    @property
    def usage(self) -> Usage:
        ended = self._ended
        return ended[1] if ended else Usage(time.monotonic() - self._began)
