"""Model steps: a model is kept in the registry once all that it is made of is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local import hosting
from sagewright.compiler.local.job import Job, JobFailed
from sagewright.compiler.local.store import StoreError, split


def run(job: Job) -> Outcome:
    made = {key: value for key, value in job.description.items() if key != "ModelStatus"}
    given = [job.arguments["PrimaryContainer"]] if "PrimaryContainer" in job.arguments else []
    given += job.arguments.get("Containers") or ()
    if not given:
        raise JobFailed("the model has no container: CreateModel wants PrimaryContainer or Containers")
    found = [container for entry in given for container in _resolved(entry, job)]
    for container in found:
        _check(container, job)
    if "PrimaryContainer" in made and len(found) == 1:
        made["PrimaryContainer"] = found[0]
    else:
        made.pop("PrimaryContainer", None)
        made["Containers"] = found
    if made.get("EnableNetworkIsolation"):
        job.note("network isolation is not kept for a model server: it would cut off whoever asks it")
    job.machine.registry.put("model", made["ModelName"], made["ModelArn"], made)
    return job.succeeded(**job.machine.registry.model(made["ModelName"]))


def _resolved(entry: Mapping[str, Any], job: Job) -> list[dict[str, Any]]:
    """A container; where it is a model package, those of the package, with the environment laid over theirs."""
    if "ModelPackageName" not in entry:
        return [dict(entry)]
    package = job.machine.registry.package(entry["ModelPackageName"])
    if package["ModelApprovalStatus"] != "Approved":
        job.note(f"the model package {package['ModelPackageArn']} is {package['ModelApprovalStatus']}")
    found = (package.get("InferenceSpecification") or {}).get("Containers") or ()
    if not found:
        raise JobFailed(f"the model package {package['ModelPackageArn']} has no inference specification")
    given = entry.get("Environment") or {}
    return [
        {
            **container,
            "Environment": {**(container.get("Environment") or {}), **given},
            "ModelPackageName": package["ModelPackageArn"],
        }
        for container in found
    ]


def _check(container: Mapping[str, Any], job: Job) -> None:
    """Raises JobFailed, StoreError for what a server could not load."""
    if not container.get("Image"):
        raise JobFailed("a container of the model has no image")
    uri, packed = hosting.model_data(container)
    store = job.machine.store
    if uri is not None and container.get("Mode") != "MultiModel":
        if packed:
            check_archive(uri, job)
        elif not store.list(*split(uri)):
            raise StoreError(f"there is no model data at {uri}")
    code = hosting.environment(container).get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if code.startswith("s3://"):
        check_archive(code, job, "inference code")


def check_archive(uri: str, job: Job, what: str = "model data") -> None:
    """Raises JobFailed where an object is no archive that can be read to its end, StoreError where there is none."""
    with hosting.archive(job.machine.store, uri, what) as opened:
        opened.getmembers()
