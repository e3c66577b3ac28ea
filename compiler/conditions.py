"""Conditions as SageMaker has them: brought to its conjunctive form, found constant, written as JSON."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import reduce
from typing import Any, cast

from sagewright.compiler.expression import And, Compare, Condition, In, Literal, Not, Operand, Or, Reference

MAX_TERMS = 100
"""Comparisons and `In`s in the conjunctive form."""
_UNCOUNTED = 1_000_000
_MAX_VARIABLES = 16
"""A truth table of so many takes 8 KB."""

_PLACES = frozenset(("start", "end", "starts", "origin", "text"))
_MIRRORED = {">": "<", ">=": "<="}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le}
_TYPES = {
    "==": "Equals",
    ">": "GreaterThan",
    ">=": "GreaterThanOrEqualTo",
    "<": "LessThan",
    "<=": "LessThanOrEqualTo",
}

_Clause = tuple[Condition, ...]


class TooManyTerms(Exception):
    """The conjunctive form would have `count` terms (counted up to a million), which is over `MAX_TERMS`."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count:,} terms" if count < _UNCOUNTED else "a million terms or more")
        self.count = count


# -- the conjunctive form ---------------------------------------------------------------------------------------------


def normalise(condition: Condition) -> list[Condition]:
    """The clauses, ANDed, of a condition: comparisons, `In`, `Not` over one of these, and `Or` over all of these.

    Their order is that of the text. `not` moves only through `and` and `or`, a comparison is never turned round; `!=`
    is `Not` over `==`, and a bare Boolean `b` is `b == true`. What stands twice in an `Or`, or in the list, is
    written once. Raises `TooManyTerms`, before it builds them.
    """
    _, terms = _size(condition, True)
    if terms > MAX_TERMS:
        raise TooManyTerms(terms)
    clauses = (_distinct(clause) for clause in _clauses(condition, True))
    return _distinct([clause[0] if len(clause) == 1 else Or(tuple(clause)) for clause in clauses])


def _size(condition: Condition, positive: bool) -> tuple[int, int]:
    """How many clauses and terms the conjunctive form has."""
    if isinstance(condition, Not):
        return _size(condition.operand, not positive)
    if not isinstance(condition, (And, Or)):
        return 1, 1
    if isinstance(condition, And) is positive:
        clauses, terms = 0, 0
        for operand in condition.operands:
            more, their = _size(operand, positive)
            clauses, terms = clauses + more, terms + their
    else:
        clauses, terms = 1, 0
        for operand in condition.operands:
            more, their = _size(operand, positive)
            clauses, terms = clauses * more, terms * more + clauses * their
            clauses, terms = min(clauses, _UNCOUNTED), min(terms, _UNCOUNTED)
    return min(clauses, _UNCOUNTED), min(terms, _UNCOUNTED)


def _clauses(condition: Condition, positive: bool) -> list[_Clause]:
    if isinstance(condition, Not):
        return _clauses(condition.operand, not positive)
    if not isinstance(condition, (And, Or)):
        return [(_term(condition, positive),)]
    if isinstance(condition, And) is positive:
        found: list[_Clause] = []
        for operand in condition.operands:
            found += _clauses(operand, positive)
        return found
    found = [()]
    for operand in condition.operands:
        right = _clauses(operand, positive)
        found = [(*a, *b) for a in found for b in right]
    return found


def _term(condition: Compare | In | Operand, positive: bool) -> Condition:
    if isinstance(condition, Compare) and condition.operator == "!=":
        condition = Compare("==", condition.left, condition.right, condition.start, condition.end)
        positive = not positive
    elif not isinstance(condition, (Compare, In)):
        placed = isinstance(condition, (Reference, Literal))
        start, end = (condition.start, condition.end) if placed else (0, 0)
        condition = Compare("==", condition, Literal(True, start, end), start, end)
    return condition if positive else Not(condition)


def _distinct(conditions: Sequence[Condition]) -> list[Condition]:
    if len(conditions) == 1:
        return list(conditions)
    found: dict[Hashable, Condition] = {}
    for condition in conditions:
        found.setdefault(_key(condition), condition)
    return list(found.values())


def _key(value: object) -> Hashable:
    """The same for two that differ in their places only."""
    if isinstance(value, Literal):
        return type(value.value), value.value
    if isinstance(value, tuple):
        return tuple(_key(part) for part in cast("tuple[object, ...]", value))
    members: tuple[str, ...] = getattr(value, "__match_args__", ())  # a dataclass's
    if not members:
        return cast("Hashable", value)
    return type(value).__name__, *(_key(getattr(value, name)) for name in members if name not in _PLACES)


# -- constant conditions ----------------------------------------------------------------------------------------------


def constant(condition: Condition) -> bool | None:
    """What a condition is whatever its references are; None where it depends on them.

    Comparisons of literals, and of a reference with itself, are worked out; comparisons are otherwise taken as
    independent of each other: what numbers and lists imply about others is not looked at.
    """
    counts: Counter[Hashable] = Counter()
    _count(condition, counts)
    repeated = [atom for atom, count in counts.items() if count > 1][:_MAX_VARIABLES]
    tables = _Tables(repeated)
    surely, possibly = tables.of(condition)
    if surely == tables.all:
        return True
    return None if possibly else False


def decided(clauses: Sequence[Condition]) -> bool | None:
    """What the conjunctive form is because of the literals that one thing is compared with: `a == 1 and a == 2` never
    holds, and `a != 1 or a != 2` always does. None where that decides nothing."""
    if not _can_agree(clauses):
        return False
    for clause in clauses:
        terms = clause.operands if isinstance(clause, Or) else ()
        if _can_agree([term.operand for term in terms if isinstance(term, Not)]):
            return None
    return True


def _can_agree(terms: Sequence[Condition]) -> bool:
    """Whether everything can equal one of the literals that each term asks for."""
    allowed: dict[Hashable, set[Any]] = {}
    for term in terms:
        if isinstance(term, In):
            query, values = term.query, term.values
        elif isinstance(term, Compare) and term.operator == "==":
            sides = (term.left, term.right)
            query, values = sides if not isinstance(term.left, Literal) else sides[::-1]
            values = (values,)
        else:
            continue
        literals = {value.value for value in values if isinstance(value, Literal)}
        if len(literals) == len(values) and not isinstance(query, Literal):
            key = _key(query)
            allowed[key] = literals & allowed.get(key, literals)
            if not allowed[key]:
                return False
    return True


def _count(condition: Condition, counts: Counter[Hashable]) -> None:
    if isinstance(condition, Not):
        _count(condition.operand, counts)
    elif isinstance(condition, (And, Or)):
        for operand in condition.operands:
            _count(operand, counts)
    else:
        atom = _atom(condition)
        if not isinstance(atom, bool):
            counts[atom[0]] += 1


def without_constants(condition: Condition) -> Condition | bool:
    """A condition without its terms that are constant, as comparisons of literals are."""
    if isinstance(condition, (And, Or)):
        decides = isinstance(condition, Or)
        parts = [without_constants(operand) for operand in condition.operands]
        if decides in [part for part in parts if isinstance(part, bool)]:
            return decides
        left = tuple(part for part in parts if not isinstance(part, bool))
        return not decides if not left else left[0] if len(left) == 1 else type(condition)(left)
    if isinstance(condition, Not):
        inner = without_constants(condition.operand)
        return not inner if isinstance(inner, bool) else Not(inner)
    always = constant(condition)
    return condition if always is None else always


class _Tables:
    """Truth tables, each an integer of one bit per valuation of `variables`: where a condition surely holds, and
    where it possibly does.

    An atom that is no variable is unknown wherever it stands. For one that stands once that is exact, so only those
    that stand more than once need be variables.
    """

    def __init__(self, variables: list[Hashable]) -> None:
        self.all = (1 << (1 << len(variables))) - 1
        self.tables = {atom: self.all // ((1 << (1 << i)) + 1) for i, atom in enumerate(variables)}

    def of(self, condition: Condition) -> tuple[int, int]:
        if isinstance(condition, Not):
            surely, possibly = self.of(condition.operand)
            return self.all ^ possibly, self.all ^ surely
        if isinstance(condition, (And, Or)):
            join = int.__and__ if isinstance(condition, And) else int.__or__
            surely, possibly = zip(*(self.of(operand) for operand in condition.operands), strict=True)
            return reduce(join, surely), reduce(join, possibly)
        return self._of_term(condition)

    def _of_term(self, condition: Compare | In | Operand) -> tuple[int, int]:
        atom = _atom(condition)
        if isinstance(atom, bool):
            return (self.all, self.all) if atom else (0, 0)
        key, positive = atom
        table = self.tables.get(key)
        if table is None:
            return 0, self.all
        table = table if positive else self.all ^ table
        return table, table


def _atom(condition: Compare | In | Operand) -> bool | tuple[Hashable, bool]:
    """What a term is, where that is plain; else what it turns on, and whether it holds when that does."""
    if isinstance(condition, In):
        return _membership(condition)
    if not isinstance(condition, Compare):
        return _equality(condition, Literal(True))
    sign, left, right = condition.operator, condition.left, condition.right
    if sign in ("==", "!="):
        found = _equality(left, right)
        if sign == "==":
            return found
        return not found if isinstance(found, bool) else (found[0], not found[1])
    if sign in _MIRRORED:
        sign, left, right = _MIRRORED[sign], right, left
    if isinstance(left, Literal) and isinstance(right, Literal) and _comparable(left, right):
        return _ORDER[sign](left.value, right.value)
    first, second = _key(left), _key(right)
    return sign == "<=" if first == second else ((sign, first, second), True)


def _equality(left: Operand, right: Operand) -> bool | tuple[Hashable, bool]:
    if isinstance(left, Literal) and isinstance(right, Literal) and _comparable(left, right):
        return left.value == right.value
    first, second = _key(left), _key(right)
    return True if first == second else (("==", frozenset((first, second))), True)


def _membership(condition: In) -> bool | tuple[Hashable, bool]:
    found = [_equality(condition.query, value) for value in condition.values]
    if True in found:
        return True
    undecided = frozenset(atom for atom in found if not isinstance(atom, bool))
    if len(undecided) <= 1:
        return next(iter(undecided), False)
    return ("in", undecided), True


def _comparable(left: Literal, right: Literal) -> bool:
    kinds = {type(value) if isinstance(value, (bool, str)) else float for value in (left.value, right.value)}
    return len(kinds) == 1


# -- JSON -------------------------------------------------------------------------------------------------------------


def to_json(clauses: Sequence[Condition], operand: Callable[[Any], Any]) -> list[dict[str, Any]]:
    """What `normalise` returns as SageMaker's `Conditions`. `operand` writes an operand that is no literal."""
    return [_json(clause, operand) for clause in clauses]


def _json(clause: Condition, operand: Callable[[Any], Any]) -> dict[str, Any]:
    def value(of: Operand) -> Any:
        return of.value if isinstance(of, Literal) else operand(of)

    if isinstance(clause, Or):
        return {"Type": "Or", "Conditions": to_json(clause.operands, operand)}
    if isinstance(clause, Not):
        return {"Type": "Not", "Condition": _json(clause.operand, operand)}
    if isinstance(clause, In):
        return {"Type": "In", "QueryValue": value(clause.query), "Values": [value(v) for v in clause.values]}
    if isinstance(clause, Compare):
        return {
            "Type": _TYPES[clause.operator],
            "LeftValue": value(clause.left),
            "RightValue": value(clause.right),
        }
    raise TypeError(f"no clause of the conjunctive form: {clause!r}")
