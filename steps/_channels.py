"""Channels: what a training job reads, and how."""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, present
from sagewright.compiler.source import Map, key_origin, own_origin
from sagewright.steps._job import chosen, refuse, spread

CODE = "code"
_FILE_SYSTEMS = {"fsx": "FSxLustre", "efs": "EFS"}
_ONLY_S3 = ("sharded", "data_type", "attributes", "instance_groups")


def channels(inputs: Map | None, mode: Any, context: Context) -> list[dict[str, Any]]:
    """The channels of `inputs`; `mode` is theirs unless they say otherwise, None where it need not be said."""
    made = [_channel(name, entry, mode, context) for name, entry in (inputs or Map()).items()]
    return [channel for channel in made if channel is not None]


def code_channel(uri: str, inputs: Map | None, context: Context) -> dict[str, Any]:
    """The channel that brings code, which has its name for itself."""
    if inputs and CODE in inputs:
        message = f"a channel cannot be named `{CODE}` here: code comes by it"
        context.error("SW310", message, key_origin(inputs, CODE))
    return {
        "ChannelName": CODE,
        "DataSource": {"S3DataSource": _s3_source(Map({"source": uri}))},
        "InputMode": "File",
    }


def _channel(name: str, entry: Map, mode: Any, context: Context) -> dict[str, Any] | None:
    source = _data_source(name, entry, context)
    if source is None:
        return None
    return present(
        ChannelName=name,
        DataSource=source,
        ContentType=entry.get("content_type"),
        CompressionType=entry.get("compression"),
        RecordWrapperType=entry.get("record"),
        InputMode=entry.get("mode", mode),
        ShuffleConfig=present(Seed=entry.get("shuffle_seed")) or None,
    )


def _data_source(name: str, entry: Map, context: Context) -> dict[str, Any] | None:
    key = chosen(entry, ("source", *_FILE_SYSTEMS), f"the channel `{name}`", context, own_origin(entry))
    if key is None:
        return None
    if key == "source":
        return {"S3DataSource": _s3_source(entry)}
    refuse(entry, _ONLY_S3, key, context)
    system = Map({"FileSystemType": _FILE_SYSTEMS[key], **entry[key]}, entry[key].node)
    return {"FileSystemDataSource": system}


def _s3_source(entry: Map) -> dict[str, Any]:
    return present(
        S3DataType=entry.get("data_type", "S3Prefix"),
        S3Uri=entry["source"],
        S3DataDistributionType=spread(entry),
        AttributeNames=entry.get("attributes"),
        InstanceGroupNames=entry.get("instance_groups"),
    )
