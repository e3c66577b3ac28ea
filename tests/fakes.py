"""Stand-ins for tests of one kind: a `Context`, and steps made from YAML text without the compiler's passes.

A step's text may hold `${parameters.X}`, `${execution.id}` and `${steps.S.<property path>}`; sugar is the resolver's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagewright.compiler import images
from sagewright.compiler.assets import (
    Asset,
    AssetError,
    data_asset,
    directory_asset,
    file_asset,
    script_asset,
)
from sagewright.compiler.defaults import longhand
from sagewright.compiler.diagnostics import CODES, Sink, Span
from sagewright.compiler.expression import EXPRESSIONS, ExecutionRef, Join, JsonGet, ParameterRef, StepRef
from sagewright.compiler.kind import Function, StepKind
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, Origin, Seq, Text, key_origin, origin, read_bytes, scalar_text
from sagewright.compiler.types import Type

BUCKET, REGION = "my-bucket", "us-west-2"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"


@dataclass(frozen=True, slots=True)
class Mistake:
    """What a kind reported. `at` is the text of the place, as it is written."""

    code: str
    message: str
    at: str
    help: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class FakeContext:
    """A `Context` for pipeline `p` in a project at `root`. Mistakes are kept, uploads by their URI."""

    root: Path = Path("/nowhere")
    pipeline: str = "p"
    region: str = REGION
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Default values of String parameters, for the processors of instance types."""
    mistakes: list[Mistake] = field(default_factory=list)
    uploads: dict[str, Asset] = field(default_factory=dict)
    functions: list[Function] = field(default_factory=list)
    steps: Mapping[str, Step] = field(default_factory=dict)
    """The pipeline's other steps, by name."""

    @property
    def codes(self) -> list[str]:
        return [mistake.code for mistake in self.mistakes]

    def error(
        self,
        code: str,
        message: str,
        at: Origin | None = None,
        *,
        help: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        assert code in CODES
        self.mistakes.append(Mistake(code, message, written(at), help, notes))

    def default(self, parameter: ParameterRef) -> str | None:
        return self.defaults.get(parameter.name)

    def find_step(self, name: str, at: Origin | None) -> Step | None:
        if name not in self.steps:
            self.error("SW301", f"unknown step `{name}`", at)
        return self.steps.get(name)

    def role(self) -> Any:
        return ROLE

    def bucket(self) -> str:
        return BUCKET

    def image(
        self, value: Any, at: Origin | None, *, scope: str, instances: list[Any], algorithm_ok: bool = False
    ) -> Any:
        if isinstance(value, EXPRESSIONS) or (isinstance(value, str) and "/" in value):
            return value
        wanted = (
            value
            if isinstance(value, dict)
            else dict(zip(("framework", "version"), images.parse_short(value), strict=True))
        )
        types = [self.defaults.get(i.name, "") if isinstance(i, ParameterRef) else i for i in instances]
        try:
            return images.resolve(
                wanted["framework"],
                scalar_text(wanted["version"]) if "version" in wanted else None,
                region=self.region,
                scope=wanted.get("scope", scope),
                instance_types=[name for name in types if name],
                python=wanted.get("python"),
                accelerator=wanted.get("accelerator"),
                base=wanted.get("base"),
            )
        except images.ImageError as error:
            self.error(error.code, error.message, at, help=error.help)
            return images.UNKNOWN

    def path_of(self, path: str, at: Origin | None) -> Path | None:
        return self.root / path

    def _made(self, make: Any, path: str, at: Origin | None) -> Asset | None:
        try:
            return make(self.root / path, self.root)
        except AssetError as error:
            self.error(error.code, error.message, at, help=error.help)
            return None

    def file(self, path: str, at: Origin | None) -> Asset | None:
        return self._made(file_asset, path, at)

    def archive(self, path: str, at: Origin | None) -> Asset | None:
        return self._made(directory_asset, path, at)

    def script(self, path: str, at: Origin | None) -> Asset | None:
        return self._made(script_asset, path, at)

    def data(self, name: str, content: bytes) -> Asset:
        return data_asset(name, content)

    def bundle(self, name: str, files: Mapping[str, bytes]) -> Asset:
        return data_asset(name, b"".join(f"{path}\n".encode() + content for path, content in files.items()))

    def uri(self, asset: Asset) -> str:
        uri = f"s3://{BUCKET}/sagewright/code/{asset.digest}/{asset.name}"
        self.uploads[uri] = asset
        return uri

    def output(self, step: str, name: str) -> Join | str:
        end = f"/{step}/{name}"
        return Join((f"s3://{BUCKET}/sagewright/{self.pipeline}/", ExecutionRef("PipelineExecutionId"), end))

    def job_output(self, step: str) -> str:
        return f"s3://{BUCKET}/sagewright/{self.pipeline}/{step}"

    def function_code(self, path: str, at: Origin | None, *, single: bool) -> Asset | None:
        return self._made(file_asset if single else directory_asset, path, at)

    def function(self, function: Function, at: Origin | None) -> str | None:
        self.functions.append(function)
        return f"arn:aws:lambda:{self.region}:123456789012:function:{function.name}:sw-{function.asset.digest[:12]}"


def written(at: Origin | None) -> str:
    """The text at a place, of its first line; empty where the place is unknown."""
    if at is None:
        return ""
    span: Span = at.span()
    line = at.node.start_mark.name.text.split("\n")[span.line - 1]
    return line[span.column - 1 : span.end_column - 1 if span.end_line == span.line else None]


# -- steps ------------------------------------------------------------------------------------------------------------


def step_of(kind: StepKind, text: str, name: str = "Step", **parameters: Type) -> Step:
    """A step of `kind`: its name over its body, as it would stand under `steps:`. `parameters` are those that are not
    Strings, with their types."""
    sink = Sink()
    document = read_bytes(f"{name}:\n{_indented(text)}".encode(), sink)
    assert document is not None, sink.diagnostics
    body = bound(longhand(document.data[name], kind), parameters)
    place = key_origin(document.data, name)
    assert place is not None
    return Step(name, kind, body, place, place, tags=body.get("tags"), api=body.get("api"))


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.strip("\n").split("\n"))


def bound(value: Any, types: Mapping[str, Type]) -> Any:
    """`value` with expressions for its references, and texts that know their place."""
    if isinstance(value, Map):
        return Map({key: _bound_entry(value, key, types) for key in value}, value.node)
    if isinstance(value, Seq):
        return Seq([_bound_entry(value, index, types) for index in range(len(value))], value.node)
    return value


def _bound_entry(container: Any, key: str | int, types: Mapping[str, Type]) -> Any:
    value = container[key]
    if not isinstance(value, str):
        return bound(value, types)
    place = origin(container, key)
    pieces = re.split(r"\$\{(.+?)\}", value)
    parts = [_reference(piece, types, place) if index % 2 else piece for index, piece in enumerate(pieces)]
    parts = [part for part in parts if part != ""]
    if all(isinstance(part, str) for part in parts):
        return Text(value, place.node if place else None)
    return parts[0] if len(parts) == 1 else Join(tuple(parts), origin=place)


def _reference(path: str, types: Mapping[str, Type], place: Origin | None) -> Any:
    root, _, rest = path.partition(".")
    if root == "parameters":
        return ParameterRef(rest, types.get(rest, Type.STRING), place)
    if root == "execution":
        return ExecutionRef({"id": "PipelineExecutionId"}[rest], origin=place)
    step, _, rest = rest.partition(".")
    return StepRef(step, rest, Type.STRING, place)


# -- arguments --------------------------------------------------------------------------------------------------------


def as_json(value: Any) -> Any:
    """Arguments as the definition has them, without the casts of a later pass."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if isinstance(value, ParameterRef):
        return {"Get": f"Parameters.{value.name}"}
    if isinstance(value, ExecutionRef):
        return {"Get": f"Execution.{value.variable}"}
    if isinstance(value, StepRef):
        return {"Get": f"Steps.{value.step}.{value.path}"}
    if isinstance(value, Join):
        return {"Std:Join": {"On": "", "Values": as_json(value.parts)}}
    assert not isinstance(value, JsonGet)
    return value
