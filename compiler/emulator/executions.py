"""All executions of the emulator: started, found by what names them, forgotten with their pipeline, taken up again."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from string import ascii_lowercase, digits
from threading import RLock
from typing import Any

from moto.core.exceptions import ServiceException
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends
from moto.sagemaker.exceptions import ConflictException, ResourceNotFound, ValidationError
from moto.sagemaker.models import ModelPackage, SageMakerModelBackend, sagemaker_backends

from sagewright.compiler.definition import DefinitionError
from sagewright.compiler.emulator import callbacks, executors
from sagewright.compiler.emulator.attendant import Effects
from sagewright.compiler.emulator.execution import About, EmulatedExecution
from sagewright.compiler.emulator.executors import Settings, Subject
from sagewright.compiler.emulator.inbox import Inbox
from sagewright.compiler.emulator.jobs import Jobs
from sagewright.compiler.emulator.pace import Pace
from sagewright.compiler.emulator.pipelines import EmulatedPipeline, Version
from sagewright.compiler.emulator.resources import publish
from sagewright.compiler.engine.blueprint import Blueprint, blueprint
from sagewright.compiler.engine.cache import Entry, MemoryCache
from sagewright.compiler.engine.parameters import Refused, resolve
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.scope import Documents, Identity
from sagewright.compiler.engine.selection import Selection, select
from sagewright.compiler.engine.snapshot import restore
from sagewright.compiler.engine.state import Outcome, Record, Status, Task
from sagewright.compiler.engine.values import Unavailable, Unknown

ID_LENGTH = 12
PATIENCE = 15.0
"""Seconds that a running step has to end in."""
REFERENCES = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
"""What may be the reference of a selective execution. Source: the SDK's `SelectiveExecutionConfig`."""


class Executions:
    """`turn` guards moto's backends; `keep` and `keep_package` are told of what changed.

    Whoever holds `turn` waits for no execution; an execution may wait for `turn`.
    """

    def __init__(
        self,
        settings: Settings,
        turn: RLock,
        keep: Callable[[EmulatedExecution], None],
        keep_package: Callable[[SageMakerModelBackend, ModelPackage], None],
    ) -> None:
        self.settings = settings
        self.jobs = Jobs()
        self._turn, self._keep, self._keep_package = turn, keep, keep_package
        self._all: dict[str, EmulatedExecution] = {}
        self._caches: dict[str, MemoryCache] = {}
        self._asking: dict[str, tuple[EmulatedExecution, str]] = {}

    # -- finding ------------------------------------------------------------------------------------------------------

    def find(self, arn: str) -> EmulatedExecution:
        """Raises ResourceNotFound."""
        found = self._all.get(arn)
        if found is None:
            raise ResourceNotFound(f"Pipeline execution {arn} does not exist.")
        return found

    def of(self, pipeline_arn: str) -> list[EmulatedExecution]:
        """Those of a pipeline, the oldest first."""
        return [found for found in list(self._all.values()) if found.pipeline_arn == pipeline_arn]

    def asking(self, token: str) -> tuple[EmulatedExecution, str]:
        """The execution and the step that a callback token belongs to. Raises ResourceNotFound."""
        found = self._asking.get(token)
        if found is None:
            raise ResourceNotFound(f"No callback step has the token {token}.")
        return found

    def forget(self, pipeline_arn: str) -> None:
        """The pipeline is deleted. Raises ConflictException while one of its executions runs."""
        found = self.of(pipeline_arn)
        running = next((execution for execution in found if not execution.ended), None)
        if running is not None:
            raise ConflictException(f"Pipeline {pipeline_arn} has a running execution: {running.arn}.")
        for execution in found:
            del self._all[execution.arn]
            self.jobs.forget(execution)
        self._asking = {token: of for token, of in self._asking.items() if of[0] not in found}
        self._caches.pop(pipeline_arn, None)

    def reset(self) -> None:
        """Give all of them up, as `/moto-api/reset` does with everything."""
        given_up = list(self._all.values())
        for store in (self._all, self._caches, self._asking):
            store.clear()
        self.jobs.clear()
        for execution in given_up:
            execution.inbox.close()

    def close(self) -> None:
        """The emulator ends: nothing is left running; what was kept stays as it is."""
        found = list(self._all.values())
        self.reset()
        for execution in found:
            execution.join(PATIENCE)

    # -- starting -----------------------------------------------------------------------------------------------------

    def start(self, pipeline: EmulatedPipeline, request: Mapping[str, Any]) -> str:
        """StartPipelineExecution: the ARN. Called with `turn`.

        Raises ValidationError, ResourceNotFound, and ConflictException for a token that was used for another request.
        """
        earlier = self._earlier(pipeline, request)
        if earlier is not None:
            return earlier
        if request.get("RoleArn") is not None:
            raise ValidationError("RoleArn can't be specified for a pipeline that you created.")
        version = _version(pipeline, request)
        plan = _plan(version.definition)
        given = {p["Name"]: p["Value"] for p in request.get("PipelineParameters") or ()}
        now = time.time()
        try:
            parameters = resolve(plan.definition, given)
            selection = self._selection(pipeline, plan, request.get("SelectiveExecutionConfig"))
        except Refused as refused:
            raise ValidationError(str(refused)) from None
        about = About(pipeline.pipeline_name, version.number, request, parameters, now)
        identity = Identity(pipeline.pipeline_name, _id(), pipeline.arn)
        configured = request.get("ParallelismConfiguration") or pipeline.parallelism_configuration or None
        made = self._make(about, plan, identity, executors.pace(self.settings, now), configured, selection)
        pipeline.last_execution_time = made.pace.shown(now)
        made.begin()
        return made.arn

    def _earlier(self, pipeline: EmulatedPipeline, request: Mapping[str, Any]) -> str | None:
        """The execution that the same request started before."""
        asked = {key: value for key, value in request.items() if key != "PipelineName"}
        for execution in self.of(pipeline.arn):
            before = execution.about.request
            if before["ClientRequestToken"] != request["ClientRequestToken"]:
                continue
            if {key: value for key, value in before.items() if key != "PipelineName"} != asked:
                raise ConflictException(
                    "The client request token was used to start an execution with other parameters: "
                    f"{execution.arn}."
                )
            return execution.arn
        return None

    def _selection(
        self, pipeline: EmulatedPipeline, plan: Blueprint, config: Mapping[str, Any] | None
    ) -> Selection | None:
        """What of the pipeline is executed, None for all of it. Raises Refused, ValidationError, ResourceNotFound."""
        if not config:
            return None
        names, arn = (
            [step["StepName"] for step in config["SelectedSteps"]],
            config.get("SourcePipelineExecutionArn"),
        )
        records: Mapping[str, Record] = {}
        if arn is not None:
            source = self.find(arn)
            if source.pipeline_arn != pipeline.arn:
                raise ValidationError(f"{arn} is not an execution of pipeline {pipeline.arn}.")
            if source.status not in REFERENCES:
                raise ValidationError(f"{arn} cannot be the source: its status is {source.status}.")
            records = source.engine.records
        return select(plan, names, arn, records)

    def _make(
        self,
        about: About,
        plan: Blueprint,
        identity: Identity,
        pace: Pace,
        parallelism: Mapping[str, Any] | None,
        selection: Selection | None,
    ) -> EmulatedExecution:
        region, account = identity.pipeline_arn.split(":")[3:5]
        backend = sagemaker_backends[account][region]
        inbox = Inbox()
        subject = Subject(plan, identity, pace, inbox, _documents(backend))
        engine = Execution(
            plan,
            about.parameters,
            identity,
            parallelism=(parallelism or {}).get("MaxParallelExecutionSteps"),
            cache=self._caches.setdefault(identity.pipeline_arn, MemoryCache()),
            documents=executors.make(self.settings, subject).documents,
            selection=selection,
        )
        made = EmulatedExecution(
            about,
            engine,
            pace,
            inbox,
            lambda: executors.make(self.settings, subject),
            self._effects(backend),
        )
        made.parallelism = parallelism
        self._all[made.arn] = made
        return made

    def _effects(self, backend: SageMakerModelBackend) -> Effects:
        def made(task: Task, outcome: Outcome) -> Outcome:
            with self._turn:
                return publish(backend, task, outcome, lambda package: self._keep_package(backend, package))

        def ask(execution: EmulatedExecution, task: Task, token: str) -> None:
            self._asking[token] = (execution, task.name)

        def post(url: str, message: dict[str, Any]) -> None:
            callbacks.post(backend.account_id, backend.region_name, url, message)

        return Effects(self._changed, self.jobs.add, made, ask, post)

    def _changed(self, execution: EmulatedExecution) -> None:
        if self._all.get(execution.arn) is execution:
            self._keep(execution)

    # -- taking up again ----------------------------------------------------------------------------------------------

    def restore(self, pipeline: EmulatedPipeline, data: Mapping[str, Any]) -> EmulatedExecution:
        """An execution as `EmulatedExecution.dump` wrote it, not running yet: `resume` does that."""
        about = About(data["pipeline"], data["version"], data["request"], data["parameters"], data["created"])
        plan = _plan(pipeline.version(about.version).definition)
        identity = Identity(pipeline.pipeline_name, data["id"], pipeline.arn)
        chosen = data["selection"]
        selection = Selection(frozenset(chosen["steps"]), chosen["reference"]) if chosen else None
        made = self._make(about, plan, identity, Pace(*data["pace"]), data["parallelism"], selection)
        made.load(data)
        restore(made.engine, data["engine"])
        self.jobs.add_all(made)
        self._remember(made)
        return made

    def _remember(self, execution: EmulatedExecution) -> None:
        """What the cache and the callbacks have of a restored execution."""
        cache = self._caches[execution.pipeline_arn]
        for record in execution.engine.records.values():
            taken = record.cached or record.reused
            if record.key and record.outcome and record.status is Status.SUCCEEDED and not taken:
                entry = Entry(record.end or 0.0, record.outcome, execution.arn)
                cache.add(execution.about.pipeline, record.name, record.key, entry)
            if record.type == "Callback" and record.attempts:
                self._asking[callbacks.token(execution.arn, record)] = (execution, record.name)


def _version(pipeline: EmulatedPipeline, request: Mapping[str, Any]) -> Version:
    number, alias = request.get("PipelineVersionId"), request.get("PipelineVersionAlias")
    if number is not None and alias is not None:
        raise ValidationError("Only one of PipelineVersionId and PipelineVersionAlias may be provided.")
    return pipeline.version(number, alias)


@lru_cache(maxsize=256)
def _made(definition: str) -> Blueprint:
    return blueprint(definition)


def _plan(definition: str) -> Blueprint:
    """Shared by all executions of a definition. Raises ValidationError for what the engine cannot execute."""
    try:
        return _made(definition)
    except DefinitionError as error:
        raise ValidationError(f"The emulator cannot execute this definition: {error}") from None


def _id() -> str:
    return "".join(secrets.choice(ascii_lowercase + digits) for _ in range(ID_LENGTH))


def _documents(backend: SageMakerModelBackend) -> Documents:
    """Reads the JSON of objects in the emulator's S3; what is not there is unknown."""

    def read(uri: str) -> Any:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            found = s3_backends[backend.account_id][backend.partition].get_object(bucket, key)
        except (S3ClientError, ServiceException):
            found = None
        if found is None:
            return Unknown(f"nobody gave what `{uri}` holds")
        try:
            return json.loads(found.value)
        except ValueError as error:
            raise Unavailable(f"{uri} is no JSON: {error}") from None

    return read


def in_order(executions: Iterable[EmulatedExecution], by_arn: bool) -> list[EmulatedExecution]:
    """By ARN, or by when they were created."""
    if by_arn:
        return sorted(executions, key=lambda execution: execution.arn)
    return sorted(executions, key=lambda execution: execution.about.created)
