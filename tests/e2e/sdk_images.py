"""Asks the SageMaker SDK for images; run by an interpreter that has it. Prints a line of JSON for each combination:

[framework, version, base, python, region, scope, instance type, URI or null]

python sdk_images.py --sample 2000 --seed 1     # some, drawn at random
python sdk_images.py                            # all of them
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import socket
import sys
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from sagemaker.core import common_utils, image_uris

FOLDER = Path(image_uris.__file__).parent / "image_uri_config"
NO_FRAMEWORKS = {"instance_gpu_info"}
SCOPES = ("training", "inference", "processing")
INSTANCES = (
    None, "ml.m5.xlarge", "ml.g5.2xlarge", "ml.p2.xlarge", "ml.p3.2xlarge", "ml.p4d.24xlarge",
    "ml.p4de.24xlarge", "ml.p5.48xlarge", "ml.p5en.48xlarge", "ml.p6e-gb200.36xlarge", "ml.inf1.xlarge",
    "ml.inf2.xlarge", "ml.trn1.2xlarge", "ml.c7g.large", "ml.m6gd.large", "ml.c8g.large",
)  # fmt: skip
ORDINARY = ("ml.m5.xlarge", "ml.g5.2xlarge")

Combination = tuple[str, str | None, str | None, str | None, str, str, str | None]


def combinations(framework: str, regions: list[str]) -> Iterator[Combination]:
    """All that can be asked of a framework."""
    for (version, base, python), region, scope, instance in product(
        asked_of(framework), regions, SCOPES, INSTANCES
    ):
        yield framework, version, base, python, region, scope, instance


def asked_of(framework: str) -> list[tuple[str | None, str | None, str | None]]:
    """Every version and alias of any scope, with each base and Python that it has anywhere; and one that is not."""
    asked: dict[tuple[str | None, str | None, str | None], None] = {("0.0.0", None, None): None}
    for part in parts(framework).values():
        aliases = part.get("version_aliases", {})
        for version in (*part["versions"], *aliases):
            entry = part["versions"][aliases.get(version, version)]
            asked |= {(version or None, base, python): None for base, python in bases_and_pythons(entry)}
    return list(asked)


def parts(framework: str) -> dict[str, dict[str, Any]]:
    config = image_uris.config_for_framework(framework)
    if "versions" in config:
        return dict.fromkeys(config.get("scope", ["training"]), config)
    return {scope: part for scope, part in config.items() if scope != "eia"}


def bases_and_pythons(entry: dict[str, Any]) -> Iterator[tuple[str | None, str | None]]:
    """Base None is left out where there are bases: the SDK always wants one."""
    if entry.get("repository") == "sagemaker-base-python":
        yield from ((None, "py38"), (None, "py310"))
    elif "repository" in entry:
        yield from ((None, python) for python in (None, *entry.get("py_versions", [])))
    elif any(key.startswith(("pytorch", "tensorflow")) for key in entry):
        aliases = entry.get("version_aliases", {})
        for base in (*(key for key in entry if key != "version_aliases"), *aliases):
            pythons = entry[aliases.get(base, base)]["py_versions"]
            yield from ((base, python) for python in (None, *pythons))
    else:
        yield from ((None, python) for python in (None, *entry))


def retrieve(combination: Combination) -> str | None:
    """The SDK's answer, with what its own classes add to the plain question; None where it refuses."""
    framework, version, base, python, region, scope, instance = combination
    scopes = parts(framework)
    if scope == "processing" and scope not in scopes:
        scope = "training" if "training" in scopes else None
    asked: dict[str, Any] = {
        "framework": framework, "version": version, "base_framework_version": base, "py_version": python,
        "region": region, "image_scope": scope, "instance_type": instance,
    }  # fmt: skip
    try:
        if framework == "sagemaker-base-python":
            return (
                image_uris.get_base_python_image_uri(region, (python or "").removeprefix("py"))
                if version == "1.0"
                else None
            )
        if framework == "pytorch-smp":
            return smp(asked)
        return image_uris.retrieve(**(asked | additions(asked)))
    except (ValueError, KeyError, TypeError, UnboundLocalError, AttributeError, FileNotFoundError):
        return None


def additions(asked: dict[str, Any]) -> dict[str, Any]:
    """How the SDK's classes ask for images that are no frameworks to `retrieve`."""
    framework: str = asked["framework"]
    if framework.endswith("-training-compiler"):
        return {
            "framework": framework.removesuffix("-training-compiler"),
            "training_compiler_config": object(),
        }
    if framework in ("huggingface-neuron", "huggingface-neuronx", "pytorch-neuron"):
        name, tool = framework.rsplit("-", 1)
        return {"framework": name, "inference_tool": tool}
    if framework == "huggingface-llm-neuronx":
        return {"inference_tool": "neuronx"}
    if framework == "huggingface" and asked["image_scope"] == "training":
        return {"container_version": "cu110-ubuntu18.04"}
    if framework == "spark" and asked["py_version"]:
        return {"container_version": "v1"}
    return {}


def smp(asked: dict[str, Any]) -> str | None:
    if asked["image_scope"] != "training":
        return None
    return image_uris.get_training_image_uri(
        asked["region"],
        "pytorch",
        framework_version=asked["version"],
        py_version=asked["py_version"],
        instance_type=asked["instance_type"],
        distribution={"torch_distributed": {}, "smdistributed": {"modelparallel": {}}},
    )


def offline_and_fast() -> None:
    """No connections; files that the SDK reads for each image are read once."""

    def refused(*_: Any) -> None:
        raise OSError("no network here")

    socket.socket.connect = refused  # type: ignore[method-assign]
    image_uris.config_for_framework = cache(image_uris.config_for_framework)
    common_utils._botocore_resolver = cache(common_utils._botocore_resolver)
    logging.disable(logging.CRITICAL)


def regions_of(frameworks: list[str]) -> list[str]:
    texts = [FOLDER.joinpath(f"{name}.json").read_text() for name in frameworks]
    found = {
        region for text in texts for registries in registries_in(json.loads(text)) for region in registries
    }
    return [*sorted(found), "xx-nowhere-1"]


def registries_in(config: Any) -> Iterator[dict[str, str]]:
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "registries":
                yield value
            else:
                yield from registries_in(value)


def sampled(frameworks: list[str], regions: list[str], count: int, seed: int) -> Iterator[Combination]:
    """At random, but often for an ordinary instance: of all combinations, most are refused."""
    chance = random.Random(seed)
    asked = {framework: asked_of(framework) for framework in frameworks}
    for framework in chance.choices(frameworks, [10 + len(asked[name]) for name in frameworks], k=count):
        version, base, python = chance.choice(asked[framework])
        instance = chance.choice(chance.choice((INSTANCES, ORDINARY)))
        yield framework, version, base, python, chance.choice(regions), chance.choice(SCOPES), instance


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("frameworks", nargs="*")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    offline_and_fast()
    every = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem not in NO_FRAMEWORKS)
    regions = regions_of(every)
    frameworks = arguments.frameworks or every
    if arguments.sample:
        chosen = sampled(frameworks, regions, arguments.sample, arguments.seed)
    else:
        chosen = (combination for framework in frameworks for combination in combinations(framework, regions))
    for combination in chosen:
        sys.stdout.write(json.dumps([*combination, retrieve(combination)]) + "\n")


if __name__ == "__main__":
    main()
