"""The flags of `simulate` as the mapping that a scenario file would hold, and both together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.engine.cost import Prices
from sagewright.compiler.engine.given import Given, Names, given
from sagewright.compiler.engine.testcase import GIVEN, read_suite
from sagewright.compiler.engine.values import path as segments_of
from sagewright.compiler.merge import merge
from sagewright.compiler.project import display
from sagewright.compiler.source import Map, Seq, own_origin, read, read_bytes
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.validate import validate

_GIVES = ("reports", "outputs", "metrics", "properties")


def assumptions(
    names: Names,
    param: tuple[str, ...] = (),
    set_: tuple[str, ...] = (),
    take: tuple[str, ...] = (),
    fail: tuple[str, ...] = (),
    fail_rate: tuple[str, ...] = (),
    duration: tuple[str, ...] = (),
    parallelism: int | None = None,
    select: tuple[str, ...] = (),
    after: str | None = None,
    stop_at: str | None = None,
) -> Map:
    """What the flags say. Raises click's UsageError for what is not spelt as it should be."""
    made: dict[str, Any] = {}
    steps: dict[str, dict[str, Any]] = {}
    for name, value in _pairs("--param", param):
        made.setdefault("parameters", {})[name] = value
    for name, value in _pairs("--set", set_):
        _set(steps, name, _value(value))
    for name, value in _pairs("--take", take):
        steps.setdefault(name, {})["takes"] = value
    for name, value in _pairs("--fail", fail):
        error, _, times = value.partition(":")
        entry = {"error": error, **({"times": _value(times)} if times else {})}
        steps.setdefault(name, {}).setdefault("fails", []).append(entry)
    for name, value in _pairs("--fail-rate", fail_rate):
        error, colon, rate = value.rpartition(":")
        said = {"rate": _value(rate), **({"rate_fails": error} if colon else {})}
        for step in _every(names) if name == "*" else [name]:
            steps.setdefault(step, {}).update(said)
    for name, value in _pairs("--duration", duration):
        if names.meant(name):
            steps.setdefault(name, {})["duration"] = _value(value)
        else:
            made.setdefault("durations", {})[name] = _value(value)
    rest = {"parallelism": parallelism, "select": list(select) or None, "after": after, "stop_at": stop_at}
    made.update({key: value for key, value in rest.items() if value is not None})
    return _rich({**made, **({"steps": steps} if steps else {})})


def _pairs(flag: str, given_: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for text in given_:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.UsageError(f"{flag} wants NAME=VALUE, not '{text}'")
        yield name, value


def _every(names: Names) -> list[str]:
    """Every step that runs something."""
    control = ("Condition", "Fail", "ForEach")
    return [*(n for n, node in names.plan.nodes.items() if node.type not in control), *names.plan.bodies]


def _set(steps: dict[str, dict[str, Any]], written: str, value: Any) -> None:
    """`Evaluate.reports.evaluation.mse` and its value into the step's behaviour."""
    step, _, rest = written.partition(".")
    kind, _, name = rest.partition(".")
    if kind not in _GIVES or not name:
        near = nearest(kind, _GIVES)
        hint = (
            f"did you mean '{near}'?"
            if near and near != kind
            else f"after the step comes one of {listing(_GIVES)}"
        )
        raise click.UsageError(f"--set {written}: {hint}")
    below = steps.setdefault(step, {}).setdefault(kind, {})
    segments = (name,) if kind in ("outputs", "metrics") else segments_of(name)
    for segment in segments[:-1]:
        below = below.setdefault(segment, {})
    below[segments[-1]] = value


def _value(written: str) -> Any:
    """A value as YAML reads it."""
    sink = Sink()
    document = read_bytes(written.encode(), sink, "<flag>")
    return written if document is None else document.data


def _rich(value: Any) -> Any:
    """Mappings and lists of the sort that a file's are."""
    if isinstance(value, dict):
        return Map({key: _rich(item) for key, item in value.items()})
    return Seq(_rich(item) for item in value) if isinstance(value, list) else value


def read_given(scenario: str | None, flags: Map, names: Names, sink: Sink) -> Given | None:
    """What the file and the flags say together, the flags first. None (reported) where that is not fit."""
    written = read_scenario(scenario, sink) if scenario is not None else Map()
    if written is None:
        return None
    data = merge(written, flags)
    if not validate(flags, "scenario", sink, None, "the assumption"):
        return None
    return given(data, names, sink)


def read_scenario(written: str, sink: Sink) -> Map | None:
    """A scenario file, or a test of a file; None (reported) where it is not fit."""
    file, colons, name = written.partition("::")
    path = Path(file)
    if colons:
        suite = read_suite(path, sink, display(path))
        if suite is None:
            return None
        known = {entry["name"]: entry for entry in suite.entries}
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean '{near}'?" if near else f"there are {listing(known)}"
            raise click.UsageError(f"{file} has no test '{name}'; {hint}")
        entry = known[name]
        return Map({key: entry[key] for key in GIVEN if key in entry}, entry.node)
    return _mapping(path, "scenario", sink)


def _mapping(path: Path, schema: str, sink: Sink) -> Map | None:
    """A file's mapping, checked against its schema; None (reported) where it is none."""
    document = read(path, sink, display(path))
    if document is None:
        return None
    if not isinstance(document.data, Map):
        sink.report("SW203", "the file wants a mapping", document.span())
        return None
    return document.data if validate(document.data, schema, sink, own_origin(document.data)) else None


def read_prices(path: Path, sink: Sink) -> Prices | None:
    """A file of prices."""
    data = _mapping(path, "prices", sink)
    if data is None:
        return None
    hours = {kind: dict(prices) for kind, prices in data.items() if isinstance(prices, Map)}
    return Prices(hours, str(data.get("currency", "USD")))
