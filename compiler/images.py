"""SageMaker's own images: from a framework and a version to a registry URI, and back.

The facts are in `schemas/images/`, one file a framework; `tools/generate_images.py` says how they are laid out.
Where the SDK guesses silently, this module refuses: a version or scope that is not there, although the framework has
but one; a version left out; an x86 image on a processor that cannot run it; a default instance type that stands for
others. `tests/e2e/test_images_against_sdk.py` lists every difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple, Required, TypedDict

from sagewright import schemas
from sagewright.compiler.machines import (
    ACCELERATORS,
    ImageError,
    Machine,
    accelerated,
    machine_of,
    processor,
    runs_on,
)
from sagewright.compiler.suggest import known_are, listing, nearest

__all__ = [
    "ACCELERATORS",
    "SCOPES",
    "UNKNOWN",
    "ImageError",
    "dns_suffix",
    "framework_of_uri",
    "frameworks",
    "is_algorithm",
    "parse_short",
    "partition",
    "processor",
    "resolve",
]

UNKNOWN = "none/none"
"""What stands for an image that is reported not to be there."""
SCOPES = {"training": ("training",), "inference": ("inference",), "processing": ("processing", "training")}
"""The scopes of a framework that serve each purpose, best first."""

_PARTITIONS = {
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
    "us-iso-": ("aws-iso", "c2s.ic.gov"),
    "us-isob-": ("aws-iso-b", "sc2s.sgov.gov"),
    "eu-isoe-": ("aws-iso-e", "cloud.adc-e.uk"),
    "us-isof-": ("aws-iso-f", "csp.hci.ic.gov"),
    "eusc-": ("aws-eusc", "amazonaws.eu"),
}
"""By the beginning of the region: partition and DNS suffix, as in botocore's `endpoints.json`."""

_SCOPE_WORDS = {"inference_graviton": "inference on Graviton"}
_OTHER_NAMES = {
    "lmi": "djl-lmi",
    "scikit-learn": "sklearn",
    "tgi": "huggingface-llm",
    "torch": "pytorch",
    "transformers": "huggingface",
    "triton": "sagemaker-tritonserver",
}
_USES = "(-(training|inference|trcomp|scriptmode|serving|eia|graviton|arm64|neuronx?))*"
_SCRIPT_MODE = {
    "xgboost": "(sagemaker-)?xgboost",
    "sklearn": "sagemaker-scikit-learn",
    "huggingface": f"huggingface-(pytorch|tensorflow){_USES}",
    "pytorch": f"(sagemaker-)?pytorch{_USES}|smdistributed-modelparallel",
    **{name: f"(sagemaker-)?{name}{_USES}" for name in ("tensorflow", "mxnet", "chainer")},
}
"""By framework: its repositories."""


class _Image(TypedDict, total=False):
    accounts: Required[int]
    repository: Required[str]
    tag: Required[str]
    processors: list[str]
    python: list[str]
    base: list[str]
    without: list[str]


class _Wanted(NamedTuple):
    """What was asked for. `name` is it in messages: `pytorch:2.5`."""

    framework: str
    version: str | None
    region: str
    scope: str
    python: str | None
    base: str | None

    @property
    def name(self) -> str:
        return f"{self.framework}:{self.version}" if self.version else self.framework


def parse_short(text: str) -> tuple[str, str | None]:
    """`xgboost:1.7-1` as framework and version; without a version, None. Raises ImageError."""
    framework, colon, version = text.partition(":")
    if not framework or ":" in version or bool(colon) != bool(version):
        wanted = "a registry's URI, or a framework and its version as in `xgboost:1.7-1`"
        raise ImageError(f"`{text}` names no image: expected {wanted}")
    return framework, version or None


def partition(region: str) -> str:
    """The partition in the ARNs of `region`: aws, aws-cn, aws-us-gov, ..."""
    return _partition(region)[0]


def dns_suffix(region: str) -> str:
    """The domain of AWS's services in `region`: amazonaws.com, amazonaws.com.cn, ..."""
    return _partition(region)[1]


def frameworks() -> list[str]:
    """The names of the frameworks and built-in algorithms that have images."""
    return sorted(name.removesuffix(".json") for name in schemas.names("images"))


def resolve(
    framework: str,
    version: str | None,
    *,
    region: str,
    scope: str,
    instance_types: Iterable[str],
    python: str | None = None,
    accelerator: str | None = None,
    base: str | None = None,
) -> str:
    """The registry URI of an image of SageMaker's.

    `scope` is training, inference or processing. `instance_types` are all that the step may run on; they have to
    lead to one image, unless `accelerator` (cpu, gpu, neuron, graviton) says which. `python` (py311) and `base`
    (pytorch2.1.0, for huggingface) are needed where there is a choice; `version` may be None where there is none.
    Raises ImageError: SW807 for what does not exist, SW808 where the processor cannot be told.
    """
    if scope not in SCOPES:
        raise _unknown(f"unknown scope `{scope}`", scope, SCOPES)
    wanted = _Wanted(framework, version, region, scope, python, base)
    machines = [machine_of(name) for name in instance_types]
    if accelerator is not None:
        machines = [accelerated(accelerator, machines)]
    found: dict[str, Machine | None] = {}
    for machine in machines or [None]:
        found.setdefault(_uri(wanted, machine), machine)
    if len(found) > 1:
        one, other, *_ = found.values()
        message = f"`{wanted.name}` has different images for {one} and {other}"
        raise ImageError(message, "SW808", "say which with `accelerator`")
    return next(iter(found))


def framework_of_uri(uri: str) -> tuple[str, str | None] | None:
    """The framework whose script mode an image in ECR has, and the version that its tag says; None for other images.

    Told by the repository's name, so copies in one's own account count: `.../pytorch-training:2.5.1-gpu-py311` is
    ("pytorch", "2.5.1"). Of huggingface, the version is that of transformers.
    """
    registry, _, name = uri.partition("/")
    repository, _, tag = name.partition("@")[0].partition(":")
    found = (framework for framework, pattern in _SCRIPT_MODE.items() if re.fullmatch(pattern, repository))
    framework = next(found, None) if ".dkr.ecr." in registry else None
    if framework is None:
        return None
    before = ".*-transformers" if framework == "huggingface" else ""
    match = re.match(rf"{before}(\d+(?:\.\d+)*(?:-\d+(?![\w.]))?)", tag)
    return framework, match[1] if match else None


@cache
def is_algorithm(name: str) -> bool:
    """Is it a built-in algorithm, whose containers run no code but their own? These have images of version 1 only, for
    training and for inference."""
    if name not in frameworks():
        return False
    scopes = _load(name)["scopes"]
    return all(
        list(scopes.get(scope, {}).get("versions", ())) == ["1"] for scope in ("training", "inference")
    )


def is_sagemakers(uri: str) -> bool:
    """Is an image in one of SageMaker's own registries, as far as its region and repository are known?"""
    return bool(_registries(uri))


def in_region(uri: str, region: str) -> str | None:
    """An image of SageMaker's own, as it is called in another region; None for others, and where that has none."""
    here = _REGISTRY.match(uri)
    for accounts in _registries(uri):
        if here is not None and region in accounts:
            return f"{accounts[region]}.dkr.ecr.{region}.{dns_suffix(region)}/{uri[here.start(3) :]}"
    return None


_REGISTRY = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[a-z.]+/([a-z0-9._/-]+)(?=[:@]|$)")


def _registries(uri: str) -> list[dict[str, str]]:
    """The registries of SageMaker's that an image is in: by region, the account. Frameworks may share a repository."""
    match = _REGISTRY.match(uri)
    if match is None:
        return []
    account, region, repository = match.groups()
    found: list[dict[str, str]] = []
    for framework in frameworks():
        data = _load(framework)
        numbers = {image["accounts"] for image in data["images"] if image["repository"] == repository}
        for number in sorted(numbers):
            by_region = {name: id for id, names in data["accounts"][number].items() for name in names.split()}
            if by_region.get(region) == account:
                found.append(by_region)
    return found


# -- from what was asked to an image ------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _uri(wanted: _Wanted, machine: Machine | None) -> str:
    wanted = wanted._replace(framework=_framework(wanted.framework, machine))
    data = _load(wanted.framework)
    scope = _scope(wanted, machine, data["scopes"])
    full = _version(wanted, scope, **data["scopes"][scope])
    images = [data["images"][index] for index in data["scopes"][scope]["versions"][full]]
    images, python = _with_python(wanted, _on_base(wanted, images))
    image, processor = _for_machine(wanted, machine, images)
    base = wanted.base or image.get("base", [""])[0]
    tag = image["tag"].format(
        version=wanted.version or full,
        full=full,
        base=base.removeprefix("pytorch").removeprefix("tensorflow"),
        processor=processor,
        python=python,
    )
    account = _account(wanted, data["accounts"][image["accounts"]])
    registry = f"{account}.dkr.ecr.{wanted.region}.{dns_suffix(wanted.region)}"
    return f"{registry}/{image['repository']}{':' if tag else ''}{tag}"


def _framework(framework: str, machine: Machine | None) -> str:
    """Images for Inferentia and Trainium are frameworks of their own; inf1 has Neuron's first generation."""
    if machine is None or machine.processor != "neuron" or framework not in ("huggingface", "pytorch"):
        return framework
    generation = "neuron" if framework == "pytorch" or machine.family == "inf1" else "neuronx"
    return f"{framework}-{generation}"


@cache
def _load(framework: str) -> dict[str, Any]:
    if re.fullmatch(r"[a-z\d-]{1,64}", framework):
        try:
            return json.loads(schemas.read(f"images/{framework}.json"))
        except FileNotFoundError:
            pass
    meant = _OTHER_NAMES.get(framework.lower(), framework)
    raise _unknown(f"unknown framework `{framework}`", meant, frameworks())


def _scope(wanted: _Wanted, machine: Machine | None, scopes: dict[str, Any]) -> str:
    order = SCOPES[wanted.scope]
    if machine is not None and machine.processor == "arm64":
        message = f"no image of `{wanted.framework}` is known to run on {machine}"
        also = ", or say `accelerator: graviton`" if "inference_graviton" in scopes else ""
        raise ImageError(message, help=f"give the image's URI{also}")
    if machine is not None and machine.processor == "graviton":
        order = (f"{wanted.scope}_graviton",)
    for scope in order:
        if scope in scopes:
            return scope
    on = "" if order[0] in SCOPES else f" on {machine}"
    words = [_SCOPE_WORDS.get(scope, scope) for scope in scopes]
    message = f"`{wanted.framework}` has no images for {wanted.scope}{on}, only for {', '.join(words)}"
    fits = len(words) == 1 and words[0] in SCOPES and not on and wanted.scope != "inference"
    only = words[0] if fits else None  # no other image serves
    raise ImageError(message, help=f"`scope: {only}` takes that one" if only else None)


def _version(wanted: _Wanted, scope: str, versions: dict[str, Any], aliases: dict[str, str]) -> str:
    """The version in full."""
    if wanted.version is None:
        if len(versions) > 1:
            raise ImageError(f"`{wanted.framework}` needs a version: {_choice(_newest_first(versions))}")
        return next(iter(versions))
    full = aliases.get(wanted.version, wanted.version)
    if full not in versions:
        message = (
            f"`{wanted.framework}` has no version `{wanted.version}` for {_SCOPE_WORDS.get(scope, scope)}"
        )
        raise _unknown(message, wanted.version, _newest_first(versions), also=aliases)
    return full


def _on_base(wanted: _Wanted, images: list[_Image]) -> list[_Image]:
    bases = list(dict.fromkeys(image["base"][0] for image in images if "base" in image))
    if wanted.base is None:
        if len(bases) > 1:
            raise ImageError(f"`{wanted.name}` is built on several frameworks: {_choice(bases)} as `base`")
        return images
    if not bases:
        raise ImageError(f"`{wanted.name}` has no choice of a base framework: leave `base` out")
    found = [image for image in images if wanted.base in image.get("base", [])]
    if not found:
        raise _unknown(f"`{wanted.name}` is not built on `{wanted.base}`", wanted.base, bases)
    return found


def _with_python(wanted: _Wanted, images: list[_Image]) -> tuple[list[_Image], str]:
    """The images with the Python that is wanted, or that is the only one, and its name in their tags.

    Where no tag has a Python, a wanted one is passed over: a step for training may share its `image` with one for
    inference.
    """
    pythons = list(dict.fromkeys(python for image in images for python in image.get("python", [])))
    plain = [image for image in images if "python" not in image]
    if plain and (wanted.python is None or not pythons):
        return plain, ""
    if wanted.python is None and len(pythons) > 1:
        raise ImageError(f"`{wanted.name}` comes with several Pythons: {_choice(pythons)} as `python`")
    python = wanted.python or pythons[0]
    if python not in pythons:
        raise _unknown(f"`{wanted.name}` does not come with Python `{python}`", python, pythons)
    return [image for image in images if python in image.get("python", [])], python


def _for_machine(wanted: _Wanted, machine: Machine | None, images: list[_Image]) -> tuple[_Image, str]:
    """The image that runs on the machine, and the processor's name in its tag."""
    processors = list(dict.fromkeys(name for image in images for name in image.get("processors", [])))
    if not processors and not (machine and machine.family.startswith("trn")):
        return images[0], ""
    if machine is None or not machine.family:
        if len(processors) == 1 or (len(images) == 1 and "{processor}" not in images[0]["tag"]):
            return images[0], processors[0]
        why = (
            f"`{machine.name}` is no instance type" if machine else "no instance type is known when compiling"
        )
        message = f"`{wanted.name}` has images for {listing(processors)}, and {why}"
        raise ImageError(message, "SW808", "say which with `accelerator`")
    for image in images:
        name = runs_on(image.get("processors", []), machine)
        if name and machine.family not in image.get("without", []):
            return image, name
    only = f", only for {listing(processors)}" if processors and machine.processor not in processors else ""
    raise ImageError(f"`{wanted.name}` has no image for {machine}{only}")


def _account(wanted: _Wanted, accounts: dict[str, str]) -> str:
    regions: list[str] = []
    for account, names in accounts.items():
        if wanted.region in names.split():
            return account
        regions += names.split()
    raise _unknown(f"`{wanted.name}` is not in the region `{wanted.region}`", wanted.region, sorted(regions))


def _partition(region: str) -> tuple[str, str]:
    found = (entry for prefix, entry in _PARTITIONS.items() if region.startswith(prefix))
    return next(found, ("aws", "amazonaws.com"))


# -- messages ---------------------------------------------------------------------------------------------------------


def _unknown(message: str, name: str, choices: Iterable[str], also: Iterable[str] = ()) -> ImageError:
    """An error that names the choices; `also` are names that may be suggested too."""
    names = list(choices)
    near = nearest(name, [*names, *also])
    message = f"{message}: {known_are(names, limit=len(names))}"
    return ImageError(message, help=f"did you mean `{near}`?" if near else None)


def _choice(names: Sequence[str]) -> str:
    return f"say {listing(names, limit=len(names), last='or')}"


def _newest_first(versions: Iterable[str]) -> list[str]:
    def key(version: str) -> list[tuple[int, str]]:
        return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"[.-]", version)]

    return sorted(versions, key=key, reverse=True)
