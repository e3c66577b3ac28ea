"""JSON Schema errors → diagnostics at their place.

Two validators share the work: jsonschema-rs says quickly that a value is valid; where it does not, `jsonschema`
finds out what is wrong. The second one decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
from yaml.nodes import MappingNode, ScalarNode

from sagewright import schemas
from sagewright.compiler.diagnostics import Sink, Span
from sagewright.compiler.source import Map, Origin, key_origin, origin, plain_number, scalar_text
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed, has_template

_TYPE_NAMES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_SCALARS = frozenset(("string", "integer", "number", "boolean"))
DECLARING = frozenset(("parameters", "triggers", "steps", "then", "else", "body"))
"""Keys whose entries are declared there, and never merged over others: an empty one is a mistake."""


@cache
def _fast(name: str) -> Any:
    return jsonschema_rs.Draft202012Validator(schemas.permitting(schemas.load(name), schemas.REFERENCE))


def is_reference(value: object) -> bool:
    """Whether a text holds a `${...}` that is not escaped."""
    return isinstance(value, str) and "${" in value.replace("$${", "")


def _is_deferred(value: object) -> bool:
    """Whether a scalar's value is not known here: a reference, or a template whose mistake is told already."""
    return is_reference(value) or isinstance(value, Failed)


def _is_of(value: object, schema: Any) -> bool:
    """Whether a value has a type that the schema takes: what is wrong with its type is told by `type` alone."""
    wanted = schema.get("type")
    names = (
        (wanted,)
        if isinstance(wanted, str)
        else wanted or ("string", "integer", "number", "boolean", "array", "object")
    )
    return any(_CHECKS[name](value) for name in names)


def _is_number_value(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_CHECKS: dict[str, Any] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: _is_number_value(value) and value == int(value),
    "number": _is_number_value,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
}


def validate(value: Any, schema: str, sink: Sink, owner: Origin | None, what: str = "") -> bool:
    """Check `value` against the schema of that name. `owner` is the place of what holds it (a missing key's place),
    `what` how messages call it. Returns whether it is valid."""
    if _is_valid(value, schema):
        return True
    before = sink.reported
    for error in _explain(schema).iter_errors(value):
        _report(error, value, sink, owner, what)
    return sink.reported == before


def _is_valid(value: Any, schema: str) -> bool:
    """Whether a value is valid for sure."""
    for given in (
        lambda: value,
        lambda: _plain(value),
    ):  # texts and numbers of our own classes are none to Rust
        try:
            return _fast(schema).is_valid(given())
        except (ValueError, TypeError):  # e.g. an integer that Rust has no room for
            continue
    return False


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return value if isinstance(value, Failed) else str(value)
    return plain_number(value)


# -- explaining -------------------------------------------------------------------------------------------------------


@cache
def _explain(name: str) -> Any:
    """A `jsonschema` validator that lets references stand for scalars, and reports them where literals are wanted."""
    from jsonschema import Draft202012Validator, ValidationError, validators

    base = Draft202012Validator.VALIDATORS

    def unless_reference(keyword: str) -> Any:
        def check(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
            if instance is not None and not _is_deferred(instance) and _is_of(instance, schema):
                yield from base[keyword](validator, wanted, instance, schema)

        return check

    def literal(_validator: Any, wanted: Any, instance: Any, _schema: Any) -> Iterator[Any]:
        if wanted and is_reference(instance):
            yield ValidationError("a literal is wanted")

    def types(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
        given = {wanted} if isinstance(wanted, str) else set(wanted)
        if isinstance(instance, Failed) or (
            is_reference(instance) and (given & _SCALARS or schema.get("x-literal"))
        ):
            return
        if instance is None and "default" in schema:  # `null` leaves a built-in default out
            return
        yield from base["type"](validator, wanted, instance, schema)

    skipped = ("pattern", "enum", "const", "minLength", "maxLength", "minimum", "maximum")
    keywords = {keyword: unless_reference(keyword) for keyword in skipped}
    extended = validators.extend(Draft202012Validator, {**keywords, "type": types, "x-literal": literal})
    return extended(schemas.load(name))


def _report(error: Any, value: Any, sink: Sink, owner: Origin | None, what: str) -> None:
    container: Any = value
    at, path = owner, ""
    for key in error.absolute_path:
        if not _is_longhand(container):
            path += f"[{key}]" if isinstance(key, int) else f".{key}"
        if container[key] is None and isinstance(
            key, str
        ):  # there is little to see of a value that is missing
            at, container = key_origin(container, key) or at, None
        else:
            at, container = origin(container, key) or at, container[key]
    span = at.span() if at else None
    name = f"`{path.removeprefix('.')}`" if path else (what or "the file")
    if error.validator == "required" and error.absolute_path and _is_block(container):
        span = _key_span(value, list(error.absolute_path)) or span
    if error.validator == "x-literal":
        span = _reference_span(at, container) or span
    _EXPLAINERS.get(error.validator, _explain_form)(error, container, sink, span, name)


def _key_span(value: Any, path: list[str | int]) -> Span | None:
    """The place of the key that holds the value at `path`."""
    for key in path[:-1]:
        value = value[key]
    place = key_origin(value, path[-1]) if isinstance(path[-1], str) else None
    return place.span() if place else None


def _is_block(container: Any) -> bool:
    """Whether a mapping is longer than a line: then its place says little."""
    node = getattr(container, "node", None)
    return node is not None and node.start_mark.line != node.end_mark.line


def _is_longhand(container: Any) -> bool:
    """Whether a mapping was made from a shorthand: its author wrote a scalar."""
    return isinstance(getattr(container, "node", None), ScalarNode)


def _reference_span(at: Origin | None, text: str) -> Span | None:
    """The place of the first reference in a text as it is written."""
    found = _REFERENCE_RE.search(text)
    written = at is not None and isinstance(at.node, ScalarNode) and at.node.value == text
    return Origin(at.node, found.start(), found.end()).span() if at and found and written else None


_INPUT_RE = re.compile(r"(?<!\$)\$\{\s*(inputs\.[\w-]+)")
_REFERENCE_RE = re.compile(r"(?<!\$)\$\{[^}]*\}?")


def _explain_unknown(error: Any, container: Any, sink: Sink, _span: Span | None, name: str) -> None:
    known = list(error.schema.get("properties", {}))
    patterns = error.schema.get("patternProperties", ())
    elsewhere: dict[str, str] = error.schema.get(
        "x-elsewhere", {}
    )  # what belongs to another place, and which
    for key in container:
        if key in known or has_template(key) or any(re.search(pattern, key) for pattern in patterns):
            continue  # a template in a key is told already
        place = key_origin(container, key)
        near = nearest(key, [word for word in known if word not in container])
        help = elsewhere.get(key) or (f"did you mean `{near}`?" if near else None)
        words = f"known keys are {listing(known)}" if len(known) > 1 else f"the only key is {listing(known)}"
        notes = [words] if known and help is None else []
        sink.report("SW201", f"unknown key `{key}` in {name}", place, help=help, notes=notes)


def _explain_missing(error: Any, container: Any, sink: Sink, span: Span | None, name: str) -> None:
    known, closed = error.schema.get("properties", {}), error.schema.get("additionalProperties") is False
    unknown = [one for one in container if one not in known] if closed else []
    for key in error.validator_value:
        if key not in container and not any(nearest(one, [key]) for one in unknown):  # that one is told
            sink.report("SW202", f"{name} lacks the key `{key}`", span, notes=_example(error.schema, key))


def _example(schema: Any, key: str) -> list[str]:
    wanted = schema.get("properties", {}).get(key, {})
    examples = [example for example in wanted.get("examples", ()) if not isinstance(example, (dict, list))]
    return [f"for example `{key}: {examples[0]}`"] if examples else []


def _explain_type(error: Any, container: Any, sink: Sink, span: Span | None, name: str) -> None:
    wanted = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
    if is_reference(container):
        sink.report("SW408", f"{name} takes {_either(wanted)}, not a reference to a whole one", span)
        return
    path: list[Any] = [None, None, *error.absolute_path]
    if container is None and "object" in wanted and isinstance(path[-1], str) and path[-2] not in DECLARING:
        plain = wanted == ["object"] and "required" not in error.schema
        value = "write `{}` for one with its defaults" if plain else "give it a value"
        sink.report("SW203", f"{name} is empty", span, help=f"{value}, or write `null` to leave it out")
        return
    if "enum" in error.schema and container is not None:
        message = f"{name} takes {_words(error.schema['enum'])}, not {_described(container)}"
        sink.report("SW203", message, span)
        return
    hint = None
    if "string" in wanted and container is None:
        hint = "it has no value"
    elif (
        "boolean" in wanted and isinstance(container, str) and container.lower() in ("yes", "no", "on", "off")
    ):
        hint = f"write `{'true' if container.lower() in ('yes', 'on') else 'false'}`"
    elif set(wanted) & {"integer", "number"} and isinstance(container, str) and _is_number(container):
        hint = f"write {container} without quotes"
    elif "string" in wanted and "boolean" not in wanted and isinstance(container, (int, float)):
        hint = "quote it"
    sink.report("SW203", f"{name} wants {_either(wanted)}, not {_described(container)}", span, help=hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _described(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, str):
        return f'the text "{value[:40]}{"..." if len(value) > 40 else ""}"'
    return f"`{value}`"


def _either(types: list[str]) -> str:
    shown = [_TYPE_NAMES[t] for t in types]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _explain_enum(error: Any, container: Any, sink: Sink, span: Span | None, name: str) -> None:
    allowed = error.validator_value if error.validator == "enum" else [error.validator_value]
    words = [scalar_text(value) for value in allowed]
    near = nearest(container, words) if isinstance(container, str) else None
    help = f"did you mean `{near}`?" if near else None
    sink.report("SW204", f"{name} takes {_words(allowed)}, not {_described(container)}", span, help=help)


def _words(allowed: list[Any]) -> str:
    return listing([scalar_text(value) for value in allowed], last="or")


def _explain_form(error: Any, container: Any, sink: Sink, span: Span | None, name: str) -> None:
    examples = [
        scalar_text(example)
        for example in error.schema.get("examples", ())
        if not isinstance(example, (dict, list))
    ]
    notes = [error.schema["description"]] if "description" in error.schema else []
    notes += [f"for example {listing(examples, last='or')}"] if examples else []
    sink.report("SW205", f"{name} cannot be {_described(container)}", span, notes=notes)


def _explain_range(error: Any, container: Any, sink: Sink, span: Span | None, name: str) -> None:
    limit, keyword = error.validator_value, error.validator
    texts = {
        "minimum": f"is {container}, the least is {limit}",
        "maximum": f"is {container}, the most is {limit}",
        "minLength": f"has {len(str(container))} characters, at least {limit} are needed",
        "maxLength": f"has {len(str(container))} characters, the most is {limit}",
        "minItems": f"has {_count(container)} items, at least {limit} are needed",
        "maxItems": f"has {_count(container)} items, the most is {limit}",
        "minProperties": f"has {_count(container)} entries, at least {limit} are needed",
        "maxProperties": f"has {_count(container)} entries, the most is {limit}",
    }
    empty = next(iter(_left_out(container)), None) if keyword == "minProperties" else None
    help = f"`{empty}` has no value, which leaves it out" if empty else None
    if empty and error.schema.get("properties", {}).get(empty, {}).get("type") == "object":
        help = f"`{empty}` is empty: write `{{}}`"
    sink.report("SW206", f"{name} {texts[keyword]}", span, help=help)


def _left_out(container: Any) -> list[str]:
    """The keys that are written in a mapping, without a value, and so are not in it."""
    node = getattr(container, "node", None)
    written = [key.value for key, _ in node.value] if isinstance(node, MappingNode) else []
    return [key for key in written if container.get(key) is None]


def _count(container: Any) -> int:
    return len(container) if isinstance(container, (list, dict)) else 0


def _explain_literal(_error: Any, container: Any, sink: Sink, span: Span | None, name: str) -> None:
    message = f"{name} takes a literal: SageMaker must know it when the pipeline is created"
    passed = _INPUT_RE.search(container)
    sink.report(
        "SW209", message, span, help=f"write `{{{{ {passed[1]} }}}}` for a literal" if passed else None
    )


_RANGES = (
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
_EXPLAINERS: dict[str, Any] = {
    "additionalProperties": _explain_unknown,
    "required": _explain_missing,
    "type": _explain_type,
    "enum": _explain_enum,
    "const": _explain_enum,
    "pattern": _explain_form,
    "x-literal": _explain_literal,
    **dict.fromkeys(_RANGES, _explain_range),
}

__all__ = ["Map", "is_reference", "validate"]
