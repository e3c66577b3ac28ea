"""Run one of SageMaker's newer jobs, which share the request CreateJob: agent training and evaluation, synthetic data.

`config` is the job's own configuration, written as a mapping; SageMaker takes it as JSON in a string, in which a
reference can stand only where a string does, and its value must hold neither quotes nor backslashes. CreateJob makes
no folder for each run, so the execution's id is appended to `OutputDataConfig.S3OutputPath`, unless it holds a
reference to the execution already. Source: CreateJob in the SageMaker API reference; the rest, SDK 3.27.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS, ExecutionRef, Expression, Join, operands
from sagewright.compiler.kind import JOB_RETRIES, Context, StepKind, as_text, present, tag_list
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, own_origin
from sagewright.compiler.types import Type

NO_TEXTS = (Type.INTEGER, Type.FLOAT, Type.BOOLEAN)


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    return present(
        RoleArn=context.role(),
        JobCategory=body["category"],
        JobConfigSchemaVersion=as_text(body, "schema_version"),
        JobConfigDocument=_text(tuple(_pieces(_own_output(body["config"]), context))),
        Tags=tag_list(step.tags),
    )


def _own_output(config: Map) -> Map:
    """`config` with an output path of its own for every execution."""
    output = config.get("OutputDataConfig")
    path = output.get("S3OutputPath") if isinstance(output, Map) else None
    if not isinstance(output, Map) or not isinstance(path, (str, *EXPRESSIONS)):
        return config
    if any(isinstance(part, ExecutionRef) for part in operands(path)):
        return config
    parts = path.parts if isinstance(path, Join) else (path,)
    base = (*parts[:-1], parts[-1].rstrip("/")) if isinstance(parts[-1], str) else parts
    own = Join((*base, "/", ExecutionRef("PipelineExecutionId"), "/"), origin=own_origin(path))
    changed = Map({**output, "S3OutputPath": own}, output.node)
    return Map({**config, "OutputDataConfig": changed}, config.node)


def _pieces(value: Any, context: Context) -> Iterator[str | Expression]:
    """JSON of `value`, in pieces of text and references."""
    if isinstance(value, EXPRESSIONS):
        yield '"'
        yield from _quoted(value, context)
        yield '"'
    elif isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            yield f"{', ' if index else '{'}{json.dumps(key)}: "
            yield from _pieces(item, context)
        yield "}" if value else "{}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield ", " if index else "["
            yield from _pieces(item, context)
        yield "]" if value else "[]"
    else:
        yield json.dumps(value)


def _quoted(value: Expression, context: Context) -> Iterator[str | Expression]:
    """A reference, or text around references, as it stands between quotes."""
    if not isinstance(value, Join):
        if value.type in NO_TEXTS:
            message = f"a reference in `config` stands in a string, and this one is of type {value.type}"
            context.error("SW401", message, value.origin, help="write the value itself")
        yield value
        return
    for part in value.parts:
        yield json.dumps(part)[1:-1] if isinstance(part, str) else part


def _text(pieces: tuple[str | Expression, ...]) -> str | Join:
    """The pieces as one, texts that are side by side joined."""
    joined: list[str | Expression] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined[0] if len(joined) == 1 and isinstance(joined[0], str) else Join(tuple(joined))


KIND = StepKind(
    name="job",
    type="Job",
    arguments=arguments,
    request="CreateJob",
    omits=("JobName",),
    properties="DescribeJobResponse",
    cacheable=True,
    retryable=JOB_RETRIES,
)
