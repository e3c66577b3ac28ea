"""Twenty pipelines upserted by one command, and by `Pipeline.upsert` of the SageMaker SDK, both against the emulator."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from tests.benchmarks.faults import SETTINGS
from tests.benchmarks.figures import Figure, faster, skipped
from tests.benchmarks.inputs import BREAST_CANCER, project
from tests.benchmarks.processes import SAGEWRIGHT, Command, once
from tests.emulator_fixture import Proxy, reset, running_emulator, running_proxy
from tests.sdk import NO_SDK, sdk_environment, sdk_python

COUNT, STEPS = 20, 3
PROGRAM = str(Path(__file__).with_name("sdk_upsert.py"))
_STEP = """\
  S{index}:
    kind: processing
    image: sklearn:1.2-1
    instance: ml.m5.large
    code: preprocess.py
    inputs: {{data: {source}}}
    outputs: {{data: {{}}}}
"""


def run() -> list[Figure]:
    python = sdk_python()
    name = f"{COUNT} pipelines of {STEPS} steps"
    if python is None:
        return [skipped(name, NO_SDK)]
    with running_emulator() as url, running_proxy(url) as proxy, TemporaryDirectory() as folder:
        ours = Command(
            [SAGEWRIGHT, "upsert", "--yes"],
            environment={**SETTINGS, "AWS_ENDPOINT_URL": proxy.url},
            cwd=_project(Path(folder)),
        )
        theirs = Command(
            [python, PROGRAM, str(COUNT), str(STEPS)],
            environment={**sdk_environment(), "AWS_ENDPOINT_URL": proxy.url},
        )
        os.environ.update(SETTINGS)
        figures: list[Figure] = []
        for what, again in ((f"{name}, new", False), ("the same again, nothing changed", True)):
            (our_seconds, our_calls), (their_seconds, their_calls) = (
                _taken(command, proxy, url, again) for command in (ours, theirs)
            )
            figures.append(faster(what, our_seconds, their_seconds, "Pipeline.upsert, imports included", 1))
            figures.append(_fewer(f"its calls: {what}", our_calls, their_calls))
    return figures


def _project(folder: Path) -> Path:
    """What `sdk_upsert.py` builds."""
    project(folder)
    for number in range(COUNT):
        made = folder / "pipelines" / f"p{number:04}"
        made.mkdir(parents=True)
        shutil.copy(BREAST_CANCER / "preprocess.py", made)
        steps = [
            _STEP.format(
                index=index,
                source=f'"${{steps.S{index - 1}.outputs.data}}"' if index else "s3://acme-ml/input",
            )
            for index in range(STEPS)
        ]
        text = f"name: p{number:04}\ntags: {{team: risk}}\nsteps:\n{''.join(steps)}"
        (made / "pipeline.yaml").write_text(text, encoding="utf-8")
    return folder


def _taken(command: Command, proxy: Proxy, url: str, again: bool) -> tuple[float, int]:
    """Seconds and calls, the best of two: on an empty account, or where all is deployed already."""
    found: list[tuple[float, int]] = []
    for _ in range(2):
        _reset(url)
        if again:
            once(command)
        proxy.journal.clear()
        cost = once(command)
        names = Counter(call.operation for call in proxy.journal)
        assert again or names["CreatePipeline"] == COUNT, names
        found.append((cost.seconds, len(proxy.journal)))
    return min(found)


def _reset(url: str) -> None:
    """An account with the role that pipelines have: the SDK looks at it."""
    reset(url)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = boto3.client("iam", endpoint_url=url)
    iam.create_role(RoleName="SageMakerRole", AssumeRolePolicyDocument=trust)


def _fewer(name: str, ours: int, theirs: int) -> Figure:
    return Figure(
        name,
        f"{ours} ({ours / COUNT:.1f} each)",
        f"{theirs} ({theirs / COUNT:.1f} each)",
        f"{ours / theirs:.2f} of it",
        "fewer",
        ours < theirs,
    )
