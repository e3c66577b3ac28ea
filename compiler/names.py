"""What references may name, where they stand, and what is said of one that means nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.expression import Expression, Join, Reference
from sagewright.compiler.frames import Frame
from sagewright.compiler.model import Pipeline, Step
from sagewright.compiler.project import Settings
from sagewright.compiler.source import Map, Origin, Seq
from sagewright.compiler.suggest import listing


@dataclass(slots=True)
class Names:
    """What references may name. `unknowable` are steps that are there, but not understood."""

    pipeline: Pipeline
    steps: dict[str, Step]
    unknowable: frozenset[str]
    frame: Frame
    """What the file has, in which the value stands that is being resolved."""
    settings: Settings
    sink: Sink
    bind: Callable[[Any, Map | Seq, str | int, Names], Any]
    """Resolves the value of a key in a container: reports by URI hold references themselves."""
    used: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    """Steps with a value that means nothing: not fit to be lowered."""
    failed: bool = False
    """Whether such a value has been met since this was last reset."""
    loops: Mapping[str, str] = field(default_factory=dict)
    """The loop around each step that stands in the body of one, by name."""
    loop: str | None = None
    """The loop in whose body the value stands that is being resolved."""
    reports: set[tuple[str, str]] = field(default_factory=set)
    """Reports by URI, and sugar, that are being looked up: they may refer to one another, and so to themselves."""

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The steps of each matrix, by the name that stands in the file."""
        return {name: entry for name, entry in self.frame.entries.items() if isinstance(entry, tuple)}

    @contextmanager
    def inside(self, frame: Frame) -> Generator[None]:
        """For what is resolved meanwhile, names mean what they mean in that frame."""
        outer, within = self.frame, self.sink.within
        self.frame = self.sink.within = frame
        try:
            yield
        finally:
            self.frame, self.sink.within = outer, within

    # What kinds may ask for (`Scope`).

    def value(self, container: Any, key: str | int) -> Any:
        return self.bind(container[key], container, key, self)

    def job_output(self, step: str) -> str:
        return self.settings.job_output(self.pipeline.name, step)


class Unresolved(Exception):
    """A reference that means nothing. Offsets count in the scalar's value. Without a code it is told already."""

    def __init__(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        help: str | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.start, self.end, self.help, self.notes = (
            code,
            message,
            start,
            end,
            help,
            notes,
        )


def at(
    reference: Reference,
    index: int,
    code: str,
    message: str,
    help: str | None = None,
    notes: Sequence[str] = (),
) -> Unresolved:
    """An error at a reference's segment."""
    starts = reference.starts or (reference.start,)
    if index >= len(starts):
        return Unresolved(code, message, reference.start, reference.end, help, notes)
    start = starts[index]
    segment = reference.segments[index]
    end = min(start + len(str(segment)), reference.end)
    return Unresolved(code, message, start, end, help, notes)


def there_are(found: Any) -> list[str]:
    """A note that names what is known."""
    return (
        [f"there are {listing(list(found))}"]
        if len(found) > 1
        else [f"there is {listing(list(found))}"]
        if found
        else []
    )


def placed(made: Expression, place: Origin | None) -> Expression:
    """What was made for a reference, and all that it consists of, at the place of the reference."""
    if isinstance(made, Join):
        parts = tuple(part if isinstance(part, str) else placed(part, place) for part in made.parts)
        return replace(made, parts=parts, origin=place)
    return replace(made, origin=place)
