"""What pseudo-functions give while a pipeline runs: `Get`, `Std:Join`, `Std:JsonGet`.

A value that nobody can tell is an `Unknown`, and makes everything that is made of it unknown. A value that is not
there raises `Unavailable`, and the step that asks for it fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from sagewright.compiler.definition import NAMES, DefinitionError, Reference, is_function

_SEGMENT = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_ITEM_NAMES = (*NAMES, "MetricName")
_PLAIN_FLOAT = (1e-3, 1e7)
"""Between these, every way of writing a number that we know writes it alike; beyond, Java takes an exponent."""

Segments = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """What only the service, or code that has not run, can tell. `reason` says why, as a clause."""

    reason: str

    def __str__(self) -> str:
        return f"<unknown: {self.reason}>"


class Unavailable(Exception):
    """A value that is not there. The text is the FailureReason of the step that asks for it."""


class Scope(Protocol):
    """Where a step's values come from."""

    def parameter(self, name: str) -> Any: ...

    def variable(self, name: str) -> Any:
        """An execution variable (`PipelineExecutionId`), or `ExperimentName` and `TrialName`."""
        ...

    def step(self, name: str, segments: Segments, target: str) -> Any:
        """A property of a step that has ended; `target` is how the reference is written."""
        ...

    def item(self, segments: Segments) -> Any:
        """The current item of the ForEach, or a part of it."""
        ...

    def report(self, step: str, file: str) -> Any:
        """The JSON in a property file of a step. Raises Unavailable."""
        ...

    def document(self, uri: str) -> Any:
        """The JSON of an S3 object. Raises Unavailable."""
        ...


Template = Callable[[Scope], Any]


def prepare(value: Any) -> Template:
    """A function that fills in the pseudo-functions of `value`; what has none is shared, not copied.

    Raises DefinitionError for a pseudo-function that is malformed.
    """
    made = _prepared(value)
    return made if made is not None else lambda _scope: value


def _prepared(value: Any) -> Template | None:
    """The template of `value`, None where it is constant."""
    if not isinstance(value, (dict, list)):  # JSON's own: an abstract type would take twice the time
        return None
    if isinstance(value, dict) and len(value) == 1 and is_function(value):
        ((name, operand),) = value.items()
        return {"Get": _get, "Std:Join": _join, "Std:JsonGet": _json_get}[name](operand)
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    dynamic = [(key, made) for key, item in entries if (made := _prepared(item)) is not None]
    if not dynamic:
        return None
    copy: Callable[[Any], Any] = dict if isinstance(value, dict) else list

    def fill(scope: Scope) -> Any:
        made = copy(value)
        for key, template in dynamic:
            made[key] = template(scope)
        return made

    return fill


def _get(target: Any) -> Template:
    if not isinstance(target, str):
        raise DefinitionError(f"`Get` wants a text, not {json.dumps(target)}")
    reference = Reference(target, "")
    name, segments = reference.name, path(reference.rest)
    match reference.root:
        case "Parameters":
            return lambda scope: scope.parameter(name)
        case "Execution" | "PipelineExperimentConfig":
            return lambda scope: scope.variable(name)
        case "Steps":
            return lambda scope: scope.step(name, segments, target)
        case "ForEach":
            return lambda scope: scope.item(segments)
    raise DefinitionError(f"`{target}` refers to nothing that a pipeline has")


def _join(operand: Any) -> Template:
    if not isinstance(operand, Mapping) or not isinstance(operand.get("Values"), list):
        raise DefinitionError("`Std:Join` wants `On` and a list of `Values`")
    on, values = operand.get("On", ""), [prepare(value) for value in operand["Values"]]
    if not isinstance(on, str):
        raise DefinitionError("`On` of a `Std:Join` wants a text")

    def fill(scope: Scope) -> Any:
        pieces: list[str] = []
        for value in values:
            piece = text(value(scope))
            if isinstance(piece, Unknown):
                return piece
            pieces.append(piece)
        return on.join(pieces)

    return fill


def _json_get(operand: Any) -> Template:
    if not isinstance(operand, Mapping) or not isinstance(operand.get("Path"), str):
        raise DefinitionError("`Std:JsonGet` wants a `Path`, and a `PropertyFile` or an `S3Uri`")
    written, source = operand["Path"], _document(operand)
    segments = path(written)

    def fill(scope: Scope) -> Any:
        document = source(scope)
        if isinstance(document, Unknown):
            return document
        if written.startswith("$"):
            return Unknown(f"nobody has seen the path `{written}`, with a `$`, in a JsonGet")
        found = lookup(document, segments)
        if found is MISSING:
            raise Unavailable(f"Invalid json path '{written}'")
        if found is None:
            raise Unavailable(f"Json path '{written}' is null, and so is undefined.")
        return found

    return fill


def _document(operand: Mapping[str, Any]) -> Template:
    """What reads the JSON that a JsonGet looks into."""
    file = operand.get("PropertyFile")
    if isinstance(file, Mapping) and isinstance(file.get("Get"), str):
        reference = Reference(file["Get"], "")
        step, name = reference.name, reference.rest.removeprefix("PropertyFiles.")
        return lambda scope: scope.report(step, name)
    if "S3Uri" not in operand:
        raise DefinitionError("`Std:JsonGet` wants a `PropertyFile` or an `S3Uri`")
    uri = prepare(operand["S3Uri"])

    def read(scope: Scope) -> Any:
        found = uri(scope)
        return found if isinstance(found, Unknown) else scope.document(str(found))

    return read


# -- paths ------------------------------------------------------------------------------------------------------------

MISSING = object()
"""What `lookup` gives where there is nothing."""


@lru_cache(maxsize=4096)
def path(written: str) -> Segments:
    """`Outputs['train'].S3Output[0]` as its segments: names, and indexes as integers."""
    return tuple(
        int(index) if index else name or single or double
        for name, index, single, double in _SEGMENT.findall(written)
    )


def lookup(value: Any, segments: Segments) -> Any:
    """What stands below `value`: members by name, list items by index or by the name they have, and the members of
    JSON in a string. MISSING where there is nothing, an Unknown where one is met."""
    for segment in segments:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                return MISSING
        if isinstance(value, Mapping):
            value = value.get(segment, MISSING)
        elif isinstance(value, list):
            value = _list_item(value, segment)
        elif not isinstance(value, Unknown):
            return MISSING
        if value is MISSING or isinstance(value, Unknown):
            return value
    return value


def _list_item(items: list[Any], segment: str | int) -> Any:
    if isinstance(segment, int):
        return items[segment] if segment < len(items) else MISSING
    for item in items:
        if isinstance(item, Mapping) and any(item.get(name) == segment for name in _ITEM_NAMES):
            return item
    return MISSING


# -- text -------------------------------------------------------------------------------------------------------------


def text(value: Any) -> str | Unknown:
    """A value as a join writes it."""
    if isinstance(value, (str, Unknown)):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value and not _PLAIN_FLOAT[0] <= abs(value) < _PLAIN_FLOAT[1]:
        return Unknown(f"nobody has seen how SageMaker writes {value!r} in a text")
    if isinstance(value, (int, float)):
        return str(value)
    return Unknown("nobody has seen a list, a structure or null joined to a text")


def first_unknown(value: Any) -> Unknown | None:
    """The first Unknown in a value, however deep."""
    if isinstance(value, Unknown):
        return value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next((found for item in inner if (found := first_unknown(item)) is not None), None)
