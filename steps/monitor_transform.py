"""A batch transform, and a check of the data that goes into it or comes out of it.

The check follows the transform, or with `check_first` precedes it. Step `M` is made of `M-transform` and the check
`M`, or of the check `M-monitoring` and the transform `M`: what depends on `M` waits for both. Dependencies go to the
first of the two, retries to the transform, the cache to both. Source: SDK 3.27, `MonitorBatchTransformStep`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sagewright.compiler.expression import Expression, StepRef
from sagewright.compiler.kind import (
    JOB_RETRIES,
    Context,
    Scope,
    StepKind,
    Sugar,
    UnavailableError,
    emitted,
    named,
)
from sagewright.compiler.model import Dependency, Emitted, Step
from sagewright.compiler.source import Map, key_origin
from sagewright.compiler.types import Type
from sagewright.steps import clarify_check, quality_check, transform
from sagewright.steps._job import chosen

CHECKS = {"quality_check": quality_check.KIND, "clarify_check": clarify_check.KIND}
OF_INPUTS = ("DATA_QUALITY", "MODEL_EXPLAINABILITY")
"""Checks that need no predictions. Source: SDK 3.27."""


def expand(step: Step, context: Context) -> list[Emitted]:
    key = chosen(step.body, tuple(CHECKS), f"the step `{step.name}`", context, step.name_origin)
    if key is None:
        return []
    check = step.body[key]["check"]
    if _check_first(step) and check not in OF_INPUTS:
        message = f"`{check}` is about predictions: it cannot come before the transform"
        context.error("SW208", message, key_origin(step.body, "check_first"))
    parts = [
        _part(step, _transform_name(step), "transform", "transform", transform.KIND, context),
        replace(_part(step, _check_name(step), key, "check", CHECKS[key], context), retry=()),
    ]
    first, last = reversed(parts) if _check_first(step) else parts
    return [
        replace(first, depends_on=step.depends_on, display_name=None, description=None),
        replace(last, depends_on=(Dependency(first.name),)),
    ]


def _part(step: Step, name: str, key: str, patch: str, kind: StepKind, context: Context) -> Emitted:
    """One of the two steps, from the body at `key`; `patch` is its key in `api:`."""
    at = key_origin(step.body, key) or step.name_origin
    own = replace(step, name=name, kind=kind, body=step.body[key], name_origin=at)
    assert kind.arguments is not None, kind.name
    arguments = kind.arguments(own, context)  # first: it takes out defaults that are for other checks
    extra = kind.extra(own, context) if kind.extra is not None else {}
    api = (step.api or Map()).get(patch)
    return emitted(step, name, kind, arguments, extra=extra, api=api)


def _check_first(step: Step) -> bool:
    return step.body.get("check_first") is True


def _transform_name(step: Step) -> str:
    return step.name if _check_first(step) else named(step.name, "transform")


def _check_name(step: Step) -> str:
    return named(step.name, "monitoring") if _check_first(step) else step.name


# -- what can be referred to ------------------------------------------------------------------------------------------


def _output(step: Step, index: int, scope: Scope) -> Expression:
    return StepRef(_transform_name(step), transform.KIND.sugar["output"].path, Type.STRING)


def _of_check(word: str) -> Callable[[Step, int, Scope], Expression]:
    def make(step: Step, index: int, scope: Scope) -> Expression:
        kind = next((kind for key, kind in CHECKS.items() if key in step.body), quality_check.KIND)
        if word not in kind.sugar:
            raise UnavailableError("Clarify has constraints only")
        return StepRef(_check_name(step), kind.sugar[word].path, Type.STRING)

    return make


_RESULTS: dict[str, Any] = {word: Sugar(make=_of_check(word)) for word in quality_check.KIND.sugar}
KIND = StepKind(
    name="monitor_transform",
    type="",
    expand=expand,
    attributes=(),
    sugar={"output": Sugar(make=_output), **_RESULTS},
    cacheable=True,
    retryable=JOB_RETRIES,
    longhand={f"{key}.instance": "type" for key in ("transform", *CHECKS)},
    named_after={"transform.model": "model", "clarify_check.model": "model"},
)
