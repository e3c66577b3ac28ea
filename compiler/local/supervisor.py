"""The first process of a container: `supervisor.py CONTROL REPORT GRACE BYTES DIRECTORY COMMAND...`.

It starts the command, adopts what the command leaves behind, and ends all of it when the command ends. A `T` from the
pipe CONTROL sends SIGTERM, a `K` SIGKILL; the pipe's end (whoever started this has gone, killed ones included) and a
SIGTERM send both, GRACE seconds apart. CONTROL is -1 where there is no pipe. On REPORT it says `started`, and at the
end the exit code (negative: a signal's number), seconds of CPU and the largest process's bytes.

It stands alone, for an interpreter without `site`, and imports little: it runs for every container.
"""

import os
import select
import signal
import sys
import time

PATIENCE = 2.0
"""Seconds to wait for processes that were sent SIGKILL."""


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends; the first process of a namespace is it already."""
    if os.getpid() == 1 or not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def descendants() -> "list[int]":
    """All processes below this one, where `/proc` tells."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH112, PTH208
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(name))
    found, waiting = [], [os.getpid()]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def send(number: int, child: int) -> None:
    """Signal everything but this process. The group is what is left where nothing tells about descendants."""
    if os.getpid() == 1:
        targets = [-1]
    else:
        targets = [-child, *descendants()]
    for target in targets:
        try:  # noqa: SIM105
            os.kill(target, number)
        except (ProcessLookupError, PermissionError):
            pass


def reap(child: int) -> "tuple[int | None, bool]":
    """Collect what has ended: the status of `child` where it is among them, and whether any children are left."""
    status = None
    while True:
        try:
            pid, ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status, False
        if pid == 0:
            return status, True
        if pid == child:
            status = ended


def start(directory: str, most: int, command: "list[str]") -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if most:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        os.chdir(directory)
        os.execvp(command[0], command)
    except OSError as error:
        what = directory if error.filename == directory else command[0]
        os.write(2, f"cannot start {what}: {(error.strerror or str(error)).lower()}\n".encode())
        os._exit(126 if isinstance(error, PermissionError) else 127)
    except BaseException:
        os._exit(127)


def supervise(control: int, grace: float, child: int, wake: int) -> int:
    """The status of `child` once it has ended."""
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    if control >= 0:
        poll.register(control, select.POLLIN | select.POLLHUP)
    deadline: float | None = None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = [number for number, _ in poll.poll(left)]
        asked = os.read(control, 1) if control in ready else None
        abandoned = asked == b""
        if abandoned:
            poll.unregister(control)
        if wake in ready:
            abandoned = signal.SIGTERM in os.read(wake, 512) or abandoned
        if asked == b"T" or abandoned:
            send(signal.SIGTERM, child)
        if abandoned and deadline is None:
            deadline = time.monotonic() + grace
        if asked == b"K" or (deadline is not None and time.monotonic() >= deadline):
            send(signal.SIGKILL, child)
        status, _ = reap(child)
        if status is not None:
            return status


def sweep(child: int) -> None:
    """End what the command has left running."""
    end = time.monotonic() + PATIENCE
    while reap(child)[1] and time.monotonic() < end:
        send(signal.SIGKILL, child)
        time.sleep(0.002)


def used() -> "tuple[float, int]":
    """Seconds of CPU of everything that has ended below this process, and the bytes that the largest of them held."""
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


def say(report: int, text: str) -> None:
    try:  # noqa: SIM105
        os.write(report, text.encode())
    except OSError:  # whoever started it is gone
        pass


def main(arguments: "list[str]") -> int:
    control, report, grace, most = (
        int(arguments[0]),
        int(arguments[1]),
        float(arguments[2]),
        int(arguments[3]),
    )
    wake, ring = os.pipe()
    for end in (wake, ring):
        os.set_blocking(end, False)
    for end in (control, report):
        if end >= 0:
            os.set_inheritable(end, False)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    adopt_orphans()
    child = start(arguments[4], most, arguments[5:])
    say(report, "started\n")
    status = supervise(control, grace, child, wake)
    sweep(child)
    code = os.waitstatus_to_exitcode(status)
    seconds, memory = used()
    say(report, f"{code} {seconds:.6f} {memory}\n")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
