"""Valid pipelines at random, as data: for laws that hold of all of them, and for comparisons with the SDK."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from sagewright.compiler.condition_parser import parse_condition
from sagewright.compiler.conditions import decided, normalise

SKLEARN = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"
SCRIPT = "script.py"
"""The code of processing steps, beside the pipeline."""
PARAMETERS: dict[str, Any] = {
    "Text": "a",
    "Number": 3,
    "Share": 0.5,
    "Flag": True,
    "Uri": "s3://my-bucket/data",
    "Instance": {"type": "String", "default": "ml.m5.xlarge", "enum": ["ml.m5.xlarge", "ml.m5.2xlarge"]},
    "Needed": {"type": "String"},
}
SERVICE, JOB = ("service_fault", "throttling"), ("job_internal_error", "capacity_error", "resource_limit")

Operand = Any
"""A literal, or `{"ref": <path>}`."""


@dataclass(frozen=True, slots=True)
class Made:
    """A pipeline's data, as YAML holds it, and the clauses of each condition's `if:`."""

    tree: dict[str, Any]
    clauses: dict[str, list[Any]]


@dataclass(slots=True)
class _Scope:
    """What steps may refer to: strings and conditions' operands by their types, and steps to come after."""

    strings: list[str]
    operands: dict[str, list[str]]
    steps: list[str]

    def inner(self) -> _Scope:
        return _Scope([*self.strings], {key: [*paths] for key, paths in self.operands.items()}, [*self.steps])


@dataclass(slots=True)
class Maker:
    """Makes one pipeline. What is random comes from `rng`."""

    rng: random.Random
    clauses: dict[str, list[Any]] = field(default_factory=dict)
    _count: int = 0
    _flags: set[str] = field(default_factory=set)
    """Booleans that a clause has compared: two that do may contradict each other."""

    def make(self) -> Made:
        scope = _Scope(
            [
                "parameters.Text",
                "parameters.Uri",
                "parameters.Needed",
                "execution.id",
                "execution.start_time",
            ],
            {
                "String": ["parameters.Text", "parameters.Needed", "execution.pipeline_name"],
                "Number": ["parameters.Number", "parameters.Share"],
                "Boolean": ["parameters.Flag"],
            },
            [],
        )
        tree: dict[str, Any] = {"name": "random", "parameters": PARAMETERS}
        if self.rng.random() < 0.2:  # it is worked out before any step has run
            tree["experiment"] = self.rng.choice((False, {"name": "e", "trial": self.text(scope)}))
        tree["steps"] = self.steps(scope, 0, self.rng.randint(2, 5))
        return Made(tree, self.clauses)

    def steps(self, scope: _Scope, depth: int, count: int) -> dict[str, Any]:
        kinds = [self.processing, self.training, self.lambda_, self.callback, self.model]
        made = {}
        for _ in range(count):
            kind = self.rng.choice([*kinds, *([self.condition] * 2 if depth < 2 else [])])
            name = f"{self.rng.choice(('S', 'step-', 'Do_'))}{self.number()}"
            before = scope.inner()
            made[name] = kind(name, scope, depth) if kind == self.condition else kind(name, scope)
            self.common(made[name], before)
            if kind != self.condition:
                scope.steps.append(name)
        if self.rng.random() < 0.3:
            made[f"Fail{self.number()}"] = {"kind": "fail", "message": self.text(scope, any_type=True)}
        return made

    def number(self) -> int:
        self._count += 1
        return self._count

    # -- values

    def maybe(self, share: float = 0.4) -> bool:
        return self.rng.random() < share

    def text(self, scope: _Scope, *, any_type: bool = False) -> str:
        """A String: a literal, a reference, or both, references of other types among them where those are cast."""
        pieces = []
        for _ in range(self.rng.randint(1, 3)):
            paths = [
                *scope.strings,
                *(p for ps in scope.operands.values() for p in ps if any_type and "reports" not in p),
            ]
            pieces.append(self.rng.choice(("a", "x y", "/", "é-", "${" + self.rng.choice(paths) + "}")))
        return "".join(pieces)

    def uri(self, scope: _Scope) -> str:
        literal = f"s3://my-bucket/{self.number()}"
        return self.rng.choice((literal, "${parameters.Uri}", f"{literal}/${{execution.id}}/x"))

    def integer(self, *literals: int) -> Any:
        return self.rng.choice((*literals, "${parameters.Number}"))

    def instance(self) -> Any:
        if self.maybe(0.3):
            return "ml.m5.large"
        return {
            "type": self.rng.choice(("ml.m5.large", "${parameters.Instance}")),
            **({"count": self.integer(1, 2)} if self.maybe() else {}),
            **({"volume_gb": self.rng.choice((10, 50))} if self.maybe() else {}),
            **({"kms_key": "key"} if self.maybe(0.2) else {}),
        }

    def common(self, body: dict[str, Any], scope: _Scope) -> None:
        if self.maybe(0.2):
            body |= {"display_name": "Shown", "description": "What it does"}
        if body["kind"] in ("processing", "training", "lambda", "callback") and self.maybe(0.3):
            body["cache"] = self.rng.choice(("30d", "P7D", "PT12H", 3600))
        if body["kind"] in ("processing", "training") and self.maybe(0.3):
            body["retry"] = [self.policy(SERVICE), self.policy(JOB)][: self.rng.randint(1, 2)]
        if body["kind"] in ("processing", "training") and self.maybe(0.3):
            body["tags"] = {"team": "risk", "key": self.text(scope)}
        free = [name for name in scope.steps if name not in referred(body)]
        if free and self.maybe(0.3):
            name = self.rng.choice(free)
            when = self.rng.choice(("completed", "failed", "stopped", "any"))
            body["depends_on"] = [name if when == "completed" else {"step": name, "when": when}]

    def policy(self, errors: tuple[str, ...]) -> dict[str, Any]:
        limit = self.rng.choice(({"max_attempts": self.rng.randint(1, 20)}, {"expire_after": "5m"}))
        timing = {"interval": "10s", "backoff": 1.5} if self.maybe() else {}
        return {"errors": self.rng.sample(errors, self.rng.randint(1, len(errors))), **timing, **limit}

    # -- kinds

    def processing(self, name: str, scope: _Scope) -> dict[str, Any]:
        outputs = {f"out{index}": self.output(name, index) for index in range(self.rng.randint(1, 3))}
        body: dict[str, Any] = {
            "kind": "processing",
            "image": SKLEARN,
            "instance": self.instance(),
            "outputs": outputs,
        }
        body |= {"code": SCRIPT} if self.maybe(0.7) else {"command": ["run", "-v"]}
        if self.maybe(0.7):
            body["inputs"] = {f"in{index}": self.input(scope) for index in range(self.rng.randint(1, 3))}
        if self.maybe():
            texts = [self.text(scope) for _ in range(2)]
            body["arguments"] = self.rng.choice(
                (["--a", *texts], {"a": texts[0], "n": self.rng.randint(0, 9)})
            )
        if self.maybe():
            body["environment"] = {"A": self.text(scope), "B": "${parameters.Share}"}
        if self.maybe(0.3):
            body["max_runtime"] = self.rng.choice(("1h", 7200))
        if self.maybe(0.2):
            body["kms_key"] = "key"
        if self.maybe(0.2):
            body["network"] = {"isolation": True, "subnets": ["subnet-1"], "security_groups": ["sg-1"]}
        if self.maybe(0.6):
            body["reports"] = {"report": {"output": "out0", "file": "report.json"}}
            scope.operands["Number"].append(f"steps.{name}.reports.report.a.b")
        scope.strings += [f"steps.{name}.outputs.{output}" for output in outputs]
        return body

    def input(self, scope: _Scope) -> Any:
        uris = [path for path in scope.strings if "outputs.out" in path or "model_data" in path]
        source = "${" + self.rng.choice(uris) + "}" if uris and self.maybe(0.7) else self.uri(scope)
        made: dict[str, Any] = {"source": source, "path": f"/opt/ml/processing/{self.number()}"}
        if self.maybe(0.2):
            made |= {"mode": "Pipe", "sharded": True, "compression": "Gzip"}
        return made

    def output(self, step: str, index: int) -> dict[str, Any]:
        made = {"path": f"/opt/ml/{index}", "destination": f"s3://my-bucket/${{execution.id}}/{step}/{index}"}
        return {**made, "upload": "Continuous"} if self.maybe(0.2) else made

    def training(self, name: str, scope: _Scope) -> dict[str, Any]:
        body: dict[str, Any] = {"kind": "training", "image": XGBOOST, "instance": self.instance()}
        body["hyperparameters"] = {"num_round": self.rng.randint(1, 99), "eta": 0.5, "name": self.text(scope)}
        if self.maybe():
            body["hyperparameters"]["depth"] = "${parameters.Number}"
        body["inputs"] = {f"c{index}": self.channel(scope) for index in range(self.rng.randint(1, 2))}
        body["output"] = self.uri(scope)
        if self.maybe(0.3):
            body["max_runtime"] = self.rng.choice(("2h", 7200))
        if self.maybe(0.3):
            body["environment"] = {"A": self.text(scope)}
        scope.strings.append(f"steps.{name}.model_data")
        return body

    def channel(self, scope: _Scope) -> Any:
        entry = self.input(scope)["source"]
        return {"source": entry, "content_type": "text/csv"} if self.maybe() else entry

    def lambda_(self, name: str, scope: _Scope) -> dict[str, Any]:
        return {
            "kind": "lambda",
            "function": "arn:aws:lambda:us-west-2:123456789012:function:f",
            **self.call(name, scope),
        }

    def callback(self, name: str, scope: _Scope) -> dict[str, Any]:
        return {
            "kind": "callback",
            "queue": "https://sqs.us-west-2.amazonaws.com/123456789012/q",
            **self.call(name, scope),
        }

    def call(self, name: str, scope: _Scope) -> dict[str, Any]:
        arguments = {"a": self.text(scope), "n": self.integer(1, 2), "x": 2.5, "y": self.rng.random() < 0.5}
        outputs = {"text": "String", "number": "Integer", "share": "Float", "flag": "Boolean"}
        scope.strings.append(f"steps.{name}.outputs.text")
        for type_, output in (
            ("String", "text"),
            ("Number", "number"),
            ("Number", "share"),
            ("Boolean", "flag"),
        ):
            scope.operands[type_].append(f"steps.{name}.outputs.{output}")
        return {"arguments": arguments, "outputs": outputs}

    def model(self, name: str, scope: _Scope) -> dict[str, Any]:
        trained = [path for path in scope.strings if "model_data" in path]
        data = (
            "${" + self.rng.choice(trained) + "}"
            if trained and self.maybe(0.7)
            else "s3://my-bucket/m.tar.gz"
        )
        body = {"kind": "model", "image": XGBOOST, "model_data": data}
        return {**body, "environment": {"A": self.text(scope)}} if self.maybe() else body

    # -- conditions

    def condition(self, name: str, scope: _Scope, depth: int) -> dict[str, Any]:
        decides: bool | None = True
        clauses, text = list[Any](), ""
        while decides is not None:  # no condition may be constant
            clauses = [self.clause(scope, 0) for _ in range(self.rng.randint(1, 3))]
            text = " and ".join(written(clause) for clause in clauses)
            decides = decided(normalise(parse_condition(text)))
        self.clauses[name] = clauses
        body = {"kind": "condition", "if": text}
        branches = self.rng.choice((["then"], ["else"], ["then", "else"]))
        return {**body, **{b: self.steps(scope.inner(), depth + 1, self.rng.randint(1, 2)) for b in branches}}

    def clause(self, scope: _Scope, depth: int) -> list[Any]:
        choice = self.rng.randrange(6 if depth < 2 else 4)
        if choice == 4:
            return ["not", self.clause(scope, 2)]
        if choice == 5:
            return ["or", [self.clause(scope, 2) for _ in range(self.rng.randint(2, 3))]]
        type_ = self.rng.choice(("String", "Number", "Number", "Boolean"))
        flags = [path for path in scope.operands["Boolean"] if path not in self._flags]
        if type_ == "Boolean" and not flags:
            type_ = "Number"
        left = {"ref": self.rng.choice(flags if type_ == "Boolean" else scope.operands[type_])}
        if type_ == "Boolean":
            self._flags.add(left["ref"])
        if choice == 3 and type_ != "Boolean":
            return ["in", left, [self.literal(type_) for _ in range(self.rng.randint(1, 3))]]
        operators = ("==", "<", "<=", ">", ">=") if type_ == "Number" else ("==",)
        return ["compare", self.rng.choice(operators), left, self.literal(type_)]

    def literal(self, type_: str) -> Any:
        """Never the same one twice, so that no clause says what another one does."""
        number = self.number()
        return {"String": f"v{number}", "Number": number, "Boolean": number % 2 == 0}[type_]


def written(clause: list[Any]) -> str:
    """A clause as `if:` has it."""
    match clause:
        case ["compare", operator, left, right]:
            return f"{_operand(left)} {operator} {_operand(right)}"
        case ["in", query, values]:
            return f"{_operand(query)} in [{', '.join(map(_operand, values))}]"
        case ["not", inner]:
            return f"not {written(inner)}"
        case _:
            return f"({' or '.join(map(written, clause[1]))})"


def _operand(operand: Operand) -> str:
    if isinstance(operand, dict):
        return operand["ref"]
    return repr(operand).lower() if isinstance(operand, bool) else repr(operand)


def referred(value: Any) -> set[str]:
    """The steps that a part of a pipeline refers to, nested steps included."""
    if isinstance(value, str):
        return set(re.findall(r"steps\.([\w-]+)", value))
    items: Iterable[Any] = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    )
    return set().union(*map(referred, items))


def pipelines() -> st.SearchStrategy[Made]:
    return st.randoms(note_method_calls=False).map(lambda rng: Maker(rng).make())
