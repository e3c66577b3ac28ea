"""The kinds `deploy`, `endpoint_config` and `endpoint`: the steps they make, variants, and what cannot be served."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import shapes
from sagewright.compiler.diagnostics import Sink
from sagewright.compiler.kind import StepKind
from sagewright.compiler.model import Cache, Dependency, Emitted, RetryPolicy
from sagewright.compiler.source import read_bytes
from sagewright.compiler.validate import validate
from sagewright.steps import deploy, endpoint, endpoint_config
from tests.fakes import ROLE, FakeContext, as_json, step_of
from tests.kinds import compile_steps, told

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "endpoint.json"
TRAINED = "${steps.Train.ModelArtifacts.S3ModelArtifacts}"
MODEL = f"endpoint: abalone\nimage: xgboost:1.7-1\nmodel_data: {TRAINED}\n"


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    (tmp_path / "serve.py").write_text("def model_fn(folder): ...\n")
    return FakeContext(tmp_path)


def lowered(text: str, context: FakeContext, kind: StepKind = deploy.KIND, **changes: Any) -> list[Emitted]:
    made = kind.lower(replace(step_of(kind, text, name="D"), **changes), context)
    for step in made:
        found: list[Any] = []
        stand_in = lambda expression, wanted: {"Get": "Parameters.X"}  # noqa: E731
        shapes.bind(step.arguments, step.request, omits=step.omits, variable=stand_in, report=found.append)
        assert [violation.message for violation in found] == []
    return made


def config_of(text: str, context: FakeContext) -> dict[str, Any]:
    """The endpoint configuration of a deployment."""
    return as_json(next(step for step in lowered(text, context) if step.name == "D-config").arguments)


def golden(name: str) -> dict[str, Any]:
    if not GOLDEN.is_file():
        pytest.skip("the SDK's definitions are not here: endpoint.json")
    found = next(step for step in json.loads(GOLDEN.read_text())["Steps"] if step["Name"] == name)
    return {member: value for member, value in found["Arguments"].items() if value != []}


# -- endpoint_config and endpoint -------------------------------------------------------------------------------------


def test_a_configuration_as_the_sdk_writes_it(context: FakeContext) -> None:
    text = """
name: cfg
variants: {AllTraffic: {model: "${steps.CreateModel.ModelName}", instance: ml.m5.xlarge}}
"""
    (made,) = lowered(text, context, endpoint_config.KIND)
    assert as_json(made.arguments) == golden("Cfg")
    assert list(made.arguments["ProductionVariants"][0]) == list(golden("Cfg")["ProductionVariants"][0])


def test_an_endpoint_as_the_sdk_writes_it(context: FakeContext) -> None:
    (made,) = lowered('name: ep\nconfig: "${steps.Cfg.EndpointConfigName}"', context, endpoint.KIND)
    assert as_json(made.arguments) == golden("Ep")


def test_a_configuration_is_named_after_pipeline_and_step(context: FakeContext) -> None:
    text = "variants: {a: {model: m, instance: ml.m5.large}}"
    made = endpoint_config.KIND.lower(step_of(endpoint_config.KIND, text, name="My_Config"), context)
    assert made[0].arguments["EndpointConfigName"] == "p-My-Config"


def test_everything_that_a_configuration_can_say(context: FakeContext) -> None:
    text = """
variants:
  champion: {model: m, instance: {type: ml.m5.large, count: 2, volume_gb: 50}, weight: 0.5, api: {EnableSSMAccess: true}}
  small: {model: n, serverless: {memory_mb: 2048, max_concurrency: 5, provisioned: 1}}
async: {output: s3://b/out, concurrency: 4, success: "arn:aws:sns:us-west-2:123456789012:yes"}
kms_key: abc
network: {subnets: [subnet-1], security_groups: [sg-1], isolation: false}
role: arn:aws:iam::123456789012:role/Serving
tags: {team: risk}
"""
    (made,) = lowered(text, context, endpoint_config.KIND)
    assert as_json(made.arguments) == {
        "EndpointConfigName": "p-D",
        "ProductionVariants": [
            {
                "VariantName": "champion",
                "ModelName": "m",
                "InitialInstanceCount": 2,
                "InstanceType": "ml.m5.large",
                "VolumeSizeInGB": 50,
                "InitialVariantWeight": 0.5,
                "EnableSSMAccess": True,
            },
            {
                "VariantName": "small",
                "ModelName": "n",
                "ServerlessConfig": {
                    "MemorySizeInMB": 2048,
                    "MaxConcurrency": 5,
                    "ProvisionedConcurrency": 1,
                },
                "InitialVariantWeight": 1,
            },
        ],
        "AsyncInferenceConfig": {
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
            "OutputConfig": {
                "S3OutputPath": "s3://b/out",
                "NotificationConfig": {"SuccessTopic": "arn:aws:sns:us-west-2:123456789012:yes"},
            },
        },
        "KmsKeyId": "abc",
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/Serving",
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "EnableNetworkIsolation": False,
        "Tags": [{"Key": "team", "Value": "risk"}],
    }


def test_a_variant_for_inference_components_has_no_model_and_no_weight(context: FakeContext) -> None:
    role = "role: arn:aws:iam::123456789012:role/Serving"
    (made,) = lowered(f"variants: {{a: {{instance: ml.m5.large}}}}\n{role}", context, endpoint_config.KIND)
    assert context.mistakes == []
    assert made.arguments["ProductionVariants"][0].keys() == {
        "VariantName",
        "InitialInstanceCount",
        "InstanceType",
    }


def test_instances_may_be_given_as_aws_spells_them(context: FakeContext) -> None:
    text = "variants: {a: {model: m, api: {InstancePools: [{InstanceType: ml.m5.large, Priority: 1}]}}}"
    (made,) = lowered(text, context, endpoint_config.KIND)
    assert made.arguments["ProductionVariants"][0]["InstancePools"][0]["Priority"] == 1
    assert context.mistakes == []


ONE = "variants: {a: {model: m, instance: ml.m5.large}}"
SHADOW = "shadow: {s: {model: n, instance: ml.m5.large}}"
SERVERLESS = "variants: {a: {model: m, serverless: {memory_mb: 1024, max_concurrency: 2}}}"


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("variants: {a: {model: m}}", "SW202", "a"),
        (
            "variants: {a: {model: m, instance: ml.m5.large, serverless: {memory_mb: 1024, max_concurrency: 1}}}",
            "SW208",
            "serverless",
        ),
        (
            "variants:\n  a: {model: m, instance: ml.m5.large, weight: 0}\n"
            "  b: {model: n, instance: ml.m5.large, weight: 0.0}",
            "SW206",
            "0",
        ),
        (
            "variants: {a: {model: m, instance: ml.m5.large}, b: {model: n, instance: ml.m5.large}}\n"
            "shadow: {c: {model: o, instance: ml.m5.large}}",
            "SW208",
            "c",
        ),
        (
            "variants: {a: {model: m, instance: ml.m5.large}}\n"
            "shadow: {c: {model: o, instance: ml.m5.large}, d: {model: o, instance: ml.m5.large}}",
            "SW208",
            "d",
        ),
        (
            "variants: {a: {model: m, instance: ml.m5.large}}\nshadow: {a: {model: o, instance: ml.m5.large}}",
            "SW208",
            "a",
        ),
        (
            "variants: {a: {model: m, instance: ml.m5.large}, b: {model: n, serverless: {memory_mb: 1024, max_concurrency: 1}}}",
            "SW208",
            "serverless",
        ),
        (
            "variants: {a: {model: m, instance: ml.m5.large}}\n"
            "shadow: {c: {model: o, serverless: {memory_mb: 1024, max_concurrency: 1}}}",
            "SW208",
            "serverless",
        ),
        (
            "kms_key: one\nvariants: {a: {model: m, instance: {type: ml.m5.large, kms_key: two}}}",
            "SW208",
            "two",
        ),
        ("variants: {a: {model: m}}\napi: {KmsKeyId: k}", "SW202", "a"),
        ("variants: {a: {instance: ml.m5.large}}", "SW202", "a"),
        (f"{ONE}\napi: {{ProductionVariants: {{b: {{EnableSSMAccess: true}}}}}}", "SW202", "b"),
        (f"{ONE}\napi: {{ProductionVariants: {{b: {{InstanceType: ml.m5.large}}}}}}", "SW202", "b"),
        (f"{ONE}\napi: {{ProductionVariants: {{a: {{InitialVariantWeight: 0}}}}}}", "SW206", "0"),
        (
            "variants: {a: {model: m, instance: ml.m5.large, api: {InitialVariantWeight: 0}}}",
            "SW206",
            "0",
        ),
        (f"{ONE}\nasync: {{output: s3://b/o}}\n{SHADOW}", "SW208", "async"),
        (f"variants: {{a: {{model: m, instance: ml.inf1.xlarge}}}}\n{SHADOW}", "SW208", "ml.inf1.xlarge"),
        (f"{SERVERLESS}\nnetwork: {{isolation: true}}", "SW208", "network"),
        (f"{SERVERLESS}\nnetwork: {{subnets: [subnet-1], security_groups: [sg-1]}}", "SW208", "network"),
        (f"{SERVERLESS}\napi: {{DataCaptureConfig: {{}}}}", "SW208", "DataCaptureConfig"),
        (
            "variants: {a: {model: m, serverless: {memory_mb: 1024, max_concurrency: 2, provisioned: 3}}}",
            "SW206",
            "3",
        ),
    ],
)
def test_configurations_that_serve_nothing(text: str, code: str, at: str, context: FakeContext) -> None:
    endpoint_config.KIND.lower(step_of(endpoint_config.KIND, text), context)
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [(code, at)]


def test_what_api_adds_to_a_variant_counts(context: FakeContext) -> None:
    for text in (
        "variants: {a: {model: m}}\napi: {ProductionVariants: {a: {InstanceType: ml.m5.large}}}",
        "variants: {a: {instance: ml.m5.large}}\napi: {ProductionVariants: {a: {ModelName: m}}}",
        f"{ONE}\napi: {{ProductionVariants: {{b: {{ModelName: n, InstanceType: ml.m5.large}}}}}}",
        "variants: {a: {model: m, instance: ml.m5.large, weight: 0}}\n"
        "api: {ProductionVariants: {a: {InitialVariantWeight: 1}}}",
        f"{SERVERLESS}\nnetwork: {{isolation: false}}",
    ):
        lowered(text, context, endpoint_config.KIND)
    assert context.mistakes == []


def test_a_variant_that_api_misspells_is_told_with_the_nearest(context: FakeContext) -> None:
    text = "variants: {main: {model: m, instance: ml.m5.large}}\napi: {ProductionVariants: {mian: {EnableSSMAccess: true}}}"
    endpoint_config.KIND.lower(step_of(endpoint_config.KIND, text), context)
    assert [mistake.help for mistake in context.mistakes] == ["did you mean `main`?"]


@pytest.mark.parametrize(
    ("name", "code"), [("Cfg_", "SW605"), ("C" * 62, "SW606")], ids=["the pattern", "the length"]
)
def test_a_name_that_aws_would_refuse_is_told_at_the_step(name: str, code: str, tmp_path: Path) -> None:
    step = f"{name}: {{kind: endpoint_config, {ONE}}}"
    result = compile_steps(tmp_path, step)
    assert told(result) == [(code, name)]
    assert "`name:`" in str(result.diagnostics[0].help)
    assert compile_steps(tmp_path, step.replace("_config,", "_config, name: cfg,")).ok
    assert compile_steps(tmp_path, step.replace(f"{ONE}}}", f"{ONE}, api: {{EndpointConfigName: cfg}}}}")).ok


@pytest.mark.parametrize(
    "model",
    [
        "image: xgboost:1.7-1, model_data: s3://b/models/, multi_model: true",
        "containers: [{image: xgboost:1.7-1, model_data: s3://b/a}, {image: xgboost:1.7-1, model_data: s3://b/b}]",
    ],
)
@pytest.mark.parametrize(
    "rest",
    ["serverless: {memory_mb: 1024, max_concurrency: 2}", f"instance: ml.m5.large, {SHADOW}"],
)
def test_models_of_several_stand_on_instances_and_have_no_shadow(
    model: str, rest: str, tmp_path: Path
) -> None:
    steps = (
        f"M: {{kind: model, {model}}}\nD: {{kind: deploy, endpoint: e, model: '${{steps.M.name}}', {rest}}}"
    )
    assert told(compile_steps(tmp_path, steps)) == [("SW208", "'${steps.M.name}'")]
    assert compile_steps(tmp_path, steps.replace(rest, "instance: ml.m5.large")).ok


def test_a_weight_that_is_a_reference_may_be_anything(context: FakeContext) -> None:
    text = 'variants: {a: {model: m, instance: ml.m5.large, weight: "${parameters.W}"}, b: {model: n, instance: ml.m5.large, weight: 0}}'
    assert len(lowered(text, context, endpoint_config.KIND)) == 1
    assert context.mistakes == []


def test_one_key_may_be_named_by_every_variant(context: FakeContext) -> None:
    text = """
variants:
  a: {model: m, instance: {type: ml.m5.large, kms_key: "${parameters.Key}"}}
  b: {model: n, instance: {type: ml.m5.large, kms_key: "${parameters.Key}"}}
"""
    (made,) = lowered(text, context, endpoint_config.KIND)
    assert as_json(made.arguments["KmsKeyId"]) == {"Get": "Parameters.Key"}
    assert context.mistakes == []


# -- deploy -----------------------------------------------------------------------------------------------------------


def test_a_deployment_is_a_model_a_configuration_and_an_endpoint(context: FakeContext) -> None:
    model, config, made = lowered(f"{MODEL}instance: {{type: ml.m5.large, count: 2}}", context)
    assert [(step.name, step.type) for step in (model, config, made)] == [
        ("D-model", "Model"),
        ("D-config", "EndpointConfig"),
        ("D", "Endpoint"),
    ]
    assert as_json(model.arguments) == {
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {
            "Image": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1",
            "Environment": {},
            "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
        },
    }
    assert as_json(config.arguments) == {
        "EndpointConfigName": "abalone",
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "ModelName": {"Get": "Steps.D-model.ModelName"},
                "InitialInstanceCount": 2,
                "InstanceType": "ml.m5.large",
                "InitialVariantWeight": 1,
            }
        ],
    }
    assert as_json(made.arguments) == {
        "EndpointName": "abalone",
        "EndpointConfigName": {"Get": "Steps.D-config.EndpointConfigName"},
    }


DEPENDS = (Dependency("Audit", "Failed"),)
RETRY = (RetryPolicy(("Step.THROTTLING",), max_attempts=3),)


def test_each_of_its_steps_gets_what_the_author_says_of_it(context: FakeContext) -> None:
    api = {"model": {"A": 1}, "config": {"B": 2}, "endpoint": {"C": 3}}
    made = lowered(
        f"{MODEL}instance: ml.m5.large\ncode: serve.py\nrepack: {{}}\nnetwork: {{isolation: true}}\ntags: {{a: b}}",
        context,
        depends_on=DEPENDS,
        retry=RETRY,
        cache=Cache("P30D"),
        display_name="Serve",
        description="Serves it",
        api=api,
    )
    _, model, config, last = made
    assert [step.name for step in made] == ["D-repack", "D-model", "D-config", "D"]
    assert [step.depends_on for step in made] == [DEPENDS, DEPENDS, (), ()]
    assert [step.retry for step in made] == [RETRY, RETRY, RETRY, ()]
    assert [step.cache for step in made] == [None, None, Cache("P30D"), None]
    assert [step.display_name for step in made] == [None, None, None, "Serve"]
    assert [step.description for step in (model, config, last)] == [None, None, "Serves it"]
    assert [step.api for step in made] == [None, {"A": 1}, {"B": 2}, {"C": 3}]
    assert all(step.arguments["Tags"] == [{"Key": "a", "Value": "b"}] for step in made)
    assert model.arguments["EnableNetworkIsolation"] is True
    assert "EnableNetworkIsolation" not in config.arguments
    assert as_json(model.arguments["PrimaryContainer"]["ModelDataUrl"]) == {
        "Get": "Steps.D-repack.ModelArtifacts.S3ModelArtifacts"
    }


def test_a_model_that_exists_is_not_made_again(context: FakeContext) -> None:
    text = 'endpoint: "${parameters.Endpoint}"\nmodel: abalone-v1\ninstance: ml.m5.large'
    config, made = lowered(text, context, depends_on=DEPENDS)
    assert (config.depends_on, made.depends_on) == (DEPENDS, ())
    assert config.arguments["ProductionVariants"][0]["ModelName"] == "abalone-v1"
    assert as_json(config.arguments["EndpointConfigName"]) == {"Get": "Parameters.Endpoint"}


def test_a_registered_version_is_deployed_as_it_is(context: FakeContext) -> None:
    text = 'endpoint: e\npackage: "${steps.Register.ModelPackageArn}"\ninstance: ml.m5.large'
    model = lowered(text, context)[0]
    assert as_json(model.arguments["Containers"]) == [
        {"ModelPackageName": {"Get": "Steps.Register.ModelPackageArn"}}
    ]


def test_serverless_endpoints_have_no_instances(context: FakeContext) -> None:
    text = f"endpoint: e\nimage: pytorch:2.5.1\nmodel_data: {TRAINED}\nserverless: {{memory_mb: 2048, max_concurrency: 5}}"
    made = lowered(text, context)
    assert made[0].arguments["PrimaryContainer"]["Image"].split(":")[-1].startswith("2.5.1-cpu")
    assert made[1].arguments["ProductionVariants"] == [
        {
            "VariantName": "AllTraffic",
            "ModelName": made[1].arguments["ProductionVariants"][0]["ModelName"],
            "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5},
            "InitialVariantWeight": 1,
        }
    ]


def test_two_variants_share_the_traffic(context: FakeContext) -> None:
    text = f"""
endpoint: abalone
variants:
  champion: {{model: abalone-v1, instance: ml.m5.large, weight: 80}}
  challenger:
    model_data: {TRAINED}
    image: pytorch:2.5.1
    code: serve.py
    environment: {{A: b}}
    instance: ml.g5.xlarge
    weight: 20
    api: {{EnableSSMAccess: true}}
"""
    made = lowered(text, context)
    assert [step.name for step in made] == ["D-repack-challenger", "D-model-challenger", "D-config", "D"]
    container = made[1].arguments["PrimaryContainer"]
    assert container["Image"].split(":")[-1].startswith("2.5.1-gpu")
    assert container["Environment"]["A"] == "b"
    found = as_json(made[2].arguments)["ProductionVariants"]
    assert [(v["VariantName"], v["InitialVariantWeight"]) for v in found] == [
        ("champion", 80),
        ("challenger", 20),
    ]
    assert found[1]["ModelName"] == {"Get": "Steps.D-model-challenger.ModelName"}
    assert (found[1]["EnableSSMAccess"], "EnableSSMAccess" in found[0]) == (True, False)


def test_a_shadow_gets_a_model_of_its_own(context: FakeContext) -> None:
    text = f"{MODEL}instance: ml.m5.large\nshadow: {{candidate: {{package: arn:aws:sagemaker:us-west-2:123456789012:model-package/g/2, instance: ml.m5.large}}}}"
    made = lowered(text, context)
    assert [step.name for step in made] == ["D-model", "D-model-candidate", "D-config", "D"]
    shadow = as_json(made[2].arguments)["ShadowProductionVariants"]
    assert [variant["ModelName"] for variant in shadow] == [{"Get": "Steps.D-model-candidate.ModelName"}]


def test_answers_may_come_later(context: FakeContext) -> None:
    made = config_of(f"{MODEL}instance: ml.m5.large\nasync: {{output: s3://b/out}}\nkms_key: abc", context)
    assert made["AsyncInferenceConfig"] == {"OutputConfig": {"S3OutputPath": "s3://b/out"}}
    assert made["KmsKeyId"] == "abc"


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("instance: ml.m5.large", "SW202", "D"),
        ("model: m", "SW202", "D"),
        ("model: m\nimage: xgboost:1.7-1\ninstance: ml.m5.large", "SW208", "image"),
        ("package: p\nimage: xgboost:1.7-1\ninstance: ml.m5.large", "SW208", "package"),
        ("model: m\nvariants: {a: {model: m, instance: ml.m5.large}}", "SW208", "model"),
        ("model: m\ninstance: ml.m5.large\nnetwork: {isolation: true}", "SW208", "network"),
        ("model: m\ninstance: ml.m5.large\nrepack: {}", "SW208", "repack"),
        ("variants: {a: {instance: ml.m5.large}}", "SW202", "a"),
        ("variants: {a: {model: m, instance: ml.m5.large, weight: 0}}", "SW206", "0"),
        ("model: m\ninstance: ml.m5.large\napi: {model: {EnableNetworkIsolation: true}}", "SW208", "model"),
        ("image: xgboost:1.7-1\nmodel_data: s3://b/m\ninstance: ml.m5.large\nrepack: {}", "SW208", "repack"),
        ("model: m\napi: {config: {KmsKeyId: k}}", "SW202", "D"),
        (f"model: m\ninstance: ml.m5.large\nasync: {{output: s3://b/o}}\n{SHADOW}", "SW208", "async"),
        (
            "image: xgboost:1.7-1\nmodel_data: s3://b/m\nserverless: {memory_mb: 1024, max_concurrency: 2}\n"
            "network: {isolation: true}",
            "SW208",
            "network",
        ),
        ("image: pytorch:2.5.1\ninstance: {type: '${parameters.Unknown}'}", "SW808", "pytorch:2.5.1"),
    ],
)
def test_deployments_that_cannot_be(text: str, code: str, at: str, context: FakeContext) -> None:
    deploy.KIND.lower(step_of(deploy.KIND, f"endpoint: e\n{text}", name="D"), context)
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [(code, at)]


def test_members_that_the_service_may_refuse_are_known(context: FakeContext) -> None:
    assert endpoint_config.KIND.refused.keys() == {"DataCaptureConfig", "ExplainerConfig"}
    assert endpoint.KIND.refused.keys() == {"DeploymentConfig"}
    assert deploy.KIND.refused == {**endpoint_config.KIND.refused, **endpoint.KIND.refused}
    assert {code for code, _ in deploy.KIND.refused.values()} == {"SW904"}


# -- what the schemas take --------------------------------------------------------------------------------------------


def reported(kind: str, text: str) -> list[tuple[str, str]]:
    """Codes and places of what the schema of `kind` refuses."""
    sink = Sink()
    document = read_bytes(f"kind: {kind}\n{text}\n".encode(), sink)
    assert document is not None
    validate(document.data, f"steps/{kind}", sink, None)
    lines = document.text.split("\n")
    return [
        (d.code, lines[d.span.line - 1][d.span.column - 1 : d.span.end_column - 1])
        for d in sink.diagnostics
        if d.span
    ]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("model", "image: xgboost:1.7-1\nmodel_data: ${steps.T.model_data}\nrepack: {instance: ml.m5.large}"),
        (
            "model",
            "containers: {a: {image: '${parameters.I}'}, b: {image: xgboost:1.7-1, environment: {A: 1}}}",
        ),
        ("register", "group: ${parameters.G}\nimage: xgboost:1.7-1\napproval: ${parameters.A}"),
        ("deploy", "endpoint: e\nmodel: m\ninstance: {type: '${parameters.T}', count: '${parameters.N}'}"),
        (
            "deploy",
            "endpoint: e\nvariants: {a: {model: m, instance: ml.m5.large, weight: '${parameters.W}'}}",
        ),
        ("endpoint_config", "variants: {a: {instance: ml.m5.large}}\nasync: {output: s3://b/o}"),
        ("endpoint", "name: e\nconfig: ${steps.C.name}"),
    ],
)
def test_schemas_take_what_is_right(kind: str, text: str) -> None:
    assert reported(kind, text) == []


@pytest.mark.parametrize(
    ("kind", "text", "code", "at"),
    [
        ("model", "image: xgboost:1.7-1\nnetwork: {encrypt_traffic: true}", "SW201", "encrypt_traffic"),
        ("model", "containers: [{model_data: s3://b/m}]", "SW202", "{model_data: s3://b/m}"),
        ("model", "image: xgboost:1.7-1\ncode: ${parameters.Code}", "SW209", "${parameters.Code}"),
        ("model", "image: xgboost:1.7-1\nexecution: Parallel", "SW204", "Parallel"),
        ("register", "group: g\nimage: xgboost:1.7-1\napproval: Aproved", "SW204", "Aproved"),
        (
            "register",
            "group: g\nimage: xgboost:1.7-1\nmodel_metrics: {bias: {raport: s3://b/x}}",
            "SW201",
            "raport",
        ),
        ("register", "group: g\nimage: xgboost:1.7-1\ntags: {a: b}", "SW201", "tags"),
        ("deploy", "endpoint: e\nmodel: m\napi: {modle: {}}", "SW201", "modle"),
        ("deploy", "endpoint: e\nmodel: m\nserverless: {memory_mb: 2048}", "SW202", "{memory_mb: 2048}"),
        ("deploy", "endpoint: e\nmodel: m\ninstance: {count: 2}", "SW202", "{count: 2}"),
        ("endpoint_config", "variants: {a: {model: m, weight: -1}}", "SW206", "-1"),
        ("endpoint_config", "variants: {}", "SW206", "{}"),
        (
            "deploy",
            "endpoint: e\nmodel: m\nserverless: {memory_mb: 2000, max_concurrency: 2}",
            "SW204",
            "2000",
        ),
        ("endpoint_config", "variants: {a: {model: m, image: xgboost:1.7-1}}", "SW201", "image"),
        (
            "endpoint_config",
            "variants: {a: {model: m}}\nasync: {concurrency: 4}",
            "SW202",
            "{concurrency: 4}",
        ),
        ("endpoint", "name: e\nconfig: c\nretry: standard", "SW201", "retry"),
    ],
)
def test_schemas_refuse_what_is_wrong(kind: str, text: str, code: str, at: str) -> None:
    assert reported(kind, text) == [(code, at)]


# -- defaults beside variants -----------------------------------------------------------------------------------------

VARIANTS = "D: {kind: deploy, endpoint: e, variants: {a: {model: m, instance: ml.m5.xlarge}}}"


@pytest.mark.parametrize(
    "head",
    ["defaults: {instance: ml.m5.large}\n", "defaults: {kinds: {deploy: {instance: ml.m5.large}}}\n"],
)
def test_a_default_instance_stands_beside_variants(head: str, tmp_path: Path) -> None:
    result = compile_steps(tmp_path, VARIANTS, head)
    assert result.diagnostics == []
    assert result.definition is not None
    (variant,) = result.definition["Steps"][0]["Arguments"]["ProductionVariants"]
    assert variant["InstanceType"] == "ml.m5.xlarge"


def test_an_instance_of_its_own_does_not(tmp_path: Path) -> None:
    result = compile_steps(tmp_path, VARIANTS.replace("endpoint: e,", "endpoint: e, instance: ml.m5.large,"))
    assert told(result) == [("SW208", "instance")]


def test_a_step_that_deploys_nothing(tmp_path: Path) -> None:
    result = compile_steps(tmp_path, "D: {kind: deploy, endpoint: e, instance: ml.m5.large}")
    assert told(result) == [("SW202", "D")]
    shadow = "shadow: {s: {model: m, instance: ml.m5.large}}"
    result = compile_steps(tmp_path, f"D: {{kind: deploy, endpoint: e, {shadow}}}")
    assert told(result) == [("SW202", "D")]
    assert "in production" in result.diagnostics[0].notes[0]


@pytest.mark.parametrize(
    "step",
    [
        "kind: deploy, endpoint: e, model: m",
        "kind: deploy, endpoint: e, package: 'arn:aws:sagemaker:us-west-2:123456789012:model-package/g/1'",
        "kind: deploy, endpoint: e, variants: {a: {model: x, instance: ml.m5.large, weight: 1}}",
        "kind: register, group: g, containers: [{image: xgboost:1.7-1, model_data: s3://b/m}], content_types: [text/csv],"
        " response_types: [text/csv]",
        "kind: training, algorithm: mine, instance: ml.m5.large, inputs: {train: s3://b/t}",
    ],
)
def test_a_default_image_gives_way(step: str, tmp_path: Path) -> None:
    head = "defaults: {image: sklearn:1.2-1, kinds: {deploy: {instance: ml.m5.large}}}\n"
    result = compile_steps(tmp_path, f"S: {{{step}}}", head)
    assert result.diagnostics == []
    assert "scikit-learn" not in json.dumps(result.definition)


SERVED = "kind: deploy, endpoint: e, model: m"


@pytest.mark.parametrize(
    ("defaults", "step"),
    [
        ("instance: ml.m5.large", f"{SERVED}, serverless: {{memory_mb: 1024, max_concurrency: 2}}"),
        (
            "kinds: {deploy: {instance: ml.m5.large}}",
            f"{SERVED}, serverless: {{memory_mb: 1024, max_concurrency: 2}}",
        ),
        (
            "kinds: {deploy: {serverless: {memory_mb: 1024, max_concurrency: 2}}}",
            f"{SERVED}, instance: ml.m5.large",
        ),
        (
            "kinds: {endpoint_config: {variants: {a: {instance: ml.m5.large}}}}",
            "kind: endpoint_config, variants: {a: {model: m, serverless: {memory_mb: 1024, max_concurrency: 2}}}",
        ),
        ("network: {isolation: true}", f"{SERVED}, instance: ml.m5.large"),
        ("role: 'arn:aws:iam::123456789012:role/R'", f"{SERVED}, instance: ml.m5.large"),
        ("kinds: {deploy: {repack: {instance: ml.m5.large}}}", f"{SERVED}, instance: ml.m5.large"),
        (
            "kinds: {deploy: {api: {model: {EnableNetworkIsolation: true}}}}",
            f"{SERVED}, instance: ml.m5.large",
        ),
        ("kinds: {deploy: {async: {output: s3://b/o}}}", f"{SERVED}, instance: ml.m5.large, {SHADOW}"),
        (
            "kinds: {deploy: {" + SHADOW + "}}",
            f"{SERVED}, instance: ml.m5.large, async: {{output: s3://b/o}}",
        ),
    ],
)
def test_defaults_give_way(defaults: str, step: str, tmp_path: Path) -> None:
    alone = compile_steps(tmp_path, f"S: {{{step}}}")
    result = compile_steps(tmp_path, f"S: {{{step}}}", f"defaults: {{{defaults}}}\n")
    assert result.diagnostics == []
    assert result.definition == alone.definition


def test_a_default_network_is_not_left_out_unseen(tmp_path: Path) -> None:
    step = "S: {kind: deploy, endpoint: e, image: xgboost:1.7-1, model_data: s3://b/m, serverless: {memory_mb: 1024, max_concurrency: 2}}"
    result = compile_steps(tmp_path, step, "defaults: {network: {isolation: true}}\n")
    assert told(result) == [("SW208", "network")]
    assert result.diagnostics[0].help == "`network: null` leaves a default out"


def test_a_name_that_is_taken_by_a_fail_step_is_told_once(tmp_path: Path) -> None:
    steps = (
        "E-model-a: {kind: fail, message: x}\n"
        "E: {kind: deploy, endpoint: e, variants: {a: {package: arn:aws:sagemaker:us-west-2:123456789012:model-package/g/1,"
        " instance: ml.m5.large}}}"
    )
    assert told(compile_steps(tmp_path, steps)) == [("SW311", "E")]
