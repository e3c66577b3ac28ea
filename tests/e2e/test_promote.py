"""`promote`: a registered model package goes to another account and region, with all that it names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.e2e.test_targets import EU, EU_ACCOUNT, eu, two
from tests.emulator_fixture import ACCOUNT, BUCKET, REGION, running_emulator
from tests.shell import Shell

__all__ = ["two"]
XGBOOST = f"246618743249.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:1.7-1"
OWN = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/mine:1"
OBJECTS = {
    "models/a/model.tar.gz": b"the model",
    "models/a/sourcedir.tar.gz": b"its code",
    "metrics/statistics.json": b"{}",
    "weights/1/a.bin": b"aaa",
    "weights/1/sub/b.bin": b"bbb",
}


def dev(shell: Shell, service: str = "sagemaker") -> Any:
    """A client of the first account, past the proxy."""
    return boto3.client(service, endpoint_url=shell.proxy.target, region_name=REGION)


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def put_objects(s3: Any) -> None:
    for key, body in OBJECTS.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def specification(image: str = XGBOOST) -> dict[str, Any]:
    weights = {"S3Uri": f"s3://{BUCKET}/weights/1/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    return {
        "Containers": [
            {
                "Image": image,
                "ModelDataUrl": f"s3://{BUCKET}/models/a/model.tar.gz",
                "ModelDataETag": "0",
                "Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{BUCKET}/models/a/sourcedir.tar.gz"},
            },
            {"Image": OWN, "ModelDataSource": {"S3DataSource": weights}},
        ],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


def register(sagemaker: Any, status: str = "Approved", group: str = "churn", **more: Any) -> str:
    if group not in {
        g["ModelPackageGroupName"]
        for g in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    }:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    statistics = {"ContentType": "application/json", "S3Uri": f"s3://{BUCKET}/metrics/statistics.json"}
    request = {
        "InferenceSpecification": specification(),
        "ModelMetrics": {"ModelQuality": {"Statistics": statistics}},
        "CustomerMetadataProperties": {"git": "abc"},
        "ModelPackageDescription": "churn",
        "ValidationSpecification": {"ValidationRole": "arn:aws:iam::1:role/r", "ValidationProfiles": []},
    }
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group, ModelApprovalStatus=status, **request | more
    )
    return made["ModelPackageArn"]


def packages(sagemaker: Any, group: str = "churn") -> list[dict[str, Any]]:
    found = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    return [sagemaker.describe_model_package(ModelPackageName=p["ModelPackageArn"]) for p in found]


@pytest.fixture
def project(two: Shell) -> Shell:
    """The targets `dev` and `prod-eu`, and in `dev` an approved package."""
    put_objects(dev(two, "s3"))
    register(dev(two))
    return two


def test_everything_goes_along(project: Shell) -> None:
    ended = project("promote", "churn", "--to", "prod-eu", "--yes")
    source = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/churn/1"
    (made,) = packages(eu(project))
    assert made["ModelPackageArn"] == f"arn:aws:sagemaker:{EU}:{EU_ACCOUNT}:model-package/churn/1"
    assert made["CustomerMetadataProperties"] == {"git": "abc", "sagewright:source": source}
    assert (made["ModelApprovalStatus"], made["ModelPackageDescription"]) == (
        "PendingManualApproval",
        "churn",
    )
    assert "ValidationSpecification" not in made or not made["ValidationSpecification"]
    root = "s3://acme-ml-eu/sagewright/models"
    listing = f"{sha(b'aaa')} a.bin\n{sha(b'bbb')} sub/b.bin\n".encode()
    first, second = made["InferenceSpecification"]["Containers"]
    assert first["Image"] == f"141502667606.dkr.ecr.{EU}.amazonaws.com/sagemaker-xgboost:1.7-1"
    assert first["ModelDataUrl"] == f"{root}/{sha(b'the model')}/model.tar.gz"
    assert first["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == f"{root}/{sha(b'its code')}/sourcedir.tar.gz"
    assert "ModelDataETag" not in first
    assert second["Image"] == OWN
    assert second["ModelDataSource"]["S3DataSource"]["S3Uri"] == f"{root}/{sha(listing)}/"
    statistics = made["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert statistics["S3Uri"] == f"{root}/{sha(b'{}')}/statistics.json"
    s3 = eu(project, "s3")
    copied = {
        item["Key"].removeprefix("sagewright/models/"): s3.get_object(Bucket="acme-ml-eu", Key=item["Key"])[
            "Body"
        ].read()
        for item in s3.list_objects_v2(Bucket="acme-ml-eu")["Contents"]
    }
    assert copied == {
        f"{sha(b'the model')}/model.tar.gz": b"the model",
        f"{sha(b'its code')}/sourcedir.tar.gz": b"its code",
        f"{sha(b'{}')}/statistics.json": b"{}",
        f"{sha(listing)}/a.bin": b"aaa",
        f"{sha(listing)}/sub/b.bin": b"bbb",
    }
    for line in (
        f"promote {source} to the group churn",
        "  create the model package group churn",
        f"  copy s3://{BUCKET}/models/a/model.tar.gz (9 bytes) to s3://acme-ml-eu/sagewright/models/",
        f"  copy 2 objects below s3://{BUCKET}/weights/1/ (6 bytes) to s3://acme-ml-eu/sagewright/models/",
        f"  image {XGBOOST} → 141502667606.dkr.ecr.{EU}.amazonaws.com/sagemaker-xgboost:1.7-1",
        f"  image {OWN} stays: the target's account needs the right to pull it",
        "  left out, since they belong to the source's account: ValidationSpecification",
        "  approval: PendingManualApproval",
    ):
        assert line in ended.out.splitlines()


def test_promoting_twice_makes_one(project: Shell) -> None:
    project("promote", "churn", "--to", "prod-eu", "--yes")
    before = len(project.proxy.changes())
    assert "was promoted already" in project("promote", "churn", "--to", "prod-eu").out
    assert project.proxy.changes()[before:] == []
    ended = project("promote", "churn", "--to", "prod-eu", "--approve", "--yes")
    assert "it will be approved" in ended.out
    (made,) = packages(eu(project))
    assert made["ModelApprovalStatus"] == "Approved"
    assert "was promoted already" in project("promote", "churn", "--to", "prod-eu", "--approve").out


def test_a_lost_answer_makes_no_second(project: Shell) -> None:
    project.proxy.lose("CreateModelPackage")
    project("promote", "churn", "--to", "prod-eu", "--yes")
    assert len(packages(eu(project))) == 1


def test_interrupted_it_is_completed_by_the_next(project: Shell) -> None:
    project.proxy.refuse("CreateModelPackage", 400, "ValidationException", "no")
    project("promote", "churn", "--to", "prod-eu", "--yes", code=4)
    project.proxy.rules.clear()
    before = len(project.proxy.changes())
    project("promote", "churn", "--to", "prod-eu", "--yes")
    assert project.proxy.changes()[before:] == ["CreateModelPackage"], "the objects and the group are there"


def test_which_version(project: Shell) -> None:
    register(dev(project), "PendingManualApproval")
    project("promote", "churn", "--to", "prod-eu", "--yes")
    (made,) = packages(eu(project))
    assert made["CustomerMetadataProperties"]["sagewright:source"].endswith("churn/1"), (
        "the newest approved one"
    )
    ended = project("promote", "churn", "--to", "prod-eu", "--version", "2", "--yes", code=1)
    assert "churn/2 is PendingManualApproval, not Approved" in ended.err
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/churn/2"
    project("promote", arn, "--to", "prod-eu", "--force", "--group", "shop", "--approve", "--yes")
    (made,) = packages(eu(project), "shop")
    assert made["CustomerMetadataProperties"]["sagewright:source"] == arn
    assert made["ModelApprovalStatus"] == "Approved"
    group = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package-group/churn"
    assert "was promoted already" in project("promote", group, "--to", "prod-eu").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "there is no model package in a group `nobody`"),
        (["churn", "--version", "9"], "has no version 9"),
        (["waiting"], "no version of the model package group `waiting` is approved"),
        (["arn:aws:s3:::b"], "is the ARN of no model package"),
        ([f"arn:aws:sagemaker:eu-north-1:{ACCOUNT}:model-package/churn/1"], "is in eu-north-1"),
        ([f"arn:aws:sagemaker:{REGION}:999999999999:model-package/churn/1"], "is of account 999999999999"),
        (
            [f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/churn/1", "--version", "2"],
            "is version 1, not 2",
        ),
        (["gone"], "is not there"),
    ],
)
def test_refused(project: Shell, arguments: list[str], message: str) -> None:
    register(dev(project), "Rejected", "waiting")
    gone = specification()
    gone["Containers"][0]["ModelDataUrl"] = f"s3://{BUCKET}/gone.tar.gz"
    register(dev(project), group="gone", InferenceSpecification=gone)
    before = len(project.proxy.changes())
    ended = project("promote", *arguments, "--to", "prod-eu", "--yes", code=1)
    assert message in ended.err
    assert project.proxy.changes()[before:] == []


def test_wrong_usage(project: Shell) -> None:
    assert "is the target that it is in" in project("promote", "churn", "--to", "dev", code=2).err
    assert "there is no terminal to ask" in project("promote", "churn", "--to", "prod-eu", code=2).err
    assert "unknown target `prod`" in project("promote", "churn", "--to", "prod", code=2).err
    assert packages(eu(project)) == []


def test_a_wrong_account_is_guarded(project: Shell) -> None:
    file = project.root / "sagewright.yaml"
    file.write_text(file.read_text().replace("profile: eu", "profile: wrong"))
    ended = project("promote", "churn", "--to", "prod-eu", "--yes", code=1)
    assert "the credentials belong to account 333333333333" in ended.err


def test_between_two_emulators(project: Shell, tmp_path: Path) -> None:
    with running_emulator() as other:
        there = {
            name: boto3.client(name, endpoint_url=other, region_name=REGION) for name in ("s3", "sagemaker")
        }
        there["s3"].create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        arguments = ["--to", "dev", "--from", "dev", "--group", "copy", "--yes"]
        endpoints = ["--endpoint-url", other, "--from-endpoint-url", project.proxy.url]
        project("promote", "churn", *arguments, *endpoints)
        (made,) = packages(there["sagemaker"], "copy")
        assert made["InferenceSpecification"]["Containers"][0]["Image"] == XGBOOST, "the region is the same"
