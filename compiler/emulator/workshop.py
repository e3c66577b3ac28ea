"""Executions whose steps run on this machine, with the emulator's S3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from moto.sagemaker.exceptions import ValidationError

from sagewright.compiler.emulator.executors import Pumped, Settings, Subject, Worker, report
from sagewright.compiler.emulator.functions import EmulatedFunctions

if TYPE_CHECKING:
    from sagewright.compiler.local.job import Machine


class Workshop:
    """The machines, one for each region and account, of the project at `root`. S3 is at `url`, where the emulator
    answers."""

    def __init__(self, root: Path, url: str) -> None:
        self._root, self._url = root, url
        self._lock = Lock()
        self._machines: dict[tuple[str, str], Machine] = {}

    @property
    def home(self) -> Path:
        """The project's `.sagewright`."""
        from sagewright.compiler.local.workplace import FOLDER

        return self._root / FOLDER

    def hire(self, settings: Settings, subject: Subject) -> Worker:
        """The worker of an execution; the scenario's steps are not run, but take their results from it."""
        from sagewright.compiler.local.executor import LocalExecutor
        from sagewright.compiler.local.runs import prepared

        region, account = subject.identity.pipeline_arn.split(":")[3:5]
        folder = prepared(self.home) / "emulator" / subject.identity.execution_id
        folder.mkdir(parents=True, exist_ok=True)
        executor = LocalExecutor(
            self._machine(region, account),
            subject.identity,
            folder,
            stubs=settings.scenario(subject.plan),
        )
        return Pumped(executor, executor.close, subject)

    def _machine(self, region: str, account: str) -> Machine:
        from sagewright.compiler.local.workplace import CannotRun, workplace

        with self._lock:
            if (region, account) not in self._machines:
                try:
                    made = workplace(
                        self._root, endpoint_url=self._url, region=region, account=account, say=report
                    )
                    made = replace(made, functions=EmulatedFunctions(self.home / "functions"))
                    self._machines[region, account] = made.machine()
                except CannotRun as error:
                    raise ValidationError(f"The emulator cannot run steps: {error}") from None
            return self._machines[region, account]
