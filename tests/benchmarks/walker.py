"""Checking Arguments against botocore's shapes, beside botocore's own validator, which checks less; and how much of
what is wrong is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sagewright.compiler import shapes
from sagewright.compiler.driver import Compiler
from sagewright.compiler.expression import Expression
from sagewright.compiler.model import Emitted
from sagewright.compiler.types import Type
from tests.benchmarks.figures import Figure, faster, skipped
from tests.benchmarks.processes import ROOT
from tests.benchmarks.warm import turns
from tests.definitions import NO_SHARED, SHARED
from tests.mutations import KINDS, campaign

MUTANTS, LEAST_REFUSED = 2000, 0.97
_SAMPLES = {Type.INTEGER: 1, Type.FLOAT: 1.0, Type.BOOLEAN: True}


def run() -> list[Figure]:
    steps = [step for path in sorted((ROOT / "pipelines").glob("*/pipeline.yaml")) for step in _checked(path)]
    bound = [(step.request, _bind(step)) for step in steps]
    validate = _botocore()
    best = turns({
        "ours": lambda: [_bind(step) for step in steps],
        "botocore": lambda: [validate(request, arguments) for request, arguments in bound],
    })  # fmt: skip
    ours, peer = best["ours"] / len(steps), best["botocore"] / len(steps)
    return [faster("walker, a step", ours, peer, "botocore's ParamValidator"), _mutations()]


def _mutations() -> Figure:
    """How many of the mutants that botocore's shapes rule out are refused."""
    if not SHARED.exists():
        return skipped("mutants refused", NO_SHARED)
    outcome = campaign(MUTANTS)
    shown = f"{outcome.refused.total():,} of {outcome.count:,}"
    beside = f"botocore's shapes refuse all: {', '.join(KINDS)}"
    return Figure(
        "mutants refused", shown, beside, f"{outcome.share:.1%}", "≥ 97 %", outcome.share >= LEAST_REFUSED
    )


def _checked(path: Path) -> list[Emitted]:
    """The steps whose Arguments are a request of SageMaker's, which botocore knows too."""
    program = Compiler().compile(path).program
    assert program is not None, path
    steps = _all(program.steps)
    return [
        step for step in steps if isinstance(step.request, str) and step.source.kind.service == "sagemaker"
    ]


def _all(steps: list[Emitted]) -> Iterator[Emitted]:
    for step in steps:
        yield step
        for nested in step.branches.values():
            yield from _all(nested)


def _bind(step: Emitted) -> Any:
    def sample(_: Expression, wanted: Type) -> Any:
        return _SAMPLES.get(wanted, "x")

    def fail(violation: shapes.Violation) -> None:
        raise AssertionError(violation.message)

    return shapes.bind(step.arguments, step.request, omits=step.omits, variable=sample, report=fail)


def _botocore() -> Any:
    import botocore.session
    from botocore.validate import ParamValidator

    service = botocore.session.get_session().get_service_model("sagemaker")
    validator = ParamValidator()

    def validate(request: str | None, arguments: Any) -> Any:
        return validator.validate(arguments, service.operation_model(request).input_shape)

    return validate
