"""Step caching: the newest successful run of the same step of the same pipeline with the same key, while it is valid.

Source: developer guide, "Caching pipeline steps"; `definition.CACHE_ATTRIBUTES` for the keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sagewright.compiler.definition import cache_attributes
from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.engine.values import Unknown, first_unknown

DAY = 86_400
_DURATION = re.compile(
    r"P?(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.I
)
_UNITS = (
    *((365 * DAY, 366 * DAY), (28 * DAY, 31 * DAY), (7 * DAY, 7 * DAY)),
    *((DAY, DAY), (3600, 3600), (60, 60), (1, 1)),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A successful run: when it ended, its result, and the ARN of its execution."""

    time: float
    outcome: Outcome
    execution: str


class Cache(Protocol):
    """Where results are kept."""

    def find(self, pipeline: str, step: str, key: str) -> Entry | None:
        """The newest entry of that key."""
        ...

    def add(self, pipeline: str, step: str, key: str, entry: Entry) -> None: ...


@dataclass(slots=True)
class MemoryCache:
    """A cache that lasts as long as the process."""

    entries: dict[tuple[str, str, str], Entry] = field(default_factory=dict)

    def find(self, pipeline: str, step: str, key: str) -> Entry | None:
        return self.entries.get((pipeline, step, key))

    def add(self, pipeline: str, step: str, key: str, entry: Entry) -> None:
        older = self.entries.get((pipeline, step, key))
        if older is None or older.time <= entry.time:
            self.entries[pipeline, step, key] = entry


def enabled(body: Mapping[str, Any]) -> bool:
    """Whether a step asks for caching."""
    config = body.get("CacheConfig")
    return isinstance(config, Mapping) and config.get("Enabled") is True


def cache_key(body: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | Unknown:
    """The key of a step whose arguments are resolved (a digest), or why nobody knows it."""
    attributes = cache_attributes(body, arguments)
    unknown = first_unknown(attributes)
    if unknown is not None:
        return unknown
    text = json.dumps([body.get("Type"), attributes], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def is_fresh(body: Mapping[str, Any], entry: Entry, now: float) -> bool | Unknown:
    """Whether an entry is within the step's expiry. Without one it is valid for ever."""
    written = body["CacheConfig"].get("ExpireAfter")
    if written is None:
        return True
    found = duration(str(written))
    if found is None:
        return Unknown(f"`{written}` is no ISO 8601 duration")
    least, most = found
    age = now - entry.time
    if age <= least:
        return True
    return False if age > most else Unknown(f"AWS does not say how many days `{written}` is")


def look_up(
    cache: Cache, pipeline: str, name: str, body: Mapping[str, Any], arguments: Any, now: float
) -> tuple[str | None, Entry | None, str]:
    """The key of a step, the entry that is taken for it, and why neither can be told."""
    key = cache_key(body, arguments)
    if isinstance(key, Unknown):
        return None, None, f"whether an earlier result is taken cannot be told: {key.reason}"
    entry = cache.find(pipeline, name, key)
    fresh = is_fresh(body, entry, now) if entry is not None else False
    if isinstance(fresh, Unknown):
        return key, None, f"whether an earlier result is taken cannot be told: {fresh.reason}"
    return key, entry if fresh else None, ""


def duration(written: str) -> tuple[float, float] | None:
    """The seconds of `P30D`, `30d`, `T16m` or `30dT5h`: at least and at most, since months and years differ."""
    match = _DURATION.fullmatch(written)
    if match is None or not any(match.groups()):
        return None
    amounts = [float(amount or 0) for amount in match.groups()]
    least = sum(amount * low for amount, (low, _) in zip(amounts, _UNITS, strict=True))
    return least, sum(amount * high for amount, (_, high) in zip(amounts, _UNITS, strict=True))
