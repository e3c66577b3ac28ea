"""Generate `schemas/api/`: the shapes of the AWS requests and responses that pipelines speak, from botocore's models.

    python tools/generate_api.py            # write them from the installed botocore
    python tools/generate_api.py --check    # 0: they are what it would write; 1: they are not; 2: another botocore

Two files a service, `<service>-requests.json.gz` and `<service>-responses.json.gz`:

    {"botocore": "1.44.5", "roots": {"CreateModel": "CreateModelInput"}, "shapes": {"CreateModelInput": {...}}}

`roots` maps an operation to its input's shape; of responses it maps a shape's name to itself. A shape is botocore's,
without documentation; a scalar without constraints is written as its type where it is used. Responses are only
looked up, never checked, so none of their scalars has constraints.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import Loader

FOLDER = Path(__file__).parents[1] / "schemas" / "api"
SCALARS = frozenset({"string", "integer", "long", "float", "double", "boolean", "timestamp", "blob"})
CONSTRAINTS = ("min", "max", "pattern", "enum")

_JOBS = ("ProcessingJob", "TrainingJob", "HyperParameterTuningJob", "TransformJob", "AutoMLJob", "Job")
_MODELS = ("Model", "ModelPackage", "EndpointConfig", "Endpoint", "InferenceComponent")
_LINEAGE = ("Action", "Artifact", "Context")
_SAGEMAKER = (*_JOBS, *_MODELS, *_LINEAGE, "Pipeline")

REQUESTS: dict[str, tuple[str, ...]] = {
    "sagemaker": (*(f"Create{name}" for name in _SAGEMAKER), "AddAssociation"),
    "emr": ("RunJobFlow", "AddJobFlowSteps"),
    "emr-serverless": ("CreateApplication", "StartJobRun"),
}
"""The operations whose requests are wanted, by service."""
RESPONSES: dict[str, tuple[str, ...]] = {
    "sagemaker": tuple(f"Describe{name}" for name in _SAGEMAKER),
    "emr": (),
    "emr-serverless": ("GetJobRun",),
}
"""The operations whose responses are wanted, by service."""
PARTS: dict[str, tuple[str, ...]] = {
    # Pipelines adds the summaries to a tuning job's properties.
    "sagemaker": ("HyperParameterTrainingJobSummaries",),
    # The properties of an EMR step are what DescribeStep's response holds, not the response.
    "emr": ("Step",),
    "emr-serverless": (),
}
"""Shapes that are wanted by their own name, as responses are."""


def generate() -> dict[str, dict[str, Any]]:
    """The content of each file, by its name without the suffix."""
    files: dict[str, dict[str, Any]] = {}
    for service in REQUESTS:
        model = service_model(service)
        operations = model["operations"]
        requests = {name: operations[name]["input"]["shape"] for name in REQUESTS[service]}
        shown = (*(operations[name]["output"]["shape"] for name in RESPONSES[service]), *PARTS[service])
        files[f"{service}-requests"] = snapshot(model["shapes"], requests, CONSTRAINTS)
        files[f"{service}-responses"] = snapshot(model["shapes"], {name: name for name in shown}, ())
    return files


def service_model(service: str) -> dict[str, Any]:
    """The newest model of `service` that botocore ships; models of the user's own are not looked at."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return loader.load_service_model(service, "service-2")


def snapshot(shapes: dict[str, Any], roots: dict[str, str], constraints: tuple[str, ...]) -> dict[str, Any]:
    """`roots` and every shape that they need, with those `constraints` on scalars."""
    kept: dict[str, Any] = {}
    waiting = list(roots.values())
    while waiting:
        name = waiting.pop()
        if name in kept or name in SCALARS:
            continue
        kept[name] = trimmed(name, shapes, constraints)
        waiting += references(kept[name])
    return {"botocore": botocore.__version__, "roots": roots, "shapes": dict(sorted(kept.items()))}


def trimmed(name: str, shapes: dict[str, Any], constraints: tuple[str, ...]) -> dict[str, Any]:
    """The shape `name`, reduced to what checking needs."""
    shape = shapes[name]
    made: dict[str, Any] = {"type": shape["type"]}
    for part in ("member", "key", "value"):
        if part in shape:
            made[part] = referred(shape[part]["shape"], shapes, constraints)
    if "members" in shape:
        made["members"] = {
            member: referred(place["shape"], shapes, constraints)
            for member, place in shape["members"].items()
        }
    if constraints and shape.get("required"):
        made["required"] = shape["required"]
    made.update((key, shape[key]) for key in constraints if key in shape)
    return made


def referred(name: str, shapes: dict[str, Any], constraints: tuple[str, ...]) -> str:
    """How a shape is referred to: a scalar without constraints by its type, all others by name."""
    assert name not in SCALARS, f"a shape has the name of a type: {name}"
    shape = shapes[name]
    plain = shape["type"] in SCALARS and not any(key in shape for key in constraints)
    return shape["type"] if plain else name


def references(shape: dict[str, Any]) -> list[str]:
    return [
        *shape.get("members", {}).values(),
        *(shape[part] for part in ("member", "key", "value") if part in shape),
    ]


def packed(content: dict[str, Any]) -> bytes:
    """The same bytes for the same content: no name and no time in the gzip header."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    return buffer.getvalue()


def unpacked(name: str) -> dict[str, Any] | None:
    """What a generated file holds; None where it is missing."""
    path = FOLDER / f"{name}.json.gz"
    return json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else None


def check() -> int:
    """Compare the files with what the installed botocore gives."""
    wanted = generate()
    found = {name: unpacked(name) for name in wanted}
    versions = {content["botocore"] for content in found.values() if content}
    if versions - {botocore.__version__}:
        print(
            f"taken from botocore {', '.join(sorted(versions))}, installed is {botocore.__version__}",
            file=sys.stderr,
        )
        return 2
    stale = sorted(name for name in wanted if wanted[name] != found[name])
    stale += sorted(
        path.name for path in FOLDER.glob("*.json.gz") if path.name.removesuffix(".json.gz") not in wanted
    )
    for name in stale:
        print(f"not up to date: {name}", file=sys.stderr)
    return 1 if stale else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        return check()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.json.gz"):
        path.unlink()
    for name, content in generate().items():
        (FOLDER / f"{name}.json.gz").write_bytes(packed(content))
    return 0


if __name__ == "__main__":
    sys.exit(main())
