"""What a training job runs: a script by the rules of AWS's toolkit, a command, or what stands for its algorithm."""

from __future__ import annotations

import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sagewright.compiler.images import framework_of_uri
from sagewright.compiler.local import toolkit
from sagewright.compiler.local.contract import Place, last_words
from sagewright.compiler.local.environments import Environment
from sagewright.compiler.local.job import Job, JobFailed
from sagewright.compiler.local.sandbox import Container, Mount
from sagewright.compiler.local.store import StoreError, split
from sagewright.compiler.local.toolkit import Configuration

_ALGORITHMS = {"xgboost": Path(__file__).parent / "algorithms" / "xgboost_train.py"}


@dataclass(frozen=True, slots=True)
class Program:
    """A command, and those that come `before` it. A `script` is one of script mode's, whose failures are told in the
    toolkit's words."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    environment: Environment
    directory: str = "/"
    before: tuple[tuple[str, ...], ...] = ()
    script: bool = False
    own_entrypoint: bool = False


def program(job: Job, place: Place, environment: Environment, configuration: Configuration) -> Program:
    """What the job runs. Raises JobFailed."""
    variables = _variables(job)
    specification: Mapping[str, list[str]] = job.arguments["AlgorithmSpecification"]
    entrypoint = [str(word) for word in specification.get("ContainerEntrypoint") or ()]
    words = [str(word) for word in specification.get("ContainerArguments") or ()]
    if entrypoint:
        return Program((*entrypoint, *words), variables, environment)
    if job.machine.sandbox.name == "docker":
        return _in_image(job, place, environment, configuration, ("train", *words))
    if configuration.entry:
        return _script(job, place, environment, configuration, variables)
    return Program((*_algorithm(job, place, environment), *words), variables, environment)


def replaced(container: Container, command: tuple[str, ...]) -> Container:
    return replace(container, command=command)


def _variables(job: Job) -> dict[str, str]:
    given: Mapping[str, str] = job.arguments.get("Environment") or {}
    names = {
        "TRAINING_JOB_NAME": str(job.description.get("TrainingJobName")),
        "TRAINING_JOB_ARN": str(job.description.get("TrainingJobArn")),
    }
    return {**names, **{key: str(value) for key, value in given.items()}}


def _in_image(
    job: Job, place: Place, environment: Environment, given: Configuration, command: tuple[str, ...]
) -> Program:
    """The image knows what to do. Its code is brought into it, since it would ask AWS for it."""
    if given.source.startswith("s3://"):
        inside = "/opt/ml/input/sourcedir.tar.gz"
        _download(job, given.source, job.folder / "ml" / "input" / "sourcedir.tar.gz")
        hyperparameters: Mapping[str, str] = job.arguments.get("HyperParameters") or {}
        told = {**hyperparameters, toolkit.DIRECTORY: f'"{inside}"'}
        place.write("/opt/ml/input/config/hyperparameters.json", told)
    return Program(command, _variables(job), environment, own_entrypoint=True)


def _algorithm(job: Job, place: Place, environment: Environment) -> tuple[str, ...]:
    """What the image itself would run."""
    image = str(job.arguments["AlgorithmSpecification"]["TrainingImage"])
    framework = framework_of_uri(image)
    path = environment.train or _ALGORITHMS.get(framework[0] if framework else "")
    if path is None:
        raise JobFailed(
            f"nobody here knows what the image {image} runs: give the step `code` or a `command`, or the image a `train`"
            " under `local: images:` in sagewright.yaml"
        )
    place.mounts[str(path)] = Mount(path, str(path), writable=False)
    return ("python3", str(path)) if path.suffix == ".py" else (str(path),)


# -- script mode ------------------------------------------------------------------------------------------------------


def _script(
    job: Job, place: Place, environment: Environment, given: Configuration, variables: dict[str, str]
) -> Program:
    entry, code = str(given.entry), place.folder(toolkit.CODE)
    if not toolkit.is_safe(entry):
        raise JobFailed(
            f"AlgorithmError: the training entry point {entry!r} is no path within the code, exit code: 1"
        )
    _fetch(job, given.source, code)
    if not (code / entry).is_file() and not toolkit.is_package(code, entry):
        raise JobFailed(f"AlgorithmError: there is no {entry} in {given.source}, exit code: 1")
    for name in toolkit.DISTRIBUTIONS:
        if given.hyperparameters.get(name):
            job.note(f"{name}: here it is one process, without a launcher")
    command = toolkit.command(code, entry, toolkit.arguments(given.hyperparameters))
    before: tuple[tuple[str, ...], ...] = ()
    requirements = code / "requirements.txt"
    if toolkit.is_package(code, entry):
        more = ("-r", requirements.name) if requirements.exists() else ()
        before = (("python", "-m", "pip", "install", ".", *more),)
    elif entry.endswith(".py") and requirements.exists():
        environment = _required(job, environment, requirements)
    elif not entry.endswith(".py"):
        (code / entry).chmod(0o777)
    # What the job's request says comes first, the toolkit's own on top: as its process does it.
    seen = {
        **variables,
        **toolkit.process_variables(given, job.machine.region),
        **toolkit.variables(given),
    }
    return Program(tuple(command), seen, environment, toolkit.CODE, before, script=True)


def _required(job: Job, environment: Environment, requirements: Path) -> Environment:
    if job.arguments.get("EnableNetworkIsolation"):
        raise JobFailed(
            "AlgorithmError: InstallRequirementsError: there is no network to install from, exit code: 1"
        )
    try:
        return job.machine.environments.with_requirements(environment, requirements)
    except JobFailed as error:
        raise JobFailed(f"AlgorithmError: InstallRequirementsError: {error}, exit code: 1") from None


def _fetch(job: Job, source: str, into: Path) -> None:
    """Bring the code: an archive in S3 or in a channel, or a folder of the container's."""
    if source.startswith("s3://"):
        archive = job.folder / "sourcedir.tar.gz"
        _download(job, source, archive)
    elif source.startswith("/opt/ml/"):
        archive = job.folder / "ml" / source.removeprefix("/opt/ml/")
        if archive == into:
            return
    else:
        raise JobFailed(f"AlgorithmError: there is no code at {source}, exit code: 1")
    try:
        with tarfile.open(archive, "r:gz") as tar:
            tar.extractall(into, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise JobFailed(f"AlgorithmError: {source} is no archive of code: {error}, exit code: 1") from None


def _download(job: Job, source: str, archive: Path) -> None:
    try:
        job.machine.store.download(*split(source), archive)
    except StoreError as error:
        raise JobFailed(f"AlgorithmError: the code cannot be fetched: {error}, exit code: 1") from None


def failure(job: Job, code: int, command: tuple[str, ...]) -> str:
    """What the toolkit writes to `output/failure` for a script that exits with a code."""
    kind = "InstallModuleError" if command[1:4] == ("-m", "pip", "install") else "ExecuteUserScriptError"
    lines = [f"{kind}:", f"ExitCode {code}", f'ErrorMessage "{last_words(job.log)}"']
    if code == -9:
        lines.append('ExtraInfo "OutOfMemory: Process killed by SIGKILL (signal 9)"')
    return "\n".join([*lines, f'Command "{shlex.join(command)}"'])
