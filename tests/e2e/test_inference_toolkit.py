"""Our model server answers as AWS's own `sagemaker-inference` does: the same handlers, the same requests.

The toolkit lives in an environment of its own, which `make inference` makes.
"""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-inference/bin/python"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="AWS's sagemaker-inference is not here (make inference)"
)

LOAD = "def model_fn(model_dir):\n    return 3\n"
PREDICT = "import numpy as np\ndef predict_fn(data, model):\n    return np.asarray(data) * model\n"
NPY = base64.b64encode(
    b"\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"
    + b" " * 59
    + b"\n"
    + (1).to_bytes(8, "little")
    + (2).to_bytes(8, "little")
).decode()

HANDLERS = {
    "the defaults": LOAD + PREDICT,
    "no model_fn": PREDICT,
    "no predict_fn": LOAD,
    "no module at all": None,
    "transform_fn": LOAD
    + "def transform_fn(model, data, content_type, accept):\n    return f'{data}{model}', 'text/x'\n",
    "transform_fn without a type": LOAD
    + "def transform_fn(model, data, content_type, accept):\n    return repr((type(data).__name__, content_type))\n",
    "transform_fn beside others": LOAD + "def transform_fn(m, d, c, a):\n    return d\n" + PREDICT,
    "bytes": LOAD + PREDICT + "def output_fn(prediction, accept):\n    return b'\\x00\\xff', accept\n",
    "contexts": "def model_fn(d, context):\n    return 'gpu_id' in context.system_properties\n"
    "def input_fn(data, content_type, context):\n    return data\n"
    "def predict_fn(data, model, context):\n    return [str(data), model]\n",
    "too many arguments": LOAD + "def predict_fn(a, b, c, d):\n    return a\n",
    "too few arguments": LOAD + "def predict_fn(a):\n    return a\n",
    "an error": LOAD + "def predict_fn(data, model):\n    raise KeyError('column')\n",
    "an error without words": LOAD + "def predict_fn(data, model):\n    raise ValueError\n",
    "several lines": LOAD + "def predict_fn(data, model):\n    raise ValueError('one\\ntwo')\n",
    "the toolkit's own error": LOAD + "from sagemaker_inference.errors import BaseInferenceToolkitError\n"
    "def predict_fn(data, model):\n    raise BaseInferenceToolkitError(418, 'a teapot', 'short\\nstout')\n",
    "warm": "def pre_model_fn(d):\n    global seen\n    seen = ['pre']\n"
    "def model_fn(d):\n    seen.append('model')\n    return seen\n"
    "def model_warmup_fn(d, model):\n    seen.append('warm')\n"
    "def predict_fn(data, model):\n    return model\n",
}
REQUESTS = [
    ("[1, 2]", {"Content-Type": "application/json"}),
    ("[[1, 2.5], [3, 4]]", {"Content-Type": "application/json", "Accept": "text/csv"}),
    ("1,2\n3,4", {"Content-Type": "text/csv", "Accept": "application/json"}),
    ("1,x", {"content-type": "text/csv", "accept": "*/*"}),
    ("1", {"ContentType": "text/csv", "Accept": "application/x-npy"}),
    ("[1]", {"Content-Type": "application/json", "Accept": "image/png, text/csv"}),
    ("[1]", {"Content-Type": "application/json", "Accept": "image/png"}),
    ("[1]", {"Content-Type": "text/csv; charset=utf-8"}),
    ("{", {"Content-Type": "application/json"}),
    ("[1]", {}),
]


@pytest.mark.parametrize("name", HANDLERS)
def test_the_same_answers(name: str, tmp_path: Path) -> None:
    if HANDLERS[name] is not None:
        (tmp_path / "inference.py").write_text(HANDLERS[name] or "")
    requests = [
        {"body": base64.b64encode(body.encode()).decode(), "headers": given} for body, given in REQUESTS
    ]
    requests.append({"body": NPY, "headers": {"Content-Type": "application/x-npy", "Accept": "text/csv"}})
    (tmp_path / "requests.json").write_text(json.dumps(requests))
    theirs, ours = (_answers(who, tmp_path) for who in ("aws", "ours"))
    assert len(theirs) == len(requests)
    for request, expected, got in zip(requests, theirs, ours, strict=True):
        assert _comparable(got) == _comparable(expected), request


def _comparable(answer: list[Any]) -> list[Any]:
    """The texts of the toolkit's own messages are AWS's, and not repeated by us: their statuses count."""
    status, reason, content_type, body = answer
    text = base64.b64decode(body)
    own = (b"Please provide a", b"Content type", b"Cannot use transform_fn", b"`transform_fn` does not go")
    if status != 200 and text.strip().startswith(own):
        return [status]
    if status != 200 and not text.strip():
        return [status, content_type]
    return [status, reason, content_type, text]


def _answers(who: str, case: Path) -> list[list[Any]]:
    driver = ROOT / "tests/inference_driver.py"
    ended = subprocess.run(
        [PYTHON, str(driver), who, str(case)], capture_output=True, text=True, timeout=120, check=False
    )
    assert "\nANSWERS " in ended.stdout, ended.stderr
    return json.loads(ended.stdout.rpartition("\nANSWERS ")[2])
