"""An upsert of several pipelines at once whose process is killed at a call, and the one after it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import boto3

from sagewright.compiler.assets import data_asset
from sagewright.compiler.compilation import Compilation, Upload
from sagewright.compiler.fleet import Failure, Fleet
from sagewright.compiler.observe import Survey
from sagewright.compiler.plan import Plan
from tests.e2e.test_upsert import compiled, definition
from tests.emulator_fixture import BUCKET, REGION, Answer, Call, Proxy
from tests.ordeal import impatient_clients

PATIENCE = 15.0
"""Seconds to wait for an answer that may never come: what was killed may leave a connection behind."""
WAYS = ("before", "after")
"""Killed before the call arrives, and after it took effect."""


def _pipeline(name: str, text: str, **more: Any) -> Compilation:
    asset = data_asset(f"{name}.py", f"{name} {text}".encode())
    upload = Upload(asset, BUCKET, f"sagewright/code/{asset.digest}/{name}.py")
    made = compiled(
        definition(text), name=name, uploads=(upload,), project="acme/ml", commit="a" * 40, **more
    )
    return replace(made, source=f"pipelines/{name}/pipeline.yaml")


BEFORE = (
    _pipeline("same", "1", tags={"team": "risk"}),
    _pipeline("described", "1", description="old"),
    _pipeline("changed", "1", tags={"team": "risk", "old": "1"}, parallelism=3),
)
WANTED = (
    _pipeline("fresh", "1", tags={"team": "risk"}, parallelism=2),
    _pipeline("same", "1", tags={"team": "risk"}),
    _pipeline("described", "1", description="new"),
    _pipeline("changed", "2", tags={"team": "fraud"}),
)


@dataclass
class FleetOrdeal:
    """One upsert of a fleet: a pipeline that is new, one that stays, two that change."""

    proxy: Proxy
    jobs: int = 3
    finished: Any = field(init=False)

    def __post_init__(self) -> None:
        self.sagemaker: Any = boto3.client("sagemaker", endpoint_url=self.proxy.target)
        self.s3: Any = boto3.client("s3", endpoint_url=self.proxy.target)
        # Making boto3's clients takes most of an upsert's time; children get some that nobody has used.
        self._made = {name: impatient_clients(self.proxy, PATIENCE) for name in ("own", "child")}
        self.start_again()
        self.upsert(WANTED, self._fleet())
        self.finished = self.state()

    def _fleet(self, whose: str = "own") -> Fleet:
        fleet = Fleet(self.proxy.url, self.jobs)
        fleet._surveys[REGION, None] = Survey(self._made[whose])
        return fleet

    def upsert(self, compilations: tuple[Compilation, ...], fleet: Fleet) -> int:
        """As the command: plan all, carry all out. How many failed."""
        plans, _ = fleet.plan(compilations)
        made = [plan for plan in plans if isinstance(plan, Plan)]
        outcomes, _ = fleet.carry_out(made, say=lambda *_: None, force=False)
        return sum(isinstance(outcome, Failure) for outcome in (*plans, *outcomes))

    def start_again(self) -> None:
        for pipeline in self.sagemaker.list_pipelines()["PipelineSummaries"]:
            self.sagemaker.delete_pipeline(PipelineName=pipeline["PipelineName"])
        for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            self.s3.delete_object(Bucket=BUCKET, Key=item["Key"])
        assert self.upsert(BEFORE, self._fleet()) == 0

    def state(self) -> Any:
        """All that upserts leave behind, but locks and versions."""
        found = {}
        for pipeline in self.sagemaker.list_pipelines()["PipelineSummaries"]:
            shown = self.sagemaker.describe_pipeline(PipelineName=pipeline["PipelineName"])
            tags = self.sagemaker.list_tags(ResourceArn=shown["PipelineArn"])["Tags"]
            members = ("PipelineDefinition", "PipelineDescription", "ParallelismConfiguration")
            found[shown["PipelineName"]] = (
                [shown.get(member) for member in members],
                sorted((tag["Key"], tag["Value"]) for tag in tags),
            )
        objects = [o["Key"] for o in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
        return found, sorted(key for key in objects if "/locks/" not in key)

    def calls(self) -> int:
        """How many calls the upsert makes."""
        self.start_again()
        before = len(self.proxy.journal)
        self.upsert(WANTED, self._fleet())
        return len(self.proxy.journal) - before

    def kill(self, number: int, way: str) -> tuple[bool, bool]:
        """Kill at one call, and run once more. Was it killed, and is the state what was asked for?"""
        self.start_again()
        child = _in_child(lambda: self.upsert(WANTED, self._fleet("child")))
        left = [number]

        def rule(call: Call) -> Answer | None:
            left[0] -= 1
            if left[0] == 0 and way == "before":
                _kill(child)
                return 503, {}, b""
            return None

        def lost(call: Call) -> bool:
            if left[0] <= 0:
                _kill(child)
            return left[0] <= 0

        self.proxy.rules[:] = [rule]
        self.proxy.lost[:] = [lost] if way == "after" else []
        os.kill(child, signal.SIGCONT)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(0.02)  # what its other threads had asked for already
        self.proxy.rules.clear()
        self.proxy.lost.clear()
        failed = self.upsert(WANTED, self._fleet())
        return status == -signal.SIGKILL, failed == 0 and self.state() == self.finished


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # another of its calls was first
        os.kill(child, signal.SIGKILL)


def _in_child(action: Callable[[], int]) -> int:
    """A process that does `action` once it is told to go on (SIGCONT)."""
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            os.kill(os.getpid(), signal.SIGSTOP)
            status = action()
        os._exit(status)
    os.waitpid(child, os.WUNTRACED)
    return child
