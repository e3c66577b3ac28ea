"""`pipelines/breast-cancer` as a program against the SageMaker SDK 3, run by an interpreter that has it: the same
steps with the same inputs, outputs, images, code, retries and caches. Writes the definition to standard output.

python sdk_breast_cancer.py
"""

from __future__ import annotations

from pathlib import Path

import sdk_offline  # first: it takes the network away
from sagemaker.core import image_uris
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import (
    MetricDefinition,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    StoppingCondition,
    Tag,
)
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow import EndpointConfigStep, EndpointStep
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode

CODE = Path(__file__).parents[2] / "pipelines" / "breast-cancer"
NAME = "breast-cancer"
TAGS = [{"Key": "project", "Value": NAME}]
BASE = f"s3://{sdk_offline.BUCKET}/sagewright/{NAME}"

session = sdk_offline.session()
image = image_uris.retrieve("sklearn", sdk_offline.REGION, version="1.2-1", instance_type="ml.m5.large")
cache = CacheConfig(enable_caching=True, expire_after="P30D")
service_retry = StepRetryPolicy(
    [StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
    interval_seconds=1, backoff_rate=2.0, max_attempts=5,
)  # fmt: skip
job_retry = SageMakerJobStepRetryPolicy(
    exception_types=[SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, SageMakerJobExceptionTypeEnum.INTERNAL_ERROR],
    interval_seconds=1, backoff_rate=2.0, max_attempts=3,
)  # fmt: skip

input_data = ParameterString("InputData", default_value=f"s3://{sdk_offline.BUCKET}/{NAME}/{NAME}.csv")
seed = ParameterInteger("Seed", default_value=42)
instances = ["ml.m5.large", "ml.m5.xlarge", "ml.c5.xlarge"]
training_instance = ParameterString("TrainingInstance", default_value=instances[0], enum_values=instances)
regularization = ParameterFloat("Regularization", default_value=1.0)
min_auc = ParameterFloat("MinAuc", default_value=0.95)
min_recall = ParameterFloat("MinRecall", default_value=0.9)
states = ["PendingManualApproval", "Approved"]
approval = ParameterString("ApprovalStatus", default_value=states[0], enum_values=states)


def processor() -> ScriptProcessor:
    return ScriptProcessor(
        image_uri=image, command=["python3"], instance_type="ml.m5.large", instance_count=1, tags=TAGS,
        role=sdk_offline.ROLE, sagemaker_session=session, max_runtime_in_seconds=1800,
    )  # fmt: skip


def source(name: str, uri: object) -> ProcessingInput:
    place = ProcessingS3Input(
        s3_uri=uri, local_path=f"/opt/ml/processing/input/{name}", s3_data_type="S3Prefix", s3_input_mode="File",
        s3_data_distribution_type="FullyReplicated",
    )  # fmt: skip
    return ProcessingInput(input_name=name, s3_input=place)


def result(step: str, name: str) -> ProcessingOutput:
    uri = Join(on="", values=[f"{BASE}/", ExecutionVariables.PIPELINE_EXECUTION_ID, f"/{step}/{name}"])
    place = ProcessingS3Output(
        s3_uri=uri, local_path=f"/opt/ml/processing/output/{name}", s3_upload_mode="EndOfJob"
    )
    return ProcessingOutput(output_name=name, s3_output=place)


def output_of(step: ProcessingStep, name: str) -> object:
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


preprocess = ProcessingStep(
    name="Preprocess",
    cache_config=cache,
    retry_policies=[service_retry, job_retry],
    step_args=processor().run(
        inputs=[source("raw", input_data)],
        outputs=[result("Preprocess", name) for name in ("train", "validation", "test")],
        code=str(CODE / "preprocess.py"),
        arguments=[
            "--label", "diagnosis", "--validation-share", "0.15", "--test-share", "0.15", "--seed", seed.to_string(),
        ],
    ),
)  # fmt: skip

trainer = ModelTrainer(
    training_image=image,
    sagemaker_session=session,
    role=sdk_offline.ROLE,
    base_job_name=NAME,
    compute=Compute(instance_type=training_instance, instance_count=1, volume_size_in_gb=30),
    source_code=SourceCode(source_dir=str(CODE), entry_script="train.py"),
    hyperparameters={"regularization": regularization, "class_weight": "balanced", "max_iter": 500},
    output_data_config=OutputDataConfig(s3_output_path=BASE, compression_type="GZIP"),
    stopping_condition=StoppingCondition(max_runtime_in_seconds=1800),
    tags=[Tag(key="project", value=NAME)],
    input_data_config=[
        InputData(channel_name=name, data_source=output_of(preprocess, name), content_type="text/csv")
        for name in ("train", "validation")
    ],
).with_metric_definitions([MetricDefinition(name="validation:auc", regex="validation-auc: ([0-9.]+)")])
train = TrainingStep(
    name="Train", step_args=trainer.train(), cache_config=cache, retry_policies=[service_retry, job_retry]
)
model_data = train.properties.ModelArtifacts.S3ModelArtifacts

report = PropertyFile(name="evaluation", output_name="evaluation", path="evaluation.json")
evaluate = ProcessingStep(
    name="Evaluate",
    property_files=[report],
    cache_config=cache,
    retry_policies=[service_retry, job_retry],
    step_args=processor().run(
        inputs=[source("model", model_data), source("test", output_of(preprocess, "test"))],
        outputs=[result("Evaluate", "evaluation")],
        code=str(CODE / "evaluate.py"),
    ),
)


def builder() -> ModelBuilder:
    """By environment, as the container takes it: given `source_code`, the SDK adds jobs that repack the model."""
    environment = {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": f"{BASE}/code/sourcedir.tar.gz",
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
        "SAGEMAKER_REGION": sdk_offline.REGION,
    }
    return ModelBuilder(
        s3_model_data_url=model_data, image_uri=image, sagemaker_session=session, role_arn=sdk_offline.ROLE,
        env_vars=environment,
    )  # fmt: skip


statistics = Join(on="/", values=[output_of(evaluate, "evaluation"), "evaluation.json"])
register = ModelStep(
    name="Register",
    retry_policies=[service_retry],
    step_args=builder().register(
        model_package_group_name=NAME,
        content_types=["text/csv", "application/json"],
        response_types=["text/csv", "application/json"],
        inference_instances=["ml.m5.large", "ml.m5.xlarge"],
        transform_instances=["ml.m5.large"],
        approval_status=approval,
        model_metrics=ModelMetrics(model_statistics=MetricsSource("application/json", statistics)),
        customer_metadata_properties={
            "seed": seed.to_string(), "regularization": regularization.to_string(),
        },
    ),
)  # fmt: skip

model = ModelStep(
    name="Deploy-model", step_args=builder().build(), depends_on=[register], retry_policies=[service_retry]
)
variant = {
    "VariantName": "AllTraffic", "ModelName": model.properties.ModelName, "InitialInstanceCount": 1,
    "InstanceType": "ml.m5.large", "InitialVariantWeight": 1,
}  # fmt: skip
config = EndpointConfigStep(
    name="Deploy-config",
    step_args=session.create_endpoint_config(name=NAME, production_variants=[variant], tags=TAGS),
    retry_policies=[service_retry],
)
endpoint = EndpointStep(
    name="Deploy",
    step_args=session.create_endpoint(
        endpoint_name=NAME, config_name=config.properties.EndpointConfigName, tags=TAGS
    ),
)

reject = FailStep(
    name="Reject",
    error_message=Join(
        on="", values=["the model's AUC is below ", min_auc, " or its recall below ", min_recall]
    ),
)


def measured(name: str) -> JsonGet:
    path = f"binary_classification_metrics.{name}.value"
    return JsonGet(step_name=evaluate.name, property_file=report, json_path=path)


good_enough = ConditionStep(
    name="GoodEnough",
    conditions=[
        ConditionGreaterThanOrEqualTo(left=measured("auc"), right=min_auc),
        ConditionGreaterThanOrEqualTo(left=measured("recall"), right=min_recall),
    ],
    if_steps=[register, model, config, endpoint],
    else_steps=[reject],
)

pipeline = Pipeline(
    name=NAME,
    parameters=[input_data, seed, training_instance, regularization, min_auc, min_recall, approval],
    steps=[preprocess, train, evaluate, good_enough],
    sagemaker_session=session,
)
print(pipeline.definition())
