"""Predict for a whole data set in S3, by a batch transform job.

The model is one that exists, or that a model step makes; results go to S3, a file for each input file. `filter` takes
JSONPath expressions: which part of a record the model sees, and which part of it and of the prediction is kept. Source:
CreateTransformJob in the SageMaker API reference.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import JOB_RETRIES, Context, StepKind, Sugar, present, tag_list, text_map
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, origin
from sagewright.steps._job import NOT_IN_EXPERIMENTS

PAYLOAD_MB = 100
"""What all requests that are sent at once to an instance may hold."""


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    _check_batches(step, context)
    return present(
        ModelName=body["model"],
        MaxConcurrentTransforms=body.get("max_concurrency"),
        MaxPayloadInMB=body.get("max_payload_mb"),
        BatchStrategy=body.get("strategy"),
        TransformInput=_input(body),
        TransformOutput=present(
            S3OutputPath=body.get("output") or context.output(step.name, "output"),
            Accept=body.get("accept"),
            AssembleWith=body.get("assemble"),
            KmsKeyId=body.get("kms_key"),
        ),
        TransformResources=_resources(body["instance"]),
        DataProcessing=_filter(body.get("filter") or Map()) or None,
        Environment=text_map(body.get("environment")),
        Tags=tag_list(step.tags),
    )


def _check_batches(step: Step, context: Context) -> None:
    """Source: botocore, CreateTransformJob.BatchStrategy and MaxPayloadInMB. (AWS's own examples have SingleRecord for
    whole files.)"""
    body, given = step.body, (step.api or Map()).get("TransformInput")
    is_split = body.get("split", "None") != "None" or (isinstance(given, Map) and "SplitType" in given)
    if body.get("strategy") == "MultiRecord" and not is_split:
        message = (
            "`MultiRecord` puts several records into a request, and `split` does not say what a record is"
        )
        help = "`split: Line`, or how else files are cut into records"
        context.error("SW208", message, origin(body, "strategy"), help=help)
    payload, together = body.get("max_payload_mb"), body.get("max_concurrency")
    if isinstance(payload, int) and isinstance(together, int) and payload * together > PAYLOAD_MB:
        message = f"{together} requests at once of {payload} MB each are more than {PAYLOAD_MB} MB"
        context.error("SW206", message, origin(body, "max_payload_mb"))


def _input(body: Map) -> dict[str, Any]:
    source = present(S3DataType=body.get("data_type", "S3Prefix"), S3Uri=body["input"])
    return present(
        DataSource={"S3DataSource": source},
        ContentType=body.get("content_type"),
        CompressionType=body.get("compression"),
        SplitType=body.get("split"),
    )


def _resources(instance: Map) -> dict[str, Any]:
    return present(
        InstanceType=instance["type"],
        InstanceCount=instance.get("count", 1),
        VolumeKmsKeyId=instance.get("kms_key"),
    )


def _filter(given: Map) -> dict[str, Any]:
    return present(
        InputFilter=given.get("input"), OutputFilter=given.get("output"), JoinSource=given.get("join")
    )


KIND = StepKind(
    name="transform",
    type="Transform",
    arguments=arguments,
    request="CreateTransformJob",
    omits=("TransformJobName",),
    properties="DescribeTransformJobResponse",
    sugar={"output": Sugar("TransformOutput.S3OutputPath")},
    cacheable=True,
    retryable=JOB_RETRIES,
    longhand={"instance": "type"},
    refused=NOT_IN_EXPERIMENTS,
    named_after={"model": "model"},
)
