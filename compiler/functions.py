"""Lambda functions that upsert makes: published under an alias that holds their code's hash."""

from __future__ import annotations

from typing import Any

from sagewright.compiler.assets import AssetError
from sagewright.compiler.aws import AwsError, Clients, translated
from sagewright.compiler.compilation import LambdaFunction
from sagewright.compiler.plan import Refused

OWNER = "sagewright:pipeline"
"""The tag of a function that is ours to change: its pipeline."""

DESCRIPTION = "a step of the pipeline "
"""What our functions' descriptions begin with, so that they are found without asking each for its tags."""

NOT_FOUND = "ResourceNotFoundException"
CODE_SIZE = 50_000_000
"""Bytes of a zip that a request may hold. Source: Lambda developer guide, "Lambda quotas"."""


def is_published(function: LambdaFunction, clients: Clients) -> bool:
    """Does the alias lead to this code, configured so? Raises AwsError."""
    found = _configuration(function, clients, function.alias)
    return found is not None and all(found.get(key) == value for key, value in _settings(function).items())


def publish(function: LambdaFunction, pipeline: str, clients: Clients, *, force: bool = False) -> None:
    """Make the function or bring it up to date, then its version, then the alias: interrupted, it can be repeated.

    Raises Refused, AwsError.
    """
    code = _code(function)
    if _configuration(function, clients) is None:
        _call(
            clients,
            "create_function",
            function,
            Role=function.role,
            Code={"ZipFile": code},
            **_rest(function, pipeline),
        )
        _wait(clients, "function_active_v2", function)
    else:
        _require_ours(function, clients, force)
        _call(clients, "update_function_configuration", function, **_settings(function))
        _wait(clients, "function_updated_v2", function)
        _call(clients, "update_function_code", function, ZipFile=code)
        _wait(clients, "function_updated_v2", function)
    version = _call(clients, "publish_version", function)["Version"]
    try:
        _call(clients, "update_alias", function, Name=function.alias, FunctionVersion=version)
    except AwsError as error:
        if error.code != NOT_FOUND:
            raise
        _call(clients, "create_alias", function, Name=function.alias, FunctionVersion=version)


def _settings(function: LambdaFunction) -> dict[str, Any]:
    return {
        "Runtime": function.runtime,
        "Handler": function.handler,
        "Role": function.role,
        "Timeout": function.timeout,
        "MemorySize": function.memory_mb,
    }


def _rest(function: LambdaFunction, pipeline: str) -> dict[str, Any]:
    """What a new function has beside its role and its code."""
    settings = {key: value for key, value in _settings(function).items() if key != "Role"}
    return {**settings, "Description": f"{DESCRIPTION}{pipeline}", "Tags": {OWNER: pipeline}}


def _code(function: LambdaFunction) -> bytes:
    try:
        with function.asset.open() as body:
            code = body.read()
    except AssetError as error:
        raise Refused(error.message, error.help) from None
    if len(code) > CODE_SIZE:
        raise Refused(f"the code of `{function.name}` has {len(code):,} bytes, Lambda takes {CODE_SIZE:,}")
    return code


def _configuration(
    function: LambdaFunction, clients: Clients, alias: str | None = None
) -> dict[str, Any] | None:
    try:
        return _call(clients, "get_function_configuration", function, Qualifier=alias)
    except AwsError as error:
        if error.code == NOT_FOUND:
            return None
        raise


def _require_ours(function: LambdaFunction, clients: Clients, force: bool) -> None:
    tags = _call(clients, "get_function", function).get("Tags", {})
    if OWNER not in tags and not force:
        raise Refused(
            f"the Lambda function `{function.name}` exists already, and was not made by sagewright",
            "give the step another `function_name`, or take it over with --force",
        )


def _call(clients: Clients, operation: str, function: LambdaFunction, **parameters: Any) -> dict[str, Any]:
    return clients.call("lambda", operation, FunctionName=function.name, **parameters)


def _wait(clients: Clients, state: str, function: LambdaFunction) -> None:
    client = clients.client("lambda")
    with translated("lambda", state, {"FunctionName": function.name}):
        client.get_waiter(state).wait(
            FunctionName=function.name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
