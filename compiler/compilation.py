"""What compiling a pipeline for a target gives: its definition, and everything that upserting it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sagewright.compiler.assets import Asset


@dataclass(frozen=True, slots=True)
class Upload:
    """One asset and where it goes: `<prefix>/code/<sha256>/<name>` in `bucket`."""

    asset: Asset
    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class LambdaFunction:
    """A function that upsert makes before the pipeline that calls it. `timeout` is in seconds.

    `alias` holds the code's hash, so that a definition and the code that it calls never drift apart. Role and
    account are literals by then.
    """

    name: str
    alias: str
    asset: Asset
    runtime: str
    handler: str
    role: str
    timeout: int
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a pipeline by itself: a schedule, or an event that matches EventBridge's `pattern` (JSON text).

    `kind` is its key in the file, `about` says it in words. Values of `parameters` are texts, for an event also paths
    into it (`$.detail.object.key`).
    """

    name: str
    kind: str
    role: str
    about: str
    enabled: bool = True
    schedule: str | None = None
    timezone: str = "UTC"
    pattern: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pipeline's lock, code and definitions are kept: all that deleting it needs to know."""

    name: str
    bucket: str | None
    prefix: str = ""
    kms_key: str | None = None
    bucket_owner: str | None = None

    @property
    def folder(self) -> str:
        """The prefix as keys begin with it."""
        return f"{self.prefix.strip('/')}/" if self.prefix.strip("/") else ""

    @property
    def encryption(self) -> dict[str, str]:
        """The parameters of a write."""
        if self.kms_key is None:
            return {}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key}


@dataclass(frozen=True, slots=True)
class Compilation:
    """A pipeline compiled for one target. Frozen, and free of AWS: upserting it needs nothing else from the files.

    `definition` is JSON text, `digest` its `definition.digest`. `account` is the target's guard. `role` may be
    missing until the pipeline is created; `bucket` where nothing is uploaded.
    """

    name: str
    target: str
    definition: str
    digest: str
    role: str | None
    display_name: str | None
    description: str | None
    parallelism: int | None
    tags: dict[str, str]
    region: str | None
    account: str | None
    bucket: str | None
    prefix: str
    uploads: tuple[Upload, ...]
    kms_key: str | None
    bucket_owner: str | None
    source: str
    """The pipeline's file, as messages show it."""
    functions: tuple[LambdaFunction, ...] = ()
    project: str | None = None
    """The project's name, where it has one: whose the pipeline is."""
    commit: str | None = None
    """The Git commit that the files are of, where it is recorded."""
    profile: str | None = None
    """The profile of AWS's configuration that belongs to the target; None: the environment's."""
    triggers: tuple[Trigger, ...] | None = None
    """None: they stay as they are deployed."""

    @property
    def place(self) -> Place:
        return Place(self.name, self.bucket, self.prefix, self.kms_key, self.bucket_owner)

    def manifest(self) -> dict[str, Any]:
        """What stands beside the definition in `manifest.json`: all that AWS is told apart from the definition."""
        return {
            "version": 1,
            "pipeline": self.name,
            "target": self.target,
            "source": self.source,
            "digest": self.digest,
            "region": self.region,
            "account": self.account,
            "role": self.role,
            "display_name": self.display_name,
            "description": self.description,
            "parallelism": self.parallelism,
            "tags": self.tags,
            "bucket": self.bucket,
            "prefix": self.prefix,
            "assets": [
                {
                    "uri": upload.uri,
                    "sha256": upload.asset.digest,
                    "size": upload.asset.size,
                    "source": str(upload.asset.path),
                }
                for upload in self.uploads
            ],
            "triggers": [
                {
                    "name": t.name,
                    "kind": t.kind,
                    "about": t.about,
                    "schedule": t.schedule,
                    "timezone": t.timezone if t.schedule else None,
                    "pattern": t.pattern,
                    "parameters": dict(t.parameters),
                    "role": t.role,
                    "enabled": t.enabled,
                }
                for t in self.triggers or ()
            ],
            "functions": [
                {"name": f.name, "alias": f.alias, "sha256": f.asset.digest, "source": str(f.asset.path)}
                for f in self.functions
            ],
        }
