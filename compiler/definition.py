"""Any definition's JSON, ours or not: its steps, references and edges, its canonical form, equality by meaning."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

FUNCTIONS = frozenset({"Get", "Std:Join", "Std:JsonGet"})
BRANCHES = ("IfSteps", "ElseSteps", "ForEachBody")
"""The members of `Arguments` that hold nested steps."""

NAMES = (
    "Name",
    "InputName",
    "OutputName",
    "ChannelName",
    "VariantName",
    "ContainerHostname",
    "Key",
    "PropertyFileName",
)
"""The members that name an element of a list, most usual first."""


class DefinitionError(ValueError):
    """Text that is no pipeline definition: not JSON, or JSON that is no object."""


def parse(definition: str | Mapping[str, Any]) -> dict[str, Any]:
    """The definition as plain data. Raises DefinitionError."""
    if not isinstance(definition, str):
        return dict(definition)
    try:
        data = json.loads(definition, parse_constant=_no_constant)
    except RecursionError:
        raise DefinitionError("nested too deeply") from None
    except ValueError as error:
        raise DefinitionError(str(error)) from None
    if not isinstance(data, dict):
        raise DefinitionError("Expecting start of Json Object.")
    return data


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def canonical(definition: str | Mapping[str, Any]) -> str:
    """One text for all spellings of the same JSON: keys sorted, no white space, ASCII. Raises DefinitionError."""
    return json.dumps(parse(definition), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(definition: str | Mapping[str, Any]) -> str:
    """The SHA-256 (hex) of the canonical form: what the tag `sagewright:digest` holds. Raises DefinitionError."""
    return hashlib.sha256(canonical(definition).encode()).hexdigest()


# -- steps, references, edges -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step where it stands: `path` as in `Steps[0].Arguments.IfSteps[1]`, `parent` the step that nests it."""

    body: Mapping[str, Any]
    path: str
    parent: str | None = None
    branch: str | None = None

    @property
    def name(self) -> str:
        return _text(self.body.get("Name"))

    @property
    def type(self) -> str:
        return _text(self.body.get("Type"))


@dataclass(frozen=True, slots=True)
class Reference:
    """A `Get`: `target` is what it names (`Steps.Train.ModelArtifacts.S3ModelArtifacts`), `path` where it stands."""

    target: str
    path: str

    @property
    def root(self) -> str:
        """What is referred to: Parameters, Execution, Steps, ForEach, IterationOutput, PipelineExperimentConfig."""
        return self.target.partition(".")[0]

    @property
    def name(self) -> str:
        """The name after the root, of a parameter or a step."""
        return re.split(r"[.\[]", self.target.partition(".")[2], maxsplit=1)[0]

    @property
    def rest(self) -> str:
        """What follows the name, without its dot: `ModelArtifacts.S3ModelArtifacts`, `[0].x`, or nothing."""
        return self.target.partition(".")[2][len(self.name) :].removeprefix(".")


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`: it reads its data, comes after it, or is nested in it.

    `when` is the outcome that an order edge waits for: Completed, Failed, Stopped or Any. `path` is the edge's place.
    """

    source: str
    target: str
    reason: Literal["data", "order", "branch"]
    path: str
    when: str = "Completed"


def steps(definition: Mapping[str, Any]) -> Iterator[PlacedStep]:
    """Every step, nested ones after the step that nests them. What is no step is passed over."""
    yield from _steps(definition.get("Steps"), "Steps", None, None)


def _steps(found: Any, path: str, parent: str | None, branch: str | None) -> Iterator[PlacedStep]:
    for index, body in enumerate(found if isinstance(found, list) else ()):
        if not isinstance(body, Mapping):
            continue
        step = PlacedStep(body, f"{path}[{index}]", parent, branch)
        yield step
        arguments = body.get("Arguments")
        for member in BRANCHES if isinstance(arguments, Mapping) else ():
            yield from _steps(arguments.get(member), f"{step.path}.Arguments.{member}", step.name, member)


def is_function(value: Any) -> bool:
    """Is this a pseudo-function: `{"Get": ...}`, `{"Std:Join": ...}`, `{"Std:JsonGet": ...}`?"""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def references(value: Any, path: str = "") -> Iterator[Reference]:
    """Every `Get` in `value`, those in joins, in JsonGets and in nested steps included."""
    if isinstance(value, Mapping):
        if is_function(value) and isinstance(value.get("Get"), str):
            yield Reference(value["Get"], path)
            return
        for key, member in value.items():
            yield from references(member, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, f"{path}[{index}]")


def own_references(step: PlacedStep) -> Iterator[Reference]:
    """The references of one step, those of the steps nested in it left out."""
    for key, value in step.body.items():
        path = f"{step.path}.{key}"
        if key == "Arguments" and isinstance(value, Mapping):
            for member, argument in value.items():
                if member not in BRANCHES:
                    yield from references(argument, f"{path}.{member}")
        else:
            yield from references(value, path)


def edges(definition: Mapping[str, Any]) -> Iterator[Edge]:
    """What waits for what, in file order; a step that does not exist may be named."""
    for step in steps(definition):
        if step.parent is not None:
            yield Edge(step.parent, step.name, "branch", step.path)
        for reference in own_references(step):
            if reference.root == "Steps":
                yield Edge(reference.name, step.name, "data", reference.path)
        for index, dependency in enumerate(_list(step.body.get("DependsOn"))):
            path = f"{step.path}.DependsOn[{index}]"
            if isinstance(dependency, str):
                yield Edge(dependency, step.name, "order", path)
            elif isinstance(dependency, Mapping):
                when = _text(dependency.get("Trigger")) or "Completed"
                yield Edge(_text(dependency.get("Step")), step.name, "order", path, when)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


# -- cache keys -------------------------------------------------------------------------------------------------------

_DEFINITIONS = ("AlgorithmSpecification", "HyperParameterRanges", "InputDataConfig", "StaticHyperParameters")
_CHECK = ("SkipCheck", "RegisterNewBaseline", "ModelPackageGroupName", "SuppliedBaselineConstraints")

CACHE_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        *("AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations"),
        *("Environment", "HyperParameters", "InputDataConfig"),
    ),
    "Tuning": (
        "HyperParameterTuningJobConfig",
        *(f"TrainingJobDefinition.{member}" for member in (*_DEFINITIONS, "TuningObjective")),
        "TrainingJobDefinitions",
    ),
    "AutoML": (
        *("AutoMLJobConfig.CompletionCriteria", "AutoMLJobConfig.CandidateGenerationConfig"),
        *("AutoMLJobConfig.DataSplitConfig", "AutoMLJobConfig.Mode"),
        *("AutoMLJobObjective", "InputDataConfig", "ProblemType"),
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
    "EMR": ("ClusterId", "StepConfig"),
}
"""What of a step's Arguments SageMaker compares with earlier runs. Source: developer guide, "Default cache key
attributes by pipeline step type"."""


def cache_attributes(step: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What decides whether an earlier run of `step` is taken, its `arguments` resolved or not.

    Of a type whose attributes AWS does not list (Lambda, Callback, EndpointConfig, ...), and of the checks, whose job
    configuration counts as a whole, that is all of the Arguments: rather a miss too many than a hit.
    """
    listed = CACHE_ATTRIBUTES.get(_text(step.get("Type")))
    if listed is None:
        beside = (
            *_CHECK,
            "SuppliedBaselineStatistics",
            "CheckType",
            "FunctionArn",
            "SqsQueueUrl",
            "OutputParameters",
        )
        return {"Arguments": arguments, **{member: step[member] for member in beside if member in step}}
    found: dict[str, Any] = {}
    for path in listed:
        value: Any = arguments
        for member in path.split("."):
            value = value.get(member) if isinstance(value, Mapping) else None
        if value not in (None, [], {}):
            found[path] = value
    return found


# -- equality by meaning ----------------------------------------------------------------------------------------------


def equal_by_meaning(one: str | Mapping[str, Any], other: str | Mapping[str, Any]) -> bool:
    """Would SageMaker do the same with both? See `meaning` for what makes no difference."""
    return not differences(one, other)


def differences(
    one: str | Mapping[str, Any],
    other: str | Mapping[str, Any],
    *,
    by_meaning: bool = True,
    names: tuple[str, str] = ("the one", "the other"),
) -> list[str]:
    """How `other` differs from `one`, a line for each place; with `by_meaning=False` in any value or key at all.

    `names` are what lines call the two.
    """
    first, second = parse(one), parse(other)
    if by_meaning:
        first, second = meaning(first), meaning(second)
    return list(_Comparison(*names).values(first, second, ""))


def meaning(value: Any, member: str = "", *, exact: bool = False) -> Any:
    """A normal form in which spellings that SageMaker takes for the same are the same.

    What makes no difference: nulls and empty lists and mappings; the spelling of a join; where code was uploaded to;
    `AppManaged: false`; a channel's `InputMode` where it is the algorithm's; `GZIP` for an output and no compression
    for an input, which are the defaults; the spelling of a cache's expiry; whether a hyperparameter, always a String,
    is cast; empty SAGEMAKER_PROGRAM and SAGEMAKER_SUBMIT_DIRECTORY. `member` is the key under which `value` stands.
    With `exact`, what two compilers do differently counts: where code is, casts, empty variables.
    """
    if isinstance(value, str):
        return value if exact else _without_code(value)
    if isinstance(value, list):
        return [meaning(item, member, exact=exact) for item in value]
    if not isinstance(value, Mapping):
        return value
    normal = {key: meaning(item, key, exact=exact) for key, item in value.items()}
    if is_function(value):
        return _join(normal, exact) if "Std:Join" in normal else normal
    present = {key: item for key, item in normal.items() if item not in (None, [], {})}
    body = _without_defaults(present, member)
    return body if exact else _without_faults(body, member)


def _without_code(text: str) -> str:
    return CODE_URI.sub(r"s3://<code>/\1", text)


CODE_URI = re.compile(
    r's3://[^/"]+/(?:[^/"]+/)*?'
    r'(?:code/[0-9a-f]{32,64}/|input/code/|[^/"]*/(?=sourcedir\.tar\.gz))([^/"]+)(?="|$)'
)
"""An uploaded file, under its content's hash or, as the SDK does it, under a job's name and time."""


def _join(function: dict[str, Any], exact: bool) -> Any:
    """A join as the pieces of the string it makes: no separator, no join in a join, no two literals side by side."""
    spec = function["Std:Join"]
    if not isinstance(spec, Mapping) or not isinstance(spec.get("On", ""), str):
        return function
    pieces: list[Any] = []
    for index, value in enumerate(_list(spec.get("Values"))):
        inner = value.get("Std:Join") if isinstance(value, Mapping) else None
        for piece in ([spec.get("On", "")] if index else []) + (
            inner if isinstance(inner, list) else [value]
        ):
            text = _literal(piece)
            if text is None:
                pieces.append(piece)
            elif pieces and isinstance(pieces[-1], str):
                pieces[-1] += text
            else:
                pieces.append(text)
    pieces = [_without_code(p) if isinstance(p, str) and not exact else p for p in pieces if p != ""]
    if not pieces:
        return ""
    return pieces[0] if len(pieces) == 1 and isinstance(pieces[0], str) else {"Std:Join": pieces}


def _literal(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else None


def _without_defaults(body: dict[str, Any], member: str) -> dict[str, Any]:
    if body.get("AppManaged") is False and ("InputName" in body or "OutputName" in body):
        del body["AppManaged"]
    if member == "S3Input" and body.get("S3CompressionType") == "None":
        del body["S3CompressionType"]
    if member == "OutputDataConfig" and body.get("CompressionType") == "GZIP":
        del body["CompressionType"]
    if member == "CacheConfig" and isinstance(body.get("ExpireAfter"), str):
        body["ExpireAfter"] = _expiry(body["ExpireAfter"])
    if "InputDataConfig" in body and isinstance(body.get("AlgorithmSpecification"), dict):
        mode = body["AlgorithmSpecification"].get("TrainingInputMode")
        for channel in _list(body["InputDataConfig"]):
            if isinstance(channel, dict) and channel.get("InputMode", mode) == mode:
                channel.pop("InputMode", None)
    return body


def _without_faults(body: dict[str, Any], member: str) -> dict[str, Any]:
    """What the SDK writes and should not."""
    if member in ("HyperParameters", "StaticHyperParameters"):
        return {key: _uncast(value) for key, value in body.items()}
    if member == "Environment":
        return {k: v for k, v in body.items() if v != "" or k not in EMPTY_VARIABLES}
    return body


EMPTY_VARIABLES = ("SAGEMAKER_PROGRAM", "SAGEMAKER_SUBMIT_DIRECTORY")


def _uncast(value: Any) -> Any:
    pieces = value.get("Std:Join") if isinstance(value, dict) else None
    return pieces[0] if isinstance(pieces, list) and len(pieces) == 1 else value


def _expiry(text: str) -> str:
    """`30d`, `P30d` and `P30D` are one."""
    text = text.upper()
    return text if text.startswith("P") else f"P{text}"


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Walks two values side by side. The two members are what lines call them."""

    first: str
    second: str

    def values(self, one: Any, other: Any, path: str) -> Iterator[str]:
        if isinstance(one, dict) and isinstance(other, dict) and not (is_function(one) or is_function(other)):
            for key in [*one, *(key for key in other if key not in one)]:
                yield from self.member(one, other, key, f"{path}.{key}" if path else key)
        elif isinstance(one, list) and isinstance(other, list):
            yield from self.lists(one, other, path)
        elif json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
            yield f"{path}: {_shown(one)} in {self.first}, {_shown(other)} in {self.second}"

    def member(self, one: Mapping[Any, Any], other: Mapping[Any, Any], key: Any, path: str) -> Iterator[str]:
        if key not in other:
            yield f"{path}: only in {self.first} ({_shown(one[key])})"
        elif key not in one:
            yield f"{path}: only in {self.second} ({_shown(other[key])})"
        else:
            yield from self.values(one[key], other[key], path)

    def lists(self, one: list[Any], other: list[Any], path: str) -> Iterator[str]:
        first, second = _by_name(one), _by_name(other)
        if first is None or second is None:
            first, second = dict(enumerate(one)), dict(enumerate(other))
        elif set(first) == set(second) and list(first) != list(second):
            orders = (f"{', '.join(o)} in {who}" for o, who in ((first, self.first), (second, self.second)))
            yield f"{path}: in the order {', '.join(orders)}"
        for key in [*first, *(key for key in second if key not in first)]:
            yield from self.member(first, second, key, f"{path}[{key}]")


def _by_name(items: list[Any]) -> dict[Any, Any] | None:
    """The elements by their names; None where they have none, or one is there twice."""
    for member in NAMES:
        named = {i[member]: i for i in items if isinstance(i, dict) and isinstance(i.get(member), str)}
        if items and len(named) == len(items):
            return named
    return {} if not items else None


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}..."
