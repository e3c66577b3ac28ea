"""What a batch transform may ask for, record by record."""

from __future__ import annotations

from typing import Any

import pytest

from sagewright.compiler.local.batches import Form
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.jsonpath import PathError, compiled


def _form(given: dict[str, Any] | None = None, output: dict[str, Any] | None = None, **request: Any) -> Form:
    return Form.of({"TransformInput": given or {}, "TransformOutput": output or {}, **request})


@pytest.mark.parametrize(
    ("path", "value", "picked"),
    [
        ("$", {"a": 1}, {"a": 1}),
        ("$.a.b", {"a": {"b": 2}}, 2),
        ("$['a b']", {"a b": 3}, 3),
        ('$["a"][0]', {"a": [4, 5]}, 4),
        ("$['a','b']", {"a": 1, "b": 2, "c": 3}, [1, 2]),
        ("$[1:]", [1, 2, 3], [2, 3]),
        ("$[:-1]", [1, 2, 3], [1, 2]),
        ("$[0, 2]", [1, 2, 3], [1, 3]),
        ("$[-1]", [1, 2, 3], 3),
        ("$.a[1:2]", {"a": [1, 2, 3]}, [2]),
    ],
)
def test_paths(path: str, value: Any, picked: Any) -> None:
    assert compiled(path)(value) == picked


@pytest.mark.parametrize("path", ["a", "$..a", "$[*]", "$[?(@.a)]", "$[1:2:3]", "$.", "$[a]"])
def test_paths_that_we_do_not_know(path: str) -> None:
    with pytest.raises(PathError, match="filter"):
        compiled(path)


@pytest.mark.parametrize(
    ("path", "value"), [("$.a", {}), ("$.a", [1]), ("$[3]", [1]), ("$[0]", "text"), ("$[1:]", 1)]
)
def test_paths_that_lead_nowhere(path: str, value: Any) -> None:
    with pytest.raises(PathError, match="a record"):
        compiled(path)(value)


@pytest.mark.parametrize("split", ["RecordIO", "TFRecord"])
def test_binary_records_are_refused_by_name(split: str) -> None:
    with pytest.raises(JobFailed, match=f"SplitType {split} is for binary records"):
        _form({"SplitType": split})


def test_joins_that_cannot_be() -> None:
    join = {"JoinSource": "Input"}
    with pytest.raises(JobFailed, match="ContentType is image/png"):
        _form({"ContentType": "image/png"}, DataProcessing=join)
    with pytest.raises(JobFailed, match="text/csv cannot be joined with application/json"):
        _form({"ContentType": "text/csv"}, {"Accept": "application/json"}, DataProcessing=join)
    with pytest.raises(JobFailed, match="wants AssembleWith Line"):
        _form({"ContentType": "text/csv", "SplitType": "Line"}, DataProcessing=join)
    with pytest.raises(JobFailed, match="cannot be used"):
        _form({"ContentType": "text/csv"}, DataProcessing={"OutputFilter": "$..x"})


def test_a_whole_file_is_one_record() -> None:
    form = _form({"ContentType": "application/json"}, DataProcessing={"JoinSource": "Input"})
    ((record,),) = form.requests(b'{"x": 1}\n')
    assert form.body([record]) == b'{"x":1}'
    assert form.result([record], b'{"y": 2}') == b'{"x":1,"SageMakerOutput":{"y":2}}'


def test_an_input_that_is_no_structure_is_named() -> None:
    form = _form({"ContentType": "application/json"}, DataProcessing={"JoinSource": "Input"})
    assert form.result([b"3"], b"4") == b'{"SageMakerInput":3,"SageMakerOutput":4}'
    assert form.result([b"[1]"], b"[2]") == b"[1,2]"


def test_a_record_that_cannot_be_read() -> None:
    form = _form({"ContentType": "application/json"}, DataProcessing={"InputFilter": "$.x"})
    with pytest.raises(JobFailed, match=r"a record cannot be read: .*: nonsense"):
        form.body([b"nonsense"])
    with pytest.raises(JobFailed, match="a record has no member `x`"):
        form.body([b"{}"])
