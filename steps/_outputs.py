"""What Lambda and Callback share: arguments that keep their types, and declared outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagewright.compiler.kind import Context, Sugar
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin
from sagewright.compiler.types import Type


def arguments(step: Step, context: Context) -> dict[str, Any]:
    for name, value in (step.api or {}).items():
        if isinstance(value, (dict, list)):
            context.error("SW603", f"`{name}` must be a single value", key_origin(step.api, name))
    return step.body.get("arguments", {})


def output_parameters(body: Map) -> list[dict[str, str]]:
    return [{"OutputName": name, "OutputType": kind} for name, kind in body.get("outputs", {}).items()]


def _declared(body: Map) -> Mapping[str, Type | None]:
    outputs = body.get("outputs")
    if not isinstance(outputs, dict):
        return {}
    known = {kind.value: kind for kind in Type}
    return {
        name: known.get(kind, Type.ANY) if isinstance(kind, str) else Type.ANY
        for name, kind in outputs.items()
    }


OUTPUTS = Sugar("OutputParameters['{}']", names=_declared)
