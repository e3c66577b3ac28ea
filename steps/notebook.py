"""Run a Jupyter notebook, as a SageMaker notebook job.

It is a Training step whose image holds SageMaker's scheduler for notebooks, as the SageMaker Distribution images do;
the notebook that was run, with its output, goes to S3. `parameters` go to the cell with the tag `parameters`. Source:
SageMaker developer guide, "Notebook job step"; the request, SDK 3.27.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from sagewright.compiler.kind import (
    JOB_RETRIES,
    Context,
    StepKind,
    Sugar,
    in_full,
    present,
    tag_list,
    text_map,
)
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin, origin
from sagewright.steps._code import file_uri
from sagewright.steps._job import NOT_IN_EXPERIMENTS, cluster, longest_run, vpc_config

CHANNEL = "sagemaker_headless_execution_pipelinestep"
SCHEDULER = "amazon_sagemaker_scheduler"
MAX_RUNTIME = 2 * 86_400
"""Seconds."""


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body, network = step.body, step.body.get("network") or Map()
    name = PurePosixPath(body["notebook"]).name
    uri = file_uri(in_full(body, "notebook", "entry"), context)
    types = [body["instance"].get("type")]
    image = context.image(body["image"], origin(body, "image"), scope="training", instances=types)
    return present(
        RoleArn=context.role(),
        RetryStrategy=present(MaximumRetryAttempts=body.get("max_attempts")) or None,
        StoppingCondition=present(MaxRuntimeInSeconds=longest_run(body, MAX_RUNTIME, context)) or None,
        EnableInterContainerTrafficEncryption=network.get("encrypt_traffic"),
        EnableNetworkIsolation=network.get("isolation"),
        AlgorithmSpecification={
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": [SCHEDULER],
        },
        InputDataConfig=None if uri is None else [_channel(uri)],
        OutputDataConfig=present(
            S3OutputPath=body.get("output") or context.output(step.name, "output"),
            KmsKeyId=body.get("kms_key"),
        ),
        ResourceConfig=cluster(body, context),
        VpcConfig=vpc_config(network),
        Tags=[*(tag_list(step.tags) or ()), *_studio_tags(step.name, name)],
        Environment=_environment(step, name, context),
        HyperParameters=text_map(body.get("parameters")) or None,
    )


def _channel(uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": CHANNEL, "DataSource": {"S3DataSource": source}}


def _studio_tags(step: str, notebook: str) -> list[dict[str, str]]:
    """By these, Studio shows the job among notebook jobs."""
    tags = {
        "sagemaker:name": step,
        "sagemaker:notebook-name": notebook,
        "sagemaker:notebook-job-origin": "PIPELINE_STEP",
        "sagemaker:is-studio-archived": "false",
    }
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _environment(step: Step, notebook: str, context: Context) -> dict[str, Any]:
    """The author's variables, and those by which the scheduler knows what to run."""
    own = {
        "AWS_DEFAULT_REGION": context.region,
        "SM_JOB_DEF_VERSION": "1.0",
        "SM_ENV_NAME": "sagemaker-default-env",
        "SM_SKIP_EFS_SIMULATION": "true",
        "SM_EXECUTION_INPUT_PATH": f"/opt/ml/input/data/{CHANNEL}",
        "SM_KERNEL_NAME": step.body["kernel"],
        "SM_INPUT_NOTEBOOK_NAME": notebook,
        "SM_OUTPUT_NOTEBOOK_NAME": f"{step.name}.ipynb",
    }
    given = step.body.get("environment") or Map()
    for name in given:
        if name in own:
            message = f"`{name}` is set by the notebook's kind"
            context.error("SW208", message, key_origin(given, name))
    return {**(text_map(given) or {}), **own}


KIND = StepKind(
    name="notebook",
    type="Training",
    arguments=arguments,
    request="CreateTrainingJob",
    omits=("TrainingJobName",),
    properties="DescribeTrainingJobResponse",
    sugar={"output": Sugar("OutputDataConfig.S3OutputPath"), "job_name": Sugar("TrainingJobName")},
    cacheable=True,
    retryable=JOB_RETRIES,
    longhand={"instance": "type"},
    refused=NOT_IN_EXPERIMENTS,
)
