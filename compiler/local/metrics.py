"""The metrics of a training job: what its definitions find in what it printed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagewright.compiler.images import framework_of_uri
from sagewright.compiler.local.contract import OURS
from sagewright.compiler.local.job import JobFailed

_XGBOOST = re.compile(r"\b(train|validation)-([\w@.-]+):(\S+)")
"""A line of the algorithm's: `[5]#011train-rmse:0.25#011validation-rmse:0.31`."""


def final_metrics(log: Path, specification: Mapping[str, Any], time: float) -> list[dict[str, Any]]:
    """FinalMetricDataList: the last value of each metric that was printed. Raises JobFailed."""
    lines = [line for line in _lines(log) if not line.startswith(OURS)]
    found: dict[str, float] = {}
    for definition in specification.get("MetricDefinitions") or ():
        value = _last(str(definition["Regex"]), str(definition["Name"]), lines)
        if value is not None:
            found[definition["Name"]] = value
    framework = framework_of_uri(str(specification.get("TrainingImage")))
    if framework and framework[0] == "xgboost" and not specification.get("MetricDefinitions"):
        for line in lines:
            for group, metric, value in _XGBOOST.findall(line):
                _take(found, f"{group}:{metric}", value)
    return [{"MetricName": name, "Value": value, "Timestamp": time} for name, value in found.items()]


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []


def _last(pattern: str, name: str, lines: list[str]) -> float | None:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise JobFailed(f"the regular expression of the metric `{name}` is wrong: {error}") from None
    found: dict[str, float] = {}
    for line in lines:
        match = expression.search(line)
        if match and match.re.groups:
            _take(found, name, match[1])
    return found.get(name)


def _take(found: dict[str, float], name: str, text: str | None) -> None:
    try:
        found[name] = float(text or "")
    except ValueError:
        return
