"""`lock`: whose lock is over."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sagewright.compiler import lock
from sagewright.compiler.aws import AwsError

LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def ended() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_lock_is_over_when_it_expires() -> None:
    assert lock._is_over({"expires": "2020-01-01T00:00:00+00:00"})
    assert lock._is_over({})
    assert not lock._is_over({"expires": LATER})


@pytest.mark.skipif(not lock._process(1), reason="processes are only told apart on Linux")
def test_a_lock_is_over_when_its_process_has_ended() -> None:
    assert lock._is_over({"expires": LATER, "process": lock._process(ended())})
    assert not lock._is_over({"expires": LATER, "process": lock._process(os.getpid())})
    assert not lock._is_over({"expires": LATER, "process": lock._process(1)}), "not ours to signal, but alive"


@pytest.mark.parametrize(
    "process", ["", "x", "other-boot:pid:[1]:", f"other-boot:pid:[1]:{2**22}", ":7", None]
)
def test_processes_of_other_machines_are_taken_to_be_alive(process: Any) -> None:
    assert not lock._is_over({"expires": LATER, "process": process})


class Answers:
    """Stands in for the clients: answers in order, exceptions raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, _service: str, operation: str, **parameters: Any) -> Any:
        self.calls.append((operation, parameters))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Body:
    def __init__(self, text: bytes) -> None:
        self.read = lambda: text


def make(answers: Answers) -> lock.Lock:
    return lock.Lock(answers, "b", "k", {})  # type: ignore[arg-type]


def test_the_lock_is_deleted_only_as_we_wrote_it() -> None:
    answers = Answers({"ETag": "e"}, {})
    held = make(answers)
    assert held.take()
    held.hold()
    held.release()
    held.release()
    assert [(name, p.get("IfNoneMatch"), p.get("IfMatch")) for name, p in answers.calls] == [
        ("put_object", "*", None),
        ("delete_object", None, "e"),
    ]


def test_a_lock_whose_answer_was_interrupted_is_found_and_released() -> None:
    answers = Answers(KeyboardInterrupt())
    held = make(answers)
    with pytest.raises(KeyboardInterrupt):
        held.take()
    record = answers.calls[0][1]["Body"]
    answers.answers = [{"Body": Body(record), "ETag": "mine"}, {}]
    held.release()
    assert answers.calls[-1][0] == "delete_object" and answers.calls[-1][1]["IfMatch"] == "mine"


def test_somebody_elses_lock_is_not_released() -> None:
    answers = Answers(KeyboardInterrupt())
    held = make(answers)
    with pytest.raises(KeyboardInterrupt):
        held.take()
    answers.answers = [{"Body": Body(b'{"id": "theirs"}'), "ETag": "theirs"}]
    held.release()
    assert [name for name, _ in answers.calls] == ["put_object", "get_object"]


def test_our_own_first_attempt_is_recognised() -> None:
    answers = Answers(AwsError("", "PreconditionFailed"))
    held = make(answers)

    def call(_service: str, operation: str, **parameters: Any) -> Any:
        if operation == "put_object" and "IfNoneMatch" in parameters:
            answers.record = parameters["Body"]  # type: ignore[attr-defined]
            raise AwsError("", "PreconditionFailed")
        if operation == "get_object":
            return {"Body": Body(answers.record), "ETag": "first"}  # type: ignore[attr-defined]
        assert parameters["IfMatch"] == "first"
        return {"ETag": "second"}

    answers.call = call  # type: ignore[method-assign]
    assert held.take()


def test_a_lock_that_vanishes_while_we_look_is_tried_again() -> None:
    gone = AwsError("", "NoSuchKey")
    answers = Answers(AwsError("", "PreconditionFailed"), gone, {"ETag": "e"})
    assert make(answers).take()


def test_other_failures_are_not_swallowed() -> None:
    with pytest.raises(AwsError):
        make(Answers(AwsError("", "NoSuchBucket"))).take()
