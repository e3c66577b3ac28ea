"""`code:` on its way into a container: files, directories, and what is in S3 already."""

from __future__ import annotations

from sagewright.compiler.assets import Asset, AssetError
from sagewright.compiler.kind import Context
from sagewright.compiler.source import Map, origin


def is_uri(path: str) -> bool:
    return path.startswith("s3://")


def file_uri(code: Map, context: Context) -> str | None:
    """Where the single file `entry` is in S3, once uploaded; None (reported) where it cannot be."""
    _refuse_requirements(code, context)
    if is_uri(code["entry"]):
        return code["entry"]
    asset = context.file(code["entry"], origin(code, "entry"))
    return None if asset is None else context.uri(asset)


def script_uri(code: Map, context: Context) -> str | None:
    """Where an archive of the local file `entry` is in S3, once uploaded; None (reported) where it cannot be."""
    _refuse_requirements(code, context)
    asset = context.script(code["entry"], origin(code, "entry"))
    return None if asset is None else context.uri(asset)


def _refuse_requirements(code: Map, context: Context) -> None:
    if code.get("requirements") is not None:
        message = "`requirements` wants the code as a directory, with `dir`"
        context.error("SW208", message, origin(code, "requirements"))


def archive_uri(code: Map, context: Context) -> str | None:
    """Where the archive of the directory `dir` is in S3, once uploaded; None (reported) where it cannot be."""
    if is_uri(code["dir"]):
        return code["dir"]
    asset = context.archive(code["dir"], origin(code, "dir"))
    if asset is None:
        return None
    for key in ("entry", "requirements"):
        if code.get(key) is not None:
            _check_member(asset, code, key, context)
    return context.uri(asset)


def _check_member(asset: Asset, code: Map, key: str, context: Context) -> None:
    try:
        asset.require(code[key])
    except AssetError as error:
        context.error(error.code, error.message, origin(code, key), help=error.help)
