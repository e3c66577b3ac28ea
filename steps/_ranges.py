"""Ranges of hyperparameters that a search goes over."""

from __future__ import annotations

from math import prod
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS
from sagewright.compiler.kind import Context, as_text
from sagewright.compiler.source import Map, Seq, key_origin, origin, own_origin
from sagewright.compiler.types import Type, type_of
from sagewright.steps._script_mode import encoded

INTEGER, CONTINUOUS = "Integer", "Continuous"
LIMITS = ("min", "max")


def parameter_ranges(ranges: Map, *, script_mode: bool, context: Context) -> dict[str, Any]:
    """AWS's ParameterRanges. In script mode the values of a list are JSON, as all that the toolkit reads."""
    made: dict[str, list[Any]] = {
        f"{kind}ParameterRanges": [] for kind in (INTEGER, CONTINUOUS, "Categorical")
    }
    for name, given in ranges.items():
        if isinstance(given, Seq):
            indexes = range(len(given))
            values = [encoded(given, i, context) if script_mode else as_text(given, i) for i in indexes]
            made["CategoricalParameterRanges"].append({"Name": name, "Values": values})
        else:
            kind = _kind(name, given, context)
            _check_limits(name, given, kind, context)
            made[f"{kind}ParameterRanges"].append(
                {
                    "Name": name,
                    "MinValue": as_text(given, "min"),
                    "MaxValue": as_text(given, "max"),
                    "ScalingType": given.get("scale", "Auto"),
                }
            )
    return {member: found for member, found in made.items() if found}


def _kind(name: str, given: Map, context: Context) -> str:
    types = {_type(given[limit]) for limit in LIMITS}
    wanted = given.get("type")
    if wanted is not None:
        if wanted == INTEGER and Type.FLOAT in types:
            context.error("SW203", f"the range of `{name}` is one of integers", own_origin(given))
        return wanted
    if Type.STRING in types or Type.ANY in types:
        message = f"the range of `{name}` lacks the key `type`: that of its limits does not say"
        context.error("SW202", message, own_origin(given), help=f"`type: {INTEGER}` or `type: {CONTINUOUS}`")
    return INTEGER if types == {Type.INTEGER} else CONTINUOUS


def _type(limit: Any) -> Type:
    return (limit.type or Type.ANY) if isinstance(limit, EXPRESSIONS) else type_of(limit)


def _check_limits(name: str, given: Map, kind: str, context: Context) -> None:
    """Source: IntegerParameterRange and ContinuousParameterRange in the SageMaker API reference."""
    least, most = (given[limit] for limit in LIMITS)
    scale = given.get("scale")
    if scale == "ReverseLogarithmic" and kind == INTEGER:
        message = "`ReverseLogarithmic` is for ranges of real numbers"
        context.error("SW208", message, origin(given, "scale"))
        return
    if not all(isinstance(limit, (int, float)) for limit in (least, most)):
        return
    if least >= most:
        context.error(
            "SW206", f"the range of `{name}` is empty: {least} is not below {most}", own_origin(given)
        )
    elif scale == "Logarithmic" and least <= 0:
        context.error("SW206", f"`min` is {least}, and a logarithmic range is above 0", origin(given, "min"))
    elif scale == "ReverseLogarithmic" and not 0 <= least < most < 1:
        message = "a reverse logarithmic range lies between 0 and 1, 1 left out"
        context.error("SW206", message, own_origin(given))


def check_grid(ranges: Map, body: Map, context: Context) -> None:
    """A grid is over lists, and tries each combination once. Source: SageMaker developer guide, "Understand the
    hyperparameter tuning strategies"."""
    lists = [given for given in ranges.values() if isinstance(given, Seq)]
    for name, given in ranges.items():
        if not isinstance(given, Seq):
            message = f"Grid tries lists of values, and `{name}` has a range of numbers"
            context.error("SW208", message, key_origin(ranges, name))
    size, wanted = prod(len(values) for values in lists), body.get("max_jobs")
    if len(lists) == len(ranges) and isinstance(wanted, int) and wanted != size and "trainings" not in body:
        message = f"`max_jobs` is {wanted}, and the grid has {size} combinations"
        context.error("SW206", message, origin(body, "max_jobs"), help="leave it out")
