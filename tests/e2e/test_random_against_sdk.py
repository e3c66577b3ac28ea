"""Random pipelines, executed by our engine and by the SageMaker SDK's local executor: nested branches, references,
joins, reports, failures and Fail steps. They are the same ones each time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.sdk_comparison import answered, differences, execution

COUNT = 300
NAMES = {
    "Training": "TrainingJobName",
    "Processing": "ProcessingJobName",
    "Transform": "TransformJobName",
    "Model": "ModelName",
}
SORTS: dict[str, tuple[str, ...]] = {
    "number": ("Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"),
    "text": ("Equals",),
}


@dataclass
class Grower:
    """Grows a case; a step looks only at those that were there before."""

    random: Random
    jobs: dict[str, str] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    behaviours: dict[str, Any] = field(default_factory=dict)
    count: int = 0

    def case(self, number: int) -> dict[str, Any]:
        steps = [self.step(0) for _ in range(self.random.randint(2, 6))]
        self.random.shuffle(steps)
        return {
            "rule": str(number),
            "parameters": [
                {"Name": "N", "Type": "Integer", "DefaultValue": 3},
                {"Name": "S", "Type": "String", "DefaultValue": "a"},
            ],
            "steps": steps,
            "given": {"parameters": {"N": self.random.randint(1, 5)}, "steps": self.behaviours},
        }

    def chance(self, of: int) -> bool:
        return self.random.randrange(of) == 0

    def step(self, depth: int) -> dict[str, Any]:
        name = f"S{self.count}"
        self.count += 1
        kinds = [*NAMES, "Processing"] + (["Condition"] * 3 if depth < 3 else [])
        kind = "Fail" if depth and self.chance(8) else self.random.choice(kinds)
        made: dict[str, Any] = {"Name": name, "Type": kind}
        after = [other for other in self.names if self.chance(6)]
        if after:
            made["DependsOn"] = after
        if kind == "Fail":
            return {**made, "Arguments": {"ErrorMessage": self.text()}}
        if kind == "Condition":
            terms = [self.term(0) for _ in range(self.random.randint(1, 2))]
            branches = [[self.step(depth + 1) for _ in range(self.random.randint(0, 2))] for _ in range(2)]
            self.names.append(name)
            return {
                **made,
                "Arguments": {"Conditions": terms, "IfSteps": branches[0], "ElseSteps": branches[1]},
            }
        made["Arguments"] = {"Environment": {"A": self.text(), "B": [self.number(), {"C": self.text()}]}}
        if kind == "Processing":
            self.report(made)
        if self.chance(10):
            self.behaviours.setdefault(name, {})["fails"] = "algorithm_error"
        self.jobs[name] = kind
        self.names.append(name)
        return made

    def report(self, made: dict[str, Any]) -> None:
        name, output = made["Name"], f"s3://b/{made['Name']}"
        made["Arguments"]["ProcessingOutputConfig"] = {
            "Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": output}}]
        }
        made["PropertyFiles"] = [{"PropertyFileName": "R", "OutputName": "o", "FilePath": "r.json"}]
        content = {"n": self.random.randint(1, 5), "l": [{"t": self.random.choice("ab")}]}
        if self.chance(6):
            del content[self.random.choice("nl")]
        self.behaviours[name] = {"reports": {"R": content}}
        self.reports.append(name)

    def number(self) -> Any:
        if self.reports and self.chance(3):
            return self.json_get("n")
        return self.random.choice([1, 3, 4, {"Get": "Parameters.N"}])

    def text(self) -> Any:
        match self.random.randrange(6):
            case 0 if self.reports:
                return self.json_get("l[0].t")
            case 1 if self.jobs:
                name = self.random.choice(list(self.jobs))
                return {"Get": f"Steps.{name}.{NAMES[self.jobs[name]]}"}
            case 2:
                values = [self.text(), {"Get": "Parameters.N"}, 7]
                return {"Std:Join": {"On": self.random.choice(["", "/"]), "Values": values}}
            case 3:
                return {
                    "Get": self.random.choice(["Execution.PipelineExecutionId", "Execution.PipelineName"])
                }
        return self.random.choice(["a", "b", {"Get": "Parameters.S"}])

    def json_get(self, path: str) -> Any:
        file = {"Get": f"Steps.{self.random.choice(self.reports)}.PropertyFiles.R"}
        return {"Std:JsonGet": {"PropertyFile": file, "Path": path}}

    def term(self, depth: int) -> dict[str, Any]:
        match self.random.randrange(6):
            case 0 if depth < 2:
                return {"Type": "Not", "Condition": self.term(depth + 1)}
            case 1 if depth < 2:
                return {
                    "Type": "Or",
                    "Conditions": [self.term(depth + 1) for _ in range(self.random.randint(0, 2))],
                }
            case 2:
                return {"Type": "In", "QueryValue": self.text(), "Values": [self.text(), "b"]}
        sort = self.random.choice(list(SORTS))
        left, right = (self.number() if sort == "number" else self.text() for _ in range(2))
        return {"Type": self.random.choice(SORTS[sort]), "LeftValue": left, "RightValue": right}


def test_both_execute_random_pipelines_alike(tmp_path: Path) -> None:
    cases = [execution("random", Grower(Random(number)).case(number)) for number in range(COUNT)]
    answers = answered(cases, tmp_path)
    found = {case.name: wrong for case in cases if (wrong := list(differences(case, answers[case.name])))}
    assert found == {}
    ended = [answer["status"] for answer in answers.values()]
    assert min(ended.count("Succeeded"), ended.count("Failed")) > COUNT // 4, "both are common"
