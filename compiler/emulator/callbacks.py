"""Callback steps: a message to the step's queue, and the token by which the answer is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from string import ascii_letters, digits
from typing import Any

from moto.core.exceptions import ServiceException
from moto.sagemaker.exceptions import ValidationError
from moto.sqs.models import sqs_backends

from sagewright.compiler.engine.state import Outcome, Record, Status, Task

LENGTH = 10
"""Of a token. Source: botocore's shape CallbackToken."""
_LETTERS = ascii_letters + digits
TYPES: Mapping[str, Any] = {"Integer": int, "Float": float}


def token(execution_arn: str, record: Record) -> str:
    """The token of a running Callback step: of this attempt, and the same after the emulator was started again."""
    seed = f"{execution_arn}/{record.name}/{len(record.attempts)}/{record.start}"
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest())
    made = ""
    while len(made) < LENGTH:
        number, index = divmod(number, len(_LETTERS))
        made += _LETTERS[index]
    return made


def post(account: str, region: str, url: str, message: Mapping[str, Any]) -> None:
    """Put a message into the queue of that URL, where the emulator has it."""
    backend = sqs_backends[account][region]
    name = url.rpartition("/")[2]
    if name in backend.queues:
        try:
            backend.send_message(name, json.dumps(message))
        except ServiceException as error:
            raise ValidationError(f"The queue {url} takes no message: {error}") from None


def question(execution_arn: str, task: Task, made: str) -> dict[str, Any]:
    """What the queue is told when the step starts. Source: developer guide, "Callback step"."""
    return {"token": made, "pipelineExecutionArn": execution_arn, "arguments": task.arguments}


def succeeded(record: Record, given: list[Mapping[str, str]]) -> Outcome:
    """The outcome of a step that was answered with output parameters. Raises ValidationError."""
    declared = {o.get("OutputName"): o.get("OutputType") for o in record.body.get("OutputParameters") or ()}
    values: dict[str, Any] = {}
    for output in given:
        name, text = output["Name"], output["Value"]
        if name not in declared:
            raise ValidationError(f"Output parameter '{name}' is not defined by step '{record.name}'.")
        values[name] = _value(name, text, declared[name])
    return Outcome(Status.SUCCEEDED, {"OutputParameters": values})


def _value(name: str, text: str, kind: str | None) -> Any:
    if kind == "Boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind not in TYPES and kind != "Boolean":
        return text
    try:
        return TYPES[str(kind)](text)
    except (KeyError, ValueError):
        raise ValidationError(f"Output parameter '{name}' wants a value of type {kind}.") from None
