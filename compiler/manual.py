"""What the reference manual says about a kind of step: one content, as Markdown and for a terminal."""

from __future__ import annotations

import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module, resources
from importlib.metadata import entry_points
from typing import Any

from sagewright import schemas, steps
from sagewright.compiler.kind import StepKind
from sagewright.compiler.types import Type

WIDTH = 100
COMMON = {
    **{key: key for key in ("kind", "display_name", "description", "depends_on", "matrix")},
    **{key: key for key in ("retry", "cache", "role", "tags", "api", "step_api")},
    "reports": "uri_reports",
}
"""Keys that kinds share, and what the common schema calls them."""
TEXT = "Text"
"""The title of what is a String for SageMaker, and here any scalar."""
NOTE = "A literal takes no `${...}`. A text may be written as a number or a boolean, and is taken as it is written."
_WORDS = {"object": "mapping", "array": "list"}
_TYPES = {str(type) for type in Type} - {str(Type.ANY)}
_EXAMPLES = 2


@dataclass(frozen=True, slots=True)
class Key:
    """A key: `path` is `inputs.<name>.mode` or `groups[].type`, `default` as YAML writes it."""

    path: str
    type: str
    required: bool
    default: str
    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """What other steps may refer to, its type, and the property of the Describe response that it is."""

    text: str
    type: str
    property: str


@dataclass(frozen=True, slots=True)
class Manual:
    """A kind. `facts` are sentences about what it lowers to, `refused` the members of the request that no step may
    have, and why; `example` is a pipeline, empty where there is none."""

    name: str
    type: str
    about: str
    facts: list[str]
    example: str
    keys: list[Key]
    common: list[Key]
    references: list[Reference]
    properties: str
    refused: Mapping[str, str]

    @property
    def summary(self) -> str:
        """The first paragraph, on one line."""
        return " ".join(self.about.split("\n\n")[0].split())

    @property
    def title(self) -> str:
        return f"{self.name} → {self.type}" if self.type else self.name


def manual(name: str) -> Manual:
    """The manual of a kind that exists."""
    kind = steps.find(name)
    assert kind is not None, name
    schema, module = schemas.load(f"steps/{name}"), import_module(_module(name))
    common = {key: value for key, value in schema["properties"].items() if _is_common(key, value)}
    own = {**schema, "properties": {k: v for k, v in schema["properties"].items() if k not in common}}
    walker = _Keys(name, kind)
    return Manual(
        name=name,
        type=kind.type,
        about=inspect.cleandoc(module.__doc__ or ""),
        facts=_facts(kind, schema["properties"]),
        example=_example(name),
        keys=[*walker.within("", own)],
        common=[_key(key, value, key in schema.get("required", ())) for key, value in common.items()],
        references=_references(kind, schema["properties"]),
        properties=_properties(kind),
        refused={member: why for member, (_, why) in kind.refused.items()},
    )


def common_keys() -> list[Key]:
    """The keys that kinds share, with all that is in them."""
    walker = _Keys("", None)
    return [*walker.within("", {"properties": {key: _common(key) for key in COMMON}, "required": ["kind"]})]


# -- what is said -----------------------------------------------------------------------------------------------------


def _module(name: str) -> str:
    points = entry_points(group=schemas.ENTRY_POINTS, name=name)
    return steps.KINDS.get(name) or next(point.module for point in points)


def _example(name: str) -> str:
    """`examples/<name>.yaml` beside the kind's module."""
    module = _module(name)
    file = resources.files(module.rpartition(".")[0] or module).joinpath("examples", f"{name}.yaml")
    return file.read_text(encoding="utf-8").rstrip() if file.is_file() else ""


def _common(key: str) -> dict[str, Any]:
    document = json.loads(schemas.read("common.schema.json"))
    return schemas.inlined(document["$defs"][COMMON[key]], document)


def _is_common(key: str, schema: dict[str, Any]) -> bool:
    """Whether a kind has taken the key as it is; one with a description of its own is its own."""
    return key in COMMON and {k: v for k, v in schema.items() if k != "const"} == _common(key)


def _facts(kind: StepKind, keys: Mapping[str, Any]) -> list[str]:
    made = [f"Lowers to a step of type `{kind.type}`."] if kind.type else []
    if kind.expand is not None and kind.type:
        made = [
            f"Lowers to a step of type `{kind.type}`; others may come before it, with names that begin with its own."
        ]
    if isinstance(kind.request, str):
        made.append(f"Its Arguments are AWS's request `{kind.request}`.")
    elif kind.request:
        made.append(f"Its Arguments have {_listed(kind.request)}.")
    if kind.unproven:
        made.append(f"Unproven: {kind.unproven}.")
    if "retry" in keys and kind.retryable:
        made.append(f"Retried, where `retry` asks for it, on {_listed(kind.retryable)}.")
    else:
        made.append("Takes no `retry`.")
    made.append(
        "Cached, where `cache` asks for it." if kind.cacheable and "cache" in keys else "Never cached."
    )
    return made


def _listed(names: Any) -> str:
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last}" if first else last


def _references(kind: StepKind, keys: Mapping[str, Any]) -> list[Reference]:
    made: list[Reference] = []
    for word, sugar in kind.sugar.items():
        declared = set(keys.get(word, {}).get("additionalProperties", {}).get("enum", ())) >= _TYPES
        index = "<name>" if sugar.names else "<number>"
        path = f"Steps.<step>.{sugar.path.replace('{}', index)}" if sugar.path else ""
        type = "as declared" if declared else str(sugar.type)
        if sugar.lead is not None:
            path = f"Steps.<step>.{sugar.shown(sugar.path.partition('[')[0])}"
            type = "as of the step in the body"
        made.append(Reference(f"${{steps.<step>.{sugar.shown(word)}}}", type, path))
    if "reports" in keys:
        made.append(Reference("${steps.<step>.reports.<name>.<path>}", "what its place wants", ""))
    return made


def _properties(kind: StepKind) -> str:
    """What else stands behind `steps.<step>.`."""
    if kind.properties is not None:
        service = "" if kind.service == "sagemaker" else f" of the service {kind.service}"
        return f"Any other path is a property of AWS's `{kind.properties}`{service}, and checked against it."
    if kind.attributes is None:
        return "Any path goes: nothing is known of its properties."
    return (
        f"Other paths begin with {_listed(kind.attributes)}." if kind.attributes else "It has no properties."
    )


# -- keys -------------------------------------------------------------------------------------------------------------


class _Keys:
    """The keys in a schema, outer ones first. What was shown before is referred to."""

    def __init__(self, name: str, kind: StepKind | None) -> None:
        self._name = name
        self._longhand = {} if kind is None else kind.longhand
        self._shown: dict[str, str] = {}

    def within(self, path: str, schema: dict[str, Any]) -> Iterator[Key]:
        """The keys of a mapping at `path`."""
        required = schema.get("required", ())
        for key, value in {**schema.get("properties", {}), **_matching(schema)}.items():
            yield from self._key(f"{path}.{key}" if path else key, value, key in required)

    def _key(self, path: str, schema: dict[str, Any], required: bool) -> Iterator[Key]:
        notes, below = self._members(path, schema)
        for child, at in (
            (schema.get("items"), f"{path}[]"),
            (schema.get("additionalProperties"), f"{path}.<name>"),
        ):
            if isinstance(child, dict) and not _is_plain(child):
                below += self._key(at, child, False)
        member = self._longhand.get(path.replace("<name>", "*"))
        if member is not None and member != "framework":
            notes.append(f"A value that is no mapping is its `{member}`.")
        yield _key(path, schema, required, " ".join(notes))
        yield from below

    def _members(self, path: str, schema: dict[str, Any]) -> tuple[list[str], list[Key]]:
        """The keys of the mapping at `path`, and where those are told that are not among them."""
        members = schema.get("properties")
        if not members:
            return [], []
        before = self._shown.setdefault(json.dumps(members, sort_keys=True), path)
        if before != path:
            return [f"Its keys are those of `{before}`."], []
        borrowed = self._borrowed(path, members)
        notes = [f"{_listed(borrowed)} are those of the kind {path.rpartition('.')[2]}."] if borrowed else []
        rest = {key: value for key, value in members.items() if key not in borrowed}
        return notes, [*self.within(path, {**schema, "properties": rest})]

    def _borrowed(self, path: str, members: Mapping[str, Any]) -> list[str]:
        """The keys of a mapping named like another kind that are that kind's own."""
        other = path.rpartition(".")[2]
        if other == self._name or other not in steps.KINDS:
            return []
        lent = schemas.load(f"steps/{other}")["properties"]
        same = [key for key, value in members.items() if lent.get(key) == value]
        return same if len(same) > 1 else []


def _is_plain(schema: dict[str, Any]) -> bool:
    """Whether the type of what holds it says all about it."""
    return "properties" not in schema and ("description" not in schema or schema.get("title") == TEXT)


def _matching(schema: dict[str, Any]) -> dict[str, Any]:
    """Keys of which only a pattern is known."""
    return {f"<{value['title'].lower()}>": value for value in schema.get("patternProperties", {}).values()}


def _key(path: str, schema: dict[str, Any], required: bool, note: str = "") -> Key:
    text = schema.get("description") or schema.get("title", "")
    if text and not text.endswith((".", "?", "!", ")")):
        text += "."
    examples = ", ".join(f"`{_yaml(example)}`" for example in schema.get("examples", ())[:_EXAMPLES])
    shown = f"For example {examples}." if examples else ""
    default = _yaml(schema["default"]) if schema.get("default") is not None else ""
    return Key(path, _type(schema), required, default, " ".join(filter(None, (text, note, shown))))


def _type(schema: dict[str, Any]) -> str:
    """`integer, at least 1`, `list of string`, `string or mapping, literal`."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        made = " or ".join(f"`{_yaml(value)}`" for value in schema["enum"])
    elif schema.get("title") == TEXT:
        made = "text"
    else:
        types = schema.get("type", ())
        made = (
            " or ".join(_one_type(type, schema) for type in ([types] if isinstance(types, str) else types))
            or "any"
        )
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        made += f", {low} to {high}"
    elif low is not None or high is not None:
        made += f", at least {low}" if high is None else f", at most {high}"
    return made + (", literal" if schema.get("x-literal") else "")


def _one_type(type: str, schema: dict[str, Any]) -> str:
    word, child = _WORDS.get(type, type), schema.get("items" if type == "array" else "additionalProperties")
    if type not in _WORDS or not isinstance(child, dict) or "type" not in child or not _is_plain(child):
        return word
    inner = _type({key: value for key, value in child.items() if key != "x-literal"})
    return f"{word} of {inner}" if type == "array" else f"{word} to {inner}"


def _yaml(value: Any) -> str:
    """A value as one would write it in a flow: JSON, but for scalars that need no quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_inside(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inside(item) for item in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def _inside(value: Any) -> str:
    """A value within a flow, where more has to be quoted."""
    if not isinstance(value, str):
        return _yaml(value)
    plain = bool(value) and not set(value) & set(",[]{}#&*!|>'\"%@`$") and ": " not in value
    return (
        value
        if plain and value[0] not in "-?:=" and value[-1] != ":" and not value[0].isdigit()
        else json.dumps(value, ensure_ascii=False)
    )


# -- how it is written ------------------------------------------------------------------------------------------------


def markdown(made: Manual) -> str:
    """A page of the reference manual."""
    example = ["## Example", "", "```yaml", made.example, "```", ""] if made.example else []
    lines = [f"# {made.title}", "", made.about, "", *(f"- {fact}" for fact in made.facts), "", *example]
    lines += ["## Keys", "", NOTE, "", *key_table(made.keys), ""]
    lines += ["Those that [kinds share](README.md#keys-that-kinds-share):", "", *key_table(made.common), ""]
    lines += ["## References", ""]
    if made.references:
        lines += ["| reference | type | property |", "|---|---|---|"]
        lines += [f"| {_code(r.text)} | {r.type} | {_code(r.property)} |" for r in made.references]
        lines.append("")
    lines += [made.properties, ""]
    if made.refused:
        lines += [
            "## Refused under `api:`",
            "",
            *(f"- `{member}`: {why}" for member, why in made.refused.items()),
            "",
        ]
    return "\n".join(lines)


def key_table(keys: list[Key]) -> Iterator[str]:
    """Keys as a table in Markdown."""
    yield "| key | type | default | |"
    yield "|---|---|---|---|"
    for key in keys:
        default = "required" if key.required else _code(key.default)
        yield f"| {_code(key.path)} | {_cell(key.type)} | {default} | {_cell(key.text)} |"


def _code(text: str) -> str:
    return _cell(f"`{text}`") if text else ""


def _cell(text: str) -> str:
    """A text in a table's cell: outside of code, `<name>` would be taken for HTML."""
    parts = text.replace("|", "\\|").replace("\n", " ").split("`")
    return "`".join(part if index % 2 else part.replace("<", "\\<") for index, part in enumerate(parts))


def terminal(made: Manual) -> str:
    """The same for a terminal, at most `WIDTH` wide but for what cannot be broken."""
    lines = [
        made.title,
        "=" * len(made.title),
        "",
        made.about,
        "",
        *(line for fact in made.facts for line in _wrapped(fact, "- ")),
    ]
    if made.example:
        lines += ["", "Example", "", textwrap.indent(made.example, "  ")]
    lines += ["", "Keys", "", *_wrapped(NOTE, "  "), "", *(line for key in made.keys for line in _told(key))]
    lines += ["", "Keys that kinds share", "", *(line for key in made.common for line in _told(key))]
    lines += ["", "References", ""]
    for reference in made.references:
        path = f"    {reference.property}" if reference.property else ""
        lines += [f"  {reference.text}  {reference.type}", *([path] if path else [])]
    lines += _wrapped(made.properties, "  ")
    if made.refused:
        lines += ["", "Refused under `api:`", ""]
        lines += [line for member, why in made.refused.items() for line in _wrapped(f"{member}: {why}", "  ")]
    return "\n".join(lines)


def _told(key: Key) -> list[str]:
    words = [key.type, "required" if key.required else "", f"default {key.default}" if key.default else ""]
    head = f"{key.path}  {'; '.join(filter(None, words))}"
    return [*_wrapped(head, "  ", "      "), *_wrapped(key.text, "      ")]


def _wrapped(text: str, indent: str, hanging: str = "") -> list[str]:
    """`text` in lines, those after the first indented as much or, where it is given, by `hanging`."""
    after = hanging or " " * len(indent)
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=after,
        break_long_words=False,
        break_on_hyphens=False,
    )
