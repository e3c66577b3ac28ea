"""The properties of a step, `Steps.S.<path>`: looked up in the Describe response that SageMaker takes them from."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cache
from typing import Any

from sagewright.compiler.api import snapshot
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.types import Type

_TYPES = {
    "string": Type.STRING,
    "timestamp": Type.STRING,
    "blob": Type.STRING,
    "integer": Type.INTEGER,
    "long": Type.INTEGER,
    "float": Type.FLOAT,
    "double": Type.FLOAT,
    "boolean": Type.BOOLEAN,
    "document": Type.STRING,
    "anything": Type.ANY,
}
_OPEN = frozenset({"document", "anything"})
"""A document is JSON in a string, into which a path may descend: nobody knows what is there."""

_ADDED: dict[str, dict[str, str]] = {
    "DescribeHyperParameterTuningJobResponse": {"TrainingJobSummaries": "HyperParameterTrainingJobSummaries"},
    "DescribeAutoMLJobResponse": {"BestCandidateProperties": "BestCandidateProperties"},
    "BestCandidateProperties": {
        "ModelInsightsJsonReportPath": "string",
        "ExplainabilityJsonReportPath": "string",
    },
    "DescribeJobResponse": {"JobConfigDocument": "document"},
    "QualityCheck": {
        "CalculatedBaselineConstraints": "string",
        "CalculatedBaselineStatistics": "string",
        "BaselineUsedForDriftCheckConstraints": "string",
        "BaselineUsedForDriftCheckStatistics": "string",
    },
    "ForEach": {
        "Status": "string",
        **dict.fromkeys(("InputItemCount", "TotalStepCount"), "integer"),
        **dict.fromkeys(("SucceededStepCount", "FailedStepCount", "StoppedStepCount"), "integer"),
    },
    "ClarifyCheck": {
        "CalculatedBaselineConstraints": "string",
        "BaselineUsedForDriftCheckConstraints": "string",
    },
}
"""What Pipelines adds to AWS's responses, and the responses that are its own, by shape. Source: SageMaker's developer
guide, "Pipelines steps", and the properties of the SDK's TuningStep, AutoMLStep, QualityCheckStep, ClarifyCheckStep,
ForEachStep and JobStep (2.257, 3.27)."""

_MOST = {"HyperParameterTrainingJobSummaries": 50}
"""How many items of a list can be referred to. Source: the SDK's `TuningStep.get_top_model_s3_uri`."""

_NAMES = frozenset(
    {
        "OutputName",
        "InputName",
        "ChannelName",
        "MetricName",
        "VariantName",
        "ContainerHostname",
        "Name",
        "Key",
    }
)
"""The members that name an item of a list: `Outputs['train']`."""


class PropertyError(Exception):
    """A property that a response does not have. `start` and `end` count segments; those between are at fault."""

    def __init__(self, message: str, start: int, end: int, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.help = help


def property_names(shape: str, service: str = "sagemaker") -> Collection[str]:
    """What the properties of a response begin with. Raises `KeyError` for a shape that is not in the snapshot."""
    return _responses(service)[shape]["members"]


def property_type(
    shape: str, segments: tuple[str | int, ...], start: int = 0, service: str = "sagemaker"
) -> Type | None:
    """The type of a property, None for a whole structure, list or map. Raises what `property_path` raises."""
    return property_path(shape, segments, start, service)[1]


def property_path(
    shape: str, segments: tuple[str | int, ...], start: int = 0, service: str = "sagemaker"
) -> tuple[str, Type | None]:
    """A property as SageMaker spells it, and its type: None for a whole structure, list or map.

    `shape` is a Describe response; the path begins at the segment `start`, and a member is written `.X`, an index
    `[0]`, a name or a key `['k']`. Raises `PropertyError` for what the response does not have, and `KeyError` for a
    shape that is not in the snapshot.
    """
    responses, here, path = _responses(service), shape, ""
    if here not in responses:
        raise KeyError(shape)
    for at in range(start, len(segments)):
        if here in _TYPES and here not in _OPEN:
            raise PropertyError(f"`{path}` is a single value, nothing is below it", at, len(segments))
        try:
            here, step = _below(responses, here, segments[at])
        except _Missing as missing:
            raise PropertyError(f"`{path or shape}` {missing.what}", at, at + 1, missing.help) from None
        path = (path + step).removeprefix(".")
    return path, _TYPES.get(here)


class _Missing(Exception):
    def __init__(self, what: str, help: str | None = None) -> None:
        self.what = what
        self.help = help


def _below(responses: dict[str, dict[str, Any]], shape: str, segment: str | int) -> tuple[str, str]:
    """The shape that `segment` leads to from `shape`, and how the segment is spelt."""
    if isinstance(segment, str) and "'" in segment:
        raise _Missing(f"cannot be asked for `{segment}`: SageMaker has no way to write a quote in a name")
    if shape in _OPEN:
        return "anything", _spelt(segment, quoted=isinstance(segment, str) and not segment.isidentifier())
    raw = responses[shape]
    if raw["type"] == "list":
        _check_item(shape, responses.get(raw["member"], {}), segment)
        return raw["member"], _spelt(segment, quoted=True)
    if isinstance(segment, int):
        what = "a map, whose keys are text" if raw["type"] == "map" else "no list"
        raise _Missing(f"is {what}, and has no `[{segment}]`")
    if raw["type"] == "map":
        return raw["value"], _spelt(segment, quoted=True)
    if segment not in raw["members"]:
        raise _unknown(responses, segment, raw["members"])
    return raw["members"][segment], _spelt(segment, quoted=False)


def _check_item(shape: str, element: dict[str, Any], segment: str | int) -> None:
    """An item of a list is asked for by its index, or where items have one, by its name."""
    if isinstance(segment, str):
        if _NAMES.isdisjoint(element.get("members", ())):
            what = f"is a list whose items have no names, and has no `{segment}`"
            raise _Missing(what, "write `[0]` for its first item")
    elif not 0 <= segment < _MOST.get(shape, math.inf):
        most = (
            f"its items go from 0 to {_MOST[shape] - 1}" if shape in _MOST else "its items are counted from 0"
        )
        raise _Missing(f"has no item `[{segment}]`", most)


def _unknown(responses: dict[str, dict[str, Any]], name: str, known: dict[str, str]) -> _Missing:
    below = (member for member, shape in known.items() if name in responses.get(shape, {}).get("members", ()))
    holder = next(below, None)
    near = f"{holder}.{name}" if holder else nearest(name, known)
    few = f"it has {listing(known)}" if len(known) <= 8 else None
    return _Missing(f"has no property `{name}`", f"did you mean `{near}`?" if near else few)


def _spelt(segment: str | int, *, quoted: bool) -> str:
    if isinstance(segment, int):
        return f"[{segment}]"
    return f"['{segment}']" if quoted else f".{segment}"


@cache
def _responses(service: str) -> dict[str, dict[str, Any]]:
    """The shapes of a service's responses, with what Pipelines adds to them."""
    shapes: dict[str, dict[str, Any]] = snapshot(f"{service}-responses")["shapes"]
    if service == "sagemaker":
        for name, added in _ADDED.items():
            structure = shapes.setdefault(name, {"type": "structure", "members": {}})
            structure["members"].update(added)
    return shapes
