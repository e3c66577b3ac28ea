"""Jinja's sandbox, closed further: names are keys and never Python attributes, and nothing grows without bound.

The only module that imports jinja2; imported only where a template stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial, wraps
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing as nothing
from jinja2.visitor import NodeTransformer

from sagewright.compiler.namespaces import Namespace, RefusedError, UnknownError, absent, missing
from sagewright.compiler.source import scalar_text

MAX_LENGTH = 100_000
MAX_BITS = 1024
MAX_TURNS = 10_000
"""How often the loops of one scalar may turn, together."""
MAX_OPTION = 64
"""Of a filter: the digits to round to, the spaces to indent by."""
FILTERS = [
    "abs",
    "capitalize",
    "default",
    "d",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "max",
    "min",
    "reject",
    "replace",
    "round",
    "select",
    "sort",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
]


class _Watched(NodeTransformer):
    """Puts lists and mappings that are written out under the eye of a filter that no template can name."""

    def visit_List(self, node: Any) -> Any:
        return _filtered(self.generic_visit(node), "(watched)")

    visit_Dict = visit_List

    def visit_Tuple(self, node: Any) -> Any:
        return self.visit_List(node) if node.ctx == "load" else node


def _filtered(node: Any, name: str) -> Any:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class _Undefined(jinja2.StrictUndefined):
    """A name that is not there: using it in any way tells which one."""

    unknown: UnknownError | None = None

    def _fail_with_undefined_error(self, *_: Any, **__: Any) -> Any:
        if self.unknown is not None:
            raise self.unknown
        name = self._undefined_name
        if self._undefined_obj is nothing and name is not None:
            raise UnknownError("SW305", "", str(name))
        raise absent(self._undefined_obj, name)

    __str__ = __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __hash__ = _fail_with_undefined_error  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __mul__ = __call__ = __getitem__ = __lt__ = __gt__ = (
        _fail_with_undefined_error  # type: ignore[assignment]
    )
    __int__ = __float__ = __contains__ = __le__ = __ge__ = _fail_with_undefined_error  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        return self._fail_with_undefined_error()


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(("*", "**", "%", "+"))
    turns = 0

    def _generate(self, source: Any, *args: Any, **options: Any) -> Any:
        """Jinja's, with what loops go over and lists that are written out watched by filters that no template
        can name."""
        for loop in source.find_all(nodes.For):
            loop.iter = _filtered(loop.iter, "(counted)")
        return super()._generate(_Watched().visit(source), *args, **options)

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Namespace) and argument not in obj:
            undefined = _Undefined(obj=obj, name=str(argument))
            undefined.unknown = missing(obj, str(argument))
            return undefined
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
            raise RefusedError("text with `%`, which templates do not have; use `~`")
        if operator == "**" and not (abs(left) <= 1_000_000 and abs(right) <= 64):
            raise RefusedError("a number that is too large")
        if operator == "*":
            for sized, times in ((left, right), (right, left)):
                if hasattr(sized, "__len__") and weight(sized) * times > MAX_LENGTH:
                    raise RefusedError(f"a value of more than {MAX_LENGTH:,} characters")
        result = _watched(super().call_binop(context, operator, left, right))
        if isinstance(result, int) and result.bit_length() > MAX_BITS:
            raise RefusedError("a number that is too large")
        return result

    def call(self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        raise RefusedError("a call, which templates do not have; use a filter")


def weight(value: Any) -> int:
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
    if isinstance(value, (list, tuple, dict)) and weight(value) > MAX_LENGTH:
        raise RefusedError(f"a value of more than {MAX_LENGTH:,} members")
    return value


def _counted(environment: Any, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        environment.turns += 1
        if environment.turns > MAX_TURNS:
            raise RefusedError(f"more than {MAX_TURNS:,} turns of its loops")
        yield item


def _bounded(filter_: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that can make much of little, refusing to."""

    @wraps(filter_)  # with Jinja's mark on filters that are given the environment first
    def bounded(*args: Any, **options: Any) -> Any:
        args = tuple(list(arg) if isinstance(arg, Iterator) else arg for arg in args)
        value, *others = args[hasattr(filter_, "jinja_pass_arg") :]
        others += options.values()
        if any(isinstance(other, int) and abs(other) > MAX_OPTION for other in others):
            raise RefusedError("a number that is too large")
        size = len(value) if hasattr(value, "__len__") else 1
        if size * max((len(other) for other in others if isinstance(other, str)), default=0) > MAX_LENGTH:
            raise RefusedError(f"a value of more than {MAX_LENGTH:,} characters")
        return filter_(*args, **options)

    return bounded


def _spelled(value: Any) -> Any:
    """Booleans and null as YAML spells them, not as Python does."""
    return scalar_text(value) if value is None or isinstance(value, bool) else value


def _made() -> _Environment:
    environment = _Environment(
        undefined=_Undefined, autoescape=False, keep_trailing_newline=True, finalize=_spelled
    )
    filters: dict[str, Any] = environment.filters
    known = {name: filters[name] for name in FILTERS}
    known |= {name: _bounded(known[name]) for name in ("join", "replace", "round", "tojson")}
    filters.clear()
    filters.update({**known, "(counted)": jinja2.pass_environment(_counted), "(watched)": _watched})
    environment.globals.clear()
    return environment


_environment = _made()


def evaluate(text: str, namespaces: Mapping[str, Namespace]) -> tuple[bool, Any]:
    """Whether a text is one whole expression, and its value: native if it is, else text. Raises UnknownError,
    RefusedError, `jinja2.TemplateError`, and whatever Python raises for what the template asks of it."""
    is_native, template = _compiled(text)
    _environment.turns = 0
    value = template(**namespaces)
    if is_native and isinstance(value, jinja2.Undefined):
        str(value)  # a strict undefined raises
    return is_native, value


def parse(text: str) -> None:
    """Raises `jinja2.TemplateSyntaxError` for what is no template."""
    _environment.parse(text)


def _rendered(template: Any, **namespaces: Namespace) -> str:
    pieces: list[str] = []
    length = 0
    for piece in template.generate(**namespaces):
        length += len(piece)
        if length > MAX_LENGTH:
            raise RefusedError(f"a value of more than {MAX_LENGTH:,} characters")
        pieces.append(piece)
    return "".join(pieces)


@lru_cache(maxsize=1024)
def _compiled(text: str) -> tuple[bool, Callable[..., Any]]:
    """Whether a text is one whole expression, and the function of the namespaces that it is. Compiling costs ten
    times as much as rendering, and a text stands in many pipelines, and is read for many targets."""
    native = _whole_expression(text)
    if native is None:
        return False, partial(_rendered, _environment.from_string(text))
    return True, _environment.compile_expression(native, undefined_to_none=False)


def _whole_expression(text: str) -> str | None:
    """The expression of a scalar that is one `{{ expression }}` and nothing else."""
    stripped = text.strip()
    if not (stripped.startswith("{{") and stripped.endswith("}}")):
        return None
    body = _environment.parse(stripped).body
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    if isinstance(body[0].nodes[0], nodes.TemplateData):
        return None
    return stripped[2:-2].strip("+-")
