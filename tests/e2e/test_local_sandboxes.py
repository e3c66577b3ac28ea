"""What a container is on this machine, in every sandbox that works here: the same contract for all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sagewright.compiler.local import isolation, logfile
from sagewright.compiler.local.folders import translated
from sagewright.compiler.local.job import JobFailed
from sagewright.compiler.local.layout import entries
from sagewright.compiler.local.sandbox import Container, Mount, Process, Sandbox
from tests import local_jobs
from tests.local_jobs import PYTHON

ISOLATED = ("bubblewrap", "unshare")
ALL = (*ISOLATED, "folders")


@pytest.fixture(params=ALL)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return local_jobs.sandbox(request.param)


@pytest.fixture(params=ISOLATED)
def isolated(request: pytest.FixtureRequest) -> Sandbox:
    return local_jobs.sandbox(request.param)


def started(sandbox: Sandbox, folder: Path, code: str, **more: object) -> Process:
    """A container that runs Python, with `ml` of the folder as /opt/ml."""
    (folder / "ml").mkdir(exist_ok=True)
    mounts = (Mount(folder / "ml", "/opt/ml"), *more.pop("mounts", ()))  # type: ignore[misc]
    command = ("python", "-c", textwrap.dedent(code))
    made = Container(command, PYTHON, mounts=mounts, **more)  # type: ignore[arg-type]
    return sandbox.start(made, folder / "log")


def printed(folder: Path) -> str:
    log = folder / "log"
    return log.read_text(errors="replace") if log.exists() else ""


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes_with(mark: str) -> list[int]:
    """Processes of the whole machine whose arguments hold a text."""
    found: list[int] = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                if mark.encode() in (path / "cmdline").read_bytes() and alive(int(path.name)):
                    found.append(int(path.name))
            except OSError:
                continue
    return found


# -- what it sees -----------------------------------------------------------------------------------------------------


def test_a_container_sees_its_files_and_its_variables_alone(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "given").write_text("data")
    code = """
        import json, os, sys
        base = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
        seen = {"given": open(base + "/given").read(), "at": os.environ["AT"], "cwd": os.getcwd(), "base": base}
        seen.update(names=sorted(os.environ), python=sys.prefix, home=os.environ["HOME"], argument=sys.argv[1])
        open(base + "/seen", "w").write(json.dumps(seen))
    """
    command = ("python", "-c", textwrap.dedent(code), "/opt/ml/given")
    mounts = (Mount(tmp_path / "ml", "/opt/ml"),)
    made = Container(command, PYTHON, {"AT": "s3://opt/ml:/opt/ml/given"}, mounts, "/opt/ml")
    assert sandbox.start(made, tmp_path / "log").wait() == 0, printed(tmp_path)
    seen = json.loads((tmp_path / "ml" / "seen").read_text())
    at = seen["base"]
    assert (at == "/opt/ml") is (sandbox.name != "folders")
    assert seen["given"] == "data"
    assert (seen["at"], seen["argument"], seen["cwd"]) == (f"s3://opt/ml:{at}/given", f"{at}/given", at)
    assert seen["python"] == sys.prefix
    assert not [name for name in seen["names"] if name.startswith("AWS")]
    assert Path(seen["home"]) != Path.home()


def test_it_writes_nowhere_but_in_what_is_mounted(isolated: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "read").mkdir()
    (tmp_path / "read" / "file").write_text("kept")
    here, kept = Path(__file__), tmp_path / "read"
    code = f"""
        import os
        for place in ("/etc/sagewright", "/usr/sagewright", "/sagewright", {str(here.parent / "made")!r},
                      "/opt/sagewright", "/srv/kept/file", "/srv/sagewright"):
            try:
                open(place, "w").close()
                print("wrote", place)
            except OSError as error:
                print("refused", place, error.errno)
        for place in ("/tmp/free", "/opt/ml/free", "/dev/shm/free", "/somewhere/else/free"):
            open(place, "w").write("x")
    """
    mounts = (Mount(kept, "/srv/kept", writable=False), Mount(tmp_path, "/somewhere/else"))
    process = started(isolated, tmp_path, code, mounts=mounts)
    assert process.wait() == 0, printed(tmp_path)
    assert "wrote" not in printed(tmp_path)
    assert (kept / "file").read_text() == "kept"
    assert (tmp_path / "free").read_text() == "x"
    assert not Path("/tmp/free").exists()


def test_without_a_network_it_reaches_nothing(isolated: Sandbox, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('reached')"
        assert started(isolated, tmp_path, code).wait() == 0, printed(tmp_path)
        assert started(isolated, tmp_path, code, network=False).wait() == 1
    assert printed(tmp_path).count("reached") == 1


def test_it_has_processes_of_its_own(isolated: Sandbox, tmp_path: Path) -> None:
    code = "import os; print('pids', sorted(int(n) for n in os.listdir('/proc') if n.isdigit()))"
    assert started(isolated, tmp_path, code).wait() == 0
    assert "pids [1, 2]" in printed(tmp_path)


def test_data_and_python_below_tmp_are_found_all_the_same(isolated: Sandbox, tmp_path: Path) -> None:
    if not tmp_path.is_relative_to("/tmp"):
        pytest.skip("temporary folders are elsewhere on this machine")
    from sagewright.compiler.local.installing import layer

    python = layer(tmp_path / "layer", PYTHON)
    made = Container(("python3", "-c", "import sys, click; print(sys.prefix)"), python)
    assert isolated.start(made, tmp_path / "log").wait() == 0, printed(tmp_path)
    assert printed(tmp_path).strip() == str(tmp_path / "layer")


# -- how it ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.kill(os.getpid(), 11)", -11),
    ],
)
def test_exit_codes_and_signals_are_told_apart(
    sandbox: Sandbox, tmp_path: Path, code: str, expected: int
) -> None:
    process = started(sandbox, tmp_path, code)
    assert process.wait() == expected
    assert process.wait() == expected
    process.stop()


def test_what_cannot_be_started_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    assert sandbox.start(Container(("no-such-program",), PYTHON), tmp_path / "log").wait() == 127
    assert "cannot start no-such-program: no such file or directory" in printed(tmp_path)


def test_usage_counts_the_children(sandbox: Sandbox, tmp_path: Path) -> None:
    code = """
        import subprocess, sys
        hold = "x = bytearray(80 << 20); import time; t = time.process_time()\\nwhile time.process_time() < t + 0.2: pass"
        subprocess.run([sys.executable, "-c", hold], check=True)
    """
    process = started(sandbox, tmp_path, code)
    assert process.wait() == 0, printed(tmp_path)
    assert process.usage.cpu_seconds >= 0.2
    assert process.usage.memory >= 80 << 20
    assert process.usage.seconds >= 0.2


TREE = """
    import signal, subprocess, sys, time
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    for more in ({}, {"start_new_session": True}):
        subprocess.Popen([sys.executable, "-c", child, sys.argv[1] if sys.argv[1:] else MARK], **more)
"""


def tree(mark: str, rest: str) -> str:
    return textwrap.dedent(TREE).replace("MARK", repr(mark)) + rest


def test_the_whole_tree_ends_with_the_command(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = f"mark-{tmp_path}"
    assert started(sandbox, tmp_path, tree(mark, "time.sleep(0.3)")).wait() == 0, printed(tmp_path)
    assert processes_with(mark) == []


def test_stopping_asks_first_and_then_ends_the_whole_tree(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = f"mark-{tmp_path}"
    asked = (
        "signal.signal(signal.SIGTERM, lambda *_: print('asked', flush=True))\nwhile True: time.sleep(600)"
    )
    process = started(sandbox, tmp_path, tree(mark, asked))
    until(lambda: printed(tmp_path).count("up") == 2)
    assert process.wait(0.0) is None
    process.stop(grace=0.3)
    assert process.wait() == -9
    assert "asked" in printed(tmp_path)
    assert processes_with(mark) == []


def test_a_polite_script_is_given_the_time_to_end(sandbox: Sandbox, tmp_path: Path) -> None:
    code = """
        import signal, sys, time
        def end(*_):
            time.sleep(0.2); print("saved", flush=True); sys.exit(7)
        signal.signal(signal.SIGTERM, end); print("up", flush=True); time.sleep(600)
    """
    process = started(sandbox, tmp_path, code)
    until(lambda: "up" in printed(tmp_path))
    process.stop()
    assert process.wait() == 7
    assert "saved" in printed(tmp_path)


def test_sigterm_to_its_pid_ends_it(sandbox: Sandbox, tmp_path: Path) -> None:
    process = started(sandbox, tmp_path, "import time; print('up', flush=True); time.sleep(600)")
    until(lambda: "up" in printed(tmp_path))
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(20) == -15


OWNER = """
import sys, time
from pathlib import Path
from sagewright.compiler.local import isolation
from sagewright.compiler.local.sandbox import Container
folder, name, detached, mark = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "detached", sys.argv[4]
command = ("python", "-c", "import time, sys; print('up', flush=True); time.sleep(600)", mark)
process = isolation.choose(name).start(Container(command, Path(sys.executable)), folder / "log", detached=detached)
print(process.pid, flush=True)
time.sleep(600)
"""


def owner(folder: Path, name: str, how: str, mark: str) -> tuple[subprocess.Popen[str], int]:
    """A process of its own that starts a container: it, and the container's pid."""
    command = [sys.executable, "-c", OWNER, str(folder), name, how, mark]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    until(lambda: "up" in printed(folder))
    return process, pid


def test_it_ends_when_whoever_started_it_is_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = f"mark-{tmp_path}"
    process, pid = owner(tmp_path, sandbox.name, "attached", mark)
    process.kill()
    process.communicate()
    until(lambda: not alive(pid))
    until(lambda: processes_with(mark) == [])


def test_a_detached_one_lives_on_until_it_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = f"mark-{tmp_path}"
    process, pid = owner(tmp_path, sandbox.name, "detached", mark)
    process.kill()
    process.communicate()
    time.sleep(0.2)
    assert alive(pid)
    os.kill(pid, signal.SIGTERM)
    until(lambda: processes_with(mark) == [])


# -- what it prints ---------------------------------------------------------------------------------------------------


def test_a_script_that_prints_without_end_leaves_a_small_log(sandbox: Sandbox, tmp_path: Path) -> None:
    code = """
        line = b"x" * 99 + b"\\n"
        import sys
        sys.stdout.buffer.write(b"the beginning\\n")
        for _ in range(4000):
            sys.stdout.buffer.write(line * 100)
        sys.stdout.buffer.write(b"the end\\n")
    """
    assert started(sandbox, tmp_path, code).wait() == 0
    text = printed(tmp_path)
    assert logfile.HEAD < len(text) <= logfile.HEAD + 2 * logfile.TAIL + 70_000
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == ("the beginning", "the end")
    cut = [line for line in lines if line.startswith("[sagewright]")]
    assert len(cut) == 1
    lost = int(cut[0].split()[1].replace(",", ""))
    assert lost + len(text) - len(cut[0]) - 1 == 4000 * 100 * 100 + len("the beginning\nthe end\n")
    assert {line for line in lines if line.startswith("x")} == {"x" * 99}


def test_a_file_may_not_outgrow_the_volume(sandbox: Sandbox, tmp_path: Path) -> None:
    code = (
        "open('/tmp/big', 'wb').write(bytes(2 << 20))"
        if sandbox.name != "folders"
        else ("import os; open(os.environ['TMPDIR'] + '/big', 'wb').write(bytes(2 << 20))")
    )
    assert started(sandbox, tmp_path, code, largest_file=1 << 20).wait() == 1
    assert "File too large" in printed(tmp_path)


# -- choosing ---------------------------------------------------------------------------------------------------------


def test_the_best_that_works_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    working = {"unshare": local_jobs.sandbox("folders"), "folders": local_jobs.sandbox("folders")}

    def look(name: str) -> Sandbox:
        if name not in working:
            raise JobFailed(f"{name} does not work here")
        return working[name]

    monkeypatch.setattr(isolation, "_working", look)
    assert isolation.choose() is working["unshare"]
    del working["unshare"]
    assert isolation.choose().name == "folders"
    with pytest.raises(JobFailed, match="bubblewrap does not work here"):
        isolation.choose("bubblewrap")


def test_a_sandbox_nobody_knows_is_refused() -> None:
    with pytest.raises(JobFailed, match=r"no sandbox `bublewrap`.*did you mean `bubblewrap`"):
        isolation.choose("bublewrap")


def test_a_sandbox_that_does_not_work_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    isolation._working.cache_clear()
    try:
        with pytest.raises(JobFailed, match=r"bubblewrap does not work here: .*No permissions to create"):
            isolation.choose("bubblewrap")
    finally:
        isolation._working.cache_clear()


def test_folders_say_what_they_do_not_keep_apart() -> None:
    gaps = " ".join(local_jobs.sandbox("folders").gaps)
    assert "SAGEMAKER_BASE_DIR" in gaps
    assert "network" in gaps


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/opt/ml", "/b"),
        ("/opt/ml/code", "/c/d"),
        ("--in=/opt/ml/input/x", "--in=/b/input/x"),
        ("a:/opt/ml:b", "a:/b:b"),
        ("/opt/mlx", "/opt/mlx"),
        ("/opt/ml-2/x", "/opt/ml-2/x"),
        ("/home/opt/ml/x", "/home/opt/ml/x"),
        ("s3://bucket/opt/ml/x", "s3://bucket/opt/ml/x"),
    ],
)
def test_paths_are_translated_where_they_are_paths(text: str, expected: str) -> None:
    assert translated(text, {"/opt/ml": "/b", "/opt/ml/code": "/c/d", "/tmp": "/t"}) == expected


def test_folders_that_this_machine_lacks_are_made_without_hiding_their_neighbours(tmp_path: Path) -> None:
    place = tmp_path / "there"
    place.mkdir()
    (place / "neighbour").mkdir()
    made = entries(Container(("true",), PYTHON, mounts=(Mount(tmp_path, f"{place}/new/data"),)))
    kinds = {entry.target: entry.kind for entry in made}
    if not tmp_path.is_relative_to("/tmp"):
        assert kinds[str(place / "neighbour")] == "read"
    assert kinds[f"{place}/new/data"] == "write"
    assert kinds["/proc"] == "proc"
    assert made[-1].kind == "seal"
