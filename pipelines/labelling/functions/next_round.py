"""Start the next round, if the model is not good enough and rounds are left. A step of the pipeline calls it."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """Gives `verdict`, and the `execution` of the next round, or an empty text."""
    verdict = judge(event["accuracy"], event["target"], event["round"], event["max_rounds"])
    if verdict != "again":
        return {"verdict": verdict, "execution": ""}
    import boto3

    # The token makes a repeated call start one execution: SageMaker may call a Lambda step twice.
    started = boto3.client("sagemaker").start_pipeline_execution(
        PipelineName=event["pipeline"],
        PipelineParameters=[{"Name": "Round", "Value": str(event["round"] + 1)}],
        ClientRequestToken=f"round-{event['round'] + 1:04}-after-{event['execution']:0>32}",
    )
    return {"verdict": verdict, "execution": started["PipelineExecutionArn"]}


def judge(accuracy: float, target: float, number: int, most: int) -> str:
    if accuracy >= target:
        return "good enough"
    return "again" if number < most else "no rounds left"
