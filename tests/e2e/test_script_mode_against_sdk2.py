"""Script mode against SageMaker SDK 2.257 itself: every framework, distribution, model and tuning case."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from sagewright.compiler.definition import differences
from sagewright.steps._monitoring import DEBUGGER_RULES, PROFILER_RULES
from tests.definitions import (
    CASES,
    NO_SHARED,
    SHARED,
    allowed,
    compiled,
    definition_of,
    oracle_of,
    renamed,
    unexplained,
)
from tests.sdk import NO_SDK2, sdk2_python, sdk_environment

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sdk2_python() is None, reason=NO_SDK2)]
TWINS = {
    name: oracle.removeprefix("scriptmode/")
    for name, path in CASES.items()
    if (oracle := oracle_of(path)) and oracle.startswith("scriptmode/") and "/v3_" not in oracle
}
"""Case → the file that the oracle's programs write."""
REFUSED = {"xgboost-dask.json"}
"""What the SDK makes, and we have no word for: `distribution` has no `dask`."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the SDK emits now."""
    if not SHARED.exists():
        pytest.skip(NO_SHARED)
    folder = tmp_path_factory.mktemp("sdk2")
    program = str(Path(__file__).with_name("sdk2_script_mode.py"))
    environment = {**sdk_environment(), "PYTHONDONTWRITEBYTECODE": "1", "TZ": "UTC"}
    done = subprocess.run(
        [str(sdk2_python()), program, str(SHARED / "oracle"), str(folder)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_every_case_of_the_sdks_has_a_twin(live: Path) -> None:
    assert {path.name for path in live.glob("*.json")} - REFUSED == set(TWINS.values())


@pytest.mark.parametrize("case", TWINS)
def test_equals_the_sdk_of_today(case: str, live: Path) -> None:
    theirs = renamed(CASES[case], json.loads((live / TWINS[case]).read_text()))
    ours = definition_of(compiled(CASES[case]))
    left, _ = unexplained(differences(ours, theirs, names=("ours", "the SDK's")), allowed(case))
    assert left == []


def test_the_built_in_rules_are_the_sdks() -> None:
    """Those that the SDK has a function for, and the profiler's; our lists may hold more, from AWS's pages."""
    program = (
        "import json, pathlib, re, smdebug_rulesconfig as d, smdebug_rulesconfig.profiler_rules.rules as p;"
        "texts = [f.read_text() for f in pathlib.Path(d.__file__).parent.rglob('rule_config_jsons/*.json')];"
        "names = re.findall(r'\"RuleConfigurationName\": \"(\\w+)\"', ''.join(texts));"
        "print(json.dumps([names, [c.__name__ for c in p.ProfilerRuleBase.__subclasses__()]]))"
    )
    command = [str(sdk2_python()), "-W", "ignore", "-c", program]
    said = subprocess.run(command, env=sdk_environment(), capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    debugger, profiler = json.loads(said.stdout)
    assert len(debugger) > 15
    assert set(debugger) <= DEBUGGER_RULES
    assert set(profiler) <= PROFILER_RULES
