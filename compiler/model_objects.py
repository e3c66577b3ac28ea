"""The objects that a model package names, copied to another bucket under their content's hash."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagewright.compiler.aws import NOT_FOUND, AwsError, Clients, translated
from sagewright.compiler.compilation import Place
from sagewright.compiler.plan import Refused

_URI = re.compile(r"s3://([^/]+)/(.*)")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Copied:
    """Objects that go along: one, or all below a prefix. `size` in bytes."""

    uri: str
    whole_prefix: bool
    keys: tuple[str, ...]
    size: int


def uris_in(value: Any) -> Iterator[tuple[str, bool]]:
    """Every S3 URI in a specification, code in environment variables too, and whether it means all below it."""
    if isinstance(value, Mapping):
        prefix = value.get("S3DataType") == "S3Prefix"
        for key, item in value.items():
            if isinstance(item, str):
                if item.startswith("s3://"):
                    yield item, (prefix and key == "S3Uri") or item.endswith("/")
            else:
                yield from uris_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from uris_in(item)


def look(uri: str, prefix: bool, clients: Clients) -> Copied:
    """What is at a URI, or, of a prefix, below it. Raises AwsError, and Refused where there is nothing at the URI."""
    found = _URI.fullmatch(uri)
    if found is None:
        raise Refused(f"the model package names `{uri}`, which is no object")
    bucket, key = found[1], found[2]
    if not prefix:
        try:
            head = clients.call("s3", "head_object", Bucket=bucket, Key=key)
            return Copied(uri, False, (key,), head["ContentLength"])
        except AwsError as error:
            if error.code not in NOT_FOUND:
                raise
        raise Refused(
            f"{uri}, which the model package names, is not there", "a model whose data is gone is lost"
        )
    items: dict[str, int] = {}
    token: str | None = None
    while True:
        page = clients.call("s3", "list_objects_v2", Bucket=bucket, Prefix=key, ContinuationToken=token)
        items |= {item["Key"]: item["Size"] for item in page.get("Contents", ())}
        token = page.get("NextContinuationToken")
        if token is None:
            break
    if not items:
        raise Refused(f"nothing is below {uri}, which the model package names")
    return Copied(uri, True, tuple(sorted(items)), sum(items.values()))


def copy(found: Copied, to: Place, source: Clients, target: Clients) -> str:
    """Copy by way of this machine, since no one set of credentials needs to reach both sides; the copy's URI.

    Its key holds the SHA-256 of the content: of the object, or of the names and contents of all below a prefix.
    """
    bucket, prefix = _URI.fullmatch(found.uri).groups()  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix="sagewright-") as folder:
        files = [Path(folder, str(index)) for index in range(len(found.keys))]
        digests = [_download(bucket, key, file, source) for key, file in zip(found.keys, files, strict=True)]
        if not found.whole_prefix:
            name = prefix.rpartition("/")[2]
            key = f"{to.folder}models/{digests[0]}/{name}"
            _upload(files[0], to, key, target)
            return f"s3://{to.bucket}/{key}"
        base = prefix if prefix.endswith("/") else prefix.rpartition("/")[0] + "/" if "/" in prefix else ""
        names = [key.removeprefix(base) for key in found.keys]
        listing = "".join(f"{digest} {name}\n" for digest, name in zip(digests, names, strict=True))
        root = f"{to.folder}models/{hashlib.sha256(listing.encode()).hexdigest()}/"
        for file, name in zip(files, names, strict=True):
            _upload(file, to, f"{root}{name}", target)
        return f"s3://{to.bucket}/{root}{prefix.removeprefix(base)}"


def _download(bucket: str, key: str, file: Path, clients: Clients) -> str:
    body = clients.call("s3", "get_object", Bucket=bucket, Key=key)["Body"]
    digest = hashlib.sha256()
    with file.open("wb") as stream, translated("s3", "get_object", {"Bucket": bucket, "Key": key}):
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
            stream.write(chunk)
    return digest.hexdigest()


def _upload(file: Path, to: Place, key: str, clients: Clients) -> None:
    """Unless it is there already: two contents never share a key."""
    try:
        head = clients.call(
            "s3", "head_object", Bucket=to.bucket, Key=key, ExpectedBucketOwner=to.bucket_owner
        )
        if head["ContentLength"] == file.stat().st_size:
            return
    except AwsError as error:
        if error.code not in NOT_FOUND:
            raise
    with file.open("rb") as stream:
        clients.upload(
            stream,
            to.bucket or "",
            key,
            ChecksumAlgorithm="SHA256",
            ExpectedBucketOwner=to.bucket_owner,
            **to.encryption,
        )
