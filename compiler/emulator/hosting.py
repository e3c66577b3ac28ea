"""Models, endpoint configurations and endpoints in moto's backend, shadow variants and updates included."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpoint, FakeEndpointConfig, Model, SageMakerModelBackend

SHADOWS = "ShadowProductionVariants"


class EmulatedModel(Model):
    """A model with all that its request says."""

    def __init__(self, backend: SageMakerModelBackend, request: Mapping[str, Any]) -> None:
        super().__init__(
            backend.account_id,
            backend.region_name,
            request["ModelName"],
            request.get("ExecutionRoleArn", ""),
            request.get("PrimaryContainer", {}),
            request.get("VpcConfig", {}),
            request.get("Containers"),
            [dict(tag) for tag in request.get("Tags") or ()],
        )
        self.enable_network_isolation = bool(request.get("EnableNetworkIsolation"))


class EmulatedEndpointConfig(FakeEndpointConfig):
    """An endpoint configuration with all that its request says; moto's knows few members, and few instance types."""

    def __init__(self, backend: SageMakerModelBackend, request: Mapping[str, Any]) -> None:
        name = request["EndpointConfigName"]
        self.endpoint_config_name = name
        self.endpoint_config_arn = FakeEndpointConfig.arn_formatter(
            name, backend.account_id, backend.region_name
        )
        self.arn = self.endpoint_config_arn
        self.production_variants = [dict(variant) for variant in request.get("ProductionVariants") or ()]
        self.data_capture_config = dict(request.get("DataCaptureConfig") or {})
        self.tags = [dict(tag) for tag in request.get("Tags") or ()]
        self.creation_time = datetime.now(UTC).replace(tzinfo=None)
        self.request = dict(request)

    @property
    def response_object(self) -> dict[str, Any]:
        described = {key: value for key, value in self.request.items() if key != "Tags"}
        made = {"EndpointConfigArn": self.endpoint_config_arn, "CreationTime": self.creation_time}
        return {"DataCaptureConfig": {}, **described, **made}


class EmulatedEndpoint(FakeEndpoint):
    """An endpoint that can be updated, with shadow variants."""

    def __init__(
        self,
        backend: SageMakerModelBackend,
        name: str,
        config: FakeEndpointConfig,
        tags: list[dict[str, str]],
    ) -> None:
        super().__init__(
            backend.account_id, backend.region_name, name, config.endpoint_config_name, [], {}, tags
        )
        self.shadow_production_variants: list[dict[str, Any]] = []
        self.take(config)

    def take(self, config: FakeEndpointConfig) -> None:
        """Have it serve what a configuration says."""
        said = config.response_object
        self.endpoint_config_name = config.endpoint_config_name
        self.production_variants = self._process_production_variants(said.get("ProductionVariants") or [])
        self.shadow_production_variants = self._process_production_variants(said.get(SHADOWS) or [])
        self.data_capture_config = {}
        self.last_modified_time = datetime.now(UTC).replace(tzinfo=None)

    @property
    def response_object(self) -> dict[str, Any]:
        return {key: value for key, value in super().response_object.items() if value not in ([], {})}


def create_model(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> str:
    """A new model; its ARN."""
    # moto's models are made by a method that is typed for their base.
    model = cast("EmulatedModel", EmulatedModel(backend, request))
    backend._models[request["ModelName"]] = model
    return model.arn


def create_config(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> str:
    """A new endpoint configuration; its ARN."""
    config = cast("EmulatedEndpointConfig", EmulatedEndpointConfig(backend, request))
    backend.endpoint_configs[request["EndpointConfigName"]] = config
    return config.endpoint_config_arn


def create_endpoint(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> str:
    """A new endpoint; its ARN. Raises ValidationError where it is there, or its configuration is not."""
    name = request["EndpointName"]
    if name in backend.endpoints:
        raise ValidationError(f"Cannot create already existing endpoint '{backend.endpoints[name].arn}'.")
    config = _config(backend, request["EndpointConfigName"])
    tags = [dict(tag) for tag in request.get("Tags") or ()]
    endpoint = cast("EmulatedEndpoint", EmulatedEndpoint(backend, name, config, tags))
    backend.endpoints[name] = endpoint
    return endpoint.arn


def update_endpoint(backend: SageMakerModelBackend, request: Mapping[str, Any]) -> str:
    """Another configuration for an endpoint; its ARN. Raises ValidationError where one of the two is not there."""
    name = request["EndpointName"]
    endpoint = backend.endpoints.get(name)
    if not isinstance(endpoint, EmulatedEndpoint):
        arn = FakeEndpoint.arn_formatter(name, backend.account_id, backend.region_name)
        raise ValidationError(f"Could not find endpoint '{arn}'.")
    endpoint.take(_config(backend, request["EndpointConfigName"]))
    return endpoint.arn


def _config(backend: SageMakerModelBackend, name: str) -> FakeEndpointConfig:
    config = backend.endpoint_configs.get(name)
    if config is None:
        arn = FakeEndpointConfig.arn_formatter(name, backend.account_id, backend.region_name)
        raise ValidationError(f"Could not find endpoint configuration '{arn}'.")
    return config
