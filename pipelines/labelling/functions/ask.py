"""Start a Ground Truth labelling job for each message of the pipeline's queue. Runs as a Lambda that the queue triggers.

The step's token goes along as a tag, so that `answer.py` knows whom to tell.
"""

from __future__ import annotations

import json
import os
from typing import Any


def handler(event: dict[str, Any], _context: Any) -> None:
    import boto3

    client = boto3.client("sagemaker")
    for record in event["Records"]:
        client.create_labeling_job(**request(json.loads(record["body"]), os.environ))


def request(message: dict[str, Any], settings: Any) -> dict[str, Any]:
    """CreateLabelingJob for one message: {"token", "pipelineExecutionArn", "arguments"}."""
    arguments = message["arguments"]
    execution = message["pipelineExecutionArn"].rpartition("/")[2]
    return {
        "LabelingJobName": f"labelling-{int(arguments['round']):03}-{execution}",
        "LabelAttributeName": "label",
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": arguments["manifest"]}}},
        "OutputConfig": {"S3OutputPath": arguments["output"]},
        "RoleArn": settings["ROLE"],
        "LabelCategoryConfigS3Uri": settings["CATEGORIES"],
        "HumanTaskConfig": {
            "WorkteamArn": settings["WORKTEAM"],
            "UiConfig": {"UiTemplateS3Uri": settings["TEMPLATE"]},
            "PreHumanTaskLambdaArn": settings["PRE_TASK"],
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": settings["CONSOLIDATION"]},
            "TaskTitle": "What does the picture show?",
            "TaskDescription": "Choose the class that fits best.",
            "NumberOfHumanWorkersPerDataObject": 3,
            "TaskTimeLimitInSeconds": 300,
        },
        "Tags": [{"Key": "token", "Value": message["token"]}],
    }
