"""A step's Arguments against the AWS request that they become."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sagewright.compiler.definition import BRANCHES, PlacedStep, Reference, is_function
from sagewright.compiler.emulator.step_types import STEP_TYPES, Invalid
from sagewright.compiler.expression import Expression, Join, JsonGet, StepRef
from sagewright.compiler.shapes import Violation, bind
from sagewright.compiler.types import Type, is_assignable

TypeOf = Callable[[Reference], Type | None]


def check_arguments(step: PlacedStep, type_of: TypeOf) -> None:
    """Raise Invalid for what is wrong first with a step's Arguments, branches left out."""
    kind = STEP_TYPES[step.type]
    arguments = {key: value for key, value in step.body["Arguments"].items() if key not in BRANCHES}
    for member in kind.forbids:
        if member in arguments:
            raise Invalid(f"Unknown Argument member '{member}'")
    if kind.request is None:
        return
    typed = _typed(arguments, type_of)
    bind(typed, kind.request, omits=kind.omits, variable=_assign, report=_refuse)


def _typed(value: Any, type_of: TypeOf) -> Any:
    """`value` with its pseudo-functions as expressions that know their type."""
    if is_function(value):
        if isinstance(value.get("Get"), str):
            target = value["Get"]
            return StepRef(target, "", type_of(Reference(target, "")))
        if "Std:JsonGet" in value:
            return JsonGet("", "", "")
        return Join(())
    if isinstance(value, dict):
        return {key: _typed(item, type_of) for key, item in value.items()}
    return [_typed(item, type_of) for item in value] if isinstance(value, list) else value


def _assign(expression: Expression, wanted: Type) -> None:
    given = expression.type
    if given is None or not is_assignable(given, wanted):
        name = expression.step if isinstance(expression, StepRef) else "Std:Join"
        raise Invalid(f"Cannot assign property reference [{name}] to argument of type [{wanted}]")


def _refuse(violation: Violation) -> None:
    if violation.code == "SW601":
        raise Invalid(f"Unknown Argument member '{violation.path.rpartition('.')[2]}'")
    if violation.code == "SW602":
        first = re.findall(r"`([^`]+)`", violation.message.partition(" lacks ")[2])[0]
        raise Invalid(f"Missing required Argument member '{first}'")
    if violation.code == "SW408" or (violation.code == "SW603" and "a list" in violation.message):
        raise Invalid(f"Expecting start of Json {'Array' if 'a list' in violation.message else 'Object'}.")
    raise Invalid(f"Invalid Argument: {violation.message}")
