"""The time of a simulated execution: faster than the wall's, so that an hour of training can be watched."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Pace:
    """See `run.Clock`. From `start` (seconds since the epoch) on, `speed` seconds pass in one of the wall's.

    Rules (expiry, backoff, caches) go by this time; what the API shows is the wall's.
    """

    start: float
    speed: float = 1.0

    def now(self) -> float:
        return self.start + (time.time() - self.start) * self.speed

    def shown(self, moment: float) -> datetime:
        """A moment of this time on the wall's clock."""
        return datetime.fromtimestamp(self.start + (moment - self.start) / self.speed, UTC)

    def until(self, moment: float) -> float:
        """Seconds of the wall's clock before a moment of this time comes."""
        return max(0.0, (moment - self.now()) / self.speed)
