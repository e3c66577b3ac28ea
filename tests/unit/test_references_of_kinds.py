"""What can be referred to of a step of each kind: its sugar, and the properties of its Describe response, which are
checked down to the last segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sagewright.steps import KINDS
from tests.definitions import definition_of
from tests.kinds import compile_steps, told

LAMBDA = "arn:aws:lambda:us-west-2:123456789012:function:f"
ROLE = "arn:aws:iam::123456789012:role/R"
TRAIN = "{image: 'xgboost:1.7-1', instance: ml.m5.large, output: s3://b/out}"
BODIES = {
    "processing": "image: sklearn:1.2-1\ninstance: ml.m5.large\noutputs: {train: {}, features: {feature_group: g}}\n"
    "environment: {A: b}\nreports: {R: {output: train, file: r.json}}",
    "training": "image: xgboost:1.7-1\ninstance: ml.m5.large\nmetrics: {'val:auc': 'a=(.*)'}",
    "tuning": f"training: {TRAIN}\nobjective: {{metric: auc, goal: Maximize}}\nranges: {{eta: {{min: 0.1, max: 0.5}}}}\nmax_jobs: 2",
    "automl": "input: s3://b/in\ntarget: y",
    "transform": "model: m\ninput: s3://b/in\ninstance: ml.m5.large",
    "quality_check": "check: DATA_QUALITY\nbaseline: s3://b/in\ndataset_format: {csv: {}}\ninstance: ml.m5.large",
    "clarify_check": "check: DATA_BIAS\nbaseline: s3://b/in\ninstance: ml.m5.large\nconfig: {dataset_type: text/csv}",
    "monitor_transform": "transform: {model: m, input: s3://b/in, instance: ml.m5.large}\n"
    "quality_check: {check: DATA_QUALITY, baseline: s3://b/in, dataset_format: {csv: {}}, instance: ml.m5.large}",
    "model": "image: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz",
    "register": "group: g\nimage: xgboost:1.7-1\nmodel_data: s3://b/m.tar.gz",
    "deploy": "endpoint: e\nmodel: m\ninstance: ml.m5.large",
    "endpoint_config": "variants: {main: {model: m, instance: ml.m5.large}}",
    "endpoint": "name: e\nconfig: c",
    "inference_component": "name: ic\nendpoint: e\nvariant: v\nmodel: m\ncpus: 1\nmemory_mb: 1024",
    "condition": "if: steps.First.outputs.n > 1\nthen: {Inner: {kind: fail, message: x}}",
    "fail": "message: x",
    "lambda": f"function: {LAMBDA}\noutputs: {{status: String, n: Integer}}",
    "callback": "queue: https://sqs.us-west-2.amazonaws.com/123456789012/q\noutputs: {status: String}",
    "emr": "cluster: j-1\njar: s3://b/x.jar\nargs: [a]",
    "emr_serverless": f"application: 00f1r1xlm0c0ic0d\nrole: {ROLE}\nspark: {{entryPoint: s3://b/x.py}}",
    "notebook": "notebook: nb.ipynb\nkernel: python3\nimage: 1.dkr.ecr.us-west-2.amazonaws.com/x:1\ninstance: ml.m5.large",
    "job": "category: AgentRFT\nschema_version: 1.0.0\nconfig: {a: b}",
    "lineage": "actions: [{ActionName: a, ActionType: t, Source: {SourceUri: s3://b}}]",
    "cleanup": "steps: [Made]",
    "native": "type: Athena\narguments: {QueryString: SELECT 1}",
}
GOOD = {
    "processing": {
        "outputs.train": "ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri",
        "ProcessingOutputConfig.Outputs[0].S3Output.S3Uri": "ProcessingOutputConfig.Outputs[0].S3Output.S3Uri",
        "ProcessingInputs['raw'].S3Input.S3Uri": "ProcessingInputs['raw'].S3Input.S3Uri",
        "Environment.A": "Environment['A']",
        "ProcessingResources.ClusterConfig.InstanceCount": "ProcessingResources.ClusterConfig.InstanceCount",
    },
    "training": {
        "model_data": "ModelArtifacts.S3ModelArtifacts",
        "output": "OutputDataConfig.S3OutputPath",
        "job_name": "TrainingJobName",
        "metrics['val:auc']": "FinalMetricDataList['val:auc'].Value",
        "FinalMetricDataList[0].Value": "FinalMetricDataList[0].Value",
        "HyperParameters.depth": "HyperParameters['depth']",
        "BillableTimeInSeconds": "BillableTimeInSeconds",
    },
    "tuning": {
        "best_job": "BestTrainingJob.TrainingJobName",
        "TrainingJobSummaries[49].TrainingJobName": "TrainingJobSummaries[49].TrainingJobName",
        "TrainingJobSummaries[0].TunedHyperParameters.eta": "TrainingJobSummaries[0].TunedHyperParameters['eta']",
        "BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric.Value": "BestTrainingJob.FinalHyperParameterTuningJobObjectiveMetric.Value",
        "ObjectiveStatusCounters.Succeeded": "ObjectiveStatusCounters.Succeeded",
    },
    "automl": {
        "best_model_data": "BestCandidate.InferenceContainers[0].ModelDataUrl",
        "insights": "BestCandidateProperties.ModelInsightsJsonReportPath",
        "explainability": "BestCandidateProperties.ExplainabilityJsonReportPath",
        "BestCandidate.InferenceContainers[0].Environment.SAGEMAKER_PROGRAM": "BestCandidate.InferenceContainers[0].Environment['SAGEMAKER_PROGRAM']",
        "BestCandidate.FinalAutoMLJobObjectiveMetric.Value": "BestCandidate.FinalAutoMLJobObjectiveMetric.Value",
    },
    "transform": {
        "output": "TransformOutput.S3OutputPath",
        "TransformResources.InstanceCount": "TransformResources.InstanceCount",
    },
    "quality_check": {
        "statistics": "CalculatedBaselineStatistics",
        "constraints": "CalculatedBaselineConstraints",
        "baseline_statistics": "BaselineUsedForDriftCheckStatistics",
        "baseline_constraints": "BaselineUsedForDriftCheckConstraints",
        "CalculatedBaselineStatistics": "CalculatedBaselineStatistics",
    },
    "clarify_check": {
        "constraints": "CalculatedBaselineConstraints",
        "BaselineUsedForDriftCheckConstraints": "BaselineUsedForDriftCheckConstraints",
    },
    "monitor_transform": {"statistics": "CalculatedBaselineStatistics"},
    "model": {
        "name": "ModelName",
        "PrimaryContainer.ModelDataUrl": "PrimaryContainer.ModelDataUrl",
        "Containers['main'].Image": "Containers['main'].Image",
        "Containers[1].Image": "Containers[1].Image",
    },
    "register": {
        "arn": "ModelPackageArn",
        "InferenceSpecification.Containers[0].Image": "InferenceSpecification.Containers[0].Image",
        "ModelMetrics.ModelQuality.Statistics.S3Uri": "ModelMetrics.ModelQuality.Statistics.S3Uri",
        "CustomerMetadataProperties.git": "CustomerMetadataProperties['git']",
    },
    "deploy": {
        "endpoint": "EndpointName",
        "ProductionVariants['AllTraffic'].CurrentWeight": "ProductionVariants['AllTraffic'].CurrentWeight",
    },
    "endpoint_config": {
        "name": "EndpointConfigName",
        "ProductionVariants['main'].InstanceType": "ProductionVariants['main'].InstanceType",
        "ProductionVariants[0].InstanceType": "ProductionVariants[0].InstanceType",
    },
    "endpoint": {"name": "EndpointName", "EndpointStatus": "EndpointStatus"},
    "inference_component": {
        "InferenceComponentArn": "InferenceComponentArn",
        "RuntimeConfig.CurrentCopyCount": "RuntimeConfig.CurrentCopyCount",
    },
    "condition": {"outcome": "Outcome"},
    "lambda": {
        "outputs.status": "OutputParameters['status']",
        "OutputParameters['status']": "OutputParameters['status']",
        "OutputParameters.n": "OutputParameters['n']",
    },
    "callback": {"outputs.status": "OutputParameters['status']"},
    "emr": {
        "Id": "Id",
        "Status.State": "Status.State",
        "Config.Args[0]": "Config.Args[0]",
        "Config.Properties.k": "Config.Properties['k']",
    },
    "emr_serverless": {"jobRun.state": "jobRun.state", "jobRun.jobDriver.sparkSubmit.entryPoint": None},
    "notebook": {"ModelArtifacts.S3ModelArtifacts": "ModelArtifacts.S3ModelArtifacts"},
    "job": {"JobArn": "JobArn", "JobConfigDocument.a.b": "JobConfigDocument.a.b"},
    "lineage": {"ActionArns.a": "ActionArns['a']"},
    "native": {"QueryExecutionId": "QueryExecutionId", "S3OutputLocation": "S3OutputLocation"},
}
"""What may be referred to, and the property that it is (None: as it is written)."""
BAD = {
    "processing": [
        ("outputs.tran", "SW302"),
        ("outputs.features", "SW302"),
        ("ExitMesage", "SW304"),
        ("ProcessingOutputConfig.Outputs['tran'].S3Output.S3Uri", "SW302"),
        ("ProcessingOutputConfig.Outputs['features'].S3Output.S3Uri", "SW302"),
    ],
    "training": [
        ("ModelArtifacts.S3Model", "SW304"),
        ("FinalMetricDataList[0].Velue", "SW304"),
        ("metrics.auc", "SW302"),
        ("FinalMetricDataList['auc'].Value", "SW302"),
    ],
    "tuning": [
        ("TrainingJobSummaries[50].TrainingJobName", "SW304"),
        ("BestTrainingJob.TrainingJobNam", "SW304"),
        ("top_model_data[50]", "SW302"),
    ],
    "automl": [
        ("BestCandidateProperties.Nope", "SW304"),
        ("BestCandidate.InferenceContainers['x'].Image", "SW304"),
    ],
    "transform": [("TransformOutput.S3Outputpath", "SW304"), ("ouput", "SW302")],
    "quality_check": [("statistic", "SW302"), ("CalculatedBaseline", "SW304")],
    "clarify_check": [("statistics", "SW302"), ("CalculatedBaselineStatistics", "SW304")],
    "monitor_transform": [("nothing", "SW302")],
    "model": [
        ("PrimaryContainer.Imag", "SW304"),
        ("Containers.main.Imag", "SW304"),
        ("Containers.main", "SW406"),
    ],
    "register": [("InferenceSpecification.Container", "SW304"), ("Arn", "SW304")],
    "deploy": [("EndpointNam", "SW304")],
    "endpoint_config": [("ProductionVariants['main'].Instance", "SW304")],
    "endpoint": [("EndpointName.x", "SW304")],
    "inference_component": [("RuntimeConfig.Copies", "SW304")],
    "condition": [("Result", "SW304"), ("Outcome.x", "SW302")],
    "fail": [("ErrorMessage", "SW304")],
    "lambda": [
        ("outputs.stauts", "SW302"),
        ("OutputParameters['stauts']", "SW302"),
        ("OutputParameters", "SW302"),
        ("OutputParameters[0]", "SW302"),
        ("OutputParameters.status.x", "SW302"),
    ],
    "callback": [("outputs.stauts", "SW302")],
    "emr": [("ClusterId", "SW304"), ("Config.Args['x']", "SW304")],
    "emr_serverless": [("jobRun.stat", "SW304")],
    "notebook": [("ModelArtifacts.S3", "SW304")],
    "job": [("JobAn", "SW304")],
    "lineage": [("ActionArns.b", "SW302"), ("ActionArn.a", "SW304")],
    "cleanup": [("CleanedSteps", "SW304")],
}
UNPROVEN = {"emr_serverless"}
"""Kinds whose every property has a warning."""


def reference(kind: str, path: str, folder: Path, rest: str = "") -> tuple[list[str], dict[str, object]]:
    """The codes that are told of `${steps.S.<path>}`, and the argument that it becomes."""
    (folder / "nb.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    body = "".join(f"  {line}\n" for line in f"kind: {kind}\n{BODIES[kind]}\n{rest}".rstrip().split("\n"))
    before = ""
    if kind == "condition":
        before = f"First: {{kind: lambda, function: '{LAMBDA}', outputs: {{n: Integer}}}}\n"
    if kind == "cleanup":
        before = "Made: {kind: training, image: 'xgboost:1.7-1', instance: ml.m5.large}\n"
    after = f"After: {{kind: lambda, function: '{LAMBDA}', arguments: {{a: \"${{steps.S.{path}}}\"}}}}"
    result = compile_steps(folder, f"{before}S:\n{body}{after}")
    codes = [code for code, _ in told(result)]
    found = result.definition is not None and definition_of(result)["Steps"][-1]["Arguments"]["a"]
    return codes, found or {}


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in GOOD.items() for path in paths])
def test_what_there_is(kind: str, path: str, tmp_path: Path) -> None:
    codes, found = reference(kind, path, tmp_path)
    assert codes == (["SW902"] if kind in UNPROVEN else [])
    assert found == {"Get": f"Steps.S.{GOOD[kind][path] or path}"}


@pytest.mark.parametrize(
    ("kind", "path", "code"), [(k, *one) for k, several in BAD.items() for one in several]
)
def test_what_there_is_not(kind: str, path: str, code: str, tmp_path: Path) -> None:
    codes, _ = reference(kind, path, tmp_path)
    assert codes == [*(["SW902"] if kind in UNPROVEN else []), code]


@pytest.mark.parametrize(
    ("kind", "path", "patch"),
    [
        (
            "processing",
            "ProcessingOutputConfig.Outputs['more'].S3Output.S3Uri",
            "api: {ProcessingOutputConfig: {Outputs: {more: {S3Output: {S3Uri: s3://b/o, LocalPath: /opt/o, S3UploadMode: EndOfJob}}}}}",
        ),
        (
            "lambda",
            "OutputParameters['more']",
            "step_api: {OutputParameters: {more: {OutputType: String}}}",
        ),
    ],
)
def test_what_the_api_adds(kind: str, path: str, patch: str, tmp_path: Path) -> None:
    codes, found = reference(kind, path, tmp_path, patch)
    assert (codes, found) == ([], {"Get": f"Steps.S.{path}"})


def test_every_kind_is_here() -> None:
    kinds = set(KINDS) - {"foreach"}  # whose references reach into its body: they have tests of their own
    assert set(BODIES) == kinds
    assert kinds - set(GOOD) == {"fail", "cleanup"}  # nothing can be asked of them
    assert kinds - set(BAD) == {"native"}  # of which any property path goes
