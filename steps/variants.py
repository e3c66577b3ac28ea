"""Variants of endpoints, in production and in shadow, and the endpoint configuration that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS
from sagewright.compiler.kind import Context, in_full, present, tag_list
from sagewright.compiler.merge import patch
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, Origin, key_origin, origin

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


def configuration(
    step: Step, context: Context, name: Any, production: Sequence[Variant], shadow: Sequence[Variant]
) -> dict[str, Any]:
    """The Arguments of the endpoint configuration `name`."""
    _check_shadow(production, shadow, context)
    _check_serverless([*production, *shadow], context)
    _check_weights(production, context)
    return present(
        EndpointConfigName=name,
        ProductionVariants=[_members(variant, step, context) for variant in production],
        ShadowProductionVariants=[_members(variant, step, context) for variant in shadow] or None,
        AsyncInferenceConfig=_async(step.body.get("async")),
        KmsKeyId=_kms_key(step.body, [*production, *shadow], context),
        Tags=tag_list(step.tags),
    )


def _members(variant: Variant, step: Step, context: Context) -> dict[str, Any]:
    body, instance, serverless = variant.body, variant.instance, variant.body.get("serverless")
    if serverless is not None and instance:
        message = "`serverless` does not go together with `instance`"
        context.error("SW208", message, key_origin(body, "serverless"))
    members = present(
        VariantName=variant.name,
        ModelName=variant.model,
        InitialInstanceCount=instance.get("count", 1) if serverless is None else None,
        InstanceType=instance.get("type"),
        VolumeSizeInGB=instance.get("volume_gb"),
        ServerlessConfig=_serverless(serverless),
        InitialVariantWeight=body.get("weight", None if variant.model is None else 1),
    )
    made = patch(members, body.get("api", {}))
    if MACHINES.isdisjoint(made) and step.api is None:
        context.error(
            "SW202", f"the variant `{variant.name}` needs an `instance`, or `serverless`", variant.at
        )
    return made


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


def _check_shadow(production: Sequence[Variant], shadow: Sequence[Variant], context: Context) -> None:
    """Source: CreateEndpointConfig in the SageMaker API reference, ShadowProductionVariants."""
    if not shadow:
        return
    if len(production) > 1 or len(shadow) > 1:
        message = "one shadow variant goes together with one variant in production"
        context.error("SW208", message, (shadow[1:] or shadow)[0].at)
    for variant in shadow:
        if variant.name in {other.name for other in production}:
            context.error("SW208", f"the variant `{variant.name}` is in production already", variant.at)


def _check_serverless(variants: Sequence[Variant], context: Context) -> None:
    """Source: SageMaker developer guide, what "Serverless Inference" and "Shadow tests" say they exclude."""
    serverless = [variant for variant in variants if "serverless" in variant.body]
    if serverless and len(variants) > 1:
        message = "a serverless variant stands alone: neither others nor a shadow go together with it"
        at = key_origin(serverless[0].body, "serverless")
        context.error("SW208", message, at, help="deploy it at an endpoint of its own")


def _check_weights(production: Sequence[Variant], context: Context) -> None:
    weights = [variant.body.get("weight", 1) for variant in production]
    if production and all(not isinstance(weight, EXPRESSIONS) and weight == 0 for weight in weights):
        at = origin(production[0].body, "weight")
        context.error("SW206", "the variants' weights sum up to 0, so that none gets any traffic", at)
