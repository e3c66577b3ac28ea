"""Training: YAML bodies against what the SDK emits, and the mistakes that only this kind knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import shapes
from sagewright.compiler.definition import differences
from sagewright.compiler.types import Type
from sagewright.steps.training import KIND
from tests.fakes import FakeContext, as_json, step_of
from tests.kinds import compile_steps, told

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"
needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="the SDK's golden definitions are not here")
OWN_IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1"
XGBOOST = "image: xgboost:1.7-1\ninstance: ml.m5.xlarge\n"
PYTORCH = 'image: {framework: pytorch, version: "2.5.1", python: py311}\ninstance: ml.g5.2xlarge\n'
SCRIPT = "code: {dir: src, entry: train.py}\n"


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    for name in ("src/train.py", "src/requirements.txt", "src/other.txt", "alone.py"):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"# {name}\n")
    return FakeContext(tmp_path, defaults={"T": "ml.g5.2xlarge"})


def lower(text: str, context: FakeContext, name: str = "Train", **parameters: Type) -> Any:
    """Arguments as JSON, after AWS's shape has approved of them."""
    step = step_of(KIND, text, name, **parameters)
    (emitted,) = KIND.lower(step, context)
    if not context.mistakes:
        approve(emitted.arguments)
    return as_json(emitted.arguments)


def approve(arguments: Any) -> None:
    violations: list[Any] = []
    shapes.bind(
        arguments,
        KIND.request,
        omits=KIND.omits,
        variable=lambda expression, _type: as_json(expression),
        report=violations.append,
    )
    assert not violations


def golden(path: str, step: str = "Train") -> Any:
    steps = json.loads((GOLDEN / path).read_text())["Steps"]
    return next(found for found in steps if found["Name"] == step)["Arguments"]


# -- against the SDK --------------------------------------------------------------------------------------------------

SDK_BODY = """
hyperparameters: {epochs: 3, lr: 0.1, name: abc, flag: true, lst: [1, 2], none: null}
inputs: {train: s3://my-bucket/tr}
output: s3://my-bucket/model
environment: {LOG: info}
max_runtime: 1d
"""
TF = '{framework: tensorflow, version: "2.14", python: py310}'
HF = '{framework: huggingface, version: "4.36.0", base: pytorch2.1.0, python: py310}'
HF_OLD = '{framework: huggingface, version: "4.17.0", base: pytorch1.10.2, python: py38}'
P3, P4 = "{type: ml.p3.16xlarge, count: 2}", "{type: ml.p4d.24xlarge, count: 2}"
MPI = 'mpi: {processes_per_host: 8, options: "--NCCL_DEBUG INFO"}'


def torch(version: str, python: str) -> str:
    return f'{{framework: pytorch, version: "{version}", python: {python}}}'


PT, PT1 = torch("2.5.1", "py311"), torch("1.12.0", "py38")
SCRIPT_MODE: dict[str, tuple[str, str, str]] = {
    "xgboost": ("xgboost:1.7-1", "ml.m5.xlarge", ""),
    "estimator": ("246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1", "ml.m5.xlarge", ""),
    "sklearn": ("sklearn:1.2-1", "ml.m5.xlarge", ""),
    "pytorch": (PT, "ml.g5.2xlarge", ""),
    "pytorch-cpu": (PT, "ml.m5.xlarge", ""),
    "pytorch-p5": (PT, "ml.p5.48xlarge", ""),
    "pytorch-torch_distributed": (PT, P4, "distribution: {torch_distributed: {}}"),
    "pytorch-pytorchddp": (torch("1.12", "py38"), P4, "distribution: {smddp: {}}"),
    "pytorch-smddp": (PT1, P4, "distribution: {smddp: {options: -verbose}}"),
    "pytorch-smddp-td": (torch("2.0.1", "py310"), P4, "distribution: {smddp: {options: -verbose}}"),
    "pytorch-mpi": (PT, P4, f"distribution: {{{MPI}}}"),
    "pytorch-parameter_server": (PT, P4, "distribution: {parameter_server: {}}"),
    "pytorch-smp_v1": (
        PT1,
        P4,
        "distribution: {smp: {partitions: 2, ddp: true}, mpi: {processes_per_host: 8}}",
    ),
    "pytorch-smp_v2": (
        torch("2.2.0", "py310"),
        P4,
        "distribution: {smp: {hybrid_shard_degree: 4, tensor_parallel_degree: 2}}",
    ),
    "pytorch-trn1": (
        torch("1.11.0", "py38"),
        "{type: ml.trn1.32xlarge, count: 2}",
        "distribution: {torch_distributed: {}}",
    ),
    "pytorch-ckpt": (
        PT,
        "{type: ml.g5.2xlarge, count: 2}",
        "checkpoints: {destination: s3://my-bucket/ckpt, path: /opt/ml/checkpoints}",
    ),
    "pytorch-isolation": (PT, "ml.g5.2xlarge", "network: {isolation: true}"),
    "pytorch-nodebugger": (PT, "ml.g5.2xlarge", "profiler: false"),
    "pytorch-metrics": (PT, "ml.g5.2xlarge", "metrics: {loss: loss=(.*)}"),
    "tensorflow": (TF, "ml.g5.2xlarge", ""),
    "tensorflow-nomodeldir": (TF, "ml.g5.2xlarge", ""),
    "tensorflow-mpi": (TF, P3, f"distribution: {{{MPI}}}"),
    "tensorflow-parameter_server": (TF, P3, "distribution: {parameter_server: {}}"),
    "tensorflow-mwms": (TF, P3, "distribution: {mirrored: {}}"),
    "tensorflow-smddp": (
        '{framework: tensorflow, version: "2.11", python: py39}',
        P4,
        "distribution: {smddp: {options: -verbose}}",
    ),
    "huggingface": (HF, "ml.g5.2xlarge", ""),
    "huggingface-torch_distributed": (HF, P4, "distribution: {torch_distributed: {}}"),
    "huggingface-smddp": (HF_OLD, P4, "distribution: {smddp: {options: -verbose}}"),
    "huggingface-smp_v1": (
        HF_OLD,
        P4,
        "distribution: {smp: {partitions: 2, ddp: true}, mpi: {processes_per_host: 8}}",
    ),
    "mxnet-parameter_server": (
        '{framework: mxnet, version: "1.9.0", python: py38}',
        P3,
        "distribution: {parameter_server: {}}",
    ),
}
"""By golden: image, instance, and what else its estimator was given. (For pytorch-mpi, ... see the oracle.)"""


def without_sdk_extras(arguments: Any, name: str) -> Any:
    """Without Debugger's and the profiler's defaults, and TensorFlow's `model_dir`."""
    kept = {
        key: value
        for key, value in arguments.items()
        if key != "DebugHookConfig" and (key != "ProfilerConfig" or name == "pytorch-nodebugger")
    }
    kept["HyperParameters"] = {k: v for k, v in arguments["HyperParameters"].items() if k != "model_dir"}
    return kept


@needs_golden
@pytest.mark.parametrize("name", SCRIPT_MODE)
def test_script_mode_equals_the_sdk(name: str, context: FakeContext) -> None:
    image, instance, rest = SCRIPT_MODE[name]
    made = lower(f"image: {image}\ninstance: {instance}\n{SCRIPT}{SDK_BODY}{rest}", context)
    wanted = without_sdk_extras(golden(f"scriptmode/{name}.json"), name)
    assert context.mistakes == []
    assert differences({"Arguments": wanted}, {"Arguments": made}) == []
    assert list(made["HyperParameters"])[6] == "sagemaker_submit_directory"


@needs_golden
def test_parameters_in_script_mode_equal_the_sdk(context: FakeContext) -> None:
    made = lower(
        f"image: {PT}\n{SCRIPT}"
        """
instance: {type: "${parameters.T}", count: "${parameters.N}"}
hyperparameters: {epochs: "${parameters.E}", name: "${parameters.Nm}", lr: "${parameters.L}"}
inputs: {train: s3://my-bucket/tr}
output: s3://my-bucket/model
environment: {LOG: info}
max_runtime: 1d
""",
        context,
        N=Type.INTEGER,
        E=Type.INTEGER,
        L=Type.FLOAT,
    )
    wanted = without_sdk_extras(golden("scriptmode/pytorch-params.json"), "")
    assert differences({"Arguments": wanted}, {"Arguments": made}) == []


@needs_golden
def test_a_built_in_algorithm_equals_the_sdk(context: FakeContext) -> None:
    made = lower(
        XGBOOST
        + """
hyperparameters: {epochs: 3, lr: 0.1, name: abc, flag: "True", lst: [1, 2], none: "None"}
inputs: {train: s3://my-bucket/tr}
output: s3://my-bucket/model
max_runtime: 1d
""",
        context,
    )
    wanted = without_sdk_extras(golden("scriptmode/estimator-builtin.json"), "")
    wanted.pop("Environment", None)
    assert differences({"Arguments": wanted}, {"Arguments": made}) == []


@needs_golden
def test_the_abalone_pipeline_equals_the_sdk(context: FakeContext) -> None:
    made = lower(
        XGBOOST
        + """
hyperparameters: {objective: "reg:linear", num_round: 50, depth: "${parameters.InstanceCount}"}
inputs:
  train:
    source: "${steps.Preprocess.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri}"
    content_type: text/csv
output: s3://my-bucket/model
""",
        context,
        InstanceCount=Type.INTEGER,
    )
    wanted = golden("abalone.json")
    assert made == wanted
    assert list(made) == list(wanted)


# -- hyperparameters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "encoded", "plain"),
    [
        ("3", "3", "3"),
        ("0.1", "0.1", "0.1"),
        ("1.10", '"1.10"', "1.10"),
        ("1e3", '"1e3"', "1e3"),
        ("1e-05", "1e-05", "1e-05"),
        ("0012", '"0012"', "0012"),
        ("0x10", '"0x10"', "0x10"),
        ("+5", '"+5"', "+5"),
        ("3.0", "3.0", "3.0"),
        ("abc", '"abc"', "abc"),
        ('"3"', '"3"', "3"),
        ('"1.10"', '"1.10"', "1.10"),
        ("true", "true", "true"),
        ("null", "null", "null"),
        ("[1, a]", '[1, "a"]', '[1, "a"]'),
        ("{a: [1.5]}", '{"a": [1.5]}', '{"a": [1.5]}'),
        ('"${parameters.P}"', {"Get": "Parameters.P"}, {"Get": "Parameters.P"}),
    ],
)
def test_hyperparameters(written: str, encoded: Any, plain: Any, context: FakeContext) -> None:
    given = f"hyperparameters: {{x: {written}}}\n"
    assert lower(XGBOOST + SCRIPT + given, context)["HyperParameters"]["x"] == encoded
    assert lower(XGBOOST + given, context)["HyperParameters"]["x"] == plain
    assert (
        lower(f"image: {OWN_IMAGE}\ninstance: ml.m5.large\n{given}", context)["HyperParameters"]["x"] == plain
    )


def test_no_hyperparameters_no_member(context: FakeContext) -> None:
    assert "HyperParameters" not in lower(XGBOOST, context)


# -- code -------------------------------------------------------------------------------------------------------------


def test_a_single_script_is_archived(context: FakeContext) -> None:
    made = lower(XGBOOST + "code: alone.py", context)
    assert made["HyperParameters"]["sagemaker_program"] == '"alone.py"'
    ((uri, asset),) = context.uploads.items()
    assert json.loads(made["HyperParameters"]["sagemaker_submit_directory"]) == uri
    assert [entry.name for entry in asset.entries] == ["alone.py"]
    assert uri.endswith("/sourcedir.tar.gz")


def test_an_archive_in_s3_is_taken_as_it_is(context: FakeContext) -> None:
    made = lower(
        XGBOOST + "code: {dir: s3://b/k/code.tar.gz, entry: train.py}\nnetwork: {isolation: true}", context
    )
    assert made["HyperParameters"]["sagemaker_submit_directory"] == '"/opt/ml/input/data/code/code.tar.gz"'
    assert made["InputDataConfig"][-1]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/k/code.tar.gz"
    assert context.uploads == {}


def test_isolation_that_a_parameter_decides_brings_code_by_channel(context: FakeContext) -> None:
    made = lower(XGBOOST + SCRIPT + 'network: {isolation: "${parameters.I}"}', context, I=Type.BOOLEAN)
    assert [channel["ChannelName"] for channel in made["InputDataConfig"]] == ["code"]
    assert made["EnableNetworkIsolation"] == {"Get": "Parameters.I"}


def test_the_channel_code_is_a_file_whatever_the_job_reads(context: FakeContext) -> None:
    made = lower(XGBOOST + SCRIPT + "mode: Pipe\ninputs: {t: s3://b/t}\nnetwork: {isolation: true}", context)
    assert [channel["InputMode"] for channel in made["InputDataConfig"]] == ["Pipe", "File"]


@pytest.mark.parametrize(
    ("code", "uri"),
    [
        ("alone.py", "/alone.py"),
        ("{dir: src, entry: train.py}", "/sourcedir.tar.gz"),
        ("s3://b/k/train.py", "s3://b/k/train.py"),
    ],
)
def test_a_container_of_ones_own(code: str, uri: str, context: FakeContext) -> None:
    made = lower(
        f"""
image: {OWN_IMAGE}
instance: ml.m5.large
code: {code}
command: [python, -m, train]
arguments: {{n: 3, quiet: null}}
hyperparameters: {{a: text}}
inputs: {{data: s3://b/d}}
""",
        context,
    )
    assert made["AlgorithmSpecification"] == {
        "TrainingInputMode": "File",
        "TrainingImage": OWN_IMAGE,
        "ContainerEntrypoint": ["python", "-m", "train"],
        "ContainerArguments": ["--n", "3", "--quiet"],
    }
    assert made["HyperParameters"] == {"a": "text"}
    data, channel = made["InputDataConfig"]
    assert (data["ChannelName"], channel["ChannelName"]) == ("data", "code")
    assert channel["DataSource"]["S3DataSource"]["S3Uri"].endswith(uri)


def test_a_command_overrides_script_mode(context: FakeContext) -> None:
    made = lower(PYTORCH + SCRIPT + "command: [bash, run.sh]", context)
    assert made["AlgorithmSpecification"]["ContainerEntrypoint"] == ["bash", "run.sh"]
    assert "HyperParameters" not in made


def test_an_image_by_reference_is_trusted_to_run_scripts(context: FakeContext) -> None:
    made = lower('image: "${parameters.Image}"\ninstance: ml.m5.large\n' + SCRIPT, context)
    assert made["HyperParameters"]["sagemaker_program"] == '"train.py"'
    assert made["AlgorithmSpecification"]["TrainingImage"] == {"Get": "Parameters.Image"}
    assert "EnableSageMakerMetricsTimeSeries" not in made["AlgorithmSpecification"]


@pytest.mark.parametrize(
    ("repository", "wanted"),
    [
        ("pytorch-training:1.2.0-gpu-py3", False),
        ("pytorch-training:1.3.1-gpu-py3", True),
        ("pytorch-training:2.5.1-gpu-py311", True),
        ("huggingface-pytorch-training:2.1.0-transformers4.36.0-gpu-py310", True),
        ("huggingface-tensorflow-training:2.6.3-transformers4.17.0-gpu-py38", True),
        ("tensorflow-training:2.14-cpu-py310", True),
        ("sagemaker-xgboost:1.7-1", False),
        ("sagemaker-scikit-learn:1.2-1-cpu-py3", False),
    ],
)
def test_metrics_as_time_series(repository: str, wanted: bool, context: FakeContext) -> None:
    registry = "763104351884.dkr.ecr.us-west-2.amazonaws.com"
    made = lower(f"image: {registry}/{repository}\ninstance: ml.m5.large\n{SCRIPT}", context)
    assert ("EnableSageMakerMetricsTimeSeries" in made["AlgorithmSpecification"]) == wanted


# -- distributions ----------------------------------------------------------------------------------------------------


def settings(text: str, context: FakeContext, **parameters: Type) -> dict[str, Any]:
    """The hyperparameters that a distribution adds."""
    made = lower(SCRIPT + text, context, **parameters)
    own = ("submit_directory", "program", "container_log_level", "region")
    return {k: v for k, v in made["HyperParameters"].items() if k.removeprefix("sagemaker_") not in own}


def test_smddp_is_started_by_torchrun_on_p5(context: FakeContext) -> None:
    given = f"image: {torch('1.12.0', 'py38')}\ndistribution: {{smddp: {{}}}}\n"
    flag = "sagemaker_torch_distributed_enabled"
    assert flag not in settings(given + "instance: ml.p4d.24xlarge", context)
    assert settings(given + "instance: ml.p5.48xlarge", context)[flag] == "true"
    assert settings(given + "instance: ml.p5en.48xlarge", context)[flag] == "true"


def test_smp_alone_is_started_by_what_its_version_wants(context: FakeContext) -> None:
    instance = "\ninstance: ml.p4d.24xlarge\ndistribution: {smp: {partitions: 2}}"
    first = settings(f"image: {PT1}{instance}", context)
    second = settings(f"image: {torch('2.2.0', 'py310')}{instance}", context)
    assert first["sagemaker_mpi_enabled"] == "true"
    assert "sagemaker_torch_distributed_enabled" not in first
    assert second["sagemaker_torch_distributed_enabled"] == "true"
    assert "sagemaker_mpi_enabled" not in second


def test_a_reference_stays_one_in_a_distribution(context: FakeContext) -> None:
    made = settings(
        f"image: {PT}\n"
        'instance: {type: "${parameters.T}", count: 2}\n'
        'distribution: {mpi: {processes_per_host: "${parameters.N}"}}',
        context,
        N=Type.INTEGER,
    )
    assert made["sagemaker_mpi_num_of_processes_per_host"] == {"Get": "Parameters.N"}
    made = settings(
        f'image: {PT}\ninstance: {{type: "${{parameters.T}}"}}\ndistribution: {{torch_distributed: {{}}}}',
        context,
    )
    assert made["sagemaker_instance_type"] == {"Get": "Parameters.T"}


def test_groups_have_no_one_instance_type(context: FakeContext) -> None:
    made = settings(
        f"image: {PT}\ndistribution: {{torch_distributed: {{}}}}\n"
        "groups: [{name: a, type: ml.g5.2xlarge}, {name: b, type: ml.g4dn.xlarge, count: 2}]",
        context,
    )
    assert made == {"sagemaker_torch_distributed_enabled": "true"}


TWO = "groups: [{name: workers, type: ml.p4d.24xlarge, count: 2}, {name: data, type: ml.g5.xlarge}]\n"


@pytest.mark.parametrize(
    ("groups", "ways", "wanted"),
    [
        (TWO, "mpi: {}, instance_groups: [workers]", '["workers"]'),
        (TWO, "smp: {partitions: 2}, instance_groups: [data]", '["data"]'),
        (TWO, "smddp: {}, instance_groups: [workers]", '["workers"]'),
        ("groups: [{name: all, type: ml.p4d.24xlarge, count: 2}]\n", "mpi: {}", '["all"]'),
        ("groups: [{name: all, type: ml.p4d.24xlarge, count: 2}]\n", "torch_distributed: {}", None),
        (TWO, "torch_distributed: {}", None),
        ("instance: ml.p4d.24xlarge\n", "mpi: {}", None),
    ],
)
def test_the_group_that_is_distributed(
    groups: str, ways: str, wanted: str | None, context: FakeContext
) -> None:
    made = settings(f"image: {PT1}\n{groups}distribution: {{{ways}}}", context)
    assert context.mistakes == []
    assert made.get("sagemaker_distribution_instance_groups") == wanted


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        ("pytorch-training:1.5.1-gpu-py36", True),
        ("pytorch-training:2.2.0-gpu-py310", False),
        ("pytorch-training:2.3.0-gpu-py311", False),
        ("pytorch-training:2.5.1-gpu-py311", True),
        ("huggingface-pytorch-training:2.8.0-transformers4.56.2-gpu-py312", True),
        ("tensorflow-training:2.11.1-gpu-py39", False),
        ("tensorflow-training:2.14-gpu-py310", True),
    ],
)
def test_images_without_smddp_are_told(image: str, warned: bool, context: FakeContext) -> None:
    registry = "763104351884.dkr.ecr.us-west-2.amazonaws.com"
    settings(f"image: {registry}/{image}\ninstance: ml.p4d.24xlarge\ndistribution: {{smddp: {{}}}}", context)
    assert context.codes == (["SW902"] if warned else [])


# -- channels ---------------------------------------------------------------------------------------------------------


def channel(entry: str, context: FakeContext, rest: str = "") -> Any:
    (made,) = lower(f"{XGBOOST}inputs: {{c: {entry}}}\n{rest}", context)["InputDataConfig"]
    assert made.pop("ChannelName") == "c"
    return made


def test_a_whole_channel(context: FakeContext) -> None:
    made = channel(
        "{source: s3://b/x, content_type: text/csv, mode: Pipe, sharded: true, compression: Gzip,"
        " record: RecordIO, shuffle_seed: 7, data_type: AugmentedManifestFile, attributes: [a, b]}",
        context,
    )
    assert context.mistakes == []
    assert made == {
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "AugmentedManifestFile",
                "S3Uri": "s3://b/x",
                "S3DataDistributionType": "ShardedByS3Key",
                "AttributeNames": ["a", "b"],
            }
        },
        "ContentType": "text/csv",
        "CompressionType": "Gzip",
        "RecordWrapperType": "RecordIO",
        "InputMode": "Pipe",
        "ShuffleConfig": {"Seed": 7},
    }


def test_a_channel_by_its_source(context: FakeContext) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x", "S3DataDistributionType": "FullyReplicated"}
    assert channel("s3://b/x", context) == {"DataSource": {"S3DataSource": source}, "InputMode": "File"}
    assert channel("s3://b/x", context, "mode: FastFile")["InputMode"] == "FastFile"
    assert "InputMode" not in channel("{source: s3://b/x, mode: null}", context)


@pytest.mark.parametrize(("key", "kind"), [("fsx", "FSxLustre"), ("efs", "EFS")])
def test_file_systems(key: str, kind: str, context: FakeContext) -> None:
    system = "{FileSystemId: fs-01234567, DirectoryPath: /d, FileSystemAccessMode: ro}"
    assert channel(f"{{{key}: {system}}}", context)["DataSource"] == {
        "FileSystemDataSource": {
            "FileSystemType": kind,
            "FileSystemId": "fs-01234567",
            "DirectoryPath": "/d",
            "FileSystemAccessMode": "ro",
        }
    }


def test_what_a_parameter_says_of_a_channel_may_be_anything(context: FakeContext) -> None:
    entry = "{source: s3://b/x, mode: '${parameters.M}', compression: Gzip, record: RecordIO}"
    channel(entry, context)
    channel("{source: s3://b/x, data_type: '${parameters.D}', attributes: [a]}", context)
    channel("{source: s3://b/x, compression: Gzip}", context, "mode: '${parameters.M}'")
    channel("{source: s3://b/x, compression: Gzip}", context, "mode: Pipe")
    groups = "image: xgboost:1.7-1\ngroups: [{name: '${parameters.G}', type: ml.m5.large}]\n"
    lower(groups + "inputs: {c: {source: s3://b/x, instance_groups: [g]}}", context)
    groups = groups.replace("'${parameters.G}'", "g")
    lower(groups + "inputs: {c: {source: s3://b/x, instance_groups: ['${parameters.G}']}}", context)
    assert context.mistakes == []


def test_a_channel_of_a_group(context: FakeContext) -> None:
    text = "image: xgboost:1.7-1\ngroups: [{name: g, type: ml.m5.large}, {name: h, type: ml.m5.large}]\n"
    made = lower(text + "inputs: {c: {source: s3://b/x, instance_groups: [h]}}", context)
    assert made["InputDataConfig"][0]["DataSource"]["S3DataSource"]["InstanceGroupNames"] == ["h"]
    assert context.mistakes == []


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_everything_else(context: FakeContext) -> None:
    made = lower(
        """
image: xgboost:1.7-1
instance: {type: ml.m5.large, count: 2, volume_gb: 50, kms_key: volume-key}
mode: FastFile
compression: NONE
max_runtime: 4h
max_attempts: 2
spot: {max_wait: 8h}
checkpoints: {destination: s3://b/ckpt}
warm_pool: 10m
metrics: {"validation:rmse": "rmse=([0-9.]+)"}
tensorboard: {destination: s3://b/tb, path: /opt/tb}
network: {subnets: [subnet-1], security_groups: [sg-1], isolation: false, encrypt_traffic: true}
kms_key: output-key
tags: {team: risk}
""",
        context,
    )
    algorithm = made.pop("AlgorithmSpecification")
    assert algorithm["TrainingInputMode"] == "FastFile"
    assert algorithm["MetricDefinitions"] == [{"Name": "validation:rmse", "Regex": "rmse=([0-9.]+)"}]
    assert made == {
        "ResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 2,
            "VolumeSizeInGB": 50,
            "VolumeKmsKeyId": "volume-key",
            "KeepAlivePeriodInSeconds": 600,
        },
        "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
        "StoppingCondition": {"MaxRuntimeInSeconds": 14400, "MaxWaitTimeInSeconds": 28800},
        "OutputDataConfig": {
            "S3OutputPath": "s3://my-bucket/sagewright/p/Train",
            "CompressionType": "NONE",
            "KmsKeyId": "output-key",
        },
        "CheckpointConfig": {"S3Uri": "s3://b/ckpt"},
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": True,
        "EnableManagedSpotTraining": True,
        "RetryStrategy": {"MaximumRetryAttempts": 2},
        "TensorBoardOutputConfig": {"S3OutputPath": "s3://b/tb", "LocalPath": "/opt/tb"},
        "Tags": [{"Key": "team", "Value": "risk"}],
    }


def test_null_leaves_a_default_out(context: FakeContext) -> None:
    made = lower(XGBOOST + "max_runtime: null\ncompression: null", context)
    assert "StoppingCondition" not in made
    assert "CompressionType" not in made["OutputDataConfig"]


def test_groups(context: FakeContext) -> None:
    made = lower(
        "image: xgboost:1.7-1\ninstance: {volume_gb: 100}\n"
        "groups: [{name: a, type: ml.m5.large}, {name: b, type: ml.m5.xlarge, count: 2}]",
        context,
    )
    assert made["ResourceConfig"] == {
        "InstanceGroups": [
            {"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "a"},
            {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "InstanceGroupName": "b"},
        ],
        "VolumeSizeInGB": 100,
    }


def test_an_algorithm(context: FakeContext) -> None:
    name = "arn:aws:sagemaker:us-west-2:123456789012:algorithm/mine"
    made = lower(f"algorithm: {name}\ninstance: ml.m5.large", context)
    assert made["AlgorithmSpecification"] == {"TrainingInputMode": "File", "AlgorithmName": name}


def test_debugger_and_profiler_on_request(context: FakeContext) -> None:
    made = lower(
        XGBOOST
        + """
debugger:
  collections: {losses: {save_interval: 500}, weights: {}}
  rules:
    Loss: {RuleEvaluatorImage: i, RuleParameters: {rule_to_invoke: LossNotDecreasing, diff_percent: 0.10}}
profiler: {interval: 0.5s, rules: {Report: {RuleEvaluatorImage: i, VolumeSizeInGB: 10}}}
""",
        context,
    )
    output = "s3://my-bucket/sagewright/p/Train"
    assert made["DebugHookConfig"] == {
        "S3OutputPath": output,
        "CollectionConfigurations": [
            {"CollectionName": "losses", "CollectionParameters": {"save_interval": "500"}},
            {"CollectionName": "weights"},
        ],
    }
    assert made["DebugRuleConfigurations"] == [
        {
            "RuleConfigurationName": "Loss",
            "RuleEvaluatorImage": "i",
            "RuleParameters": {"rule_to_invoke": "LossNotDecreasing", "diff_percent": "0.10"},
        }
    ]
    assert made["ProfilerConfig"] == {
        "S3OutputPath": output,
        "ProfilingIntervalInMilliseconds": 500,
        "DisableProfiler": False,
    }
    assert made["ProfilerRuleConfigurations"] == [
        {"RuleConfigurationName": "Report", "RuleEvaluatorImage": "i", "VolumeSizeInGB": 10}
    ]
    other = lower(
        XGBOOST + "debugger: {output: s3://b/d}\nprofiler: {output: s3://b/p, interval: 5}", context
    )
    assert other["DebugHookConfig"] == {"S3OutputPath": "s3://b/d"}
    assert other["ProfilerConfig"]["S3OutputPath"] == "s3://b/p"
    assert other["ProfilerConfig"]["ProfilingIntervalInMilliseconds"] == 5000


def test_sugar() -> None:
    metrics = KIND.sugar["metrics"]
    assert metrics.names is not None
    assert metrics.names(step_of(KIND, XGBOOST + "metrics: {loss: l=(.*)}").body) == {"loss": Type.FLOAT}
    assert metrics.names(step_of(KIND, XGBOOST).body) is None
    assert metrics.path.format("val:acc") == "FinalMetricDataList['val:acc'].Value"
    assert {name: sugar.path for name, sugar in KIND.sugar.items() if sugar.names is None} == {
        "model_data": "ModelArtifacts.S3ModelArtifacts",
        "output": "OutputDataConfig.S3OutputPath",
        "job_name": "TrainingJobName",
    }


# -- mistakes ---------------------------------------------------------------------------------------------------------

INSTANCE = "instance: ml.m5.large\n"
OWN = f"image: {OWN_IMAGE}\n{INSTANCE}"
CHANNEL = XGBOOST + "inputs: {a: {source: s3://b/a, "
AUGMENTED = "data_type: AugmentedManifestFile"
GROUPS = f"image: xgboost:1.7-1\n{TWO}"
MPI_GROUPS = f"image: {PT}\n{SCRIPT}{TWO}"


@pytest.mark.parametrize(
    ("text", "code", "at", "said"),
    [
        (INSTANCE, "SW202", "Train", "the step `Train` lacks the key `image` or `algorithm`"),
        (XGBOOST + "algorithm: mine", "SW208", "algorithm", "`image`"),
        ("image: xgboost:1.7-1", "SW202", "Train", "the step `Train` lacks the key `instance` or `groups`"),
        (
            XGBOOST + "groups: [{name: a, type: ml.m5.large}]",
            "SW208",
            "ml.m5.xlarge",
            "`type` does not go together",
        ),
        ("image: xgboost:1.7-1\ninstance: {count: 2}", "SW202", "{count: 2}", "`type`"),
        ("algorithm: mine\n" + INSTANCE + SCRIPT, "SW208", "code", "`algorithm`"),
        (OWN + SCRIPT, "SW202", "code", "`command` must say"),
        ("image: kmeans:1\n" + INSTANCE + SCRIPT, "SW208", "code", "`kmeans` is an algorithm"),
        (XGBOOST + SCRIPT + "arguments: {a: 1}", "SW208", "arguments", "`code`"),
        (XGBOOST + "distribution: {mpi: {}}", "SW208", "distribution", "there is no `code`"),
        (OWN + SCRIPT + "command: [x]\ndistribution: {mpi: {}}", "SW208", "distribution", "`command`"),
        (XGBOOST + SCRIPT + "distribution: {mpi: {}}", "SW208", "mpi", "`xgboost` has no `mpi`"),
        (
            PYTORCH + SCRIPT + "distribution: {mpi: {}, torch_distributed: {}}",
            "SW208",
            "torch_distributed",
            "`mpi`",
        ),
        (
            PYTORCH + SCRIPT + "distribution: {mirrored: {}}",
            "SW208",
            "mirrored",
            "`pytorch` has no `mirrored`",
        ),
        (
            PYTORCH + SCRIPT + 'distribution: {smp: {a: "${parameters.P}"}, mpi: {}}',
            "SW209",
            '"${parameters.P}"',
            "literals",
        ),
        (
            XGBOOST + "spot: {max_wait: 30m}",
            "SW206",
            "30m",
            "(1800 s) must not be shorter than `max_runtime` (3600 s)",
        ),
        (XGBOOST + "max_runtime: 2h\nspot: {max_wait: 1h}", "SW206", "1h", "`max_runtime`"),
        (
            XGBOOST + "inputs: {a: {mode: File}}",
            "SW202",
            "{mode: File}",
            "the channel `a` lacks the key `source`",
        ),
        (XGBOOST + "inputs: {a: {source: s3://b/a, fsx: {}}}", "SW208", "fsx", "`source`"),
        (XGBOOST + "inputs: {a: {efs: {}, sharded: true}}", "SW208", "sharded", "`efs`"),
        (
            XGBOOST + SCRIPT + "network: {isolation: true}\ninputs: {code: s3://b/c}",
            "SW310",
            "code",
            "`code`",
        ),
        (
            XGBOOST + SCRIPT + "hyperparameters: {sagemaker_program: x}",
            "SW208",
            "sagemaker_program",
            "script mode",
        ),
        (
            XGBOOST + SCRIPT + 'hyperparameters: {a: [1, "${parameters.P}"]}',
            "SW209",
            '"${parameters.P}"',
            "list or mapping",
        ),
        (XGBOOST + "code: s3://b/train.py", "SW205", "s3://b/train.py", "archive"),
        (XGBOOST + "code: absent.py", "SW801", "absent.py", "absent.py"),
        (XGBOOST + "code: {dir: src, entry: tarin.py}", "SW803", "tarin.py", "has no file `tarin.py`"),
        (
            XGBOOST + "code: {dir: src, entry: train.py, requirements: other.txt}",
            "SW205",
            "other.txt",
            "requirements",
        ),
        (XGBOOST + "code: {entry: alone.py, requirements: other.txt}", "SW208", "other.txt", "`dir`"),
        (XGBOOST + "profiler: true", "SW204", "true", "`false` or a mapping"),
        (
            XGBOOST + "debugger: {rules: {LosNotDecreasing: {}}}",
            "SW204",
            "LosNotDecreasing",
            "no built-in rule `LosNotDecreasing`",
        ),
        (XGBOOST + "profiler: {rules: {Overfit: {}}}", "SW204", "Overfit", "no built-in rule `Overfit`"),
        (INSTANCE + SCRIPT, "SW202", "Train", "the step `Train` lacks the key `image` or `algorithm`"),
        (f"image: {PT}\n{SCRIPT}", "SW202", "Train", "the step `Train` lacks the key `instance` or `groups`"),
        (
            "image: pytroch:2.5.1\n" + INSTANCE + SCRIPT,
            "SW807",
            "pytroch:2.5.1",
            "unknown framework `pytroch`",
        ),
        ("image: xgboost:9.9-9\n" + INSTANCE + SCRIPT, "SW807", "xgboost:9.9-9", "9.9-9"),
        ("image: kmeans:9\n" + INSTANCE + SCRIPT, "SW807", "kmeans:9", "no version `9`"),
        ("image: pytorch-neuron:0.9\n" + INSTANCE + SCRIPT, "SW807", "pytorch-neuron:0.9", "0.9"),
        (XGBOOST + "max_runtime: 40d", "SW206", "40d", "the most is 28 days"),
        (XGBOOST + "profiler: {interval: 3s}", "SW204", "3s", "`0.1s`, `0.2s`, `0.5s`, `1s`, `5s` or `1m`"),
        (CHANNEL + "compression: Gzip}}", "SW904", "compression", "`a` is read in the mode File"),
        (CHANNEL + "compression: Gzip}}\nmode: FastFile", "SW904", "compression", "in the mode FastFile"),
        (CHANNEL + "record: RecordIO, mode: FastFile}}\nmode: Pipe", "SW904", "record", "the mode Pipe"),
        (
            CHANNEL + f"{AUGMENTED}, attributes: [l], mode: FastFile}}}}",
            "SW208",
            "data_type",
            "the mode Pipe",
        ),
        (CHANNEL + f"{AUGMENTED}, mode: Pipe}}}}", "SW202", "data_type", "lacks the key `attributes`"),
        (CHANNEL + "attributes: [l], data_type: ManifestFile}}", "SW904", "attributes", "augmented manifest"),
        (CHANNEL + "attributes: [l]}}", "SW904", "attributes", "augmented manifest"),
        (XGBOOST + "inputs: {a: {fsx: {}, mode: Pipe}}", "SW208", "mode", "`a` is a file system"),
        (XGBOOST + "inputs: {a: {fsx: {}}}\nmode: Pipe", "SW208", "{fsx: {}}", "`a` is a file system"),
        (XGBOOST + "inputs: {a: {fsx: {FileSystemType: EFS}}}", "SW208", "EFS", "of the type FSxLustre"),
        (
            XGBOOST + "inputs: {a: {efs: {FileSystemType: FSxLustre}}}",
            "SW208",
            "FSxLustre",
            "of the type EFS",
        ),
        (CHANNEL + "instance_groups: [g]}}", "SW904", "instance_groups", "the step has no `groups`"),
        (
            f"{GROUPS}inputs: {{a: {{source: s3://b/a, instance_groups: [data, wrokers]}}}}",
            "SW204",
            "wrokers",
            "no group `wrokers`",
        ),
        (GROUPS.replace("data", "workers"), "SW310", "workers", "two groups `workers`"),
        (MPI_GROUPS + "distribution: {mpi: {}}", "SW202", "mpi", "runs on one of the 2 groups"),
        (
            MPI_GROUPS + "distribution: {mpi: {}, instance_groups: [worker]}",
            "SW204",
            "worker",
            "no group `worker`",
        ),
        (
            MPI_GROUPS + "distribution: {torch_distributed: {}, instance_groups: [workers]}",
            "SW208",
            "instance_groups",
            "`mpi` and `smddp`",
        ),
        (MPI_GROUPS + "distribution: {instance_groups: [workers]}", "SW208", "instance_groups", "`smddp`"),
        (
            PYTORCH + SCRIPT + "distribution: {mpi: {}, instance_groups: [workers]}",
            "SW208",
            "instance_groups",
            "the step has no `groups`",
        ),
        (
            MPI_GROUPS.replace(
                "[{name: workers, type: ml.p4d.24xlarge, count: 2}, {name: data", "[{name: '${parameters.G}'"
            )
            + "distribution: {mpi: {}}",
            "SW209",
            "'${parameters.G}'",
            "literal",
        ),
    ],
)
def test_mistakes(text: str, code: str, at: str, said: str, context: FakeContext) -> None:
    lower(text, context)
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [(code, at)]
    assert said in context.mistakes[0].message


def test_a_wait_that_is_long_enough(context: FakeContext) -> None:
    assert (
        lower(XGBOOST + "spot: {max_wait: 1h}", context)["StoppingCondition"]["MaxWaitTimeInSeconds"] == 3600
    )
    lower(XGBOOST + 'max_runtime: "${parameters.N}"\nspot: {max_wait: 1m}', context, N=Type.INTEGER)
    assert context.mistakes == []


# -- defaults, and references -----------------------------------------------------------------------------------------

ONE_GROUP = "groups: [{name: g, type: ml.m5.large}]"


@pytest.mark.parametrize(
    ("head", "own", "wanted"),
    [
        ("instance: ml.m5.xlarge", ONE_GROUP, {"VolumeSizeInGB": 30}),
        (
            "instance: {type: ml.m5.xlarge, count: 2, volume_gb: 70}",
            ONE_GROUP + ", instance: {kms_key: k}",
            {"VolumeSizeInGB": 70, "VolumeKmsKeyId": "k"},
        ),
        (ONE_GROUP, "instance: {volume_gb: 50}", {"VolumeSizeInGB": 50}),
        (
            ONE_GROUP,
            "instance: ml.m5.2xlarge",
            {"InstanceType": "ml.m5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        ),
    ],
)
def test_a_default_of_instances_gives_way(head: str, own: str, wanted: Any, tmp_path: Path) -> None:
    steps = f"""
T: {{kind: training, image: xgboost:1.7-1, {own}}}
U: {{kind: training, image: xgboost:1.7-1}}
"""
    result = compile_steps(tmp_path, steps, f"defaults: {{{head}}}\n")
    assert result.diagnostics == []
    assert result.definition is not None
    first, second = (step["Arguments"]["ResourceConfig"] for step in result.definition["Steps"])
    groups = [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "g"}]
    assert first == wanted | ({} if "InstanceType" in wanted else {"InstanceGroups": groups})
    assert ("InstanceGroups" in second) == head.startswith(
        "groups"
    )  # what gave way in one is there for the next


@pytest.mark.parametrize("files", ["compression: NONE", "api: {OutputDataConfig: {CompressionType: NONE}}"])
def test_files_are_no_archive(files: str, tmp_path: Path) -> None:
    after = "{kind: model, image: xgboost:1.7-1, model_data: '${steps.T.%s}'}"
    train = f"T: {{kind: training, image: xgboost:1.7-1, instance: ml.m5.large, {files}}}\nM: "
    result = compile_steps(tmp_path, train + after % "model_data")
    assert told(result) == [("SW302", "model_data")]
    assert "not one archive" in result.diagnostics[0].message
    assert compile_steps(tmp_path, train + after % "ModelArtifacts.S3ModelArtifacts").diagnostics == []
