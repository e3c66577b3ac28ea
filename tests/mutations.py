"""Valid Arguments with one thing spoilt, and how many of them are refused.

Where they come from are the SDK's goldens. A mutant counts only if the oracle over botocore's shapes refuses it too: most
members of the requests are optional, and many values are free.
"""

from __future__ import annotations

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from sagewright.compiler.shapes import Violation, bind
from tests.definitions import SHARED, boto_oracle

SEED = 20240229
KINDS = ("renamed", "removed", "retyped", "out of range")
FUNCTIONS = frozenset({"Get", "Std:Join", "Std:JsonGet"})


class Typed(NamedTuple):
    """A step of a golden: where it is from, the operation whose request it is, and its Arguments."""

    where: str
    operation: str
    omits: frozenset[str]
    arguments: dict[str, Any]

    def refused(self, arguments: Any) -> list[str]:
        """What we say against `arguments` in its place."""
        found: list[Violation] = []
        bind(arguments, self.operation, omits=self.omits, variable=lambda _, wanted: "x", report=found.append)
        return [violation.message for violation in found]

    def refused_by_the_oracle(self, arguments: Any) -> list[str]:
        oracle, said = boto_oracle(), []
        root = oracle.SM["operations"][self.operation]["input"]["shape"]
        oracle.chk(arguments, root, oracle.SM["shapes"], self.where, said, self.omits)
        return said


@dataclass(slots=True)
class Outcome:
    """How many mutants of each kind were refused, and those that were not: what, and what the oracle said."""

    refused: Counter[str] = field(default_factory=Counter)
    accepted: list[tuple[str, str, list[str]]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return self.refused.total() + len(self.accepted)

    @property
    def share(self) -> float:
        return self.refused.total() / self.count


@cache
def goldens() -> tuple[Typed, ...]:
    """Every step of the SDK's goldens whose Arguments are a request that the oracle knows."""
    oracle = boto_oracle()
    found: list[Typed] = []
    for path in sorted((SHARED / "golden").rglob("*.json")):
        content = json.loads(path.read_text())
        for step in every_step(content.get("Steps", []) if isinstance(content, dict) else []):
            if step["Type"] in oracle.OPS:
                operation, omits = oracle.OPS[step["Type"]]
                arguments = without_nulls(step["Arguments"])
                found.append(Typed(f"{path.stem}:{step['Name']}", operation, frozenset(omits), arguments))
    return tuple(found)


def campaign(count: int, seed: int = SEED) -> Outcome:
    """`count` mutants, of all kinds alike, that the oracle refuses, and what we say of them."""
    rng, outcome, typed = random.Random(seed), Outcome(), goldens()
    while outcome.count < count:
        one, kind = rng.choice(typed), KINDS[outcome.count % len(KINDS)]
        mutant = mutated(one.arguments, kind, rng)
        said = one.refused_by_the_oracle(mutant) if mutant is not None else []
        if not said:
            continue
        if one.refused(mutant):
            outcome.refused[kind] += 1
        else:
            outcome.accepted.append((kind, one.where, said))
    return outcome


def mutated(arguments: Any, kind: str, rng: random.Random) -> Any:
    """`arguments` with one thing spoilt; None where the thing that was drawn cannot be spoilt that way."""
    made = copy.deepcopy(arguments)
    *parents, key = rng.choice(list(places(made)))
    parent = made
    for step in parents:
        parent = parent[step]
    if kind == "renamed":
        if not isinstance(key, str):
            return None
        parent[key[:-1] + rng.choice("xyz")] = parent.pop(key)
    elif kind == "removed":
        del parent[key]
    elif kind == "retyped":
        parent[key] = rng.choice([[parent[key]], {"Value": parent[key]}, 7, "seven", True, 1.5])
    else:
        parent[key] = _beyond(parent[key], rng)
    return made


def _beyond(value: Any, rng: random.Random) -> Any:
    """Something of the same type, out of its range."""
    if isinstance(value, bool) or not isinstance(value, (str, int, list, dict)):
        return "seven"
    if isinstance(value, str):
        return rng.choice(["", f"\x07{value}", value * 3000])
    if isinstance(value, int):
        return rng.choice([-1, 0, 10**12])
    return value * 200 if isinstance(value, list) else {**value, "Zzz": 1}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value below the outermost one, those inside pseudo-functions left out."""
    if isinstance(value, dict) and value.keys() & FUNCTIONS:
        return
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in children:
        yield (*path, key)
        yield from places(item, (*path, key))


def every_step(steps: list[Any]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        for branch in ("IfSteps", "ElseSteps", "ForEachBody"):
            yield from every_step(step.get("Arguments", {}).get(branch, []))


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
