"""Many executions in the emulator at once."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.by_hand import ENDED, create, gate, register, score, start, steps_of, training
from tests.emulator_fixture import REGION, SCENARIO, start_emulator

COUNT = 200
LIMIT = 300
"""MB."""
AT_ONCE = 16
PATIENCE = 300
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """`seconds` from the first start to the last end, `memory` the emulator's peak in MB. `statuses` and `steps` (of
    how many executions each) are what became of them, `packages` the versions that they registered."""

    seconds: float
    memory: float
    started: int
    statuses: Counter[str]
    steps: Counter[tuple[str, ...]]
    packages: list[int]


def crowd(count: int = COUNT, *arguments: str) -> Crowd:
    """Start so many executions of a pipeline of six steps at once, and wait for all of them."""
    import boto3
    from botocore.config import Config

    emulator = start_emulator("--scenario", str(SCENARIO), "--speed", "2000", *arguments)
    with emulator.process as process:
        config = Config(max_pool_connections=AT_ONCE, retries={"total_max_attempts": 1})
        client = boto3.client("sagemaker", endpoint_url=emulator.url, region_name=REGION, config=config)
        trains = [training(name) for name in ("TrainA", "TrainB", "TrainC")]
        create(client, score(), gate([*trains, register("TrainA", "TrainB", "TrainC")], []))
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            arns = list(pool.map(lambda _: start(client), range(count)))
            _wait(client, count)
            seconds = time.monotonic() - began
            steps = pool.map(lambda arn: tuple(sorted(steps_of(client, arn))), arns)
            found = Counter(steps)
        versions = [p["ModelPackageVersion"] for p in _packages(client)]
        made = Crowd(seconds, _peak(process.pid), len(set(arns)), _statuses(client), found, sorted(versions))
        process.terminate()
    return made


def _wait(client: Any, count: int) -> None:
    end = time.monotonic() + PATIENCE
    while sum(_statuses(client)[status] for status in ENDED) < count:
        assert time.monotonic() < end, f"they do not end: {_statuses(client)}"
        time.sleep(0.1)


def _statuses(client: Any) -> Counter[str]:
    pages = client.get_paginator("list_pipeline_executions").paginate(PipelineName="p")
    found = pages.build_full_result()["PipelineExecutionSummaries"]
    return Counter(execution["PipelineExecutionStatus"] for execution in found)


def _packages(client: Any) -> list[Any]:
    pages = client.get_paginator("list_model_packages").paginate(ModelPackageGroupName="models")
    return pages.build_full_result()["ModelPackageSummaryList"]


def _peak(pid: int) -> float:
    """The peak of a process's memory in MB; what it has now, where the system keeps no peak."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return psutil.Process(pid).memory_info().rss / 2**20
