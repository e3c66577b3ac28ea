"""What a model needs to be served here: its containers, with the model's data and its code in their places."""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
import zlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagewright.compiler.images import framework_of_uri
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.sandbox import Container, Mount
from sagewright.compiler.local.store import Store, content_digest, fetch, split

if TYPE_CHECKING:
    from sagewright.compiler.local.environments import Environments

SERVING = Path(__file__).with_name("serving")
PLACE = "/opt/sagewright"
"""Where containers see the model server."""
WITH_DEFAULTS = frozenset({"sklearn", "xgboost"})
"""Frameworks with defaults of their own: `serving/<name>.py`."""
CODE = "/opt/ml/code"
REQUIREMENTS = ("code/requirements.txt", "model/code/requirements.txt")
"""Where a container may bring packages to install, below `/opt/ml`."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """A container that can be started, its `/opt/ml` in `folder`; it can be written as JSON. `models` is the prefix
    that a multi-model container takes its models from. `digest` changes with whatever it does."""

    name: str
    image: str
    python: str
    serve: str | None
    framework: str
    environment: Mapping[str, str]
    folder: str
    digest: str
    models: str | None = None

    def container(
        self, port: int, folder: Path | None = None, *, server: str = "", docker: bool = False
    ) -> Container:
        """It, listening at a port of loopback; `folder` in place of its own. Our server calls itself `server`. With
        `docker` the image itself runs.

        Raises JobFailed where nobody here knows how it serves.
        """
        environment = {**self.environment, "SAGEMAKER_BIND_TO_PORT": str(port)}
        mounts, command = [Mount(folder or Path(self.folder), "/opt/ml")], ("serve",)
        if docker:
            pass
        elif self.serve is not None:
            mounts.append(Mount(Path(self.serve), self.serve, writable=False))
            command = (*(("python",) if self.serve.endswith(".py") else ()), self.serve, "serve")
        elif self.framework == "tensorflow":
            raise JobFailed(
                f"TensorFlow Serving, in the image `{self.image}`, is no Python that could serve here: give the image a "
                "`serve` under `local: images:` in sagewright.yaml, or take the step's result from --stub"
            )
        else:
            mounts.append(Mount(SERVING, PLACE, writable=False))
            command = ("python", f"{PLACE}/server.py")
            environment["SAGEWRIGHT_SERVER"] = server
            environment["SAGEWRIGHT_FRAMEWORK"] = self.framework if self.framework in WITH_DEFAULTS else ""
        return Container(
            command,
            Path(self.python),
            environment,
            tuple(mounts),
            "/opt/ml",
            image=self.image,
            own_entrypoint=docker,
        )

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Hosted:
        return cls(**data)


def containers(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The containers of a model, as DescribeModel has it, in order."""
    return list(model.get("Containers") or ()) or [model["PrimaryContainer"]]


def digest(container: Mapping[str, Any], store: Store, environments: Environments) -> str:
    """What changes with what a container does. Raises JobFailed, StoreError."""
    data, _ = model_data(container)
    given = environment(container)
    code = given.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    said = {
        "image": environments.of(container["Image"]).digest,
        "framework": _framework(container["Image"]),
        "mode": container.get("Mode"),
        "environment": dict(given),
        "model": content_digest(store, data) if data and container.get("Mode") != "MultiModel" else data,
        "code": content_digest(store, code) if code.startswith("s3://") else None,
        "server": [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(SERVING.glob("*.py"))],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def prepare(
    container: Mapping[str, Any], name: str, folder: Path, store: Store, environments: Environments
) -> Hosted:
    """Put a container's model and code below a folder, which becomes its `/opt/ml`. Raises JobFailed, StoreError."""
    image = environments.of(container["Image"])
    given = dict(environment(container))
    data, packed = model_data(container)
    several = container.get("Mode") == "MultiModel"
    (folder / "model").mkdir(parents=True, exist_ok=True)
    if data and not several:
        place(store, data, folder / "model", packed=packed)
    submitted = given.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if submitted.startswith("s3://"):
        place(store, submitted, folder / "code", packed=True, what="inference code")
        given["SAGEMAKER_SUBMIT_DIRECTORY"] = CODE
    for file in REQUIREMENTS:
        if (folder / file).is_file():
            image = environments.with_requirements(image, folder / file)
    return Hosted(
        name,
        container["Image"],
        str(image.python),
        str(image.serve) if image.serve else None,
        _framework(container["Image"]),
        given,
        str(folder),
        digest(container, store, environments),
        data if several else None,
    )


def environment(container: Mapping[str, Any]) -> Mapping[str, str]:
    return container.get("Environment") or {}


def model_data(container: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Where a container's model lies, and whether it is an archive there."""
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if source is not None:
        return source["S3Uri"], source.get("CompressionType", "Gzip") == "Gzip"
    return container.get("ModelDataUrl"), True


def place(store: Store, uri: str, into: Path, *, packed: bool, what: str = "model data") -> None:
    """Fetch what lies at a URI into a folder, unpacked. Raises JobFailed where it is no archive, StoreError."""
    into.mkdir(parents=True, exist_ok=True)
    if not packed:
        fetch(store, uri, into)
        return
    with archive(store, uri, what) as opened:
        opened.extractall(into, filter="data")


@contextmanager
def archive(store: Store, uri: str, what: str = "model data") -> Generator[tarfile.TarFile]:
    """The archive at a URI. Raises JobFailed where it is none, or cannot be read to its end, StoreError."""
    bucket, key = split(uri)
    with tempfile.TemporaryDirectory(prefix="sagewright-") as folder:
        file = Path(folder) / "archive"
        store.download(bucket, key, file)
        try:
            with tarfile.open(file) as opened:
                yield opened
        except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
            raise JobFailed(f"the {what} at {uri} is no tar.gz archive: {error}") from None


def _framework(image: str) -> str:
    found = framework_of_uri(image)
    return found[0] if found else ""
