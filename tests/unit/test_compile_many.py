"""Many files side by side: in order, the same as one by one, and nothing left behind when it ends early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sagewright.compiler import driver
from sagewright.compiler.driver import Compiler, Result, WorkerLost, compile_many

COUNT = 40
"""More than is worth sharing out."""
PIPELINE = """\
name: p{number}
steps:
  Stop: {{kind: fail, message: "{message}"}}
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "sagewright.yaml").write_text("version: 1\n")
    made: list[Path] = []
    for number in range(COUNT):
        path = tmp_path / f"p{number:02}.yaml"
        path.write_text(
            PIPELINE.format(number=number, message="no" if number % 10 else "${parameters.Missing}")
        )
        made.append(path)
    return made


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_are_those_of_one_by_one_and_in_order(files: list[Path], jobs: int) -> None:
    alone = Compiler()
    for path, result in zip(files, compile_many(files, jobs=jobs), strict=True):
        expected = alone.compile(path)
        assert result.source == expected.source
        assert result.compilation == expected.compilation
        assert result.definition == expected.definition
        assert result.diagnostics == expected.diagnostics
        assert result.texts == (expected.texts if expected.diagnostics else {})


def test_the_first_result_comes_before_the_last_file_is_compiled(files: list[Path]) -> None:
    results = compile_many(files, jobs=1)
    assert next(results).source == str(files[0])
    files[-1].unlink()
    assert [d.code for d in list(results)[-1].diagnostics] == ["SW801"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_many_results_come_without_their_program(files: list[Path], jobs: int) -> None:
    assert all(result.program is None for result in compile_many(files, jobs=jobs))


def test_few_results_and_those_of_this_process_keep_it(files: list[Path]) -> None:
    assert all(result.program is not None for result in compile_many(files[1:9], jobs=2))
    assert sum(result.program is not None for result in compile_many(files)) == COUNT


def _die(_paths: list[Path]) -> list[Result]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_a_worker_that_is_killed_is_told(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_compile_chunk", _die)
    with pytest.raises(WorkerLost, match="was killed"):
        list(compile_many(files, jobs=2))


SLOW = """
import sys, time
from pathlib import Path
from sagewright.compiler import driver

def slow(paths):
    time.sleep(0.1)
    return []

driver._compile_chunk = slow
driver._CHUNK = 1
print("ready", flush=True)
for _ in driver.compile_many([Path(str(number)) for number in range(10_000)], jobs=2):
    pass
"""


@pytest.mark.parametrize("killer", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_workers_end_with_their_parent(killer: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    parent.stdout.readline()
    workers = _wait_for(lambda: psutil.Process(parent.pid).children(), lambda found: len(found) >= 2)
    parent.send_signal(killer)
    assert parent.wait(timeout=30) != 0  # the whole work would have taken many minutes
    parent.stdout.close()
    assert _wait_for(lambda: psutil.wait_procs(workers, timeout=1)[1], lambda alive: not alive) == []


Processes = list[psutil.Process]


def _wait_for(look: Callable[[], Processes], is_enough: Callable[[Processes], bool]) -> Processes:
    """What `look` finds once it is enough, or after a while."""
    found = look()
    for _ in range(60):
        if is_enough(found):
            break
        time.sleep(0.1)
        found = look()
    return found
