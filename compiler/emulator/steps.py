"""The steps of an execution as ListPipelineExecutionSteps shows them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sagewright.compiler.emulator import callbacks
from sagewright.compiler.emulator.execution import UNKNOWN, EmulatedExecution
from sagewright.compiler.engine.blueprint import CONTROL
from sagewright.compiler.engine.describe import describe
from sagewright.compiler.engine.scheduler import NOT_STOPPED
from sagewright.compiler.engine.state import Record, Status, Task
from sagewright.compiler.engine.values import Unknown, text

REASON_LENGTH = 1_024
ITEM_LENGTH = 12_800
ARNS: Mapping[str, tuple[str, str]] = {
    "Training": ("TrainingJob", "TrainingJobArn"),
    "Processing": ("ProcessingJob", "ProcessingJobArn"),
    "Transform": ("TransformJob", "TransformJobArn"),
    "Tuning": ("TuningJob", "HyperParameterTuningJobArn"),
    "AutoML": ("AutoMLJob", "AutoMLJobArn"),
    "Job": ("Job", "JobArn"),
    "Model": ("Model", "ModelArn"),
    "Endpoint": ("Endpoint", "EndpointArn"),
    "EndpointConfig": ("EndpointConfig", "EndpointConfigArn"),
    "InferenceComponent": ("InferenceComponent", "InferenceComponentArn"),
}
"""By step type: the member of PipelineExecutionStepMetadata, and the property that its `Arn` is."""


def listed(execution: EmulatedExecution) -> list[dict[str, Any]]:
    """Every step that started, or whose result was taken from another execution, in the order in which they began."""
    with execution.inbox.turn:
        engine = execution.engine
        shown = [r for r in engine.records.values() if r.start is not None or r.reused]
        shown.sort(key=lambda r: (engine.started if r.start is None else r.start, r.order))
        return [_step(execution, record) for record in shown]


def _step(execution: EmulatedExecution, record: Record) -> dict[str, Any]:
    """A PipelineExecutionStep; members without a value are None."""
    engine, pace = execution.engine, execution.pace
    start = engine.started if record.start is None else record.start
    end = start if record.reused else record.end
    return {
        "StepName": record.name,
        "StepDisplayName": _written(execution, record, "DisplayName"),
        "StepDescription": _written(execution, record, "Description"),
        "StartTime": pace.shown(start),
        "EndTime": None if end is None else pace.shown(end),
        "StepStatus": _status(execution, record),
        "CacheHitResult": record.cached and {"SourcePipelineExecutionArn": record.cached},
        "FailureReason": _reason(record),
        "Metadata": metadata(execution, record) or None,
        "AttemptCount": len(record.attempts),
        "SelectiveExecutionResult": record.reused and {"SourcePipelineExecutionArn": record.reused},
        "IterationContext": _iteration(record),
    }


def _written(execution: EmulatedExecution, record: Record, member: str) -> str | None:
    value = execution.engine.nodes[record.name].body.get(member)
    return value if isinstance(value, str) else None


def _status(execution: EmulatedExecution, record: Record) -> str:
    if record.status is Status.UNKNOWN:
        return "Failed"
    halted = execution.engine.stopping and record.type not in CONTROL | NOT_STOPPED
    return "Stopping" if record.status is Status.EXECUTING and halted else str(record.status)


def _reason(record: Record) -> str | None:
    if record.status is Status.UNKNOWN:
        return f"{UNKNOWN}{record.reason}"[:REASON_LENGTH]
    return record.reason[:REASON_LENGTH] if record.status is Status.FAILED else None


def _iteration(record: Record) -> dict[str, Any] | None:
    if record.parent is None:
        return None
    item = record.item if isinstance(record.item, str) else json.dumps(record.item, default=str)
    return {"ParentStepName": record.parent, "Index": record.iteration, "Item": item[:ITEM_LENGTH]}


# -- metadata ---------------------------------------------------------------------------------------------------------


def task_of(record: Record, attempt: int | None = None) -> Task:
    """What the executor was asked to do in an attempt, the last one if not said."""
    return Task(
        record.name,
        record.type,
        record.body,
        record.arguments,
        attempt or len(record.attempts),
        record.parent,
        record.iteration,
    )


def metadata(execution: EmulatedExecution, record: Record) -> dict[str, Any]:
    """The PipelineExecutionStepMetadata of a step: what is known of it; nothing where nothing is."""
    given: Mapping[str, Any] = record.outcome.properties if record.outcome else {}
    if record.type in ARNS:
        member, name = ARNS[record.type]
        if name not in given and record.attempts:
            given = describe(task_of(record), execution.engine.identity)
        return _known({member: {"Arn": given.get(name)}})
    if record.type not in _KINDS:
        return {}
    return _known({record.type: _KINDS[record.type](execution, record, given)})


def _known(made: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is unknown, or not there."""
    found = {member: _known(value) if isinstance(value, dict) else value for member, value in made.items()}
    return {
        member: value
        for member, value in found.items()
        if not (value is None or isinstance(value, Unknown) or value in ({}, []))
    }


Made = Callable[[EmulatedExecution, Record, Mapping[str, Any]], dict[str, Any]]


def _condition(_execution: EmulatedExecution, _record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"Outcome": given.get("Outcome")}


def _package(_execution: EmulatedExecution, _record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"Arn": given.get("ModelPackageArn")}


def _callback(execution: EmulatedExecution, record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    token = callbacks.token(execution.arn, record) if record.attempts else None
    return {
        "CallbackToken": token,
        "SqsQueueUrl": record.body.get("SqsQueueUrl"),
        "OutputParameters": _outputs(given),
    }


def _lambda(_execution: EmulatedExecution, record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"Arn": record.body.get("FunctionArn"), "OutputParameters": _outputs(given)}


def _outputs(given: Mapping[str, Any]) -> list[dict[str, str]]:
    found = {name: text(value) for name, value in (given.get("OutputParameters") or {}).items()}
    return [{"Name": name, "Value": value} for name, value in found.items() if isinstance(value, str)]


def _fail(_execution: EmulatedExecution, _record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"ErrorMessage": given.get("ErrorMessage")}


def _emr(_execution: EmulatedExecution, record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    arguments = record.arguments if isinstance(record.arguments, Mapping) else {}
    return {"ClusterId": arguments.get("ClusterId"), "StepId": given.get("Id"), "StepName": record.name}


def _emr_serverless(_execution: EmulatedExecution, record: Record, _: Mapping[str, Any]) -> dict[str, Any]:
    arguments = record.arguments if isinstance(record.arguments, Mapping) else {}
    return {"ApplicationId": arguments.get("ApplicationId")}


def _check(execution: EmulatedExecution, record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    told = ("CheckType", "ModelPackageGroupName", "SkipCheck", "RegisterNewBaseline")
    found = ("BaselineUsedForDriftCheckConstraints", "CalculatedBaselineConstraints")
    if record.type == "QualityCheck":
        found = (*found, "BaselineUsedForDriftCheckStatistics", "CalculatedBaselineStatistics")
    job = describe(replace(task_of(record), type="Processing"), execution.engine.identity)
    return {
        **{member: record.body.get(member) for member in told},
        **{member: given.get(member) for member in found},
        "CheckJobArn": job["ProcessingJobArn"] if record.attempts else None,
    }


def _lineage(_execution: EmulatedExecution, _record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    members = ("ActionArns", "ArtifactArns", "ContextArns")
    return {name: given[name] for name in members if name in given}


def _foreach(execution: EmulatedExecution, record: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    children = [r for r in execution.engine.records.values() if r.parent == record.name]
    counts = ("SucceededStepCount", "FailedStepCount", "StoppedStepCount")
    node = execution.engine.nodes[record.name]
    return {
        "Status": given.get("Status"),
        "InputItemCount": len(children) // max(1, len(node.children)),
        "TotalStepCount": len(children),
        **{name: given.get(name) for name in counts},
        "Selector": _selected(node.selector.body, children, given) if node.selector else None,
    }


def _selected(body: str, children: list[Record], given: Mapping[str, Any]) -> dict[str, Any] | None:
    found = (
        {"StepName": body, "Index": child.iteration}
        for child in children
        if child.name == f"{body}-{child.iteration}"
        and child.outcome is not None
        and child.outcome.properties == given.get("Selected")
    )
    return next(found, None)


_KINDS: Mapping[str, Made] = {
    "Condition": _condition,
    "RegisterModel": _package,
    "Callback": _callback,
    "Lambda": _lambda,
    "Fail": _fail,
    "EMR": _emr,
    "EMRServerless": _emr_serverless,
    "QualityCheck": _check,
    "ClarifyCheck": _check,
    "Lineage": _lineage,
    "ForEach": _foreach,
}
