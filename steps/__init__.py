"""The step kinds, one module each. A kind's module is imported when a pipeline uses it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from sagewright.compiler.kind import StepKind
from sagewright.schemas import ENTRY_POINTS

KINDS = {
    "processing": "sagewright.steps.processing",
    "training": "sagewright.steps.training",
    "tuning": "sagewright.steps.tuning",
    "automl": "sagewright.steps.automl",
    "transform": "sagewright.steps.transform",
    "quality_check": "sagewright.steps.quality_check",
    "clarify_check": "sagewright.steps.clarify_check",
    "monitor_transform": "sagewright.steps.monitor_transform",
    "model": "sagewright.steps.model",
    "register": "sagewright.steps.register",
    "deploy": "sagewright.steps.deploy",
    "endpoint_config": "sagewright.steps.endpoint_config",
    "endpoint": "sagewright.steps.endpoint",
    "inference_component": "sagewright.steps.inference_component",
    "condition": "sagewright.steps.condition",
    "fail": "sagewright.steps.fail",
    "foreach": "sagewright.steps.foreach",
    "lambda": "sagewright.steps.lambda_",
    "callback": "sagewright.steps.callback",
    "emr": "sagewright.steps.emr",
    "emr_serverless": "sagewright.steps.emr_serverless",
    "notebook": "sagewright.steps.notebook",
    "job": "sagewright.steps.job",
    "lineage": "sagewright.steps.lineage",
    "cleanup": "sagewright.steps.cleanup",
    "native": "sagewright.steps.native",
}
"""Name → module, in the order that the documentation lists them."""


@cache
def find(name: str) -> StepKind | None:
    """The kind of that name, None if there is none."""
    module = KINDS.get(name) or next(
        (point.value for point in entry_points(group=ENTRY_POINTS, name=name)), None
    )
    return import_module(module).KIND if module else None


@cache
def of_type(type: str) -> StepKind | None:
    """The first kind that makes steps of SageMaker's `type`, None if there is none."""
    kinds = (find(name) for name in names())
    return next((kind for kind in kinds if kind is not None and kind.type == type), None)


def names() -> list[str]:
    """All kinds, those of other packages last."""
    return [*KINDS, *sorted(point.name for point in entry_points(group=ENTRY_POINTS))]
