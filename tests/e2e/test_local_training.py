"""Training jobs on this machine, in every sandbox that works here."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.engine.state import Outcome, Status
from sagewright.compiler.local.job import Job, JobFailed
from tests import local_jobs
from tests.local_jobs import BUCKET, Bench, channel, fails, log, members, run

BASE = "import json, os, sys\nfrom pathlib import Path\nML = Path(os.environ['SM_MODEL_DIR']).parent\n"
SAVE = BASE + "(ML / 'model/model.txt').write_text('the model')\n"


@pytest.fixture(params=["bubblewrap", "unshare", "folders"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path, local_jobs.sandbox(request.param), {"*": {}})


@pytest.fixture
def one(tmp_path: Path) -> Bench:
    """The sandbox that works everywhere, for what does not depend on it."""
    return Bench(tmp_path, local_jobs.sandbox("folders"), {"*": {}})


def model(bench: Bench, job: Job) -> dict[str, bytes]:
    """What is in a job's model.tar.gz."""
    return members(bench.get(f"models/{job.description['TrainingJobName']}/output/model.tar.gz"))


# -- script mode ------------------------------------------------------------------------------------------------------


def test_a_script_trains_on_its_channels_and_leaves_a_model(bench: Bench) -> None:
    bench.put("data/train/a.csv", "1,2\n")
    script = BASE + (
        "import argparse, helper\nparser = argparse.ArgumentParser()\nparser.add_argument('--epochs', type=int)\n"
        "epochs = parser.parse_args().epochs\n"
        "rows = (Path(os.environ['SM_CHANNEL_TRAIN']) / 'a.csv').read_text()\n"
        "(Path(os.environ['SM_MODEL_DIR']) / 'model.txt').write_text(f'{rows.strip()} {epochs} {helper.NAME}')\n"
        "(Path(os.environ['SM_OUTPUT_DATA_DIR']) / 'plot').write_text('a plot')\n"
        "print(f'loss=0.5;', flush=True); print('loss=0.25;', flush=True)\n"
    )
    job = bench.training(
        {"train.py": script, "helper.py": "NAME = 'helped'\n"},
        {"epochs": "3"},
        InputDataConfig=[channel("train", f"{BUCKET}/data/train")],
    )
    job.arguments["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": "loss", "Regex": "loss=([0-9.]+);"},
        {"Name": "never", "Regex": "never=(.*)"},
    ]
    outcome = run(job)
    assert outcome.status is Status.SUCCEEDED
    assert model(bench, job) == {"model.txt": b"1,2 3 helped"}
    name = job.description["TrainingJobName"]
    assert (
        outcome.properties["ModelArtifacts"]["S3ModelArtifacts"]
        == f"{BUCKET}/models/{name}/output/model.tar.gz"
    )
    assert members(bench.get(f"models/{name}/output/output.tar.gz")) == {"plot": b"a plot"}
    metrics = outcome.properties["FinalMetricDataList"]
    assert [(metric["MetricName"], metric["Value"]) for metric in metrics] == [("loss", 0.25)]
    assert outcome.properties["TrainingTimeInSeconds"] >= 1
    assert outcome.properties["TrainingJobStatus"] == "Completed"
    json.dumps(outcome.properties)


def test_one_content_makes_one_archive(one: Bench) -> None:
    jobs = [one.training({"train.py": SAVE}, name=name) for name in ("one", "two")]
    for job in jobs:
        run(job)
    first, second = (f"models/{job.description['TrainingJobName']}/output/model.tar.gz" for job in jobs)
    assert first != second
    assert one.get(first) == one.get(second)


def test_a_model_may_stay_as_it_is(one: Bench) -> None:
    output = {"S3OutputPath": f"{BUCKET}/models/", "CompressionType": "NONE"}
    job = one.training({"train.py": SAVE}, OutputDataConfig=output)
    outcome = run(job)
    place = f"models/{job.description['TrainingJobName']}/output/model/"
    assert one.keys("models/") == [f"{place}model.txt"]
    assert outcome.properties["ModelArtifacts"]["S3ModelArtifacts"] == f"{BUCKET}/{place}"


def test_a_job_without_a_model_says_so(one: Bench) -> None:
    job = one.training({"train.py": "pass"})
    assert run(job).status is Status.SUCCEEDED
    assert "it left no model" in log(job)
    assert one.keys("models/") == []


def test_a_shell_script_may_train(bench: Bench) -> None:
    files = {"bin/train.sh": 'echo "got $@ in $(basename $PWD)" > "$SM_MODEL_DIR/said"\n'}
    job = bench.training(files, {"name": '"a b"', "x": "1"}, entry="bin/train.sh")
    run(job)
    assert model(bench, job) == {"said": b"got --name a b -x 1 in code\n"}


def test_requirements_are_installed_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = bench.root / "wheels"
    wheel.mkdir()
    package(wheel / "tested-1.0-py3-none-any.whl")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel))
    script = SAVE + "import tested, click; assert tested.ANSWER == 42\n"
    files = {"train.py": script, "requirements.txt": "tested==1.0\n"}
    run(bench.training(files, name="one"))
    (wheel / "tested-1.0-py3-none-any.whl").unlink()
    run(bench.training(files, name="two"))
    message = fails(bench.training({**files, "requirements.txt": "tested==2.0\n"}, name="three"))
    assert message.startswith("AlgorithmError: InstallRequirementsError: cannot install requirements.txt")
    assert "tested==2.0" in message
    assert not [
        path for path in (bench.root / "environments").iterdir() if path.is_dir() and not complete(path)
    ]


def complete(path: Path) -> bool:
    return (path / "sagewright-environment.json").exists()


def package(wheel: Path) -> None:
    """A wheel with one module."""
    import zipfile

    about = "tested-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tested.py", "ANSWER = 42\n")
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tested\nVersion: 1.0\n")
        file.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{about}/RECORD", "")


def test_a_package_is_installed_and_run_as_a_module(bench: Bench) -> None:
    setup = "from setuptools import setup\nsetup(name='mine', py_modules=['train'])\n"
    job = bench.training(
        {"setup.py": setup, "train.py": SAVE + "print('as', __name__)\n"},
        Environment={"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1"},
    )
    run(job)
    assert "as __main__" in log(job)
    assert model(bench, job) == {"model.txt": b"the model"}


def test_code_may_come_by_a_channel(bench: Bench) -> None:
    job = bench.training({"train.py": SAVE}, EnableNetworkIsolation=bench.sandbox.name != "folders")
    uri = json.loads(job.arguments["HyperParameters"]["sagemaker_submit_directory"])
    inside = '"/opt/ml/input/data/code/sourcedir.tar.gz"'
    job.arguments["HyperParameters"]["sagemaker_submit_directory"] = inside
    job.arguments.update(InputDataConfig=[channel("code", uri)])  # type: ignore[attr-defined]
    run(job)
    assert model(bench, job) == {"model.txt": b"the model"}


# -- other containers -------------------------------------------------------------------------------------------------


def container_job(bench: Bench, name: str = "Step", **more: Any) -> Job:
    specification = {"TrainingImage": local_jobs.IMAGE, "TrainingInputMode": "File", **more}
    arguments = {
        "AlgorithmSpecification": specification,
        "HyperParameters": {"depth": "3"},
        "OutputDataConfig": {"S3OutputPath": f"{BUCKET}/models"},
    }
    return bench.job("Training", arguments, name)


READS = (
    "import json, os, sys; base = os.environ.get('SAGEMAKER_BASE_DIR', '/opt/ml');"
    "depth = json.load(open(base + '/input/config/hyperparameters.json'))['depth'];"
    "open(base + '/model/said', 'w').write(' '.join([depth, os.environ['TRAINING_JOB_NAME'], *sys.argv[1:]]))"
)


def test_a_container_of_ones_own_has_a_command(bench: Bench) -> None:
    job = container_job(bench, ContainerEntrypoint=["python", "-c", READS], ContainerArguments=["--fast"])
    run(job)
    said = f"3 {job.description['TrainingJobName']} --fast"
    assert model(bench, job) == {"said": said.encode()}


def test_an_image_may_say_what_it_runs(bench: Bench, tmp_path: Path) -> None:
    assert "nobody here knows what the image" in fails(container_job(bench))
    (tmp_path / "program.py").write_text(READS)
    known = Bench(tmp_path, bench.sandbox, {"mine": {"python": "current", "train": "program.py"}})
    job = container_job(known, "Known")
    run(job)
    assert model(bench, job)["said"].startswith(b"3 pipelines-")


def test_what_it_writes_as_its_failure_is_the_reason(bench: Bench) -> None:
    code = (
        "import os; base = os.environ.get('SAGEMAKER_BASE_DIR', '/opt/ml');"
        "open(base + '/output/failure', 'w').write('bad data' + 'x' * 3000); raise SystemExit(4)"
    )
    message = fails(container_job(bench, ContainerEntrypoint=["python", "-c", code]))
    assert message.startswith("AlgorithmError: bad dataxxx")
    assert message.endswith("x, exit code: 4")
    assert len(message) <= 1024


# -- channels, checkpoints --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (channel("train", f"{BUCKET}/none"), "the channel `train`: there is nothing at s3://bucket/none"),
        (channel("train", f"{BUCKET}/data", InputMode="Pipe"), "the channel `train` is streamed (Pipe)"),
        (
            {"ChannelName": "train", "DataSource": {"FileSystemDataSource": {}}},
            "the channel `train` is a file system of AWS's",
        ),
    ],
)
def test_channels_that_cannot_be_had_fail_by_name(one: Bench, entry: dict[str, Any], message: str) -> None:
    one.put("data/a", "a")
    assert message in fails(one.training({"train.py": "pass"}, InputDataConfig=[entry]))


def test_what_has_no_effect_is_told(one: Bench) -> None:
    one.put("data/a", "a")
    job = one.training(
        {"train.py": SAVE},
        {"sagemaker_mpi_enabled": "true"},
        InputDataConfig=[channel("train", f"{BUCKET}/data", InputMode="FastFile")],
        EnableManagedSpotTraining=True,
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2, "KeepAlivePeriodInSeconds": 60},
    )
    run(job)
    for said in (
        "FastFile",
        "EnableManagedSpotTraining",
        "2 instances",
        "warm pool",
        "sagemaker_mpi_enabled",
    ):
        assert said in log(job), said


def test_checkpoints_go_on_from_where_they_were(bench: Bench) -> None:
    script = BASE + (
        "path = ML / 'checkpoints/epoch'\nepoch = int(path.read_text()) if path.exists() else 0\n"
        "path.write_text(str(epoch + 1)); sys.exit(epoch == 0)\n"
    )
    config = {"S3Uri": f"{BUCKET}/checkpoints"}
    fails(bench.training({"train.py": script}, name="one", CheckpointConfig=config))
    assert bench.get("checkpoints/epoch") == b"1"
    run(bench.training({"train.py": script}, name="two", CheckpointConfig=config))
    assert bench.get("checkpoints/epoch") == b"2"


# -- how it ends ------------------------------------------------------------------------------------------------------


def test_a_script_that_fails_is_told_in_the_toolkits_words(bench: Bench) -> None:
    job = bench.training({"train.py": "import sys; sys.exit('no such column')"}, {"n": "1"})
    assert fails(job) == (
        'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "no such column"\n'
        'Command "python -- train.py -n 1", exit code: 1'
    )
    assert bench.keys("models/") == []


def test_a_script_out_of_memory_is_told(one: Bench) -> None:
    job = one.training({"train.py": "import os; os.kill(os.getpid(), 9)"})
    message = fails(job)
    assert "OutOfMemory: Process killed by SIGKILL" in message
    assert "killed by SIGKILL, as when memory runs out" in log(job)


def test_a_job_that_takes_too_long_is_ended(one: Bench) -> None:
    job = one.training(
        {"train.py": "import time; time.sleep(600)"}, StoppingCondition={"MaxRuntimeInSeconds": 1}
    )
    with pytest.raises(JobFailed, match="longer than the 1 s") as caught:
        run(job)
    assert caught.value.error == "timeout"


@pytest.mark.parametrize(
    ("entry", "files", "message"),
    [
        ("other.py", {"train.py": ""}, "there is no other.py in s3://"),
        ("../train.py", {"train.py": ""}, "is no path within the code"),
        ("-c", {"train.py": ""}, "is no path within the code"),
    ],
)
def test_code_that_is_not_there_is_told(one: Bench, entry: str, files: dict[str, str], message: str) -> None:
    assert message in fails(one.training(files, entry=entry))


def test_code_that_is_no_archive_is_told(one: Bench) -> None:
    job = one.training({"train.py": ""})
    one.put("code/Step/sourcedir.tar.gz", "no archive")
    assert "is no archive of code" in fails(job)
    one.put("code/Step/sourcedir.tar.gz", b"")
    (one.root / "s3/bucket/code/Step/sourcedir.tar.gz").unlink()
    again = one.job("Training", job.arguments, "Again")
    assert "the code cannot be fetched: there is no object" in fails(again)


def test_a_wrong_metric_is_told_by_name(one: Bench) -> None:
    job = one.training({"train.py": "pass"})
    job.arguments["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=("}]
    assert "the regular expression of the metric `loss` is wrong" in fails(job)


# -- XGBoost without code ---------------------------------------------------------------------------------------------

XGBOOST = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"


def xgboost_job(bench: Bench, name: str = "Step", content: str = "text/csv", **hyperparameters: str) -> Job:
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "HyperParameters": hyperparameters,
        "InputDataConfig": [
            channel("train", f"{BUCKET}/train", ContentType=content),
            channel("validation", f"{BUCKET}/validation", ContentType=content),
        ],
        "OutputDataConfig": {"S3OutputPath": f"{BUCKET}/models"},
    }
    return bench.job("Training", arguments, name)


@pytest.fixture
def boosted(tmp_path: Path) -> Bench:
    """A machine whose XGBoost is that of PyPI, if it has been fetched before: 300 MB are too many for a test."""
    found = made_before()
    if found is None:
        pytest.skip("no environment with XGBoost has been made on this machine")
    return Bench(tmp_path, local_jobs.sandbox("folders"), {"xgboost": {"python": str(found)}})


def made_before() -> Path | None:
    from sagewright.compiler.local.environments import default_cache
    from sagewright.compiler.local.installing import ask

    pythons = [Path(local_jobs.PYTHON), *sorted(default_cache().glob("*/bin/python"))]
    return next((python for python in pythons if "xgboost" in ask(python).installed()), None)


def lines(count: int, text: bool) -> str:
    numbers = random.Random(1)
    rows = [[numbers.random() for _ in range(3)] for _ in range(count)]
    made = io.StringIO()
    for row in rows:
        label = round(2 * row[0] - row[1], 6)
        if text:
            made.write(f"{label} " + " ".join(f"{i}:{value}" for i, value in enumerate(row)) + "\n")
        else:
            csv.writer(made).writerow([label, *row])
    return made.getvalue()


def boost(bench: Bench, text: bool, name: str, content: str) -> Outcome:
    for channel_name, count in (("train", 200), ("validation", 50)):
        bench.put(f"{channel_name}/part.csv", lines(count, text))
    job = xgboost_job(
        bench, name, content, num_round="20", objective="reg:squarederror", eval_metric="rmse,mae"
    )
    outcome = run(job)
    assert list(model(bench, job)) == ["xgboost-model"]
    return outcome


def test_xgboost_trains_without_code(boosted: Bench) -> None:
    found = {}
    for text, content in ((False, "text/csv"), (True, "text/libsvm")):
        outcome = boost(boosted, text, content.partition("/")[2], content)
        metrics = {
            metric["MetricName"]: metric["Value"] for metric in outcome.properties["FinalMetricDataList"]
        }
        assert set(metrics) == {"train:rmse", "train:mae", "validation:rmse", "validation:mae"}
        assert metrics["validation:rmse"] < 0.2
        found[content] = metrics["validation:rmse"]
    assert found["text/csv"] == pytest.approx(found["text/libsvm"], abs=0.02)


@pytest.mark.parametrize(
    ("given", "content", "train", "message"),
    [
        ({}, "text/csv", "1,2\n", "the hyperparameter `num_round` is required"),
        ({"num_round": "x"}, "text/csv", "1,2\n", "the hyperparameter `num_round` is no integer"),
        ({"num_round": "1"}, "application/x-parquet", "1,2\n", "here only text/csv and text/libsvm are read"),
        ({"num_round": "1", "_kfold": "3"}, "text/csv", "1,2\n", "cross-validation"),
        ({"num_round": "1"}, "text/csv", "label,a\n1,2\n", "is there a header?"),
        ({"num_round": "1"}, "text/csv", "1\n2\n", "have no features"),
    ],
)
def test_xgboost_tells_what_is_wrong(
    boosted: Bench, given: dict[str, str], content: str, train: str, message: str
) -> None:
    boosted.put("train/a.csv", train)
    boosted.put("validation/a.csv", train)
    found = fails(xgboost_job(boosted, "Step", content, **given))
    assert message in found
    assert found.startswith("AlgorithmError: ")


def test_an_unknown_image_says_what_to_write(tmp_path: Path) -> None:
    bench = Bench(tmp_path, local_jobs.sandbox("folders"), {"mien:1": {}})
    message = fails(bench.training({"train.py": "pass"}))
    assert "nothing stands for the image `mine:1` here (`local: images:` has `mien:1`)" in message
    assert '"mine:1": {python: "3.11", requirements: [...]}' in message
