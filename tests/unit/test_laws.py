"""What holds of every pipeline."""

from __future__ import annotations

import copy
import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sagewright.compiler import compile_file
from sagewright.compiler.definition import edges
from sagewright.compiler.driver import Result
from tests.definitions import CASES, PIPELINES, as_yaml, definition_of, golden_text, write_project
from tests.strategies import Made, Maker, pipelines


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder, its pipeline written anew for every example."""
    return write_project(tmp_path_factory.mktemp("project"), script="print('run')\n").parent


def compile_text(project: Path, text: str) -> Result:
    pipeline = project / "pipeline.yaml"
    pipeline.write_text(text, encoding="utf-8")
    return compile_file(pipeline)


def definition(project: Path, tree: Any) -> dict[str, Any]:
    result = compile_text(project, as_yaml(tree))
    assert result.ok, result.diagnostics
    return definition_of(result)


# -- the same bytes ---------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(made=pipelines())
def test_compiling_twice_gives_the_same_bytes(project: Path, made: Made) -> None:
    first, second = (compile_text(project, as_yaml(made.tree)) for _ in range(2))
    assert first.compilation is not None
    assert second.compilation is not None
    assert first.compilation == second.compilation
    assert json.loads(first.compilation.definition) == first.definition


def test_processes_give_the_same_bytes(tmp_path: Path) -> None:
    """Nothing depends on the order of sets, which differs from process to process."""
    paths = [*CASES.values(), *PIPELINES.values()]
    for number in range(20):
        (tmp_path / str(number)).mkdir()
        paths.append(write_project(tmp_path / str(number), script="print('run')\n"))
        paths[-1].write_text(as_yaml(Maker(random.Random(number)).make().tree), encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from sagewright.compiler import compile_file\n"
        "for path in sys.argv[1:]: print(compile_file(path).compilation)"
    )
    outputs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", program, *map(str, paths)]
        outputs.append(
            subprocess.run(command, env=environment, capture_output=True, check=True, timeout=120).stdout
        )
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == len(paths)


@settings(max_examples=60)
@given(made=pipelines())
def test_the_spelling_of_yaml_does_not_matter(project: Path, made: Made) -> None:
    """JSON is YAML, too."""
    assert definition(project, made.tree) == definition_of(compile_text(project, json.dumps(made.tree)))


# -- the order of keys ------------------------------------------------------------------------------------------------

WRITTEN_AS_LISTS = (
    "DependsOn",
    "RetryPolicies",
    "ExceptionType",
    "Conditions",
    "Values",
    "ContainerEntrypoint",
)
"""Lists of the definition that are lists in the YAML, too, or come from a text: their order is the author's."""


def shuffled(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {key: shuffled(value[key], rng) for key in keys}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value


def unordered(value: Any, key: str = "") -> Any:
    """A definition with the lists that are made from mappings sorted."""
    if isinstance(value, dict):
        return {name: unordered(item, name) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    items = [unordered(item) for item in value]
    return (
        items if key in WRITTEN_AS_LISTS else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    )


def edges_of(compiled: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    return {(edge.source, edge.target, edge.reason, edge.when) for edge in edges(compiled)}


@settings(max_examples=100)
@given(made=pipelines(), rng=st.randoms(note_method_calls=False))
def test_the_order_of_keys_does_not_matter(project: Path, made: Made, rng: random.Random) -> None:
    """But for the order of lists made from mappings; edges are the same."""
    one, other = definition(project, made.tree), definition(project, shuffled(made.tree, rng))
    assert unordered(one) == unordered(other)
    assert edges_of(one) == edges_of(other)


def test_the_order_of_arguments_is_kept(project: Path) -> None:
    """The law above sorts: what it must not hide is that the order is the author's."""
    step = {"kind": "processing", "image": "a/b", "instance": "ml.m5.large", "command": ["x"]}
    for names in itertools.permutations("abc"):
        arguments = dict.fromkeys(names, 1)
        made = definition(project, {"name": "p", "steps": {"S": {**step, "arguments": arguments}}})
        given_ = made["Steps"][0]["Arguments"]["AppSpecification"]["ContainerArguments"]
        assert [name for name in given_ if name != "1"] == [f"--{name}" for name in names]


# -- conditions -------------------------------------------------------------------------------------------------------

VALUES: dict[str, list[Any]] = {
    "b0": [True, False],
    "b1": [True, False],
    "n": [0, 1, 2],
    "f": [0.5, 1.0],
    "s": ["a", "b"],
}
"""Parameter → the values that a condition is tried with."""
VALUATIONS = [dict(zip(VALUES, values, strict=True)) for values in itertools.product(*VALUES.values())]

ATOMS: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just("flag"), st.sampled_from(["b0", "b1"])),
    st.tuples(st.sampled_from(["==", "!="]), st.sampled_from(["b0", "b1"]), st.booleans()),
    st.tuples(
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["n", "f"]),
        st.sampled_from([0, 1, 1.0, 2]),
    ),
    st.tuples(st.sampled_from(["<", ">=", "=="]), st.just("n"), st.just("f")),
    st.tuples(st.sampled_from(["==", "!="]), st.just("s"), st.sampled_from(["a", "b", "it's"])),
    st.tuples(
        st.sampled_from(["in", "not in"]), st.just("n"), st.lists(st.integers(0, 2), min_size=1, max_size=3)
    ),
    st.tuples(
        st.sampled_from(["in", "not in"]),
        st.just("s"),
        st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
    ),
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=7,
)


def as_text(condition: Any) -> str:
    match condition:
        case ("flag", name):
            return f"parameters.{name}"
        case ("not", inner):
            return f"not ({as_text(inner)})"
        case ("and" | "or" as word, parts):
            return "(" + f" {word} ".join(map(as_text, parts)) + ")"
        case (operator, name, values) if "in" in operator:
            return f"parameters.{name} {operator} [{', '.join(map(operand_text, values))}]"
        case (operator, name, value):
            return f"parameters.{name} {operator} {operand_text(value)}"
    raise AssertionError(condition)


def operand_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"parameters.{value}" if value in VALUES else "'" + value.replace("'", "''") + "'"
    return repr(value)


def meant(condition: Any, values: dict[str, Any]) -> bool:
    """What the author of a condition means."""
    match condition:
        case ("flag", name):
            return values[name]
        case ("not", inner):
            return not meant(inner, values)
        case ("and", parts):
            return all(meant(part, values) for part in parts)
        case ("or", parts):
            return any(meant(part, values) for part in parts)
        case ("in", name, items):
            return values[name] in items
        case ("not in", name, items):
            return values[name] not in items
    operator, name, value = condition
    other = values[value] if value in VALUES else value
    return compared(operator, values[name], other)


def compared(operator: str, left: Any, right: Any) -> bool:
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
    return left >= right


SIGNS = {
    "Equals": "==",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
}


def holds(clause: dict[str, Any], values: dict[str, Any]) -> bool:
    """SageMaker's conditions, as its developer guide describes them."""
    match clause:
        case {"Type": "Not", "Condition": inner}:
            return not holds(inner, values)
        case {"Type": "Or", "Conditions": inner}:
            return any(holds(part, values) for part in inner)
        case {"Type": "In", "QueryValue": query, "Values": items}:
            return value_of(query, values) in [value_of(item, values) for item in items]
        case {"Type": type_, "LeftValue": left, "RightValue": right}:
            return compared(SIGNS[type_], value_of(left, values), value_of(right, values))
    raise AssertionError(clause)


def value_of(operand: Any, values: dict[str, Any]) -> Any:
    return values[operand["Get"].removeprefix("Parameters.")] if isinstance(operand, dict) else operand


@settings(max_examples=250)
@given(condition=CONDITIONS)
def test_a_condition_means_what_it_says(project: Path, condition: Any) -> None:
    tree = {
        "name": "p",
        "parameters": {name: values[0] for name, values in VALUES.items()},
        "steps": {"C": {"kind": "condition", "if": as_text(condition), "then": {"F": {"kind": "fail"}}}},
    }
    result = compile_text(project, as_yaml(tree))
    wanted = [meant(condition, values) for values in VALUATIONS]
    errors = [d for d in result.diagnostics if d.severity == "error"]
    assume([d.code for d in errors] != ["SW407"])  # more terms than SageMaker has
    if [d.code for d in errors] == ["SW403"]:
        assert len(set(wanted)) == 1
        assert errors[0].message == f"the condition is always {str(wanted[0]).lower()}"
        return
    clauses = definition_of(result)["Steps"][0]["Arguments"]["Conditions"]
    assert [all(holds(clause, values) for clause in clauses) for values in VALUATIONS] == wanted


# -- defaults ---------------------------------------------------------------------------------------------------------

BODIES = st.fixed_dictionaries(
    {},
    optional={
        "instance": st.one_of(
            st.sampled_from(["ml.m5.large", "ml.c5.large"]),
            st.fixed_dictionaries(
                {},
                optional={
                    "type": st.just("ml.m5.xlarge"),
                    "count": st.sampled_from([1, 2, None]),
                    "volume_gb": st.sampled_from([10, 20, None]),
                    "kms_key": st.sampled_from(["k", None]),
                },
            ),
        ),
        "environment": st.one_of(
            st.none(), st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["1", "2", None]))
        ),
        "tags": st.one_of(
            st.none(), st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["1", "2", None]))
        ),
        "command": st.lists(st.sampled_from(["run", "-v"]), min_size=1, max_size=2),
        "max_runtime": st.sampled_from(["1h", 60, None]),
        "kms_key": st.sampled_from(["k", "l", None]),
        "cache": st.sampled_from(["30d", "P7D", False, None]),
        "retry": st.sampled_from(["standard", False, None]),
        "network": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {},
                optional={
                    "isolation": st.sampled_from([True, None]),
                    "encrypt_traffic": st.sampled_from([False, None]),
                },
            ),
        ),
    },
)
"""Keys of a processing step, as any layer of defaults may give them."""


def merged(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Strongest last: shorthands made long, mappings merged by key, all else replaced."""
    made: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            value = {"type": value} if key == "instance" and isinstance(value, str) else value
            below = made.get(key)
            made[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return made


@settings(max_examples=120)
@given(layers=st.tuples(*[BODIES] * 5))
def test_defaults_are_as_if_written_in_the_step(tmp_path_factory: Any, layers: tuple[Any, ...]) -> None:
    folder = tmp_path_factory.mktemp("defaults")
    general, of_kind, own, own_of_kind, step = layers
    base = {"kind": "processing", "image": "a/b"}
    whole = merged([{"instance": "ml.m5.large"}, *layers])
    pipeline = write_project(folder)
    bare = json.dumps({"name": "p", "steps": {"S": {**base, **whole}}})
    expected = compile_text(folder, bare)
    assume(expected.ok)
    settings_ = (folder / "sagewright.yaml").read_text()
    weakest = merged([{"instance": "ml.m5.large"}, general])
    defaults = as_yaml({"defaults": {**weakest, "kinds": {"processing": of_kind}}})
    (folder / "sagewright.yaml").write_text(settings_ + defaults)
    layered = {
        "name": "p",
        "defaults": {**own, "kinds": {"processing": own_of_kind}},
        "steps": {"S": {**base, **step}},
    }
    found = compile_text(folder, as_yaml(layered))
    assert found.ok, (found.diagnostics, pipeline)
    assert golden_text(found) == golden_text(expected) or definition_of(found) == definition_of(expected)


@given(default=BODIES)
def test_null_leaves_a_default_out(project: Path, default: dict[str, Any]) -> None:
    """On a step, a key that is null is as if nobody had given it, but for the built-in defaults, which it leaves out."""
    base: dict[str, Any] = {"kind": "processing", "image": "a/b", "instance": {"type": "ml.m5.large"}}
    default.pop("instance", None)
    nothing = dict.fromkeys(default)
    tree = {"name": "p", "defaults": default, "steps": {"S": {**base, **nothing}}}
    result = compile_text(project, as_yaml(tree))
    assume(all(d.severity == "warning" for d in result.diagnostics))
    assert definition_of(result) == definition(project, {"name": "p", "steps": {"S": copy.deepcopy(base)}})


def test_null_leaves_a_built_in_default_out(project: Path) -> None:
    step = {"kind": "processing", "image": "a/b", "instance": {"type": "ml.m5.large", "volume_gb": None}}
    result = compile_text(project, as_yaml({"name": "p", "steps": {"S": step}}))
    messages = [d.message for d in result.diagnostics]
    assert messages == ["`ProcessingResources.ClusterConfig` lacks its required member `VolumeSizeInGB`"]


def test_a_default_reaches_the_kinds_that_have_it(project: Path) -> None:
    tree = {
        "name": "p",
        "defaults": {"tags": {"a": "b"}, "retry": "standard", "cache": "30d"},
        "steps": {
            "T": {"kind": "training", "image": "a/b", "instance": "ml.m5.large", "output": "s3://b/o"},
            "F": {"kind": "fail"},
        },
    }
    training, fail = definition(project, tree)["Steps"]
    assert {"RetryPolicies", "CacheConfig"} <= training.keys()
    assert training["Arguments"]["Tags"] == [{"Key": "a", "Value": "b"}]
    assert fail.keys() == {"Name", "Type", "Arguments"}
