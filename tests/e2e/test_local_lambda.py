"""Lambda steps on this machine: the function's own code, and what it may do wrong."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.aws import Clients
from sagewright.compiler.engine.state import Outcome
from sagewright.compiler.local.bucket_store import BucketStore
from sagewright.compiler.local.job import Function, JobFailed
from sagewright.compiler.local.overlay import Overlay
from tests.hosting import Here

ARN = "arn:aws:lambda:us-west-2:123456789012:function:p-Count:code-abc"
OUTPUTS = [
    {"OutputName": "s", "OutputType": "String"},
    {"OutputName": "n", "OutputType": "Integer"},
    {"OutputName": "f", "OutputType": "Float"},
    {"OutputName": "b", "OutputType": "Boolean"},
]


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def _call(
    here: Here,
    code: str,
    arguments: dict[str, Any] | None = None,
    outputs: Any = (),
    *,
    handler: str = "app.handler",
    runtime: str = "python3.12",
    timeout: int = 20,
) -> Outcome:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", code)
        archive.writestr("lib/__init__.py", "def twice(x): return 2 * x\n")
    file = here.root / "function.zip"
    file.write_bytes(packed.getvalue())
    here.with_function(ARN, Function(file, handler, runtime, timeout))
    return here.run("Lambda", arguments or {}, FunctionArn=ARN, OutputParameters=list(outputs))


def test_arguments_keep_their_types_and_outputs_are_checked(here: Here) -> None:
    code = (
        "import lib\n"
        "def handler(event, context):\n"
        "    print('called with', event)\n"
        "    return {'s': type(event['i']).__name__ + type(event['f']).__name__ + type(event['b']).__name__,\n"
        "            'n': lib.twice(event['i']), 'f': 1, 'b': event['b'], 'more': None}\n"
    )
    outcome = _call(here, code, {"i": 3, "f": 2.0, "b": True}, OUTPUTS)
    assert outcome.properties["OutputParameters"] == {"s": "intfloatbool", "n": 6, "f": 1, "b": True}
    assert "called with" in (here.home / "runs/1/log").read_text()


def test_what_a_function_is_told(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    code = (
        "import os\n"
        "def handler(event, context):\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    return {'s': '|'.join([context.function_name, context.invoked_function_arn, str(0 < left <= 20000),\n"
        "        os.environ['AWS_REGION'], os.environ.get('AWS_SECRET_ACCESS_KEY', 'no key')])}\n"
    )
    outcome = _call(here, code, {}, OUTPUTS[:1])
    assert outcome.properties["OutputParameters"]["s"] == f"p-Count|{ARN}|True|us-west-2|no key"


def test_a_stand_in_for_aws_is_reached(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    told = "os.environ['AWS_ENDPOINT_URL'] + os.environ['AWS_ACCESS_KEY_ID']"
    code = f"import os\ndef handler(e, c): return {{'s': {told}}}"
    outcome = _call(here, code, {}, OUTPUTS[:1])
    assert outcome.properties["OutputParameters"] == {"s": "http://127.0.0.1:1testing"}
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    store = Overlay(BucketStore(Clients("us-west-2", "http://127.0.0.1:2")), {})
    here.machine = replace(here.machine, store=store)
    outcome = _call(here, code, {}, OUTPUTS[:1])
    assert outcome.properties["OutputParameters"] == {"s": "http://127.0.0.1:2testing"}


@pytest.mark.parametrize(
    ("code", "how", "message"),
    [
        ("def handler(e, c): return {}['x']", {}, "failed with KeyError: 'x'"),
        (
            "import nothing_like_it",
            {},
            "Runtime.ImportModuleError: Unable to import module 'app': No module named",
        ),
        ("def handler(:", {}, "Runtime.UserCodeSyntaxError"),
        ("def other(e, c): pass", {}, "Runtime.HandlerNotFound: Handler 'handler' missing on module 'app'"),
        ("def handler(e, c): pass", {"handler": "handler"}, "Runtime.MalformedHandlerName"),
        (
            "def handler(e, c): return {1, 2}",
            {},
            "Runtime.MarshalError: Unable to marshal response: Object of type set",
        ),
        (
            "import os\ndef handler(e, c): os._exit(7)",
            {},
            "Runtime.ExitError: Runtime exited with error: exit status 7",
        ),
        ("import os\ndef handler(e, c): os.kill(os.getpid(), 9)", {}, "Runtime exited with error: signal 9"),
        (
            "import time\ndef handler(e, c): time.sleep(30)",
            {"timeout": 1},
            r"Task timed out after 1\.00 seconds",
        ),
        ("def handler(e, c): raise SystemExit(3)", {}, "SystemExit: 3"),
        ("", {"runtime": "nodejs20.x"}, "nodejs20.x is not run here, only Python: .* --stub"),
        (
            "import boto3\ndef handler(e, c): boto3.client('s3').list_buckets()",
            {},
            "NoCredentialsError(.|\n)*--stub, or set AWS_ENDPOINT_URL",
        ),
    ],
)
def test_what_goes_wrong_is_said_as_lambda_says_it(
    here: Here, code: str, how: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(JobFailed, match=message):
        _call(here, code, **how)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("{}", "there is no output `s`"),
        ("[1]", r"the function returned \[1\], and its outputs are members of an object"),
        ("{'s': 1, 'n': 1, 'f': 1, 'b': True}", "`s` is declared as String, and is 1"),
        ("{'s': 'x', 'n': 1.5, 'f': 1, 'b': True}", "`n` is declared as Integer, and is 1.5"),
        ("{'s': 'x', 'n': True, 'f': 1, 'b': True}", "`n` is declared as Integer, and is true"),
        ("{'s': 'x', 'n': 1, 'f': '1', 'b': True}", '`f` is declared as Float, and is "1"'),
        ("{'s': 'x', 'n': 1, 'f': 1, 'b': 0}", "`b` is declared as Boolean, and is 0"),
    ],
)
def test_other_outputs_than_declared(here: Here, returned: str, message: str) -> None:
    with pytest.raises(JobFailed, match=message):
        _call(here, f"def handler(e, c): return {returned}", {}, OUTPUTS)


def test_a_function_of_somebody_elses_needs_a_stub(here: Here) -> None:
    with pytest.raises(JobFailed, match=r"function:other is not part of this project: .* --stub"):
        here.run("Lambda", {}, FunctionArn="arn:aws:lambda:us-west-2:123456789012:function:other")


def test_an_archive_that_is_none(here: Here) -> None:
    (here.root / "broken.zip").write_text("no zip")
    here.with_function(ARN, Function(here.root / "broken.zip", "app.handler", "python3.12", 3))
    with pytest.raises(JobFailed, match="cannot be unpacked"):
        here.run("Lambda", {}, FunctionArn=ARN)
