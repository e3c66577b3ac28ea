"""`sagewright endpoints` and `sagewright invoke`."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from sagewright.compiler import cli
from tests.emulator_fixture import aws_environment
from tests.hosting import BUCKET, Here

Command = Callable[..., tuple[int, str, str]]
__all__ = ["aws_environment"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sagewright.yaml").write_text("version: 1\nregion: us-west-2\n")
    made = Here(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


def test_an_endpoint_is_listed_asked_and_stopped(
    here: Here, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no endpoints" in command("endpoints")[2]
    variants = (
        {"ModelName": here.model(2)},
        {"VariantName": "B", "ModelName": here.model(3), "InitialVariantWeight": 0},
    )
    here.deploy(here.config(*variants))
    assert command("invoke", "ep", "--body", "1,2", "--accept", "text/csv") == (
        0,
        "2,4\n",
        "ep on this machine, variant A: 200\n",
    )
    (here.root / "row.json").write_text("[[5]]")
    json_type = ("--content-type", "application/json")
    assert command("invoke", "ep", "-b", "@row.json", *json_type, "--variant", "B")[1] == "[[15.0]]"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"[[4]]"), isatty=lambda: False))
    assert command("invoke", "ep", *json_type, "--local")[1] == "[[8.0]]"
    (entry,) = json.loads(command("endpoints", "--format", "json")[1])
    assert (entry["name"], entry["status"]) == ("ep", "InService")
    assert [(v["name"], v["weight"], v["invocations"]) for v in entry["variants"]] == [
        ("A", 1, 2),
        ("B", 0, 1),
    ]
    assert "A (weight 1, 2 requests), B (weight 0, 1 requests)" in command("endpoints")[1]
    assert "there is no endpoint `e`" in command("endpoints", "--stop", "e")[2]
    assert command("endpoints", "--stop", "ep")[0] == 2  # nobody to ask
    assert command("endpoints", "--stop", "ep", "--yes")[:2] == (0, "ep: ended\n")
    assert command("endpoints", "--all", "--yes") == (0, "", "no endpoints\n")
    assert here.machine.registry.names("endpoint") == []


def test_errors_of_the_model_and_of_the_command_line(here: Here, command: Command) -> None:
    here.deploy(here.config({"ModelName": here.model(2)}))
    code, out, err = command("invoke", "ep", "--body", "x")
    assert (code, err) == (1, "ep on this machine, variant A: 500\n")
    assert out.startswith("could not convert string to float: 'x'\nTraceback")
    code, out, _ = command("invoke", "ep", "--body", "1", "--variant", "Z")
    assert (code, "there is no variant `Z`: there are A" in out) == (1, True)
    assert command("invoke", "ep", "--body", "@nowhere.csv")[0] == 2
    assert "does not go together" in command("invoke", "ep", "--local", "--target", "dev")[2]
    code, _, err = command("invoke", "eq", "--local", "--body", "1")
    assert (code, "there are `ep`" in err) == (1, True)


def test_asynchronous_endpoints_say_where_the_answer_comes(here: Here, command: Command) -> None:
    later = {"OutputConfig": {"S3OutputPath": f"s3://{BUCKET}/answers"}}
    here.deploy(here.config({"ModelName": here.model(2)}, AsyncInferenceConfig=later))
    code, out, _ = command("invoke", "ep", "--body", "1")
    assert (code, out.startswith(f"s3://{BUCKET}/answers/")) == (0, True)
    source = here.put("rows.csv", "1\n")
    assert command("invoke", "ep", "--body", source)[1].endswith(".out\n")


def test_an_endpoint_that_is_not_here_is_awss(
    here: Here, command: Command, aws_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS's API is an endpoint of ours: it speaks InvokeEndpoint."""
    here.deploy(here.config({"ModelName": here.model(2)}))
    state = here.machine.endpoints.front("ep").state
    assert state is not None
    arguments = ("invoke", "ep", "--body", "3", "--accept", "text/csv", "--endpoint-url", state.url)
    assert command(*arguments) == (0, "6\n", "ep in AWS (us-west-2), variant A\n")
    code, _, err = command("invoke", "ep", "--body", "x", "--endpoint-url", state.url)
    assert (code, "[ModelError]" in err) == (4, True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", state.url)
    code, _, err = command("invoke", "other", "--body", "3")
    assert (code, "this is the endpoint `ep`" in err) == (4, True)
