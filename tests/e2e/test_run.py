"""`sagewright run` and `runs`, as a user has them: a process each, a project in a folder, real scripts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SAGEWRIGHT = (sys.executable, "-m", "sagewright.compiler")
PROJECT = """\
version: 1
region: us-west-2
bucket: acme
role: arn:aws:iam::123456789012:role/SageMakerRole
local:
  images: {"*": {python: current}}
  data: {"s3://acme/words/": data}
"""
PIPELINE = """\
name: words
parameters: {Minimum: 2, Pause: 0}
defaults:
  image: sklearn:1.2-1
  kinds: {processing: {instance: ml.m5.large}, training: {instance: ml.m5.large}}
steps:
  Split:
    kind: processing
    code: split.py
    inputs: {raw: s3://acme/words/}
    outputs: {words: {}}
  Count:
    kind: processing
    code: count.py
    arguments: {pause: "${parameters.Pause}"}
    inputs: {words: "${steps.Split.outputs.words}"}
    outputs: {report: {}}
    reports: {report: {output: report, file: report.json}}
  Train:
    kind: training
    code: train.py
    hyperparameters: {power: 3}
    inputs: {words: "${steps.Split.outputs.words}"}
    metrics: {length: "length=([0-9]+)"}
  Enough:
    kind: condition
    if: steps.Count.reports.report.words >= parameters.Minimum
    then:
      Register:
        kind: register
        group: words
        model_data: ${steps.Train.model_data}
        content_types: [text/csv]
        response_types: [text/csv]
        inference_instances: [ml.m5.large]
    else:
      TooFew: {kind: fail, message: "fewer than ${parameters.Minimum} words"}
"""
SCRIPTS = {
    "split.py": """
from pathlib import Path
base = Path("/opt/ml/processing")
words = [word for path in sorted((base / "input/raw").iterdir()) for word in path.read_text().split()]
(base / "output/words/words.txt").write_text("\\n".join(words))
print(len(words), "words")
""",
    "count.py": """
import json, sys, time
from pathlib import Path
base = Path("/opt/ml/processing")
words = (base / "input/words/words.txt").read_text().split()
print("counting", flush=True)
time.sleep(float(sys.argv[sys.argv.index("--pause") + 1]))
(base / "output/report/report.json").write_text(json.dumps({"words": len(words)}))
""",
    "train.py": """
import argparse, os
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--power", type=int)
power = parser.parse_args().power
words = (Path(os.environ["SM_CHANNEL_WORDS"]) / "words.txt").read_text()
(Path(os.environ["SM_MODEL_DIR"]) / "model.txt").write_text(str(len(words) ** power))
print(f"length={len(words)}")
""",
}


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def steps(self) -> dict[str, Any]:
        return {step["name"]: step for step in self.json["steps"]}

    @property
    def cached(self) -> list[str]:
        return [name for name, step in self.steps.items() if step["cached_from"]]


@dataclass(frozen=True)
class Workshop:
    root: Path

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SAGEWRIGHT"))
        }
        return subprocess.Popen(
            [*SAGEWRIGHT, *arguments],
            cwd=self.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0) -> Ended:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err
        assert process.returncode == code, out + err
        return Ended(process.returncode, out, err)

    def run(self, *arguments: str, code: int = 0) -> Ended:
        return self("run", "pipelines/words", "--format", "json", *arguments, code=code)

    def object(self, uri: str) -> Path:
        return self.root / ".sagewright" / "s3" / uri.removeprefix("s3://")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path)
    made.write("sagewright.yaml", PROJECT)
    made.write("pipelines/words/pipeline.yaml", PIPELINE)
    made.write("data/some.txt", "the quick brown fox")
    for name, text in SCRIPTS.items():
        made.write(f"pipelines/words/{name}", text)
    return made


def test_the_pipelines_own_code_runs(shop: Workshop) -> None:
    ended = shop.run()
    assert ended.json["status"] == "Succeeded"
    assert {name: step["status"] for name, step in ended.steps.items()} == {
        "Split": "Succeeded",
        "Count": "Succeeded",
        "Train": "Succeeded",
        "Enough": "Succeeded",
        "Register": "Succeeded",
        "TooFew": "Skipped",
    }
    usage = ended.steps["Train"]["usage"][0]
    assert 0 < usage["seconds"] < 60
    assert usage["cpu_seconds"] > 0
    assert usage["memory"] > 1 << 20
    number = ended.json["id"]
    assert "4 words" in shop("runs", number, "--log", "Split").out
    assert shop("runs", number[:6], "--format", "json").json["id"] == number
    assert number in shop("runs").out


def test_the_words_on_a_terminal(shop: Workshop) -> None:
    ended = shop("run", "pipelines/words")
    assert "Split: Succeeded" in ended.out
    assert ": Succeeded after" in ended.out.splitlines()[-1]


def test_a_second_run_takes_what_has_not_changed(shop: Workshop) -> None:
    first, second = shop.run(), shop.run()
    assert second.cached == ["Split", "Count", "Train"]
    assert second.steps["Train"]["cached_from"].endswith(first.json["id"])
    assert shop.run("--no-cache").cached == []


def test_one_script_changes_what_depends_on_it_and_no_more(shop: Workshop) -> None:
    shop.run()
    shop.write("pipelines/words/count.py", SCRIPTS["count.py"] + "\nprint('again')\n")
    assert shop.run().cached == ["Split", "Train"]
    shop.write("pipelines/words/split.py", SCRIPTS["split.py"].replace(".split()", ".upper().split()"))
    assert shop.run().cached == []
    shop.write("pipelines/words/split.py", SCRIPTS["split.py"])
    assert shop.run().cached == ["Split", "Count", "Train"], "and back again"


def test_other_code_with_the_same_result_stops_the_change(shop: Workshop) -> None:
    shop.run()
    shop.write("pipelines/words/split.py", SCRIPTS["split.py"] + "\n# nothing\n")
    assert shop.run().cached == ["Count", "Train"]


def test_new_data_is_seen(shop: Workshop) -> None:
    shop.run()
    shop.write("data/more.txt", "jumps over")
    ended = shop.run()
    assert ended.cached == []
    assert "6 words" in shop("runs", ended.json["id"], "--log", "Split").out


def test_a_result_whose_objects_are_gone_or_changed_is_made_again(shop: Workshop) -> None:
    shop.run()
    for path in (shop.root / ".sagewright" / "s3" / "acme").rglob("words.txt"):
        path.write_text("something else")
    assert "Split" not in shop.run().cached


@pytest.mark.parametrize("content", [b"", b"no database at all", b"SQLite format 3\0" + b"x" * 5000])
def test_a_corrupt_cache_is_put_aside(shop: Workshop, content: bytes) -> None:
    shop.run()
    for path in (shop.root / ".sagewright").glob("cache.db*"):
        path.unlink()
    (shop.root / ".sagewright" / "cache.db").write_bytes(content)
    assert shop.run().cached == []
    assert shop.run().cached == ["Split", "Count", "Train"]


def test_the_branch_not_taken(shop: Workshop) -> None:
    ended = shop.run("--param", "Minimum=9", code=1)
    assert ended.json["status"] == "Failed"
    assert ended.steps["TooFew"]["reason"] == "fewer than 9 words"
    assert ended.steps["Register"]["status"] == "Skipped"


def test_a_script_that_fails_is_shown_and_can_be_taken_up_again(shop: Workshop) -> None:
    shop.write("pipelines/words/count.py", "import sys\nprint('no words today')\nsys.exit(3)\n")
    ended = shop("run", "pipelines/words", code=1)
    assert "no words today" in ended.err
    assert "exit code: 3" in ended.out
    assert "--resume" in ended.err
    again = shop("run", "--resume", "last", "--format", "json", code=1)
    assert again.steps["Split"]["attempts"] == 1, "what succeeded is kept"
    assert again.steps["Count"]["status"] == "Failed"


def test_a_run_that_is_interrupted_stops_its_steps_and_goes_on(shop: Workshop) -> None:
    process = shop.start("run", "pipelines/words", "--param", "Pause=60")
    number = wait_for_log(shop, "Count", "counting")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, out + err
    assert f"sagewright run --resume {number}" in err
    assert not running(shop.root / "pipelines"), "no child is left"
    found = shop("runs", number, "--format", "json").json
    assert found["status"] == "Stopped"
    hurry(shop, number)
    ended = shop("run", "--resume", number, "--format", "json")
    assert ended.json["status"] == "Succeeded"
    assert ended.json["id"] == number


def test_a_run_that_is_killed_goes_on(shop: Workshop) -> None:
    process = shop.start("run", "pipelines/words", "--param", "Pause=60")
    number = wait_for_log(shop, "Count", "counting")
    process.kill()
    process.communicate(timeout=30)
    assert "Interrupted" in shop("runs").out
    hurry(shop, number)
    ended = shop("run", "--resume", "last", "--format", "json")
    assert ended.json["status"] == "Succeeded"
    assert ended.steps["Split"]["attempts"] == 1


def test_a_run_is_carried_on_by_one_process_at_a_time(shop: Workshop) -> None:
    process = shop.start("run", "pipelines/words", "--param", "Pause=60")
    number = wait_for_log(shop, "Count", "counting")
    refused = shop("run", "--resume", number, code=1)
    assert "is being executed by another process" in refused.err
    assert "is being executed" in shop("runs", number, "--delete", code=1).err
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    shop("runs", number, "--delete")
    assert number not in shop("runs").out


def test_two_runs_in_one_folder(shop: Workshop) -> None:
    processes = [shop.start("run", "pipelines/words", "--format", "json") for _ in range(3)]
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    assert len({json.loads(out)["id"] for out, _ in ended}) == 3


def test_some_steps_with_the_results_of_another_run(shop: Workshop) -> None:
    first = shop.run()
    ended = shop.run("--steps", "Count", "--from", first.json["id"], "--no-cache")
    assert {name: step["status"] for name, step in ended.steps.items() if step["started"]} == {
        "Count": "Succeeded"
    }
    refused = shop("run", "pipelines/words", "--steps", "Count", code=2)
    assert "have dependencies on ['Split']" in refused.err
    assert "not in the pipeline definition" in shop("run", "pipelines/words", "--steps", "Cuont", code=2).err


def test_what_only_aws_can_do_is_refused_by_name_or_given(shop: Workshop) -> None:
    shop.write(
        "pipelines/words/pipeline.yaml",
        PIPELINE.replace(
            "  Enough:\n",
            "  Etl: {kind: emr, cluster: j-1, jar: a.jar}\n  Enough:\n",
        ),
    )
    refused = shop("run", "pipelines/words", code=1)
    assert "only AWS can run `Etl` (EMR)" in refused.err
    assert not (shop.root / ".sagewright" / "runs").exists(), "nothing was begun"
    ended = shop.run("--set", "Etl.properties.Status.State=COMPLETED")
    assert ended.steps["Etl"]["status"] == "Succeeded"
    shop.write("given.yaml", "steps: {Etl: {fails: algorithm_error}}\n")
    assert shop.run("--stub", "given.yaml", code=1).steps["Etl"]["status"] == "Failed"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--param", "Minimun=3"), 2, "did you mean `Minimum`?"),
        (("--data", "s3://acme/words"), 2, "s3://bucket/key=path"),
        (("--data", "s3://acme/words=nowhere"), 1, "there is no"),
        (("--data", "acme/words=data"), 2, "s3://bucket/key=path, not"),
        (("--from", "abc"), 2, "--steps"),
        (("--steps", "Count", "--from", "nope"), 1, "there is no run `nope`"),
        (("--isolation", "chroot"), 2, "chroot"),
        (("--data", "nonsense"), 2, "s3://bucket/key=path, not `nonsense`"),
        (("--stub", "nowhere.yaml"), 1, "cannot read"),
        (("--resume", "last"), 2, "no pipeline"),
    ],
)
def test_wrong_usage(shop: Workshop, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in shop("run", "pipelines/words", *arguments, code=code).err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nope",), 1, "there is no run `nope`"),
        (("--log", "Train"), 2, "which run?"),
        (("abc", "--keep", "3"), 2, "--keep"),
    ],
)
def test_runs_that_are_not_there(shop: Workshop, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in shop("runs", *arguments, code=code).err


def test_a_step_that_is_not_there_is_suggested(shop: Workshop) -> None:
    number = shop.run().json["id"]
    assert "did you mean `Train`?" in shop("runs", number, "--log", "Trian", code=1).err
    assert "printed nothing" in shop("runs", number, "--log", "TooFew", code=1).err


def test_an_attempt_that_never_was_is_told(shop: Workshop) -> None:
    number = shop.run().json["id"]
    assert (
        "has no attempt 7: it had 1" in shop("runs", number, "--log", "Train", "--attempt", "7", code=1).err
    )


def test_a_run_that_was_killed_before_it_began_goes_on(shop: Workshop) -> None:
    assert "no runs" in shop("runs").err
    number = shop.run().json["id"]
    path = shop.root / ".sagewright/runs" / number / "run.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"state": {}, "status": "Executing"}))
    (found,) = shop("runs", "--format", "json").json
    assert found["status"] == "Interrupted"
    assert found["started"] > 1e9
    assert f"run {number}: Interrupted" in shop("runs", number).out
    path.write_text(json.dumps(data | {"state": {}, "status": "Executing", "given": {}}))
    assert shop("run", "--resume", "last", "--format", "json").json["status"] == "Succeeded"


def test_old_runs_are_deleted(shop: Workshop) -> None:
    kept = [shop.run().json["id"] for _ in range(3)][-1]
    shop("runs", "--keep", "1")
    assert [run["id"] for run in shop("runs", "--format", "json").json] == [kept]


def test_a_run_that_cannot_be_read_is_told(shop: Workshop) -> None:
    number = shop.run().json["id"]
    (shop.root / ".sagewright" / "runs" / number / "run.json").write_text("{")
    assert "cannot be read" in shop("runs", number, code=1).err
    assert shop("runs").out == ""


def test_data_that_is_nowhere(shop: Workshop) -> None:
    (shop.root / "data" / "some.txt").unlink()
    ended = shop("run", "pipelines/words", code=1)
    assert "there is nothing at s3://acme/words/" in ended.out
    assert "--data" in ended.err
    (shop.root / "data").rmdir()
    assert (
        "data, which is to stand for s3://acme/words/, is not there"
        in shop("run", "pipelines/words", code=1).err
    )
    shop.write("elsewhere/some.txt", "a b c")
    ended = shop("run", "--resume", "last", "--data", "s3://acme/words/=elsewhere", "--format", "json")
    assert ended.json["status"] == "Succeeded"


def test_data_of_the_project_is_never_written(shop: Workshop) -> None:
    shop.write(
        "pipelines/words/pipeline.yaml",
        PIPELINE.replace("outputs: {words: {}}", "outputs: {words: {destination: s3://acme/words/here}}"),
    )
    assert "which a run does not write" in shop("run", "pipelines/words", code=1).out
    assert [path.name for path in (shop.root / "data").rglob("*")] == ["some.txt"]


def wait_for_log(shop: Workshop, step: str, text: str) -> str:
    """The id of the run whose step has printed a text."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for log in (shop.root / ".sagewright" / "runs").glob(f"*/steps/{step}/*/log"):
            if text in log.read_text():
                return log.parents[3].name
        time.sleep(0.05)
    raise AssertionError(f"{step} never printed {text}")


def running(folder: Path) -> list[str]:
    """The processes that run something of a folder."""
    found: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "count.py" in command and str(folder.parent) in command:
            found.append(command)
    return found


def hurry(shop: Workshop, number: str) -> None:
    """Have a run that pauses for a minute go on without."""
    path = shop.root / ".sagewright" / "runs" / number / "run.json"
    text = path.read_text()
    assert '"Pause":60' in text
    path.write_text(text.replace('"Pause":60', '"Pause":0').replace('"60"', '"0"'))
