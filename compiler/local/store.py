"""S3 as a folder: `<root>/<bucket>/<key>`. Keys are as S3 has them, so that a prefix need not end at a `/`."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from sagewright.compiler.engine.values import Unavailable

NOTHING = "there is nothing at"
_PARTIAL = ".sagewright-partial-"


class StoreError(Unavailable):
    """An object that is not there or cannot be read, in words for people."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: its key, its size in bytes, and something that changes whenever its content does."""

    key: str
    size: int
    version: str


class Store(Protocol):
    """Objects by bucket and key. All methods raise StoreError; an object is written whole or not at all."""

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        """Every object whose key begins with the prefix, by key."""
        ...

    def download(self, bucket: str, key: str, path: Path) -> None:
        """Copy an object to a file; its folder is there."""
        ...

    def upload(self, path: Path, bucket: str, key: str) -> None:
        """Copy a file to an object."""
        ...

    def digest(self, bucket: str, found: StoredObject) -> str:
        """What changes only with the content: the same on every store that tells it cheaply."""
        ...


def split(uri: str) -> tuple[str, str]:
    """The bucket and the key of an S3 URI. Raises StoreError."""
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise StoreError(f"`{uri}` is no S3 URI")
    return bucket, key


def read(store: Store, uri: str) -> bytes:
    """The content of an object. Raises StoreError."""
    bucket, key = split(uri)
    with tempfile.TemporaryDirectory(prefix="sagewright-") as folder:
        path = Path(folder) / "object"
        store.download(bucket, key, path)
        return path.read_bytes()


def write(store: Store, uri: str, content: bytes) -> None:
    """Make or replace an object. Raises StoreError."""
    bucket, key = split(uri)
    with tempfile.TemporaryDirectory(prefix="sagewright-") as folder:
        path = Path(folder) / "object"
        path.write_bytes(content)
        store.upload(path, bucket, key)


def fetch(store: Store, uri: str, into: Path) -> list[Path]:
    """Copy what an `S3Prefix` names into a folder: one object under its name, the objects of a prefix under the rest
    of their keys. Raises StoreError where there is nothing.

    Source: the S3Uri of botocore's shape ProcessingS3Input and S3DataSource.
    """
    bucket, prefix = split(uri)
    found = [entry for entry in store.list(bucket, prefix) if not entry.key.endswith("/")]
    if not found:
        raise StoreError(f"{NOTHING} {uri}")
    made: list[Path] = []
    for entry in found:
        target = into / safe(_below(prefix, entry.key))
        target.parent.mkdir(parents=True, exist_ok=True)
        store.download(bucket, entry.key, target)
        made.append(target)
    return made


def send(store: Store, folder: Path, uri: str) -> list[str]:
    """Copy every file of a folder below a prefix; their URIs. Links are followed only within the folder."""
    bucket, prefix = split(uri)
    made: list[str] = []
    for path in files(folder):
        key = "/".join(part for part in (prefix.rstrip("/"), path.relative_to(folder).as_posix()) if part)
        store.upload(path, bucket, key)
        made.append(f"s3://{bucket}/{key}")
    return made


def content_digest(store: Store, uri: str) -> str | None:
    """A digest of everything below a prefix, names included; None where there is nothing. Raises StoreError."""
    bucket, prefix = split(uri)
    found = store.list(bucket, prefix)
    if not found:
        return None
    made = hashlib.sha256()
    for entry in found:
        made.update(f"{_below(prefix, entry.key)}\0{store.digest(bucket, entry)}\n".encode())
    return made.hexdigest()


def files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder, sorted; what a link leads out of it to is left out."""
    real = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.resolve().is_relative_to(real):
            yield path


def safe(name: str) -> PurePosixPath:
    """A key as a path below a folder. Raises StoreError for one that would leave it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise StoreError(f"`{name}` is no name for a file")
    return path


def _below(prefix: str, key: str) -> str:
    """What of a key lies below a prefix: its last part where the prefix is the key, or ends within a name."""
    if key == prefix:
        return key.rpartition("/")[2]
    if prefix == "" or prefix.endswith("/") or key.startswith(f"{prefix}/"):
        return key.removeprefix(prefix).lstrip("/")
    return key[prefix.rfind("/") + 1 :]


class FolderStore:
    """A store on disk. What its folder holds may be put there, looked at and deleted by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digests: dict[tuple[str, str], str] = {}

    def path(self, bucket: str, key: str) -> Path:
        """Where an object lies. Raises StoreError."""
        return self.root / safe(bucket) / safe(key)

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        base = self.root / safe(bucket)
        found = (self.entry(path.relative_to(base).as_posix(), path) for path in self._walk(base, prefix))
        return sorted((entry for entry in found if entry.key.startswith(prefix)), key=lambda entry: entry.key)

    def _walk(self, base: Path, prefix: str) -> Iterator[Path]:
        """The files that may have a key with that prefix."""
        for folder, below, names in os.walk(base):
            at = Path(folder).relative_to(base)
            keys = {name: f"{(at / name).as_posix()}/" for name in below}
            below[:] = [n for n, key in keys.items() if key.startswith(prefix) or prefix.startswith(key)]
            yield from (Path(folder, name) for name in names if not name.startswith(_PARTIAL))

    def entry(self, key: str, path: Path) -> StoredObject:
        """What a file is as an object."""
        status = path.stat()
        version = f"{status.st_ino}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_size}"
        return StoredObject(key, status.st_size, version)

    def download(self, bucket: str, key: str, path: Path) -> None:
        source = self.path(bucket, key)
        try:
            shutil.copyfile(source, path)
        except FileNotFoundError:
            raise StoreError(f"there is no object s3://{bucket}/{key}") from None
        except OSError as error:
            raise StoreError(f"cannot copy s3://{bucket}/{key}: {_words(error)}") from None

    def upload(self, path: Path, bucket: str, key: str) -> None:
        target = self.path(bucket, key)
        partial = target.parent / f"{_PARTIAL}{os.getpid()}-{id(path):x}-{target.name[:40]}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial)
            partial.replace(target)
        except OSError as error:
            with suppress(OSError):
                partial.unlink()
            raise StoreError(f"cannot write s3://{bucket}/{key}: {_words(error)}") from None

    def digest(self, bucket: str, found: StoredObject) -> str:
        return self.digest_of(self.path(bucket, found.key), found.version)

    def digest_of(self, path: Path, version: str) -> str:
        """The SHA-256 of a file, taken once for each version of it. Raises StoreError."""
        known = (str(path), version)
        if known not in self._digests:
            try:
                with path.open("rb") as file:
                    self._digests[known] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise StoreError(f"cannot read {path}: {_words(error)}") from None
        return self._digests[known]


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
