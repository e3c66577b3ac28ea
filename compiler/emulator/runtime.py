"""InvokeEndpoint: an endpoint that runs on this machine answers for itself, any other in moto's canned words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

from moto.core.common_types import TYPE_RESPONSE
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from sagewright.compiler.local.fronts import FrontProcess, folder_of
from sagewright.compiler.local.job import JobFailed

_HOP = frozenset({"connection", "content-length", "host", "transfer-encoding", "date", "server"})
"""Headers that belong to one connection."""


class EmulatedRuntime(SageMakerRuntimeResponse):
    """`home` is the `.sagewright` whose endpoints answer; None where steps are only simulated."""

    home: ClassVar[Path | None] = None

    def invoke_endpoint(self) -> TYPE_RESPONSE:
        return self._answer(super().invoke_endpoint, later=False)

    def invoke_endpoint_async(self) -> TYPE_RESPONSE:
        return self._answer(super().invoke_endpoint_async, later=True)

    def _answer(self, canned: Callable[[], TYPE_RESPONSE], *, later: bool) -> TYPE_RESPONSE:
        front = self._front()
        if front is None:
            return canned()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        body = self.raw_body if isinstance(self.raw_body, bytes) else str(self.raw_body or "").encode()
        try:
            answer = front.invoke(body, headers, later=later, as_aws=True)
        except JobFailed as error:
            return _reply(
                503, {"x-amzn-errortype": "ServiceUnavailable"}, json.dumps({"message": str(error)})
            )
        given = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
        return _reply(answer.status, given, answer.body)

    def _front(self) -> FrontProcess | None:
        """The endpoint that the path names, where it runs or ran here."""
        name = unquote(self.path.split("/")[2])
        if self.home is None or "/" in name or name.startswith("."):
            return None
        front = FrontProcess(folder_of(self.home) / name)
        return front if front.state is not None else None


def _reply(status: int, headers: dict[str, str], body: bytes | str) -> TYPE_RESPONSE:
    """An answer as moto takes it: the status that counts stands among the headers."""
    return status, {**headers, "status": str(status)}, body
