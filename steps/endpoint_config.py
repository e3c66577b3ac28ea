"""Create an endpoint configuration: which models an endpoint serves, on what, and how traffic is shared.

The service adds a suffix to its name, so other steps refer to `${steps.<step>.name}`. Source: CreateEndpointConfig in
the SageMaker API reference.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import STEP_RETRIES, Context, StepKind, Sugar, present
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin
from sagewright.steps._job import vpc_config
from sagewright.steps.variants import Variant, configuration

REFUSED_BEFORE = (
    "SDK 2.257 said that pipelines refuse it, SDK 3.27 emits it; nobody has tried it on the service"
)
REFUSED = {"DataCaptureConfig": ("SW904", REFUSED_BEFORE), "ExplainerConfig": ("SW904", REFUSED_BEFORE)}


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    name = body.get("name", f"{context.pipeline}-{step.name}".replace("_", "-"))
    network = body.get("network") or Map()
    return {
        **configuration(step, context, name, _variants(body, "variants"), _variants(body, "shadow")),
        **present(
            ExecutionRoleArn=body.get("role"),
            VpcConfig=vpc_config(network),
            EnableNetworkIsolation=network.get("isolation"),
        ),
    }


def _variants(body: Map, key: str) -> list[Variant]:
    entries = body.get(key) or Map()
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
)
