"""Let Autopilot find a model for a table: it tries algorithms and preprocessing, and keeps the best candidate.

Pipelines knows its mode ENSEMBLING only. The best candidate becomes a model by `kind: model` with `automl: <step>`.
Source: CreateAutoMLJob in the SageMaker API reference; the mode, SDK 2.257 and 3.27.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, StepKind, Sugar, present, seconds, tag_list
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin, origin
from sagewright.steps._job import SEARCH_RETRIES

MODE = "ENSEMBLING"
REFUSED_BY_THE_SDK = "the SDK takes it out of what it emits, since Pipelines refuses it"


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    _check(body, step.api or Map(), context)
    limits = present(
        MaxCandidates=body.get("max_candidates"),
        MaxAutoMLJobRuntimeInSeconds=seconds(body.get("max_runtime")),
    )
    source = {"S3DataType": "S3Prefix", "S3Uri": body["input"]}
    return present(
        AutoMLJobConfig=present(CompletionCriteria=limits or None, Mode=MODE),
        InputDataConfig=[{"DataSource": {"S3DataSource": source}, "TargetAttributeName": body["target"]}],
        OutputDataConfig={"S3OutputPath": body.get("output") or context.output(step.name, "output")},
        ProblemType=body.get("problem"),
        AutoMLJobObjective=present(MetricName=body.get("objective")) or None,
        RoleArn=context.role(),
        Tags=tag_list(step.tags),
    )


def _check(body: Map, api: Map, context: Context) -> None:
    for key, other in (("problem", "objective"), ("objective", "problem")):
        if key in body and other not in body:
            message = f"`{key}` needs `{other}` beside it: Autopilot finds out both, or neither"
            context.error("SW202", message, key_origin(body, key))
    config = api.get("AutoMLJobConfig")
    if isinstance(config, Map) and config.get("Mode", MODE) != MODE:
        message = f"`AutoMLJobConfig.Mode`: Pipelines takes `{MODE}` and no other mode"
        context.error("SW608", message, origin(config, "Mode"))


KIND = StepKind(
    name="automl",
    type="AutoML",
    arguments=arguments,
    request="CreateAutoMLJob",
    omits=("AutoMLJobName",),
    properties="DescribeAutoMLJobResponse",
    sugar={
        "best_model_data": Sugar("BestCandidate.InferenceContainers[0].ModelDataUrl"),
        "insights": Sugar("BestCandidateProperties.ModelInsightsJsonReportPath"),
        "explainability": Sugar("BestCandidateProperties.ExplainabilityJsonReportPath"),
    },
    cacheable=True,
    retryable=SEARCH_RETRIES,
    refused={
        "ModelDeployConfig": ("SW608", REFUSED_BY_THE_SDK),
        "GenerateCandidateDefinitionsOnly": ("SW608", REFUSED_BY_THE_SDK),
    },
)
