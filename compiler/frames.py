"""What references of one file may name, in one use of it: a pipeline's own steps, or those of a component in place of
the step that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yaml.nodes import Node

from sagewright.compiler.diagnostics import Related
from sagewright.compiler.source import Map, Origin, Text
from sagewright.compiler.types import Type

if TYPE_CHECKING:
    from sagewright.compiler.model import Dependency


SCALARS = {one.value: one for one in Type if one is not Type.ANY}


@dataclass(frozen=True, slots=True)
class Input:
    """What a component takes: `type` is one of `SCALARS`, `List` or `Map`, and empty where it is
    not understood. Without a default it must be given; a default of None leaves
    out the keys that it stands at."""

    name: str
    type: str
    default: Any
    required: bool
    enum: tuple[Any, ...]
    origin: Origin | None

    @property
    def scalar(self) -> Type | None:
        """The type of its values; None of lists and mappings."""
        return SCALARS.get(self.type)

    def declared_here(self) -> list[Related]:
        return [Related(f"`{self.name}` is declared here", self.origin.span())] if self.origin else []


@dataclass(slots=True, eq=False)
class Frame:
    """One use of a file. `entries` are the names that stand in it: of a step, with its name in the definition; of a
    matrix, with the names of its steps in this frame; of a step that uses a component, with that one's frame. `path` is
    the file's as it was opened.

    Of a component, `caller` is the frame of the step that uses it, `at` the place of that step; `given` are its inputs
    as they are given there, or by default.
    """

    file: str
    path: Path | None = None
    name: str = ""
    caller: Frame | None = None
    at: Origin | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    outputs: Map = field(default_factory=Map)
    depends_on: tuple[Dependency, ...] = ()
    entries: dict[str, str | tuple[str, ...] | Frame] = field(default_factory=dict)
    places: dict[str, Origin] = field(default_factory=dict)
    matrices: set[str] = field(default_factory=set)
    """The names of steps with a matrix, known before any step is read."""
    steps: tuple[str, ...] = ()
    """The outermost steps, by their names in the definition."""
    has_others: bool = False
    """Whether there are entries that are no single step."""
    broken: bool = False
    """Whether the component could not be read: what it has is not known."""

    def full(self, name: str) -> str:
        """What the definition calls a step of this file."""
        return f"{self.name}-{name}" if self.caller is not None else name

    def chain(self) -> Iterator[Frame]:
        """This frame, then those around it."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.caller

    @property
    def depth(self) -> int:
        return sum(1 for _ in self.chain()) - 1

    @property
    def is_plain(self) -> bool:
        """Whether every name in it is that of a step of the definition: nothing to work out."""
        return self.caller is None and not self.has_others

    def enter(self, name: str, entry: str | tuple[str, ...] | Frame) -> None:
        """Say what a name that stands in the file means."""
        self.entries[name] = entry
        self.has_others = self.has_others or not isinstance(entry, str)

    def frames(self) -> Iterator[Frame]:
        """The frames of the components that are used in it, and in them."""
        for entry in self.entries.values():
            if isinstance(entry, Frame):
                yield entry
                yield from entry.frames()

    def members(self, name: str) -> tuple[str, ...]:
        """The steps of a matrix, by their names in this frame; none where it is no matrix."""
        entry = self.entries.get(name)
        return entry if isinstance(entry, tuple) else ()

    def is_lost(self, name: str) -> bool:
        """Whether a name may be that of a step of a matrix that made none, which is told."""
        return any(entry == () and name.startswith(f"{matrix}-") for matrix, entry in self.entries.items())

    def owner(self, full: str) -> tuple[str, Frame, str] | None:
        """Of a step's name in the definition, where a component used here makes it: the step that uses the component,
        its frame, and the name in that."""
        for name, entry in self.entries.items():
            if isinstance(entry, Frame) and full.startswith(f"{entry.name}-"):
                inner = full.removeprefix(f"{entry.name}-")
                if inner in entry.entries or entry.owner(full) is not None:
                    return name, entry, inner
        return None

    def related(self, file: str) -> tuple[Related, ...]:
        """Of a place in a component's file: the steps that use it, innermost first."""
        found: list[Related] = []
        for frame in self.chain():
            if frame.at is not None and (frame.file == file or found):
                found.append(Related(f"used here, by the step `{frame.name}`", frame.at.span()))
        return tuple(found)


class Passed(Text):
    """A text that a component is given: it stands in the component's file, and its paths start at `home`, where it was
    written."""

    __slots__ = ("home",)
    home: Node | None

    def __new__(cls, value: str, node: Node | None = None, home: Node | None = None) -> Passed:
        made = super().__new__(cls, value, node)
        assert isinstance(made, Passed)
        made.home = home
        return made


class Given(Text):
    """A text with references that a component is given: in `frame`, where it was written, they mean something.

    `declared` is the input that it is given for, None where it is part of a list or a mapping; `failed` says that it
    means nothing, which is told already.
    """

    __slots__ = ("declared", "failed", "frame")
    frame: Frame
    declared: Input | None
    failed: bool

    def __new__(cls, value: str, frame: Frame, node: Node | None, declared: Input | None = None) -> Given:
        made = super().__new__(cls, value, node)
        assert isinstance(made, Given)
        made.frame, made.declared, made.failed = frame, declared, False
        return made


__all__ = ["SCALARS", "Frame", "Given", "Input", "Passed"]
