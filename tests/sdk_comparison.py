"""Definitions executed by our engine and by the SageMaker SDK's local executor, and where the two differ.

The executor runs one step after another and starts nothing after a failure, so what neither leads to a failed step nor
comes after one may have started in one and not in the other. A Lambda step that gives nothing back stands as a
Processing step with the Lambda's arguments as its own, for both: local mode has none.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.definition import DefinitionError
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.engine.blueprint import Blueprint
from sagewright.compiler.engine.outcome import FIRST, Result
from sagewright.compiler.engine.parameters import Refused
from sagewright.compiler.engine.state import Record, Status
from sagewright.compiler.engine.values import first_unknown, lookup
from tests.run_table import definition, simulated
from tests.sdk import NO_SDK, sdk_environment, sdk_python

PROGRAM = Path(__file__).parent / "e2e" / "sdk_definition.py"
RUNNABLE = {"Processing", "Training", "Transform", "Model", "Condition", "Fail"}
"""Source: `_LocalPipelineExecution._initialize_step_execution` of SDK 3.27."""


@dataclass(frozen=True)
class Case:
    """A case as both execute it. `why_not` says why they cannot be compared, and whether the SDK says so itself."""

    name: str
    definition: Mapping[str, Any]
    parameters: Mapping[str, Any]
    given: Mapping[str, Any]
    result: Result | None = None
    plan: Blueprint | None = None
    refused: str = ""
    why_not: str = ""
    is_refused: bool = False


# -- what is asked ----------------------------------------------------------------------------------------------------


def without_lambdas(steps: Any) -> Any:
    """Steps with each Lambda step that gives nothing back as a Processing step of the same arguments."""
    if isinstance(steps, list):
        return [without_lambdas(step) for step in steps]
    if not isinstance(steps, Mapping):
        return steps
    if steps.get("Type") == "Lambda" and not steps.get("OutputParameters"):
        kept = {key: value for key, value in steps.items() if key in ("Name", "Arguments", "DependsOn")}
        return {**kept, "Type": "Processing"}
    return {key: without_lambdas(value) for key, value in steps.items()}


def execution(file: str, case: Mapping[str, Any]) -> Case:
    written = definition(case)
    made = {**written, "Steps": without_lambdas(case["steps"])}
    given = case.get("given") or {}
    name, parameters = f"{file}: {case['rule']}", given.get("parameters") or {}
    try:
        (before, _), (after, names) = (simulated(each, case, Sink()) for each in (written, made))
    except (Refused, DefinitionError) as error:
        why = unsupported(made) or beyond(given)
        return Case(name, made, parameters, given, refused=str(error), why_not=why)
    why = beyond(given) or beyond_comparison(after)
    if not why and statuses(before) != statuses(after):
        why = "the rule is one of Lambda steps"
    refusal = unsupported(made)
    return Case(name, made, parameters, given, after, names.plan, "", refusal or why, bool(refusal))


def unsupported(made: Mapping[str, Any]) -> str:
    """Why local mode refuses a definition."""
    text = json.dumps(made["Steps"])
    found = {kind for kind in types(made["Steps"]) if kind not in RUNNABLE}
    if found:
        return f"local mode has no steps of type {', '.join(sorted(found))}"
    triggers = ('"Trigger": "Failed"', '"Trigger": "Any"', '"Trigger": "Stopped"')
    return "local mode has no run conditions" if any(trigger in text for trigger in triggers) else ""


def types(steps: list[Any]) -> Iterator[str]:
    for step in steps:
        yield step["Type"]
        for branch in ("IfSteps", "ElseSteps") if step["Type"] == "Condition" else ():
            yield from types(step["Arguments"].get(branch, []))


def beyond(given: Mapping[str, Any]) -> str:
    """What a case is given that local mode does not know."""
    features = {"after": "cache", "stop_at": "stop", "select": "selective executions", "retry": "retry"}
    found = [feature for key, feature in features.items() if key in given]
    return f"local mode has no {found[0]}" if found else ""


def beyond_comparison(result: Result) -> str:
    if result.execution.status == "Unknown":
        return "nobody knows what SageMaker does"
    attempts = [record.attempts for record in result.execution.records.values()]
    if any(len(tried) > 1 for tried in attempts):
        return "local mode retries nothing"
    if any(attempt.error in ("timeout", "stopped") for tried in attempts for attempt in tried):
        return "local mode measures no time and stops nothing"
    return ""


def statuses(result: Result) -> dict[str, Status]:
    return {name: record.status for name, record in result.execution.records.items()}


# -- the SDK's answers ------------------------------------------------------------------------------------------------


def answered(cases: Iterable[Case], folder: Path) -> dict[str, Any]:
    """What the SDK's executor makes of each case, by name: one process for all of them."""
    python = sdk_python()
    if python is None:
        pytest.skip(NO_SDK)
    asked = {case.name: question(case, folder, f"case{number}") for number, case in enumerate(cases)}
    (folder / "cases.json").write_text(json.dumps(asked))
    command = [python, str(PROGRAM), str(folder), str(folder / "cases.json")]
    environment = sdk_environment() | {"PYTHONHASHSEED": "0"}  # the order of its steps is that of a set
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def question(case: Case, folder: Path, place: str) -> dict[str, Any]:
    records = case.result.execution.records if case.result else {}
    nodes = case.plan.nodes if case.plan else {}
    behaviours: Mapping[str, Any] = case.given.get("steps") or {}
    files = dict(case.given.get("files") or {})
    properties: dict[str, Any] = {}
    for name, behaviour in behaviours.items():
        for report, content in (behaviour.get("reports") or {}).items():
            files[report_uri(nodes[name].body, report)] = content
        metrics = [{"MetricName": key, "Value": value} for key, value in behaviour.get("metrics", {}).items()]
        properties[name] = {"FinalMetricDataList": metrics, **behaviour.get("properties", {})}
    for uri, content in files.items():
        path = folder / place / uri.removeprefix("s3://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return {
        "definition": case.definition,
        "parameters": case.parameters,
        "pipeline": "pipeline",
        "execution": FIRST,
        "folder": place,
        "jobs": {name: job_name(record) for name, record in records.items()} or {"P": "P"},
        "fails": {
            name: records[name].reason
            for name in behaviours
            if "fails" in behaviours[name] and name in records
        },
        "properties": properties,
    }


def report_uri(step: Mapping[str, Any], report: str) -> str:
    """Where a step's property file lies; the S3 URI of its output is a literal."""
    (file,) = (file for file in step["PropertyFiles"] if file["PropertyFileName"] == report)
    path = ("ProcessingOutputConfig", "Outputs", file["OutputName"], "S3Output", "S3Uri")
    return f"{lookup(step['Arguments'], path)}/{file['FilePath']}"


def job_name(record: Record) -> str:
    """What our engine called the job; the SDK calls it alike, so that arguments can be equal."""
    properties = record.outcome.properties if record.outcome else {}
    return str(properties.get(f"{record.type}JobName") or properties.get(f"{record.type}Name") or record.name)


# -- the comparison ---------------------------------------------------------------------------------------------------


def differences(case: Case, theirs: dict[str, Any]) -> Iterator[str]:
    """Where the SDK's execution of a case is not ours."""
    if case.result is None or "refused" in theirs:
        yield from refusals(case, theirs)
        return
    ours = case.result.execution
    if ours.status not in (theirs["status"], "Unknown"):
        yield f"the execution: {ours.status}, theirs {theirs['status']}"
    ended = {name for name, step in theirs["steps"].items() if step["status"] == "Failed"}
    failed = ended & {name for name, record in ours.records.items() if record.status is Status.FAILED}
    for name, record in ours.records.items():
        step = theirs["steps"].get(name)
        if record.status is Status.UNKNOWN:
            continue
        if ended and (record.start is None or step is None) and not is_tied(case.plan, name, failed):
            continue
        found = step["status"] if step else "Skipped"
        if record.status.value != found:
            yield f"{name}: {record.status.value}, theirs {found} {step['reason'] if step else ''}".rstrip()
        elif step is not None:
            yield from in_a_step(record, step)


def refusals(case: Case, theirs: dict[str, Any]) -> Iterator[str]:
    """Both refuse it; of a start, in the same words, but for how they call types."""
    said = theirs.get("refused", "nothing")
    if case.name.startswith("order: ") and case.refused and "refused" in theirs:
        return
    if said.partition(" Expected")[0] != case.refused.partition(" Expected")[0]:
        yield f"refused: {case.refused or 'nothing'}, theirs {said}"


def is_tied(plan: Blueprint | None, name: str, failed: set[str]) -> bool:
    """Whether a step leads to one that failed, or comes after it."""
    assert plan is not None
    return any(other in below(plan, name) or name in below(plan, other) for other in failed)


def below(plan: Blueprint, name: str) -> set[str]:
    found = {name}
    for dependent in plan.dependents[name]:
        found |= below(plan, dependent)
    return found


def in_a_step(record: Record, step: dict[str, Any]) -> Iterator[str]:
    """What differs in a step that ended alike."""
    requested = step["arguments"] is not None
    undefined = all(text.endswith("is undefined.") for text in (record.reason, str(step["reason"])))
    if record.status is Status.FAILED and not requested and record.reason != step["reason"] and not undefined:
        yield f"{record.name}: {record.reason}, theirs {step['reason']}"
    if record.type == "Condition" and record.outcome is not None and record.status is Status.SUCCEEDED:
        if record.outcome.properties["Outcome"] != str(step["outcome"]):
            yield f"{record.name}: {record.outcome.properties['Outcome']}, theirs {step['outcome']}"
    elif requested and first_unknown(record.arguments) is None:
        ours, theirs = (json.dumps(each, sort_keys=True) for each in (record.arguments, step["arguments"]))
        if ours != theirs:
            yield f"{record.name}: {ours}, theirs {theirs}"
