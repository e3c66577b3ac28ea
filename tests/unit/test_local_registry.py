"""Models and their versions in a file that several processes share."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import cli
from sagewright.compiler.local.database import Unusable
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.registry import Registry, RegistryError
from tests.hosting import SKLEARN, Here, tar

PREFIX = "arn:aws:sagemaker:us-west-2:123456789012"
WRITER = """
import sys
from pathlib import Path
from sagewright.compiler.local.registry import Registry
for _ in range(20):
    Registry(Path(sys.argv[1])).register("g", "arn", {})
"""


def test_versions_count_up_and_the_group_is_made(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry.db")
    first = registry.register("churn", PREFIX, {"ModelPackageDescription": "one"})
    second = registry.register("churn", PREFIX, {"ModelApprovalStatus": "Approved"})
    assert first["ModelPackageArn"] == f"{PREFIX}:model-package/churn/1"
    assert (first["ModelPackageVersion"], first["ModelApprovalStatus"]) == (1, "PendingManualApproval")
    assert (second["ModelPackageVersion"], second["ModelApprovalStatus"]) == (2, "Approved")
    assert registry.names("model-package-group") == ["churn"]
    assert [package["ModelPackageVersion"] for package in registry.packages("churn")] == [2, 1]
    assert registry.package("churn")["ModelPackageVersion"] == 2
    assert registry.package("churn/1")["ModelPackageDescription"] == "one"
    assert registry.package(first["ModelPackageArn"]) == registry.package("churn/1")


def test_two_processes_register_without_losing_a_version(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    versions = [package["ModelPackageVersion"] for package in Registry(path).packages("g")]
    assert versions == list(range(60, 0, -1))


def test_what_is_not_there(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry.db")
    registry.register("churn", PREFIX, {})
    with pytest.raises(RegistryError, match=r"no model package group `chrun` .* did you mean `churn`"):
        registry.package("chrun")
    with pytest.raises(RegistryError, match="the group `churn` has no version 4; its newest is 1"):
        registry.package("churn/4")
    with pytest.raises(
        RegistryError, match="no version of `churn` is approved: `sagewright models churn --approve"
    ):
        registry.package("churn")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"cannot (open|use) the registry"):
        Registry(tmp_path).names("model")


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry.db")
    with pytest.raises(TypeError):
        registry.register("churn", PREFIX, {"x": object()})
    assert registry.names("model-package-group") == []


def test_a_register_step(tmp_path: Path) -> None:
    here = Here(tmp_path)
    container = {"Image": SKLEARN, "ModelDataUrl": here.put("m.tar.gz", tar({"x": ""}))}
    request: dict[str, Any] = {
        "ModelPackageGroupName": "churn",
        "InferenceSpecification": {"Containers": [container], "SupportedContentTypes": ["text/csv"]},
        "CustomerMetadataProperties": {"seed": "1"},
    }
    made = [here.run("RegisterModel", request).properties for _ in range(2)]
    assert [entry["ModelPackageVersion"] for entry in made] == [1, 2]
    assert made[1]["ModelPackageArn"] == f"{PREFIX}:model-package/churn/2"
    assert made[1]["ModelPackageStatus"] == "Completed"
    assert made[1]["CustomerMetadataProperties"] == {"seed": "1"}
    with pytest.raises(JobFailed, match="ModelApprovalStatus is `Yes`, and may be Approved"):
        here.run("RegisterModel", {**request, "ModelApprovalStatus": "Yes"})
    with pytest.raises(JobFailed, match="the step names none"):
        here.run("RegisterModel", {})
    here.put("m.tar.gz", "no archive")
    with pytest.raises(JobFailed, match=r"is no tar\.gz archive"):
        here.run("RegisterModel", request)


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sagewright.yaml").write_text("version: 1\n")

    def models(*arguments: str) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["models", *arguments])
        return ended.value.code, *capsys.readouterr()

    assert "no models" in models()[2]
    registry = Registry(tmp_path / ".sagewright/registry.db")
    registry.register("churn", PREFIX, {})
    registry.register("fraud", PREFIX, {})
    assert models("churn", "--approve", "1", "--note", "good")[:2] == (
        0,
        f"{PREFIX}:model-package/churn/1: Approved\n",
    )
    lines = models()[1].splitlines()
    assert [line.split()[0] for line in lines] == ["churn/1", "fraud/1"]
    assert lines[0].endswith("Approved               good")
    assert (
        json.loads(models("fraud", "--format", "json")[1])[0]["ModelApprovalStatus"]
        == "PendingManualApproval"
    )
    assert models("fraud", "--reject", "1")[1].endswith("Rejected\n")
    assert (models("frud")[0], models("fraud", "--approve", "9")[0]) == (1, 1)
    assert (models("--approve", "1")[0], models("fraud", "--approve", "1", "--reject", "1")[0]) == (2, 2)
