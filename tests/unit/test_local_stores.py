"""Stores that another process is to see."""

from __future__ import annotations

import json
from pathlib import Path

from sagewright.compiler.aws import Clients
from sagewright.compiler.local import stores
from sagewright.compiler.local.bucket_store import BucketStore
from sagewright.compiler.local.overlay import Overlay
from sagewright.compiler.local.store import FolderStore, Store, read, write


def _again(store: Store) -> Store:
    return stores.of_data(json.loads(json.dumps(stores.as_data(store))))


def test_folders_and_what_is_laid_over_them(tmp_path: Path) -> None:
    base = FolderStore(tmp_path / "s3")
    write(base, "s3://b/x", b"1")
    (tmp_path / "data.csv").write_text("2")
    store = _again(Overlay(base, {"s3://b/y": tmp_path / "data.csv"}))
    assert (read(store, "s3://b/x"), read(store, "s3://b/y")) == (b"1", b"2")
    assert stores.stand_in(store) is None


def test_buckets() -> None:
    made = _again(BucketStore(Clients("eu-west-1", "http://127.0.0.1:9", profile="p")))
    assert isinstance(made, BucketStore)
    clients = made.clients
    assert (clients.region, clients.endpoint_url, clients.profile) == ("eu-west-1", "http://127.0.0.1:9", "p")
    assert stores.stand_in(made) == "http://127.0.0.1:9"
