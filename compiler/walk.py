"""What a walk over a step's Arguments carries along: where it is, who makes variables, who hears of violations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sagewright.compiler.expression import EXPRESSIONS, Expression
from sagewright.compiler.source import Origin, entry_origin, key_origin, own_origin, plain_number, scalar_text
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.types import Type, unquoted

FUNCTIONS = frozenset({"Get", "Std:Join", "Std:JsonGet"})
"""The pseudo-functions, as they stand in a definition: `{"Get": "Parameters.X"}`."""

Key = str | int | None
Frame = tuple[Any, Key, Any]
"""A container on the way down: the frame of its own container (None outermost), its key there, and itself.

So a walk costs a tuple per container; paths and places are worked out only for violations.
"""


@dataclass(frozen=True, slots=True)
class Violation:
    """What AWS would refuse: a code (SW408, SW601 to SW607), and where in the request (`ProcessingInputs[0].S3Input`)."""

    code: str
    message: str
    origin: Origin | None
    path: str
    help: str | None = None
    value: Any = None
    """The scalar at fault, where it has no place of its own, and `origin` is only near."""


class Problem(NamedTuple):
    """What is wrong with a value; `what` continues a sentence that begins with its path."""

    code: str
    what: str
    help: str | None = None


class Walk:
    """One walk over the Arguments of one step, for the request of `operation`; the members in `omits`, by their paths
    without indices, may be missing."""

    __slots__ = ("_omits", "_report", "_variable", "operation")

    def __init__(
        self,
        operation: str,
        variable: Callable[[Expression, Type], Any],
        report: Callable[[Violation], None],
        omits: frozenset[str] = frozenset(),
    ) -> None:
        self.operation = operation
        self._variable = variable
        self._report = report
        self._omits = omits

    def refuse(self, problem: Problem, value: Any, frame: Frame | None, key: Key) -> None:
        """Report what is wrong with the value at `key` of `frame`."""
        exact = own_origin(value) or (entry_origin(frame[2], key) if frame and key is not None else None)
        place = exact or place_of(value, frame, key)
        self._tell(problem, _path(frame, key), place, value if exact is None else None)

    def refuse_key(self, problem: Problem, frame: Frame, key: str) -> None:
        """Report what is wrong with a key of a map."""
        exact = key_origin(frame[2], key)
        place = exact or place_of(frame[2][key], frame, key)
        what = Problem(problem.code, f"has a key that {problem.what}", problem.help)
        self._tell(what, _path(frame, key), place, key if exact is None else None)

    def unknown(self, name: str, known: Collection[str], frame: Frame) -> None:
        """Report a member that the structure of `frame` does not have."""
        outer, key, container = frame
        place = key_origin(container, name) or place_of(container[name], frame, name)
        message = f"`{_path(outer, key) or self.operation}` has no member `{shortened(name)}`"
        help = suggestion(name, known, "its members are")
        self._report(Violation("SW601", message, place, _path(frame, name), help))

    def missing(self, names: list[str], frame: Frame) -> None:
        """Report the required members that the structure of `frame` lacks, but for those that may be missing."""
        outer, key, container = frame
        within = [part for part in _keys(outer, key) if isinstance(part, str)] if self._omits else []
        names = [name for name in names if ".".join((*within, name)) not in self._omits]
        if not names:
            return
        what = f"lacks its required member{'s' if len(names) > 1 else ''} {listing(names)}"
        place = own_origin(container) if outer else None
        if outer and isinstance(key, str) and entry_origin(outer[2], key) is not None:
            place = key_origin(outer[2], key)
        elif any(isinstance(part, int) for part in _keys(outer, key)):
            place = place_of(container, outer, key)  # what it has tells which of several it is
        self._tell(Problem("SW602", what), _path(outer, key), place)

    def leaf(self, wanted: Type, what: str, value: Any, frame: Frame | None, key: Key) -> Any:
        """The value at a scalar's place that is no literal of its type: a variable, or a mistake."""
        if isinstance(value, EXPRESSIONS):
            return self._variable(value, wanted)
        if is_function(value):
            return self.unchecked(value, frame, key)
        problem = Problem("SW603", f"must be {what}, not {_shown(value)}", _quoting(wanted, value))
        return self.refuse(problem, value, frame, key)

    def container(self, what: str, value: Any, frame: Frame | None, key: Key) -> None:
        """Report the value at the place of a structure, a list or a map that is none."""
        if isinstance(value, EXPRESSIONS) or is_function(value):
            message = f"must be {what}, a reference cannot stand for it"
            problem = Problem("SW408", message, "write it out: a reference stands for a single value")
        else:
            problem = Problem("SW603", f"must be {what}, not {_shown(value)}")
        self.refuse(problem, value, frame, key)

    def unchecked(self, value: Any, frame: Frame | None, key: Key) -> Any:
        """`value` with its expressions made variables, whatever its shape."""
        if isinstance(value, dict):
            inner = (frame, key, value)
            return {
                name: self.unchecked(item, inner, name) for name, item in value.items() if item is not None
            }
        if isinstance(value, list):
            inner = (frame, key, value)
            return [self.unchecked(item, inner, index) for index, item in enumerate(value)]
        if isinstance(value, EXPRESSIONS):
            return self._variable(value, Type.ANY)
        if value is None:
            return self.refuse(Problem("SW603", "must be a value, not null"), value, frame, key)
        return str(value) if isinstance(value, str) else plain_number(value)

    def _tell(self, problem: Problem, path: str, place: Origin | None, value: Any = None) -> None:
        message = f"`{path or self.operation}` {problem.what}"
        self._report(Violation(problem.code, message, place, path, problem.help, value))


def is_function(value: Any) -> bool:
    """Whether `value` is a pseudo-function that is written out."""
    return isinstance(value, dict) and len(value) == 1 and not FUNCTIONS.isdisjoint(value)


# -- places -----------------------------------------------------------------------------------------------------------


def place_of(value: Any, frame: Frame | None, key: Key) -> Origin | None:
    """Where the value at `key` of `frame` stands, else the nearest thing around it that has a place."""
    found = _first_place(value)
    while found is None and frame is not None:
        outer, outer_key, container = frame
        found = entry_origin(container, key) if key is not None else None
        if found is None and outer is not None:  # what else the Arguments hold says nothing about this
            found = _around(container)
        frame, key = outer, outer_key
    return found


def _first_place(value: Any) -> Origin | None:
    """The place of `value`, or, of a container that has none, of the first thing in it that has one."""
    found = own_origin(value)
    return _around(value) if found is None and isinstance(value, (dict, list)) else found


def _around(container: Any) -> Origin | None:
    """The place of the first thing in a container that has one. (Its own place, where `api:` patched it, is another's.)"""
    children: Iterable[Any] = container.values() if isinstance(container, dict) else container
    return next((place for place in map(_first_place, children) if place is not None), None)


def _path(frame: Frame | None, key: Key) -> str:
    return "".join(map(_segment, _keys(frame, key))).removeprefix(".")


def _keys(frame: Frame | None, key: Key) -> list[Key]:
    """The way from the Arguments to the value at `key` of `frame`."""
    keys: list[Key] = []
    while frame is not None:
        keys.append(key)
        frame, key, _ = frame
    return keys[::-1]


def _segment(key: Key) -> str:
    if isinstance(key, str):
        return f".{key}" if key.isidentifier() and len(key) <= 60 else f"['{shortened(key)}']"
    return f"[{key}]"


# -- words ------------------------------------------------------------------------------------------------------------


def shortened(text: str) -> str:
    """A text for a message, cut where it is long."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def limits(given: float, low: float, high: float) -> str:
    """ "AWS takes at most 5", for what is given outside `low` to `high`."""
    if low == high:
        return f"AWS takes exactly {low}"
    return f"AWS takes at least {low}" if given < low else f"AWS takes at most {high}"


def suggestion(name: str, known: Collection[str], what: str) -> str | None:
    """ "did you mean `x`?", or where nothing is near, all that is known, if that is little."""
    near = nearest(name, known)
    if near is not None:
        return f"did you mean `{near}`?"
    return f"{what} {listing(known)}" if len(known) <= 8 else None


def number(value: float) -> str:
    """A number for a message (Python refuses to spell out thousands of digits)."""
    return (
        str(value) if isinstance(value, float) or abs(value) < 10**30 else "a number of more than 30 digits"
    )


def _shown(value: Any) -> str:
    """A value in words: "the string `abc`", "a list"."""
    if value is None:
        return "null"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return f"the string `{shortened(value)}`"
    if isinstance(value, bool):
        return f"the boolean `{scalar_text(value)}`"
    return f"the {'integer' if isinstance(value, int) else 'number'} `{number(value)}`"


def _quoting(wanted: Type, value: Any) -> str | None:
    """What to do about quotes that are missing or too many."""
    if wanted is Type.STRING:
        return "quote it" if isinstance(value, (bool, int, float)) else None
    return unquoted(value, wanted) if isinstance(value, str) else None
