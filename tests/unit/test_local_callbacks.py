"""Callback steps wait, and are answered from elsewhere: once, and as they declare."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sagewright.compiler import cli
from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local.callbacks import CallbackError, FileCallbacks
from sagewright.compiler.local.database import Unusable
from sagewright.compiler.local.job import Job, JobFailed, Stopped
from tests.hosting import Here

OUTPUTS = [{"OutputName": "who", "OutputType": "String"}, {"OutputName": "score", "OutputType": "Float"}]
QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/review"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sagewright.yaml").write_text("version: 1\n")
    return Here(tmp_path)


class Waiting(threading.Thread):
    """A callback step that waits in a thread."""

    def __init__(self, job: Job) -> None:
        super().__init__(daemon=True)
        self.job = job
        self.outcome: Outcome | BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self.job.machine.callbacks.ask(self.job, QUEUE, self.job.arguments)
        except (JobFailed, Stopped) as error:
            self.outcome = error

    def ended(self) -> Outcome | BaseException:
        self.join(20)
        assert self.outcome is not None, "it still waits"
        return self.outcome


def _ask(here: Here, name: str = "Review") -> Waiting:
    asked = len(FileCallbacks(here.home).waiting())
    made = Waiting(here.job("Callback", {"scores": "s3://b/x", "n": 3}, name, OutputParameters=OUTPUTS))
    _until(lambda: len(FileCallbacks(here.home).waiting()) > asked)
    return made


def test_an_answer_with_outputs(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = _ask(here)
    (question,) = FileCallbacks(here.home).waiting()
    assert (question.queue, question.arguments) == (QUEUE, {"scores": "s3://b/x", "n": 3})
    out = _command(capsys, "callback")[1]
    assert question.token in out
    assert "wants who=<String> score=<Float>" in out
    listed = json.loads(_command(capsys, "callback", "--format", "json")[1])
    assert listed[0]["token"] == question.token
    assert _command(capsys, "callback", "Review", "--success", "who=ana b", "score=1")[0] == 0
    outcome = waiting.ended()
    assert isinstance(outcome, Outcome)
    assert outcome.properties["OutputParameters"] == {"who": "ana b", "score": 1.0}
    assert question.token in waiting.job.log.read_text()
    assert "nothing waits" in _command(capsys, "callback")[2]


def test_a_failure_with_its_reason(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    waiting = _ask(here)
    (question,) = FileCallbacks(here.home).waiting()
    assert _command(capsys, "callback", question.token, "--failure", "the scores drift")[0] == 0
    outcome = waiting.ended()
    assert isinstance(outcome, JobFailed)
    assert str(outcome) == "the scores drift"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("Reviw", "--failure", "x"),
            1,
            "nothing waits with the token or the name `Reviw`; did you mean `Review`?",
        ),
        (("Review", "--success", "who=ana"), 2, "there is no output `score`"),
        (("Review", "--success", "who=ana", "score=high"), 2, "declared as Float, and `high` is none"),
        (("Review", "--success", "who=ana", "scor=1"), 2, "declares no output `scor`; did you mean `score`?"),
        (("Review", "--success", "who"), 2, "`who` is no NAME=VALUE"),
        (("Review",), 2, "give either --success"),
        (("Review", "--success", "--failure", "x"), 2, "give either --success"),
        (("Review", "--failure", "x", "who=ana"), 2, "outputs go with --success"),
        (("--success",), 2, "which step is answered?"),
    ],
)
def test_answers_that_are_none(
    here: Here, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    waiting = _ask(here)
    got, _, err = _command(capsys, "callback", *arguments)
    assert (got, message in " ".join(err.split())) == (code, True), err
    assert waiting.is_alive()
    waiting.job.stopping.set()
    assert isinstance(waiting.ended(), Stopped)


def test_an_answer_counts_once(here: Here) -> None:
    callbacks = FileCallbacks(here.home)
    waiting = _ask(here)
    (question,) = callbacks.waiting()
    callbacks.fail(question.token, "no")
    waiting.ended()
    with pytest.raises(CallbackError, match="`Review` was answered already: it failed"):
        callbacks.find(question.token)
    with pytest.raises(CallbackError, match="was answered already"):
        callbacks.succeed(question.token, {})
    with pytest.raises(CallbackError, match="nothing waits with the token or the name `0000`"):
        callbacks.succeed("0000", {})


def test_a_step_that_was_stopped_waits_no_longer_and_keeps_its_token(here: Here) -> None:
    callbacks = FileCallbacks(here.home)
    waiting = _ask(here)
    (question,) = callbacks.waiting()
    waiting.job.stopping.set()
    assert isinstance(waiting.ended(), Stopped)
    with pytest.raises(CallbackError, match="waits no longer: its run was stopped"):
        callbacks.find(question.token)
    waiting.job.stopping.clear()
    again = Waiting(waiting.job)  # the run is resumed
    _until(lambda: [q.token for q in callbacks.waiting()] == [question.token])
    callbacks.succeed(question.token, {"who": "x", "score": 1.5})
    assert isinstance(again.ended(), Outcome)


def test_steps_of_one_name_are_told_apart_by_their_tokens(here: Here) -> None:
    waiting = [_ask(here), _ask(here)]
    callbacks = FileCallbacks(here.home)
    tokens = [question.token for question in callbacks.waiting()]
    with pytest.raises(
        CallbackError, match=f"waits in several runs: say which by its token, `{tokens[0]}` and"
    ):
        callbacks.find("Review")
    for token in tokens:
        callbacks.fail(token, "no")
    assert all(isinstance(each.ended(), JobFailed) for each in waiting)


def test_nobody_answers_in_time(here: Here) -> None:
    callbacks = FileCallbacks(here.home, timeout=0.3)
    job = here.job("Callback", {}, "Review")
    with pytest.raises(JobFailed, match=r"nobody answered in 0\.3 s") as failed:
        callbacks.ask(job, QUEUE, {})
    assert failed.value.error == "timeout"
    assert callbacks.waiting() == []


def test_a_file_that_cannot_be_used(here: Here) -> None:
    here.home.mkdir(exist_ok=True)
    callbacks = FileCallbacks(here.home)
    callbacks.path.write_bytes(b"nothing like a database" * 100)
    with pytest.raises(Unusable, match=r"is damaged .* move it away"):
        callbacks.waiting()
    callbacks.path.unlink()
    with sqlite3.connect(callbacks.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(Unusable, match="newer sagewright"):
        callbacks.waiting()


def test_answers_from_other_processes(here: Here) -> None:
    waiting = [Waiting(here.job("Callback", {}, f"S{n}")) for n in range(3)]
    callbacks = FileCallbacks(here.home)
    _until(lambda: len(callbacks.waiting()) == 3)
    for question in callbacks.waiting():
        arguments = ["callback", question.token, "--failure", f"no to {question.step}"]
        subprocess.run([sys.executable, "-m", "sagewright.compiler", *arguments], cwd=here.root, check=True)
    reasons = {each.job.task.name: str(each.ended()) for each in waiting}
    assert reasons == {f"S{n}": f"no to S{n}" for n in range(3)}


def _command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def _until(happens: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
