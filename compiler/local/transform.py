"""Transform steps: a model's server, asked once for every part of the input."""

from __future__ import annotations

import bz2
import gzip
import json
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local import hosting
from sagewright.compiler.local.batches import Form
from sagewright.compiler.local.job import Job, JobFailed, Stopped
from sagewright.compiler.local.servers import Chain, Reply
from sagewright.compiler.local.store import Store, StoreError, fetch, read, split

TIMEOUT = 600.0
"""Seconds for an answer. Source: botocore's shape ModelClientConfig, InvocationsTimeoutInSeconds."""
MESSAGE = 500
"""Characters of an answer that a message repeats."""
_UNPACK = {"None": bytes, "Gzip": gzip.decompress, "Bzip2": bz2.decompress}


def run(job: Job) -> Outcome:
    form = Form.of(job.arguments)
    registry = job.machine.registry
    model = registry.model(job.arguments["ModelName"])
    with tempfile.TemporaryDirectory(prefix="sagewright-") as folder:
        chain = _chain(job, model, Path(folder))
        try:
            chain.start(job.stopping)
            _Transform(job, form, chain).all(Path(folder))
        finally:
            chain.stop()
            job.usage = chain.usage
    return job.succeeded()


def _chain(job: Job, model: Mapping[str, Any], folder: Path) -> Chain:
    machine = job.machine
    members = []
    for number, container in enumerate(hosting.containers(model), 1):
        if container.get("Mode") == "MultiModel":
            raise JobFailed("a model of many models has none for a transform job")
        given = {
            **hosting.environment(container),
            **(job.arguments.get("Environment") or {}),
            "SAGEMAKER_BATCH": "true",
        }
        changed = {**container, "Environment": given}
        members.append(
            hosting.prepare(
                changed,
                f"container-{number}",
                folder / f"container-{number}",
                machine.store,
                machine.environments,
            )
        )
    return Chain(members, machine.sandbox, job.log)


@dataclass(slots=True)
class _Transform:
    job: Job
    form: Form
    chain: Chain

    def all(self, folder: Path) -> None:
        """Every object of the input, each to its own object of the output. Raises JobFailed, StoreError, Stopped."""
        given = self.job.arguments["TransformInput"]
        store = self.job.machine.store
        for path, name in inputs(store, given["DataSource"]["S3DataSource"], folder / "input"):
            compression = given.get("CompressionType", "None")
            try:
                content = _UNPACK[compression](path.read_bytes())
            except (OSError, EOFError, ValueError) as error:
                raise JobFailed(f"{name} cannot be unpacked as {compression}: {error}") from None
            made = folder / "output"
            made.write_bytes(self._one(content, name))
            bucket, prefix = split(self.job.arguments["TransformOutput"]["S3OutputPath"])
            store.upload(made, bucket, f"{prefix.rstrip('/')}/{name}.out".lstrip("/"))

    def _one(self, content: bytes, name: str) -> bytes:
        """The output for an object, in the order of its records."""
        most = int(self.job.arguments.get("MaxConcurrentTransforms") or 1)
        with ThreadPoolExecutor(max(1, most)) as pool:
            try:
                parts = list(pool.map(lambda records: self._ask(records, name), self.form.requests(content)))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return b"".join(parts)

    def _ask(self, records: list[bytes], name: str) -> bytes:
        if self.job.stopping.is_set():
            raise Stopped
        headers = {"Content-Type": self.form.content_type, "Accept": self.form.accept}
        client = self.job.arguments.get("ModelClientConfig") or {}
        timeout = float(client.get("InvocationsTimeoutInSeconds") or TIMEOUT)
        body = self.form.body(records)
        present = {key: value for key, value in headers.items() if value}
        reply = self.chain.ask(body, present, timeout=timeout)
        for _ in range(int(client.get("InvocationsMaxRetries") or 0)):
            if reply.status < 500:
                break
            reply = self.chain.ask(body, present, timeout=timeout)
        if reply.status != 200:
            raise JobFailed(_refused(reply, records, name))
        return self.form.result(records, reply.body)


def _refused(reply: Reply, records: list[bytes], name: str) -> str:
    first = records[0][:80].decode("utf-8", "replace")
    said = reply.text.strip()[:MESSAGE]
    return (
        f"the model answered {reply.status} to {len(records)} record(s) of {name}, from `{first}` on: {said}"
    )


def inputs(store: Store, source: Mapping[str, Any], folder: Path) -> list[tuple[Path, str]]:
    """Each object of the input as a file, and its key below the input's prefix. Raises StoreError."""
    uri = source["S3Uri"]
    if source.get("S3DataType") == "ManifestFile":
        return [
            (fetched, name)
            for number, (prefix, name) in enumerate(_manifest(store, uri))
            for fetched in fetch(store, f"{prefix}{name}", folder / str(number))
        ]
    return [(path, path.relative_to(folder).as_posix()) for path in fetch(store, uri, folder)]


def _manifest(store: Store, uri: str) -> list[tuple[str, str]]:
    """The prefix and the rest of the key of each object. Source: botocore's shape TransformS3DataSource."""
    try:
        head, *names = json.loads(read(store, uri))
        return [(head["prefix"], str(name)) for name in names]
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"the manifest {uri} is none ({error}): it is a JSON list, a prefix and keys"
        ) from None
