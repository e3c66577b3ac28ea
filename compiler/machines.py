"""Instance types, and the processors that images are for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from sagewright.compiler.suggest import listing, nearest

ACCELERATORS = ("cpu", "gpu", "neuron", "graviton")

_GRAVITON = frozenset({"m6g", "m6gd", "c6g", "c6gd", "c6gn", "c7g", "r6g", "r6gd"})
"""The families that SageMaker's Graviton images are known to run on (`fw_utils` in sagemaker-core)."""
_OTHER_ARM = r"[a-z]+\d+g[a-z]*|a1|.*-gb\d+"
"""Newer Gravitons (c8g, r7gd) and Grace hosts (p6e-gb200)."""


class ImageError(Exception):
    """No image, or not one alone, is meant; `message`, `code` and `help` are those of a diagnostic."""

    def __init__(self, message: str, code: str = "SW807", help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.help = help


class Machine(NamedTuple):
    """A kind of instance. `name` is it in messages; `family` is empty for something that is no instance type."""

    name: str
    family: str
    processor: str

    def __str__(self) -> str:
        return f"`{self.name}` ({self.processor})"


def machine_of(instance_type: str) -> Machine:
    match = re.fullmatch(r"ml\.([a-z\d-]+)(\.\w+)?", instance_type)
    family = match[1] if match else ""
    return Machine(instance_type, family, _processor(family))


def processor(instance_type: str) -> str:
    """cpu, gpu, neuron, graviton, or arm64 for processors of Arm's that no image is known for. Raises ImageError."""
    found = machine_of(instance_type)
    if not found.family:
        raise ImageError(f"`{instance_type}` is no instance type: expected `ml.<family>.<size>`", "SW808")
    return found.processor


def _processor(family: str) -> str:
    if family in _GRAVITON:
        return "graviton"
    if re.fullmatch(_OTHER_ARM, family):
        return "arm64"
    if family.startswith(("inf", "trn")):
        return "neuron"
    return "gpu" if family.startswith(("g", "p")) else "cpu"


def accelerated(accelerator: str, machines: Sequence[Machine]) -> Machine:
    """What `accelerator` stands for on `machines`, one of which must have it. Raises ImageError."""
    if accelerator not in ACCELERATORS:
        near = nearest(accelerator, ACCELERATORS)
        help = f"did you mean `{near}`?" if near else None
        message = f"unknown accelerator `{accelerator}`: known are {listing(ACCELERATORS)}"
        raise ImageError(message, help=help)
    for one in machines:
        arm = one.processor in ("graviton", "arm64")
        if one.family and arm != (accelerator == "graviton"):
            raise ImageError(f"an image for `{accelerator}` does not run on {one}")
    alike = next((one for one in machines if one.processor == accelerator), None)
    if alike is None and accelerator in ("gpu", "neuron") and machines and all(m.family for m in machines):
        message = f"an image for `{accelerator}` has nothing to run on: {machines[0]} has none"
        raise ImageError(message, "SW808", "leave `accelerator` out: the instance decides it")
    return alike or Machine(accelerator, accelerator, accelerator)


def runs_on(processors: Sequence[str], machine: Machine) -> str | None:
    """Which of an image's `processors` the machine has: its family, or its kind."""
    for name in processors:
        if name in (machine.family, machine.processor):
            return name
        if name in ("inf", "trn") and machine.family.startswith(name):
            return name
        if name.startswith(("inf", "trn")) and machine.family == "neuron":
            return name
    return None


def wasted_on(uri: str, instance_types: Sequence[str]) -> Machine | None:
    """The first of the instances, none of which has the accelerator that the image at `uri` is for; None where one
    has it, or nobody can tell. The image is one in ECR whose tag or repository says it, as AWS's own do."""
    registry, _, name = uri.partition("/")
    if ".dkr.ecr." not in registry or not instance_types:
        return None
    repository, _, tag = name.partition("@")[0].partition(":")
    wanted = (
        "neuron" if "neuron" in repository else "gpu" if re.search(r"(^|-)(gpu|cu\d+)(-|$)", tag) else None
    )
    machines = [machine_of(instance) for instance in instance_types]
    if wanted is None or any(not one.family or one.processor in (wanted, "arm64") for one in machines):
        return None
    return machines[0]
