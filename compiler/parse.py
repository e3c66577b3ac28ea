"""Data → `Pipeline`: defaults merged, shorthands made long, each step checked against its kind's schema.

Goes on after errors: a step with mistakes is still there for others to refer to, and is not lowered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sagewright import schemas, steps
from sagewright.compiler.defaults import Defaults, longhand, mapping, without_nulls
from sagewright.compiler.diagnostics import Related, Sink
from sagewright.compiler.kind import StepKind
from sagewright.compiler.matrix import combinations
from sagewright.compiler.merge import merge
from sagewright.compiler.model import Dependency, Pipeline, Step
from sagewright.compiler.parameters import NAME, parameters
from sagewright.compiler.policies import parse_cache, parse_retry
from sagewright.compiler.project import Settings
from sagewright.compiler.source import Document, Map, Origin, Seq, key_origin, key_origins, origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed, Namespace, has_template, render, report_misplaced
from sagewright.compiler.validate import is_reference, validate

MAX_STEPS = 5_000
"""SageMaker's 1,048,576 characters of definition hold no more: the smallest step takes about 80 with its commas, and
real ones ten times that."""
MAX_NAME = 64
_WHEN = {"completed": "Completed", "failed": "Failed", "stopped": "Stopped", "any": "Any"}


@dataclass(slots=True)
class _Reader:
    """What all steps of one pipeline share while they are read."""

    settings: Settings
    sink: Sink
    defaults: Defaults
    retries: Map
    names: dict[str, Origin] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The steps that a matrix makes, by the name that stands in the file."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pipeline as read. `broken` are the steps that are not fit to be lowered, `names` all that the file names."""

    pipeline: Pipeline
    broken: frozenset[str]
    names: frozenset[str]
    groups: Mapping[str, tuple[str, ...]]
    """The steps of each matrix, by the name that stands in the file."""


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
    if "triggers" in view:
        _unbuilt(view, "triggers", sink)
    own = mapping(view, "defaults")
    project_defaults = render(settings.defaults, namespaces, sink)
    retries = merge(settings.retry_policies, mapping(view, "retry_policies"))
    reader = _Reader(settings, sink, Defaults(project_defaults, own), retries)
    reader.defaults.check_kinds(sink)
    read = tuple(_steps(reader, mapping(view, "steps"), _Place(namespaces)))
    reader.defaults.check_keys(sink)
    pipeline = Pipeline(
        name=name,
        document=document,
        parameters=parameters(mapping(view, "parameters"), key_origin(view, "parameters"), sink),
        steps=_with_groups(read, reader.groups) if reader.groups else read,
        description=_literal(view, "description"),
        display_name=_literal(view, "display_name"),
        role=settings.target_role or view.get("role") or settings.project_role,
        experiment=view.get("experiment"),
        mlflow=view.get("mlflow"),
        parallelism=view.get("parallelism") if isinstance(view.get("parallelism"), int) else None,
        tags=merge(settings.tags, mapping(view, "tags")),
    )
    return Parsed(pipeline, frozenset(reader.broken), frozenset(reader.names), reader.groups)


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
    return value.replace("$${", "${") if type(value) is str else None


def _unbuilt(data: Map, key: str, sink: Sink) -> None:
    place = key_origin(data, key)
    sink.report("SW210", f"`{key}` is not built yet", place)


# -- steps ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """Where steps stand: what templates know there, and the step and the key that nest them."""

    namespaces: Mapping[str, Namespace]
    parent: str | None = None
    branch: str | None = None


def _rendered(body: Map, untouched: Iterable[str], namespaces: Mapping[str, Namespace], sink: Sink) -> Map:
    """`body` with its templates rendered, but for the keys whose steps are rendered on their own."""
    apart = {key: body[key] for key in untouched if isinstance(body.get(key), Map)}
    if not apart:
        return render(body, namespaces, sink)
    rest = Map({key: value for key, value in body.items() if key not in apart}, body.node)
    made = render(rest, namespaces, sink)
    return body if made is rest else Map({key: apart.get(key, made.get(key)) for key in body}, body.node)


def _steps(reader: _Reader, bodies: Map, where: _Place) -> Iterator[Step]:
    if len(reader.names) + len(bodies) > MAX_STEPS:
        first = next(iter(bodies))
        _report_too_many(reader, len(bodies), key_origin(bodies, first))
        return
    places = key_origins(bodies)
    for name, body in bodies.items():
        place = places[name]
        if not _is_name(reader, name, place):
            continue
        if not isinstance(body, Map):
            reader.names[name] = place
            reader.broken.add(name)  # the schema has told
        elif "matrix" in body:
            yield from _matrix(reader, name, body, place, where)
        else:
            reader.names[name] = place
            step = _step(reader, name, body, place, where)
            if step is not None:
                yield step


def _report_too_many(reader: _Reader, count: int, place: Origin | None) -> None:
    message = f"{count:,} steps: a definition that SageMaker takes holds no more than {MAX_STEPS:,}"
    reader.sink.report("SW701", message, place)


def _is_name(reader: _Reader, name: str, place: Origin) -> bool:
    """Whether a step may have that name; an illegal one is told and read on, one that is taken is not."""
    if has_template(name):
        report_misplaced(reader.sink, place, "a step's name")
        reader.broken.add(name)
    elif not NAME.fullmatch(name):
        message = f"`{name[:80]}` is no step's name: at most 64 letters, digits, `-` and `_`"
        reader.sink.report("SW310", message, place)
        reader.broken.add(name)
    taken = reader.names.get(name)
    if taken is None:
        return name not in reader.groups
    if taken.span() == place.span():
        message = f"`{name}` stands in a matrix: it would be there once for each combination"
        reader.sink.report("SW311", message, place, help="give the matrix to the step itself")
    else:
        first_place = Related(f"`{name}` is first used here", taken.span())
        reader.sink.report("SW309", f"the step name `{name}` is used twice", place, related=[first_place])
    return False


def _matrix(reader: _Reader, name: str, body: Map, place: Origin, where: _Place) -> Iterator[Step]:
    """The steps that a matrix makes: one for each combination, under the name and the combination's own."""
    written = Map({"matrix": body["matrix"]}, body.node)
    matrix = render(written, where.namespaces, reader.sink)["matrix"]
    if not isinstance(matrix, Map):
        reader.sink.report(
            "SW203", "`matrix` is a mapping from axes to lists of values", origin(body, "matrix")
        )
        reader.names[name] = place
        reader.broken.add(name)
        return
    made = combinations(matrix, reader.sink)
    rest = Map({key: value for key, value in body.items() if key != "matrix"}, body.node)
    reader.groups[name] = tuple(f"{name}-{combination.suffix}" for combination in made)
    if len(reader.names) + len(made) > MAX_STEPS:
        _report_too_many(reader, len(made), place)
        return
    for combination, full in zip(made, reader.groups[name], strict=True):
        if full in reader.names:
            related = [Related(f"`{full}` is first used here", reader.names[full].span())]
            message = f"the matrix of `{name}` makes a step `{full}`, and that name is taken"
            reader.sink.report("SW311", message, place, related=related)
            continue
        if len(full) > MAX_NAME:
            message = f"the matrix of `{name}` makes a step `{full}`: {len(full)} characters, the most is {MAX_NAME}"
            reader.sink.report("SW703", message, place)
        reader.names[full] = place
        space = Namespace("matrix", combination.values)
        inside = replace(where, namespaces={**where.namespaces, "matrix": space})
        step = _step(reader, full, rest, place, inside)
        if step is not None:
            yield step


def _with_groups(read: tuple[Step, ...], groups: Mapping[str, tuple[str, ...]]) -> tuple[Step, ...]:
    """The steps with `depends_on` a matrix as a dependency on each of its steps."""
    made = []
    for step in read:
        depends_on = tuple(
            replace(dependency, step=name)
            for dependency in step.depends_on
            for name in groups.get(dependency.step, (dependency.step,))
        )
        branches = {key: _with_groups(nested, groups) for key, nested in step.branches.items()}
        made.append(replace(step, depends_on=depends_on, branches=branches))
    return tuple(made)


def _step(reader: _Reader, name: str, written: Map, place: Origin, where: _Place) -> Step | None:
    kind = _kind(reader, name, written, place)
    if kind is None:
        reader.broken.add(name)
        return None
    schema = schemas.load(f"steps/{kind.name}")
    before = reader.sink.reported
    own = _rendered(written, kind.branches, where.namespaces, reader.sink)
    merged = reader.defaults.under(_without_lacking(reader, kind, own, schema), kind, schema)
    body = without_nulls(longhand(merged, kind), schema)
    validate(body, f"steps/{kind.name}", reader.sink, place, f"the step `{name}`")
    depends_on = tuple(_dependencies(body))
    retry = parse_retry(body, kind, reader.retries, reader.sink, inherited="retry" not in written)
    cache = parse_cache(body, reader.sink)
    if reader.sink.reported > before:
        reader.broken.add(name)
    branches = {
        key: tuple(_steps(reader, body[key], _Place(where.namespaces, name, key)))
        for key in kind.branches
        if isinstance(body.get(key), Map)
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
        tags=body.get("tags") if isinstance(body.get("tags"), Map) else None,
        api=body.get("api"),
        step_api=body.get("step_api"),
        branches=branches,
        parent=where.parent,
        branch=where.branch,
    )


def _kind(reader: _Reader, name: str, body: Map, place: Origin) -> StepKind | None:
    sink = reader.sink
    if "uses" in body:
        _unbuilt(body, "uses", sink)
        return None
    if body.get("kind") is None:
        sink.report(
            "SW202",
            f"the step `{name}` lacks the key `kind`",
            place.span(),
            notes=[f"kinds are {listing(steps.names())}"],
        )
        return None
    word = body["kind"]
    at = origin(body, "kind")
    if not isinstance(word, str):
        sink.report("SW203", "`kind` wants text", at)
        return None
    if has_template(word):
        report_misplaced(sink, at, "`kind`")
        return None
    kind = steps.find(word)
    if kind is None:
        near = nearest(word, steps.names())
        help = f"did you mean `{near}`?" if near else None
        notes = [] if near else [f"kinds are {listing(steps.names())}"]
        sink.report("SW207", f"unknown kind `{word}`", at, help=help, notes=notes)
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


def _dependencies(body: Map) -> Iterator[Dependency]:
    written = body.get("depends_on")
    entries: Any = (
        written if isinstance(written, Seq) else Seq([written], None) if isinstance(written, str) else ()
    )
    for index, entry in enumerate(entries):
        at = origin(entries, index) or origin(body, "depends_on")
        if is_reference(entry) or isinstance(entry, Failed):
            continue  # told already
        if isinstance(entry, str):
            yield Dependency(entry, origin=at)
        elif isinstance(entry, Map) and isinstance(entry.get("step"), str):
            when = entry.get("when", "completed")
            yield Dependency(
                entry["step"],
                _WHEN.get(when, "Completed") if isinstance(when, str) else "Completed",
                origin(entry, "step"),
            )
