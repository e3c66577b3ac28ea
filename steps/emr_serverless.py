"""Run a Spark or Hive job on EMR Serverless, in an application that exists, or in one that is made for it.

`spark`, `hive` and `application_config` are EMR Serverless's own structures, as AWS spells them; what else its
StartJobRun takes stands under `api: {JobConfig: ..}`. Source: the EMR Serverless API reference; how Pipelines takes
it, SDK 3.27.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import STEP_RETRIES, Context, StepKind, present, text_map
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, origin
from sagewright.steps._job import chosen

DRIVERS = {"spark": "sparkSubmit", "hive": "hive"}


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body, what, at = step.body, f"the step `{step.name}`", step.name_origin
    chosen(body, ("application", "application_config"), what, context, at)
    driver = chosen(body, tuple(DRIVERS), what, context, at)
    _check_type(body, driver, context)
    job = present(
        executionRoleArn=body["role"],
        jobDriver={DRIVERS[driver]: body[driver]} if driver else None,
        applicationId=body.get("application"),
        tags=text_map(step.tags) or None,
    )
    return present(
        ExecutionRoleArn=body["role"],
        JobConfig=job,
        ApplicationId=body.get("application"),
        ApplicationConfig=body.get("application_config"),
    )


def _check_type(body: Map, driver: str | None, context: Context) -> None:
    """An application that is made here runs what it is made for, Spark or Hive. Source: the EMR Serverless API
    reference, CreateApplication ("the type of application you want to start, such as Spark or Hive")."""
    made = body.get("application_config")
    kind = made.get("type") if isinstance(made, Map) else None
    if driver is not None and isinstance(kind, str) and kind.lower() in DRIVERS and kind.lower() != driver:
        message = f"an application of type `{kind}` runs no `{driver}`"
        context.error("SW208", message, origin(made, "type"), help=f"`type: {driver.upper()}`")


KIND = StepKind(
    name="emr_serverless",
    type="EMRServerless",
    arguments=arguments,
    request={
        "ExecutionRoleArn": "IAMRoleArn",
        "JobConfig": "StartJobRunRequest",
        "ApplicationId": "ApplicationId",
        "ApplicationConfig": "CreateApplicationRequest",
    },
    omits=(
        "JobConfig.applicationId",
        "JobConfig.clientToken",
        "ApplicationId",
        "ApplicationConfig",
        "ApplicationConfig.clientToken",
    ),
    properties="GetJobRunResponse",
    service="emr-serverless",
    cacheable=True,
    retryable=STEP_RETRIES,
    unproven="a property of an EMR Serverless step: the SDK has none, and nobody has seen SageMaker take one",
)
