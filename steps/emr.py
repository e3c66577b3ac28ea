"""Run a step on an EMR cluster, one that runs already, or one that is made for it and ended afterwards.

`cluster_config` is EMR's RunJobFlow request, as AWS spells it, but for what Pipelines sets itself. Source: SageMaker
developer guide, "EMR step"; the EMR API reference.
"""

from __future__ import annotations

from typing import Any

from sagewright.compiler.kind import STEP_RETRIES, Context, StepKind, as_text, present
from sagewright.compiler.model import Step
from sagewright.compiler.source import Map, key_origin, origin
from sagewright.steps._job import chosen, refuse, text_list

GROUPS = ("InstanceGroups", "InstanceFleets")


def arguments(step: Step, context: Context) -> dict[str, Any]:
    body = step.body
    source = chosen(body, ("cluster", "cluster_config"), f"the step `{step.name}`", context, step.name_origin)
    if source == "cluster_config":
        refuse(body, ("role",), "cluster_config", context)
        _check_instances(body, context)
    jar = present(
        Jar=body["jar"],
        Args=text_list(body, "args"),
        MainClass=body.get("main_class"),
        Properties=_properties(body.get("properties")),
    )
    return present(
        StepConfig={"HadoopJarStep": jar},
        ClusterId=body.get("cluster"),
        ExecutionRoleArn=body.get("role"),
        ClusterConfig=body.get("cluster_config"),
    )


def _properties(properties: Map | None) -> list[dict[str, Any]] | None:
    return [{"Key": key, "Value": as_text(properties, key)} for key in properties] if properties else None


def _check_instances(body: Map, context: Context) -> None:
    """Source: SDK 3.27 refuses clusters with neither instance groups nor fleets, and with both."""
    instances = body["cluster_config"].get("Instances")
    if isinstance(instances, Map):
        chosen(
            instances,
            GROUPS,
            "the cluster's `Instances`",
            context,
            origin(body["cluster_config"], "Instances"),
        )
    else:
        context.error("SW202", "the cluster lacks `Instances`", key_origin(body, "cluster_config"))


_SET = "Pipelines sets it itself"
KIND = StepKind(
    name="emr",
    type="EMR",
    arguments=arguments,
    request={
        "StepConfig": "StepConfig",
        "ClusterId": "XmlStringMaxLen256",
        "ExecutionRoleArn": "ArnType",
        "ClusterConfig": "RunJobFlowInput",
    },
    omits=("StepConfig.Name", "ClusterId", "ExecutionRoleArn", "ClusterConfig", "ClusterConfig.Name"),
    properties="Step",
    service="emr",
    cacheable=True,
    retryable=STEP_RETRIES,
    refused={
        "StepConfig.Name": ("SW608", _SET),
        "ClusterConfig.Name": ("SW608", _SET),
        "ClusterConfig.Steps": ("SW608", "the cluster runs this step and no other"),
        "ClusterConfig.AutoTerminationPolicy": ("SW608", "the cluster ends with the step"),
        "ClusterConfig.Instances.KeepJobFlowAliveWhenNoSteps": ("SW608", "the cluster ends with the step"),
        "ClusterConfig.Instances.TerminationProtected": ("SW608", "the cluster ends with the step"),
    },
)
