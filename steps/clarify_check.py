"""Check data or a model for bias, or what a model's predictions rest on, by SageMaker Clarify.

Clarify computes what its analysis configuration asks for, and compares it with the constraints of the model group's
latest approved version, or with those that are `supplied`. Clarify itself starts an endpoint for `model`. Source:
SageMaker developer guide, "Clarify check step" and "Analysis configuration files"; the request, SDK 3.27.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS, uses
from sagewright.compiler.kind import Context, StepKind, text_map
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, Origin, key_origin, origin, own_origin
from sagewright.steps._checks import CONSTRAINTS, INPUTS, job, only_for, s3_input, text, verdict
from sagewright.steps._code import is_uri
from sagewright.steps._job import NOT_IN_EXPERIMENTS

OF_MODELS = ("MODEL_BIAS", "MODEL_EXPLAINABILITY")
CONFIG = "analysis_config"
IMAGES = "application/x-image"
"""The type of data for which Clarify writes its results as it goes. Source: SDK 3.27, `ProcessingOutputHandler`."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """Clarify's configuration: where it is in S3 (None: reported), and what is in it, as far as that is known."""

    uri: Any
    members: dict[str, Any]


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    only_for(body, ("model",), OF_MODELS, context)
    if body["check"] in OF_MODELS and body.get("model") is None:
        context.error("SW202", f"the step `{step.name}` lacks the key `model`", key_origin(body, "check"))
    analysis = _analysis(body, context)
    _check_predictor(analysis.members, origin(body, "config"), context)
    config = [] if analysis.uri is None else [s3_input(CONFIG, analysis.uri, f"{INPUTS}/config")]
    return job(
        step,
        context,
        image={"framework": "clarify", "version": "1.0"},
        inputs=[*config, s3_input("dataset", body["baseline"], f"{INPUTS}/data")],
        output="analysis_result",
        environment=text_map(body.get("environment")) or None,
        upload="Continuous" if analysis.members.get("dataset_type") == IMAGES else "EndOfJob",
    )


def extra(step: Step, context: Context) -> dict[str, Any]:
    made = verdict(step, context)
    return made if step.body.get("model") is None else {**made, "ModelName": text(step.body["model"])}


# -- the analysis configuration ---------------------------------------------------------------------------------------


def _analysis(body: Map, context: Context) -> Analysis:
    config, at = body["config"], origin(body, "config")
    if isinstance(config, Map):
        for expression in (use for use in uses(config) if isinstance(use, EXPRESSIONS)):
            message = "`config` is uploaded before the pipeline runs: it takes literals only"
            context.error("SW209", message, own_origin(expression) or at)
            return Analysis(None, config)
        content = json.dumps(config, sort_keys=True, ensure_ascii=False).encode()
        return Analysis(_uploaded(content, context), config)
    if isinstance(config, EXPRESSIONS) or is_uri(config):
        return Analysis(config, {})
    asset = context.file(config, at)
    if asset is None:
        return Analysis(None, {})
    return _file(config, asset.path.read_bytes(), at, context)


def _file(path: str, content: bytes, at: Origin | None, context: Context) -> Analysis:
    try:
        members = json.loads(content)
    except (ValueError, RecursionError) as error:
        context.error("SW205", f"`{path}` is not JSON: {error}", at)
        return Analysis(None, {})
    if not isinstance(members, dict):
        context.error("SW205", f"`{path}` holds no JSON object, as Clarify's analysis configuration is", at)
        return Analysis(None, {})
    return Analysis(_uploaded(content, context), members)


def _uploaded(content: bytes, context: Context) -> str:
    return context.uri(context.data(f"{CONFIG}.json", content))


def _check_predictor(members: dict[str, Any], at: Origin | None, context: Context) -> None:
    """Source: SDK 3.27 takes the model's name out of the configuration, and puts it into the step."""
    predictor = members.get("predictor")
    if isinstance(predictor, dict) and "model_name" in predictor:
        place = key_origin(predictor, "model_name") or at
        message = "`predictor.model_name`: the step says by `model` which model is checked"
        context.error("SW208", message, place, help="leave it out of the configuration")


KIND = StepKind(
    name="clarify_check",
    type="ClarifyCheck",
    arguments=arguments,
    extra=extra,
    request="CreateProcessingJob",
    omits=("ProcessingJobName",),
    properties="ClarifyCheck",
    sugar=CONSTRAINTS,
    cacheable=True,
    longhand={"instance": "type"},
    refused=NOT_IN_EXPERIMENTS,
    named_after={"model": "model"},
)
