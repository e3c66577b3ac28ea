"""`${...}` and `if:`: lexer, parser, and nodes that know their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sagewright.compiler.types import Type

if TYPE_CHECKING:
    from sagewright.compiler.source import Origin


@dataclass(frozen=True, slots=True)
class Reference:
    """A path as written, not yet resolved: `steps.Train.model_data`, `parameters.X`, `a['b:c'][0]`.

    A segment is a name (str) or a list index (int); `text` is the path from its first letter to its last.
    `start` and `end` are offsets into the scalar's value, `starts` those of each segment.
    """

    segments: tuple[str | int, ...]
    text: str
    start: int
    end: int
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A string with references in it: text and references in order, `$${` already unescaped, no empty text."""

    parts: tuple[str | Reference, ...]


# What a reference means, once resolved. `origin` is the place of the `${...}` or of the operand.


@dataclass(frozen=True, slots=True)
class ParameterRef:
    name: str
    type: Type
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class ExecutionRef:
    variable: str
    """As SageMaker spells it: `PipelineExecutionId`."""
    type: Type = Type.STRING
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class StepRef:
    """A property of a step's Describe response; `type` is None for a whole structure or list."""

    step: str
    path: str
    type: Type | None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class ItemRef:
    """`${item}` in a foreach body; `path` is what follows (`.a`, `['k']`), or empty."""

    path: str = ""
    type: Type = Type.ANY
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class JsonGet:
    """A value in a report: by property file (`step`, `report`), or by `uri`, a string or an expression."""

    step: str
    report: str
    path: str
    uri: str | Expression | None = None
    type: Type = Type.ANY
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """Pieces of text and references, one after the other (`Std:Join` on ""). Never nested."""

    parts: tuple[str | Expression, ...]
    type: Type = Type.STRING
    origin: Origin | None = None


# Conditions. Operands are `Reference` as parsed, and resolved expressions afterwards.


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator` is one of == != < <= > >=."""

    operator: str
    left: Operand
    right: Operand
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class In:
    query: Operand
    values: tuple[Operand, ...]
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Not:
    operand: Condition


@dataclass(frozen=True, slots=True)
class And:
    operands: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    operands: tuple[Condition, ...]


Expression = ParameterRef | ExecutionRef | StepRef | ItemRef | JsonGet | Join
EXPRESSIONS = (ParameterRef, ExecutionRef, StepRef, ItemRef, JsonGet, Join)
"""For `isinstance`."""
Operand = Reference | Literal | Expression
Condition = Compare | In | Not | And | Or | Operand


class ExpressionError(Exception):
    """A mistake in an expression: its code, and the offsets of the place in the scalar's value."""

    def __init__(self, code: str, message: str, start: int, end: int, help: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.start = start
        self.end = end
        self.help = help


@dataclass(frozen=True, slots=True)
class Conditions:
    """A condition in SageMaker's form: clauses that are ANDed, operands resolved."""

    clauses: tuple[Condition, ...]
    origin: Origin | None = None


def operands(value: object) -> Iterator[Expression]:
    """Every reference in an expression, a condition, or the clauses of one, joins taken apart."""
    match value:
        case StepRef() | ParameterRef() | ExecutionRef() | ItemRef():  # first, as they are the most
            yield value
        case Conditions(clauses=found) | And(operands=found) | Or(operands=found):
            for clause in found:
                yield from operands(clause)
        case Not(operand=inner):
            yield from operands(inner)
        case Compare(left=left, right=right):
            yield from operands(left)
            yield from operands(right)
        case In(query=query, values=values):
            yield from operands(query)
            for item in values:
                yield from operands(item)
        case Join(parts=parts):
            for part in parts:
                yield from operands(part)
        case JsonGet(uri=uri):
            yield value
            if uri is not None:
                yield from operands(uri)


_USES = (*EXPRESSIONS, Conditions)


def uses(value: Any) -> list[Any]:
    """What a value refers by, in order: the expressions and conditions in it, and every `{Get: ...}` written out."""
    found: list[Any] = []
    _collect((value,), found)
    return found


def _collect(items: Iterable[Any], found: list[Any]) -> None:
    for item in items:
        if isinstance(item, str):  # as most leaves are
            continue
        if isinstance(item, dict):
            if len(item) == 1 and isinstance(item.get("Get"), str):
                found.append(item)
            else:
                _collect(item.values(), found)
        elif isinstance(item, (list, tuple)):
            _collect(item, found)
        elif isinstance(item, _USES):
            found.append(item)
