"""Lambda functions that an upsert makes."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import boto3
import pytest

from sagewright.compiler.assets import data_asset
from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import LambdaFunction
from sagewright.compiler.functions import is_published, publish
from sagewright.compiler.plan import Refused
from tests.emulator_fixture import ACCOUNT, REGION, Proxy

ROLE = f"arn:aws:iam::{ACCOUNT}:role/Functions"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def code(text: str) -> Any:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("main.py"), text)
    return data_asset("function.zip", packed.getvalue())


def function(text: str = "def handle(event, context): return {}", **changes: Any) -> LambdaFunction:
    asset = code(text)
    made = LambdaFunction(
        "p-Notify", f"sw-{asset.digest[:12]}", asset, "python3.12", "main.handle", ROLE, 60, 128
    )
    return replace(made, **changes)


@pytest.fixture
def clients(proxy: Proxy) -> Clients:
    iam = boto3.client("iam", endpoint_url=proxy.target)
    iam.create_role(RoleName="Functions", AssumeRolePolicyDocument=json.dumps(TRUST))
    return Clients(REGION, proxy.url)


@pytest.fixture
def functions(proxy: Proxy) -> Any:
    return boto3.client("lambda", endpoint_url=proxy.target)


def aliases(functions: Any) -> dict[str, str]:
    found = functions.list_aliases(FunctionName="p-Notify")["Aliases"]
    return {alias["Name"]: alias["FunctionVersion"] for alias in found}


def test_a_function_is_made_and_its_alias_leads_to_it(clients: Clients, functions: Any) -> None:
    wanted = function()
    assert not is_published(wanted, clients)
    publish(wanted, "p", clients)
    assert is_published(wanted, clients)
    assert aliases(functions) == {wanted.alias: "1"}
    shown = functions.get_function(FunctionName="p-Notify", Qualifier=wanted.alias)
    assert shown["Configuration"]["Handler"] == "main.handle"
    assert shown["Tags"] == {"sagewright:pipeline": "p"}


def test_other_code_has_another_alias_and_the_old_one_stays(clients: Clients, functions: Any) -> None:
    first, second = function(), function("def handle(event, context): return 2")
    publish(first, "p", clients)
    publish(second, "p", clients)
    assert aliases(functions) == {first.alias: "1", second.alias: "2"}
    assert is_published(first, clients) and is_published(second, clients)


@pytest.mark.parametrize("change", [{"timeout": 90}, {"memory_mb": 256}, {"handler": "main.other"}])
def test_another_configuration_moves_the_alias(
    clients: Clients, functions: Any, change: dict[str, Any]
) -> None:
    publish(function(), "p", clients)
    wanted = function(**change)
    assert not is_published(wanted, clients)
    publish(wanted, "p", clients)
    assert is_published(wanted, clients)
    assert list(aliases(functions)) == [wanted.alias]


def test_a_function_of_somebody_elses_is_not_touched(clients: Clients, functions: Any) -> None:
    wanted = function()
    functions.create_function(
        FunctionName="p-Notify",
        Role=ROLE,
        Runtime="python3.11",
        Handler="x.y",
        Code={"ZipFile": code("x = 1").content},
    )
    with pytest.raises(Refused, match="was not made by sagewright"):
        publish(wanted, "p", clients)
    assert functions.get_function_configuration(FunctionName="p-Notify")["Handler"] == "x.y"
    publish(wanted, "p", clients, force=True)
    assert is_published(wanted, clients)


@pytest.mark.parametrize("calls", range(1, 8))
def test_interrupted_it_is_completed_by_the_next(clients: Clients, calls: int) -> None:
    class Stopped(BaseException):
        pass

    class Interrupted(Clients):
        left = calls

        def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
            try:
                return super().call(service, operation, **parameters)
            finally:
                Interrupted.left -= 1
                if Interrupted.left == 0:
                    raise Stopped

    publish(function(), "p", clients)
    wanted = function("def handle(event, context): return 3", timeout=70)
    with pytest.raises(Stopped):
        publish(wanted, "p", Interrupted(clients.region, clients.endpoint_url))
    publish(wanted, "p", clients)
    assert is_published(wanted, clients)


def test_code_that_is_too_large(clients: Clients, functions: Any) -> None:
    with pytest.raises(Refused, match="50,000,001 bytes"):
        publish(function(asset=data_asset("function.zip", bytes(50_000_001))), "p", clients)
    assert functions.list_functions()["Functions"] == []


def test_a_role_that_does_not_exist(clients: Clients, proxy: Proxy) -> None:
    """The emulator takes any role; AWS does not."""
    error = {"Type": "User", "message": "The role defined for the function cannot be assumed by Lambda."}
    headers = {"x-amzn-ErrorType": "InvalidParameterValueException"}
    proxy.rules.append(
        lambda call: (
            (400, headers, json.dumps(error).encode())
            if (call.service, call.method) == ("lambda", "POST")
            else None
        )
    )
    with pytest.raises(AwsError) as caught:
        publish(function(role=f"{ROLE}2"), "p", clients)
    assert caught.value.code == "InvalidParameterValueException"
