"""The snapshot of AWS's API: that it is botocore's, and that its patterns are Python's."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from sagewright.compiler.api import matcher, snapshot
from sagewright.compiler.shapes import botocore_version

ROOT = Path(__file__).parents[2]


# -- patterns ---------------------------------------------------------------------------------------------------------


def patterns() -> dict[str, int]:
    """Every pattern of the snapshot, and the longest text that is held against it."""
    found: dict[str, int] = {}
    for service in ("sagemaker", "emr", "emr-serverless"):
        for shape in snapshot(f"{service}-requests")["shapes"].values():
            if "pattern" in shape:
                found[shape["pattern"]] = max(found.get(shape["pattern"], 0), shape.get("max", 20_000))
    return found


def test_every_pattern_compiles() -> None:
    refused: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pattern in patterns():
            try:
                matcher.__wrapped__(pattern)
            except (re.error, Warning) as error:
                refused[pattern] = str(error)
    assert len(patterns()) > 50
    assert refused == {}


def java_only() -> list[str]:
    found: list[str] = []
    for pattern in patterns():
        try:
            re.compile(pattern)
        except re.error:
            found.append(pattern)
    return found


def test_some_patterns_need_translation() -> None:
    assert len(java_only()) >= 8


@pytest.mark.parametrize(
    ("fragment", "matching", "failing"),
    [
        (
            r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)",
            ["", "a b", "é中ß", "١", "a\u00a0b", "k:v/1=2+3-4@5"],
            ["a#b", "–", "\n", "😀"],
        ),
        (r"[\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*", ["e\u0301 «x» €1 😀", "$^`|~_{}\\]"], ["a\nb", "\x01"]),
        (r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,128}", ["", "ключ 1"], ["a,b"]),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", ["a\t中😀"], ["\r", "\x01"]),
        (
            r"arn:[\p{Alnum}\-]+:lambda:[\p{Alnum}\-]+:[0-9]{12}:function:.*",
            ["arn:aws:lambda:eu-1:123456789012:function:f"],
            ["arn:é:lambda:x:123456789012:function:f"],
        ),
    ],
)
def test_translated_patterns(fragment: str, matching: list[str], failing: list[str]) -> None:
    assert fragment in patterns()
    assert [text for text in matching if not matcher(fragment)(text)] == []
    assert [text for text in failing if matcher(fragment)(text)] == []


@pytest.mark.parametrize(
    "pattern", [r".*\S.*", r".*[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDBFF-\uDC00\uDFFF\r\n\t]*.*"]
)
def test_patterns_made_fast_match_what_they_did(pattern: str) -> None:
    slow, fast = re.compile(pattern, re.ASCII).fullmatch, matcher(pattern)
    for size in range(6):
        for letters in itertools.product(" \n\ta\x01é", repeat=size):
            text = "".join(letters)
            assert bool(slow(text)) == bool(fast(text)), repr(text)


def test_digits_and_words_are_those_of_ascii() -> None:
    assert not matcher(r"\d+\.\d+\.\d+")("١.٢.٣")
    assert matcher(r"\d+\.\d+\.\d+")("1.2.3")


def test_no_text_takes_long() -> None:
    """The longest texts that a pattern sees, of pieces that make backtracking explode."""
    pieces = [
        "a",
        "a-",
        "a.",
        "-",
        " ",
        "/",
        "0",
        "\n",
        " \n",
        "_",
        "s3://",
        "https://aps-workspaces.us-east-1.amazonaws",
    ]
    for pattern, most in patterns().items():
        longest = min(most, 20_000)
        for head, piece, tail in itertools.product(
            ("", "arn:aws:sagemaker:", pieces[-1]), pieces, ("", "\x00", "!", "\n")
        ):
            text = (head + piece * (longest // len(piece) + 1))[: longest - 1] + tail
            start = time.perf_counter()
            matcher(pattern)(text)
            assert time.perf_counter() - start < 0.5, (pattern, text[:80])


# -- the snapshot -----------------------------------------------------------------------------------------------------


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_api", ROOT / "tools" / "generate_api.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_snapshot_is_that_of_the_installed_botocore() -> None:
    botocore = pytest.importorskip("botocore")
    if botocore.__version__ != botocore_version():
        pytest.skip(f"taken from botocore {botocore_version()}, installed is {botocore.__version__}")
    made = generator().generate()
    assert set(made) == {path.name.removesuffix(".json.gz") for path in (ROOT / "schemas" / "api").glob("*")}
    for name, content in made.items():
        assert content == snapshot(name), f"{name}: run `python tools/generate_api.py`"


def test_the_generator_writes_the_same_bytes_twice_and_checks_them() -> None:
    module = generator()
    content = {"botocore": "1", "roots": {}, "shapes": {}}
    assert module.packed(content) == module.packed(copy.deepcopy(content))
    assert module.packed(content)[4:8] == b"\0\0\0\0"
    command = [sys.executable, str(ROOT / "tools" / "generate_api.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 2), done.stderr


def test_the_snapshot_is_closed_and_has_no_documentation() -> None:
    scalars = {"string", "integer", "long", "float", "double", "boolean", "timestamp", "blob"}
    for path in (ROOT / "schemas" / "api").glob("*.json.gz"):
        content = snapshot(path.name.removesuffix(".json.gz"))
        known = scalars | content["shapes"].keys()
        assert set(content["roots"].values()) <= known
        for name, shape in content["shapes"].items():
            assert "documentation" not in shape, name
            parts = [shape[part] for part in ("member", "key", "value") if part in shape]
            assert {*shape.get("members", {}).values(), *parts} <= known, name
