"""The nearest name, and lists of names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagewright.compiler.suggest import known_are, listing, nearest


@pytest.mark.parametrize(
    ("word", "choices", "expected"),
    [
        ("tset", ["train", "test"], "test"),  # transposed
        ("intance", ["image", "instance", "inputs"], "instance"),  # a letter missing
        ("instancee", ["instance"], "instance"),  # one too many
        ("processimg", ["processing", "training"], "processing"),  # another one
        ("PREP", ["Train", "Prep"], "Prep"),
        ("max-runtime", ["max_runtime", "max_attempts"], "max_runtime"),
        ("instanceType", ["instance_type"], "instance_type"),
        ("env", ["entry", "environment"], "environment"),  # the beginning of one only
        ("out", ["outputs", "output_path"], None),  # the beginning of two
        ("policy", ["policies", "plan"], "policies"),  # one, for several
        ("categories", ["category", "code"], "category"),
        ("parameter", ["parameters"], "parameters"),
        ("x", ["y", "z"], None),
        ("completely", ["different"], None),
        ("", ["a", "train"], None),
        ("train", [], None),
        ("日本後", ["日本語", "英語"], "日本語"),
    ],
)
def test_nearest(word: str, choices: list[str], expected: str | None) -> None:
    assert nearest(word, choices) == expected


def test_ties_go_to_the_spelling_that_is_most_alike_whatever_the_order() -> None:
    assert nearest("TRAin", ["train", "TRAIN"]) == nearest("TRAin", ["TRAIN", "train"]) == "TRAIN"
    assert nearest("step3", {"step1", "step2"}) == "step1"


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=6))
def test_the_order_of_the_choices_does_not_matter(word: str, choices: list[str]) -> None:
    found = nearest(word, choices)
    assert found == nearest(word, choices[::-1])
    assert found is None or found in choices


@given(st.text(alphabet="abcdefgh", min_size=6, max_size=12), st.integers(min_value=0, max_value=4))
def test_two_neighbours_swapped_are_recognised(word: str, at: int) -> None:
    slip = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    assert nearest(slip, [word]) == word


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "none"),
        (["a"], "`a`"),
        (["b", "a"], "`b` and `a`"),
        (["a", "b", "c"], "`a`, `b` and `c`"),
        ({"c", "a", "b"}, "`a`, `b` and `c`"),
        ({"z": 1, "y": 2}, "`z` and `y`"),
        ([str(n) for n in range(8)], "`0`, `1`, `2`, `3`, `4`, `5`, `6` and `7`"),
        ([str(n) for n in range(9)], "`0`, `1`, `2`, `3`, `4`, `5`, `6` and 2 more"),
    ],
)
def test_listing(names: list[str], expected: str) -> None:
    assert listing(names) == expected


def test_what_is_known() -> None:
    assert known_are(["a"]) == "known is `a`"
    assert known_are({"b", "a"}) == "known are `a` and `b`"


def test_listing_for_alternatives_and_with_a_limit() -> None:
    assert listing(["a", "b", "c"], last="or") == "`a`, `b` or `c`"
    assert listing(["a", "b", "c", "d"], limit=3) == "`a`, `b` and 2 more"
