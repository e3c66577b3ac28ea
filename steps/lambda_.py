"""Call a Lambda function, one that exists or one whose code is uploaded with the pipeline.

With `code`, upsert creates the function, publishes the code as a version and points an alias at it whose name holds
the code's hash; the step calls that alias, so that a pipeline and its code never drift apart. A Lambda step may take
10 minutes. Source: SageMaker developer guide, "Lambda step".
"""

from __future__ import annotations

import re
from typing import Any

from sagewright.compiler.kind import Context, Function, StepKind, present, seconds
from sagewright.compiler.model import Step
from sagewright.compiler.source import key_origin, origin
from sagewright.compiler.suggest import listing
from sagewright.steps._job import chosen, refuse
from sagewright.steps._outputs import OUTPUTS, arguments, output_parameters

_CREATED = ("runtime", "handler", "function_name", "lambda_role", "timeout", "memory_mb")
MAX_TIMEOUT = 600
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def extra(step: Step, context: Context) -> dict[str, Any]:
    return present(FunctionArn=_function_arn(step, context), OutputParameters=output_parameters(step.body))


def _function_arn(step: Step, context: Context) -> str | None:
    body = step.body
    source = chosen(body, ("function", "code"), f"the step `{step.name}`", context, step.name_origin)
    if source == "function":
        why = "`{}` is for a function made from `code`; `{}` exists already"
        refuse(body, _CREATED, "function", context, said=why)
        return body["function"]
    return None if source is None else _created(step, context)


def _created(step: Step, context: Context) -> str | None:
    body = step.body
    missing = [key for key in ("runtime", "handler") if key not in body]
    if missing:
        wanted = f"the key{'s' if len(missing) > 1 else ''} {listing(missing)}"
        context.error("SW202", f"a lambda made from `code` lacks {wanted}", key_origin(body, "code"))
        return None
    name = body.get("function_name", f"{context.pipeline}-{step.name}")
    if not _NAME.fullmatch(name):
        at = origin(body, "function_name") if "function_name" in body else step.name_origin
        context.error(
            "SW703", f"`{name}` is no Lambda function's name: at most 64 letters, digits, `-` and `_`", at
        )
        return None
    timeout = seconds(body.get("timeout", 60))
    if not 1 <= timeout <= MAX_TIMEOUT:
        limit = "least is 1 s" if timeout < 1 else f"most for a Lambda step is {MAX_TIMEOUT} s"
        context.error("SW206", f"`timeout` is {timeout} s, the {limit}", origin(body, "timeout"))
    code = body["code"]
    path = code["dir"] if isinstance(code, dict) else code
    asset = context.function_code(path, origin(body, "code"))
    if asset is None:
        return None
    return context.function(
        Function(
            name=name,
            asset=asset,
            runtime=body["runtime"],
            handler=body["handler"],
            role=body.get("lambda_role") or context.role(),
            timeout=timeout,
            memory_mb=body.get("memory_mb", 128),
        ),
        key_origin(body, "code"),
    )


KIND = StepKind(
    name="lambda",
    type="Lambda",
    arguments=arguments,
    extra=extra,
    sugar={"outputs": OUTPUTS},
    attributes=("OutputParameters",),
    cacheable=True,
)
