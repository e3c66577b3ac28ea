"""Deploy a model: model, endpoint configuration and endpoint in one.

Step `D` is made of `D-model` (or `D-model-<variant>`, for each variant that names no model that exists), `D-config`
and `D`, the endpoint itself, which is created, or updated where it exists. Dependencies go to the models, the cache
to the configuration, retries to both. A model of several containers, or for several models, is made by a step `model`,
and deployed by its name: `model: ${steps.M.name}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sagewright.compiler.expression import StepRef
from sagewright.compiler.kind import STEP_RETRIES, Context, StepKind, Sugar, emitted
from sagewright.compiler.merge import is_own
from sagewright.compiler.model import Dependency, Emitted, Step
from sagewright.compiler.source import Map, Origin, key_origin
from sagewright.compiler.types import Type
from sagewright.steps import endpoint, endpoint_config
from sagewright.steps._job import refuse
from sagewright.steps.containers import Hosting, refuse_idle_repack
from sagewright.steps.model import model_steps
from sagewright.steps.variants import ONLY, Variant, configuration, settle

VARIANT_KEYS = ("model", "package", "model_data", "image", "code", "environment", "instance", "serverless")
SOURCES = ("model", "package", "image")
"""Of these a deployment has one, where it has no variants."""
MODEL_KEYS = ("package", "model_data", "image", "code", "environment")


def expand(step: Step, context: Context) -> list[Emitted]:
    models = _Models(step, context)
    settle(step.body, ("shadow", "async"), context)
    if "variants" in step.body:
        refuse(step.body, VARIANT_KEYS, "variants", context)
        production = models.variants("variants")
    elif not any(step.body.get(key) is not None for key in SOURCES):
        what = "a shadow takes the traffic of a variant in production" if "shadow" in step.body else None
        wanted = " or ".join(f"`{key}`" for key in ("variants", *SOURCES))
        message = f"the step `{step.name}` lacks the key {wanted}"
        context.error("SW202", message, step.name_origin, notes=(what,) if what else ())
        return []
    else:
        own = Map({key: step.body[key] for key in VARIANT_KEYS if key in step.body}, step.body.node)
        production = [models.variant(ONLY, own, step.name_origin, "")]
    shadow = models.variants("shadow")
    if models.steps:
        refuse_idle_repack(step, context, [variant.body for variant in (*production, *shadow)])
    else:
        models.refuse_their_keys()
    return [
        *models.steps,
        *_serving(step, context, production, shadow, () if models.steps else step.depends_on),
    ]


@dataclass(slots=True)
class _Models:
    """The models that a deployment makes: `steps`, one or two for each variant that names none that exists."""

    step: Step
    context: Context
    steps: list[Emitted] = field(default_factory=list)

    def variants(self, key: str) -> list[Variant]:
        entries = self.step.body.get(key) or Map()
        return [
            self.variant(name, body, key_origin(entries, name), f"-{name}") for name, body in entries.items()
        ]

    def variant(self, name: str, body: Map, at: Origin | None, suffix: str) -> Variant:
        settle(body, ("instance", "serverless"), self.context)
        if "model" in body:
            refuse(body, MODEL_KEYS, "model", self.context)
            return Variant(name, body, body["model"], at)
        variant = Variant(
            name, body, StepRef(f"{self.step.name}-model{suffix}", "ModelName", Type.STRING), at
        )
        hosting = Hosting.of(self.step, self.context, suffix, instances=variant.machines)
        api = (self.step.api or {}).get("model")
        self.steps += model_steps(
            variant.model.step, body, hosting, at, display_name=None, description=None, api=api
        )
        return variant

    def refuse_their_keys(self) -> None:
        body, why = self.step.body, "`{}` is for a model that this step makes, and its models exist already"
        refuse(body, ("network", "role", "repack"), "model", self.context, said=why)
        at = key_origin(self.step.api, "model") if "model" in (self.step.api or {}) else None
        if at is not None and is_own(at, body):
            self.context.error("SW208", why.format("api.model"), at)


def _serving(
    step: Step,
    context: Context,
    production: list[Variant],
    shadow: list[Variant],
    depends_on: tuple[Dependency, ...],
) -> list[Emitted]:
    """The configuration, and the endpoint, which finds it by the name that the service gave it."""
    api, name = step.api or {}, step.body["endpoint"]
    config = emitted(
        step,
        f"{step.name}-config",
        endpoint_config.KIND,
        configuration(step, context, name, production, shadow, api=api.get("config")),
        depends_on=depends_on,
        display_name=None,
        description=None,
        api=api.get("config"),
    )
    config_name = StepRef(config.name, "EndpointConfigName", Type.STRING)
    made = emitted(
        step,
        step.name,
        endpoint.KIND,
        endpoint.endpoint(step, name, config_name),
        depends_on=(),
        retry=(),
        cache=None,
        api=api.get("endpoint"),
    )
    return [config, made]


KIND = StepKind(
    name="deploy",
    type="Endpoint",
    expand=expand,
    request="CreateEndpoint",
    properties="DescribeEndpointOutput",
    sugar={"endpoint": Sugar("EndpointName")},
    cacheable=True,
    retryable=STEP_RETRIES,
    longhand={"instance": "type", "code": "entry"},
    refused={**endpoint_config.REFUSED, **endpoint.REFUSED},
    named_after={"model": "model", "variants.*.model": "model", "shadow.*.model": "model"},
)
