"""The emulator with `--executor local`: the steps' own code runs, with the emulator's S3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.by_hand import TOKEN, start, steps_of, until, until_step
from tests.emulator_fixture import BUCKET, REGION, reset, start_emulator

pytest.importorskip("moto.server", reason="moto's server is not installed (sagewright[local])")

PROJECT = f"""\
version: 1
region: {REGION}
bucket: {BUCKET}
role: arn:aws:iam::123456789012:role/SageMakerRole
local: {{images: {{"*": {{python: current}}}}}}
"""
PIPELINE = """\
name: here
parameters: {Seconds: 0, Code: 0}
steps:
  Prepare:
    kind: processing
    image: 123456789012.dkr.ecr.us-west-2.amazonaws.com/image:1
    command: [python3]
    instance: ml.m5.large
    code: prepare.py
    arguments: {seconds: "${parameters.Seconds}", code: "${parameters.Code}"}
    inputs: {raw: "s3://acme-ml/raw/"}
    outputs: {made: {}}
    reports: {report: {output: made, file: report.json}}
  Enough:
    kind: condition
    if: steps.Prepare.reports.report.rows >= 2
    then: {}
    else:
      Reject: {kind: fail, message: "too few rows"}
"""
SCRIPT = """\
import json, os, sys, time
from pathlib import Path
base = Path(os.environ.get("SAGEMAKER_BASE_DIR") or "/opt/ml") / "processing"
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
time.sleep(float(given["--seconds"]))
rows = (base / "input/raw/rows.csv").read_text().splitlines()
(base / "output/made/report.json").write_text(json.dumps({"rows": len(rows)}))
sys.exit(int(given["--code"]))
"""


@pytest.fixture
def url(aws_environment: None, tmp_path: Path) -> Iterator[str]:
    """An emulator in a project whose pipeline `here` is deployed."""
    (tmp_path / "sagewright.yaml").write_text(PROJECT)
    folder = tmp_path / "pipelines" / "here"
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    (folder / "prepare.py").write_text(SCRIPT)
    emulator = start_emulator("--executor", "local", cwd=tmp_path)
    with emulator.process as process:
        reset(emulator.url)
        command = [sys.executable, "-m", "sagewright.compiler", "upsert", "pipelines/here", "--yes"]
        environment = {**os.environ, "AWS_ENDPOINT_URL": emulator.url}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield emulator.url
        process.terminate()
        assert process.wait(timeout=30) == 0


def client(url: str) -> Any:
    return boto3.client("sagemaker", endpoint_url=url)


def put_rows(url: str, text: str) -> None:
    boto3.client("s3", endpoint_url=url).put_object(Bucket=BUCKET, Key="raw/rows.csv", Body=text.encode())


def test_code_runs_and_its_output_is_in_s3(url: str) -> None:
    sagemaker = client(url)
    put_rows(url, "a\nb\nc\n")
    arn = start(sagemaker, "here")
    assert until(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    steps = steps_of(sagemaker, arn)
    assert steps["Enough"]["Metadata"]["Condition"]["Outcome"] == "True"
    job = steps["Prepare"]["Metadata"]["ProcessingJob"]["Arn"].rpartition("/")[2]
    shown = sagemaker.describe_processing_job(ProcessingJobName=job)
    output = shown["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    bucket, _, key = output.removeprefix("s3://").partition("/")
    body = boto3.client("s3", endpoint_url=url).get_object(
        Bucket=bucket, Key=f"{key.rstrip('/')}/report.json"
    )
    assert body["Body"].read() == b'{"rows": 3}'
    put_rows(url, "a\n")
    rejected = start(sagemaker, "here")
    assert until(sagemaker, rejected)["PipelineExecutionStatus"] == "Failed"
    assert steps_of(sagemaker, rejected)["Reject"]["FailureReason"] == "too few rows"


def test_code_that_fails_and_code_that_is_stopped(url: str) -> None:
    sagemaker = client(url)
    put_rows(url, "a\nb\n")
    failed = start(sagemaker, "here", PipelineParameters=[{"Name": "Code", "Value": "3"}])
    assert until(sagemaker, failed)["PipelineExecutionStatus"] == "Failed"
    assert "3" in steps_of(sagemaker, failed)["Prepare"]["FailureReason"]
    long = start(sagemaker, "here", PipelineParameters=[{"Name": "Seconds", "Value": "600"}])
    until_step(sagemaker, long, "Prepare")
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=long, ClientRequestToken=TOKEN)
    assert until(sagemaker, long)["PipelineExecutionStatus"] == "Stopped"


SERVED = """\
name: served
steps:
  Count:
    kind: lambda
    code: count.py
    runtime: python3.12
    handler: count.handler
    lambda_role: arn:aws:iam::123456789012:role/Lambda
    arguments: {bucket: acme-ml, prefix: raw/}
    outputs: {objects: Integer}
  Train:
    kind: training
    image: sklearn:1.2-1
    instance: ml.m5.large
    code: train.py
    hyperparameters: {objects: "${steps.Count.outputs.objects}"}
  Deploy:
    kind: deploy
    endpoint: served
    image: sklearn:1.2-1
    instance: ml.m5.large
    model_data: ${steps.Train.model_data}
    code: inference.py
"""
COUNT = """\
import boto3
def handler(event, context):
    found = boto3.client("s3").list_objects_v2(Bucket=event["bucket"], Prefix=event["prefix"])
    return {"objects": found["KeyCount"]}
"""
TRAIN = """\
import os, sys
from pathlib import Path
(Path(os.environ["SM_MODEL_DIR"]) / "factor").write_text(sys.argv[sys.argv.index("--objects") + 1])
"""
INFERENCE = """\
from pathlib import Path
def model_fn(folder): return int((Path(folder) / "factor").read_text())
def input_fn(body, content_type): return float(body)
def predict_fn(number, factor): return number * factor
def output_fn(number, accept): return str(number), "text/plain"
"""


def test_functions_models_and_endpoints_are_real(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "pipelines" / "served"
    folder.mkdir(parents=True)
    files = {"pipeline.yaml": SERVED, "count.py": COUNT, "train.py": TRAIN, "inference.py": INFERENCE}
    for name, text in files.items():
        (folder / name).write_text(text)
    command = [sys.executable, "-m", "sagewright.compiler"]
    environment = {**os.environ, "AWS_ENDPOINT_URL": url}
    subprocess.run(
        [*command, "upsert", "pipelines/served", "--yes"], cwd=tmp_path, env=environment, check=True
    )
    put_rows(url, "a")
    boto3.client("s3", endpoint_url=url).put_object(Bucket=BUCKET, Key="raw/more.csv", Body=b"b")
    sagemaker = client(url)
    try:
        arn = start(sagemaker, "served")
        steps = until(sagemaker, arn) and steps_of(sagemaker, arn)
        assert {name: step["StepStatus"] for name, step in steps.items()} == dict.fromkeys(steps, "Succeeded")
        runtime = boto3.client("sagemaker-runtime", endpoint_url=url)
        answer = runtime.invoke_endpoint(EndpointName="served", Body=b"21", ContentType="text/plain")
        assert float(answer["Body"].read()) == 42.0
        assert answer["InvokedProductionVariant"] == "AllTraffic"
        with pytest.raises(runtime.exceptions.ModelError, match="could not convert"):
            runtime.invoke_endpoint(EndpointName="served", Body=b"x", ContentType="text/plain")
        canned = runtime.invoke_endpoint(EndpointName="other", Body=b"1")
        assert canned["Body"].read() == b"body", "moto's own"
    finally:
        subprocess.run([*command, "endpoints", "--all", "--yes"], cwd=tmp_path, env=environment, check=True)
