"""Where `api:` or `step_api:` says something else than the keys beside it: which key it overrides.

Kinds are functions, so nobody has written down which key becomes which member. It is found by trying: a key says what
is at a place in the Arguments if another value of it changes what is there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from sagewright.compiler.expression import EXPRESSIONS, Conditions, Join
from sagewright.compiler.merge import NAME_KEYS
from sagewright.compiler.source import Map, Origin, Seq, entry_origin, key_origin, own_origin

Path = tuple[str | int, ...]
_DURATION = re.compile(r"[0-9]+(\.[0-9]+)?[smhd]")
_NOT_SUGAR = frozenset({"kind", "api", "step_api", "depends_on", "retry", "cache", "reports", "display_name"})

_COMMON = {
    "DisplayName": "display_name",
    "Description": "description",
    "RetryPolicies": "retry",
    "CacheConfig": "cache",
}
"""Members of every step, and the keys that say them."""


class Override(NamedTuple):
    """`api` puts `now` (None: nothing) in place of `before`, at `path` of the Arguments; `at` is where it stands."""

    path: Path
    before: Any
    now: Any
    at: Origin | None

    @property
    def member(self) -> str:
        """`path` as messages spell it: `ResourceConfig.InstanceType`."""
        return spelt(self.path)


class Said(NamedTuple):
    """A value of the author's: the step's key that it belongs to (`instance`, `training.instance`), and where it stands."""

    key: str
    at: Origin | None


Lower = Callable[[Map], list[Any]]
"""A step's body → the Arguments of the steps that it becomes, `api:` beside the kind's keys not yet merged."""


def contradictions(
    body: Map, arguments: list[Any], patches: list[Any], lower: Lower
) -> Iterator[tuple[Override, Said]]:
    """What `api` overrides, and which key of the author's says it too.

    `arguments` are those of the steps that `body` becomes, `patches` what `api:` brings to each of them (None: nothing).
    An `api` in a nested body is in them already: it is left out to see what was there before.
    """
    for index, (made, change) in enumerate(zip(arguments, patches, strict=True)):
        if change is not None:
            yield from _said(body, index, overrides(made, change), lower, depth=0)
    for path in _nested(body):
        plain = _without(body, path)
        try:
            before = lower(plain)
        except Exception:  # it brought what the kind cannot do without
            continue
        at = _place(body, path)
        for index, (made, now) in enumerate(zip(before, arguments, strict=False)):
            found = (one._replace(at=at) for one in _replaced(made, now))
            yield from _said(plain, index, found, lower, depth=len(path) - 1)


def beside(
    body: Map, made: dict[str, Any], change: Map, lower: Callable[[Map], dict[str, Any]]
) -> Iterator[tuple[Override, Said]]:
    """As `contradictions`, of what `step_api` brings. `made` is what the kind puts beside the Arguments, and `lower`
    gives that for another body."""
    for member, key in _COMMON.items():
        if member in change and body.get(key) not in (None, False, change[member]):
            override = Override((member,), None, change[member], key_origin(change, member))
            yield override, Said(key, _place(body, (key,)))
    yield from _said(body, 0, overrides(made, change), lambda other: [lower(other)], depth=0)


def _said(
    body: Map, index: int, found: Iterable[Override], lower: Lower, depth: int
) -> Iterator[tuple[Override, Said]]:
    for override in found:
        said = said_by(body, override, lambda other: lower(other)[index], depth)
        if said is not None:
            yield override, said


def spelt(path: Path) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)[1:]


def overrides(target: Any, change: Any, path: Path = (), at: Origin | None = None) -> Iterator[Override]:
    """What `patch(target, change)` replaces by something else, or removes."""
    if isinstance(target, dict) and isinstance(change, dict):
        for key, value in change.items():
            if target.get(key) is not None:
                yield from overrides(target[key], value, (*path, key), key_origin(change, key))
    elif isinstance(target, list) and isinstance(change, dict):
        for index, item in enumerate(target):
            name = next((item[key] for key in NAME_KEYS if isinstance(item, dict) and key in item), None)
            if isinstance(name, str) and name in change:
                yield from overrides(item, change[name], (*path, index), key_origin(change, name))
    elif _bare(target) != _bare(change):
        yield Override(path, target, change, at)


def _replaced(before: Any, now: Any, path: Path = ()) -> Iterator[Override]:
    """Where `now` has something else than `before`, or nothing."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key, value in before.items():
            yield from _replaced(value, now.get(key), (*path, key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, value in enumerate(before):
            yield from _replaced(value, now[index], (*path, index))
    elif before is not None and _bare(before) != _bare(now):
        yield Override(path, before, now, None)


def said_by(body: Map, override: Override, lowered: Callable[[Map], Any], depth: int = 0) -> Said | None:
    """The value in `body` that says what `override` replaces; None where the compiler says it by itself.

    `lowered` gives the Arguments for a body. Of a whole structure it is the first value of the key that says most;
    keys are told apart down to `depth`.
    """
    found = [path for path in _scalars(body) if _matters(path, body, override, lowered)]
    if not found:
        return None
    ((most, _),) = Counter(path[: depth + 1] for path in found).most_common(1)
    return Said(spelt(most), _place(body, next(path for path in found if path[: depth + 1] == most)))


def _matters(path: Path, body: Map, override: Override, lowered: Callable[[Map], Any]) -> bool:
    try:
        other = at_path(lowered(_changed(body, path)), override.path)
    except Exception:  # a kind may rely on what its schema promises, which the other value need not keep
        return False
    return _bare(other) != _bare(override.before)


def at_path(arguments: Any, path: Path) -> Any:
    """What is at `path`, None where nothing is."""
    for key in path:
        if isinstance(arguments, dict):
            arguments = arguments.get(key)
        elif isinstance(arguments, list) and isinstance(key, int) and key < len(arguments):
            arguments = arguments[key]
        else:
            return None
    return arguments


def _bare(value: Any) -> Any:
    """A value without its places."""
    if isinstance(value, Join):
        return Join(tuple(_bare(part) for part in value.parts))
    if isinstance(value, EXPRESSIONS):
        return replace(value, origin=None)
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items()}
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _nested(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of every `api` in a nested body."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if not isinstance(item, (Map, Seq)):
            continue
        if key == "api":
            if path:
                yield (*path, key)
        elif path or key not in _NOT_SUGAR:
            yield from _nested(item, (*path, key))


def _without(value: Any, path: Path) -> Any:
    """`value` without what is at `path`, the path of a key."""
    key, *rest = path
    if isinstance(value, Map):
        kept = {name: item for name, item in value.items() if rest or name != key}
        return Map(
            {**kept, **({str(key): _without(value[str(key)], tuple(rest))} if rest else {})}, value.node
        )
    items = list(value)
    items[int(key)] = _without(items[int(key)], tuple(rest))
    return Seq(items, value.node)


def _scalars(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all scalars and references in a body, but for those in keys that no member is made of."""
    if isinstance(value, Map):
        for key, item in value.items():
            if (path or key not in _NOT_SUGAR) and not (key == "api" and isinstance(item, Map)):
                yield from _scalars(item, (*path, key))
    elif isinstance(value, Seq):
        for index, item in enumerate(value):
            yield from _scalars(item, (*path, index))
    elif value is not None:
        yield path


def _changed(value: Any, path: Path) -> Any:
    """`value` with something else at `path`."""
    if not path:
        return _other(value)
    key, *rest = path
    if isinstance(value, Map):
        return Map({**value, str(key): _changed(value[str(key)], tuple(rest))}, value.node)
    items = list(value)
    items[int(key)] = _changed(items[int(key)], tuple(rest))
    return Seq(items, value.node)


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, (*EXPRESSIONS, Conditions)):
        return "another"
    return f"1{value}" if _DURATION.fullmatch(value) else f"{value}/another"


def _place(body: Any, path: Path) -> Origin | None:
    *within, last = path
    for key in within:
        body = body[key]
    if isinstance(body[last], Map):
        return key_origin(body, str(last))
    return own_origin(body[last]) or entry_origin(body, last)
