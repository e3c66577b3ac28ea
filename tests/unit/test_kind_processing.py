"""Processing: YAML bodies against what the SDK emits, and the mistakes that only this kind knows."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler import shapes
from sagewright.compiler.definition import differences
from sagewright.compiler.types import Type
from sagewright.steps.processing import KIND
from tests.fakes import FakeContext, as_json, step_of

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "abalone.json"
BASE = "image: sklearn:1.2-1\ninstance: ml.m5.xlarge\n"
CODE_PLACE = "/opt/ml/processing/input/code"


@pytest.fixture
def context(tmp_path: Path) -> FakeContext:
    for name in (
        "preprocess.py",
        "evaluate.py",
        "run.sh",
        "src/main.py",
        "src/requirements.txt",
        "src/more.txt",
    ):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"# {name}\n")
    return FakeContext(tmp_path)


def lower(text: str, context: FakeContext, name: str = "Step", **parameters: Type) -> dict[str, Any]:
    """Arguments as JSON, after AWS's shape has approved of them."""
    step = step_of(KIND, text, name, **parameters)
    (emitted,) = KIND.lower(step, context)
    if not context.mistakes:
        approve(emitted.arguments)
    return as_json({"Name": name, "Type": KIND.type, "Arguments": emitted.arguments, **emitted.extra})


def approve(arguments: Any) -> None:
    violations: list[Any] = []
    shapes.bind(
        arguments,
        KIND.request,
        omits=KIND.omits,
        variable=lambda expression, _type: as_json(expression),
        report=violations.append,
    )
    assert not violations


def arguments(text: str, context: FakeContext, **parameters: Type) -> dict[str, Any]:
    return lower(BASE + text, context, **parameters)["Arguments"]


def container_arguments(text: str, context: FakeContext, **parameters: Type) -> Any:
    return arguments(text, context, **parameters)["AppSpecification"].get("ContainerArguments")


# -- against the SDK --------------------------------------------------------------------------------------------------

PREPROCESS = """
image: sklearn:1.2-1
instance: {type: "${parameters.InstanceType}", count: "${parameters.InstanceCount}"}
code: preprocess.py
arguments: {input-data: "${parameters.InputData}", n: "${parameters.InstanceCount}"}
inputs:
  in: {source: "${parameters.InputData}", path: /opt/ml/processing/input}
outputs:
  train: {path: /opt/ml/processing/train, destination: s3://my-bucket/out/train}
  test: {path: /opt/ml/processing/test, destination: "s3://my-bucket/out/${execution.id}/test"}
"""
EVALUATE = """
image: sklearn:1.2-1
instance: ml.m5.xlarge
code: evaluate.py
inputs:
  model: {source: "${steps.Train.ModelArtifacts.S3ModelArtifacts}", path: /opt/ml/processing/model}
  test:
    source: "${steps.Preprocess.ProcessingOutputConfig.Outputs['test'].S3Output.S3Uri}"
    path: /opt/ml/processing/test
outputs:
  evaluation: {path: /opt/ml/processing/evaluation, destination: s3://my-bucket/out/evaluation}
reports:
  Evaluation: {output: evaluation, file: evaluation.json}
"""


@pytest.mark.skipif(not GOLDEN.exists(), reason="the SDK's golden definitions are not here")
@pytest.mark.parametrize(("name", "text"), [("Preprocess", PREPROCESS), ("Evaluate", EVALUATE)])
def test_equals_the_sdk(name: str, text: str, context: FakeContext) -> None:
    steps = {step["Name"]: step for step in json.loads(GOLDEN.read_text())["Steps"]}
    wanted = {key: steps[name][key] for key in steps[name] if key not in ("CacheConfig", "RetryPolicies")}
    if name == "Preprocess":  # an Integer in a String's place is cast by a later pass
        wanted["Arguments"]["AppSpecification"]["ContainerArguments"][3] = {"Get": "Parameters.InstanceCount"}
    made = lower(text, context, name, InstanceCount=Type.INTEGER)
    assert differences({"Steps": [wanted]}, {"Steps": [made]}) == []
    assert list(made["Arguments"]) == list(wanted["Arguments"])
    assert context.mistakes == []


def test_a_directory_is_run_as_by_the_framework_processor(context: FakeContext) -> None:
    """Source: SageMaker SDK 2.257, FrameworkProcessor."""
    made = arguments("code: {dir: src, entry: main.py}\ninputs: {x: s3://b/x}", context)
    assert made["AppSpecification"]["ContainerEntrypoint"] == [
        "/bin/bash",
        "/opt/ml/processing/input/entrypoint/runproc.sh",
    ]
    inputs = {entry["InputName"]: entry["S3Input"] for entry in made["ProcessingInputs"]}
    assert list(inputs) == ["x", "code", "entrypoint"]
    assert inputs["code"]["LocalPath"] == "/opt/ml/processing/input/code/"
    assert inputs["code"]["S3Uri"].endswith("/sourcedir.tar.gz")
    assert inputs["entrypoint"]["LocalPath"] == "/opt/ml/processing/input/entrypoint"
    assert inputs["entrypoint"]["S3Uri"].endswith("/runproc.sh")
    assert set(context.uploads) == {inputs["code"]["S3Uri"], inputs["entrypoint"]["S3Uri"]}


# -- code -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "entrypoint"),
    [
        ("code: preprocess.py", ["python3", f"{CODE_PLACE}/preprocess.py"]),
        ("code: run.sh", ["bash", f"{CODE_PLACE}/run.sh"]),
        ("code: preprocess.py\ncommand: [python3, -u]", ["python3", "-u", f"{CODE_PLACE}/preprocess.py"]),
        ("code: {entry: src/main.py}", ["python3", f"{CODE_PLACE}/main.py"]),
        ("code: s3://b/k/job.py", ["python3", f"{CODE_PLACE}/job.py"]),
        ("command: [/bin/run, 3]", ["/bin/run", "3"]),
        ("max_runtime: 1h", None),
    ],
)
def test_entrypoint(code: str, entrypoint: Any, context: FakeContext) -> None:
    made = arguments(code, context)
    assert made["AppSpecification"].get("ContainerEntrypoint") == entrypoint
    assert ("ProcessingInputs" in made) == ("code" in code)


def test_code_in_s3_is_taken_as_it_is(context: FakeContext) -> None:
    made = arguments("code: s3://b/k/job.py", context)
    assert made["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://b/k/job.py"
    made = arguments("code: {dir: s3://b/k/code.tar.gz, entry: job.py}", context)
    assert made["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://b/k/code.tar.gz"
    assert "tar -xzf code.tar.gz\n" in bootstrap(context)


def bootstrap(context: FakeContext) -> str:
    (script,) = [asset for uri, asset in context.uploads.items() if uri.endswith("/runproc.sh")]
    with script.open() as file:
        return file.read().decode()


@pytest.mark.parametrize(
    ("code", "last", "requirements"),
    [
        ("{dir: src, entry: main.py}", 'exec python3 main.py "$@"', "if [[ -f requirements.txt ]]; then"),
        (
            "{dir: src, entry: more.txt, requirements: more.txt}",
            'exec python3 more.txt "$@"',
            "install -r more.txt",
        ),
    ],
)
def test_start_script(code: str, last: str, requirements: str, context: FakeContext) -> None:
    arguments(f"code: {code}", context)
    script = bootstrap(context)
    assert script.splitlines()[0] == "#!/bin/bash"
    assert script.splitlines()[-1] == last
    assert requirements in script


@pytest.mark.skipif(sys.platform == "win32", reason="wants bash")
def test_start_script_runs(context: FakeContext, tmp_path: Path) -> None:
    """It unpacks the archive where the job finds it, and hands over the arguments, blanks and all."""
    (tmp_path / "src" / "requirements.txt").unlink()
    (tmp_path / "src" / "main.py").write_text("import sys\nprint(sys.argv[1:])\n")
    made = arguments("code: {dir: src, entry: main.py}\ncommand: [python3, -u]", context)
    place = tmp_path / "job"
    place.mkdir()
    archive = context.uploads[made["ProcessingInputs"][0]["S3Input"]["S3Uri"]]
    with archive.open() as file:
        (place / "sourcedir.tar.gz").write_bytes(file.read())
    script = bootstrap(context).replace("/opt/ml/processing/input/code", str(place))
    ran = subprocess.run(
        ["bash", "-s", "--", "--a", "b c"], input=script, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "['--a', 'b c']"
    with tarfile.open(place / "sourcedir.tar.gz") as tar:
        assert sorted(tar.getnames()) == ["main.py", "more.txt"]


# -- arguments and environment ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "passed"),
    [
        ("{n: 3, name: x}", ["--n", "3", "--name", "x"]),
        ("{verbose: null}", ["--verbose"]),
        ("{verbose: false}", None),
        ('{verbose: "false"}', ["--verbose", "false"]),
        ("{verbose: true}", ["--verbose", "true"]),
        ("{rate: 1.10, id: 0012345, big: 1e5}", ["--rate", "1.10", "--id", "0012345", "--big", "1e5"]),
        ("{tag: [a, 1.0]}", ["--tag", "a", "--tag", "1.0"]),
        ("[--n, 3, 0x10]", ["--n", "3", "0x10"]),
        ("[]", None),
        ("{}", None),
        (
            '{x: "a-${parameters.P}"}',
            ["--x", {"Std:Join": {"On": "", "Values": ["a-", {"Get": "Parameters.P"}]}}],
        ),
        ('["${parameters.P}"]', [{"Get": "Parameters.P"}]),
    ],
)
def test_container_arguments(written: str, passed: Any, context: FakeContext) -> None:
    assert container_arguments(f"arguments: {written}", context) == passed


def test_environment_keeps_its_text(context: FakeContext) -> None:
    made = arguments('environment: {A: 1.10, B: true, C: "${parameters.P}"}', context)
    assert made["Environment"] == {"A": "1.10", "B": "true", "C": {"Get": "Parameters.P"}}


# -- inputs and outputs -----------------------------------------------------------------------------------------------


def test_inputs(context: FakeContext) -> None:
    made = arguments(
        """
inputs:
  raw: ${parameters.Data}
  ref: {source: s3://b/ref, path: /opt/ml/ref, mode: Pipe, sharded: true, compression: Gzip, data_type: ManifestFile}
""",
        context,
    )
    raw, ref = made["ProcessingInputs"]
    assert raw == {
        "InputName": "raw",
        "S3Input": {
            "S3Uri": {"Get": "Parameters.Data"},
            "LocalPath": "/opt/ml/processing/input/raw",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
            "S3CompressionType": "None",
        },
    }
    assert ref["S3Input"] == {
        "S3Uri": "s3://b/ref",
        "LocalPath": "/opt/ml/ref",
        "S3DataType": "ManifestFile",
        "S3InputMode": "Pipe",
        "S3DataDistributionType": "ShardedByS3Key",
        "S3CompressionType": "Gzip",
    }


def test_null_leaves_a_default_out(context: FakeContext) -> None:
    made = arguments("inputs: {a: {source: s3://b/a, mode: null, sharded: null, compression: null}}", context)
    assert set(made["ProcessingInputs"][0]["S3Input"]) == {"S3Uri", "LocalPath", "S3DataType"}


ATHENA = "{Catalog: c, Database: d, QueryString: select 1, OutputS3Uri: s3://b/o, OutputFormat: PARQUET}"
REDSHIFT = (
    "{ClusterId: c, Database: d, DbUser: u, QueryString: select 1, OutputS3Uri: s3://b/o, OutputFormat: CSV,"
    " ClusterRoleArn: 'arn:aws:iam::123456789012:role/R'}"
)


@pytest.mark.parametrize(
    ("key", "query", "member"),
    [("athena", ATHENA, "AthenaDatasetDefinition"), ("redshift", REDSHIFT, "RedshiftDatasetDefinition")],
)
def test_queries(key: str, query: str, member: str, context: FakeContext) -> None:
    made = arguments(f"inputs: {{sql: {{{key}: {query}, sharded: true}}}}", context)
    (entry,) = made["ProcessingInputs"]
    definition = entry["DatasetDefinition"]
    assert definition[member]["QueryString"] == "select 1"
    assert definition["LocalPath"] == "/opt/ml/processing/input/sql"
    assert (definition["DataDistributionType"], definition["InputMode"]) == ("ShardedByS3Key", "File")
    assert "S3Input" not in entry


def test_outputs(context: FakeContext) -> None:
    made = arguments(
        """
outputs:
  train: {}
  test: {path: /opt/t, destination: s3://b/test, upload: Continuous}
  features: {feature_group: customers}
kms_key: outputs-key
""",
        context,
    )
    train, test, features = made["ProcessingOutputConfig"]["Outputs"]
    pieces = ["s3://my-bucket/sagewright/p/", {"Get": "Execution.PipelineExecutionId"}, "/Step/train"]
    assert train == {
        "OutputName": "train",
        "S3Output": {
            "S3Uri": {"Std:Join": {"On": "", "Values": pieces}},
            "LocalPath": "/opt/ml/processing/output/train",
            "S3UploadMode": "EndOfJob",
        },
    }
    assert test["S3Output"] == {"S3Uri": "s3://b/test", "LocalPath": "/opt/t", "S3UploadMode": "Continuous"}
    assert features == {
        "OutputName": "features",
        "FeatureStoreOutput": {"FeatureGroupName": "customers"},
        "AppManaged": True,
    }
    assert made["ProcessingOutputConfig"]["KmsKeyId"] == "outputs-key"


def test_what_is_not_given_is_not_written(context: FakeContext) -> None:
    made = arguments("", context)
    assert list(made) == ["ProcessingResources", "AppSpecification", "RoleArn"]
    assert made["ProcessingResources"]["ClusterConfig"] == {
        "InstanceType": "ml.m5.xlarge",
        "InstanceCount": 1,
        "VolumeSizeInGB": 30,
    }


def test_the_rest(context: FakeContext) -> None:
    made = lower(
        """
image: 123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1
instance: {type: ml.m5.large, count: 2, volume_gb: 50, kms_key: volume-key}
max_runtime: 90m
network: {subnets: [subnet-1], security_groups: [sg-1], isolation: false, encrypt_traffic: true}
tags: {team: risk, cost: 0042}
""",
        context,
    )["Arguments"]
    assert made["ProcessingResources"]["ClusterConfig"] == {
        "InstanceType": "ml.m5.large",
        "InstanceCount": 2,
        "VolumeSizeInGB": 50,
        "VolumeKmsKeyId": "volume-key",
    }
    assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 5400}
    assert made["NetworkConfig"] == {
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    }
    assert made["Tags"] == [{"Key": "team", "Value": "risk"}, {"Key": "cost", "Value": "0042"}]


def test_isolation_alone(context: FakeContext) -> None:
    assert arguments("network: {isolation: true}", context)["NetworkConfig"] == {
        "EnableNetworkIsolation": True
    }


# -- reports and sugar ------------------------------------------------------------------------------------------------


def test_reports(context: FakeContext) -> None:
    made = lower(
        BASE + "outputs: {o: {}}\nreports: {a: {output: o, file: a.json}, b: {uri: s3://b/x.json}}", context
    )
    assert made["PropertyFiles"] == [{"PropertyFileName": "a", "OutputName": "o", "FilePath": "a.json"}]
    assert "PropertyFiles" not in lower(BASE + "reports: {b: {uri: s3://b/x.json}}", context)


def test_sugar() -> None:
    outputs = KIND.sugar["outputs"]
    assert outputs.names is not None
    body = step_of(KIND, BASE + "outputs: {train: {}, features: {feature_group: g}}").body
    assert outputs.names(body) == {"train": Type.STRING, "features": None}
    assert outputs.names(step_of(KIND, BASE).body) == {}
    assert outputs.path.format("x") == "ProcessingOutputConfig.Outputs['x'].S3Output.S3Uri"


# -- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code", "at", "said"),
    [
        ("inputs: {code: s3://b/x}", "SW310", "code", "cannot be named `code`"),
        (
            "code: {dir: src, entry: main.py}\ninputs: {entrypoint: s3://b/x}",
            "SW310",
            "entrypoint",
            "entrypoint",
        ),
        (
            "inputs: {x: {path: /opt/x}}",
            "SW202",
            "{path: /opt/x}",
            "the input `x` lacks the key `source` or `athena`",
        ),
        (f"inputs: {{x: {{source: s3://b/x, athena: {ATHENA}}}}}", "SW208", "athena", "`athena` does not go"),
        (f"inputs: {{x: {{athena: {ATHENA}, compression: Gzip}}}}", "SW208", "compression", "`athena`"),
        ("inputs: {x: {source: s3://b/x, compression: Gzip}}", "SW208", "compression", "the mode Pipe"),
        ("reports: {r: {uri: s3://b/x, file: x.json}}", "SW208", "file", "`uri`"),
        ("outputs: {f: {feature_group: g, path: /opt/x}}", "SW208", "path", "`feature_group`"),
        ("outputs: {test: {}}\nreports: {r: {output: tset, file: x}}", "SW505", "tset", "there is no `tset`"),
        ("reports: {r: {output: test, file: x}}", "SW505", "test", "there is no `test`"),
        (
            "outputs: {f: {feature_group: g}}\nreports: {r: {output: f, file: x}}",
            "SW505",
            "f",
            "Feature Store",
        ),
        ("reports: {r: {file: x}}", "SW202", "{file: x}", "the report `r` lacks the key `output` or `uri`"),
        ("outputs: {o: {}}\nreports: {r: {output: o}}", "SW202", "{output: o}", "lacks the key `file`"),
        ("outputs: {o: {}}\nreports: {r: {output: o, file: x, uri: s3://b/x}}", "SW208", "uri", "`output`"),
        ("code: absent.py", "SW801", "absent.py", "absent.py"),
        ("code: {dir: src, entry: mian.py}", "SW803", "mian.py", "has no file `mian.py`"),
        ("code: {dir: src, entry: main.py, requirements: none.txt}", "SW803", "none.txt", "none.txt"),
        ("code: {entry: preprocess.py, requirements: r.txt}", "SW208", "r.txt", "`dir`"),
        (
            'code: {dir: src, entry: main.py}\ncommand: ["${parameters.P}"]',
            "SW209",
            '"${parameters.P}"',
            "literals",
        ),
    ],
)
def test_mistakes(text: str, code: str, at: str, said: str, context: FakeContext) -> None:
    lower(BASE + text, context)
    (mistake,) = context.mistakes
    assert (mistake.code, mistake.at) == (code, at)
    assert said in mistake.message


def test_a_report_in_no_output_suggests_one(context: FakeContext) -> None:
    lower(BASE + "outputs: {train: {}, test: {}}\nreports: {r: {output: tset, file: x}}", context)
    assert context.mistakes[0].help == "did you mean `test`?"
    assert context.mistakes[0].notes == ("its outputs are `train` and `test`",)


def test_an_instance_without_type(context: FakeContext) -> None:
    lower("image: sklearn:1.2-1\ninstance: {count: 2}", context)
    assert context.mistakes[0].code == "SW202"
    assert "`type`" in context.mistakes[0].message
