"""The parameters of an execution: what was given, checked as StartPipelineExecution does, and defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sagewright.compiler.engine.values import Unknown

MAXIMUM = 200
"""How many may be given. Source: botocore's shape ParameterList."""
MAXIMUM_LENGTH = 1_024
"""Of a value. Source: botocore's shape String1024."""
_INTEGER = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


class Refused(ValueError):
    """A start that SageMaker refuses; the text is that of its ValidationException.

    The words are those of the SDK's local mode (`_LocalPipelineExecution`) where it has any: the service's own were
    not seen. `parameter` is the one that is at fault.
    """

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


def declared(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The parameters that a definition declares, by name."""
    found = definition.get("Parameters")
    return {
        parameter["Name"]: parameter
        for parameter in (found if isinstance(found, list) else ())
        if isinstance(parameter, Mapping) and isinstance(parameter.get("Name"), str)
    }


def resolve(definition: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every declared parameter. Texts become values of the declared type. Raises Refused."""
    known = declared(definition)
    if len(given) > MAXIMUM:
        raise Refused(f"PipelineParameters length ({len(given)}) exceeds ({MAXIMUM})")
    for name in given:
        if name not in known:
            raise Refused(f"Unknown parameter '{name}'", name)
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        if name in given:
            values[name] = _checked(name, parameter, given[name])
        elif parameter.get("DefaultValue") is not None:
            values[name] = parameter["DefaultValue"]
        else:
            raise Refused(f"Parameter '{name}' is undefined.", name)
    return values


def any_values(definition: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """As `resolve`, but a parameter that has no value is unknown. Raises Refused for wrong ones."""
    known = declared(definition)
    resolve({"Parameters": [known[name] for name in given if name in known]}, given)
    return {
        name: given.get(name, parameter.get("DefaultValue", Unknown(f"the parameter `{name}` is not given")))
        for name, parameter in known.items()
    }


def _checked(name: str, parameter: Mapping[str, Any], value: Any) -> Any:
    if value == "":
        raise Refused(
            f'Parameter {name} value "" is too short (length: 0, required minimum: 1).', parameter=name
        )
    if isinstance(value, str) and len(value) > MAXIMUM_LENGTH:
        message = f"Parameter {name} value is too long (length: {len(value)}, maximum: {MAXIMUM_LENGTH})."
        raise Refused(message, name)
    kind = str(parameter.get("Type"))
    converted = _converted(kind, value)
    if converted is None:
        message = f"Unexpected type for parameter '{name}'. Expected {kind} but found {_shown(value)}."
        raise Refused(message, name)
    enum = parameter.get("EnumValues")
    if isinstance(enum, list) and enum and converted not in enum:
        message = f"Parameter '{name}' value '{converted}' is not one of its enum values {enum}."
        raise Refused(message, name)
    return converted


def _converted(kind: str, value: Any) -> Any:
    """`value` as the declared type has it, None where it is none of that type."""
    match kind, value:
        case "String", str():
            return value
        case "Boolean", bool():
            return value
        case "Boolean", str() if value.lower() in ("true", "false"):
            return value.lower() == "true"
        case (("Integer" | "Float"), bool()):
            return None
        case (("Integer" | "Float"), int()):
            return value
        case "Float", float():
            return value
        case "Integer", str() if _INTEGER.fullmatch(value):
            return int(value)
        case "Float", str() if _FLOAT.fullmatch(value):
            return float(value)
    return None


def _shown(value: Any) -> str:
    names = {bool: "Boolean", int: "Integer", float: "Float", str: "String"}
    return f"{names.get(type(value), type(value).__name__)} ({value!r})"
