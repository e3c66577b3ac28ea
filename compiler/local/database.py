"""Small SQLite files that several processes write, a transaction at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sagewright.compiler.local.job import JobFailed

TIMEOUT = 30
"""Seconds to wait for another process that writes."""


class Unusable(JobFailed):
    """A file that cannot be opened, written or understood; in words for people, with what to do."""


class Damaged(Unusable):
    """A file whose content is no database, or a broken one."""


@dataclass(frozen=True, slots=True)
class Database:
    """A file, made when it is first used. `name` is how messages call it, `schema` the statements that make its tables,
    `version` theirs; `loss` is what becomes of moving it away."""

    path: Path
    name: str
    schema: tuple[str, ...]
    version: int
    loss: str

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """All of it or nothing; writers wait for one another. Raises Unusable."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=TIMEOUT, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise Unusable(f"cannot open {self.name} {self.path}: {error}") from None
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
            self._prepare(connection)
            yield connection
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise Unusable(f"cannot use {self.name} {self.path}: {error}") from None
        except sqlite3.DatabaseError as error:
            raise Damaged(
                f"{self.name} {self.path} is damaged ({error}): move it away, {self.loss}"
            ) from None
        finally:
            connection.close()  # and with it whatever was not committed

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > self.version:
            raise Unusable(
                f"{self.name} {self.path} was written by a newer sagewright: use that one, or move the file away"
            )
        if version == 0:
            for statement in self.schema:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self.version}")
