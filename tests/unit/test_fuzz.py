"""No input whatever gives a traceback. `tests/benchmarks/fuzz.py` tries many more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fuzzing import Input, attempt, make, prepare, run

SEED, COUNT = 20240229, 1_200
SAMPLE = 20


def test_no_input_gives_a_traceback(tmp_path: Path) -> None:
    failures = run(tmp_path, SEED, range(COUNT))
    assert not failures, "\n\n".join(map(str, failures[:5]))


def test_inputs_reach_every_stage(tmp_path: Path) -> None:
    """Inputs that are all refused by the first check would test nothing but it."""
    from sagewright.compiler import compile_file

    pipeline = prepare(tmp_path)
    compiled, codes = 0, set[str]()
    for number in range(400):
        assert attempt(pipeline, number, make(SEED, number)) is None
        result = compile_file(pipeline)
        compiled += result.ok
        codes.update(diagnostic.code for diagnostic in result.diagnostics)
    assert compiled > 40
    assert {code[:3] for code in codes} >= {"SW1", "SW2", "SW3", "SW4", "SW5", "SW6", "SW8", "SW9"}


def test_inputs_can_be_made_again() -> None:
    assert [make(1, number) for number in range(50)] == [make(1, number) for number in range(50)]
    assert make(1, 3) != make(2, 3)


def test_a_failure_is_noticed(tmp_path: Path, monkeypatch) -> None:
    """The net holds: an exception in a stage is a failure that shows its input."""
    monkeypatch.setattr("sagewright.compiler.driver.check", lambda *_: 1 / 0)
    failure = attempt(prepare(tmp_path), 7, Input(b"name: p\nsteps: {A: {kind: fail}}\n"))
    assert failure is not None
    assert "ZeroDivisionError" in failure.reason
    assert "kind: fail" in str(failure)


def test_the_command_line_gives_no_traceback(tmp_path: Path) -> None:
    pipeline = prepare(tmp_path)
    for number in range(SAMPLE):
        made = make(SEED + 1, number)
        pipeline.write_bytes(made.pipeline)
        (tmp_path / "sagewright.yaml").write_bytes(made.project)
        command = [sys.executable, "-m", "sagewright.compiler", "check", str(pipeline)]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=60
        )
        output = done.stdout + done.stderr
        assert "Traceback" not in output, made
        assert "internal error" not in output, made
        assert done.returncode in (0, 1), (made, output)
