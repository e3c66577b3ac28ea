"""A step type that has no kind yet, spelt as SageMaker spells it.

`arguments` and any other key of the step are taken as they are. Types whose request AWS documents are checked against
it; of others nothing but the references is checked.
"""

from __future__ import annotations

from sagewright.compiler.kind import NATIVE_TYPES, Context, StepKind, emitted
from sagewright.compiler.model import Emitted, Step


def expand(step: Step, context: Context) -> list[Emitted]:
    kind_of_type = NATIVE_TYPES.get(step.body["type"])
    extra = {key: value for key, value in step.body.items() if key[:1].isupper()}  # ours are in lower case
    return [
        emitted(
            step,
            step.name,
            KIND,
            step.body.get("arguments", {}),
            type=step.body["type"],
            request=kind_of_type.request if kind_of_type else None,
            omits=kind_of_type.omits if kind_of_type else (),
            extra=extra,
        )
    ]


KIND = StepKind(
    name="native",
    type="",
    expand=expand,
    cacheable=True,
    retryable=(
        "Step.SERVICE_FAULT",
        "Step.THROTTLING",
        "SageMaker.JOB_INTERNAL_ERROR",
        "SageMaker.CAPACITY_ERROR",
        "SageMaker.RESOURCE_LIMIT",
    ),
)
