"""Expressions that select tests by their names, as pytest's `-k`: words, `and`, `or`, `not` and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable

Matcher = Callable[[str], bool]
_TOKEN = re.compile(r"[()]|[^\s()]+")


def matcher(expression: str) -> Matcher:
    """A function that is true of the names that match; a word matches names that it stands in, whatever its case.

    Raises ValueError for what is no expression.
    """
    tokens = _TOKEN.findall(expression)
    if not tokens:
        raise ValueError("an empty expression")
    made = _or(tokens)
    if tokens:
        raise ValueError(f"`{tokens[0]}` is not expected there")
    return made


def _or(tokens: list[str]) -> Matcher:
    made = [_and(tokens)]
    while tokens and tokens[0] == "or":
        tokens.pop(0)
        made.append(_and(tokens))
    return lambda name: any(one(name) for one in made)


def _and(tokens: list[str]) -> Matcher:
    made = [_not(tokens)]
    while tokens and tokens[0] == "and":
        tokens.pop(0)
        made.append(_not(tokens))
    return lambda name: all(one(name) for one in made)


def _not(tokens: list[str]) -> Matcher:
    if not tokens or tokens[0] in (")", "and", "or"):
        raise ValueError("a word is missing" + (f" before `{tokens[0]}`" if tokens else " at the end"))
    token = tokens.pop(0)
    if token == "not":
        inner = _not(tokens)
        return lambda name: not inner(name)
    if token == "(":
        inner = _or(tokens)
        if not tokens or tokens.pop(0) != ")":
            raise ValueError("`)` is missing")
        return inner
    word = token.lower()
    return lambda name: word in name.lower()
