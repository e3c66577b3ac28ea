"""Check data, or a model's predictions, against a baseline of statistics and constraints.

SageMaker's Model Monitor makes statistics and constraints of the data in `baseline`, and compares them with those of
the model group's latest approved version, or with those that are `supplied`. Source: SageMaker developer guide,
"Quality check step"; the request, SDK 3.27.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from sagewright.compiler.kind import Context, StepKind, as_text, in_full, present, text_map
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin
from sagewright.steps._checks import (
    CONSTRAINTS,
    INPUTS,
    OUTPUT,
    STATISTICS,
    job,
    only_for,
    s3_input,
    verdict,
)
from sagewright.steps._code import file_uri
from sagewright.steps._job import NOT_IN_EXPERIMENTS, chosen

DATA, MODEL = "DATA_QUALITY", "MODEL_QUALITY"
BASELINE = "baseline_dataset_input"
FORMATS = {
    "csv": {"header": True, "output_columns_position": "START"},
    "json": {"lines": True},
    "parquet": {},
}
"""How data can be written, with the defaults of SDK 3.27."""
SCRIPTS = {
    "record_preprocessor": "record_preprocessor_script",
    "post_analytics": "post_analytics_processor_script",
}
"""Keys that name a script of the author's, and the container's variable that says where it is."""
ATTRIBUTES = {
    "problem": "problem_type",
    "inference": "inference_attribute",
    "probability": "probability_attribute",
    "ground_truth": "ground_truth_attribute",
    "probability_threshold": "probability_threshold_attribute",
}
"""Keys about predictions, and the container's variables."""


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    only_for(body, tuple(ATTRIBUTES), (MODEL,), context)
    only_for(body, ("record_preprocessor",), (DATA,), context)
    if body["check"] == MODEL and "problem" not in body:
        context.error("SW202", f"the step `{step.name}` lacks the key `problem`", key_origin(body, "check"))
    scripts = {key: uri for key in SCRIPTS if (uri := _script(body, key, context)) is not None}
    return job(
        step,
        context,
        image={"framework": "model-monitor"},
        inputs=[
            s3_input(BASELINE, body["baseline"], f"{INPUTS}/{BASELINE}"),
            *(s3_input(_input(key), uri, f"{INPUTS}/{_input(key)}") for key, uri in scripts.items()),
        ],
        output="quality_check_output",
        environment=_environment(body, scripts, context),
    )


def _script(body: Map, key: str, context: Context) -> str | None:
    """Where a script is in S3, once uploaded; None where there is none, or (reported) none can be."""
    return None if body.get(key) is None else file_uri(in_full(body, key, "entry"), context)


def _input(key: str) -> str:
    return f"{SCRIPTS[key]}_input"


def _environment(body: Map, scripts: dict[str, str], context: Context) -> dict[str, Any]:
    """The author's variables, and those by which the container knows what to do."""
    own = present(
        output_path=OUTPUT,
        publish_cloudwatch_metrics="Disabled",
        dataset_format=_format(body, context),
        **{SCRIPTS[key]: f"{INPUTS}/{_input(key)}/{PurePosixPath(uri).name}" for key, uri in scripts.items()},
        dataset_source=f"{INPUTS}/{BASELINE}",
    )
    if body["check"] == MODEL:
        own["analysis_type"] = MODEL
        own |= {name: as_text(body, key) for key, name in ATTRIBUTES.items() if body.get(key) is not None}
    given = body.get("environment") or Map()
    for name in given:
        if name in own:
            context.error("SW208", f"`{name}` is set by the check's kind", key_origin(given, name))
    return {**(text_map(given) or {}), **own}


def _format(body: Map, context: Context) -> str | None:
    """The data's format as the container's JSON; none, or two, are reported."""
    given = body["dataset_format"]
    name = chosen(given, tuple(FORMATS), "`dataset_format`", context, key_origin(body, "dataset_format"))
    return None if name is None else json.dumps({name: present(**{**FORMATS[name], **given[name]})})


KIND = StepKind(
    name="quality_check",
    type="QualityCheck",
    arguments=arguments,
    extra=verdict,
    request="CreateProcessingJob",
    omits=("ProcessingJobName",),
    properties="QualityCheck",
    sugar={**STATISTICS, **CONSTRAINTS},
    cacheable=True,
    longhand={"instance": "type"},
    refused=NOT_IN_EXPERIMENTS,
)
