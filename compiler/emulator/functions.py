"""The code of Lambda functions that the emulator has, for steps that run on this machine."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moto.awslambda import models
from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import lambda_backends

from sagewright.compiler.local.job import Function


class _AnyRole:
    """In place of moto's IAM, where Lambda looks for the role of a function."""

    def get_role_by_arn(self, arn: str) -> str:
        return arn


def take_any_role() -> None:
    """Let functions have any role of the account, as pipelines have: moto's Lambda wants those that its IAM made."""
    setattr(models, "iam_backends", defaultdict(lambda: defaultdict(_AnyRole)))  # noqa: B010


class EmulatedFunctions(Mapping[str, Function]):
    """Functions by ARN, with or without a version or an alias; their code is written below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, arn: str) -> Function:
        found = _find(arn)
        if found is None:
            raise KeyError(arn)
        code: bytes = found.code_bytes
        archive = self._folder / f"{hashlib.sha256(code).hexdigest()}.zip"
        if not archive.exists():
            archive.parent.mkdir(parents=True, exist_ok=True)
            partial = archive.with_suffix(f".{id(found):x}")
            partial.write_bytes(code)
            partial.replace(archive)
        return Function(archive, str(found.handler), str(found.run_time), int(found.timeout or 3))

    def __iter__(self) -> Iterator[str]:
        for regions in lambda_backends.values():
            for backend in regions.values():
                yield from (function.function_arn for function in backend.list_functions())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _find(arn: str) -> Any:
    """moto's function, None where there is none."""
    parts = arn.split(":")
    if len(parts) < 7 or parts[5] != "function":
        return None
    backend = lambda_backends[parts[4]][parts[3]]
    try:
        return backend.get_function(arn)
    except LambdaClientError:
        return None
