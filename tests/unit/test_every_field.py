"""What SageMaker's jobs, models and endpoints can do, and how it is said: by a key where the language has one, by `api`
where it has none. Each is compiled by the whole compiler, so what `api` brings has been checked against AWS's shapes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sagewright.compiler import shapes
from sagewright.compiler.cli import root
from sagewright.steps import KINDS, find
from tests.definitions import definition_of
from tests.kinds import compile_steps, told

TRAIN = "kind: training\nimage: xgboost:1.7-1\n"
CPU = "instance: ml.m5.xlarge\n"
TORCH = 'kind: training\nimage: {framework: pytorch, version: "2.5.1", python: py311}\ncode: train.py\n'
PROCESS = "kind: processing\nimage: sklearn:1.2-1\ninstance: ml.m5.xlarge\n"
MODEL = "kind: model\n"
ONE = "image: xgboost:1.7-1\nmodel_data: s3://b/model.tar.gz\n"
REGISTER = f"kind: register\ngroup: churn\n{ONE}"
DEPLOY = "kind: deploy\nendpoint: churn\n"
CONFIG = "kind: endpoint_config\nvariants:\n"
SOURCE = "InputDataConfig[0].DataSource"
S3 = f"{SOURCE}.S3DataSource"
CONTAINER = "InferenceSpecification.Containers[0]"
CONTAINERS = "InferenceSpecification.Containers"
VARIANT = "ProductionVariants[0]"
JSON = "application/json"
OWN = "123456789012.dkr.ecr.us-west-2.amazonaws.com/rules:1"
RULES = "895741380848.dkr.ecr.us-west-2.amazonaws.com/sagemaker-debugger-rules:latest"

TRAINING: dict[str, tuple[str, dict[str, Any]]] = {
    "a prefix in S3": (
        TRAIN + CPU + "inputs: {train: s3://b/train}",
        {f"{S3}.S3DataType": "S3Prefix", f"{S3}.S3DataDistributionType": "FullyReplicated"},
    ),
    "a manifest": (
        TRAIN + CPU + "inputs: {train: {source: s3://b/list.manifest, data_type: ManifestFile}}",
        {f"{S3}.S3DataType": "ManifestFile", f"{S3}.S3Uri": "s3://b/list.manifest"},
    ),
    "an augmented manifest and its attributes": (
        TRAIN
        + CPU
        + "inputs: {train: {source: s3://b/a.manifest, data_type: AugmentedManifestFile, attributes: [source-ref, label],"
        " mode: Pipe, record: RecordIO, shuffle_seed: 7}}",
        {
            f"{S3}.S3DataType": "AugmentedManifestFile",
            f"{S3}.AttributeNames": ["source-ref", "label"],
            "InputDataConfig[0].InputMode": "Pipe",
            "InputDataConfig[0].RecordWrapperType": "RecordIO",
            "InputDataConfig[0].ShuffleConfig": {"Seed": 7},
        },
    ),
    "the input modes": (
        TRAIN + CPU + "mode: FastFile\ninputs: {a: s3://b/a, b: {source: s3://b/b, mode: File}}",
        {
            "AlgorithmSpecification.TrainingInputMode": "FastFile",
            "InputDataConfig[0].InputMode": "FastFile",
            "InputDataConfig[1].InputMode": "File",
        },
    ),
    "access to a hub's or a model's data, which has no key": (
        TRAIN
        + CPU
        + "inputs: {model: s3://b/model}\n"
        + "api: {InputDataConfig: {model: {DataSource: {S3DataSource: {ModelAccessConfig: {AcceptEula: true}}}}}}",
        {f"{S3}.ModelAccessConfig": {"AcceptEula": True}, f"{S3}.S3Uri": "s3://b/model"},
    ),
    "EFS": (
        TRAIN
        + CPU
        + "inputs: {train: {efs: {FileSystemId: fs-0123456789abcdef0, DirectoryPath: /data, FileSystemAccessMode: ro}}}\n"
        + "network: {subnets: [subnet-1], security_groups: [sg-1]}",
        {
            f"{SOURCE}.FileSystemDataSource.FileSystemType": "EFS",
            f"{SOURCE}.FileSystemDataSource.DirectoryPath": "/data",
            "VpcConfig.Subnets": ["subnet-1"],
        },
    ),
    "FSx for Lustre": (
        TRAIN
        + CPU
        + "inputs: {train: {fsx: {FileSystemId: fs-0123456789abcdef0, DirectoryPath: /fsx, FileSystemAccessMode: rw}}}",
        {
            f"{SOURCE}.FileSystemDataSource.FileSystemType": "FSxLustre",
            f"{SOURCE}.FileSystemDataSource.FileSystemAccessMode": "rw",
        },
    ),
    "a heterogeneous cluster, and a channel of one group": (
        TORCH
        + "groups: [{name: gpus, type: ml.p4d.24xlarge, count: 2}, {name: data, type: ml.p3.2xlarge}]\n"
        + "inputs: {train: {source: s3://b/train, instance_groups: [data]}}",
        {
            "ResourceConfig.InstanceGroups[0]": {
                "InstanceType": "ml.p4d.24xlarge",
                "InstanceCount": 2,
                "InstanceGroupName": "gpus",
            },
            "ResourceConfig.InstanceGroups[1].InstanceCount": 1,
            f"{S3}.InstanceGroupNames": ["data"],
        },
    ),
    "spot instances with checkpoints": (
        TRAIN
        + CPU
        + "spot: {max_wait: 8h}\nmax_runtime: 4h\ncheckpoints: {destination: s3://b/ckpt, path: /opt/ml/checkpoints}",
        {
            "EnableManagedSpotTraining": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": 14400, "MaxWaitTimeInSeconds": 28800},
            "CheckpointConfig": {"S3Uri": "s3://b/ckpt", "LocalPath": "/opt/ml/checkpoints"},
        },
    ),
    "a warm pool": (TRAIN + CPU + "warm_pool: 10m", {"ResourceConfig.KeepAlivePeriodInSeconds": 600}),
    "instances with EFA": (
        TORCH + "instance: {type: ml.p4d.24xlarge, count: 4}\ndistribution: {torch_distributed: {}}",
        {
            "ResourceConfig.InstanceType": "ml.p4d.24xlarge",
            "HyperParameters.sagemaker_torch_distributed_enabled": "true",
            "HyperParameters.sagemaker_instance_type": '"ml.p4d.24xlarge"',
        },
    ),
    "a training plan, which has no key": (
        TORCH
        + "instance: {type: ml.p5.48xlarge, count: 2}\n"
        + "api: {ResourceConfig: {TrainingPlanArn: 'arn:aws:sagemaker:us-west-2:123456789012:training-plan/mine'}}",
        {
            "ResourceConfig.TrainingPlanArn": "arn:aws:sagemaker:us-west-2:123456789012:training-plan/mine",
            "ResourceConfig.InstanceCount": 2,
        },
    ),
    "Debugger's hook and its built-in rules": (
        TRAIN
        + CPU
        + "debugger:\n  output: s3://b/tensors\n  collections: {losses: {save_interval: 500}}\n"
        + "  rules: {LossNotDecreasing: {}, Slow: {RuleParameters: {rule_to_invoke: VanishingGradient, threshold: 0.10}}}\n"
        + "profiler: {rules: {ProfilerReport: {}}}",
        {
            "DebugHookConfig.S3OutputPath": "s3://b/tensors",
            "DebugHookConfig.CollectionConfigurations[0].CollectionParameters": {"save_interval": "500"},
            "DebugRuleConfigurations[0]": {
                "RuleConfigurationName": "LossNotDecreasing",
                "RuleEvaluatorImage": RULES,
                "RuleParameters": {"rule_to_invoke": "LossNotDecreasing"},
            },
            "DebugRuleConfigurations[1].RuleParameters": {
                "rule_to_invoke": "VanishingGradient",
                "threshold": "0.10",
            },
            "ProfilerRuleConfigurations[0].RuleEvaluatorImage": RULES,
        },
    ),
    "a rule of one's own": (
        TRAIN
        + CPU
        + f"debugger: {{rules: {{Mine: {{RuleEvaluatorImage: {OWN}, RuleParameters: {{a: 1}}}}}}}}",
        {
            "DebugRuleConfigurations[0]": {
                "RuleConfigurationName": "Mine",
                "RuleEvaluatorImage": OWN,
                "RuleParameters": {"a": "1"},
            }
        },
    ),
    "the profiler on request": (
        TRAIN + CPU + "profiler: {output: s3://b/profile, interval: 0.5s}",
        {
            "ProfilerConfig": {
                "S3OutputPath": "s3://b/profile",
                "ProfilingIntervalInMilliseconds": 500,
                "DisableProfiler": False,
            }
        },
    ),
    "nothing that was not asked for": (
        TRAIN + CPU,
        dict.fromkeys(
            ("ProfilerConfig", "DebugHookConfig", "RetryStrategy", "CheckpointConfig", "VpcConfig")
        ),
    ),
    "TensorBoard": (
        TRAIN + CPU + "tensorboard: {destination: s3://b/tb}",
        {"TensorBoardOutputConfig": {"S3OutputPath": "s3://b/tb"}},
    ),
    "metric definitions": (
        TRAIN + CPU + 'metrics: {"validation:rmse": "rmse=([0-9.]+)"}',
        {
            "AlgorithmSpecification.MetricDefinitions[0]": {
                "Name": "validation:rmse",
                "Regex": "rmse=([0-9.]+)",
            }
        },
    ),
    "a retry strategy": (
        TRAIN + CPU + "max_attempts: 3",
        {"RetryStrategy": {"MaximumRetryAttempts": 3}},
    ),
    "remote debug, which has no key": (
        TRAIN + CPU + "api: {RemoteDebugConfig: {EnableRemoteDebug: true}}",
        {"RemoteDebugConfig": {"EnableRemoteDebug": True}},
    ),
    "health checks and a registry of one's own, which have no keys": (
        TRAIN
        + CPU
        + "api: {InfraCheckConfig: {EnableInfraCheck: true}, AlgorithmSpecification: {TrainingImageConfig: {TrainingRepositoryAccessMode: Vpc}}}",
        {
            "InfraCheckConfig": {"EnableInfraCheck": True},
            "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode": "Vpc",
        },
    ),
}

PROCESSING: dict[str, tuple[str, dict[str, Any]]] = {
    "a query to Athena": (
        PROCESS
        + "inputs: {sql: {athena: {Catalog: AwsDataCatalog, Database: d, QueryString: SELECT 1, OutputS3Uri: s3://b/q, OutputFormat: PARQUET}}}",
        {
            "ProcessingInputs[0].DatasetDefinition.AthenaDatasetDefinition.QueryString": "SELECT 1",
            "ProcessingInputs[0].DatasetDefinition.LocalPath": "/opt/ml/processing/input/sql",
            "ProcessingInputs[0].DatasetDefinition.InputMode": "File",
        },
    ),
    "a query to Redshift": (
        PROCESS
        + "inputs:\n  sql:\n    sharded: true\n    redshift: {ClusterId: c, Database: d, DbUser: u, QueryString: SELECT 1,"
        " ClusterRoleArn: 'arn:aws:iam::123456789012:role/R', OutputS3Uri: s3://b/q, OutputFormat: CSV}",
        {
            "ProcessingInputs[0].DatasetDefinition.RedshiftDatasetDefinition.DbUser": "u",
            "ProcessingInputs[0].DatasetDefinition.DataDistributionType": "ShardedByS3Key",
        },
    ),
    "outputs to the Feature Store": (
        PROCESS + "outputs: {features: {feature_group: customers}}",
        {
            "ProcessingOutputConfig.Outputs[0]": {
                "OutputName": "features",
                "FeatureStoreOutput": {"FeatureGroupName": "customers"},
                "AppManaged": True,
            }
        },
    ),
    "a Spark job": (
        'kind: processing\nimage: {framework: spark, version: "3.3", python: py39}\n'
        "instance: {type: ml.m5.xlarge, count: 3}\n"
        "command: [smspark-submit, --py-files, /opt/ml/processing/input/py/lib.py]\ncode: etl.py\narguments: {date: 2024-01-01}\n"
        "inputs: {conf: s3://b/conf/configuration.json, py: s3://b/lib.py}\n"
        "outputs: {events: {path: /opt/ml/processing/spark-events, destination: s3://b/events, upload: Continuous}}",
        {
            "AppSpecification.ContainerEntrypoint": [
                "smspark-submit",
                "--py-files",
                "/opt/ml/processing/input/py/lib.py",
                "/opt/ml/processing/input/code/etl.py",
            ],
            "AppSpecification.ContainerArguments": ["--date", "2024-01-01"],
            "ProcessingInputs[0].S3Input.LocalPath": "/opt/ml/processing/input/conf",
            "ProcessingOutputConfig.Outputs[0].S3Output.S3UploadMode": "Continuous",
            "ProcessingResources.ClusterConfig.InstanceCount": 3,
        },
    ),
    "a flow of Data Wrangler": (
        "kind: processing\nimage: data-wrangler:3.x\ninstance: {type: ml.m5.4xlarge, count: 2}\n"
        "inputs: {flow: {source: s3://b/my.flow, path: /opt/ml/processing/flow}}\n"
        'arguments: ["--output-config", \'{"node.default": {"content_type": "CSV"}}\']\n'
        "outputs: {node.default: {path: /opt/ml/processing/output, destination: s3://b/out}}",
        {
            "ProcessingInputs[0].S3Input.LocalPath": "/opt/ml/processing/flow",
            "AppSpecification.ContainerArguments": [
                "--output-config",
                '{"node.default": {"content_type": "CSV"}}',
            ],
            "ProcessingOutputConfig.Outputs[0].OutputName": "node.default",
        },
    ),
    "inputs and outputs that the application manages, which have no key": (
        PROCESS
        + "inputs: {raw: s3://b/raw}\noutputs: {out: {}}\n"
        + "api: {ProcessingInputs: {raw: {AppManaged: true}}, ProcessingOutputConfig: {Outputs: {out: {AppManaged: true}}}}",
        {
            "ProcessingInputs[0].AppManaged": True,
            "ProcessingInputs[0].S3Input.S3Uri": "s3://b/raw",
            "ProcessingOutputConfig.Outputs[0].AppManaged": True,
        },
    ),
    "isolation and encrypted traffic": (
        PROCESS
        + "network: {isolation: true, encrypt_traffic: true, subnets: [subnet-1], security_groups: [sg-1]}",
        {
            "NetworkConfig": {
                "EnableNetworkIsolation": True,
                "EnableInterContainerTrafficEncryption": True,
                "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
            }
        },
    ),
    "a cluster with volumes of its own": (
        "kind: processing\nimage: sklearn:1.2-1\ninstance: {type: ml.m5.xlarge, count: 4, volume_gb: 100, kms_key: key}\nkms_key: out",
        {
            "ProcessingResources.ClusterConfig": {
                "InstanceType": "ml.m5.xlarge",
                "InstanceCount": 4,
                "VolumeSizeInGB": 100,
                "VolumeKmsKeyId": "key",
            },
            "ProcessingOutputConfig.KmsKeyId": "out",
        },
    ),
    "archives, pipes and shards": (
        PROCESS
        + "inputs: {raw: {source: s3://b/raw, compression: Gzip, mode: Pipe, sharded: true, data_type: ManifestFile}}",
        {
            "ProcessingInputs[0].S3Input.S3CompressionType": "Gzip",
            "ProcessingInputs[0].S3Input.S3InputMode": "Pipe",
            "ProcessingInputs[0].S3Input.S3DataDistributionType": "ShardedByS3Key",
            "ProcessingInputs[0].S3Input.S3DataType": "ManifestFile",
        },
    ),
}


def json_file(uri: str) -> dict[str, str]:
    return {"ContentType": JSON, "S3Uri": uri}


HOSTING: dict[str, tuple[str, dict[str, Any]]] = {
    "an inference pipeline": (
        MODEL
        + "containers: {prepare: {image: 'sklearn:1.2-1', model_data: s3://b/p.tar.gz}, predict: {image: 'xgboost:1.7-1', model_data: s3://b/m.tar.gz}}\nexecution: Serial",
        {
            "Containers[0].ContainerHostname": "prepare",
            "Containers[1].ModelDataUrl": "s3://b/m.tar.gz",
            "InferenceExecutionConfig": {"Mode": "Serial"},
        },
    ),
    "a registered inference pipeline": (
        "kind: register\ngroup: churn\ncontainers: [{image: 'sklearn:1.2-1', model_data: s3://b/p.tar.gz}, {image: 'xgboost:1.7-1', model_data: s3://b/m.tar.gz}]",
        {
            f"{CONTAINERS}[0].ModelDataUrl": "s3://b/p.tar.gz",
            f"{CONTAINERS}[1].ModelDataUrl": "s3://b/m.tar.gz",
        },
    ),
    "many models in one container": (
        MODEL
        + "image: xgboost:1.7-1\nmodel_data: s3://b/models/\nmulti_model: true\n"
        + "api: {PrimaryContainer: {MultiModelConfig: {ModelCacheSetting: Disabled}}}",
        {
            "PrimaryContainer.Mode": "MultiModel",
            "PrimaryContainer.MultiModelConfig": {"ModelCacheSetting": "Disabled"},
        },
    ),
    "a model that is no archive, which has no key": (
        MODEL
        + "image: xgboost:1.7-1\napi: {PrimaryContainer: {ModelDataSource: {S3DataSource: {S3Uri: s3://b/model/, S3DataType: S3Prefix, CompressionType: None}}}}",
        {
            "PrimaryContainer.ModelDataSource.S3DataSource.CompressionType": "None",
            "PrimaryContainer.ModelDataUrl": None,
        },
    ),
    "a model card, which has no key": (
        REGISTER + "api: {ModelCard: {ModelCardContent: '{}', ModelCardStatus: Draft}}",
        {"ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Draft"}},
    ),
    "model metrics": (
        REGISTER
        + "model_metrics:\n  model_quality: {statistics: s3://b/1, constraints: s3://b/2}\n  data_quality: {statistics: s3://b/3, constraints: s3://b/4}\n"
        "  bias: {report: s3://b/5, pre_training: s3://b/6, post_training: s3://b/7}\n  explainability: {report: s3://b/8}",
        {
            "ModelMetrics": {
                "ModelQuality": {"Statistics": json_file("s3://b/1"), "Constraints": json_file("s3://b/2")},
                "ModelDataQuality": {
                    "Statistics": json_file("s3://b/3"),
                    "Constraints": json_file("s3://b/4"),
                },
                "Bias": {
                    "Report": json_file("s3://b/5"),
                    "PreTrainingReport": json_file("s3://b/6"),
                    "PostTrainingReport": json_file("s3://b/7"),
                },
                "Explainability": {"Report": json_file("s3://b/8")},
            }
        },
    ),
    "every drift baseline": (
        REGISTER
        + "drift_baselines:\n  model_quality: {statistics: s3://b/1, constraints: s3://b/2}\n  data_quality: {statistics: s3://b/3, constraints: s3://b/4}\n"
        "  bias: {config: s3://b/5, pre_training: s3://b/6, post_training: s3://b/7}\n  explainability: {constraints: s3://b/8, config: s3://b/9}",
        {
            "DriftCheckBaselines": {
                "ModelQuality": {"Statistics": json_file("s3://b/1"), "Constraints": json_file("s3://b/2")},
                "ModelDataQuality": {
                    "Statistics": json_file("s3://b/3"),
                    "Constraints": json_file("s3://b/4"),
                },
                "Bias": {
                    "ConfigFile": json_file("s3://b/5"),
                    "PreTrainingConstraints": json_file("s3://b/6"),
                    "PostTrainingConstraints": json_file("s3://b/7"),
                },
                "Explainability": {
                    "Constraints": json_file("s3://b/8"),
                    "ConfigFile": json_file("s3://b/9"),
                },
            }
        },
    ),
    "custom metadata, and what a registry shows": (
        REGISTER
        + "metadata: {git: 1e5}\ndomain: MACHINE_LEARNING\ntask: CLASSIFICATION\nsample_payload: s3://b/p.csv\npackage_description: d\nskip_validation: All",
        {
            "CustomerMetadataProperties": {"git": "1e5"},
            "Domain": "MACHINE_LEARNING",
            "Task": "CLASSIFICATION",
            "SamplePayloadUrl": "s3://b/p.csv",
            "ModelPackageDescription": "d",
            "SkipModelValidation": "All",
        },
    ),
    "additional specifications, which have no key": (
        REGISTER
        + "api: {AdditionalInferenceSpecifications: [{Name: gpu, Containers: [{Image: 1.dkr.ecr.us-west-2.amazonaws.com/x:1}]}]}",
        {
            "AdditionalInferenceSpecifications[0].Name": "gpu",
            f"{CONTAINER}.ModelDataUrl": "s3://b/model.tar.gz",
        },
    ),
    "a life cycle, a key and the model's input, which have no keys": (
        "kind: register\ngroup: churn\n"
        "containers: [{image: 'xgboost:1.7-1', api: {ModelInput: {DataInputConfig: '{}'}, NearestModelName: resnet50}}]\n"
        "api:\n  ModelLifeCycle: {Stage: Development, StageStatus: PendingApproval}\n"
        "  SecurityConfig: {KmsKeyId: key}\n  SourceUri: s3://b/src",
        {
            "ModelLifeCycle.Stage": "Development",
            "SecurityConfig": {"KmsKeyId": "key"},
            f"{CONTAINER}.ModelInput": {"DataInputConfig": "{}"},
            f"{CONTAINER}.NearestModelName": "resnet50",
        },
    ),
    "inference code that the container fetches": (
        MODEL + ONE + "code: serve.py",
        {"PrimaryContainer.Environment.SAGEMAKER_PROGRAM": "serve.py"},
    ),
    "a private registry, for a container of several": (
        MODEL
        + "containers: [{image: x.example.com/y:1, api: {ImageConfig: {RepositoryAccessMode: Vpc}}}, {image: 'xgboost:1.7-1', model_data: s3://b/m.tar.gz}]\nnetwork: {subnets: [subnet-1], security_groups: [sg-1]}",
        {"Containers[0].ImageConfig": {"RepositoryAccessMode": "Vpc"}, "VpcConfig.Subnets": ["subnet-1"]},
    ),
}

SERVING: dict[str, tuple[str, dict[str, Any]]] = {
    "a real-time endpoint": (
        DEPLOY + "model: churn-v1\ninstance: {type: ml.m5.large, count: 2, volume_gb: 20, kms_key: key}",
        {
            f"{VARIANT}.InstanceType": "ml.m5.large",
            f"{VARIANT}.InitialInstanceCount": 2,
            f"{VARIANT}.VolumeSizeInGB": 20,
            "KmsKeyId": "key",
        },
    ),
    "a serverless endpoint with provisioned concurrency": (
        DEPLOY + "model: churn-v1\nserverless: {memory_mb: 2048, max_concurrency: 10, provisioned: 2}",
        {
            f"{VARIANT}.ServerlessConfig": {
                "MemorySizeInMB": 2048,
                "MaxConcurrency": 10,
                "ProvisionedConcurrency": 2,
            },
            f"{VARIANT}.InitialInstanceCount": None,
        },
    ),
    "an asynchronous endpoint": (
        DEPLOY
        + "model: churn-v1\ninstance: ml.m5.large\nasync: {output: s3://b/out, concurrency: 4, success: 'arn:aws:sns:us-west-2:123456789012:good', error: 'arn:aws:sns:us-west-2:123456789012:bad'}",
        {
            "AsyncInferenceConfig": {
                "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
                "OutputConfig": {
                    "S3OutputPath": "s3://b/out",
                    "NotificationConfig": {
                        "SuccessTopic": "arn:aws:sns:us-west-2:123456789012:good",
                        "ErrorTopic": "arn:aws:sns:us-west-2:123456789012:bad",
                    },
                },
            }
        },
    ),
    "two variants and their weights": (
        DEPLOY
        + "variants: {a: {model: m1, instance: ml.m5.large, weight: 80}, b: {model: m2, instance: ml.m5.large, weight: 0.5}}",
        {f"{VARIANT}.InitialVariantWeight": 80, "ProductionVariants[1].InitialVariantWeight": 0.5},
    ),
    "a shadow": (
        DEPLOY
        + "model: m1\ninstance: ml.m5.large\nshadow: {next: {model: m2, instance: ml.m5.large, weight: 0.5}}",
        {
            "ShadowProductionVariants[0].VariantName": "next",
            "ShadowProductionVariants[0].ModelName": "m2",
        },
    ),
    "managed scaling and routing, which have no keys": (
        CONFIG
        + "  main:\n    model: m1\n    instance: ml.g5.xlarge\n    api:\n      ManagedInstanceScaling: {Status: ENABLED, MinInstanceCount: 1, MaxInstanceCount: 4}\n"
        "      RoutingConfig: {RoutingStrategy: LEAST_OUTSTANDING_REQUESTS}\n      ModelDataDownloadTimeoutInSeconds: 600",
        {
            f"{VARIANT}.ManagedInstanceScaling.MaxInstanceCount": 4,
            f"{VARIANT}.RoutingConfig.RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS",
            f"{VARIANT}.ModelDataDownloadTimeoutInSeconds": 600,
        },
    ),
    "managed scaling of a deployment": (
        DEPLOY
        + "model: m1\ninstance: ml.g5.xlarge\napi: {config: {ProductionVariants: {AllTraffic: {ManagedInstanceScaling: {Status: ENABLED, MinInstanceCount: 1, MaxInstanceCount: 4}}}}}",
        {f"{VARIANT}.ManagedInstanceScaling.Status": "ENABLED"},
    ),
    "a configuration that waits for inference components": (
        "kind: endpoint_config\nrole: arn:aws:iam::123456789012:role/R\nvariants: {main: {instance: ml.g5.xlarge}}",
        {f"{VARIANT}.ModelName": None, "ExecutionRoleArn": "arn:aws:iam::123456789012:role/R"},
    ),
    "an inference component": (
        "kind: inference_component\nname: ic\nendpoint: churn\nvariant: main\nmodel: m1\naccelerators: 1\nmemory_mb: 4096\ncopies: 2",
        {
            "Specification.ComputeResourceRequirements": {
                "NumberOfAcceleratorDevicesRequired": 1,
                "MinMemoryRequiredInMb": 4096,
            },
            "RuntimeConfig": {"CopyCount": 2},
        },
    ),
}


def at(arguments: Any, path: str) -> Any:
    """What is at `A.B[0]`, None where nothing is."""
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        if name:
            arguments = arguments.get(name) if isinstance(arguments, dict) else None
        else:
            arguments = arguments[int(index)]
    return arguments


def arguments_of(body: str, folder: Path) -> Any:
    """Arguments of the step S that `body` describes; of a deployment, those of its configuration."""
    for name in ("train.py", "serve.py", "etl.py"):
        (folder / name).write_text("print()\n")
    result = compile_steps(folder, "S:\n" + "".join(f"  {line}\n" for line in body.strip("\n").split("\n")))
    assert told(result) == []
    steps = {step["Name"]: step for step in definition_of(result)["Steps"]}
    return steps.get("S-config", steps["S"])["Arguments"]


@pytest.mark.parametrize("what", TRAINING)
def test_training(what: str, tmp_path: Path) -> None:
    body, wanted = TRAINING[what]
    arguments = arguments_of(body, tmp_path)
    assert {path: at(arguments, path) for path in wanted} == wanted


@pytest.mark.parametrize("what", PROCESSING)
def test_processing(what: str, tmp_path: Path) -> None:
    body, wanted = PROCESSING[what]
    arguments = arguments_of(body, tmp_path)
    assert {path: at(arguments, path) for path in wanted} == wanted


@pytest.mark.parametrize("what", {**HOSTING, **SERVING})
def test_hosting_and_serving(what: str, tmp_path: Path) -> None:
    body, wanted = {**HOSTING, **SERVING}[what]
    arguments = arguments_of(body, tmp_path)
    assert {path: at(arguments, path) for path in wanted} == wanted


# -- what is repacked is seen -----------------------------------------------------------------------------------------


def test_the_step_that_repacks_is_seen_and_can_be_configured(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("print()\n")
    result = compile_steps(
        tmp_path,
        """
M:
  kind: model
  image: {framework: pytorch, version: "2.5.1", python: py311, accelerator: cpu}
  model_data: s3://b/model.tar.gz
  code: serve.py
  repack: {name: AddCode, instance: ml.m5.4xlarge, max_runtime: 30m}
""",
    )
    assert told(result) == []
    repack, model = definition_of(result)["Steps"]
    assert (repack["Name"], repack["Type"], model["Name"]) == ("AddCode", "Training", "M")
    assert repack["Arguments"]["ResourceConfig"]["InstanceType"] == "ml.m5.4xlarge"
    flags = ["--region", "us-west-2", "--bucket", "acme-ml", "--role", "arn:aws:iam::123456789012:role/R"]
    drawn = CliRunner().invoke(root, ["graph", str(tmp_path / "pipeline.yaml"), *flags])
    assert drawn.exit_code == 0, drawn.output
    assert "AddCode" in drawn.output


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "serve.py").write_text("print()\n")
    result = compile_steps(
        tmp_path,
        """
M:
  kind: model
  image: xgboost:1.7-1
  model_data: s3://b/model.tar.gz
  code: serve.py
  repack: {name: Other}
Other: {kind: fail, message: x}
""",
    )
    assert {code for code, _ in told(result)} == {"SW311"}


# -- every member of every request ------------------------------------------------------------------------------------

BODIES = {
    "training": TRAIN + CPU,
    "processing": PROCESS,
    "model": MODEL + ONE,
    "register": REGISTER,
    "endpoint_config": CONFIG + "  main: {model: m, instance: ml.m5.large}",
    "endpoint": "kind: endpoint\nname: e\nconfig: c",
    "inference_component": "kind: inference_component\nname: ic\nendpoint: e\nvariant: v\nmodel: m\ncpus: 1\nmemory_mb: 1024",
    "tuning": "kind: tuning\ntraining: {image: 'xgboost:1.7-1', instance: ml.m5.large}\nobjective: {metric: 'validation:auc', goal: Maximize}\nranges: {eta: {min: 0.1, max: 0.5}}\nmax_jobs: 2",
    "transform": "kind: transform\nmodel: m\ninput: s3://b/in\ninstance: ml.m5.large",
    "automl": "kind: automl\ninput: s3://b/in\ntarget: y",
    "quality_check": "kind: quality_check\ncheck: DATA_QUALITY\nbaseline: s3://b/in\ndataset_format: {csv: {}}\ninstance: ml.m5.large",
    "clarify_check": "kind: clarify_check\ncheck: DATA_BIAS\nbaseline: s3://b/in\ninstance: ml.m5.large\nconfig: {dataset_type: text/csv}",
    "job": "kind: job\ncategory: AgentRFT\nschema_version: '1.0'\nconfig: {}",
    "notebook": "kind: notebook\nnotebook: nb.ipynb\nkernel: python3\nimage: 1.dkr.ecr.us-west-2.amazonaws.com/x:1\ninstance: ml.m5.large",
}
"""A small body of each kind whose Arguments are one of SageMaker's requests."""


def test_every_kind_with_a_request_is_here() -> None:
    requests = {name for name in KINDS if isinstance(kind_request(name), str)}
    assert requests - {"deploy"} == set(BODIES)


def kind_request(name: str) -> Any:
    kind = find(name)
    assert kind is not None
    return kind.request


@pytest.mark.parametrize("kind", BODIES)
def test_every_member_of_the_request_is_reached_by_api_and_typed(kind: str, tmp_path: Path) -> None:
    """A value that no member takes is refused at every member, so each of them is known and checked."""
    (tmp_path / "nb.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    members = sorted(shapes.members(kind_request(kind)))
    # a list in a list is neither a scalar, nor a structure, nor a list of any of AWS's
    api = "".join(f"  {member}: [[[]]]\n" for member in members)
    body = "".join(f"  {line}\n" for line in f"{BODIES[kind]}\napi:\n{api}".rstrip("\n").split("\n"))
    result = compile_steps(tmp_path, f"S:\n{body}")
    about = " ".join(found.message for found in result.diagnostics if found.code in ("SW603", "SW605"))
    assert [member for member in members if f"`{member}" not in about] == []
