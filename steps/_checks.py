"""What the checks of data and models share: the job that makes a baseline, and what comes of it."""

from __future__ import annotations

from typing import Any

from sagewright.compiler.expression import EXPRESSIONS, Join
from sagewright.compiler.kind import Context, Sugar, present, seconds, tag_list
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin, own_origin
from sagewright.compiler.types import Type, is_assignable
from sagewright.steps._job import cluster, network_config, refuse

INPUTS = "/opt/ml/processing/input"
OUTPUT = "/opt/ml/processing/output"
MAX_RUNTIME = 86_400
"""Seconds."""
STATISTICS = {
    "statistics": Sugar("CalculatedBaselineStatistics"),
    "baseline_statistics": Sugar("BaselineUsedForDriftCheckStatistics"),
}
CONSTRAINTS = {
    "constraints": Sugar("CalculatedBaselineConstraints"),
    "baseline_constraints": Sugar("BaselineUsedForDriftCheckConstraints"),
}


def job(
    step: Step,
    context: Context,
    *,
    image: dict[str, str],
    inputs: list[dict[str, Any]],
    output: str,
    environment: dict[str, Any] | None,
    upload: str = "EndOfJob",
) -> dict[str, Any]:
    """The request for the job. `image` is in its long form, `output` the name of its only output."""
    body = step.body
    s3 = {
        "S3Uri": body.get("output") or context.output(step.name, output),
        "LocalPath": OUTPUT,
        "S3UploadMode": upload,
    }
    uri = context.image(
        Map(image), key_origin(body, "check"), scope="processing", instances=[body["instance"].get("type")]
    )
    return present(
        ProcessingInputs=inputs,
        ProcessingOutputConfig=present(
            Outputs=[{"OutputName": output, "S3Output": s3}], KmsKeyId=body.get("kms_key")
        ),
        ProcessingResources={"ClusterConfig": cluster(body, context)},
        AppSpecification={"ImageUri": uri},
        RoleArn=context.role(),
        StoppingCondition=present(MaxRuntimeInSeconds=seconds(body.get("max_runtime", MAX_RUNTIME))) or None,
        Environment=environment,
        NetworkConfig=network_config(body.get("network") or Map()),
        Tags=tag_list(step.tags),
    )


def s3_input(name: str, uri: Any, path: str) -> dict[str, Any]:
    s3 = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": s3}


def verdict(step: Step, context: Context) -> dict[str, Any]:
    """The keys beside Arguments: what is checked, against which baseline, and what follows."""
    body, supplied = step.body, step.body.get("supplied") or Map()
    return present(
        CheckType=body["check"],
        ModelPackageGroupName=text(body.get("group")),
        SkipCheck=_flag(body, "skip", False, context),
        FailOnViolation=_flag(body, "fail_on_violation", True, context),
        RegisterNewBaseline=_flag(body, "register_baseline", False, context),
        SuppliedBaselineStatistics=text(supplied.get("statistics")),
        SuppliedBaselineConstraints=text(supplied.get("constraints")),
    )


def text(value: Any) -> Any:
    """A reference as the String that the step's key wants: no shape of AWS's describes these keys."""
    if (
        isinstance(value, EXPRESSIONS)
        and value.type is not None
        and not is_assignable(value.type, Type.STRING)
    ):
        return Join((value,), origin=value.origin)
    return value


def _flag(body: Map, key: str, default: bool, context: Context) -> Any:
    value = body.get(key, default)
    if (
        isinstance(value, EXPRESSIONS)
        and value.type is not None
        and not is_assignable(value.type, Type.BOOLEAN)
    ):
        message = f"`{key}` is a Boolean, and the reference is of type {value.type}"
        context.error("SW401", message, own_origin(value))
    return value


def only_for(body: Map, keys: tuple[str, ...], checks: tuple[str, ...], context: Context) -> None:
    """Report each of `keys` that is given to a check that is none of `checks`; one that a default gives is taken out."""
    if body["check"] not in checks:
        wanted = " or ".join(f"`{check}`" for check in checks)
        refuse(body, keys, body["check"], context, said=f"`{{}}` is for the check {wanted}, not for `{{}}`")
