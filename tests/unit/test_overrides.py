"""`api:` beside keys that say something else: which key it is, and that defaults go without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.definitions import definition_of
from tests.kinds import compile_steps, told

TRAIN = """
Train:
  kind: training
  image: xgboost:1.7-1
  instance: {{type: ml.m5.large, count: 2}}
  max_runtime: 2h
  mode: FastFile
  tags: {{team: risk}}
  network: {{subnets: [subnet-1], security_groups: [sg-1], isolation: true}}
  hyperparameters: {{depth: 6, rate: 0.3}}
  inputs: {{train: s3://b/train, test: s3://b/test}}
  api: {api}
"""


def warnings(api: str, folder: Path, head: str = "") -> list[tuple[str, str]]:
    """Members that `api` overrides, as they are written, and the places of what says something else."""
    result = compile_steps(folder, TRAIN.format(api=api), head)
    assert result.definition is not None, result.diagnostics
    assert {code for code, _ in told(result)} <= {"SW906"}
    made: list[tuple[str, str]] = []
    for found, (_, at) in zip(result.diagnostics, told(result), strict=True):
        (related,) = found.related
        line = result.texts[related.span.file].split("\n")[related.span.line - 1]
        made.append((at, line[related.span.column - 1 : related.span.end_column - 1]))
    return made


@pytest.mark.parametrize(
    ("api", "member", "said"),
    [
        ("{ResourceConfig: {InstanceType: ml.c5.xlarge}}", "InstanceType", "ml.m5.large"),
        ("{ResourceConfig: {InstanceCount: 3}}", "InstanceCount", "2"),
        ("{StoppingCondition: {MaxRuntimeInSeconds: 60}}", "MaxRuntimeInSeconds", "2h"),
        ("{StoppingCondition: null}", "StoppingCondition", "2h"),
        ("{AlgorithmSpecification: {TrainingInputMode: Pipe}}", "TrainingInputMode", "FastFile"),
        ("{AlgorithmSpecification: {TrainingImage: 1.dkr.ecr.x/y:z}}", "TrainingImage", "xgboost:1.7-1"),
        ("{VpcConfig: {Subnets: [subnet-2]}}", "Subnets", "subnet-1"),
        ("{EnableNetworkIsolation: false}", "EnableNetworkIsolation", "true"),
        ("{HyperParameters: {depth: '7'}}", "depth", "6"),
        ("{Tags: {team: {Value: ops}}}", "Value", "risk"),
        ("{Tags: {team: null}}", "team", "risk"),
        (
            "{InputDataConfig: {test: {DataSource: {S3DataSource: {S3Uri: s3://b/x}}}}}",
            "S3Uri",
            "s3://b/test",
        ),
        (
            "{InputDataConfig: [{ChannelName: a, DataSource: {S3DataSource: {S3DataType: S3Prefix, S3Uri: s3://b/x}}}]}",
            "InputDataConfig",
            "s3://b/train",
        ),
    ],
)
def test_what_the_step_says_too(api: str, member: str, said: str, tmp_path: Path) -> None:
    assert warnings(api, tmp_path) == [(member, said)]


@pytest.mark.parametrize(
    "api",
    [
        "{ResourceConfig: {InstanceType: ml.m5.large, InstanceCount: 2}}",
        "{VpcConfig: {Subnets: [subnet-1]}}",
        "{ResourceConfig: {VolumeSizeInGB: 100}}",
        "{OutputDataConfig: {S3OutputPath: s3://b/out, CompressionType: NONE}}",
        "{RoleArn: 'arn:aws:iam::123456789012:role/Other'}",
        "{RemoteDebugConfig: {EnableRemoteDebug: true}}",
        "{RetryStrategy: null}",
        "{InputDataConfig: {more: {DataSource: {S3DataSource: {S3DataType: S3Prefix, S3Uri: s3://b/x}}}}}",
    ],
    ids=str,
)
def test_what_only_api_says(api: str, tmp_path: Path) -> None:
    assert warnings(api, tmp_path) == []


def test_defaults_are_overridden_without_a_word(tmp_path: Path) -> None:
    head = "defaults: {kinds: {training: {warm_pool: 10m}}}\n"
    assert warnings("{ResourceConfig: {KeepAlivePeriodInSeconds: 60}}", tmp_path, head) == []


def test_references_that_are_the_same(tmp_path: Path) -> None:
    steps = """
A: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", outputs: {{n: String}}}}
B:
  kind: transform
  model: ${{steps.A.outputs.n}}
  input: s3://b/${{steps.A.outputs.n}}/x
  instance: ml.m5.large
  api: {{ModelName: "{name}", TransformInput: {{DataSource: {{S3DataSource: {{S3Uri: "{uri}"}}}}}}}}
"""
    same = steps.format(name="${steps.A.outputs.n}", uri="s3://b/${steps.A.outputs.n}/x")
    assert told(compile_steps(tmp_path, same)) == []
    other = steps.format(name="m", uri="s3://b/${steps.A.outputs.n}/y")
    assert told(compile_steps(tmp_path, other)) == [("SW906", "ModelName"), ("SW906", "S3Uri")]


def test_the_parts_of_a_deployment(tmp_path: Path) -> None:
    result = compile_steps(
        tmp_path,
        """
D:
  kind: deploy
  endpoint: churn
  image: xgboost:1.7-1
  model_data: s3://b/model.tar.gz
  instance: ml.m5.large
  api:
    model: {PrimaryContainer: {ModelDataUrl: s3://b/other.tar.gz}}
    config: {ProductionVariants: {AllTraffic: {InstanceType: ml.c5.large}}}
    endpoint: {EndpointName: other}
""",
    )
    assert told(result) == [("SW906", member) for member in ("ModelDataUrl", "InstanceType", "EndpointName")]


def test_trying_uploads_nothing(tmp_path: Path) -> None:
    """What is tried to find the key leaves no trace: the code is uploaded as it is, once."""
    (tmp_path / "prepare.py").write_text("print()\n")
    result = compile_steps(
        tmp_path,
        """
P:
  kind: processing
  image: sklearn:1.2-1
  instance: ml.m5.large
  code: prepare.py
  api: {AppSpecification: {ContainerEntrypoint: [bash, other.sh]}}
""",
    )
    assert told(result) == [("SW906", "ContainerEntrypoint")]
    assert result.compilation is not None
    assert len(result.compilation.uploads) == 1


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            "T:\n  kind: tuning\n  training: {image: 'xgboost:1.7-1', instance: ml.m5.large, api: {ResourceConfig: {InstanceType: ml.c5.xlarge}}}\n"
            "  objective: {metric: auc, goal: Maximize}\n  ranges: {eta: {min: 0.1, max: 0.5}}\n  max_jobs: 2",
            "`TrainingJobDefinition.ResourceConfig.InstanceType` is also said by `training.instance`: `api` wins",
        ),
        (
            "M:\n  kind: model\n  containers: [{image: 'xgboost:1.7-1', model_data: s3://b/m.tar.gz, api: {ModelDataUrl: null}}]",
            "`Containers[0].ModelDataUrl` is also said by `containers[0].model_data`: `api` leaves nothing of that",
        ),
        (
            "C:\n  kind: endpoint_config\n  variants: {main: {model: m, instance: ml.m5.large, weight: 2, api: {InitialVariantWeight: 3}}}",
            "`ProductionVariants[0].InitialVariantWeight` is also said by `variants.main.weight`: `api` wins",
        ),
    ],
)
def test_api_in_a_nested_body(steps: str, message: str, tmp_path: Path) -> None:
    (found,) = compile_steps(tmp_path, steps).diagnostics
    assert (found.code, found.message) == ("SW906", message)


def test_api_in_a_nested_body_that_adds(tmp_path: Path) -> None:
    variant = "{model: m, instance: ml.g5.xlarge, api: {RoutingConfig: {RoutingStrategy: RANDOM}}}"
    assert told(compile_steps(tmp_path, f"C: {{kind: endpoint_config, variants: {{main: {variant}}}}}")) == []


def test_step_api_over_keys(tmp_path: Path) -> None:
    arn = "arn:aws:lambda:us-west-2:123456789012:function"
    step = f"""
L:
  kind: lambda
  function: {arn}:f
  outputs: {{a: String}}
  display_name: One
  cache: 30d
  step_api:
    FunctionArn: {arn}:g
    OutputParameters: {{a: {{OutputType: Integer}}}}
    DisplayName: null
    CacheConfig: {{ExpireAfter: P1D}}
    Description: Adds
"""
    result = compile_steps(tmp_path, step)
    assert [(found.code, found.message) for found in result.diagnostics] == [
        ("SW906", "`FunctionArn` is also said by `function`: `step_api` wins"),
        ("SW906", "`OutputParameters[0].OutputType` is also said by `outputs`: `step_api` wins"),
        ("SW906", "`DisplayName` is also said by `display_name`: `step_api` leaves nothing of that"),
        ("SW906", "`CacheConfig` is also said by `cache`: `step_api` wins"),
    ]
    (made,) = definition_of(result)["Steps"]
    assert "DisplayName" not in made
    assert made["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P1D"}
    assert made["OutputParameters"] == [{"OutputName": "a", "OutputType": "Integer"}]
