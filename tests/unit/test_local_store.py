"""S3 on this machine: the folder, data laid over it, and what counts as changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sagewright.compiler.local.overlay import Overlay
from sagewright.compiler.local.store import (
    FolderStore,
    StoreError,
    content_digest,
    fetch,
    read,
    send,
    split,
    write,
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    made = FolderStore(tmp_path / "s3")
    for uri in (
        "s3://b/ref/a.csv",
        "s3://b/ref/deep/b.csv",
        "s3://b/reference/c.csv",
        "s3://b/other.csv",
        "s3://c/ref/d.csv",
    ):
        write(made, uri, uri.encode())
    return made


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("", ["other.csv", "ref/a.csv", "ref/deep/b.csv", "reference/c.csv"]),
        ("ref", ["ref/a.csv", "ref/deep/b.csv", "reference/c.csv"]),
        ("ref/", ["ref/a.csv", "ref/deep/b.csv"]),
        ("ref/deep/b", ["ref/deep/b.csv"]),
        ("ref/a.csv", ["ref/a.csv"]),
        ("nothing/here", []),
    ],
)
def test_a_prefix_is_a_prefix_of_keys(store: FolderStore, prefix: str, keys: list[str]) -> None:
    assert [entry.key for entry in store.list("b", prefix)] == keys
    assert store.list("no-such-bucket", prefix) == []


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("s3://b/ref/a.csv", ["a.csv"]),
        ("s3://b/ref/", ["a.csv", "deep/b.csv"]),
        ("s3://b/ref", ["a.csv", "deep/b.csv", "reference/c.csv"]),
        ("s3://b/reference", ["c.csv"]),
    ],
)
def test_what_a_job_sees_of_a_prefix(store: FolderStore, tmp_path: Path, uri: str, names: list[str]) -> None:
    fetch(store, uri, tmp_path / "in")
    found = sorted(
        path.relative_to(tmp_path / "in").as_posix()
        for path in (tmp_path / "in").rglob("*")
        if path.is_file()
    )
    assert found == names


def test_where_there_is_nothing_there_is_an_error(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is nothing at s3://b/nope"):
        fetch(store, "s3://b/nope", tmp_path)
    with pytest.raises(StoreError, match="there is no object s3://b/nope"):
        read(store, "s3://b/nope")
    assert content_digest(store, "s3://b/nope") is None


@pytest.mark.parametrize("uri", ["", "b/key", "s3:/b/key", "s3://", "https://b/key", "file:///etc/passwd"])
def test_what_is_no_uri(uri: str) -> None:
    with pytest.raises(StoreError, match="is no S3 URI"):
        split(uri)


@pytest.mark.parametrize("key", ["../out", "a/../../out", "/etc/passwd"])
def test_keys_do_not_leave_the_folder(store: FolderStore, tmp_path: Path, key: str) -> None:
    with pytest.raises(StoreError, match="is no name for a file"):
        write(store, f"s3://b/{key}", b"x")
    with pytest.raises(StoreError, match="is no name for a file"):
        write(store, "s3://../out", b"x")
    assert not (tmp_path / "out").exists()


def test_links_are_not_followed_out_of_a_folder(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "real").write_text("1")
    (tmp_path / "made" / "same").symlink_to("real")
    (tmp_path / "made" / "secret").symlink_to("/etc/hostname")
    (tmp_path / "made" / "gone").symlink_to("nowhere")
    assert send(store, tmp_path / "made", "s3://b/made/") == ["s3://b/made/real", "s3://b/made/same"]


def test_a_digest_is_that_of_the_content(store: FolderStore) -> None:
    before = content_digest(store, "s3://b/ref/")
    write(store, "s3://b/ref/a.csv", b"s3://b/ref/a.csv")
    assert content_digest(store, "s3://b/ref/") == before, "written again"
    write(store, "s3://b/ref/a.csv", b"other")
    changed = content_digest(store, "s3://b/ref/")
    assert changed != before
    write(store, "s3://d/else/a.csv", b"other")
    write(store, "s3://d/else/deep/b.csv", b"s3://b/ref/deep/b.csv")
    assert content_digest(store, "s3://d/else/") == changed, "the same files elsewhere"


def test_an_object_is_written_whole_or_not_at_all(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        store.upload(tmp_path / "missing", "b", "ref/a.csv")
    assert read(store, "s3://b/ref/a.csv") == b"s3://b/ref/a.csv"
    assert [p.name for p in (tmp_path / "s3" / "b" / "ref").iterdir() if p.is_file()] == ["a.csv"]


def test_a_key_below_an_object_is_told(store: FolderStore) -> None:
    with pytest.raises(StoreError, match=r"cannot write s3://b/other\.csv/x"):
        write(store, "s3://b/other.csv/x", b"")


@pytest.fixture
def overlay(store: FolderStore, tmp_path: Path) -> Overlay:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "mine.csv").write_text("mine")
    (tmp_path / "data" / "deep" / "more.csv").write_text("more")
    return Overlay(
        store,
        {
            "s3://b/ref/": tmp_path / "data",
            "s3://b/one": tmp_path / "data" / "mine.csv",
            "s3://b/in/": tmp_path / "data" / "mine.csv",
        },
    )


def test_data_is_laid_over(overlay: Overlay, tmp_path: Path) -> None:
    assert [entry.key for entry in overlay.list("b", "ref/")] == [
        "ref/a.csv",
        "ref/deep/b.csv",
        "ref/deep/more.csv",
        "ref/mine.csv",
    ]
    assert read(overlay, "s3://b/ref/deep/more.csv") == b"more"
    assert read(overlay, "s3://b/ref/a.csv") == b"s3://b/ref/a.csv"
    assert read(overlay, "s3://b/one") == read(overlay, "s3://b/in/mine.csv") == b"mine"
    assert overlay.list("c", "mine") == []


def test_data_is_never_written(overlay: Overlay, tmp_path: Path) -> None:
    for key in ("ref/mine.csv", "ref/new.csv", "one", "in/mine.csv"):
        with pytest.raises(StoreError, match="which a run does not write"):
            write(overlay, f"s3://b/{key}", b"x")
    write(overlay, "s3://b/refer", b"beside it")
    assert (tmp_path / "data" / "mine.csv").read_text() == "mine"


def test_data_that_changes_is_seen(overlay: Overlay, tmp_path: Path) -> None:
    before = content_digest(overlay, "s3://b/one")
    path = tmp_path / "data" / "mine.csv"
    path.write_text("new!")
    os.utime(path, ns=(1, 1))
    assert content_digest(overlay, "s3://b/one") != before
