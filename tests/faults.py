"""Faults between boto3 and the emulator: one of them, at the n-th call."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.emulator_fixture import Answer, Call, Proxy, aws_error

TIMEOUT = 0.25
"""Seconds that clients wait for an answer in these tests."""
KINDS = ("throttled", "500", "timeout", "reset", "slow", "lost")
"""`reset` hangs up without asking AWS, `lost` after AWS has done it."""


@dataclass(slots=True)
class Fault:
    """Strikes at the call with the number `at`, the first being 1. `seen` counts calls."""

    kind: str
    at: int
    seen: int = 0
    losing: bool = False

    def rule(self, call: Call) -> Answer | None:
        """Before the call is passed on."""
        self.seen += 1
        self.losing = False
        if self.seen != self.at:
            return None
        match self.kind:
            case "throttled":
                return aws_error(
                    call,
                    400 if call.method == "POST" and not call.key else 503,
                    "ThrottlingException",
                    "Rate exceeded",
                )
            case "500":
                return aws_error(call, 500, "InternalFailure", "sorry")
            case "timeout":
                time.sleep(1.5 * TIMEOUT)
            case "slow":
                time.sleep(0.2 * TIMEOUT)
            case _:
                self.losing = True
        return None

    @property
    def struck(self) -> bool:
        return self.seen >= self.at

    @contextmanager
    def between(self, proxy: Proxy) -> Iterator[Fault]:
        """Strike at what goes through the proxy inside."""
        proxy.rules[:] = [self.rule]
        proxy.hung_up[:] = [lambda call: self.losing and self.kind == "reset"]
        proxy.lost[:] = [lambda call: self.losing and self.kind == "lost"]
        try:
            yield self
        finally:
            for rules in (proxy.rules, proxy.hung_up, proxy.lost):
                rules.clear()
