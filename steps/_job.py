"""What the kinds that run a container as a job share: commands, arguments, instances, networks."""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import JOB_RETRIES, Context, as_text, present, seconds
from sagewright.compiler.merge import is_own
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin

VOLUME_GB = 30
MAX_RUN_DAYS = 28
SEARCH_RETRIES = tuple(error for error in JOB_RETRIES if error != "SageMaker.JOB_INTERNAL_ERROR")
"""Of jobs that run others: retries on their internal errors are ignored. Source: SageMaker developer guide, "Retry
policy for pipeline steps"."""
NOT_IN_EXPERIMENTS = {
    f"ExperimentConfig.{member}": (
        "SW608",
        "the pipeline's own experiment takes its place: see `experiment:` at the top",
    )
    for member in ("ExperimentName", "TrialName", "RunName")
}
"""What Pipelines sets itself; `TrialComponentDisplayName` stays. Source: SDK 3.27 drops these."""


def type_of(step: Step) -> str:
    """SageMaker's type of the step that has this one's name."""
    return str(step.body.get("type")) if step.kind.name == "native" else step.kind.type


def text_list(body: Map, key: str) -> list[Any] | None:
    """A list of Strings, None where there is none."""
    items = body.get(key)
    return [as_text(items, index) for index in range(len(items))] if items else None


def argument_list(body: Map) -> list[Any] | None:
    """`arguments` as a container gets them: a list as it is, a mapping as flags."""
    arguments: Any = body.get("arguments")
    if not isinstance(arguments, Map):
        return text_list(body, "arguments")
    return [word for name in arguments for word in _flag(f"--{name}", arguments, name)] or None


def _flag(flag: str, container: Any, key: str | int) -> list[Any]:
    """`--k v`; null is a bare flag, false is left out, a list repeats the flag."""
    value = container[key]
    if value is None:
        return [flag]
    if value is False:
        return []
    if isinstance(value, Seq):
        return [word for index in range(len(value)) for word in _flag(flag, value, index)]
    return [flag, as_text(container, key)]


def cluster(body: Map, context: Context) -> dict[str, Any]:
    """The members that describe the instances of `instance`."""
    instance = body.get("instance") or Map()
    if instance.get("type") is None:
        context.error("SW202", "the instance lacks the key `type`", origin(body, "instance"))
    return present(
        InstanceType=instance.get("type"),
        InstanceCount=instance.get("count", 1),
        VolumeSizeInGB=instance.get("volume_gb", VOLUME_GB),
        VolumeKmsKeyId=instance.get("kms_key"),
    )


def longest_run(body: Map, otherwise: int, context: Context) -> Any:
    """`max_runtime` of a training job, in seconds. Source: botocore, StoppingCondition.MaxRuntimeInSeconds: "the maximum
    value is 28 days"."""
    runtime = seconds(body.get("max_runtime", otherwise))
    if isinstance(runtime, int) and runtime > MAX_RUN_DAYS * 86_400:
        message = f"`max_runtime` is {runtime} s, the most is {MAX_RUN_DAYS} days ({MAX_RUN_DAYS * 86_400} s)"
        context.error("SW206", message, origin(body, "max_runtime"))
    return runtime


def spread(entry: Map) -> str | None:
    """How an input's objects are spread over the instances."""
    return {None: None, False: "FullyReplicated", True: "ShardedByS3Key"}[entry.get("sharded", False)]


def vpc_config(network: Map) -> dict[str, Any] | None:
    return present(SecurityGroupIds=network.get("security_groups"), Subnets=network.get("subnets")) or None


def network_config(network: Map) -> dict[str, Any] | None:
    """What processing jobs say of their network; None where nothing is said."""
    members = present(
        EnableNetworkIsolation=network.get("isolation"),
        EnableInterContainerTrafficEncryption=network.get("encrypt_traffic"),
        VpcConfig=vpc_config(network),
    )
    return members or None


def chosen(body: Map, keys: tuple[str, ...], what: str, context: Context, at: Origin | None) -> str | None:
    """Which of `keys`, of which exactly one is wanted, `body` has; the first where there are several, None (reported)
    where there is none. A default gives way to a key of the step's own, and is taken out. `what` is how messages call
    `body`, `at` its place."""
    found = [key for key in keys if body.get(key) is not None]
    own = [key for key in found if not is_default(body, key)]
    if own:
        for key in set(found) - set(own):
            del body[key]
        found = own
    wanted = " or ".join(f"`{key}`" for key in keys)
    if not found:
        context.error("SW202", f"{what} lacks the key {wanted}", at)
    for extra in found[1:]:
        context.error("SW208", f"`{extra}` does not go together with `{found[0]}`", key_origin(body, extra))
    return found[0] if found else None


def refuse(
    body: Map,
    keys: tuple[str, ...],
    beside: str,
    context: Context,
    *,
    said: str = "`{}` does not go together with `{}`",
) -> None:
    """Report each of `keys` that is given beside the key `beside`; one that a default gives is taken out."""
    for key in keys:
        if body.get(key) is None:
            continue
        if is_default(body, key):
            del body[key]
        else:
            context.error("SW208", said.format(key, beside), key_origin(body, key))


def is_default(body: Map, key: str, within: Map | None = None) -> bool:
    """Whether a key of `body` was merged under it, or under the whole `within` that holds it."""
    place = key_origin(body, key)
    return place is not None and not is_own(place, body if within is None else within)
