"""What Lambda and Callback steps give back: the outputs that they declare, each of its type."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sagewright.compiler.suggest import listing, nearest

_TYPES: Mapping[str, tuple[type, ...]] = {
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
}


class OutputError(Exception):
    """Outputs that are not those declared, in words for people."""


def declared(body: Mapping[str, Any]) -> dict[str, str]:
    """The types of a step's OutputParameters by their names."""
    return {
        entry["OutputName"]: entry.get("OutputType", "String") for entry in body.get("OutputParameters") or ()
    }


def checked(given: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """The declared outputs; others are left out. Raises OutputError for one that is missing, or of another type."""
    missing = [name for name in types if name not in given]
    if missing:
        raise OutputError(f"there is no output {listing(missing)}; given: {listing(list(given))}")
    for name, wanted in types.items():
        value = given[name]
        if not isinstance(value, _TYPES.get(wanted, (object,))) or (
            isinstance(value, bool) and wanted != "Boolean"
        ):
            raise OutputError(
                f"the output `{name}` is declared as {wanted}, and is {json.dumps(value, default=str)}"
            )
    return {name: given[name] for name in types}


def read(assignments: Iterable[str], types: Mapping[str, str]) -> dict[str, Any]:
    """Outputs as `name=value` on a command line. Raises OutputError."""
    made: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals:
            raise OutputError(f"`{text}` is no NAME=VALUE")
        if name not in types:
            near = nearest(name, types)
            hint = f"; did you mean `{near}`?" if near else f"; it declares {listing(list(types))}"
            raise OutputError(f"the step declares no output `{name}`{hint}")
        made[name] = _value(name, value, types[name])
    return checked(made, types)


def _value(name: str, text: str, wanted: str) -> Any:
    try:
        if wanted == "Integer":
            return int(text)
        if wanted == "Float":
            return float(text)
        if wanted == "Boolean":
            return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError):
        raise OutputError(f"the output `{name}` is declared as {wanted}, and `{text}` is none") from None
    return text
