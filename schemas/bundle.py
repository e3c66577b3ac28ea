"""One schema for editors: a pipeline with all its kinds, templates and references allowed where they may stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sagewright import schemas

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def pipeline(kinds: Iterable[str]) -> dict[str, Any]:
    """The schema of a pipeline file. The kind of a step chooses its schema; keys that defaults may give are not
    required, since an editor does not see the project file."""
    names = list(kinds)
    root = _clean(schemas.permitting(schemas.load("pipeline"), schemas.TEMPLATE))
    root["properties"]["steps"] = {
        **root["properties"]["steps"],
        "additionalProperties": {"$ref": "#/$defs/step"},
    }
    root["properties"]["defaults"] = {**root["properties"]["defaults"], **_defaults(names)}
    step = {
        "type": "object",
        "properties": {"kind": {"title": "Kind", "description": "What kind of step this is.", "enum": names}},
        "required": ["kind"],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{name}"},
            }
            for name in names
        ],
    }
    return {"$schema": DIALECT, **root, "$defs": {"step": step, **{name: kind(name) for name in names}}}


def kind(name: str) -> dict[str, Any]:
    """The schema of one kind of step."""
    made = _clean(schemas.permitting(schemas.load(f"steps/{name}"), schemas.TEMPLATE))
    made["required"] = ["kind"]
    for branch in ("then", "else", "body"):
        if made["properties"].get(branch, {}).get("type") == "object":
            made["properties"][branch]["additionalProperties"] = {"$ref": "#/$defs/step"}
    return {key: value for key, value in made.items() if key != "$schema"}


def project() -> dict[str, Any]:
    """The schema of a project file."""
    return {"$schema": DIALECT, **_clean(schemas.permitting(schemas.load("project"), schemas.TEMPLATE))}


def _defaults(names: list[str]) -> dict[str, Any]:
    general: dict[str, Any] = {}
    for name in names:
        for key, value in kind(name)["properties"].items():
            if key not in ("kind", "then", "else", "body"):
                general.setdefault(key, {k: value[k] for k in ("title", "description") if k in value})
    kinds = {
        "type": "object",
        "properties": {name: {"type": "object"} for name in names},
        "additionalProperties": False,
    }
    return {"properties": {**general, "kinds": kinds}, "additionalProperties": False}


def _clean(schema: Any) -> Any:
    """Without our own annotations, which editors do not know."""
    if isinstance(schema, list):
        return [_clean(item) for item in schema]
    if isinstance(schema, dict):
        return {key: _clean(value) for key, value in schema.items() if key not in ("x-literal", "$schema")}
    return schema
