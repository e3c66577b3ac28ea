"""The types of SageMaker's values, and what is assignable to what."""

from __future__ import annotations

from enum import Enum
from math import isfinite


class Type(Enum):
    """The four types of pipeline parameters; ANY is known only when the pipeline runs (a report's value, `item`)."""

    STRING = "String"
    INTEGER = "Integer"
    FLOAT = "Float"
    BOOLEAN = "Boolean"
    ANY = "Any"

    def __str__(self) -> str:
        return self.value

    @property
    def is_number(self) -> bool:
        return self in (Type.INTEGER, Type.FLOAT)


def type_of(value: object) -> Type:
    """The type of a literal. Raises `TypeError` for what is no scalar."""
    if isinstance(value, bool):
        return Type.BOOLEAN
    if isinstance(value, int):
        return Type.INTEGER
    if isinstance(value, float):
        return Type.FLOAT
    if isinstance(value, str):
        return Type.STRING
    raise TypeError(f"no scalar: {value!r}")


def unquoted(text: str, wanted: Type) -> str | None:
    """How a text is written as a literal of a type, in words; None where it says none."""
    word = text.lower()
    if wanted is Type.BOOLEAN:
        if word in ("yes", "on", "no", "off"):
            return f"write `{'true' if word in ('yes', 'on') else 'false'}`"
        return "write it without quotes" if word in ("true", "false") else None
    try:
        fits = (
            text == str(int(text)) if wanted is Type.INTEGER else wanted.is_number and isfinite(float(text))
        )
    except ValueError:
        return None
    return "write it without quotes" if fits else None


def is_assignable(given: Type, wanted: Type) -> bool:
    """Whether `given` may stand as it is where `wanted` is wanted (no cast)."""
    return given is wanted or Type.ANY in (given, wanted) or (given is Type.INTEGER and wanted is Type.FLOAT)


def are_comparable(left: Type, right: Type) -> bool:
    """Whether SageMaker's comparisons take the two: equal types, or two numbers."""
    return left is right or Type.ANY in (left, right) or (left.is_number and right.is_number)
