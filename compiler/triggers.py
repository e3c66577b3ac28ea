"""`triggers:` → what starts the pipeline: schedules and events, each checked against the pipeline's parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sagewright.compiler.compilation import Trigger
from sagewright.compiler.cron import ScheduleError
from sagewright.compiler.defaults import mapping
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.model import Parameter
from sagewright.compiler.schedule import parse_schedule, words, zone
from sagewright.compiler.source import Map, Origin, key_origin, origin, source_text
from sagewright.compiler.suggest import listing, nearest
from sagewright.compiler.template import Failed
from sagewright.compiler.types import Type, type_of, unquoted
from sagewright.compiler.validate import is_reference

SOURCES = ("schedule", "s3", "model_approved", "alarm")
NAME = re.compile(r"[A-Za-z0-9_-]{1,24}")
"""Of a trigger: with the pipeline's it makes a name of at most 64 characters."""
PARAMETER = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
"""What EventBridge takes for a parameter's name, unlike SageMaker. Source: botocore's SageMakerPipelineParameterName."""
MAX_VALUE = 1_024
"""Characters. Source: botocore's shape SageMakerPipelineParameterValue."""
_PATH = re.compile(r"\$(\.[A-Za-z0-9_-]+(\[\d+\])*)+")


def triggers(
    declared: Map, parameters: Mapping[str, Parameter], role: Any, sink: Sink
) -> tuple[Trigger, ...]:
    """The triggers, in the file's order; mistakes are reported. `role` is the pipeline's, theirs where they name none."""
    found: list[Trigger] = []
    for name, body in declared.items():
        place = key_origin(declared, name)
        if not NAME.fullmatch(name):
            message = f"`{name[:80]}` is no trigger's name: at most 24 letters, digits, `-` and `_`"
            sink.report("SW310", message, place)
        if not isinstance(body, Map):
            continue  # the schema has told
        before = sink.reported
        made = _trigger(name, body, place, role, sink)
        given = dict(_parameters(name, body, parameters, sink))
        _check_missing(name, body, parameters, place, sink)
        if made is not None and sink.reported == before:
            found.append(Trigger(name, *made, parameters=tuple(sorted(given.items()))))
    return tuple(found)


def _trigger(
    name: str, body: Map, place: Origin | None, role: Any, sink: Sink
) -> tuple[str, str, str, bool, str | None, str, str | None] | None:
    """All that a `Trigger` has but its name and parameters."""
    given = [key for key in SOURCES if key in body]
    if len(given) != 1:
        what = f"both {listing(given)}" if given else "nothing that starts it"
        message = f"the trigger `{name}` has {what}: exactly one of {listing(SOURCES)}"
        sink.report("SW208", message, key_origin(body, given[1]) if given else place)
        return None
    kind = given[0]
    own = body.get("role", role)
    if not isinstance(own, str) or is_reference(own):
        message = f"the trigger `{name}` has no role that may start the pipeline"
        sink.report("SW805", message, place, help="set `role:` of the trigger, or of the pipeline")
        own = ""
    enabled = body.get("enabled", True) is True
    if kind == "schedule":
        timezone = body.get("timezone", "UTC")
        about = _schedule(body, timezone, sink)
        return None if about is None else (kind, own, about, enabled, body["schedule"], timezone, None)
    if "timezone" in body:
        sink.report("SW208", "only a schedule has a `timezone`", key_origin(body, "timezone"))
    event = _event(kind, body[kind])
    return None if event is None else (kind, own, event[0], enabled, None, "UTC", event[1])


def _schedule(body: Map, timezone: Any, sink: Sink) -> str | None:
    """A schedule in words; None (reported) where it is none."""
    text = body["schedule"]
    if not (_is_text(text) and _is_text(timezone)):
        return None
    about: str | None = None
    try:
        about = words(parse_schedule(text), timezone)
    except ScheduleError as error:
        _report(error, origin(body, "schedule"), text, sink)
    try:
        zone(timezone)
    except ScheduleError as error:
        _report(error, origin(body, "timezone"), timezone, sink)
        return None
    return about


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Failed) and not is_reference(value)


def _report(error: ScheduleError, place: Origin | None, text: str, sink: Sink) -> None:
    written = place is not None and getattr(place.node, "value", None) == text
    at = Origin(place.node, error.start, error.end) if place is not None and written and text else place
    sink.report("SW214", error.message, at, help=error.help)


def _event(kind: str, value: Any) -> tuple[str, str] | None:
    """An event in words, and EventBridge's pattern for it; None where the schema has told.

    Sources: S3 user guide, "Using EventBridge"; SageMaker developer guide, "Events that SageMaker sends"; CloudWatch
    user guide, "Alarm events and EventBridge".
    """
    if kind == "s3" and isinstance(value, Map) and _is_text(value.get("bucket")):
        bucket, prefix = value["bucket"], value.get("prefix", "")
        detail: dict[str, Any] = {"bucket": {"name": [bucket]}}
        if prefix:
            detail["object"] = {"key": [{"prefix": prefix}]}
        about = f"when an object is created below s3://{bucket}/{prefix}"
        return about, _pattern("aws.s3", "Object Created", detail)
    if not _is_text(value) or kind == "s3":
        return None
    if kind == "model_approved":
        detail = {"ModelPackageGroupName": [value], "ModelApprovalStatus": ["Approved"]}
        about = f"when a model of the group {value} is approved"
        return about, _pattern("aws.sagemaker", "SageMaker Model Package State Change", detail)
    detail = {"alarmName": [value], "state": {"value": ["ALARM"]}}
    return f"when the alarm {value} goes off", _pattern(
        "aws.cloudwatch", "CloudWatch Alarm State Change", detail
    )


def _pattern(source: str, kind: str, detail: dict[str, Any]) -> str:
    return json.dumps({"source": [source], "detail-type": [kind], "detail": detail}, sort_keys=True)


# -- parameters -------------------------------------------------------------------------------------------------------


def _parameters(
    name: str, body: Map, parameters: Mapping[str, Parameter], sink: Sink
) -> Iterator[tuple[str, str]]:
    given = mapping(body, "parameters")
    for key, value in given.items():
        if isinstance(value, (dict, list, Failed)) or value is None or is_reference(value):
            continue  # told already
        parameter = parameters.get(key)
        if parameter is None:
            near = nearest(key, parameters)
            notes = [] if near else [f"its parameters are {listing(list(parameters))}"]
            help = f"did you mean `{near}`?" if near else None
            sink.report("SW303", f"unknown parameter `{key}`", key_origin(given, key), help=help, notes=notes)
            continue
        if not PARAMETER.fullmatch(key):
            message = f"EventBridge takes no parameter `{key}`: letters and digits, with hyphens between them"
            sink.report("SW605", message, key_origin(given, key), help="give the parameter another name")
        is_event = "schedule" not in body
        _check_value(parameter, value, origin(given, key), is_event, sink)
        text = source_text(given, key)
        yield key, text.replace("$${", "${") if isinstance(value, str) else text


def _check_value(parameter: Parameter, value: Any, place: Origin | None, is_event: bool, sink: Sink) -> None:
    if isinstance(value, str) and value.startswith("$."):
        if not is_event:
            sink.report("SW204", f"`{value}` is of an event, and a schedule has none", place)
        elif not _PATH.fullmatch(value):
            message = (
                f"`{value}` is no path into an event: for example `$.detail.object.key`, and nothing else"
            )
            sink.report("SW205", message, place)
        return
    given, wanted = type_of(value), parameter.type
    fits = given is wanted or (given is Type.INTEGER and wanted is Type.FLOAT) or wanted is Type.ANY
    if not fits and wanted is not Type.STRING:
        help = unquoted(value, wanted) if isinstance(value, str) else None
        message = f"`{parameter.name}` is of type {wanted}, and this is of type {given}"
        sink.report("SW401", message, place, help=help)
    elif parameter.enum and str(value) not in parameter.enum:
        allowed = [str(item) for item in parameter.enum]
        near = nearest(str(value), allowed)
        message = f"`{parameter.name}` is one of {listing(allowed, last='or')}, not `{value}`"
        sink.report("SW204", message, place, help=f"did you mean `{near}`?" if near else None)
    elif len(str(value)) > MAX_VALUE:
        message = f"{len(str(value)):,} characters: EventBridge takes {MAX_VALUE:,}"
        sink.report("SW606", message, place)


def _check_missing(
    name: str, body: Map, parameters: Mapping[str, Parameter], place: Origin | None, sink: Sink
) -> None:
    written = mapping(body, "parameters")
    for parameter in parameters.values():
        if parameter.default is None and parameter.name not in written:
            message = f"the trigger `{name}` lacks the parameter `{parameter.name}`, which has no default"
            at = key_origin(body, "parameters") if "parameters" in body else place
            sink.report("SW202", message, at)
