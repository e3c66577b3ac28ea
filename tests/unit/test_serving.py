"""The model server's own rules: frameworks' defaults, and what differs from AWS's toolkit on purpose.

What it has in common with the toolkit is in `tests/e2e/test_inference_toolkit.py`.
"""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SERVER = Path(__file__).parents[2] / "compiler/local/serving/server.py"
XGBOOST = """\
class Booster:
    best_iteration = 4
    def load_model(self, path):
        assert open(path).read() == "own form", "not mine"
    def predict(self, data, validate_features, **rounds):
        import numpy
        assert rounds == {"iteration_range": (0, 5)}
        return numpy.array([sum(row) for row in data.rows])

class DMatrix:
    def __init__(self, data):
        if isinstance(data, str):
            path, _, form = data.partition("?format=")
            assert form == "libsvm"
            data = [[float(c.split(":")[1]) for c in line.split()[1:]] for line in open(path)]
        self.rows = data
"""
"""What of xgboost the container's defaults use."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("model_server", SERVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "model_server", module)
    spec.loader.exec_module(module)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("SAGEMAKER_PROGRAM", "SAGEMAKER_BATCH", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"):
        monkeypatch.delenv(name, raising=False)
    yield module
    for name in ("inference", "xgboost"):
        sys.modules.pop(name, None)


def _ask(server: ModuleType, folder: Path, framework: str, body: bytes, **headers: str) -> tuple[int, Any]:
    transformer = server.Transformer(str(folder), framework)
    transformer.load()
    answer = transformer.answer(body, {name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status, answer.body if isinstance(answer.body, bytes) else answer.body.partition("\n")[0]


def _module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (folder / "inference.py").write_text(text)
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "inference.py")


SQUARES = """\
class Model:
    def predict(self, data):
        self.dtype = data.dtype
        return (data ** 2).sum(axis=1)

def model_fn(model_dir):
    return Model()
"""


def test_scikit_learn_predicts_by_itself(
    server: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _module(tmp_path, monkeypatch, SQUARES)
    csv = {"Content_Type": "text/csv"}
    assert _ask(server, tmp_path, "sklearn", b"1,2\n3,4", **csv) == (200, "[5.0, 25.0]")
    assert _ask(server, tmp_path, "sklearn", b"[[1, 2]]") == (200, "[5.0]")  # JSON where nobody says
    assert _ask(server, tmp_path, "sklearn", b"1,2\n3,4", **csv, Accept="text/csv") == (200, "5.0")
    status, message = _ask(server, tmp_path, "sklearn", b"1", Content_Type="text/plain")
    assert (status, message.startswith("Content type text/plain is not supported")) == (500, True)


def test_scikit_learn_needs_a_model_fn(
    server: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _module(tmp_path, monkeypatch, "x = 1\n")
    with pytest.raises(
        NotImplementedError, match=r"Please provide a model_fn implementation: `inference\.py` has none"
    ):
        _ask(server, tmp_path, "sklearn", b"[]")


@pytest.fixture
def booster(tmp_path: Path, server: ModuleType) -> Path:
    """A folder with a model in XGBoost's own form."""
    (tmp_path / "xgboost.py").write_text(XGBOOST)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "xgboost-model").write_text("own form")
    return folder


def test_xgboosts_algorithm_mode(server: ModuleType, booster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv = {"Content_Type": "text/csv"}
    assert _ask(server, booster, "xgboost", b"1,2\n3,4\n", **csv) == (200, "3.0,7.0")
    assert _ask(server, booster, "xgboost", b"1;2", **csv) == (200, "3.0")  # the delimiter is guessed
    assert _ask(server, booster, "xgboost", b"1,2", Accept="application/json") == (200, "[3.0]")
    assert _ask(server, booster, "xgboost", b"0 1:5 2:6\n", Content_Type="text/libsvm") == (200, "11.0")
    assert _ask(server, booster, "xgboost", b"", **csv)[0] == 204
    assert _ask(server, booster, "xgboost", b"1", Content_Type="image/png")[0] == 415
    assert _ask(server, booster, "xgboost", b"a,b", **csv)[0] == 415
    assert _ask(server, booster, "xgboost", b"1", Accept="image/png")[0] == 415
    monkeypatch.setenv("SAGEMAKER_BATCH", "true")
    transformer = server.Transformer(str(booster), "xgboost")
    transformer.load()
    assert transformer.answer(b"1\n2", {"Content-Type": "text/csv"}).body == "1.0\n2.0\n"


def test_xgboost_reads_pickles_and_says_what_it_cannot(server: ModuleType, booster: Path) -> None:
    import xgboost  # type: ignore[import-not-found]

    (booster / "xgboost-model").write_bytes(pickle.dumps(xgboost.Booster()))
    assert _ask(server, booster, "xgboost", b"1,2")[0] == 200
    (booster / "xgboost-model").write_text("nonsense")
    with pytest.raises(RuntimeError, match=r"Unable to load model: .*; not mine"):
        _ask(server, booster, "xgboost", b"1,2")
    (booster / "xgboost-model").unlink()
    with pytest.raises(RuntimeError, match="holds no file"):
        _ask(server, booster, "xgboost", b"1,2")


def test_xgboost_with_a_module(server: ModuleType, booster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import xgboost\ndef model_fn(d): return Model()\nclass Model:\n"
    text += "    def predict(self, data, validate_features): return [list(row) for row in data.rows]\n"
    _module(booster.parent, monkeypatch, text)
    assert _ask(server, booster, "xgboost", b"1,2", Content_Type="text/csv") == (200, "[[1.0, 2.0]]")
    (booster.parent / "inference.py").write_text("import xgboost\n")
    sys.modules.pop("inference")
    importlib.invalidate_caches()
    with pytest.raises(NotImplementedError, match="model_fn"):
        _ask(server, booster, "xgboost", b"1,2")


def test_what_cannot_be_sent(server: ModuleType) -> None:
    assert server.as_bytes("ü") == "ü".encode()
    assert server.as_bytes([1]) == b"[\n  1\n]"
    with pytest.raises(TypeError):
        server.as_bytes({1, 2})
