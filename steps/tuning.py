"""Search for good hyperparameters: many training jobs, each with other values from the ranges.

What is trained is a `training` body without its kind, or several `trainings`, by name, of which each may have an
`objective` and `ranges` of its own. Two integers make a range of integers, a list its values. Autotune, Hyperband's
resources and limits on the whole search stand under `api:`. Source: CreateHyperParameterTuningJob in the SageMaker API
reference; script mode, SDK 2.257.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sagewright.compiler.expression import Expression, Join, StepRef
from sagewright.compiler.kind import Context, Scope, StepKind, Sugar, UnavailableError, present, tag_list
from sagewright.compiler.merge import patch
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, Origin, key_origin, origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.types import Type
from sagewright.steps import _script_mode as script_mode
from sagewright.steps import training
from sagewright.steps._job import SEARCH_RETRIES, chosen, refuse
from sagewright.steps._ranges import check_grid, parameter_ranges

COUNTED = 50
"""How many of the best training jobs can be referred to. Source: SDK 3.27, `TuningStep.get_top_model_s3_uri`."""
_ORDER = ("AlgorithmSpecification", "RoleArn", "OutputDataConfig", "StoppingCondition", "HyperParameters")
EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Hyperparameters from which Hyperband infers how long a training job may become, if they are fixed. Source: botocore,
HyperbandStrategyConfig.MaxResource."""
_NOT_TUNED = ("EnableSageMakerMetricsTimeSeries",)
"""Members of AlgorithmSpecification that training jobs have, and those of a search do not."""


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    _check(step, context)
    single = chosen(body, ("training", "trainings"), f"the step `{step.name}`", context, step.name_origin)
    definitions = _definitions(step, single, context)
    one = definitions[0] if single == "training" else {}
    config = present(
        Strategy=body.get("strategy", "Bayesian"),
        ResourceLimits=present(
            MaxParallelTrainingJobs=body.get("max_parallel_jobs", 1),
            MaxNumberOfTrainingJobs=body.get("max_jobs"),
        ),
        HyperParameterTuningJobObjective=one.pop("TuningObjective", None),
        ParameterRanges=one.pop("HyperParameterRanges", None),
        TrainingJobEarlyStoppingType=body.get("early_stopping", "Off"),
        TuningJobCompletionCriteria=body.get("completion"),
        RandomSeed=body.get("seed"),
    )
    if config["Strategy"] == "Hyperband":
        _check_resource(step, definitions, context)
    return present(
        HyperParameterTuningJobConfig=config,
        TrainingJobDefinition=one or None,
        TrainingJobDefinitions=None if single == "training" else definitions or None,
        WarmStartConfig=body.get("warm_start"),
        Tags=tag_list(step.tags),
    )


def _check(step: Step, context: Context) -> None:
    body, api = step.body, _asked(step)
    strategy = body.get("strategy", "Bayesian")
    _check_hyperband(step, strategy, context)
    if strategy == "Hyperband" and body.get("early_stopping") == "Auto":
        message = "Hyperband stops training jobs early itself: `early_stopping` must be `Off`"
        context.error("SW208", message, key_origin(body, "early_stopping"))
    if "max_jobs" not in body and strategy != "Grid" and not {"ResourceLimits", "Autotune"} & api:
        message = f"the step `{step.name}` lacks the key `max_jobs`"
        context.error(
            "SW202", message, step.name_origin, notes=("only Grid knows when it has tried everything",)
        )


def _check_hyperband(step: Step, strategy: Any, context: Context) -> None:
    """Source: botocore, HyperbandStrategyConfig."""
    strategy = _below(step.api, "HyperParameterTuningJobConfig").get("Strategy", strategy)
    given = _below(step.api, "HyperParameterTuningJobConfig", "StrategyConfig")
    if given.get("HyperbandStrategyConfig") is not None and strategy in ("Bayesian", "Random", "Grid"):
        message = f"`HyperbandStrategyConfig` is for `strategy: Hyperband`, not for `{strategy}`"
        context.error("SW208", message, key_origin(given, "HyperbandStrategyConfig"))
    limits = _below(given, "HyperbandStrategyConfig")
    least, most = limits.get("MinResource"), limits.get("MaxResource")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        message = f"`MinResource` is {least}, above `MaxResource`, which is {most}"
        context.error("SW206", message, origin(limits, "MinResource"))


def _check_resource(step: Step, definitions: list[dict[str, Any]], context: Context) -> None:
    """Hyperband must know how long a training job may become, from its limits or from a number of epochs that is
    fixed. Source: botocore, HyperbandStrategyConfig.MaxResource: otherwise "it generates a validation error"."""
    config = _below(step.api, "HyperParameterTuningJobConfig")
    limits = _below(config, "StrategyConfig", "HyperbandStrategyConfig")
    if "Strategy" in config or "MaxResource" in limits or "TrainingJobDefinitions" in (step.api or ()):
        return
    changes = _below(step.api, "TrainingJobDefinition", "StaticHyperParameters")
    fixed = {name for made in definitions for name in made.get("StaticHyperParameters", ())} | {*changes}
    if definitions and not fixed & {*EPOCHS}:
        path = "HyperParameterTuningJobConfig: {StrategyConfig: {HyperbandStrategyConfig: {MaxResource: .."
        context.error(
            "SW202",
            "Hyperband does not know how many epochs a training job may have",
            key_origin(step.body, "strategy"),
            help=f"say it by `api: {{{path}}}}}}}}}`",
            notes=(f"or fix one of the hyperparameters {listing(EPOCHS, last='or')}",),
        )


def _below(value: Any, *keys: str) -> Map:
    """The mapping that is found by `keys`, empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, Map) else None
    return value if isinstance(value, Map) else Map()


def _asked(step: Step) -> set[str]:
    """What `api:` brings: members of the request, and of HyperParameterTuningJobConfig."""
    return {*(step.api or ()), *_below(step.api, "HyperParameterTuningJobConfig")}


# -- what is trained --------------------------------------------------------------------------------------------------


def _definitions(step: Step, key: str | None, context: Context) -> list[dict[str, Any]]:
    body = step.body
    if key is None:
        return []
    if key == "training":
        said = "`{}` belongs to the step, beside `{}`"
        refuse(body["training"], ("objective", "ranges"), "training", context, said=said)
        return [_definition(step, None, body["training"], body, context)]
    entries = body["trainings"]
    return [_definition(step, name, entry, entries, context) for name, entry in entries.items()]


def _definition(step: Step, name: str | None, body: Map, holder: Map, context: Context) -> dict[str, Any]:
    """One of the definitions of training jobs, with the objective and the ranges that hold for it."""
    at = key_origin(holder, name or "training") or step.name_origin
    own = replace(step, body=body, tags=None, name_origin=at, origin=at)
    made = training.job(own, context, channel_mode=None)
    if body.get("role") is not None:
        made["RoleArn"] = body["role"]
    algorithm = made["AlgorithmSpecification"]
    made["AlgorithmSpecification"] = {k: v for k, v in algorithm.items() if k not in _NOT_TUNED}
    ordered = {member: made.pop(member) for member in _ORDER if member in made}
    fixed = ordered.pop("HyperParameters", None)
    members = present(
        DefinitionName=name,
        TuningObjective=_objective(step, body, at, context),
        HyperParameterRanges=_ranges(step, body, fixed or {}, at, context),
        **ordered,
        StaticHyperParameters=fixed,
        **made,
    )
    made = patch(members, body.get("api", {}))
    if "TuningObjective" in members and not _below(
        step.api, "TrainingJobDefinition", "AlgorithmSpecification"
    ):
        _check_metric(body.get("objective") or step.body["objective"], made, context)
    return made


def _check_metric(objective: Map, made: dict[str, Any], context: Context) -> None:
    """What is searched for must be published. Built-in algorithms have metrics of their own, so where none is declared
    every name goes, but for the images of frameworks, which have none."""
    specification = made.get("AlgorithmSpecification") or {}
    declared = [given.get("Name") for given in specification.get("MetricDefinitions") or ()]
    framework = script_mode.framework_of(specification.get("TrainingImage"))
    has_own = framework is None or framework.name == "xgboost"
    metric = objective["metric"]
    if not isinstance(metric, str) or metric in declared or (has_own and not declared):
        return
    near = nearest(metric, [name for name in declared if isinstance(name, str)])
    help = f"did you mean `{near}`?" if near else f'`metrics: {{"{metric}": <a regular expression>}}`'
    notes = (f"its `metrics` are {listing(declared)}",) if declared else ("it declares no `metrics`",)
    message = f"no training job publishes the metric `{metric}`"
    context.error("SW302", message, origin(objective, "metric"), help=help, notes=notes)


def _objective(step: Step, body: Map, at: Origin | None, context: Context) -> dict[str, Any] | None:
    objective = body.get("objective") or step.body.get("objective")
    if objective is None:
        if "HyperParameterTuningJobObjective" not in _asked(step):
            context.error("SW202", f"the step `{step.name}` lacks the key `objective`", at)
        return None
    return {"Type": objective["goal"], "MetricName": objective["metric"]}


def _ranges(
    step: Step, body: Map, fixed: dict[str, Any], at: Origin | None, context: Context
) -> dict[str, Any] | None:
    """The ranges for one definition; what it fixes itself cannot be searched."""
    ranges = body.get("ranges") or step.body.get("ranges")
    if ranges is None:
        if not {"ParameterRanges", "Autotune"} & _asked(step):
            context.error("SW202", f"the step `{step.name}` lacks the key `ranges`", at)
        return None
    for name in ranges:
        if name in (body.get("hyperparameters") or ()):
            message = f"`{name}` has a range, and cannot be fixed as well"
            context.error("SW208", message, key_origin(body["hyperparameters"], name))
    if step.body.get("strategy") == "Grid":
        check_grid(ranges, step.body, context)
    return parameter_ranges(ranges, script_mode="sagemaker_program" in fixed, context=context)


# -- the models that it finds -----------------------------------------------------------------------------------------


def _model_data(step: Step, index: int, scope: Scope) -> Expression:
    """The archive of the training job that is the best but `index`: no property of AWS's says where it is."""
    jobs = step.body.get("max_jobs")
    if isinstance(jobs, int) and index >= jobs and "ResourceLimits" not in _asked(step):
        raise UnavailableError(f"with `max_jobs: {jobs}`, it goes from 0 to {jobs - 1}")
    base = _destination(step, scope)
    job = StepRef(step.name, f"TrainingJobSummaries[{index}].TrainingJobName", Type.STRING)
    return Join((*base, job, "/output/model.tar.gz"))


def _destination(step: Step, scope: Scope) -> tuple[str | Expression, ...]:
    """The folder below which all training jobs write, with its slash. Raises `UnavailableError` where there is none."""
    several = step.body.get("trainings")
    if "TrainingJobDefinitions" in (step.api or ()) or (
        several and "TrainingJobDefinition" in (step.api or ())
    ):
        raise UnavailableError("`api` says anew what is trained")
    bodies = several.values() if isinstance(several, Map) else (step.body.get("training"),)
    layers = [
        (
            body,
            _below(body, "api", "OutputDataConfig"),
            _below(step.api, "TrainingJobDefinition", "OutputDataConfig"),
        )
        for body in bodies
        if isinstance(body, Map)
    ]
    for body, *changes in layers:
        compression = [change["CompressionType"] for change in changes if "CompressionType" in change]
        if [body.get("compression"), *compression][-1] not in ("GZIP", None):
            raise UnavailableError("the output of its training is not one archive")
    places = [
        [(body, "output"), *((change, "S3OutputPath") for change in changes if "S3OutputPath" in change)][-1]
        for body, *changes in layers
    ]
    outputs = [holder.get(key) for holder, key in places]
    if any(output != outputs[0] for output in outputs):
        raise UnavailableError("its trainings write to several places")
    if outputs and isinstance(outputs[0], dict):
        raise UnavailableError("`api` spells its output as SageMaker does: give `output` a reference")
    given = outputs and isinstance(outputs[0], str)
    output = scope.value(*places[0]) if given else scope.job_output(step.name)
    *before, last = output.parts if isinstance(output, Join) else (output,)
    return (*before, f"{last.rstrip('/')}/") if isinstance(last, str) else (*before, last, "/")


KIND = StepKind(
    name="tuning",
    type="Tuning",
    arguments=arguments,
    request="CreateHyperParameterTuningJob",
    omits=("HyperParameterTuningJobName",),
    properties="DescribeHyperParameterTuningJobResponse",
    sugar={
        "top_model_data": Sugar(items=COUNTED, make=_model_data),
        "best_model_data": Sugar(make=_model_data),
        "best_job": Sugar("BestTrainingJob.TrainingJobName"),
    },
    cacheable=True,
    retryable=SEARCH_RETRIES,
    longhand={
        f"{place}.{path}": member
        for place in ("training", "trainings.*")
        for path, member in {**training.KIND.longhand, "image": "framework"}.items()
    },
)
