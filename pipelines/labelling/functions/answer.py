"""Tell the pipeline that its labelling job has ended. Runs as a Lambda, on EventBridge's events of labelling jobs:
{"source": ["aws.sagemaker"], "detail-type": ["SageMaker Ground Truth Labeling Job State Change"]}.
"""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], _context: Any) -> None:
    import boto3

    client = boto3.client("sagemaker")
    for arn in event["resources"]:
        found = client.describe_labeling_job(LabelingJobName=arn.rpartition("/")[2])
        call, parameters = answer(found)
        if call is not None:
            getattr(client, call)(**parameters)


def answer(job: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """What is to be called for a job as DescribeLabelingJob has it; nothing for jobs of others, or that still run."""
    token = next((tag["Value"] for tag in job.get("Tags", ()) if tag["Key"] == "token"), None)
    if token is None:
        return None, {}
    if job["LabelingJobStatus"] == "Completed":
        outputs = {
            "manifest": job["LabelingJobOutput"]["OutputDatasetS3Uri"],
            "labelled": str(job["LabelCounters"]["TotalLabeled"]),
        }
        parameters = [{"Name": name, "Value": value} for name, value in outputs.items()]
        return "send_pipeline_execution_step_success", {
            "CallbackToken": token,
            "OutputParameters": parameters,
        }
    if job["LabelingJobStatus"] in ("Failed", "Stopped"):
        reason = job.get("FailureReason") or f"the labelling job was {job['LabelingJobStatus'].lower()}"
        return "send_pipeline_execution_step_failure", {"CallbackToken": token, "FailureReason": reason[:256]}
    return None, {}
