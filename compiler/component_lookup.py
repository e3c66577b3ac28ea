"""References across the border of a component: what it was given, and what it gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.expression import EXPRESSIONS, Join, Reference
from sagewright.compiler.frames import Frame, Given
from sagewright.compiler.matrix import spread
from sagewright.compiler.names import Names, Unresolved, at, placed, there_are
from sagewright.compiler.parameters import NAME
from sagewright.compiler.source import Map, Origin, Seq, key_origin, origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed
from sagewright.compiler.types import Type, is_assignable, type_of

# -- inputs -----------------------------------------------------------------------------------------------------------


def input_value(reference: Reference, place: Origin | None, names: Names) -> Any:
    """What `inputs.x` means: an expression, or the literal that was given. Raises `Unresolved`."""
    frame = names.frame
    if frame.caller is None:
        raise at(reference, 0, "SW313", "`inputs` stands only in a component")
    if len(reference.segments) < 2:
        raise at(reference, 0, "SW307", "`inputs` alone is no value: name one", notes=there_are(frame.inputs))
    name = str(reference.segments[1])
    if name not in frame.inputs:
        near = nearest(name, frame.inputs)
        notes = [] if near else there_are(frame.inputs) or ["the component declares none"]
        help = f"did you mean `{near}`?" if near else None
        raise at(reference, 1, "SW307", f"the component has no input `{name}`", help, notes)
    if len(reference.segments) > 2:
        message = f"`inputs.{name}` is given as one: a template reaches into a literal"
        raise at(reference, 2, "SW307", message, f"write `{{{{ {reference.text} }}}}`")
    value = frame.given.get(name, Failed())
    if isinstance(value, Given):
        return _unless_failed(given(value, place, names), reference)
    if isinstance(value, (Map, Seq)):
        noun = "list" if isinstance(value, Seq) else "mapping"
        raise at(
            reference, 1, "SW406", f"`inputs.{name}` is a whole {noun}: it stands only where one is wanted"
        )
    if value is None:
        raise at(
            reference,
            1,
            "SW401",
            f"`inputs.{name}` is not given: alone, it leaves out the key that it stands at",
        )
    found = _unless_failed(value, reference)
    return found.replace("$${", "${") if isinstance(found, str) else found


def _unless_failed(value: Any, reference: Reference) -> Any:
    if isinstance(value, Failed):
        raise at(reference, 0, "", "told already")
    return value


def given(value: Given, place: Origin | None, names: Names) -> Any:
    """What a text with references means, in the frame in which it was given, at the place where it is used: an
    expression or a literal; `Failed` where it means nothing, which is told."""
    key = (f"{id(value.frame)}", str(value))
    if key in names.reports:
        place = Origin(value.node) if value.node is not None else place
        names.sink.report("SW307", "what the component is given refers to itself", place)
    if value.failed or key in names.reports:
        return Failed(value)
    names.reports.add(key)
    try:
        with names.inside(value.frame):
            found = names.bind(str(value), Map({"": value}, value.node), "", names)
    finally:
        names.reports.discard(key)
    if not isinstance(found, EXPRESSIONS):
        return found
    wanted = value.declared.scalar if value.declared is not None else None
    if wanted is Type.STRING and found.type is not None and not is_assignable(found.type, wanted):
        found = Join((found,))
    return placed(found, place) if place is not None else found


def check_given(frame: Frame, names: Names, sink: Sink) -> None:
    """What a component is given by reference means something, and is of the type of its input."""
    first = next((step for step in frame.steps if step in names.steps), None)
    outer, names.loop = names.loop, names.loops.get(first or "")
    sink.within = frame
    for value in frame.given.values():
        for one in _references(value, frame):
            found = given(one, None, names)
            one.failed = isinstance(found, Failed) or _is_misfit(found, one, sink)
    names.loop = outer


def _references(value: Any, frame: Frame) -> Iterator[Given]:
    if isinstance(value, Given):
        yield value
    elif isinstance(value, Map):
        for item in value.values():
            yield from _references(item, frame)
    elif isinstance(value, Seq):
        for item in value:
            for one in spread(item, frame):
                yield from _references(one, frame)


def _is_misfit(found: Any, value: Given, sink: Sink) -> bool:
    declared = value.declared
    if declared is None or declared.scalar is None:
        return False
    kind = found.type if isinstance(found, EXPRESSIONS) else type_of(found)
    place = Origin(value.node) if value.node is not None else None
    if kind is None:
        message = f"the input `{declared.name}` takes a value of type {declared.type}, not a whole structure or list"
        sink.report("SW406", message, place, help="refer to a value in it", related=declared.declared_here())
        return True
    if declared.scalar is Type.STRING or is_assignable(kind, declared.scalar):
        return False
    message = f"the reference is of type {kind}, the input `{declared.name}` is of type {declared.type}"
    sink.report("SW401", message, place, related=declared.declared_here())
    return True


# -- outputs ----------------------------------------------------------------------------------------------------------

_BARE = re.compile(r"(steps|inputs)\.[^\s{}]+")


def check_outputs(frame: Frame, names: Names) -> None:
    """What a component says that it gives means something, whether somebody asks for it or not; but for what it gives
    only where it is given more."""
    lacking = [f"inputs.{name}" for name, value in frame.given.items() if value is None]
    first = next((step for step in frame.steps if step in names.steps), None)
    outer, names.loop = names.loop, names.loops.get(first or "")
    for name, value in frame.outputs.items():
        with names.inside(frame):
            place = key_origin(frame.outputs, name)
            if not NAME.fullmatch(name):
                message = f"`{name[:80]}` is no output's name: at most 64 letters, digits, `-` and `_`"
                names.sink.report("SW310", message, place)
            if type(value) is str and _BARE.fullmatch(value):
                message = f"the output `{name}` is a text, and no reference"
                names.sink.report("SW205", message, origin(frame.outputs, name), help=f"write `${{{value}}}`")
            if not isinstance(value, str) or not any(one in value for one in lacking):
                names.bind(value, frame.outputs, name, names)
    names.loop = outer


def output_value(reference: Reference, used: Frame, place: Origin | None, names: Names) -> Any:
    """What `steps.<step>.outputs.<name>` means, of a step that uses a component. Raises `Unresolved`."""
    step = str(reference.segments[1])
    if used.broken:
        raise at(reference, 0, "", "told already")
    if len(reference.segments) < 3 or reference.segments[2] != "outputs":
        raise _no_output(reference, step, used)
    if len(reference.segments) < 4:
        raise at(
            reference, 2, "SW302", f"`outputs` of the step `{step}` is no value: name one", notes=_known(used)
        )
    name = str(reference.segments[3])
    if name not in used.outputs:
        near = nearest(name, used.outputs)
        help = f"did you mean `{near}`?" if near else None
        message = f"the component `{used.file}` has no output `{name}`"
        raise at(reference, 3, "SW302", message, help, [] if near else _known(used))
    if len(reference.segments) > 4:
        raise at(reference, 4, "SW302", f"the output `{name}` of the step `{step}` has nothing below it")
    key = (used.name, f"outputs.{name}")
    if key in names.reports:
        raise at(reference, 3, "SW302", f"the output `{name}` of the step `{step}` refers to itself")
    names.reports.add(key)
    try:
        with names.inside(used):
            found = names.bind(used.outputs[name], used.outputs, name, names)
    finally:
        names.reports.discard(key)
    found = _unless_failed(found, reference)
    if found is None or isinstance(found, (Map, Seq)):
        message = f"the output `{name}` of the step `{step}` is no single value: it is an input, given as one"
        raise at(reference, 3, "SW406", message)
    return placed(found, place) if isinstance(found, EXPRESSIONS) else found


def _no_output(reference: Reference, step: str, used: Frame) -> Unresolved:
    if len(reference.segments) < 3:
        message = f"the step `{step}` is no value: refer to an output of its component"
        return at(reference, 1, "SW307", message, notes=_known(used))
    word = str(reference.segments[2])
    near = word if word in used.outputs else nearest(word, used.outputs)
    help = f"did you mean `steps.{step}.outputs.{near}`?" if near else None
    message = f"the step `{step}` uses a component, and has no `{word}`: only its outputs are seen"
    return at(reference, 2, "SW302", message, help, [] if near else _known(used))


def _known(used: Frame) -> list[str]:
    if not used.outputs:
        return [f"`{used.file}` declares no outputs"]
    place = key_origin(used.outputs, next(iter(used.outputs)))
    span = place.span() if place else None
    where = f" (declared at {span.file}:{span.line})" if span else ""
    return [f"its outputs are {listing(list(used.outputs))}{where}"]


# -- what is not seen -------------------------------------------------------------------------------------------------


def no_parameters(reference: Reference) -> Unresolved:
    """A component's reference to a parameter of the pipeline."""
    name = str(reference.segments[1]) if len(reference.segments) > 1 else "x"
    message = "a component does not see the pipeline's parameters: it sees its inputs"
    help = f'declare an input, and give it with `with: {{{name}: "${{parameters.{name}}}"}}`'
    return at(reference, 0, "SW313", message, help)


def unknown_step(reference: Reference, names: Names) -> Unresolved:
    """A step that the file does not have: it may stand in another one."""
    name, frame = str(reference.segments[1]), names.frame
    hidden = of_component(name, frame, reference.text[len("steps.") + len(name) :])
    if hidden is not None:
        return at(reference, 1, "SW313", *hidden)
    if frame.is_lost(name):
        return at(reference, 0, "", "told already")
    near = nearest(name, frame.entries)
    help = f"did you mean `{near}`?" if near else None
    if is_outside(name, frame):
        message = (
            f"a component does not see the step `{name}` around it: it sees its own steps and its inputs"
        )
        return at(reference, 1, "SW313", message, "declare an input, and give it with `with:`")
    return at(reference, 1, "SW301", f"unknown step `{name}`", help, [] if near else there_are(frame.entries))


def is_outside(name: str, frame: Frame) -> bool:
    """Whether a frame around this one has a step of that name."""
    return any(name in outer.entries for outer in list(frame.chain())[1:])


def of_component(name: str, frame: Frame, rest: str = "") -> tuple[str, str | None] | None:
    """What to say of a name that only the definition has, since a component used here makes the step; `rest` is what
    a reference has after it."""
    owner = frame.owner(name)
    if owner is None:
        return None
    step, used, inner = owner
    written = f"${{steps.{inner}{rest}}}"
    output = next((key for key, value in used.outputs.items() if value == written), None)
    help = f"did you mean `steps.{step}.outputs.{output}`?" if output and rest else None
    if help is None and not rest:
        help = f"did you mean `{step}`?"
    if help is None:
        help = f"refer to an output: {_known(used)[0]}"
    return f"`{name}` stands in the component that `{step}` uses, and is not seen from outside", help
