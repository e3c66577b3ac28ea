"""Executes pipeline definitions with the SageMaker SDK's local executor. The executor is what is asked: who waits for
whom, what values are, which branch is taken, how an execution ends. The jobs are stubs, which end as a case says and
describe themselves as they were asked for; S3 is a folder.

python sdk_definition.py S3 CASES.json > RESULTS.json     # both by the case's name
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import sdk_folder  # first: it stands in for AWS
from botocore.exceptions import ClientError
from sagemaker.core.workflow import conditions as terms
from sagemaker.core.workflow.execution_variables import ExecutionVariable
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import Parameter, ParameterString, ParameterTypeEnum
from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.local import LocalPipelineSession, pipeline, pipeline_entities
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.pipeline_experiment_config import PipelineExperimentConfigProperty
from sagemaker.mlops.workflow.step_dependency import StepDependency, TriggerCondition
from sagemaker.mlops.workflow.steps import Step, StepTypeEnum
from sdk_folder import BUCKET, REGION

session = LocalPipelineSession(boto_session=boto3.Session(region_name=REGION), default_bucket=BUCKET)
COMPARISONS: dict[str, Callable[[Any, Any], terms.Condition]] = {
    "Equals": terms.ConditionEquals,
    "GreaterThan": terms.ConditionGreaterThan,
    "GreaterThanOrEqualTo": terms.ConditionGreaterThanOrEqualTo,
    "LessThan": terms.ConditionLessThan,
    "LessThanOrEqualTo": terms.ConditionLessThanOrEqualTo,
}


class Written(Step):
    """A step whose request is written already."""

    def __init__(self, body: dict[str, Any], arguments: Any) -> None:
        super().__init__(body["Name"], step_type=StepTypeEnum(body["Type"]), depends_on=dependencies(body))
        self._arguments = arguments
        self._files = body.get("PropertyFiles")

    @property
    def arguments(self) -> Any:
        return self._arguments

    @property
    def properties(self) -> Properties:
        return Properties(self.name)

    def to_request(self) -> dict[str, Any]:
        return super().to_request() | ({"PropertyFiles": self._files} if self._files else {})


class Jobs:
    """What the executor asks of SageMaker: each job ends at once, and is described by its request."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.case = case
        self.requests: dict[str, Any] = {}
        self.described: dict[str, Any] = {}

    def create(self, kind: str, name: str, request: dict[str, Any]) -> None:
        step = next(step for step, given in self.case["jobs"].items() if given == name)
        self.requests[step] = copy.deepcopy(request)
        if step in self.case["fails"]:
            raise RuntimeError(self.case["fails"][step])
        self.described[name] = {**request, f"{kind}Name": name, **self.case["properties"].get(step, {})}

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        verb, _, noun = operation.partition("_")
        kind = "".join(word.capitalize() for word in noun.split("_"))
        if verb == "create":
            return lambda name, /, **request: self.create(kind, name, request)
        if verb == "describe":
            return lambda name: copy.deepcopy(self.described[name])
        raise AttributeError(operation)


def dependencies(body: dict[str, Any]) -> list[Any]:
    return [
        StepDependency(entry["Step"], TriggerCondition(entry["Trigger"]))
        if isinstance(entry, dict)
        else entry
        for entry in body.get("DependsOn", [])
    ]


def parameter(written: dict[str, Any]) -> Parameter:
    name, default = written["Name"], written.get("DefaultValue")
    if written["Type"] == "String":
        return ParameterString(name, default, written.get("EnumValues"))
    return Parameter(name, ParameterTypeEnum(value=written["Type"]), default)


def value(written: Any, parameters: dict[str, Parameter]) -> Any:
    """`written` with the SDK's objects for its pseudo-functions."""
    if isinstance(written, list):
        return [value(item, parameters) for item in written]
    if not isinstance(written, dict):
        return written
    if set(written) == {"Get"}:
        return get(written["Get"], parameters)
    if set(written) == {"Std:Join"}:
        return Join(written["Std:Join"]["On"], value(written["Std:Join"]["Values"], parameters))
    if set(written) == {"Std:JsonGet"}:
        return json_get(written["Std:JsonGet"], parameters)
    return {key: value(item, parameters) for key, item in written.items()}


def get(target: str, parameters: dict[str, Parameter]) -> Any:
    root, _, rest = target.partition(".")
    if root == "Parameters":
        return parameters[rest]
    if root == "Steps":
        name, _, path = rest.partition(".")
        return Properties(name, path=path)
    if root == "Execution":
        return ExecutionVariable(rest)
    assert root == "PipelineExperimentConfig", target
    return PipelineExperimentConfigProperty(rest)


def json_get(written: dict[str, Any], parameters: dict[str, Parameter]) -> JsonGet:
    if "PropertyFile" in written:
        _, step, _, file = written["PropertyFile"]["Get"].split(".")
        return JsonGet(step_name=step, property_file=file, json_path=written["Path"])
    uri = value(written["S3Uri"], parameters)
    found = [
        step for piece in uri.values if isinstance(piece, Properties) for step in piece._referenced_steps
    ]
    return JsonGet(s3_uri=uri, json_path=written["Path"], step_name=found[0] if found else None)


def condition(written: dict[str, Any], parameters: dict[str, Parameter]) -> terms.Condition:
    kind = written["Type"]
    if kind == "Not":
        return terms.ConditionNot(condition(written["Condition"], parameters))
    if kind == "Or":
        return terms.ConditionOr([condition(inner, parameters) for inner in written["Conditions"]])
    if kind == "In":
        query, values = (value(written[key], parameters) for key in ("QueryValue", "Values"))
        return terms.ConditionIn(query, values)
    left, right = (value(written[key], parameters) for key in ("LeftValue", "RightValue"))
    return COMPARISONS[kind](left, right)


def step(body: dict[str, Any], parameters: dict[str, Parameter]) -> Step:
    arguments = body["Arguments"]
    if body["Type"] == "Condition":
        then, otherwise = (
            [step(inner, parameters) for inner in arguments[branch]] for branch in ("IfSteps", "ElseSteps")
        )
        held = [condition(term, parameters) for term in arguments["Conditions"]]
        return ConditionStep(
            body["Name"], dependencies(body), conditions=held, if_steps=then, else_steps=otherwise
        )
    if body["Type"] == "Fail":
        message = value(arguments["ErrorMessage"], parameters)
        return FailStep(body["Name"], message, depends_on=dependencies(body))
    known = body["Type"] != "ForEach"  # its body refers to the current item; local mode refuses it anyway
    return Written(body, value(arguments, parameters) if known else {})


def executed(case: dict[str, Any]) -> dict[str, Any]:
    """What the local executor makes of a case, `refused` where it takes it not."""
    jobs = session.sagemaker_client = Jobs(case)
    pipeline.unique_name_from_base = case["jobs"].__getitem__
    pipeline_entities._generate_execution_id = lambda: case["execution"]
    written = case["definition"]
    try:
        parameters = {entry["Name"]: parameter(entry) for entry in written["Parameters"]}
        steps = [step(body, parameters) for body in written["Steps"]]
        made = Pipeline(case["pipeline"], list(parameters.values()), steps=steps, sagemaker_session=session)
        local = pipeline_entities._LocalPipeline(
            made, local_session=session
        )  # the session's telemetry takes 0.4 s
        execution = local.start(PipelineParameters=case["parameters"])
    except ClientError as error:
        return {"refused": error.response["Error"]["Message"]}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    return {
        "status": execution.status,
        "steps": {
            name: {
                "status": found.status,
                "reason": found.failure_reason,
                "arguments": jobs.requests.get(name),
                "outcome": found.properties.get("Outcome"),
            }
            for name, found in execution.step_execution.items()
            if found.status is not None
        },
    }


def main() -> None:
    sdk_folder.root = Path(sys.argv[1])
    results: dict[str, Any] = {}
    for name, case in json.loads(Path(sys.argv[2]).read_text()).items():
        sdk_folder.case = case["folder"]
        results[name] = executed(case)
    print(json.dumps(results, default=str))


main()
