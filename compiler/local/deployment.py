"""What an endpoint serves at a time: its variants, as running servers."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from threading import Condition, Event, Lock
from typing import Any

from sagewright.compiler.local import hosting
from sagewright.compiler.local.hosting import Hosted
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.sandbox import Sandbox
from sagewright.compiler.local.servers import ANSWER, STARTUP, Chain, Invalid, ModelServer, Reply
from sagewright.compiler.local.store import Store

LOADED = 16
"""Models of a multi-model variant that are kept running."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant as it is to be served. With `lazy` it starts when it is first asked (serverless); `direct` containers
    are asked one by one; `timeout` is how many seconds it has to become healthy."""

    name: str
    weight: float
    containers: tuple[Hosted, ...]
    shadow: bool = False
    lazy: bool = False
    direct: bool = False
    timeout: float = STARTUP


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment as it is written down: `sandbox` and `store` as other processes find them, `output` and `failures`
    where an asynchronous endpoint writes. `digest` changes with whatever it does."""

    endpoint: str
    arn: str
    digest: str
    sandbox: str | None
    store: Mapping[str, Any]
    variants: tuple[Variant, ...]
    output: str | None = None
    failures: str | None = None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Raises OSError, ValueError, KeyError, TypeError."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for variant in data["variants"]:
            variant["containers"] = tuple(map(Hosted.of_data, variant["containers"]))
        data["variants"] = tuple(Variant(**variant) for variant in data["variants"])
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Request:
    """An invocation. `headers` go to the container."""

    body: bytes
    headers: Mapping[str, str]
    variant: str | None = None
    model: str | None = None
    hostname: str | None = None


class MultiModel:
    """A container with many models: each is fetched when it is first asked, and served by a process of its own; of
    those that nobody asks, the oldest end."""

    def __init__(self, variant: Variant, sandbox: Sandbox, store: Store, log: Path) -> None:
        (self._hosted,) = variant.containers
        self._variant, self._sandbox, self._store, self._log = variant, sandbox, store, log
        self._loaded: OrderedDict[str, ModelServer] = OrderedDict()
        self._turn = Lock()

    def start(self, _stopping: Event | None = None) -> None:
        """Nothing is loaded before it is asked."""

    def ask(self, request: Request) -> Reply:
        if not request.model:
            raise Invalid(
                "this endpoint has many models: name one (X-Amzn-SageMaker-Target-Model, --target-model)"
            )
        return self._server(request.model).ask(request.body, request.headers)

    def _server(self, model: str) -> ModelServer:
        with self._turn:
            server = self._loaded.get(model)
            if server is None or not server.running:
                server = self._load(model)
                self._loaded[model] = server
            self._loaded.move_to_end(model)
            while len(self._loaded) > LOADED:
                self._loaded.popitem(last=False)[1].stop()
            return server

    def _load(self, model: str) -> ModelServer:
        uri = f"{(self._hosted.models or '').rstrip('/')}/{model.lstrip('/')}"
        folder = Path(self._hosted.folder).parent / f"model-{hashlib.sha256(model.encode()).hexdigest()[:16]}"
        shutil.rmtree(folder, ignore_errors=True)
        hosting.place(self._store, uri, folder / "model", packed=True)
        code = Path(self._hosted.folder) / "code"
        if code.is_dir():
            shutil.copytree(code, folder / "code")
        server = ModelServer(self._hosted, self._sandbox, self._log, folder)
        server.start(self._variant.timeout)
        return server

    def stop(self) -> None:
        for server in self._loaded.values():
            server.stop()


class Single:
    """A model's containers."""

    def __init__(self, variant: Variant, sandbox: Sandbox, log: Path) -> None:
        self._lazy = variant.lazy
        self._chain = Chain(variant.containers, sandbox, log, direct=variant.direct, timeout=variant.timeout)

    def start(self, stopping: Event | None = None) -> None:
        if not self._lazy:
            self._chain.start(stopping)

    def ask(self, request: Request) -> Reply:
        return self._chain.ask(request.body, request.headers, request.hostname, ANSWER)

    def stop(self) -> None:
        self._chain.stop()


class Deployment:
    """A plan as running servers, which ends when the last request has been answered."""

    def __init__(self, plan: Plan, sandbox: Sandbox, store: Store, log: Path) -> None:
        self.plan = plan
        self.hosts: dict[str, MultiModel | Single] = {}
        for variant in plan.variants:
            if any(hosted.models for hosted in variant.containers):
                self.hosts[variant.name] = MultiModel(variant, sandbox, store, log)
            else:
                self.hosts[variant.name] = Single(variant, sandbox, log)
        self.counts = dict.fromkeys(self.hosts, 0)
        self._random = Random(plan.digest)
        self._busy, self._changed = 0, Condition()

    def start(self, stopping: Event | None = None) -> None:
        """Start all servers. Raises JobFailed that names the variant, and then leaves none; Stopped."""
        try:
            for variant in self.plan.variants:
                try:
                    self.hosts[variant.name].start(stopping)
                except JobFailed as error:
                    raise JobFailed(f"the variant `{variant.name}` did not become healthy: {error}") from None
        except BaseException:
            self.stop(0)
            raise

    def choose(self, wanted: str | None) -> Variant:
        """The variant that is asked: by its name, else by the weights. Raises Invalid."""
        production = [variant for variant in self.plan.variants if not variant.shadow]
        if wanted is not None:
            for variant in production:
                if variant.name == wanted:
                    return variant
            raise Invalid(
                f"there is no variant `{wanted}`: there are {', '.join(v.name for v in production)}"
            )
        weights = [variant.weight for variant in production]
        with self._changed:
            return self._random.choices(production, weights if any(weights) else None)[0]

    @property
    def shadows(self) -> list[Variant]:
        return [variant for variant in self.plan.variants if variant.shadow]

    def ask(self, variant: Variant, request: Request) -> Reply:
        """What a variant answers. Raises JobFailed, StoreError, Invalid."""
        with self._request(variant.name):
            return self.hosts[variant.name].ask(request)

    @contextmanager
    def _request(self, name: str) -> Generator[None]:
        with self._changed:
            self._busy += 1
            self.counts[name] += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def stop(self, patience: float = ANSWER) -> None:
        """End all servers, once nobody waits for an answer or after so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._busy == 0, patience)
        for host in self.hosts.values():
            host.stop()
