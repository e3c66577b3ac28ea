"""SageMaker's answers about executions."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult

from sagewright.compiler.emulator import callbacks, pipelines, steps
from sagewright.compiler.emulator.execution import EmulatedExecution, wall
from sagewright.compiler.emulator.executions import in_order
from sagewright.compiler.emulator.service import Answers
from sagewright.compiler.engine.scope import StepScope
from sagewright.compiler.engine.state import Outcome, Status
from sagewright.compiler.engine.values import Unavailable, prepare, text

WAITING = frozenset(
    {
        *("DescribePipelineExecution", "ListPipelineExecutionSteps", "StopPipelineExecution"),
        *("RetryPipelineExecution", "UpdatePipelineExecution"),
        *("SendPipelineExecutionStepSuccess", "SendPipelineExecutionStepFailure"),
    }
)
"""Operations that wait for an execution, and so may not hold the turn meanwhile."""


class ExecutionAnswers(Answers):
    """All that there is about executions."""

    def start_pipeline_execution(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineName"])
        arn = self.service.executions.start(pipeline, dict(self.params))
        self.service.keeper.pipeline(self.sagemaker_backend, pipeline)
        return ActionResult({"PipelineExecutionArn": arn})

    def describe_pipeline_execution(self) -> ActionResult:
        execution = self._execution()
        with execution.inbox.turn:
            return ActionResult(self._description(execution))

    def _description(self, execution: EmulatedExecution) -> dict[str, Any]:
        request = execution.about.request
        return {
            "PipelineArn": execution.pipeline_arn,
            "PipelineExecutionArn": execution.arn,
            "PipelineExecutionDisplayName": execution.display_name,
            "PipelineExecutionStatus": execution.status,
            "PipelineExecutionDescription": execution.description,
            "PipelineExperimentConfig": _experiment(execution),
            "FailureReason": execution.failure_reason,
            "CreationTime": wall(execution.about.created),
            "LastModifiedTime": wall(execution.modified),
            "ParallelismConfiguration": execution.parallelism,
            "SelectiveExecutionConfig": request.get("SelectiveExecutionConfig"),
            "PipelineVersionId": execution.about.version,
            "PipelineVersionAliases": self._aliases(execution),
            "MLflowConfig": _mlflow(execution),
        }

    def _aliases(self, execution: EmulatedExecution) -> list[str] | None:
        pipeline = self.sagemaker_backend.pipelines.get(execution.about.pipeline)
        if not isinstance(pipeline, pipelines.EmulatedPipeline):
            return None
        return pipeline.version(execution.about.version).aliases or None

    def list_pipeline_executions(self) -> ActionResult:
        pipeline = pipelines.find(self.sagemaker_backend, self.params["PipelineName"])
        found = self.service.executions.of(pipeline.arn)
        alias = self.params.get("PipelineVersionAlias")
        if alias is not None:
            number = pipeline.version(alias=alias).number
            found = [execution for execution in found if execution.about.version == number]
        found = self._since(found, lambda execution: wall(execution.about.created))
        found = in_order(found, by_arn=self.params.get("SortBy") == "PipelineExecutionArn")
        page, token = self._page(found[::-1] if self._descending() else found)
        summaries = [
            {
                "PipelineExecutionArn": execution.arn,
                "StartTime": wall(execution.about.created),
                "PipelineExecutionStatus": execution.status,
                "PipelineExecutionDescription": execution.description,
                "PipelineExecutionDisplayName": execution.display_name,
                "PipelineExecutionFailureReason": execution.failure_reason,
                "PipelineVersionAliases": self._aliases(execution),
            }
            for execution in page
        ]
        return ActionResult({"PipelineExecutionSummaries": summaries, "NextToken": token})

    def list_pipeline_execution_steps(self) -> ActionResult:
        found = steps.listed(self._execution())
        page, token = self._page(found[::-1] if self._descending() else found)
        return ActionResult({"PipelineExecutionSteps": page, "NextToken": token})

    def list_pipeline_parameters_for_execution(self) -> ActionResult:
        about = self._execution().about
        given = {p["Name"]: p["Value"] for p in about.request.get("PipelineParameters") or ()}
        values = {**about.parameters, **given}
        found = [{"Name": name, "Value": _shown(value)} for name, value in values.items()]
        page, token = self._page(found)
        return ActionResult({"PipelineParameters": page, "NextToken": token})

    def describe_pipeline_definition_for_execution(self) -> ActionResult:
        execution = self._execution()
        pipeline = pipelines.find(self.sagemaker_backend, execution.about.pipeline)
        version = pipeline.version(execution.about.version)
        return ActionResult({"PipelineDefinition": version.definition, "CreationTime": version.created})

    def stop_pipeline_execution(self) -> ActionResult:
        execution = self._execution()
        execution.stop(self.params["ClientRequestToken"])
        return ActionResult({"PipelineExecutionArn": execution.arn})

    def retry_pipeline_execution(self) -> ActionResult:
        execution = self._execution()
        execution.retry(self.params["ClientRequestToken"], self.params.get("ParallelismConfiguration"))
        return ActionResult({"PipelineExecutionArn": execution.arn})

    def update_pipeline_execution(self) -> ActionResult:
        execution = self._execution()
        execution.update(self.params)
        return ActionResult({"PipelineExecutionArn": execution.arn})

    def send_pipeline_execution_step_success(self) -> ActionResult:
        given = self.params.get("OutputParameters") or []
        return self._answer(lambda record: callbacks.succeeded(record, given))

    def send_pipeline_execution_step_failure(self) -> ActionResult:
        reason = self.params.get("FailureReason", "")
        return self._answer(lambda _record: Outcome(Status.FAILED, message=reason, complete=False))

    def _answer(self, outcome: Any) -> ActionResult:
        token = self.params["CallbackToken"]
        execution, step = self.service.executions.asking(token)
        execution.answer(token, step, {**self.params, "Operation": self._get_action()}, outcome)
        return ActionResult({"PipelineExecutionArn": execution.arn})

    def _execution(self) -> EmulatedExecution:
        """The one that the request names. Raises ResourceNotFound."""
        return self.service.executions.find(self.params.get("PipelineExecutionArn") or "")


def _shown(value: Any) -> str:
    found = text(value)
    return found if isinstance(found, str) else str(value)


def _experiment(execution: EmulatedExecution) -> dict[str, str] | None:
    """The experiment's names, their references filled in; None where they cannot be."""
    engine = execution.engine
    config = engine.plan.definition.get("PipelineExperimentConfig")
    if not isinstance(config, dict) or not engine.records:
        return None
    name, record = next(iter(engine.records.items()))
    try:
        filled = prepare(config)(StepScope(engine.situation, engine.nodes[name], record, engine.started))
    except Unavailable:
        return None
    return {key: value for key, value in filled.items() if isinstance(value, str)}


def _mlflow(execution: EmulatedExecution) -> dict[str, Any] | None:
    config = execution.engine.plan.definition.get("MlflowConfig")
    if not isinstance(config, dict):
        return None
    name = execution.about.request.get("MlflowExperimentName")
    return {**config, **({"MlflowExperimentName": name} if name else {})}
