"""Starts the emulator: one process, one port, all of moto's services, SageMaker mended."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

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


def application() -> Application:
    """The emulator as a WSGI application. Raises ImportError where moto's server is not installed."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.sagemaker import urls

    from sagewright.compiler.emulator.responses import EmulatedResponse

    urls.url_paths["{0}/$"] = EmulatedResponse.dispatch
    return _Conditional(DomainDispatcherApplication(create_backend_app))


def serve(host: str, port: int, ready: Callable[[str], None], *, verbose: bool = False) -> None:
    """Serve until interrupted. `ready` is told the URL; port 0 is any free one.

    Raises ImportError where moto's server is not installed, OSError where the port is taken.
    """
    app = application()
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            if verbose:
                super().log_request(code, size)

    # Bound here: werkzeug would exit where the port is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    bound = listening.getsockname()[1]
    server = make_server(host, port, app, threaded=True, request_handler=Handler, fd=listening.fileno())
    # moto calls itself in places, and looks here for where it is.
    os.environ["MOTO_PORT"] = str(bound)
    shown = f"[{host}]" if ":" in host else host
    ready(f"http://{shown}:{bound}")
    try:
        server.serve_forever()
    finally:
        server.server_close()
        listening.close()
