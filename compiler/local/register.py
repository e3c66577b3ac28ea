"""RegisterModel steps: a new version in a model package group."""

from __future__ import annotations

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local import hosting
from sagewright.compiler.local.job import Job, JobFailed
from sagewright.compiler.local.model import check_archive
from sagewright.compiler.local.registry import APPROVALS


def run(job: Job) -> Outcome:
    group = str(job.arguments.get("ModelPackageGroupName") or "").rpartition("/")[2]
    if not group:
        raise JobFailed("a version is registered in a group, and the step names none (ModelPackageGroupName)")
    approval = job.arguments.get("ModelApprovalStatus", APPROVALS[-1])
    if approval not in APPROVALS:
        raise JobFailed(f"ModelApprovalStatus is `{approval}`, and may be {', '.join(APPROVALS)}")
    for container in (job.arguments.get("InferenceSpecification") or {}).get("Containers") or ():
        uri, packed = hosting.model_data(container)
        if uri is not None and packed:
            check_archive(uri, job)
    prefix = f"{job.identity.pipeline_arn.partition(':pipeline/')[0]}"
    made = job.machine.registry.register(group, prefix, job.arguments)
    job.note(f"registered {made['ModelPackageArn']}, {made['ModelApprovalStatus']}")
    return job.succeeded(**made)
