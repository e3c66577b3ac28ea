"""AWS's API through boto3: clients that retry, and every failure as one `AwsError` that says what to do."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

SESSION = "session"
ATTEMPTS = 5
CONNECT_TIMEOUT = 10
READ_TIMEOUT = 60
CONNECTIONS = 32
"""At once, to one service."""

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AllAccessDisabled",
        "403",
        "Forbidden",
    }
)
MISSING = frozenset({"ResourceNotFound", "ValidationException"})
"""A pipeline that is not there: AWS declares the first, and has answered the second."""
NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})
CONDITION_FAILED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
THROTTLED = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "SlowDown"),
        *("RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "BandwidthLimitExceeded"),
    }
)
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
UNKNOWN_KEYS = frozenset(
    {
        *(
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
        ),
        *("AuthFailure", "InvalidToken", "InvalidSignatureException", "IncompleteSignature"),
        *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
    }
)
OTHER_REGION = frozenset(
    {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)

CREDENTIALS_HINT = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
)
NO_CREDENTIALS = frozenset(
    {
        *(
            "NoCredentialsError",
            "PartialCredentialsError",
            "CredentialRetrievalError",
            "UnknownCredentialError",
        ),
        *(
            "SSOTokenLoadError",
            "TokenRetrievalError",
            "NoAuthTokenError",
            "MetadataRetrievalError",
            "SSOError",
        ),
        *("LoginTokenLoadError", "LoginInsufficientPermissions", "LoginAuthorizationCodeError", "LoginError"),
        "RefreshWithMFAUnsupportedError",
    }
)
LOGIN_AGAIN = frozenset({"UnauthorizedSSOTokenError", "LoginRefreshRequired"})
UNREACHABLE = frozenset(
    {
        *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"),
        *("ProxyConnectionError", "SSLError", "ConnectionError", "HTTPClientError", "ResponseStreamingError"),
        "IncompleteReadError",
    }
)
FOR_ALL = (
    NO_CREDENTIALS
    | LOGIN_AGAIN
    | EXPIRED
    | UNKNOWN_KEYS
    | {"EndpointConnectionError", "ProxyConnectionError"}
) | {"ProfileNotFound", "NoRegionError", "InvalidEndpoint", "NoAnswer", "ResponseParserError"}


class AwsError(Exception):
    """A call to AWS that failed: what happened, AWS's or botocore's code for it, and what to do about it.

    The message never holds a secret: what AWS says of credentials and signatures is not repeated.
    """

    def __init__(self, message: str, code: str, hint: str | None = None, *, transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.transient = transient
        """May it be otherwise in a while: throttling, a failure of AWS's, no answer?"""

    @property
    def for_all(self) -> bool:
        """Would any other call fail likewise: no credentials, no network?"""
        return self.code in FOR_ALL


@dataclass(slots=True)
class Clients:
    """AWS as one region and one set of credentials see it. Clients are made when they are first used.

    `endpoint_url` stands in for all of AWS's endpoints; AWS_ENDPOINT_URL does so where it is None. `profile` is one of
    AWS's configuration files; AWS_PROFILE's, or the environment's credentials, where it is None.
    """

    region: str | None = None
    endpoint_url: str | None = None
    made: dict[str, Any] = field(default_factory=dict, repr=False)
    """The session and the clients so far."""
    profile: str | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Clients may be shared by threads, and a session may not."""

    def client(self, service: str) -> Any:
        """The boto3 client of a service. Raises AwsError."""
        with self._turn:
            if service not in self.made:
                with translated(service, "", {}):
                    session = self._session()
                    self.made[service] = session.client(
                        service, endpoint_url=self.endpoint_url, config=self._config()
                    )
            return self.made[service]

    def _session(self) -> Any:
        import boto3

        if SESSION not in self.made:
            self.made[SESSION] = boto3.Session(region_name=self.region, profile_name=self.profile)
        return self.made[SESSION]

    def _config(self) -> Any:
        from botocore.config import Config

        local = self.endpoint_url or os.environ.get("AWS_ENDPOINT_URL")
        # Standard mode backs off exponentially with jitter, and knows which errors are worth another try.
        attempts = {} if "AWS_MAX_ATTEMPTS" in os.environ else {"total_max_attempts": ATTEMPTS}
        return Config(
            retries={"mode": "standard", **attempts},
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            max_pool_connections=CONNECTIONS,
            user_agent_extra="sagewright",
            s3={"addressing_style": "path"} if local else None,
        )

    def call(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation by boto3's name for it; parameters that are None are left out. Raises AwsError."""
        given = {key: value for key, value in parameters.items() if value is not None}
        client = self.client(service)
        with translated(service, operation, given):
            return getattr(client, operation)(**given)

    def pages(self, service: str, operation: str, member: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Every item of an operation that answers in pages, under `member`. Raises AwsError."""
        token: str | None = None
        while True:
            page = self.call(service, operation, NextToken=token, **parameters)
            yield from page.get(member, ())
            token = page.get("NextToken")
            if not token:
                return

    def upload(self, body: BinaryIO, bucket: str, key: str, **extra: Any) -> None:
        """Upload a file of any size, in parts where it is large. Raises AwsError."""
        client = self.client("s3")
        arguments = {key: value for key, value in extra.items() if value is not None}
        with translated("s3", "put_object", {"Bucket": bucket, "Key": key}):
            client.upload_fileobj(body, bucket, key, ExtraArgs=arguments)

    def account(self) -> str:
        """The account that the credentials belong to. Raises AwsError."""
        return self.call("sts", "get_caller_identity")["Account"]


@contextlib.contextmanager
def translated(service: str, operation: str, parameters: Mapping[str, Any]) -> Generator[None]:
    """Whatever botocore raises inside becomes an AwsError."""
    try:
        yield
    except Exception as error:
        found = _translate(error, service, operation, parameters)
        if found is None:
            raise
        raise found from None


def _translate(
    error: Exception, service: str, operation: str, parameters: Mapping[str, Any]
) -> AwsError | None:
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        return _refused(error.response, service, operation, parameters)
    name = type(error).__name__
    if isinstance(error, BotoCoreError):
        return _failed(name, error)
    if isinstance(error, ResponseParserError):
        return AwsError("the endpoint's answer is not AWS's", name, "is AWS_ENDPOINT_URL right?")
    if isinstance(error, ValueError) and str(error).startswith("Invalid endpoint"):
        return AwsError(
            f"{str(error)[0].lower()}{str(error)[1:]}", "InvalidEndpoint", "is AWS_ENDPOINT_URL right?"
        )
    return None


def _failed(name: str, error: Exception) -> AwsError:
    """What botocore says without an answer of AWS's."""
    if name in LOGIN_AGAIN:
        return AwsError("the AWS session has expired", name, "log in again with `aws sso login`")
    if name in NO_CREDENTIALS:
        return AwsError("no AWS credentials were found", name, CREDENTIALS_HINT)
    if name == "ProfileNotFound":
        return AwsError(
            str(error),
            name,
            "AWS_PROFILE or the target's `profile:` names it; `aws configure list-profiles` shows what there is",
        )
    if name == "NoRegionError":
        return AwsError("no AWS region is known", name, "set `region:` in the project file, or pass --region")
    if name in UNREACHABLE:
        url = getattr(error, "kwargs", {}).get("endpoint_url")
        return AwsError(
            f"cannot reach {url or 'AWS'}",
            name,
            "is there a network, and are the region and AWS_ENDPOINT_URL right?",
            transient=True,
        )
    return AwsError(str(error), name)


def _refused(
    response: Mapping[str, Any], service: str, operation: str, parameters: Mapping[str, Any]
) -> AwsError:
    """What AWS answered."""
    code = str(response.get("Error", {}).get("Code", "Unknown"))
    message = str(response.get("Error", {}).get("Message", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    bucket = parameters.get("Bucket")
    action = f"{service}:{_action(operation)}"
    if code in EXPIRED:
        return AwsError("the AWS credentials have expired", code, CREDENTIALS_HINT)
    if code in UNKNOWN_KEYS:
        return AwsError("AWS does not know these credentials", code, CREDENTIALS_HINT)
    if code in DENIED:
        return _denied(code, message, action, parameters)
    if code in THROTTLED:
        return AwsError(
            f"AWS throttles {action}, and kept on after several attempts",
            code,
            "try again in a while",
            transient=True,
        )
    if code == "NoSuchBucket" or (code in NOT_FOUND and operation == "head_bucket"):
        return AwsError(f"the bucket `{bucket}` does not exist", "NoSuchBucket", "create it, or name another")
    if code in OTHER_REGION and bucket:
        return AwsError(
            f"the bucket `{bucket}` is in another region", code, "use a bucket of the pipeline's region"
        )
    if status >= 500:
        text = f"AWS failed at {action}: {message or code}"
        return AwsError(text, code, "nothing is wrong with the pipeline; try again", transient=True)
    return AwsError(message or f"{action} failed: {code}", code)


AUTHORIZED = re.compile(
    r"^.*?User: (?P<who>\S+) is not authorized to perform: (?P<action>\S+)(?: on resource: (?P<resource>\S+))?"
    r"(?P<why>.*)$",
    re.DOTALL,
)


def _denied(code: str, message: str, action: str, parameters: Mapping[str, Any]) -> AwsError:
    """Access denied, with who, what and on what as far as AWS says so: S3's HEAD says nothing."""
    named = AUTHORIZED.match(message)
    if named:
        resource = named["resource"] or ""
        on = f" on {resource}" if resource else ""
        why = named["why"].strip(" .")
        if named["action"] == "iam:PassRole":
            why = "a role is passed to who uses it, which takes a permission: `sagewright policy upsert` writes it"
        return AwsError(
            f"access denied: {named['who']} may not {named['action']}{on}",
            code,
            why or "ask for that permission",
        )
    where = f" on s3://{parameters['Bucket']}/{parameters.get('Key', '')}" if "Bucket" in parameters else ""
    return AwsError(
        f"access denied: the credentials may not {action}{where}", code, "ask for that permission"
    )


def _action(operation: str) -> str:
    """`head_object` → `GetObject`, the permission it needs; `create_pipeline` → `CreatePipeline`."""
    needed = {"head_object": "GetObject", "head_bucket": "ListBucket", "list_objects_v2": "ListBucket"}
    return needed.get(operation) or "".join(word.capitalize() for word in operation.split("_"))
