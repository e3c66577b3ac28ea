"""Channels: what a training job reads, and how."""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import Context, present
from sagewright.compiler.source import Map, key_origin, origin, own_origin
from sagewright.steps._groups import check_names
from sagewright.steps._job import chosen, refuse, spread

CODE = "code"
_FILE_SYSTEMS = {"fsx": "FSxLustre", "efs": "EFS"}
_AUGMENTED = "AugmentedManifestFile"
_PIPED = {
    "data_type": (_AUGMENTED, "SW208"),
    "compression": ("Gzip", "SW904"),
    "record": ("RecordIO", "SW904"),
}
"""What only the mode Pipe does, and what to report elsewhere. Source: botocore, S3DataSource.S3DataType ("can only be
used if the Channel's input mode is Pipe"), Channel.CompressionType ("used only in Pipe input mode; in File mode, leave
this field unset") and RecordWrapperType, which do not say that they are refused."""
_ONLY_S3 = ("sharded", "data_type", "attributes", "instance_groups")


def channels(body: Map, mode: Any, context: Context) -> list[dict[str, Any]]:
    """The channels of a job; `mode` is written at those that say none, None where it need not be said."""
    made: list[dict[str, Any]] = []
    for name, entry in (body.get("inputs") or Map()).items():
        source = _data_source(name, entry, context)
        if source is not None:
            _check(name, entry, body, context)
            made.append(_channel(name, entry, source, mode))
    return made


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


def _check(name: str, entry: Map, body: Map, context: Context) -> None:
    """What a channel's keys ask of its mode, of each other, and of the job's groups. A reference may be anything."""
    mode, manifest = entry.get("mode") or body.get("mode") or "File", entry.get("data_type", "S3Prefix")
    for key, (value, code) in _PIPED.items():
        if entry.get(key) == value and mode in ("File", "FastFile"):
            message = (
                f"`{key}: {value}` is for the mode Pipe, and the channel `{name}` is read in the mode {mode}"
            )
            context.error(code, message, key_origin(entry, key), help="write `mode: Pipe`")
    if mode == "Pipe" and "source" not in entry:
        message = f"the mode Pipe streams from S3, and the channel `{name}` is a file system"
        place = key_origin(entry, "mode") if "mode" in entry else own_origin(entry)
        context.error("SW208", message, place, help="write `mode: File`")
    if manifest == _AUGMENTED and not entry.get("attributes"):
        message = f"the channel `{name}` lacks the key `attributes`: nothing of the manifest would be read"
        context.error("SW202", message, key_origin(entry, "data_type"))
    elif entry.get("attributes") and isinstance(manifest, str) and manifest != _AUGMENTED:
        message = f"`attributes` are those of an augmented manifest, and the channel `{name}` has none"
        help = f"write `data_type: {_AUGMENTED}`"
        context.error("SW904", message, key_origin(entry, "attributes"), help=help)
    if entry.get("instance_groups") and body.get("groups"):
        check_names(entry, "instance_groups", body["groups"], context)
    elif entry.get("instance_groups"):
        message = f"the channel `{name}` is for groups of instances, and the step has no `groups`"
        context.error("SW904", message, key_origin(entry, "instance_groups"))


def _channel(name: str, entry: Map, source: dict[str, Any], mode: Any) -> dict[str, Any]:
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
    kind, written = _FILE_SYSTEMS[key], entry[key].get("FileSystemType")
    other = next((name for name, known in _FILE_SYSTEMS.items() if known == written != kind), None)
    if other is not None:
        message = f"`{key}` is a file system of the type {kind}, not {written}"
        context.error("SW208", message, origin(entry[key], "FileSystemType"), help=f"write `{other}: {{..}}`")
    return {"FileSystemDataSource": Map({"FileSystemType": kind, **entry[key]}, entry[key].node)}


def _s3_source(entry: Map) -> dict[str, Any]:
    return present(
        S3DataType=entry.get("data_type", "S3Prefix"),
        S3Uri=entry["source"],
        S3DataDistributionType=spread(entry),
        AttributeNames=entry.get("attributes"),
        InstanceGroupNames=entry.get("instance_groups"),
    )
