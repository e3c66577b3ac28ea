"""Answers requests with AWS's `sagemaker-inference`, or with our server: `inference_driver.py aws|ours CASE`.

CASE is a folder with `inference.py` (or none) and `requests.json`, a list of `{"body": base64, "headers": {}}`; what is
written is JSON: for each request status, reason, content type and body. It imports nothing of sagewright.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


class AwsContext:
    """The members of multi-model-server's context that the toolkit uses."""

    def __init__(self, model_dir: str, headers: dict[str, str]) -> None:
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self.request_processor = [self]
        self.headers = headers
        self.status, self.reason, self.content_type = 200, "OK", None

    def get_request_properties(self) -> dict[str, str]:
        return self.headers

    def set_response_content_type(self, _index: int, content_type: Any) -> None:
        self.content_type = content_type

    def set_response_status(self, code: int = 200, phrase: str = "") -> None:
        self.status, self.reason = code, phrase


def aws(model_dir: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, Any, Any]:
    from sagemaker_inference.transformer import Transformer

    context = AwsContext(model_dir, headers)
    (answer,) = Transformer().transform([{"body": body}], context)
    return context.status, context.reason, context.content_type, answer


def ours(model_dir: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, Any, Any]:
    found = Path(__file__).parents[1] / "compiler/local/serving/server.py"
    spec = importlib.util.spec_from_file_location("server", found)
    assert spec is not None and spec.loader is not None
    server = importlib.util.module_from_spec(spec)
    sys.modules["server"] = server
    spec.loader.exec_module(server)
    try:
        transformer = server.Transformer(model_dir)
        transformer.load()
    except Exception as error:  # AWS's toolkit loads the model at the first request, and answers so
        return 500, str(error), None, str(error)
    answer = transformer.answer(body, headers)
    return answer.status, answer.reason, answer.content_type, answer.body


def main(who: str, case: str) -> None:
    sys.path.insert(0, case)
    os.environ.setdefault("SAGEMAKER_PROGRAM", "inference.py")
    answers = []
    for request in json.loads((Path(case) / "requests.json").read_text()):
        run = aws if who == "aws" else ours
        status, reason, content_type, body = run(case, base64.b64decode(request["body"]), request["headers"])
        if status != 200:
            # The trace below the first line names files of the one and the other.
            text = (body if isinstance(body, str) else body.decode()).strip().split("\n")[0]
            reason = reason.strip().split("\n")[0]
            body = text
        if isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        answers.append([status, reason, content_type, base64.b64encode(body).decode()])
    sys.stdout.write("\nANSWERS " + json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
