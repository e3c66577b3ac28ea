"""Condition steps: their terms are true, false, or unknown where nobody knows (Kleene's logic), and unknown altogether
where a term may fail the step."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sagewright.compiler.engine.values import Unknown

Truth = bool | Unknown


@dataclass(frozen=True, slots=True)
class Incomparable(Unknown):
    """A term that may fail the whole step, as it does in the SDK's local mode: nobody has seen what SageMaker does."""


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


def evaluate(conditions: Any) -> Truth:
    """Whether all of a step's conditions hold, their values filled in."""
    if not isinstance(conditions, list):
        return Unknown("its conditions are no list")
    return _all(_term(condition) for condition in conditions)


def _term(condition: Any) -> Truth:
    if isinstance(condition, Unknown):
        return condition
    if not isinstance(condition, Mapping):
        return Unknown("a condition that is no structure")
    kind = condition.get("Type")
    if kind == "Not":
        inner = _term(condition.get("Condition"))
        return inner if isinstance(inner, Unknown) else not inner
    if kind == "Or":
        return _any(_term(inner) for inner in _list(condition, "Conditions"))
    if kind == "In":
        query = condition.get("QueryValue")
        return _any(_compare("Equals", query, value) for value in _list(condition, "Values"))
    if isinstance(kind, str) and kind in _COMPARISONS:
        return _compare(kind, condition.get("LeftValue"), condition.get("RightValue"))
    return Incomparable(f"the condition type `{kind}` is not known")


def _list(condition: Mapping[str, Any], member: str) -> list[Any]:
    """A member that is a list; what is none stands for something unknown."""
    found = condition.get(member)
    return found if isinstance(found, list) else [Unknown(f"`{member}` of a condition is no list")]


def _all(terms: Iterable[Truth]) -> Truth:
    return _decided(terms, decisive=False)


def _any(terms: Iterable[Truth]) -> Truth:
    return _decided(terms, decisive=True)


def _decided(terms: Iterable[Truth], *, decisive: bool) -> Truth:
    """`decisive` where a term is, else what is unknown. A term that may fail the step goes over all others."""
    found = list(terms)
    for term in found:
        if isinstance(term, Incomparable):
            return term
    if any(term is decisive for term in found):
        return decisive
    return next((term for term in found if isinstance(term, Unknown)), not decisive)


def _compare(kind: str, left: Any, right: Any) -> Truth:
    for value in (left, right):
        if isinstance(value, Unknown):
            return value
    first, second = _sort(left), _sort(right)
    if first is None or first != second:
        return Incomparable(f"nobody has seen SageMaker compare {_shown(left)} with {_shown(right)}")
    if kind != "Equals" and first != "number":
        return Incomparable(f"nobody has seen SageMaker order {first}s: {_shown(left)} and {_shown(right)}")
    if kind == "Equals" and isinstance(left, float) is not isinstance(right, float):
        return Incomparable(
            f"nobody has seen whether {_shown(left)} and {_shown(right)} can be equal for SageMaker; the SDK's local mode "
            "fails, as one is an Integer and one a Float"
        )
    return _COMPARISONS[kind](left, right)


def _sort(value: Any) -> str | None:
    """Values of one sort compare."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "String" if isinstance(value, str) else None


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (str, int, float)) else "a list, a structure or null"
