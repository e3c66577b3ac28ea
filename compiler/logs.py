"""What a step of an execution wrote: where CloudWatch keeps it, and its lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.executions import StepState
from sagewright.compiler.plan import Refused

LOG_GROUPS: Mapping[str, str] = {
    "ProcessingJob": "/aws/sagemaker/ProcessingJobs",
    "QualityCheck": "/aws/sagemaker/ProcessingJobs",
    "ClarifyCheck": "/aws/sagemaker/ProcessingJobs",
    "TrainingJob": "/aws/sagemaker/TrainingJobs",
    "TransformJob": "/aws/sagemaker/TransformJobs",
}
"""Source: developer guide, "CloudWatch Logs for Amazon SageMaker AI"."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a step writes: a log group, and what its streams begin with. `since` is in milliseconds."""

    group: str
    prefix: str | None
    since: int


def place_of(step: StepState) -> LogPlace:
    """Raises Refused for a step that writes no log."""
    since = int(step.started.timestamp() * 1000) if step.started else 0
    if step.kind is not None and step.kind in LOG_GROUPS and step.job:
        return LogPlace(LOG_GROUPS[step.kind], f"{step.job.rpartition('/')[2]}/", since)
    if step.kind == "Lambda" and step.job:
        return LogPlace(f"/aws/lambda/{step.job.split(':function:')[-1].partition(':')[0]}", None, since)
    raise Refused(f"step `{step.name}` ({step.kind or step.status}) writes no log that is known here")


def lines(place: LogPlace, clients: Clients, seen: set[str]) -> Iterator[str]:
    """Lines that are not in `seen`, which grows by them. A log that is not there yet has none. Raises AwsError."""
    token: str | None = None
    while True:
        try:
            page = clients.call(
                "logs",
                "filter_log_events",
                logGroupName=place.group,
                logStreamNamePrefix=place.prefix,
                startTime=place.since,
                nextToken=token,
            )
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return
            raise
        for event in page.get("events", ()):
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                yield event["message"].rstrip("\n")
        token = page.get("nextToken")
        if not token:
            return
