"""Containers of models and model packages, and the inference code in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from sagewright.compiler.expression import StepRef
from sagewright.compiler.images import is_algorithm
from sagewright.compiler.kind import Context, in_full, present, text_map
from sagewright.compiler.merge import patch
from sagewright.compiler.model import Emitted, Step
from sagewright.compiler.source import Map, holds, key_origin, origin
from sagewright.compiler.types import Type
from sagewright.steps._code import archive_uri, file_uri, is_uri
from sagewright.steps._job import refuse, type_of
from sagewright.steps._script_mode import REQUIREMENTS, Framework, framework_of, submission
from sagewright.steps.repack import CODE_IN_MODEL, INFERENCE_PY, Code, repack

FETCHES_CODE = frozenset({"sklearn", "xgboost"})
"""Frameworks whose containers fetch inference code from S3; other containers look for it in the model's archive."""
CANDIDATE_VARIABLES = (
    "MODEL_NAME",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
    "SAGEMAKER_SUBMIT_DIRECTORY",
    "SAGEMAKER_INFERENCE_SUPPORTED",
    "SAGEMAKER_INFERENCE_OUTPUT",
    "SAGEMAKER_PROGRAM",
)
"""What the container of AutoML's best candidate is told. Source: SDK 2.257, `get_best_auto_ml_model`."""
VERSIONED = frozenset({"pytorch", "tensorflow"})
"""Frameworks that a model package names with their version."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a container depends on beside its own keys.

    `repack_name` is the step that adds inference code to the archive, where one is needed; `instances` are the
    instance types that the container will run on; `registered` is it as part of a model package.
    """

    step: Step
    context: Context
    repack_name: str
    instances: Sequence[Any] = ()
    registered: bool = False

    @classmethod
    def of(cls, step: Step, context: Context, suffix: str = "", **members: Any) -> Hosting:
        """With the name that the author gives to the step that repacks, else `<step>-repack`, `suffix` behind it."""
        options = step.body.get("repack") or Map()
        return cls(step, context, f"{options.get('name', f'{step.name}-repack')}{suffix}", **members)

    @property
    def repacks(self) -> bool:
        """Whether the archive must bring the code whatever the container could fetch: the author says so, or the
        container may have no network (a reference may turn out true)."""
        network = self.step.body.get("network") or {}
        return "repack" in self.step.body or network.get("isolation", False) is not False


@dataclass(frozen=True, slots=True)
class _Placed:
    """Inference code in its place: what the container is told, its archive, and the steps that make it."""

    variables: dict[str, Any]
    model_data: Any
    steps: tuple[Emitted, ...] = ()


def container(body: Map, hosting: Hosting) -> tuple[dict[str, Any], tuple[Emitted, ...]]:
    """The definition of the container that `body` describes, and the steps that must run before it."""
    image = _image(body, hosting)
    framework = framework_of(image)
    if framework is None and "code" in body:
        _refuse_code_of_algorithms(body, hosting.context)
    placed = _place_code(body, framework, hosting)
    definition = present(Image=image, Environment=_environment(body, placed), ModelDataUrl=placed.model_data)
    if hosting.registered and "code" in body and framework is not None:
        definition |= _framework_members(framework)
    return definition, placed.steps


def _image(body: Map, hosting: Hosting) -> Any:
    if "image" not in body:
        return None
    at, instances = origin(body, "image"), list(hosting.instances)
    return hosting.context.image(body["image"], at, scope="inference", instances=instances, algorithm_ok=True)


def _environment(body: Map, placed: _Placed) -> dict[str, Any] | None:
    """Empty where nothing is said; `environment: null` leaves it out."""
    given = text_map(body.get("environment", Map()))
    return None if given is None and not placed.variables else {**placed.variables, **(given or {})}


def _framework_members(framework: Framework) -> dict[str, str]:
    """What a model package says about a container with inference code, as SDK 2.257 writes it."""
    version = ".".join(map(str, framework.version)) if framework.base in VERSIONED else None
    return present(Framework=framework.base.upper(), FrameworkVersion=version)


def containers(body: Map, hosting: Hosting) -> tuple[list[dict[str, Any]], tuple[Emitted, ...]]:
    """The definitions of `containers`, a list, or a mapping from hostnames."""
    entries = body["containers"]
    named = isinstance(entries, dict)
    definitions: list[dict[str, Any]] = []
    steps: tuple[Emitted, ...] = ()
    for key, entry in entries.items() if named else enumerate(entries):
        definition, before = container(entry, replace(hosting, repack_name=f"{hosting.repack_name}-{key}"))
        if named:
            definition = {"ContainerHostname": key, **definition}
        definitions.append(patch(definition, entry.get("api", {})))
        steps += before
    return definitions, steps


def best_candidate(body: Map, context: Context) -> dict[str, Any]:
    """The definition of the container in which the best candidate of the AutoML step `automl` is served."""
    name, at = body["automl"], origin(body, "automl")
    source = context.find_step(name, at)
    if source is not None and type_of(source) != "AutoML":
        context.error("SW208", f"the step `{name}` is no AutoML step, and has no best candidate", at)

    def candidate(member: str) -> StepRef:
        return StepRef(name, f"BestCandidate.InferenceContainers[0].{member}", Type.STRING, at)

    environment = {variable: candidate(f"Environment['{variable}']") for variable in CANDIDATE_VARIABLES}
    return {
        "Image": candidate("Image"),
        "Environment": environment,
        "ModelDataUrl": candidate("ModelDataUrl"),
    }


# -- inference code ---------------------------------------------------------------------------------------------------


def refuse_idle_repack(step: Step, context: Context, bodies: Iterable[Map]) -> None:
    """Report `repack` on a step none of whose models, described by `bodies`, has code to be packed."""
    if "repack" in step.body and not any(_has_code(body) for body in bodies):
        why = "`{}` is for inference code that is packed into a model's archive, and there is no `code`"
        refuse(step.body, ("repack",), "code", context, said=why)


def _has_code(body: Map) -> bool:
    entries = body.get("containers") or ()
    inner = entries.values() if isinstance(entries, Map) else entries
    return "code" in body or any("code" in entry for entry in inner)


def _refuse_code_of_algorithms(body: Map, context: Context) -> None:
    image = body.get("image")
    short = image["framework"] if isinstance(image, Map) else image
    name = short.partition(":")[0] if isinstance(short, str) else ""
    if is_algorithm(name):
        message = f"`{name}` is an algorithm that runs no `code`"
        context.error("SW208", message, key_origin(body, "code"))


def _place_code(body: Map, framework: Framework | None, hosting: Hosting) -> _Placed:
    model_data = body.get("model_data")
    if "code" not in body:
        return _Placed({}, model_data)
    name, code = framework.name if framework else "", in_full(body, "code", "entry")
    if name in FETCHES_CODE and not hosting.repacks and _is_fetchable(code):
        sent = submission(code, hosting.context)
        return _Placed(_variables(sent.program, sent.uri, hosting.context) if sent else {}, model_data)
    if model_data is None:
        message = "this image's containers look for `code` in the model's archive, so `model_data` is needed"
        hosting.context.error("SW202", message, key_origin(body, "code"))
        return _Placed({}, None)
    return _add_to_archive(code, model_data, hosting, serving=name == "tensorflow")


def _is_fetchable(code: Map) -> bool:
    """Whether an archive of the code can be made, or is there, as a container wants to fetch it."""
    is_archive = "dir" in code or not is_uri(code["entry"])
    return is_archive and code.get("requirements", REQUIREMENTS) == REQUIREMENTS


def _add_to_archive(code: Map, model_data: Any, hosting: Hosting, *, serving: bool) -> _Placed:
    """A step that packs the code into the archive. TensorFlow Serving (`serving`) knows its script by name only."""
    context, step = hosting.context, hosting.step
    added = _added(code, context)
    if added is None:
        return _Placed({}, model_data)
    if serving:
        _check_inference_py(code, context)
    made = repack(step, context, hosting.repack_name, model_data, added, inference_py=serving)
    repacked = StepRef(made.name, "ModelArtifacts.S3ModelArtifacts", Type.STRING)
    return _Placed({} if serving else _variables(added.entry, CODE_IN_MODEL, context), repacked, (made,))


def _added(code: Map, context: Context) -> Code | None:
    """The code in S3; None (reported) where it cannot be brought there."""
    packed = "dir" in code
    uri = archive_uri(code, context) if packed else file_uri(code, context)
    entry = code["entry"] if packed else PurePosixPath(code["entry"]).name
    return None if uri is None else Code(uri, entry, code.get("requirements"))


def _check_inference_py(code: Map, context: Context) -> None:
    """Report a second `inference.py` beside the entry, since the entry takes its name."""
    directory = code.get("dir")
    if directory is None or is_uri(directory) or code["entry"] == INFERENCE_PY:
        return
    folder = context.path_of(directory, origin(code, "dir"))
    if folder is not None and holds((folder / INFERENCE_PY).is_file):
        message = f"TensorFlow Serving runs `{INFERENCE_PY}`, and `{directory}` has one beside the entry `{code['entry']}`"
        context.error("SW208", message, origin(code, "entry"), help=f"did you mean `{INFERENCE_PY}`?")


def _variables(program: str, place: str, context: Context) -> dict[str, str]:
    """What SageMaker's inference toolkit reads. Source: what SDK 2.257 emits; these are not quoted."""
    return {
        "SAGEMAKER_PROGRAM": program,
        "SAGEMAKER_SUBMIT_DIRECTORY": place,
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
        "SAGEMAKER_REGION": context.region,
    }
