"""What is Pipelines' own in a step, in the form of botocore's snapshot: conditions, and the members beside Arguments.

Besides botocore's types there are `scalar` (any single value), `anything`, and `tagged`, a structure whose `tag` says
which members it has, all of them required. Sources: SageMaker developer guide, "Retry policy for pipeline steps" and
"Caching pipeline steps"; botocore's ArnOrName; the requests of the SDK's steps and conditions (2.257, 3.27).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SERVICE = "pipelines"
BESIDE: Mapping[str, str] = {
    "RetryPolicies": "RetryPolicies",
    "CacheConfig": "CacheConfig",
    "PropertyFiles": "PropertyFiles",
    "OutputParameters": "OutputParameters",
    "CheckType": "CheckType",
    "DisplayName": "DisplayName",
    "ModelPackageGroupName": "ArnOrName",
    **dict.fromkeys(("Description", "FunctionArn", "SqsQueueUrl"), "string"),
    **dict.fromkeys(("ModelName", "SuppliedBaselineConstraints", "SuppliedBaselineStatistics"), "string"),
    **dict.fromkeys(("SkipCheck", "FailOnViolation", "RegisterNewBaseline"), "boolean"),
}
"""The members of a step beside Arguments that are not the compiler's to write, and their shapes."""

_ERRORS = [
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
]
_CHECKS = ["DATA_QUALITY", "MODEL_QUALITY", "DATA_BIAS", "MODEL_BIAS", "MODEL_EXPLAINABILITY"]
_COMPARISONS = ("Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo")


def _structure(members: Mapping[str, str], *required: str) -> dict[str, Any]:
    return {"type": "structure", "members": members, "required": required}


def _enumeration(values: list[str]) -> dict[str, Any]:
    return {"type": "string", "enum": values, "known_by": "SageMaker Pipelines"}


CONTENT: Mapping[str, Any] = {
    "botocore": "",
    "roots": {},
    "shapes": {
        "Conditions": {"type": "list", "member": "Condition"},
        "Condition": {
            "type": "tagged",
            "tag": "Type",
            "cases": {
                **{key: {"LeftValue": "scalar", "RightValue": "scalar"} for key in _COMPARISONS},
                "In": {"QueryValue": "scalar", "Values": "Scalars"},
                "Not": {"Condition": "Condition"},
                "Or": {"Conditions": "Conditions"},
            },
        },
        "Scalars": {"type": "list", "member": "scalar"},
        "Steps": {"type": "list", "member": "anything"},
        "RetryPolicies": {"type": "list", "member": "RetryPolicy"},
        "RetryPolicy": _structure(
            {
                "ExceptionType": "ExceptionTypes",
                "IntervalSeconds": "IntervalSeconds",
                "BackoffRate": "double",
                "MaxAttempts": "MaxAttempts",
                "ExpireAfterMin": "ExpireAfterMin",
            },
            "ExceptionType",
        ),
        "ExceptionTypes": {"type": "list", "member": "ExceptionType", "min": 1},
        "ExceptionType": _enumeration(_ERRORS),
        "IntervalSeconds": {"type": "integer", "min": 0, "max": 43_200},
        "MaxAttempts": {"type": "integer", "min": 0, "max": 20},
        "ExpireAfterMin": {"type": "integer", "min": 0, "max": 14_400},
        "CacheConfig": _structure({"Enabled": "boolean", "ExpireAfter": "string"}, "Enabled"),
        "PropertyFiles": {"type": "list", "member": "PropertyFile"},
        "PropertyFile": _structure(
            dict.fromkeys(("PropertyFileName", "OutputName", "FilePath"), "string"),
            *("PropertyFileName", "OutputName", "FilePath"),
        ),
        "OutputParameters": {"type": "list", "member": "OutputParameter", "max": 50},
        "OutputParameter": _structure(
            {"OutputName": "string", "OutputType": "OutputType"}, "OutputName", "OutputType"
        ),
        "OutputType": _enumeration(["String", "Integer", "Float", "Boolean"]),
        "CheckType": _enumeration(_CHECKS),
        "DisplayName": {"type": "string", "max": 256},
        "ArnOrName": {
            "type": "string",
            "min": 1,
            "max": 170,
            "pattern": r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)",
        },
    },
}
