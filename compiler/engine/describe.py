"""The properties that a step's AWS description would have, as far as its request decides them.

They are the request itself, and the names and ARNs of what it made. Whatever the service or the code would add
(metrics, a Lambda's outputs) is not made up: the scenario gives it, or it is unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from sagewright.compiler.engine.scope import Identity
from sagewright.compiler.engine.state import Task
from sagewright.compiler.engine.values import Unknown

JOBS: Mapping[str, tuple[str, str]] = {
    "Processing": ("ProcessingJob", "processing-job"),
    "Training": ("TrainingJob", "training-job"),
    "Tuning": ("HyperParameterTuningJob", "hyper-parameter-tuning-job"),
    "Transform": ("TransformJob", "transform-job"),
    "AutoML": ("AutoMLJob", "automl-job"),
    "Job": ("Job", "job"),
    "Model": ("Model", "model"),
    "Endpoint": ("Endpoint", "endpoint"),
    "EndpointConfig": ("EndpointConfig", "endpoint-config"),
    "InferenceComponent": ("InferenceComponent", "inference-component"),
}
"""By step type: the prefix of the members `<prefix>Name` and `<prefix>Arn`, and the ARN's kind of resource."""
NAME_LENGTH = {"Tuning": 32, "AutoML": 32}
SUMMARIES = 50
"""Of a tuning job, that can be referred to. Source: the SDK's `get_top_model_s3_uri`."""


def describe(task: Task, identity: Identity) -> dict[str, Any]:
    """The properties of a step that succeeded."""
    arguments = task.arguments if isinstance(task.arguments, Mapping) else {}
    made = dict(arguments) if task.type not in ("Lambda", "Callback") else {}
    if task.type in JOBS:
        prefix, resource = JOBS[task.type]
        name = _name(task, identity, arguments.get(f"{prefix}Name"))
        made[f"{prefix}Name"] = name
        made[f"{prefix}Arn"] = _arn(identity, f"{resource}/{name}")
        made[f"{prefix}Status"] = "Completed"
    if task.type in _MORE:
        made.update(_MORE[task.type](made, identity))
    return made


def _name(task: Task, identity: Identity, given: Any) -> str | Unknown:
    """The name that the service gives: a prefix where there is one, and something of the execution."""
    if task.type in ("Endpoint", "InferenceComponent") and given is not None:
        return given
    seed = f"{identity.execution_id}/{task.name}/{task.attempt}"
    suffix = hashlib.sha256(seed.encode()).hexdigest()[:10]
    if isinstance(given, Unknown):
        return given
    prefix = given or f"pipelines-{identity.execution_id}-{task.name.replace('_', '-')}"
    limit = NAME_LENGTH.get(task.type, 63) - len(suffix) - 1
    return f"{prefix[:limit].rstrip('-')}-{suffix}"


def _arn(identity: Identity, resource: str) -> str:
    return f"{identity.pipeline_arn.partition(':pipeline/')[0]}:{resource}"


def _training(made: Mapping[str, Any], _identity: Identity) -> dict[str, Any]:
    output = made.get("OutputDataConfig")
    config: Mapping[str, Any] = output if isinstance(output, Mapping) else {}
    base, name = config.get("S3OutputPath"), made["TrainingJobName"]
    if not isinstance(base, str) or not isinstance(name, str):
        return {"ModelArtifacts": {"S3ModelArtifacts": Unknown("nobody knows where the job's output goes")}}
    end = "model/" if config.get("CompressionType") == "NONE" else "model.tar.gz"
    return {"ModelArtifacts": {"S3ModelArtifacts": f"{base.rstrip('/')}/{name}/output/{end}"}}


def _tuning(made: Mapping[str, Any], _identity: Identity) -> dict[str, Any]:
    config = made.get("HyperParameterTuningJobConfig")
    limits = config.get("ResourceLimits") if isinstance(config, Mapping) else None
    most = limits.get("MaxNumberOfTrainingJobs") if isinstance(limits, Mapping) else None
    count = min(most, SUMMARIES) if isinstance(most, int) else SUMMARIES
    jobs = [{"TrainingJobName": f"{made['HyperParameterTuningJobName']}-{i + 1:03}"} for i in range(count)]
    return {"TrainingJobSummaries": jobs, "BestTrainingJob": jobs[0] if jobs else {}}


def _package(made: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    group = made.get("ModelPackageGroupName")
    if isinstance(group, Unknown) or group is None:
        return {"ModelPackageArn": group or Unknown("the model package has no group")}
    arn = _arn(identity, f"model-package/{str(group).rpartition('/')[2]}/1")
    return {"ModelPackageArn": arn, "ModelPackageVersion": 1}


def _emr(made: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    step = made.get("StepConfig")
    jar = step.get("HadoopJarStep") if isinstance(step, Mapping) else None
    number = hashlib.sha256(identity.execution_id.encode()).hexdigest()[:13].upper()
    return {"Id": f"s-{number}", "Status": {"State": "COMPLETED"}, "Config": jar or {}}


_MORE: Mapping[str, Callable[[Mapping[str, Any], Identity], dict[str, Any]]] = {
    "Training": _training,
    "Tuning": _tuning,
    "RegisterModel": _package,
    "EMR": _emr,
    "Endpoint": lambda _made, _identity: {"EndpointStatus": "InService"},
}
