"""Executions of deployed pipelines: started with checked parameters, looked at, watched, stopped and retried."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sagewright.compiler.aws import MISSING, AwsError, Clients
from sagewright.compiler.definition import own_references, parse, steps
from sagewright.compiler.plan import Refused
from sagewright.compiler.start_parameters import check, declared
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.versions import chosen, definition

ENDED = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})
RETRIABLE = frozenset({"Failed", "Stopped"})
STEP_ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
PATIENCE = 10
"""Looks in a row that may fail before watching gives up."""


# -- starting ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """How a pipeline is to be executed. `token` makes two starts one, `source` is whose results are taken."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    version: str | None = None
    steps: tuple[str, ...] = ()
    source: str | None = None
    parallelism: int | None = None
    display_name: str | None = None
    token: str | None = None


def start(name: str, how: Start, clients: Clients) -> str:
    """Start an execution, checked before the call. Returns its ARN. Raises Refused, AwsError."""
    text = definition(name, how.version, clients)
    check(declared(text), how.parameters)
    selection = _selection(name, text, how, clients)
    token = hashlib.sha256(f"{name}\0{how.token}".encode()).hexdigest() if how.token else uuid.uuid4().hex
    answer = clients.call(
        "sagemaker",
        "start_pipeline_execution",
        PipelineName=name,
        PipelineExecutionDisplayName=how.display_name,
        PipelineParameters=[{"Name": k, "Value": v} for k, v in how.parameters.items()] or None,
        ParallelismConfiguration=_parallelism(how.parallelism),
        SelectiveExecutionConfig=selection,
        ClientRequestToken=token,
        **chosen(how.version),
    )
    return answer["PipelineExecutionArn"]


def _parallelism(value: int | None) -> dict[str, int] | None:
    return None if value is None else {"MaxParallelExecutionSteps": value}


def _selection(name: str, text: str, how: Start, clients: Clients) -> dict[str, Any] | None:
    """What of the pipeline is executed. What the chosen steps read must have come out of the source's execution."""
    if not how.steps:
        if how.source:
            raise Refused("which steps are to be executed?", "name them with --steps")
        return None
    placed = {step.name: step for step in steps(parse(text))}
    for step in how.steps:
        if step not in placed:
            near = nearest(step, placed)
            raise Refused(f"there is no step `{step}`", f"did you mean `{near}`?" if near else None)
    needed = {
        reference.name
        for step in how.steps
        for reference in own_references(placed[step])
        if reference.root == "Steps" and reference.name not in how.steps
    }
    if not how.source:
        if needed:
            raise Refused(
                f"the steps read what {listing(sorted(needed))} made", "say of which execution, with --from"
            )
        return {"SelectedSteps": [{"StepName": step} for step in how.steps]}
    source = resolve(how.source if "/" in how.source else f"{name}/{how.source}", clients)
    if needed:
        done = {s.name for s in snapshot(source, clients).steps if s.status == "Succeeded"}
        lacking = sorted(needed - done)
        if lacking:
            raise Refused(
                f"the steps read what {listing(lacking)} made, and in {source} that did not succeed"
            )
    return {
        "SourcePipelineExecutionArn": source,
        "SelectedSteps": [{"StepName": step} for step in how.steps],
    }


# -- looking ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepState:
    """A step of an execution; `kind` and `job` are what its metadata names: `TrainingJob` and an ARN."""

    name: str
    status: str
    started: datetime | None = None
    ended: datetime | None = None
    attempts: int = 0
    cached_from: str | None = None
    reason: str | None = None
    kind: str | None = None
    job: str | None = None

    def words(self) -> str:
        """`Succeeded after 2 m 3 s, 2 attempts`, without what is not known."""
        said = self.status
        if self.cached_from:
            said += " (cache hit)"
        elif self.started and self.status in STEP_ENDED:
            said += f" after {duration((self.ended or _now()) - self.started)}"
        if self.attempts > 1:
            said += f", {self.attempts} attempts"
        return f"{said}: {self.reason}" if self.reason else said


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An execution at one moment. `steps_known` is False where the service does not list them."""

    arn: str
    status: str
    reason: str | None
    started: datetime | None
    steps: tuple[StepState, ...] = ()
    steps_known: bool = True

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


def resolve(execution: str, clients: Clients) -> str:
    """The ARN of an execution: given as one, as `<pipeline>/<id>`, or as a pipeline, whose newest it is.

    Raises Refused, AwsError.
    """
    if execution.startswith("arn:") and "/execution/" in execution:
        return execution
    name, _, number = execution.partition("/")
    if not number:
        newest = listed(name, clients, count=1)
        if not newest:
            raise Refused(f"pipeline `{name}` was never executed", "`sagewright start` does")
        return newest[0].arn
    try:
        arn = clients.call("sagemaker", "describe_pipeline", PipelineName=name)["PipelineArn"]
    except AwsError as error:
        raise (Refused(f"there is no pipeline `{name}`") if error.code in MISSING else error) from None
    return f"{arn}/execution/{number.removeprefix('execution/')}"


def listed(name: str, clients: Clients, count: int) -> list[Snapshot]:
    """The newest executions of a pipeline, newest first, without their steps. Raises Refused, AwsError."""
    try:
        found = clients.call(
            "sagemaker",
            "list_pipeline_executions",
            PipelineName=name,
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=min(count, 100),
        )["PipelineExecutionSummaries"]
    except AwsError as error:
        raise (Refused(f"there is no pipeline `{name}`") if error.code in MISSING else error) from None
    made = [
        Snapshot(
            e["PipelineExecutionArn"],
            e.get("PipelineExecutionStatus", ""),
            e.get("PipelineExecutionFailureReason"),
            e.get("StartTime"),
        )
        for e in found
    ]
    return sorted(made, key=lambda s: s.started or _now(), reverse=True)[:count]


def snapshot(arn: str, clients: Clients) -> Snapshot:
    """An execution with its steps, in the order in which they began. Raises Refused, AwsError."""
    try:
        found = clients.call("sagemaker", "describe_pipeline_execution", PipelineExecutionArn=arn)
    except AwsError as error:
        raise (Refused(f"there is no execution {arn}") if error.code in MISSING else error) from None
    known = True
    try:
        states = [
            _state(s)
            for s in clients.pages(
                "sagemaker",
                "list_pipeline_execution_steps",
                "PipelineExecutionSteps",
                PipelineExecutionArn=arn,
                SortOrder="Ascending",
            )
        ]
    except AwsError as error:
        if error.code != "UnknownOperationException":
            raise
        states, known = [], False
    return Snapshot(
        arn,
        found["PipelineExecutionStatus"],
        found.get("FailureReason") or None,
        found.get("CreationTime"),
        tuple(states),
        known,
    )


def _state(step: Mapping[str, Any]) -> StepState:
    metadata: Mapping[str, Any] = step.get("Metadata") or {}
    kind = next(iter(metadata), None)
    about = metadata.get(kind) if kind else None
    arns = (about.get(key) for key in ("Arn", "CheckJobArn")) if isinstance(about, Mapping) else iter(())
    return StepState(
        step["StepName"],
        step["StepStatus"],
        step.get("StartTime"),
        step.get("EndTime"),
        step.get("AttemptCount", 0),
        (step.get("CacheHitResult") or {}).get("SourcePipelineExecutionArn"),
        step.get("FailureReason") or None,
        kind,
        next((arn for arn in arns if arn), None),
    )


def watch(
    arn: str,
    clients: Clients,
    seen: Callable[[Snapshot], None],
    *,
    interval: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Snapshot:
    """Look until the execution has ended; `seen` is shown every look. Raises Refused, AwsError.

    A look that fails for the network or for throttling is made again.
    """
    failed = 0
    while True:
        try:
            found = snapshot(arn, clients)
            failed = 0
            seen(found)
            if found.ended:
                return found
        except AwsError as error:
            failed += 1
            if failed >= PATIENCE or not error.transient:
                raise
        sleep(interval)


def changes(before: Snapshot | None, after: Snapshot) -> Iterator[str]:
    """Plain lines for what is new between two looks."""
    earlier = {step.name: step for step in before.steps} if before else {}
    for step in after.steps:
        old = earlier.get(step.name)
        if old is None or (old.status, old.attempts) != (step.status, step.attempts):
            yield f"{step.name}: {step.words()}"
    if before is None or before.status != after.status:
        yield f"execution {after.id}: {after.status}{f': {after.reason}' if after.reason else ''}"


def table(found: Snapshot) -> Iterator[str]:
    """The steps side by side, and the execution under them."""
    width = max((len(step.name) for step in found.steps), default=0)
    for step in found.steps:
        taken = duration((step.ended or _now()) - step.started) if step.started else ""
        notes = [
            *(["cache hit"] if step.cached_from else []),
            *([f"{step.attempts} attempts"] if step.attempts > 1 else []),
            *([step.reason] if step.reason else []),
        ]
        yield f"{step.name:{width}}  {step.status:9}  {taken:>9}  {'; '.join(notes)}".rstrip()
    yield f"execution {found.id}: {found.status}{f': {found.reason}' if found.reason else ''}"


def duration(span: Any) -> str:
    """`1 h 2 m`, `2 m 3 s`, `4 s`: two units at most."""
    seconds = max(0, int(span.total_seconds()))
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours} h {minutes} m"
    return f"{minutes} m {rest} s" if minutes else f"{rest} s"


def _now() -> datetime:
    return datetime.now(UTC)


# -- stopping, retrying -----------------------------------------------------------------------------------------------


def stop(arn: str, clients: Clients) -> str:
    """Ask an execution to stop; its status, where there is nothing to stop any more. Raises Refused, AwsError."""
    status = snapshot(arn, clients).status
    if status in ENDED:
        return status
    clients.call(
        "sagemaker", "stop_pipeline_execution", PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex
    )
    return "Stopping"


def retry(arn: str, clients: Clients, *, parallelism: int | None = None) -> None:
    """Take an execution up again where it failed or was stopped. Raises Refused, AwsError."""
    status = snapshot(arn, clients).status
    if status not in RETRIABLE:
        raise Refused(
            f"execution {arn.rpartition('/')[2]} is {status}: only what failed or was stopped is retried"
        )
    clients.call(
        "sagemaker",
        "retry_pipeline_execution",
        PipelineExecutionArn=arn,
        ClientRequestToken=uuid.uuid4().hex,
        ParallelismConfiguration=_parallelism(parallelism),
    )


def step_of(found: Snapshot, name: str) -> StepState:
    """Raises Refused."""
    for step in found.steps:
        if step.name == name:
            return step
    known = [step.name for step in found.steps]
    near = nearest(name, known)
    hint = f"did you mean `{near}`?" if near else f"there are {listing(known)}" if known else None
    raise Refused(f"the execution has no step `{name}` so far", hint)
