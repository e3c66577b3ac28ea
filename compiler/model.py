"""What a pipeline is, once its YAML is understood: frozen values, and the places they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sagewright.compiler.compilation import Trigger
from sagewright.compiler.frames import Frame
from sagewright.compiler.source import Document, Map, Origin
from sagewright.compiler.types import Type

if TYPE_CHECKING:
    from sagewright.compiler.kind import StepKind


Request = str | Mapping[str, Any]
"""What a step's Arguments must match: the input of the botocore operation of that name; or of no one operation, then
the members that they have, each with its shape (see `shapes.bind`)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A pipeline parameter. `default` is None where it must be given at start."""

    name: str
    type: Type
    default: str | int | float | bool | None = None
    enum: tuple[str, ...] = ()
    description: str | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """One retry policy. `errors` in AWS's spelling; exactly one of `max_attempts` and `expire_after` (minutes)."""

    errors: tuple[str, ...]
    interval: int = 1
    backoff: float = 2.0
    max_attempts: int | None = None
    expire_after: int | None = None


@dataclass(frozen=True, slots=True)
class Cache:
    """Step caching. `expire_after` is an ISO 8601 duration, or None for no expiry."""

    expire_after: str | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """`depends_on` one step. `when` is Completed, Failed, Stopped or Any, in AWS's spelling."""

    step: str
    when: str = "Completed"
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A step as written. `body` is its kind's keys, defaults merged, longhand, references resolved to expressions.

    `branches` holds nested steps by the key they stand under (`then`, `else`, `body`); `parent` is the name of the
    step that nests this one, `branch` the key it stands under.
    """

    name: str
    kind: StepKind
    body: Map
    origin: Origin
    name_origin: Origin
    display_name: str | None = None
    description: str | None = None
    depends_on: tuple[Dependency, ...] = ()
    retry: tuple[RetryPolicy, ...] = ()
    cache: Cache | None = None
    tags: Map | None = None
    api: Any = None
    step_api: Any = None
    branches: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    parent: str | None = None
    branch: str | None = None
    frame: Frame = field(default_factory=lambda: Frame(""))
    """What its references may name."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline as written for one target. `steps` are the outermost ones; nested steps hang below them."""

    name: str
    document: Document
    parameters: Mapping[str, Parameter]
    steps: tuple[Step, ...]
    description: str | None = None
    display_name: str | None = None
    role: Any = None
    experiment: Any = None
    mlflow: Any = None
    parallelism: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    triggers: tuple[Trigger, ...] = ()

    def every_step(self) -> list[Step]:
        """All steps, nested ones after the step that nests them, in file order."""
        found: list[Step] = []

        def visit(steps: tuple[Step, ...]) -> None:
            for step in steps:
                found.append(step)
                for nested in step.branches.values():
                    visit(nested)

        visit(self.steps)
        return found

    def loops(self) -> dict[str, Step]:
        """The innermost loop around each step that stands in the body of one, by the step's name."""
        found: dict[str, Step] = {}

        def visit(steps: tuple[Step, ...], loop: Step | None) -> None:
            for step in steps:
                if loop is not None:
                    found[step.name] = loop
                for nested in step.branches.values():
                    visit(nested, loop if step.kind.loop is None else step)

        visit(self.steps, None)
        return found


@dataclass(slots=True)
class Emitted:
    """A step of the definition, before it is typed: what a kind lowers a `Step` to.

    `arguments` is in AWS's spelling, with expressions as leaves; `extra` are the keys beside it (PropertyFiles, ...).
    `request` is what `arguments` must match (None: not checked) in the API of `service`, `omits` the members of it
    that Pipelines sets itself, `refused` those that are reported (see `StepKind`).
    """

    name: str
    type: str
    arguments: Any
    source: Step
    request: Request | None = None
    service: str = "sagemaker"
    omits: tuple[str, ...] = ()
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    depends_on: tuple[Dependency, ...] = ()
    retry: tuple[RetryPolicy, ...] = ()
    cache: Cache | None = None
    display_name: str | None = None
    description: str | None = None
    branches: dict[str, list[Emitted]] = field(default_factory=dict)
    """Nested steps, by the member of `Arguments` that holds them (IfSteps, ElseSteps, ForEachBody)."""
    api: Any = None
    """The author's patch of `arguments` (`api:`), not yet merged."""
