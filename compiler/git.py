"""What a Git repository says of itself, read from its files: no `git` is run, and none need be installed."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

_REMOTE = re.compile(r"([^/:]+)/([^/]+?)(?:\.git)?/?$")


def repository(start: Path) -> Path | None:
    """The folder that holds the repository's `.git`: `start` or the nearest above it."""
    return next((p for p in (start, *start.parents) if (p / ".git").exists()), None)


def remote(start: Path) -> str | None:
    """The last two parts of the URL of the remote `origin`: `acme/ml`, however it is reached."""
    root = repository(start)
    if root is None:
        return None
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        parser.read_string((_folder(root, shared=True) / "config").read_text())
        url = parser['remote "origin"']["url"]
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError):
        return None
    match = _REMOTE.search(url.strip())
    return f"{match[1]}/{match[2]}" if match else None


def commit(start: Path) -> str | None:
    """The commit that is checked out, in full."""
    root = repository(start)
    if root is None:
        return None
    try:
        head = (_folder(root) / "HEAD").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return _resolved(root, head.removeprefix("ref: ")) if head.startswith("ref: ") else head


def _resolved(root: Path, name: str) -> str | None:
    shared = _folder(root, shared=True)
    try:
        return (shared / name).read_text().strip()
    except (OSError, UnicodeDecodeError):
        pass
    try:
        packed = (shared / "packed-refs").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    found = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", packed, re.MULTILINE)
    return found[1] if found else None


def _folder(root: Path, *, shared: bool = False) -> Path:
    """The repository's own folder: `.git`, or where a worktree's file of that name points to.

    A worktree has a HEAD of its own; its configuration and branches are those that it shares.
    """
    place = root / ".git"
    if not place.is_file():
        return place
    folder = root / place.read_text().partition("gitdir:")[2].strip()
    common = folder / "commondir"
    return folder / common.read_text().strip() if shared and common.is_file() else folder
