"""The emulator as any boto3 client sees it: what moto gets wrong about pipelines, answered as AWS does."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests import by_hand
from tests.emulator_fixture import ACCOUNT, BUCKET, REGION, START, start_emulator

ROLE = f"arn:aws:iam::{ACCOUNT}:role/SageMakerRole"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/p"


def definition(message: str = "no") -> str:
    steps = [{"Name": "F", "Type": "Fail", "Arguments": {"ErrorMessage": message}}]
    return json.dumps({"Version": "2020-12-01", "Steps": steps})


@pytest.fixture
def sagemaker(emulator: str) -> Any:
    # Requests go out as they are: the server's own checks are what is tested.
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    return boto3.client("sagemaker", endpoint_url=emulator, config=config)


@pytest.fixture
def s3(emulator: str) -> Any:
    return boto3.client("s3", endpoint_url=emulator)


def create(sagemaker: Any, name: str = "p", **changes: Any) -> Any:
    request = {"PipelineName": name, "PipelineDefinition": definition(), "RoleArn": ROLE, **changes}
    return sagemaker.create_pipeline(**{key: value for key, value in request.items() if value is not None})


def refused(code: str, operation: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        operation(**request)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response["Error"]["Message"]


def test_what_is_created_is_described(sagemaker: Any) -> None:
    assert (
        create(sagemaker, PipelineDescription="d", ParallelismConfiguration={"MaxParallelExecutionSteps": 2})[
            "PipelineArn"
        ]
        == ARN
    )
    shown = sagemaker.describe_pipeline(PipelineName="p")
    assert (shown["PipelineDefinition"], shown["PipelineDisplayName"]) == (definition(), "p")
    assert shown["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    by_arn = sagemaker.describe_pipeline(PipelineName=ARN)
    assert {**by_arn, "ResponseMetadata": 0} == {**shown, "ResponseMetadata": 0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"PipelineName": "a b"},
            "1 validation error detected: Value 'a b' at 'pipelineName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}",
        ),
        (
            {"RoleArn": None},
            "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"RoleArn": "SageMakerRole-of-mine"},
            "1 validation error detected: Value 'SageMakerRole-of-mine' at 'roleArn' failed to satisfy constraint: Member "
            r"must satisfy regular expression pattern: arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
        ),
        (
            {"ParallelismConfiguration": {"MaxParallelExecutionSteps": 0}},
            "1 validation error detected: Value '0' at 'parallelismConfiguration.maxParallelExecutionSteps' failed to "
            "satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            {"Tags": [{"Key": "a", "Value": "1,2"}]},
            "1 validation error detected: Value '1,2' at 'tags.1.member.value' failed to satisfy constraint: Member must "
            r"satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)",
        ),
        ({"PipelineDescription": "x" * 3073}, "Member must have length less than or equal to 3072"),
        ({"PipelineDefinition": "x" * 1_048_577}, "Member must have length less than or equal to 1048576"),
        ({"ClientRequestToken": "short"}, "Member must have length greater than or equal to 32"),
        ({"PipelineDefinition": "{"}, "Unable to parse pipeline definition."),
        (
            {"PipelineDefinition": "[]"},
            "Unable to parse pipeline definition. Expecting start of Json Object.",
        ),
        (
            {"PipelineDefinition": None},
            "Either Pipeline Definition or Pipeline Definition S3 location should be provided",
        ),
        (
            {"PipelineDefinitionS3Location": {"Bucket": BUCKET, "ObjectKey": "k"}},
            "Both Pipeline Definition and Pipeline Definition S3 Location shouldn't be present",
        ),
    ],
)
def test_what_create_refuses(sagemaker: Any, changes: dict[str, Any], message: str) -> None:
    assert message in refused(
        "ValidationException", lambda: create(sagemaker, **{"name": "p", **_named(changes)})
    )
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []


def _named(changes: dict[str, Any]) -> dict[str, Any]:
    return {"name" if key == "PipelineName" else key: value for key, value in changes.items()}


def test_several_mistakes_are_told_together(sagemaker: Any) -> None:
    message = refused("ValidationException", lambda: create(sagemaker, "a b", RoleArn="x"))
    assert message.startswith("3 validation errors detected: ") and message.count("; ") == 2


def test_update_checks_the_definition_too(sagemaker: Any) -> None:
    create(sagemaker)
    message = refused(
        "ValidationException", sagemaker.update_pipeline, PipelineName="p", PipelineDefinition="{}"
    )
    assert message == "Unable to parse pipeline definition. Unsupported Version 'None'"
    assert sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"] == definition()


def test_a_name_is_taken_once(sagemaker: Any) -> None:
    create(sagemaker)
    assert "Pipeline with name (p) already exists" in refused(
        "ValidationException", lambda: create(sagemaker)
    )


def test_a_repeated_request_is_recognised_by_its_token(sagemaker: Any) -> None:
    first = create(sagemaker, ClientRequestToken="t" * 32)
    assert create(sagemaker, ClientRequestToken="t" * 32)["PipelineArn"] == first["PipelineArn"]
    other = {"ClientRequestToken": "t" * 32, "PipelineDescription": "other"}
    refused("ValidationException", lambda: create(sagemaker, **other))


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        *((operation, "p") for operation in ("delete_pipeline", "update_pipeline")),
        *((o, name) for o in ("describe_pipeline", "list_pipeline_versions") for name in ("p", ARN)),
    ],
)
def test_a_missing_pipeline(sagemaker: Any, operation: str, name: str) -> None:
    assert refused("ResourceNotFound", getattr(sagemaker, operation), PipelineName=name) == (
        f"Pipeline '{name}' does not exist."
    )


def test_update_sets_what_it_is_given_and_nothing_else(sagemaker: Any) -> None:
    create(sagemaker, PipelineDescription="d", PipelineDisplayName="D")
    before = sagemaker.describe_pipeline(PipelineName="p")
    sagemaker.update_pipeline(PipelineName="p", PipelineDescription="")
    after = sagemaker.describe_pipeline(PipelineName="p")
    assert "PipelineDescription" not in after and after["PipelineDisplayName"] == "D"
    assert after["LastModifiedTime"] > before["LastModifiedTime"]
    assert after["CreationTime"] == before["CreationTime"]


def test_a_definition_in_s3_is_read_back_as_json(sagemaker: Any, s3: Any) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=BUCKET, Key="k", Body=definition("1").encode())["VersionId"]
    s3.put_object(Bucket=BUCKET, Key="k", Body=definition("2").encode())
    location = {"Bucket": BUCKET, "ObjectKey": "k"}
    create(sagemaker, PipelineDefinition=None, PipelineDefinitionS3Location=location)
    assert sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"] == definition("2")
    sagemaker.update_pipeline(PipelineName="p", PipelineDefinitionS3Location={**location, "VersionId": first})
    assert sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"] == definition("1")


@pytest.mark.parametrize(
    "location", [{"Bucket": BUCKET, "ObjectKey": "gone"}, {"Bucket": "no-bucket", "ObjectKey": "k"}]
)
def test_a_definition_that_is_not_in_s3(sagemaker: Any, location: dict[str, str]) -> None:
    changes = {"PipelineDefinition": None, "PipelineDefinitionS3Location": location}
    message = refused("ValidationException", lambda: create(sagemaker, **changes))
    assert f"s3://{location['Bucket']}/{location['ObjectKey']}" in message


def test_a_definition_in_s3_that_is_none(sagemaker: Any, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"\xff\xfe")
    changes = {
        "PipelineDefinition": None,
        "PipelineDefinitionS3Location": {"Bucket": BUCKET, "ObjectKey": "k"},
    }
    assert "UTF-8" in refused("ValidationException", lambda: create(sagemaker, **changes))


def test_versions(sagemaker: Any) -> None:
    create(sagemaker, PipelineVersionAliases=["live"])
    updated = sagemaker.update_pipeline(PipelineName="p", PipelineDefinition=definition("2"))
    assert updated["PipelineVersionId"] == 2
    assert sagemaker.update_pipeline(PipelineName="p", PipelineDescription="d")["PipelineVersionId"] == 2
    listed = sagemaker.list_pipeline_versions(PipelineName="p")["PipelineVersionSummaries"]
    assert [v["PipelineVersionId"] for v in listed] == [2, 1]
    assert (
        sagemaker.describe_pipeline(PipelineName="p", PipelineVersionId=1)["PipelineDefinition"]
        == definition()
    )
    assert sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"] == definition("2")
    by_alias = sagemaker.describe_pipeline(PipelineName="p", PipelineVersionAlias="live")
    assert (by_alias["PipelineDefinition"], by_alias["PipelineVersionAliases"]) == (definition(), ["live"])
    refused("ResourceNotFound", sagemaker.describe_pipeline, PipelineName="p", PipelineVersionId=3)
    refused("ResourceNotFound", sagemaker.describe_pipeline, PipelineName="p", PipelineVersionAlias="x")


def test_a_version_is_described_and_its_alias_moves(sagemaker: Any) -> None:
    create(sagemaker, PipelineVersionAliases=["live", "old"])
    sagemaker.update_pipeline(PipelineName="p", PipelineDefinition=definition("2"))
    sagemaker.update_pipeline_version(
        PipelineArn=ARN,
        PipelineVersionId=2,
        PipelineVersionDisplayName="second",
        PipelineVersionDescription="d",
        PipelineVersionAliasOperations={"Add": ["live"]},
    )
    shown = sagemaker.describe_pipeline(PipelineName="p")
    assert (shown["PipelineVersionDisplayName"], shown["PipelineVersionAliases"]) == ("second", ["live"])
    assert sagemaker.describe_pipeline(PipelineName="p", PipelineVersionId=1)["PipelineVersionAliases"] == [
        "old"
    ]
    refused("ResourceNotFound", sagemaker.update_pipeline_version, PipelineArn=ARN, PipelineVersionId=9)


def test_tags_are_replaced_not_doubled(sagemaker: Any) -> None:
    create(sagemaker, Tags=[{"Key": "a", "Value": "1"}])
    sagemaker.add_tags(ResourceArn=ARN, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    assert sagemaker.list_tags(ResourceArn=ARN)["Tags"] == [
        {"Key": "a", "Value": "2"},
        {"Key": "b", "Value": ""},
    ]
    sagemaker.delete_tags(ResourceArn=ARN, TagKeys=["a", "none"])
    assert sagemaker.list_tags(ResourceArn=ARN)["Tags"] == [{"Key": "b", "Value": ""}]
    many = [{"Key": str(n), "Value": ""} for n in range(50)]
    assert "limit of 50" in refused("ValidationException", sagemaker.add_tags, ResourceArn=ARN, Tags=many)
    refused("ResourceNotFound", sagemaker.list_tags, ResourceArn=f"{ARN}2")


def test_list_pages_after_it_filters(sagemaker: Any) -> None:
    for name in ("a1", "b1", "a2", "b2", "xa3"):
        create(sagemaker, name)

    def page(**request: Any) -> tuple[list[str], str | None]:
        answer = sagemaker.list_pipelines(
            PipelineNamePrefix="a", SortBy="Name", SortOrder="Ascending", **request
        )
        return [p["PipelineName"] for p in answer["PipelineSummaries"]], answer.get("NextToken")

    assert page() == (["a1", "a2"], None)
    first, token = page(MaxResults=1)
    assert first == ["a1"] and token is not None
    assert page(MaxResults=1, NextToken=token) == (["a2"], None)
    refused("ValidationException", sagemaker.list_pipelines, NextToken="?")
    refused("ValidationException", sagemaker.list_pipelines, MaxResults=101)
    newest = sagemaker.list_pipelines()["PipelineSummaries"]
    assert [p["PipelineName"] for p in newest] == ["xa3", "b2", "a2", "b1", "a1"]
    later = newest[0]["CreationTime"] + timedelta(hours=1)
    assert sagemaker.list_pipelines(CreatedAfter=later)["PipelineSummaries"] == []
    assert len(sagemaker.list_pipelines(CreatedBefore=later)["PipelineSummaries"]) == 5


def test_deleted_is_gone(sagemaker: Any) -> None:
    create(sagemaker, ClientRequestToken="t" * 32)
    assert sagemaker.delete_pipeline(PipelineName="p")["PipelineArn"] == ARN
    refused("ResourceNotFound", sagemaker.describe_pipeline, PipelineName="p")
    create(sagemaker, ClientRequestToken="t" * 32)
    assert (
        sagemaker.list_pipeline_versions(PipelineName="p")["PipelineVersionSummaries"][0]["PipelineVersionId"]
        == 1
    )


def test_executions_start_by_name_and_arn(sagemaker: Any) -> None:
    create(sagemaker)
    for name in ("p", ARN):
        assert sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"].startswith(ARN)
    assert len(sagemaker.list_pipeline_executions(PipelineName=ARN)["PipelineExecutionSummaries"]) == 2


def test_what_it_does_not_have_it_says_in_json(sagemaker: Any, emulator: str) -> None:
    message = refused("UnknownOperationException", sagemaker.list_inference_components)
    assert message == "The emulator does not have ListInferenceComponents."
    request = urllib.request.Request(emulator, b"{}", {"X-Amz-Target": "SageMaker.Nope", **SIGNED})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as answer:
        assert json.loads(answer.read())["__type"] == "UnknownOperationException"


SIGNED = {
    "Content-Type": "application/x-amz-json-1.1",
    "Authorization": f"AWS4-HMAC-SHA256 Credential=testing/20260101/{REGION}/sagemaker/aws4_request, SignedHeaders=x, Signature=x",
}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"PipelineName": 7}', b"\xff"])
def test_a_request_that_is_none_is_refused_in_json(emulator: str, body: bytes) -> None:
    request = urllib.request.Request(emulator, body, {"X-Amz-Target": "SageMaker.DescribePipeline", **SIGNED})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as answer:
        assert "__type" in json.loads(answer.read())


def test_regions_are_apart(sagemaker: Any, emulator: str) -> None:
    create(sagemaker)
    elsewhere = boto3.client("sagemaker", endpoint_url=emulator, region_name="eu-west-1")
    assert elsewhere.list_pipelines()["PipelineSummaries"] == []


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-c", START, "--port", port],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.stderr.lower()


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START, "--port", "0", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("steps: {Train: {duraton: 3s}}", "duraton"),
        ("- 1", "the file wants a mapping"),
        ("steps: {", "scenario.yaml:1"),
    ],
)
def test_a_scenario_that_is_none(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(written)
    found = ended("--scenario", str(file))
    assert found.returncode == 1 and said in found.stderr and "Traceback" not in found.stderr


def test_a_scenario_that_is_not_there(tmp_path: Path) -> None:
    found = ended("--scenario", str(tmp_path / "none.yaml"))
    assert found.returncode == 1 and "none.yaml" in found.stderr
    assert "0<x<=1000000.0" in ended("--speed", "0").stderr


def test_what_a_scenario_says_wrongly_of_a_pipeline_is_told(aws_environment: None, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("steps: {Train: {metrics: {auc: 1}, reports: {none: {a: 1}}}, Other: {duration: 1s}}")
    process = start_emulator("--scenario", str(file), errors=subprocess.PIPE)
    with process.process as running:
        client = boto3.client("sagemaker", endpoint_url=process.url, region_name=REGION)
        by_hand.create(client, by_hand.training("Train"))
        by_hand.until(client, by_hand.start(client))
        running.terminate()
        assert running.stderr is not None
        assert "`Train` has no report `none`" in running.stderr.read()


def test_without_moto_it_says_what_to_install() -> None:
    blocked = f"import sys; sys.modules['moto'] = None; {START}"
    ended = subprocess.run(
        [sys.executable, "-c", blocked], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "pip install 'sagewright[local]'" in ended.stderr
