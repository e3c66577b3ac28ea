"""What AWS's requests take: a step's Arguments against botocore's shapes.

The shapes come from the snapshot in `schemas/api/` (see `tools/generate_api.py`), those of the service "pipelines"
from `step_shapes`. A variable may stand wherever a scalar may. The shapes of responses, for properties, are in `properties`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

from sagewright.compiler import step_shapes
from sagewright.compiler.api import matcher, snapshot
from sagewright.compiler.expression import Expression
from sagewright.compiler.properties import PropertyError, property_names, property_path, property_type
from sagewright.compiler.source import plain_number
from sagewright.compiler.suggest import listing
from sagewright.compiler.types import Type
from sagewright.compiler.walk import (
    FUNCTIONS,
    Frame,
    Key,
    Problem,
    Violation,
    Walk,
    is_function,
    limits,
    number,
    shortened,
    suggestion,
)

__all__ = [
    "FUNCTIONS",
    "PropertyError",
    "Violation",
    "bind",
    "botocore_version",
    "members",
    "property_names",
    "property_path",
    "property_type",
]


def bind(
    arguments: Any,
    request: str | Mapping[str, Any] | None,
    *,
    omits: Collection[str] = (),
    variable: Callable[[Expression, Type], Any],
    report: Callable[[Violation], None],
    service: str = "sagemaker",
) -> Any:
    """`arguments` as JSON has it, checked against a request; unchecked where that is None.

    `request` is an operation, or the members of a structure that is no operation's, each with its shape: the name of
    one of the service's shapes (`RunJobFlowInput`, `string`), a mapping for such a structure again, `[shape]` for a
    list. All of these members are required.

    Expressions become what `variable` makes of them for the type that their place wants (ANY where unchecked);
    pseudo-functions that are written out pass as they are. Members that are None are dropped. Those in `omits` may be
    absent though they are required; it holds paths without indices (`ClusterConfig.Name`). What is wrong goes to
    `report`, and the rest is still checked; then the result is not to be used. Raises `KeyError` for an operation or
    a shape that is not in the snapshot.
    """
    walk = Walk(request if isinstance(request, str) else "arguments", variable, report, frozenset(omits))
    if request is None:
        return walk.unchecked(arguments, None, None)
    return _requests(service).root(request).bind(arguments, walk, None, None)


def members(operation: str, service: str = "sagemaker") -> dict[str, bool]:
    """The members of an operation's request, and whether each is required."""
    shape = _requests(service).root(operation)
    return {name: name in shape.required for name in shape.members.references}


def botocore_version(service: str = "sagemaker") -> str:
    """The version of botocore that the shapes were taken from."""
    return _requests(service).version


class _Members(dict[str, "_Shape | None"]):
    """The members of a structure, each prepared when it is first met; None for what is no member."""

    __slots__ = ("_requests", "references")

    def __init__(self, requests: _Requests, references: Mapping[str, Any]) -> None:
        super().__init__()
        self._requests = requests
        self.references = references

    def __missing__(self, name: str) -> _Shape | None:
        reference = self.references.get(name)
        if reference is None:
            return None
        made = self[name] = self._requests.shape(reference)
        return made


# Each shape's `bind` gives the value at `key` of `frame` as JSON has it, and tells the walk what is wrong with it.


class _Structure:
    __slots__ = ("members", "required")

    def __init__(self, raw: Mapping[str, Any], requests: _Requests) -> None:
        self.members = _Members(requests, raw["members"])
        self.required: Collection[str] = raw.get("required", ())

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        if not isinstance(value, dict) or (len(value) == 1 and is_function(value)):
            return walk.container("a mapping", value, frame, key)
        inner = (frame, key, value)
        made: dict[str, Any] = {}
        for name, item in value.items():
            if item is None:
                continue
            shape = self.members[name]
            if shape is None:
                walk.unknown(name, self.members.references, inner)
            else:
                made[name] = shape.bind(item, walk, inner, name)
        missing = [name for name in self.required if name not in made]
        if missing:
            walk.missing(missing, inner)
        return made


class _Tagged:
    """A structure whose member `tag` says which members it has."""

    __slots__ = ("cases", "tag")

    def __init__(self, raw: Mapping[str, Any], requests: _Requests) -> None:
        self.tag: str = raw["tag"]
        self.cases = {
            name: _Structure({"members": {self.tag: "string", **members}, "required": members}, requests)
            for name, members in raw["cases"].items()
        }

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        if not isinstance(value, dict) or is_function(value):
            return walk.container("a mapping", value, frame, key)
        given, inner = value.get(self.tag), (frame, key, value)
        if isinstance(given, str) and given in self.cases:
            return self.cases[given].bind(value, walk, frame, key)
        if given is None:
            return walk.missing([self.tag], inner)
        known = suggestion(given, self.cases, "it takes") if isinstance(given, str) else None
        problem = Problem("SW604", f"is none of {listing(self.cases)}", known)
        return walk.refuse(problem, given, inner, self.tag)


class _List:
    __slots__ = ("element", "high", "low")

    def __init__(self, raw: dict[str, Any], requests: _Requests) -> None:
        self.element = requests.shape(raw["member"])
        self.low, self.high = raw.get("min", 0), raw.get("max", sys.maxsize)

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        if not isinstance(value, list):
            return walk.container("a list", value, frame, key)
        count = len(value)
        if not self.low <= count <= self.high:
            what = f"has {count} items, {limits(count, self.low, self.high)}"
            walk.refuse(Problem("SW606", what), value, frame, key)
        inner = (frame, key, value)
        bind = self.element.bind
        return [bind(item, walk, inner, index) for index, item in enumerate(value)]


class _Map:
    __slots__ = ("high", "keys", "low", "values")

    def __init__(self, raw: dict[str, Any], requests: _Requests) -> None:
        keys = requests.shape(raw["key"])
        assert isinstance(keys, _String)
        self.keys, self.values = keys, requests.shape(raw["value"])
        self.low, self.high = raw.get("min", 0), raw.get("max", sys.maxsize)

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        if not isinstance(value, dict) or (len(value) == 1 and is_function(value)):
            return walk.container("a mapping", value, frame, key)
        inner = (frame, key, value)
        made: dict[str, Any] = {}
        for name, item in value.items():
            if item is not None:
                problem = self.keys.problem(name)
                if problem is not None:
                    walk.refuse_key(problem, inner, name)
                made[name] = self.values.bind(item, walk, inner, name)
        count = len(made)
        if not self.low <= count <= self.high:
            what = f"has {count} entries, {limits(count, self.low, self.high)}"
            walk.refuse(Problem("SW606", what), value, frame, key)
        return made


class _String:
    __slots__ = ("enum", "high", "is_free", "known_by", "low", "pattern")

    def __init__(self, raw: dict[str, Any]) -> None:
        self.enum = frozenset[str](raw["enum"]) if "enum" in raw else None
        self.known_by: str = raw.get("known_by", "")
        self.low, self.high = raw.get("min", 0), raw.get("max", sys.maxsize)
        self.pattern: str | None = raw.get("pattern")
        self.is_free = len(raw) == 1

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        if not isinstance(value, str):
            return walk.leaf(Type.STRING, "a string", value, frame, key)
        if not self.is_free:
            problem = self.problem(value)
            if problem is not None:
                walk.refuse(problem, value, frame, key)
        return value if type(value) is str else str(value)

    def problem(self, value: str) -> Problem | None:
        """What is wrong with a text, if anything is."""
        if self.enum is not None:
            return None if value in self.enum else self._outside(value, sorted(self.enum))
        if not self.low <= len(value) <= self.high:  # and no pattern then: on a long text it may take ages
            what = f"has {len(value)} characters, {limits(len(value), self.low, self.high)}"
            return Problem("SW606", what)
        if self.pattern is None or matcher(self.pattern)(value):
            return None
        return Problem(
            "SW605", f"is `{shortened(value)}`, which does not match AWS's pattern `{self.pattern}`"
        )

    def _outside(self, value: str, known: list[str]) -> Problem:
        what = f"cannot be `{shortened(value)}`: it is none of the {len(known)} values that "
        known_by = self.known_by or f"botocore {botocore_version()}"
        return Problem("SW604", f"{what}{known_by} knows", suggestion(value, known, "it takes"))


class _Number:
    __slots__ = ("_what", "_whole", "high", "low")

    def __init__(self, raw: dict[str, Any]) -> None:
        bits = {"integer": 31, "long": 63}.get(raw["type"])
        self._whole = bits is not None
        self._what = "an integer" if self._whole else "a number"
        least, most = (-(2**bits), 2**bits - 1) if bits else (-math.inf, math.inf)
        self.low, self.high = raw.get("min", least), raw.get("max", most)

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        if not (type(value) is int or (type(value) is float and not self._whole and math.isfinite(value))):
            plain = plain_number(value)
            if plain is not value:
                return self.bind(plain, walk, frame, key)
            return walk.leaf(Type.INTEGER if self._whole else Type.FLOAT, self._what, value, frame, key)
        if not self.low <= value <= self.high:
            what = f"is {number(value)}, {limits(value, self.low, self.high)}"
            walk.refuse(Problem("SW607", what), value, frame, key)
        return value


class _Boolean:
    __slots__ = ()

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        return (
            value
            if value is True or value is False
            else walk.leaf(Type.BOOLEAN, "a boolean", value, frame, key)
        )


class _Scalar:
    __slots__ = ()

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        if not isinstance(value, (str, int, float)):
            return walk.leaf(Type.ANY, "a single value", value, frame, key)
        return walk.unchecked(value, frame, key)


class _Anything:
    __slots__ = ()

    def bind(self, value: Any, walk: Walk, frame: Frame | None, key: Key) -> Any:
        return walk.unchecked(value, frame, key)


_Shape = _Structure | _Tagged | _List | _Map | _String | _Number | _Boolean | _Scalar | _Anything


class _Requests:
    """The requests of a service. A shape is prepared when it is first asked for."""

    def __init__(self, service: str) -> None:
        content = step_shapes.CONTENT if service == step_shapes.SERVICE else snapshot(f"{service}-requests")
        self.version: str = content["botocore"]
        self._roots: dict[str, str] = content["roots"]
        self._raw: Mapping[str, dict[str, Any]] = content["shapes"]
        self._made: dict[str, _Shape] = {}

    def root(self, request: str | Mapping[str, Any]) -> _Structure:
        """The request of an operation, or one of those members."""
        shape = self.shape(self._roots[request] if isinstance(request, str) else request)
        assert isinstance(shape, _Structure), request
        return shape

    def shape(self, reference: Any) -> _Shape:
        """The shape of that name, or of that scalar type; of several requests, what `bind` says."""
        if isinstance(reference, Mapping):
            return _Structure({"members": reference, "required": reference.keys()}, self)
        if isinstance(reference, list):
            return _List({"member": reference[0]}, self)
        made = self._made.get(reference)
        if made is None:
            made = self._made[reference] = self._prepared(self._raw.get(reference) or {"type": reference})
        return made

    def _prepared(self, raw: dict[str, Any]) -> _Shape:
        match raw["type"]:
            case "structure":
                return _Structure(raw, self)
            case "list":
                return _List(raw, self)
            case "map":
                return _Map(raw, self)
            case "integer" | "long" | "float" | "double":
                return _Number(raw)
            case "boolean":
                return _Boolean()
            case "string" | "timestamp" | "blob":  # text in JSON
                return _String(raw)
            case "tagged":
                return _Tagged(raw, self)
            case "scalar":
                return _Scalar()
            case "anything":
                return _Anything()
            case unknown:
                raise KeyError(unknown)


@cache
def _requests(service: str) -> _Requests:
    return _Requests(service)
