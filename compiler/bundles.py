"""Archives made in memory: of files that the compiler brings, and of code for Lambda."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sagewright.compiler.assets import Asset, AssetError, directory_asset, script_asset
from sagewright.compiler.source import holds

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that zip files know."""


def tar_asset(name: str, files: Mapping[str, bytes]) -> Asset:
    """Files by their path as a tar.gz. The digest is that of the uncompressed tar."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(files[path]), 0o755 if path.endswith(".sh") else 0o644
            archive.addfile(entry, io.BytesIO(files[path]))
    tar = raw.getvalue()
    packed = gzip.compress(tar, mtime=0)
    return Asset(Path(name), name, hashlib.sha256(tar).hexdigest(), len(tar), archive=True, content=packed)


def function_asset(path: Path, root: Path) -> Asset:
    """A file or a directory as a zip for Lambda; the digest is that of the same files as a tar. Raises `AssetError`."""
    source = directory_asset(path, root) if holds(path.is_dir) else script_asset(path, root)
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in source.entries:
            info = zipfile.ZipInfo(entry.name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if entry.executable else 0o644) << 16
            try:
                archive.writestr(info, Path(entry.path).read_bytes())
            except OSError as error:
                raise AssetError(
                    "SW801", f"cannot read `{entry.name}`: {(error.strerror or str(error)).lower()}"
                ) from error
    content = raw.getvalue()
    return replace(source, name="function.zip", content=content, size=len(content), archive=False, entries=())
