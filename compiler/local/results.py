"""Results of earlier runs, found by the content of what went in: the same code on the same data need not run again.

AWS's own cache compares S3 paths. Here every run writes below its own id, so that paths always differ; what is
compared is what lies there, the image's packages, and where results go.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sagewright.compiler.definition import cache_attributes
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.state import Outcome, Status, Task
from sagewright.compiler.local.database import Damaged, Database
from sagewright.compiler.local.job import Machine
from sagewright.compiler.local.store import Store, StoreError, content_digest

CACHED = frozenset({"Processing", "Training", "Transform"})
"""Types whose results are objects in S3 alone."""
_EXECUTION = "<execution>"
_SCHEMA = (
    "CREATE TABLE result (key TEXT PRIMARY KEY, time REAL, execution TEXT, properties TEXT, contents TEXT)",
)


def content_key(task: Task, identity: Identity, machine: Machine) -> str | None:
    """The key of a step's result, None where an earlier one is never taken. Raises StoreError, JobFailed."""
    if task.type not in CACHED:
        return None
    arguments: Mapping[str, Any] = task.arguments
    said = {
        "type": task.type,
        "attributes": _with_content(cache_attributes(task.body, arguments), machine.store),
        "outputs": _outputs(arguments),
        "image": _image(task, machine),
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":")).replace(identity.execution_id, _EXECUTION)
    return hashlib.sha256(text.encode()).hexdigest()


def _with_content(value: Any, store: Store) -> Any:
    """`value` with what lies at each `S3Uri` in place of it."""
    if isinstance(value, Mapping):
        return {
            key: content_digest(store, item) or item
            if key in ("S3Uri", "ModelDataUrl") and isinstance(item, str) and item.startswith("s3://")
            else _with_content(item, store)
            for key, item in value.items()
        }
    return [_with_content(item, store) for item in value] if isinstance(value, list) else value


def _outputs(arguments: Mapping[str, Any]) -> Any:
    """What a job leaves behind, and where. The execution's own id is no difference."""
    return [arguments.get(name) for name in ("ProcessingOutputConfig", "OutputDataConfig", "TransformOutput")]


def _image(task: Task, machine: Machine) -> Any:
    """What the image is here; of a transform the whole model."""
    arguments = task.arguments
    if task.type == "Transform":
        model = machine.registry.model(arguments["ModelName"])
        containers = model.get("Containers") or [model["PrimaryContainer"]]
        return [
            _with_content(containers, machine.store),
            [machine.environments.of(container["Image"]).digest for container in containers],
        ]
    specification = arguments.get("AppSpecification") or arguments.get("AlgorithmSpecification") or {}
    image = specification.get("ImageUri") or specification.get("TrainingImage")
    return machine.environments.of(image).digest if image else None


class Results:
    """Kept in a file, for all pipelines of a project. A file that cannot be read is put aside: it is only a cache."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, "the cache", _SCHEMA, 1, "and everything runs again")
        try:
            with self._database.transaction():
                pass
        except Damaged:
            path.replace(path.with_suffix(".corrupt"))
            for beside in (f"{path}-wal", f"{path}-shm"):
                Path(beside).unlink(missing_ok=True)

    def find(self, key: str, store: Store) -> Outcome | None:
        """The result of that key, where all that it left behind still lies there, unchanged."""
        with self._database.transaction() as base:
            row = base.execute(
                "SELECT execution, properties, contents FROM result WHERE key = ?", (key,)
            ).fetchone()
        if row is None:
            return None
        execution, properties, contents = row[0], json.loads(row[1]), json.loads(row[2])
        try:
            whole = all(content_digest(store, uri) == digest for uri, digest in contents.items())
        except StoreError:
            return None
        return Outcome(Status.SUCCEEDED, properties, complete=False, cached=execution) if whole else None

    def add(self, key: str, outcome: Outcome, identity: Identity, store: Store) -> None:
        """Keep a result. Raises StoreError."""
        contents = {uri: content_digest(store, uri) for uri in sorted(set(_left_behind(outcome.properties)))}
        row = (
            key,
            time.time(),
            identity.execution_arn,
            json.dumps(outcome.properties),
            json.dumps({uri: digest for uri, digest in contents.items() if digest is not None}),
        )
        with self._database.transaction() as base:
            base.execute("INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?)", row)


def _left_behind(properties: Mapping[str, Any]) -> Iterator[str]:
    """The URIs below which a job has written."""
    for output in (properties.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
        if "S3Output" in output:
            yield output["S3Output"]["S3Uri"]
    if "ModelArtifacts" in properties:
        yield properties["ModelArtifacts"]["S3ModelArtifacts"]
    if "TransformOutput" in properties:
        yield properties["TransformOutput"]["S3OutputPath"]
