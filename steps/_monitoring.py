"""What watches a training job: Debugger, the profiler, TensorBoard. Nothing of it is on unless it is asked for."""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, present, text_map
from sagewright.compiler.source import Map, origin


def monitoring(body: Map, output: Any, context: Context) -> dict[str, Any]:
    """The members of the request; `output` is where the job writes, the default for what they write."""
    return present(
        **_debugger(body.get("debugger"), output),
        TensorBoardOutputConfig=_tensorboard(body.get("tensorboard")),
        **_profiler(body, output, context),
    )


def _debugger(debugger: Map | None, output: Any) -> dict[str, Any]:
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
    return {"DebugHookConfig": hook, "DebugRuleConfigurations": _rules(debugger.get("rules"))}


def _rules(rules: Map | None) -> list[dict[str, Any]] | None:
    return [_rule(name, rule) for name, rule in rules.items()] if rules else None


def _rule(name: str, rule: Map) -> dict[str, Any]:
    """A rule's keys are AWS's; its parameters are Strings."""
    parameters = rule.get("RuleParameters")
    texts = {"RuleParameters": text_map(parameters)} if isinstance(parameters, Map) else {}
    return Map({"RuleConfigurationName": name, **rule, **texts}, rule.node)


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
        ProfilingIntervalInMilliseconds=_milliseconds(profiler.get("interval")),
        DisableProfiler=False,
    )
    return {"ProfilerConfig": config, "ProfilerRuleConfigurations": _rules(profiler.get("rules"))}


def _milliseconds(duration: Any) -> int | None:
    """`0.5s`, `1m` or a bare number of seconds, in milliseconds."""
    if isinstance(duration, str):
        return round(
            float(duration[:-1]) * {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[duration[-1]]
        )
    return None if duration is None else round(duration * 1_000)
