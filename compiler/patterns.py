"""The files that a glob pattern means, and what stands where one is meant and cannot be read.

`Path.glob` passes over broken links and closed folders in silence. Here that would be dangerous: a pipeline whose file
is not found is one that `upsert --prune` deletes.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Match:
    """A path that a pattern means; `fault` says why it cannot be used as a file."""

    path: Path
    fault: str | None = None


def matches(root: Path, pattern: str) -> list[Match]:
    """What a pattern means below `root`, in order; nothing where it leads out. `**` follows no links."""
    parts = Path(pattern).parts
    if not parts or ".." in parts or "\0" in pattern or Path(pattern).is_absolute():
        return []
    return sorted(_below(root, parts), key=lambda match: match.path)


def _below(folder: Path, parts: tuple[str, ...]) -> Iterator[Match]:
    """What the parts of a pattern mean below a folder that is there."""
    first, rest = parts[0], parts[1:]
    if first == "**" and rest:
        yield from _below(folder, rest)
    names = [first]
    if _MAGIC.search(first):
        try:
            names = [entry.name for entry in os.scandir(folder) if _meant(entry, first)]
        except OSError as error:
            yield Match(folder, _reason(error))
            return
    following = parts if first == "**" else rest
    for path in (folder / name for name in names):
        yield from _step(path, following)


def _meant(entry: os.DirEntry[str], part: str) -> bool:
    if part == "**":
        return entry.is_dir(follow_symlinks=False)
    return fnmatch(entry.name, part) and not entry.name.startswith(".#")  # Emacs' locks are broken links


def _step(path: Path, rest: tuple[str, ...]) -> Iterator[Match]:
    """A path that a part means: the file itself, or the folder in which the rest is sought."""
    try:
        mode = path.stat().st_mode
    except NotADirectoryError:
        return
    except FileNotFoundError:
        if os.path.lexists(path):
            yield Match(path, "a link to what is not there")
        return
    except OSError as error:
        yield Match(path, _reason(error))
        return
    if stat.S_ISDIR(mode):
        if rest and rest != ("**",):
            yield from _below(path, rest)
        elif path.suffix in (".yaml", ".yml"):
            yield Match(path, "a directory, not a file")
    elif not rest:
        yield Match(path, None if stat.S_ISREG(mode) else "no regular file")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
