"""Pipelines of `tests/strategies.py` as programs against the SageMaker SDK 3, run by an interpreter that has it.

python sdk_pipelines.py SCRIPT < pipelines.json > definitions.json      # SCRIPT: the code of processing steps
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import sdk_offline  # first: it takes the network away
from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor, ScriptProcessor
from sagemaker.core.shapes import (
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    Tag,
)
from sagemaker.core.workflow.conditions import (
    ConditionEquals,
    ConditionGreaterThan,
    ConditionGreaterThanOrEqualTo,
    ConditionIn,
    ConditionLessThan,
    ConditionLessThanOrEqualTo,
    ConditionNot,
    ConditionOr,
)
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import (
    ParameterBoolean,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow import StepDependency, TriggerCondition
from sagemaker.mlops.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.pipeline_experiment_config import PipelineExperimentConfig
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, Networking, OutputDataConfig, StoppingCondition

SCRIPT = sys.argv[1]
COMPARISONS = {
    "==": ConditionEquals,
    "<": ConditionLessThan,
    "<=": ConditionLessThanOrEqualTo,
    ">": ConditionGreaterThan,
    ">=": ConditionGreaterThanOrEqualTo,
}
EXECUTION = {
    "id": ExecutionVariables.PIPELINE_EXECUTION_ID,
    "start_time": ExecutionVariables.START_DATETIME,
    "pipeline_name": ExecutionVariables.PIPELINE_NAME,
}
PARAMETER_CLASSES = {
    bool: ParameterBoolean,
    int: ParameterInteger,
    float: ParameterFloat,
    str: ParameterString,
}
SERVICE_ERRORS = {
    "service_fault": StepExceptionTypeEnum.SERVICE_FAULT,
    "throttling": StepExceptionTypeEnum.THROTTLING,
}
JOB_ERRORS = {
    "job_internal_error": SageMakerJobExceptionTypeEnum.INTERNAL_ERROR,
    "capacity_error": SageMakerJobExceptionTypeEnum.CAPACITY_ERROR,
    "resource_limit": SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT,
}
SECONDS = {"1h": 3600, "2h": 7200}
CACHES = {"30d": "P30D", "P7D": "P7D", "PT12H": "PT12H", 3600: "PT1H"}


class Builder:
    """Builds one pipeline from its data."""

    def __init__(self, made: dict[str, Any], session: Any) -> None:
        self.tree, self.clauses, self.session = made["tree"], made["clauses"], session
        self.parameters = {
            name: self.parameter(name, value) for name, value in self.tree["parameters"].items()
        }
        self.built: dict[str, Any] = {}
        self.bodies: dict[str, Any] = {}
        self.files: dict[str, PropertyFile] = {}

    def definition(self) -> Any:
        pipeline = Pipeline(
            name=self.tree["name"],
            parameters=list(self.parameters.values()),
            steps=self.steps(self.tree["steps"]),
            sagemaker_session=self.session,
            **self.experiment(),
        )
        return json.loads(pipeline.definition())

    def experiment(self) -> dict[str, Any]:
        given = self.tree.get("experiment")
        if given is None:
            return {}
        config = PipelineExperimentConfig(given["name"], self.value(given["trial"])) if given else None
        return {"pipeline_experiment_config": config}

    def parameter(self, name: str, value: Any) -> Any:
        if not isinstance(value, dict):
            return PARAMETER_CLASSES[type(value)](name=name, default_value=value)
        return ParameterString(name=name, default_value=value.get("default"), enum_values=value.get("enum"))

    # -- values

    def value(self, written: Any, *, cast: bool = False) -> Any:
        """What stands for a value of the YAML. With `cast`, numbers are made Strings as users of the SDK have to."""
        if not isinstance(written, str):
            return str(written) if cast else written
        pieces = [piece for piece in re.split(r"(\$\{.+?\})", written) if piece]
        parts = [self.reference(p[2:-1], cast) if p.startswith("${") else p for p in pieces]
        if len(parts) == 1:
            return parts[0]
        return Join(on="", values=parts)

    def reference(self, path: str, cast: bool = False) -> Any:
        root, name, *rest = path.split(".")
        if root == "parameters":
            found = self.parameters[name]
            return found.to_string() if cast and not isinstance(found, ParameterString) else found
        if root == "execution":
            return EXECUTION[name]
        properties = self.built[name].properties
        if rest == ["model_data"]:
            return properties.ModelArtifacts.S3ModelArtifacts
        if rest[0] == "reports":
            return JsonGet(step_name=name, property_file=self.files[name], json_path=".".join(rest[2:]))
        if self.bodies[name]["kind"] == "processing":
            return properties.ProcessingOutputConfig.Outputs[rest[1]].S3Output.S3Uri
        found = properties.Outputs[rest[1]]
        return found.to_string() if cast and rest[1] != "text" else found

    def mapping(self, written: dict[str, Any]) -> dict[str, Any]:
        return {key: self.value(value, cast=True) for key, value in written.items()}

    # -- steps

    def steps(self, bodies: dict[str, Any]) -> list[Any]:
        return [self.step(name, body) for name, body in bodies.items()]

    def step(self, name: str, body: dict[str, Any]) -> Any:
        self.bodies[name] = body
        made = getattr(self, body["kind"])(name, body)
        self.built[name] = made
        return made

    def common(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {"name": name}
        for key in ("display_name", "description"):
            if key in body:
                made[key] = body[key]
        if "depends_on" in body:
            made["depends_on"] = [self.dependency(entry) for entry in body["depends_on"]]
        if "cache" in body:
            made["cache_config"] = CacheConfig(enable_caching=True, expire_after=CACHES[body["cache"]])
        if "retry" in body:
            made["retry_policies"] = [self.policy(policy) for policy in body["retry"]]
        return made

    def dependency(self, entry: Any) -> Any:
        if isinstance(entry, str):
            return self.built[entry]
        return StepDependency(self.built[entry["step"]], TriggerCondition[entry["when"].upper()])

    def policy(self, written: dict[str, Any]) -> Any:
        timing: dict[str, Any] = {
            "interval_seconds": 10 if "interval" in written else 1,
            "backoff_rate": written.get("backoff", 2.0),
            "max_attempts": written.get("max_attempts"),
            "expire_after_mins": 5 if "expire_after" in written else None,
        }
        errors = written["errors"]
        if errors[0] in SERVICE_ERRORS:
            return StepRetryPolicy([SERVICE_ERRORS[error] for error in errors], **timing)
        return SageMakerJobStepRetryPolicy(exception_types=[JOB_ERRORS[error] for error in errors], **timing)

    def instance(self, written: Any) -> tuple[Any, Any, Any, Any]:
        """Type, count, volume, key."""
        full = {"type": written} if isinstance(written, str) else written
        defaults = {"count": 1, "volume_gb": 30, "kms_key": None}
        return tuple(
            self.value({**defaults, **full}[key]) for key in ("type", "count", "volume_gb", "kms_key")
        )  # type: ignore[return-value]

    def tags(self, body: dict[str, Any]) -> dict[str, Any]:
        return self.mapping(body.get("tags", {}))

    def processing(self, name: str, body: dict[str, Any]) -> Any:
        type_, count, volume, key = self.instance(body["instance"])
        options: dict[str, Any] = {
            "role": sdk_offline.ROLE,
            "sagemaker_session": self.session,
            "image_uri": body["image"],
            "instance_type": type_,
            "instance_count": count,
            "volume_size_in_gb": volume,
            "volume_kms_key": key,
            "output_kms_key": body.get("kms_key"),
            "max_runtime_in_seconds": SECONDS.get(body.get("max_runtime"), body.get("max_runtime")),  # type: ignore[arg-type]
            "env": self.mapping(body["environment"]) if "environment" in body else None,
            "tags": [{"Key": key, "Value": value} for key, value in self.tags(body).items()] or None,
            "network_config": self.network(body),
        }
        run: dict[str, Any] = {
            "inputs": [self.input(key, entry) for key, entry in body.get("inputs", {}).items()],
            "outputs": [self.output(key, entry) for key, entry in body["outputs"].items()],
        }
        if "arguments" in body:
            run["arguments"] = self.arguments(body["arguments"])
        if "code" in body:
            made = ScriptProcessor(command=["python3"], **options).run(code=SCRIPT, **run)
        else:
            made = Processor(entrypoint=body["command"], **options).run(**run)
        files = [
            PropertyFile(name=key, output_name=report["output"], path=report["file"])
            for key, report in body.get("reports", {}).items()
        ]
        if files:
            self.files[name] = files[0]
        return ProcessingStep(step_args=made, property_files=files or None, **self.common(name, body))

    def network(self, body: dict[str, Any]) -> Any:
        if "network" not in body:
            return None
        network = body["network"]
        return NetworkConfig(
            enable_network_isolation=network["isolation"],
            subnets=network["subnets"],
            security_group_ids=network["security_groups"],
        )

    def arguments(self, written: Any) -> list[Any]:
        pairs = (
            [x for key, value in written.items() for x in (f"--{key}", value)]
            if isinstance(written, dict)
            else written
        )
        return [self.value(value, cast=True) for value in pairs]

    def input(self, name: str, entry: dict[str, Any]) -> Any:
        s3 = ProcessingS3Input(
            s3_uri=self.value(entry["source"]),
            local_path=entry["path"],
            s3_data_type="S3Prefix",
            s3_input_mode=entry.get("mode", "File"),
            s3_data_distribution_type="ShardedByS3Key" if "sharded" in entry else "FullyReplicated",
            s3_compression_type=entry.get("compression", "None"),
        )
        return ProcessingInput(input_name=name, s3_input=s3)

    def output(self, name: str, entry: dict[str, Any]) -> Any:
        s3 = ProcessingS3Output(
            s3_uri=self.value(entry["destination"]),
            local_path=entry["path"],
            s3_upload_mode=entry.get("upload", "EndOfJob"),
        )
        return ProcessingOutput(output_name=name, s3_output=s3)

    def training(self, name: str, body: dict[str, Any]) -> Any:
        type_, count, volume, key = self.instance(body["instance"])
        trainer = ModelTrainer(
            training_image=body["image"],
            sagemaker_session=self.session,
            role=sdk_offline.ROLE,
            base_job_name="job",
            compute=Compute(
                instance_type=type_, instance_count=count, volume_size_in_gb=volume, volume_kms_key_id=key
            ),
            hyperparameters={key: self.value(value) for key, value in body["hyperparameters"].items()},
            environment=self.mapping(body.get("environment", {})),
            output_data_config=OutputDataConfig(s3_output_path=self.value(body["output"])),
            stopping_condition=StoppingCondition(
                max_runtime_in_seconds=7200 if "max_runtime" in body else 3600
            ),
            networking=Networking() if "network" in body else None,
            tags=[Tag(key=key, value=value) for key, value in self.tags(body).items()] or None,
            input_data_config=[self.channel(key, entry) for key, entry in body["inputs"].items()],
        )
        return TrainingStep(step_args=trainer.train(), **self.common(name, body))

    def channel(self, name: str, entry: Any) -> Any:
        full = entry if isinstance(entry, dict) else {"source": entry}
        content = {"content_type": full["content_type"]} if "content_type" in full else {}
        return InputData(channel_name=name, data_source=self.value(full["source"]), **content)

    def lambda_(self, name: str, body: dict[str, Any]) -> Any:
        outputs = [LambdaOutput(key, LambdaOutputTypeEnum[type_]) for key, type_ in body["outputs"].items()]
        function = Lambda(function_arn=body["function"], session=self.session)
        inputs = {key: self.value(value) for key, value in body["arguments"].items()}
        return LambdaStep(lambda_func=function, inputs=inputs, outputs=outputs, **self.common(name, body))

    def callback(self, name: str, body: dict[str, Any]) -> Any:
        outputs = [
            CallbackOutput(key, CallbackOutputTypeEnum[type_]) for key, type_ in body["outputs"].items()
        ]
        inputs = {key: self.value(value) for key, value in body["arguments"].items()}
        return CallbackStep(
            sqs_queue_url=body["queue"], inputs=inputs, outputs=outputs, **self.common(name, body)
        )

    def model(self, name: str, body: dict[str, Any]) -> Any:
        builder = ModelBuilder(
            s3_model_data_url=self.value(body["model_data"]),
            image_uri=body["image"],
            sagemaker_session=self.session,
            role_arn=sdk_offline.ROLE,
            env_vars=self.mapping(body.get("environment", {})),
        )
        return ModelStep(step_args=builder.build(), **self.common(name, body))

    def fail(self, name: str, body: dict[str, Any]) -> Any:
        message = self.value(body["message"], cast=True)
        return FailStep(
            name=name,
            error_message=message,
            **{k: v for k, v in self.common(name, body).items() if k != "name"},
        )

    def condition(self, name: str, body: dict[str, Any]) -> Any:
        conditions = [self.clause(clause) for clause in self.clauses[name]]
        return ConditionStep(
            conditions=conditions,
            if_steps=self.steps(body.get("then", {})),
            else_steps=self.steps(body.get("else", {})),
            **self.common(name, body),
        )

    def clause(self, clause: list[Any]) -> Any:
        match clause:
            case ["compare", operator, left, right]:
                return COMPARISONS[operator](left=self.operand(left), right=self.operand(right))
            case ["in", query, values]:
                return ConditionIn(
                    value=self.operand(query), in_values=[self.operand(value) for value in values]
                )
            case ["not", inner]:
                return ConditionNot(self.clause(inner))
            case _:
                return ConditionOr([self.clause(inner) for inner in clause[1]])

    def operand(self, operand: Any) -> Any:
        return self.reference(operand["ref"]) if isinstance(operand, dict) else operand


setattr(Builder, "lambda", Builder.lambda_)

if __name__ == "__main__":
    session = sdk_offline.session()
    definitions = [Builder(made, session).definition() for made in json.load(sys.stdin)]
    sys.stdout.write("\n" + json.dumps(definitions))
