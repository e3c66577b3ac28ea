"""Create a SageMaker model: containers, what they load, and the role they run under.

Inference code that a container does not fetch itself is added to the model's archive by a training step before,
`<step>-repack`. Source: CreateModel in the SageMaker API reference; which containers fetch their code, SDK 2.257.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import (
    STEP_RETRIES,
    Context,
    StepKind,
    Sugar,
    emitted,
    present,
    tag_list,
    text_map,
)
from sagewright.compiler.merge import patch
from sagewright.compiler.model import Emitted, Step
from sagewright.compiler.source import Map, Origin, entry_origin, key_origin
from sagewright.steps._job import chosen, refuse, vpc_config
from sagewright.steps.containers import Hosting, best_candidate, container, containers, refuse_idle_repack

NOT_BESIDE = {
    "image": ("execution",),
    "containers": ("model_data", "code", "environment", "multi_model"),
    "package": ("model_data", "code", "multi_model", "execution"),
    "automl": ("model_data", "code", "environment", "multi_model", "execution"),
}
"""What a model is made of, and the keys that go with the others."""


def expand(step: Step, context: Context) -> list[Emitted]:
    made = model_steps(step.name, step.body, Hosting.of(step, context), step.name_origin)
    refuse_idle_repack(step, context, [step.body])
    return made


def model_steps(name: str, body: Map, hosting: Hosting, at: Origin | None, **changes: Any) -> list[Emitted]:
    """The Model step `name` for what `body` describes, after the steps that its archives need.

    `body` is a model's or a variant's, `at` its place; role, network and tags are the step's. `changes` goes to
    `emitted`.
    """
    step, context = hosting.step, hosting.context
    network = step.body.get("network") or Map()
    members, before = _containers(body, hosting, at)
    arguments = present(
        ExecutionRoleArn=context.role(),
        **members,
        VpcConfig=vpc_config(network),
        EnableNetworkIsolation=network.get("isolation"),
        Tags=tag_list(step.tags),
    )
    api = changes.get("api", step.api)
    _check(patch(arguments, api) if api else arguments, body, context)
    return [*before, emitted(step, name, KIND, arguments, cache=None, **changes)]


def _containers(body: Map, hosting: Hosting, at: Origin | None) -> tuple[dict[str, Any], tuple[Emitted, ...]]:
    source = chosen(body, tuple(NOT_BESIDE), f"the model of `{hosting.step.name}`", hosting.context, at)
    if source is None:
        return {}, ()
    refuse(body, NOT_BESIDE[source], source, hosting.context)
    if source == "package":
        package = present(ModelPackageName=body["package"], Environment=text_map(body.get("environment")))
        return {"Containers": [package]}, ()
    if source == "automl":
        return {"PrimaryContainer": best_candidate(body, hosting.context)}, ()
    if source == "containers":
        definitions, before = containers(body, hosting)
        mode = present(Mode=body.get("execution")) or None
        return present(Containers=definitions, InferenceExecutionConfig=mode), before
    definition, before = container(body, hosting)
    if before and body.get("multi_model"):
        why = "`{}` serves archives as they are, and this container's `{}` is packed into one archive"
        refuse(body, ("multi_model",), "code", hosting.context, said=why)
    if body.get("multi_model"):
        definition["Mode"] = "MultiModel"
    return {"PrimaryContainer": definition}, before


def _check(asked: dict[str, Any], body: Map, context: Context) -> None:
    """Report members that lack what they need. Source: SageMaker developer guide, "Create a Multi-Model Endpoint" and
    "Create a multi-container endpoint"."""
    container = asked.get("PrimaryContainer")
    if (
        isinstance(container, dict)
        and container.get("Mode") == "MultiModel"
        and "ModelDataUrl" not in container
    ):
        at = entry_origin(container, "Mode") or key_origin(body, "multi_model")
        message = "a container of several models serves the archives under `model_data`, and there is none"
        context.error("SW202", message, at)
    execution, found = asked.get("InferenceExecutionConfig"), asked.get("Containers")
    if not isinstance(execution, dict) or not isinstance(found, list) or execution.get("Mode") != "Direct":
        return
    if any(isinstance(one, dict) and "ContainerHostname" not in one for one in found):
        at = entry_origin(execution, "Mode") or entry_origin(body, "execution")
        message = "`Direct` calls each container by its hostname, and there are containers without one"
        context.error("SW208", message, at, help="write `containers` as a mapping from hostnames")


KIND = StepKind(
    name="model",
    type="Model",
    expand=expand,
    request="CreateModel",
    omits=("ModelName",),
    properties="DescribeModelOutput",
    sugar={"name": Sugar("ModelName")},
    retryable=STEP_RETRIES,
    longhand={"code": "entry"},
)
