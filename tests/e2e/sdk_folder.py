"""S3 as a folder, for programs against the SageMaker SDK: import it before the SDK. `root` is the folder, and `case`
the one below it that holds the buckets now."""

from __future__ import annotations

import io
import logging
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.client
import botocore.exceptions
import requests

BUCKET, REGION = "bucket", "us-west-2"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"

root = Path()
case = ""


class Body:
    """What GetObject streams."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def read(self, *size: int) -> bytes:
        return self._file.read(*size)


def answer(_client: Any, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """S3 as a folder, and who we are."""
    bucket = root / case / str(arguments.get("Bucket"))
    path = bucket / str(arguments.get("Key", ""))
    if operation == "GetCallerIdentity":
        return {"Account": "123456789012", "Arn": ROLE, "UserId": "x"}
    if operation == "PutObject":
        path.parent.mkdir(parents=True, exist_ok=True)
        body = arguments["Body"]
        path.write_bytes(body if isinstance(body, bytes) else body.read())
        return {"ETag": '"0"'}
    if operation in ("HeadObject", "GetObject"):
        if not path.is_file():
            raise botocore.exceptions.ClientError(
                {"Error": {"Code": "404", "Message": "Not Found"}}, operation
            )
        content = path.read_bytes()
        return {"ContentLength": len(content), "ETag": '"0"', "Body": Body(content), "Metadata": {}}
    if operation in ("ListObjects", "ListObjectsV2"):
        keys = sorted(str(file.relative_to(bucket)) for file in bucket.rglob("*") if file.is_file())
        found = [{"Key": key, "Size": 1} for key in keys if key.startswith(arguments.get("Prefix", ""))]
        return {"Contents": found, "IsTruncated": False, "KeyCount": len(found)}
    if operation == "SimulatePrincipalPolicy":
        allowed = [{"EvalActionName": name, "EvalDecision": "allowed"} for name in arguments["ActionNames"]]
        return {"EvaluationResults": allowed, "IsTruncated": False}
    if operation == "GetRole":
        return {"Role": {"Arn": ROLE, "RoleName": "SageMakerRole"}}
    if operation == "ListBuckets":
        return {"Buckets": [{"Name": BUCKET, "CreationDate": datetime(2026, 1, 1)}]}
    if operation in ("HeadBucket", "GetBucketLocation"):
        return {"LocationConstraint": REGION}
    raise RuntimeError(f"the SDK calls {operation}, which has no answer here")


def unreachable(*_: Any, **__: Any) -> Any:
    """What the SDK's telemetry meets."""
    raise requests.ConnectionError("there is no network here")


botocore.client.BaseClient._make_api_call = answer
requests.get = unreachable
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
