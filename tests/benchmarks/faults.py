"""Every fault at every call of an upsert, and then one more run."""

from __future__ import annotations

import os

from tests.benchmarks.figures import Figure
from tests.e2e.test_upsert import CHANGES, Aws
from tests.emulator_fixture import REGION, reset, running_emulator, running_proxy
from tests.faults import KINDS
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
    survived = struck = 0
    with running_emulator() as url, running_proxy(url) as proxy:
        reset(url)
        for change in CHANGES:
            ordeal = Ordeal(Aws(proxy), change, impatient_clients(proxy))
            for number in range(1, ordeal.calls() + 1):
                for kind in KINDS:
                    hit, whole = ordeal.strike(kind, number)
                    struck += hit
                    survived += hit and whole
    said = f"{survived} of {struck}"
    return [Figure("faults at calls of an upsert, survived", said, target="all", met=survived == struck > 0)]
