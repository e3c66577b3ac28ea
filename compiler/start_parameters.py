"""The parameters of a deployed definition, and whether what is given for them would be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagewright.compiler.definition import DefinitionError, parse
from sagewright.compiler.plan import Refused
from sagewright.compiler.suggest import listing, nearest

MAX_PARAMETERS, MAX_VALUE = 200, 1_024
"""Of one start, and characters of one value. Source: botocore's shapes ParameterList and String1024."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as a definition declares it; `default` is None where it must be given."""

    name: str
    type: str
    default: Any = None
    enum: tuple[str, ...] = ()

    def problem(self, text: str) -> str | None:
        """Why SageMaker would not take `text` for it."""
        if len(text) > MAX_VALUE:
            return f"has {len(text):,} characters: SageMaker takes {MAX_VALUE:,}"
        if not _is_of(self.type, text):
            return f"is {_article(self.type)} {self.type}, and `{text}` is none"
        if self.enum and text not in self.enum:
            near = nearest(text, self.enum)
            hint = f"; did you mean `{near}`?" if near else ""
            return f"is one of {listing(list(self.enum))}, not `{text}`{hint}"
        return None


def _is_of(type_: str, text: str) -> bool:
    try:
        if type_ == "Integer":
            int(text)
        elif type_ == "Float":
            float(text)
    except ValueError:
        return False
    return type_ != "Boolean" or text.lower() in ("true", "false")


def _article(word: str) -> str:
    return "an" if word[:1] in "AEIOU" else "a"


def declared(text: str) -> list[Parameter]:
    """The parameters of a definition. Raises Refused where it cannot be read."""
    try:
        found = parse(text).get("Parameters") or []
    except DefinitionError as error:
        raise Refused(f"the deployed definition cannot be read: {error}") from None
    return [
        Parameter(p["Name"], p.get("Type", "String"), p.get("DefaultValue"), tuple(p.get("EnumValues") or ()))
        for p in found
    ]


def check(parameters: Sequence[Parameter], given: Mapping[str, str]) -> None:
    """Raise Refused, with every mistake, where a start with `given` would not be what is meant."""
    found = problems(parameters, given)
    if found:
        raise Refused("; ".join(found), "give parameters with -p NAME=VALUE, or --params FILE")


def problems(parameters: Sequence[Parameter], given: Mapping[str, str | None]) -> list[str]:
    """Every mistake in what a start is given. None is a value that nobody knows yet."""
    by_name = {parameter.name: parameter for parameter in parameters}
    found: list[str] = []
    for name, text in given.items():
        if name not in by_name:
            near = nearest(name, by_name)
            known = f"there are {listing(list(by_name))}" if by_name else "it has none"
            found.append(f"there is no parameter `{name}`; {f'did you mean `{near}`?' if near else known}")
        elif text is not None and (problem := by_name[name].problem(text)):
            found.append(f"`{name}` {problem}")
    missing = [p.name for p in parameters if p.default is None and p.name not in given]
    found += [f"`{name}` has no default, and must be given" for name in missing]
    if len(given) > MAX_PARAMETERS:
        found.append(f"these are {len(given)} parameters: SageMaker takes {MAX_PARAMETERS}")
    return found
