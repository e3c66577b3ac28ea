"""Keeps a log small, however much is printed: its beginning and its newest end stay, what lies between goes.

`logfile.py LOG` does it for its standard input, for containers that outlive the process that started them; it stands
alone for that.
"""

import os
import sys

HEAD = 8 << 20
TAIL = 1 << 20
"""Bytes: of the first output, and of the newest, which may grow to twice that before it is cut."""


def keep(source: int, path: str, head: int = HEAD, tail: int = TAIL) -> None:
    """Append everything from a file descriptor, until its end. A full disk ends the log, not the process."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    log = os.open(path, flags, 0o644)
    begin, middle, lost = os.fstat(log).st_size, 0, 0
    writing = True
    try:
        while chunk := os.read(source, 1 << 16):
            if not writing:
                continue
            try:
                _write(log, chunk)
                size = os.fstat(log).st_size
                if size > begin + head + 2 * tail:
                    middle = middle or _line_end(log, begin + head)
                    lost = _cut(log, middle, tail, lost)
            except OSError:
                writing = False
    finally:
        os.close(log)


def _write(log: int, data: bytes) -> None:
    while data:
        data = data[os.write(log, data) :]


def _line_end(log: int, position: int) -> int:
    """The first place after `position` where a line begins, near it."""
    return position + os.pread(log, 1 << 12, position).find(b"\n") + 1


def _cut(log: int, middle: int, tail: int, lost: int) -> int:
    """Take out what lies between `middle` and the newest `tail` bytes; the bytes that were lost so far."""
    size = os.fstat(log).st_size
    start = _line_end(log, size - tail)
    newest = os.pread(log, size - start, start)
    lost += start - middle - (_MARK_SIZE if lost else 0)
    os.ftruncate(log, middle)
    _write(log, f"[sagewright] {lost:>20,} bytes of output are left out here\n".encode() + newest)
    return lost


_MARK_SIZE = len(f"[sagewright] {0:>20,} bytes of output are left out here\n")


if __name__ == "__main__":
    keep(0, sys.argv[1])
