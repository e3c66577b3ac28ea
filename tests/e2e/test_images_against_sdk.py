"""Our images against those of the SageMaker SDK: the same URI, or both refuse, but for the differences listed here."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sagewright import schemas
from sagewright.compiler import images
from tests.sdk import NO_SDK, NO_SDK2, sdk2_python, sdk_environment, sdk_python

SCRIPT = Path(__file__).with_name("sdk_images.py")
SAMPLE, SEED = 2000, 20240229

GUESSES = {
    "only scope": "the framework has one scope, and the SDK takes it whatever was asked; we refuse",
    "only version": "the framework has one version, and the SDK takes it whatever was asked; we refuse",
    "newer Arm": "the SDK takes Gravitons that it does not know, and Grace, for x86; we refuse",
    "Graviton for inference": "on Graviton the SDK gives the image for inference, also to jobs that train; we refuse",
    "first Neuron on inf2": "the SDK gives inf1's images of huggingface to inf2, which cannot run them; we give inf2's",
    "Neuron elsewhere": "the SDK gives an image for Neuron, which names no processor, to any machine; we refuse",
    "any machine": "the SDK's function for the image of remote functions asks for no machine; we refuse Arm and Trainium",
    "Arm's image on x86": "the SDK gives an image for Arm to x86, and not to Graviton; we do the reverse",
}
"""Where the SDK answers another question than the one asked: `guessed` says which, and the answer to it must be ours."""

LIMITS = {
    "Trainium": "the SDK refuses Trainium to everything but pytorch, although it knows the images",
    "Neuron by family": "the SDK knows an image's processor as neuronx, which no family of instances is called",
    "inf2's own": "the SDK looks for huggingface on inf2 among inf1's images only",
    "Arm's image on Graviton": "the SDK allows Graviton to four frameworks, which this one is not",
    "no instance": "the SDK's function for the model parallelism library fails without an instance type",
    "Neuron's SDK in training tags": "the SDK fails on huggingface's images for Trainium, or leaves Neuron's SDK out of the tag",
}
"""Where the SDK gives nothing, or a tag that was never published, and we the image."""


class Case(NamedTuple):
    """A combination."""

    framework: str
    version: str | None
    base: str | None
    python: str | None
    region: str
    scope: str
    instance: str | None
    accelerator: str | None = None

    @property
    def processor(self) -> str | None:
        return images.processor(self.instance) if self.instance else None

    @property
    def family(self) -> str:
        return self.instance.split(".")[1] if self.instance else ""

    def ours(self) -> str | None:
        """Our URI, None where we refuse."""
        try:
            return images.resolve(
                self.framework,
                self.version,
                region=self.region,
                scope=self.scope,
                instance_types=[self.instance] if self.instance else [],
                python=self.python,
                accelerator=self.accelerator,
                base=self.base,
            )
        except images.ImageError:
            return None


def difference(case: Case, theirs: str | None, ours: str | None) -> str | None:
    """Which of the differences explains that `theirs` is not `ours`; None where none does."""
    if theirs is not None:
        asked, reasons = guessed(case)
        if reasons and asked.ours() == theirs:
            return reasons[0]
    if ours is not None:
        return limit(case, theirs, ours)
    return None


def guessed(case: Case) -> tuple[Case, list[str]]:
    """The question that the SDK answers in place of this one, and in what it differs."""
    asked, reasons = case, []
    if case.processor == "arm64":
        usual = "ml.g5.2xlarge" if "gb200" in case.family else "ml.m5.xlarge"
        asked, reasons = asked._replace(instance=usual), ["newer Arm"]
    if case.processor == "graviton" and case.scope != "inference":
        asked, reasons = asked._replace(scope="inference"), ["Graviton for inference"]
    if case.processor == "neuron" and case.framework in ("huggingface", "pytorch"):
        asked = asked._replace(framework=f"{case.framework}-neuron")
        reasons = (
            ["first Neuron on inf2"] if case.framework == "huggingface" and case.family != "inf1" else []
        )
    if case.framework == "djl-neuronx" and case.family != "inf2":
        asked, reasons = asked._replace(instance="ml.inf2.xlarge"), [*reasons, "Neuron elsewhere"]
    if case.framework == "llama-cpp-arm64" and case.processor != "graviton":
        asked = asked._replace(instance=None, accelerator="graviton", scope="inference")
        reasons += ["Arm's image on x86"]
    if case.framework == "sagemaker-base-python" and case.instance:
        asked, reasons = asked._replace(instance=None), ["any machine"]
    scopes = scopes_of(asked.framework)
    if len(scopes) == 1 and asked.accelerator is None and asked.scope not in scopes:
        asked, reasons = asked._replace(scope=next(iter(scopes))), [*reasons, "only scope"]
    for scope in ("inference_graviton",) if case.processor == "graviton" else images.SCOPES[asked.scope]:
        part = scopes.get(scope, {"versions": {}, "aliases": {}})
        if len(part["versions"]) == 1 and asked.version not in (None, *part["versions"], *part["aliases"]):
            asked, reasons = asked._replace(version=next(iter(part["versions"]))), [*reasons, "only version"]
            break
    return asked, reasons


def limit(case: Case, theirs: str | None, ours: str) -> str | None:
    """Which of the SDK's limits keeps it from giving our image."""
    if case.framework == "huggingface-neuronx" and case.scope != "inference" and case.instance is None:
        return "Neuron's SDK in training tags" if theirs in (None, unpublished(case, ours)) else None
    if theirs is not None:
        return None
    if case.framework == "pytorch-smp" and case.instance is None:
        return "no instance"
    if case.family.startswith("trn") and "neuron" in ours:
        return "Trainium"
    if case.framework == "huggingface-vllm-neuronx" and case.family == "inf2":
        return "Neuron by family"
    if case.framework == "hyperpod-recipes-neuron" and case.family == "inf2":
        return "Neuron by family"
    if case.framework == "huggingface" and case.family == "inf2" and "-neuronx:" in ours:
        return "inf2's own"
    if case.framework == "llama-cpp-arm64" and case.processor == "graviton":
        return "Arm's image on Graviton"
    return None


def unpublished(case: Case, ours: str) -> str:
    """The tag that the SDK makes of ours: without Neuron's SDK, and with the base as it was asked for."""
    repository, _, tag = ours.rpartition(":")
    tag = re.sub(r"-sdk[\d.]+", "", tag).partition("-")[2]
    return f"{repository}:{(case.base or '').removeprefix('pytorch')}-{tag}"


@cache
def scopes_of(framework: str) -> dict[str, Any]:
    return json.loads(schemas.read(f"images/{framework}.json"))["scopes"]


def answers(python: str, *arguments: str) -> Iterator[tuple[Case, str | None]]:
    """Combinations, and the SDK's answers, from one run of it."""
    command = [python, str(SCRIPT), *arguments]
    with subprocess.Popen(command, env=sdk_environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            *asked, theirs = json.loads(line)
            yield Case(*asked), theirs
    assert process.returncode == 0


class Tally(NamedTuple):
    """How often both gave the same URI or refused, and what else there was."""

    same: int
    refused: int
    differences: Counter[str]
    unexplained: list[tuple[Case, str | None, str | None]]


def tally(python: str, *arguments: str) -> Tally:
    """Compare all that the SDK is asked with `arguments`."""
    same = refused = 0
    differences: Counter[str] = Counter()
    unexplained: list[tuple[Case, str | None, str | None]] = []
    for case, theirs in answers(python, *arguments):
        ours = case.ours()
        if ours == theirs:
            same += ours is not None
            refused += ours is None
        elif reason := difference(case, theirs, ours):
            differences[reason] += 1
        else:
            unexplained.append((case, theirs, ours))
    return Tally(same, refused, differences, unexplained)


@pytest.fixture(scope="module")
def sample() -> Tally:
    python = sdk_python()
    if python is None:
        pytest.skip(NO_SDK)
    return tally(python, "--sample", str(SAMPLE), "--seed", str(SEED))


def test_every_answer_is_the_sdk_s_or_a_difference_that_is_listed(sample: Tally) -> None:
    assert sample.unexplained == []
    assert set(sample.differences) <= {*GUESSES, *LIMITS}
    assert sample.same + sample.refused + sum(sample.differences.values()) == SAMPLE


def test_the_sample_has_enough_of_each(sample: Tally) -> None:
    """A comparison of refusals only would prove nothing."""
    assert sample.same >= SAMPLE // 5
    assert sample.refused >= SAMPLE // 5
    assert {"only scope", "only version", "newer Arm"} <= set(sample.differences)


# -- everything that the SDKs have ------------------------------------------------------------------------------------

LISTING = """
import importlib.util, json, pathlib, sys
folder = pathlib.Path(next(iter(importlib.util.find_spec("sagemaker").submodule_search_locations)))
found = [path for path in folder.rglob("image_uri_config/*.json")]
print(json.dumps({path.stem: json.loads(path.read_text()) for path in found}))
"""
NO_FRAMEWORKS = {"instance_gpu_info"}
"""Files beside the frameworks' that hold something else."""
ENDED = "eia"
"""The scope of Elastic Inference, which AWS has ended."""


def versions(config: dict[str, Any]) -> set[str]:
    """All versions in a file of the SDK's, at its top or below its scopes."""
    parts = [
        config,
        *(part for name, part in config.items() if isinstance(part, dict) and not name.startswith(ENDED)),
    ]
    return {version for part in parts for version in part.get("versions", ())}


@pytest.mark.parametrize(
    ("python", "why"), [(sdk_python(), NO_SDK), (sdk2_python(), NO_SDK2)], ids=["sdk3", "sdk2"]
)
def test_every_framework_and_version_is_here(python: str | None, why: str) -> None:
    if python is None:
        pytest.skip(why)
    command = [python, "-c", LISTING]
    said = subprocess.run(command, env=sdk_environment(), capture_output=True, text=True, check=True).stdout
    theirs = {
        name: versions(config) for name, config in json.loads(said).items() if name not in NO_FRAMEWORKS
    }
    assert len(theirs) > 60
    missing = {
        name: found - {version for part in scopes_of(name).values() for version in part["versions"]}
        for name, found in theirs.items()
        if name in images.frameworks()
    }
    assert theirs.keys() <= set(images.frameworks())
    assert {name: left for name, left in missing.items() if left} == {}
