"""Processing jobs: inputs from S3, a container, outputs to S3.

Source: docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local.contract import HOST, Place, container, download, failed, is_empty, message
from sagewright.compiler.local.job import Job, JobFailed
from sagewright.compiler.local.sandbox import Mount
from sagewright.compiler.local.store import send

LONGEST = 86_400
"""Seconds that a job may take which does not say. Source: botocore's ProcessingStoppingCondition."""


def run(job: Job) -> Outcome:
    """Run a processing job. Raises JobFailed, Stopped, StoreError."""
    began = time.time()
    request, place = job.arguments, Place(job)
    specification: Mapping[str, Any] = request["AppSpecification"]
    image = str(specification["ImageUri"])
    environment = job.machine.environments.of(image)
    job.note(environment.note or f"its image is {image}")
    cluster: Mapping[str, Any] = (request.get("ProcessingResources") or {}).get("ClusterConfig") or {}
    _inputs(job, place)
    outputs = _outputs(job, place)
    _configuration(job, place, cluster)
    command = _command(job, place, specification, environment.train)
    made = container(
        place,
        environment,
        command,
        dict(request.get("Environment") or {}),
        image=image,
        isolated=bool((request.get("NetworkConfig") or {}).get("EnableNetworkIsolation")),
        volume=cluster.get("VolumeSizeInGB"),
        own_entrypoint=not specification.get("ContainerEntrypoint"),
    )
    limit = (request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds", LONGEST)
    try:
        code = job.run(made, max_runtime=limit)
    finally:
        _upload(job, outputs, "Continuous")
    said = message(job.folder / "ml" / "output" / "message")
    if code != 0:
        raise failed(job, code, said)
    _upload(job, outputs, "EndOfJob")
    more = {"ExitMessage": said} if said else {}
    return job.succeeded(ProcessingStartTime=began, ProcessingEndTime=time.time(), **more)


def _command(job: Job, place: Place, specification: Mapping[str, Any], program: Path | None) -> list[str]:
    entrypoint = [str(word) for word in specification.get("ContainerEntrypoint") or ()]
    arguments = [str(word) for word in specification.get("ContainerArguments") or ()]
    if not entrypoint and job.machine.sandbox.name != "docker":
        if program is None:
            raise JobFailed(
                "the job has no command, and nobody here knows what its image runs: give the step a `command`,"
                " or the image a `train` under `local: images:` in sagewright.yaml"
            )
        place.mounts[str(program)] = Mount(program, str(program), writable=False)
        entrypoint = ["python3", str(program)] if program.suffix == ".py" else [str(program)]
    return [*entrypoint, *arguments]


def _configuration(job: Job, place: Place, cluster: Mapping[str, Any]) -> None:
    count, kind = cluster.get("InstanceCount", 1), cluster.get("InstanceType")
    if isinstance(count, int) and count > 1:
        job.note(f"it asks for {count} instances: here one does it all, with the whole of every input")
    names = {
        key: value
        for key, value in job.description.items()
        if key in ("ProcessingJobArn", "ProcessingJobName")
    }
    place.write("/opt/ml/config/processingjobconfig.json", {**names, **job.arguments})
    group = {"instance_group_name": "homogeneousCluster", "instance_type": kind, "hosts": [HOST]}
    config = {
        "current_host": HOST,
        "current_instance_type": kind,
        "hosts": [HOST],
        "instance_groups": [group],
    }
    place.write("/opt/ml/config/resourceconfig.json", {**config, "network_interface_name": "eth0"})
    place.folder("/opt/ml/output")
    place.hosts()


# -- inputs and outputs -----------------------------------------------------------------------------------------------


def _inputs(job: Job, place: Place) -> None:
    for entry in job.arguments.get("ProcessingInputs") or ():
        name, source = f"the input `{entry.get('InputName')}`", entry.get("S3Input")
        if entry.get("AppManaged"):
            job.note(f"{name} is left to the container (AppManaged)")
            continue
        if source is None:
            kind = "a dataset" if entry.get("DatasetDefinition") else "nothing that SageMaker knows"
            raise JobFailed(f"{name} is {kind}, which only AWS reads: give the step's result with --stub")
        if source.get("S3InputMode", "File") != "File":
            raise JobFailed(
                f"{name} is streamed ({source['S3InputMode']}), which does not work here: use `mode: File`"
            )
        into = place.folder(str(source.get("LocalPath") or f"/opt/ml/processing/input/{entry['InputName']}"))
        download(job, name, source, into, source.get("S3CompressionType"))


def _outputs(job: Job, place: Place) -> list[tuple[str, Mapping[str, Any], Path]]:
    """What is to be uploaded: an output's name, where it goes, and its folder."""
    made: list[tuple[str, Mapping[str, Any], Path]] = []
    for entry in (job.arguments.get("ProcessingOutputConfig") or {}).get("Outputs") or ():
        name, target = str(entry.get("OutputName")), entry.get("S3Output")
        if entry.get("FeatureStoreOutput"):
            group = entry["FeatureStoreOutput"].get("FeatureGroupName")
            raise JobFailed(
                f"the output `{name}` goes to the feature group `{group}`, which only AWS has: use --stub"
            )
        if target is None:
            continue
        if entry.get("AppManaged") and not target.get("LocalPath"):
            job.note(f"the output `{name}` is left to the container (AppManaged)")
            continue
        made.append((name, target, place.folder(str(target["LocalPath"]))))
    return made


def _upload(job: Job, outputs: list[tuple[str, Mapping[str, Any], Path]], mode: str) -> None:
    """Upload the outputs of a mode. Of an empty folder SageMaker uploads nothing, and the job succeeds."""
    for name, target, folder in outputs:
        if target.get("S3UploadMode", "EndOfJob") != mode:
            continue
        if is_empty(folder):
            job.note(f"the output `{name}` is empty: nothing is in {target['LocalPath']}, nothing goes to S3")
            continue
        send(job.machine.store, folder, str(target["S3Uri"]))
