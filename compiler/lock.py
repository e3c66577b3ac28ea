"""A lock on one pipeline, kept in S3, so that two upserts do not mix."""

from __future__ import annotations

import getpass
import json
import os
import socket
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sagewright.compiler.aws import CONDITION_FAILED, DENIED, NOT_FOUND, AwsError, Clients, translated
from sagewright.compiler.plan import Refused

LIFETIME = timedelta(minutes=15)
"""How long a lock holds unless it is renewed: an owner that was killed keeps others out no longer."""

UNSUPPORTED = frozenset({"NotImplemented", "501", "MethodNotAllowed", "405"})


@dataclass(slots=True)
class Lock:
    """An S3 object that only one upsert can create (`If-None-Match: *`), or take over when it is expired (`If-Match`).

    Used as `lock.take()`, then `lock.hold()` before each change that must not be made without it, then
    `lock.release()`. `encryption` are parameters of each write.
    """

    clients: Clients
    bucket: str
    key: str
    encryption: dict[str, Any]
    bucket_owner: str | None = None
    _id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _etag: str | None = None
    _writing: bool = False
    """Whether a write was begun, and nobody knows how it ended."""
    _expires: datetime | None = None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def take(self) -> bool:
        """Take the lock; False where the credentials have no right to. Raises Refused, AwsError."""
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
        raise self._held({})

    def hold(self) -> None:
        """Renew the lock when half of its time is over. Raises Refused, AwsError."""
        if self._etag is None or self._expires is None or self._expires - _now() > LIFETIME / 2:
            return
        try:
            self._put(IfMatch=self._etag)
        except AwsError as error:
            if error.code not in CONDITION_FAILED | NOT_FOUND:
                raise
            self._etag = None
            raise Refused(
                f"the lock {self.uri} expired, and somebody else took it", "nothing is lost: run upsert again"
            ) from None

    def release(self) -> None:
        """Give the lock back, if it is still ours. A failure is ignored: the lock expires."""
        try:
            etag = self._find() if self._writing else self._etag
            if etag is not None:
                self._call("delete_object", IfMatch=etag)
        except AwsError:
            pass
        self._etag, self._writing = None, False

    def _find(self) -> str | None:
        """The ETag of the lock, where it is ours: an interruption may have come between its writing and its answer."""
        record, etag = self._read()
        return etag if record.get("id") == self._id else None

    def _take_over(self) -> bool:
        """Take a lock whose owner is gone; False where it was released meanwhile. Raises Refused."""
        try:
            held, etag = self._read()
        except AwsError as error:
            if error.code in NOT_FOUND:
                return False
            if error.code in DENIED:
                raise self._held({}) from None
            raise
        # Our own, where the answer to our first attempt was lost, and boto3 made another.
        if held.get("id") != self._id and not _is_over(held):
            raise self._held(held)
        try:
            self._put(IfMatch=etag)
        except AwsError as error:
            if error.code in CONDITION_FAILED | NOT_FOUND:
                return False
            raise
        return True

    def _held(self, record: dict[str, Any]) -> Refused:
        until = f", until {record['expires']} at the latest" if "expires" in record else ""
        return Refused(
            f"{record.get('owner', 'somebody')} is upserting this pipeline{until}",
            f"wait for that; where it cannot be, delete {self.uri}",
        )

    def _put(self, **condition: str) -> None:
        expires = _now() + LIFETIME
        record = {
            "id": self._id,
            "owner": who(),
            "process": _process(os.getpid()),
            "expires": expires.isoformat(timespec="seconds"),
        }
        body = json.dumps(record).encode()
        self._writing = True
        try:
            answer = self._call(
                "put_object", Body=body, ContentType="application/json", **self.encryption, **condition
            )
        except AwsError as error:
            self._writing = error.code not in CONDITION_FAILED | NOT_FOUND | DENIED | UNSUPPORTED
            raise
        self._etag, self._expires, self._writing = answer["ETag"], expires, False

    def _read(self) -> tuple[dict[str, Any], str]:
        """The lock's record, empty where it is unreadable and so nobody's, and its ETag. Raises AwsError."""
        answer = self._call("get_object")
        with translated("s3", "get_object", {"Bucket": self.bucket, "Key": self.key}):
            body = answer["Body"].read()
        try:
            record = json.loads(body)
        except ValueError:
            record = {}
        return record if isinstance(record, dict) else {}, answer["ETag"]

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.clients.call(
            "s3",
            operation,
            Bucket=self.bucket,
            Key=self.key,
            ExpectedBucketOwner=self.bucket_owner,
            **parameters,
        )


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


def who() -> str:
    """The user and machine that this runs as."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def _now() -> datetime:
    return datetime.now(UTC)
