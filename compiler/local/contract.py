"""What the containers of processing and training jobs have in common: `/opt/ml`, data from S3, how they end."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sagewright.compiler.local import installing
from sagewright.compiler.local.environments import Environment
from sagewright.compiler.local.job import REASON, Job, JobFailed
from sagewright.compiler.local.layout import BASE
from sagewright.compiler.local.process import SYSTEM_PATH
from sagewright.compiler.local.sandbox import Container, Mount
from sagewright.compiler.local.store import StoreError, fetch, files, read, safe, split

HOST = "algo-1"
GIGABYTE = 1 << 30
OURS = "[sagewright] "
_FULL = {"No space left on device": "the disk is full", "File too large": "a file outgrew the job's volume"}


@dataclass(slots=True)
class Place:
    """The folders of a job's container. What is not below `/opt/ml` is mounted one by one."""

    job: Job
    mounts: dict[str, Mount] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mounts[BASE] = Mount(self.job.folder / "ml", BASE)
        self.mounts["/tmp"] = Mount(self.job.folder / "tmp", "/tmp")
        for mount in self.mounts.values():
            mount.source.mkdir(parents=True, exist_ok=True)

    def folder(self, target: str) -> Path:
        """The folder of this machine that is at a path of the container. Raises JobFailed for one that cannot be."""
        path = PurePosixPath(target)
        if not path.is_absolute() or ".." in path.parts or path == PurePosixPath("/"):
            raise JobFailed(f"`{target}` is no path for a container's folder")
        if path.is_relative_to(BASE):
            made = self.job.folder / "ml" / path.relative_to(BASE)
        else:
            made = self.job.folder / "elsewhere" / path.relative_to("/")
            self.mounts[str(path)] = Mount(made, str(path))
        made.mkdir(parents=True, exist_ok=True)
        return made

    def write(self, target: str, content: Any) -> None:
        """A JSON file at a path of the container."""
        path = PurePosixPath(target)
        (self.folder(str(path.parent)) / path.name).write_text(json.dumps(content), encoding="utf-8")

    def hosts(self) -> None:
        """Have the name of this host found, as on SageMaker's network."""
        path = self.job.folder / "hosts"
        path.write_text(f"127.0.0.1\tlocalhost {HOST}\n::1\tlocalhost\n", encoding="utf-8")
        if Path("/etc/hosts").is_file():
            self.mounts["/etc/hosts"] = Mount(path, "/etc/hosts", writable=False)


def container(
    place: Place,
    environment: Environment,
    command: Sequence[str],
    variables: Mapping[str, str],
    *,
    image: str,
    isolated: bool,
    volume: Any,
    directory: str = "/",
    own_entrypoint: bool = False,
) -> Container:
    """A container of a job. Its Python is a layer that the job's own code may install into. `volume` is in GB."""
    python, mounts = environment.python, tuple(place.mounts.values())
    given = {"AWS_REGION": place.job.machine.region, **variables}
    if place.job.machine.sandbox.name != "docker":
        folder = place.job.folder / "python"
        python = folder / "bin/python"
        if not python.exists():
            installing.layer(folder, environment.python)
        mounts += (Mount(folder, str(folder)),)
        path = (str(python.parent), str(environment.python.parent), given.get("PATH", SYSTEM_PATH))
        given = {**installing.installer_variables(), **given, "PATH": ":".join(path)}
    most = volume * GIGABYTE if isinstance(volume, int) else None
    if isolated:
        place.job.note("network isolation: it reaches nothing, the servers of this machine neither")
    return Container(
        tuple(command), python, given, mounts, directory, not isolated, most, image, own_entrypoint
    )


# -- data -------------------------------------------------------------------------------------------------------------


def download(job: Job, what: str, source: Mapping[str, Any], into: Path, compression: str | None) -> None:
    """Copy an input from S3. `source` is an S3DataSource or a ProcessingS3Input. Raises JobFailed."""
    uri, kind = str(source.get("S3Uri")), source.get("S3DataType", "S3Prefix")
    try:
        if kind == "ManifestFile":
            made = list(_manifest(job, uri, into))
        elif kind == "S3Prefix":
            made = fetch(job.machine.store, uri, into)
        else:
            raise JobFailed(
                f"{what} is a {kind}, which only AWS reads: use S3Prefix or ManifestFile to run it here"
            )
    except StoreError as error:
        raise JobFailed(f"ClientError: Data download failed: {what}: {error}") from None
    if compression == "Gzip":
        for path in made:
            _decompress(path, what)


def _manifest(job: Job, uri: str, into: Path) -> Iterator[Path]:
    """A list: `{"prefix": "s3://.../"}`, and the rest of each key. Source: the S3Uri of botocore's S3DataSource."""
    try:
        content = json.loads(read(job.machine.store, uri))
        prefix = content[0]["prefix"]
        names = [str(name) for name in content[1:]]
    except (ValueError, LookupError, TypeError):
        raise JobFailed(f"ClientError: the manifest {uri} is no list of a prefix and names") from None
    bucket, base = split(prefix)
    for name in names:
        target = into / safe(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        job.machine.store.download(bucket, f"{base}{name}", target)
        yield target


def _decompress(path: Path, what: str) -> None:
    unpacked = path.with_name(f".{path.name}.unpacked")
    try:
        with gzip.open(path) as packed, unpacked.open("wb") as file:
            shutil.copyfileobj(packed, file)
    except (OSError, EOFError) as error:
        raise JobFailed(f"ClientError: {what}: {path.name} is not compressed with gzip: {error}") from None
    unpacked.replace(path)


def pack(folder: Path, archive: Path) -> None:
    """A tar.gz of a folder's content that is the same whenever the content is."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
            return None
        member.mtime = member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as tar,
    ):
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name, filter=anonymous)


def is_empty(folder: Path) -> bool:
    return next(files(folder), None) is None


# -- the end ----------------------------------------------------------------------------------------------------------


def message(path: Path) -> str:
    """What a container wrote to be told, at most 1,024 bytes of it. Raises JobFailed where that is no text.

    Source: docs.aws.amazon.com/sagemaker/latest/dg/byoc-metadata.html.
    """
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        content = file.read(REASON)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if error.start > REASON - 4:
            return content[: error.start].decode()
        raise JobFailed(f"ClientError: {path.name} in /opt/ml/output is not UTF-8") from None


def failed(job: Job, code: int, detail: str = "") -> JobFailed:
    """Why a container failed, in SageMaker's words with ours in place of the empty reason; the log says more."""
    number = 128 - code if code < 0 else code
    for hint in _hints(job, code):
        job.note(hint)
        detail = detail or hint
    detail = detail or last_words(job.log)
    end = f", exit code: {number}"
    return JobFailed(f"AlgorithmError: {detail.strip()[: REASON - 16 - len(end)]}{end}")


def _hints(job: Job, code: int) -> Iterator[str]:
    if code < 0 or code > 128:
        number = -code if code < 0 else code - 128
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        killed = number == signal.SIGKILL
        yield f"it was killed by {name}{', as when memory runs out' if killed else ''}"
        if number == signal.SIGXFSZ:
            yield _FULL["File too large"]
    tail = "".join(_tail(job.log))
    yield from (said for sign, said in _FULL.items() if sign in tail)


def last_words(log: Path) -> str:
    """The last line that a container printed."""
    return next((line.strip() for line in reversed(_tail(log)) if line.strip()), "")


def _tail(log: Path) -> list[str]:
    """The last lines of a log that are not ours."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - (64 << 10)))
        text = file.read().decode(errors="replace")
    return [line for line in text.splitlines(keepends=True) if not line.startswith(OURS)]


def note_ignored(job: Job, reasons: Mapping[str, str]) -> None:
    """Say which members of the request have no effect here."""
    for name, why in reasons.items():
        if job.arguments.get(name):
            job.note(f"{name} has no effect here: {why}")
