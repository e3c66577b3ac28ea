"""Kill -9 at a call of an upsert of several pipelines side by side: one more run, and all is as it was asked for.

Here it is every fifth call, and the two ways take turns; `python -m tests.benchmarks faults` has both at every call.
"""

from __future__ import annotations

import pytest

from tests.emulator_fixture import Proxy
from tests.fleet_ordeal import WAYS, FleetOrdeal

STRIDE = 5


@pytest.mark.parametrize("first", [1, 3])
def test_killed_at_any_call_it_is_completed_by_the_next(proxy: Proxy, first: int) -> None:
    ordeal = FleetOrdeal(proxy)
    calls = ordeal.calls()
    assert calls >= 36
    for number in range(first, calls - 3, 2 * STRIDE):
        way = WAYS[number // STRIDE % 2]
        assert ordeal.kill(number, way) == (True, True), f"{way} call {number} of {calls}"
