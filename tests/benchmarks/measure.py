"""Runs a command, and prints its seconds, its processor's seconds and its peak memory in MB as JSON; its output is
dropped. A program of its own, and a small one: a child's peak begins with that of the process that forked it.

python measure.py CORES COMMAND...      # 0 cores: all of them
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time


def main() -> int:
    cores, command = int(sys.argv[1]), sys.argv[2:]
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in kilobytes elsewhere
    memory = used.ru_maxrss * unit / 1_000_000
    print(json.dumps({"seconds": seconds, "processor": used.ru_utime + used.ru_stime, "memory": memory}))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
