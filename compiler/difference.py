"""How two definitions differ for a reader: by step and field, and which steps' earlier runs are no longer taken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sagewright.compiler.definition import (
    BRANCHES,
    NAMES,
    PlacedStep,
    cache_attributes,
    is_function,
    meaning,
    parse,
    references,
    steps,
)

UNORDERED = frozenset({"Steps", "Parameters", "Tags", "DependsOn", *BRANCHES})
"""Lists whose order means nothing to SageMaker."""


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class FieldChange:
    """`path` from the step, or from the definition; ABSENT where there is nothing."""

    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is ABSENT:
            return f"+ {self.path}: {shown(self.after)}"
        if self.after is ABSENT:
            return f"- {self.path}: {shown(self.before)}"
        return f"~ {self.path}: {shown(self.before)} → {shown(self.after)}"


@dataclass(frozen=True, slots=True)
class StepChange:
    """One step that is added, removed or changed; `fields` are those of a changed one."""

    name: str
    type: str
    action: Literal["added", "removed", "changed"]
    fields: tuple[FieldChange, ...] = ()

    def __str__(self) -> str:
        return (
            f"{ {'added': '+', 'removed': '-', 'changed': '~'}[self.action] } step {self.name} ({self.type})"
        )


@dataclass(frozen=True, slots=True)
class CacheMiss:
    """A cached step that will run again, and why: attributes of its key that changed, or a step that it reads from."""

    step: str
    fields: tuple[str, ...] = ()
    through: str | None = None

    def __str__(self) -> str:
        if self.through is not None:
            return f"{self.step} misses its cache where what it reads from {self.through} differs: that runs again"
        return f"{self.step} misses its cache: {', '.join(self.fields)} changed"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Empty (false) where SageMaker would do the same with both."""

    steps: tuple[StepChange, ...] = ()
    fields: tuple[FieldChange, ...] = ()
    """What differs outside of steps."""
    misses: tuple[CacheMiss, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps or self.fields)

    def lines(self) -> Iterator[str]:
        """A line for each step and field, fields indented."""
        yield from (str(field) for field in self.fields)
        for step in self.steps:
            yield str(step)
            yield from (f"  {field}" for field in step.fields)


def compare(before: str | Mapping[str, Any], after: str | Mapping[str, Any]) -> Comparison:
    """What changes from one definition to the other. Order, nulls, defaults and spellings of a join do not count.

    Raises DefinitionError.
    """
    one, other = meaning(parse(before), exact=True), meaning(parse(after), exact=True)
    first, second = _steps(one), _steps(other)
    changed: list[StepChange] = []
    if first is None or second is None:
        return Comparison(fields=tuple(_values(one, other, "")))
    for name, step in second.items():
        if name not in first:
            changed.append(StepChange(name, step.type, "added"))
        elif fields := tuple(_step_fields(first[name], step)):
            changed.append(StepChange(name, step.type, "changed", fields))
    changed += [StepChange(n, step.type, "removed") for n, step in first.items() if n not in second]
    before_, after_ = ({k: v for k, v in whole.items() if k != "Steps"} for whole in (one, other))
    fields = tuple(_values(before_, after_, ""))
    return Comparison(tuple(changed), fields, tuple(_misses(first, second, fields)))


def _steps(definition: Mapping[str, Any]) -> dict[str, PlacedStep] | None:
    """The steps by name; None where names do not tell them apart."""
    found = list(steps(definition))
    named = {step.name: step for step in found if step.name}
    return named if len(named) == len(found) else None


def _step_fields(before: PlacedStep, after: PlacedStep) -> Iterator[FieldChange]:
    if (before.parent, before.branch) != (after.parent, after.branch):
        yield FieldChange("place", _place(before), _place(after))
    yield from _values(_own(before), _own(after), "")


def _place(step: PlacedStep) -> str:
    return f"{step.parent}.{step.branch}" if step.parent else "top"


def _own(step: PlacedStep) -> dict[str, Any]:
    """A step's body without the steps that it nests."""
    arguments = step.body.get("Arguments")
    if not isinstance(arguments, Mapping):
        return dict(step.body)
    return {**step.body, "Arguments": {k: v for k, v in arguments.items() if k not in BRANCHES}}


# -- what misses the cache --------------------------------------------------------------------------------------------


def _misses(
    before: Mapping[str, PlacedStep], after: Mapping[str, PlacedStep], around: tuple[FieldChange, ...]
) -> Iterator[CacheMiss]:
    """In definition order; a step that reads from one that runs again stands after it."""
    defaults = {
        f.path.split("[", 1)[1].partition("]")[0] for f in around if f.path.endswith("].DefaultValue")
    }
    again = {name for name in after if name not in before}
    found: dict[str, CacheMiss] = {}
    for name, step in after.items():
        if name not in before:
            continue
        fields = tuple(_key_changes(before[name], step, defaults))
        if fields:
            found[name] = CacheMiss(name, fields)
        elif _own(before[name]) != _own(step) and not _cached(step):
            again.add(name)
    again |= set(found)
    for name, step in _readers(after, again):
        if name in before and name not in found:
            through = next((r for r in _reads(step) if r in again), None)
            found[name] = CacheMiss(name, through=through)
    yield from (found[name] for name in after if name in found and _cached(after[name]))


def _readers(after: Mapping[str, PlacedStep], again: set[str]) -> Iterator[tuple[str, PlacedStep]]:
    """Steps that read from `again`, directly or through others; `again` grows with them."""
    grown = True
    while grown:
        grown = False
        for name, step in after.items():
            if name not in again and _cached(step) and any(source in again for source in _reads(step)):
                yield name, step
                again.add(name)
                grown = True


def _key_changes(before: PlacedStep, after: PlacedStep, defaults: set[str]) -> Iterator[str]:
    if not _cached(after):
        return
    old, new = _key(before), _key(after)
    yield from dict.fromkeys(change.path for change in _values(old, new, ""))
    read = {r.name for r in references(new) if r.root == "Parameters"}
    yield from (f"the default of parameter {name}" for name in sorted(read & defaults))


def _key(step: PlacedStep) -> dict[str, Any]:
    own = _own(step)
    return cache_attributes(own, own.get("Arguments") or {})


def _reads(step: PlacedStep) -> list[str]:
    return [r.name for r in references(_key(step)) if r.root == "Steps"]


def _cached(step: PlacedStep) -> bool:
    config = step.body.get("CacheConfig")
    return isinstance(config, Mapping) and config.get("Enabled") is True


# -- two values side by side ------------------------------------------------------------------------------------------


def _values(before: Any, after: Any, path: str, member: str = "") -> Iterator[FieldChange]:
    if (
        isinstance(before, Mapping)
        and isinstance(after, Mapping)
        and not (is_function(before) or is_function(after))
    ):
        for key in dict.fromkeys((*before, *after)):
            yield from _member(before, after, key, f"{path}.{key}" if path else str(key), str(key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path, member)
    elif _text(before) != _text(after):
        yield FieldChange(path, before, after)


def _member(before: Any, after: Any, key: Any, path: str, member: str) -> Iterator[FieldChange]:
    if key in before and key in after:
        yield from _values(before[key], after[key], path, member)
    else:
        yield FieldChange(path, before.get(key, ABSENT), after.get(key, ABSENT))


def _lists(before: list[Any], after: list[Any], path: str, member: str) -> Iterator[FieldChange]:
    first, second = _by_name(before), _by_name(after)
    if first is None or second is None:
        if member in UNORDERED:
            before, after = sorted(before, key=_text), sorted(after, key=_text)
        first, second = dict(enumerate(before)), dict(enumerate(after))
    elif member not in UNORDERED and set(first) == set(second) and list(first) != list(second):
        yield FieldChange(f"{path} (order)", list(first), list(second))
    for key in dict.fromkeys((*first, *second)):
        yield from _member(first, second, key, f"{path}[{key}]", member)


def _by_name(items: list[Any]) -> dict[Any, Any] | None:
    for name in NAMES:
        named = {i[name]: i for i in items if isinstance(i, Mapping) and isinstance(i.get(name), str)}
        if items and len(named) == len(items):
            return named
    return {} if not items else None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def shown(value: Any) -> str:
    """A value in a line: references as people write them, the rest as JSON, long ones cut."""
    text = _function(value) if is_function(value) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _function(value: Mapping[str, Any]) -> str:
    if isinstance(value.get("Get"), str):
        return f"${{{value['Get']}}}"
    pieces = value.get("Std:Join")
    if isinstance(pieces, list):
        return json.dumps(
            "".join(_function(p) if is_function(p) else str(p) for p in pieces), ensure_ascii=False
        )
    return json.dumps(value, ensure_ascii=False)
