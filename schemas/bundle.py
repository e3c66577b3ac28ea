"""One schema for editors: a pipeline with all its kinds, templates and references allowed where they may stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sagewright import schemas

_OURS = ("x-literal", "x-step", "$schema")
"""Annotations that editors do not know."""
_BRANCHES = ("then", "else", "body")
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def pipeline(kinds: Iterable[str]) -> dict[str, Any]:
    """The schema of a pipeline file. The kind of a step chooses its schema; keys that defaults may give are not
    required, since an editor does not see the project file."""
    return _with_steps("pipeline", list(kinds))


def component(kinds: Iterable[str]) -> dict[str, Any]:
    """The schema of a component file."""
    return _with_steps("component", list(kinds))


def _with_steps(name: str, kinds: list[str]) -> dict[str, Any]:
    root = _clean(schemas.permitting(schemas.load(name), schemas.TEMPLATE))
    root["properties"]["steps"] = {
        **root["properties"]["steps"],
        "additionalProperties": {"$ref": "#/$defs/step"},
    }
    root["properties"]["defaults"] = {**root["properties"]["defaults"], **_defaults(kinds)}
    step = {
        "type": "object",
        "properties": {
            "kind": {"title": "Kind", "description": "What kind of step this is.", "enum": kinds},
            "uses": {"title": "Component", "description": "A file with steps, in place of `kind`."},
        },
        "if": {"required": ["uses"]},
        "then": {"$ref": "#/$defs/uses"},
        "else": {
            "required": ["kind"],
            "allOf": [
                {
                    "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                    "then": {"$ref": f"#/$defs/{name}"},
                }
                for name in kinds
            ],
        },
    }
    uses = _clean(schemas.permitting(schemas.load("uses"), schemas.TEMPLATE))
    return {"$schema": DIALECT, **root, "$defs": {"step": step, "uses": uses, **{k: kind(k) for k in kinds}}}


def kind(name: str) -> dict[str, Any]:
    """The schema of one kind of step."""
    made = _clean(schemas.permitting(schemas.load(f"steps/{name}"), schemas.TEMPLATE))
    made["required"] = ["kind"]
    for branch in _BRANCHES:
        if made["properties"].get(branch, {}).get("type") == "object":
            made["properties"][branch]["additionalProperties"] = {"$ref": "#/$defs/step"}
    made["properties"] = {key: _or_whole(key, child) for key, child in made["properties"].items()}
    return {key: value for key, value in made.items() if key != "$schema"}


def _or_whole(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A list or a mapping, or a text that stands for a whole one: `{{ vars.x }}`, `${inputs.x}`, that of a matrix."""
    if key in _BRANCHES or schema.get("type") not in (
        "array",
        "object",
        ["array", "object"],
        ["object", "array"],
    ):
        return schema
    shown = {word: schema[word] for word in ("title", "description", "examples") if word in schema}
    return {**shown, "anyOf": [schema, {"type": "string", "pattern": schemas.TEMPLATE}]}


def project() -> dict[str, Any]:
    """The schema of a project file."""
    return {"$schema": DIALECT, **_clean(schemas.permitting(schemas.load("project"), schemas.TEMPLATE))}


def tests() -> dict[str, Any]:
    """The schema of a file of tests."""
    return {"$schema": DIALECT, **_clean(schemas.load("tests"))}


def _defaults(names: list[str]) -> dict[str, Any]:
    general: dict[str, Any] = {}
    for name in names:
        for key, value in kind(name)["properties"].items():
            if key not in ("kind", *_BRANCHES):
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
        return {key: _clean(value) for key, value in schema.items() if key not in _OURS}
    return schema
