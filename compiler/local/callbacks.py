"""The questions of callback steps and their answers, in a file: a run asks, another process answers.

In AWS the question goes to an SQS queue, and the answer comes through SendPipelineExecutionStepSuccess or -Failure,
with the token in the question.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local.database import Database, Unusable
from sagewright.compiler.local.job import REASON, Job, JobFailed, Stopped
from sagewright.compiler.local.outputs import declared
from sagewright.compiler.suggest import listing, nearest

TICK = 0.1
"""Seconds between two looks for an answer."""
_SCHEMA = (
    "CREATE TABLE question (token TEXT PRIMARY KEY, pipeline TEXT, execution TEXT, step TEXT, attempt INTEGER,"
    " queue TEXT, arguments TEXT, types TEXT, asked REAL, status TEXT, answer TEXT, UNIQUE (execution, step, attempt))",
)
WAITING, SUCCEEDED, FAILED, WITHDRAWN = "waiting", "succeeded", "failed", "withdrawn"


class CallbackError(Unusable):
    """An answer that cannot be given, in words for people."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a callback step asks. `asked` is in seconds since the epoch; `types` are its outputs'."""

    token: str
    pipeline: str
    execution: str
    step: str
    queue: str
    arguments: Mapping[str, Any]
    types: Mapping[str, str]
    asked: float
    status: str


class FileCallbacks:
    """See `job.Callbacks`. `home` is the project's `.sagewright`; without `timeout`, in seconds, a step waits for
    ever. All methods raise CallbackError, and Unusable where the file cannot be used."""

    def __init__(self, home: Path, timeout: float | None = None) -> None:
        self.path, self.timeout = home / "callbacks.db", timeout
        self._database = Database(self.path, "the file", _SCHEMA, 1, "steps that wait have to ask again")

    def ask(self, job: Job, queue: str, arguments: Mapping[str, Any]) -> Outcome:
        """See `job.Callbacks`. A step that is asked again, after its run was resumed, keeps its token."""
        token = self._post(job, queue, arguments)
        job.note(f"waits for an answer to token {token}, sent to {queue} with {json.dumps(dict(arguments))}")
        job.note(f"sagewright callback {token} --success NAME=VALUE ... | --failure REASON")
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        while True:
            status, answer = self._answer(token)
            if status == SUCCEEDED:
                return job.succeeded(OutputParameters=answer)
            if status == FAILED:
                raise JobFailed(str(answer))
            if deadline is not None and time.monotonic() > deadline:
                self._withdraw(token)
                raise JobFailed(f"nobody answered in {self.timeout:g} s", "timeout")
            if job.stopping.wait(TICK):
                self._withdraw(token)
                raise Stopped

    def _post(self, job: Job, queue: str, arguments: Mapping[str, Any]) -> str:
        key = (job.identity.execution_id, job.task.name, job.task.attempt)
        with self._database.transaction() as db:
            where = "WHERE execution = ? AND step = ? AND attempt = ?"
            row = db.execute(f"SELECT token FROM question {where}", key).fetchone()
            if row is not None:
                db.execute(
                    f"UPDATE question SET status = ? {where} AND status = ?", (WAITING, *key, WITHDRAWN)
                )
                return row[0]
            token = secrets.token_hex(8)
            said = (json.dumps(dict(arguments)), json.dumps(declared(job.task.body)))
            row = (token, job.identity.pipeline, *key, queue, *said, time.time(), WAITING, None)
            db.execute("INSERT INTO question VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        return token

    def _answer(self, token: str) -> tuple[str, Any]:
        with self._database.transaction() as db:
            row = db.execute("SELECT status, answer FROM question WHERE token = ?", (token,)).fetchone()
        if row is None:
            raise CallbackError(f"the question with the token {token} is no longer in {self.path}")
        return row[0], json.loads(row[1]) if row[1] else None

    def _withdraw(self, token: str) -> None:
        with self._database.transaction() as db:
            db.execute(
                "UPDATE question SET status = ? WHERE token = ? AND status = ?", (WITHDRAWN, token, WAITING)
            )

    # -- the other side -----------------------------------------------------------------------------------------------

    def waiting(self) -> list[Question]:
        """The questions without an answer, oldest first."""
        return [question for question in self._questions() if question.status == WAITING]

    def find(self, name: str) -> Question:
        """The question that waits with a token, or of a step."""
        known = self._questions()
        for question in known:
            if question.token == name:
                return _waiting(question)
        found = [question for question in known if question.step == name and question.status == WAITING]
        if len(found) == 1:
            return found[0]
        if found:
            tokens = listing([question.token for question in found])
            raise CallbackError(f"`{name}` waits in several runs: say which by its token, {tokens}")
        steps = {question.step for question in known if question.status == WAITING}
        near = nearest(name, steps)
        others = f"; waiting: {listing(sorted(steps))}" if steps else ""
        hint = f"; did you mean `{near}`?" if near else others
        raise CallbackError(f"nothing waits with the token or the name `{name}`{hint}")

    def succeed(self, token: str, outputs: Mapping[str, Any]) -> None:
        """Answer with outputs that are those declared, see `outputs.read`."""
        self._settle(token, SUCCEEDED, dict(outputs))

    def fail(self, token: str, reason: str) -> None:
        """Answer that the step has failed."""
        self._settle(token, FAILED, reason[:REASON])

    def _settle(self, token: str, status: str, answer: Any) -> None:
        with self._database.transaction() as db:
            changed = db.execute(
                "UPDATE question SET status = ?, answer = ? WHERE token = ? AND status = ?",
                (status, json.dumps(answer), token, WAITING),
            ).rowcount
        if not changed:
            self.find(token)

    def _questions(self) -> list[Question]:
        if not self.path.exists():  # looking makes nothing
            return []
        with self._database.transaction() as db:
            rows = db.execute(
                "SELECT token, pipeline, execution, step, queue, arguments, types, asked, status FROM question "
                "ORDER BY asked"
            ).fetchall()
        return [
            Question(
                token, pipeline, run, step, queue, json.loads(arguments), json.loads(types), asked, status
            )
            for token, pipeline, run, step, queue, arguments, types, asked, status in rows
        ]


def _waiting(question: Question) -> Question:
    if question.status == WITHDRAWN:
        raise CallbackError(f"`{question.step}` waits no longer: its run was stopped")
    if question.status != WAITING:
        raise CallbackError(f"`{question.step}` was answered already: it {question.status}")
    return question
