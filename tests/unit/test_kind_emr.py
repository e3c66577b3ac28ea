"""EMR and EMR Serverless: whose request each part of their Arguments is, and their properties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.kind import StepKind
from sagewright.steps import emr, emr_serverless
from tests.fakes import FakeContext
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, lowered, needs_golden, told

ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
CLUSTER = f"""
cluster: j-1
role: {ROLE}
jar: s3://b/x.jar
main_class: com.Main
args: [--n, 1.10, "${{parameters.P}}"]
properties: {{k: v, n: 0012}}
"""
CONFIG = """
jar: command-runner.jar
cluster_config:
  ReleaseLabel: emr-6.6.0
  Instances: {InstanceGroups: [{InstanceRole: MASTER, InstanceCount: 1, InstanceType: m5.xlarge}]}
"""
SPARK = f"""
application: 00f1
role: {ROLE}
spark: {{entryPoint: s3://b/x.py, entryPointArguments: [a]}}
tags: {{team: risk}}
"""
HIVE = f"""
application_config: {{releaseLabel: emr-7.5.0, type: HIVE}}
role: {ROLE}
hive: {{query: s3://b/q.sql}}
"""


# -- lowering ---------------------------------------------------------------------------------------------------------


def test_a_step_on_a_cluster() -> None:
    assert lowered(emr.KIND, CLUSTER, FakeContext()) == {
        "StepConfig": {
            "HadoopJarStep": {
                "Jar": "s3://b/x.jar",
                "Args": ["--n", "1.10", {"Get": "Parameters.P"}],
                "MainClass": "com.Main",
                "Properties": [{"Key": "k", "Value": "v"}, {"Key": "n", "Value": "0012"}],
            }
        },
        "ClusterId": "j-1",
        "ExecutionRoleArn": ROLE,
    }


def test_the_pipelines_role_is_not_the_steps_on_a_cluster() -> None:
    assert "ExecutionRoleArn" not in lowered(emr.KIND, "cluster: j-1\njar: x.jar", FakeContext())


def test_a_job_in_an_application_of_its_own() -> None:
    assert lowered(emr_serverless.KIND, HIVE, FakeContext()) == {
        "ExecutionRoleArn": ROLE,
        "JobConfig": {"executionRoleArn": ROLE, "jobDriver": {"hive": {"query": "s3://b/q.sql"}}},
        "ApplicationConfig": {"releaseLabel": "emr-7.5.0", "type": "HIVE"},
    }


@needs_golden
@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        (
            emr.KIND,
            f"cluster: j-1\nrole: {ROLE}\njar: s3://b/x.jar\nargs: [--v, --out, s3://b/out]\n"
            "main_class: com.Main\nproperties: {k: v}",
            "Emr1",
        ),
        (
            emr.KIND,
            'jar: s3://b/x.jar\nargs: ["${steps.Emr1.Config.Args[2]}"]\ncluster_config:\n'
            "  Applications: [{Name: Spark}]\n  ReleaseLabel: emr-6.6.0\n  JobFlowRole: r\n  ServiceRole: s\n"
            "  Instances: {InstanceGroups: [{InstanceRole: MASTER, InstanceCount: 1, InstanceType: m5.xlarge}]}",
            "Emr2",
        ),
    ],
)
def test_equals_the_sdk(kind: StepKind, text: str, name: str) -> None:
    made, wanted = lowered(kind, text, FakeContext()), golden_arguments("emr.json", name)
    assert made == wanted
    assert list(made) == list(wanted)


@needs_golden
def test_a_serverless_job_equals_the_sdk() -> None:
    """But for the application's id, of which the SDK's has a hyphen, and EMR Serverless's have none."""
    made = lowered(
        emr_serverless.KIND,
        f"application: app1\nrole: {ROLE}\nspark: {{entryPoint: s3://b/x.py}}",
        FakeContext(),
    )
    wanted = golden_arguments("emr.json", "EmrSls")
    made["ApplicationId"] = made["JobConfig"]["applicationId"] = "app-1"
    assert made == wanted
    assert [list(made), list(made["JobConfig"])] == [list(wanted), list(wanted["JobConfig"])]


def test_every_key_counts(tmp_path: Path) -> None:
    assert ignored_keys("emr", CLUSTER, tmp_path) == []
    assert ignored_keys("emr", CONFIG, tmp_path) == []
    assert untried_keys("emr", [CLUSTER, CONFIG]) == set()
    assert ignored_keys("emr_serverless", SPARK, tmp_path) == []
    assert ignored_keys("emr_serverless", HIVE, tmp_path) == []
    assert untried_keys("emr_serverless", [SPARK, HIVE]) == set()


# -- in a pipeline ----------------------------------------------------------------------------------------------------


def steps_of(kind: str, body: str, rest: str = "") -> str:
    indented = "".join(f"  {line}\n" for line in f"{body.strip()}\n{rest}".rstrip("\n").split("\n"))
    return f"S:\n  kind: {kind}\n{indented}"


STEP = "cluster: j-1\njar: x.jar"


@pytest.mark.parametrize(
    ("body", "rest", "code", "at"),
    [
        ("jar: x.jar", "", "SW202", "S"),
        ("cluster: j-1", "", "SW202", "S"),
        (STEP, "cluster_config: {Instances: {InstanceGroups: []}}", "SW208", "cluster_config"),
        (CONFIG, f"role: {ROLE}", "SW208", "role"),
        ("jar: x", "cluster_config: {ReleaseLabel: emr-6.6.0}", "SW202", "cluster_config"),
        ("jar: x", "cluster_config: {Instances: {Ec2KeyName: k}}", "SW202", "{Ec2KeyName: k}"),
        ("jar: x", "cluster_config: {Instances: {InstanceGroups: [], InstanceFleets: []}}", "SW208", "InstanceFleets"),
        ("jar: x", "cluster_config: {Instances: {InstanceGroups: []}, Name: n}", "SW608", "Name"),
        ("jar: x", "cluster_config: {Instances: {InstanceGroups: []}, Steps: []}", "SW608", "Steps"),
        ("jar: x", "cluster_config: {Instances: {InstanceGroups: [], TerminationProtected: true}}", "SW608", "TerminationProtected"),
        ("jar: x", "cluster_config: {Instances: {InstanceGroups: [{}]}}", "SW602", "{}"),
        ("jar: x", "cluster_config: {Instances: {InstanceGroups: []}, ReleaseLable: e}", "SW601", "ReleaseLable"),
        (STEP, "api: {StepConfig: {Name: n}}", "SW608", "Name"),
        (STEP, "api: {ClusterID: j-2}", "SW601", "ClusterID"),
        (STEP, "args: {n: 1}", "SW203", "{n: 1}"),
        (STEP, "tags: {a: b}", "SW211", "tags"),
        (STEP, "retry: [{errors: [capacity_error], max_attempts: 2}]", "SW212", "capacity_error"),
    ],
)  # fmt: skip
def test_mistakes(body: str, rest: str, code: str, at: str, tmp_path: Path) -> None:
    found = told(compile_steps(tmp_path, steps_of("emr", body, rest)))
    assert (code, at) in found
    assert len(found) <= 2


JOB = f"application: 00f1\nrole: {ROLE}\nspark: {{entryPoint: s3://b/x.py}}"


@pytest.mark.parametrize(
    ("body", "code", "at"),
    [
        (JOB.replace("application: 00f1\n", ""), "SW202", "S"),
        (JOB.replace(f"role: {ROLE}\n", ""), "SW202", "S"),
        (JOB.replace("spark: {entryPoint: s3://b/x.py}", ""), "SW202", "S"),
        (f"{JOB}\nhive: {{query: q}}", "SW208", "hive"),
        (f"{JOB}\napplication_config: {{releaseLabel: e, type: SPARK}}", "SW208", "application_config"),
        (
            JOB.replace("application: 00f1", "application_config: {releaseLabel: emr-7.5.0, type: HIVE}"),
            "SW208",
            "HIVE",
        ),
        (JOB.replace("entryPoint", "EntryPoint"), "SW601", "EntryPoint"),
        (JOB.replace("00f1", "app-1"), "SW605", "app-1"),
        (f"{JOB}\napi: {{JobConfig: {{executionTimeoutMinutes: -1}}}}", "SW607", "-1"),
    ],
)
def test_mistakes_in_serverless_jobs(body: str, code: str, at: str, tmp_path: Path) -> None:
    assert (code, at) in told(compile_steps(tmp_path, steps_of("emr_serverless", body)))


def test_what_has_no_key_is_reached_by_api(tmp_path: Path) -> None:
    rest = "api: {JobConfig: {executionTimeoutMinutes: 60, configurationOverrides: {monitoringConfiguration: {s3MonitoringConfiguration: {logUri: s3://b/l}}}}}"
    result = compile_steps(tmp_path, steps_of("emr_serverless", JOB, rest))
    assert result.definition is not None, result.diagnostics
    assert result.definition["Steps"][0]["Arguments"]["JobConfig"]["executionTimeoutMinutes"] == 60


def refer(body: str, kind: str, path: str, folder: Path) -> Any:
    after = f'After: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {{a: "${{steps.S.{path}}}"}}}}'
    return compile_steps(folder, steps_of(kind, body) + after)


@pytest.mark.parametrize("path", ["Id", "Status.State", "Config.Args[0]", "Config.Properties['k']"])
def test_properties_are_those_of_emrs_own_step(path: str, tmp_path: Path) -> None:
    result = refer(STEP, "emr", path, tmp_path)
    assert result.diagnostics == []
    assert result.definition["Steps"][1]["Arguments"] == {"a": {"Get": f"Steps.S.{path}"}}


@pytest.mark.parametrize(("path", "at"), [("ClusterId", "ClusterId"), ("Status.Sate", "Sate")])
def test_properties_that_emr_does_not_have(path: str, at: str, tmp_path: Path) -> None:
    assert told(refer(STEP, "emr", path, tmp_path)) == [("SW304", at)]


def test_properties_of_serverless_jobs_are_unproven(tmp_path: Path) -> None:
    result = refer(JOB, "emr_serverless", "jobRun.state", tmp_path)
    assert told(result) == [("SW902", "steps.S.jobRun.state")]
    assert result.definition["Steps"][1]["Arguments"] == {"a": {"Get": "Steps.S.jobRun.state"}}


@pytest.mark.parametrize(
    ("path", "code", "at"), [("jobRun.stat", "SW304", "stat"), ("jobRuns.state", "SW302", "jobRuns")]
)
def test_properties_that_serverless_jobs_do_not_have(path: str, code: str, at: str, tmp_path: Path) -> None:
    assert (code, at) in told(refer(JOB, "emr_serverless", path, tmp_path))


def test_a_native_step_of_the_type_is_checked_by_the_kind(tmp_path: Path) -> None:
    text = "S: {kind: native, type: EMR, arguments: {StepConfig: {HadoopJarStep: {Jra: x}}, ClusterId: j-1}}"
    assert ("SW601", "Jra") in told(compile_steps(tmp_path, text))


def test_retries_and_cache(tmp_path: Path) -> None:
    for kind, body in (("emr", STEP), ("emr_serverless", JOB)):
        result = compile_steps(tmp_path, steps_of(kind, body, "retry: standard\ncache: 1d"))
        assert result.definition is not None, result.diagnostics
        (step,) = result.definition["Steps"]
        assert [p["ExceptionType"] for p in step["RetryPolicies"]] == [
            ["Step.SERVICE_FAULT", "Step.THROTTLING"]
        ]
        assert step["CacheConfig"]["ExpireAfter"] == "P1D"
