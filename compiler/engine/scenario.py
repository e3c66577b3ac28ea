"""What is assumed of the world when an execution is simulated: how long steps take, what they give, how they fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from sagewright.compiler.engine.state import Task
from sagewright.compiler.suggest import nearest

ERRORS: Mapping[str, str | None] = {
    "service_fault": "Step.SERVICE_FAULT",
    "throttling": "Step.THROTTLING",
    "capacity_error": "SageMaker.CAPACITY_ERROR",
    "job_internal_error": "SageMaker.JOB_INTERNAL_ERROR",
    "resource_limit": "SageMaker.RESOURCE_LIMIT",
    "algorithm_error": None,
    "timeout": "timeout",
    "stopped": "stopped",
}
"""How a step can fail, and the exception type that retry policies know it by."""

MESSAGES: Mapping[str, str] = {
    "service_fault": "InternalServerError: We encountered an internal error.",
    "throttling": "ThrottlingException: Rate exceeded",
    "capacity_error": "CapacityError: Unable to provision requested ML compute capacity.",
    "job_internal_error": "InternalServerError: We encountered an internal error.",
    "resource_limit": "ResourceLimitExceeded: The account-level service limit was exceeded.",
    "algorithm_error": "AlgorithmError: the code failed",
    "timeout": "the step ran out of time",
    "stopped": "somebody stopped the step",
}

DURATIONS: Mapping[str, float] = {
    **dict.fromkeys(
        ("Processing", "QualityCheck", "ClarifyCheck", "Transform", "EMR", "EMRServerless"), 300.0
    ),
    **dict.fromkeys(("Training", "Endpoint", "Job"), 600.0),
    **dict.fromkeys(("Tuning", "AutoML"), 3600.0),
    **dict.fromkeys(
        ("Model", "RegisterModel", "EndpointConfig", "InferenceComponent", "Lineage", "Cleanup"), 5.0
    ),
    "Lambda": 10.0,
    "Callback": 3600.0,
}
"""Seconds that a step takes where nobody says. They are assumptions, and shown as such."""
OTHER = 300.0


class ScenarioError(ValueError):
    """A scenario that cannot be. `step` is the one that it is about."""

    def __init__(self, message: str, step: str = "") -> None:
        super().__init__(message)
        self.step = step


@dataclass(frozen=True, slots=True)
class Draw:
    """A value by chance: `uniform` (low, high), `normal` (mean, deviation) or `choice` (one of several)."""

    kind: str
    values: tuple[Any, ...]

    def draw(self, random: Random) -> Any:
        if self.kind == "choice":
            return random.choice(self.values)
        first, second = self.values
        return random.uniform(first, second) if self.kind == "uniform" else random.gauss(first, second)

    def middle(self) -> Any:
        """What stands for it where nothing is drawn."""
        if self.kind == "choice":
            return self.values[0]
        return sum(self.values) / 2 if self.kind == "uniform" else self.values[0]


def settle(value: Any, random: Random | None) -> Any:
    """`value` with every Draw in it drawn, or at its middle."""
    if isinstance(value, Draw):
        return value.middle() if random is None else value.draw(random)
    if isinstance(value, Mapping):
        return {key: settle(item, random) for key, item in value.items()}
    return [settle(item, random) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Fault:
    """An attempt fails with `error` (a key of ERRORS): `times` attempts, or all of them where it is None."""

    error: str
    times: int | None = None
    message: str = ""

    @property
    def text(self) -> str:
        return self.message or MESSAGES[self.error]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Of one step. `rate` is the probability that an attempt fails with `rate_error`; `outcome` that of a condition,
    where its terms cannot tell: true, false or the probability of true. Durations are in seconds."""

    faults: tuple[Fault, ...] = ()
    rate: float = 0.0
    rate_error: str = "algorithm_error"
    duration: float | Draw | None = None
    reports: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    outcome: bool | float | None = None

    def fault(self, attempt: int, random: Random | None) -> Fault | None:
        """How the attempt (from 1) fails, if it does."""
        left = attempt
        for fault in self.faults:
            if fault.times is None or left <= fault.times:
                return fault
            left -= fault.times
        chance = random.random() < self.rate if random is not None else self.rate >= 1
        return Fault(self.rate_error) if self.rate and chance else None


NO_BEHAVIOUR = Behaviour()


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that is assumed. `durations` are by step type, `files` the JSON of S3 objects by URI (`*` is wild)."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    steps: Mapping[str, Behaviour] = field(default_factory=dict)
    durations: Mapping[str, float | Draw] = field(default_factory=dict)
    files: Mapping[str, Any] = field(default_factory=dict)
    parallelism: int | None = None

    def of(self, name: str, body_name: str | None = None) -> Behaviour:
        """How a step behaves; the turn of a ForEach as its body step does, where nothing is said of the turn."""
        return self.steps.get(name) or self.steps.get(body_name or name) or NO_BEHAVIOUR

    def of_task(self, task: Task) -> Behaviour:
        """How the step of a task behaves."""
        return self.of(task.name, task.name.removesuffix(f"-{task.iteration}") if task.parent else None)

    def duration(self, behaviour: Behaviour, kind: str, random: Random | None) -> float:
        given = behaviour.duration
        if given is None:
            given = self.durations.get(kind, DURATIONS.get(kind, OTHER))
        return max(float(settle(given, random)), 0.0)

    def changed(self, name: str, **changes: Any) -> Scenario:
        """The scenario with another behaviour of one step."""
        return replace(self, steps={**self.steps, name: replace(self.of(name), **changes)})


def error_name(written: str) -> str:
    """`CapacityError`, `capacity_error` or `SageMaker.CAPACITY_ERROR` as a key of ERRORS. Raises ScenarioError."""
    folded = written.rpartition(".")[2].replace("_", "").replace("-", "").lower()
    for name in ERRORS:
        if name.replace("_", "") in (folded, f"{folded}error"):
            return name
    near = nearest(written, ERRORS)
    raise ScenarioError(
        f"unknown failure `{written}`; "
        + (f"did you mean `{near}`?" if near else f"there are {', '.join(ERRORS)}")
    )
