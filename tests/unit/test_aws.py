"""`aws`: every failure of boto3's as one error that says what to do, and says no secret."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions

from sagewright.compiler.aws import AwsError, Clients, translated


def error(
    raised: Exception, operation: str = "describe_pipeline", service: str = "sagemaker", **given: Any
) -> AwsError:
    with pytest.raises(AwsError) as caught, translated(service, operation, given):
        raise raised
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    return caught.value


def refused(code: str, message: str = "", status: int = 400) -> exceptions.ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return exceptions.ClientError(answer, "Operation")


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (exceptions.NoCredentialsError(), "no AWS credentials were found"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="X"), "no AWS credentials were found"),
        (
            exceptions.CredentialRetrievalError(provider="p", error_msg="hunter2"),
            "no AWS credentials were found",
        ),
        (exceptions.SSOTokenLoadError(error_msg="hunter2"), "no AWS credentials were found"),
        (exceptions.UnauthorizedSSOTokenError(), "the AWS session has expired"),
        (exceptions.LoginRefreshRequired(), "the AWS session has expired"),
        (exceptions.NoRegionError(), "no AWS region is known"),
        (exceptions.ProfileNotFound(profile="x"), "The config profile (x) could not be found"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://e"), "cannot reach https://e"),
        (exceptions.SSLError(endpoint_url="https://e", error="x"), "cannot reach https://e"),
        (exceptions.HTTPClientError(error="x"), "cannot reach AWS"),
        (refused("ExpiredToken", "hunter2"), "the AWS credentials have expired"),
        (refused("SignatureDoesNotMatch", "hunter2"), "AWS does not know these credentials"),
        (refused("InvalidAccessKeyId", "hunter2"), "AWS does not know these credentials"),
        (
            refused("ServiceUnavailable", "", 503),
            "AWS failed at sagemaker:DescribePipeline: ServiceUnavailable",
        ),
        (refused("ValidationException", "1 validation error"), "1 validation error"),
        (refused("Odd"), "sagemaker:DescribePipeline failed: Odd"),
    ],
)
def test_what_is_said(raised: Exception, message: str) -> None:
    assert error(raised).message == message


@pytest.mark.parametrize(
    ("operation", "action"),
    [("head_object", "s3:GetObject"), ("head_bucket", "s3:ListBucket"), ("put_object", "s3:PutObject")],
)
def test_a_denied_head_says_which_permission_it_needs(operation: str, action: str) -> None:
    found = error(refused("403"), operation, "s3", Bucket="b", Key="k")
    assert found.message == f"access denied: the credentials may not {action} on s3://b/k"


def test_denied_without_a_resource() -> None:
    found = error(
        refused("AccessDenied", "User: arn:aws:iam::1:user/a is not authorized to perform: sts:AssumeRole")
    )
    assert found.message == "access denied: arn:aws:iam::1:user/a may not sts:AssumeRole"
    assert found.hint == "ask for that permission"


def test_a_role_that_may_not_be_passed_has_a_hint_of_its_own() -> None:
    found = error(
        refused("AccessDenied", "User: u is not authorized to perform: iam:PassRole on resource: r")
    )
    assert found.message == "access denied: u may not iam:PassRole on r"
    assert found.hint is not None and "`sagewright policy upsert`" in found.hint


def test_a_bucket_that_is_missing_or_elsewhere() -> None:
    assert error(refused("404"), "head_bucket", "s3", Bucket="b").message == "the bucket `b` does not exist"
    assert error(refused("404"), "head_object", "s3", Bucket="b", Key="k").code == "404"
    found = error(refused("PermanentRedirect"), "put_object", "s3", Bucket="b", Key="k")
    assert found.message == "the bucket `b` is in another region"


def test_our_own_bugs_are_not_hidden() -> None:
    with pytest.raises(KeyError), translated("s3", "put_object", {}):
        raise KeyError("x")
    with pytest.raises(KeyboardInterrupt), translated("s3", "put_object", {}):
        raise KeyboardInterrupt


def test_clients_are_made_once() -> None:
    clients = Clients("us-west-2", "http://127.0.0.1:1")
    assert clients.client("s3") is clients.client("s3")
    assert clients.client("s3").meta.config.retries["total_max_attempts"] == 5
    assert clients.client("s3").meta.region_name == "us-west-2"
