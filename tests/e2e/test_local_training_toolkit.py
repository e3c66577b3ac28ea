"""A training script sees here what AWS's own `sagemaker-training` shows it: each job is run by both, and all that the
script can see is compared.

What may differ: `PYTHONPATH` (the toolkit's own packages follow `/opt/ml/code` there), the paths of the interpreter,
and where the code was fetched from (an archive in S3 here, the same archive in a channel there, since the toolkit
would ask AWS).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.local import contract, isolation, training
from sagewright.compiler.local.job import Job
from sagewright.compiler.local.sandbox import Container, Mount
from sagewright.compiler.local.store import fetch
from tests import local_jobs
from tests.local_jobs import BUCKET, Bench, channel, fails, log, run

TOOLKIT = Path(__file__).parents[2] / ".venv-toolkit"
WITHIN = "/opt/ml/input/data/code/sourcedir.tar.gz"
INTERPRETER = {"PATH", "PYTHONPATH", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
"""Variables of the interpreter and the shell, which differ."""

SEES = """
import json, os, sys
files = {}
for folder, below, names in os.walk("/opt/ml"):
    below[:] = [name for name in below if name != "__pycache__"]
    for name in names:
        path = os.path.join(folder, name)
        config = path.startswith("/opt/ml/input/config/")
        files[path] = json.load(open(path)) if config else os.path.getsize(path)
path = os.environ.get("PYTHONPATH", "").split(":")[0]
seen = {"argv": sys.argv, "cwd": os.getcwd(), "environment": dict(os.environ), "files": files, "path": path}
with open("/opt/ml/model/seen.json", "w") as file:
    json.dump(seen, file)
print("loss=1;")
"""
SHELL = 'python3 - "$0" "$@" <<\'END\'\n' + SEES + "\nEND\n"

HYPERPARAMETERS: dict[str, dict[str, str]] = {
    "none": {},
    "numbers": {"epochs": "3", "rate": "0.1", "big": "1e3", "version": "1.10", "padded": "0012345"},
    "quoted": {"version": '"1.10"', "name": '"abc"', "empty": '""', "spaced": '" a b "'},
    "plain texts": {"name": "abc", "objective": "reg:squarederror", "broken": '{"a":', "path": "s3://b/k"},
    "flags": {"yes": "true", "no": "false", "nothing": "null", "capital": "True"},
    "structures": {"layers": "[1, 2]", "options": '{"b": 2, "a": [1, null]}', "nested": '{"x": {"y": "z"}}'},
    "letters": {"x": "1", "-dash": "2", "with-dash": "3", "with.dot": "4", "Ü": '"ü"', "UPPER": "5"},
    "the toolkit's own": {
        "sagemaker_container_log_level": "30",
        "sagemaker_region": '"eu-west-1"',
        "sagemaker_job_name": '"mine"',
        "sagemaker_enable_cloudwatch_metrics": "false",
        "_tuning_objective_metric": "loss",
    },
    "a framework's": {"sagemaker_instance_type": "ml.m5.large", "sagemaker_parameter_server_enabled": "true"},
    "torch": {"sagemaker_torch_distributed_enabled": "true", "sagemaker_instance_type": '"ml.g5.xlarge"'},
    "groups": {
        "sagemaker_distribution_instance_groups": '["homogeneousCluster"]',
        "sagemaker_pytorch_ddp_enabled": "true",
    },
}
MORE: dict[str, dict[str, Any]] = {
    "environment": {"Environment": {"COLOR": "red", "SM_MODEL_DIR": "/elsewhere", "SM_MINE": "1"}},
    "a module": {"Environment": {"SAGEMAKER_PROGRAM": "train.py"}},
    "channels": {
        "InputDataConfig": [
            channel("train", f"{BUCKET}/data", ContentType="text/csv"),
            channel("a-b", f"{BUCKET}/data", RecordWrapperType="None"),
        ]
    },
    "an instance group": {
        "ResourceConfig": {
            "InstanceGroups": [
                {"InstanceGroupName": "one", "InstanceType": "ml.c5.xlarge", "InstanceCount": 1}
            ]
        }
    },
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    if not (TOOLKIT / "bin" / "train").exists():
        pytest.skip("sagemaker-training is not installed: `make toolkit` does it, where a C compiler is")
    best = isolation.choose()
    if best.name == "folders":
        pytest.skip("this machine has no sandbox in which a toolkit could find /opt/ml")
    made = Bench(tmp_path, best, {"*": {}})
    made.put("data/a.csv", "1,2\n")
    return made


def both(
    bench: Bench, files: Mapping[str, str], entry: str = "train.py", fail: bool = False, **more: Any
) -> None:
    """Run a job by our runner and by the toolkit, and compare what its script saw."""
    job = bench.training(files, entry=entry, **more)
    reason = fails(job) if fail else run(job) and ""
    ours = json.loads((job.folder / "ml/model/seen.json").read_text())
    theirs, code = by_toolkit(bench, job)
    assert code == (1 if fail else 0), (bench.root / "toolkit" / "log").read_text()
    assert comparable(ours) == comparable(theirs)
    if fail:
        failure = (bench.root / "toolkit/ml/output/failure").read_text()
        assert words(reason.removeprefix("AlgorithmError: ").removesuffix(", exit code: 1")) == words(failure)
    assert (job.folder / "ml/output/success").exists() is not fail
    assert (bench.root / "toolkit/ml/output/success").exists() is not fail


def by_toolkit(bench: Bench, job: Job) -> tuple[dict[str, Any], int | None]:
    """The same job, by AWS's program in place of our runner."""
    folder = bench.root / "toolkit"
    folder.mkdir()
    place = contract.Place(replace(job, folder=folder))
    training._configuration(place.job, place, local_jobs.IMAGE)
    (folder / "ml/code").rmdir()
    for entry in job.arguments.get("InputDataConfig") or ():
        uri = entry["DataSource"]["S3DataSource"]["S3Uri"]
        target = place.folder(f"/opt/ml/input/data/{entry['ChannelName']}")
        fetch(bench.store, uri, target)
    archive = folder / "sourcedir.tar.gz"
    archive.write_bytes(bench.get("code/Step/sourcedir.tar.gz"))
    path = folder / "ml/input/config/hyperparameters.json"
    given = json.loads(path.read_text()) | {"sagemaker_submit_directory": '"/code.tar.gz"'}
    path.write_text(json.dumps(given))
    named = {
        "TRAINING_JOB_NAME": job.description["TrainingJobName"],
        "TRAINING_JOB_ARN": job.description["TrainingJobArn"],
        "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-2",
        **(job.arguments.get("Environment") or {}),
    }
    mounts = (*place.mounts.values(), Mount(archive, "/code.tar.gz", writable=False))
    made = Container(("train",), TOOLKIT / "bin/python", named, mounts)
    code = bench.sandbox.start(made, folder / "log").wait(120)
    return json.loads((folder / "ml/model/seen.json").read_text()), code


def comparable(seen: dict[str, Any]) -> Any:
    """Without what may differ."""
    text = json.dumps(seen)
    for source in ("/code.tar.gz", f"{BUCKET}/code/Step/sourcedir.tar.gz"):
        text = text.replace(source, WITHIN)
    made = json.loads(text)
    environment = made["environment"]
    made["environment"] = {
        name: value
        for name, value in environment.items()
        if name not in INTERPRETER and not name.startswith(("PIP_", "UV_")) and name not in PROXIES
    }
    made["environment"].pop("AWS_DEFAULT_REGION", None)
    return made


PROXIES = {
    name
    for plain in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir",
                  "requests_ca_bundle", "curl_ca_bundle")
    for name in (plain, plain.upper())
}  # fmt: skip


def words(failure: str) -> list[str]:
    """A failure without the path of the interpreter, and without the stack that only the script's output has."""
    lines = failure.replace(f"{TOOLKIT}/bin/", "").splitlines()
    return [line for line in lines if line.startswith(("ExecuteUserScriptError", "ExitCode", "Command"))]


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_hyperparameters(bench: Bench, name: str) -> None:
    both(bench, {"train.py": SEES}, hyperparameters=HYPERPARAMETERS[name])


@pytest.mark.parametrize("name", MORE)
def test_other_jobs(bench: Bench, name: str) -> None:
    both(bench, {"train.py": SEES}, hyperparameters={"epochs": "3"}, **MORE[name])


def test_code_in_a_folder(bench: Bench) -> None:
    both(bench, {"src/train.py": SEES, "src/helper.py": "", "data.txt": "x"}, entry="src/train.py")


def test_a_shell_script(bench: Bench) -> None:
    both(
        bench,
        {"train.sh": SHELL},
        entry="train.sh",
        hyperparameters={"name": '"a b"', "quote": '"\'"', "x": "$HOME"},
    )


@pytest.mark.parametrize("end", ["raise SystemExit('no such column')", "raise SystemExit(3)", "1/0"])
def test_failures(bench: Bench, end: str) -> None:
    both(bench, {"train.py": f"{SEES}\n{end}\n"}, fail=True, hyperparameters={"epochs": "3"})


def test_the_comparison_sees_a_difference(bench: Bench) -> None:
    """The test itself can fail."""
    job = bench.training({"train.py": SEES}, {"epochs": "3"})
    run(job)
    ours = json.loads((job.folder / "ml/model/seen.json").read_text())
    other = json.loads(json.dumps(ours))
    other["environment"]["SM_HP_EPOCHS"] = "4"
    assert comparable(ours) != comparable(other)
    assert "loss=1;" in log(job)
