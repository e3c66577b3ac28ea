"""Endpoints on this machine: an endpoint configuration, as processes that outlive the run."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from sagewright.compiler.local import hosting, stores
from sagewright.compiler.local.deployment import Plan, Variant
from sagewright.compiler.local.fronts import FrontProcess, folder_of
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.registry import Registry
from sagewright.compiler.local.sandbox import Sandbox
from sagewright.compiler.local.servers import STARTUP
from sagewright.compiler.local.store import Store

if TYPE_CHECKING:
    from sagewright.compiler.local.environments import Environments

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
KINDS = {"production": "ProductionVariants", "shadow": "ShadowProductionVariants"}
"""What variants are for, and the members of an endpoint configuration that hold them."""
NOT_HERE = {
    "DataCaptureConfig": "data capture is left out: what goes in and out is not kept here",
    "ExplainerConfig": "the explainer is left out: Clarify runs only in AWS",
}
"""Members of an endpoint configuration that change nothing here, and what is said of them."""


class Endpoints:
    """The endpoints of a project; `home` is its `.sagewright`."""

    def __init__(
        self, home: Path, registry: Registry, sandbox: Sandbox, environments: Environments, store: Store
    ) -> None:
        self.home, self._registry = home, registry
        self._sandbox, self._environments, self._store = sandbox, environments, store

    def front(self, name: str) -> FrontProcess:
        return FrontProcess(folder_of(self.home) / name)

    def deploy(
        self,
        name: str,
        arn: str,
        config: Mapping[str, Any],
        note: Callable[[str], None],
        stopping: Event | None = None,
    ) -> dict[str, Any]:
        """Serve a configuration at an endpoint, which is made or updated; as DescribeEndpoint has it.

        What serves already goes on until all of the new is healthy, and for good where that fails; where nothing would
        change, nothing is done. Raises JobFailed, StoreError, Stopped.
        """
        if not _NAME.fullmatch(name):
            raise JobFailed(f"`{name}` is no name for an endpoint: at most 63 letters, digits and `-`")
        for member, said in NOT_HERE.items():
            if config.get(member):
                note(said)
        front = self.front(name)
        with front.held():
            digest = self._digest(config)
            status = front.status()
            if status is not None and status["deployment"] == digest:
                note("it serves just that already")
            else:
                self._replace(front, arn, digest, config, stopping)
        state = front.state
        note(f"serves at {state.url if state else '?'}/invocations")
        return self._describe(name, arn, config)

    def _replace(
        self, front: FrontProcess, arn: str, digest: str, config: Mapping[str, Any], stopping: Event | None
    ) -> None:
        folder = front.folder / "deployments" / f"{digest[:16]}-{time.time_ns():x}"
        try:
            folder.mkdir(parents=True)
            plan = self._plan(front.name, arn, digest, config, folder)
            plan.write(folder / "plan.json")
            front.deploy(folder / "plan.json", stopping)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            if front.plan() is None:
                front.end()
            raise
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)

    def _plan(self, name: str, arn: str, digest: str, config: Mapping[str, Any], folder: Path) -> Plan:
        later = config.get("AsyncInferenceConfig") or {}
        output = later.get("OutputConfig") or {}
        variants = [
            self._variant(entry, folder / f"{kind}-{number}", shadow=kind == "shadow")
            for kind, member in KINDS.items()
            for number, entry in enumerate(config.get(member) or ())
        ]
        return Plan(
            name,
            arn,
            digest,
            self._sandbox.name,
            stores.as_data(self._store),
            tuple(variants),
            output.get("S3OutputPath"),
            output.get("S3FailurePath"),
        )

    def _variant(self, entry: Mapping[str, Any], folder: Path, *, shadow: bool) -> Variant:
        model, name = self._model(entry), entry["VariantName"]
        members = [
            hosting.prepare(
                container,
                container.get("ContainerHostname") or f"container-{number}",
                folder / str(number),
                self._store,
                self._environments,
            )
            for number, container in enumerate(hosting.containers(model), 1)
        ]
        weight = entry.get("InitialVariantWeight")
        return Variant(
            name,
            1.0 if weight is None else float(weight),
            tuple(members),
            shadow,
            lazy=bool(entry.get("ServerlessConfig")),
            direct=_direct(model),
            timeout=float(entry.get("ContainerStartupHealthCheckTimeoutInSeconds") or STARTUP),
        )

    def _model(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        return self._registry.model(entry["ModelName"])

    def _digest(self, config: Mapping[str, Any]) -> str:
        """What changes with what would be served. The names of models and configurations hold the execution, and say
        nothing."""
        said: dict[str, Any] = {"sandbox": self._sandbox.name, "later": config.get("AsyncInferenceConfig")}
        fetches = said["later"] is not None
        for kind in KINDS.values():
            said[kind] = []
            for entry in config.get(kind) or ():
                model = self._model(entry)
                members = [
                    hosting.digest(container, self._store, self._environments)
                    for container in hosting.containers(model)
                ]
                rest = {key: value for key, value in entry.items() if key != "ModelName"}
                said[kind].append([rest, _direct(model), members])
                fetches |= any(
                    container.get("Mode") == "MultiModel" for container in hosting.containers(model)
                )
        if fetches:
            said["store"] = stores.as_data(self._store)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def _describe(self, name: str, arn: str, config: Mapping[str, Any]) -> dict[str, Any]:
        def variants(kind: str) -> list[dict[str, Any]]:
            return [
                {
                    "VariantName": entry["VariantName"],
                    "DeployedImages": [
                        {"SpecifiedImage": container["Image"]}
                        for container in hosting.containers(self._model(entry))
                    ],
                    "CurrentWeight": entry.get("InitialVariantWeight", 1.0),
                    "DesiredWeight": entry.get("InitialVariantWeight", 1.0),
                    "CurrentInstanceCount": 1,
                    "DesiredInstanceCount": entry.get("InitialInstanceCount", 1),
                }
                for entry in config.get(kind) or ()
            ]

        made: dict[str, Any] = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config.get("EndpointConfigName"),
            "EndpointStatus": "InService",
            "ProductionVariants": variants("ProductionVariants"),
        }
        if config.get("ShadowProductionVariants"):
            made["ShadowProductionVariants"] = variants("ShadowProductionVariants")
        self._registry.put("endpoint", name, arn, made)
        return made


def _direct(model: Mapping[str, Any]) -> bool:
    return (model.get("InferenceExecutionConfig") or {}).get("Mode") == "Direct"
