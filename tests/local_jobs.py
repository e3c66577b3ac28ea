"""Jobs that run on this machine, for tests: their code in a store that is a folder, the Python of the tests as every image."""

from __future__ import annotations

import io
import json
import sys
import tarfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from sagewright.compiler.engine.describe import describe
from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.state import Outcome, Task
from sagewright.compiler.local import isolation, processing, training
from sagewright.compiler.local.environments import Environments
from sagewright.compiler.local.job import Job, JobFailed, Machine
from sagewright.compiler.local.sandbox import Sandbox
from sagewright.compiler.local.store import FolderStore, read, write

BUCKET = "s3://bucket"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1"


def sandbox(name: str) -> Sandbox:
    """The sandbox of a name; the test is skipped, with the reason, where it does not work."""
    try:
        return isolation.choose(name)
    except JobFailed as error:
        pytest.skip(str(error))


def archive(files: Mapping[str, str]) -> bytes:
    """A sourcedir.tar.gz."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()


def members(content: bytes) -> dict[str, bytes]:
    """What is in a tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = {member.name: tar.extractfile(member) for member in tar if member.isreg()}
        return {name: file.read() for name, file in files.items() if file is not None}


@dataclass
class Bench:
    """A machine with one sandbox, and the jobs on it."""

    root: Path
    sandbox: Sandbox
    images: Mapping[str, Any]

    @property
    def store(self) -> FolderStore:
        return FolderStore(self.root / "s3")

    def put(self, key: str, content: str | bytes) -> str:
        uri = f"{BUCKET}/{key}"
        write(self.store, uri, content.encode() if isinstance(content, str) else content)
        return uri

    def get(self, key: str) -> bytes:
        return read(self.store, f"{BUCKET}/{key}")

    def keys(self, prefix: str = "") -> list[str]:
        return [entry.key for entry in self.store.list("bucket", prefix)]

    def job(self, kind: str, arguments: Mapping[str, Any], name: str = "Step") -> Job:
        folder = self.root / "steps" / name
        folder.mkdir(parents=True)
        nobody = cast(Any, None)
        environments = Environments(self.images, self.root, self.root / "environments")
        machine = Machine(
            self.root,
            "us-west-2",
            "123456789012",
            self.store,
            self.sandbox,
            environments,
            nobody,
            nobody,
            nobody,
        )
        task = Task(name, kind, {}, arguments, 1)
        return Job(task, Identity(), describe(task, Identity()), folder, machine)

    def processing(self, script: str, name: str = "Step", **more: Any) -> Job:
        """A job that runs a Python script."""
        uri = self.put(f"code/{name}/script.py", script)
        code = {"InputName": "code", "S3Input": {"S3Uri": uri, "LocalPath": "/opt/ml/processing/input/code"}}
        arguments = {
            "AppSpecification": {
                "ImageUri": IMAGE,
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/script.py"],
            },
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            **more,
        }
        arguments["ProcessingInputs"] = [*more.get("ProcessingInputs", ()), code]
        return self.job("Processing", arguments, name)

    def training(
        self,
        files: Mapping[str, str],
        hyperparameters: Mapping[str, str] | None = None,
        name: str = "Step",
        entry: str = "train.py",
        **more: Any,
    ) -> Job:
        """A job in script mode."""
        uri = self.put(f"code/{name}/sourcedir.tar.gz", archive(files))
        mode = {"sagemaker_program": json.dumps(entry), "sagemaker_submit_directory": json.dumps(uri)}
        arguments = {
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "HyperParameters": {**(hyperparameters or {}), **mode},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "OutputDataConfig": {"S3OutputPath": f"{BUCKET}/models"},
            **more,
        }
        return self.job("Training", arguments, name)


def run(job: Job) -> Outcome:
    runners: Mapping[str, Callable[[Job], Outcome]] = {"Processing": processing.run, "Training": training.run}
    return runners[job.task.type](job)


def fails(job: Job) -> str:
    """Why a job fails."""
    with pytest.raises(JobFailed) as caught:
        run(job)
    return str(caught.value)


def log(job: Job) -> str:
    return job.log.read_text(encoding="utf-8", errors="replace")


def output(name: str, **more: Any) -> dict[str, Any]:
    """An output of a processing job."""
    target = {
        "S3Uri": f"{BUCKET}/out/{name}",
        "LocalPath": f"/opt/ml/processing/output/{name}",
        "S3UploadMode": "EndOfJob",
        **more,
    }
    return {"OutputName": name, "S3Output": target}


def outputs(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"Outputs": list(entries)}


def source(name: str, uri: str, **more: Any) -> dict[str, Any]:
    """An input of a processing job."""
    s3 = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/input/{name}", "S3DataType": "S3Prefix", **more}
    return {"InputName": name, "S3Input": s3}


def channel(name: str, uri: str, **more: Any) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "S3DataType": "S3Prefix", "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": s3}, **more}


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[BaseException]]:
    """Run something in a thread; what it raises is in the list."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    return thread, raised


PYTHON = Path(sys.executable)
