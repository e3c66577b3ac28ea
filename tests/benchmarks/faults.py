"""Every fault at every call of an upsert, and then one more run."""

from __future__ import annotations

import os

from tests.benchmarks.figures import Figure
from tests.e2e.test_upsert import CHANGES, Aws
from tests.emulator_fixture import REGION, reset, running_emulator, running_proxy
from tests.faults import KINDS
from tests.fleet_ordeal import WAYS, FleetOrdeal
from tests.ordeal import Ordeal, impatient_clients

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",
}


def run() -> list[Figure]:
    os.environ.update(SETTINGS)
    survived = struck = outlived = killed = 0
    with running_emulator() as url, running_proxy(url) as proxy:
        reset(url)
        for change in CHANGES:
            ordeal = Ordeal(Aws(proxy), change, impatient_clients(proxy))
            for number in range(1, ordeal.calls() + 1):
                for kind in KINDS:
                    hit, whole = ordeal.strike(kind, number)
                    struck += hit
                    survived += hit and whole
        reset(url)
        fleet = FleetOrdeal(proxy)
        # Side by side, runs differ by a call or two: the last ones may not come.
        for number in range(1, fleet.calls() - 2):
            for way in WAYS:
                hit, whole = fleet.kill(number, way)
                killed += hit
                outlived += hit and whole
    return [
        _all("faults at calls of an upsert, survived", survived, struck),
        _all("kill -9 at calls of an upsert of 4 pipelines, survived", outlived, killed),
    ]


def _all(name: str, survived: int, struck: int) -> Figure:
    return Figure(name, f"{survived} of {struck}", target="all", met=survived == struck > 0)
