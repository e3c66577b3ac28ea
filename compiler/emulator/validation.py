"""What SageMaker checks of a definition before it takes it, said as SageMaker says it where its words are known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sagewright.compiler.definition import (
    DefinitionError,
    PlacedStep,
    Reference,
    edges,
    is_function,
    own_references,
    parse,
    steps,
)
from sagewright.compiler.emulator.arguments import check_arguments
from sagewright.compiler.emulator.step_types import STEP_TYPES, Invalid
from sagewright.compiler.properties import PropertyError, property_type
from sagewright.compiler.types import Type, type_of

MEMBERS = frozenset(
    {"Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps"}
)
NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")
PARAMETER_TYPES = {
    "String": Type.STRING,
    "Integer": Type.INTEGER,
    "Float": Type.FLOAT,
    "Boolean": Type.BOOLEAN,
}
COMPARISONS = frozenset({"Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"})
TRIGGERS = frozenset({"Completed", "Failed", "Stopped", "Any"})
VARIABLES = frozenset(
    {
        *("PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn", "StartDateTime"),
        *("CurrentDateTime", "TrainingJobName", "ProcessingJobName"),
    }
)
RETRIES = {"IntervalSeconds": 43_200, "MaxAttempts": 20, "ExpireAfterMin": 14_400}
MESSAGE_LENGTH = 3_072
PROCESSING_INPUTS = 10


def problem(text: str) -> str | None:
    """The first thing for which SageMaker would refuse the definition, in its words; None where it would not."""
    try:
        _Definition(parse(text)).check()
    except (Invalid, DefinitionError) as found:
        return f"Unable to parse pipeline definition. {found}"
    return None


@dataclass(frozen=True, slots=True)
class _Definition:
    data: Mapping[str, Any]

    def check(self) -> None:
        """Raise Invalid for what is wrong first: the document, its steps, what they refer to, the graph."""
        for member in self.data:
            if member not in MEMBERS:
                raise Invalid(f"Unknown member '{member}'")
        if self.data.get("Version") != "2020-12-01":
            raise Invalid(f"Unsupported Version '{self.data.get('Version')}'")
        _objects(self.data, "Steps", required=True)
        parameters = dict(self._parameters())
        placed = list(steps(self.data))
        names = _Names(parameters, {step.name: step for step in placed})
        if len(names.steps) != len(placed):
            twice = next(s.name for i, s in enumerate(placed) if s.name in {p.name for p in placed[:i]})
            raise Invalid(f"Step names must be unique. Duplicate step name '{twice}'")
        for step in placed:
            _check_step(step)
        for step in placed:
            _check_references(step, names)
            _check_dependencies(step, names)
            check_arguments(step, names.type_of)
        self._check_order()

    def _parameters(self) -> Iterator[tuple[str, Type]]:
        seen: set[str] = set()
        for parameter in _objects(self.data, "Parameters"):
            name, kind = parameter.get("Name"), parameter.get("Type")
            if not isinstance(name, str) or not NAME.fullmatch(name):
                raise Invalid(f"Invalid parameter name '{name}'")
            if name in seen:
                raise Invalid(f"Parameter names must be unique. Duplicate parameter name '{name}'")
            if not isinstance(kind, str) or kind not in PARAMETER_TYPES:
                raise Invalid(f"Unknown type '{kind}' of parameter '{name}'")
            _check_default(name, PARAMETER_TYPES[kind], parameter)
            seen.add(name)
            yield name, PARAMETER_TYPES[kind]

    def _check_order(self) -> None:
        graph: dict[str, set[str]] = {}
        for edge in edges(self.data):
            graph.setdefault(edge.target, set()).add(edge.source)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            raise Invalid(f"Cycle detected in pipeline: {' -> '.join(error.args[1])}") from None


@dataclass(frozen=True, slots=True)
class _Names:
    """What a definition declares."""

    parameters: Mapping[str, Type]
    steps: Mapping[str, PlacedStep]

    def type_of(self, reference: Reference) -> Type | None:
        """The type of what is referred to: ANY where only the run tells, None for a whole structure. Raises Invalid."""
        match reference.root:
            case "Parameters":
                if reference.name not in self.parameters:
                    raise Invalid(f"Undefined parameter reference [{reference.target}]")
                return self.parameters[reference.name]
            case "Execution":
                if reference.name not in VARIABLES:
                    raise Invalid(f"Unknown execution variable [{reference.target}]")
                return Type.STRING
            case "PipelineExperimentConfig":
                return Type.STRING
            case "ForEach" | "IterationOutput":
                return Type.ANY
            case "Steps":
                return self._property(reference)
        raise Invalid(f"Invalid property reference [{reference.target}]")

    def _property(self, reference: Reference) -> Type | None:
        step = self.steps.get(reference.name)
        if step is None:
            raise Invalid(f"Undefined step reference [{reference.target}]")
        if reference.rest.startswith("PropertyFiles."):
            declared = {f.get("PropertyFileName") for f in _objects(step.body, "PropertyFiles")}
            if reference.rest.removeprefix("PropertyFiles.") not in declared:
                raise Invalid(f"Undefined property file reference [{reference.target}]")
            return Type.ANY
        segments = tuple(_segments(reference.rest))
        if step.type in ("Lambda", "Callback"):
            return _output(step, segments, reference)
        kind = STEP_TYPES[step.type]
        if kind.response is None:
            return Type.ANY
        try:
            return property_type(kind.response, segments)
        except PropertyError:
            raise Invalid(f"Invalid property reference [{reference.target}]") from None


SEGMENT = re.compile(r"\.?(\w+)|\[(\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")


def _segments(path: str) -> Iterator[str | int]:
    for name, index, single, double in SEGMENT.findall(path):
        yield int(index) if index else name or single or double


def _output(step: PlacedStep, segments: tuple[str | int, ...], reference: Reference) -> Type:
    """The type of an output that a Lambda or a Callback declares."""
    for output in _objects(step.body, "OutputParameters"):
        if segments == ("OutputParameters", output.get("OutputName")):
            return PARAMETER_TYPES.get(str(output.get("OutputType")), Type.ANY)
    raise Invalid(f"Invalid property reference [{reference.target}]")


def _objects(container: Mapping[str, Any], member: str, *, required: bool = False) -> list[dict[str, Any]]:
    """A member that is a list of objects, empty where it is absent or null."""
    value = container.get(member)
    if value is None and not required:
        return []
    if not isinstance(value, list):
        raise Invalid("Expecting start of Json Array.")
    if not all(isinstance(item, dict) for item in value):
        raise Invalid("Expecting start of Json Object.")
    return value


def _check_default(name: str, kind: Type, parameter: Mapping[str, Any]) -> None:
    enum = parameter.get("EnumValues")
    if enum is not None and (
        kind is not Type.STRING or not isinstance(enum, list) or not 1 <= len(enum) <= 16
    ):
        raise Invalid(f"Invalid EnumValues of parameter '{name}'")
    default = parameter.get("DefaultValue")
    if default is None:
        return
    given = type_of(default) if isinstance(default, (str, int, float)) else None
    if given is not kind and (given, kind) != (Type.INTEGER, Type.FLOAT):
        raise Invalid(f"Invalid DefaultValue of parameter '{name}': expected {kind}")
    if enum and default not in enum:
        raise Invalid(f"DefaultValue of parameter '{name}' is not in its EnumValues")


# -- one step ---------------------------------------------------------------------------------------------------------


def _check_step(step: PlacedStep) -> None:
    """Name, type, and the members beside and in `Arguments` that no request's shape describes."""
    if not NAME.fullmatch(step.name):
        raise Invalid(
            f"Invalid step name '{step.body.get('Name')}'. Must match regex [A-Za-z0-9\\-_]{{1,64}}"
        )
    if step.type not in STEP_TYPES:
        raise Invalid(f"Unknown step type '{step.body.get('Type')}'")
    for member in step.body:
        if member not in STEP_TYPES[step.type].members:
            raise Invalid(f"Unknown member '{member}' of step '{step.name}'")
    if not isinstance(step.body.get("Arguments"), dict):
        raise Invalid("Expecting start of Json Object.")
    for policy in _objects(step.body, "RetryPolicies"):
        _check_retry(step, policy)
    cache = step.body.get("CacheConfig")
    if cache is not None and not (isinstance(cache, dict) and isinstance(cache.get("Enabled"), bool)):
        raise Invalid(f"Invalid CacheConfig of step '{step.name}'")
    specific = {"Condition": _check_condition, "ForEach": _check_foreach, "Processing": _check_processing}
    specific |= dict.fromkeys(("Lambda", "Callback"), _check_scalars) | {"Fail": _check_fail}
    if step.type in specific:
        specific[step.type](step, step.body["Arguments"])


def _check_retry(step: PlacedStep, policy: Mapping[str, Any]) -> None:
    if policy.get("MaxAttempts") is not None and policy.get("ExpireAfterMin") is not None:
        raise Invalid(
            f"Only one of MaxAttempts and ExpireAfterMin may be given in a retry policy of '{step.name}'"
        )
    for member, maximum in RETRIES.items():
        value = policy.get(member, 0)
        if value is not None and (type(value) is not int or not 0 <= value <= maximum):
            raise Invalid(f"Invalid {member} in a retry policy of step '{step.name}'")


def _check_condition(step: PlacedStep, arguments: Mapping[str, Any]) -> None:
    for member in ("IfSteps", "ElseSteps"):
        _objects(arguments, member)
    for condition in _objects(arguments, "Conditions", required=True):
        _check_comparison(condition)


def _check_comparison(condition: Any) -> None:
    kind = condition.get("Type") if isinstance(condition, Mapping) else None
    needs: dict[str, tuple[str, ...]] = {
        "In": ("QueryValue", "Values"),
        "Not": ("Condition",),
        "Or": ("Conditions",),
    }
    if not isinstance(kind, str) or not (kind in COMPARISONS or kind in needs):
        raise Invalid(f"Unknown condition type '{kind}'")
    for member in needs.get(kind, ("LeftValue", "RightValue")):
        if member not in condition:
            raise Invalid(f"Missing member '{member}' of condition '{kind}'")
    for inner in (
        [condition["Condition"]] if kind == "Not" else condition["Conditions"] if kind == "Or" else ()
    ):
        _check_comparison(inner)


def _check_foreach(step: PlacedStep, arguments: Mapping[str, Any]) -> None:
    concurrency = arguments.get("MaxConcurrency")
    if type(concurrency) is not int or not 1 <= concurrency <= 50:
        raise Invalid(f"MaxConcurrency of step '{step.name}' must be between 1 and 50")
    for inner in _objects(arguments, "ForEachBody", required=True):
        if inner.get("Type") in ("Condition", "Fail", "ForEach"):
            raise Invalid(f"Step type '{inner['Type']}' is not supported in ForEach step '{step.name}'")


def _check_processing(step: PlacedStep, arguments: Mapping[str, Any]) -> None:
    inputs = _objects(arguments, "ProcessingInputs")
    if len(inputs) > PROCESSING_INPUTS:
        raise Invalid(f"ProcessingInputs length ({len(inputs)}) exceeds ({PROCESSING_INPUTS})")
    outputs = {
        o.get("OutputName") for o in _objects(arguments.get("ProcessingOutputConfig") or {}, "Outputs")
    }
    for file in _objects(step.body, "PropertyFiles"):
        if file.get("OutputName") not in outputs:
            raise Invalid(
                f"Property file '{file.get('PropertyFileName')}' has an undefined output '{file.get('OutputName')}'"
            )


def _check_scalars(step: PlacedStep, arguments: Mapping[str, Any]) -> None:
    target = "FunctionArn" if step.type == "Lambda" else "SqsQueueUrl"
    if not isinstance(step.body.get(target), str):
        raise Invalid(f"Missing member '{target}' of step '{step.name}'")
    for name, value in arguments.items():
        if not isinstance(value, (str, int, float)) and not is_function(value):
            raise Invalid(f"Argument '{name}' of step '{step.name}' must be a primitive value")


def _check_fail(step: PlacedStep, arguments: Mapping[str, Any]) -> None:
    message = arguments.get("ErrorMessage", "")
    if isinstance(message, str) and len(message) > MESSAGE_LENGTH:
        raise Invalid(f"ErrorMessage length ({len(message)}) exceeds ({MESSAGE_LENGTH})")


# -- what steps refer to ----------------------------------------------------------------------------------------------


def _check_references(step: PlacedStep, names: _Names) -> None:
    for reference in own_references(step):
        names.type_of(reference)
        if reference.root == "Steps" and names.steps[reference.name].type == "Fail":
            raise Invalid(f"Step '{step.name}' cannot depend on Fail step '{reference.name}'")


def _check_dependencies(step: PlacedStep, names: _Names) -> None:
    dependencies = step.body.get("DependsOn")
    if dependencies is not None and not isinstance(dependencies, list):
        raise Invalid("Expecting start of Json Array.")
    for dependency in dependencies or ():
        name, trigger = dependency, "Completed"
        if isinstance(dependency, dict):
            name, trigger = dependency.get("Step"), dependency.get("Trigger", "Completed")
        if not isinstance(name, str) or name not in names.steps:
            raise Invalid(f"Step '{step.name}' depends on undefined step '{name}'")
        if trigger not in TRIGGERS:
            raise Invalid(f"Unknown Trigger '{trigger}' in DependsOn of step '{step.name}'")
        if names.steps[name].type == "Fail":
            raise Invalid(f"Step '{step.name}' cannot depend on Fail step '{name}'")
