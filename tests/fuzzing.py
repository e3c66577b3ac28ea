"""Inputs that no author would write: mutated pipelines and projects, random bodies of every kind, random bytes.

Every input is made from a seed and its number alone, so that a failure can be made again.
"""

from __future__ import annotations

import copy
import json
import random
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from sagewright import schemas, steps
from sagewright.compiler import shapes
from sagewright.compiler.definition import references
from sagewright.compiler.definition import steps as placed_steps
from sagewright.compiler.driver import Result, compile_file
from sagewright.compiler.render import render
from tests.definitions import CASES, PIPELINES, ROOT

TIME_LIMIT = 20
"""Seconds that one input may take. The slowest take under one."""
FORMATS = ("text", "oneline", "json", "sarif", "github")


def _words(text: str) -> list[str]:
    return text.split()


PROJECT = """\
version: 1
region: us-west-2
bucket: my-bucket
role: arn:aws:iam::123456789012:role/SageMakerRole
vars: {instance: ml.m5.large, size: 3, items: [a, b], nothing: null}
env: [HOME]
defaults: {tags: {team: risk}, retry: standard, kinds: {training: {max_runtime: 2h}}}
retry_policies: {patient: [{errors: [capacity_error], interval: 1m, expire_after: 6h}]}
targets:
  default: {default: true, account: "123456789012", tags: {stage: dev}, vars: {size: 4}}
tags: {a: b}
upload: {kms_key: k}
"""

REFERENCES = _words("""
${parameters.A} ${parameters.B} ${parameters} ${parameters.A.b} ${parameters['A']} ${execution.id} ${execution.nope}
${steps.A.outputs.x} ${steps.A} ${steps} ${steps.B.model_data} ${steps.C.name} ${steps.A.reports.r.a.b[0]['c:d']}
${steps.A.reports.r} ${steps.B.metrics.m} ${steps.A.outputs} ${steps.A.ProcessingOutputConfig} ${steps.C.arn[0]}
${steps.B.HyperParameters['k']} ${steps.A.ProcessingInputs[0].S3Input.S3Uri} ${steps.G.outcome} ${item} ${inputs.x}
${} ${ ${a ${{a}} $${a} ${HOME} ${a.b.c} ${vars.x} ${steps.A.outputs[-1]} ${steps.A.outputs['} ${'a'} ${0} ${..} ${a b}
""")
TEMPLATES = (
    "{{ vars.instance }}",
    "{{ vars.size }}",
    "{{ vars.items }}",
    "{{ vars.nothing }}",
    "{{ vars.nope }}",
    "{{ env.HOME }}",
    "{{ target }}",
    "{{ target.region }}",
    "{{ pipeline.name }}",
    "{{ 1 / 0 }}",
    "{{ 1e308 * 10 }}",
    "{{ -1e308 * 10 - 1e308 * -10 }}",
    "{{ 9 ** 99 ** 99 }}",
    "{{ 'a' * 999999999 }}",
    "{{ ('a' * 99999) | replace('a', 'b' * 99999) }}",
    "{{ vars }}",
    "{{ vars.items.append }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ [vars, [vars]] | tojson }}",
    "{{ {1: 2, (1, 2): 3} }}",
    "{{",
    "{{ }}",
    "{% for x in vars.items %}{{ x }}{% endfor %}",
    "{% if %}",
    "{% raw %}${a}{% endraw %}",
    "{# #}",
    "{{ '{{' }}",
    "{{ vars.items | join(none) }}",
    "{{ '9' * 4400 | int }}",
    "{{ ('9' * 4400) | int }}",
    "{{ vars.instance | round }}",
    "{% set x = 1 %}{{ x }}",
    "{% include 'x' %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
)
TOKENS = (
    *REFERENCES,
    *TEMPLATES,
    *_words(
        "[ ] { } : - , ? & * ! | > ' \" % @ ` # << <<: &a *a !!int !x ~ null true false .nan .inf 0x1F 0o7 1e999 --- ..."
    ),
    "\t",
    "\n",
    "\r\n",
    "\x00",
    "\ufeff",
    "\u2028",
    "\U0001f600",
    "é",
    "  ",
    ": ",
    "- ",
    "|-\n",
    "9" * 5000,
    "[" * 200,
)
TEXTS = _words("""
a A x s3://b/k s3://b/k.tar.gz arn:aws:iam::123456789012:role/R arn:aws:lambda:us-west-2:123456789012:function:f 1h ml.m5.large
preprocess.py train.py inference.py xgboost:1.7-1 123456789012.dkr.ecr.us-west-2.amazonaws.com/mine:1 https://sqs/q
${parameters.A} ${parameters.B} ${parameters.C} ${parameters.D} ${execution.id} ${execution.start_time} s3://b/${execution.id}
a${parameters.B}b $${a} {{vars.instance}} {{vars.size}} s3://{{target.bucket}}/${parameters.A}
""")
"""What may well stand where a String is wanted."""
STEP_KEYS = ("Name", "Type", "DependsOn", "RetryPolicies", "CacheConfig", "DisplayName", "PropertyFiles", "x")
LITERALS = [text for text in TEXTS if "$" not in text and "{" not in text]
PARAMETERS = {
    "A": "s3://b/k",
    "B": 3,
    "C": 0.5,
    "D": True,
    "InputData": "s3://b/k",
    "Threshold": 0.5,
    "Count": 1,
}
TERMS = (
    "parameters.B > 1",
    "parameters.A == 'x'",
    "parameters.D",
    "not parameters.D",
    "parameters.C <= parameters.B",
    "parameters.A in ['a', 'b']",
    "(parameters.B == 2 or parameters.C != 3)",
)
KEYS = _words("""
kind name steps parameters defaults kinds if then else api step_api depends_on retry cache role tags image instance code
inputs outputs reports type count volume_gb dir entry uri output file variants model_data environment arguments matrix uses
triggers experiment mlflow description display_name << Name Arguments Type default enum errors when step body
""")


@dataclass(frozen=True, slots=True)
class Input:
    """A pipeline file and the project file above it."""

    pipeline: bytes
    project: bytes = PROJECT.encode()


@dataclass(frozen=True, slots=True)
class Failure:
    """What an input did that none may do."""

    number: int
    reason: str
    input: Input

    def __str__(self) -> str:
        project = "" if self.input.project == PROJECT.encode() else f"\nproject: {self.input.project!r}"
        return f"input {self.number}: {self.reason}\npipeline: {self.input.pipeline!r}{project}"


# -- making inputs ----------------------------------------------------------------------------------------------------


def make(seed: int, number: int) -> Input:
    """The input of this number."""
    rng = random.Random(f"{seed}:{number}")
    if rng.random() < 0.08:
        return Input(rng.choice(_texts()).encode(), _mutated_project(rng))
    return Input(rng.choices(*zip(*_MAKERS, strict=True))[0](rng))


@cache
def _texts() -> list[str]:
    return [path.read_text() for path in (*CASES.values(), *PIPELINES.values())]


@cache
def _trees() -> list[Any]:
    return [yaml.load(text, yaml.CSafeLoader) for text in _texts()]


def _mutated_project(rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return _damage(PROJECT.encode(), rng)
    return _dumped(_changed(yaml.load(PROJECT, yaml.CSafeLoader), rng), rng)


def _random_bytes(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 3, 30, 300)))


def _random_text(rng: random.Random) -> bytes:
    return "".join(rng.choices((*TOKENS, *KEYS, " ", "\n"), k=rng.randint(1, 60))).encode("utf-8", "replace")


def _damaged(rng: random.Random) -> bytes:
    return _damage(rng.choice(_texts()).encode(), rng)


def _damage(raw: bytes, rng: random.Random) -> bytes:
    """A few bytes flipped, taken out or put in; tokens swapped; lines doubled."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(6):
            case 0:
                raw = raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
            case 1:
                raw = raw[:at] + rng.choice(TOKENS).encode("utf-8", "replace") + raw[at:]
            case 2:
                raw = raw[:at] + raw[at + rng.randint(1, 30) :]
            case 3:
                raw = raw[:at]
            case 4:
                tokens = raw.split(b" ")
                one, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))
                tokens[one], tokens[other] = tokens[other], tokens[one]
                raw = b" ".join(tokens)
            case _:
                lines = raw.split(b"\n")
                at = rng.randrange(len(lines))
                lines[at:at] = lines[at : at + rng.randint(1, 4)]
                raw = b"\n".join(lines)
    return raw


def _altered(rng: random.Random) -> bytes:
    return _dumped(_changed(rng.choice(_trees()), rng), rng)


def _changed(tree: Any, rng: random.Random) -> Any:
    """A copy with a few of its values replaced, keys renamed or added, entries taken out or moved."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(tree))
        if not places:
            break
        container, key = rng.choice(places)
        match rng.randrange(6):
            case 0 | 1:
                container[key] = _junk(rng)
            case 2:
                other, other_key = rng.choice(places)
                container[key] = copy.deepcopy(other[other_key])
            case 3:
                del container[key]
            case 4 if isinstance(container, dict):
                container[rng.choice(KEYS)] = container.pop(key)
            case _ if isinstance(container, dict):
                container[rng.choice(KEYS)] = _junk(rng)
            case _:
                container.insert(key, _junk(rng))
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(tree, (dict, list)):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield tree, key
            yield from _places(value)


def _dumped(tree: Any, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return json.dumps(tree, default=str).encode()
    style = rng.choice((None, False))
    return yaml.dump(
        tree, Dumper=yaml.CSafeDumper, sort_keys=False, default_flow_style=style, allow_unicode=True
    ).encode("utf-8", "replace")


def _junk(rng: random.Random, depth: int = 0) -> Any:
    """A value of any type, references and templates among them."""
    choice = rng.randrange(11 if depth < 3 else 9)
    match choice:
        case 0:
            return rng.choice(
                (None, True, False, 0, 1, -1, 2**63, 10**40, 0.5, -0.0, 1e308, float("inf"), float("nan"))
            )
        case 1 | 2:
            return rng.choice(REFERENCES)
        case 3:
            return rng.choice(TEMPLATES)
        case 4:
            return "".join(rng.choices((*REFERENCES, *TEMPLATES, "a", " ", "/"), k=rng.randint(1, 4)))
        case 5:
            return rng.choice(
                (
                    "",
                    " ",
                    "x",
                    "a" * 5000,
                    "s3://b/k",
                    "ml.m5.large",
                    "xgboost:1.7-1",
                    "1h",
                    "\u0000é\U0001f600",
                )
            )
        case 6:
            return rng.choice(KEYS)
        case 7:
            return rng.choice(
                ("../../../etc/passwd", "/etc/passwd", ".", "preprocess.py", "code", "s3://", "a/../b", "\n")
            )
        case 8:
            return "".join(rng.choices("abc${}[]().'\"=<>!andor in\\", k=rng.randint(0, 25)))
        case 9:
            return [_junk(rng, depth + 1) for _ in range(rng.randrange(4))]
        case _:
            return {rng.choice((*KEYS, "x", "A", "")): _junk(rng, depth + 1) for _ in range(rng.randrange(4))}


@dataclass(frozen=True, slots=True)
class _Inventor:
    """Makes pipelines of random steps. `folly` is the share of values that no schema allows."""

    rng: random.Random
    folly: float

    def pipeline(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "name": "p",
            "parameters": dict(PARAMETERS),
            "steps": self.steps(_words("Prepare Train Model Register Config Endpoint A B C D E F"), 0),
        }
        schema = schemas.load("pipeline")["properties"]
        for key in self.rng.sample(list(schema), self.rng.randrange(3)):
            if key not in made and (key != "triggers" or self.folly):
                made[key] = self.value(schema[key])
        return made

    def steps(self, names: list[str], depth: int) -> dict[str, Any]:
        chosen = [
            names.pop(self.rng.randrange(len(names))) for _ in range(min(len(names), self.rng.randint(1, 5)))
        ]
        return {name: self.step(names, depth) for name in chosen}

    def step(self, names: list[str], depth: int) -> dict[str, Any]:
        rng = self.rng
        kind = steps.find(rng.choice(steps.names()))
        assert kind is not None
        schema = schemas.load(f"steps/{kind.name}")
        known = [key for key in schema["properties"] if self.folly or key not in ("matrix", "depends_on")]
        optional = rng.sample(known, rng.randrange(7))
        made = {
            key: self.value(schema["properties"][key]) for key in [*schema.get("required", ()), *optional]
        }
        made["kind"] = kind.name
        for branch in kind.branches:
            made[branch] = self.steps(names, depth + 1) if depth < 2 and names else {}
        if "if" in made:
            made["if"] = _condition(rng) if self.folly else _good_condition(rng)
        if kind.name == "native":
            made["type"] = rng.choice(("Transform", "Training", "Processing", "AutoML", "Model", "Other"))
            kind = steps.of_type(made["type"]) or kind
        for key in [key for key in ("api", "arguments") if key in made and kind.request]:
            members = list(shapes.members(kind.request or "", kind.service))
            made[key] = {rng.choice(members): self.value({}) for _ in range(rng.randrange(3))}
        if "api" in made and not kind.request:
            made["api"] = {rng.choice(("Conditions", "IfSteps", "a", "x")): self.value({})}
        if "step_api" in made and rng.random() < 0.5:
            made["step_api"] = {rng.choice(STEP_KEYS): self.value({})}
        return made

    def value(self, schema: Any, depth: int = 0) -> Any:
        """A value that the schema allows, more or less."""
        rng = self.rng
        if rng.random() < self.folly or not isinstance(schema, dict) or depth > 5:
            return _junk(rng, 2)
        if "const" in schema or "enum" in schema:
            return schema["const"] if "const" in schema else rng.choice(schema["enum"])
        if schema.get("examples") and rng.random() < 0.7:
            return copy.deepcopy(rng.choice(schema["examples"]))
        if schema.get("x-literal") and "string" in schema.get("type", ()):
            return rng.choice(LITERALS)
        types = schema.get("type", ("string", "object", "integer"))
        match types if isinstance(types, str) else rng.choice(types):
            case "object":
                return self.mapping(schema, depth)
            case "array":
                return [self.value(schema.get("items", {}), depth + 1) for _ in range(rng.randint(0, 3))]
            case "integer":
                return rng.choice((1, 2, 30, 3600, schema.get("minimum", 10**6), schema.get("maximum", -1)))
            case "number":
                return rng.choice((0.5, 1, -1.5, 1e300))
            case "boolean":
                return rng.random() < 0.5
            case "null":
                return None
            case _:
                return rng.choice(TEXTS)

    def mapping(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        rng = self.rng
        known = schema.get("properties", {})
        chosen = rng.sample(list(known), rng.randint(0, min(4, len(known))))
        keys = dict.fromkeys([*schema.get("required", ()), *chosen])
        made = {key: self.value(known.get(key, {}), depth + 1) for key in keys}
        others = schema.get("additionalProperties")
        if isinstance(others, dict) or not known:
            names = rng.sample(("x", "A", "train", "m", "r", "a b", "Key", "code"), rng.randint(0, 3))
            made.update({name: self.value(others or {}, depth + 1) for name in names})
        return made


def _invented(rng: random.Random) -> bytes:
    return _dumped(_Inventor(rng, rng.choice((0, 0, 0.02, 0.1))).pipeline(), rng)


def _extended(rng: random.Random) -> bytes:
    """A pipeline whose steps have a few more of their keys, its parameters and references to them among the values."""
    tree = copy.deepcopy(rng.choice(_trees()))
    tree["parameters"] = {**PARAMETERS, **tree.get("parameters", {})}
    inventor = _Inventor(rng, rng.choice((0, 0, 0.1)))
    bodies = [body for body, key in _places(tree) if key == "kind"]
    for body in rng.choices(bodies, k=rng.randint(1, 3)):
        properties = schemas.load(f"steps/{body['kind']}")["properties"]
        key = rng.choice([key for key in properties if key not in ("kind", "matrix", "then", "else", "body")])
        body[key] = inventor.value(properties[key])
    return _dumped(tree, rng)


def _good_condition(rng: random.Random) -> str:
    terms = [rng.choice(TERMS) for _ in range(rng.randint(1, 4))]
    return rng.choice((" and ", " or ", " and not ")).join(terms)


def _condition(rng: random.Random) -> str:
    operands = [reference[2:-1] for reference in REFERENCES if reference[-1:] == "}"]
    words = (
        *operands,
        "1",
        "2.5",
        "'a'",
        "true",
        "==",
        "!=",
        "<",
        ">=",
        "in",
        "[",
        "]",
        "not",
        "and",
        "or",
        "(",
        ")",
        ",",
    )
    if rng.random() < 0.5:
        return " ".join(rng.choices(words, k=rng.randint(1, 12)))
    terms = [
        f"{rng.choice(operands)} {rng.choice(('==', '<', '!='))} {rng.choice(words)}"
        for _ in range(rng.randint(1, 5))
    ]
    return rng.choice((" and ", " or ", " and not ")).join(terms)


_MAKERS: tuple[tuple[Callable[[random.Random], bytes], int], ...] = (
    (_random_bytes, 4),
    (_random_text, 10),
    (_damaged, 30),
    (_altered, 30),
    (_extended, 40),
    (_invented, 30),
)


# -- trying them ------------------------------------------------------------------------------------------------------


def prepare(folder: Path) -> Path:
    """A project with all the code that cases and pipelines name; the pipeline's path in it."""
    for path in (*CASES.values(), *PIPELINES.values()):
        shutil.copytree(path.parent, folder / "p", dirs_exist_ok=True)
    shutil.copytree(ROOT / "tests" / "cases" / "compile" / "code", folder / "code", dirs_exist_ok=True)
    return folder / "p" / "pipeline.yaml"


def attempt(pipeline: Path, number: int, input_: Input) -> Failure | None:
    """Compile one input and show what is wrong with it; None where nothing happens that may not."""
    pipeline.write_bytes(input_.pipeline)
    (pipeline.parents[1] / "sagewright.yaml").write_bytes(input_.project)
    try:
        with _time_limit():
            result = compile_file(pipeline)
            render(result.diagnostics, result.texts, FORMATS[number % len(FORMATS)], color=number % 2 == 0)
    except Exception:
        return Failure(number, traceback.format_exc(), input_)
    failed = any(diagnostic.severity == "error" for diagnostic in result.diagnostics)
    if failed == result.ok:
        return Failure(
            number, "compiled in spite of errors" if failed else "no definition, and no error", input_
        )
    if result.ok and (wrong := _inconsistency(result)):
        return Failure(number, wrong, input_)
    return None


def _inconsistency(result: Result) -> str | None:
    """What a definition says that it may not, although nothing was found wrong."""
    assert result.compilation is not None
    assert result.program is not None
    definition = json.loads(result.compilation.definition)
    names = [step.name for step in placed_steps(definition)]
    if sorted(names) != sorted(result.program.nodes):
        return f"steps that are unknown, lost or doubled: {names}"
    known = {"Steps": {*names}, "Parameters": {parameter["Name"] for parameter in definition["Parameters"]}}
    strange = [r for r in references(definition) if r.name not in known.get(r.root, {r.name})]
    return f"references to nothing: {strange}" if strange else None


def run(folder: Path, seed: int, numbers: range) -> list[Failure]:
    """Try the inputs of these numbers."""
    pipeline = prepare(folder)
    found = (attempt(pipeline, number, make(seed, number)) for number in numbers)
    return [failure for failure in found if failure is not None]


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise `TimeoutError` in what takes too long (on the main thread of systems that have alarms)."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {TIME_LIMIT} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
