"""What of SageMaker's state outlives the emulator: pipelines, executions, model packages, and the tags of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from moto.sagemaker.models import (
    ModelPackage,
    ModelPackageGroup,
    SageMakerModelBackend,
    sagemaker_backends,
)

from sagewright.compiler.emulator.execution import EmulatedExecution
from sagewright.compiler.emulator.executions import Executions
from sagewright.compiler.emulator.pipelines import EmulatedPipeline, Version
from sagewright.compiler.emulator.store import Store, Thing

PIPELINE, EXECUTION, GROUP, PACKAGE = "pipeline", "execution", "model-package-group", "model-package"
_TIMES = ("creation_time", "last_modified_time", "last_execution_time")
_MEMBERS = (
    *("pipeline_display_name", "pipeline_definition", "pipeline_description", "role_arn", "tags"),
    *("parallelism_configuration", "request", *_TIMES),
)


class Keeper:
    """Writes what has changed to the store; nothing where there is none."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def pipeline(self, backend: SageMakerModelBackend, pipeline: EmulatedPipeline) -> None:
        if self._store is not None:
            body = {name: getattr(pipeline, name) for name in _MEMBERS}
            body["versions"] = [asdict(version) for version in pipeline.versions]
            self._store.put(Thing(PIPELINE, _place(backend), pipeline.pipeline_name, body))

    def deleted(self, backend: SageMakerModelBackend, name: str, executions: list[EmulatedExecution]) -> None:
        """A pipeline is gone, with its executions."""
        if self._store is not None:
            place = _place(backend)
            gone = [(EXECUTION, place, execution.arn) for execution in executions]
            self._store.remove((PIPELINE, place, name), *gone)

    def execution(self, execution: EmulatedExecution) -> None:
        if self._store is not None:
            region, account = execution.arn.split(":")[3:5]
            self._store.put(Thing(EXECUTION, f"{account}/{region}", execution.arn, execution.dump()))

    def package(self, backend: SageMakerModelBackend, package: ModelPackage) -> None:
        """A model package, and the group that it may have made."""
        if self._store is not None:
            group = backend.model_package_groups.get(package.model_package_group_name or "")
            groups = [_group(backend, group)] if group else []
            self._store.put(Thing(PACKAGE, _place(backend), package.arn, vars(package)), *groups)

    def group(self, backend: SageMakerModelBackend, group: ModelPackageGroup) -> None:
        if self._store is not None:
            self._store.put(_group(backend, group))

    def clear(self) -> None:
        if self._store is not None:
            self._store.clear()

    def restore(self, executions: Executions) -> dict[str, int]:
        """Put back what was kept; how many of each, and how many executions go on. Nobody else is there yet."""
        if self._store is None:
            return {}
        counts: dict[str, int] = dict.fromkeys((PIPELINE, EXECUTION, GROUP, PACKAGE), 0)
        for kind, put in ((PIPELINE, _pipeline), (GROUP, _put_group), (PACKAGE, _put_package)):
            for thing in self._store.things(kind):
                put(_backend(thing), thing)
                counts[kind] += 1
        found: list[EmulatedExecution] = []
        for thing in sorted(self._store.things(EXECUTION), key=lambda t: t.body["created"]):
            pipeline = _backend(thing).pipelines.get(thing.body["pipeline"])
            if isinstance(pipeline, EmulatedPipeline):
                found.append(executions.restore(pipeline, thing.body))
                counts[EXECUTION] += 1
        running = [execution for execution in found if not execution.ended]
        for execution in running:
            execution.resume()
        return {**counts, "running": len(running)}


def _place(backend: SageMakerModelBackend) -> str:
    return f"{backend.account_id}/{backend.region_name}"


def _backend(thing: Thing) -> SageMakerModelBackend:
    account, region = thing.place.split("/")
    return sagemaker_backends[account][region]


def _pipeline(backend: SageMakerModelBackend, thing: Thing) -> None:
    body = dict(thing.body)
    made: Any = EmulatedPipeline(backend, body["request"], body["pipeline_definition"])
    made.versions = [Version(**version) for version in body.pop("versions")]
    for name, value in body.items():
        setattr(made, name, value)
    backend.pipelines[thing.name] = made


def _group(backend: SageMakerModelBackend, group: ModelPackageGroup) -> Thing:
    return Thing(GROUP, _place(backend), group.model_package_group_name, vars(group))


def _put_group(backend: SageMakerModelBackend, thing: Thing) -> None:
    backend.model_package_groups[thing.name] = _same(ModelPackageGroup, thing.body)


def _put_package(backend: SageMakerModelBackend, thing: Thing) -> None:
    package = _same(ModelPackage, thing.body)
    backend.model_packages[package.arn] = package
    backend.model_package_name_mapping[package.model_package_name] = package.arn
    backend.model_package_name_mapping[package.arn] = package.arn


def _same(kind: type[Any], members: Mapping[str, Any]) -> Any:
    """An object of moto's with the members that it had."""
    made = object.__new__(kind)
    made.__dict__.update(members)
    return made
