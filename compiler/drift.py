"""What somebody else has changed since we deployed: three definitions side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sagewright.compiler.definition import DefinitionError
from sagewright.compiler.difference import Comparison, compare


@dataclass(frozen=True, slots=True)
class Drift:
    """`version` is the last that we deployed: `theirs` leads from it to what is deployed, `ours` to the files.

    Without a version nobody knows what it was, and both are empty.
    """

    version: int | None = None
    theirs: Comparison = field(default_factory=Comparison)
    ours: Comparison = field(default_factory=Comparison)

    @property
    def both(self) -> tuple[str, ...]:
        """What both have changed, each in its way: `Prepare: Arguments.Environment.LEVEL`."""
        return tuple(place for place in _places(self.theirs) if place in set(_places(self.ours)))

    def lines(self) -> Iterator[str]:
        """In words, what is somebody else's first."""
        if self.version is None:
            yield "what we deployed before that is not among the versions"
            return
        yield f"somebody else, since version {self.version}:"
        yield from (f"  {line}" for line in self.theirs.lines())
        if self.ours:
            yield f"the files, since version {self.version}:"
            yield from (f"  {line}" for line in self.ours.lines())
        yield from (f"both changed {place}" for place in self.both)


def three_way(version: int, base: str, deployed: str, wanted: str) -> Drift | None:
    """The drift from `base`, the definition of `version`; None where one of the three cannot be read."""
    try:
        return Drift(version, compare(base, deployed), compare(base, wanted))
    except DefinitionError:
        return None


def _places(found: Comparison) -> Iterator[str]:
    yield from (change.path for change in found.fields)
    for step in found.steps:
        if step.fields:
            yield from (f"{step.name}: {change.path}" for change in step.fields)
        else:
            yield step.name
