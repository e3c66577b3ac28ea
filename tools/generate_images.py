"""Generate `schemas/images/`: where SageMaker's own images are, from what sagemaker-core knows.

    python tools/generate_images.py            # write them from the installed sagemaker-core, which is not imported
    python tools/generate_images.py FOLDER     # or from a folder that holds its image_uri_config/*.json
    python tools/generate_images.py --check    # 0: they are what it would write; 1: they are not; 2: no sagemaker-core

One file a framework, `<framework>.json`, so that compiling reads only those that it needs:

    {"accounts": [{"763104351884": "us-east-1 us-west-2 ..."}],
     "images": [{"accounts": 0, "repository": "pytorch-training", "tag": "{version}-{processor}-{python}",
                 "processors": ["cpu", "gpu"], "python": ["py311"], "base": [...], "without": ["p2"]}],
     "scopes": {"training": {"aliases": {"2.5": "2.5.1"}, "versions": {"2.5.1": [0]}}}}

`accounts` and `images` are referred to by index. A scope is training, inference, processing or inference_graviton.
A version's images differ by Python, base framework or processor; the first that fits is meant. In `tag`, `{version}`
is the version as it was asked for, `{full}` what an alias stands for, `{base}` the number of the base framework.
`processors` are cpu, gpu, graviton, inf, trn, or families of instances; an image without them runs on any. `base` has
the spellings of the base framework, the full one first. `without`: families that the image is not for.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from itertools import chain
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "schemas" / "images"
CONFIG = "sagemaker/core/image_uri_config"
NO_FRAMEWORKS = frozenset({"instance_gpu_info"})

SCOPES = {
    # All of these run as processing jobs.
    **dict.fromkeys(
        ("processing", "monitoring", "debugger", "detailed-profiler", "evaluation"), "processing"
    ),
    # Elastic Inference has been shut down: its scope, `eia`, is left out.
    **{name: name for name in ("training", "inference", "inference_graviton")},
}
BASE_PYTHON = "sagemaker-base-python"
NEURON_PROCESSORS = {"inf": ["inf"], "inf2": ["inf2"], "trn": ["trn"], "neuronx": ["inf2", "trn"]}
GRAVITON_TAGS = {"xgboost": "{version}-arm64", "sklearn": "{version}-arm64-cpu-py3"}
P5 = ["p5", "p5e", "p5en"]
P4D_BUILDS = {
    "tensorflow": {
        ("2.3", "py37"): "cu110-ubuntu18.04-v3",
        ("2.3.1", "py37"): "cu110-ubuntu18.04",
        ("2.3.2", "py37"): "cu110-ubuntu18.04",
        ("1.15", "py37"): "cu110-ubuntu18.04-v8",
        ("1.15.4", "py37"): "cu110-ubuntu18.04",
        ("1.15.5", "py37"): "cu110-ubuntu18.04",
    },
    "mxnet": {("1.8", "py37"): "cu110-ubuntu16.04-v1", ("1.8.0", "py37"): "cu110-ubuntu16.04"},
    "pytorch": {
        ("1.6", "py36"): "cu110-ubuntu18.04-v3",
        ("1.6", "py3"): "cu110-ubuntu18.04-v3",
        ("1.6.0", "py36"): "cu110-ubuntu18.04",
        ("1.6.0", "py3"): "cu110-ubuntu18.04",
    },
}
"""On p4d, by version as it was asked for and Python: a build with a newer CUDA (`image_uris._get_image_tag`)."""
FIRST_WITHOUT_P2 = {"pytorch": (1, 13), "pytorch-training-compiler": (1, 13), "tensorflow": (2, 12)}
HUGGINGFACE_BUILDS = {"gpu": "cu110-ubuntu18.04"}
"""For the first releases, which have none of their own (`image_uris.get_training_image_uri`)."""

Image = dict[str, Any]


def generate(folder: Path) -> dict[str, str]:
    """The text of each file, by its name."""
    sources = {path.stem: path for path in sorted(folder.glob("*.json")) if path.stem not in NO_FRAMEWORKS}
    return {
        f"{name}.json": Framework(name, json.loads(path.read_text())).text() for name, path in sources.items()
    }


class Framework:
    """One framework's images, made from its configuration in sagemaker-core."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        self.name = name
        self.accounts: list[dict[str, str]] = []
        self.images: list[Image] = []
        self.scopes = {scope: self.scope(scope, part) for scope, part in parts(name, config)}

    def text(self) -> str:
        content = {"accounts": self.accounts, "images": self.images, "scopes": self.scopes}
        text = json.dumps(content, indent=1, sort_keys=True)
        return re.sub(r"\[([^][{}]*)\]", on_one_line, text) + "\n"

    def scope(self, scope: str, part: dict[str, Any]) -> dict[str, Any]:
        """The versions of one scope, and their aliases."""
        aliases = {alias: full for alias, full in part.get("version_aliases", {}).items() if alias != full}
        versions = {
            version: list(chain.from_iterable(self.variants(scope, part, leaf) for leaf in leaves(entry)))
            for version, entry in part["versions"].items()
        }
        made = {version: self.specialised(version, images) for version, images in versions.items()}
        for alias, full in aliases.items():
            # An alias that has images of its own is a version; those of pytorch-smp hide versions.
            images = self.specialised(alias, versions[full])
            if alias in versions or full in aliases or images != self.specialised(full, versions[full]):
                made[alias] = images
        aliases = {alias: full for alias, full in aliases.items() if alias not in made}
        return {
            "aliases": aliases,
            "versions": {
                version: [index(self.images, image) for image in images]
                for version, images in sorted(made.items())
            },
        }

    def variants(self, scope: str, part: dict[str, Any], leaf: dict[str, Any]) -> Iterator[Image]:
        """The images of one version, base framework and Python: one for each form of the tag."""
        image: Image = {
            "accounts": index(self.accounts, by_account(leaf["registries"])),
            "repository": leaf["repository"],
        }
        if "base" in leaf:
            image["base"] = leaf["base"]
        for processors, tag in self.tags(scope, part.get("processors") or leaf.get("processors") or [], leaf):
            made = image | {"tag": tag}
            if processors:
                made["processors"] = processors
            if "py_versions" in leaf and not (self.name == "spark" and "{python}" not in tag):
                made["python"] = leaf["py_versions"]
            yield made

    def tags(
        self, scope: str, processors: list[str], leaf: dict[str, Any]
    ) -> Iterator[tuple[list[str], str]]:
        """The forms of a tag, with the processors that each is for."""
        prefix = self.prefix(leaf)
        python = "{python}" if "py_versions" in leaf and self.name != BASE_PYTHON else ""
        builds = leaf.get("container_version", {})
        if self.name == "huggingface":
            builds = builds or HUGGINGFACE_BUILDS
        if self.name.endswith(("-neuron", "-neuronx")):
            yield self.neuron_tag(processors, prefix, python, leaf)
            return
        if scope == "inference_graviton":
            yield ["graviton"], self.graviton_tag(processors, prefix, python, leaf)
            return
        if not processors:
            yield [], joined(prefix, python)
        forms: dict[str, list[str]] = {}
        for processor in processors:
            if not builds or processor in builds:
                named = leaf.get("processor_in_tag", True) and (self.name, processor) != (
                    "sagemaker-tritonserver",
                    "gpu",
                )
                tag = joined(prefix, "{processor}" if named else "", python, builds.get(processor, ""))
                forms.setdefault(tag, []).append(processor)
        for tag, found in forms.items():
            if self.name == "spark":
                # Spark's images are named by version alone, or by Python and release.
                yield found, joined(prefix, "{processor}")
                tag = joined(tag, "v1")
            yield found, tag

    def prefix(self, leaf: dict[str, Any]) -> str:
        if self.name == "huggingface-training-compiler":
            return "{base}-transformers{version}"
        if self.name in ("huggingface-neuron", "huggingface-neuronx"):
            return leaf["base"][0].removeprefix("pytorch") + "-transformers{full}"
        if self.name == "huggingface":
            return "{base}-transformers{full}"
        return leaf.get("tag_prefix", "{version}")

    def neuron_tag(
        self, processors: list[str], prefix: str, python: str, leaf: dict[str, Any]
    ) -> tuple[list[str], str]:
        """Tags for Inferentia and Trainium name Neuron's generation, and its SDK before the build."""
        machines = NEURON_PROCESSORS[processors[0] if processors else "neuronx"]
        if not python:
            return machines, prefix
        generation = (
            self.name.rsplit("-", 1)[1] if self.name.startswith(("pytorch", "huggingface")) else "neuronx"
        )
        (build,) = leaf["container_version"].values()
        return machines, joined(prefix, generation, python, *sorted(leaf.get("sdk_versions", []))[-1:], build)

    def graviton_tag(self, processors: list[str], prefix: str, python: str, leaf: dict[str, Any]) -> str:
        if self.name in GRAVITON_TAGS:
            return GRAVITON_TAGS[self.name]
        (build,) = leaf["container_version"].values()
        if not leaf.get("processor_in_tag", True):
            return joined(prefix, build)
        (processor,) = processors
        return joined(prefix, processor, python, build, "sagemaker")

    def specialised(self, asked: str, images: list[Image]) -> list[Image]:
        """Those of a version as it was asked for, where its name or a family of instances makes a difference."""
        if self.name == "pytorch-smp":
            return list(chain.from_iterable(smp_builds(asked, image) for image in images))
        first = FIRST_WITHOUT_P2.get(self.name)
        if first and numbers(asked) >= first:
            images = [
                image | {"without": ["p2"]} if "gpu" in image["processors"] else image for image in images
            ]
        return [*self.p4d_builds(asked, images), *images]

    def p4d_builds(self, asked: str, images: list[Image]) -> Iterator[Image]:
        for image in images:
            for python in image.get("python", []):
                build = P4D_BUILDS.get(self.name, {}).get((asked, python))
                if build and image["tag"] == "{version}-{processor}-{python}":
                    tag = joined("{version}-gpu-{python}", build)
                    yield image | {"processors": ["p4d"], "python": [python], "tag": tag}


def parts(name: str, config: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The scopes of a configuration: it has versions of its own, or they are below the scopes."""
    if "versions" in config:
        # The image for remote functions, which run as training jobs, has no scope.
        config = dict.fromkeys(config.get("scope", ["training"]), config)
    for scope, part in sorted(config.items()):
        if name.endswith("-arm64"):
            yield "inference_graviton", part
        elif scope in SCOPES:
            yield SCOPES[scope], part


def leaves(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a version that have a repository: itself, or one for each Python or base framework."""
    if entry.get("repository") == BASE_PYTHON:
        for python in ("38", "310"):
            yield entry | {"repository": f"{BASE_PYTHON}-{python}", "py_versions": [f"py{python}"]}
    elif "repository" in entry:
        yield entry
    else:
        aliases = entry.get("version_aliases", {})
        for key, leaf in entry.items():
            if key.startswith("py") and not key.startswith("pytorch"):
                yield leaf | {"py_versions": [key]}
            elif key != "version_aliases":
                yield leaf | {"base": [key, *(alias for alias, full in aliases.items() if full == key)]}


def smp_builds(asked: str, image: Image) -> Iterator[Image]:
    """Images of the model parallelism library name their CUDA (`image_uris.get_training_image_uri`)."""
    if "2.5" in asked:
        usual = on_p5 = "cu124"
    else:
        on_p5 = "cu121"
        usual = on_p5 if any(release in asked for release in ("2.1", "2.2", "2.3", "2.4")) else "cu118"
    if usual != on_p5:
        yield image | {"processors": P5, "tag": joined("{version}-gpu-{python}", on_p5)}
    yield image | {"tag": joined(image["tag"], usual)}


def by_account(registries: dict[str, str]) -> dict[str, str]:
    accounts: dict[str, list[str]] = {}
    for region, account in sorted(registries.items()):
        accounts.setdefault(account, []).append(region)
    return {account: " ".join(regions) for account, regions in accounts.items()}


def on_one_line(match: re.Match[str]) -> str:
    return f"[{' '.join(match[1].split())}]"


def index(found: list[Any], item: Any) -> int:
    if item not in found:
        found.append(item)
    return found.index(item)


def joined(*parts: str) -> str:
    return "-".join(part for part in parts if part)


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def installed() -> Path | None:
    """The folder in the installed sagemaker-core, None where there is none."""
    try:
        folder = Path(str(distribution("sagemaker-core").locate_file(CONFIG)))
    except PackageNotFoundError:
        return None
    return folder if folder.is_dir() else None


def check(folder: Path) -> int:
    """Compare the files with what `folder` gives."""
    wanted = generate(folder)
    found = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    stale = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    for name in stale:
        print(f"not up to date: {name}", file=sys.stderr)
    return 1 if stale else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, help="image_uri_config; default: the installed sagemaker-core's"
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    folder: Path | None = arguments.folder or installed()
    if folder is None or not folder.is_dir():
        print(f"no folder {folder}" if folder else "sagemaker-core is not installed", file=sys.stderr)
        return 2
    if arguments.check:
        return check(folder)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for name, text in generate(folder).items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
