"""Steps → the steps of the definition, by their kinds; and what kinds may ask for while they do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagewright import schemas
from sagewright.compiler import images
from sagewright.compiler.assets import (
    Asset,
    AssetError,
    data_asset,
    directory_asset,
    file_asset,
    script_asset,
)
from sagewright.compiler.bundles import function_asset, tar_asset
from sagewright.compiler.compilation import LambdaFunction, Upload
from sagewright.compiler.diagnostics import Related, Sink
from sagewright.compiler.expression import EXPRESSIONS, ExecutionRef, ItemRef, Join, ParameterRef
from sagewright.compiler.frames import Passed
from sagewright.compiler.kind import Function
from sagewright.compiler.loops import tells_turns_apart
from sagewright.compiler.machines import wasted_on
from sagewright.compiler.merge import is_own, patch
from sagewright.compiler.model import Emitted, Pipeline, Step
from sagewright.compiler.project import FILE, Settings
from sagewright.compiler.source import Map, Origin, Seq, document_of, key_origin, origin, source_text
from sagewright.compiler.suggest import listing, nearest

if TYPE_CHECKING:
    from sagewright.compiler.overrides import Override, Said

ALIAS_LENGTH = 12
"""Hex digits of the code's hash in the name of a Lambda alias."""


@dataclass(slots=True)
class Lowered:
    """The definition's steps, nested as they are, and what has to be uploaded for them."""

    steps: list[Emitted]
    uploads: list[Upload]
    functions: list[LambdaFunction]


def lower(pipeline: Pipeline, settings: Settings, broken: Iterable[str], sink: Sink) -> Lowered:
    """Lower every step that is fit for it. Mistakes are reported, and the rest is lowered all the same."""
    known = {step.name: step for step in pipeline.every_step()}
    shared = _Shared(pipeline, settings, known, pipeline.loops(), frozenset(broken), sink)
    steps = _lower_all(pipeline.steps, shared)
    sink.within = None
    return Lowered(steps, list(shared.uploads.values()), list(shared.functions.values()))


def _lower_all(steps: Iterable[Step], shared: _Shared) -> list[Emitted]:
    made: list[Emitted] = []
    for step in steps:
        branches = {
            member: _lower_all(step.branches.get(key, ()), shared)
            for key, member in step.kind.branches.items()
        }
        if step.name in shared.broken:
            # Not fit to be lowered itself; the steps that it nests are checked as if they stood beside it.
            made.extend(nested for branch in branches.values() for nested in branch)
            continue
        shared.sink.within = step.frame
        _warn_of_step_names(step, shared)
        emitted = step.kind.lower(step, Lowering(step, shared))
        _warn_of_overrides(step, emitted, shared)
        for one in emitted:
            if one.api is not None:
                one.arguments = patch(one.arguments, one.api)
        if step.kind.branches and emitted:
            emitted[-1].branches = branches
        made.extend(emitted)
    return made


def _warn_of_overrides(step: Step, emitted: list[Emitted], shared: _Shared) -> None:
    """Say where `api` replaces what the step itself says; over defaults and what the compiler adds it may quietly."""
    if not _has_api(step) and not step.step_api:
        return
    from sagewright.compiler import overrides  # late: few pipelines have an `api`

    def lowered(body: Map) -> list[Emitted]:
        changed = replace(step, body=body, tags=body.get("tags"))
        aside = replace(shared, sink=Sink(), uploads={}, functions={})
        return step.kind.lower(changed, Lowering(changed, aside))

    def arguments(body: Map) -> list[Any]:
        return [one.arguments for one in lowered(body)]

    def beside(body: Map) -> dict[str, Any]:
        return next((one.extra for one in lowered(body) if one.name == step.name), {})

    made, patches = [one.arguments for one in emitted], [one.api for one in emitted]
    found = overrides.contradictions(step.body, made, patches, arguments) if _has_api(step) else ()
    _tell_overrides(found, "api", step, shared)
    if isinstance(step.step_api, Map) and emitted:
        found = overrides.beside(step.body, emitted[-1].extra, step.step_api, beside)
        _tell_overrides(found, "step_api", step, shared)


def _tell_overrides(found: Iterable[tuple[Override, Said]], winner: str, step: Step, shared: _Shared) -> None:
    for override, said in found:
        if said.at is None or not is_own(said.at, step.body):
            continue
        result = "leaves nothing of that" if override.now is None else "wins"
        message = f"`{override.member}` is also said by `{said.key}`: `{winner}` {result}"
        related = [Related(f"`{said.key}` says it here", said.at.span())]
        shared.sink.report("SW906", message, override.at or step.name_origin, related=related)


def _warn_of_step_names(step: Step, shared: _Shared) -> None:
    """Say where a text, that is to name a thing that exists, names a step that makes one: nothing would wait for it."""
    for path, kind in step.kind.named_after.items():
        for container, key in _entries(step.body, path.split(".")):
            word = container[key]
            name = step.frame.entries.get(word) if isinstance(word, str) else None
            made = shared.steps.get(name) if isinstance(name, str) else None
            if made is not None and made.kind.name == kind:
                message = f"`{key}` is the text `{word}`, which is also the name of a step of kind `{kind}`"
                help = f"did you mean `${{steps.{word}.name}}`?"
                shared.sink.report("SW909", message, origin(container, key), help=help)


def _entries(value: Any, path: list[str]) -> Iterator[tuple[Map, str]]:
    """The containers and keys of what stands at a path; `*` stands for every key."""
    key, *rest = path
    if not isinstance(value, Map):
        return
    for name in value if key == "*" else (key,) if key in value else ():
        if rest:
            yield from _entries(value[name], rest)
        else:
            yield value, name


def _has_api(step: Step) -> bool:
    """Whether an `api` stands in a step's body, or in a body in it."""
    return any(_is_mapping(step.body, path) for path in _apis(step.kind.name))


@cache
def _apis(kind: str) -> tuple[tuple[str, ...], ...]:
    return tuple(schemas.paths(schemas.load(f"steps/{kind}"), lambda path, _: path[-1:] == ("api",)))


def _is_mapping(value: Any, path: tuple[str, ...]) -> bool:
    """Whether a mapping stands at a path; `*` is every entry."""
    if not path:
        return isinstance(value, Map)
    if path[0] != "*":
        return isinstance(value, Map) and path[0] in value and _is_mapping(value[path[0]], path[1:])
    items = value.values() if isinstance(value, Map) else value if isinstance(value, Seq) else ()
    return any(_is_mapping(item, path[1:]) for item in items)


@dataclass(slots=True)
class _Shared:
    pipeline: Pipeline
    settings: Settings
    steps: Mapping[str, Step]
    loops: Mapping[str, Step]
    """The loop around each step that stands in the body of one."""
    broken: frozenset[str]
    sink: Sink
    uploads: dict[str, Upload] = field(default_factory=dict)
    functions: dict[str, LambdaFunction] = field(default_factory=dict)


@dataclass(slots=True)
class Lowering:
    """The `Context` of one step (see `kind`)."""

    step: Step
    _shared: _Shared

    @property
    def pipeline(self) -> str:
        return self._shared.pipeline.name

    @property
    def region(self) -> str:
        region = self._shared.settings.region
        if region is None:
            self._lacking("SW806", "no region", "region")
        return region or "us-east-1"

    def find_step(self, name: str, at: Origin | None) -> Step | None:
        found = self._shared.steps.get(name)
        if found is None and name not in self._shared.broken:
            near = nearest(name, self._shared.steps)
            help = f"did you mean `{near}`?" if near else None
            notes = () if near else (f"there are {listing(list(self._shared.steps))}",)
            self.error("SW301", f"unknown step `{name}`", at, help=help, notes=notes)
        elif found is not None and self._shared.loops.get(name, self._loop) is not self._loop:
            loop = self._shared.loops[name].name
            message = f"`{name}` stands in the body of `{loop}`, and has one result for each item"
            self.error("SW313", message, at, help=f"`{self.step.name}` has to stand there too")
            return None
        return found

    @property
    def _loop(self) -> Step | None:
        """The loop in whose body the step stands."""
        return self._shared.loops.get(self.step.name)

    def default(self, parameter: ParameterRef) -> Any:
        return self._shared.pipeline.parameters[parameter.name].default

    def error(
        self,
        code: str,
        message: str,
        at: Origin | None = None,
        *,
        help: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        place = at or self.step.name_origin
        self._shared.sink.report(code, message, place.span(), help=help, notes=notes)

    def _lacking(self, code: str, what: str, key: str) -> None:
        """Something that the project should say: told once, at the pipeline's name."""
        place = key_origin(self._shared.pipeline.document.data, "name")
        where = f"give --{key}, or `{key}:` in {FILE}"
        self._shared.sink.report(
            code, f"{what} for the target `{self._shared.settings.target}`", place, help=where
        )

    def role(self) -> Any:
        role = self.step.body.get("role") or self._shared.pipeline.role
        if role is None:
            self._lacking("SW805", "no role", "role")
        return role or "arn:aws:iam::000000000000:role/none"

    def bucket(self) -> str:
        bucket = self._shared.settings.bucket
        if bucket is None:
            self._lacking("SW804", "no bucket", "bucket")
        return bucket or "none"

    def output(self, step: str, name: str) -> Join | str:
        base = f"s3://{self.bucket()}/{self._shared.settings.prefix}/{self.pipeline}/"
        if self._loop is None:
            return Join((base, ExecutionRef("PipelineExecutionId"), f"/{step}/{name}"))
        if not tells_turns_apart(self._loop):
            message = (
                f"all turns of `{self._loop.name}` would write the output `{name}` of `{step}` to one place"
            )
            help = "give it a destination with a part of the item in it, such as `${item.name}`"
            self.error("SW507", message, help=help)
        return Join((base, ExecutionRef("PipelineExecutionId"), f"/{step}/", ItemRef(), f"/{name}"))

    def job_output(self, step: str) -> str:
        self.bucket()  # which reports that there is none
        return self._shared.settings.job_output(self.pipeline, step)

    # -- images -------------------------------------------------------------------------------------------------------

    def image(
        self, value: Any, at: Origin | None, *, scope: str, instances: list[Any], algorithm_ok: bool = False
    ) -> Any:
        if isinstance(value, str) and "/" in value:
            self._warn_of_waste(value, at, instances)
            return value
        if isinstance(value, EXPRESSIONS):
            return value
        if self._shared.settings.region is None:
            return self.region and images.UNKNOWN
        try:
            if isinstance(value, str):
                framework, version = images.parse_short(value)
                wanted: dict[str, Any] = {}
            else:
                wanted = dict(value)
                framework = str(value["framework"])
                version = source_text(value, "version") if "version" in value else None
            return images.resolve(
                framework,
                version,
                region=self.region,
                scope=wanted.get("scope", scope),
                instance_types=self._instance_types(instances),
                python=wanted.get("python"),
                accelerator=wanted.get("accelerator"),
                base=wanted.get("base"),
            )
        except images.ImageError as error:
            self.error(error.code, error.message, at, help=error.help)
            return images.UNKNOWN

    def _warn_of_waste(self, uri: str, at: Origin | None, instances: list[Any]) -> None:
        """Say where an image for an accelerator stands on instances that have none."""
        machine = wasted_on(uri, self._instance_types(instances))
        if machine is not None:
            message = f"the image is for an accelerator, and {machine} has none"
            self.error("SW907", message, at)

    def _instance_types(self, instances: list[Any]) -> list[str]:
        """The instance types that may be meant: of a parameter its default and its enum."""
        found: list[str] = []
        for instance in instances:
            if isinstance(instance, ParameterRef):
                parameter = self._shared.pipeline.parameters[instance.name]
                found += [value for value in (parameter.default, *parameter.enum) if isinstance(value, str)]
            elif isinstance(instance, str):
                found.append(instance)
        return list(dict.fromkeys(found))

    # -- code ---------------------------------------------------------------------------------------------------------

    def path_of(self, path: str, at: Origin | None) -> Path:
        home = path.home if isinstance(path, Passed) else None
        node = home or (at.node if at else None)
        document = document_of(node) if node else self._shared.pipeline.document
        base = document.path.parent if document.path else self._shared.settings.root
        return base / path

    def _asset(self, path: str, at: Origin | None, make: Callable[[Path, Path], Asset]) -> Asset | None:
        try:
            return make(self.path_of(path, at), self._shared.settings.root)
        except AssetError as error:
            self.error(error.code, error.message, at, help=error.help)
        return None

    def file(self, path: str, at: Origin | None) -> Asset | None:
        return self._asset(path, at, file_asset)

    def script(self, path: str, at: Origin | None) -> Asset | None:
        return self._asset(path, at, script_asset)

    def archive(self, path: str, at: Origin | None) -> Asset | None:
        return self._asset(path, at, directory_asset)

    def data(self, name: str, content: bytes) -> Asset:
        return data_asset(name, content)

    def bundle(self, name: str, files: Mapping[str, bytes]) -> Asset:
        return tar_asset(name, files)

    def uri(self, asset: Asset) -> str:
        bucket, prefix = self.bucket(), self._shared.settings.prefix
        key = f"{prefix}/code/{asset.digest}/{asset.name}"
        self._shared.uploads.setdefault(key, Upload(asset, bucket, key))
        return f"s3://{bucket}/{key}"

    def function_code(self, path: str, at: Origin | None) -> Asset | None:
        return self._asset(path, at, function_asset)

    def function(self, function: Function, at: Origin | None) -> str | None:
        if isinstance(function.role, EXPRESSIONS):
            message = "the role of a function that is made from `code` is a literal: upsert creates it, not the pipeline"
            self.error("SW209", message, at, help="give `lambda_role`")
            return None
        account = self._account()
        if (
            account is None
            and self._shared.pipeline.role is None
            and self.step.body.get("lambda_role") is None
        ):
            return None  # the missing role is told already
        if account is None:
            message = f"the account of the Lambda function `{function.name}` is not known: its ARN holds it"
            self.error("SW811", message, at, help=f"give the target an `account:` in {FILE}, or a role")
            return None
        alias = f"sw-{function.asset.digest[:ALIAS_LENGTH]}"
        taken = self._shared.functions.get(function.name)
        made = LambdaFunction(
            name=function.name,
            alias=alias,
            asset=function.asset,
            runtime=function.runtime,
            handler=function.handler,
            role=str(function.role),
            timeout=function.timeout,
            memory_mb=function.memory_mb,
        )
        if taken is not None and taken != made:
            self.error("SW311", f"two steps make a Lambda function `{function.name}`, and differ in how", at)
        self._shared.functions[function.name] = made
        partition = images.partition(self.region)
        return f"arn:{partition}:lambda:{self.region}:{account}:function:{function.name}:{alias}"

    def _account(self) -> str | None:
        """Of the target, else of the role's ARN."""
        settings = self._shared.settings
        if settings.account:
            return settings.account
        for role in (self.step.body.get("lambda_role"), self._shared.pipeline.role):
            parts = role.split(":") if isinstance(role, str) else []
            if len(parts) > 4 and parts[4].isdigit():
                return parts[4]
        return None


__all__ = ["Lowered", "Lowering", "Map", "lower"]
