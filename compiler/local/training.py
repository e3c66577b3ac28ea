"""Training jobs: channels from S3, a container, a model to S3.

Source: docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.images import framework_of_uri
from sagewright.compiler.local import programs, toolkit
from sagewright.compiler.local.contract import (
    HOST,
    Place,
    container,
    download,
    failed,
    is_empty,
    message,
    note_ignored,
    pack,
)
from sagewright.compiler.local.job import Job, JobFailed
from sagewright.compiler.local.metrics import final_metrics
from sagewright.compiler.local.store import StoreError, fetch, send, split
from sagewright.compiler.local.toolkit import GROUP, Configuration

LONGEST = 86_400
"""Seconds that a job may take which does not say. Source: botocore's StoppingCondition."""
_IGNORED = {
    "EnableManagedSpotTraining": "nobody takes this machine away",
    "RetryStrategy": "a job is tried once; the step's own `retry` holds",
    "DebugHookConfig": "Debugger runs on AWS",
    "DebugRuleConfigurations": "Debugger runs on AWS",
    "ProfilerConfig": "Profiler runs on AWS",
    "ProfilerRuleConfigurations": "Profiler runs on AWS",
    "TensorBoardOutputConfig": "nothing is sent while it trains",
}


def run(job: Job) -> Outcome:
    """Run a training job. Raises JobFailed, Stopped, StoreError."""
    began = time.time()
    request, place = job.arguments, Place(job)
    specification: Mapping[str, Any] = request["AlgorithmSpecification"]
    image = specification.get("TrainingImage")
    if not image:
        name = specification.get("AlgorithmName")
        raise JobFailed(f"the algorithm `{name}` is AWS's alone: give the step's result with --stub")
    environment = job.machine.environments.of(str(image))
    job.note(environment.note or f"its image is {image}")
    note_ignored(job, _IGNORED)
    configuration = _configuration(job, place, str(image))
    _channels(job, place)
    checkpoints = _checkpoints(job, place)
    program = programs.program(job, place, environment, configuration)
    resources: Mapping[str, Any] = request.get("ResourceConfig") or {}
    made = container(
        place,
        program.environment,
        program.command,
        program.variables,
        image=str(image),
        isolated=bool(request.get("EnableNetworkIsolation")),
        volume=resources.get("VolumeSizeInGB"),
        directory=program.directory,
        own_entrypoint=program.own_entrypoint,
    )
    limit = (request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", LONGEST)
    trained = time.time()
    try:
        for command in program.before:
            _check(job, job.run(programs.replaced(made, command), max_runtime=limit), program, command)
        _check(job, job.run(made, max_runtime=limit), program, program.command)
    finally:
        if checkpoints is not None and not is_empty(checkpoints[0]):
            send(job.machine.store, *checkpoints)
    _artifacts(job)
    ended = time.time()
    return job.succeeded(
        SecondaryStatus="Completed",
        FinalMetricDataList=final_metrics(job.log, specification, ended),
        CreationTime=began,
        TrainingStartTime=trained,
        TrainingEndTime=ended,
        TrainingTimeInSeconds=max(1, round(ended - trained)),
        BillableTimeInSeconds=max(1, round(ended - trained)),
    )


def _check(job: Job, code: int, program: programs.Program, command: tuple[str, ...]) -> None:
    """Raises JobFailed for an exit code that says so, with what is in `output/failure`."""
    output = job.folder / "ml" / "output"
    if code == 0:
        if program.script:
            (output / "success").touch()
        return
    if program.script:
        (output / "failure").write_text(programs.failure(job, code, command), encoding="utf-8")
        message_of = message(output / "failure")
        raise failed(job, code if code < 0 else 1, message_of)
    raise failed(job, code, message(output / "failure"))


# -- what the container finds -----------------------------------------------------------------------------------------


def _configuration(job: Job, place: Place, image: str) -> Configuration:
    request = job.arguments
    hyperparameters = {str(key): str(value) for key, value in (request.get("HyperParameters") or {}).items()}
    channels = {
        entry["ChannelName"]: _channel(entry, request) for entry in request.get("InputDataConfig") or ()
    }
    resources = _resources(job, request.get("ResourceConfig") or {})
    for name, content in (
        ("hyperparameters", hyperparameters),
        ("inputdataconfig", channels),
        ("resourceconfig", resources),
    ):
        place.write(f"/opt/ml/input/config/{name}.json", content)
    for folder in ("model", "output/data", "code"):
        place.folder(f"/opt/ml/{folder}")
    place.hosts()
    given: Mapping[str, str] = request.get("Environment") or {}
    framework = framework_of_uri(image)
    return Configuration(
        toolkit.values(hyperparameters),
        channels,
        resources,
        given.get("SAGEMAKER_TRAINING_MODULE") or toolkit.MODULES.get(framework[0] if framework else ""),
        str(job.description.get("TrainingJobName")),
        given.get("SAGEMAKER_PROGRAM"),
    )


def _channel(entry: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    mode = entry.get("InputMode") or request["AlgorithmSpecification"].get("TrainingInputMode", "File")
    source = (entry.get("DataSource") or {}).get("S3DataSource") or {}
    made = {
        "TrainingInputMode": mode,
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": entry.get("RecordWrapperType", "None"),
    }
    return {"ContentType": entry["ContentType"], **made} if entry.get("ContentType") else made


def _resources(job: Job, config: Mapping[str, Any]) -> dict[str, Any]:
    """`resourceconfig.json`: of the instances that were asked for, this machine is the first."""
    groups = config.get("InstanceGroups") or [
        {
            "InstanceGroupName": GROUP,
            "InstanceType": config.get("InstanceType"),
            "InstanceCount": config.get("InstanceCount", 1),
        }
    ]
    counts: list[Any] = [group["InstanceCount"] for group in groups]
    count = sum(number for number in counts if isinstance(number, int))
    if count > 1:
        job.note(f"it asks for {count} instances: here one does it all, with the whole of every channel")
    if config.get("KeepAlivePeriodInSeconds"):
        job.note("a warm pool has no effect here")
    first = groups[0]
    name, kind = first["InstanceGroupName"], first["InstanceType"]
    return {
        "current_group_name": name,
        "current_host": HOST,
        "current_instance_type": kind,
        "hosts": [HOST],
        "instance_groups": [{"hosts": [HOST], "instance_group_name": name, "instance_type": kind}],
        "network_interface_name": "eth0",
    }


def _channels(job: Job, place: Place) -> None:
    for entry in job.arguments.get("InputDataConfig") or ():
        name, source = entry["ChannelName"], (entry.get("DataSource") or {}).get("S3DataSource")
        what = f"the channel `{name}`"
        if source is None:
            raise JobFailed(f"{what} is a file system of AWS's: lay the data over an S3 URI to run it here")
        mode = _channel(entry, job.arguments)["TrainingInputMode"]
        if mode == "Pipe":
            raise JobFailed(
                f"{what} is streamed (Pipe), which does not work here: use `mode: File` or FastFile"
            )
        if mode == "FastFile":
            job.note(f"{what} is copied as a whole: FastFile reads as it goes on AWS alone")
        if entry.get("RecordWrapperType", "None") != "None":
            job.note(f"{what} is not wrapped in RecordIO: SageMaker does it for streams alone")
        if entry.get("ShuffleConfig"):
            job.note(f"{what} is not shuffled")
        download(job, what, source, place.folder(f"/opt/ml/input/data/{name}"), entry.get("CompressionType"))


def _checkpoints(job: Job, place: Place) -> tuple[Path, str] | None:
    """The folder of checkpoints, with those that are in S3 already, and where they go."""
    config: Mapping[str, Any] | None = job.arguments.get("CheckpointConfig")
    if not config:
        return None
    folder = place.folder(config.get("LocalPath") or "/opt/ml/checkpoints")
    uri = str(config["S3Uri"])
    bucket, prefix = split(uri)
    if job.machine.store.list(bucket, prefix):
        fetch(job.machine.store, uri, folder)
    return folder, uri


# -- what it leaves ---------------------------------------------------------------------------------------------------


def _artifacts(job: Job) -> None:
    """Upload the model, and the rest of the output. Of an empty folder SageMaker uploads nothing."""
    ml = job.folder / "ml"
    config: Mapping[str, Any] = job.arguments.get("OutputDataConfig") or {}
    base = f"{str(config['S3OutputPath']).rstrip('/')}/{job.description['TrainingJobName']}/output"
    for folder, name in ((ml / "model", "model"), (ml / "output" / "data", "output")):
        if is_empty(folder):
            if name == "model":
                job.note("it left no model: nothing is in /opt/ml/model, nothing goes to S3")
            continue
        if config.get("CompressionType") == "NONE":
            send(job.machine.store, folder, f"{base}/{name}")
            continue
        archive = job.folder / f"{name}.tar.gz"
        pack(folder, archive)
        bucket, key = split(f"{base}/{name}.tar.gz")
        try:
            job.machine.store.upload(archive, bucket, key)
        except StoreError as error:
            raise JobFailed(f"InternalServerError: {error}") from None
        archive.unlink()
