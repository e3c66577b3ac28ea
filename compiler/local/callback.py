"""Callback steps: they wait until somebody answers. See `callbacks`."""

from __future__ import annotations

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local.job import Job


def run(job: Job) -> Outcome:
    return job.machine.callbacks.ask(job, str(job.task.body.get("SqsQueueUrl")), job.arguments)
