"""What templates may name, and what is said of names that are not there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sagewright.compiler.suggest import known_are, listing, nearest

NAMESPACES = ("vars", "env", "target", "pipeline", "matrix", "inputs")


class Namespace(dict[str, Any]):
    """A namespace of templates: `vars`, `env`, `target`, ... `hint` says why a name may not be there, `hints` why
    some are not; `code` is that of the mistake."""

    def __init__(
        self,
        name: str,
        values: Mapping[str, Any],
        code: str = "SW305",
        hint: str = "",
        hints: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(values)
        self.name, self.code, self.hint, self.hints = name, code, hint, hints


class UnknownError(Exception):
    """A name, `word`, that is not there: of the namespace `owner`, where it is one's. Without a message it is to be
    looked for among the namespaces."""

    def __init__(
        self,
        code: str,
        message: str,
        word: str,
        help: str | None = None,
        notes: tuple[str, ...] = (),
        owner: str = "",
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.word, self.help, self.notes = code, message, word, help, notes
        self.owner = owner


class RefusedError(Exception):
    """A template that would take too long, or too much memory."""


def missing(namespace: Namespace, name: str) -> UnknownError:
    """What is wrong with `<namespace>.<name>`."""
    hyphened = (one for one in namespace if one.startswith(f"{name}-"))  # in templates, a hyphen is a minus
    near = next(hyphened, None) or nearest(name, namespace)
    shown = near if near is None or near.isidentifier() else f"{namespace.name}['{near}']"
    known = (known_are(sorted(namespace)),) if namespace and not near else ()
    return UnknownError(
        namespace.code,
        f"`{namespace.name}.{name}` is not defined{namespace.hints.get(name, namespace.hint)}",
        name,
        f"did you mean `{shown}`?" if shown else None,
        known,
        owner=namespace.name,
    )


def absent(value: Any, name: object) -> UnknownError:
    """What a value that is there does not have."""
    near = nearest(str(name), value) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        message = f"there is no `{name}`" if near else f"there is no `{name}`: there are {listing(value)}"
    elif isinstance(value, list):
        message = f"there is no item {name}: the list has {len(value)}, counted from 0"
    else:
        message = f"a single value has no `{name}`"
    return UnknownError("SW305", message, str(name), f"did you mean `{near}`?" if near else None)
