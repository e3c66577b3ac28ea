"""The project file, `sagewright.yaml`: where it is, and what it says for one target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagewright.compiler import git
from sagewright.compiler.diagnostics import Related, Sink, Span
from sagewright.compiler.source import (
    Document,
    Map,
    Origin,
    all_written,
    holds,
    key_origin,
    origin,
    read,
    read_bytes,
    scalar_text,
    written,
)
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Namespace, render
from sagewright.compiler.types import Type, type_of
from sagewright.compiler.validate import validate

FILE = "sagewright.yaml"
DEFAULT_PATTERNS = ("pipelines/*/pipeline.yaml",)
_PLACE_KEYS = ("region", "bucket", "prefix", "role")


@dataclass(frozen=True, slots=True)
class Project:
    """A project's root and its file, as written. `document` is None where there is no file."""

    root: Path
    document: Document | None = None

    @property
    def data(self) -> Map:
        return self.document.data if self.document and isinstance(self.document.data, Map) else Map()

    @property
    def targets(self) -> list[str]:
        targets = self.data.get("targets")
        return list(targets) if isinstance(targets, Map) else []

    @property
    def patterns(self) -> list[str]:
        found = self.data.get("pipelines", list(DEFAULT_PATTERNS))
        return [p for p in found if isinstance(p, str)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says over the project file. `variables` are texts, read as YAML."""

    region: str | None = None
    bucket: str | None = None
    prefix: str | None = None
    role: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a project says for one target, templates rendered, the command line applied."""

    root: Path
    target: str
    account: str | None
    region: str | None
    bucket: str | None
    prefix: str
    name_suffix: str
    project_role: Any
    target_role: Any
    tags: Map
    defaults: Map
    retry_policies: Map
    kms_key: str | None
    bucket_owner: str | None
    namespaces: Mapping[str, Namespace]
    name: str | None = None
    """The project's: as it is written, else that of the repository's remote."""
    profile: str | None = None
    """Of AWS's configuration files; None: the environment's."""

    def job_output(self, pipeline: str, step: str) -> str:
        """Where a training job writes whose step does not say: `s3://<bucket>/<prefix>/<pipeline>/<step>`."""
        return f"s3://{self.bucket or 'none'}/{self.prefix}/{pipeline}/{step}"


def find_root(start: Path) -> tuple[Path, Path | None]:
    """The project's root for a file or folder, and its project file: the nearest above, else the nearest `.git`'s folder."""
    folder = start if holds(start.is_dir) else start.parent
    git: Path | None = None
    for parent in (folder, *folder.parents):
        candidate = parent / FILE
        if os.path.lexists(candidate):  # a broken link, too, is not to be passed over
            return parent, candidate
        if git is None and holds((parent / ".git").exists):
            git = parent
    return git or folder, None


def load(start: Path, sink: Sink, shown: str | None = None) -> Project:
    """The project that `start` belongs to. Its file's syntax errors go to `sink`."""
    root, file = find_root(start.absolute())
    if file is None:
        _hint(start.absolute(), sink)
        return Project(root)
    document = read(file, sink, shown or display(file))
    if document is not None and not isinstance(document.data, Map):
        sink.report("SW203", "a project file is a mapping", document.span())
        return Project(root)
    return Project(root, document)


def _hint(start: Path, sink: Sink) -> None:
    """Tell of a `sagewright.yml`, which would not be read."""
    other = FILE.replace(".yaml", ".yml")
    for parent in (start, *start.parents):
        if os.path.lexists(parent / other):
            shown = display(parent / other)
            sink.report("SW908", f"`{shown}` is not read: a project's file is called `{FILE}`", Span(shown))


def display(path: Path) -> str:
    """How messages call a file: relative to the working directory where it lies below it."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return path.as_posix()


def settings(project: Project, target: str | None, overrides: Overrides, sink: Sink) -> Settings | None:
    """What holds for a target; None (reported) where there is no such target."""
    name = _choose(project, target, sink)
    if name is None:
        return None
    env = _environment(project.data)
    section = project.data.get("targets", Map()).get(name) if project.targets else None
    chosen = section if isinstance(section, Map) else Map()
    early = {"env": env, "target": Namespace("target", {"name": name})}
    chosen = render(chosen, early, sink)
    base = Map({k: v for k, v in project.data.items() if k != "targets"}, project.data.node)
    places = {
        key: value
        for key in _PLACE_KEYS
        if (value := _first(overrides, chosen, render(_only(base, key), early, sink), key))
    }
    known = {"name": name, "account": chosen.get("account"), **{key: places.get(key) for key in _PLACE_KEYS}}
    namespaces = {"env": env, "target": Namespace("target", known, hint=f" for the target `{name}`")}
    data = render(base, namespaces, sink)
    _check(project, data, {name: chosen} if isinstance(section, Map) else {}, env, sink)
    variables = _variables(data, chosen, overrides, sink)
    upload = {**_mapping(data, "upload"), **_mapping(chosen, "upload")}
    return Settings(
        root=project.root,
        target=name,
        account=_text(chosen.get("account")),
        region=_text(places.get("region")),
        bucket=_text(places.get("bucket")),
        prefix=_text(places.get("prefix")) or "sagewright",
        name_suffix=_text(chosen.get("name_suffix")) or "",
        project_role=_text(data.get("role")),
        target_role=overrides.role or _text(chosen.get("role")),
        tags=merged(_mapping(data, "tags"), _mapping(chosen, "tags")),
        defaults=_mapping(data, "defaults"),
        retry_policies=_mapping(data, "retry_policies"),
        kms_key=_text(upload.get("kms_key")),
        bucket_owner=_text(upload.get("bucket_owner")),
        namespaces={**namespaces, "vars": variables},
        name=_text(data.get("name")) or git_name(project.root),
        profile=_text(chosen.get("profile")),
    )


def git_name(root: Path) -> str | None:
    """`acme/ml` after the repository's remote, with the project's folder in it: the same in every clone."""
    repository, remote = git.repository(root), git.remote(root)
    if repository is None or remote is None:
        return None
    below = root.relative_to(repository).as_posix()
    return remote if below == "." else f"{remote}/{below}"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and type(value) is str else None


def _mapping(data: Map, key: str) -> Map:
    value = data.get(key)
    return value if isinstance(value, Map) else Map()


def _only(data: Map, key: str) -> Map:
    return Map({key: data[key]}, data.node) if key in data else Map()


def _first(overrides: Overrides, chosen: Map, base: Map, key: str) -> Any:
    return getattr(overrides, key) or chosen.get(key) or base.get(key)


def merged(base: Map, over: Map) -> Map:
    """`over` over `base`, one level deep, each key with its own place."""
    from sagewright.compiler.merge import merge

    return merge(base, over)


def _choose(project: Project, target: str | None, sink: Sink) -> str | None:
    names = project.targets
    if target == "all" and "all" not in names:
        sink.report("SW312", "a compile takes one target; `all` is for commands that take several", None)
        return None
    if not names:
        if target in (None, "default"):
            return "default"
        sink.report("SW312", f"unknown target `{target}`: the project declares none", None)
        return None
    if target is not None:
        if target in names:
            return target
        near = nearest(target, names)
        sink.report(
            "SW312",
            f"unknown target `{target}`; there are {listing(names)}",
            None,
            help=f"did you mean `{near}`?" if near else None,
        )
        return None
    targets = project.data["targets"]
    defaults = [n for n in names if isinstance(targets[n], Map) and targets[n].get("default") is True]
    if len(defaults) == 1:
        return defaults[0]
    if len(names) == 1:
        return names[0]
    place = key_origin(targets, defaults[1]) if len(defaults) > 1 else key_origin(project.data, "targets")
    what = (
        f"{listing(defaults)} are all marked default"
        if defaults
        else "none of them is marked `default: true`"
    )
    sink.report("SW312", f"which target? {what}: give --target", place)
    return None


def chosen_targets(text: str | None, start: Path) -> list[str | None]:
    """The targets that `--target` means: `a,b`, or `all` those of the project that `start` belongs to. None, the
    project's own choice, stands for what was not said; whether there are such targets is for `settings` to tell."""
    named = list(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
    if "all" in named:
        return list(load(start, Sink()).targets) or [None]
    return list(named) or [text]


def _environment(data: Map) -> Namespace:
    allowed = data.get("env")
    names = [n for n in allowed if isinstance(n, str)] if isinstance(allowed, list) else []
    values = {name: os.environ[name] for name in names if name in os.environ}
    unset = {name: ": the variable is not set" for name in names if name not in values}
    return Namespace("env", values, "SW306", f": it is not among the `env:` of {FILE}", unset)


def _check(project: Project, data: Map, chosen: dict[str, Map], env: Namespace, sink: Sink) -> None:
    """Check the file against its schema, with the section of the target as it is used, and the others as they would
    be: what their templates lack is not told before they are used."""
    document = project.document
    if document is None:
        return
    view = Map(data, data.node)
    if project.targets:
        targets = project.data["targets"]
        others = {
            name: render(section, {"env": env, "target": Namespace("target", {"name": name})}, Sink())
            for name, section in targets.items()
            if name not in chosen
        }
        view["targets"] = Map({**others, **chosen}, targets.node)
    elif "targets" in project.data:
        view["targets"] = project.data["targets"]
    validate(view, "project", sink, Origin(document.root) if document.root else None, "the project file")
    if "lint" in data:
        place = key_origin(data, "lint")
        sink.report("SW210", "`lint` is not built yet", place)
    if "all" in project.targets:
        place = key_origin(project.data["targets"], "all")
        sink.report("SW310", "`all` is reserved: it means every target", place)


def _variables(data: Map, chosen: Map, overrides: Overrides, sink: Sink) -> Namespace:
    values = {**all_written(_mapping(data, "vars")), **all_written(_mapping(chosen, "vars"))}
    for name, text in overrides.variables.items():
        if name not in values:
            near = nearest(name, values)
            known = listing(list(values)) if values else "none"
            message = f"`--var {name}` is not declared under `vars:`; declared are {known}"
            sink.report("SW314", message, None, help=f"did you mean `{near}`?" if near else None)
            continue
        given = _read_variable(name, text, values[name])
        if given is None:
            kind = type_of(values[name]) if isinstance(values[name], (str, int, float)) else "list or mapping"
            sink.report("SW314", f"`--var {name}={text}`: `{name}` is declared as {kind}", None)
        else:
            values[name] = given[0]
    return Namespace("vars", values)


def _read_variable(name: str, text: str, declared: Any) -> tuple[Any] | None:
    """`text` as YAML, if it is of the declared value's type."""
    if isinstance(declared, str):
        return (text,)
    document = read_bytes(f"v: {text}".encode(errors="replace"), Sink(), f"--var {name}")
    if document is None or not isinstance(document.data, Map):
        return None
    value = written(document.data, "v")
    if declared is None:
        return (value,)
    if isinstance(declared, (Map, list)):
        return (
            (value,)
            if isinstance(value, Map) == isinstance(declared, Map) and isinstance(value, (Map, list))
            else None
        )
    if isinstance(value, (Map, list)) or value is None:
        return None
    if type_of(declared) is Type.FLOAT and type_of(value) is Type.INTEGER:
        return (value,)
    return (value,) if type_of(value) is type_of(declared) else None


def related_span(container: Any, key: str) -> Span | None:
    place = origin(container, key)
    return place.span() if place else None


__all__ = [
    "FILE",
    "Overrides",
    "Project",
    "Related",
    "Settings",
    "display",
    "find_root",
    "load",
    "scalar_text",
    "settings",
]
