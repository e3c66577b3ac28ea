"""A lock on one pipeline, kept in S3, so that two upserts do not mix."""

from __future__ import annotations

import getpass
import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sagewright.compiler.aws import CONDITION_FAILED, DENIED, NOT_FOUND, AwsError, Clients, translated

LIFETIME = timedelta(minutes=15)
"""How long a lock holds unless it is renewed: an owner that was killed keeps others out no longer."""

UNSUPPORTED = frozenset({"NotImplemented", "501", "MethodNotAllowed", "405"})


class Locked(Exception):
    """Somebody else holds the lock. `owner` and `until` are theirs."""

    def __init__(self, owner: str, until: str, uri: str) -> None:
        super().__init__(f"{owner} is upserting it, until {until} at the latest")
        self.owner = owner
        self.until = until
        self.uri = uri


class LockLost(Exception):
    """The lock expired, and somebody else took it."""


@dataclass(slots=True)
class Lock:
    """An S3 object that only one upsert can create (`If-None-Match: *`), or take over when it is expired (`If-Match`).

    `extra` are parameters of every call: encryption is left out where S3 takes none. Used as
    `lock.take()`, then `lock.hold()` before each change that must not be made without it, then `lock.release()`.
    """

    clients: Clients
    bucket: str
    key: str
    encryption: dict[str, Any]
    bucket_owner: str | None = None
    _etag: str | None = None
    _expires: datetime | None = None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def take(self) -> bool:
        """Take the lock; False where the credentials have no right to. Raises Locked, AwsError."""
        for _ in range(3):  # it may be released between our looking and our taking
            try:
                self._put(IfNoneMatch="*")
                return True
            except AwsError as error:
                if error.code in DENIED or error.code in UNSUPPORTED:
                    return False
                if error.code not in CONDITION_FAILED:
                    raise
            if self._take_over():
                return True
        raise Locked("somebody", "soon", self.uri)

    def hold(self) -> None:
        """Renew the lock when half of its time is over. Raises LockLost, AwsError."""
        if self._etag is None or self._expires is None or self._expires - _now() > LIFETIME / 2:
            return
        try:
            self._put(IfMatch=self._etag)
        except AwsError as error:
            if error.code not in CONDITION_FAILED | NOT_FOUND:
                raise
            self._etag = None
            raise LockLost(f"the lock {self.uri} expired, and was taken by somebody else") from None

    def release(self) -> None:
        """Give the lock back, if it is still ours. A failure is ignored: the lock expires."""
        if self._etag is None:
            return
        etag, self._etag = self._etag, None
        try:
            self._call("delete_object", IfMatch=etag)
        except AwsError:
            return

    def _take_over(self) -> bool:
        """Take a lock whose owner is gone; False where it was released meanwhile. Raises Locked."""
        try:
            answer = self._call("get_object")
        except AwsError as error:
            if error.code in NOT_FOUND:
                return False
            if error.code in DENIED:
                raise Locked("somebody", "an unknown time", self.uri) from None
            raise
        with translated("s3", "get_object", {"Bucket": self.bucket, "Key": self.key}):
            held = _read(answer["Body"].read())
        if not _is_over(held):
            raise Locked(
                str(held.get("owner", "somebody")), str(held.get("expires", "an unknown time")), self.uri
            )
        try:
            self._put(IfMatch=answer["ETag"])
        except AwsError as error:
            if error.code in CONDITION_FAILED | NOT_FOUND:
                return False
            raise
        return True

    def _put(self, **condition: str) -> None:
        expires = _now() + LIFETIME
        record = {
            "owner": f"{_user()}@{socket.gethostname()}",
            "process": _process(os.getpid()),
            "expires": expires.isoformat(timespec="seconds"),
        }
        body = json.dumps(record).encode()
        answer = self._call(
            "put_object", Body=body, ContentType="application/json", **self.encryption, **condition
        )
        self._etag, self._expires = answer["ETag"], expires

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.clients.call(
            "s3",
            operation,
            Bucket=self.bucket,
            Key=self.key,
            ExpectedBucketOwner=self.bucket_owner,
            **parameters,
        )


def _read(body: bytes) -> dict[str, Any]:
    """A lock's record; one that cannot be read is nobody's, and over."""
    try:
        record = json.loads(body)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _is_over(record: dict[str, Any]) -> bool:
    try:
        expired = datetime.fromisoformat(str(record.get("expires"))) <= _now()
    except (ValueError, TypeError):
        expired = True
    return expired or _is_dead(str(record.get("process")))


def _is_dead(process: str) -> bool:
    """Was it a process of this machine that has ended? Then nobody has to wait for its lock to expire."""
    machine, _, number = process.rpartition(":")
    if not number.isdigit() or not machine or f"{machine}:{number}" != _process(int(number)):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _process(number: int) -> str:
    """A process as nobody else can be named: machine since its last start, namespace, number. Linux only; else ""."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{Path('/proc/self/ns/pid').readlink()}:{number}"
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"


def _now() -> datetime:
    return datetime.now(UTC)
