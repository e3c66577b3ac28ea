"""Upserts pipelines of a few processing steps with the SageMaker SDK 3, one after the other as its users do it, to where
AWS_ENDPOINT_URL points.

python sdk_upsert.py 20 3        # pipelines, steps of each
"""

from __future__ import annotations

import socket
import sys

import botocore.client

_network = botocore.client.BaseClient._make_api_call, socket.socket.connect

import sdk_offline  # noqa: E402
import sdk_steps  # noqa: E402
from sagemaker.core import image_uris  # noqa: E402
from sagemaker.mlops.workflow.pipeline import Pipeline  # noqa: E402

# Those take the network away; here it leads to the emulator.
botocore.client.BaseClient._make_api_call, socket.socket.connect = _network  # type: ignore[method-assign]


def main() -> None:
    pipelines, steps = int(sys.argv[1]), int(sys.argv[2])
    session = sdk_offline.session()
    image = image_uris.retrieve("sklearn", sdk_offline.REGION, version="1.2-1", instance_type="ml.m5.large")
    for number in range(pipelines):
        made: list[sdk_steps.ProcessingStep] = []
        for index in range(steps):
            made.append(sdk_steps.step(index, made[-1] if made else None, session, image))
        pipeline = Pipeline(name=f"p{number:04}", steps=made, sagemaker_session=session)
        pipeline.upsert(role_arn=sdk_offline.ROLE, tags=[{"Key": "team", "Value": "risk"}])


if __name__ == "__main__":
    main()
