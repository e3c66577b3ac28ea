"""The SageMaker SDK without AWS, for the programs beside this one: every API call is answered here, and no socket
leaves the machine. Import it before the SDK."""

from __future__ import annotations

import logging
import socket
import warnings
from typing import Any

import boto3
import botocore.client

ACCOUNT = "123456789012"
BUCKET = "acme-ml"
REGION = "us-west-2"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"

_ANSWERS: dict[str, dict[str, Any]] = {
    "GetCallerIdentity": {"Account": ACCOUNT, "Arn": ROLE, "UserId": "x"},
    "GetRole": {"Role": {"Arn": ROLE, "RoleName": "SageMakerRole"}},
    "ListBuckets": {"Buckets": []},
    "HeadBucket": {},
    "PutObject": {"ETag": '"0"'},
}


def _answer(_client: Any, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if operation == "SimulatePrincipalPolicy":
        allowed = [{"EvalActionName": name, "EvalDecision": "allowed"} for name in arguments["ActionNames"]]
        return {"EvaluationResults": allowed, "IsTruncated": False}
    if operation not in _ANSWERS:
        raise RuntimeError(f"the SDK calls {operation}, which has no answer here")
    return _ANSWERS[operation]


def _refuse(*_: Any) -> None:
    raise OSError("no network in a benchmark")


def session() -> Any:
    """What the SDK's classes take as `sagemaker_session`."""
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    return PipelineSession(boto_session=boto3.Session(region_name=REGION), default_bucket=BUCKET)


botocore.client.BaseClient._make_api_call = _answer
socket.socket.connect = _refuse  # type: ignore[method-assign]
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
