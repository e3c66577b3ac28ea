"""Train a model on one or more instances.

With a framework's image, `code` is run in script mode. A built-in algorithm takes none. A container of one's own is
started by `command`, and finds its code in the channel `code` (`/opt/ml/input/data/code`), a directory as an archive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS, StepRef
from sagewright.compiler.images import UNKNOWN, frameworks
from sagewright.compiler.kind import (
    JOB_RETRIES,
    Context,
    Scope,
    StepKind,
    Sugar,
    UnavailableError,
    as_text,
    present,
    seconds,
    tag_list,
    text_map,
)
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin, origin
from sagewright.compiler.types import Type
from sagewright.steps import _script_mode as script_mode
from sagewright.steps._channels import channels, code_channel
from sagewright.steps._code import archive_uri, file_uri
from sagewright.steps._distribution import Machines, distribution, is_smp_v2
from sagewright.steps._groups import check_distinct
from sagewright.steps._job import (
    NOT_IN_EXPERIMENTS,
    VOLUME_GB,
    argument_list,
    chosen,
    cluster,
    is_default,
    longest_run,
    refuse,
    text_list,
    vpc_config,
)
from sagewright.steps._monitoring import monitoring

MAX_RUNTIME = 3600
"""Seconds."""
SMP_IMAGE = "pytorch-smp"
ALIKE = ("type", "count")
"""Members of `instance` that say what instances there are, and so stand in place of `groups`."""
MODEL_DATA = "ModelArtifacts.S3ModelArtifacts"


@dataclass(frozen=True, slots=True)
class _Program:
    """What the job runs: members of AlgorithmSpecification, hyperparameters, and where the channel `code` is from."""

    hyperparameters: dict[str, Any] | None
    algorithm: dict[str, Any] = field(default_factory=dict)
    code: str | None = None


def arguments(step: Step, context: Context) -> dict[str, Any]:
    return job(step, context, channel_mode=step.body.get("mode", "File"))


def job(step: Step, context: Context, *, channel_mode: Any) -> dict[str, Any]:
    """The job that `step` describes; `channel_mode` is written at channels that say nothing, if it is given."""
    body = step.body
    _give_way(body)
    image = _image(step, context)
    program = _program(body, image, context)
    network = body.get("network") or Map()
    output = body.get("output") or context.job_output(step.name)
    return present(
        AlgorithmSpecification=present(
            TrainingInputMode=body.get("mode", "File"),
            TrainingImage=image,
            AlgorithmName=None if body.get("image") is not None else body.get("algorithm"),
            MetricDefinitions=_metric_definitions(body),
            **program.algorithm,
        ),
        HyperParameters=program.hyperparameters or None,
        InputDataConfig=_input_data(body, program, channel_mode, context) or None,
        ResourceConfig=_resources(step, context),
        RoleArn=context.role(),
        StoppingCondition=_stopping(body, context) or None,
        OutputDataConfig=present(
            S3OutputPath=output,
            CompressionType=body.get("compression", "GZIP"),
            KmsKeyId=body.get("kms_key"),
        ),
        CheckpointConfig=_checkpoints(body.get("checkpoints")),
        Environment=text_map(body.get("environment")),
        VpcConfig=vpc_config(network),
        EnableNetworkIsolation=network.get("isolation"),
        EnableInterContainerTrafficEncryption=network.get("encrypt_traffic"),
        EnableManagedSpotTraining=None if body.get("spot") is None else True,
        RetryStrategy=present(MaximumRetryAttempts=body.get("max_attempts")) or None,
        **monitoring(body, output, context),
        Tags=tag_list(step.tags),
    )


def _metric_definitions(body: Map) -> list[dict[str, Any]] | None:
    metrics = body.get("metrics")
    return [{"Name": name, "Regex": as_text(metrics, name)} for name in metrics] if metrics else None


def _checkpoints(checkpoints: Map | None) -> dict[str, Any] | None:
    if checkpoints is None:
        return None
    return present(S3Uri=checkpoints.get("destination"), LocalPath=checkpoints.get("path"))


def _stopping(body: Map, context: Context) -> dict[str, Any]:
    spot = body.get("spot") or Map()
    runtime, wait = longest_run(body, MAX_RUNTIME, context), seconds(spot.get("max_wait"))
    if isinstance(runtime, int) and isinstance(wait, int) and 0 < wait < runtime:
        message = (
            f"`max_wait` ({wait} s) must not be shorter than `max_runtime` ({runtime} s), which it includes"
        )
        context.error("SW206", message, origin(spot, "max_wait"))
    return present(MaxRuntimeInSeconds=runtime, MaxWaitTimeInSeconds=wait)


# -- image and instances ----------------------------------------------------------------------------------------------


def _give_way(body: Map) -> None:
    """Take out what only a default says of the instances, where the step says it itself: `groups`, or the type and the
    count of `instance`."""
    instance = body.get("instance")
    if not body.get("groups") or not isinstance(instance, Map):
        return
    alike = {key: is_default(instance, key, body) for key in ALIKE if instance.get(key) is not None}
    if not is_default(body, "groups"):
        kept = {key: value for key, value in instance.items() if not alike.get(key)}
        body["instance"] = Map(kept, instance.node)
    elif not all(alike.values()):
        del body["groups"]


def _image(step: Step, context: Context) -> Any:
    """The image's URI; None where there is none, reported unless `algorithm` is given."""
    if chosen(step.body, ("image", "algorithm"), f"the step `{step.name}`", context, step.origin) != "image":
        return None
    at, types = origin(step.body, "image"), _instance_types(step.body)
    if not types and _short_name(step.body["image"]) is not None:  # that there is no instance is told already
        return None
    return context.image(_wanted_image(step.body), at, scope="training", instances=types, algorithm_ok=True)


def _wanted_image(body: Map) -> Any:
    """`image` as it is written, but that of the second model parallelism library, which has an image of its own."""
    image, given = body["image"], body.get("distribution") or Map()
    if not isinstance(image, Map) or image["framework"] != "pytorch" or "version" not in image:
        return image
    if not is_smp_v2(given, script_mode.version_of(as_text(image, "version"))):
        return image
    return Map({**image, "framework": SMP_IMAGE}, image.node)


def _instance_types(body: Map) -> list[Any]:
    groups = body.get("groups")
    sources = groups if groups else [body.get("instance") or Map()]
    return [source["type"] for source in sources if source.get("type") is not None]


def _instance_count(body: Map) -> Any:
    """How many instances there are: a number, a reference, or None where a reference says it for one of several groups."""
    groups = body.get("groups")
    counts = [source.get("count", 1) for source in groups or [body.get("instance") or Map()]]
    return counts[0] if len(counts) == 1 else sum(counts) if all(isinstance(c, int) for c in counts) else None


def _resources(step: Step, context: Context) -> dict[str, Any]:
    """The instances, all alike or in groups. Beside groups, `instance` may still say what volumes they have."""
    body, instance = step.body, step.body.get("instance") or Map()
    keep_alive = seconds(body.get("warm_pool"))
    if not body.get("groups"):
        chosen(body, ("instance", "groups"), f"the step `{step.name}`", context, step.origin)
        made = cluster(body, context) if "instance" in body else {}
        return {**made, **present(KeepAlivePeriodInSeconds=keep_alive)}
    refuse(instance, ALIKE, "groups", context)
    check_distinct(body["groups"], context)
    return present(
        InstanceGroups=[_group(group) for group in body["groups"]],
        VolumeSizeInGB=instance.get("volume_gb", VOLUME_GB),
        VolumeKmsKeyId=instance.get("kms_key"),
        KeepAlivePeriodInSeconds=keep_alive,
    )


def _group(group: Map) -> dict[str, Any]:
    return present(
        InstanceType=group.get("type"),
        InstanceCount=group.get("count", 1),
        InstanceGroupName=group.get("name"),
    )


# -- what is run ------------------------------------------------------------------------------------------------------


def _program(body: Map, image: Any, context: Context) -> _Program:
    """The author's code in script mode, or a container that knows what to do, by itself or by `command`."""
    if body.get("code") is None:
        if body.get("distribution") is not None:
            message = "`distribution` is for code in script mode, and there is no `code`"
            context.error("SW208", message, key_origin(body, "distribution"))
        return _started(body, None, context)
    if body.get("command") is not None:
        refuse(body, ("distribution",), "command", context)
        return _started(body, _plain_code(body["code"], context), context)
    if not _has_toolkit(body, image, context):
        return _started(body, None, context)
    refuse(body, ("arguments",), "code", context)
    return _script_mode(body, script_mode.framework_of(image), context)


def _started(body: Map, code: str | None, context: Context) -> _Program:
    given = body.get("hyperparameters") or Map()
    algorithm = present(
        ContainerEntrypoint=text_list(body, "command"), ContainerArguments=argument_list(body)
    )
    return _Program({name: script_mode.plain(given, name, context) for name in given}, algorithm, code)


def _plain_code(code: Map, context: Context) -> str | None:
    """The URI of code for a container of one's own: a file as it is, a directory as an archive."""
    return file_uri(code, context) if code.get("dir") is None else archive_uri(code, context)


def _has_toolkit(body: Map, image: Any, context: Context) -> bool:
    """Whether the image runs `code` in script mode, reported where it does not. References are trusted to."""
    at, written = key_origin(body, "code"), body.get("image")
    if written is None:
        if body.get("algorithm") is not None:
            refuse(body, ("code",), "algorithm", context)
        return False
    if isinstance(image, EXPRESSIONS) or script_mode.framework_of(image) is not None:
        return True
    name = _short_name(written)
    if name is None:
        message = (
            "the image is none of SageMaker's framework images: `command` must say how its `code` is run"
        )
        context.error("SW202", message, at, notes=("the code arrives in /opt/ml/input/data/code",))
    elif name not in script_mode.FRAMEWORKS and name in frameworks() and image != UNKNOWN:
        context.error("SW208", f"`{name}` is an algorithm that runs no `code`", at)
    return name in script_mode.FRAMEWORKS


def _short_name(image: Any) -> str | None:
    """The framework in an image's short or long form; None for a URI and a reference to one."""
    if isinstance(image, Map):
        return image["framework"]
    return None if isinstance(image, EXPRESSIONS) or "/" in image else image.partition(":")[0]


def _script_mode(body: Map, framework: script_mode.Framework | None, context: Context) -> _Program:
    submitted = script_mode.submission(body["code"], context)
    settings = distribution(body.get("distribution") or Map(), _machines(body), framework, context)
    if submitted is None:
        return _Program(None)
    isolated = (body.get("network") or Map()).get("isolation") not in (None, False)
    return _Program(
        script_mode.hyperparameters(
            body.get("hyperparameters") or Map(), submitted, settings, isolated=isolated, context=context
        ),
        {"EnableSageMakerMetricsTimeSeries": True} if framework and framework.has_metrics else {},
        submitted.uri if isolated else None,
    )


def _machines(body: Map) -> Machines:
    types, groups = _instance_types(body), body.get("groups") or []
    return Machines(types, None if groups or not types else types[0], _instance_count(body), groups)


def _input_data(body: Map, program: _Program, mode: Any, context: Context) -> list[dict[str, Any]]:
    made = channels(body, mode, context)
    return made if program.code is None else [*made, code_channel(program.code, body.get("inputs"), context)]


def _model_data(step: Step, index: int, scope: Scope) -> StepRef:
    """The archive with the model. Of files that are not packed, S3ModelArtifacts is the prefix."""
    changed = (step.api or Map()).get("OutputDataConfig")
    compression = changed.get("CompressionType") if isinstance(changed, Map) else None
    if (compression or step.body.get("compression")) == "NONE":
        message = f"its output is not one archive; `{MODEL_DATA}` is the prefix of its files"
        raise UnavailableError(message)
    return StepRef(step.name, MODEL_DATA, Type.STRING)


def _metric_names(body: Map) -> Mapping[str, Type | None] | None:
    """The declared metrics; a built-in algorithm has some of its own, so without any, every name goes."""
    metrics = body.get("metrics")
    return dict.fromkeys(metrics, Type.FLOAT) if isinstance(metrics, Map) and metrics else None


KIND = StepKind(
    name="training",
    type="Training",
    arguments=arguments,
    request="CreateTrainingJob",
    omits=("TrainingJobName",),
    properties="DescribeTrainingJobResponse",
    sugar={
        "model_data": Sugar(MODEL_DATA, make=_model_data),
        "output": Sugar("OutputDataConfig.S3OutputPath"),
        "job_name": Sugar("TrainingJobName"),
        "metrics": Sugar("FinalMetricDataList['{}'].Value", Type.FLOAT, names=_metric_names),
    },
    cacheable=True,
    retryable=JOB_RETRIES,
    longhand={"instance": "type", "code": "entry", "inputs.*": "source"},
    refused=NOT_IN_EXPERIMENTS,
)
