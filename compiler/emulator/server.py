"""Starts the emulator: one process, one port, all of moto's services, SageMaker mended, its state kept if wanted."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagewright.compiler.emulator.executors import Settings
    from sagewright.compiler.emulator.service import Service
    from sagewright.compiler.emulator.store import Store

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

ACCOUNT = "123456789012"
"""The account that everything belongs to, as moto has it."""


class _Conditional:
    """A request that hangs on an object's state has the server to itself: moto looks and writes in two moments."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._turn = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ:
            with self._turn:
                return self._application(environ, start_response)
        return self._application(environ, start_response)


class _Observed:
    """Sees what the service must know of: that everything is reset, and what changes in S3."""

    def __init__(
        self, application: Application, service: Service, noted: Callable[[dict[str, Any]], None]
    ) -> None:
        self._application, self._service, self._noted = application, service, noted

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == "/moto-api/reset":
            self._service.reset()
        answer = self._application(environ, start_response)
        self._noted(environ)
        return answer


def application(service: Service, store: Store | None = None, home: Path | None = None) -> Application:
    """The emulator as a WSGI application; `home` is the `.sagewright` whose endpoints answer to InvokeEndpoint.

    Raises ImportError where moto's server is not installed.
    """
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.sagemaker import urls
    from moto.sagemakerruntime import urls as runtime_urls

    from sagewright.compiler.emulator.functions import take_any_role
    from sagewright.compiler.emulator.objects import Objects
    from sagewright.compiler.emulator.responses import EmulatedResponse
    from sagewright.compiler.emulator.runtime import EmulatedRuntime

    take_any_role()
    EmulatedResponse.service = service
    EmulatedRuntime.home = home
    urls.url_paths["{0}/$"] = EmulatedResponse.dispatch
    runtime_urls.url_paths.update(dict.fromkeys(runtime_urls.url_paths, EmulatedRuntime.dispatch))
    app = DomainDispatcherApplication(create_backend_app)
    return _Conditional(_Observed(app, service, Objects(store).note if store else lambda _environ: None))


def serve(
    host: str,
    port: int,
    ready: Callable[[str], None],
    *,
    settings: Settings | None = None,
    state: Path | None = None,
    say: Callable[[str], None] = lambda _line: None,
    verbose: bool = False,
) -> None:
    """Serve until interrupted. `ready` is told the URL; port 0 is any free one.

    `state` is a file that keeps what is there over a restart; `say` is told what was taken up from it. Raises
    ImportError where moto's server is not installed, OSError where the port is taken, StateError where the file cannot
    be used.
    """
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    from sagewright.compiler.emulator.executors import Settings
    from sagewright.compiler.emulator.service import Service
    from sagewright.compiler.emulator.store import Store
    from sagewright.compiler.emulator.workshop import Workshop

    class Handler(MotoRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            if verbose:
                super().log_request(code, size)

    # Bound here: werkzeug would exit where the port is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as listening:
        bound = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{bound}"
        store = Store(state) if state else None
        workshop = Workshop(Path.cwd(), url)
        service = Service(replace(settings or Settings(), hire=workshop.hire), store)
        app = application(
            service, store, workshop.home if settings and settings.executor == "local" else None
        )
        server = make_server(host, port, app, threaded=True, request_handler=Handler, fd=listening.fileno())
        # moto calls itself in places, and looks here for where it is.
        os.environ["MOTO_PORT"] = str(bound)
        if store is not None:
            say(restored(service, store))
        ready(url)
        try:
            server.serve_forever()
        finally:
            server.server_close()
            service.executions.close()
            if store is not None:
                store.close()


def restored(service: Service, store: Store) -> str:
    """Put back what a state file has; what that was, and what it never has, in words."""
    from sagewright.compiler.emulator.objects import Objects

    buckets, objects = Objects(store).restore()
    found = service.keeper.restore(service.executions)
    kept = ", ".join(f"{count} {kind}s" for kind, count in found.items() if kind != "running")
    again = f" ({found['running']} of them go on)" if found["running"] else ""
    return f"Taken up: {kept}{again}, {objects} objects in {buckets} buckets. {LOST}"


LOST = (
    "Not kept over a restart: models, endpoints and their configurations, functions, queues, roles, keys, schedules "
    "and rules, logs, the objects' tags and the buckets' policies."
)
BACKLOG = 256
"""Connections that may wait: two hundred starts at once are usual in a test."""
