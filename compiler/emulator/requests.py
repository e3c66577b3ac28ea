"""What a request may hold, by botocore's shapes, refused in AWS's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sagewright.compiler.api import matcher

REFUSED = "Value {value} at '{place}' failed to satisfy constraint: Member must {constraint}"


def violations(parameters: Mapping[str, Any], shape: Any) -> str | None:
    """Everything in a request that its shape does not allow, as one message; None where there is nothing.

    `shape` is botocore's input shape of the operation.
    """
    found = list(_structure(parameters, shape, ""))
    if not found:
        return None
    count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
    return f"{count}: {'; '.join(found)}"


def _structure(value: Mapping[str, Any], shape: Any, place: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _refused(None, _below(place, name), "not be null")
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from _value(value[name], member, _below(place, name))


def _value(value: Any, shape: Any, place: str) -> Iterator[str]:
    limits = shape.metadata
    match shape.type_name:
        case "structure" if isinstance(value, Mapping):
            yield from _structure(value, shape, place)
        case "list" if isinstance(value, list):
            yield from _length(value, limits, place)
            for index, item in enumerate(value, start=1):
                yield from _value(item, shape.member, f"{place}.{index}.member")
        case "string" if isinstance(value, str):
            yield from _length(value, limits, place)
            if "pattern" in limits and not matcher(limits["pattern"])(value):
                yield _refused(value, place, f"satisfy regular expression pattern: {limits['pattern']}")
            if shape.enum and value not in shape.enum:
                yield _refused(value, place, f"satisfy enum value set: [{', '.join(shape.enum)}]")
        case "integer" | "long" if isinstance(value, int):
            if value < limits.get("min", value):
                yield _refused(value, place, f"have value greater than or equal to {limits['min']}")
            if value > limits.get("max", value):
                yield _refused(value, place, f"have value less than or equal to {limits['max']}")


def _length(value: str | list[Any], limits: Mapping[str, Any], place: str) -> Iterator[str]:
    if len(value) < limits.get("min", 0):
        yield _refused(value, place, f"have length greater than or equal to {limits['min']}")
    if len(value) > limits.get("max", len(value)):
        yield _refused(value, place, f"have length less than or equal to {limits['max']}")


def _refused(value: Any, place: str, constraint: str) -> str:
    shown = "null" if value is None else f"'{value if len(str(value)) <= 256 else str(value)[:256] + '...'}'"
    return REFUSED.format(value=shown, place=place, constraint=constraint)


def _below(place: str, name: str) -> str:
    member = name[0].lower() + name[1:]
    return f"{place}.{member}" if place else member
