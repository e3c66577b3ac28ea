"""Where a step's values come from while it runs: the execution that it is part of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sagewright.compiler.engine import foreach
from sagewright.compiler.engine.blueprint import Node
from sagewright.compiler.engine.state import Record
from sagewright.compiler.engine.values import MISSING, Segments, Unavailable, Unknown, lookup, prepare

Documents = Callable[[str], Any]
"""URI → the JSON there. Raises Unavailable; gives an Unknown where nobody knows what is there."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What an execution is called."""

    pipeline: str = "pipeline"
    execution_id: str = "000000000000"
    pipeline_arn: str = "arn:aws:sagemaker:us-west-2:123456789012:pipeline/pipeline"

    @property
    def execution_arn(self) -> str:
        return f"{self.pipeline_arn}/execution/{self.execution_id}"

    @classmethod
    def of(
        cls, pipeline: str, execution_id: str, region: str = "us-west-2", account: str = "123456789012"
    ) -> Identity:
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0])
        arn = f"arn:{partition or 'aws'}:sagemaker:{region}:{account}:pipeline/{pipeline.lower()}"
        return cls(pipeline, execution_id, arn)


@dataclass(slots=True)
class Situation:
    """What the scopes of all steps of an execution share. `started` is in seconds since the epoch."""

    identity: Identity
    definition: Mapping[str, Any]
    parameters: Mapping[str, Any]
    nodes: dict[str, Node]
    records: dict[str, Record]
    documents: Documents
    started: float = 0.0

    def continued(self, nodes: dict[str, Node], records: dict[str, Record]) -> Situation:
        """The same execution, about to go another way."""
        return replace(self, nodes=nodes, records=records)


@dataclass(slots=True)
class StepScope:
    """The `values.Scope` of one step, at the time `now`."""

    situation: Situation
    node: Node
    record: Record
    now: float

    def parameter(self, name: str) -> Any:
        if name not in self.situation.parameters:
            raise Unavailable(f"Parameter '{name}' is undefined.")
        return self.situation.parameters[name]

    def variable(self, name: str) -> Any:
        identity = self.situation.identity
        match name:
            case "PipelineName":
                return identity.pipeline
            case "PipelineArn":
                return identity.pipeline_arn
            case "PipelineExecutionId":
                return identity.execution_id
            case "PipelineExecutionArn":
                return identity.execution_arn
            case "StartDateTime":
                return _iso(self.situation.started)
            case "CurrentDateTime":
                return _iso(self.now)
            case "ExperimentName" | "TrialName":
                config = self.situation.definition.get("PipelineExperimentConfig") or {}
                return prepare(config.get(name))(self)
        return Unknown(f"SageMaker gives `Execution.{name}` a value only when the job starts")

    def step(self, name: str, segments: Segments, target: str) -> Any:
        if name in self.node.siblings:
            name = f"{name}-{self.node.iteration}"
        record = self.situation.records[name]
        if record.outcome is None:
            return Unknown(f"`{name}` has no result")
        found = lookup(record.outcome.properties, segments)
        if found is not MISSING:
            return found
        if record.outcome.complete:
            raise Unavailable(f"{target} is undefined.")
        return Unknown(f"nobody gave a value for `{target}`")

    def item(self, segments: Segments) -> Any:
        return foreach.current_item(self.record.item, segments)

    def report(self, step: str, file: str) -> Any:
        if step in self.node.siblings:
            step = f"{step}-{self.node.iteration}"
        record = self.situation.records.get(step)
        outcome = record.outcome if record else None
        if outcome is None:
            return Unknown(f"`{step}` has no result")
        if file in outcome.reports:
            return outcome.reports[file]
        place = self._place(step, file)
        output = lookup(
            outcome.properties, ("ProcessingOutputConfig", "Outputs", place[0], "S3Output", "S3Uri")
        )
        content: Any = output
        if isinstance(output, str):
            content = self.situation.documents(f"{output.rstrip('/')}/{place[1].lstrip('/')}")
        if content is MISSING or isinstance(content, Unknown):
            return Unknown(f"nobody gave the report `{file}` of `{step}`")
        return content

    def _place(self, step: str, file: str) -> tuple[str, str]:
        """The output that holds a property file, and the file's path in it."""
        written = self.situation.nodes[step].body.get("PropertyFiles")
        for entry in written if isinstance(written, list) else ():
            if isinstance(entry, Mapping) and entry.get("PropertyFileName") == file:
                return str(entry.get("OutputName")), str(entry.get("FilePath") or "")
        raise Unavailable(f"Steps.{step}.PropertyFiles.{file} is undefined.")

    def document(self, uri: str) -> Any:
        return self.situation.documents(uri)


def _iso(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
