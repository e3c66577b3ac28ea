"""Kill -9 at every call of an upsert of several pipelines side by side: one more run, and all is as it was asked for.

Here the two ways take turns; `python -m tests.benchmarks faults` has both at every call.
"""

from __future__ import annotations

import pytest

from tests.emulator_fixture import Proxy
from tests.fleet_ordeal import WAYS, FleetOrdeal


@pytest.mark.parametrize("first", [0, 1])
def test_killed_at_any_call_it_is_completed_by_the_next(proxy: Proxy, first: int) -> None:
    ordeal = FleetOrdeal(proxy)
    calls = ordeal.calls()
    assert calls >= 36
    for number in range(1 + first, calls - 3, 2):
        way = WAYS[number // 2 % 2]
        assert ordeal.kill(number, way) == (True, True), f"{way} call {number} of {calls}"
