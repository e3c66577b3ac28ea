"""The kind `model`: its requests against the SDK's, containers, inference code, and what does not go together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import shapes
from sagewright.compiler.definition import differences
from sagewright.compiler.model import Emitted
from sagewright.steps.model import KIND
from tests.fakes import ROLE, FakeContext, as_json, step_of

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"
TRAINED = "${steps.Train.ModelArtifacts.S3ModelArtifacts}"
XGBOOST = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    folder = tmp_path / "inf"
    folder.mkdir()
    (folder / "inference.py").write_text("def model_fn(folder): ...\n")
    (folder / "requirements.txt").write_text("numpy\n")
    (tmp_path / "serve.py").write_text("def model_fn(folder): ...\n")
    return FakeContext(tmp_path)


def lowered(text: str, context: FakeContext) -> list[Emitted]:
    """The steps that step `M` becomes; each is as AWS would take it."""
    made = KIND.lower(step_of(KIND, text, name="M"), context)
    for step in made:
        assert violations(step) == []
    return made


def violations(step: Emitted) -> list[str]:
    found: list[Any] = []
    stand_in = lambda expression, wanted: {"Get": "Parameters.X"}  # noqa: E731
    shapes.bind(step.arguments, step.request, omits=step.omits, variable=stand_in, report=found.append)
    return [violation.message for violation in found]


def primary(text: str, context: FakeContext) -> dict[str, Any]:
    """The only container of the model."""
    return as_json(lowered(text, context)[-1].arguments)["PrimaryContainer"]


def golden(name: str, step: str) -> dict[str, Any]:
    """A step of a definition that the SDK made, with our names for those that it adds."""
    path = GOLDEN / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the SDK's definitions are not here: {path.name}")
    text = path.read_text().replace("M-RepackModel-0", "M-repack")
    return next(found for found in json.loads(text)["Steps"] if found["Name"] == step)


def test_image_and_archive_as_the_sdk_writes_them(context: FakeContext) -> None:
    (made,) = lowered("image: xgboost:1.7-1\nmodel_data: s3://my-bucket/m.tar.gz", context)
    wanted = golden("endpoint", "CreateModel")["Arguments"]
    assert as_json(made.arguments) == wanted
    assert list(made.arguments["PrimaryContainer"]) == list(wanted["PrimaryContainer"])


FRAMEWORKS = {
    "xgboost": "image: xgboost:1.7-1",
    "sklearn": "image: sklearn:1.2-1",
    "pytorch": "image: {framework: pytorch, version: 2.5.1, python: py311, accelerator: cpu}",
    "tensorflow": "image: {framework: tensorflow, version: 2.14, accelerator: cpu}",
    "huggingface": "image: {framework: huggingface, version: 4.37.0, base: pytorch2.1.0, accelerator: cpu}",
    "xgboost-isolation": "image: xgboost:1.7-1\nnetwork: {isolation: true}",
}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_inference_code_as_the_sdk_writes_it(name: str, context: FakeContext) -> None:
    text = f"{FRAMEWORKS[name]}\nmodel_data: {TRAINED}\ncode: {{dir: inf, entry: inference.py}}"
    made = lowered(text, context)
    wanted = golden(f"scriptmode/model-{name}-create", "M-CreateModel")["Arguments"]
    assert differences(as_json(made[-1].arguments), wanted) == []
    assert [step.name for step in made] == (["M"] if name in ("xgboost", "sklearn") else ["M-repack", "M"])


def test_the_repacking_job_is_the_sdks_but_for_its_script(context: FakeContext) -> None:
    text = f"{FRAMEWORKS['pytorch']}\nmodel_data: {TRAINED}\ncode: {{dir: inf, entry: inference.py}}"
    repack = lowered(text, context)[0]
    ours, wanted = (
        as_json(repack.arguments),
        golden("scriptmode/model-pytorch-create", "M-repack")["Arguments"],
    )
    for member in ("AlgorithmSpecification", "ResourceConfig", "RoleArn"):
        assert ours[member] == wanted[member]
    model, code = ours["InputDataConfig"]
    assert model["DataSource"] == wanted["InputDataConfig"][0]["DataSource"]
    assert code["DataSource"]["S3DataSource"]["S3Uri"] in context.uploads
    assert ours["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert ours["OutputDataConfig"]["S3OutputPath"] == "s3://my-bucket/sagewright/p/M-repack"
    settings = {key: json.loads(value) for key, value in ours["HyperParameters"].items()}
    assert settings.pop("sagemaker_submit_directory") in context.uploads
    assert settings == {
        "sagemaker_program": "repack_script.py",
        "sagemaker_region": "us-west-2",
        "sagemaker_container_log_level": 20,
    }


def test_a_single_script_is_fetched_as_an_archive(context: FakeContext) -> None:
    made = primary("image: sklearn:1.2-1\nmodel_data: s3://b/m.tar.gz\ncode: serve.py", context)
    assert made["Environment"]["SAGEMAKER_PROGRAM"] == "serve.py"
    place = made["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"]
    assert place.endswith("/sourcedir.tar.gz")
    assert place in context.uploads


@pytest.mark.parametrize(
    ("code", "program", "place"),
    [
        ("{dir: s3://b/code.tar.gz, entry: x.py}", "x.py", "s3://b/code.tar.gz"),
        ("s3://b/scripts/x.py", "x.py", "/opt/ml/model/code"),
    ],
)
def test_code_in_s3_stays_there(code: str, program: str, place: str, context: FakeContext) -> None:
    made = primary(f"image: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz\ncode: {code}", context)
    assert made["Environment"]["SAGEMAKER_PROGRAM"] == program
    assert made["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == place


def test_tensorflow_serving_gets_its_script_under_the_name_that_it_knows(context: FakeContext) -> None:
    image = FRAMEWORKS["tensorflow"]
    repack, model = lowered(f"{image}\nmodel_data: s3://b/m.tar.gz\ncode: serve.py", context)
    assert repack.arguments["HyperParameters"]["inference_py"] == '"serve.py"'
    assert model.arguments["PrimaryContainer"]["Environment"] == {}


def test_a_second_inference_py_is_refused_for_tensorflow(context: FakeContext) -> None:
    (context.root / "inf" / "serve.py").write_text("")
    text = f"{FRAMEWORKS['tensorflow']}\nmodel_data: s3://b/m.tar.gz\ncode: {{dir: inf, entry: serve.py}}"
    lowered(text, context)
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [("SW208", "serve.py")]


def test_requirements_of_another_name_are_renamed_in_the_archive(context: FakeContext) -> None:
    (context.root / "inf" / "prod.txt").write_text("numpy\n")
    text = (
        "image: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz\n"
        "code: {dir: inf, entry: inference.py, requirements: prod.txt}"
    )
    repack, _ = lowered(text, context)
    assert repack.arguments["HyperParameters"]["requirements_txt"] == '"prod.txt"'


@pytest.mark.parametrize("isolation", ["true", "'${parameters.Isolated}'"])
def test_a_container_that_may_be_isolated_cannot_fetch_its_code(isolation: str, context: FakeContext) -> None:
    text = f"image: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz\ncode: serve.py\nnetwork: {{isolation: {isolation}}}"
    assert [step.name for step in lowered(text, context)] == ["M-repack", "M"]


def test_isolation_that_is_off_is_written_and_changes_nothing(context: FakeContext) -> None:
    text = "image: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz\ncode: serve.py\nnetwork: {isolation: false}"
    (made,) = lowered(text, context)
    assert made.arguments["EnableNetworkIsolation"] is False


def test_the_author_configures_the_repacking(context: FakeContext) -> None:
    text = f"""
image: xgboost:1.7-1
model_data: {TRAINED}
code: serve.py
network: {{subnets: [subnet-1], security_groups: [sg-1]}}
tags: {{team: risk}}
repack:
  instance: {{type: ml.m5.4xlarge, volume_gb: 200, kms_key: abc}}
  image: sklearn:1.4-2
  max_runtime: 30m
  output: s3://b/repacked
  kms_key: def
  role: arn:aws:iam::123456789012:role/Packer
  environment: {{LOG: 1.10}}
  tags: {{team: ops}}
  api: {{EnableManagedSpotTraining: true}}
  step_api: {{CacheConfig: {{Enabled: true, ExpireAfter: P30D}}}}
"""
    repack, model = lowered(text, context)
    made = as_json(repack.arguments)
    assert made["ResourceConfig"] == {
        "InstanceType": "ml.m5.4xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 200,
        "VolumeKmsKeyId": "abc",
    }
    assert made["AlgorithmSpecification"]["TrainingImage"].endswith("/sagemaker-scikit-learn:1.4-2-cpu-py3")
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 1800}
    assert made["OutputDataConfig"] == {
        "KmsKeyId": "def",
        "S3OutputPath": "s3://b/repacked",
        "CompressionType": "GZIP",
    }
    assert made["RoleArn"] == "arn:aws:iam::123456789012:role/Packer"
    assert made["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert made["Tags"] == [{"Key": "team", "Value": "ops"}]
    assert repack.api == {"EnableManagedSpotTraining": True}
    assert repack.extra == {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}
    assert model.arguments["Tags"] == [{"Key": "team", "Value": "risk"}]
    assert model.api is None


def test_the_author_names_the_repacking(context: FakeContext) -> None:
    text = f"image: xgboost:1.7-1\nmodel_data: {TRAINED}\ncode: serve.py\nrepack: {{name: AddCode}}"
    repack, model = lowered(text, context)
    assert (repack.name, model.name) == ("AddCode", "M")
    assert as_json(model.arguments)["PrimaryContainer"]["ModelDataUrl"] == {
        "Get": "Steps.AddCode.ModelArtifacts.S3ModelArtifacts"
    }
    torch = FRAMEWORKS["pytorch"].removeprefix("image: ")
    several = f"containers: [{{image: {torch}, model_data: s3://b/a.tar.gz, code: serve.py}}]\nrepack: {{name: AddCode}}"
    assert [step.name for step in lowered(several, context)] == ["AddCode-0", "M"]


def test_repacking_that_is_asked_for_is_done(context: FakeContext) -> None:
    text = "image: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz\ncode: serve.py\nrepack: {}"
    assert [step.name for step in lowered(text, context)] == ["M-repack", "M"]


def test_what_the_author_sets_wins_over_script_mode(context: FakeContext) -> None:
    environment = "environment: {SAGEMAKER_CONTAINER_LOG_LEVEL: 10, DEPTH: 3}"
    made = primary(
        f"image: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz\ncode: serve.py\n{environment}", context
    )
    assert made["Environment"]["SAGEMAKER_CONTAINER_LOG_LEVEL"] == "10"
    assert made["Environment"]["DEPTH"] == "3"


def test_null_leaves_the_empty_environment_out(context: FakeContext) -> None:
    assert "Environment" not in primary("image: xgboost:1.7-1\nenvironment: null", context)


def test_a_list_of_containers(context: FakeContext) -> None:
    text = f"""
containers:
  - {{image: "sklearn:1.2-1", model_data: s3://b/prepare.tar.gz, code: serve.py}}
  - image: {XGBOOST}
    model_data: {TRAINED}
    environment: {{A: 1}}
    api: {{ImageConfig: {{RepositoryAccessMode: Platform}}}}
execution: Serial
"""
    (made,) = lowered(text, context)
    arguments = as_json(made.arguments)
    assert list(arguments) == ["ExecutionRoleArn", "Containers", "InferenceExecutionConfig"]
    first, second = arguments["Containers"]
    assert first["Environment"]["SAGEMAKER_PROGRAM"] == "serve.py"
    assert second == {
        "Image": XGBOOST,
        "Environment": {"A": "1"},
        "ModelDataUrl": {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"},
        "ImageConfig": {"RepositoryAccessMode": "Platform"},
    }
    assert arguments["InferenceExecutionConfig"] == {"Mode": "Serial"}


def test_a_mapping_gives_hostnames_and_repacks_one_by_one(context: FakeContext) -> None:
    torch = FRAMEWORKS["pytorch"].removeprefix("image: ")
    text = f"""
containers:
  prepare: {{image: {torch}, model_data: s3://b/a.tar.gz, code: serve.py}}
  predict: {{image: {torch}, model_data: s3://b/b.tar.gz, code: serve.py}}
execution: Direct
"""
    made = lowered(text, context)
    assert [step.name for step in made] == ["M-repack-prepare", "M-repack-predict", "M"]
    found = as_json(made[-1].arguments)["Containers"]
    assert [(c["ContainerHostname"], c["ModelDataUrl"]["Get"]) for c in found] == [
        ("prepare", "Steps.M-repack-prepare.ModelArtifacts.S3ModelArtifacts"),
        ("predict", "Steps.M-repack-predict.ModelArtifacts.S3ModelArtifacts"),
    ]


def test_one_container_for_many_models(context: FakeContext) -> None:
    made = primary("image: xgboost:1.7-1\nmodel_data: s3://b/models/\nmulti_model: true", context)
    assert made["Mode"] == "MultiModel"
    assert "Mode" not in primary("image: xgboost:1.7-1\nmulti_model: false", context)
    fetched = "image: xgboost:1.7-1\nmodel_data: s3://b/models/\ncode: serve.py\nmulti_model: true"
    assert primary(fetched, context)["Mode"] == "MultiModel"
    assert context.mistakes == []


@pytest.mark.parametrize(
    "text",
    [
        "image: xgboost:1.7-1\nmulti_model: true\napi: {PrimaryContainer: {ModelDataUrl: 's3://b/models/'}}",
        f"containers: [{{image: {XGBOOST}, api: {{ContainerHostname: one}}}}, {{image: {XGBOOST}, api: {{ContainerHostname: two}}}}]\nexecution: Direct",
    ],
)
def test_what_api_adds_counts(text: str, context: FakeContext) -> None:
    lowered(text, context)
    assert context.mistakes == []


def test_a_model_package_says_it_all(context: FakeContext) -> None:
    (made,) = lowered('package: "${steps.Register.ModelPackageArn}"\nnetwork: {isolation: true}', context)
    assert as_json(made.arguments) == {
        "ExecutionRoleArn": ROLE,
        "Containers": [{"ModelPackageName": {"Get": "Steps.Register.ModelPackageArn"}}],
        "EnableNetworkIsolation": True,
    }


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("model_data: s3://b/m.tar.gz", "SW202", "M"),
        ("image: xgboost:1.7-1\nexecution: Serial", "SW208", "execution"),
        ("image: xgboost:1.7-1\npackage: arn:aws:x", "SW208", "package"),
        ("containers: [{image: xgboost:1.7-1}]\nmodel_data: s3://b/m.tar.gz", "SW208", "model_data"),
        ("containers: [{image: xgboost:1.7-1}]\nmulti_model: true", "SW208", "multi_model"),
        ("package: arn:aws:x\ncode: serve.py", "SW208", "code"),
        ("automl: Auto", "SW301", "Auto"),
        ("image: {framework: pytorch, version: 2.5.1, accelerator: cpu}\ncode: serve.py", "SW202", "code"),
        ("image: xgboost:1.7-1\ncode: none.py", "SW801", "none.py"),
        ("image: xgboost:1.7-1\ncode: {dir: inf, entry: inferense.py}", "SW803", "inferense.py"),
        ("image: nogboost:1.7-1", "SW807", "nogboost:1.7-1"),
        ("image: kmeans:1\nmodel_data: s3://b/m.tar.gz\ncode: serve.py", "SW208", "code"),
        ("image: xgboost:1.7-1\nmulti_model: true", "SW202", "multi_model"),
        ("image: xgboost:1.7-1\napi: {PrimaryContainer: {Mode: MultiModel}}", "SW202", "MultiModel"),
        (
            f"{FRAMEWORKS['pytorch']}\nmodel_data: s3://b/models/\ncode: serve.py\nmulti_model: true",
            "SW208",
            "multi_model",
        ),
        (
            "image: xgboost:1.7-1\nmodel_data: s3://b/models/\ncode: serve.py\nmulti_model: true\nnetwork: {isolation: true}",
            "SW208",
            "multi_model",
        ),
        ("image: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz\nrepack: {}", "SW208", "repack"),
        ("containers: [{image: xgboost:1.7-1}]\nrepack: {}", "SW208", "repack"),
        ("package: arn:aws:x\nrepack: {}", "SW208", "repack"),
        (f"containers: [{{image: {XGBOOST}}}, {{image: {XGBOOST}}}]\nexecution: Direct", "SW208", "Direct"),
    ],
)
def test_mistakes_have_a_code_and_a_place(text: str, code: str, at: str, context: FakeContext) -> None:
    KIND.lower(step_of(KIND, text, name="M"), context)
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [(code, at)]
