"""Compile-time Jinja, per scalar: sandboxed, strict, and with native types for a whole `{{ expression }}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from yaml.nodes import Node

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.namespaces import NAMESPACES, Namespace, RefusedError, UnknownError
from sagewright.compiler.source import Map, Origin, Seq, Text, key_origin, origin
from sagewright.compiler.suggest import listing, nearest

LITERAL_KEYS = ("kind", "uses", "version", "env")
"""Keys whose values are never rendered: they decide how the file is read."""
MAX_BITS = 1024
_TAG_RE = re.compile(r"\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)", re.S)
_FOREIGN_RE = re.compile(r"(?<!\$)\$\{\{([^{}]*)\}\}")


def has_template(value: object) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def render(value: Any, namespaces: Mapping[str, Namespace], sink: Sink) -> Any:
    """`value` with every template in it rendered. What holds none is returned as it is."""
    if isinstance(value, Map):
        return _render_map(value, namespaces, sink)
    if isinstance(value, Seq):
        made = [
            render_text(item, namespaces, sink, origin(value, index))
            if has_template(item)
            else render(item, namespaces, sink)
            for index, item in enumerate(value)
        ]
        return value if all(a is b for a, b in zip(made, value, strict=True)) else Seq(made, value.node)
    return value


def _render_map(value: Map, namespaces: Mapping[str, Namespace], sink: Sink) -> Map:
    changed: dict[str, Any] = {}
    for key, item in value.items():
        if "{" in key and has_template(key):
            report_misplaced(sink, key_origin(value, key), "a key")
        if isinstance(item, str):
            if "{" not in item or not has_template(item):
                continue
            if key in LITERAL_KEYS:
                report_misplaced(sink, origin(value, key), f"`{key}`")
                continue
            rendered = render_text(item, namespaces, sink, origin(value, key))
        elif isinstance(item, (Map, Seq)):
            rendered = render(item, namespaces, sink)
        else:
            continue
        if rendered is not item:
            changed[key] = rendered
    return Map({**value, **changed}, value.node) if changed else value


def report_misplaced(sink: Sink, at: Origin | None, what: str) -> None:
    """Report a template where none may stand."""
    sink.report(
        "SW112",
        f"{what} cannot hold a template",
        at,
        notes=["templates fill values, never structure"],
    )


def render_text(text: str, namespaces: Mapping[str, Namespace], sink: Sink, at: Origin | None) -> Any:
    """One scalar: a whole `{{ expression }}` keeps its native type, anything else is text. Mistakes go to `sink`."""
    if not has_template(text):
        return text
    foreign = _FOREIGN_RE.search(text)
    if foreign is not None:
        inside = foreign[1].strip()
        root = re.split(r"\W", inside, maxsplit=1)[0]
        ours = f"{{{{ {inside} }}}}" if root in NAMESPACES else f"${{{inside}}}"
        place = _stretch(at, text, *foreign.span())
        sink.report(
            "SW122",
            "`${{ }}` is another tool's spelling",
            place,
            help=f"write `{ours}`",
        )
        return Failed(text)
    import jinja2

    from sagewright.compiler.sandbox import evaluate

    try:
        is_native, value = evaluate(text, namespaces)
        return _plain(value, at.node if at else None) if is_native else value
    except UnknownError as unknown:
        _report_unknown(unknown if unknown.message else _top_level(unknown.word, namespaces), text, sink, at)
    except jinja2.TemplateSyntaxError as error:
        _report_syntax(error, text, sink, at)
    except jinja2.UndefinedError as error:
        sink.report("SW305", f"undefined in a template: {error.message}", at)
    except RefusedError as error:
        sink.report("SW113", f"the template makes {error}", at)
    except (
        jinja2.TemplateError,
        ArithmeticError,
        TypeError,
        ValueError,
        LookupError,
        RecursionError,
        AttributeError,
    ) as error:
        sink.report("SW113", f"the template cannot be rendered: {error}", at)
    return Failed(text)


class Failed(str):
    """Stands for a scalar whose template failed: the mistake is told already."""

    __slots__ = ()


def _plain(value: Any, node: Node | None) -> Any:
    """A value as YAML has it; what a template made of mappings and lists stands where the template does."""
    if (isinstance(value, float) and not isfinite(value)) or (
        isinstance(value, int) and value.bit_length() > MAX_BITS
    ):
        raise RefusedError("a number that is too large")
    if isinstance(value, (Map, Seq, Text, int, float)) or value is None or type(value) is str:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return Map({str(key): _plain(item, node) for key, item in value.items()}, node)
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return Seq([_plain(item, node) for item in value], node)
    raise RefusedError(f"a value that YAML does not have ({type(value).__name__})")


def _report_unknown(unknown: UnknownError, text: str, sink: Sink, at: Origin | None) -> None:
    """Report a name where it stands in a tag: behind what it was looked up in, if that is written there."""
    word = re.escape(unknown.word)
    patterns = (
        (rf"(?<=\b{unknown.owner}\.){word}\b", rf"\b{word}\b") if unknown.owner else (rf"(?<![.\w]){word}\b",)
    )
    tags = list(_TAG_RE.finditer(text))
    found = next(
        (m for p in patterns for tag in tags for m in re.compile(p).finditer(text, *tag.span())), None
    )
    place = _stretch(at, text, *found.span()) if found else at
    sink.report(unknown.code, unknown.message, place, help=unknown.help, notes=unknown.notes)


def _report_syntax(error: Any, text: str, sink: Sink, at: Origin | None) -> None:
    """Report Jinja's word on a template, at the tag that is wrong by itself."""
    import jinja2

    from sagewright.compiler.sandbox import FILTERS, parse

    place = at
    for tag in _TAG_RE.finditer(text):
        try:
            parse(tag[0])
        except jinja2.TemplateSyntaxError:
            if tag[0].startswith("{{"):
                place = _stretch(at, text, *tag.span())
                break
    message = error.message.rstrip(".")
    unknown = re.fullmatch(r"No filter named '(.*)'", message)
    near = nearest(unknown[1], FILTERS) if unknown else None
    if unknown:
        message = f"there is no filter `{unknown[1]}`"
    help = f"did you mean `{near}`?" if near else None
    sink.report("SW111", f"template syntax error: {message}", place, help=help)


def _stretch(at: Origin | None, text: str, start: int, end: int) -> Origin | None:
    """A part of a scalar, where `text` is what it says."""
    return Origin(at.node, start, end) if at is not None and at.node.value == text else at


def _top_level(name: str, namespaces: Mapping[str, Namespace]) -> UnknownError:
    notes = (f"templates know {listing(list(namespaces))} here",)
    if name in NAMESPACES:
        return UnknownError("SW305", f"`{name}` is not known here", name, None, notes)
    near = f"vars.{name}" if name in namespaces.get("vars", ()) else nearest(name, namespaces)
    help = f"did you mean `{near}`?" if near else None
    return UnknownError("SW305", f"`{name}` is not defined", name, help, notes)
