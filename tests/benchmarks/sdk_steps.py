"""A chain of processing steps against the SageMaker SDK 3, as `inputs.processing_chain` writes it. Prints the
definition's number of characters and the seconds that building it took, imports not counted.

python sdk_steps.py 200
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import sdk_offline  # first: it takes the network away
from sagemaker.core import image_uris
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep

CODE = Path(__file__).parents[2] / "pipelines" / "breast-cancer" / "preprocess.py"
BASE = f"s3://{sdk_offline.BUCKET}/sagewright/chain/"


def step(index: int, before: ProcessingStep | None, session: object, image: str) -> ProcessingStep:
    processor = ScriptProcessor(
        image_uri=image, command=["python3"], instance_type="ml.m5.large", instance_count=1,
        role=sdk_offline.ROLE, sagemaker_session=session,
    )  # fmt: skip
    uri = (
        before.properties.ProcessingOutputConfig.Outputs["data"].S3Output.S3Uri
        if before
        else f"s3://{sdk_offline.BUCKET}/input"
    )
    source = ProcessingS3Input(
        s3_uri=uri, local_path="/opt/ml/processing/input/data", s3_data_type="S3Prefix", s3_input_mode="File",
        s3_data_distribution_type="FullyReplicated",
    )  # fmt: skip
    place = Join(on="", values=[BASE, ExecutionVariables.PIPELINE_EXECUTION_ID, f"/S{index}/data"])
    result = ProcessingS3Output(
        s3_uri=place, local_path="/opt/ml/processing/output/data", s3_upload_mode="EndOfJob"
    )
    arguments = processor.run(
        inputs=[ProcessingInput(input_name="data", s3_input=source)],
        outputs=[ProcessingOutput(output_name="data", s3_output=result)],
        code=str(CODE),
    )
    return ProcessingStep(name=f"S{index}", step_args=arguments)


def main() -> None:
    started = time.perf_counter()
    session = sdk_offline.session()
    image = image_uris.retrieve("sklearn", sdk_offline.REGION, version="1.2-1", instance_type="ml.m5.large")
    steps: list[ProcessingStep] = []
    for index in range(int(sys.argv[1])):
        steps.append(step(index, steps[-1] if steps else None, session, image))
    definition = Pipeline(name="chain", steps=steps, sagemaker_session=session).definition()
    seconds = time.perf_counter() - started
    print(
        json.dumps(
            {"seconds": seconds, "steps": len(json.loads(definition)["Steps"]), "characters": len(definition)}
        )
    )


if __name__ == "__main__":
    main()
