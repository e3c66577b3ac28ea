"""The SageMaker SDK's own client, unchanged, against the emulator."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.emulator_fixture import ACCOUNT, REGION
from tests.sdk import NO_SDK, sdk_environment, sdk_python

pytestmark = [
    pytest.mark.skipif(sdk_python() is None, reason=NO_SDK),
    pytest.mark.xdist_group("sdk"),
]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def test_the_sdks_client(emulator: str) -> None:
    boto3.client("iam", endpoint_url=emulator).create_role(
        RoleName="SageMakerRole", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    program = str(Path(__file__).with_name("sdk_client.py"))
    environment = {**sdk_environment(), "AWS_ENDPOINT_URL": emulator, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [str(sdk_python()), program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen: dict[str, Any] = json.loads(done.stdout.rpartition("\n{")[2].join(("{", "")))
    assert seen == {
        "created": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/sdk",
        "described": "second",
        "definition": True,
        "versions": 1,
        "first": ["Succeeded", dict.fromkeys(("Good", "Gate", "Score"), "Succeeded")],
        "name": "mine",
        "parameters": [{"Name": "Least", "Value": "0.5"}, {"Name": "Mode", "Value": "full"}],
        "built": {"Least": 0.95, "Mode": "full"},
        "listed": [True],
        "second": [
            True,
            "Step failure: One or multiple steps failed.",
            {"Score": "Succeeded", "Gate": "Succeeded", "Bad": "Failed"},
        ],
        "cached": True,
        "third": {"Score": "Succeeded"},
        "refused": [
            "ValidationException",
            "Parameter 'Mode' value 'slow' is not one of its enum values ['fast', 'full'].",
        ],
        "undeletable": "ConflictException",
        "stopped": ["Stopped", {"Endless": "Stopped", "Ask": "Succeeded"}],
        "retried": ["Executing", {"Endless": "Executing", "Ask": "Succeeded"}],
        "deleted": "ResourceNotFound",
    }
