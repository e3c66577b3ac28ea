"""The emulator's state in a file: one SQLite database, one process at a time, each change in a transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

APPLICATION = 0x53574D45
"""Marks a database as ours (`PRAGMA application_id`)."""
SCHEMA = 1
"""The version of the tables (`PRAGMA user_version`)."""
_TABLES = (
    "CREATE TABLE things (kind TEXT, place TEXT, name TEXT, body TEXT, PRIMARY KEY (kind, place, name))",
    "CREATE TABLE objects (place TEXT, bucket TEXT, key TEXT, number INTEGER, about TEXT, body BLOB,"
    " PRIMARY KEY (place, bucket, key, number))",
)
_TIME = "sagewright:time"


class StateError(Exception):
    """A state file that cannot be used, in words for people."""


@dataclass(frozen=True, slots=True)
class Thing:
    """`place` is `<account>/<region>`, for buckets `<account>/<partition>`."""

    kind: str
    place: str
    name: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an S3 object; `body` is None for a delete marker."""

    about: Mapping[str, Any]
    body: bytes | None


class Store:
    """Things by kind, place and name, and S3 objects. It has the file to itself until it is closed."""

    def __init__(self, path: Path) -> None:
        """Open a state file, or make a new one. Raises StateError; a file that cannot be used is left as it is."""
        self._path, self._lock = path, Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._base = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"cannot open {path}: {error}") from None
        try:
            self._open()
        except sqlite3.Error as error:
            self._base.close()
            raise StateError(_explained(path, error)) from None
        except StateError:
            self._base.close()
            raise

    def _open(self) -> None:
        run = self._base.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        application, schema = (
            run(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        tables = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != APPLICATION and (tables or application):
            raise StateError(f"{self._path} is a database of something else")
        if schema > SCHEMA:
            raise StateError(f"{self._path} was written by a newer sagewright (its schema is {schema})")
        damage = run("PRAGMA quick_check(1)").fetchone()[0]
        if damage != "ok":
            raise StateError(f"{self._path} is damaged: {damage}")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        with self._transaction() as base:
            if not tables:
                for statement in _TABLES:
                    base.execute(statement)
            base.execute(f"PRAGMA application_id = {APPLICATION}")
            base.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._base.close()

    # -- things -------------------------------------------------------------------------------------------------------

    def put(self, *things: Thing) -> None:
        """Keep things, all of them or none."""
        rows = [(t.kind, t.place, t.name, _written(t.body)) for t in things]
        with self._transaction() as base:
            base.executemany("INSERT OR REPLACE INTO things VALUES (?, ?, ?, ?)", rows)

    def remove(self, *names: tuple[str, str, str]) -> None:
        """Forget things by kind, place and name, all of them or none."""
        with self._transaction() as base:
            base.executemany("DELETE FROM things WHERE kind = ? AND place = ? AND name = ?", names)

    def things(self, kind: str) -> list[Thing]:
        """Everything of a kind, in the order of names."""
        with self._lock:
            rows = self._base.execute(
                "SELECT place, name, body FROM things WHERE kind = ? ORDER BY place, name", (kind,)
            ).fetchall()
        return [Thing(kind, place, name, _read(body)) for place, name, body in rows]

    def clear(self) -> None:
        """Forget everything."""
        with self._transaction() as base:
            base.execute("DELETE FROM things")
            base.execute("DELETE FROM objects")

    # -- objects ------------------------------------------------------------------------------------------------------

    def keys(self, place: str, bucket: str) -> set[str]:
        """The keys of a bucket that have a version."""
        with self._lock:
            rows = self._base.execute(
                "SELECT DISTINCT key FROM objects WHERE place = ? AND bucket = ?", (place, bucket)
            ).fetchall()
        return {key for (key,) in rows}

    def put_object(self, place: str, bucket: str, key: str, versions: list[Version]) -> None:
        """Keep all versions of an object, the oldest first. None of them: forget it."""
        rows = [
            (place, bucket, key, number, _written(version.about), version.body)
            for number, version in enumerate(versions)
        ]
        with self._transaction() as base:
            base.execute(
                "DELETE FROM objects WHERE place = ? AND bucket = ? AND key = ?", (place, bucket, key)
            )
            base.executemany("INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?)", rows)

    def objects(self) -> Iterator[tuple[str, str, str, Version]]:
        """Place, bucket, key and version of every object, the oldest version first."""
        with self._lock:
            rows = self._base.execute(
                "SELECT place, bucket, key, about, body FROM objects ORDER BY place, bucket, key, number"
            )
            for place, bucket, key, about, body in rows:
                yield place, bucket, key, Version(_read(about), body)


def _explained(path: Path, error: sqlite3.Error) -> str:
    if "locked" in str(error):
        return f"another emulator uses {path}"
    return f"{path} cannot be used: {error}"


def _written(value: Any) -> str:
    return json.dumps(value, default=_special)


def _special(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be kept")


def _read(text: str) -> Any:
    return json.loads(text, object_hook=lambda found: _time(found) if _TIME in found else found)


def _time(found: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(found[_TIME])
