"""Pipelines to measure with, and projects to put them in."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.benchmarks.processes import ROOT

BREAST_CANCER = ROOT / "pipelines" / "breast-cancer"
_ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
_PROJECT = f"version: 1\nregion: us-west-2\nbucket: acme-ml\nrole: {_ROLE}\n"


def project(folder: Path) -> Path:
    (folder / "sagewright.yaml").write_text(_PROJECT, encoding="utf-8")
    return folder


def processing_chain(folder: Path, count: int) -> Path:
    """Processing steps with code, each on the output of the one before: what `sdk_steps.py` builds."""
    shutil.copy(BREAST_CANCER / "preprocess.py", folder)
    steps = [_processing(index) for index in range(count)]
    return _pipeline(folder, "chain", "defaults: {image: 'sklearn:1.2-1', instance: ml.m5.large}\n", steps)


def _processing(index: int) -> str:
    source = f'"${{steps.S{index - 1}.outputs.data}}"' if index else "s3://acme-ml/input"
    return (
        f"  S{index}:\n    kind: processing\n    code: preprocess.py\n"
        f"    inputs: {{data: {source}}}\n    outputs: {{data: {{}}}}\n"
    )


def lambda_chain(folder: Path, count: int) -> Path:
    """Lambda steps, each on the output of the one before: small enough for thousands of them in a definition."""
    return _pipeline(folder, f"chain-{count}", "", [_lambda(index) for index in range(count)])


def _lambda(index: int) -> str:
    value = f'"${{steps.S{index - 1}.outputs.y}}"' if index else "0"
    arn = "arn:aws:lambda:us-west-2:123456789012:function:f"
    return f"  S{index}: {{kind: lambda, function: '{arn}', arguments: {{x: {value}}}, outputs: {{y: String}}}}\n"


def _pipeline(folder: Path, name: str, head: str, steps: list[str]) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(f"name: {name}\n{head}steps:\n{''.join(steps)}", encoding="utf-8")
    return path


def copies(folder: Path, count: int) -> Path:
    """A project of `count` pipelines, each breast-cancer under another name, with its code."""
    project(folder)
    text = (BREAST_CANCER / "pipeline.yaml").read_text(encoding="utf-8")
    for index in range(count):
        made = folder / "pipelines" / f"p{index:04}"
        made.mkdir(parents=True)
        for script in BREAST_CANCER.glob("*.py"):
            shutil.copy(script, made)
        (made / "pipeline.yaml").write_text(
            text.replace("name: breast-cancer\n", f"name: p{index:04}\n", 1), encoding="utf-8"
        )
    return folder
