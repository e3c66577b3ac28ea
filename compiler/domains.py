"""What operands of conditions can be, where that is declared."""

from __future__ import annotations

from typing import Any

from sagewright.compiler.expression import Literal, ParameterRef, StepRef
from sagewright.compiler.names import Names


def never(left: Any, right: Any, names: Names) -> tuple[str, tuple[str, ...]] | None:
    """The text that one of the two is and the other can never be, with all that that can be. Of components nothing is
    said: they are written for whatever they are given."""
    for operand, other in ((left, right), (right, left)):
        if isinstance(other, Literal) and isinstance(other.value, str) and names.frame.is_plain:
            known = _all_values(operand, names)
            if known and other.value not in known and all(isinstance(value, str) for value in known):
                return other.value, known
    return None


def _all_values(operand: Any, names: Names) -> tuple[str, ...]:
    """All that an operand can be, where that is declared; else nothing."""
    if isinstance(operand, ParameterRef):
        return names.pipeline.parameters[operand.name].enum
    step = names.steps.get(operand.step) if isinstance(operand, StepRef) else None
    if step is None:
        return ()
    return next((one.values for one in step.kind.sugar.values() if one.path == operand.path), ())
