"""Count what lies under an S3 prefix, so that a night without input ends before anything is paid for."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import boto3


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"uri": "s3://bucket/prefix"}` → `{"objects": n, "megabytes": m}`; empty objects (folders) do not count."""
    uri = urlsplit(event["uri"])
    if uri.scheme != "s3" or not uri.netloc:
        raise ValueError(f"not an S3 URI: {event['uri']}")
    pages = (
        boto3.client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=uri.netloc, Prefix=uri.path.lstrip("/"))
    )
    sizes = [item["Size"] for page in pages for item in page.get("Contents", ()) if item["Size"]]
    return {"objects": len(sizes), "megabytes": round(sum(sizes) / 1e6, 3)}
