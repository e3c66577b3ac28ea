"""Definitions and executions for the engine's tests: random ones, and short ways to write small ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from sagewright.compiler.engine.blueprint import Blueprint, blueprint
from sagewright.compiler.engine.scenario import Behaviour, Fault, Scenario
from sagewright.compiler.engine.scheduler import Execution
from sagewright.compiler.engine.simulated import simulate

CONTROL = ("Condition", "Fail", "ForEach")


def step(name: str, kind: str = "Training", after: Iterable[Any] = (), **more: Any) -> dict[str, Any]:
    """A step that needs nothing but its name."""
    arguments = more.pop("Arguments", {})
    made: dict[str, Any] = {"Name": name, "Type": kind, "Arguments": arguments, **more}
    if kind == "Lambda":
        made.setdefault("FunctionArn", "f")
    if after:
        made["DependsOn"] = list(after)
    return made


def gate(
    name: str,
    then: Iterable[Any] = (),
    otherwise: Iterable[Any] = (),
    after: Iterable[Any] = (),
    value: Any = None,
) -> dict[str, Any]:
    """A condition whose outcome its scenario decides, or `value` where that is given."""
    left = {"Get": f"Parameters.{name}"} if value is None else value
    conditions = [{"Type": "Equals", "LeftValue": left, "RightValue": True}]
    arguments = {"Conditions": conditions, "IfSteps": list(then), "ElseSteps": list(otherwise)}
    return step(name, "Condition", after, Arguments=arguments)


def fan(
    name: str, body: Iterable[Any], items: Any = (1, 2), concurrency: int = 2, **more: Any
) -> dict[str, Any]:
    arguments = {
        "IterableItems": list(items) if isinstance(items, tuple) else items,
        "MaxConcurrency": concurrency,
    }
    return step(name, "ForEach", Arguments={**arguments, "ForEachBody": list(body), **more})


def definition(*steps: Any, parameters: Iterable[Any] = ()) -> dict[str, Any]:
    return {"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)}


def plan_of(*steps: Any, parameters: Iterable[Any] = ()) -> Blueprint:
    return blueprint(definition(*steps, parameters=parameters))


def simulated(
    plan: Blueprint,
    scenario: Scenario | None = None,
    parameters: Mapping[str, Any] | None = None,
    **more: Any,
) -> Execution:
    """An execution that has gone to its end."""
    random, stop_after = more.pop("random", None), more.pop("stop_after", None)
    execution = Execution(plan, parameters or {}, **more)
    return simulate(execution, scenario or Scenario(), random=random, stop_after=stop_after)[0]


def statuses(execution: Execution) -> dict[str, str]:
    return {name: str(record.status) for name, record in execution.records.items()}


# -- random ones ------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """A random definition, and what happens to its steps."""

    plan: Blueprint
    outcomes: dict[str, bool]
    scenario: Scenario
    parallelism: int | None = None
    triggers: bool = False
    names: list[str] = field(default_factory=list)


@dataclass
class _Grower:
    """Grows a definition step by step; a step depends on any that was there before."""

    draw: Any
    triggers: bool
    retries: bool
    fails: bool
    count: int = 0
    names: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    fans: list[str] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)

    def steps(self, depth: int) -> list[dict[str, Any]]:
        return [self.one(depth) for _ in range(self.draw(st.integers(0 if depth else 1, 4 - depth)))]

    def one(self, depth: int) -> dict[str, Any]:
        name = f"S{self.count}"
        self.count += 1
        kinds = ["Training", "Processing", "Lambda", "Model", "ForEach"]
        if depth < 2:
            kinds += ["Condition", "Condition"]
        kind = self.draw(st.sampled_from(kinds))
        after = self.after()
        if self.fails and depth and self.draw(st.integers(0, 9)) == 0:
            return step(name, "Fail", after, Arguments={"ErrorMessage": "no"})  # nothing may depend on it
        self.names.append(name)
        if kind == "Condition":
            self.conditions.append(name)
            return gate(name, self.steps(depth + 1), self.steps(depth + 1), after)
        if kind == "ForEach":
            self.fans.append(name)
            return {
                **fan(name, self.body(name), ("a", "b", "c"), self.draw(st.integers(1, 3))),
                "DependsOn": after,
            }
        more: dict[str, Any] = {}
        if self.retries and kind in ("Training", "Processing"):
            errors = ["SageMaker.CAPACITY_ERROR"]
            more["RetryPolicies"] = [
                {"ExceptionType": errors, "IntervalSeconds": 5, "MaxAttempts": self.draw(st.integers(0, 3))}
            ]
        more["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P1D"}
        return step(name, kind, after, **more)

    def body(self, name: str) -> list[dict[str, Any]]:
        """One or two steps, the second on the result of the first."""
        self.turns.append(f"{name}b")
        first = step(f"{name}b", "Processing", CacheConfig={"Enabled": True})
        if self.draw(st.booleans()):
            return [first]
        self.turns.append(f"{name}c")
        return [first, step(f"{name}c", Arguments={"RoleArn": {"Get": f"Steps.{name}b.ProcessingJobName"}})]

    def after(self) -> list[Any]:
        found: list[Any] = []
        for source in (
            self.draw(st.lists(st.sampled_from(self.names), unique=True, max_size=3)) if self.names else ()
        ):
            trigger = "Completed"
            if self.triggers and source not in self.conditions:
                trigger = self.draw(st.sampled_from(["Completed", "Completed", "Failed", "Any", "Stopped"]))
            found.append(source if trigger == "Completed" else {"Step": source, "Trigger": trigger})
        return found


@st.composite
def worlds(
    draw: Any, *, failures: bool = True, triggers: bool = True, retries: bool = True, fails: bool = True
) -> World:
    """Random DAGs with nested branches, run conditions, retries, failures and Fail steps."""
    grower = _Grower(draw, triggers, retries, fails)
    steps = [one for _ in range(draw(st.integers(1, 4))) for one in grower.steps(0)]
    parameters = [{"Name": name, "Type": "Boolean"} for name in grower.conditions]
    plan = plan_of(*steps, parameters=parameters)
    outcomes = {name: draw(st.booleans()) for name in grower.conditions}
    behaviours: dict[str, Behaviour] = {}
    for name in [*grower.names, *grower.turns]:
        faults: tuple[Fault, ...] = ()
        if failures and name not in outcomes and draw(st.integers(0, 3)) == 0:
            error = draw(st.sampled_from(["algorithm_error", "capacity_error", "stopped"]))
            faults = (Fault(error, draw(st.sampled_from([1, 2, None]))),)
        behaviours[name] = Behaviour(faults=faults, duration=float(draw(st.integers(1, 9))))
    parallelism = draw(st.sampled_from([None, 1, 2, 3]))
    return World(plan, outcomes, Scenario(steps=behaviours), parallelism, triggers, grower.names)


def run(world: World, **more: Any) -> Execution:
    return simulated(world.plan, world.scenario, world.outcomes, parallelism=world.parallelism, **more)
