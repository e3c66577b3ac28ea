"""Create an endpoint configuration: which models an endpoint serves, on what, and how traffic is shared.

The service adds a suffix to its name, so other steps refer to `${steps.<step>.name}`. Source: CreateEndpointConfig in
the SageMaker API reference.
"""

from __future__ import annotations

import re
from typing import Any

from sagewright.compiler.kind import STEP_RETRIES, Context, StepKind, Sugar, present
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin
from sagewright.steps._job import vpc_config
from sagewright.steps.variants import Variant, configuration, settle

REFUSED_BEFORE = (
    "SDK 2.257 said that pipelines refuse it, SDK 3.27 emits it; nobody has tried it on the service"
)
REFUSED = {"DataCaptureConfig": ("SW904", REFUSED_BEFORE), "ExplainerConfig": ("SW904", REFUSED_BEFORE)}
NAME, MAX_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", 63
"""Source: botocore's shape EndpointConfigName."""


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    settle(body, ("shadow", "async"), context)
    network = body.get("network") or Map()
    return configuration(
        step,
        context,
        body.get("name") or _default_name(step, context),
        _variants(body, "variants", context),
        _variants(body, "shadow", context),
        api=step.api,
        **present(
            ExecutionRoleArn=body.get("role"),
            VpcConfig=vpc_config(network),
            EnableNetworkIsolation=network.get("isolation"),
        ),
    )


def _default_name(step: Step, context: Context) -> str:
    name = f"{context.pipeline}-{step.name}".replace("_", "-")
    if len(name) <= MAX_NAME and re.fullmatch(NAME, name):
        return name
    if "EndpointConfigName" not in (step.api or {}):
        what = f"the configuration would be called `{name}`"
        help = "`name:` gives it a name of its own"
        if len(name) > MAX_NAME:
            message = f"{what}: {len(name)} characters, AWS takes at most {MAX_NAME}"
            context.error("SW606", message, step.name_origin, help=help)
        else:
            message = f"{what}, which does not match AWS's pattern `{NAME}`"
            context.error("SW605", message, step.name_origin, help=help)
    return "none"


def _variants(body: Map, key: str, context: Context) -> list[Variant]:
    entries = body.get(key) or Map()
    for entry in entries.values():
        settle(entry, ("instance", "serverless"), context)
    return [
        Variant(name, entry, entry.get("model"), key_origin(entries, name)) for name, entry in entries.items()
    ]


KIND = StepKind(
    name="endpoint_config",
    type="EndpointConfig",
    arguments=arguments,
    request="CreateEndpointConfig",
    properties="DescribeEndpointConfigOutput",
    sugar={"name": Sugar("EndpointConfigName")},
    cacheable=True,
    retryable=STEP_RETRIES,
    refused=REFUSED,
    named_after={"variants.*.model": "model", "shadow.*.model": "model"},
)
