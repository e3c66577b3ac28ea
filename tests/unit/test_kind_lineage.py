"""Lineage: entities as AWS spells them, and associations whose ends are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sagewright.steps.lineage import KIND
from tests.fakes import FakeContext
from tests.keys import ignored_keys, untried_keys
from tests.kinds import compile_steps, golden_arguments, lowered, needs_golden, told

ACTIONS = "actions: [{ActionName: run, Source: {SourceUri: s3://b/run, SourceType: S3ETag}, ActionType: ModelTraining}]\n"
ARTIFACTS = "artifacts: [{ArtifactName: art, Source: {SourceUri: s3://b/m}, ArtifactType: Model}]\n"
CONTEXTS = "contexts: [{ContextName: ctx, Source: {SourceUri: s3://b/c}, ContextType: Project}]\n"
ASSOCIATIONS = (
    "associations: [{Source: {Name: run, Type: Action}, Destination: {Name: art, Type: Artifact}, "
    "AssociationType: Produced}]\n"
)


@needs_golden
def test_equals_the_sdk() -> None:
    made = lowered(KIND, ASSOCIATIONS + ARTIFACTS + ACTIONS, FakeContext())
    wanted = golden_arguments("newtypes.json", "Lin")
    assert made == wanted
    assert list(made) == list(wanted)


def test_every_key_counts(tmp_path: Path) -> None:
    full = ACTIONS + ARTIFACTS + CONTEXTS + ASSOCIATIONS
    assert ignored_keys("lineage", full, tmp_path) == []
    assert untried_keys("lineage", [full]) == set()


def test_an_end_that_exists() -> None:
    arn = "arn:aws:sagemaker:us-west-2:123456789012:context/c"
    made = lowered(
        KIND,
        f"{ARTIFACTS}associations: [{{Source: {{Arn: {arn}}}, Destination: {{Name: art, Type: Artifact}}}}]",
        FakeContext(),
    )
    assert made["Associations"][0]["Source"] == {"Arn": arn}


def test_names_that_are_references_are_not_looked_up() -> None:
    text = ARTIFACTS.replace("art,", '"${parameters.A}",') + ASSOCIATIONS.replace(
        "{Name: run, Type: Action}", "{Name: x, Type: Artifact}"
    )
    context = FakeContext()
    lowered(KIND, text, context)
    assert context.mistakes == []


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("actions: []", "SW202", "Lin"),
        (
            ARTIFACTS.replace(
                "ArtifactType: Model}]",
                "ArtifactType: Model}, {ArtifactName: art, "
                "Source: {SourceUri: s3://b/n}, ArtifactType: Model}]",
            ),
            "SW208",
            "art",
        ),
        (ACTIONS + ASSOCIATIONS, "SW302", "art"),
        (ARTIFACTS + ASSOCIATIONS.replace("run", "art"), "SW302", "art"),
        (ACTIONS + ARTIFACTS + ASSOCIATIONS.replace("Type: Action", "Type: Act"), "SW204", "Act"),
        (ACTIONS + ARTIFACTS + ASSOCIATIONS.replace("Name: run, ", ""), "SW208", "{Type: Action}"),
        (ACTIONS + ARTIFACTS + ASSOCIATIONS.replace(", Type: Action", ""), "SW208", "{Name: run}"),
        (
            ACTIONS + ARTIFACTS + ASSOCIATIONS.replace("Name: run", "Arn: a"),
            "SW208",
            "{Arn: a, Type: Action}",
        ),
    ],
)
def test_mistakes(text: str, code: str, at: str) -> None:
    context = FakeContext()
    lowered(KIND, text, context, "Lin")
    assert [(mistake.code, mistake.at) for mistake in context.mistakes] == [(code, at)]


def test_what_helps() -> None:
    context = FakeContext()
    lowered(KIND, ARTIFACTS + ACTIONS + ASSOCIATIONS.replace("Type: Artifact", "Type: artifact"), context)
    lowered(KIND, "actions: []", context)
    assert [mistake.help for mistake in context.mistakes] == [
        "did you mean `Artifact`?",
        "give it `actions`, `artifacts`, `contexts` or `associations`",
    ]


# -- in a pipeline ----------------------------------------------------------------------------------------------------


def lineage(text: str, after: str = "") -> str:
    return "Lin:\n  kind: lineage\n" + "".join(f"  {line}\n" for line in text.strip().split("\n")) + after


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        (ACTIONS.replace("ActionType", "ActionTyp"), "SW601", "ActionTyp"),
        (ACTIONS.replace(", ActionType: ModelTraining", ""), "SW602", "{ActionName: run"),
        (ACTIONS.replace("run,", "a_b,"), "SW605", "a_b"),
        (ACTIONS.replace("ModelTraining", "7"), "SW603", "7"),
        (ACTIONS.replace("}]", ", Properties: {n: 1}}]"), "SW603", "1"),
        (ARTIFACTS + "associations: [{Source: {Name: art, Type: Artifact}}]", "SW602", "{Source: "),
        (
            ARTIFACTS + "associations: [{Source: {Name: art, Type: Artifact}, Destination: {Arn: x}}]",
            "SW605",
            "x",
        ),
        (ARTIFACTS + ACTIONS + ASSOCIATIONS.replace("Produced", "Made"), "SW604", "Made"),
        (ARTIFACTS + "associations: [1]", "SW203", "1"),
        (ARTIFACTS + "cache: 1d", "SW211", "cache"),
        (ARTIFACTS + "role: arn:aws:iam::123456789012:role/R", "SW211", "role"),
    ],
)
def test_mistakes_that_the_schemas_tell(text: str, code: str, at: str, tmp_path: Path) -> None:
    found = told(compile_steps(tmp_path, lineage(text)))
    assert any(found_code == code and place.startswith(at) for found_code, place in found), found


def refer(path: str, folder: Path) -> Any:
    after = f'After: {{kind: lambda, function: "arn:aws:lambda:us-west-2:123456789012:function:f", arguments: {{a: "${{steps.Lin.{path}}}"}}}}'
    return compile_steps(folder, lineage(ACTIONS + ARTIFACTS, after))


@pytest.mark.parametrize("path", ["ActionArns['run']", "ArtifactArns['art']"])
def test_the_arns_of_what_it_makes(path: str, tmp_path: Path) -> None:
    result = refer(path, tmp_path)
    assert result.diagnostics == []
    assert result.definition["Steps"][1]["Arguments"] == {"a": {"Get": f"Steps.Lin.{path}"}}


@pytest.mark.parametrize(
    ("path", "code", "at"),
    [
        ("ActionArns['ran']", "SW302", "ran"),
        ("ContextArns['run']", "SW302", "run"),
        ("ActionArns", "SW302", "ActionArns"),
        ("ActionArn", "SW304", "ActionArn"),
    ],
)
def test_arns_of_what_it_does_not_make(path: str, code: str, at: str, tmp_path: Path) -> None:
    assert told(refer(path, tmp_path)) == [(code, at)]


def test_references_are_edges(tmp_path: Path) -> None:
    before = "Before: {kind: transform, model: m, input: s3://b/i, instance: ml.m5.large}\n"
    text = lineage(ARTIFACTS.replace("s3://b/m", '"${steps.Before.output}"'))
    result = compile_steps(tmp_path, before + text)
    assert result.diagnostics == []
    assert result.program is not None
    assert [(edge.source, edge.target) for edge in result.program.edges] == [("Before", "Lin")]
