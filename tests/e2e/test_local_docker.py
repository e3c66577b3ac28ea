"""What Docker is asked to run, by a stand-in for its client: no daemon is needed, and none is asked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sagewright.compiler.local.docker import Docker
from sagewright.compiler.local.environments import ImageEnvironments
from tests.local_jobs import IMAGE, PYTHON, Bench, fails, log, members, output, outputs, run

CLIENT = """#!{python}
import json, os, pathlib, sys
words = sys.argv[1:]
here = pathlib.Path(__file__).parent
with open(here / "asked", "a") as file:
    file.write(json.dumps(words) + "\\n")
volumes = [words[i + 1].split(":") for i, word in enumerate(words) if word == "--volume"]
ml = next((pathlib.Path(source) for source, target, *_ in volumes if target == "/opt/ml"), None)
exec((here / "does").read_text())
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    client = tmp_path / "docker"
    client.write_text(CLIENT.format(python=PYTHON))
    client.chmod(0o755)
    (tmp_path / "does").write_text("pass")
    return Bench(tmp_path, Docker(str(client)), {})


def does(bench: Bench, code: str) -> None:
    (bench.root / "does").write_text(code)


def asked(bench: Bench) -> list[list[str]]:
    return [json.loads(line) for line in (bench.root / "asked").read_text().splitlines()]


@pytest.fixture(autouse=True)
def _images(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Docker the image is itself."""
    monkeypatch.setattr("tests.local_jobs.Environments", lambda *_: ImageEnvironments())


def test_a_processing_job_runs_its_image(bench: Bench) -> None:
    does(bench, "(ml / 'processing/output/a/file').write_text('made')")
    job = bench.processing("pass", Environment={"A": "b c"}, ProcessingOutputConfig=outputs(output("a")))
    job.arguments["AppSpecification"]["ContainerArguments"] = ["--n", "3"]
    run(job)
    assert bench.get("out/a/file") == b"made"
    (words,) = asked(bench)
    assert words[:3] == ["run", "--rm", "--init"]
    script = "/opt/ml/processing/input/code/script.py"
    assert words[-6:] == ["--entrypoint", "python3", IMAGE, script, "--n", "3"]
    assert f"{job.folder / 'ml'}:/opt/ml" in words
    assert "A=b c" in words
    assert words[words.index("--network") + 1] == "host"


def test_a_training_job_is_told_where_its_code_is(bench: Bench) -> None:
    told = "json.load(open(ml / 'input/config/hyperparameters.json'))['sagemaker_submit_directory']"
    does(bench, f"assert {told} == '\"/opt/ml/input/sourcedir.tar.gz\"'\n(ml / 'model/m').write_text('made')")
    job = bench.training({"train.py": "pass"}, EnableNetworkIsolation=True)
    run(job)
    (words,) = asked(bench)
    assert words[-2:] == [IMAGE, "train"]
    assert "--entrypoint" not in words
    assert words[words.index("--network") + 1] == "none"
    assert list(members((job.folder / "ml/input/sourcedir.tar.gz").read_bytes())) == ["train.py"]
    assert bench.keys("models/")


def test_its_exit_code_is_the_jobs(bench: Bench) -> None:
    does(bench, "print('no such column'); sys.exit(3)")
    assert fails(bench.processing("pass")) == "AlgorithmError: no such column, exit code: 3"
    does(bench, "sys.exit(137)")
    killed = bench.processing("pass", "Killed")
    assert fails(killed).endswith("exit code: 137")
    assert "killed by SIGKILL" in log(killed)


def test_a_daemon_that_is_not_there_is_told(bench: Bench) -> None:
    does(bench, "print('docker: Cannot connect to the Docker daemon'); sys.exit(125)")
    assert "Docker could not run the image: docker: Cannot connect" in fails(bench.processing("pass"))


def test_a_container_is_stopped_by_its_name(bench: Bench) -> None:
    does(
        bench,
        "import time\nif words[0] == 'stop':\n    os.kill(int((here / 'pid').read_text()), 15)\n"
        "else:\n    (here / 'pid').write_text(str(os.getpid()))\n    time.sleep(600)",
    )
    job = bench.processing("pass", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert "longer than the 1 s" in fails(job)
    started, stopped = asked(bench)
    assert stopped == ["stop", "--time", "5", started[started.index("--name") + 1]]
    with pytest.raises(ProcessLookupError):
        os.kill(int((bench.root / "pid").read_text()), 0)
