"""What watches a training job: Debugger, the profiler, TensorBoard. Nothing of it is on unless it is asked for."""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, present, text_map
from sagewright.compiler.source import Map, Origin, key_origin, origin
from sagewright.compiler.suggest import listing, nearest

DEBUGGER_RULES = frozenset(
    {
        *("AllZero", "CheckInputImages", "ClassImbalance", "Confusion", "CreateXgboostReport", "DeadRelu"),
        *(
            "ExplodingTensor",
            "FeatureImportanceOverweight",
            "LossNotDecreasing",
            "NLPSequenceRatio",
            "Overfit",
        ),
        *("Overtraining", "PoorWeightInitialization", "SaturatedActivation", "SimilarAcrossRuns"),
        *("StalledTrainingRule", "TensorVariance", "TreeDepth", "UnchangedTensor", "VanishingGradient"),
        "WeightUpdateRatio",
    }
)
PROFILER_RULES = frozenset(
    {
        *("BatchSize", "CPUBottleneck", "Dataloader", "GPUMemoryIncrease", "IOBottleneck", "LoadBalancing"),
        *("LowGPUUtilization", "MaxInitializationTime", "OverallFrameworkMetrics", "OverallSystemUsage"),
        *("ProfilerReport", "StepOutlier"),
    }
)
"""The rules that AWS's own image holds. Source: SageMaker developer guide, "List of Debugger built-in rules"; SDK 2.257."""


INTERVALS = {100: "0.1s", 200: "0.2s", 500: "0.5s", 1000: "1s", 5000: "5s", 60000: "1m"}
"""Milliseconds between two measurements. Source: botocore, ProfilerConfig.ProfilingIntervalInMilliseconds."""


def monitoring(body: Map, output: Any, context: Context) -> dict[str, Any]:
    """The members of the request; `output` is where the job writes, the default for what they write."""
    return present(
        **_debugger(body.get("debugger"), output, context),
        TensorBoardOutputConfig=_tensorboard(body.get("tensorboard")),
        **_profiler(body, output, context),
    )


def _debugger(debugger: Map | None, output: Any, context: Context) -> dict[str, Any]:
    if debugger is None:
        return {}
    collections = debugger.get("collections") or Map()
    hook = present(
        S3OutputPath=debugger.get("output", output),
        CollectionConfigurations=[
            present(CollectionName=name, CollectionParameters=text_map(collections[name]) or None)
            for name in collections
        ]
        or None,
    )
    return {
        "DebugHookConfig": hook,
        "DebugRuleConfigurations": _rules(debugger.get("rules"), DEBUGGER_RULES, context),
    }


def _rules(rules: Map | None, built_in: frozenset[str], context: Context) -> list[dict[str, Any]] | None:
    return [_rule(rules, name, built_in, context) for name in rules] if rules else None


def _rule(rules: Map, name: str, built_in: frozenset[str], context: Context) -> dict[str, Any]:
    """A rule's keys are AWS's; its parameters are Strings. Without an image it is the built-in one of its name."""
    rule = rules[name]
    given = rule.get("RuleParameters")
    parameters = (text_map(given) or {}) if isinstance(given, Map) else {}
    own = {"RuleConfigurationName": name, **rule, **({"RuleParameters": parameters} if parameters else {})}
    if "RuleEvaluatorImage" not in rule:
        invoked, at = parameters.get("rule_to_invoke", name), key_origin(rules, name)
        _check_built_in(invoked, built_in, at, context)
        image = context.image(Map({"framework": "debugger"}), at, scope="processing", instances=[])
        own |= {"RuleEvaluatorImage": image, "RuleParameters": {"rule_to_invoke": invoked, **parameters}}
    return Map(own, rule.node)


def _check_built_in(name: Any, built_in: frozenset[str], at: Origin | None, context: Context) -> None:
    if not isinstance(name, str) or name in built_in:
        return
    near = nearest(name, built_in)
    help = f"did you mean `{near}`?" if near else f"there are {listing(built_in, limit=len(built_in))}"
    notes = ("a rule of one's own has a `RuleEvaluatorImage`",)
    context.error("SW204", f"there is no built-in rule `{name}`", at, help=help, notes=notes)


def _tensorboard(tensorboard: Map | None) -> dict[str, Any] | None:
    if tensorboard is None:
        return None
    return present(S3OutputPath=tensorboard.get("destination"), LocalPath=tensorboard.get("path"))


def _profiler(body: Map, output: Any, context: Context) -> dict[str, Any]:
    profiler = body.get("profiler")
    if profiler is None:
        return {}
    if not isinstance(profiler, Map):
        if profiler is not False:
            message = "`profiler` takes `false` or a mapping"
            context.error("SW204", message, origin(body, "profiler"), help="`{}` profiles with the defaults")
        return {"ProfilerConfig": {"DisableProfiler": True}}
    config = present(
        S3OutputPath=profiler.get("output", output),
        ProfilingIntervalInMilliseconds=_interval(profiler, context),
        DisableProfiler=False,
    )
    return {
        "ProfilerConfig": config,
        "ProfilerRuleConfigurations": _rules(profiler.get("rules"), PROFILER_RULES, context),
    }


def _interval(profiler: Map, context: Context) -> int | None:
    found = _milliseconds(profiler.get("interval"))
    if found is not None and found not in INTERVALS:
        message = f"the profiler measures every {listing(INTERVALS.values(), last='or')}"
        context.error("SW204", message, origin(profiler, "interval"))
    return found


def _milliseconds(duration: Any) -> int | None:
    """`0.5s`, `1m` or a bare number of seconds, in milliseconds."""
    if isinstance(duration, str):
        return round(
            float(duration[:-1]) * {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[duration[-1]]
        )
    return None if duration is None else round(duration * 1_000)
