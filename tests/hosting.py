"""Models, and the machine that serves them, for the tests of endpoints, transforms and their like."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sagewright.compiler.engine.describe import describe
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.state import Outcome, Task
from sagewright.compiler.local.callbacks import FileCallbacks
from sagewright.compiler.local.endpoints import Endpoints
from sagewright.compiler.local.environments import Environments
from sagewright.compiler.local.isolation import choose
from sagewright.compiler.local.job import Function, Job, Machine
from sagewright.compiler.local.registry import Registry
from sagewright.compiler.local.runners import runner
from sagewright.compiler.local.store import FolderStore, write

REGION, ACCOUNT, BUCKET = "us-west-2", "123456789012", "acme-ml"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mine:1"
SKLEARN = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:1.7-1"
TIMES = """\
import json, os

def model_fn(model_dir):
    return float(open(os.path.join(model_dir, "factor")).read())

def input_fn(body, content_type):
    if content_type == "text/csv":
        return [[float(cell) for cell in line.split(",")] for line in body.splitlines()]
    return json.loads(body)

def predict_fn(rows, factor):
    return [[cell * factor for cell in row] for row in rows]

def output_fn(rows, accept):
    if accept == "text/csv":
        return "".join(",".join(f"{cell:g}" for cell in row) + "\\n" for row in rows), accept
    return json.dumps(rows), "application/json"
"""
"""Inference code that multiplies what it is given by the file `factor`."""


def tar(files: Mapping[str, str]) -> bytes:
    """An archive of texts: the same bytes each time."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


class Here:
    """A machine, and steps carried out on it."""

    def __init__(
        self, root: Path, images: Mapping[str, Any] | None = None, isolation: str | None = None
    ) -> None:
        self.root, self.home = root, root / ".sagewright"
        store, sandbox = FolderStore(self.home / "s3"), choose(isolation)
        environments = Environments(images or {"*": {"python": "current"}}, root)
        registry = Registry(self.home / "registry.db")
        endpoints = Endpoints(self.home, registry, sandbox, environments, store)
        self.machine = Machine(
            self.home,
            REGION,
            ACCOUNT,
            store,
            sandbox,
            environments,
            registry,
            endpoints,
            FileCallbacks(self.home),
        )
        self.count = 0

    def with_function(self, arn: str, function: Function) -> None:
        self.machine = replace(self.machine, functions={**self.machine.functions, arn: function})

    def put(self, key: str, content: bytes | str) -> str:
        uri = f"s3://{BUCKET}/{key}"
        write(self.machine.store, uri, content if isinstance(content, bytes) else content.encode())
        return uri

    def path(self, key: str) -> Path:
        return self.home / "s3" / BUCKET / key

    def job(self, kind: str, arguments: Mapping[str, Any], name: str = "Step", **body: Any) -> Job:
        """An attempt at a step. Each has an execution of its own."""
        self.count += 1
        task = Task(name, kind, {"Type": kind, **body}, arguments, 1)
        identity = Identity.of("p", f"run{self.count:09}", REGION, ACCOUNT)
        folder = self.home / "runs" / str(self.count)
        folder.mkdir(parents=True)
        return Job(task, identity, describe(task, identity), folder, self.machine)

    def run(self, kind: str, arguments: Mapping[str, Any], name: str = "Step", **body: Any) -> Outcome:
        found = runner(kind)
        assert found is not None
        return found(self.job(kind, arguments, name, **body))

    def model(self, factor: float = 2, code: str = TIMES, image: str = IMAGE, **container: Any) -> str:
        """A model made by a Model step, with its code in the archive; its name."""
        data = self.put(f"{self.count}/model.tar.gz", tar({"factor": str(factor), "code/inference.py": code}))
        primary = {"Image": image, "ModelDataUrl": data, **container}
        return self.run("Model", {"PrimaryContainer": primary}).properties["ModelName"]

    def config(self, *variants: Mapping[str, Any], **more: Any) -> str:
        """An endpoint configuration made by its step; its name."""
        named = [{"VariantName": "A", "InitialVariantWeight": 1, **variant} for variant in variants]
        made = self.run("EndpointConfig", {"EndpointConfigName": "c", "ProductionVariants": named, **more})
        return made.properties["EndpointConfigName"]

    def deploy(self, config: str, name: str = "ep") -> Outcome:
        return self.run("Endpoint", {"EndpointName": name, "EndpointConfigName": config})

    def invoke(self, body: str = "[[1]]", name: str = "ep", **headers: str) -> tuple[int, str]:
        """Status and text of an answer to JSON."""
        given = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
        answer = self.machine.endpoints.front(name).invoke(body.encode(), given)
        return answer.status, answer.body.decode()

    def stop(self) -> None:
        from sagewright.compiler.local.fronts import fronts

        for front in fronts(self.home):
            front.stop()
