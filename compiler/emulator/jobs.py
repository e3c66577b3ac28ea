"""The jobs that steps ran, as their own Describe operations show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sagewright.compiler.emulator.execution import EmulatedExecution
from sagewright.compiler.emulator.resources import known
from sagewright.compiler.emulator.steps import task_of
from sagewright.compiler.engine.describe import JOBS, describe
from sagewright.compiler.engine.state import Record, Status, Task

KINDS: Mapping[str, str] = {
    "Training": "TrainingJob",
    "Processing": "ProcessingJob",
    "Transform": "TransformJob",
    "Tuning": "HyperParameterTuningJob",
    "AutoML": "AutoMLJob",
}
"""By step type: the prefix of the members of its Describe operation."""
_TIMES = {"Training": "Training", "Processing": "Processing", "Transform": "Transform"}
"""Those that have a `...StartTime` and a `...EndTime`."""
_MORE: Mapping[str, Mapping[str, Any]] = {
    "Tuning": {"TrainingJobStatusCounters": {}, "ObjectiveStatusCounters": {}},
}
STATUSES = {Status.SUCCEEDED: "Completed", Status.FAILED: "Failed", Status.STOPPED: "Stopped"}


class Jobs:
    """Which attempt of which step ran a job, by the job's kind and name."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[EmulatedExecution, str, int]] = {}

    def add(self, execution: EmulatedExecution, task: Task) -> None:
        """An attempt begins. Nothing where it runs no job that can be described."""
        if task.type in KINDS:
            name = describe(task, execution.engine.identity).get(f"{JOBS[task.type][0]}Name")
            if isinstance(name, str):
                self._found[task.type, name] = (execution, task.name, task.attempt)

    def add_all(self, execution: EmulatedExecution) -> None:
        """All attempts of an execution so far."""
        for record in execution.engine.records.values():
            for number in range(len(record.attempts)):
                self.add(execution, task_of(record, number + 1))

    def forget(self, execution: EmulatedExecution) -> None:
        self._found = {key: found for key, found in self._found.items() if found[0] is not execution}

    def clear(self) -> None:
        self._found.clear()

    def described(self, kind: str, arn_or_name: str) -> dict[str, Any] | None:
        """What the Describe operation answers; None where no step ran that job."""
        found = self._found.get((kind, arn_or_name))
        if found is None:
            return None
        execution, step, attempt = found
        with execution.inbox.turn:
            record = execution.engine.records.get(step)
            if record is None or len(record.attempts) < attempt:
                return None  # the execution was retried
            return _described(execution, record, attempt)


def _described(execution: EmulatedExecution, record: Record, number: int) -> dict[str, Any]:
    attempt = record.attempts[number - 1]
    made = describe(task_of(record, number), execution.engine.identity)
    status = "InProgress" if attempt.end is None else "Failed"
    if number == len(record.attempts) and record.outcome is not None:
        made |= record.outcome.properties
        status = STATUSES.get(record.status, "Failed")
    pace, prefix = execution.pace, KINDS[record.type]
    start = pace.shown(attempt.start)
    end = None if attempt.end is None else pace.shown(attempt.end)
    made |= {"CreationTime": start, "LastModifiedTime": end or start, f"{prefix}Status": status}
    if record.type in _TIMES:
        made |= {f"{_TIMES[record.type]}StartTime": start, f"{_TIMES[record.type]}EndTime": end}
    if record.type == "Training":
        made["SecondaryStatus"] = {"InProgress": "Training"}.get(status, status)
    if record.type == "AutoML":
        made["AutoMLJobSecondaryStatus"] = {"InProgress": "TrainingModels"}.get(status, status)
    if status == "Failed":
        made["FailureReason"] = (attempt.message or record.reason)[:1024]
    return known({**_MORE.get(record.type, {}), **made})
