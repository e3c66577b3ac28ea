"""Jobs of CreateJob: their configuration as JSON in a string, with references in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sagewright.compiler.types import Type
from sagewright.steps.job import KIND
from tests.fakes import FakeContext
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, lowered, told

FULL = """
category: AgentRFT
schema_version: 1.0.0
config: {Epochs: 3, Rate: 0.5, Flag: true, Nothing: null, Items: [a, {b: c}], Empty: {}, None: []}
tags: {team: risk}
"""


def document(config: str, context: FakeContext | None = None, **parameters: Type) -> Any:
    text = f"category: AgentRFT\nschema_version: 1.0.0\nconfig: {config}"
    return lowered(KIND, text, context or FakeContext(), **parameters)["JobConfigDocument"]


def spliced(made: Any) -> Any:
    """The document when every reference is `<its path>`."""
    if isinstance(made, str):
        return json.loads(made)
    pieces = made["Std:Join"]["Values"]
    return json.loads("".join(p if isinstance(p, str) else f"<{p['Get']}>" for p in pieces))


def test_a_document_without_references_is_text() -> None:
    made = lowered(KIND, FULL, FakeContext())
    assert list(made) == ["RoleArn", "JobCategory", "JobConfigSchemaVersion", "JobConfigDocument", "Tags"]
    assert json.loads(made["JobConfigDocument"]) == {
        "Epochs": 3,
        "Rate": 0.5,
        "Flag": True,
        "Nothing": None,
        "Items": ["a", {"b": "c"}],
        "Empty": {},
        "None": [],
    }


def test_every_key_counts(tmp_path: Path) -> None:
    assert ignored_keys("job", FULL, tmp_path) == []
    assert untried_keys("job", [FULL]) == set()


def test_references_stand_in_strings() -> None:
    made = document(
        '{Model: "${parameters.M}", Deep: [{Uri: "s3://b/${parameters.M}/\\"x\\"", N: 1}], "k\\"": a}'
    )
    assert made["Std:Join"]["On"] == ""
    assert all(isinstance(piece, str) or "Get" in piece for piece in made["Std:Join"]["Values"])
    assert spliced(made) == {
        "Model": "<Parameters.M>",
        "Deep": [{"Uri": 's3://b/<Parameters.M>/"x"', "N": 1}],
        'k"': "a",
    }


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("s3://b/out", "s3://b/out/<Execution.PipelineExecutionId>/"),
        ("s3://b/out/", "s3://b/out/<Execution.PipelineExecutionId>/"),
        ('"${parameters.O}"', "<Parameters.O>/<Execution.PipelineExecutionId>/"),
        ('"${parameters.O}/x/"', "<Parameters.O>/x/<Execution.PipelineExecutionId>/"),
        ('"s3://b/${execution.id}"', "s3://b/<Execution.PipelineExecutionId>"),
    ],
)
def test_every_execution_has_an_output_of_its_own(written: str, path: str) -> None:
    made = document(f"{{OutputDataConfig: {{S3OutputPath: {written}, KmsKeyId: k}}, A: 1}}")
    assert spliced(made) == {"OutputDataConfig": {"S3OutputPath": path, "KmsKeyId": "k"}, "A": 1}


@pytest.mark.parametrize("kind", [Type.INTEGER, Type.FLOAT, Type.BOOLEAN])
def test_a_reference_that_is_no_string(kind: Type) -> None:
    context = FakeContext()
    document('{Epochs: "${parameters.N}"}', context, N=kind)
    assert [(m.code, m.at) for m in context.mistakes] == [("SW401", '"${parameters.N}"')]
    assert f"of type {kind}" in context.mistakes[0].message


def test_a_number_in_a_text_is_text() -> None:
    made = document('{Name: "run-${parameters.N}"}', N=Type.INTEGER)
    assert spliced(made) == {"Name": "run-<Parameters.N>"}


# -- in a pipeline ----------------------------------------------------------------------------------------------------


def job(rest: str = "", config: str = "{A: 1}") -> str:
    return f"J:\n  kind: job\n  category: AgentRFT\n  schema_version: 1.0.0\n  config: {config}\n{rest}\n"


def refer(path: str, folder: Path) -> Any:
    after = f'After: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {{a: "${{steps.J.{path}}}"}}}}'
    return compile_steps(folder, job() + after)


@pytest.mark.parametrize("path", ["JobArn", "JobStatus", "JobConfigDocument.ServiceOutput.Arn"])
def test_properties(path: str, tmp_path: Path) -> None:
    result = refer(path, tmp_path)
    assert result.diagnostics == []
    assert result.definition["Steps"][1]["Arguments"] == {"a": {"Get": f"Steps.J.{path}"}}


@pytest.mark.parametrize(
    ("rest", "config", "code", "at"),
    [
        ("", "text", "SW203", "text"),
        ("", '"${execution.id}"', "SW408", '"${execution.id}"'),
        ("  api: {JobCategory: Chores}", "{A: 1}", "SW604", "Chores"),
        ("  api: {JobConfigSchemaVersion: one.two}", "{A: 1}", "SW605", "one.two"),
        ("  schema_verison: 1.0.0", "{A: 1}", "SW201", "schema_verison"),
        ("  instance: ml.m5.large", "{A: 1}", "SW201", "instance"),
    ],
)
def test_mistakes(rest: str, config: str, code: str, at: str, tmp_path: Path) -> None:
    found = told(compile_steps(tmp_path, job(rest, config)))
    found = [
        one for one in found if one[0] != "SW906"
    ]  # that `api` wins over `category` and `schema_version`
    assert [code for code, _ in found] == [code]
    assert at.strip('"') in found[0][1]


def test_retries_and_cache(tmp_path: Path) -> None:
    rest = "  retry: [{errors: [resource_limit], expire_after: 30m}]\n  cache: 1d"
    result = compile_steps(tmp_path, job(rest))
    assert result.definition is not None, result.diagnostics
    assert result.definition["Steps"][0]["RetryPolicies"][0]["ExceptionType"] == ["SageMaker.RESOURCE_LIMIT"]
    assert result.definition["Steps"][0]["CacheConfig"]["ExpireAfter"] == "P1D"
