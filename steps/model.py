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
from sagewright.compiler.model import Emitted, Step
from sagewright.compiler.source import Map, Origin
from sagewright.steps._job import chosen, refuse, vpc_config
from sagewright.steps.containers import Hosting, best_candidate, container, containers

NOT_BESIDE = {
    "image": ("execution",),
    "containers": ("model_data", "code", "environment", "multi_model"),
    "package": ("model_data", "code", "multi_model", "execution"),
    "automl": ("model_data", "code", "environment", "multi_model", "execution"),
}
"""What a model is made of, and the keys that go with the others."""


def expand(step: Step, context: Context) -> list[Emitted]:
    return model_steps(step.name, step.body, Hosting.of(step, context), step.name_origin)


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
    if body.get("multi_model"):
        definition["Mode"] = "MultiModel"
    return {"PrimaryContainer": definition}, before


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
