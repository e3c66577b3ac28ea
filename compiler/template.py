"""Compile-time Jinja, per scalar: sandboxed, strict, and with native types for a whole `{{ expression }}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache, partial, wraps
from math import isfinite
from types import MappingProxyType
from typing import Any

from yaml.nodes import Node

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin, scalar_text
from sagewright.compiler.suggest import listing, nearest

LITERAL_KEYS = ("kind", "uses", "version", "env")
"""Keys whose values are never rendered: they decide how the file is read."""
MAX_LENGTH = 100_000
MAX_BITS = 1024
MAX_TURNS = 10_000
"""How often the loops of one scalar may turn, together."""
MAX_OPTION = 64
"""Of a filter: the digits to round to, the spaces to indent by."""
_NAMESPACES = ("vars", "env", "target", "pipeline", "matrix", "inputs")
_TAG_RE = re.compile(r"\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)", re.S)
_FOREIGN_RE = re.compile(r"(?<!\$)\$\{\{([^{}]*)\}\}")
_FILTERS = ["abs", "capitalize", "default", "d", "first", "float", "int", "join", "last", "length", "list", "lower", "max", "min", "reject", "replace", "round", "select", "sort", "string", "sum", "title", "tojson", "trim", "unique", "upper"]


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


class _Unknown(Exception):
    """A name, `word`, that is not there: of the namespace `owner`, where it is one's. Without a message it is to be
    looked for among the namespaces."""

    def __init__(
        self, code: str, message: str, word: str, help: str | None = None, notes: tuple[str, ...] = (), owner: str = ""
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.word, self.help, self.notes = code, message, word, help, notes
        self.owner = owner


class _Refused(Exception):
    """A template that would take too long, or too much memory."""


def has_template(value: object) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def render(value: Any, namespaces: Mapping[str, Namespace], sink: Sink) -> Any:
    """`value` with every template in it rendered. What holds none is returned as it is."""
    if isinstance(value, Map):
        return _render_map(value, namespaces, sink)
    if isinstance(value, Seq):
        made = [
            render_text(item, namespaces, sink, origin(value, index)) if isinstance(item, str) else render(item, namespaces, sink)
            for index, item in enumerate(value)
        ]
        return value if all(a is b for a, b in zip(made, value, strict=True)) else Seq(made, value.node)
    return value


def _render_map(value: Map, namespaces: Mapping[str, Namespace], sink: Sink) -> Map:
    changed: dict[str, Any] = {}
    for key, item in value.items():
        if "{{" in key or "{%" in key:
            _report_misplaced(sink, key_origin(value, key), "a key")
        if isinstance(item, str):
            if not has_template(item):
                continue
            if key in LITERAL_KEYS:
                _report_misplaced(sink, origin(value, key), f"`{key}`")
                continue
            rendered = render_text(item, namespaces, sink, origin(value, key))
        elif isinstance(item, (Map, Seq)):
            rendered = render(item, namespaces, sink)
        else:
            continue
        if rendered is not item:
            changed[key] = rendered
    return Map({**value, **changed}, value.node) if changed else value


def _report_misplaced(sink: Sink, at: Origin | None, what: str) -> None:
    sink.report("SW112", f"{what} cannot hold a template", at.span() if at else None, notes=["templates fill values, never structure"])


def render_text(text: str, namespaces: Mapping[str, Namespace], sink: Sink, at: Origin | None) -> Any:
    """One scalar: a whole `{{ expression }}` keeps its native type, anything else is text. Mistakes go to `sink`."""
    if not has_template(text):
        return text
    foreign = _FOREIGN_RE.search(text)
    if foreign is not None:
        inside = foreign[1].strip()
        root = re.split(r"\W", inside, maxsplit=1)[0]
        ours = f"{{{{ {inside} }}}}" if root in _NAMESPACES else f"${{{inside}}}"
        place = _stretch(at, text, *foreign.span())
        sink.report("SW122", "`${{ }}` is another tool's spelling", place.span() if place else None, help=f"write `{ours}`")
        return Failed(text)
    import jinja2

    try:
        is_native, template = _compiled(text)
        _environment().turns = 0
        value = template(**namespaces)
        if is_native:
            if isinstance(value, jinja2.Undefined):
                str(value)  # a strict undefined raises
            return _plain(value, at.node if at else None)
        return value
    except _Unknown as unknown:
        _report_unknown(unknown if unknown.message else _top_level(unknown.word, namespaces), text, sink, at)
    except jinja2.TemplateSyntaxError as error:
        _report_syntax(error, text, _environment(), sink, at)
    except jinja2.UndefinedError as error:
        sink.report("SW305", f"undefined in a template: {error.message}", at.span() if at else None)
    except _Refused as error:
        sink.report("SW113", f"the template makes {error}", at.span() if at else None)
    except (jinja2.TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError, AttributeError) as error:
        sink.report("SW113", f"the template cannot be rendered: {error}", at.span() if at else None)
    return Failed(text)


class Failed(str):
    """Stands for a scalar whose template failed: the mistake is told already."""

    __slots__ = ()


def _rendered(template: Any, **namespaces: Namespace) -> str:
    pieces: list[str] = []
    length = 0
    for piece in template.generate(**namespaces):
        length += len(piece)
        if length > MAX_LENGTH:
            raise _Refused(f"a value of more than {MAX_LENGTH:,} characters")
        pieces.append(piece)
    return "".join(pieces)


def _plain(value: Any, node: Node | None) -> Any:
    """A value as YAML has it; what a template made of mappings and lists stands where the template does."""
    if (isinstance(value, float) and not isfinite(value)) or (isinstance(value, int) and value.bit_length() > MAX_BITS):
        raise _Refused("a number that is too large")
    if isinstance(value, (Map, Seq)) or value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return Map({str(key): _plain(item, node) for key, item in value.items()}, node)
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return Seq([_plain(item, node) for item in value], node)
    raise _Refused(f"a value that YAML does not have ({type(value).__name__})")


@lru_cache(maxsize=1024)
def _compiled(text: str) -> tuple[bool, Callable[..., Any]]:
    """Whether a text is one whole expression, and the function of the namespaces that it is. Compiling costs ten
    times as much as rendering, and a text stands in many pipelines, and is read for many targets."""
    environment = _environment()
    native = _whole_expression(text, environment)
    if native is None:
        return False, partial(_rendered, environment.from_string(text))
    return True, environment.compile_expression(native, undefined_to_none=False)


def _whole_expression(text: str, environment: Any) -> str | None:
    """The expression of a scalar that is one `{{ expression }}` and nothing else."""
    from jinja2 import nodes

    stripped = text.strip()
    if not (stripped.startswith("{{") and stripped.endswith("}}")):
        return None
    body = environment.parse(stripped).body
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    if isinstance(body[0].nodes[0], nodes.TemplateData):
        return None
    return stripped[2:-2].strip("+-")


def _report_unknown(unknown: _Unknown, text: str, sink: Sink, at: Origin | None) -> None:
    """Report a name where it stands in a tag: behind what it was looked up in, if that is written there."""
    word = re.escape(unknown.word)
    patterns = (rf"(?<=\b{unknown.owner}\.){word}\b", rf"\b{word}\b") if unknown.owner else (rf"(?<![.\w]){word}\b",)
    tags = list(_TAG_RE.finditer(text))
    found = next((m for p in patterns for tag in tags for m in re.compile(p).finditer(text, *tag.span())), None)
    place = _stretch(at, text, *found.span()) if found else at
    sink.report(unknown.code, unknown.message, place.span() if place else None, help=unknown.help, notes=unknown.notes)


def _report_syntax(error: Any, text: str, environment: Any, sink: Sink, at: Origin | None) -> None:
    """Report Jinja's word on a template, at the tag that is wrong by itself."""
    import jinja2

    place = at
    for tag in _TAG_RE.finditer(text):
        try:
            environment.parse(tag[0])
        except jinja2.TemplateSyntaxError:
            if tag[0].startswith("{{"):
                place = _stretch(at, text, *tag.span())
                break
    message = error.message.rstrip(".")
    unknown = re.fullmatch(r"No filter named '(.*)'", message)
    near = nearest(unknown[1], _FILTERS) if unknown else None
    if unknown:
        message = f"there is no filter `{unknown[1]}`"
    help = f"did you mean `{near}`?" if near else None
    sink.report("SW111", f"template syntax error: {message}", place.span() if place else None, help=help)


def _stretch(at: Origin | None, text: str, start: int, end: int) -> Origin | None:
    """A part of a scalar, where `text` is what it says."""
    return Origin(at.node, start, end) if at is not None and at.node.value == text else at


@cache
def _environment() -> Any:
    """Jinja's sandbox, closed further: names are keys and never Python attributes, and nothing grows without bound."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from jinja2.visitor import NodeTransformer

    def _filtered(node: Any, name: str) -> Any:
        return jinja2.nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)

    class _Watched(NodeTransformer):
        def visit_List(self, node: Any) -> Any:
            return _filtered(self.generic_visit(node), "(watched)")

        visit_Dict = visit_List

        def visit_Tuple(self, node: Any) -> Any:
            return self.visit_List(node) if node.ctx == "load" else node

    class Environment(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(("*", "**", "%", "+"))
        turns = 0

        def _generate(self, source: Any, *args: Any, **options: Any) -> Any:
            """Jinja's, with what loops go over and lists that are written out watched by filters that no template
            can name."""
            for loop in source.find_all(jinja2.nodes.For):
                loop.iter = _filtered(loop.iter, "(counted)")
            return super()._generate(_Watched().visit(source), *args, **options)

        def getattr(self, obj: Any, attribute: str) -> Any:
            return self.getitem(obj, attribute)

        def getitem(self, obj: Any, argument: Any) -> Any:
            if isinstance(obj, Namespace) and argument not in obj:
                return _missing(self, obj, str(argument))
            if isinstance(obj, (Mapping, list, tuple, str)):
                try:
                    return obj[argument]
                except (LookupError, TypeError):
                    return self.undefined(obj=obj, name=argument)
            if isinstance(obj, jinja2.Undefined):
                str(obj)  # tells which name it is that is not there, and not what would be below it
            return self.undefined(obj=obj, name=argument)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "%" and isinstance(left, str):
                raise _Refused("text with `%`, which templates do not have; use `~`")
            if operator == "**" and not (abs(left) <= 1_000_000 and abs(right) <= 64):
                raise _Refused("a number that is too large")
            if operator == "*":
                for sized, times in ((left, right), (right, left)):
                    if hasattr(sized, "__len__") and _weight(sized) * times > MAX_LENGTH:
                        raise _Refused(f"a value of more than {MAX_LENGTH:,} characters")
            result = _watched(super().call_binop(context, operator, left, right))
            if isinstance(result, int) and result.bit_length() > MAX_BITS:
                raise _Refused("a number that is too large")
            return result

        def call(self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
            raise _Refused("a call, which templates do not have; use a filter")

    class Undefined(jinja2.StrictUndefined):
        _unknown: _Unknown | None = None

        def _fail_with_undefined_error(self, *_: Any, **__: Any) -> Any:
            if self._unknown is not None:
                raise self._unknown
            name = self._undefined_name
            if self._undefined_obj is jinja2.utils.missing and name is not None:
                raise _Unknown("SW305", "", str(name))
            raise _absent(self._undefined_obj, name)

        __str__ = __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __hash__ = _fail_with_undefined_error  # type: ignore[assignment]
        __add__ = __radd__ = __sub__ = __mul__ = __call__ = __getitem__ = __lt__ = __gt__ = _fail_with_undefined_error  # type: ignore[assignment]
        __int__ = __float__ = __contains__ = __le__ = __ge__ = _fail_with_undefined_error  # type: ignore[assignment]

        def __getattr__(self, name: str) -> Any:
            if name[:2] == "__" or name == "_unknown":
                raise AttributeError(name)
            return self._fail_with_undefined_error()

    def _missing(environment: Environment, namespace: Namespace, name: str) -> Any:
        near = nearest(name, namespace)
        made = environment.undefined(obj=namespace, name=name)
        known = [f"known are {listing(sorted(namespace))}"] if namespace and not near else []
        made._unknown = _Unknown(
            namespace.code,
            f"`{namespace.name}.{name}` is not defined{namespace.hints.get(name, namespace.hint)}",
            name,
            f"did you mean `{near}`?" if near else None,
            tuple(known),
            owner=namespace.name,
        )
        return made

    made = Environment(undefined=Undefined, autoescape=False, keep_trailing_newline=True, finalize=_spelled)
    made.filters = {name: made.filters[name] for name in _FILTERS}
    made.filters |= {name: _bounded(made.filters[name]) for name in ("join", "replace", "round", "tojson")}
    made.filters |= {"(counted)": jinja2.pass_environment(_counted), "(watched)": _watched}
    made.globals = {}
    return made


def _weight(value: Any) -> int:
    """How many characters and members a value has, however deep; beyond what is allowed it is not counted."""
    total, left = 0, [value]
    while left and total <= MAX_LENGTH:
        item = left.pop()
        total += len(item) if hasattr(item, "__len__") and not isinstance(item, Namespace) else 1
        if isinstance(item, (list, tuple)):
            left.extend(item)
        elif isinstance(item, Mapping) and not isinstance(item, Namespace):
            left.extend(item.values())
    return total


def _watched(value: Any) -> Any:
    """`value`, if it is not too large: lists of lists of lists are soon."""
    if isinstance(value, (list, tuple, dict)) and _weight(value) > MAX_LENGTH:
        raise _Refused(f"a value of more than {MAX_LENGTH:,} members")
    return value


def _counted(environment: Any, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        environment.turns += 1
        if environment.turns > MAX_TURNS:
            raise _Refused(f"more than {MAX_TURNS:,} turns of its loops")
        yield item


def _bounded(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that can make much of little, refusing to."""

    @wraps(filter_)  # with Jinja's mark on filters that are given the environment first
    def bounded(*args: Any, **options: Any) -> Any:
        args = tuple(list(arg) if isinstance(arg, Iterator) else arg for arg in args)
        value, *others = args[hasattr(filter_, "jinja_pass_arg") :]
        others += options.values()
        if any(isinstance(other, int) and abs(other) > MAX_OPTION for other in others):
            raise _Refused("a number that is too large")
        size = len(value) if hasattr(value, "__len__") else 1
        if size * max((len(other) for other in others if isinstance(other, str)), default=0) > MAX_LENGTH:
            raise _Refused(f"a value of more than {MAX_LENGTH:,} characters")
        return filter_(*args, **options)

    return bounded


def _spelled(value: Any) -> Any:
    """Booleans and null as YAML spells them, not as Python does."""
    return scalar_text(value) if value is None or isinstance(value, bool) else value


def _absent(value: Any, name: object) -> _Unknown:
    """What a value that is there does not have."""
    near = nearest(str(name), value) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping):
        message = f"there is no `{name}`" if near else f"there is no `{name}`: there are {listing(value)}"
    elif isinstance(value, list):
        message = f"there is no item {name}: the list has {len(value)}, counted from 0"
    else:
        message = f"a single value has no `{name}`"
    return _Unknown("SW305", message, str(name), f"did you mean `{near}`?" if near else None)


def _top_level(name: str, namespaces: Mapping[str, Namespace]) -> _Unknown:
    notes = (f"templates know {listing(list(namespaces))} here",)
    if name in _NAMESPACES:
        return _Unknown("SW305", f"`{name}` is not known here", name, None, notes)
    near = f"vars.{name}" if name in namespaces.get("vars", ()) else nearest(name, namespaces)
    help = f"did you mean `{near}`?" if near else None
    return _Unknown("SW305", f"`{name}` is not defined", name, help, notes)
