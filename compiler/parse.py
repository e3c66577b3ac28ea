"""Data → `Pipeline`: defaults merged, shorthands made long, each step checked against its kind's schema.

Goes on after errors: a step with mistakes is still there for others to refer to, and is not lowered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sagewright import schemas, steps
from sagewright.compiler.components import Library, opened, passed
from sagewright.compiler.defaults import Defaults, longhand, mapping, optional, without_nulls
from sagewright.compiler.diagnostics import Related, Sink
from sagewright.compiler.frames import Frame, Given
from sagewright.compiler.kind import StepKind
from sagewright.compiler.matrix import combinations, listed, matrices
from sagewright.compiler.merge import merge
from sagewright.compiler.model import Pipeline, Step
from sagewright.compiler.parameters import NAME, parameters
from sagewright.compiler.policies import check_named, parse_cache, parse_depends_on, parse_retry
from sagewright.compiler.project import Settings
from sagewright.compiler.source import Document, Map, Origin, key_origin, key_origins, origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed, Namespace, has_template, render, report_misplaced
from sagewright.compiler.triggers import triggers
from sagewright.compiler.validate import is_reference, validate

MAX_STEPS = 5_000
"""SageMaker's 1,048,576 characters of definition hold no more: the smallest step takes about 80 with its commas, and
real ones ten times that."""
MAX_NAME = 64


@dataclass(slots=True)
class _Reader:
    """What all steps of one pipeline share while they are read."""

    settings: Settings
    sink: Sink
    library: Library
    names: dict[str, Origin] = field(default_factory=dict)
    """Of every step of the definition that the files name, the place."""
    broken: set[str] = field(default_factory=set)
    full: bool = False
    """Whether there are too many steps, which is told."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pipeline as read. `broken` are the steps that are not fit to be lowered, `names` all that the files name, as
    the definition calls them; `frame` is what references in the pipeline's own file may name."""

    pipeline: Pipeline
    broken: frozenset[str]
    names: frozenset[str]
    frame: Frame


def parse(document: Document, settings: Settings, sink: Sink) -> Parsed | None:
    """The pipeline in `document`; None (reported) where there is none."""
    root = document.data
    where = Origin(document.root) if document.root is not None else None
    if not isinstance(root, Map):
        sink.report("SW203", "a pipeline file is a mapping", where)
        return None
    name = _name(root, settings, sink)
    namespaces = {**settings.namespaces, "pipeline": Namespace("pipeline", {"name": name})}
    root = _rendered(
        root, ("steps",), namespaces, sink
    )  # steps one by one: a matrix renders them several times
    view = without_nulls(root, schemas.load("pipeline"))
    validate(view, "pipeline", sink, where, "the pipeline")
    own = mapping(view, "defaults")
    project_defaults = render(settings.defaults, namespaces, sink)
    retries = merge(settings.retry_policies, mapping(view, "retry_policies"))
    check_named(retries, sink)
    reader = _Reader(settings, sink, Library(settings.root))
    defaults = Defaults(project_defaults, own)
    defaults.check_kinds(sink)
    frame = Frame(document.name, document.path)
    read = _outermost(reader, mapping(view, "steps"), _Place(namespaces, frame, defaults, retries))
    defaults.check_keys(sink)
    declared = parameters(mapping(view, "parameters"), key_origin(view, "parameters"), sink)
    role = settings.target_role or view.get("role") or settings.project_role
    pipeline = Pipeline(
        name=name,
        document=document,
        parameters=declared,
        steps=read,
        description=_literal(view, "description"),
        display_name=_literal(view, "display_name"),
        role=role,
        experiment=view.get("experiment"),
        mlflow=view.get("mlflow"),
        parallelism=view.get("parallelism") if isinstance(view.get("parallelism"), int) else None,
        tags=merge(settings.tags, mapping(view, "tags")),
        triggers=triggers(mapping(view, "triggers"), declared, role, sink),
    )
    sink.within = None
    return Parsed(pipeline, frozenset(reader.broken), frozenset(reader.names), frame)


def pipeline_name(root: Any, settings: Settings) -> str | None:
    """A pipeline's deployed name, without reporting what is wrong with it."""
    return _name(root, settings, Sink()) or None if isinstance(root, Map) else None


def _name(root: Map, settings: Settings, sink: Sink) -> str:
    written = root.get("name")
    if not isinstance(written, str):
        return ""
    rendered = render(Map({"name": written}, root.node), settings.namespaces, sink)["name"]
    return f"{rendered}{settings.name_suffix}" if isinstance(rendered, str) and type(rendered) is str else ""


def _literal(data: Map, key: str) -> str | None:
    value = data.get(key)
    fit = isinstance(value, str) and not isinstance(value, (Failed, Given))
    return str(value).replace("$${", "${") if fit else None


# -- steps ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Where steps stand: what templates and references know there, what holds for them, and the step and the key that
    nest them. `parent` is called as in the definition."""

    namespaces: Mapping[str, Namespace]
    frame: Frame
    defaults: Defaults
    retries: Map
    parent: str | None = None
    branch: str | None = None
    matrix: str = ""
    """The step whose matrix is at work."""


def _rendered(body: Map, untouched: Iterable[str], namespaces: Mapping[str, Namespace], sink: Sink) -> Map:
    """`body` with its templates rendered, but for the keys whose steps are rendered on their own."""
    nested = [key for key in untouched if isinstance(body.get(key), Map)]
    return _apart(body, nested, lambda rest: render(rest, namespaces, sink))


def _apart(body: Map, untouched: Iterable[str], make: Callable[[Map], Map]) -> Map:
    """What `make` makes of `body`, but for some of its keys, which stay as they are."""
    apart = {key: body[key] for key in untouched if key in body}
    if not apart:
        return make(body)
    rest = Map({key: value for key, value in body.items() if key not in apart}, body.node)
    made = make(rest)
    return body if made is rest else Map({key: apart.get(key, made.get(key)) for key in body}, body.node)


def _outermost(reader: _Reader, bodies: Map, where: _Place) -> tuple[Step, ...]:
    """The steps of a file, by the names that the definition has for them."""
    where.frame.matrices.update(matrices(bodies))
    read = tuple(_steps(reader, bodies, where))
    where.frame.steps = tuple(step.name for step in read)
    return read


def _steps(reader: _Reader, bodies: Map, where: _Place) -> Iterator[Step]:
    if reader.full or len(reader.names) + len(bodies) > MAX_STEPS:
        _report_too_many(reader, len(bodies), key_origin(bodies, next(iter(bodies))))
        return
    places = key_origins(bodies)
    for name, body in bodies.items():
        place = places[name]
        reader.sink.within = where.frame
        if not _is_name(reader, name, place, where.frame):
            continue
        where.frame.places[name] = place
        if isinstance(body, Map) and "matrix" in body:
            yield from _matrix(reader, name, body, place, where)
        else:
            yield from _one(reader, name, body, place, where)


def _one(reader: _Reader, name: str, body: Any, place: Origin, where: _Place) -> Iterator[Step]:
    """What one entry of `steps:` makes, or one combination of its matrix: a step, or those of a component."""
    if isinstance(body, Map) and "uses" in body:
        yield from _component(reader, name, body, place, where)
        return
    full = _claimed(reader, name, place, where)
    if full is None:
        return
    where.frame.enter(name, full)
    step = _step(reader, full, body, place, where) if isinstance(body, Map) else None
    if step is not None:
        yield step
    elif not isinstance(body, Map):
        reader.broken.add(full)  # the schema has told


def _claimed(reader: _Reader, name: str, place: Origin, where: _Place) -> str | None:
    """The name that the definition has for a step; None (reported) where it is taken."""
    frame, full = where.frame, where.frame.full(name)
    maker = f"the matrix of `{where.matrix}`" if where.matrix else f"the component that `{frame.name}` uses"
    inner = [Related(f"`{name}` stands here", place.span())] if frame.at is not None else []
    taken = reader.names.get(full)
    if taken is not None:
        made = (
            f"{maker} makes a step `{full}`" if where.matrix or frame.at else f"this step is called `{full}`"
        )
        related = [Related(f"`{full}` is first used here", taken.span()), *inner]
        reader.sink.report("SW311", f"{made}, and that name is taken", frame.at or place, related=related)
        return None
    reader.names[full] = place
    if len(full) > MAX_NAME and (where.matrix or frame.at):
        message = f"{maker} makes a step `{full}`: {len(full)} characters, the most is {MAX_NAME}"
        reader.sink.report("SW703", message, frame.at or place, related=inner)
    return full


def _report_too_many(reader: _Reader, count: int, place: Origin | None) -> None:
    if not reader.full:
        message = f"{count:,} steps: a definition that SageMaker takes holds no more than {MAX_STEPS:,}"
        reader.sink.report("SW701", message, place)
    reader.full = True


def _is_name(reader: _Reader, name: str, place: Origin, frame: Frame) -> bool:
    """Whether a step may have that name; an illegal one is told and read on, one that is taken is not."""
    if has_template(name):
        report_misplaced(reader.sink, place, "a step's name")
        reader.broken.add(frame.full(name))
    elif not NAME.fullmatch(name):
        message = f"`{name[:80]}` is no step's name: at most 64 letters, digits, `-` and `_`"
        reader.sink.report("SW310", message, place)
        reader.broken.add(frame.full(name))
    taken = frame.places.get(name)
    if taken is None:
        return True
    first_place = Related(f"`{name}` is first used here", taken.span())
    reader.sink.report("SW309", f"the step name `{name}` is used twice", place, related=[first_place])
    return False


def _matrix(reader: _Reader, name: str, body: Map, place: Origin, where: _Place) -> Iterator[Step]:
    """The steps that a matrix makes: one for each combination, under the name and the combination's own."""
    written = Map({"matrix": body["matrix"]}, body.node)
    matrix = passed(render(written, where.namespaces, reader.sink), where.frame)["matrix"]
    where.frame.enter(name, ())
    if not isinstance(matrix, Map):
        message = "`matrix` is a mapping from axes to lists of values"
        reader.sink.report("SW203", message, origin(body, "matrix"))
        return
    made = combinations(matrix, reader.sink)
    kind = steps.find(body["kind"]) if isinstance(body.get("kind"), str) else None
    if kind is not None and kind.branches:
        message = f"a step of kind `{kind.name}` has no `matrix`: the steps in it would be there once for each combination"
        help = "put it into a component, and give the matrix to the step that `uses` it"
        reader.sink.report("SW211", message, key_origin(body, "matrix"), help=help)
        made = made[:1]
    rest = Map({key: value for key, value in body.items() if key != "matrix"}, body.node)
    if reader.full or len(reader.names) + len(made) > MAX_STEPS:
        _report_too_many(reader, len(made), place)
        return
    where.frame.enter(name, tuple(f"{name}-{combination.suffix}" for combination in made))
    for combination in made:
        one = f"{name}-{combination.suffix}"
        space = Namespace("matrix", combination.values)
        inside = replace(where, namespaces={**where.namespaces, "matrix": space}, matrix=name)
        where.frame.places.setdefault(one, place)
        yield from _one(reader, one, rest, place, inside)


def _component(reader: _Reader, name: str, written: Map, place: Origin, where: _Place) -> Iterator[Step]:
    """The steps of the component that a step uses, each called `<step>-<inner>`."""
    sink, caller = reader.sink, where.frame
    frame = Frame("", name=caller.full(name), caller=caller, at=place, broken=True)
    caller.enter(name, frame)
    sink.within = frame
    body = passed(render(written, where.namespaces, sink), caller)
    if "kind" in body:
        message = (
            f"the step `{name}` has both `kind` and `uses`: a component has steps with kinds of their own"
        )
        sink.report("SW208", message, key_origin(body, "kind"))
    if is_reference(body.get("uses")):
        sink.report("SW209", "`uses` takes a literal: the file is read when compiling", origin(body, "uses"))
    elif "kind" not in body and validate(body, "uses", sink, place, f"the step `{name}`"):
        yield from _used(reader, body, frame, where)


def _used(reader: _Reader, body: Map, frame: Frame, where: _Place) -> Iterator[Step]:
    """The steps of the component that `body` uses; none (reported) where it is none."""
    sink = reader.sink
    frame.depends_on = tuple(parse_depends_on(body))
    document = reader.library.find(body, frame, sink)
    outer = {key: value for key, value in where.namespaces.items() if key not in ("matrix", "inputs")}
    found = opened(document, body, frame, outer, sink) if document is not None else None
    if found is None:
        return
    view, namespaces = found
    frame.broken = False
    defaults = where.defaults.within(mapping(view, "defaults"))
    defaults.check_kinds(sink)
    own_retries = mapping(view, "retry_policies")
    check_named(own_retries, sink)
    retries = merge(where.retries, own_retries)
    inside = _Place(namespaces, frame, defaults, retries, where.parent, where.branch)
    yield from _outermost(reader, mapping(view, "steps"), inside)
    sink.within = frame
    defaults.check_keys(sink)


def _step(reader: _Reader, name: str, written: Map, place: Origin, where: _Place) -> Step | None:
    kind = _kind(reader, name, written, place)
    if kind is None:
        reader.broken.add(name)
        return None
    schema = schemas.load(f"steps/{kind.name}")
    before = reader.sink.reported
    own = _rendered(written, kind.branches, where.namespaces, reader.sink)
    if where.frame.caller is not None:
        own = _apart(own, {*kind.branches, *kind.conditions}, lambda rest: passed(rest, where.frame))
    merged = where.defaults.under(_without_lacking(reader, kind, own, schema), kind, schema)
    body = without_nulls(longhand(merged, kind), schema)
    if where.frame.matrices:
        body = listed(body, schema, where.frame.matrices)
    validate(body, f"steps/{kind.name}", reader.sink, place, f"the step `{name}`")
    depends_on = tuple(parse_depends_on(body))
    retry = parse_retry(body, kind, where.retries, reader.sink, inherited="retry" not in written)
    cache = parse_cache(body, reader.sink)
    if reader.sink.reported > before:
        reader.broken.add(name)
    branches = {
        key: tuple(_steps(reader, body[key], replace(where, parent=name, branch=key)))
        for key in kind.branches
        if isinstance(body.get(key), Map) and body[key]
    }
    return Step(
        name=name,
        kind=kind,
        body=body,
        origin=place,
        name_origin=place,
        display_name=_literal(body, "display_name"),
        description=_literal(body, "description"),
        depends_on=depends_on,
        retry=retry,
        cache=cache,
        tags=optional(body, "tags"),
        api=optional(body, "api"),
        step_api=optional(body, "step_api"),
        branches=branches,
        parent=where.parent,
        branch=where.branch,
        frame=where.frame,
    )


def _kind(reader: _Reader, name: str, body: Map, place: Origin) -> StepKind | None:
    sink = reader.sink
    if "with" in body:
        message = "`with` goes with `uses`: it is what a component is given"
        sink.report("SW208", message, key_origin(body, "with"))
        return None
    if body.get("kind") is None:
        near = next((word for word in ("kind", "uses") if nearest(word, body)), None)
        sink.report(
            "SW202",
            f"the step `{name}` lacks the key `kind`",
            place.span(),
            help=f"did you mean `{near}`?" if near and near not in body else None,
            notes=[f"kinds are {listing(steps.names())}"],
        )
        return None
    word = body["kind"]
    if not isinstance(word, str):
        sink.report("SW203", "`kind` wants text", origin(body, "kind"))
        return None
    if has_template(word):
        report_misplaced(sink, origin(body, "kind"), "`kind`")
        return None
    kind = steps.find(word)
    if kind is None:
        near = nearest(word, steps.names())
        help = f"did you mean `{near}`?" if near else None
        notes = [] if near else [f"kinds are {listing(steps.names())}"]
        sink.report("SW207", f"unknown kind `{word}`", origin(body, "kind"), help=help, notes=notes)
    return kind


def _without_lacking(reader: _Reader, kind: StepKind, body: Map, schema: dict[str, Any]) -> Map:
    """`body` without the keys that steps have, but not this kind: each is told here, and not again by the schema."""
    lacking = [
        key for key in ("retry", "cache", "role", "tags") if key in body and key not in schema["properties"]
    ]
    for key in lacking:
        code, verb = (
            ("SW213", "is not retried by SageMaker") if key == "retry" else ("SW211", f"has no `{key}`")
        )
        reader.sink.report(code, f"a step of kind `{kind.name}` {verb}", key_origin(body, key))
    return Map({k: v for k, v in body.items() if k not in lacking}, body.node) if lacking else body
