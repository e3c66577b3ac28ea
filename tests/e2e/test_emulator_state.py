"""What the emulator keeps in a file: over a restart, over kill -9, and what it does with files that it cannot use."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.by_hand import (
    TOKEN,
    create,
    definition,
    register,
    start,
    status,
    step,
    steps_of,
    training,
    until,
    until_step,
)
from tests.e2e.test_emulator_executions import ARN, FAIL, ask
from tests.emulator_fixture import ACCOUNT, REGION, SCENARIO, START, Emulator, start_emulator

pytest.importorskip("moto.server", reason="moto's server is not installed (sagewright[local])")

Begin = Callable[..., "Aws"]
FAST = ("--scenario", str(SCENARIO), "--speed", "2000")


class Aws:
    """An emulator that keeps its state, and clients of it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.emulator.url, region_name=REGION)

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    def end(self, *, kill: bool = False) -> None:
        """Have it end, at once if wanted."""
        (self.emulator.process.kill if kill else self.emulator.process.terminate)()
        self.emulator.process.wait(timeout=20)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "emulator.db"


@pytest.fixture
def begin(aws_environment: None, state: Path) -> Iterator[Begin]:
    """Starts an emulator on the state file; all end with the test."""
    begun: list[Aws] = []

    def start_one(*arguments: str) -> Aws:
        begun.append(Aws(start_emulator("--state", str(state), *(arguments or FAST))))
        return begun[-1]

    yield start_one
    for aws in begun:
        aws.end(kill=True)
        assert aws.emulator.process.stdout is not None
        aws.emulator.process.stdout.close()


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


@pytest.mark.parametrize("kill", [False, True])
def test_everything_is_there_again(begin: Begin, kill: bool) -> None:
    aws = begin()
    assert aws.emulator.said.startswith("Taken up: 0 pipelines, ")
    sagemaker = aws.sagemaker
    cached = training("Train", CacheConfig={"Enabled": True, "ExpireAfter": "P30D"})
    create(sagemaker, cached, Tags=[{"Key": "a", "Value": "1"}], PipelineVersionAliases=["live"])
    sagemaker.update_pipeline(PipelineName="p", PipelineDefinition=definition(cached, register()))
    sagemaker.add_tags(ResourceArn=ARN, Tags=[{"Key": "b", "Value": "2"}])
    arn = start(sagemaker, PipelineExecutionDisplayName="mine", ClientRequestToken=TOKEN)
    until(sagemaker, arn)
    package = steps_of(sagemaker, arn)["Register"]["Metadata"]["RegisterModel"]["Arn"]
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    create(sagemaker, FAIL, name="gone")
    sagemaker.delete_pipeline(PipelineName="gone")

    def look(sagemaker: Any) -> list[Any]:
        job = steps_of(sagemaker, arn)["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
        return [
            plain(sagemaker.describe_pipeline(PipelineName="p")),
            plain(sagemaker.describe_pipeline(PipelineName="p", PipelineVersionAlias="live")),
            sagemaker.list_pipelines()["PipelineSummaries"],
            sagemaker.list_tags(ResourceArn=ARN)["Tags"],
            plain(sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)),
            steps_of(sagemaker, arn),
            plain(sagemaker.describe_training_job(TrainingJobName=job)),
            plain(sagemaker.describe_model_package(ModelPackageName=package)),
            sagemaker.list_model_packages(ModelPackageGroupName="models")["ModelPackageSummaryList"],
            plain(sagemaker.describe_model_package_group(ModelPackageGroupName="models")),
        ]

    before = look(sagemaker)
    aws.end(kill=kill)
    again = begin()
    assert again.emulator.said.startswith(
        "Taken up: 1 pipelines, 1 executions, 1 model-package-groups, 1 model-packages"
    )
    assert "Not kept over a restart: models, endpoints" in again.emulator.said
    assert look(again.sagemaker) == before
    assert start(again.sagemaker, PipelineExecutionDisplayName="mine", ClientRequestToken=TOKEN) == arn
    second = start(again.sagemaker)
    until(again.sagemaker, second)
    steps = steps_of(again.sagemaker, second)
    assert steps["Train"]["CacheHitResult"] == {"SourcePipelineExecutionArn": arn}
    assert steps["Register"]["Metadata"]["RegisterModel"]["Arn"].endswith("/2")


def test_what_was_running_goes_on(begin: Begin) -> None:
    aws = begin(*FAST[:2], "--speed", "100")  # a training takes two seconds
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/none"
    create(aws.sagemaker, training("First"), training("Second", "First"), ask(url))
    arn = start(aws.sagemaker)
    until_step(aws.sagemaker, arn, "Second")
    before = steps_of(aws.sagemaker, arn)
    aws.end(kill=True)
    again = begin().sagemaker
    assert status(again, arn) == "Executing"
    assert steps_of(again, arn)["First"] == before["First"]
    token = before["Ask"]["Metadata"]["Callback"]["CallbackToken"]
    assert until_step(again, arn, "Ask")["Metadata"]["Callback"]["CallbackToken"] == token
    again.send_pipeline_execution_step_success(CallbackToken=token)
    assert until(again, arn)["PipelineExecutionStatus"] == "Succeeded"
    assert steps_of(again, arn)["Second"]["AttemptCount"] == 1


def test_a_stop_and_a_retry_outlive_it(begin: Begin) -> None:
    aws = begin()
    create(aws.sagemaker, training("Train"), training("Endless"))
    arn = start(aws.sagemaker)
    until_step(aws.sagemaker, arn, "Train", "Succeeded")
    stop = {"PipelineExecutionArn": arn, "ClientRequestToken": TOKEN}
    aws.sagemaker.stop_pipeline_execution(**stop)
    until(aws.sagemaker, arn)
    aws.end(kill=True)
    again = begin()
    assert status(again.sagemaker, arn) == "Stopped"
    again.sagemaker.stop_pipeline_execution(**stop)
    again.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="r" * 32)
    until_step(again.sagemaker, arn, "Endless")
    again.end(kill=True)
    third = begin().sagemaker
    assert status(third, arn) == "Executing"
    assert steps_of(third, arn)["Train"]["StepStatus"] == "Succeeded"


def test_loops_and_selections_outlive_it(begin: Begin) -> None:
    aws = begin()
    body = training("Body")
    loop = {"IterableItems": ["1", "2"], "MaxConcurrency": 1, "ForEachBody": [body]}
    create(
        aws.sagemaker, training("Train"), step("Loop", "ForEach", loop, ("Train",)), training("Last", "Loop")
    )
    whole = start(aws.sagemaker)
    until(aws.sagemaker, whole)
    selection = {"SelectedSteps": [{"StepName": "Last"}], "SourcePipelineExecutionArn": whole}
    arn = start(aws.sagemaker, SelectiveExecutionConfig=selection)
    until(aws.sagemaker, arn)
    before = [steps_of(aws.sagemaker, which) for which in (whole, arn)]
    aws.end()
    again = begin().sagemaker
    assert [steps_of(again, which) for which in (whole, arn)] == before


def test_objects(begin: Begin) -> None:
    aws = begin()
    s3 = aws.client("s3")
    for bucket in ("acme-ml", "empty", "gone"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.delete_bucket(Bucket="gone")
    s3.put_bucket_versioning(Bucket="acme-ml", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="acme-ml", Key="a/b c/ü.json", Body=b"1", Metadata={"k": "v"}, ContentType="x/y")
    s3.put_object(Bucket="acme-ml", Key="a/b c/ü.json", Body=b"2")
    for key in ("deleted", "one", "two"):
        s3.put_object(Bucket="acme-ml", Key=key, Body=key.encode())
    s3.delete_object(Bucket="acme-ml", Key="deleted")
    s3.copy_object(Bucket="empty", Key="copy", CopySource={"Bucket": "acme-ml", "Key": "one"})
    s3.delete_objects(Bucket="empty", Delete={"Objects": [{"Key": "copy"}]})
    upload = s3.create_multipart_upload(Bucket="empty", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="empty", Key="parts", UploadId=upload, PartNumber=1, Body=b"p" * 100)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket="empty", Key="parts", UploadId=upload, MultipartUpload=parts)

    def look(s3: Any) -> list[Any]:
        found: list[Any] = [[b["Name"] for b in s3.list_buckets()["Buckets"]]]
        for bucket in found[0]:
            versions = plain(s3.list_object_versions(Bucket=bucket))
            found.append([versions.get("Versions"), versions.get("DeleteMarkers")])
            found.append(s3.get_bucket_versioning(Bucket=bucket).get("Status"))
            for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
                got = s3.get_object(Bucket=bucket, Key=entry["Key"])
                found.append((entry["Key"], got["Body"].read(), got["ETag"], got["Metadata"]))
        return found

    before = look(s3)
    first = before[1][0]
    aws.end(kill=True)
    again = begin().client("s3")
    assert look(again) == before
    assert [v["Key"] for v in first].count("a/b c/ü.json") == 2
    with pytest.raises(again.exceptions.ClientError):
        again.put_object(Bucket="acme-ml", Key="one", Body=b"", IfNoneMatch="*")


def test_a_reset_forgets_it(begin: Begin) -> None:
    from tests.emulator_fixture import reset

    aws = begin()
    create(aws.sagemaker, training("Endless"))
    start(aws.sagemaker)
    reset(aws.emulator.url)
    aws.end()
    assert begin().emulator.said.startswith("Taken up: 0 pipelines, 0 executions")


# -- files that cannot be used ----------------------------------------------------------------------------------------


def refuse(state: Path) -> str:
    """What it says of a file that it refuses, and leaves as it is."""
    before = state.read_bytes()
    command = [sys.executable, "-c", START, "--port", "0", "--state", str(state)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert state.read_bytes() == before
    return ended.stderr


def test_a_file_that_is_no_database(state: Path, aws_environment: None) -> None:
    state.parent.mkdir()
    state.write_bytes(b"This is a text, and a long one." * 100)
    assert "file is not a database" in refuse(state)


def test_a_database_of_something_else(state: Path, aws_environment: None) -> None:
    state.parent.mkdir()
    with sqlite3.connect(state) as base:
        base.execute("CREATE TABLE t (x)")
    base.close()
    assert "is a database of something else" in refuse(state)


def made(state: Path) -> None:
    from sagewright.compiler.emulator.store import Store, Thing

    store = Store(state)
    store.put(*(Thing("pipeline", f"{ACCOUNT}/{REGION}", str(n), {"x": "y" * 1000}) for n in range(100)))
    store.close()


def test_a_newer_one(state: Path, aws_environment: None) -> None:
    made(state)
    with sqlite3.connect(state) as base:
        base.execute("PRAGMA user_version = 99")
    base.close()
    assert "was written by a newer sagewright (its schema is 99)" in refuse(state)


def test_a_damaged_one(state: Path, aws_environment: None) -> None:
    made(state)
    data = bytearray(state.read_bytes())
    data[8192:12288] = b"\xff" * 4096
    state.write_bytes(data)
    assert "damaged" in refuse(state) or "malformed" in refuse(state)


def test_a_truncated_one(state: Path, aws_environment: None) -> None:
    made(state)
    state.write_bytes(state.read_bytes()[:20_000])
    assert "damaged" in refuse(state) or "malformed" in refuse(state)


def test_two_emulators_on_one_file(begin: Begin, state: Path) -> None:
    aws = begin()
    create(aws.sagemaker, training("Train"))
    assert f"another emulator uses {state}" in refuse(state)
    assert aws.sagemaker.list_pipelines()["PipelineSummaries"]


def test_a_folder_that_cannot_be_made(tmp_path: Path, aws_environment: None) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-c", START, "--port", "0", "--state", str(tmp_path / "file" / "x.db")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1 and "cannot open" in ended.stderr
