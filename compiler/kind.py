"""The contract of a step kind: data and a few functions, all that knows about that kind in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sagewright.compiler.model import Emitted, Request, Step
from sagewright.compiler.source import Map, Origin, origin, scalar_text, source_text
from sagewright.compiler.types import Type

if TYPE_CHECKING:
    from sagewright.compiler.assets import Asset
    from sagewright.compiler.expression import Expression, Join, ParameterRef

STEP_RETRIES = ("Step.SERVICE_FAULT", "Step.THROTTLING")
JOB_RETRIES = (
    *STEP_RETRIES,
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)


class Context(Protocol):
    """What a kind may ask for while it lowers a step. Mistakes are reported and lowering goes on."""

    @property
    def pipeline(self) -> str:
        """The pipeline's name as deployed."""
        ...

    @property
    def region(self) -> str:
        """The target's region; SW806 where there is none."""
        ...

    def find_step(self, name: str, at: Origin | None) -> Step | None:
        """The pipeline's step of that name, its references resolved; None (SW301) where there is none."""
        ...

    def default(self, parameter: ParameterRef) -> Any:
        """The default of a parameter; None where it has none."""
        ...

    def error(
        self,
        code: str,
        message: str,
        at: Origin | None = None,
        *,
        help: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> None: ...

    def role(self) -> Any:
        """The step's role, else the pipeline's; SW805 where there is none."""
        ...

    def bucket(self) -> str:
        """The bucket for code and outputs; SW804 where there is none."""
        ...

    def image(
        self, value: Any, at: Origin | None, *, scope: str, instances: list[Any], algorithm_ok: bool = False
    ) -> Any:
        """An image's URI: short and long forms resolved, URIs and references as they are.

        `scope` is training, inference or processing; `instances` the instance types, literal or references, that
        decide the processor.
        """
        ...

    def file(self, path: str, at: Origin | None) -> Asset | None:
        """One file as an asset; None (reported) where it is missing or outside the project."""
        ...

    def archive(self, path: str, at: Origin | None) -> Asset | None:
        """A directory as a tar.gz asset; None (reported) where it cannot be packed."""
        ...

    def script(self, path: str, at: Origin | None) -> Asset | None:
        """One file as a tar.gz asset; None (reported) where it cannot be packed."""
        ...

    def data(self, name: str, content: bytes) -> Asset:
        """A file that the compiler brings, as an asset called `name`."""
        ...

    def bundle(self, name: str, files: Mapping[str, bytes]) -> Asset:
        """Files that the compiler brings, by their path, as a tar.gz asset called `name`."""
        ...

    def uri(self, asset: Asset) -> str:
        """Where the asset will be uploaded: `s3://<bucket>/<prefix>/code/<sha256>/<name>`; remembers it for upsert."""
        ...

    def output(self, step: str, name: str) -> Join | str:
        """The default destination of an output: `s3://<bucket>/<prefix>/<pipeline>/<execution id>/<step>/<output>`."""
        ...

    def job_output(self, step: str) -> str:
        """The default destination of a training job: `s3://<bucket>/<prefix>/<pipeline>/<step>`."""
        ...

    def path_of(self, path: str, at: Origin | None) -> Path | None:
        """A path of the step's file, resolved inside the project; None (reported) outside."""
        ...

    def function_code(self, path: str, at: Origin | None) -> Asset | None:
        """A file or a directory as a zip for Lambda; None (reported) where it cannot be packed."""
        ...

    def function(self, function: Function, at: Origin | None) -> str | None:
        """Remembers a Lambda function for upsert; the ARN of its alias, None (SW811) where the account is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function that upsert makes. `timeout` is in seconds."""

    name: str
    asset: Asset
    runtime: str
    handler: str
    role: Any
    timeout: int
    memory_mb: int


class Scope(Protocol):
    """What a kind may ask for while a reference to one of its steps is resolved."""

    def value(self, container: Any, key: str | int) -> Any:
        """The value at `key`, its references resolved."""
        ...

    def job_output(self, step: str) -> str:
        """As of `Context`."""
        ...


class UnavailableError(Exception):
    """A step has nothing that a piece of sugar could mean. The text continues "the step `S` has no `x`: "."""


class UnreachableError(Exception):
    """A reference through a loop that leads to no nested step; `at` counts the segments after the sugar's word."""

    def __init__(self, message: str, at: int = 0, help: str | None = None) -> None:
        super().__init__(message)
        self.message, self.at, self.help = message, at, help


@dataclass(frozen=True, slots=True)
class Lead:
    """The nested step that a reference through a loop leads to: `chosen`, by its name in the definition; without it,
    the last of the `used` segments after the sugar's word names it.

    `path` tells, of a nested step's name in the definition, where the loop has its properties; None where it has not.
    """

    used: int
    path: Callable[[str], str | None]
    chosen: str | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """What makes the steps that a kind nests the body of a loop: they run once for each item, `${item}` stands in them,
    SageMaker calls them `<step>-<number>`, and from outside they are reached through the loop.

    `items` is the key that holds the items, `select` one whose references are read as if they stood in the body;
    `excludes` are the types of steps that cannot stand there.
    """

    items: str
    select: str
    excludes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Sugar:
    """A short name for a property: `${steps.S.model_data}`; with `names`, `${steps.S.outputs.train}`; with `items`,
    how many there are, `${steps.S.top_model_data[0]}`.

    `path` is in the Describe response's spelling, `{}` standing for the name or the index. `names` gives the declared
    names with their types; a type of None marks a name that has no such property (its `why` says so). Without
    declared names (`names` returns None) any name goes. `make` is for what is no property: the expression, from the
    step as it is written, the index, and the scope. It may raise `UnavailableError`. `lead` makes it the way to a nested
    step, from the step, what follows the word, and the scope of the body; it may raise `UnreachableError`,
    and gives None where the mistake is told elsewhere. `values` are all that it can be, where there are few.
    """

    path: str = ""
    type: Type = Type.STRING
    names: Callable[[Map], Mapping[str, Type | None] | None] | None = None
    why: str = ""
    items: int | None = None
    make: Callable[[Step, int, Scope], Expression] | None = None
    lead: Callable[[Step, tuple[str | int, ...], Scope], Lead | None] | None = None
    values: tuple[str, ...] = ()

    def shown(self, word: str) -> str:
        """How messages and pages write it: `outputs.<name>`, `top_model_data[<number>]`."""
        if self.lead is not None:
            return f"{word}{self.path.partition('{}')[1] and '[<number>].<body step>'}.<...>"
        return f"{word}.<name>" if self.names else word if self.items is None else f"{word}[<number>]"


@dataclass(frozen=True, slots=True)
class StepKind:
    """A kind of step. `name` is the YAML's `kind`, `type` SageMaker's `Type`."""

    name: str
    type: str
    arguments: Callable[[Step, Context], Any] | None = None
    """Body → Arguments, for kinds that emit one step."""
    expand: Callable[[Step, Context], list[Emitted]] | None = None
    """Step → steps, for kinds that emit several; the last one has the step's own name."""
    extra: Callable[[Step, Context], dict[str, Any]] | None = None
    """Keys beside Arguments."""
    request: Request | None = None
    """What Arguments must match."""
    omits: tuple[str, ...] = ()
    """Members that may be absent though they are required, as paths: `ClusterConfig.Name`."""
    properties: str | None = None
    """The botocore shape of `Steps.S.*`; None: see `attributes`."""
    attributes: tuple[str, ...] | None = None
    """Where no shape describes `Steps.S.*`: the names it may begin with; None: any property path goes."""
    service: str = "sagemaker"
    sugar: Mapping[str, Sugar] = field(default_factory=dict)
    cacheable: bool = False
    retryable: tuple[str, ...] = ()
    branches: Mapping[str, str] = field(default_factory=dict)
    """Keys that hold nested steps, and the member of Arguments they go to."""
    loop: Loop | None = None
    """Of a kind whose nested steps run once for each item."""
    conditions: tuple[str, ...] = ()
    """Keys that hold a bare condition."""
    longhand: Mapping[str, str] = field(default_factory=dict)
    """Keys with a shorthand, as paths: `instance: x` is `instance: {type: x}` for {"instance": "type"}; "inputs.*":
    "source" does so for each entry. The member "framework" takes a version with it: `xgboost:1.7-1`; it need not be
    given for a step's own `image`."""

    named_after: Mapping[str, str] = field(default_factory=dict)
    """Keys that take the name of what a step may make, as paths, and the kind of that step: {"variants.*.model":
    "model"}. It has `name` among its sugar."""
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Members of Arguments, as paths, to report where they are written (by `api:`), whatever AWS's shape says: the
    code, and why."""
    unproven: str = ""
    """Why nobody knows whether `Steps.S.*` works: a warning wherever it is used."""

    def lower(self, step: Step, context: Context) -> list[Emitted]:
        """The steps of the definition that `step` stands for."""
        if self.expand is not None:
            return self.expand(step, context)
        assert self.arguments is not None, self.name
        made = emitted(step, step.name, self, self.arguments(step, context))
        if self.extra is not None:
            made.extra.update(self.extra(step, context))
        return [made]


def emitted(step: Step, name: str, kind: StepKind, arguments: Any, **changes: Any) -> Emitted:
    """An `Emitted` with everything that `step` says about itself; `changes` overrides."""
    made = Emitted(
        name=name,
        type=kind.type,
        arguments=arguments,
        source=step,
        request=kind.request,
        service=kind.service,
        omits=kind.omits,
        refused=kind.refused,
        depends_on=step.depends_on,
        retry=step.retry,
        cache=step.cache,
        display_name=step.display_name,
        description=step.description,
        api=step.api,
    )
    return replace(made, **changes) if changes else made


# -- helpers that kinds share -----------------------------------------------------------------------------------------


def present(**members: Any) -> dict[str, Any]:
    """A structure of those members that are given: None is left out."""
    return {key: value for key, value in members.items() if value is not None}


def as_text(container: Any, key: str | int) -> Any:
    """A String where SageMaker wants one: an expression stays, a plain scalar is taken as it is written."""
    value = container[key]
    if isinstance(value, str) or not isinstance(value, (bool, int, float, type(None))):
        return value
    return source_text(container, key)


def text_map(mapping: Any) -> dict[str, Any] | None:
    """A map of Strings (environment, metadata, ...), None where there is none."""
    return None if mapping is None else {key: as_text(mapping, key) for key in mapping}


def tag_list(tags: Any) -> list[dict[str, Any]] | None:
    """`{k: v}` as AWS's list of tags."""
    return None if not tags else [{"Key": key, "Value": as_text(tags, key)} for key in tags]


def in_full(body: Any, key: str, member: str) -> Map:
    """The mapping at `key`, empty where there is none; a shorthand in a nested body is made long, `{member: value}`."""
    value = body.get(key)
    if value is None or isinstance(value, Map):
        return Map() if value is None else value
    at = origin(body, key)
    return Map({member: value}, at.node if at else None)


def seconds(value: Any) -> Any:
    """`90s`, `15m`, `2h`, `30d` or a bare number in seconds. An expression stays as it is."""
    if isinstance(value, str):
        return round(float(value[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[value[-1]])
    return value


def named(prefix: str, name: str) -> str:
    return f"{prefix}-{name}"


__all__ = [
    "JOB_RETRIES",
    "STEP_RETRIES",
    "Context",
    "Expression",
    "Lead",
    "Loop",
    "Request",
    "Scope",
    "StepKind",
    "Sugar",
    "UnavailableError",
    "UnreachableError",
    "as_text",
    "emitted",
    "in_full",
    "present",
    "scalar_text",
    "seconds",
    "tag_list",
    "text_map",
]
