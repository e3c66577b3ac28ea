"""The Training step that adds inference code to a model's archive, for containers that look for it there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from sagewright.compiler.kind import Context, emitted, in_full, present, seconds, tag_list, text_map
from sagewright.compiler.model import Emitted, Step
from sagewright.compiler.source import Map, origin
from sagewright.steps._job import vpc_config
from sagewright.steps.training import KIND as TRAINING

CODE_IN_MODEL = "/opt/ml/model/code"
INFERENCE_PY = "inference.py"
SCRIPT = "repack_script.py"
IMAGE = "sklearn:1.2-1"
INSTANCE = "ml.m5.large"


@dataclass(frozen=True, slots=True)
class Code:
    """Inference code in S3, a script or an archive of scripts; `entry` and `requirements` are paths in it."""

    uri: str
    entry: str
    requirements: str | None = None


def repack(
    step: Step, context: Context, name: str, model_data: Any, code: Code, *, inference_py: bool
) -> Emitted:
    """The step `name`, whose model archive is `model_data` with `code` in `code/`.

    `inference_py` asks for the entry under the name `inference.py`. The author configures the job under `repack:`.
    """
    options = step.body.get("repack") or Map()
    arguments = {
        **_job(step, context, name, options),
        "InputDataConfig": [_channel("model", model_data), _channel("code", code.uri)],
        "HyperParameters": _hyperparameters(context, code, inference_py),
    }
    return emitted(
        step,
        name,
        TRAINING,
        arguments,
        extra=dict(options.get("step_api") or {}),
        cache=None,
        display_name=None,
        description=f"Adds the inference code of {step.name} to the model's archive",
        api=options.get("api"),
    )


def _job(step: Step, context: Context, name: str, options: Map) -> dict[str, Any]:
    """Where and how the job runs. Isolation is not taken over from the model: the job has to fetch its script."""
    instance = in_full(options, "instance", "type")
    kind = instance.get("type", INSTANCE)
    at = origin(options, "image")
    image = context.image(options.get("image", IMAGE), at, scope="training", instances=[kind])
    return present(
        AlgorithmSpecification={"TrainingInputMode": "File", "TrainingImage": image},
        OutputDataConfig=present(
            KmsKeyId=options.get("kms_key"),
            S3OutputPath=options.get("output") or context.job_output(name),
            CompressionType="GZIP",
        ),
        StoppingCondition={"MaxRuntimeInSeconds": seconds(options.get("max_runtime", 3600))},
        ResourceConfig=present(
            VolumeSizeInGB=instance.get("volume_gb", 30),
            InstanceCount=1,
            InstanceType=kind,
            VolumeKmsKeyId=instance.get("kms_key"),
        ),
        RoleArn=options.get("role") or context.role(),
        Environment=text_map(options.get("environment")),
        VpcConfig=vpc_config(options.get("network") or step.body.get("network") or Map()),
        Tags=tag_list(options.get("tags") or step.tags),
    )


def _channel(name: str, uri: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _hyperparameters(context: Context, code: Code, inference_py: bool) -> dict[str, str]:
    """Script mode, as SageMaker's training toolkit reads it: every value is JSON."""
    script = resources.files("sagewright.steps").joinpath(SCRIPT).read_bytes()
    ours = context.uri(context.bundle("sourcedir.tar.gz", {SCRIPT: script}))
    texts = present(
        inference_py=code.entry if inference_py and code.entry != INFERENCE_PY else None,
        requirements_txt=code.requirements,
        sagemaker_submit_directory=ours,
        sagemaker_program=SCRIPT,
        sagemaker_region=context.region,
    )
    return {**{key: json.dumps(text) for key, text in texts.items()}, "sagemaker_container_log_level": "20"}
