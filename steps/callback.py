"""Send a message to an SQS queue, and wait until somebody answers it.

Whoever takes the message calls SendPipelineExecutionStepSuccess or -Failure with the token in it. Source: SageMaker
developer guide, "Callback step".
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, StepKind, present
from sagewright.compiler.model import Step
from sagewright.steps._outputs import OUTPUTS, arguments, output_parameters


def extra(step: Step, context: Context) -> dict[str, Any]:
    return present(SqsQueueUrl=step.body["queue"], OutputParameters=output_parameters(step.body))


KIND = StepKind(
    name="callback",
    type="Callback",
    arguments=arguments,
    extra=extra,
    sugar={"outputs": OUTPUTS},
    attributes=("OutputParameters",),
    cacheable=True,
)
