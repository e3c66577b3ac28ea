"""Instance groups of a training job: their names, and what refers to them."""

from __future__ import annotations

from collections.abc import Sequence

from sagewright.compiler.kind import Context
from sagewright.compiler.source import Map, key_origin, origin
from sagewright.compiler.suggest import listing, nearest


def check_distinct(groups: Sequence[Map], context: Context) -> None:
    """Report a name that several groups have: channels and `distribution` could not tell them apart."""
    seen: set[str] = set()
    for group in groups:
        name = group.get("name")
        if isinstance(name, str) and name in seen:
            context.error("SW310", f"there are two groups `{name}`", origin(group, "name"))
        elif isinstance(name, str):
            seen.add(name)


def check_names(holder: Map, key: str, groups: Sequence[Map], context: Context) -> None:
    """Report each name at `key` that no group has. A reference may be any name."""
    if not groups:
        message = f"`{key}` names groups of instances, and the step has no `groups`"
        context.error("SW208", message, key_origin(holder, key))
    known = [name for group in groups if isinstance(name := group.get("name"), str)]
    if not known or len(known) < len(groups):
        return
    for index, name in enumerate(holder[key]):
        if isinstance(name, str) and name not in known:
            near = nearest(name, known)
            help = f"did you mean `{near}`?" if near else None
            notes = () if near else (f"its groups are {listing(known)}",)
            place = origin(holder[key], index)
            context.error("SW204", f"the step has no group `{name}`", place, help=help, notes=notes)
