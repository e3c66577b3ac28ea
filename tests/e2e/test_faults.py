"""Calls of an upsert, struck by a fault: after one more run, all is as it was asked for.

Here the faults take turns, and of many calls every fifth is struck; `python -m tests.benchmarks faults` has every fault at every call.
"""

from __future__ import annotations

import pytest

from sagewright.compiler.aws import Clients
from tests.e2e.test_upsert import CHANGES, LOCK, Aws, compiled, definition
from tests.emulator_fixture import REGION, Proxy
from tests.faults import KINDS, Fault
from tests.ordeal import Ordeal, impatient_clients

MANY = 25
"""Calls, of which every fifth is struck."""


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("create", 0),
        ("update", 2),
        *((c, 1) for c in CHANGES if "triggers" in c),
    ],
)
def test_a_fault_at_any_call_is_survived(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, change: str, first: int
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    ordeal = Ordeal(Aws(proxy), change, impatient_clients(proxy))
    calls = ordeal.calls()
    assert calls >= {"create": 10, "update": 18, "create with triggers": 15, "update of triggers": 30}[change]
    for number in range(1, calls + 1, 1 if calls < MANY else 5):
        kind = KINDS[(number + first) % len(KINDS)]
        assert ordeal.strike(kind, number) == (True, True), f"{kind} at call {number} of {calls}"
    ordeal.aws.upsert(compiled(definition("3")))
    assert LOCK not in ordeal.aws.objects()


@pytest.mark.parametrize("kind", ["throttled", "500", "lost"])
def test_with_boto3s_attempts_a_fault_is_not_even_noticed(proxy: Proxy, kind: str) -> None:
    aws = Aws(proxy)
    clients = Clients(REGION, proxy.url)
    for number in (1, 4, 8):
        wanted = compiled(definition(f"{kind} {number}"))
        with Fault(kind, number).between(proxy):
            aws.upsert(wanted, clients)
        assert aws.describe()["PipelineDefinition"] == wanted.definition
        assert LOCK not in aws.objects()
