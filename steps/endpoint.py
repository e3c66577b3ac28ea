"""Create an endpoint from its configuration, or update it where it exists.

Source: CreateEndpoint in the SageMaker API reference; that the step also updates, SDK 3.27.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, StepKind, Sugar, present, tag_list
from sagewright.compiler.model import Step
from sagewright.steps.endpoint_config import REFUSED_BEFORE

REFUSED = {"DeploymentConfig": ("SW904", REFUSED_BEFORE)}


def arguments(step: Step, context: Context) -> dict[str, Any]:
    return endpoint(step, step.body["name"], step.body["config"])


def endpoint(step: Step, name: Any, config: Any) -> dict[str, Any]:
    """The Arguments of the endpoint `name` with the configuration of that name."""
    return present(EndpointName=name, EndpointConfigName=config, Tags=tag_list(step.tags))


KIND = StepKind(
    name="endpoint",
    type="Endpoint",
    arguments=arguments,
    request="CreateEndpoint",
    properties="DescribeEndpointOutput",
    sugar={"name": Sugar("EndpointName")},
    cacheable=True,
    refused=REFUSED,
    named_after={"config": "endpoint_config"},
)
