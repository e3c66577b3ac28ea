"""What IAM asks for when a call comes in: calls as the proxy saw them → actions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from botocore.session import get_session

from tests.emulator_fixture import Call

FREE = frozenset({"sts:GetCallerIdentity"})
"""Allowed to everybody. Source: STS's API reference, GetCallerIdentity."""

ALSO = {
    "sagemaker:CreatePipeline": {"iam:PassRole", "sagemaker:AddTags"},
    "sagemaker:UpdatePipeline": {"iam:PassRole"},
    "lambda:CreateFunction": {"iam:PassRole", "lambda:TagResource"},
    "lambda:UpdateFunctionConfiguration": {"iam:PassRole"},
    "scheduler:CreateSchedule": {"iam:PassRole"},
    "scheduler:UpdateSchedule": {"iam:PassRole"},
    "events:PutRule": {"events:TagResource"},
    "events:PutTargets": {"iam:PassRole"},
}
"""What some calls of ours need beside their own action: they pass roles, and set tags. Source: service authorization
reference."""

_OBJECTS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}


def needed(journal: Iterable[Call]) -> frozenset[str]:
    """The actions that a policy must allow so that these calls are answered."""
    own = {_action(call) for call in journal}
    return frozenset(own.union(*(ALSO.get(action, set()) for action in own))) - FREE


def stored(journal: Iterable[Call]) -> set[tuple[str, str]]:
    """The actions on S3 with the ARNs that they are done to; DeleteObjects says in its body to which."""
    calls = (c for c in journal if c.service == "s3" and not c.path.partition("?")[2].startswith("delete"))
    return {(_action(call), f"arn:aws:s3:::{call.path.partition('?')[0].strip('/')}") for call in calls}


def _action(call: Call) -> str:
    if call.service == "s3":
        return f"s3:{_of_s3(call)}"
    if call.service in ("lambda", "scheduler"):
        return f"{call.service}:{_of_rest(call)}"
    return f"{call.service}:{call.operation}"


def _of_s3(call: Call) -> str:
    resource, _, query = call.path.partition("?")
    if "/" not in resource.strip("/"):
        return "DeleteObject" if call.method == "POST" and query.startswith("delete") else "ListBucket"
    if call.method == "DELETE":
        return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
    return _OBJECTS[call.method]


def _of_rest(call: Call) -> str:
    path = call.path.partition("?")[0]
    for method, pattern, name in _operations(call.service):
        if method == call.method and pattern.fullmatch(path):
            return name
    raise AssertionError(f"no operation of {call.service} is {call.method} {path}")


@cache
def _operations(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    model = get_session().get_service_model(service)
    found: list[tuple[str, re.Pattern[str], str]] = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = http["requestUri"].partition("?")[0]
        pattern = re.sub(r"\\\{\w+\\?\+?\\\}", "[^/]+", re.escape(path))
        found.append((http["method"], re.compile(f"{pattern}/?"), name))
    return found
