"""Runs pipelines with the SageMaker SDK's local mode: S3 is a folder, with one below it for each case, `docker` is
`docker_shim.py`.

python sdk_local.py S3 CODE CASES.json > RESULTS.json     # CODE: the folder of the scripts
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
import sdk_folder  # first: it stands in for AWS
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.conditions import ConditionGreaterThan, ConditionLessThanOrEqualTo
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterString
from sagemaker.core.workflow.pipeline_context import LocalPipelineSession as Context
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.local import LocalPipelineSession
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, OutputDataConfig
from sdk_folder import BUCKET, REGION, ROLE

sdk_folder.root, CODE = Path(sys.argv[1]), Path(sys.argv[2])
CASES: dict[str, dict[str, Any]] = json.loads(Path(sys.argv[3]).read_text())
IMAGE = "mine:1"

session = Context(boto_session=boto3.Session(region_name=REGION), default_bucket=BUCKET)
runs = LocalPipelineSession(boto_session=boto3.Session(region_name=REGION), default_bucket=BUCKET)


def processing(
    name: str, inputs: dict[str, Any], output: str, arguments: list[Any], **more: Any
) -> ProcessingStep:
    """A step that runs the script of its name."""
    processor = ScriptProcessor(
        image_uri=IMAGE, command=["python3"], instance_type="local", instance_count=1, role=ROLE,
        sagemaker_session=session,
    )  # fmt: skip
    run = processor.run(
        code=str(CODE / f"{name.lower()}.py"),
        arguments=arguments,
        inputs=[
            ProcessingInput(
                input_name=key,
                s3_input=ProcessingS3Input(
                    s3_uri=uri,
                    local_path=f"/opt/ml/processing/input/{key}",
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                ),
            )
            for key, uri in inputs.items()
        ],
        outputs=[
            ProcessingOutput(
                output_name=output,
                s3_output=ProcessingS3Output(
                    s3_uri=f"s3://{BUCKET}/out/{output}",
                    local_path=f"/opt/ml/processing/output/{output}",
                    s3_upload_mode="EndOfJob",
                ),
            )
        ],
    )
    return ProcessingStep(name=name, step_args=run, **more)


def pipeline(name: str) -> Pipeline:
    limit, suffix = ParameterFloat("Limit", 5.0), ParameterString("Suffix", "x")
    prepare = processing("Prepare", {"raw": f"s3://{BUCKET}/raw"}, "train", ["--suffix", suffix])
    trainer = ModelTrainer(
        training_image=IMAGE, sagemaker_session=session, role=ROLE, compute=Compute(instance_type="local", instance_count=1),
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{BUCKET}/models"),
        hyperparameters={"depth": "3"}, base_job_name="train",
    )  # fmt: skip
    data = prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri
    trained = trainer.train(input_data_config=[InputData(channel_name="train", data_source=data)])
    train = TrainingStep(name="Train", step_args=trained)
    report = PropertyFile(name="report", output_name="report", path="report.json")
    model = train.properties.ModelArtifacts.S3ModelArtifacts
    evaluate = processing("Evaluate", {"model": model}, "report", [], property_files=[report])
    score = JsonGet(step_name="Evaluate", property_file=report, json_path="metrics.score")
    good = processing("Good", {"report": f"s3://{BUCKET}/out/report"}, "good", ["--score", "x"])
    bad = FailStep("Bad", error_message=Join(on=" ", values=["the score is above", limit]))
    gate = ConditionStep(
        name="Gate",
        conditions=[ConditionLessThanOrEqualTo(score, limit), ConditionGreaterThan(score, 0)],
        if_steps=[good],
        else_steps=[bad],
        depends_on=[evaluate],
    )
    return Pipeline(
        name=name, parameters=[limit, suffix], steps=[prepare, train, evaluate, gate], sagemaker_session=runs
    )


results: dict[str, Any] = {}
for name, parameters in CASES.items():
    sdk_folder.case = name
    made = pipeline(name)
    runs.create_pipeline(made, "compared")
    execution = runs.start_pipeline_execution(name, PipelineParameters=parameters)
    steps = {step["StepName"]: step for step in execution.list_steps()["PipelineExecutionSteps"]}
    results[name] = {
        "definition": json.loads(made.definition()),
        "status": execution.describe()["PipelineExecutionStatus"],
        "steps": {key: step["StepStatus"] for key, step in steps.items()},
        "reasons": {key: step.get("FailureReason") for key, step in steps.items()},
    }
print(json.dumps(results))
