"""Script mode: how SageMaker's training toolkit, in the framework images, learns which script to run, and how.

The form is that of SageMaker SDK 2.257: hyperparameters whose values are JSON. Source: what that SDK emits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sagewright.compiler.expression import EXPRESSIONS
from sagewright.compiler.images import framework_of_uri
from sagewright.compiler.kind import Context, as_text
from sagewright.compiler.source import Map, Seq, key_origin, origin, own_origin, source_text
from sagewright.steps._code import archive_uri, is_uri, script_uri

FRAMEWORKS = frozenset({"chainer", "huggingface", "mxnet", "pytorch", "sklearn", "tensorflow", "xgboost"})
"""The frameworks whose training images hold the toolkit."""
CODE_CHANNEL = "/opt/ml/input/data/code"
LOG_LEVEL = 20
"""Python's INFO."""
REQUIREMENTS = "requirements.txt"
"""The only name that the toolkit looks for, at the root of the archive."""
TORCH_WITH_METRICS = (1, 3)


@dataclass(frozen=True, slots=True)
class Framework:
    """The framework in an image; huggingface has the version of the framework that it builds on, `base`."""

    name: str
    base: str
    version: tuple[int, ...]

    @property
    def torch(self) -> tuple[int, ...]:
        """PyTorch's version, empty where there is none."""
        return self.version if self.base == "pytorch" else ()

    @property
    def has_metrics(self) -> bool:
        """Whether the SDK asks for its metrics as time series."""
        return self.torch >= TORCH_WITH_METRICS or self.base in ("tensorflow", "mxnet")


def framework_of(image: Any) -> Framework | None:
    """The framework in whose image the toolkit is; None for other images and for references."""
    found = framework_of_uri(image) if isinstance(image, str) else None
    if found is None:
        return None
    name, _ = found
    repository, _, tag = image.rsplit("/", 1)[-1].partition(":")
    base = repository.split("-")[1] if name == "huggingface" else name
    return Framework(name, base, version_of(tag))


def version_of(text: str) -> tuple[int, ...]:
    """The numbers that a version or a tag begins with."""
    numbers = re.match(r"[0-9]{1,9}(\.[0-9]{1,9})*", text)
    return tuple(int(number) for number in numbers[0].split(".")) if numbers else ()


# -- code -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submission:
    """What the toolkit is to run: `program`, a path in the archive at `uri`."""

    program: str
    uri: str

    @property
    def in_channel(self) -> str:
        """Where the archive stands when the channel `code` brings it."""
        return f"{CODE_CHANNEL}/{PurePosixPath(self.uri).name}"


def submission(code: Map, context: Context) -> Submission | None:
    """`code` as an archive; None (reported) where it cannot be one."""
    program = code["entry"]
    if code.get("dir") is not None:
        _check_requirements(code, context)
        uri = archive_uri(code, context)
    elif is_uri(program):
        message = "script mode takes code in S3 as an archive with its entry"
        help = "`{dir: s3://.../sourcedir.tar.gz, entry: train.py}`"
        context.error("SW205", message, origin(code, "entry"), help=help)
        return None
    else:
        program, uri = PurePosixPath(program).name, script_uri(code, context)
    return None if uri is None else Submission(program, uri)


def _check_requirements(code: Map, context: Context) -> None:
    if code.get("requirements") not in (None, REQUIREMENTS):
        message = (
            f"SageMaker's training images install `{REQUIREMENTS}` at the root of the code, and no other"
        )
        context.error("SW205", message, origin(code, "requirements"))


# -- hyperparameters --------------------------------------------------------------------------------------------------


def hyperparameters(
    given: Map, code: Submission, settings: dict[str, Any], *, isolated: bool, context: Context
) -> dict[str, Any]:
    """The author's hyperparameters, and those that tell the toolkit what to run; `settings` are a distribution's."""
    own = {
        "sagemaker_submit_directory": code.in_channel if isolated else code.uri,
        "sagemaker_program": code.program,
        "sagemaker_container_log_level": LOG_LEVEL,
        "sagemaker_region": context.region,
        **settings,
    }
    for name in given:
        if name in own:
            message = f"`{name}` is set by script mode"
            context.error(
                "SW208",
                message,
                key_origin(given, name),
                help="override it under `api: {HyperParameters: ..}`",
            )
    return {name: encoded(given, name, context) for name in given} | {
        name: value if isinstance(value, EXPRESSIONS) else _json(value) for name, value in own.items()
    }


def encoded(container: Any, key: str | int, context: Context) -> Any:
    """A value as the toolkit reads it, JSON; a number that JSON would change (`1.10`, `1e3`) is text. An expression
    stays as it is."""
    value = container[key]
    if isinstance(value, EXPRESSIONS):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = source_text(container, key)
        return text if text == json.dumps(value) else json.dumps(text)
    return json_text(value, context)


def plain(container: Any, key: str | int, context: Context) -> Any:
    """A value for a container that knows nothing of script mode: text as it is written, JSON for more than a scalar."""
    value = container[key]
    return json_text(value, context) if isinstance(value, (Map, Seq)) else as_text(container, key)


def json_text(value: Any, context: Context) -> str:
    """JSON of a literal; a reference in it is reported (SW209)."""
    for expression in expressions_in(value):
        message = "a reference cannot stand in a list or mapping that is passed as JSON text"
        context.error("SW209", message, own_origin(expression))
    return _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, default=lambda expression: None)


def expressions_in(value: Any) -> Iterator[Any]:
    """The references in a value, however deep."""
    if isinstance(value, EXPRESSIONS):
        yield value
    elif isinstance(value, (Map, Seq)):
        for item in value.values() if isinstance(value, Map) else value:
            yield from expressions_in(item)
