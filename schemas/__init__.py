"""JSON Schemas: the language (by hand) and AWS's API (generated from botocore).

The language's schemas are clean: an integer is an integer. Where a reference or a template may stand in its place is
added by `permitting`, for validators and editors alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.metadata import entry_points
from typing import Any

ENTRY_POINTS = "sagewright.kinds"
"""Packages add kinds by entry points of this group: name = "package.module", and `<name>.schema.json` in the package."""
REFERENCE = r"(?<!\$)\$\{"
"""`$${` is a literal `${`."""
TEMPLATE = REFERENCE + r"|\{\{|\{%"
_SCALARS = {"string", "integer", "number", "boolean", "null"}


def read(name: str) -> bytes:
    """A file of this package: `api/requests.json.gz`."""
    return resources.files(__name__).joinpath(*name.split("/")).read_bytes()


def names(folder: str) -> list[str]:
    """The files of a folder of this package, sorted."""
    return sorted(
        entry.name for entry in resources.files(__name__).joinpath(folder).iterdir() if entry.is_file()
    )


@cache
def load(name: str) -> dict[str, Any]:
    """A schema of the language with its references inlined: `pipeline`, `project` or `steps/<kind>`."""
    schema = _document(f"{name}.schema.json")
    made = inlined(schema, schema)
    made.pop("$defs", None)
    return made


def paths(
    schema: Mapping[str, Any], wanted: Callable[[tuple[str, ...], Mapping[str, Any]], Any], *at: str
) -> Iterator[tuple[str, ...]]:
    """The places that a schema describes of which, with their own schema, `wanted` holds; `*` is every entry."""
    if wanted(at, schema):
        yield at
    for key, child in schema.get("properties", {}).items():
        yield from paths(child, wanted, *at, key)
    for child in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(child, dict):
            yield from paths(child, wanted, *at, "*")


@cache
def _document(path: str) -> dict[str, Any]:
    """A schema of ours, else that of a kind from another package: it stands beside the kind's module."""
    folder, _, file = path.rpartition("/")
    if folder == "steps" and not resources.files(__name__).joinpath(folder, file).is_file():
        for point in entry_points(group=ENTRY_POINTS, name=file.removesuffix(".schema.json")):
            package = point.module.rpartition(".")[0] or point.module
            return json.loads(resources.files(package).joinpath(file).read_bytes())
    return json.loads(read(path))


def inlined(schema: Any, document: dict[str, Any]) -> Any:
    """`schema`, a part of `document`, with every `$ref` replaced by what it refers to, in `document` or in another
    file; what stands beside it wins."""
    if isinstance(schema, list):
        return [inlined(item, document) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: inlined(value, document) for key, value in schema.items() if key != "$ref"}
    if "$ref" not in schema:
        return made
    file, _, pointer = schema["$ref"].partition("#/")
    holder = target = document if not file else _document(_path(file))
    for key in pointer.split("/"):
        target = target[key]
    return {**inlined(target, holder), **made}


def _path(file: str) -> str:
    """Where a file is that schemas refer to: some stand at the top, kinds beside one another."""
    name = file.removeprefix("../")
    return name if name in names("") else f"steps/{name}"


def permitting(schema: Any, pattern: str) -> Any:
    """`schema` that also takes a text matching `pattern` for any scalar, but for literals (`x-literal`)."""
    if isinstance(schema, list):
        return [permitting(item, pattern) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "patternProperties", "$defs"):
            made[key] = {name: permitting(child, pattern) for name, child in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            made[key] = permitting(value, pattern)
        else:
            made[key] = value
    types = schema.get("type")
    wanted = {types} if isinstance(types, str) else set(types or ())
    if "default" in made and wanted:  # `null` leaves a built-in default out
        made["type"] = sorted(wanted | {"null"})
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    if schema.get("x-literal"):
        return {**made, "not": {"type": "string", "pattern": REFERENCE}} if pattern == REFERENCE else made
    if not wanted & _SCALARS:
        return made
    if wanted == {"string"} and not {"pattern", "enum", "const", "minLength", "maxLength"} & made.keys():
        return made
    shown = {key: made[key] for key in ("title", "description", "default", "examples") if key in made}
    return {**shown, "anyOf": [made, {"type": "string", "pattern": pattern}]}
