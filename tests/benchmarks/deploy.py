"""Two hundred pipelines planned and upserted against the emulator, with and without throttling."""

from __future__ import annotations

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.faults import SETTINGS
from tests.benchmarks.figures import Figure, at_most
from tests.benchmarks.inputs import copies
from tests.benchmarks.processes import SAGEWRIGHT, Command, Cost, once
from tests.emulator_fixture import Answer, Call, Rule, aws_error, reset, running_emulator, running_proxy

COUNT = 200
CORES = 2
SHARE = 0.05
"""Of calls that are throttled."""


def run() -> list[Figure]:
    settings = {**SETTINGS, "AWS_MAX_ATTEMPTS": "5"}
    os.environ.update(settings)
    with running_emulator() as url, running_proxy(url) as proxy, TemporaryDirectory() as folder:
        reset(url)
        copies(Path(folder), COUNT)
        environment = {**settings, "AWS_ENDPOINT_URL": proxy.url}

        def command(*arguments: str) -> Cost:
            return once(
                Command([SAGEWRIGHT, *arguments], environment=environment, cwd=Path(folder), cores=CORES)
            )

        made = command("upsert", "--yes")
        proxy.journal.clear()
        planned = command("plan")
        calls = len(proxy.journal) / COUNT
        reset(url)
        proxy.rules.append(_throttle(random.Random(7)))
        throttled = command("upsert", "--yes")
    name = f"{COUNT} pipelines"
    return [
        at_most(f"{name}, planned, nothing changed", planned.seconds, 15, "s"),
        at_most("calls of that, a pipeline", calls, 3, "×"),
        at_most(f"{name}, new, upserted", made.seconds, 60, "s"),
        at_most(f"the same, {SHARE:.0%} of the calls throttled", throttled.seconds, 60, "s"),
        at_most("its peak memory", max(made.memory, throttled.memory), 200, "MB"),
    ]


def _throttle(chance: random.Random) -> Rule:
    def rule(call: Call) -> Answer | None:
        if chance.random() >= SHARE:
            return None
        status = 400 if call.method == "POST" and not call.key else 503
        return aws_error(call, status, "ThrottlingException", "Rate exceeded")

    return rule
