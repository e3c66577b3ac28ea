"""A store with files of this machine laid over it: data for pipelines that name objects nobody has here."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from sagewright.compiler.local.store import FolderStore, Store, StoredObject, StoreError, files, split


class Overlay:
    """See `store.Store`. `mounts` are files and folders by the URI whose place they take: they are read where they
    lie, and never written."""

    def __init__(self, store: Store, mounts: Mapping[str, Path]) -> None:
        self.store = store
        self.mounts = {split(uri): path for uri, path in mounts.items()}
        self._files = FolderStore(Path("/"))

    def list(self, bucket: str, prefix: str) -> list[StoredObject]:
        found = {entry.key: entry for entry in self.store.list(bucket, prefix)}
        for (of, key), path in self.mounts.items():
            if of != bucket:
                continue
            for name, file in _members(key, path):
                if name.startswith(prefix):
                    found[name] = self._files.entry(name, file)
        return [found[key] for key in sorted(found)]

    def download(self, bucket: str, key: str, path: Path) -> None:
        mounted = self._mounted(bucket, key)
        if mounted is None:
            self.store.download(bucket, key, path)
            return
        try:
            shutil.copyfile(mounted, path)
        except OSError as error:
            raise StoreError(f"cannot read {mounted}: {(error.strerror or str(error)).lower()}") from None

    def upload(self, path: Path, bucket: str, key: str) -> None:
        if any(of == bucket and _is_below(key, start, path) for (of, start), path in self.mounts.items()):
            raise StoreError(f"s3://{bucket}/{key} is data of this machine's, which a run does not write")
        self.store.upload(path, bucket, key)

    def digest(self, bucket: str, found: StoredObject) -> str:
        mounted = self._mounted(bucket, found.key)
        if mounted is None:
            return self.store.digest(bucket, found)
        return self._files.digest_of(mounted, found.version)

    def _mounted(self, bucket: str, key: str) -> Path | None:
        for (of, start), path in self.mounts.items():
            if of != bucket:
                continue
            if path.is_file() and key == _file_key(start, path):
                return path
            below = _folder_key(start)
            if path.is_dir() and key.startswith(below):
                file = path / key.removeprefix(below)
                if file.is_file():
                    return file
        return None


def _is_below(key: str, start: str, path: Path) -> bool:
    """Whether a key lies where a file or folder is laid over."""
    return key == _file_key(start, path) if path.is_file() else key.startswith(_folder_key(start))


def _members(key: str, path: Path) -> list[tuple[str, Path]]:
    if path.is_file():
        return [(_file_key(key, path), path)]
    below = _folder_key(key)
    return [(f"{below}{file.relative_to(path).as_posix()}", file) for file in files(path)]


def _folder_key(key: str) -> str:
    return f"{key.rstrip('/')}/" if key else ""


def _file_key(key: str, path: Path) -> str:
    """A file laid over a prefix lies below it, under its own name."""
    return f"{key}{path.name}" if key == "" or key.endswith("/") else key
