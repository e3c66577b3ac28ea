"""End the execution as failed, with a message.

Steps that already run finish first. Nothing may depend on a Fail step. Source: SageMaker developer guide, "Fail step".
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, StepKind, as_text
from sagewright.compiler.model import Step
from sagewright.compiler.source import origin

MAX_MESSAGE = 3072
"""Characters. Source: SageMaker developer guide, "Fail step"."""


def arguments(step: Step, context: Context) -> dict[str, Any]:
    message = as_text(step.body, "message") if "message" in step.body else ""
    if isinstance(message, str) and len(message) > MAX_MESSAGE:
        at = origin(step.body, "message")
        context.error("SW206", f"`message` has {len(message):,} characters, the most is {MAX_MESSAGE:,}", at)
    return {"ErrorMessage": message}


KIND = StepKind(
    name="fail", type="Fail", arguments=arguments, request={"ErrorMessage": "string"}, attributes=()
)
