"""The bare conditions of `if:`: text → `Condition`.

    condition  = conjunct { "or" conjunct }
    conjunct   = negation { "and" negation }
    negation   = { "not" } ( value | comparison )
    comparison = value ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
               | value [ "not" ] "in" "[" value { "," value } [ "," ] "]"
    value      = path | number | string | "true" | "false" | "(" condition ")"

A string stands in quotes of either kind. The quote doubled stands for itself and a backslash is a backslash, as in
YAML's single quotes; `$${` is a literal `${`, as everywhere in the language. Precedence is Python's, but comparisons
do not chain, and only values compare.
"""

from __future__ import annotations

import re
from functools import lru_cache

from sagewright.compiler.expression import (
    And,
    Compare,
    Condition,
    ExpressionError,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Reference,
)
from sagewright.compiler.expression_parser import (
    PATH,
    PLACEHOLDER_RE,
    foreign_error,
    found_at,
    path_error,
    reference_at,
    shown,
    skip_space,
    syntax_error,
)

MAX_DEPTH = 100
"""How deeply parentheses and `not` may nest."""

_TOKEN_RE = re.compile(
    rf"""\s*(?:
      (and|or|not|in|true|false)(?![A-Za-z0-9_-])
    | ({PATH})
    | ([=!<>&|]+)
    | ([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![A-Za-z0-9_.:+*/%-])
    | ('[^']*(?:''[^']*)*'|"[^"]*(?:""[^"]*)*")
    | ([()\[\],])
    | (\Z)
    )""",
    re.VERBOSE,
)
_REFERENCE, _OPERATOR, _NUMBER, _STRING, _END = 2, 3, 4, 5, 7
_NO_NUMBER_RE = re.compile(r"[-+.]*[0-9][^\s()\[\],=!<>]*")
_PLACEHOLDER_START_RE = re.compile(r"(?<!\$)\$\{")
_KEYWORDS = frozenset(("and", "or", "not", "in", "true", "false"))
_NULLS = frozenset(("null", "none", "nil"))
_OPERATORS = frozenset(("==", "!=", "<", "<=", ">", ">="))
_SLIPS = {
    **dict.fromkeys(("=", "==="), "=="),
    **dict.fromkeys(("<>", "!=="), "!="),
    **dict.fromkeys(("&", "&&"), "and"),
    **dict.fromkeys(("|", "||"), "or"),
    "=<": "<=",
    "=>": ">=",
    "!": "not",
}
_AFTER_PATH = frozenset("=!<>&|()],")


@lru_cache(maxsize=1024)
def parse_condition(text: str) -> Condition:
    """The condition of an `if:`, its operands `Reference` and `Literal`, all with their places.

    `And` and `Or` have two operands or more, and nest as written. Raises `ExpressionError` at the first mistake
    (SW121; SW122 for `${{ }}`; SW110 where parentheses and `not` nest too deeply), with offsets into `text`.
    """
    return _Parser(text).parse()


class _Parser:
    """Recursive descent, one token ahead.

    `kind` is `value`, `operator`, `end`, or the token itself for keywords and marks; `start` and `end` are the
    token's, `before` is where the one before it ended.
    """

    __slots__ = ("before", "depth", "end", "kind", "operator", "start", "text", "value")

    def __init__(self, text: str) -> None:
        self.text = text
        self.before = self.start = self.end = self.depth = 0
        self.kind = self.operator = ""
        self.value: Reference | Literal = Literal("")
        self._next()

    def parse(self) -> Condition:
        parsed = self._condition()
        if self.kind != "end":
            raise self._trailing()
        return parsed

    def _condition(self) -> Condition:
        alternatives: list[Condition] = []
        while True:
            factors = [self._negation()]
            while self._accept("and"):
                factors.append(self._negation())
            alternatives.append(factors[0] if len(factors) == 1 else And(tuple(factors)))
            if not self._accept("or"):
                return alternatives[0] if len(alternatives) == 1 else Or(tuple(alternatives))

    def _negation(self) -> Condition:
        depth = self.depth
        while self._enter("not"):
            pass
        negations = self.depth - depth
        parsed = self._comparison()
        self.depth = depth
        for _ in range(negations):
            parsed = Not(parsed)
        return parsed

    def _comparison(self) -> Condition:
        start = self.start
        left = self._value()
        if self.kind == "operator":
            parsed: Condition = self._compare(self._operand(left, start), start)
        elif self.kind in ("in", "not"):
            parsed = self._membership(self._operand(left, start), start)
        else:
            return left
        if self.kind in ("operator", "in", "not"):
            raise self._chained(parsed)
        return parsed

    def _compare(self, left: Operand, start: int) -> Compare:
        operator = self.operator
        self._next()
        at = self.start
        right = self._operand(self._value(), at)
        return Compare(operator, left, right, start, self.before)

    def _membership(self, query: Operand, start: int) -> Condition:
        negated = self._accept("not")
        if not self._accept("in"):
            raise self._unexpected("expected `in` after `not`")
        if not self._accept("["):
            raise self._unexpected("expected a list after `in`", "such as `[parameters.A, 'b']`")
        values: list[Operand] = []
        while not values or not self._accept("]"):
            at = self.start
            values.append(self._operand(self._value(), at))
            if not self._accept(",") and self.kind != "]":
                raise self._unexpected("expected `,` or `]`")
        parsed = In(query, tuple(values), start, self.before)
        return Not(parsed) if negated else parsed

    def _value(self) -> Condition:
        """An operand, or a condition in parentheses."""
        opening = self.start
        if self.kind == "value":
            value = self.value
            self._next()
            return value
        if not self._enter("("):
            help = "a negation stands in parentheses here" if self.kind == "not" else None
            raise self._unexpected("expected a value", help)
        parsed = self._condition()
        if self.kind == "end":
            raise syntax_error("`(` is never closed", opening, opening + 1)
        if not self._accept(")"):
            raise self._trailing()
        self.depth -= 1
        return parsed

    def _operand(self, value: Condition, start: int) -> Operand:
        if isinstance(value, (Compare, In, Not, And, Or)):
            raise syntax_error(
                "expected a value, found a condition", start, self.before, "only values compare"
            )
        return value

    def _accept(self, kind: str) -> bool:
        """Whether the token is `kind`; if so it is passed."""
        if self.kind != kind:
            return False
        self._next()
        return True

    def _enter(self, kind: str) -> bool:
        """As `_accept`, one level deeper."""
        if self.kind == kind and self.depth >= MAX_DEPTH:
            message = f"parentheses and `not` nest more than {MAX_DEPTH} deep"
            raise ExpressionError("SW110", message, self.start, self.end)
        accepted = self._accept(kind)
        self.depth += accepted
        return accepted

    # -- tokens

    def _next(self) -> None:
        self.before = self.end
        found = _TOKEN_RE.match(self.text, self.end)
        if found is None:
            raise self._no_token(skip_space(self.text, self.end))
        group = found.lastindex or _END
        self.start, self.end = found.span(group)
        if group == _REFERENCE:
            self.kind, self.value = "value", self._path()
        elif group == _OPERATOR:
            self.kind, self.operator = "operator", self._known(found[group])
        elif group == _NUMBER:
            self.kind, self.value = "value", self._number(found[group])
        elif group == _STRING:
            self.kind, self.value = "value", self._string(found[group])
        elif found[group] in ("true", "false"):
            self.kind, self.value = "value", Literal(found[group] == "true", self.start, self.end)
        else:
            self.kind = found[group] or "end"

    def _path(self) -> Reference:
        text, start, end = self.text, self.start, self.end
        if end < len(text) and text[end] not in _AFTER_PATH and not text[end].isspace():
            raise path_error(text, start, end)
        made = reference_at(text, start, end)
        if len(made.segments) == 1 and made.text.lower() in _NULLS:
            help = "a parameter always has a value; compare it with a text that stands for none"
            raise syntax_error(f"`{made.text}`: conditions know no null", start, end, help)
        if len(made.segments) == 1 and made.text.lower() in _KEYWORDS:
            help = f"did you mean `{made.text.lower()}`?"
            raise syntax_error(f"`{made.text}` is no reference", start, end, help)
        return made

    def _known(self, operator: str) -> str:
        if operator in _OPERATORS:
            return operator
        meant = _SLIPS.get(operator)
        help = f"did you mean `{meant}`?" if meant else "they are == != < <= > >= in, and, or, not"
        raise syntax_error(f"`{shown(operator)}` is no operator", self.start, self.end, help)

    def _number(self, digits: str) -> Literal:
        """Integers are bounded before Python reads them, which takes quadratic time and refuses long ones."""
        value: int | float = float(digits)
        whole = digits.lstrip("+-").isdigit()
        if whole and abs(value) < 2**64:
            value = int(digits)
        if not -(2**63) <= value < 2**63 if whole else abs(value) == float("inf"):
            raise syntax_error("number out of range", self.start, self.end, "numbers have 64 bits")
        return Literal(value, self.start, self.end)

    def _string(self, quoted: str) -> Literal:
        quote = quoted[0]
        content = quoted[1:-1].replace(quote * 2, quote)
        if _PLACEHOLDER_START_RE.search(content):
            help = "references stand bare in `if:`; `$${` is a literal `${`"
            raise syntax_error("a string in `if:` holds no references", self.start, self.end, help)
        return Literal(content.replace("$${", "${"), self.start, self.end)

    # -- mistakes

    def _unexpected(self, message: str, help: str | None = None) -> ExpressionError:
        token = self.text[self.start : self.end]
        found = f"`{shown(token)}`" if token else "the end"
        return syntax_error(f"{message}, found {found}", self.start, self.end, help)

    def _chained(self, first: Condition) -> ExpressionError:
        help = "join two comparisons by `and`"
        if isinstance(first, Compare) and isinstance(first.right, (Reference, Literal)):
            middle = self.text[first.right.start : first.right.end]
            whole = self.text[first.start : first.end]
            help = f"write `{shown(whole)} and {shown(middle)} {self.text[self.start : self.end]} ...`"
        return syntax_error("comparisons do not chain", self.start, self.end, help)

    def _trailing(self) -> ExpressionError:
        if self.kind == ")":
            return syntax_error("`)` closes nothing", self.start, self.end)
        if self.kind == "(":
            return self._unexpected("expected `and` or `or`", "there are no functions")
        signed = self.text[self.start : self.start + 1] in ("+", "-")
        return self._unexpected(
            "expected `and`, `or` or the end", "there is no arithmetic" if signed else None
        )

    def _no_token(self, at: int) -> ExpressionError:
        """What stands at `at` begins no token."""
        text = self.text
        if text.startswith("${{", at):
            return foreign_error(text, at, "{}")
        if text.startswith("${", at):
            whole = PLACEHOLDER_RE.match(text, at)
            help = f"write `{shown(whole[1])}`" if whole else "`if:` is an expression already"
            return syntax_error("references stand bare in `if:`", at, whole.end() if whole else at + 2, help)
        if text[at] in "'\"":
            return syntax_error("the quote is never closed", at, len(text))
        arithmetic = "there is no arithmetic"
        if number := _NO_NUMBER_RE.match(text, at):
            help = arithmetic if set(number[0]) & set("+-*/%") else None
            return syntax_error(f"`{shown(number[0])}` is no number", at, number.end(), help)
        help = arithmetic if text[at] in "+-*/%" else None
        return syntax_error(f"unexpected {found_at(text, at)}", at, at + 1, help)
