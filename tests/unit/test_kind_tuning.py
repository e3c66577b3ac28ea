"""Tuning: ranges, strategies, one definition and several, script mode, and where the models are that it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.definition import differences
from sagewright.compiler.types import Type
from sagewright.steps.tuning import KIND
from tests.fakes import FakeContext
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, lowered, needs_golden, told

TRAINING = "{image: xgboost:1.7-1, instance: ml.m5.xlarge, inputs: {train: s3://b/t}, output: s3://b/model}"
OBJECTIVE = 'objective: {metric: "validation:rmse", goal: Minimize}\n'
RANGES = "ranges: {eta: {min: 0.1, max: 0.3}}\n"
LEAST = f"training: {TRAINING}\n{OBJECTIVE}{RANGES}max_jobs: 4\n"
HYPERBAND = (
    "api: {{HyperParameterTuningJobConfig: {{StrategyConfig: {{HyperbandStrategyConfig: {{{}}}}}}}}}\n"
)
FRAMEWORK = (
    "training: {{image: sklearn:1.2-1, instance: ml.m5.large, code: src/train.py, {}}}\n"
    "objective: {{metric: rmse, goal: Minimize}}\nranges: {{alpha: [1, 2]}}\nmax_jobs: 2\n"
)
FULL = """
training:
  image: xgboost:1.7-1
  instance: {type: ml.m5.xlarge, count: 2, volume_gb: 50, kms_key: v}
  code: {dir: src, entry: train.py}
  hyperparameters: {rounds: 50}
  inputs: {train: {source: s3://b/t, content_type: text/csv, mode: Pipe, sharded: true, compression: Gzip}}
  mode: FastFile
  output: s3://b/model
  compression: NONE
  max_runtime: 2h
  max_attempts: 3
  spot: {max_wait: 4h}
  checkpoints: {destination: s3://b/c, path: /opt/ml/c}
  warm_pool: 10m
  metrics: {rmse: "rmse=(.*)"}
  environment: {LOG: info}
  network: {subnets: [subnet-1], security_groups: [sg-1], isolation: true, encrypt_traffic: true}
  kms_key: o
  role: arn:aws:iam::123456789012:role/Other
  api: {ResourceConfig: {TrainingPlanArn: "arn:aws:sagemaker:us-west-2:123456789012:training-plan/p"}}
objective: {metric: rmse, goal: Minimize}
strategy: Random
ranges:
  eta: {min: 0.1, max: 1, scale: Logarithmic}
  depth: {min: 1, max: 8, type: Continuous}
  booster: [gbtree, dart]
max_jobs: 20
max_parallel_jobs: 4
early_stopping: Auto
warm_start: {ParentHyperParameterTuningJobs: [{HyperParameterTuningJobName: old}], WarmStartType: TransferLearning}
seed: 7
completion: {TargetObjectiveMetricValue: 0.5}
tags: {team: risk}
"""
SEVERAL = f"""
trainings:
  a: {TRAINING}
  b:
    image: sklearn:1.2-1
    instance: ml.m5.large
    code: src/train.py
    metrics: {{loss: "loss=(.*)"}}
    output: s3://b/model
    objective: {{metric: loss, goal: Maximize}}
    ranges: {{alpha: [1, 1.10, x]}}
    distribution: {{}}
    groups: [{{name: g, type: ml.m5.large}}]
{OBJECTIVE}{RANGES}max_jobs: 4
"""


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("pass\n")
    return FakeContext(tmp_path)


def config(text: str, context: FakeContext, **parameters: Type) -> Any:
    return lowered(KIND, text, context, **parameters)["HyperParameterTuningJobConfig"]


# -- one definition ---------------------------------------------------------------------------------------------------


def test_what_is_written_unasked(context: FakeContext) -> None:
    made = lowered(
        KIND,
        f"training: {{image: xgboost:1.7-1, instance: ml.m5.xlarge, inputs: {{t: s3://b/t}}}}\n{OBJECTIVE}{RANGES}max_jobs: 4",
        context,
        "Tune",
    )
    assert made == {
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "ResourceLimits": {"MaxParallelTrainingJobs": 1, "MaxNumberOfTrainingJobs": 4},
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "ParameterRanges": {
                "ContinuousParameterRanges": [
                    {"Name": "eta", "MinValue": "0.1", "MaxValue": "0.3", "ScalingType": "Auto"}
                ]
            },
            "TrainingJobEarlyStoppingType": "Off",
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {
                "TrainingInputMode": "File",
                "TrainingImage": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1",
            },
            "RoleArn": "arn:aws:iam::123456789012:role/SageMakerRole",
            "OutputDataConfig": {
                "S3OutputPath": "s3://my-bucket/sagewright/p/Tune",
                "CompressionType": "GZIP",
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "InputDataConfig": [
                {
                    "ChannelName": "t",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": "s3://b/t",
                            "S3DataDistributionType": "FullyReplicated",
                        }
                    },
                }
            ],
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        },
    }


@needs_golden
def test_equals_the_sdk(context: FakeContext) -> None:
    made = lowered(
        KIND,
        """
training:
  image: xgboost:1.7-1
  instance: ml.m5.xlarge
  hyperparameters: {num_round: 50}
  inputs: {train: {source: s3://my-bucket/train, content_type: text/csv}}
  output: s3://my-bucket/model
objective: {metric: "validation:rmse", goal: Minimize}
ranges: {alpha: {min: 0.01, max: 10, scale: Logarithmic}, max_depth: {min: 1, max: 8}, booster: [a, b]}
max_jobs: 4
max_parallel_jobs: 2
""",
        context,
    )
    wanted = golden_arguments("tuning.json", "Tune")
    assert made == wanted
    assert [list(made[key]) for key in made] == [list(wanted[key]) for key in wanted]


def test_every_key_of_the_search(context: FakeContext) -> None:
    made = lowered(KIND, FULL, context)
    assert made["HyperParameterTuningJobConfig"] == {
        "Strategy": "Random",
        "ResourceLimits": {"MaxParallelTrainingJobs": 4, "MaxNumberOfTrainingJobs": 20},
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "rmse"},
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {"Name": "eta", "MinValue": "0.1", "MaxValue": "1", "ScalingType": "Logarithmic"},
                {"Name": "depth", "MinValue": "1", "MaxValue": "8", "ScalingType": "Auto"},
            ],
            "CategoricalParameterRanges": [{"Name": "booster", "Values": ['"gbtree"', '"dart"']}],
        },
        "TrainingJobEarlyStoppingType": "Auto",
        "TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 0.5},
        "RandomSeed": 7,
    }
    assert made["WarmStartConfig"]["WarmStartType"] == "TransferLearning"
    assert made["Tags"] == [{"Key": "team", "Value": "risk"}]
    definition = made["TrainingJobDefinition"]
    assert definition["RoleArn"].endswith("role/Other")
    assert definition["EnableManagedSpotTraining"] is True
    assert definition["RetryStrategy"] == {"MaximumRetryAttempts": 3}
    assert definition["OutputDataConfig"] == {
        "S3OutputPath": "s3://b/model",
        "CompressionType": "NONE",
        "KmsKeyId": "o",
    }
    assert definition["ResourceConfig"]["TrainingPlanArn"].endswith("training-plan/p")
    assert [channel.get("InputMode") for channel in definition["InputDataConfig"]] == ["Pipe", "File"]


def test_every_key_counts(context: FakeContext) -> None:
    assert ignored_keys("tuning", FULL, context.root) == []
    assert ignored_keys("tuning", SEVERAL.replace("    distribution: {}\n", ""), context.root) == []
    assert untried_keys("tuning", [FULL, SEVERAL]) == set()


def test_metrics_as_time_series_are_no_member_of_a_search(context: FakeContext) -> None:
    text = LEAST.replace(
        "xgboost:1.7-1", '{framework: pytorch, version: "2.5.1", python: py311}, code: src/train.py'
    )
    definition = lowered(KIND, text.replace("ml.m5.xlarge", "ml.g5.xlarge"), context)["TrainingJobDefinition"]
    assert "EnableSageMakerMetricsTimeSeries" not in definition["AlgorithmSpecification"]
    assert definition["StaticHyperParameters"]["sagemaker_program"] == '"train.py"'


def test_the_image_of_the_model_parallelism_library(context: FakeContext) -> None:
    text = (
        LEAST.replace(
            "xgboost:1.7-1",
            '{framework: pytorch, version: "2.2.0", python: py310}, code: src/train.py, '
            "distribution: {smp: {hybrid_shard_degree: 4}}",
        )
    ).replace("ml.m5.xlarge", "ml.p4d.24xlarge")
    algorithm = lowered(KIND, text, context)["TrainingJobDefinition"]["AlgorithmSpecification"]
    assert "smdistributed-modelparallel" in algorithm["TrainingImage"]


# -- ranges -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kind", "limits"),
    [
        ("{min: 1, max: 8}", "Integer", ("1", "8")),
        ("{min: -5, max: 0o10}", "Integer", ("-5", "0o10")),
        ("{min: 1.0, max: 8}", "Continuous", ("1.0", "8")),
        ("{min: 1, max: 8, type: Continuous}", "Continuous", ("1", "8")),
        ("{min: 1e-5, max: 1.10}", "Continuous", ("1e-5", "1.10")),
    ],
)
def test_ranges_of_numbers(written: str, kind: str, limits: tuple[str, str], context: FakeContext) -> None:
    ranges = config(LEAST.replace("{min: 0.1, max: 0.3}", written), context)["ParameterRanges"]
    ((member, (found,)),) = ranges.items()
    assert (member, (found["MinValue"], found["MaxValue"])) == (f"{kind}ParameterRanges", limits)


def test_limits_that_are_references(context: FakeContext) -> None:
    written = '{min: 1, max: "${parameters.N}"}'
    ranges = config(LEAST.replace("{min: 0.1, max: 0.3}", written), context, N=Type.INTEGER)[
        "ParameterRanges"
    ]
    assert ranges["IntegerParameterRanges"][0]["MaxValue"] == {"Get": "Parameters.N"}
    ranges = config(LEAST.replace("{min: 0.1, max: 0.3}", written), context, N=Type.FLOAT)["ParameterRanges"]
    assert "ContinuousParameterRanges" in ranges
    assert context.mistakes == []
    config(LEAST.replace("{min: 0.1, max: 0.3}", written), context, N=Type.STRING)
    assert [(m.code, m.at) for m in context.mistakes] == [("SW202", written)]


def test_lists_are_json_in_script_mode_only(context: FakeContext) -> None:
    written = '[a, "1.10", 1.10, 1, true, 1e3, "${parameters.P}"]'
    text = LEAST.replace("{min: 0.1, max: 0.3}", written)
    (plain,) = config(text, context)["ParameterRanges"]["CategoricalParameterRanges"]
    assert plain["Values"] == ["a", "1.10", "1.10", "1", "true", "1e3", {"Get": "Parameters.P"}]
    text = text.replace("image: xgboost:1.7-1", "image: xgboost:1.7-1, code: src/train.py")
    (encoded,) = config(text, context)["ParameterRanges"]["CategoricalParameterRanges"]
    assert encoded["Values"] == ['"a"', '"1.10"', '"1.10"', "1", "true", '"1e3"', {"Get": "Parameters.P"}]


# -- several definitions ----------------------------------------------------------------------------------------------


def test_several_trainings(context: FakeContext) -> None:
    text = SEVERAL.replace("    distribution: {}\n", "").replace(
        "    groups: [{name: g, type: ml.m5.large}]\n", ""
    )
    made = lowered(KIND, text, context)
    assert {"HyperParameterTuningJobObjective", "ParameterRanges"}.isdisjoint(
        made["HyperParameterTuningJobConfig"]
    )
    assert "TrainingJobDefinition" not in made
    one, other = made["TrainingJobDefinitions"]
    assert list(one)[:3] == ["DefinitionName", "TuningObjective", "HyperParameterRanges"]
    assert (one["DefinitionName"], other["DefinitionName"]) == ("a", "b")
    assert one["TuningObjective"] == {"Type": "Minimize", "MetricName": "validation:rmse"}
    assert other["TuningObjective"] == {"Type": "Maximize", "MetricName": "loss"}
    assert list(one["HyperParameterRanges"]) == ["ContinuousParameterRanges"]
    assert other["HyperParameterRanges"] == {
        "CategoricalParameterRanges": [{"Name": "alpha", "Values": ["1", '"1.10"', '"x"']}]
    }


V2_SEVERAL = {
    "HyperParameterTuningJobConfig": {
        "Strategy": "Random",
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 1},
        "TrainingJobEarlyStoppingType": "Auto",
        "RandomSeed": 7,
        "TuningJobCompletionCriteria": {
            "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 5}
        },
    },
    "TrainingJobDefinitions": [
        {
            "DefinitionName": "a",
            "TuningObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "HyperParameterRanges": {
                "ContinuousParameterRanges": [
                    {"Name": "alpha", "MinValue": "0.01", "MaxValue": "10", "ScalingType": "Auto"}
                ]
            },
        },
        {
            "DefinitionName": "b",
            "TuningObjective": {"Type": "Minimize", "MetricName": "validation:mae"},
            "HyperParameterRanges": {
                "IntegerParameterRanges": [
                    {"Name": "depth", "MinValue": "1", "MaxValue": "8", "ScalingType": "Auto"}
                ]
            },
        },
    ],
    "WarmStartConfig": {
        "WarmStartType": "TransferLearning",
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "old"}],
    },
}
"""What SDK 2.257.7 emits for two definitions, but for the training jobs themselves."""


def test_several_trainings_equal_the_sdk(context: FakeContext) -> None:
    rest = "image: xgboost:1.7-1, instance: ml.m5.xlarge, inputs: {train: s3://b/t}"
    made = lowered(
        KIND,
        f"""
trainings:
  a: {{{rest}, objective: {{metric: "validation:rmse", goal: Minimize}}, ranges: {{alpha: {{min: 0.01, max: 10}}}}}}
  b: {{{rest}, objective: {{metric: "validation:mae", goal: Minimize}}, ranges: {{depth: {{min: 1, max: 8}}}}}}
strategy: Random
max_jobs: 3
seed: 7
early_stopping: Auto
completion: {{BestObjectiveNotImproving: {{MaxNumberOfTrainingJobsNotImproving: 5}}}}
warm_start: {{WarmStartType: TransferLearning, ParentHyperParameterTuningJobs: [{{HyperParameterTuningJobName: old}}]}}
""",
        context,
    )
    known = ("DefinitionName", "TuningObjective", "HyperParameterRanges")
    for definition in made["TrainingJobDefinitions"]:
        for member in [member for member in definition if member not in known]:
            del definition[member]
    assert differences(made, V2_SEVERAL) == []


# -- strategies -------------------------------------------------------------------------------------------------------


def test_a_grid_counts_itself(context: FakeContext) -> None:
    text = f"training: {TRAINING}\n{OBJECTIVE}strategy: Grid\nranges: {{a: [1, 2, 3], b: [x, y]}}\n"
    assert config(text, context)["ResourceLimits"] == {"MaxParallelTrainingJobs": 1}
    assert config(text + "max_jobs: 6", context)["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 6


def test_hyperband(context: FakeContext) -> None:
    assert config(LEAST + "strategy: Hyperband", context)["Strategy"] == "Hyperband"


def test_autotune(tmp_path: Path) -> None:
    result = compile_steps(
        tmp_path,
        f"""
Tune:
  kind: tuning
  training: {TRAINING}
  objective: {{metric: "validation:rmse", goal: Minimize}}
  api:
    Autotune: {{Mode: Enabled}}
    HyperParameterTuningJobConfig:
      ParameterRanges: {{AutoParameters: [{{Name: eta, ValueHint: "0.3"}}]}}
""",
    )
    assert result.diagnostics == []
    assert result.definition is not None
    arguments = result.definition["Steps"][0]["Arguments"]
    assert arguments["Autotune"] == {"Mode": "Enabled"}
    assert arguments["HyperParameterTuningJobConfig"]["ParameterRanges"]["AutoParameters"][0]["Name"] == "eta"


# -- the models that it finds -----------------------------------------------------------------------------------------


def model_data(reference: str, output: str, folder: Path, head: str = "") -> Any:
    """What a model's data is when it is `reference`, and the search writes to `output`."""
    training = TRAINING.replace("output: s3://b/model", output)
    result = compile_steps(
        folder,
        f"""
Model: {{kind: model, image: xgboost:1.7-1, model_data: "{reference}"}}
Tune:
  kind: tuning
  training: {training}
  objective: {{metric: "validation:rmse", goal: Minimize}}
  ranges: {{eta: {{min: 0.1, max: 0.3}}}}
  max_jobs: 50
""",
        head,
    )
    assert result.diagnostics == []
    assert result.definition is not None
    data = result.definition["Steps"][0]["Arguments"]["PrimaryContainer"]["ModelDataUrl"]
    return data["Std:Join"]["Values"]


def job(index: int) -> dict[str, str]:
    return {"Get": f"Steps.Tune.TrainingJobSummaries[{index}].TrainingJobName"}


@pytest.mark.parametrize(
    ("reference", "index"),
    [
        ("${steps.Tune.best_model_data}", 0),
        ("${steps.Tune.top_model_data[0]}", 0),
        ("${steps.Tune.top_model_data[49]}", 49),
    ],
)
def test_the_best_models(reference: str, index: int, tmp_path: Path) -> None:
    made = model_data(reference, "output: s3://b/model/", tmp_path)
    assert made == ["s3://b/model/", job(index), "/output/model.tar.gz"]


def test_the_best_model_below_the_default_output(tmp_path: Path) -> None:
    made = model_data("${steps.Tune.best_model_data}", "max_runtime: 1h", tmp_path)
    assert made == ["s3://my-bucket/sagewright/p/Tune/", job(0), "/output/model.tar.gz"]


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        ('"${parameters.Out}"', [{"Get": "Parameters.Out"}, "/"]),
        ('"${parameters.Out}/m/"', [{"Get": "Parameters.Out"}, "/m/"]),
        ('"s3://b/${execution.id}"', ["s3://b/", {"Get": "Execution.PipelineExecutionId"}, "/"]),
    ],
)
def test_the_best_model_below_a_reference(output: str, parts: list[Any], tmp_path: Path) -> None:
    head = "parameters: {Out: s3://b/o}\n" if "Out" in output else ""
    made = model_data("${steps.Tune.best_model_data}", f"output: {output}", tmp_path, head)
    assert made == [*parts, job(0), "/output/model.tar.gz"]


@pytest.mark.parametrize(
    ("output", "rest"),
    [
        ("api: {OutputDataConfig: {S3OutputPath: s3://b/other}}", ""),
        ("output: s3://b/model, api: {OutputDataConfig: {S3OutputPath: s3://b/other}}", ""),
        ("output: s3://b/other, api: {OutputDataConfig: {KmsKeyId: k}}", ""),
        ("max_runtime: 1h", "api: {TrainingJobDefinition: {OutputDataConfig: {S3OutputPath: s3://b/other}}}"),
        (
            "compression: NONE, api: {OutputDataConfig: {S3OutputPath: s3://b/x, CompressionType: NONE}}",
            "api: {TrainingJobDefinition: {OutputDataConfig: {S3OutputPath: s3://b/other, CompressionType: GZIP}}}",
        ),
    ],
)
def test_the_best_model_where_api_says_the_output(output: str, rest: str, tmp_path: Path) -> None:
    training = TRAINING.replace("output: s3://b/model", output)
    result = compile_steps(
        tmp_path,
        f"""
Model: {{kind: model, image: xgboost:1.7-1, model_data: "${{steps.Tune.best_model_data}}"}}
Tune:
  kind: tuning
  training: {training}
  objective: {{metric: "validation:rmse", goal: Minimize}}
  ranges: {{eta: {{min: 0.1, max: 0.3}}}}
  max_jobs: 4
  {rest}
""",
    )
    assert [found for found in result.diagnostics if found.severity == "error"] == []
    assert result.definition is not None
    model, search = (step["Arguments"] for step in result.definition["Steps"])
    written = search["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"]
    read = model["PrimaryContainer"]["ModelDataUrl"]["Std:Join"]["Values"]
    assert written == "s3://b/other"
    assert read == ["s3://b/other/", job(0), "/output/model.tar.gz"]


def test_the_best_model_in_a_text(tmp_path: Path) -> None:
    made = model_data("${steps.Tune.best_model_data}.sig", "output: s3://b/m", tmp_path)
    assert made == ["s3://b/m/", job(0), "/output/model.tar.gz.sig"]


def tell(reference: str, folder: Path, trainings: str = f"training: {TRAINING}", rest: str = "") -> list[Any]:
    """What is said of a reference to the step `Tune`, with the place and the message."""
    result = compile_steps(
        folder,
        f"""
Tune:
  kind: tuning
  {trainings}
  objective: {{metric: "validation:rmse", goal: Minimize}}
  ranges: {{eta: {{min: 0.1, max: 0.3}}}}
  max_jobs: 4
{rest}
After: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {{a: "${{{reference}}}"}}}}
""",
    )
    return [
        (*found, diagnostic.message)
        for found, diagnostic in zip(told(result), result.diagnostics, strict=True)
    ]


@pytest.mark.parametrize(
    ("reference", "code", "at", "said"),
    [
        ("steps.Tune.top_model_data", "SW302", "top_model_data", "say which"),
        ("steps.Tune.top_model_data[50]", "SW302", "50", "from 0 to 49"),
        (
            "steps.Tune.top_model_data[4]",
            "SW302",
            "top_model_data",
            "with `max_jobs: 4`, it goes from 0 to 3",
        ),
        ("steps.Tune.top_model_data['a']", "SW302", "a", "from 0 to 49"),
        ("steps.Tune.top_model_data[1].x", "SW302", "x", "nothing below"),
        ("steps.Tune.best_model_data[1]", "SW302", "1", "nothing below"),
        ("steps.Tune.best_jobs", "SW302", "best_jobs", "has no `best_jobs`"),
        ("steps.Tune.BestTrainingJobs.A", "SW304", "BestTrainingJobs", "no property"),
    ],
)
def test_references_that_mean_nothing(reference: str, code: str, at: str, said: str, tmp_path: Path) -> None:
    ((found, place, message),) = tell(reference, tmp_path)
    assert (found, place) == (code, at)
    assert said in message


@pytest.mark.parametrize(
    "reference",
    [
        "steps.Tune.best_job",
        "steps.Tune.best_model_data",
        "steps.Tune.TrainingJobSummaries[3].FinalHyperParameterTuningJobObjectiveMetric.Value",
        "steps.Tune.BestTrainingJob.TunedHyperParameters['eta']",
    ],
)
def test_references(reference: str, tmp_path: Path) -> None:
    assert tell(reference, tmp_path) == []


@pytest.mark.parametrize(
    ("trainings", "said"),
    [
        (f"training: {TRAINING[:-1]}, compression: NONE}}", "not one archive"),
        (f"trainings: {{a: {TRAINING}, b: {TRAINING.replace('b/model', 'b/other')}}}", "several places"),
        (f"trainings: {{a: {TRAINING}, b: {TRAINING[:-1]}, compression: NONE}}}}", "not one archive"),
        (
            f"training: {TRAINING[:-1]}, api: {{OutputDataConfig: {{CompressionType: NONE}}}}}}",
            "not one archive",
        ),
        (
            f"training: {TRAINING}\n  api: {{TrainingJobDefinition: {{OutputDataConfig: {{CompressionType: NONE}}}}}}",
            "not one archive",
        ),
        (
            f"trainings: {{a: {TRAINING}, b: {TRAINING[:-1]}, api: {{OutputDataConfig: {{S3OutputPath: s3://b/o}}}}}}}}",
            "several places",
        ),
        (f"trainings: {{a: {TRAINING}}}\n  api: {{TrainingJobDefinitions: []}}", "says anew"),
        (
            f"training: {TRAINING[:-1]}, api: {{OutputDataConfig: {{S3OutputPath: {{Get: Execution.PipelineName}}}}}}}}",
            "spells its output",
        ),
    ],
)
def test_models_that_cannot_be_found(trainings: str, said: str, tmp_path: Path) -> None:
    found = tell("steps.Tune.best_model_data", tmp_path, trainings)
    ((code, place, message),) = [mistake for mistake in found if mistake[1] == "best_model_data"]
    assert (code, place) == ("SW302", "best_model_data")
    assert said in message


def test_several_trainings_with_one_output_have_a_best_model(tmp_path: Path) -> None:
    assert tell("steps.Tune.best_model_data", tmp_path, f"trainings: {{a: {TRAINING}, b: {TRAINING}}}") == []


def test_an_output_that_refers_to_the_search_itself(tmp_path: Path) -> None:
    own = TRAINING.replace("s3://b/model", '"${steps.Tune.best_model_data}"')
    found = tell("steps.Tune.best_model_data", tmp_path, f"training: {own}")
    assert ("SW302", "best_model_data") in [(code, at) for code, at, _ in found]


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "at", "said"),
    [
        (OBJECTIVE + RANGES + "max_jobs: 1", "SW202", "Tune", "`training` or `trainings`"),
        (LEAST + f"trainings: {{a: {TRAINING}}}", "SW208", "trainings", "`training`"),
        (LEAST.replace(OBJECTIVE, ""), "SW202", "training", "`objective`"),
        (LEAST.replace(RANGES, ""), "SW202", "training", "`ranges`"),
        (LEAST.replace("max_jobs: 4", ""), "SW202", "Tune", "`max_jobs`"),
        (LEAST.replace("output: s3", "objective: {metric: m, goal: Minimize}, output: s3"), "SW208", "objective", "belongs to the step, beside `training`"),
        (LEAST.replace("output: s3", "hyperparameters: {eta: 1}, output: s3"), "SW208", "eta", "has a range"),
        (LEAST.replace("output: s3", "code: absent.py, output: s3"), "SW801", "absent.py", "absent.py"),
        (LEAST.replace("image: xgboost:1.7-1, ", ""), "SW202", "training", "`image` or `algorithm`"),
        (LEAST.replace("image: xgboost:1.7-1", "image: xgboost:9"), "SW807", "xgboost:9", "9"),
        (LEAST.replace("max: 0.3", "max: 0.1"), "SW206", "{min: 0.1, max: 0.1}", "empty"),
        (LEAST.replace("max: 0.3", "max: 0.3, type: Integer"), "SW203", "{min: 0.1, max: 0.3, type: Integer}", "integers"),
        (LEAST.replace("min: 0.1", "scale: Logarithmic, min: 0"), "SW206", "0", "above 0"),
        (LEAST.replace("max: 0.3", "max: 1, scale: ReverseLogarithmic"), "SW206", "{min: 0.1, max: 1, scale: ReverseLogarithmic}", "between 0 and 1"),
        (LEAST.replace("{min: 0.1, max: 0.3}", "{min: 0, max: 3, scale: ReverseLogarithmic}"), "SW208", "ReverseLogarithmic", "real numbers"),
        (LEAST + "strategy: Hyperband\nearly_stopping: Auto\n" + HYPERBAND.format("MaxResource: 9"), "SW208", "early_stopping", "Hyperband"),
        (LEAST + "strategy: Hyperband", "SW202", "strategy", "how many epochs"),
        (LEAST + "strategy: Hyperband\n" + HYPERBAND.format("MinResource: 1"), "SW202", "strategy", "how many epochs"),
        (LEAST + "strategy: Hyperband\n" + HYPERBAND.format("MinResource: 9, MaxResource: 3"), "SW206", "9", "above `MaxResource`"),
        (LEAST + HYPERBAND.format("MaxResource: 9"), "SW208", "HyperbandStrategyConfig", "not for `Bayesian`"),
        (FRAMEWORK.format("metrics: {mse: x}"), "SW302", "rmse", "metric `rmse`"),
        (FRAMEWORK.format("environment: {}"), "SW302", "rmse", "metric `rmse`"),
        (LEAST.replace("output: s3", "metrics: {rmse: x}, output: s3"), "SW302", '"validation:rmse"', "metric `validation:rmse`"),
        (LEAST + "strategy: Grid", "SW208", "eta", "lists of values"),
        (LEAST.replace("{min: 0.1, max: 0.3}", "[1, 2, 3]") + "strategy: Grid", "SW206", "4", "3 combinations"),
    ],
)  # fmt: skip
def test_mistakes(text: str, code: str, at: str, said: str, context: FakeContext) -> None:
    lowered(KIND, text, context, "Tune")
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [(code, at)]
    assert said in context.mistakes[0].message


@pytest.mark.parametrize(
    "text",
    [
        LEAST + "strategy: Hyperband\n" + HYPERBAND.format("MinResource: 1, MaxResource: 9"),
        LEAST.replace("output: s3", "hyperparameters: {n_epochs: 10}, output: s3") + "strategy: Hyperband",
        LEAST.replace("output: s3", "api: {StaticHyperParameters: {epochs: '9'}}, output: s3")
        + "strategy: Hyperband",
        LEAST
        + "strategy: Hyperband\napi: {TrainingJobDefinition: {StaticHyperParameters: {'num_epochs': '9'}}}\n",
        FRAMEWORK.format("metrics: {rmse: x}"),
        FRAMEWORK.format("api: {AlgorithmSpecification: {MetricDefinitions: [{Name: rmse, Regex: x}]}}"),
        FRAMEWORK.format("environment: {}").replace("sklearn:1.2-1", "xgboost:1.7-1"),
        FRAMEWORK.format("environment: {}")
        + "api: {TrainingJobDefinition: {AlgorithmSpecification: {MetricDefinitions: [{Name: rmse, Regex: x}]}}}",
    ],
)
def test_what_is_no_mistake(text: str, context: FakeContext) -> None:
    lowered(KIND, text, context, "Tune")
    assert context.mistakes == []


@pytest.mark.parametrize(
    ("old", "new", "code", "at"),
    [
        ("output: s3", "command: [x], output: s3", "SW201", "command"),
        ("output: s3", "kind: training, output: s3", "SW201", "kind"),
        ("output: s3", "tags: {a: b}, output: s3", "SW201", "tags"),
        ("goal: Minimize", "goal: minimise", "SW204", "minimise"),
        ("goal: Minimize", "gaol: Minimize", "SW201", "gaol"),
        ("max: 0.3", "mxa: 0.3", "SW201", "mxa"),
        ("max: 0.3", "max: high", "SW203", "high"),
        ("{min: 0.1, max: 0.3}", "0.1", "SW203", "0.1"),
        ("{min: 0.1, max: 0.3}", "[]", "SW206", "[]"),
        ("max_jobs: 4", "max_jobs: 0", "SW206", "0"),
        ("max_jobs: 4", "max_jobs: 4\n  strategy: Genetic", "SW204", "Genetic"),
        ("max_jobs: 4", "max_jobs: 4\n  early_stopping: off", "SW204", "off"),
        ("max_jobs: 4", "max_jobs: 4\n  retry: [{errors: [job_internal_error], max_attempts: 2}]", "SW212", "job_internal_error"),
        ("max_jobs: 4", "max_jobs: 4\n  warm_start: {WarmStartType: Warm}", "SW604", "Warm"),
        ("max_jobs: 4", "max_jobs: 4\n  completion: {Target: 1}", "SW601", "Target"),
        ("max_jobs: 4", "max_jobs: 4\n  api: {TrainingJobDefinition: {Tags: []}}", "SW601", "Tags"),
    ],
)  # fmt: skip
def test_mistakes_that_the_schemas_tell(old: str, new: str, code: str, at: str, tmp_path: Path) -> None:
    body = f'training: {TRAINING}\n  objective: {{metric: "validation:rmse", goal: Minimize}}\n  ranges: {{eta: {{min: 0.1, max: 0.3}}}}\n  max_jobs: 4'
    assert old in body
    found = told(compile_steps(tmp_path, f"Tune:\n  kind: tuning\n  {body.replace(old, new)}"))
    assert (code, at) in found


def test_standard_retries_are_those_that_a_search_has(tmp_path: Path) -> None:
    result = compile_steps(
        tmp_path,
        f"Tune:\n  kind: tuning\n  training: {TRAINING}\n  objective: {{metric: m, goal: Minimize}}\n"
        "  ranges: {a: [1, 2]}\n  max_jobs: 2\n  retry: standard\n  cache: 30d",
    )
    assert result.definition is not None, result.diagnostics
    (step,) = result.definition["Steps"]
    assert [policy["ExceptionType"] for policy in step["RetryPolicies"]] == [
        ["Step.SERVICE_FAULT", "Step.THROTTLING"],
        ["SageMaker.CAPACITY_ERROR"],
    ]
    assert step["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}


def test_defaults_reach_into_the_training(tmp_path: Path) -> None:
    head = "defaults: {kinds: {tuning: {training: {instance: ml.m5.large, image: xgboost:1.7-1}}}}\n"
    result = compile_steps(
        tmp_path,
        "Tune:\n  kind: tuning\n  training: {instance: {count: 2}, inputs: {t: s3://b/t}}\n"
        "  objective: {metric: m, goal: Minimize}\n  ranges: {a: [1, 2]}\n  max_jobs: 2",
        head,
    )
    assert result.definition is not None, result.diagnostics
    definition = result.definition["Steps"][0]["Arguments"]["TrainingJobDefinition"]
    assert definition["ResourceConfig"] == {
        "InstanceType": "ml.m5.large",
        "InstanceCount": 2,
        "VolumeSizeInGB": 30,
    }
