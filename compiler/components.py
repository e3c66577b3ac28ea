"""Components: files with steps that other files use. What they take, and what the steps that use them give."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sagewright.compiler.defaults import mapping
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.frames import SCALARS, Frame, Given, Input, Passed
from sagewright.compiler.matrix import alone, is_matrix
from sagewright.compiler.parameters import NAME
from sagewright.compiler.project import display
from sagewright.compiler.source import (
    Document,
    Map,
    Origin,
    Seq,
    all_written,
    document_of,
    holds,
    key_origin,
    origin,
    read,
    scalar_text,
)
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed, Namespace, has_template, render
from sagewright.compiler.types import Type, is_assignable, type_of, unquoted
from sagewright.compiler.validate import is_reference, validate

MAX_DEPTH = 16
"""How deep components may use one another; GitHub's reusable workflows go to ten."""
STRUCTURES = {"List": Seq, "Map": Map}
TYPES = (*SCALARS, *STRUCTURES)
QUOTE = "quote it"
_LONE_INPUT = re.compile(r"\$\{\s*inputs\.([A-Za-z0-9_-]+)\s*\}")


# -- the file ---------------------------------------------------------------------------------------------------------


class Library:
    """The component files that a pipeline uses, each read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._resolved: dict[Path, Path] = {}
        self._read: dict[Path, Document | None] = {}

    def find(self, body: Map, frame: Frame, sink: Sink) -> Document | None:
        """The file that `uses:` means, which is to be that of `frame`; None (reported) where there is none that may be
        used."""
        written, place = body["uses"], origin(body, "uses")
        if not isinstance(written, str) or has_template(written) or isinstance(written, Failed):
            return None  # told already
        try:
            return self._open(written, place, frame, sink)
        except (OSError, RuntimeError, ValueError):  # a loop of links, a name that no system has
            sink.report("SW801", f"cannot read `{written[:80]}`", place)
        return None

    def _open(self, written: str, place: Origin | None, frame: Frame, sink: Sink) -> Document | None:
        source = document_of(place.node).path if place is not None else None
        base = source.parent if source is not None else self._root
        path = Path(os.path.normpath(base / written))
        resolved = self._resolve(path)
        shown = display(path)
        frame.file, frame.path = shown, path
        if not resolved.is_relative_to(self._resolve(self._root)):
            message = f"the component `{shown}` lies outside the project `{display(self._root)}`"
            sink.report("SW802", message, place)
            return None
        if self._is_recursive(resolved, shown, place, frame, sink):
            return None
        if resolved not in self._read:
            if not holds(path.is_file):
                _report_missing(path, written, shown, place, sink)
                return None
            self._read[resolved] = read(path, sink, shown)
        return self._read[resolved]

    def _resolve(self, path: Path) -> Path:
        """A path free of links."""
        return self._resolved.get(path) or self._resolved.setdefault(path, path.resolve())

    def _is_recursive(
        self, resolved: Path, shown: str, place: Origin | None, frame: Frame, sink: Sink
    ) -> bool:
        """Whether a file uses itself, or too many use one another; which is told."""
        around = list(frame.chain())[1:]
        if len(around) > MAX_DEPTH:
            sink.report("SW701", f"components use one another more than {MAX_DEPTH} deep", place)
            return True
        index = next(
            (i for i, one in enumerate(around) if one.path and self._resolve(one.path) == resolved), None
        )
        if index is None:
            return False
        cycle = [*(one.file for one in reversed(around[: index + 1])), shown]
        chain = " → ".join(f"`{name}`" for name in cycle)
        sink.report("SW315", f"a component that uses itself: {chain}", place)
        return True


def _report_missing(path: Path, written: str, shown: str, place: Origin | None, sink: Sink) -> None:
    beside = [entry.name for entry in path.parent.iterdir()] if holds(path.parent.is_dir) else []
    near = nearest(path.name, [name for name in beside if name.endswith((".yaml", ".yml"))])
    help = f"did you mean `{PurePosixPath(written).with_name(near)}`?" if near else None
    what = (
        f"`{shown}` is a directory: `uses` names a file"
        if holds(path.is_dir)
        else f"there is no component `{shown}`"
    )
    sink.report("SW801", what, place, help=help)


def opened(
    document: Document,
    written: Map,
    frame: Frame,
    namespaces: Mapping[str, Namespace],
    sink: Sink,
) -> tuple[Map, dict[str, Namespace]] | None:
    """A component for one use: its file but for its steps with templates rendered, and what templates in it know.
    Fills `frame`. None (reported) where it is none, or was given what it does not take.

    `written` is the step that uses it, its references as they are written.
    """
    root = document.data
    place = Origin(document.root) if document.root is not None else None
    if not isinstance(root, Map):
        sink.report("SW203", "a component file is a mapping", place)
        return None
    before = sink.reported
    frame.inputs = inputs(all_written(render(mapping(root, "inputs"), namespaces, sink)), sink)
    frame.given = _given(frame, written, sink)
    inside = {**namespaces, "inputs": _namespace(frame)}
    rest = Map({key: value for key, value in root.items() if key not in ("steps", "inputs")}, root.node)
    rest = render(rest, inside, sink)
    view = Map({key: rest.get(key, root[key]) for key in root}, root.node)
    validate(view, "component", sink, place, "the component")
    outputs = mapping(view, "outputs")
    texts = {
        name: passed(value, frame) if isinstance(value, str) else Failed() for name, value in outputs.items()
    }
    frame.outputs = Map(texts, outputs.node)
    return None if sink.reported > before and not mapping(view, "steps") else (view, inside)


def is_component(document: Document) -> bool:
    """Whether a file is a component's and no pipeline's."""
    root = document.data
    return isinstance(root, Map) and "name" not in root and not root.keys().isdisjoint(("inputs", "outputs"))


def check_alone(document: Document, sink: Sink) -> None:
    """What can be said of a component that no step uses: it is no pipeline; the form of it, and of its inputs."""
    root = document.data
    message = f"`{document.name}` is a component: it is checked and compiled where a step `uses` it"
    sink.report("SW316", message, document.span(), help="check the pipelines that use it")
    place = Origin(document.root) if document.root is not None else None
    validate(root, "component", sink, place, "the component")
    inputs(mapping(root, "inputs"), sink)


# -- inputs -----------------------------------------------------------------------------------------------------------


def inputs(declared: Map, sink: Sink) -> dict[str, Input]:
    """The inputs by name, in the file's order: `x: String`, or a mapping with type, default, enum and description.
    What is wrong with the form of one is told by the schema, and with its values here."""
    found: dict[str, Input] = {}
    for name, value in declared.items():
        place = key_origin(declared, name)
        if not NAME.fullmatch(name):
            message = f"`{name[:80]}` is no input's name: at most 64 letters, digits, `-` and `_`"
            sink.report("SW310", message, place)
        body = value if isinstance(value, Map) else Map({"type": value})
        kind = body.get("type")
        at = origin(body, "type") if isinstance(value, Map) else origin(declared, name)
        if kind is None and isinstance(body.get("default"), (str, int, float, bool, Map, Seq)):
            kind = _type_name(body["default"])
        if kind is None and value is not None:
            message = f"the input `{name}` has neither a type nor a default to tell it by"
            sink.report("SW202", message, place, notes=["for example `type: String`"])
        elif kind not in TYPES and isinstance(kind, str) and not isinstance(kind, Failed):
            _report_type(kind, at, sink)
        enum = body.get("enum")
        made = Input(
            name=name,
            type=kind if kind in TYPES else "",
            default=body.get("default"),
            required="default" not in body and value is not None,
            enum=tuple(enum) if isinstance(enum, Seq) else (),
            origin=place,
        )
        _check_default(made, body, sink)
        found[name] = made
    return found


def _report_type(kind: str, at: Origin | None, sink: Sink) -> None:
    near = nearest(kind, TYPES)
    help = f"did you mean `{near}`?" if near else None
    sink.report("SW204", f"`{kind[:80]}` is no type: there are {listing(TYPES)}", at, help=help)


def _type_name(value: Any) -> str:
    return next((name for name, kind in STRUCTURES.items() if isinstance(value, kind)), "") or str(
        type_of(value)
    )


def _check_default(declared: Input, body: Map, sink: Sink) -> None:
    wrong = _misfit(declared.default, declared) if "default" in body else None
    if wrong is not None:
        code = "SW404" if wrong[0] == "SW204" else "SW405"
        sink.report(
            code, f"the default of `{declared.name}` {wrong[1]}", origin(body, "default"), help=wrong[2]
        )


def _misfit(value: Any, declared: Input) -> tuple[str, str, str | None] | None:
    """What is wrong with a literal for an input: code, message and help; None where it fits."""
    if value is None:
        return None if declared.default is None and not declared.required else ("SW401", "is null", None)
    if isinstance(value, Failed) or not declared.type:
        return None
    given, wanted = _type_name(value), declared.scalar
    if wanted is None or given in STRUCTURES:
        fits = given == declared.type
    else:
        fits = is_assignable(type_of(value), wanted)
    if not fits:
        help = QUOTE if wanted is Type.STRING and given in SCALARS else None
        if given == "String" and wanted is not None and wanted is not Type.STRING:
            help = unquoted(value, wanted)
        return "SW401", f"is of type {given}, the input is of type {declared.type}", help
    if declared.enum and value not in declared.enum:
        near = (
            nearest(value, [one for one in declared.enum if isinstance(one, str)])
            if isinstance(value, str)
            else None
        )
        shown = listing([scalar_text(one) for one in declared.enum])
        return (
            "SW204",
            f'is "{scalar_text(value)}", allowed is {shown}',
            f"did you mean `{near}`?" if near else None,
        )
    return None


# -- what is given ----------------------------------------------------------------------------------------------------


def _given(frame: Frame, written: Map, sink: Sink) -> dict[str, Any]:
    """Input → value: as it is given, else its default; without those that are missing. `Failed` where it is wrong."""
    caller = frame.caller
    assert caller is not None
    body = all_written(mapping(written, "with"))
    for name in body:
        if name not in frame.inputs:
            near = nearest(name, [one for one in frame.inputs if one not in body])
            help = f"did you mean `{near}`?" if near else None
            notes = [] if near else [f"its inputs are {listing(list(frame.inputs))}"]
            message = f"the component `{frame.file}` has no input `{name}`"
            sink.report("SW201", message, key_origin(body, name), help=help, notes=notes)
    made: dict[str, Any] = {}
    for name, declared in frame.inputs.items():
        if name in body:
            made[name] = _value(body, name, declared, caller, sink)
        elif not declared.required:
            made[name] = _wrapped(declared.default, frame, declared.origin, None)
        else:
            place = key_origin(written, "with") if body else key_origin(written, "uses")
            message = f"the step `{frame.name}` lacks the input `{name}` of `{frame.file}`"
            sink.report(
                "SW202", message, place, help=f"`with: {{{name}: ..}}`", related=declared.declared_here()
            )
    return made


def _value(body: Map, name: str, declared: Input, caller: Frame, sink: Sink) -> Any:
    value, place = body[name], origin(body, name)
    if isinstance(value, (Failed, Given)):
        if not isinstance(value, Given):
            return value
        return Given(value, value.frame, place.node if place else value.node, declared)
    if is_reference(value) and (declared.scalar is not None or not declared.type):
        return Given(value, caller, place.node if place else None, declared)
    if declared.type == "List" and isinstance(value, str) and is_matrix(value, caller.matrices):
        return _wrapped(alone(value, place), caller, place, None)
    if is_reference(value):
        noun = "a list" if declared.type == "List" else "a mapping"
        message = f"the input `{name}` takes {noun}, not a reference to a whole one"
        sink.report("SW408", message, place, related=declared.declared_here())
        return Failed(value)
    wrong = _misfit(value, declared)
    if wrong is not None:
        code, message, help = wrong
        if help == QUOTE and place is not None and has_template(place.node.value):
            help = "the filter `string` makes a text of it"
        sink.report(
            code, f"the value for `{name}` {message}", place, help=help, related=declared.declared_here()
        )
        return Failed(value)
    return _wrapped(value, caller, place, None)


def _wrapped(value: Any, frame: Frame, place: Origin | None, declared: Input | None) -> Any:
    """A value with its texts marked as written in a frame."""
    if isinstance(value, (Given, Passed, Failed)):
        return value
    if isinstance(value, str):
        node = place.node if place else None
        return Given(value, frame, node, declared) if is_reference(value) else Passed(value, None, node)
    if isinstance(value, Map):
        items = {key: _wrapped(item, frame, origin(value, key), None) for key, item in value.items()}
        return Map(items, value.node)
    if isinstance(value, Seq):
        return Seq(
            [_wrapped(item, frame, origin(value, i), None) for i, item in enumerate(value)], value.node
        )
    return value


def _namespace(frame: Frame) -> Namespace:
    """`{{ inputs.x }}`: the literals. What holds references is not known when compiling."""
    literals = {name: value for name, value in frame.given.items() if not _holds_references(value)}
    deferred = [name for name in frame.inputs if name in frame.given and name not in literals]
    why = ": the step gives a reference, which is known when the pipeline runs: write `${{inputs.{}}}`"
    missing = {name: ": the step does not give it" for name in frame.inputs if name not in frame.given}
    return Namespace("inputs", literals, hints={**{name: why.format(name) for name in deferred}, **missing})


def _holds_references(value: Any) -> bool:
    if isinstance(value, Map):
        return any(map(_holds_references, value.values()))
    return any(map(_holds_references, value)) if isinstance(value, Seq) else isinstance(value, Given)


def passed(value: Any, frame: Frame) -> Any:
    """`value` with what the component is given in place of each lone `${inputs.x}`; other texts stay as they are."""
    if frame.caller is None:
        return value
    if isinstance(value, str):
        match = _LONE_INPUT.fullmatch(value) if type(value) is str else None
        return frame.given[match[1]] if match and match[1] in frame.given else value
    if isinstance(value, Map):
        changed = {key: new for key, item in value.items() if (new := passed(item, frame)) is not item}
        if not changed:
            return value
        return Map(
            {key: item for key, item in {**value, **changed}.items() if not _is_left_out(key, changed)},
            value.node,
        )
    if isinstance(value, Seq):
        made = [passed(item, frame) for item in value]
        return value if all(a is b for a, b in zip(made, value, strict=True)) else Seq(made, value.node)
    return value


def _is_left_out(key: str, changed: Mapping[str, Any]) -> bool:
    """Whether an input that is null stands at a key."""
    return key in changed and changed[key] is None


__all__ = ["MAX_DEPTH", "TYPES", "Library", "check_alone", "inputs", "is_component", "opened", "passed"]
