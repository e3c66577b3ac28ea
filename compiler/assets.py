"""Code on disk → reproducible archives under their hash.

The hash of an archive is that of its uncompressed tar, which does not depend on zlib's version: regular files only,
sorted by name; uid, gid and mtime 0; mode 755 where the owner may execute, else 644; names NFC, with `/`. Links are
followed, within the project. Left out are `IGNORED`, `*.pyc`, and what `.sagewrightignore` files say, with
gitignore's syntax and rules, in any folder from the project's root down.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import posixpath
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from sagewright.compiler.source import holds
from sagewright.compiler.suggest import nearest

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

ARCHIVE = "sourcedir.tar.gz"
IGNORE_FILE = ".sagewrightignore"
IGNORED = frozenset(
    (".git", "__pycache__", ".DS_Store", ".sagewright", ".venv", ".ipynb_checkpoints", IGNORE_FILE)
)
MAX_FILES = 100_000
"""More files are a mistake: a folder of data, or links that multiply each other."""

_CHUNK = 1 << 18
_SPOOL = 1 << 23
_BLOCK, _RECORD = 512, 10240
"""What tar pads files to, and what it pads archives to."""


class AssetError(Exception):
    """Code that cannot be packed: missing or unreadable (SW801), outside the project (SW802), or SW803."""

    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in message)
        self.help = help


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive: its name in there, and the file as it was when it was found.

    `version` changes whenever the file's content does: device, inode, and the times of its change in nanoseconds.
    """

    name: str
    path: str
    executable: bool
    size: int
    version: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Asset:
    """What will be uploaded to `<prefix>/code/<digest>/<name>`.

    `digest` is a SHA-256 in hex and `size` a number of bytes, both of the file or of the uncompressed tar.
    `content` is set where the asset was made in memory; `path` is then a name only.
    """

    path: Path
    name: str
    digest: str
    size: int
    archive: bool = False
    content: bytes | None = field(default=None, repr=False)
    entries: tuple[Entry, ...] = field(default=(), repr=False)

    def open(self) -> BinaryIO:
        """The bytes to upload, as a seekable file at its start. The caller closes it.

        The same bytes for the same content (and the same zlib). An archive over 8 MB lies in a temporary file.
        Raises `AssetError` (SW801) where the content is not that of `digest` any more.
        """
        if self.content is not None:
            return io.BytesIO(self.content)
        return _pack(self) if self.archive else _reopen(self)

    def require(self, name: str) -> None:
        """Raises `AssetError` (SW803) unless the archive has a file `name`."""
        names = [entry.name for entry in self.entries]
        wanted = unicodedata.normalize("NFC", posixpath.normpath(name))
        if wanted in names:
            return
        near = nearest(wanted, names)
        help = f"did you mean `{near}`?" if near else None
        if not wanted.startswith("..") and holds((self.path / wanted).is_file):
            help = f"it is ignored: by default, or by a `{IGNORE_FILE}`"
        raise AssetError("SW803", f"`{self.path.name}` has no file `{name}`", help)


def data_asset(name: str, data: bytes) -> Asset:
    """An asset made in memory."""
    return Asset(Path(name), name, hashlib.sha256(data).hexdigest(), len(data), content=data)


def file_asset(path: Path, root: Path) -> Asset:
    """A file of the project at `root`, as it is. Raises `AssetError`."""
    entry = _file(path, root)
    return Asset(path, entry.name, _file_digest(entry), entry.size)


def script_asset(path: Path, root: Path) -> Asset:
    """An archive of one file. Raises `AssetError`."""
    return _archive(path, (_file(path, root),))


def directory_asset(path: Path, root: Path) -> Asset:
    """An archive of a directory of the project at `root`. Raises `AssetError`."""
    return _archive(path, _Walk(path, root).entries())


def _archive(path: Path, entries: tuple[Entry, ...]) -> Asset:
    digest, size = _tar_digest(entries)
    return Asset(path, ARCHIVE, digest, size, archive=True, entries=entries)


# -- finding files ----------------------------------------------------------------------------------------------------


def _file(path: Path, root: Path) -> Entry:
    shown = _shown(path, root)
    real, _ = _resolve(path, root, shown)
    status = _status(real, shown)
    if stat.S_ISDIR(status.st_mode):
        raise AssetError("SW801", f"`{shown}` is a directory, not a file")
    return _entry(path.name, real, status, shown)


def _entry(name: str, path: str, status: os.stat_result, shown: str) -> Entry:
    if not stat.S_ISREG(status.st_mode):
        raise AssetError("SW803", f"`{shown}` is no regular file")
    name = unicodedata.normalize("NFC", name)
    if not _is_utf8(name):
        raise AssetError("SW803", f"`{shown}` has a name that is not UTF-8")
    version = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
    return Entry(name, path, bool(status.st_mode & stat.S_IXUSR), status.st_size, version)


def _resolve(path: Path | str, root: Path, shown: str) -> tuple[str, str]:
    """Where `path` and `root` are once links are followed. Raises `AssetError` (SW802) outside the root."""
    try:
        real, base = os.path.realpath(path), _real_root(root)
    except (OSError, ValueError):  # a null byte, a lone surrogate
        raise AssetError("SW801", f"`{shown}` cannot be a path") from None
    if not is_below(real, base):
        raise AssetError("SW802", f"`{shown}` is outside the project", f"which is `{base}`")
    return real, base


def _real_root(root: Path) -> str:
    status = os.stat(root)  # noqa: PTH116
    return _real(root, (status.st_dev, status.st_ino))


@lru_cache(maxsize=16)
def _real(root: Path, _which: tuple[int, int]) -> str:
    """A folder free of links, as long as it is the same folder: asked for with each file of a project."""
    return os.path.realpath(root)


def is_below(path: str, folder: str) -> bool:
    """Whether one path, free of links, is the other, or below it."""
    return os.path.commonpath((path, folder)) == folder


def _status(path: str, shown: str) -> os.stat_result:
    try:
        return os.stat(path)  # noqa: PTH116 - making a `Path` costs as much again
    except OSError as error:
        raise _unreadable(error, shown) from None


def _unreadable(error: OSError, shown: str) -> AssetError:
    if error.errno == errno.ELOOP:
        return AssetError("SW803", f"`{shown}` is a link that leads back to itself")
    if error.errno == errno.ENOENT:
        return AssetError("SW801", f"`{shown}` does not exist")
    return AssetError("SW801", f"`{shown}` cannot be read: {(error.strerror or str(error)).lower()}")


def _shown(path: Path, root: Path) -> str:
    """A path for messages: from the project's root where it is below it."""
    return "." if path == root else path.as_posix().removeprefix(f"{root.as_posix()}/")


def _is_utf8(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)


@dataclass(frozen=True, slots=True)
class _Rules:
    """An ignore file: `base` is its folder, from the project's root, with a `/` at its end."""

    base: str
    spec: GitIgnoreSpec


@dataclass(frozen=True, slots=True)
class _Folder:
    """A directory to visit: its name in the archive, its real path, those of the directories around it, the rules."""

    name: str
    path: str
    around: tuple[str, ...]
    rules: tuple[_Rules, ...]


class _Walk:
    """One visit to a directory and all below it."""

    def __init__(self, path: Path, root: Path) -> None:
        self.root = root
        self.shown = _shown(path, root)
        self.real, self.base = _resolve(path, root, self.shown)
        below = Path(self.real).relative_to(self.base).as_posix()
        self.location = "" if below == "." else f"{below}/"
        self.found: dict[str, Entry] = {}
        self.ignored = False

    def entries(self) -> tuple[Entry, ...]:
        if not stat.S_ISDIR(_status(self.real, self.shown).st_mode):
            raise AssetError("SW801", f"`{self.shown}` is a file, not a directory")
        pending = [_Folder("", self.real, (), self._rules_above())]
        while pending:
            pending += reversed(list(self._visit(pending.pop())))
        if not self.found:
            which = "no files but ignored ones" if self.ignored else "no files"
            raise AssetError("SW803", f"`{self.shown}` has {which}")
        return tuple(self.found[name] for name in sorted(self.found))

    def _visit(self, folder: _Folder) -> Iterator[_Folder]:
        """Adds the folder's files, and yields the folders in it."""
        if folder.path in folder.around:
            raise AssetError("SW803", f"`{self._shown(folder.name)}` is a link to a directory around it")
        try:
            with os.scandir(folder.path) as scan:
                items = sorted(scan, key=lambda item: item.name)
        except OSError as error:
            raise _unreadable(error, self._shown(folder.name)) from None
        rules = folder.rules
        if any(item.name == IGNORE_FILE for item in items):
            rules = (*rules, self._read_rules(folder.path, self.location + folder.name))
        for item in items:
            name = folder.name + item.name
            status = self._look(item, name, rules)
            if status is None:
                self.ignored = True
            elif stat.S_ISDIR(status.st_mode):
                path = os.path.realpath(item.path) if item.is_symlink() else item.path
                yield _Folder(f"{name}/", path, (*folder.around, folder.path), rules)
            else:
                self._add(_entry(name, item.path, status, self._shown(name)))

    def _look(self, item: os.DirEntry[str], name: str, rules: tuple[_Rules, ...]) -> os.stat_result | None:
        """The status of what `item` is or links to; None where it is ignored."""
        if item.name in IGNORED or item.name.endswith(".pyc"):
            return None
        try:
            status = item.stat()
        except OSError as raised:
            status = raised
        failed = isinstance(status, OSError)
        if rules and self._is_ignored(name, not failed and stat.S_ISDIR(status.st_mode), rules):
            return None
        if item.is_symlink():
            _resolve(item.path, self.root, self._shown(name))
        if failed:
            raise _unreadable(status, self._shown(name))
        return status

    def _add(self, entry: Entry) -> None:
        if entry.name in self.found:
            raise AssetError("SW803", f"`{self._shown(entry.name)}` stands twice, in two Unicode spellings")
        if len(self.found) == MAX_FILES:
            raise AssetError("SW803", f"`{self.shown}` has over {MAX_FILES} files", f"see `{IGNORE_FILE}`")
        self.found[entry.name] = entry

    def _shown(self, name: str) -> str:
        return f"{self.shown}/{name}"

    # -- ignore files

    def _rules_above(self) -> tuple[_Rules, ...]:
        """Those of the folders from the project's root to the one that is packed, without its own."""
        parts = self.location.split("/")[:-1]
        above = ["".join(f"{part}/" for part in parts[:depth]) for depth in range(len(parts))]
        folders = [(name, str(Path(self.base, name))) for name in above]
        return tuple(
            self._read_rules(path, name) for name, path in folders if holds(Path(path, IGNORE_FILE).is_file)
        )

    def _read_rules(self, folder: str, base: str) -> _Rules:
        from pathspec import GitIgnoreSpec  # 50 ms, and most projects have no such file

        shown = base + IGNORE_FILE
        real, _ = _resolve(Path(folder, IGNORE_FILE), self.root, shown)
        try:
            return _Rules(base, GitIgnoreSpec.from_lines(Path(real).read_text("utf-8").splitlines()))
        except OSError as error:
            raise _unreadable(error, shown) from None
        except ValueError as error:  # not UTF-8, or not a pattern
            raise AssetError("SW803", f"`{shown}` is no ignore file: {error}") from None

    def _is_ignored(self, name: str, is_directory: bool, rules: tuple[_Rules, ...]) -> bool:
        path = self.location + name + ("/" if is_directory else "")
        for rule in reversed(rules):
            verdict = rule.spec.check_file(path.removeprefix(rule.base)).include
            if verdict is not None:
                return verdict
        return False


# -- bytes ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _file_digest(entry: Entry) -> str:
    digest = hashlib.sha256()
    for chunk in _content(entry):
        digest.update(chunk)
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _tar_digest(entries: tuple[Entry, ...]) -> tuple[str, int]:
    """The digest and the size of the uncompressed tar."""
    digest, size = hashlib.sha256(), 0
    for block in _tar(entries):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


def _tar(entries: tuple[Entry, ...]) -> Iterator[bytes]:
    """A tar, piece by piece, as `tarfile` writes it."""
    import tarfile

    size = 0
    for entry in entries:
        info = tarfile.TarInfo(entry.name)
        info.size, info.mode = entry.size, 0o755 if entry.executable else 0o644
        header, padding = info.tobuf(tarfile.PAX_FORMAT, "utf-8"), bytes(-entry.size % _BLOCK)
        yield header
        yield from _content(entry)
        yield padding
        size += len(header) + entry.size + len(padding)
    end = 2 * _BLOCK
    yield bytes(end + -(size + end) % _RECORD)


def _content(entry: Entry) -> Iterator[bytes]:
    read = 0
    try:
        with Path(entry.path).open("rb") as file:
            while chunk := file.read(_CHUNK):
                read += len(chunk)
                yield chunk
    except OSError as error:
        raise _unreadable(error, entry.name) from None
    if read != entry.size:
        raise _changed(entry.name)


def _changed(shown: str) -> AssetError:
    return AssetError("SW801", f"`{shown}` has changed since it was hashed", "compile again")


def _reopen(asset: Asset) -> BinaryIO:
    try:
        file = asset.path.open("rb")
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(error, asset.name) from None
    if digest != asset.digest:
        file.close()
        raise _changed(asset.name)
    file.seek(0)
    return file


def _pack(asset: Asset) -> BinaryIO:
    import gzip
    from contextlib import ExitStack
    from tempfile import SpooledTemporaryFile

    digest = hashlib.sha256()
    with ExitStack() as stack:
        packed = stack.enter_context(SpooledTemporaryFile(_SPOOL))
        with gzip.GzipFile("", "wb", 6, packed, mtime=0) as stream:
            for block in _tar(asset.entries):
                digest.update(block)
                stream.write(block)
        if digest.hexdigest() != asset.digest:
            raise _changed(asset.path.name)
        packed.seek(0)
        stack.pop_all()
    return cast("BinaryIO", packed)
