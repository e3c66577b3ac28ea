"""Stores written down, so that another process sees the same objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagewright.compiler.local.overlay import Overlay
from sagewright.compiler.local.store import FolderStore, Store


def as_data(store: Store) -> dict[str, Any]:
    """A store as JSON has it."""
    if isinstance(store, FolderStore):
        return {"folder": str(store.root.absolute())}
    if isinstance(store, Overlay):
        data = {f"s3://{bucket}/{key}": str(path.absolute()) for (bucket, key), path in store.mounts.items()}
        return {"base": as_data(store.store), "data": data}
    from sagewright.compiler.local.bucket_store import BucketStore

    assert isinstance(store, BucketStore), f"{type(store).__name__} cannot be written down"
    clients = store.clients
    return {"region": clients.region, "endpoint_url": clients.endpoint_url, "profile": clients.profile}


def of_data(data: Mapping[str, Any]) -> Store:
    """The store that `as_data` wrote."""
    if "folder" in data:
        return FolderStore(Path(data["folder"]))
    if "base" in data:
        return Overlay(of_data(data["base"]), {uri: Path(path) for uri, path in data["data"].items()})
    from sagewright.compiler.aws import Clients
    from sagewright.compiler.local.bucket_store import BucketStore

    return BucketStore(Clients(data["region"], data["endpoint_url"], profile=data["profile"]))


def stand_in(store: Store) -> str | None:
    """The URL of what stands in for AWS's S3 as a store; None where it is AWS's own, or a folder."""
    if isinstance(store, Overlay):
        return stand_in(store.store)
    if isinstance(store, FolderStore):
        return None
    from sagewright.compiler.local.bucket_store import BucketStore

    return store.clients.endpoint_url if isinstance(store, BucketStore) else None
