"""Serves a model as SageMaker's containers do: `python server.py`, by the Python of the image.

The rules are those of AWS's `sagemaker-inference` 1.10: the module that SAGEMAKER_PROGRAM names has `model_fn`, and
`transform_fn` or any of `input_fn`, `predict_fn`, `output_fn`; each may take a context more. A framework's defaults
come from `<framework>_defaults.py` beside this file, where SAGEWRIGHT_FRAMEWORK says so. It listens on loopback only, at
SAGEMAKER_BIND_TO_PORT, and only once the model is loaded; its answers bear SAGEWRIGHT_SERVER, so that whoever started it
knows it from another that has the port. Like one worker of the containers, it does one request at a
time.

Nothing of sagewright can be imported here, and numpy only where a default needs it.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import io
import json
import os
import re
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

JSON, CSV, NPY, NPZ = "application/json", "text/csv", "application/x-npy", "application/x-npz"
AS_TEXT = (JSON, CSV)
"""Content types of which handlers get text, not bytes."""
BASE = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
STEPS = ("input_fn", "predict_fn", "output_fn")
TOOLKIT_ERROR = "BaseInferenceToolkitError"
ADDRESS_IN_USE = 98
"""Our exit code where somebody else has the port."""


class Unsupported(Exception):
    """A content type that the defaults cannot read or write."""

    def __init__(self, content_type: Any) -> None:
        super().__init__(
            f"Content type {content_type} is not supported: the defaults know {JSON}, {CSV} and {NPY}. "
            "An `input_fn` can read others, an `output_fn` can write them."
        )


class Refused(Exception):
    """An error with a status of its own. `phrase` is the reason beside the status."""

    def __init__(self, status_code: int, message: str, phrase: str | None = None) -> None:
        super().__init__(message)
        self.status_code, self.message, self.phrase = status_code, message, phrase or message


# -- the defaults of all frameworks -----------------------------------------------------------------------------------


def decode(data: Any, content_type: Any) -> Any:
    """A request as an array. Raises Unsupported."""
    if content_type not in (JSON, CSV, NPY, NPZ):
        raise Unsupported(content_type)
    import numpy as np

    if content_type == JSON:
        return np.array(json.loads(data))
    if content_type == CSV:
        return np.genfromtxt(io.StringIO(data), dtype=None, delimiter=",")
    if content_type == NPY:
        return np.load(io.BytesIO(data), allow_pickle=True)
    import scipy.sparse

    return scipy.sparse.load_npz(io.BytesIO(data))


def encode(prediction: Any, content_type: Any) -> Any:
    """An array-like as a response. Raises Unsupported."""
    if content_type == JSON:
        return json.dumps(prediction, default=_listed)
    if content_type not in (CSV, NPY):
        raise Unsupported(content_type)
    import numpy as np

    if content_type == NPY:
        buffer = io.BytesIO()
        np.save(buffer, prediction)
        return buffer.getvalue()
    text = io.StringIO()
    np.savetxt(text, prediction, delimiter=",", fmt="%s")
    return text.getvalue()


def _listed(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else json.JSONEncoder().default(value)


def model_fn(model_dir: str) -> Any:
    raise NotImplementedError(_lacks("model_fn"))


def predict_fn(data: Any, model: Any) -> Any:
    raise NotImplementedError(_lacks("predict_fn"))


def output_fn(prediction: Any, accept: str) -> Any:
    for content_type in accept.replace(" ", "").split(","):
        if content_type in (JSON, CSV, NPY):
            return encode(prediction, content_type), content_type
    raise Unsupported(accept)


def _lacks(function: str) -> str:
    program = os.environ.get("SAGEMAKER_PROGRAM")
    where = f"`{program}`" if program else "the model (no SAGEMAKER_PROGRAM, and no code/inference.py)"
    return f"Please provide a {function} implementation: {where} has none."


def defaults(framework: str) -> dict[str, Any]:
    """By name, what stands in for what a module lacks."""
    made: dict[str, Any] = {
        "model_fn": model_fn,
        "input_fn": decode,
        "predict_fn": predict_fn,
        "output_fn": output_fn,
        "content_type": None,
        "accept": JSON,
    }
    if framework:
        file = Path(__file__).absolute().with_name(f"{framework}_defaults.py")
        spec = importlib.util.spec_from_file_location(f"sagewright_serving_{framework}", file)
        if spec is None or spec.loader is None:
            raise ImportError(f"there is no {file}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made.update(module.defaults(sys.modules[__name__], bool(os.environ.get("SAGEMAKER_PROGRAM"))))
    return made


# -- one request ------------------------------------------------------------------------------------------------------


class Context:
    """What handlers may ask for as their last argument; the members of multi-model-server's that they use."""

    def __init__(self, model_dir: str) -> None:
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self.request_processor = [self]
        self.headers: dict[str, str] = {}

    def get_request_properties(self) -> dict[str, str]:
        return self.headers

    def get_all_request_header(self, _index: int) -> dict[str, str]:
        return self.headers

    def get_request_header(self, _index: int, name: str) -> str | None:
        return self.headers.get(name)


class Answer:
    """A status with its reason, a content type and a body."""

    def __init__(self, status: int, reason: str, content_type: str | None, body: Any) -> None:
        self.status, self.reason, self.content_type, self.body = status, reason, content_type, body


class Transformer:
    """A model and the functions that serve it."""

    def __init__(self, model_dir: str, framework: str = "") -> None:
        self.context, self.model_dir = Context(model_dir), model_dir
        self.defaults = defaults(framework)
        self.accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", self.defaults["accept"])
        module = _module()
        given = {name: getattr(module, name, None) for name in ("model_fn", "transform_fn", *STEPS)}
        if given["transform_fn"] and any(given[name] for name in STEPS):
            raise ValueError(
                "`transform_fn` does not go together with `input_fn`, `predict_fn` or `output_fn`"
            )
        self.functions = {name: given[name] or self.defaults[name] for name in ("model_fn", *STEPS)}
        self.transform_fn = given["transform_fn"] or self._transform
        self.pre = getattr(module, "pre_model_fn", None)
        self.warm_up = getattr(module, "model_warmup_fn", None)
        self.model: Any = None

    def load(self) -> None:
        """Load the model. Raises whatever the module raises."""
        if self.pre is not None:
            self.call(self.pre, self.model_dir)
        self.model = self.call(self.functions["model_fn"], self.model_dir)
        if self.warm_up is not None:
            self.call(self.warm_up, self.model_dir, self.model)

    def answer(self, body: bytes, headers: dict[str, str]) -> Answer:
        """What comes of a request; `headers` by the name that the client wrote."""
        try:
            return self._answer(body, headers)
        except Exception as error:
            trace = traceback.format_exc()
            sys.stderr.write(trace)
            status, message, phrase = _told(error)
            return Answer(status, re.sub("[\r\n]", " ", phrase), None, f"{message}\n{trace}")

    def _answer(self, body: bytes, headers: dict[str, str]) -> Answer:
        self.context.headers = headers
        lower = {name.lower().replace("-", ""): value for name, value in headers.items()}
        content_type = lower.get("contenttype") or self.defaults["content_type"]
        accept = lower.get("accept")
        if not accept or accept == "*/*":
            accept = self.accept
        data = body.decode("utf-8") if content_type in AS_TEXT else body
        result = self.call(self.transform_fn, self.model, data, content_type, accept)
        if isinstance(result, tuple):
            return Answer(200, "OK", result[1], result[0])
        return Answer(200, "OK", accept, result)

    def _transform(self, model: Any, data: Any, content_type: Any, accept: str) -> Any:
        read = self.call(self.functions["input_fn"], data, content_type)
        prediction = self.call(self.functions["predict_fn"], read, model)
        return self.call(self.functions["output_fn"], prediction, accept)

    def call(self, function: Any, *arguments: Any) -> Any:
        """Call a function of the module's, with the context where it takes one argument more."""
        count = len(inspect.signature(function).parameters)
        if count == len(arguments):
            return function(*arguments)
        if count == len(arguments) + 1:
            return function(*arguments, self.context)
        raise TypeError(f"{function.__name__} takes {count} arguments but {len(arguments)} were given.")


def _module() -> Any:
    """The module with the handlers; None where there is none."""
    name = os.environ.get("SAGEMAKER_PROGRAM", "inference.py")
    name = name[:-3] if name.endswith(".py") else name
    if not name:
        return None
    return importlib.import_module(name) if importlib.util.find_spec(name) is not None else None


def _told(error: Exception) -> tuple[int, str, str]:
    """Status, message and reason; those of the toolkit's own errors are theirs to choose."""
    named = any(base.__name__ == TOOLKIT_ERROR for base in type(error).__mro__)
    if named or isinstance(error, Refused):
        return error.status_code, error.message, error.phrase  # type: ignore[attr-defined]
    message = str(error) or "Invalid Request"
    return 500, message, message


# -- HTTP -------------------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, port: int, transformer: Transformer) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.transformer, self.turn = transformer, threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def transformer(self) -> Transformer:
        return self._server().transformer

    def _server(self) -> Server:
        assert isinstance(self.server, Server)
        return self.server

    def do_GET(self) -> None:
        parameters = self.transformer.defaults.get("execution_parameters")
        if self.path == "/ping":
            self._send(Answer(200, "OK", None, b""))
        elif self.path == "/execution-parameters" and parameters:
            self._send(Answer(200, "OK", JSON, json.dumps(parameters)))
        else:
            self._send(Answer(404, "Not Found", None, f"there is no {self.path}"))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/invocations":
            self._send(Answer(404, "Not Found", None, f"there is no {self.path}"))
            return
        with self._server().turn:
            answer = self.transformer.answer(body, dict(self.headers.items()))
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        try:
            body = as_bytes(answer.body)
        except TypeError as error:
            answer, body = Answer(503, "Unable to serialize model output", None, ""), str(error).encode()
        self.send_response(answer.status, answer.reason[:200].encode("latin-1", "replace").decode("latin-1"))
        self.send_header("Content-Type", answer.content_type or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Sagewright-Server", os.environ.get("SAGEWRIGHT_SERVER", ""))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def as_bytes(body: Any) -> bytes:
    """A response as it is sent; what is neither text nor bytes becomes JSON, as multi-model-server has it."""
    if isinstance(body, str):
        return body.encode("utf-8")
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    return json.dumps(body, indent=2).encode("utf-8")


def main() -> None:
    model_dir = Path(BASE) / "model"
    submitted = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    places = [Path(submitted)] if submitted.startswith("/") else []
    places += [Path(BASE) / "code", model_dir / "code"]
    sys.path[:1] = [str(place) for place in places if place.is_dir()]
    transformer = Transformer(str(model_dir), os.environ.get("SAGEWRIGHT_FRAMEWORK", ""))
    transformer.load()
    try:
        server = Server(int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")), transformer)
    except OSError as error:
        sys.stderr.write(f"cannot listen: {error}\n")
        sys.exit(ADDRESS_IN_USE)
    server.serve_forever()


if __name__ == "__main__":
    main()
