"""Lambda steps: the function's code, run here by this Python."""

from __future__ import annotations

import json
import os
import sys
import uuid
import zipfile
from pathlib import Path
from typing import Any

from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local import lambda_runtime, stores
from sagewright.compiler.local.job import Function, Job, JobFailed
from sagewright.compiler.local.outputs import OutputError, checked, declared
from sagewright.compiler.local.sandbox import Container, Mount

TASK, EXCHANGE, RUNTIME = "/var/task", "/var/exchange", "/var/runtime/lambda_runtime.py"
_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE")
NO_CREDENTIALS = "NoCredentialsError"


def run(job: Job) -> Outcome:
    arn = str(job.task.body.get("FunctionArn"))
    function = job.machine.functions.get(arn)
    if function is None:
        raise JobFailed(f"the code of {arn} is not part of this project: take what it returns from --stub")
    if not function.runtime.startswith("python"):
        raise JobFailed(
            f"{function.runtime} is not run here, only Python: take what {arn} returns from --stub"
        )
    exchange = _prepare(job, function, arn)
    code = _run(job, function, exchange)
    result = _result(exchange, code)
    if "error" in result:
        raise JobFailed(_said(result["error"]))
    return job.succeeded(OutputParameters=_outputs(job, result["value"]))


def _prepare(job: Job, function: Function, arn: str) -> Path:
    """Unpack the code, and write what the function is called with. Raises JobFailed."""
    try:
        with zipfile.ZipFile(function.archive) as archive:
            archive.extractall(job.folder / "task")
    except (OSError, zipfile.BadZipFile) as error:
        raise JobFailed(f"the code of {arn} cannot be unpacked: {error}") from None
    exchange = job.folder / "exchange"
    exchange.mkdir()
    call = {
        "event": job.arguments,
        "name": _name(arn),
        "arn": arn,
        "request": str(uuid.uuid4()),
        "timeout": function.timeout,
    }
    (exchange / "call.json").write_text(json.dumps(call), encoding="utf-8")
    return exchange


def _run(job: Job, function: Function, exchange: Path) -> int:
    container = Container(
        ("python", RUNTIME, function.handler, EXCHANGE),
        Path(sys.executable),
        _environment(job, function),
        (
            Mount(job.folder / "task", TASK, writable=False),
            Mount(exchange, EXCHANGE),
            Mount(Path(lambda_runtime.__file__), RUNTIME, writable=False),
        ),
        TASK,
    )
    try:
        return job.run(container, max_runtime=function.timeout)
    except JobFailed as error:
        if error.error != "timeout":
            raise
        raise JobFailed(f"Task timed out after {function.timeout:.2f} seconds", "timeout") from None


def _environment(job: Job, function: Function) -> dict[str, str]:
    """What Lambda sets. Credentials are passed on only to an endpoint that stands in for AWS: a run here must not
    reach what is real."""
    region, name = job.machine.region, _name(str(job.task.body.get("FunctionArn")))
    made = {
        "LAMBDA_TASK_ROOT": TASK,
        "_HANDLER": function.handler,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "TZ": ":UTC",
    }
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or stores.stand_in(job.machine.store)
    if endpoint:
        made |= {name: os.environ[name] for name in _AWS if name in os.environ}
        made["AWS_ENDPOINT_URL"] = endpoint
    return made


def _result(exchange: Path, code: int) -> dict[str, Any]:
    try:
        return json.loads((exchange / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        said = f"exit status {code}" if code >= 0 else f"signal {-code}"
        message = f"Runtime exited with error: {said}"
        return {"error": {"errorType": "Runtime.ExitError", "errorMessage": message}}


def _said(error: dict[str, Any]) -> str:
    text = f"the function failed with {error['errorType']}: {error['errorMessage']}"
    if error["errorType"] == NO_CREDENTIALS:
        return (
            f"{text}\n  a run here does not reach AWS: take what the function returns from --stub, or set "
            "AWS_ENDPOINT_URL to an emulator"
        )
    return text


def _outputs(job: Job, value: Any) -> dict[str, Any]:
    types = declared(job.task.body)
    if not types:
        return {}
    if not isinstance(value, dict):
        raise JobFailed(
            f"the function returned {json.dumps(value)[:200]}, and its outputs are members of an object"
        )
    try:
        return checked(value, types)
    except OutputError as error:
        raise JobFailed(f"the function returned other outputs than the step declares: {error}") from None


def _name(arn: str) -> str:
    """The function's name in its ARN, which may end with a version or an alias."""
    parts = arn.split(":")
    return parts[6] if len(parts) > 6 else arn
