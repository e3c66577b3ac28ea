"""The emulator's S3 objects, kept as they change: seen at the requests, read from moto's buckets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend, s3_backends

from sagewright.compiler.emulator.store import Store, Thing, Version

BUCKET = "bucket"
_READS = ("GET", "HEAD", "OPTIONS")


class Objects:
    """Keeps buckets (versioning, region) and objects (all versions, metadata). Tags, policies and rules are not."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, environ: Mapping[str, Any]) -> None:
        """A request was answered: keep what it may have changed."""
        if environ["REQUEST_METHOD"] in _READS or not _is_s3(environ):
            return
        names = _named(environ)
        for backend in _backends():
            place = _place(backend)
            found = next((n for n in names if n[0] in backend.buckets or self._kept(place, n[0])), None)
            if found is None:
                continue
            bucket, key = found
            if key and not _many(environ) and bucket in backend.buckets:
                self._keep(backend, bucket, key)
            else:
                self._keep_bucket(backend, bucket)

    def _kept(self, place: str, bucket: str) -> bool:
        return any(t.place == place and t.name == bucket for t in self._store.things(BUCKET))

    def _keep_bucket(self, backend: S3Backend, name: str) -> None:
        """The bucket, and which keys it has."""
        place, bucket = _place(backend), backend.buckets.get(name)
        if bucket is None:
            self._store.remove((BUCKET, place, name))
        else:
            about = {"region": bucket.region_name, "versioning": bucket.versioning_status}
            self._store.put(Thing(BUCKET, place, name, {**about, "created": bucket.creation_date}))
        there = {key for key, _ in bucket.keys.items()} if bucket else set()
        for key in self._store.keys(place, name) | there:
            self._keep(backend, name, key)

    def _keep(self, backend: S3Backend, name: str, key: str) -> None:
        bucket = backend.buckets.get(name)
        versions = [_version(found) for found in bucket.keys.getlist(key, [])] if bucket else []
        self._store.put_object(_place(backend), name, key, versions)

    def restore(self) -> tuple[int, int]:
        """Put back what was kept; how many buckets and objects."""
        buckets: dict[tuple[str, str], FakeBucket] = {}
        for thing in self._store.things(BUCKET):
            account, partition = thing.place.split("/")
            backend = s3_backends[account][partition]
            bucket: Any = FakeBucket(thing.name, account, thing.body["region"])
            bucket.versioning_status = thing.body["versioning"]
            bucket.creation_date = thing.body["created"]
            backend.buckets[thing.name] = buckets[thing.place, thing.name] = bucket
        count = 0
        for place, name, key, version in self._store.objects():
            bucket = buckets.get((place, name))
            if bucket is not None:
                there = bucket.keys.getlist(key, [])
                bucket.keys.setlist(key, [*there, _restored(bucket, key, version, there)])
                count += not there
        return len(buckets), count


def _backends() -> list[S3Backend]:
    return [backend for _, _, backend in list(s3_backends.iter_backends()) if isinstance(backend, S3Backend)]


def _place(backend: S3Backend) -> str:
    return f"{backend.account_id}/{backend.partition}"


def _is_s3(environ: Mapping[str, Any]) -> bool:
    """Whether moto takes the request for one of S3's: signed so, or not signed at all."""
    if "HTTP_X_AMZ_TARGET" in environ:
        return False
    signed = environ.get("HTTP_AUTHORIZATION", "") + environ.get("QUERY_STRING", "")
    return "/s3/" in unquote(signed) or "Credential=" not in signed


def _named(environ: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The buckets and keys that the request may mean: in its path, or the bucket in its host."""
    path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace").lstrip("/")
    bucket, _, key = path.partition("/")
    return [(bucket, key), (environ.get("HTTP_HOST", "").partition(".")[0], path)]


def _many(environ: Mapping[str, Any]) -> bool:
    return "delete" in parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)


def _version(found: FakeKey | FakeDeleteMarker) -> Version:
    about: dict[str, Any] = {"id": found._version_id, "modified": found.last_modified}
    if isinstance(found, FakeDeleteMarker):
        return Version(about, None)
    about |= {
        "etag": found.etag.strip('"'),
        "metadata": dict(found.metadata),
        "storage": found.storage_class,
        "versioned": found._is_versioned,
        "checksum": [found.checksum_algorithm, found.checksum_value],
    }
    return Version(about, found.value)


def _restored(
    bucket: FakeBucket, key: str, version: Version, before: list[Any]
) -> FakeKey | FakeDeleteMarker:
    about = version.about
    if version.body is None:
        earlier = next((k for k in reversed(before) if isinstance(k, FakeKey)), None)
        marker: Any = FakeDeleteMarker(earlier or FakeKey(key, b"", bucket.account_id, bucket.region_name))
        marker._version_id, marker.last_modified = about["id"], about["modified"]
        return marker
    made: Any = FakeKey(
        name=key,
        value=version.body,
        account_id=bucket.account_id,
        region_name=bucket.region_name,
        storage=about["storage"],
        etag=about["etag"],
        is_versioned=about["versioned"],
        version_id=about["id"],
        bucket_name=bucket.name,
        checksum_value=about["checksum"][1],
    )
    made.checksum_algorithm = about["checksum"][0]
    made.last_modified = about["modified"]
    made.set_metadata(dict(about["metadata"]))
    return made
