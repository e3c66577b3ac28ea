"""Where the pipelines of a project run on this machine: its `.sagewright` folder, and what of the project they need.

`s3` is the store, `runs` the past runs, `environments` the images, `functions` the code of Lambda functions,
`cache.db` earlier results, `registry.db` models and endpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagewright.compiler.compilation import Compilation, LambdaFunction, Upload
from sagewright.compiler.definition import steps
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.engine.blueprint import CONTROL, Blueprint
from sagewright.compiler.engine.scenario import Scenario
from sagewright.compiler.engine.scope import Documents
from sagewright.compiler.engine.selection import Selection, select
from sagewright.compiler.local.environments import Environments, ImageEnvironments
from sagewright.compiler.local.executor import LocalExecutor, documents
from sagewright.compiler.local.job import Function, Machine
from sagewright.compiler.local.overlay import Overlay
from sagewright.compiler.local.results import Results
from sagewright.compiler.local.runners import RUNNERS
from sagewright.compiler.local.runs import Run, Runs, prepared
from sagewright.compiler.local.store import FolderStore, Store, StoreError, split
from sagewright.compiler.project import load

FOLDER = ".sagewright"
REGION, ACCOUNT = "us-west-2", "123456789012"
"""Of pipelines whose target names none: they stand in ARNs, and nothing is called there."""


class CannotRun(Exception):
    """Why a pipeline cannot run here, in words for people."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """`data` are files by the S3 URI that they stand for; `store` is where everything else is. `isolation` is the
    sandbox that was asked for."""

    root: Path
    store: Store
    environments: Environments
    region: str = REGION
    account: str = ACCOUNT
    isolation: str | None = None
    functions: Mapping[str, Function] = field(default_factory=dict)
    missing: Mapping[str, Path] = field(default_factory=dict)
    """Data that the project names, and that is not there."""

    @property
    def folder(self) -> Path:
        return self.root / FOLDER

    @property
    def runs(self) -> Runs:
        return runs_of(self.root)

    @property
    def documents(self) -> Documents:
        return documents(self.store)

    def machine(self) -> Machine:
        """What runners need. Raises JobFailed where the sandbox that was asked for does not work."""
        from sagewright.compiler.local.callbacks import FileCallbacks
        from sagewright.compiler.local.endpoints import Endpoints
        from sagewright.compiler.local.isolation import choose
        from sagewright.compiler.local.registry import Registry

        folder = prepared(self.folder)
        sandbox = choose(self.isolation)
        registry = Registry(folder / "registry.db")
        return Machine(
            folder,
            self.region,
            self.account,
            self.store,
            sandbox,
            self.environments,
            registry,
            Endpoints(folder, registry, sandbox, self.environments, self.store),
            FileCallbacks(folder),
            self.functions,
        )

    def executor(
        self, run: Run, machine: Machine, stubs: Scenario, *, cache: bool, keep: bool
    ) -> LocalExecutor:
        """What carries the steps of a run out."""
        results = Results(self.folder / "cache.db") if cache else None
        return LocalExecutor(machine, run.identity, run.folder, stubs=stubs, results=results, keep=keep)

    def selection(self, plan: Blueprint, names: Iterable[str], source: str | None) -> Selection | None:
        """What of a pipeline is to run, with the results of an earlier run: the newest of the same pipeline where
        `source` is None. Raises RunError, parameters.Refused."""
        wanted = list(names)
        if not wanted:
            return None
        reference = self.runs.find(source) if source else None
        if reference is None:
            return select(plan, wanted)
        records = {record.name: record for record in reference.records()}
        return select(plan, wanted, reference.identity.execution_arn, records)


def workplace(
    at: Path,
    *,
    data: Iterable[str] = (),
    isolation: str | None = None,
    endpoint_url: str | None = None,
    region: str | None = None,
    account: str | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> Workplace:
    """Where the project of a file or folder runs. `data` are `URI=PATH`, over the project's own; with `endpoint_url` S3
    is there. `say` is told what takes long. Raises CannotRun."""
    project = load(at, Sink())
    local: Mapping[str, Any] = project.data.get("local") or {}
    region, chosen = region or REGION, isolation or local.get("isolation")
    mounts = {uri: project.root / path for uri, path in (local.get("data") or {}).items()}
    missing = {uri: path for uri, path in mounts.items() if not path.exists()}  # perhaps of another pipeline
    mounts = {uri: path for uri, path in mounts.items() if uri not in missing}
    mounts |= dict(_mount(text) for text in data)
    return Workplace(
        project.root,
        store_for(project.root, mounts, _bucket_store(region, endpoint_url) if endpoint_url else None),
        ImageEnvironments()
        if chosen == "docker"
        else Environments(local.get("images") or {}, project.root, say=say),
        region,
        account or ACCOUNT,
        chosen,
        missing=missing,
    )


def _mount(text: str) -> tuple[str, Path]:
    uri, equals, path = text.partition("=")
    if not equals or not path:
        raise CannotRun(f"data is given as s3://bucket/key=path, not `{text}`")
    return uri, Path(path).expanduser().absolute()


def _bucket_store(region: str, endpoint_url: str) -> Store:
    from sagewright.compiler.aws import Clients
    from sagewright.compiler.local.bucket_store import BucketStore

    return BucketStore(Clients(region, endpoint_url))


def runs_of(root: Path) -> Runs:
    """The runs of the project at `root`."""
    return Runs(root / FOLDER / "runs")


def store_for(root: Path, data: Mapping[str, Path], base: Store | None = None) -> Store:
    """The project's store with data laid over it. Raises CannotRun for data that is not there."""
    for uri, path in data.items():
        try:
            split(uri)
        except StoreError as error:
            raise CannotRun(str(error)) from None
        if not path.exists():
            raise CannotRun(f"there is no {path}, which is to stand for {uri}")
    store = base or FolderStore(root / FOLDER / "s3")
    return Overlay(store, data) if data else store


def require(plan: Blueprint, stubs: Scenario) -> None:
    """Raises CannotRun for steps that neither this machine nor a stub can do."""
    found = {
        step.name: step.type
        for step in steps(plan.definition)
        if step.type not in CONTROL and step.type not in RUNNERS and step.name not in stubs.steps
    }
    if found:
        said = ", ".join(f"`{name}` ({kind})" for name, kind in found.items())
        raise CannotRun(
            f"only AWS can run {said}\n  give what they would have given with --stub FILE, or --set "
            f"{next(iter(found))}.properties.<path>=<value>"
        )


def deliver(uploads: Iterable[Upload], store: Store) -> None:
    """Put a pipeline's code where its definition looks for it; what is there is not written again."""
    import shutil
    import tempfile

    for upload in uploads:
        if any(entry.key == upload.key for entry in store.list(upload.bucket, upload.key)):
            continue
        with tempfile.NamedTemporaryFile(prefix="sagewright-") as file, upload.asset.open() as content:
            shutil.copyfileobj(content, file)
            file.flush()
            store.upload(Path(file.name), upload.bucket, upload.key)


def functions(compilation: Compilation, plan: Blueprint, folder: Path) -> dict[str, Function]:
    """The code of the functions that a pipeline makes, by the ARN that its steps call."""
    made: dict[str, Function] = {}
    called = {str(step.body.get("FunctionArn")) for step in steps(plan.definition) if step.type == "Lambda"}
    for function in compilation.functions:
        for arn in called:
            if arn.endswith(f":function:{function.name}:{function.alias}"):
                made[arn] = _function(function, folder)
    return made


def _function(function: LambdaFunction, folder: Path) -> Function:
    path = prepared(folder) / "functions" / f"{function.asset.digest}.zip"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(f".{id(function):x}")
        with function.asset.open() as content:
            partial.write_bytes(content.read())
        partial.replace(path)
    return Function(path, function.handler, function.runtime, function.timeout)
