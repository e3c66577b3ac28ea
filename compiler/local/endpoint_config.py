"""EndpointConfig steps: kept in the registry, once the models that it names are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local.job import Job, JobFailed


def run(job: Job) -> Outcome:
    made = {key: value for key, value in job.description.items() if key != "EndpointConfigStatus"}
    registry = job.machine.registry
    names = set[str]()
    for variant in _variants(made):
        name = variant.get("VariantName")
        if name in names:
            raise JobFailed(f"two variants are called `{name}`")
        names.add(str(name))
        if "ModelName" not in variant:
            raise JobFailed(
                f"the variant `{name}` has no model, and inference components run only in AWS: take the step's result "
                "from --stub"
            )
        registry.model(variant["ModelName"])
    if not names:
        raise JobFailed("the endpoint configuration has no variant")
    registry.put("endpoint-config", made["EndpointConfigName"], made["EndpointConfigArn"], made)
    return job.succeeded(**registry.get("endpoint-config", made["EndpointConfigName"]))


def _variants(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from config.get("ProductionVariants") or ()
    yield from config.get("ShadowProductionVariants") or ()
