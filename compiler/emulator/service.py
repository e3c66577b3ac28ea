"""The emulator's own state beside moto's, and what all of its answers share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from threading import RLock
from typing import Any, ClassVar

from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import ModelPackage, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from sagewright.compiler.emulator.executions import Executions
from sagewright.compiler.emulator.executors import Settings
from sagewright.compiler.emulator.keeper import Keeper
from sagewright.compiler.emulator.store import Store

PAGE = 100

turn = RLock()
"""moto's backends are plain dictionaries: one request at a time, so that what is checked is still so when it is used.

Whoever holds it waits for no execution.
"""


class Service:
    """`keeper` writes what outlives the emulator."""

    def __init__(self, settings: Settings, store: Store | None = None) -> None:
        self.keeper = Keeper(store)
        self.executions = Executions(settings, turn, self.keeper.execution, self._keep_package)

    def _keep_package(self, backend: SageMakerModelBackend, package: ModelPackage) -> None:
        self.keeper.package(backend, package)

    def reset(self) -> None:
        """Forget everything, as `/moto-api/reset` does."""
        self.executions.reset()
        self.keeper.clear()


class Answers(SageMakerResponse):
    """What the emulator's answers have in common: the service, and pages."""

    service: ClassVar[Service]

    def _descending(self) -> bool:
        return self.params.get("SortOrder", "Descending") == "Descending"

    def _since(self, found: Any, created: Callable[[Any], Any]) -> list[Any]:
        """Those created in the time that the request names."""
        after, before = (self.params.get(f"Created{when}") for when in ("After", "Before"))
        aware = [(item, _aware(created(item))) for item in found]
        return [
            item
            for item, at in aware
            if (after is None or at > _aware(after)) and (before is None or at < _aware(before))
        ]

    def _page(self, found: list[Any]) -> tuple[list[Any], str | None]:
        """One page, and the token of the next; a token is where that begins."""
        token = self.params.get("NextToken") or "0"
        if not token.isdigit() or int(token) > len(found):
            raise ValidationError("Invalid pagination token.")
        start, size = int(token), self.params.get("MaxResults") or PAGE
        following = start + size
        return found[start:following], str(following) if following < len(found) else None


def _aware(time: Any) -> Any:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
