"""Code on disk → reproducible archives under their hash."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import socket
import tarfile
import tracemalloc
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import assets
from sagewright.compiler.assets import (
    Asset,
    AssetError,
    data_asset,
    directory_asset,
    file_asset,
    script_asset,
)

FILES = {"train.py": b"print(1)\n", "lib/a.py": b"a = 1\n", "lib/deep/b.txt": b"", "run.sh": b"#!/bin/sh\n"}


def write(folder: Path, files: dict[str, bytes] = FILES, *, names: list[str] | None = None) -> Path:
    for name in names or list(files):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
        path.chmod(0o755 if name.endswith(".sh") else 0o644)
    return folder


def read(asset: Asset) -> bytes:
    with asset.open() as file:
        return file.read()


def names(asset: Asset) -> list[str]:
    with asset.open() as file, tarfile.open(fileobj=file, mode="r:gz") as archive:
        return archive.getnames()


def refused(make: Callable[[Path, Path], Asset], path: Path, root: Path, code: str) -> AssetError:
    with pytest.raises(AssetError) as caught:
        make(path, root)
    assert caught.value.code == code, caught.value.message
    return caught.value


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_its_bytes_under_their_hash(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_bytes(b"x = 1\r\n\0")
    asset = file_asset(tmp_path / "train.py", tmp_path)
    assert (asset.name, asset.size, asset.archive) == ("train.py", 8, False)
    assert asset.digest == hashlib.sha256(b"x = 1\r\n\0").hexdigest()
    assert read(asset) == b"x = 1\r\n\0"


def test_data_is_an_asset_too() -> None:
    asset = data_asset("config.json", b"{}")
    assert (asset.name, asset.size, asset.digest) == ("config.json", 2, hashlib.sha256(b"{}").hexdigest())
    assert read(asset) == b"{}" == read(asset)


def test_a_name_is_the_same_in_both_unicode_spellings(tmp_path: Path) -> None:
    path = tmp_path / unicodedata.normalize("NFD", "é.py")
    path.write_bytes(b"")
    assert file_asset(path, tmp_path).name == "\u00e9.py"


def test_a_file_that_is_missing_or_none_is_refused(tmp_path: Path) -> None:
    assert "`x.py` does not exist" in refused(file_asset, tmp_path / "x.py", tmp_path, "SW801").message
    assert "is a directory" in refused(file_asset, tmp_path, tmp_path, "SW801").message
    refused(file_asset, tmp_path / "a\0b", tmp_path, "SW801")
    refused(file_asset, tmp_path / "a\ud800", tmp_path, "SW801")
    refused(file_asset, tmp_path / ("x" * 5000), tmp_path, "SW801")
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in refused(file_asset, tmp_path / "pipe", tmp_path, "SW803").message


def test_nothing_outside_the_project_is_read(tmp_path: Path) -> None:
    root = write(tmp_path / "project")
    (tmp_path / "secret.py").write_text("")
    (tmp_path / "project-2").mkdir()
    (root / "link.py").symlink_to(tmp_path / "secret.py")
    (root / "dangling").symlink_to(tmp_path / "nothing")
    for path in ("../secret.py", "lib/../../secret.py", "../nothing", "link.py", "dangling", "/etc/passwd"):
        assert "outside the project" in refused(file_asset, root / path, root, "SW802").message
    refused(directory_asset, root / "..", root, "SW802")
    refused(directory_asset, tmp_path / "project-2", root, "SW802")


def test_a_link_within_the_project_is_followed_and_keeps_its_name(tmp_path: Path) -> None:
    root = write(tmp_path / "project")
    (root / "main.py").symlink_to("lib/a.py")
    (tmp_path / "alias").symlink_to(root)
    asset = file_asset(root / "main.py", root)
    assert (asset.name, read(asset)) == ("main.py", b"a = 1\n")
    assert file_asset(tmp_path / "alias" / "lib" / ".." / "lib" / "a.py", root).digest == asset.digest
    assert file_asset(root / "lib" / "a.py", tmp_path / "alias").digest == asset.digest


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "link" in refused(file_asset, tmp_path / "a", tmp_path, "SW803").message


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path)
    opened = Path.open

    def deny(
        self: Path, *args: Any, **kwargs: Any
    ) -> Any:  # the tests may run as root, whom chmod does not stop
        if self.name == "a.py":
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", deny)
    assert (
        refused(file_asset, root / "lib/a.py", root, "SW801").message
        == "`a.py` cannot be read: permission denied"
    )
    assert "`lib/a.py` cannot be read" in refused(directory_asset, root, root, "SW801").message


def test_an_unreadable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path)
    scan = os.scandir

    def deny(path: Any) -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", deny)
    assert "lib/deep/` cannot be read" in refused(directory_asset, root, root, "SW801").message


# -- archives ---------------------------------------------------------------------------------------------------------


def test_an_archive_holds_the_files_and_nothing_of_where_they_were(tmp_path: Path) -> None:
    asset = directory_asset(write(tmp_path / "src"), tmp_path)
    assert (asset.name, asset.archive) == ("sourcedir.tar.gz", True)
    raw = gzip.decompress(read(asset))
    assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (asset.digest, asset.size)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        members = archive.getmembers()
        assert [m.name for m in members] == ["lib/a.py", "lib/deep/b.txt", "run.sh", "train.py"]
        assert [oct(m.mode) for m in members] == ["0o644", "0o644", "0o755", "0o644"]
        assert {(m.uid, m.gid, m.uname, m.gname, m.mtime, m.type) for m in members} == {
            (0, 0, "", "", 0, b"0")
        }
        assert {m.name: archive.extractfile(m).read() for m in members} == FILES  # type: ignore[union-attr]
    assert read(asset)[4:8] == bytes(4), "the gzip header has no time"
    assert not read(asset)[3] & 8, "the gzip header has no name"


def test_the_tar_is_the_one_that_tarfile_writes(tmp_path: Path) -> None:
    files = {**FILES, "d/" + "long" * 60 + ".py": b"x" * 513, "é/ü.txt": b"y" * 512}
    asset = directory_asset(write(tmp_path / "src", files), tmp_path)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(files[name]), 0o755 if name.endswith(".sh") else 0o644
            archive.addfile(info, io.BytesIO(files[name]))
    assert gzip.decompress(read(asset)) == raw.getvalue()


def test_place_time_umask_and_order_do_not_matter(tmp_path: Path) -> None:
    first = write(tmp_path / "a" / "src")
    before = os.umask(0o077)
    try:
        second = write(tmp_path / "b" / "elsewhere" / "code", names=sorted(FILES, reverse=True))
    finally:
        os.umask(before)
    for path in second.rglob("*"):
        if path.is_file():
            path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (second / "empty" / "folder").mkdir(parents=True)
    one, two = directory_asset(first, tmp_path), directory_asset(second, second.parent)
    assert (one.digest, one.size, read(one)) == (two.digest, two.size, read(two))


def test_the_digest_is_stable_between_versions(tmp_path: Path) -> None:
    asset = directory_asset(write(tmp_path, {"train.py": b"print(1)\n"}), tmp_path)
    header = bytearray(512)
    header[:8] = b"train.py"
    header[100:124] = b"0000644\x000000000\x000000000\x00"
    header[124:148] = b"00000000011\x0000000000000\x00"
    header[148:156], header[156:157], header[257:265] = b" " * 8, b"0", b"ustar\x0000"
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    tar = (bytes(header) + b"print(1)\n").ljust(10240, b"\0")
    assert asset.digest == hashlib.sha256(tar).hexdigest()


@pytest.mark.parametrize("change", ["content", "name", "mode", "more", "less"])
def test_every_change_of_the_content_changes_the_digest(tmp_path: Path, change: str) -> None:
    root = write(tmp_path)
    before = directory_asset(root, root)
    script = root / "train.py"
    match change:
        case "content":
            times = script.stat()
            script.write_bytes(b"print(2)\n")
            os.utime(script, ns=(times.st_atime_ns, times.st_mtime_ns))
        case "name":
            script.rename(root / "train2.py")
        case "mode":
            script.chmod(0o755)
        case "more":
            (root / "new").touch()
        case _:
            script.unlink()
    after = directory_asset(root, root)
    assert after.digest != before.digest
    assert after.entries != before.entries


def test_a_file_without_a_reader_of_its_group_is_the_same(tmp_path: Path) -> None:
    root = write(tmp_path)
    before = directory_asset(root, root).digest
    (root / "train.py").chmod(0o600)
    (root / "run.sh").chmod(0o700)
    assert directory_asset(root, root).digest == before


def test_one_file_makes_an_archive_too(tmp_path: Path) -> None:
    root = write(tmp_path / "project")
    asset = script_asset(root / "train.py", root)
    assert (asset.name, names(asset)) == ("sourcedir.tar.gz", ["train.py"])
    only = directory_asset(write(tmp_path / "other", {"train.py": FILES["train.py"]}), tmp_path)
    assert asset.digest == only.digest
    refused(script_asset, root / "lib", root, "SW801")


def test_entries_may_be_required(tmp_path: Path) -> None:
    root = write(tmp_path / "src", {**FILES, "old.pyc": b"", "é.py": b""})
    asset = directory_asset(root, tmp_path)
    for name in (
        "train.py",
        "./train.py",
        "lib/../train.py",
        "lib/a.py",
        unicodedata.normalize("NFD", "é.py"),
    ):
        asset.require(name)
    for name, help in {
        "trian.py": "did you mean `train.py`?",
        "old.pyc": "ignored",
        "lib": None,
        "../src/train.py": None,
        "zzzzzzzzzzzzzz": None,
    }.items():
        with pytest.raises(AssetError, match="`src` has no file") as caught:
            asset.require(name)
        assert caught.value.code == "SW803"
        assert (help in (caught.value.help or "")) if help else True


# -- what is refused --------------------------------------------------------------------------------------------------


def test_a_directory_that_is_missing_or_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    write(tmp_path / "ignored" / "__pycache__")
    assert "`none` does not exist" in refused(directory_asset, tmp_path / "none", tmp_path, "SW801").message
    assert "`empty` has no files" in refused(directory_asset, tmp_path / "empty", tmp_path, "SW803").message
    assert "but ignored ones" in refused(directory_asset, tmp_path / "ignored", tmp_path, "SW803").message
    write(tmp_path)
    assert "is a file" in refused(directory_asset, tmp_path / "train.py", tmp_path, "SW801").message


@pytest.mark.parametrize("target", [".", "..", "../src", "lib", "../other"])
def test_links_to_directories_around_are_loops(tmp_path: Path, target: str) -> None:
    root = write(tmp_path / "src")
    other = write(tmp_path / "other")
    (other / "back").symlink_to(root)
    (root / "lib" / "link").symlink_to(tmp_path / "src" / target)
    assert "link" in refused(directory_asset, root, tmp_path, "SW803").message


def test_links_in_a_directory(tmp_path: Path) -> None:
    root = tmp_path / "project"
    source, shared = write(root / "src"), write(root / "shared", {"u.py": b"u = 1\n"})
    (source / "shared").symlink_to("../shared")
    (source / "main.py").symlink_to("train.py")
    asset = directory_asset(source, root)
    assert [e.name for e in asset.entries if "u" in e.name or "main" in e.name] == [
        "main.py",
        "run.sh",
        "shared/u.py",
    ]
    copied = write(tmp_path / "copy", {**FILES, "main.py": FILES["train.py"], "shared/u.py": b"u = 1\n"})
    assert directory_asset(copied, tmp_path).digest == asset.digest
    (shared / "out.py").symlink_to(tmp_path / "copy" / "run.sh")
    assert "src/shared/out.py` is outside" in refused(directory_asset, source, root, "SW802").message
    (shared / "out.py").unlink()
    (source / "gone").symlink_to("nowhere")
    assert "`src/gone` does not exist" in refused(directory_asset, source, root, "SW801").message
    (source / "gone").unlink()
    (source / "self").symlink_to("self")
    assert "`src/self` is a link" in refused(directory_asset, source, root, "SW803").message


def test_links_that_multiply_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MAX_FILES", 1000)
    for i in range(30):
        folder = tmp_path / f"d{i:02}"
        folder.mkdir()
        (folder / "f").touch()
        for link in "ab":
            (folder / link).symlink_to(f"../d{i + 1:02}" if i < 29 else "f")
    assert "over 1000 files" in refused(directory_asset, tmp_path / "d00", tmp_path, "SW803").message


def test_deep_directories_are_packed(tmp_path: Path) -> None:
    depth = 700
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    finally:
        os.close(here)
    assert [entry.name for entry in directory_asset(tmp_path, tmp_path).entries] == ["d/" * depth + "f"]


def test_special_files_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path)
    os.mkfifo(root / "pipe")
    assert "pipe` is no regular file" in refused(directory_asset, root, root, "SW803").message
    (root / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)  # the path of a socket is at most 108 bytes long
        try:
            server.bind("sock")
        finally:
            os.chdir(here)
        assert "sock` is no regular file" in refused(directory_asset, root, root, "SW803").message


def test_two_names_that_are_one_are_refused(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "é.py")).write_text(form)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system takes the two spellings for one name")
    assert "stands twice" in refused(directory_asset, tmp_path, tmp_path, "SW803").message


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).touch()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    error = refused(directory_asset, tmp_path, tmp_path, "SW803")
    assert "not UTF-8" in error.message
    assert error.message.isprintable()


# -- ignore files -----------------------------------------------------------------------------------------------------


def test_some_names_are_always_ignored(tmp_path: Path) -> None:
    root = write(tmp_path)
    before = directory_asset(root, root).digest
    for name in (
        ".git/config",
        ".venv/bin/python",
        "lib/__pycache__/a.pyc",
        "lib/a.pyc",
        ".DS_Store",
        ".sagewright/x",
    ):
        write(root, {name: b""})
    (root / ".ipynb_checkpoints").symlink_to("/")
    assert directory_asset(root, root).digest == before


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        ("", ["a.log", "data/x.csv", "data/y.txt", "sub/a.log", "sub/data/z.csv", "train.py"]),
        ("# a comment\n\n*.log\n", ["data/x.csv", "data/y.txt", "sub/data/z.csv", "train.py"]),
        ("*.log\n!sub/a.log\n", ["data/x.csv", "data/y.txt", "sub/a.log", "sub/data/z.csv", "train.py"]),
        ("/a.log\r\n", ["data/x.csv", "data/y.txt", "sub/a.log", "sub/data/z.csv", "train.py"]),
        ("data/\n", ["a.log", "sub/a.log", "train.py"]),
        ("/data\n", ["a.log", "sub/a.log", "sub/data/z.csv", "train.py"]),
        ("data/*\n!data/x.csv\n", ["a.log", "data/x.csv", "sub/a.log", "sub/data/z.csv", "train.py"]),
        ("train.py/\n", ["a.log", "data/x.csv", "data/y.txt", "sub/a.log", "sub/data/z.csv", "train.py"]),
        ("**/data/*.csv\n", ["a.log", "data/y.txt", "sub/a.log", "train.py"]),
    ],
)
def test_ignore_files(tmp_path: Path, patterns: str, kept: list[str]) -> None:
    files = ["train.py", "a.log", "data/x.csv", "data/y.txt", "sub/a.log", "sub/data/z.csv"]
    root = write(tmp_path, dict.fromkeys(files, b""))
    (root / ".sagewrightignore").write_bytes(patterns.encode())
    assert names(directory_asset(root, root)) == kept


def test_ignore_files_hold_from_the_root_down(tmp_path: Path) -> None:
    source = write(
        tmp_path / "code" / "src", dict.fromkeys(["a.log", "b.tmp", "in/a.log", "in/b.tmp", "keep"], b"")
    )
    (tmp_path / ".sagewrightignore").write_text("*.log\n/code/src/b.tmp\n")
    (source / "in" / ".sagewrightignore").write_text("!a.log\n/b.tmp\n")
    assert names(directory_asset(source, tmp_path)) == ["in/a.log", "keep"]
    assert names(directory_asset(source, source)) == ["a.log", "b.tmp", "in/a.log", "keep"]


def test_what_is_ignored_may_be_anything(tmp_path: Path) -> None:
    root = write(tmp_path / "project")
    (root / "loop").symlink_to("loop")
    (root / "outside").symlink_to("/etc")
    os.mkfifo(root / "pipe")
    (root / ".sagewrightignore").write_text("loop\noutside\npipe\n")
    assert directory_asset(root, root).digest == directory_asset(write(tmp_path / "plain"), tmp_path).digest


@pytest.mark.parametrize(("content", "code"), [(b"\xff\xfe", "SW803"), (b"!\n", "SW803"), (None, "SW801")])
def test_an_ignore_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None, code: str) -> None:
    root = write(tmp_path)
    if content is None:
        (root / ".sagewrightignore").mkdir()
    else:
        (root / ".sagewrightignore").write_bytes(content)
    assert ".sagewrightignore`" in refused(directory_asset, root, root, code).message


def test_an_ignore_file_outside_the_project_is_not_read(tmp_path: Path) -> None:
    root = write(tmp_path / "project")
    (tmp_path / "rules").write_text("*.py\n")
    (root / ".sagewrightignore").symlink_to(tmp_path / "rules")
    refused(directory_asset, root, root, "SW802")


# -- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [directory_asset, script_asset, file_asset])
@pytest.mark.parametrize("change", ["same length", "longer", "shorter", "gone"])
def test_what_changed_since_it_was_hashed_is_not_uploaded(
    tmp_path: Path, make: Callable[[Path, Path], Asset], change: str
) -> None:
    root = write(tmp_path)
    asset = make(root if make is directory_asset else root / "train.py", root)
    content = {"same length": b"print(2)\n", "longer": b"print(1)\n#", "shorter": b"", "gone": None}[change]
    if content is None:
        (root / "train.py").unlink()
    else:
        (root / "train.py").write_bytes(content)
    with pytest.raises(AssetError, match=r"`train\.py`|has changed") as caught:
        asset.open()
    assert caught.value.code == "SW801"


def test_large_files_and_archives_are_never_in_memory(tmp_path: Path) -> None:
    size = 96_000_000
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    try:
        one, tree = file_asset(tmp_path / "large.bin", tmp_path), directory_asset(tmp_path, tmp_path)
        assert one.size == size < tree.size
        for asset in (one, tree):
            with asset.open() as file:
                assert file.read(10)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_large_archives_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(9_000_000))
    tracemalloc.start()
    try:
        with directory_asset(tmp_path, tmp_path).open() as file:
            tracemalloc.reset_peak()
            assert len(gzip.decompress(file.read())) > 9_000_000
            file.seek(0)
            assert file.read(2) == b"\x1f\x8b"
            assert file.fileno() > 0
    finally:
        tracemalloc.stop()


def test_what_did_not_change_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path)
    first = [directory_asset(root, root), file_asset(root / "train.py", root)]
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    assert [directory_asset(root, root), file_asset(root / "train.py", root)] == first
