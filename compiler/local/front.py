"""The process of an endpoint: `python -m sagewright.compiler.local.front FOLDER`.

It listens on loopback, at `/invocations` and at the path that AWS's clients use, and owns the servers of the variants:
when it ends, they end. `fronts` starts it and talks to it; it is alone in its folder, whose `lock` it holds. A new
deployment is healthy before it takes the place of the old one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from sagewright.compiler.local import stores
from sagewright.compiler.local.deployment import Deployment, Plan, Request, Variant
from sagewright.compiler.local.isolation import choose
from sagewright.compiler.local.job import JobFailed, Stopped
from sagewright.compiler.local.sandbox import Container, Process, Sandbox
from sagewright.compiler.local.servers import LOOPBACK, Invalid, Reply
from sagewright.compiler.local.store import StoreError, read, write

TOKEN = "X-Sagewright-Token"
VARIANT = "X-Amzn-Invoked-Production-Variant"
_PASSED = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")
_ROUTE = re.compile(r"(?:/endpoints/(?P<endpoint>[^/]+))?/(?P<what>invocations|async-invocations)")


class Steady:
    """A sandbox whose containers are started by one thread that stays: Linux ends a process that is to die with its
    parent when the thread that started it ends."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.name, self.gaps, self._sandbox = sandbox.name, sandbox.gaps, sandbox
        self._thread = ThreadPoolExecutor(1)

    def start(self, container: Container, log: Path, *, detached: bool = False) -> Process:
        return self._thread.submit(self._sandbox.start, container, log, detached=detached).result()


class Front(ThreadingHTTPServer):
    """An endpoint. `state.json` in its folder says where it listens and what it serves."""

    daemon_threads = True
    allow_reuse_address = False
    request_queue_size = 128

    def __init__(self, folder: Path, port: int, path: Path | None = None) -> None:
        super().__init__((LOOPBACK, port), Handler)
        self.folder, self.token = folder, secrets.token_hex(16)
        self.current: Deployment | None = None
        self.path = path
        """The plan that is served, or was before this process began."""
        self.deploying: str | None = None
        self.failure: str | None = None
        self.stopping, self._turn = Event(), Lock()
        self._sandbox: Steady | None = None

    def save(self) -> None:
        data = {
            "pid": os.getpid(),
            "port": self.server_port,
            "token": self.token,
            "plan": str(self.path) if self.path else None,
        }
        partial = self.folder / "state.json.partial"
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(data), encoding="utf-8")
        partial.replace(self.folder / "state.json")

    def status(self) -> dict[str, Any]:
        current = self.current
        return {
            "deployment": current.plan.digest if current else None,
            "deploying": self.deploying,
            "failure": self.failure,
            "invocations": current.counts if current else {},
        }

    def begin(self, path: Path) -> None:
        """Deploy what a plan says, in a thread of its own; `status` tells how it goes."""
        self.failure, self.deploying = None, str(path)
        self.stopping.clear()
        Thread(target=self._deploy, args=(path,), daemon=True).start()

    def sandbox(self, name: str | None) -> Steady:
        if self._sandbox is None or self._sandbox.name != name:
            self._sandbox = Steady(choose(name))
        return self._sandbox

    def _deploy(self, path: Path) -> None:
        with self._turn:
            try:
                plan = Plan.read(path)
                sandbox = self.sandbox(plan.sandbox)
                made = Deployment(plan, sandbox, stores.of_data(plan.store), self.folder / "log")
                made.start(self.stopping)
            except Stopped:
                self.failure = "it was stopped"
            except (JobFailed, StoreError) as error:
                self.failure = str(error)
            except Exception as error:
                self.failure = f"{type(error).__name__}: {error}"
            else:
                before, self.current, self.path = self.current, made, path
                self.save()
                if before is not None:
                    before.stop()
            self.deploying = None

    def service_actions(self) -> None:
        """Nobody can find it again once its folder has gone."""
        if not self.folder.exists():
            Thread(target=self.shutdown, daemon=True).start()

    def end(self) -> None:
        self.stopping.set()
        with self._turn:
            if self.current is not None:
                self.current.stop(0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def front(self) -> Front:
        assert isinstance(self.server, Front)
        return self.server

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._send(200 if self.front.current else 503, b"")
        elif self.path == "/-/status" and self._is_ours():
            self._json(200, self.front.status())
        else:
            self._refuse(404, "UnknownOperationException", f"there is no {self.path}")

    def do_POST(self) -> None:
        if not self.headers.get("Content-Length", "").isdigit():
            self.close_connection = True
            return self._refuse(411, "ValidationError", "a Content-Length is needed")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/-/") and self._is_ours():
            return self._control(self.path, body)
        route = _ROUTE.fullmatch(self.path)
        current = self.front.current
        if route is None:
            return self._refuse(404, "UnknownOperationException", f"there is no {self.path}")
        if current is None:
            return self._refuse(503, "ServiceUnavailable", "nothing is deployed yet")
        if route["endpoint"] not in (None, current.plan.endpoint):
            return self._refuse(400, "ValidationError", f"this is the endpoint `{current.plan.endpoint}`")
        asynchronous = route["what"] == "async-invocations"
        if asynchronous != (current.plan.output is not None):
            what = "only asynchronously" if current.plan.output else "only synchronously"
            return self._refuse(
                400, "ValidationError", f"the endpoint `{current.plan.endpoint}` is invoked {what}"
            )
        try:
            if asynchronous:
                return self._later(current, self._request(body))
            return self._invoke(current, self._request(body), aws=route["endpoint"] is not None)
        except Invalid as error:
            return self._refuse(400, "ValidationError", str(error))
        except (JobFailed, StoreError) as error:
            return self._refuse(500, "InternalFailure", str(error))

    def _is_ours(self) -> bool:
        return secrets.compare_digest(self.headers.get(TOKEN, ""), self.front.token)

    def _control(self, path: str, body: bytes) -> None:
        if path == "/-/deploy":
            self.front.begin(Path(json.loads(body)["plan"]))
        elif path == "/-/cancel":
            self.front.stopping.set()
        self._json(202, {})

    def _request(self, body: bytes) -> Request:
        get = self.headers.get
        return Request(
            body,
            {name: value for name in _PASSED if (value := get(name)) is not None},
            get("X-Amzn-SageMaker-Target-Variant"),
            get("X-Amzn-SageMaker-Target-Model"),
            get("X-Amzn-SageMaker-Target-Container-Hostname"),
        )

    def _invoke(self, current: Deployment, request: Request, *, aws: bool) -> None:
        variant = current.choose(request.variant)
        for shadow in current.shadows:
            Thread(target=_mirror, args=(current, shadow, request), daemon=True).start()
        reply = current.ask(variant, request)
        if reply.status != 200 and aws:
            return self._model_error(variant, reply)
        return self._send(reply.status, reply.body, reply.content_type, {VARIANT: variant.name})

    def _model_error(self, variant: Variant, reply: Reply) -> None:
        """As InvokeEndpoint answers. Source: botocore's shape ModelError."""
        kind = "client" if reply.status < 500 else "server"
        message = f'Received {kind} error ({reply.status}) from {variant.name} with message "{reply.text}".'
        error = {"Message": message, "OriginalStatusCode": reply.status, "OriginalMessage": reply.text}
        self._json(424, error, {"x-amzn-ErrorType": "ModelError", VARIANT: variant.name})

    def _later(self, current: Deployment, request: Request) -> None:
        """Answer at once, and write what comes of it to S3. The body is the input, or S3 holds it."""
        number, base = str(uuid.uuid4()), (current.plan.output or "").rstrip("/")
        source = self.headers.get("X-Amzn-SageMaker-InputLocation")
        output = f"{base}/{number}.out"
        failure = f"{(current.plan.failures or base).rstrip('/')}/{number}-error.out"
        variant = current.choose(request.variant)
        Thread(
            target=_carry_out, args=(current, variant, request, source, output, failure), daemon=True
        ).start()
        headers = {"X-Amzn-SageMaker-OutputLocation": output, "X-Amzn-SageMaker-FailureLocation": failure}
        self._json(202, {"InferenceId": number}, headers)

    def _refuse(self, status: int, kind: str, message: str) -> None:
        self._json(status, {"Message": message}, {"x-amzn-ErrorType": kind})

    def _json(self, status: int, data: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(data).encode(), "application/json", headers)

    def _send(
        self,
        status: int,
        body: bytes,
        content_type: str = "text/plain",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _mirror(current: Deployment, shadow: Variant, request: Request) -> None:
    """Give a shadow variant what production gets; its answer goes no further than a line of the log."""
    started = time.monotonic()
    try:
        said = str(current.ask(shadow, request).status)
    except (JobFailed, StoreError) as error:
        said = str(error)
    print(f"shadow {shadow.name}: {said} in {1000 * (time.monotonic() - started):.0f} ms", flush=True)


def _carry_out(
    current: Deployment, variant: Variant, request: Request, source: str | None, output: str, failure: str
) -> None:
    store = stores.of_data(current.plan.store)
    try:
        if source is not None:
            request = Request(
                read(store, source), request.headers, request.variant, request.model, request.hostname
            )
        reply = current.ask(variant, request)
        good, content = reply.status == 200, reply.body
    except (JobFailed, StoreError) as error:
        good, content = False, str(error).encode()
    try:
        write(store, output if good else failure, content)
    except StoreError as error:
        print(f"asynchronous invocation: {error}", flush=True)


def _listening(folder: Path) -> Front:
    """At the port that it had the last time, where nobody else has it now."""
    try:
        before = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        port, path = int(before["port"]), Path(before["plan"]) if before["plan"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return Front(folder, 0)
    try:
        return Front(folder, port, path)
    except (OSError, OverflowError):
        return Front(folder, 0, path)


def _taken(lock: int) -> bool:
    """Take the lock; whoever looks whether it is held has it for a moment, too."""
    for _ in range(20):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.05)
    return False


def main(folder: Path) -> None:
    with (folder / "lock").open("w") as lock:
        if not _taken(lock.fileno()):
            sys.exit(f"another process serves {folder} already")
        front = _listening(folder)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: Thread(target=front.shutdown, daemon=True).start())
        front.save()
        try:
            front.serve_forever()
        finally:
            front.end()
            front.server_close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
