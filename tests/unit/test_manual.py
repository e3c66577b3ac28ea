"""The reference manual: every kind's example compiles, and its page says what the kind and its schema say."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from sagewright import schemas, steps
from sagewright.compiler.cli import root
from sagewright.compiler.driver import compile_file
from sagewright.compiler.manual import WIDTH, Key, common_keys, key_table, manual, markdown, terminal
from tests.unit.test_imports import imported, packages

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "steps" / "examples"
OPTIONS = {
    "region": "us-west-2",
    "bucket": "my-bucket",
    "role": "arn:aws:iam::123456789012:role/SageMakerRole",
}


def key(kind: str, path: str) -> Key:
    """A key of a kind, from its page."""
    made = manual(kind)
    return next(found for found in [*made.keys, *made.common] if found.path == path)


def test_every_kind_has_an_example_and_every_example_a_kind() -> None:
    found = {path.stem for path in EXAMPLES.iterdir()}
    lacking, stray = [name for name in steps.KINDS if name not in found], sorted(found - steps.KINDS.keys())
    assert lacking == [], f"write steps/examples/<kind>.yaml for {', '.join(lacking)}"
    assert stray == [], f"no kind is called {', '.join(stray)}"


@pytest.mark.parametrize("name", steps.KINDS)
def test_the_example_shows_the_kind_and_compiles_without_findings(name: str, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(manual(name).example + "\n", encoding="utf-8")
    result = compile_file(path, **OPTIONS)
    assert result.diagnostics == []
    assert result.compilation is not None
    assert f"kind: {name}\n" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", steps.KINDS)
def test_a_page_has_every_key_and_every_reference(name: str) -> None:
    made, kind = manual(name), steps.find(name)
    assert kind is not None
    schema = schemas.load(f"steps/{name}")
    told = {found.path: found for found in [*made.keys, *made.common]}
    assert schema["properties"].keys() <= told.keys()
    assert [path for path in schema["required"] if not told[path].required] == []
    named = [found for path, found in told.items() if not path.endswith(("[]", "<name>"))]
    assert [found.path for found in named if not found.text or not found.type] == []
    assert len(made.references) >= len(kind.sugar)
    for text in (markdown(made), terminal(made)):
        assert all(reference.text in text for reference in made.references)
        assert made.about.split("\n")[0] in text


@pytest.mark.parametrize("name", steps.KINDS)
def test_both_forms_keep_to_what_can_be_read(name: str) -> None:
    made = manual(name)
    prose = terminal(made).replace(made.about, "")
    assert [line for line in prose.split("\n") if len(line) > WIDTH and " " in line.strip()] == []
    for row in key_table([*made.keys, *made.common]):
        assert row.replace("\\|", "").count("|") == 5
        outside = "".join(row.split("`")[::2]).replace("\\<", "")
        assert "<" not in outside


@pytest.mark.parametrize(
    ("kind", "path", "type", "default"),
    [
        ("training", "kind", "`training`", ""),
        ("training", "mode", "`File` or `Pipe` or `FastFile`", "File"),
        ("training", "inputs.<name>.sharded", "boolean, literal", "false"),
        ("training", "groups[].count", "integer, at least 1", "1"),
        ("training", "max_attempts", "integer, 1 to 30", ""),
        ("training", "environment", "mapping to text", ""),
        ("training", "network.subnets", "list of string", ""),
        ("lambda", "outputs", "mapping to `String` or `Integer` or `Float` or `Boolean`", ""),
    ],
)
def test_types_and_defaults(kind: str, path: str, type: str, default: str) -> None:
    found = key(kind, path)
    assert (found.type, found.default) == (type, default)


def test_what_was_told_before_is_referred_to() -> None:
    assert "Its keys are those of `training`." in key("tuning", "trainings.<name>").text
    assert "`spot`, `checkpoints`" in key("tuning", "training").text
    assert not [found for found in manual("tuning").keys if found.path.startswith("training.spot")]
    assert "A value that is no mapping is its `type`." in key("training", "instance").text


def test_values_are_written_as_yaml() -> None:
    assert '`{LOG_LEVEL: info, THRESHOLD: "${parameters.Threshold}"}`' in key("training", "environment").text
    assert "`[{name: workers, type: ml.p4d.24xlarge, count: 2}," in key("training", "groups").text


def test_references_have_their_types_and_properties() -> None:
    found = {
        reference.text: (reference.type, reference.property) for reference in manual("training").references
    }
    assert found["${steps.<step>.metrics.<name>}"] == (
        "Float",
        "Steps.<step>.FinalMetricDataList['<name>'].Value",
    )
    assert manual("callback").references[0].type == "as declared"
    assert manual("tuning").references[0].text == "${steps.<step>.top_model_data[<number>]}"
    assert manual("fail").properties == "It has no properties."


def test_facts() -> None:
    assert any("`CreateTrainingJob`" in fact for fact in manual("training").facts)
    assert manual("endpoint").facts[-2:] == ["Takes no `retry`.", "Cached, where `cache` asks for it."]
    assert manual("fail").facts[-1] == "Never cached."
    assert any(fact.startswith("Unproven: ") for fact in manual("emr_serverless").facts)
    assert "ModelDeployConfig" in manual("automl").refused


def test_shared_keys_are_told_in_full() -> None:
    paths = [found.path for found in common_keys()]
    assert {"retry[].errors", "depends_on[].step", "reports.<name>.uri"} <= set(paths)


def test_explain_shows_it() -> None:
    shown = CliRunner().invoke(root, ["explain", "training"]).output
    assert shown == terminal(manual("training")) + "\n"
    assert "  max_runtime  integer or string, at least 0; default 1h\n" in shown


def test_explaining_a_kind_needs_no_compiler() -> None:
    modules = imported("explain", "training")
    assert packages(modules) <= {"click", "yaml"}
    assert "sagewright.compiler.driver" not in modules
