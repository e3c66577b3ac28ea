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
from sagewright.steps._outputs import OUTPUTS, arguments, output_parameters

_CREATED = ("runtime", "handler", "function_name", "lambda_role", "timeout", "memory_mb")
MAX_TIMEOUT = 600
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def extra(step: Step, context: Context) -> dict[str, Any]:
    return present(FunctionArn=_function_arn(step, context), OutputParameters=output_parameters(step.body))


def _function_arn(step: Step, context: Context) -> str | None:
    body = step.body
    if ("function" in body) == ("code" in body):
        at = key_origin(body, "code") if "code" in body else step.name_origin
        what = "both `function` and `code`" if "code" in body else "either `function` or `code`"
        verb = "has" if "code" in body else "needs"
        context.error(
            "SW208",
            f"the lambda step `{step.name}` {verb} {what}",
            at,
            help="one of them" if "code" in body else None,
        )
        return None
    if "function" in body:
        for key in _CREATED:
            if key in body:
                context.error(
                    "SW208",
                    f"`{key}` is for a function made from `code`; `function` exists already",
                    key_origin(body, key),
                )
        return body["function"]
    return _created(step, context)


def _created(step: Step, context: Context) -> str | None:
    body = step.body
    for key in ("runtime", "handler"):
        if key not in body:
            context.error(
                "SW202", f"a lambda made from `code` lacks the key `{key}`", key_origin(body, "code")
            )
            return None
    name = body.get("function_name", f"{context.pipeline}-{step.name}")
    if not _NAME.fullmatch(name):
        at = origin(body, "function_name") if "function_name" in body else step.name_origin
        context.error(
            "SW703", f"`{name}` is no Lambda function's name: at most 64 letters, digits, `-` and `_`", at
        )
        return None
    timeout = seconds(body.get("timeout", 60))
    if timeout > MAX_TIMEOUT:
        context.error(
            "SW206",
            f"`timeout` is {timeout} s, the most for a Lambda step is {MAX_TIMEOUT} s",
            origin(body, "timeout"),
        )
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
