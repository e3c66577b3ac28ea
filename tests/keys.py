"""That no key of a kind is ignored: leaving any one out changes what is emitted, or is a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sagewright import schemas, steps
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map
from tests.fakes import FakeContext, as_json, step_of

GENERIC = frozenset(
    (
        *("kind", "reports", "display_name", "description", "depends_on", "retry"),
        *("cache", "role", "matrix", "api", "step_api"),
    )
)
"""Keys that the compiler handles for every kind, or the context."""


def ignored_keys(kind: str, text: str, root: Path) -> list[str]:
    """The keys of a step, as paths, that make no difference to what is emitted."""
    found = steps.find(kind)
    assert found is not None
    step = step_of(found, text)
    whole = _outcome(step, root)
    ignored: list[str] = []
    for path, body in _shortened(step.body):
        try:
            same = _outcome(replace(step, body=body, tags=body.get("tags")), root) == whole
        except KeyError as error:  # a required key: the schema has told
            same = error.args[0] != path.rsplit(".", 1)[-1]
        if same:
            ignored.append(path)
    return ignored


def untried_keys(kind: str, texts: list[str]) -> set[str]:
    """The keys of a kind's schema that none of the steps in `texts` has."""
    found = steps.find(kind)
    assert found is not None
    tried = {key for text in texts for key in step_of(found, text).body}
    return set(schemas.load(f"steps/{kind}")["properties"]) - tried - GENERIC


def _outcome(step: Step, root: Path) -> Any:
    """What is emitted for `step`, and what is wrong with it."""
    context = FakeContext(root)
    made = step.kind.lower(step, context)
    emitted = [
        (one.name, as_json(one.arguments), as_json(one.extra), as_json(one.api), one.depends_on)
        for one in made
    ]
    return emitted, context.codes


def _shortened(body: Map) -> Iterator[tuple[str, Map]]:
    """`body` without each of its keys in turn, however deep; with the path of what is left out."""
    for key, value in body.items():
        yield key, Map({k: v for k, v in body.items() if k != key}, body.node)
        if isinstance(value, Map):
            for path, inner in _shortened(value):
                yield f"{key}.{path}", Map({**body, key: inner}, body.node)
