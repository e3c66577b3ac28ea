"""`sagewright run` with functions, people, loops, endpoints, and reports that are not what they should be."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_run import Workshop
from tests.hosting import TIMES

PROJECT = """\
version: 1
region: us-west-2
bucket: acme
role: arn:aws:iam::123456789012:role/SageMakerRole
local:
  images: {"*": {python: current}}
"""
HEAD = """\
name: kinds
defaults:
  image: sklearn:1.2-1
  kinds: {processing: {instance: ml.m5.large}, training: {instance: ml.m5.large}}
"""
GATED = """
parameters: {Limit: 5}
steps:
  Evaluate:
    kind: processing
    code: evaluate.py
    outputs: {report: {}}
    reports: {report: {output: report, file: deep/report.json}}
  Enough:
    kind: condition
    if: steps.Evaluate.reports.report.metrics.score >= parameters.Limit
    then:
      Good: {kind: processing, code: evaluate.py}
    else:
      Bad: {kind: fail, message: "less than ${parameters.Limit}"}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    made.write("sagewright.yaml", PROJECT)
    yield made
    if (tmp_path / ".sagewright" / "endpoints").exists():
        made("endpoints", "--all", "--yes")


def write(shop: Workshop, pipeline: str, **files: str) -> None:
    shop.write("pipelines/words/pipeline.yaml", HEAD + pipeline)
    for name, text in files.items():
        shop.write(f"pipelines/words/{name}.py", text)


def evaluate(content: str, path: str = "deep/report.json") -> str:
    """A script that writes a report."""
    return f"""
from pathlib import Path
report = Path("/opt/ml/processing/output/report")
if report.exists():
    (report / {path!r}).parent.mkdir(parents=True, exist_ok=True)
    (report / {path!r}).write_text({content!r})
"""


@pytest.mark.parametrize(
    ("script", "failed", "said"),
    [
        (evaluate('{"metrics": {"score": 5}}'), None, ""),
        (evaluate('{"metrics": {"score": 4.5}}'), "Bad", "less than 5"),
        (evaluate('{"metrics": {"score": '), "Enough", "report.json is no JSON"),
        (evaluate(""), "Enough", "report.json is no JSON"),
        (evaluate('{"metrics": {}}'), "Enough", "Invalid json path 'metrics.score'"),
        (evaluate('{"metrics": [1]}'), "Enough", "Invalid json path 'metrics.score'"),
        (evaluate('{"metrics": {"score": null}}'), "Enough", "Json path 'metrics.score' is null"),
        (evaluate("{}", "report.json"), "Enough", "deep/report.json"),
    ],
    ids=["good", "low", "half", "empty", "without-the-path", "a-list", "null", "elsewhere"],
)
def test_reports_that_a_condition_reads(shop: Workshop, script: str, failed: str | None, said: str) -> None:
    write(shop, GATED, evaluate=script)
    ended = shop.run(code=1 if failed else 0)
    assert ended.steps["Evaluate"]["status"] == "Succeeded"
    assert [name for name, step in ended.steps.items() if step["status"] == "Failed"] == [failed] * bool(
        failed
    )
    assert ended.steps["Good"]["status"] == ("Skipped" if failed else "Succeeded")
    if failed:
        assert said in ended.steps[failed]["reason"]


def test_a_function_of_the_pipeline_runs(shop: Workshop) -> None:
    code = (
        "def handler(event, context):\n"
        "    print('counting', event['word'])\n"
        "    return {'letters': len(event['word']) * event['times']}\n"
    )
    pipeline = """
parameters: {Word: fox}
steps:
  Count:
    kind: lambda
    code: count.py
    handler: count.handler
    runtime: python3.12
    arguments: {word: "${parameters.Word}", times: 2}
    outputs: {letters: Integer}
  Long:
    kind: condition
    if: steps.Count.outputs.letters > 6
    then:
      TooLong: {kind: fail, message: "${steps.Count.outputs.letters} letters"}
"""
    write(shop, pipeline, count=code)
    ended = shop.run()
    assert ended.steps["TooLong"]["status"] == "Skipped"
    assert "counting fox" in shop("runs", ended.json["id"], "--log", "Count").out
    assert shop.run("--param", "Word=wolf", code=1).steps["TooLong"]["reason"] == "8 letters"
    write(shop, pipeline, count=code.replace("'letters'", "'words'"))
    assert "letters" in shop.run(code=1).steps["Count"]["reason"]


REVIEWED = """
steps:
  Review:
    kind: callback
    queue: https://sqs.us-west-2.amazonaws.com/123456789012/review
    arguments: {what: the model}
    outputs: {score: Integer}
  Good:
    kind: condition
    if: steps.Review.outputs.score >= 3
    then: {}
    else:
      Bad: {kind: fail, message: "a score of ${steps.Review.outputs.score}"}
"""


@pytest.mark.parametrize(
    ("answer", "failed", "said"),
    [
        (("--success", "score=4"), None, ""),
        (("--success", "score=2"), "Bad", "a score of 2"),
        (("--failure", "nobody is here"), "Review", "nobody is here"),
    ],
)
def test_somebody_answers_a_callback(
    shop: Workshop, answer: tuple[str, ...], failed: str | None, said: str
) -> None:
    write(shop, REVIEWED)
    process = shop.start("run", "pipelines/words", "--format", "json")
    try:
        wait_for_callback(shop, process)
        refused = shop("callback", "Review", "--success", "scor=4", code=2)
        assert "did you mean `score`?" in refused.err
        shop("callback", "Review", *answer)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == (1 if failed else 0), err
    steps = {step["name"]: step for step in json.loads(out)["steps"]}
    assert [name for name, step in steps.items() if step["status"] == "Failed"] == [failed] * bool(failed)
    assert said in (steps[failed]["reason"] if failed else "")
    assert shop("callback", "--format", "json").json == []


def test_a_stop_waits_for_the_answer_and_says_so(shop: Workshop) -> None:
    write(shop, REVIEWED)
    process = shop.start("run", "pipelines/words")
    try:
        wait_for_callback(shop, process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert any("as SageMaker does, for `Review`" in line for line in process.stderr)
        shop("callback", "Review", "--success", "score=4")
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130


def wait_for_callback(shop: Workshop, process: subprocess.Popen[str]) -> None:
    while not shop("callback", "--format", "json").json:
        assert process.poll() is None, process.communicate()


def test_a_body_runs_for_each_item(shop: Workshop) -> None:
    pipeline = """
parameters: {Countries: '["eu", "us"]'}
steps:
  Each:
    kind: foreach
    items: ${parameters.Countries}
    max_concurrency: 2
    body:
      Score:
        kind: lambda
        code: score.py
        handler: score.handler
        runtime: python3.12
        arguments: {country: "${item}"}
        outputs: {auc: Float}
    select: {max_by: "${steps.Score.outputs.auc}"}
  Tell:
    kind: fail
    message: best ${steps.Each.selected.outputs.auc}
"""
    code = "def handler(event, context):\n    return {'auc': {'eu': 0.5, 'us': 0.75, 'ap': 0.25}[event['country']]}\n"
    write(shop, pipeline, score=code)
    ended = shop.run(code=1)
    assert {name: step["status"] for name, step in ended.steps.items()} == {
        "Each": "Succeeded",
        "Score-0": "Succeeded",
        "Score-1": "Succeeded",
        "Tell": "Failed",
    }
    assert ended.steps["Tell"]["reason"] == "best 0.75"
    other = shop.run("--param", 'Countries=["ap", "xx"]', code=1)
    assert other.steps["Score-1"]["status"] == other.steps["Each"]["status"] == "Failed"
    assert "KeyError" in other.steps["Score-1"]["reason"]
    assert other.steps["Tell"]["status"] == "Skipped"
    assert "no JSON list" in shop.run("--param", "Countries=eu", code=1).steps["Each"]["reason"]


def test_what_a_run_deploys_answers(shop: Workshop) -> None:
    train = """
import os
from pathlib import Path
(Path(os.environ["SM_MODEL_DIR"]) / "factor").write_text("3")
"""
    pipeline = """
steps:
  Train: {kind: training, code: train.py}
  Deploy:
    kind: deploy
    endpoint: times
    model_data: ${steps.Train.model_data}
    code: inference.py
    instance: ml.m5.large
"""
    write(shop, pipeline, train=train, inference=TIMES)
    shop.run()
    answer = shop("invoke", "times", "--body", "1,2", "--accept", "text/csv")
    assert answer.out == "3,6\n"
    assert "times on this machine" in answer.err
    write(shop, pipeline, train=train.replace('"3"', '"4"'), inference=TIMES)
    shop.run()
    assert shop("invoke", "times", "--body", "1,2", "--accept", "text/csv").out == "4,8\n"
