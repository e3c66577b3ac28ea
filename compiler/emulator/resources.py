"""What steps make, in the emulator's SageMaker: models, endpoints, model packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sagemaker.models import ModelPackage, SageMakerModelBackend

from sagewright.compiler.emulator import hosting, registry
from sagewright.compiler.engine.state import Outcome, Status, Task
from sagewright.compiler.engine.values import Unknown


def known(value: Any) -> Any:
    """`value` without what is unknown, however deep."""
    if isinstance(value, Mapping):
        return {key: known(item) for key, item in value.items() if not isinstance(item, Unknown)}
    if isinstance(value, list):
        return [known(item) for item in value if not isinstance(item, Unknown)]
    return value


def publish(
    backend: SageMakerModelBackend, task: Task, outcome: Outcome, keep: Callable[[ModelPackage], None]
) -> Outcome:
    """Have what a step made appear; the outcome with the ARNs that it got. It fails where SageMaker's API would.

    `keep` is told of a model package.
    """
    if task.type not in _MAKERS and task.type != "RegisterModel":
        return outcome
    request = known({**outcome.properties, **_arguments(task)})
    if task.type in _NAMES:
        request[_NAMES[task.type]] = known(outcome.properties).get(_NAMES[task.type])
    try:
        if task.type != "RegisterModel":
            _MAKERS[task.type](backend, request)
            return outcome
        package = registry.register(backend, request)
    except ServiceException as error:
        message = f"ClientError: {error.message}"
        return Outcome(Status.FAILED, message=message, complete=False)
    keep(package)
    version = {"ModelPackageArn": package.arn, "ModelPackageVersion": package.model_package_version}
    return replace(outcome, properties={**outcome.properties, **version})


def _arguments(task: Task) -> Mapping[str, Any]:
    return task.arguments if isinstance(task.arguments, Mapping) else {}


def _deploy(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> str:
    """An Endpoint step creates or updates."""
    there = request.get("EndpointName") in backend.endpoints
    return (hosting.update_endpoint if there else hosting.create_endpoint)(backend, request)


_NAMES = {"Model": "ModelName", "EndpointConfig": "EndpointConfigName", "Endpoint": "EndpointName"}
_MAKERS: Mapping[str, Callable[[SageMakerModelBackend, Mapping[str, Any]], str]] = {
    "Model": hosting.create_model,
    "EndpointConfig": hosting.create_config,
    "Endpoint": _deploy,
}
