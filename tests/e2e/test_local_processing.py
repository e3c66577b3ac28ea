"""Processing jobs on this machine, in every sandbox that works here."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import pytest

from sagewright.compiler.engine.state import Status
from sagewright.compiler.local.job import JobFailed, Stopped
from tests import local_jobs
from tests.local_jobs import BUCKET, Bench, fails, in_background, log, output, outputs, run, source

BASE = "import json, os, sys\nfrom pathlib import Path\nML = Path(os.environ.get('SAGEMAKER_BASE_DIR', '/opt/ml'))\n"
COPY = BASE + (
    "for path in sorted((ML / 'processing/input/raw').rglob('*')):\n"
    "    if path.is_file():\n"
    "        into = ML / 'processing/output/copy' / path.relative_to(ML / 'processing/input/raw')\n"
    "        into.parent.mkdir(parents=True, exist_ok=True)\n"
    "        into.write_bytes(path.read_bytes().upper())\n"
)


@pytest.fixture(params=["bubblewrap", "unshare", "folders"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(tmp_path, local_jobs.sandbox(request.param), {"*": {}})


@pytest.fixture
def one(tmp_path: Path) -> Bench:
    """The sandbox that works everywhere, for what does not depend on it."""
    return Bench(tmp_path, local_jobs.sandbox("folders"), {"*": {}})


def test_inputs_are_copied_and_outputs_uploaded(bench: Bench) -> None:
    bench.put("raw/a.csv", "a")
    bench.put("raw/below/b.csv", "b")
    job = bench.processing(
        COPY,
        ProcessingInputs=[source("raw", f"{BUCKET}/raw")],
        ProcessingOutputConfig=outputs(output("copy")),
    )
    outcome = run(job)
    assert outcome.status is Status.SUCCEEDED
    assert {key: bench.get(key) for key in bench.keys("out/")} == {
        "out/copy/a.csv": b"A",
        "out/copy/below/b.csv": b"B",
    }
    assert outcome.properties["ProcessingJobStatus"] == "Completed"
    assert outcome.properties["ProcessingEndTime"] >= outcome.properties["ProcessingStartTime"]
    assert job.usage.cpu_seconds > 0
    assert job.usage.memory > 1 << 20


def test_the_container_is_told_what_sagemaker_tells_it(bench: Bench) -> None:
    script = BASE + (
        "seen = {name: json.loads((ML / 'config' / f'{name}.json').read_text()) for name in"
        " ('processingjobconfig', 'resourceconfig')}\n"
        "seen['arguments'], seen['color'], seen['region'] = sys.argv[1:], os.environ['COLOR'], os.environ['AWS_REGION']\n"
        "(ML / 'processing/output/seen/seen.json').write_text(json.dumps(seen))\n"
    )
    job = bench.processing(
        script, Environment={"COLOR": "red"}, ProcessingOutputConfig=outputs(output("seen"))
    )
    job.arguments["AppSpecification"]["ContainerArguments"] = ["--n", "3"]
    run(job)
    seen = json.loads(bench.get("out/seen/seen.json"))
    config = seen["processingjobconfig"]
    assert (seen["arguments"], seen["color"], seen["region"]) == (["--n", "3"], "red", "us-west-2")
    assert config["ProcessingJobName"] == job.description["ProcessingJobName"]
    assert config["AppSpecification"] == job.arguments["AppSpecification"]
    assert config["ProcessingOutputConfig"] == job.arguments["ProcessingOutputConfig"]
    assert seen["resourceconfig"]["current_host"] == "algo-1"
    assert seen["resourceconfig"]["hosts"] == ["algo-1"]
    assert seen["resourceconfig"]["current_instance_type"] == "ml.m5.large"


def test_its_host_has_the_name_that_the_configuration_says(tmp_path: Path) -> None:
    bench = Bench(tmp_path, local_jobs.sandbox("bubblewrap"), {"*": {}})
    run(bench.processing("import socket; assert socket.gethostbyname('algo-1') == '127.0.0.1'"))


def test_inputs_may_lie_anywhere_in_the_container(bench: Bench) -> None:
    if bench.sandbox.name == "folders":
        pytest.skip("folders have no mounts")
    bench.put("raw/a.csv", "a")
    job = bench.processing(
        "assert open('/data/in/a.csv').read() == 'a'; open('/data/out/b', 'w').write('b')",
        ProcessingInputs=[source("raw", f"{BUCKET}/raw/a.csv", LocalPath="/data/in")],
        ProcessingOutputConfig=outputs(output("b", LocalPath="/data/out")),
    )
    run(job)
    assert bench.get("out/b/b") == b"b"


def test_a_script_may_install_what_it_needs(bench: Bench) -> None:
    bench.put(
        "raw/setup.py",
        "from setuptools import setup\nsetup(name='sagewright-tested', py_modules=['tested'])\n",
    )
    bench.put("raw/tested.py", "ANSWER = 42\n")
    script = BASE + (
        "import subprocess\n"
        "pip = [sys.executable, '-m', 'pip', 'install', '--no-build-isolation', '--no-deps', '--quiet', '--no-index']\n"
        "subprocess.run([*pip, ML / 'processing/input/raw'], check=True)\n"
        "code = 'import tested, click; print(tested.ANSWER)'\n"
        "assert subprocess.run([sys.executable, '-c', code], capture_output=True, cwd='/').stdout == b'42\\n'\n"
    )
    run(bench.processing(script, ProcessingInputs=[source("raw", f"{BUCKET}/raw")]))
    with pytest.raises(ImportError):
        __import__("tested")


def test_network_isolation_is_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, local_jobs.sandbox("bubblewrap"), {"*": {}})
    script = "import os; print('interfaces', os.listdir('/sys/class/net') and [n for _, n in __import__('socket').if_nameindex()])"
    job = bench.processing(script, NetworkConfig={"EnableNetworkIsolation": True})
    run(job)
    assert "interfaces ['lo']" in log(job)
    assert "network isolation" in log(job)


# -- inputs -----------------------------------------------------------------------------------------------------------


def test_a_manifest_names_the_objects(one: Bench) -> None:
    one.put("raw/a.csv", "a")
    one.put("raw/below/b.csv", "b")
    one.put("raw/c.csv", "c")
    uri = one.put("list.manifest", json.dumps([{"prefix": f"{BUCKET}/raw/"}, "a.csv", "below/b.csv"]))
    entry = source("raw", uri, S3DataType="ManifestFile")
    run(one.processing(COPY, ProcessingInputs=[entry], ProcessingOutputConfig=outputs(output("copy"))))
    assert one.keys("out/") == ["out/copy/a.csv", "out/copy/below/b.csv"]


def test_compressed_inputs_are_unpacked(one: Bench) -> None:
    one.put("raw/a.csv", gzip.compress(b"a"))
    entry = source("raw", f"{BUCKET}/raw", S3CompressionType="Gzip")
    run(one.processing(COPY, ProcessingInputs=[entry], ProcessingOutputConfig=outputs(output("copy"))))
    assert one.get("out/copy/a.csv") == b"A"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            source("raw", f"{BUCKET}/nothing"),
            "ClientError: Data download failed: the input `raw`: there is nothing at",
        ),
        (source("raw", f"{BUCKET}/raw", S3InputMode="Pipe"), "the input `raw` is streamed (Pipe)"),
        (source("raw", f"{BUCKET}/none", S3DataType="ManifestFile"), "the input `raw`: there is no object"),
        (source("raw", f"{BUCKET}/raw/a.csv", S3DataType="ManifestFile"), "is no list of a prefix and names"),
        (source("raw", f"{BUCKET}/raw", S3CompressionType="Gzip"), "a.csv is not compressed with gzip"),
        (
            source("raw", f"{BUCKET}/raw", LocalPath="/opt/ml/../../etc"),
            "is no path for a container's folder",
        ),
        (
            {"InputName": "sql", "DatasetDefinition": {"AthenaDatasetDefinition": {}}},
            "the input `sql` is a dataset, which only AWS reads: give the step's result with --stub",
        ),
    ],
)
def test_inputs_that_cannot_be_had_fail_by_name(one: Bench, entry: dict[str, object], message: str) -> None:
    one.put("raw/a.csv", "a")
    assert message in fails(one.processing("pass", ProcessingInputs=[entry]))


def test_inputs_that_the_container_manages_are_left_to_it(one: Bench) -> None:
    entry = {**source("raw", f"{BUCKET}/nothing"), "AppManaged": True}
    job = one.processing("pass", ProcessingInputs=[entry])
    run(job)
    assert "the input `raw` is left to the container" in log(job)


# -- outputs ----------------------------------------------------------------------------------------------------------


def test_an_empty_output_is_told_and_the_job_succeeds(one: Bench) -> None:
    job = one.processing("pass", ProcessingOutputConfig=outputs(output("train")))
    assert run(job).status is Status.SUCCEEDED
    assert "the output `train` is empty: nothing is in /opt/ml/processing/output/train" in log(job)
    assert one.keys("out/") == []


def test_what_is_uploaded_continuously_is_there_although_the_job_fails(one: Bench) -> None:
    script = BASE + (
        "for name in ('a', 'b'): (ML / 'processing/output' / name / 'file').write_text(name)\nsys.exit(1)\n"
    )
    both = outputs(output("a", S3UploadMode="Continuous"), output("b"))
    fails(one.processing(script, ProcessingOutputConfig=both))
    assert one.keys("out/") == ["out/a/file"]


def test_links_that_lead_out_of_an_output_are_not_followed(one: Bench) -> None:
    script = BASE + "os.symlink('/etc/passwd', ML / 'processing/output/a/link')\n"
    run(one.processing(script, ProcessingOutputConfig=outputs(output("a"))))
    assert one.keys("out/") == []


def test_feature_groups_are_refused_by_name(one: Bench) -> None:
    entry = {
        "OutputName": "features",
        "FeatureStoreOutput": {"FeatureGroupName": "customers"},
        "AppManaged": True,
    }
    message = fails(one.processing("pass", ProcessingOutputConfig=outputs(entry)))
    assert "the output `features` goes to the feature group `customers`" in message


# -- how it ends ------------------------------------------------------------------------------------------------------


def test_a_script_that_fails_is_told_with_its_code_and_its_words(bench: Bench) -> None:
    job = bench.processing("import sys; print('start'); raise ValueError('no such column')")
    assert fails(job) == "AlgorithmError: ValueError: no such column, exit code: 1"
    assert "Traceback" in log(job)


def test_its_own_message_is_the_reason(one: Bench) -> None:
    script = BASE + "(ML / 'output/message').write_text('x' * 2000)\nsys.exit(3)\n"
    message = fails(one.processing(script))
    assert message.startswith("AlgorithmError: xxx")
    assert message.endswith("x, exit code: 3")
    assert len(message) <= 1024


def test_its_message_is_described_when_it_succeeds(one: Bench) -> None:
    outcome = run(one.processing(BASE + "(ML / 'output/message').write_text('all is well')"))
    assert outcome.properties["ExitMessage"] == "all is well"
    message = fails(one.processing(BASE + "(ML / 'output/message').write_bytes(b'\\xff\\xfe')", "Other"))
    assert "not UTF-8" in message


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        (
            "import os; os.kill(os.getpid(), 9)",
            "exit code: 137",
            "killed by SIGKILL, as when memory runs out",
        ),
        ("import os; os.kill(os.getpid(), 11)", "exit code: 139", "killed by SIGSEGV"),
        ("open('/dev/full', 'wb', 0).write(b'x')", "exit code: 1", "the disk is full"),
        ("open('output', 'wb').truncate((1 << 30) + 1)", "exit code: 1", "a file outgrew the job's volume"),
    ],
)
def test_a_violent_end_is_told_in_words(bench: Bench, code: str, message: str, said: str) -> None:
    job = bench.processing(f"import tempfile; __import__('os').chdir(tempfile.gettempdir())\n{code}")
    assert message in fails(job)
    assert said in log(job)


def test_a_job_that_takes_too_long_is_ended(bench: Bench) -> None:
    job = bench.processing("import time; time.sleep(600)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    began = time.monotonic()
    with pytest.raises(JobFailed, match="longer than the 1 s") as caught:
        run(job)
    assert caught.value.error == "timeout"
    assert time.monotonic() - began < 60


def test_a_stopped_job_ends_with_its_processes(bench: Bench) -> None:
    job = bench.processing("import time; print('up', flush=True); time.sleep(600)")
    thread, raised = in_background(lambda: run(job))
    while not (job.log.exists() and "up" in log(job)):
        time.sleep(0.01)
    job.stopping.set()
    thread.join(60)
    assert [type(error) for error in raised] == [Stopped]


def test_a_job_without_a_command_needs_to_know_what_its_image_runs(one: Bench, tmp_path: Path) -> None:
    specification = {"ImageUri": local_jobs.IMAGE, "ContainerArguments": ["--n", "1"]}
    assert "nobody here knows what its image runs" in fails(
        one.processing("pass", AppSpecification=specification)
    )
    (tmp_path / "program.py").write_text("import sys; print('ran', sys.argv[1:])")
    known = Bench(tmp_path, one.sandbox, {"mine:1": {"python": "current", "train": "program.py"}})
    job = known.processing("pass", "Known", AppSpecification=specification)
    run(job)
    assert "ran ['--n', '1']" in log(job)


def test_several_instances_are_not_pretended(one: Bench) -> None:
    job = one.processing("pass")
    job.arguments["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 3
    run(job)
    assert "it asks for 3 instances: here one does it all" in log(job)


def test_two_jobs_at_once_do_not_meet(bench: Bench) -> None:
    script = BASE + (
        "import time\nme = ML / 'processing/output/me/name'\nme.write_text(sys.argv[1]); time.sleep(0.3)\n"
        "assert me.read_text() == sys.argv[1]\n"
    )
    threads = []
    for name in ("one", "two"):
        job = bench.processing(
            script, name, ProcessingOutputConfig=outputs(output("me", S3Uri=f"{BUCKET}/out/{name}"))
        )
        job.arguments["AppSpecification"]["ContainerArguments"] = [name]
        threads.append(in_background(lambda job=job: run(job)))
    for thread, raised in threads:
        thread.join(60)
        assert raised == []
    assert {key: bench.get(key) for key in bench.keys("out/")} == {
        "out/one/name": b"one",
        "out/two/name": b"two",
    }
