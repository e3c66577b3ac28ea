"""Makes the file system of a container, and runs a command in it: `mounting.py ROOT ENTRIES COMMAND...`.

It runs in a mount namespace of its own. ENTRIES is JSON: a list of kind, target and source, see `layout.Entry`. ROOT
is an empty folder. It stands alone, for an interpreter without `site`.
"""

import ctypes
import json
import os
import sys

REMOUNT, BIND, RECURSIVE, PRIVATE, READ_ONLY = 32, 4096, 16384, 1 << 18, 1
NOT_SETUID, NO_DEVICES, NO_PROGRAMS = 2, 4, 8
_KEPT = {1 << 1: 1 << 1, 1 << 2: 1 << 2, 1 << 3: 1 << 3, 1 << 10: 1 << 10, 1 << 11: 1 << 11, 1 << 12: 1 << 21}
"""A mount's flags as statvfs and as mount have them: what a namespace may not take away."""
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). Raises OSError."""
    texts = [text.encode() if text else None for text in (source, target, kind, data)]
    if libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def prepare(source: str, target: str) -> None:
    """A folder, or an empty file, to mount on."""
    if os.path.isdir(source):  # noqa: PTH112
        os.makedirs(target, exist_ok=True)  # noqa: PTH103
    elif not os.path.exists(target):  # noqa: PTH110
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))


def bind(source: str, target: str, writable: bool) -> None:
    prepare(source, target)
    mount(source, target, flags=BIND | RECURSIVE)
    if not writable:
        for below in (*submounts(target), target):
            seal(below)


def seal(target: str) -> None:
    held = os.statvfs(target).f_flag
    kept = sum(flag for seen, flag in _KEPT.items() if held & seen)
    mount("", target, flags=REMOUNT | BIND | READ_ONLY | kept)


def submounts(target: str) -> "list[str]":
    """What is mounted below a folder, deepest first."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:  # noqa: PTH123
        places = [line.split()[4].encode().decode("unicode_escape") for line in file]
    return sorted({place for place in places if place.startswith(f"{target}/")}, reverse=True)


def devices(target: str) -> None:
    os.makedirs(target, exist_ok=True)  # noqa: PTH103
    mount("sagewright", target, "tmpfs", NOT_SETUID, "mode=755")
    graphics = [name for name in os.listdir("/dev") if name.startswith(("nvidia", "neuron"))]  # noqa: PTH208
    for name in (*DEVICES, *graphics):
        if os.path.exists(f"/dev/{name}"):  # noqa: PTH110
            bind(f"/dev/{name}", f"{target}/{name}", True)
    os.mkdir(f"{target}/shm")  # noqa: PTH102
    os.chmod(f"{target}/shm", 0o1777)  # noqa: PTH101
    for name, leads in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        os.symlink(f"/proc/self/fd{leads}", f"{target}/{name}")  # noqa: PTH211


def make(root: str, kind: str, target: str, source: str) -> None:
    at = root if target == "/" else root + target
    if kind == "tmpfs":
        os.makedirs(at, exist_ok=True)  # noqa: PTH103
        mount(
            "sagewright",
            at,
            "tmpfs",
            NOT_SETUID | NO_DEVICES,
            f"mode={'1777' if target == '/tmp' else '755'}",
        )
    elif kind == "dev":
        devices(at)
    elif kind == "proc":
        os.makedirs(at, exist_ok=True)  # noqa: PTH103
        mount("proc", at, "proc", NOT_SETUID | NO_DEVICES | NO_PROGRAMS)
    elif kind == "link":
        os.symlink(source, at)  # noqa: PTH211
    elif kind == "seal":
        seal(at)
    else:
        bind(source, at, kind == "write")


def main(arguments: "list[str]") -> None:
    root, entries, *command = arguments
    try:
        mount("none", "/", flags=PRIVATE | RECURSIVE)
        for kind, target, source in json.loads(entries):
            make(root, kind, target, source)
        os.chroot(root)
        os.chdir("/")
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"cannot make the container: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
