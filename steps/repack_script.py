"""Adds inference code to a model's archive. Runs in SageMaker as a training job, on any Python from 3.8 on.

Channel `model` holds the archive, channel `code` a script or an archive of scripts. Both are unpacked into the
model's directory, the code into `code/` in it; SageMaker packs that directory again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tarfile
from pathlib import Path


class UnsafeArchiveError(Exception):
    """An archive that would write outside of where it is unpacked."""


def content(channel: Path) -> Path:
    """The file that a channel was made for. Raises FileNotFoundError.

    An S3 prefix also matches longer keys (`model.tar.gz.bak`), so the shortest name is the one.
    """
    files = [path for path in channel.rglob("*") if path.is_file()]
    if not files:
        raise FileNotFoundError(f"channel {channel.name} is empty")
    return min(files, key=lambda path: (len(str(path)), str(path)))


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar archive, compressed or not. Raises UnsafeArchiveError, tarfile.TarError."""
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(str(archive)) as tar:
        for member in tar.getmembers():
            check(member, target)
        if hasattr(tarfile, "data_filter"):
            tar.extractall(str(target), filter="data")
        else:
            tar.extractall(str(target))


def check(member: tarfile.TarInfo, target: Path) -> None:
    """Raise UnsafeArchiveError where `member` is no file, or reaches out of `target` by its name or as a link."""
    root = target.resolve()
    places = [root / member.name]
    if member.islnk():
        places.append(root / member.linkname)
    elif member.issym():
        places.append((root / member.name).parent / member.linkname)
    inside = all(place == root or root in place.parents for place in (place.resolve() for place in places))
    if not inside or not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise UnsafeArchiveError(f"refused to unpack {member.name}: it would reach outside of the archive")


def add_code(source: Path, target: Path) -> None:
    """Put the code into `target`: a script beside what is there, an archive in its place."""
    if tarfile.is_tarfile(str(source)):
        shutil.rmtree(str(target), ignore_errors=True)
        unpack(source, target)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(source), str(target / source.name))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inference_py", help="the script that the container expects as inference.py")
    parser.add_argument("--requirements_txt", help="the file that the container expects as requirements.txt")
    options, _ = parser.parse_known_args(arguments)
    model = Path(os.environ["SM_MODEL_DIR"])
    unpack(content(Path(os.environ["SM_CHANNEL_MODEL"])), model)
    code = model / "code"
    add_code(content(Path(os.environ["SM_CHANNEL_CODE"])), code)
    if options.inference_py:
        shutil.copyfile(str(code / options.inference_py), str(code / "inference.py"))
    if options.requirements_txt:
        shutil.copyfile(str(code / options.requirements_txt), str(code / "requirements.txt"))


if __name__ == "__main__":
    main(sys.argv[1:])
