"""Takes away pipelines that are ours, with their triggers and functions."""

from __future__ import annotations

import re
import uuid
from typing import Any

from sagewright.compiler import eventbridge
from sagewright.compiler.apply import Report, locked
from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Place
from sagewright.compiler.definition import DefinitionError, parse, steps
from sagewright.compiler.functions import NOT_FOUND, OWNER
from sagewright.compiler.observe import describe
from sagewright.compiler.plan import PROJECT, TRIGGERS, Deployed, Refused
from sagewright.compiler.trigger_changes import LiveTrigger, resource

RUNNING = frozenset({"Executing", "Stopping"})
_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[\w-]+:\d{12}:function:([\w-]+)")


def look(name: str, clients: Clients, *, project: str | None, force: bool) -> Deployed:
    """The pipeline that shall be deleted. Raises Refused where it is not there, not ours, or is executing; AwsError."""
    deployed = describe(name, clients)
    if deployed is None:
        raise Refused(f"there is no pipeline `{name}`")
    if not deployed.ours and not force:
        raise Refused(f"pipeline `{name}` was not made by sagewright", "delete it all the same with --force")
    owner = deployed.tags.get(PROJECT)
    if owner and project and owner != project and not force:
        raise Refused(
            f"pipeline `{name}` belongs to the project `{owner}`", "delete it all the same with --force"
        )
    running = next((e for e in _executions(name, clients) if e["PipelineExecutionStatus"] in RUNNING), None)
    if running is not None and not force:
        arn = running["PipelineExecutionArn"]
        raise Refused(
            f"pipeline `{name}` is executing: {arn}", "stop that, or delete it all the same with --force"
        )
    return deployed


def _executions(name: str, clients: Clients) -> list[dict[str, Any]]:
    """The newest, where those that are running stand."""
    answer = clients.call("sagemaker", "list_pipeline_executions", PipelineName=name, MaxResults=100)
    return answer["PipelineExecutionSummaries"]


def triggers_of(deployed: Deployed, name: str, clients: Clients) -> list[LiveTrigger]:
    """The triggers that were made for a pipeline, whoever changed them since. Raises AwsError."""
    if TRIGGERS not in deployed.tags:
        return []
    listing = eventbridge.list_triggers(clients, name)
    return [trigger for trigger in eventbridge.read(name, listing, clients) if trigger.ours]


def functions_of(deployed: Deployed, name: str, clients: Clients) -> list[str]:
    """The Lambda functions that a pipeline calls and that were made for it. Raises AwsError."""
    try:
        arns = [str(step.body.get("FunctionArn")) for step in steps(parse(deployed.definition))]
    except DefinitionError:
        return []
    named = dict.fromkeys(match[1] for match in map(_FUNCTION.fullmatch, map(_unqualified, arns)) if match)
    return [function for function in named if _owner(function, clients) == name]


def _unqualified(arn: str) -> str:
    return ":".join(arn.split(":")[:7])


def _owner(function: str, clients: Clients) -> str | None:
    try:
        return clients.call("lambda", "get_function", FunctionName=function).get("Tags", {}).get(OWNER)
    except AwsError as error:
        if error.code == NOT_FOUND:
            return None
        raise


def delete(place: Place, deployed: Deployed, clients: Clients, report: Report) -> None:
    """Delete a pipeline with its triggers and functions, behind its lock: interrupted, it can be repeated.

    These go first: a second run finds them through the pipeline. Raises Refused, AwsError.
    """
    with locked(place, clients, report) as lock:
        if describe(place.name, clients) != deployed:
            raise Refused(f"pipeline `{place.name}` was changed while this was waiting", "look again")
        for trigger in triggers_of(deployed, place.name, clients):
            if lock is not None:
                lock.hold()
            eventbridge.remove(trigger.kind, resource(place.name, trigger.name), clients)
            report(f"deleted trigger {trigger.name}")
        for function in functions_of(deployed, place.name, clients):
            if lock is not None:
                lock.hold()
            clients.call("lambda", "delete_function", FunctionName=function)
            report(f"deleted Lambda function {function}")
        if lock is not None:
            lock.hold()
        clients.call(
            "sagemaker", "delete_pipeline", PipelineName=place.name, ClientRequestToken=uuid.uuid4().hex
        )
        report(f"deleted {deployed.arn}")
