"""The runner of each step type that this machine can carry out; the rest take their results from a scenario."""

from __future__ import annotations

from importlib import import_module

from sagewright.compiler.local.job import Runner

RUNNERS = {
    "Processing": "processing",
    "Training": "training",
    "Transform": "transform",
    "Model": "model",
    "RegisterModel": "register",
    "EndpointConfig": "endpoint_config",
    "Endpoint": "endpoint",
    "Lambda": "lambda_",
    "Callback": "callback",
}
"""By step type, the module of this package whose function `run` carries it out: imported when it is used."""


def runner(step_type: str) -> Runner | None:
    """None where this machine cannot do it."""
    name = RUNNERS.get(step_type)
    return import_module(f"sagewright.compiler.local.{name}").run if name else None
