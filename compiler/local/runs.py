"""Past runs, each in a folder: what was run, how far it came, and what every step wrote.

`<root>/<id>/run.json` is the state, written after every change, `definition.json` what is executed,
`steps/<step>/<attempt>/log` what a step printed.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import string
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sagewright.compiler.engine.blueprint import CONTROL, blueprint
from sagewright.compiler.engine.conclusion import Conclusion
from sagewright.compiler.engine.events import Command
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.scope import Documents, Identity
from sagewright.compiler.engine.selection import Selection
from sagewright.compiler.engine.snapshot import restore, snapshot
from sagewright.compiler.engine.state import Outcome, Record, Status, load
from sagewright.compiler.local.job import Function
from sagewright.compiler.local.sandbox import Usage

_ALPHABET = string.ascii_lowercase + string.digits
LENGTH = 12
"""Characters of an id, as an execution of SageMaker's has them."""


class RunError(Exception):
    """A run that is not there, is being executed, or cannot be read, in words for people."""


@dataclass(slots=True)
class Run:
    """One run. `state` is `engine.snapshot`'s, empty before it begins; `usages` what each attempt at a step took."""

    folder: Path
    pipeline: str
    identity: Identity
    parameters: dict[str, Any]
    source: str = ""
    """The pipeline's file, as it was given."""
    status: str = "Executing"
    reason: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    usages: dict[str, list[Usage]] = field(default_factory=dict)
    selected: tuple[str, ...] = ()
    reference: str = ""
    """Of a selective run: its steps, and the ARN of the run whose results it took."""
    given: dict[str, Any] = field(default_factory=dict)
    """What else it was begun with, for whoever goes on with it."""

    VERSION: ClassVar = 1

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def started(self) -> float:
        """When it began; one that was interrupted before that: when it was made."""
        began = self.state.get("started")
        if began is not None:
            return began
        try:
            return (self.folder / "definition.json").stat().st_mtime
        except OSError:
            return 0.0

    @property
    def ended(self) -> float | None:
        return self.state.get("ended")

    @property
    def region(self) -> str:
        return self.identity.pipeline_arn.split(":")[3]

    @property
    def account(self) -> str:
        return self.identity.pipeline_arn.split(":")[4]

    def begun_with(
        self, selection: Selection | None, functions: Mapping[str, Function], given: Mapping[str, Any]
    ) -> None:
        """Write down what whoever goes on with it needs: from here on it can be found."""
        if selection is not None:
            self.selected, self.reference = tuple(sorted(selection.steps)), selection.reference
        made = {arn: {**asdict(f), "archive": str(f.archive)} for arn, f in functions.items()}
        self.given = {**given, "functions": made}
        self.write()

    def functions(self) -> dict[str, Function]:
        """The code of the Lambda functions that it calls, by ARN."""
        found = self.given.get("functions", {})
        return {
            arn: Function(Path(data["archive"]), data["handler"], data["runtime"], data["timeout"])
            for arn, data in found.items()
        }

    def definition(self) -> str:
        """Raises RunError."""
        try:
            return (self.folder / "definition.json").read_text(encoding="utf-8")
        except OSError as error:
            raise RunError(f"run {self.id} has lost its definition: {error.strerror}") from None

    def records(self) -> list[Record]:
        """The steps as they were when the run was last written, in the order of the file."""
        return sorted((load(data) for data in self.state.get("records", ())), key=lambda r: r.order)

    def log(self, step: str, attempt: int | None = None) -> Path | None:
        """What a step printed in an attempt, the last where None; None where it printed nothing."""
        folder = self.folder / "steps" / step
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
        attempts = sorted((int(name) for name in names if name.isdigit()), reverse=True)
        for number in attempts if attempt is None else [attempt]:
            path = folder / str(number) / "log"
            if path.is_file():
                return path
        return None

    def save(self, execution: Execution, usages: Mapping[str, Sequence[Usage]]) -> None:
        """Write how far it came: whole, or not at all."""
        self.state, self.status = snapshot(execution), execution.status
        self.reason = execution.conclusion.reason if execution.conclusion else ""
        self.usages |= {name: list(found) for name, found in usages.items()}
        self.write()

    def write(self) -> None:
        data = {
            "version": self.VERSION,
            "pipeline": self.pipeline,
            "identity": asdict(self.identity),
            "parameters": self.parameters,
            "source": self.source,
            "status": self.status,
            "reason": self.reason,
            "usages": {name: [asdict(usage) for usage in found] for name, found in self.usages.items()},
            "selected": self.selected,
            "reference": self.reference,
            "given": self.given,
            "state": self.state,
        }
        partial = self.folder / "run.json.partial"
        partial.write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")
        partial.replace(self.folder / "run.json")

    def execution(self, documents: Documents, selection: Selection | None = None) -> Execution:
        """The execution in the state that was written; one that has not begun where nothing was. `selection` has the
        results that a selective run begins with. Raises RunError."""
        if selection is None and self.selected:
            selection = Selection(frozenset(self.selected), self.reference)
        made = Execution(
            blueprint(self.definition()),
            self.parameters,
            self.identity,
            documents=documents,
            selection=selection,
        )
        if self.state:
            restore(made, self.state)
        return made

    @contextmanager
    def held(self) -> Generator[None]:
        """Keep every other process from carrying it on. Raises RunError where one does."""
        with (self.folder / "lock").open("w") as file:
            if not _lock(file.fileno()):
                raise RunError(f"run {self.id} is being executed by another process")
            yield

    @property
    def is_held(self) -> bool:
        """Whether a process carries it on."""
        try:
            with (self.folder / "lock").open("rb") as file:
                return not _lock(file.fileno())
        except OSError:  # nobody has begun
            return False

    @property
    def standing(self) -> str:
        """Its status; a run that nobody carries on any more was interrupted."""
        return "Interrupted" if self.ended is None and not self.is_held else self.status


def again(execution: Execution, now: float) -> list[Command]:
    """Take up what failed, was stopped, or was left under way by a process that is gone."""
    if not execution.started:
        return execution.begin(now)
    if execution.conclusion is None and not execution.stopping:
        return execution.pending()
    for record in list(execution.records.values()):
        if record.status is Status.EXECUTING and record.type not in CONTROL:
            execution.finish(record.name, Outcome(Status.STOPPED), now)
    if (
        execution.status == "Unknown"
    ):  # of SageMaker's next move; here the steps that failed are simply run again
        execution.conclusion = Conclusion("Failed")
    return execution.retry(now)


def _lock(descriptor: int) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Runs:
    """The runs of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(
        self,
        pipeline: str,
        definition: str,
        parameters: Mapping[str, Any],
        region: str,
        account: str,
        source: str,
    ) -> Run:
        """A new run, in a folder of its own. It is not among the runs before `begun_with`."""
        number = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
        folder = self.root / number
        folder.mkdir(parents=True)
        (folder / "definition.json").write_text(definition, encoding="utf-8")
        return Run(folder, pipeline, Identity.of(pipeline, number, region, account), dict(parameters), source)

    def all(self) -> list[Run]:
        """Every run that can be read, newest first."""
        folders = self.root.iterdir() if self.root.is_dir() else ()
        found = [run for run in (self._read(folder) for folder in folders) if isinstance(run, Run)]
        return sorted(found, key=lambda run: (run.started, run.id), reverse=True)

    def find(self, number: str) -> Run:
        """The run whose id begins so. Raises RunError."""
        names = sorted(path.name for path in self.root.iterdir()) if self.root.is_dir() else []
        found = [name for name in names if name.startswith(number)]
        if len(found) != 1:
            raise RunError(
                f"there is no run `{number}`; `sagewright runs` lists them"
                if not found
                else f"`{number}` may be any of {', '.join(found[:5])}"
            )
        run = self._read(self.root / found[0])
        if isinstance(run, str):
            raise RunError(run)
        return run

    def newest(self) -> Run:
        """Raises RunError where there is none."""
        found = self.all()
        if not found:
            raise RunError("there are no runs yet")
        return found[0]

    def delete(self, run: Run) -> None:
        """Remove a run's folder: its logs and its state, not what it made in the store. Raises RunError."""
        with run.held():
            shutil.rmtree(run.folder)

    def _read(self, folder: Path) -> Run | str:
        """A run, or why it cannot be read."""
        try:
            data = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            if data["version"] != Run.VERSION:
                return f"run {folder.name} was written by another version of sagewright"
            usages = {name: [Usage(**usage) for usage in found] for name, found in data["usages"].items()}
            return Run(
                folder,
                data["pipeline"],
                Identity(**data["identity"]),
                data["parameters"],
                data["source"],
                data["status"],
                data["reason"],
                data["state"],
                usages,
                tuple(data["selected"]),
                data["reference"],
                data["given"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"run {folder.name} cannot be read: {type(error).__name__}: {error}"


def prepared(folder: Path) -> Path:
    """The project's `.sagewright`, which Git is told to leave alone."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        partial = folder / f".gitignore-{os.getpid()}"
        partial.write_text("*\n", encoding="utf-8")
        partial.replace(ignore)
    return folder
