"""Run a script or a container over data in S3.

Inputs are copied or streamed into the container, outputs are uploaded from it. A report is a JSON file in an output:
conditions and later steps read values from it. `code: {dir, entry}` packs a directory; its `requirements.txt` is
installed before the entry runs. A script for an image of Spark is started by `command: [smspark-submit]`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sagewright.compiler.kind import (
    JOB_RETRIES,
    Context,
    StepKind,
    Sugar,
    present,
    seconds,
    tag_list,
    text_map,
)
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin, origin, own_origin
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.types import Type
from sagewright.steps._code import archive_uri, file_uri
from sagewright.steps._job import (
    NOT_IN_EXPERIMENTS,
    argument_list,
    chosen,
    cluster,
    network_config,
    refuse,
    spread,
    text_list,
)

INPUTS = "/opt/ml/processing/input"
OUTPUTS = "/opt/ml/processing/output"
CODE, ENTRYPOINT = "code", "entrypoint"
"""The names of the inputs that bring code."""
BOOTSTRAP = "runproc.sh"


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    entrypoint, code_inputs = _program(body, context)
    return present(
        ProcessingResources={"ClusterConfig": cluster(body, context)},
        AppSpecification=present(
            ImageUri=_image(body, context),
            ContainerArguments=argument_list(body),
            ContainerEntrypoint=entrypoint,
        ),
        RoleArn=context.role(),
        ProcessingInputs=[*_inputs(body, context), *code_inputs] or None,
        ProcessingOutputConfig=_output_config(step, context),
        Environment=text_map(body.get("environment")),
        NetworkConfig=network_config(body.get("network") or Map()),
        StoppingCondition=present(MaxRuntimeInSeconds=seconds(body.get("max_runtime"))) or None,
        Tags=tag_list(step.tags),
    )


def _image(body: Map, context: Context) -> Any:
    types = [(body.get("instance") or Map()).get("type")]
    return context.image(body.get("image"), origin(body, "image"), scope="processing", instances=types)


# -- code -------------------------------------------------------------------------------------------------------------


def _program(body: Map, context: Context) -> tuple[list[Any] | None, list[dict[str, Any]]]:
    """The container's entrypoint, and the inputs that bring the code for it."""
    code, command = body.get("code"), text_list(body, "command")
    if code is None:
        return command, []
    if code.get("dir") is None:
        uri = file_uri(code, context)
        if uri is None:
            return command, []
        place = f"{INPUTS}/{CODE}"
        script = f"{place}/{PurePosixPath(uri).name}"
        return [*(command or [_interpreter(script)]), script], [_s3_input(CODE, uri, place)]
    return _packed(code, command, context)


def _interpreter(script: str) -> str:
    return "bash" if script.endswith(".sh") else "python3"


def _packed(
    code: Map, command: list[Any] | None, context: Context
) -> tuple[list[Any] | None, list[dict[str, Any]]]:
    """A directory, as the FrameworkProcessor of SDK 2.257 runs it: a script of ours unpacks the archive and starts it."""
    uri = archive_uri(code, context)
    if uri is None:
        return command, []
    bootstrap = context.uri(
        context.data(BOOTSTRAP, _bootstrap(code, PurePosixPath(uri).name, command, context))
    )
    place = f"{INPUTS}/{ENTRYPOINT}"
    return ["/bin/bash", f"{place}/{BOOTSTRAP}"], [
        _s3_input(CODE, uri, f"{INPUTS}/{CODE}/"),
        _s3_input(ENTRYPOINT, bootstrap, place),
    ]


def _bootstrap(code: Map, archive: str, command: list[Any] | None, context: Context) -> bytes:
    """The script that unpacks the archive, installs what the code requires, and starts its entry."""
    for word in command or ():
        if not isinstance(word, str):
            message = "`command` takes literals where the code is a directory: they stand in its start script"
            context.error("SW209", message, own_origin(word))
    words = [*(command or [_interpreter(code["entry"])]), code["entry"]]
    requirements = shlex.quote(code.get("requirements") or "requirements.txt")
    given = code.get("requirements") is not None
    install = f"python3 -m pip install -r {requirements}"
    lines = (
        "#!/bin/bash",
        "# Unpacks the code, installs what it requires, and starts its entry with the job's arguments.",
        "set -euo pipefail",
        f"cd {INPUTS}/{CODE}",
        f"tar -xzf {shlex.quote(archive)}",
        install if given else f"if [[ -f {requirements} ]]; then {install}; fi",
        f'exec {shlex.join(str(word) for word in words)} "$@"',
    )
    return ("\n".join(lines) + "\n").encode()


# -- inputs and outputs -----------------------------------------------------------------------------------------------


def _inputs(body: Map, context: Context) -> list[dict[str, Any]]:
    inputs = body.get("inputs") or Map()
    packed = (body.get("code") or Map()).get("dir") is not None
    for name in inputs:
        if name == CODE or (packed and name == ENTRYPOINT):
            context.error(
                "SW310", f"an input cannot be named `{name}`: code comes by it", key_origin(inputs, name)
            )
    made = [_input(name, entry, context) for name, entry in inputs.items()]
    return [entry for entry in made if entry is not None]


def _input(name: str, entry: Map, context: Context) -> dict[str, Any] | None:
    source = chosen(entry, ("source", *_DATASETS), f"the input `{name}`", context, own_origin(entry))
    path = entry.get("path", f"{INPUTS}/{name}")
    if source is None:
        return None
    if source == "source":
        if entry.get("compression") == "Gzip" and entry.get("mode") in (None, "File"):
            message = (
                f"`compression: Gzip` is for the mode Pipe, and the input `{name}` is read in the mode File"
            )
            context.error("SW208", message, key_origin(entry, "compression"), help="write `mode: Pipe`")
        return _s3_input(name, entry["source"], path, entry)
    refuse(entry, ("compression", "data_type"), source, context)
    dataset = {
        _DATASETS[source]: entry[source],
        **present(LocalPath=path, DataDistributionType=spread(entry), InputMode=entry.get("mode", "File")),
    }
    return {"InputName": name, "DatasetDefinition": dataset}


_NOTHING = Map()
_DATASETS = {"athena": "AthenaDatasetDefinition", "redshift": "RedshiftDatasetDefinition"}


def _s3_input(name: str, source: Any, path: Any, entry: Map = _NOTHING) -> dict[str, Any]:
    s3 = present(
        S3Uri=source,
        LocalPath=path,
        S3DataType=entry.get("data_type", "S3Prefix"),
        S3InputMode=entry.get("mode", "File"),
        S3DataDistributionType=spread(entry),
        S3CompressionType=entry.get("compression", "None"),
    )
    return {"InputName": name, "S3Input": s3}


def _output_config(step: Step, context: Context) -> dict[str, Any] | None:
    outputs, key = step.body.get("outputs") or Map(), step.body.get("kms_key")
    if not outputs and key is None:
        return None
    return present(
        Outputs=[_output(step.name, name, outputs[name], context) for name in outputs], KmsKeyId=key
    )


def _output(step: str, name: str, entry: Map, context: Context) -> dict[str, Any]:
    group = entry.get("feature_group")
    if group is not None:
        refuse(entry, ("path", "destination", "upload"), "feature_group", context)
        return {"OutputName": name, "FeatureStoreOutput": {"FeatureGroupName": group}, "AppManaged": True}
    s3 = present(
        S3Uri=entry.get("destination") or context.output(step, name),
        LocalPath=entry.get("path", f"{OUTPUTS}/{name}"),
        S3UploadMode=entry.get("upload", "EndOfJob"),
    )
    return {"OutputName": name, "S3Output": s3}


# -- reports ----------------------------------------------------------------------------------------------------------


def extra(step: Step, context: Context) -> dict[str, Any]:
    reports, outputs = step.body.get("reports") or Map(), step.body.get("outputs") or Map()
    files: list[dict[str, Any]] = []
    for name, report in reports.items():
        key = chosen(report, ("output", "uri"), f"the report `{name}`", context, own_origin(report))
        if key == "output":
            files.append(_property_file(name, report, outputs, context))
        elif key == "uri":
            refuse(report, ("file",), "uri", context)
    return present(PropertyFiles=files or None)


def _property_file(name: str, report: Map, outputs: Map, context: Context) -> dict[str, Any]:
    output, at = report["output"], origin(report, "output")
    if output not in outputs:
        near = nearest(output, outputs)
        help = f"did you mean `{near}`?" if near else None
        notes = (f"its outputs are {listing(outputs)}",)
        context.error(
            "SW505",
            f"the report `{name}` is in no output: there is no `{output}`",
            at,
            help=help,
            notes=notes,
        )
    elif outputs[output].get("feature_group") is not None:
        context.error("SW505", f"the report `{name}` is in no file: `{output}` goes to the Feature Store", at)
    if report.get("file") is None:
        context.error("SW202", f"the report `{name}` lacks the key `file`", own_origin(report))
    return present(PropertyFileName=name, OutputName=output, FilePath=report.get("file"))


def _output_names(body: Map) -> Mapping[str, Type | None]:
    outputs = body.get("outputs")
    return {name: _uri_type(entry) for name, entry in outputs.items()} if isinstance(outputs, Map) else {}


def _uri_type(entry: Any) -> Type | None:
    return None if isinstance(entry, Map) and entry.get("feature_group") is not None else Type.STRING


KIND = StepKind(
    name="processing",
    type="Processing",
    arguments=arguments,
    extra=extra,
    request="CreateProcessingJob",
    omits=("ProcessingJobName",),
    properties="DescribeProcessingJobResponse",
    sugar={
        "outputs": Sugar(
            "ProcessingOutputConfig.Outputs['{}'].S3Output.S3Uri",
            names=_output_names,
            why="it goes to the Feature Store and has no S3 URI",
        )
    },
    cacheable=True,
    retryable=JOB_RETRIES,
    longhand={"instance": "type", "code": "entry", "inputs.*": "source"},
    refused=NOT_IN_EXPERIMENTS,
)
