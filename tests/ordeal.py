"""An upsert that a fault strikes, and the one after it: the state must be as if there had been none."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, field, replace
from typing import Any

from sagewright.compiler import aws as library
from sagewright.compiler.aws import AwsError, Clients
from sagewright.compiler.compilation import Compilation
from sagewright.compiler.plan import Refused
from tests.e2e.test_upsert import CHANGES, LOCK, Aws
from tests.emulator_fixture import BUCKET, REGION, Proxy
from tests.faults import TIMEOUT, Fault

MOST_CALLS = 60


def impatient_clients(proxy: Proxy, patience: float = TIMEOUT) -> Clients:
    """Clients that give up after so many seconds; whether they try again by themselves is AWS_MAX_ATTEMPTS's."""
    clients, patient = Clients(REGION, proxy.url), library.READ_TIMEOUT
    library.READ_TIMEOUT = patience
    try:
        for service in ("sagemaker", "s3", "scheduler", "events"):
            clients.client(service)
    finally:
        library.READ_TIMEOUT = patient
    return clients


@dataclass
class Ordeal:
    """One change, a creation or an update, made again and again with a fault."""

    aws: Aws
    change: str
    clients: Clients
    finished: Any = field(init=False)

    def __post_init__(self) -> None:
        self.start_again()
        self.aws.upsert(self.wanted)
        self.finished = self.aws.state()

    @property
    def wanted(self) -> Compilation:
        return replace(CHANGES[self.change][1], commit="a" * 40)

    def start_again(self) -> None:
        before = CHANGES[self.change][0]
        self.aws.clear()
        if before is not None:
            self.aws.upsert(before)

    def strike(self, kind: str, number: int) -> tuple[bool, bool]:
        """Strike at one call, and run once more. Was there such a call, and is the state what was asked for?"""
        self.start_again()
        with Fault(kind, number).between(self.aws.proxy) as fault, contextlib.suppress(AwsError, Refused):
            self.aws.upsert(self.wanted, self.clients)
        if kind == "timeout":
            time.sleep(TIMEOUT)  # what nobody waits for any more takes effect all the same
        self._let_the_lock_expire()
        self.aws.upsert(self.wanted)
        names = [p["PipelineName"] for p in self.aws.sagemaker.list_pipelines()["PipelineSummaries"]]
        return fault.struck, self.aws.state() == self.finished and names == ["abalone"]

    def calls(self) -> int:
        """How many calls an upsert makes."""
        fault = Fault("slow", MOST_CALLS)
        self.start_again()
        with fault.between(self.aws.proxy):
            self.aws.upsert(self.wanted, self.clients)
        return fault.seen

    def _let_the_lock_expire(self) -> None:
        """A lock whose removal failed is over after a quarter of an hour: here, now."""
        if LOCK in self.aws.objects():
            record = json.loads(self.aws.s3.get_object(Bucket=BUCKET, Key=LOCK)["Body"].read())
            record["expires"] = "2020-01-01T00:00:00+00:00"
            self.aws.s3.put_object(Bucket=BUCKET, Key=LOCK, Body=json.dumps(record).encode())
