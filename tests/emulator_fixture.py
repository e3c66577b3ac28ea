"""The emulator for tests: one process for the whole session, its state reset for each test, a proxy to look in."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

BUCKET = "acme-ml"
REGION = "us-west-2"
ACCOUNT = "123456789012"
START = "from sagewright.compiler.commands.emulate import command; command()"

SCENARIO = Path(__file__).with_name("scenario.yaml")

READS = ("Describe", "List", "Get", "Head", "Search", "Filter")

_SIGNED = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")

Answer = tuple[int, dict[str, str], bytes]
Rule = Callable[["Call"], Answer | None]


@dataclass(frozen=True, slots=True)
class Call:
    """A request as AWS names it: `CreatePipeline`, `PutObject`; `key` is S3's, `service` what it was signed for."""

    operation: str
    method: str
    key: str = ""
    service: str = ""
    path: str = ""

    @property
    def changes_something(self) -> bool:
        if self.method in ("PUT", "DELETE"):
            return True
        return self.method == "POST" and not self.operation.startswith(READS)


@dataclass(slots=True)
class Proxy:
    """Passes requests on to the emulator, and writes them down; a rule may answer in its place."""

    url: str
    target: str
    journal: list[Call] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    lost: list[Callable[[Call], bool]] = field(default_factory=list)
    """Calls whose answers do not come back, though they took effect."""
    hung_up: list[Callable[[Call], bool]] = field(default_factory=list)
    """Calls that do not even arrive."""

    def lose(self, operation: str, *, times: int = 1) -> None:
        """Let the answers to an operation get lost, so many times."""
        left = [times]

        def rule(call: Call) -> bool:
            hit = call.operation == operation and left[0] > 0
            left[0] -= hit
            return hit

        self.lost.append(rule)

    def changes(self) -> list[str]:
        """The operations so far that changed something, the lock's left out."""
        return [c.operation for c in self.journal if c.changes_something and "/locks/" not in c.key]

    def refuse(
        self, operation: str, status: int, code: str, message: str = "", *, key: str = "", times: int = -1
    ) -> None:
        """Answer `operation` (on S3, of keys that hold `key`) with an AWS error, always or so many times."""
        left = [times]

        def rule(call: Call) -> Answer | None:
            if call.operation != operation or key not in call.key or left[0] == 0:
                return None
            left[0] -= 1
            return aws_error(call, status, code, message)

        self.rules.append(rule)


def aws_error(call: Call, status: int, code: str, message: str) -> Answer:
    """An error as AWS's services answer it: JSON, or S3's XML."""
    if (not call.key and call.method == "POST") or call.operation.endswith(("Schedule", "Schedules")):
        body = f'{{"__type": "{code}", "message": "{message}"}}'
        return status, {"Content-Type": "application/x-amz-json-1.1"}, body.encode()
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, {"Content-Type": "application/xml"}, b"" if call.method == "HEAD" else text.encode()


def _call(method: str, path: str, headers: Any, body: bytes) -> Call:
    target = headers.get("X-Amz-Target")
    if target:
        return Call(target.rpartition(".")[2], method)
    if body.startswith(b"Action="):
        return Call(body.partition(b"&")[0].decode().removeprefix("Action="), "GET")
    if "/functions" in path:
        return Call("Lambda", method)
    if path.startswith("/schedules"):
        verb = {"POST": "Create", "PUT": "Update", "DELETE": "Delete", "GET": "Get"}[method]
        return Call("ListSchedules" if path.startswith("/schedules?") else f"{verb}Schedule", method)
    resource, _, query = path.partition("?")
    key = resource.lstrip("/").partition("/")[2]
    kind = "Object" if key else "Bucket"
    verb = {"PUT": "Put", "GET": "Get", "HEAD": "Head", "DELETE": "Delete", "POST": "Post"}[method]
    return Call(f"{verb}{kind}", method, f"/{key}" if key else query)


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    host = proxy.target.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = _SIGNED.search(self.headers.get("Authorization") or "")
            call = replace(
                _call(self.command, self.path, self.headers, body),
                service=found[1] if found else "",
                path=self.path,
            )
            proxy.journal.append(call)
            for rule in proxy.rules:
                answer = rule(call)
                if answer is not None:
                    return self._answer(*answer)
            if any(rule(call) for rule in proxy.hung_up):
                return self._hang_up()
            connection = HTTPConnection(host, timeout=60)
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "expect")
            }
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            body = response.read()
            connection.close()
            if any(rule(call) for rule in proxy.lost):
                return self._hang_up()
            self._answer(response.status, dict(response.getheaders()), body)
            return None

        def _hang_up(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            length = (
                headers.get("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
            )
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            with contextlib.suppress(ConnectionError):  # whoever asked may have given up
                self.end_headers()
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@dataclass(frozen=True, slots=True)
class Emulator:
    """A `sagewright emulate` that runs; `said` is what it wrote before it was ready."""

    process: subprocess.Popen[str]
    url: str
    said: str


def start_emulator(*arguments: str, errors: int = subprocess.DEVNULL, cwd: Path | None = None) -> Emulator:
    """A `sagewright emulate` on a free port of loopback. `errors` is where its error output goes."""
    command = [sys.executable, "-c", START, "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=cwd)
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "http://" in line:
            url = next(word for word in line.split() if word.startswith("http://"))
            return Emulator(process, url, said)
    raise AssertionError(f"the emulator did not start: {said!r}")


@contextlib.contextmanager
def running_emulator(*arguments: str) -> Iterator[str]:
    """The URL of a `sagewright emulate` on a free port of loopback."""
    emulator = start_emulator(*arguments)
    with emulator.process as process:
        try:
            yield emulator.url
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def emulator_url() -> Iterator[str]:
    """A running emulator, for all tests. Its steps end as `scenario.yaml` says: by their names."""
    pytest.importorskip("moto.server", reason="moto's server is not installed (sagewright[local])")
    with running_emulator("--scenario", str(SCENARIO), "--speed", "2000") as url:
        yield url


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Credentials that mean nothing, and none of the developer's own settings."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ROLE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


def reset(url: str) -> None:
    """Leave nothing in an emulator but an empty bucket `acme-ml`."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST")).close()
    import boto3

    s3 = boto3.client("s3", endpoint_url=url, region_name=REGION)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})


@pytest.fixture
def emulator(emulator_url: str, aws_environment: None) -> str:
    """The emulator's URL, nothing in it but an empty bucket `acme-ml`."""
    reset(emulator_url)
    return emulator_url


@contextlib.contextmanager
def running_proxy(target: str) -> Iterator[Proxy]:
    """A proxy before an emulator; its `url` is the endpoint to use."""
    made = Proxy("", target)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def proxy(emulator: str) -> Iterator[Proxy]:
    """A proxy before the emulator."""
    with running_proxy(emulator) as made:
        yield made
