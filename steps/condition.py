"""Choose between two branches by an expression over reports, parameters and other steps' results.

The steps of the branch that is not taken, and every step that depends on them wherever it stands, are skipped; the
execution still succeeds. Source: SageMaker developer guide, "Condition step".
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler import step_shapes
from sagewright.compiler.kind import Context, StepKind, Sugar
from sagewright.compiler.model import Step
from sagewright.compiler.source import key_origin

CONDITIONS = "Conditions"


def arguments(step: Step, context: Context) -> dict[str, Any]:
    if not step.branches:
        context.error(
            "SW202", f"the condition `{step.name}` lacks both `then` and `else`", key_origin(step.body, "if")
        )
    for member in step.api or ():
        if member != CONDITIONS:
            message = f"`api` of a condition holds `{CONDITIONS}` only: steps stand under `then` and `else`"
            context.error("SW208", message, key_origin(step.api, member))
    if step.api is not None and step.api.get(CONDITIONS) == []:
        message = "the condition is always true: `api` leaves nothing of it"
        context.error("SW403", message, key_origin(step.api, CONDITIONS))
    return {CONDITIONS: step.body["if"]}


KIND = StepKind(
    name="condition",
    type="Condition",
    arguments=arguments,
    request={CONDITIONS: "Conditions", "IfSteps": "Steps", "ElseSteps": "Steps"},
    omits=("IfSteps", "ElseSteps"),
    service=step_shapes.SERVICE,
    sugar={"outcome": Sugar("Outcome", values=("True", "False"))},
    attributes=("Outcome",),
    branches={"then": "IfSteps", "else": "ElseSteps"},
    conditions=("if",),
)
