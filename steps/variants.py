"""Variants of endpoints, in production and in shadow, and the endpoint configuration that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS, StepRef
from sagewright.compiler.kind import Context, in_full, present, tag_list
from sagewright.compiler.merge import patch
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, Origin, entry_origin, key_origin, origin, own_origin
from sagewright.compiler.suggest import nearest
from sagewright.steps._job import chosen

ONLY = "AllTraffic"
"""What the SDK calls a variant that has the endpoint to itself."""
MACHINES = frozenset({"InstanceType", "InstancePools", "ServerlessConfig"})
"""Members that say what a variant runs on; AWS's shape requires none of them."""
SERVERLESS = "ml.m5.large"
"""Stands for what serverless variants run on: x86 without GPUs. Source: SageMaker developer guide, "Serverless
Inference"."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant as written; `at` is where its name stands. Without a model it waits for inference components."""

    name: str
    body: Map
    model: Any
    at: Origin | None

    @property
    def instance(self) -> Map:
        return in_full(self.body, "instance", "type")

    @property
    def machines(self) -> list[Any]:
        """Instance types that decide which processor its image is for."""
        if "serverless" in self.body:
            return [SERVERLESS]
        return [self.instance["type"]] if "type" in self.instance else []


def settle(body: Map, keys: tuple[str, str], context: Context) -> None:
    """Of two keys that exclude one another, a default gives way to one of the step's own; two of its own are reported."""
    if all(body.get(key) is not None for key in keys):
        chosen(body, keys, "", context, None)


def configuration(
    step: Step,
    context: Context,
    name: Any,
    production: Sequence[Variant],
    shadow: Sequence[Variant],
    *,
    api: Map | None,
    **others: Any,
) -> dict[str, Any]:
    """The Arguments of the endpoint configuration `name`; `others` are further members, `api` what is merged over all."""
    variants = [*production, *shadow]
    made = present(
        EndpointConfigName=name,
        ProductionVariants=[_members(variant) for variant in production],
        ShadowProductionVariants=[_members(variant) for variant in shadow] or None,
        AsyncInferenceConfig=_async(step.body.get("async")),
        KmsKeyId=_kms_key(step.body, variants, context),
        Tags=tag_list(step.tags),
        **others,
    )
    asked = patch(made, api) if api else made
    _check_shadow(production, shadow, context)
    _check_serverless(step, variants, asked, context)
    _check_weights(production, asked, context)
    for member in ("ProductionVariants", "ShadowProductionVariants"):
        _check_complete(variants, asked, member, api or Map(), context)
    return made


def _members(variant: Variant) -> dict[str, Any]:
    body, instance, serverless = variant.body, variant.instance, variant.body.get("serverless")
    members = present(
        VariantName=variant.name,
        ModelName=variant.model,
        InitialInstanceCount=instance.get("count", 1) if serverless is None else None,
        InstanceType=instance.get("type"),
        VolumeSizeInGB=instance.get("volume_gb"),
        ServerlessConfig=_serverless(serverless),
        InitialVariantWeight=body.get("weight", None if variant.model is None else 1),
    )
    return patch(members, body.get("api", {}))


def _serverless(given: Map | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return present(
        MemorySizeInMB=given.get("memory_mb"),
        MaxConcurrency=given.get("max_concurrency"),
        ProvisionedConcurrency=given.get("provisioned"),
    )


def _async(given: Map | None) -> dict[str, Any] | None:
    if given is None:
        return None
    topics = present(SuccessTopic=given.get("success"), ErrorTopic=given.get("error"))
    client = present(MaxConcurrentInvocationsPerInstance=given.get("concurrency"))
    return present(
        ClientConfig=client or None,
        OutputConfig=present(S3OutputPath=given["output"], NotificationConfig=topics or None),
    )


def _kms_key(body: Map, variants: Iterable[Variant], context: Context) -> Any:
    """The one key that the endpoint has for the volumes of all its variants."""
    given = [(body["kms_key"], None)] if "kms_key" in body else []
    given += [
        (v.instance["kms_key"], origin(v.instance, "kms_key")) for v in variants if "kms_key" in v.instance
    ]
    for key, at in given[1:]:
        if _bare(key) != _bare(given[0][0]):
            context.error(
                "SW208", "one KMS key encrypts the volumes of all variants, and this is another one", at
            )
    return given[0][0] if given else None


def _bare(value: Any) -> Any:
    return replace(value, origin=None) if isinstance(value, EXPRESSIONS) else value


# -- what cannot be served --------------------------------------------------------------------------------------------


def _check_complete(
    variants: Sequence[Variant], asked: dict[str, Any], member: str, api: Map, context: Context
) -> None:
    """Every variant, those included that `api` adds, runs on something, and has a model or a role for components.

    Source: that AWS requires the role where there is no model, terraform-provider-aws, pull request 44977.
    """
    places = {variant.name: variant.at for variant in variants}
    for made in _mappings(asked, member):
        name = str(made.get("VariantName"))
        at = places.get(name) or _place_in_api(api.get(member), name) or own_origin(made)
        near = None if name in places else nearest(name, places)
        help = f"did you mean `{near}`?" if near else None
        if MACHINES.isdisjoint(made):
            message = f"the variant `{name}` needs an `instance`, or `serverless`"
            context.error("SW202", message, at, help=help)
        elif "ModelName" not in made and "ExecutionRoleArn" not in asked:
            message = f"the variant `{name}` has no model, and a configuration for components no `role`"
            context.error("SW202", message, at, help=help)


def _mappings(asked: dict[str, Any], member: str) -> Iterator[dict[str, Any]]:
    """The elements of a list that are fit to be looked at: `api` may write anything."""
    found = asked.get(member)
    return (item for item in (found if isinstance(found, list) else ()) if isinstance(item, dict))


def _place_in_api(patches: Any, name: str) -> Origin | None:
    return key_origin(patches, name) if isinstance(patches, Map) and name in patches else None


def _check_shadow(production: Sequence[Variant], shadow: Sequence[Variant], context: Context) -> None:
    """Source: CreateEndpointConfig in the SageMaker API reference, ShadowProductionVariants; SageMaker developer guide,
    "Shadow tests: Exclusions"."""
    if not shadow:
        return
    if len(production) > 1 or len(shadow) > 1:
        message = "one shadow variant goes together with one variant in production"
        context.error("SW208", message, (shadow[1:] or shadow)[0].at)
    for variant in shadow:
        if variant.name in {other.name for other in production}:
            context.error("SW208", f"the variant `{variant.name}` is in production already", variant.at)
    for variant in (*production, *shadow):
        type = variant.instance.get("type")
        if isinstance(type, str) and type.startswith("ml.inf1."):
            message = "no endpoint on Inf1 instances has a shadow"
            context.error("SW208", message, origin(variant.instance, "type"))
        _check_model(variant, "no such endpoint has a shadow", context)


def _check_serverless(
    step: Step, variants: Sequence[Variant], asked: dict[str, Any], context: Context
) -> None:
    """Source: SageMaker developer guide, what "Serverless Inference" and "Shadow tests" say they exclude."""
    serverless = [variant for variant in variants if "serverless" in variant.body]
    if not serverless:
        return
    if len(variants) > 1:
        message = "a serverless variant stands alone: neither others nor a shadow go together with it"
        at = key_origin(serverless[0].body, "serverless")
        context.error("SW208", message, at, help="deploy it at an endpoint of its own")
    network = step.body.get("network") or Map()
    if network.get("isolation") is True or "subnets" in network or "security_groups" in network:
        # A default one does not give way: nobody's VPC is to be left out unseen.
        message = "a serverless endpoint has no network of one's own: neither a VPC nor isolation"
        at = key_origin(step.body, "network")
        context.error("SW208", message, at, help="`network: null` leaves a default out")
    if "DataCaptureConfig" in asked:
        message = "a serverless endpoint captures no data"
        context.error("SW208", message, key_origin(asked, "DataCaptureConfig"))
    for variant in serverless:
        _check_concurrency(variant.body["serverless"], context)
        _check_model(variant, "no serverless endpoint serves it", context)


def _check_concurrency(serverless: Map, context: Context) -> None:
    """Source: ProductionVariantServerlessConfig in the SageMaker API reference."""
    most, ready = serverless.get("max_concurrency"), serverless.get("provisioned")
    if isinstance(most, int) and isinstance(ready, int) and ready > most:
        message = f"`provisioned` is {ready}, and `max_concurrency` is {most}: it is the most"
        context.error("SW206", message, origin(serverless, "provisioned"))


def _check_model(variant: Variant, why: str, context: Context) -> None:
    """Report a model of several models or containers, where a step of the pipeline makes it and so tells."""
    model = variant.body.get("model")
    made = context.find_step(model.step, model.origin) if isinstance(model, StepRef) else None
    if made is None or made.kind.name != "model":
        return
    several = (
        "models"
        if made.body.get("multi_model")
        else "containers"
        if len(made.body.get("containers") or ()) > 1
        else None
    )
    if several:
        message = f"the model of `{made.name}` consists of several {several}: {why}"
        context.error("SW208", message, origin(variant.body, "model"))


def _check_weights(production: Sequence[Variant], asked: dict[str, Any], context: Context) -> None:
    made = list(_mappings(asked, "ProductionVariants"))
    weights = [variant.get("InitialVariantWeight", 1) for variant in made]
    if made and all(not isinstance(weight, EXPRESSIONS) and weight == 0 for weight in weights):
        at = entry_origin(made[0], "InitialVariantWeight")
        at = at or (origin(production[0].body, "weight") if production else None)
        context.error("SW206", "the variants' weights sum up to 0, so that none gets any traffic", at)
