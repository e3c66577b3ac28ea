"""`parameters:` → typed values: their type from a default, or as it is said."""

from __future__ import annotations

import re
from typing import Any

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.model import Parameter
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed
from sagewright.compiler.types import Type, type_of, unquoted

MAX_PARAMETERS = 200
"""Source: botocore's shape ParameterList."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Of parameters, and of steps."""


def parameters(declared: Map, place: Origin | None, sink: Sink) -> dict[str, Parameter]:
    """The parameters by name, in the file's order. `place` is that of all of them."""
    if len(declared) > MAX_PARAMETERS:
        message = f"{len(declared):,} parameters: SageMaker takes at most {MAX_PARAMETERS}"
        sink.report("SW701", message, place)
    found = {}
    for name, value in declared.items():
        place = key_origin(declared, name)
        if not NAME.fullmatch(name):
            message = f"`{name[:80]}` is no parameter's name: at most 64 letters, digits, `-` and `_`"
            sink.report("SW310", message, place)
        found[name] = _parameter(name, value, declared, place, sink)
    return found


def _parameter(name: str, value: Any, declared: Map, place: Origin | None, sink: Sink) -> Parameter:
    if not isinstance(value, Map):
        if isinstance(value, Failed) or not isinstance(value, (str, int, float, bool)):
            return Parameter(name, Type.ANY, origin=place)
        default = value.replace("$${", "${") if isinstance(value, str) else value
        return Parameter(name, type_of(value), default, origin=place)
    default = value.get("default")
    kind = value.get("type")
    known = {t.value: t for t in Type if t is not Type.ANY}
    if kind is None and default is None and "enum" in value:
        kind = "String"
    if kind is None and not isinstance(default, (str, int, float, bool)):
        message = f"the parameter `{name}` has neither a type nor a default to tell it by"
        sink.report("SW202", message, place, notes=["for example `type: Integer`"])
        return Parameter(name, Type.ANY, origin=place)
    untold = kind is not None or isinstance(default, Failed)  # the type is wrong, or cannot be seen
    wanted = known.get(kind, Type.ANY) if isinstance(kind, str) else Type.ANY if untold else type_of(default)
    _check_default(name, default, wanted, value, sink)
    written = value.get("enum")
    enum = written if isinstance(written, Seq) else Seq()
    _check_enum(name, default, enum, wanted, value, sink)
    description = value.get("description")
    return Parameter(
        name, wanted, default, tuple(enum), description if isinstance(description, str) else None, place
    )


def _check_default(name: str, default: Any, wanted: Type, value: Map, sink: Sink) -> None:
    if default is None or isinstance(default, (Map, Seq, Failed)) or wanted is Type.ANY:
        return
    given = type_of(default)
    if given is wanted or (given is Type.INTEGER and wanted is Type.FLOAT):
        return
    help = "quote it" if wanted is Type.STRING else None
    if isinstance(default, str):
        help = unquoted(default, wanted)
    message = f"the default of `{name}` is of type {given}, the parameter is of type {wanted}"
    sink.report("SW405", message, origin(value, "default"), help=help)


def _check_enum(name: str, default: Any, enum: Any, wanted: Type, value: Map, sink: Sink) -> None:
    if not enum:
        return
    if wanted is not Type.STRING:
        message = f"`{name}` is of type {wanted}: SageMaker has `enum` for String parameters only"
        sink.report("SW208", message, key_origin(value, "enum"))
        return
    for index, item in enumerate(enum):
        if not isinstance(item, str):
            sink.report(
                "SW405", f"the enum of `{name}` holds texts only", origin(enum, index), help="quote it"
            )
    if isinstance(default, str) and not isinstance(default, Failed) and default not in enum:
        near = nearest(default, [item for item in enum if isinstance(item, str)])
        sink.report(
            "SW404",
            f'the default "{default}" of `{name}` is not in its enum',
            origin(value, "default"),
            help=f"did you mean `{near}`?" if near else None,
            notes=[f"its enum is {listing([str(item) for item in enum])}"],
        )
